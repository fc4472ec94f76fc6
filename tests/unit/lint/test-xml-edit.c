/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-xml-edit: changes of a text that leave the rest of it as it is, and the places that they
 * need. */
#include "lib/lint/xml-edit.h"

#include "lib/lint/xml-places.h"
#include "tests/unit/unit.h"

/* One edit of the @element-th element. */
typedef struct Row {
    const char *text;
    size_t element;
    const char *name; /* NULL: a child is added */
    const char *value;
    const char *result;
} Row;

static char *apply(const Row *row)
{
    g_autoptr(GArray) places = viommu_xml_places(row->text);
    g_autoptr(ViommuXmlEdits) edits = viommu_xml_edits_new();

    ck_assert_ptr_nonnull(places);
    if (row->name)
        viommu_xml_edits_set(edits, row->element, row->name, row->value);
    else
        viommu_xml_edits_add(edits, row->element, row->value);
    return viommu_xml_edits_apply(edits, row->text, places);
}

START_TEST(single)
{
    static const Row rows[] = {
        {"<a/>", 0, "b", "c", "<a b='c'/>"},
        {"<a />", 0, "b", "c", "<a b='c' />"},
        {"<a></a>", 0, "b", "c", "<a b='c'></a>"},
        {"<a b=\"old\"/>", 0, "b", "c", "<a b=\"c\"/>"},
        {"<a bb='1' b = 'old' d='>'/>", 0, "b", "c", "<a bb='1' b = 'c' d='>'/>"},
        {"<a x='b=\"1\"' b='old'/>", 0, "b", "c", "<a x='b=\"1\"' b='c'/>"},
        {"<a b='1'\n c='2'/>", 0, "c", NULL, "<a b='1'/>"},
        {"<a b='1'/>", 0, "c", NULL, "<a b='1'/>"},
        {"<!-- <a/> --><a><![CDATA[<a/>]]><?a <a/>?><b/></a>", 1, "c", "d",
         "<!-- <a/> --><a><![CDATA[<a/>]]><?a <a/>?><b c='d'/></a>"},
        {"<a/>", 0, NULL, "<b/>", "<a><b/></a>"},
        {"<a x='1' />", 0, NULL, "<b/>", "<a x='1'><b/></a>"},
        {"<a></a>", 0, NULL, "<b/>", "<a><b/></a>"},
        {"<a>\n  <b/>\n</a>\n", 1, NULL, "<c/>", "<a>\n  <b>\n    <c/>\n  </b>\n</a>\n"},
        {"<a>\n  <b/>\n</a>\n", 0, NULL, "<c/>", "<a>\n  <b/>\n  <c/>\n</a>\n"},
        {"<a>\n\t<b><c/></b>\n</a>", 1, NULL, "<d/>", "<a>\n\t<b><c/><d/></b>\n</a>"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *result = apply(&rows[i]);

        ck_assert_str_eq(result, rows[i].result);
    }
}
END_TEST

START_TEST(several)
{
    static const char text[] = "<a>\n  <b/>\n  <c x='1'/>\n</a>\n";
    g_autoptr(GArray) places = viommu_xml_places(text);
    g_autoptr(ViommuXmlEdits) edits = viommu_xml_edits_new();
    g_autofree char *result = NULL;

    ck_assert(viommu_xml_edits_is_empty(edits));
    viommu_xml_edits_add(edits, 1, "<d/>");
    viommu_xml_edits_set(edits, 1, "y", "2");
    viommu_xml_edits_set(edits, 2, "x", "3");
    /* The first that asks has it. */
    viommu_xml_edits_set(edits, 2, "x", "4");
    viommu_xml_edits_add(edits, 0, "<e/>");
    viommu_xml_edits_add(edits, 0, "<e z=''/>");
    viommu_xml_edits_add(edits, 0, "<f/>");
    ck_assert(!viommu_xml_edits_is_empty(edits));
    result = viommu_xml_edits_apply(edits, text, places);
    ck_assert_str_eq(result, "<a>\n  <b y='2'>\n    <d/>\n  </b>\n  <c x='3'/>\n  <e/>\n  <f/>\n</a>\n");
}
END_TEST

START_TEST(lines)
{
    g_autoptr(GArray) places = viommu_xml_places("<?xml?>\n<a>\n<!--\n-->\n<b\n/><c/>\n</a>");
    const unsigned wanted[] = {2, 5, 6};

    ck_assert_uint_eq(places->len, G_N_ELEMENTS(wanted));
    for (guint i = 0; i < places->len; i++)
        ck_assert_uint_eq(g_array_index(places, ViommuXmlPlace, i).line, wanted[i]);
}
END_TEST

START_TEST(paths)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(xmlDoc) document =
        viommu_xml_parse("<a><b/><c><b/></c><b/></a>", "a", VIOMMU_ERROR_INVALID_REQUEST, &error);
    const xmlNode *first = viommu_xml_child(xmlDocGetRootElement(document), "b");
    const xmlNode *inner = viommu_xml_child(viommu_xml_next(first, "c"), "b");
    g_autofree char *path = viommu_xml_path(first), *alone = viommu_xml_path(inner);

    ck_assert_str_eq(path, "/a/b[1]");
    ck_assert_str_eq(alone, "/a/c/b");
    ck_assert_uint_eq(viommu_xml_number(document), 5);
    ck_assert_uint_eq(viommu_xml_index(inner), 3);
}
END_TEST

UNIT_MAIN("xml-edit", single, several, lines, paths)

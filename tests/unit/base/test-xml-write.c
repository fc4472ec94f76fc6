/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-xml-write: the layout of the XML; and libxml2 must read the same values back. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/base/xml-read.h"
#include "lib/base/xml-write.h"

START_TEST(layout)
{
    g_autoptr(ViommuXmlWriter) xml = viommu_xml_writer_new();
    g_autofree char *text = NULL;

    viommu_xml_open(xml, "domain");
    viommu_xml_attribute(xml, "type", "kvm");
    viommu_xml_attribute(xml, "id", NULL);
    viommu_xml_leaf(xml, "name", "vm");
    viommu_xml_leaf(xml, "title", NULL);
    viommu_xml_leaf(xml, "empty", "");
    viommu_xml_leaf_number(xml, "vcpu", 0);
    viommu_xml_leaf_number(xml, "most", UINT64_MAX);
    viommu_xml_open(xml, "os");
    viommu_xml_empty(xml, "boot", "dev", "hd", "none", NULL, "order", "1", NULL);
    viommu_xml_empty(xml, "acpi", NULL);
    viommu_xml_close(xml);
    viommu_xml_open(xml, "driver");
    viommu_xml_attribute_switch(xml, "intremap", 1);
    viommu_xml_attribute_switch(xml, "eim", 0);
    viommu_xml_attribute_switch(xml, "iotlb", -1);
    viommu_xml_attribute_number(xml, "aw_bits", 48);
    viommu_xml_close(xml);
    viommu_xml_open(xml, "kernel");
    viommu_xml_attribute(xml, "a", "b");
    viommu_xml_text(xml, "/boot");
    viommu_xml_close(xml);
    viommu_xml_close(xml);
    text = viommu_xml_finish(xml);
    ck_assert_str_eq(text, "<domain type='kvm'>\n"
                           "  <name>vm</name>\n"
                           "  <empty/>\n"
                           "  <vcpu>0</vcpu>\n"
                           "  <most>18446744073709551615</most>\n"
                           "  <os>\n"
                           "    <boot dev='hd' order='1'/>\n"
                           "    <acpi/>\n"
                           "  </os>\n"
                           "  <driver intremap='on' eim='off' aw_bits='48'/>\n"
                           "  <kernel a='b'>/boot</kernel>\n"
                           "</domain>\n");
}
END_TEST

/* Writes the value as an attribute and as text, and reads it back with libxml2. */
static void check_round_trip(const char *value)
{
    g_autoptr(ViommuXmlWriter) xml = viommu_xml_writer_new();
    g_autofree char *text = NULL, *attribute = NULL, *content = NULL;
    g_autoptr(xmlDoc) document = NULL;
    g_autoptr(GError) error = NULL;
    const xmlNode *leaf;

    viommu_xml_open(xml, "top");
    viommu_xml_open(xml, "leaf");
    viommu_xml_attribute(xml, "value", value);
    viommu_xml_text(xml, value);
    viommu_xml_close(xml);
    viommu_xml_close(xml);
    text = viommu_xml_finish(xml);
    document = viommu_xml_parse(text, "top", VIOMMU_ERROR_INTERNAL, &error);
    unit_assert_ok(document != NULL, error);
    leaf = viommu_xml_child(xmlDocGetRootElement(document), "leaf");
    attribute = viommu_xml_get(leaf, "value");
    content = viommu_xml_content(leaf);
    ck_assert_str_eq(attribute, value);
    ck_assert_str_eq(content, value);
    ck_assert_ptr_null(viommu_xml_next(leaf, NULL));
}

START_TEST(nasty_strings_survive)
{
    static const char *const cases[] = {
        "",
        " ",
        "  spaces  inside and around  ",
        "&",
        "<>&\"'",
        "&amp;&lt;&#10;",
        "'/><injected a='",
        "</leaf><injected/>",
        "]]>",
        "<!-- comment --><![CDATA[x]]><?pi?>",
        "a\nb\tc\rd\r\ne",
        "\n\t\r ",
        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
        "\xc2\x85\xe2\x80\xa8\xc2\xa0",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        check_round_trip(cases[i]);
    for (char c = ' '; c < 0x7f; c++) {
        char one[] = {'a', c, c, '\0'};

        check_round_trip(one);
    }
}
END_TEST

/* The buffer grows many times, also inside an escape. */
START_TEST(long_strings_survive)
{
    for (size_t length = 4070; length < 4110; length++) {
        g_autofree char *value = g_strnfill(length, '\'');

        check_round_trip(value);
    }
    g_autofree char *large = g_strnfill(1 << 20, '<');
    check_round_trip(large);
}
END_TEST

START_TEST(deep_elements)
{
    g_autoptr(ViommuXmlWriter) xml = viommu_xml_writer_new();
    g_autofree char *text = NULL;

    for (int i = 0; i < 32; i++)
        viommu_xml_open(xml, "e");
    for (int i = 0; i < 32; i++)
        viommu_xml_close(xml);
    text = viommu_xml_finish(xml);
    ck_assert_ptr_nonnull(
        strstr(text, "\n                                                              <e/>\n"));
    ck_assert(g_str_has_suffix(text, "\n</e>\n"));
}
END_TEST

/* A writer that is freed early, or after the end, leaks nothing (the sanitizer looks). */
START_TEST(half_written)
{
    ViommuXmlWriter *xml = viommu_xml_writer_new();

    viommu_xml_open(xml, "a");
    viommu_xml_attribute(xml, "b", "c");
    viommu_xml_writer_free(xml);
    viommu_xml_writer_free(NULL);
}
END_TEST

START_TEST(reader_refuses)
{
    static const struct {
        const char *xml, *message;
    } cases[] = {
        {"", "cannot parse the XML of <top>: line "},
        {"<top>", "cannot parse the XML of <top>: line 1: "},
        {"<top/><top/>", "cannot parse the XML of <top>: line 1: Extra content"},
        {"<top>&x;</top>", "cannot parse the XML of <top>: line 1: Entity 'x' not defined"},
        {"<other/>", "the XML has the root element <other> instead of <top>"},
        {"<!DOCTYPE top [<!ENTITY x 'y'>]><top>&x;</top>",
         "the XML of <top> has a document type, which is not allowed"},
        {"<!DOCTYPE top SYSTEM 'file:///etc/passwd'><top/>",
         "the XML of <top> has a document type, which is not allowed"},
        {"<top a='\xff'/>", "cannot parse the XML of <top>: line 1: "},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(viommu_xml_parse(cases[i].xml, "top", VIOMMU_ERROR_BACKEND, &error));
        ck_assert_msg(g_str_has_prefix(error->message, cases[i].message), "%s", error->message);
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
        ck_assert(g_utf8_validate(error->message, -1, NULL));
    }
}
END_TEST

UNIT_MAIN("xmlw", layout, nasty_strings_survive, long_strings_survive, deep_elements, half_written,
          reader_refuses)

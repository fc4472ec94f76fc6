/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/lint/xml-edit.h"

#include <string.h>

#include "lib/lint/xml-places.h"

typedef struct Edit {
    size_t element;
    char *name;  /* of the attribute; NULL: a child is added */
    char *value; /* of the attribute, or the child; NULL: the attribute is removed */
} Edit;

struct ViommuXmlEdits {
    GPtrArray *list; /* of Edit */
};

/* A stretch of the text that is replaced. */
typedef struct Patch {
    size_t offset, length;
    char *text;
} Patch;

static void edit_free(void *data)
{
    Edit *edit = data;

    g_free(edit->name);
    g_free(edit->value);
    g_free(edit);
}

ViommuXmlEdits *viommu_xml_edits_new(void)
{
    ViommuXmlEdits *edits = g_new0(ViommuXmlEdits, 1);

    edits->list = g_ptr_array_new_with_free_func(edit_free);
    return edits;
}

void viommu_xml_edits_free(ViommuXmlEdits *edits)
{
    if (!edits)
        return;
    g_ptr_array_unref(edits->list);
    g_free(edits);
}

/* "<driver": what makes two children the same. */
static size_t name_length(const char *child)
{
    return strcspn(child, " />");
}

/* One change for each attribute, and one child of each name: the first that asks has it. */
static bool is_new(const ViommuXmlEdits *edits, size_t element, const char *name, const char *value)
{
    for (guint i = 0; i < edits->list->len; i++) {
        const Edit *other = g_ptr_array_index(edits->list, i);

        if (other->element != element || (other->name == NULL) != (name == NULL))
            continue;
        if (name ? g_str_equal(other->name, name)
                 : name_length(other->value) == name_length(value) &&
                       strncmp(other->value, value, name_length(value)) == 0)
            return false;
    }
    return true;
}

static void add(ViommuXmlEdits *edits, size_t element, const char *name, const char *value)
{
    Edit *edit;

    if (!is_new(edits, element, name, value))
        return;
    edit = g_new0(Edit, 1);
    edit->element = element;
    edit->name = g_strdup(name);
    edit->value = g_strdup(value);
    g_ptr_array_add(edits->list, edit);
}

void viommu_xml_edits_set(ViommuXmlEdits *edits, size_t element, const char *name, const char *value)
{
    add(edits, element, name, value);
}

void viommu_xml_edits_add(ViommuXmlEdits *edits, size_t element, const char *child)
{
    add(edits, element, NULL, child);
}

bool viommu_xml_edits_is_empty(const ViommuXmlEdits *edits)
{
    return edits->list->len == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Finds attribute @name of the start tag: from the white space before it to behind its closing
 * quote. */
static bool find_attribute(const char *text, const ViommuXmlPlace *place, const char *name, size_t *ret_from,
                           size_t *ret_value, size_t *ret_to)
{
    size_t at = place->name;

    while (at < place->end) {
        size_t from = at, start, length, value;
        char quote;

        while (at < place->end && is_space(text[at]))
            at++;
        start = at;
        while (at < place->end && !is_space(text[at]) && text[at] != '=')
            at++;
        length = at - start;
        while (at < place->end && text[at] != '"' && text[at] != '\'')
            at++;
        if (at >= place->end)
            return false;
        quote = text[at];
        value = ++at;
        while (at < place->end && text[at] != quote)
            at++;
        if (length == strlen(name) && strncmp(text + start, name, length) == 0) {
            *ret_from = from;
            *ret_value = value;
            *ret_to = at + 1;
            return true;
        }
        at++;
    }
    return false;
}

static void patch_attribute(GArray *patches, const Edit *edit, const char *text, const ViommuXmlPlace *place)
{
    size_t from, value, to, end = place->end;
    Patch patch = {0};

    if (!find_attribute(text, place, edit->name, &from, &value, &to)) {
        if (!edit->value)
            return;
        while (end > place->name && is_space(text[end - 1]))
            end--;
        patch = (Patch){end, 0, g_strdup_printf(" %s='%s'", edit->name, edit->value)};
    } else if (edit->value) {
        patch = (Patch){value, to - 1 - value, g_strdup(edit->value)};
    } else {
        patch = (Patch){from, to - from, g_strdup("")};
    }
    g_array_append_val(patches, patch);
}

/* The white space that begins the line of @offset, and the newline before it; "" if something else
 * stands before it on the line.  Owned. */
static char *indentation(const char *text, size_t offset)
{
    size_t line = offset;

    while (line > 0 && (text[line - 1] == ' ' || text[line - 1] == '\t'))
        line--;
    return line > 0 && text[line - 1] == '\n' ? g_strndup(text + line - 1, offset - line + 1) : g_strdup("");
}

/* A child has a line of its own, indented by two more than its parent's end tag, as libvirt writes
 * it, where that has one, too. */
static void patch_child(GArray *patches, const Edit *edit, const char *text, const ViommuXmlPlace *place)
{
    g_autofree char *outer = indentation(text, place->is_empty ? place->start : place->close);
    g_autofree char *inner = *outer ? g_strconcat(outer, "  ", NULL) : g_strdup("");
    g_autofree char *name = g_strndup(text + place->start + 1, place->name - place->start - 1);
    size_t at = place->close;
    Patch patch;

    if (place->is_empty) {
        while (at > place->name && is_space(text[at - 1]))
            at--;
        patch = (Patch){at, place->end + 2 - at,
                        g_strconcat(">", inner, edit->value, outer, "</", name, ">", NULL)};
    } else {
        /* Behind the last child, before the line of the end tag. */
        while (at > place->end + 1 && is_space(text[at - 1]))
            at--;
        patch = (Patch){at, 0, g_strconcat(inner, edit->value, NULL)};
    }
    g_array_append_val(patches, patch);
}

/* Attributes come first, because they stand before the children at the same offset.  The first
 * child of an empty element replaces its "/>"; others wait for another round. */
static void patch_all(const ViommuXmlEdits *edits, const char *text, const GArray *places, GArray *patches)
{
    g_autoptr(GHashTable) filled = g_hash_table_new(NULL, NULL);

    for (int children = 0; children < 2; children++)
        for (guint i = 0; i < edits->list->len; i++) {
            const Edit *edit = g_ptr_array_index(edits->list, i);
            const ViommuXmlPlace *place = &g_array_index(places, ViommuXmlPlace, edit->element);

            if ((edit->name == NULL) != (children == 1))
                continue;
            if (edit->name)
                patch_attribute(patches, edit, text, place);
            else if (!place->is_empty || g_hash_table_add(filled, GSIZE_TO_POINTER(edit->element + 1)))
                patch_child(patches, edit, text, place);
        }
}

static int compare(gconstpointer a, gconstpointer b)
{
    const Patch *left = a, *right = b;

    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

char *viommu_xml_edits_apply(const ViommuXmlEdits *edits, const char *text, const GArray *places)
{
    g_autoptr(GArray) patches = g_array_new(FALSE, FALSE, sizeof(Patch));
    GString *result = g_string_new(NULL);
    size_t at = 0;

    patch_all(edits, text, places, patches);
    g_array_sort(patches, compare);
    for (guint i = 0; i < patches->len; i++) {
        Patch *patch = &g_array_index(patches, Patch, i);

        if (patch->offset >= at) {
            g_string_append_len(result, text + at, (gssize)(patch->offset - at));
            g_string_append(result, patch->text);
            at = patch->offset + patch->length;
        }
        g_free(patch->text);
    }
    g_string_append(result, text + at);
    return g_string_free(result, FALSE);
}

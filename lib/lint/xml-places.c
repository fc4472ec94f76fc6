/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/lint/xml-places.h"

#include <string.h>

/* Constructs that are no tags, and what ends them. */
static const struct {
    const char *start, *end;
} others[] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}};

/* Behind the construct at @at; NULL: it is a tag. */
static const char *skip_other(const char *at)
{
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (g_str_has_prefix(at, others[i].start)) {
            const char *end = strstr(at + strlen(others[i].start), others[i].end);

            return end ? end + strlen(others[i].end) : at + strlen(at);
        }
    return NULL;
}

/* The ">" of the tag at @at; a quoted value may contain one. */
static const char *find_tag_end(const char *at)
{
    char quote = 0;

    for (; *at; at++) {
        if (quote)
            quote = *at == quote ? 0 : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (*at == '>')
            return at;
    }
    return NULL;
}

static void add_element(GArray *places, GArray *open, const char *text, const char *at, const char *end,
                        unsigned line)
{
    bool is_empty = end[-1] == '/';
    ViommuXmlPlace place = {
        .start = (size_t)(at - text),
        .name = (size_t)(at - text) + 1 + strcspn(at + 1, " \t\r\n/>"),
        .end = (size_t)(end - text) - is_empty,
        .is_empty = is_empty,
        .line = line,
    };
    guint index = places->len;

    place.close = place.end;
    g_array_append_val(places, place);
    if (!is_empty)
        g_array_append_val(open, index);
}

static bool close_element(GArray *places, GArray *open, size_t offset)
{
    if (open->len == 0)
        return false;
    g_array_index(places, ViommuXmlPlace, g_array_index(open, guint, open->len - 1)).close = offset;
    g_array_set_size(open, open->len - 1);
    return true;
}

static unsigned count_lines(const char *from, const char *to)
{
    unsigned n = 0;

    for (; from < to; from++)
        n += *from == '\n';
    return n;
}

GArray *viommu_xml_places(const char *text)
{
    g_autoptr(GArray) places = g_array_new(FALSE, TRUE, sizeof(ViommuXmlPlace));
    g_autoptr(GArray) open = g_array_new(FALSE, FALSE, sizeof(guint));
    const char *at = strchr(text, '<'), *counted = text;
    unsigned line = 1;

    for (; at; at = strchr(at, '<')) {
        const char *behind = skip_other(at), *end = behind ? NULL : find_tag_end(at);

        line += count_lines(counted, at);
        counted = at;
        if (!behind && !end)
            return NULL;
        if (end && at[1] == '/' && !close_element(places, open, (size_t)(at - text)))
            return NULL;
        if (end && at[1] != '/')
            add_element(places, open, text, at, end, line);
        at = behind ? behind : end;
    }
    return open->len == 0 ? g_steal_pointer(&places) : NULL;
}

/* The next element of the document; NULL behind the last. */
static xmlNode *next_element(xmlNode *node)
{
    xmlNode *child = viommu_xml_child(node, NULL);

    if (child)
        return child;
    for (; node && node->type == XML_ELEMENT_NODE; node = node->parent) {
        xmlNode *next = viommu_xml_next(node, NULL);

        if (next && node->parent && node->parent->type == XML_ELEMENT_NODE)
            return next;
    }
    return NULL;
}

size_t viommu_xml_number(xmlDoc *document)
{
    size_t n = 0;

    for (xmlNode *node = xmlDocGetRootElement(document); node; node = next_element(node))
        node->_private = GSIZE_TO_POINTER(n++);
    return n;
}

size_t viommu_xml_index(const xmlNode *node)
{
    return GPOINTER_TO_SIZE(node->_private);
}

/* Its position among those of the same name, if there are several; 0: there is one. */
static unsigned position(const xmlNode *node)
{
    unsigned before = 0;

    for (const xmlNode *other = node->prev; other; other = other->prev)
        before += other->type == XML_ELEMENT_NODE && g_str_equal(other->name, node->name);
    return before || viommu_xml_next(node, (const char *)node->name) ? before + 1 : 0;
}

char *viommu_xml_path(const xmlNode *node)
{
    GString *path = g_string_new(NULL);

    for (; node && node->type == XML_ELEMENT_NODE; node = node->parent) {
        unsigned n = position(node);
        g_autofree char *step = n ? g_strdup_printf("/%s[%u]", (const char *)node->name, n)
                                  : g_strdup_printf("/%s", (const char *)node->name);

        g_string_prepend(path, step);
    }
    return g_string_free(path, FALSE);
}

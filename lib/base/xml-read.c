/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xml-read: calls libxml2 with every dangerous feature disabled. */
#include "lib/base/xml-read.h"

#include <libxml/parser.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlParserCtxt, xmlFreeParserCtxt)

static xmlNode *element(xmlNode *node, const char *name)
{
    for (; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && (!name || g_str_equal(node->name, name)))
            return node;
    return NULL;
}

static char *take(xmlChar *text)
{
    char *copy = g_strdup((const char *)text);

    xmlFree(text);
    return copy;
}

void viommu_xml_init(void)
{
    xmlInitParser();
}

xmlDoc *viommu_xml_parse(const char *text, const char *root, ViommuError code, GError **error)
{
    g_autoptr(xmlParserCtxt) parser = xmlNewParserCtxt();
    g_autoptr(xmlDoc) document = NULL;
    const xmlNode *top;
    size_t length = strlen(text);

    if (length > G_MAXINT || strstr(text, "<!DOCTYPE")) {
        viommu_fail(error, (int)code, "the XML of <%s> %s", root,
                    length > G_MAXINT ? "is too long" : "has a document type, which is not allowed");
        return NULL;
    }
    /* The encoding is forced to UTF-8: another encoding could spell "<!DOCTYPE" differently. */
    document =
        xmlCtxtReadMemory(parser, text, (int)length, NULL, "UTF-8",
                          XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!document) {
        const xmlError *last = xmlCtxtGetLastError(parser);
        /* libxml2 quotes the bytes that it could not decode. */
        g_autofree char *reason =
            g_utf8_make_valid(last && last->message ? last->message : "no reason given", -1);

        viommu_fail(error, (int)code, "cannot parse the XML of <%s>: line %d: %s", root,
                    last ? last->line : 0, g_strchomp(reason));
        return NULL;
    }
    top = xmlDocGetRootElement(document);
    if (!top || !g_str_equal(top->name, root)) {
        viommu_fail(error, (int)code, "the XML has the root element <%s> instead of <%s>",
                    top ? (const char *)top->name : "", root);
        return NULL;
    }
    return g_steal_pointer(&document);
}

xmlNode *viommu_xml_child(const xmlNode *parent, const char *name)
{
    return parent ? element(parent->children, name) : NULL;
}

xmlNode *viommu_xml_next(const xmlNode *node, const char *name)
{
    return element(node->next, name);
}

char *viommu_xml_get(const xmlNode *node, const char *name)
{
    return node ? take(xmlGetNoNsProp(node, (const xmlChar *)name)) : NULL;
}

char *viommu_xml_content(const xmlNode *node)
{
    return node ? take(xmlNodeGetContent(node)) : NULL;
}

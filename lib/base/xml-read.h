/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xml-read: reads XML from outside with libxml2: no network, no document type, no entities, no
 * files.  Knows no libvirt words. */
#pragma once

#include <glib.h>
#include <libxml/tree.h>
#include "lib/base/error.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/** Call it once, before several threads read XML: libxml2 fills its tables on first use, without a
 *  lock. */
void viommu_xml_init(void);
/** The document of @text, whose root element is @root in any namespace.  Owned, xmlFreeDoc().
 *  Fails: @code, with line and reason. */
xmlDoc *viommu_xml_parse(const char *text, const char *root, ViommuError code, GError **error);
/** The first child element @name (NULL: any); NULL when there is none, or when @parent is NULL.
 *  Borrowed. */
xmlNode *viommu_xml_child(const xmlNode *parent, const char *name);
/** The next sibling element @name (NULL: any), or NULL.  Borrowed. */
xmlNode *viommu_xml_next(const xmlNode *node, const char *name);
/** The attribute @name of @node; NULL without it, or without @node.  Owned, g_free(). */
char *viommu_xml_get(const xmlNode *node, const char *name);
/** All text inside @node; NULL without @node.  Owned, g_free(). */
char *viommu_xml_content(const xmlNode *node);

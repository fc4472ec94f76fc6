/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xml-read: reads XML that somebody else wrote, over libxml2: no network, no document type, no
 * entities, no files. Knows no libvirt words. */
#pragma once

#include <glib.h>
#include <libxml/tree.h>
#include "lib/base/error.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/** Once, before several threads read XML: libxml2 makes its tables when it is first used, and not
 *  safely. */
void viommu_xml_init(void);
/** The document of @text, whose root element is called @root, in whatever namespace.  Owned,
 *  xmlFreeDoc(). Fails: @code, with line and reason. */
xmlDoc *viommu_xml_parse(const char *text, const char *root, ViommuError code, GError **error);
/** The first child element called @name (NULL: any); NULL when there is none, or no @parent.
 *  Borrowed. */
xmlNode *viommu_xml_child(const xmlNode *parent, const char *name);
/** The next sibling element called @name (NULL: any), or NULL.  Borrowed. */
xmlNode *viommu_xml_next(const xmlNode *node, const char *name);
/** The attribute @name of @node, or NULL (also without a @node). Owned, g_free(). */
char *viommu_xml_get(const xmlNode *node, const char *name);
/** All the text inside @node; NULL without a @node. Owned, g_free(). */
char *viommu_xml_content(const xmlNode *node);

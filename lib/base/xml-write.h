/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xml-write: writes elements, attributes and text with escaping and indentation.  Knows no
 * libvirt words. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuXmlWriter ViommuXmlWriter;

ViommuXmlWriter *viommu_xml_writer_new(void);
void viommu_xml_writer_free(ViommuXmlWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuXmlWriter, viommu_xml_writer_free)

/** Opens an element; what follows goes inside until viommu_xml_close().  @element is borrowed
 *  until then.  Elements have either text or children, at most 32 deep; their characters must be
 *  ones that XML can carry. */
void viommu_xml_open(ViommuXmlWriter *writer, const char *element);
void viommu_xml_close(ViommuXmlWriter *writer);
/** An attribute of the element just opened; nothing when @value is NULL. */
void viommu_xml_attribute(ViommuXmlWriter *writer, const char *name, const char *value);
void viommu_xml_attribute_number(ViommuXmlWriter *writer, const char *name, uint64_t value);
/** "on" or "off" for a flag that is set; nothing for one that is unset (negative). */
void viommu_xml_attribute_switch(ViommuXmlWriter *writer, const char *name, int flag);
/** Text inside the element just opened. */
void viommu_xml_text(ViommuXmlWriter *writer, const char *text);
/** <element>text</element>; nothing when @text is NULL. */
void viommu_xml_leaf(ViommuXmlWriter *writer, const char *element, const char *text);
void viommu_xml_leaf_number(ViommuXmlWriter *writer, const char *element, uint64_t value);
/** <element name='value'/>; a variable list of name, value pairs ended by NULL; pairs with a NULL
 *  value are left out. */
void viommu_xml_empty(ViommuXmlWriter *writer, const char *element, ...) G_GNUC_NULL_TERMINATED;
/** Ends the document: all elements must be closed.  Two-space indentation, no XML declaration, a
 *  last newline. Owned. */
char *viommu_xml_finish(ViommuXmlWriter *writer);

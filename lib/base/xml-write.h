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

/** Opens an element; what is written next goes inside it, until viommu_xml_close().  @element is
 *  borrowed until then.  An element has either text or children, at most 32 levels deep; all
 *  characters must be valid in XML. */
void viommu_xml_open(ViommuXmlWriter *writer, const char *element);
void viommu_xml_close(ViommuXmlWriter *writer);
/** An attribute of the element just opened; writes nothing when @value is NULL. */
void viommu_xml_attribute(ViommuXmlWriter *writer, const char *name, const char *value);
void viommu_xml_attribute_number(ViommuXmlWriter *writer, const char *name, uint64_t value);
/** "on" or "off" for a set flag; writes nothing for an unset one (negative). */
void viommu_xml_attribute_switch(ViommuXmlWriter *writer, const char *name, int flag);
/** Text inside the element just opened. */
void viommu_xml_text(ViommuXmlWriter *writer, const char *text);
/** <element>text</element>; writes nothing when @text is NULL. */
void viommu_xml_leaf(ViommuXmlWriter *writer, const char *element, const char *text);
void viommu_xml_leaf_number(ViommuXmlWriter *writer, const char *element, uint64_t value);
/** <element name='value'/>, with a variable list of name, value pairs that NULL ends; leaves out
 *  pairs whose value is NULL. */
void viommu_xml_empty(ViommuXmlWriter *writer, const char *element, ...) G_GNUC_NULL_TERMINATED;
/** Ends the document; all elements must be closed.  It is indented by two spaces, has no XML
 *  declaration, and ends with a newline.  Owned. */
char *viommu_xml_finish(ViommuXmlWriter *writer);

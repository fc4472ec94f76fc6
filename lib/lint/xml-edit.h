/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xml-edit: changes of a document's text that leave every other byte as it is. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ViommuXmlEdits ViommuXmlEdits;

ViommuXmlEdits *viommu_xml_edits_new(void);
void viommu_xml_edits_free(ViommuXmlEdits *edits);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuXmlEdits, viommu_xml_edits_free)

/** Sets attribute @name of the element with this index in the places; @value NULL: removes it.
 *  @value has no character that XML would need escaped. */
void viommu_xml_edits_set(ViommuXmlEdits *edits, size_t element, const char *name, const char *value);
/** Adds @child, the text of an element, as the last one of the element; a second child of the
 *  same name has to wait for another round. */
void viommu_xml_edits_add(ViommuXmlEdits *edits, size_t element, const char *child);
bool viommu_xml_edits_is_empty(const ViommuXmlEdits *edits);
/** @places: of @text.  Owned. */
char *viommu_xml_edits_apply(const ViommuXmlEdits *edits, const char *text, const GArray *places);

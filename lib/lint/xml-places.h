/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xml-places: where the elements of a document stand in its text.  libxml2 has found the text
 * well-formed, and without a document type; so tags, comments and CDATA are all that there is. */
#pragma once

#include "lib/base/xml-read.h"

/* Offsets in the text. */
typedef struct ViommuXmlPlace {
    size_t start;  /* of "<" */
    size_t name;   /* behind the name */
    size_t end;    /* of ">" or "/>", which ends the start tag */
    size_t close;  /* of "</"; that of the "/>" of an empty element */
    bool is_empty; /* "<a/>" */
    unsigned line;
} ViommuXmlPlace;

/** The places of all elements, in the order of the document.  Owned, of ViommuXmlPlace; NULL: the
 *  text is not as promised. */
GArray *viommu_xml_places(const char *text);
/** Numbers the elements of @document in the same order; returns how many there are. */
size_t viommu_xml_number(xmlDoc *document);
/** The number of @node, an element of a numbered document: its index in the places. */
size_t viommu_xml_index(const xmlNode *node);
/** "/domain/devices/disk[2]/driver".  Owned. */
char *viommu_xml_path(const xmlNode *node);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* yaml-read: reads one YAML document into the same tree as request-file, except that each scalar
 * is a string.
 * What a file of fmf does not need is refused: aliases, tags, several documents, deep
 * nesting, a key twice. */
#pragma once

#include <glib.h>

/** The mapping in @text as a{sv}; owned (not floating).  A ViommuFileParser.
 *  Fails: INVALID_REQUEST, "line N: ...".  A viommuctl that was built without libyaml reads JSON
 *  only. */
GVariant *viommu_yaml_read(const GString *text, GError **error);

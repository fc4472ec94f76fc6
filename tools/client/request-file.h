/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request-file: reads a JSON file into the same tree as on the bus.  For requests and recorded
 * hosts; does not know their keys. */
#pragma once

#include <glib.h>
#include <stddef.h>

/** Reads the object in file @path ("-": standard input) as a{sv}: integers are x, other numbers d,
 *  lists av, objects a{sv}, and null is an empty maybe, which the readers of the tree refuse by
 *  key.  @return owned (not floating).  Fails: INVALID_REQUEST naming the file and the line. */
GVariant *viommu_request_file_read(const char *path, GError **error);

/** The tree of @text, owned (not floating); "line N: ..." in @error. */
typedef GVariant *(*ViommuFileParser)(const GString *text, GError **error);
/** The same for a file of another form; @text has at most VIOMMU_JSON_BYTES_MAX + 4096 bytes. */
GVariant *viommu_request_file_read_by(const char *path, ViommuFileParser parser, GError **error);
/** The parser of viommu_request_file_read(). */
GVariant *viommu_request_file_parse(const GString *text, GError **error);
/** The bytes of the file at @path, or of standard input for "-"; of one that is longer than @most,
 *  somewhat more than that.  Owned.  Fails: INVALID_REQUEST. */
GString *viommu_request_file_bytes(const char *path, size_t most, GError **error);

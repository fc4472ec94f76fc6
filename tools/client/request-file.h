/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request-file: a JSON file -> the same tree as on the bus.  Requests and recorded hosts; knows neither's keys. */
#pragma once

#include <glib.h>

/** @path "-" is standard input.  The object as a{sv}: integers are x, other numbers d, lists av, objects a{sv}, null an
 *  empty maybe, which the readers of the tree refuse by key.  @return owned (not floating).
 *  Fails: INVALID_REQUEST naming the file and the line. */
GVariant *viommu_request_file_read(const char *path, GError **error);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/request-file.h"

#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "tools/client/json-scan.h"

static const char *shown_name(const char *path)
{
    return g_str_equal(path, "-") ? "standard input" : path;
}

GString *viommu_request_file_bytes(const char *path, size_t most, GError **error)
{
    bool standard = g_str_equal(path, "-");
    int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    g_autoptr(GString) text = g_string_new(NULL);
    char buffer[4096];
    ssize_t got = file < 0 ? -1 : 1;

    while (got > 0 && text->len <= most) {
        got = read(file, buffer, sizeof(buffer));
        if (got > 0)
            g_string_append_len(text, buffer, got);
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    if (got < 0)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "cannot read %s: %s", shown_name(path),
                    g_strerror(errno));
    if (file >= 0 && !standard)
        close(file);
    return got < 0 ? NULL : g_steal_pointer(&text);
}

/* Messages of json-glib begin with "<data>:LINE:COLUMN: Parse error: ", and may quote part of a
 * character. */
static void say_line(const GError *failure, GError **error)
{
    g_autofree char *message = g_utf8_make_valid(failure->message, -1);
    const char *words = strstr(message, "error: ");
    unsigned line;

    if (words && sscanf(message, "<data>:%u:", &line) == 1)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "line %u: %s", line, words + strlen("error: "));
    else
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s", message);
}

GVariant *viommu_request_file_parse(const GString *text, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) failure = NULL;
    JsonNode *root;
    GVariant *tree;

    if (!viommu_json_scan(text->str, text->len, error))
        return NULL;
    if (!json_parser_load_from_data(parser, text->str, (gssize)text->len, &failure)) {
        say_line(failure, error);
        return NULL;
    }
    root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "the file must contain a JSON object: {...}");
        return NULL;
    }
    tree = json_gvariant_deserialize(root, NULL, &failure);
    if (!tree) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s", failure->message);
        return NULL;
    }
    return g_variant_ref_sink(tree);
}

GVariant *viommu_request_file_read_by(const char *path, ViommuFileParser parser, GError **error)
{
    g_autoptr(GString) text = NULL;
    GVariant *tree;

    /* One byte more than allowed, so that the scan refuses an endless file. */
    text = viommu_request_file_bytes(path, VIOMMU_JSON_BYTES_MAX, error);
    if (!text)
        return NULL;
    tree = parser(text, error);
    if (!tree)
        g_prefix_error(error, "%s: ", shown_name(path));
    return tree;
}

GVariant *viommu_request_file_read(const char *path, GError **error)
{
    return viommu_request_file_read_by(path, viommu_request_file_parse, error);
}

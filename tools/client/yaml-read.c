/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/yaml-read.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "lib/base/error.h"
#include "tools/client/json-scan.h"

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(yaml_parser_t, yaml_parser_delete)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(yaml_event_t, yaml_event_delete)

static void *refuse(const yaml_event_t *event, const char *what, GError **error)
{
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "line %zu: %s", event->start_mark.line + 1, what);
    return NULL;
}

/* Replaces @event. */
static bool next(yaml_parser_t *parser, yaml_event_t *event, GError **error)
{
    yaml_event_delete(event);
    if (yaml_parser_parse(parser, event))
        return true;
    memset(event, 0, sizeof(*event));
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "line %zu: %s", parser->problem_mark.line + 1,
                       parser->problem ? parser->problem : "not YAML");
}

/* The text of a scalar; NULL: it cannot be text.  Borrowed from @event. */
static const char *scalar(const yaml_event_t *event, GError **error)
{
    const char *text = (const char *)event->data.scalar.value;

    if (event->data.scalar.tag)
        return (const char *)refuse(event, "tags such as !!str are not read; quote the value", error);
    if (strlen(text) != event->data.scalar.length || !g_utf8_validate(text, -1, NULL))
        return (const char *)refuse(event, "a value that is no text", error);
    return text;
}

/* The node that begins with @event, whose content is replaced.  Floating. */
static GVariant *read_node(yaml_parser_t *parser, yaml_event_t *event, unsigned depth, GError **error);

static GVariant *read_sequence(yaml_parser_t *parser, yaml_event_t *event, unsigned depth, GError **error)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("av"));

    while (next(parser, event, error)) {
        GVariant *node;

        if (event->type == YAML_SEQUENCE_END_EVENT)
            return g_variant_builder_end(&builder);
        node = read_node(parser, event, depth + 1, error);
        if (!node)
            return NULL;
        g_variant_builder_add(&builder, "v", node);
    }
    return NULL;
}

/* New; NULL: no key. */
static char *read_key(const yaml_event_t *event, GHashTable *keys, GError **error)
{
    const char *text;

    if (event->type != YAML_SCALAR_EVENT)
        return (char *)refuse(event, "a key must be text", error);
    text = scalar(event, error);
    if (!text)
        return NULL;
    if (!g_hash_table_add(keys, g_strdup(text)))
        return (char *)refuse(event, "a key is there twice", error);
    return g_strdup(text);
}

static GVariant *read_mapping(yaml_parser_t *parser, yaml_event_t *event, unsigned depth, GError **error)
{
    g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    while (next(parser, event, error)) {
        g_autofree char *key = NULL;
        GVariant *node;

        if (event->type == YAML_MAPPING_END_EVENT)
            return g_variant_builder_end(&builder);
        key = read_key(event, keys, error);
        if (!key || !next(parser, event, error))
            return NULL;
        node = read_node(parser, event, depth + 1, error);
        if (!node)
            return NULL;
        g_variant_builder_add(&builder, "{sv}", key, node);
    }
    return NULL;
}

static GVariant *read_node(yaml_parser_t *parser, yaml_event_t *event, unsigned depth, GError **error)
{
    const char *text;

    if (depth > VIOMMU_JSON_DEPTH_MAX)
        return (GVariant *)refuse(event, "nested too deeply", error);
    if (event->type == YAML_ALIAS_EVENT)
        return (GVariant *)refuse(event, "aliases such as *NAME are not read; write the value out", error);
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return read_sequence(parser, event, depth, error);
    if (event->type == YAML_MAPPING_START_EVENT)
        return read_mapping(parser, event, depth, error);
    text = scalar(event, error);
    return text ? g_variant_new_string(text) : NULL;
}

/* Both must be there before the first node, and nothing but the end after the last. */
static bool begin(yaml_parser_t *parser, yaml_event_t *event, GError **error)
{
    if (!next(parser, event, error) || !next(parser, event, error))
        return false;
    if (event->type != YAML_DOCUMENT_START_EVENT)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "the file is empty");
    if (!next(parser, event, error))
        return false;
    return event->type == YAML_MAPPING_START_EVENT || refuse(event, "the file must contain a mapping", error);
}

static bool end(yaml_parser_t *parser, yaml_event_t *event, GError **error)
{
    if (!next(parser, event, error) || !next(parser, event, error))
        return false;
    return event->type == YAML_STREAM_END_EVENT || refuse(event, "a second document is not read", error);
}

GVariant *viommu_yaml_read(const GString *text, GError **error)
{
    g_auto(yaml_parser_t) parser;
    g_auto(yaml_event_t) event = {.type = YAML_NO_EVENT};
    g_autoptr(GVariant) tree = NULL;

    if (!yaml_parser_initialize(&parser))
        g_error("out of memory");
    if (text->len > VIOMMU_JSON_BYTES_MAX) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "the file is larger than 1 MiB");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text->str, text->len);
    if (!begin(&parser, &event, error))
        return NULL;
    tree = read_node(&parser, &event, 1, error);
    if (!tree)
        return NULL;
    g_variant_ref_sink(tree);
    return end(&parser, &event, error) ? g_steal_pointer(&tree) : NULL;
}

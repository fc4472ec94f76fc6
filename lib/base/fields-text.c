/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fields-text: writes structs as GVariant's text.  Each request is written so for its fingerprint,
 * and the tree of values in between would cost more than the whole rest of reading a request. */
#include "lib/base/fields.h"

#include <inttypes.h>

#include "lib/base/version.h"

/* What GVariant would write otherwise than between plain quotes. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '\'' || *text == '\\')
            return false;
    return true;
}

static void add_string(GString *text, const char *value)
{
    g_autoptr(GVariant) odd = NULL;

    if (is_plain(value)) {
        g_string_append_c(text, '\'');
        g_string_append(text, value);
        g_string_append_c(text, '\'');
        return;
    }
    odd = g_variant_ref_sink(g_variant_new_string(value));
    g_variant_print_string(odd, text, FALSE);
}

static void add_version(GString *text, ViommuVersion version)
{
    g_autofree char *value = viommu_version_format(version);

    add_string(text, value);
}

static void add_words(GString *text, char *const *words)
{
    g_string_append(text, *words ? "[" : "@as [");
    for (char *const *word = words; *word; word++) {
        if (word != words)
            g_string_append(text, ", ");
        add_string(text, *word);
    }
    g_string_append_c(text, ']');
}

/* A type is told once. */
static void add_numbers(GString *text, const GArray *numbers)
{
    g_string_append(text, numbers->len ? "[uint64 " : "@at [");
    for (guint i = 0; i < numbers->len; i++)
        g_string_append_printf(text, "%s%" PRIu64, i ? ", " : "", g_array_index(numbers, uint64_t, i));
    g_string_append_c(text, ']');
}

static void add_set(GString *text, const ViommuField *field, uint64_t set)
{
    const char *before = "[";

    for (int word = 0; word < field->words->last; word++)
        if (set & VIOMMU_BIT(word)) {
            g_string_append(text, before);
            add_string(text, field->words->words[word]);
            before = ", ";
        }
    g_string_append_c(text, ']');
}

static void add_fields(GString *text, const ViommuFields *table, const void *target, bool typed);

static void add_list(GString *text, const ViommuField *field, const GPtrArray *list)
{
    g_string_append(text, list->len ? "[" : "@aa{sv} [");
    for (guint i = 0; i < list->len; i++) {
        if (i > 0)
            g_string_append(text, ", ");
        add_fields(text, field->fields, g_ptr_array_index(list, i), i == 0);
    }
    g_string_append_c(text, ']');
}

static bool is_set(const ViommuField *field, const void *member);

static bool is_dict_set(const ViommuFields *table, const void *target)
{
    if (table->present_offset >= 0)
        return *(bool *)G_STRUCT_MEMBER_P(target, (size_t)table->present_offset);
    for (size_t i = 0; i < table->n_fields; i++)
        if (is_set(&table->fields[i], G_STRUCT_MEMBER_P(target, table->fields[i].offset)))
            return true;
    return false;
}

static bool is_set(const ViommuField *field, const void *member)
{
    const GPtrArray *list;

    switch (field->kind) {
    case VIOMMU_FIELD_STRING:
    case VIOMMU_FIELD_WORDS:
    case VIOMMU_FIELD_NUMBERS:
        return *(void *const *)member;
    case VIOMMU_FIELD_FILE:
        return ((const ViommuFile *)member)->path;
    case VIOMMU_FIELD_FLAG:
        return *(const int *)member >= 0;
    case VIOMMU_FIELD_ENUM:
        return viommu_enum_to_string(field->words, *(const int *)member);
    case VIOMMU_FIELD_NUMBER:
    case VIOMMU_FIELD_SIZE:
        return *(const uint64_t *)member != VIOMMU_UNSET_NUMBER;
    case VIOMMU_FIELD_VERSION:
        return *(const ViommuVersion *)member;
    case VIOMMU_FIELD_SET:
        return *(const uint64_t *)member;
    case VIOMMU_FIELD_DICT:
        return is_dict_set(field->fields, member);
    case VIOMMU_FIELD_LIST:
        list = *(GPtrArray *const *)member;
        return list && (list->len > 0 || field->required);
    case VIOMMU_FIELD_LAST:
        break;
    }
    return false;
}

static void add_value(GString *text, const ViommuField *field, const void *member)
{
    switch (field->kind) {
    case VIOMMU_FIELD_STRING:
        add_string(text, *(char *const *)member);
        break;
    case VIOMMU_FIELD_FILE:
        add_string(text, ((const ViommuFile *)member)->path);
        break;
    case VIOMMU_FIELD_FLAG:
        g_string_append(text, *(const int *)member ? "true" : "false");
        break;
    case VIOMMU_FIELD_NUMBER:
    case VIOMMU_FIELD_SIZE:
        g_string_append_printf(text, "uint64 %" PRIu64, *(const uint64_t *)member);
        break;
    case VIOMMU_FIELD_VERSION:
        add_version(text, *(const ViommuVersion *)member);
        break;
    case VIOMMU_FIELD_WORDS:
        add_words(text, *(char **const *)member);
        break;
    case VIOMMU_FIELD_NUMBERS:
        add_numbers(text, *(GArray *const *)member);
        break;
    case VIOMMU_FIELD_ENUM:
        add_string(text, viommu_enum_to_string(field->words, *(const int *)member));
        break;
    case VIOMMU_FIELD_SET:
        add_set(text, field, *(const uint64_t *)member);
        break;
    case VIOMMU_FIELD_DICT:
        add_fields(text, field->fields, member, true);
        break;
    case VIOMMU_FIELD_LIST:
        add_list(text, field, *(GPtrArray *const *)member);
        break;
    case VIOMMU_FIELD_LAST:
        break;
    }
}

/* @typed: an empty dict tells its type. */
static void add_fields(GString *text, const ViommuFields *table, const void *target, bool typed)
{
    const char *before = "{'";

    for (size_t i = 0; i < table->n_fields; i++) {
        const ViommuField *field = &table->fields[i];
        const void *member = G_STRUCT_MEMBER_P(target, field->offset);

        if (!is_set(field, member))
            continue;
        g_string_append(text, before);
        g_string_append(text, field->key);
        g_string_append(text, "': <");
        add_value(text, field, member);
        g_string_append_c(text, '>');
        before = ", '";
    }
    if (*before == '{')
        g_string_append(text, typed ? "@a{sv} {" : "{");
    g_string_append_c(text, '}');
}

char *viommu_fields_text(const ViommuFields *table, const void *target)
{
    GString *text = g_string_sized_new(512);

    add_fields(text, table, target, false);
    return g_string_free(text, FALSE);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fields: initialises, clears and writes structs by a table of fields; fields-read.c reads them.
 * Knows kinds of values, not keys. */
#include "lib/base/fields.h"

#include "lib/base/version.h"

void viommu_fields_init(const ViommuFields *table, void *target)
{
    if (table->present_offset >= 0)
        *(bool *)G_STRUCT_MEMBER_P(target, (size_t)table->present_offset) = false;
    for (size_t i = 0; i < table->n_fields; i++) {
        const ViommuField *field = &table->fields[i];
        void *member = G_STRUCT_MEMBER_P(target, field->offset);

        switch (field->kind) {
        case VIOMMU_FIELD_STRING:
        case VIOMMU_FIELD_WORDS:
        case VIOMMU_FIELD_NUMBERS:
        case VIOMMU_FIELD_LIST:
            *(void **)member = NULL;
            break;
        case VIOMMU_FIELD_FILE:
            *(ViommuFile *)member = (ViommuFile){NULL, VIOMMU_UNSET};
            break;
        case VIOMMU_FIELD_FLAG:
        case VIOMMU_FIELD_ENUM:
            *(int *)member = VIOMMU_UNSET;
            break;
        case VIOMMU_FIELD_NUMBER:
        case VIOMMU_FIELD_SIZE:
            *(uint64_t *)member = VIOMMU_UNSET_NUMBER;
            break;
        case VIOMMU_FIELD_VERSION:
            *(ViommuVersion *)member = 0;
            break;
        case VIOMMU_FIELD_SET:
            *(uint64_t *)member = 0;
            break;
        case VIOMMU_FIELD_DICT:
            viommu_fields_init(field->fields, member);
            break;
        case VIOMMU_FIELD_LAST:
            break;
        }
    }
}

/* The array may have a free function of its own, or none, so the entries are taken out first. */
static void free_list(const ViommuFields *table, GPtrArray *list)
{
    size_t n;
    g_autofree gpointer *entries = g_ptr_array_steal(list, &n);

    for (size_t i = 0; i < n; i++) {
        viommu_fields_clear(table, entries[i]);
        g_free(entries[i]);
    }
    g_ptr_array_unref(list);
}

void viommu_fields_clear(const ViommuFields *table, void *target)
{
    for (size_t i = 0; i < table->n_fields; i++) {
        const ViommuField *field = &table->fields[i];
        void *member = G_STRUCT_MEMBER_P(target, field->offset);

        if (field->kind == VIOMMU_FIELD_STRING)
            g_free(*(char **)member);
        else if (field->kind == VIOMMU_FIELD_FILE)
            g_free(((ViommuFile *)member)->path);
        else if (field->kind == VIOMMU_FIELD_WORDS)
            g_strfreev(*(char ***)member);
        else if (field->kind == VIOMMU_FIELD_NUMBERS)
            g_clear_pointer((GArray **)member, g_array_unref);
        else if (field->kind == VIOMMU_FIELD_DICT)
            viommu_fields_clear(field->fields, member);
        else if (field->kind == VIOMMU_FIELD_LIST && *(GPtrArray **)member)
            free_list(field->fields, *(GPtrArray **)member);
    }
    viommu_fields_init(table, target);
}

static GVariant *write_set(const ViommuField *field, uint64_t set)
{
    GVariantBuilder builder;

    if (set == 0)
        return NULL;
    g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
    for (int word = 0; word < field->words->last; word++)
        if (set & VIOMMU_BIT(word))
            g_variant_builder_add(&builder, "s", field->words->words[word]);
    return g_variant_builder_end(&builder);
}

static GVariant *write_numbers(const GArray *numbers)
{
    return numbers ? g_variant_new_fixed_array(G_VARIANT_TYPE_UINT64, numbers->data, numbers->len,
                                               sizeof(uint64_t))
                   : NULL;
}

static GVariant *write_dict(const ViommuFields *table, const void *target)
{
    GVariant *dict;

    if (table->present_offset >= 0 && !*(bool *)G_STRUCT_MEMBER_P(target, (size_t)table->present_offset))
        return NULL;
    dict = viommu_fields_write(table, target);
    if (table->present_offset < 0 && g_variant_n_children(dict) == 0)
        g_clear_pointer(&dict, g_variant_unref);
    return dict;
}

static GVariant *write_list(const ViommuField *field, const GPtrArray *list)
{
    GVariantBuilder builder;

    if (!list || (list->len == 0 && !field->required))
        return NULL;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < list->len; i++)
        g_variant_builder_add_value(&builder, viommu_fields_write(field->fields, g_ptr_array_index(list, i)));
    return g_variant_builder_end(&builder);
}

static GVariant *write_version(ViommuVersion version)
{
    return version ? g_variant_new_take_string(viommu_version_format(version)) : NULL;
}

/* NULL: the field is unset. */
static GVariant *write_value(const ViommuField *field, const void *member)
{
    const char *text = NULL;

    switch (field->kind) {
    case VIOMMU_FIELD_STRING:
        text = *(char *const *)member;
        break;
    case VIOMMU_FIELD_FILE:
        text = ((const ViommuFile *)member)->path;
        break;
    case VIOMMU_FIELD_FLAG:
        return *(const int *)member < 0 ? NULL : g_variant_new_boolean(*(const int *)member);
    case VIOMMU_FIELD_NUMBER:
    case VIOMMU_FIELD_SIZE:
        return *(const uint64_t *)member == VIOMMU_UNSET_NUMBER
                   ? NULL
                   : g_variant_new_uint64(*(const uint64_t *)member);
    case VIOMMU_FIELD_VERSION:
        return write_version(*(const ViommuVersion *)member);
    case VIOMMU_FIELD_WORDS:
        return *(char **const *)member ? g_variant_new_strv(*(const char *const *const *)member, -1) : NULL;
    case VIOMMU_FIELD_NUMBERS:
        return write_numbers(*(GArray *const *)member);
    case VIOMMU_FIELD_ENUM:
        text = viommu_enum_to_string(field->words, *(const int *)member);
        break;
    case VIOMMU_FIELD_SET:
        return write_set(field, *(const uint64_t *)member);
    case VIOMMU_FIELD_DICT:
        return write_dict(field->fields, member);
    case VIOMMU_FIELD_LIST:
        return write_list(field, *(GPtrArray *const *)member);
    case VIOMMU_FIELD_LAST:
        break;
    }
    return text ? g_variant_new_string(text) : NULL;
}

GVariant *viommu_fields_write(const ViommuFields *table, const void *target)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    for (size_t i = 0; i < table->n_fields; i++) {
        GVariant *value = write_value(&table->fields[i], G_STRUCT_MEMBER_P(target, table->fields[i].offset));

        if (value)
            g_variant_builder_add_value(&builder,
                                        g_variant_new_dict_entry(g_variant_new_string(table->fields[i].key),
                                                                 g_variant_new_variant(value)));
    }
    return g_variant_builder_end(&builder);
}

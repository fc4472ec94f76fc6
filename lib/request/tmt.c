/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmt: from the tree of a file to lists of conditions. */
#include "lib/request/tmt.h"

#include "lib/base/error.h"
#include "lib/base/fields.h"
#include "lib/request/tmt-internal.h"

static void free_condition(gpointer data)
{
    ViommuTmtCondition *condition = (ViommuTmtCondition *)data;

    g_free(condition->name);
    g_free(condition->text);
    g_free(condition);
}

GPtrArray *viommu_tmt_alternative_new(void)
{
    return g_ptr_array_new_with_free_func(free_condition);
}

GPtrArray *viommu_tmt_alternatives_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
}

bool viommu_tmt_add(GPtrArray *alternative, const ViommuTmtCondition *condition, GError **error)
{
    ViommuTmtCondition *copy;

    if (alternative->len >= VIOMMU_TMT_CONDITIONS_MAX)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "the hardware requirement is too long");
    copy = g_new(ViommuTmtCondition, 1);
    *copy = *condition;
    copy->name = g_strdup(condition->name);
    copy->text = g_strdup(condition->text);
    g_ptr_array_add(alternative, copy);
    return true;
}

/* --- One block: conditions that must all hold --- */

/* As Python's str() writes it, which tmt reads.  NULL: a list, a dictionary or null. */
static char *scalar(GVariant *value)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_strstrip(g_variant_dup_string(value, NULL));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        return g_strdup(g_variant_get_boolean(value) ? "true" : "false");
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        return g_strdup_printf("%" G_GINT64_FORMAT, g_variant_get_int64(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE))
        return g_strdup(g_ascii_dtostr(number, sizeof(number), g_variant_get_double(value)));
    return NULL;
}

static bool read_value(GPtrArray *alternative, const char *name, GVariant *value, GError **error);

static bool read_block(GPtrArray *alternative, const char *name, GVariant *block, GError **error)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;

    if (g_variant_n_children(block) == 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "the hardware requirement '%.64s' is empty; name what is required", name);
    g_variant_iter_init(&iter, block);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value)) {
        g_autofree char *inner = *name ? g_strconcat(name, ".", key, NULL) : g_strdup(key);

        if (!read_value(alternative, inner, value, error)) {
            g_variant_unref(value);
            return false;
        }
    }
    return true;
}

/* Of several disks each has an index; several flags of one CPU have one name. */
static bool read_list(GPtrArray *alternative, const char *name, GVariant *list, GError **error)
{
    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(list, i);
        g_autoptr(GVariant) value = g_variant_get_variant(boxed);
        bool peer = g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT);
        g_autofree char *inner = peer ? g_strdup_printf("%s[%" G_GSIZE_FORMAT "]", name, i) : g_strdup(name);

        if (!read_value(alternative, inner, value, error))
            return false;
    }
    return true;
}

static bool read_value(GPtrArray *alternative, const char *name, GVariant *value, GError **error)
{
    g_autofree char *text = NULL;

    if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        return read_block(alternative, name, value, error);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE("av")))
        return read_list(alternative, name, value, error);
    text = scalar(value);
    if (!text || !*text)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "the hardware requirement '%.64s' has no value; add one, or omit it", name);
    if (!viommu_fields_is_text(text) || !viommu_fields_is_text(name))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "a hardware requirement is too long, or has control characters");
    return viommu_tmt_add(alternative, &(ViommuTmtCondition){.name = (char *)name, .text = text}, error);
}

/* --- "and", "or" --- */

static GPtrArray *read_requirement(GVariant *tree, GError **error);

static bool add_all(GPtrArray *alternative, const GPtrArray *more, GError **error)
{
    for (guint i = 0; i < more->len; i++)
        if (!viommu_tmt_add(alternative, (const ViommuTmtCondition *)more->pdata[i], error))
            return false;
    return true;
}

static bool fail_many(GError **error)
{
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                       "the hardware requirement has more than %u alternatives; use fewer 'or'",
                       VIOMMU_TMT_ALTERNATIVES_MAX);
}

GPtrArray *viommu_tmt_combine(const GPtrArray *left, const GPtrArray *right, GError **error)
{
    g_autoptr(GPtrArray) result = viommu_tmt_alternatives_new();

    if (left->len * right->len > VIOMMU_TMT_ALTERNATIVES_MAX) {
        fail_many(error);
        return NULL;
    }
    for (guint i = 0; i < left->len; i++)
        for (guint j = 0; j < right->len; j++) {
            GPtrArray *both = viommu_tmt_alternative_new();

            g_ptr_array_add(result, both);
            if (!add_all(both, (const GPtrArray *)left->pdata[i], error) ||
                !add_all(both, (const GPtrArray *)right->pdata[j], error))
                return NULL;
        }
    return g_steal_pointer(&result);
}

bool viommu_tmt_append(GPtrArray *alternatives, GPtrArray *more, GError **error)
{
    if (alternatives->len + more->len > VIOMMU_TMT_ALTERNATIVES_MAX)
        return fail_many(error);
    for (guint i = 0; i < more->len; i++)
        g_ptr_array_add(alternatives, g_ptr_array_ref((GPtrArray *)more->pdata[i]));
    return true;
}

static GPtrArray *read_group(const char *word, GVariant *list, GError **error)
{
    bool all = g_str_equal(word, "and");
    g_autoptr(GPtrArray) result = viommu_tmt_alternatives_new();

    if (!g_variant_is_of_type(list, G_VARIANT_TYPE("av")) || g_variant_n_children(list) == 0) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "'%s' of the hardware requirement must be a list of requirements", word);
        return NULL;
    }
    if (all)
        g_ptr_array_add(result, viommu_tmt_alternative_new());
    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(list, i);
        g_autoptr(GVariant) member = g_variant_get_variant(boxed);
        g_autoptr(GPtrArray) one = read_requirement(member, error);
        GPtrArray *combined;

        if (!one || (!all && !viommu_tmt_append(result, one, error)))
            return NULL;
        if (!all)
            continue;
        combined = viommu_tmt_combine(result, one, error);
        if (!combined)
            return NULL;
        g_ptr_array_unref(result);
        result = combined;
    }
    return g_steal_pointer(&result);
}

static GPtrArray *read_requirement(GVariant *tree, GError **error)
{
    static const char *const groups[] = {"and", "or"};
    g_autoptr(GPtrArray) result = viommu_tmt_alternatives_new();

    if (!g_variant_is_of_type(tree, G_VARIANT_TYPE_VARDICT)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "a hardware requirement must be a dictionary, such as {memory: 2 GB}");
        return NULL;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_autoptr(GVariant) list = g_variant_lookup_value(tree, groups[i], NULL);

        if (list && g_variant_n_children(tree) == 1)
            return read_group(groups[i], list, error);
        if (list) {
            viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                        "'%s' of the hardware requirement stands beside others; put them into an 'and'",
                        groups[i]);
            return NULL;
        }
    }
    g_ptr_array_add(result, viommu_tmt_alternative_new());
    return read_block((GPtrArray *)result->pdata[0], "", tree, error) ? g_steal_pointer(&result) : NULL;
}

/* --- The file --- */

/* The phase that provisions; a list of one is one.  New reference. */
static GVariant *find_phase(GVariant *provision, GError **error)
{
    g_autoptr(GVariant) boxed = NULL;

    if (g_variant_is_of_type(provision, G_VARIANT_TYPE_VARDICT))
        return g_variant_ref(provision);
    if (g_variant_is_of_type(provision, G_VARIANT_TYPE("av")) && g_variant_n_children(provision) == 1) {
        boxed = g_variant_get_child_value(provision, 0);
        return find_phase(boxed, error);
    }
    if (g_variant_is_of_type(provision, G_VARIANT_TYPE_VARIANT)) {
        boxed = g_variant_get_variant(provision);
        return find_phase(boxed, error);
    }
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                "'provision' of the plan is not one phase; give the 'hardware' of one phase by itself");
    return NULL;
}

/* The requirement of @phase; without one, no conditions. */
static GPtrArray *read_hardware(GVariant *phase, bool is_plan, GError **error)
{
    g_autoptr(GVariant) hardware = g_variant_lookup_value(phase, "hardware", NULL);
    GVariant *tree = hardware || is_plan ? hardware : phase;
    GPtrArray *alternatives;

    if (tree && (!g_variant_is_of_type(tree, G_VARIANT_TYPE_VARDICT) || g_variant_n_children(tree) > 0))
        return read_requirement(tree, error);
    alternatives = viommu_tmt_alternatives_new();
    g_ptr_array_add(alternatives, viommu_tmt_alternative_new());
    return alternatives;
}

GPtrArray *viommu_tmt_read(GVariant *file, char **ret_image, GError **error)
{
    g_autoptr(GVariant) provision = g_variant_lookup_value(file, "provision", NULL);
    g_autoptr(GVariant) phase = provision ? find_phase(provision, error) : g_variant_ref(file);
    GPtrArray *alternatives = phase ? read_hardware(phase, provision != NULL, error) : NULL;
    const char *how = "";
    char *image = NULL;

    if (!alternatives)
        return NULL;
    if (provision && g_variant_lookup(phase, "how", "&s", &how) && g_str_equal(how, "viommu"))
        g_variant_lookup(phase, "image", "s", &image);
    *ret_image = image;
    return alternatives;
}

char *viommu_tmt_text(const GPtrArray *alternative)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < alternative->len; i++) {
        const ViommuTmtCondition *condition = (const ViommuTmtCondition *)alternative->pdata[i];

        g_string_append_printf(text, "%s%s: %s", i ? ", " : "", condition->name,
                               condition->verdict == VIOMMU_TMT_VERDICT_NONE ? "not judged"
                                                                             : condition->text);
    }
    return g_string_free(text, FALSE);
}

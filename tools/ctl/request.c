/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/request.h"

#include <stddef.h>

#include "lib/request/request.h"
#include "tools/client/error.h"
#include "tools/client/request-file.h"
#include "tools/client/request-words.h"

/* The options that are keys of the request. */
static const struct {
    const char *option, *key;
    size_t offset;
    bool number;
    bool enough; /* makes a request without a file or a word */
} overrides[] = {
    {"image", "image", offsetof(ViommuCtl, image), false, true},
    {"iommu", "iommu.model", offsetof(ViommuCtl, iommu), false, true},
    {"memory", "memory", offsetof(ViommuCtl, memory), false, true},
    {"vcpus", "vcpus", offsetof(ViommuCtl, vcpus), true, true},
    {"wait", "wait", offsetof(ViommuCtl, wait), false, false},
    {"name", "name", offsetof(ViommuCtl, name), false, false},
    {"request-id", "request-id", offsetof(ViommuCtl, request_id), false, false},
    {"lease", "lease.seconds", offsetof(ViommuCtl, lease), true, false},
    {"bind", "lease.bind", offsetof(ViommuCtl, bind), false, false},
};

/* What --iommu replaces, not just adds to. */
static const char *const selection[] = {"model", "model-name", "is-supported"};

static const char *option_value(const ViommuCtl *ctl, size_t i)
{
    return *(const char *const *)((const char *)ctl + overrides[i].offset);
}

/* --iommu without a value is any IOMMU. */
static char *option_word(size_t i, const char *value)
{
    if (!*value && overrides[i].offset == offsetof(ViommuCtl, iommu))
        return g_strdup("iommu.is-supported=true");
    return g_strconcat(overrides[i].key, "=", value, NULL);
}

/* Sorts the words of the command line: *ret_file is the only one that is no KEY=VALUE, borrowed, or
 * NULL. */
static bool take_words(const ViommuCtl *ctl, GPtrArray *words, const char **ret_file, GError **error)
{
    const char *file = NULL;

    for (int i = 0; i < ctl->n_words; i++)
        if (viommu_request_words_is(ctl->words[i]))
            g_ptr_array_add(words, g_strdup(ctl->words[i]));
        else if (!file)
            file = ctl->words[i];
        else
            return viommu_failure_set(
                error, VIOMMU_FAILURE_USAGE,
                "unexpected argument '%s': the request is in '%s'; other keys are KEY=VALUE words",
                ctl->words[i], file);
    *ret_file = file;
    return true;
}

static bool take_options(const ViommuCtl *ctl, GPtrArray *words, GError **error)
{
    guint64 number;

    for (size_t i = 0; i < G_N_ELEMENTS(overrides); i++) {
        const char *value = option_value(ctl, i);

        if (!value)
            continue;
        if (overrides[i].number && !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &number, NULL))
            return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--%s='%s' is not a number",
                                      overrides[i].option, value);
        g_ptr_array_add(words, option_word(i, value));
    }
    return true;
}

static bool is_request(const ViommuCtl *ctl)
{
    bool enough = ctl->n_words > 0;

    for (size_t i = 0; i < G_N_ELEMENTS(overrides); i++)
        enough = enough || (overrides[i].enough && option_value(ctl, i));
    return enough;
}

/* Floating, or a new reference. */
static GVariant *without_selection(GVariant *tree)
{
    g_autoptr(GVariant) iommu = tree ? g_variant_lookup_value(tree, "iommu", G_VARIANT_TYPE_VARDICT) : NULL;
    GVariantDict request, kept;

    if (!iommu)
        return tree ? g_variant_ref(tree) : NULL;
    g_variant_dict_init(&kept, iommu);
    for (size_t i = 0; i < G_N_ELEMENTS(selection); i++)
        g_variant_dict_remove(&kept, selection[i]);
    g_variant_dict_init(&request, tree);
    g_variant_dict_insert_value(&request, "iommu", g_variant_dict_end(&kept));
    return g_variant_ref_sink(g_variant_dict_end(&request));
}

static GVariant *apply(GVariant *tree, GPtrArray *words, GError **error)
{
    g_ptr_array_add(words, NULL);
    return viommu_request_words_apply(&viommu_request_fields, tree, (const char *const *)words->pdata, error);
}

GVariant *viommu_ctl_request_read(const ViommuCtl *ctl, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) options = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GVariant) file_tree = NULL, tree = NULL, base = NULL;
    const char *file = NULL;

    if (!is_request(ctl)) {
        viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                           "the request is missing: name a file, KEY=VALUE words, or both");
        return NULL;
    }
    if (!take_words(ctl, words, &file, error) || !take_options(ctl, options, error))
        return NULL;
    if (file) {
        file_tree = viommu_request_file_read(file, error);
        if (!file_tree)
            return NULL;
    }
    tree = apply(file_tree, words, error);
    if (!tree)
        return NULL;
    base = ctl->iommu ? without_selection(tree) : g_variant_ref(tree);
    return apply(base, options, error);
}

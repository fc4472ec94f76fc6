/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/selector.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/did-you-mean.h"

/* A longer pattern has no use against names of six letters. */
#define PATTERN_MAX 128

static const char *const any_words[] = {"auto", "any", ".*", NULL};

bool viommu_selector_names(const ViommuSelector *selector, ViommuModel model)
{
    for (unsigned i = 0; i < selector->n_models; i++)
        if (selector->models[i] == model)
            return true;
    return false;
}

static bool is_plain_word(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(text);
}

static bool unknown_model(const char *key, const char *word, GError **error)
{
    const char *known[] = {"auto", "any", "none", "intel", "smmuv3", "virtio", "amd"};
    const char *near = viommu_nearest(word, known, G_N_ELEMENTS(known));

    if (near)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "iommu.%s '%s' is not known; did you mean '%s'?", key, word, near);
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "iommu.%s '%s' is not known; use intel, smmuv3, virtio, amd, auto, any, none or a regular expression over the model names",
        key, word);
}

static bool read_pattern(const char *key, const char *pattern, ViommuSelector *selector, GError **error)
{
    g_autoptr(GRegex) regex = NULL;
    g_autoptr(GError) local = NULL;
    g_autofree char *whole = g_strdup_printf("^(?:%s)$", pattern);

    if (strlen(pattern) <= PATTERN_MAX)
        regex = g_regex_new(whole, G_REGEX_DOLLAR_ENDONLY, 0, &local);
    if (!regex)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "iommu.%s '%.*s' is neither a model name nor a regular expression: %s", key,
                           PATTERN_MAX, pattern, local ? local->message : "it is too long");
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        if (g_regex_match(regex, viommu_model_to_string((ViommuModel)model), 0, NULL))
            selector->models[selector->n_models++] = (ViommuModel)model;
    if (selector->n_models == 0)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "iommu.%s '%s' matches no model; it must match a whole name: intel, smmuv3, virtio or amd", key,
            pattern);
    /* One that excludes nothing names nothing. */
    selector->kind = selector->n_models == VIOMMU_MODEL_LAST ? VIOMMU_SELECTOR_ANY : VIOMMU_SELECTOR_NAMED;
    if (selector->kind == VIOMMU_SELECTOR_ANY)
        selector->n_models = 0;
    return true;
}

static bool read_names(const char *key, char **names, ViommuSelector *selector, GError **error)
{
    selector->kind = VIOMMU_SELECTOR_NAMED;
    selector->ordered = true;
    for (char **name = names; *name; name++) {
        int model = viommu_enum_from_string(&viommu_enum_model, *name);

        if (model == VIOMMU_UNSET) {
            if (g_strv_contains(any_words, *name) || g_str_equal(*name, "none") || !is_plain_word(*name))
                return viommu_fail(
                    error, VIOMMU_ERROR_INVALID_REQUEST,
                    "iommu.%s: '%s' is not allowed in a list; list model names in order of preference (for \"or none\" set iommu.required to false)",
                    key, *name);
            return unknown_model(key, *name, error);
        }
        if (viommu_selector_names(selector, (ViommuModel)model))
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "iommu.%s lists '%s' twice", key, *name);
        selector->models[selector->n_models++] = (ViommuModel)model;
    }
    return true;
}

static bool read_model(const char *key, char **words, ViommuSelector *selector, GError **error)
{
    if (!words[0])
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "iommu.%s is an empty list; name a model, or omit the key", key);
    if (words[1] || viommu_enum_from_string(&viommu_enum_model, words[0]) != VIOMMU_UNSET)
        return read_names(key, words, selector, error);
    if (g_strv_contains(any_words, words[0])) {
        selector->kind = VIOMMU_SELECTOR_ANY;
        return true;
    }
    if (g_str_equal(words[0], "none")) {
        selector->kind = VIOMMU_SELECTOR_NONE;
        return true;
    }
    return is_plain_word(words[0]) ? unknown_model(key, words[0], error)
                                   : read_pattern(key, words[0], selector, error);
}

bool viommu_selector_read(const ViommuRequestIommu *iommu, ViommuSelector *ret_selector, GError **error)
{
    ViommuSelector selector = {.kind = VIOMMU_SELECTOR_UNSAID};
    char **words = iommu->model ? iommu->model : iommu->model_name;
    const char *key = iommu->model ? "model" : "model-name";

    if (iommu->model && iommu->model_name)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "iommu.model and iommu.model-name are two names of the same key; give only one");
    if (words && !read_model(key, words, &selector, error))
        return false;
    if (iommu->is_supported == 0 && words && selector.kind != VIOMMU_SELECTOR_NONE)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "iommu.is-supported is false, but iommu.%s '%s' requests an IOMMU; remove one of the two", key,
            words[0]);
    if (iommu->is_supported == 1 && selector.kind == VIOMMU_SELECTOR_NONE)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "iommu.is-supported is true, but iommu.%s is 'none'; remove one of the two", key);
    if (selector.kind == VIOMMU_SELECTOR_UNSAID && iommu->is_supported != VIOMMU_UNSET)
        selector.kind = iommu->is_supported ? VIOMMU_SELECTOR_ANY : VIOMMU_SELECTOR_NONE;
    *ret_selector = selector;
    return true;
}

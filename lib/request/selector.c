/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/selector.h"

#include <string.h>

#include "lib/base/condition.h"
#include "lib/base/error.h"
#include "lib/base/did-you-mean.h"
#include "lib/request/pattern.h"

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

/* A selector that excludes nothing is like "any". */
static void settle_matches(ViommuSelector *selector)
{
    selector->kind = selector->n_models == VIOMMU_MODEL_LAST ? VIOMMU_SELECTOR_ANY : VIOMMU_SELECTOR_NAMED;
    if (selector->kind == VIOMMU_SELECTOR_ANY)
        selector->n_models = 0;
}

static bool read_pattern(const char *key, const char *pattern, ViommuSelector *selector, GError **error)
{
    g_autofree char *name = g_strdup_printf("iommu.%s", key);
    g_autoptr(GRegex) regex = viommu_pattern_compile(name, pattern, true, error);
    bool matches;

    if (!regex)
        return false;
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++) {
        if (!viommu_pattern_try(regex, name, viommu_model_to_string((ViommuModel)model), &matches, error))
            return false;
        if (matches)
            selector->models[selector->n_models++] = (ViommuModel)model;
    }
    if (selector->n_models == 0)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "iommu.%s '%s' matches no model; it must match a whole name: intel, smmuv3, virtio or amd", key,
            pattern);
    settle_matches(selector);
    return true;
}

static bool read_names(const char *key, char *const *names, ViommuSelector *selector, GError **error)
{
    selector->kind = VIOMMU_SELECTOR_NAMED;
    selector->ordered = true;
    for (char *const *name = names; *name; name++) {
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

/* --- The operators of tmt --- */

/* Refuses a word that can only be a misspelt model, although excluding it has no effect. */
static bool check_excluded(const char *key, const char *word, GError **error)
{
    const char *near =
        is_plain_word(word) ? viommu_nearest(word, viommu_enum_model.words, VIOMMU_MODEL_LAST) : NULL;

    if (viommu_enum_from_string(&viommu_enum_model, word) != VIOMMU_UNSET)
        return true;
    if (near)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "iommu.%s excludes '%s', which is not known; did you mean '%s'?", key, word, near);
    return !g_strv_contains(any_words, word) ||
           viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                       "iommu.%s excludes '%s', which names no model; use 'none' for no IOMMU", key, word);
}

/* Removes the models from @kept for which @text does not hold. */
static bool apply_condition(const char *key, const char *text, bool kept[VIOMMU_MODEL_LAST],
                            ViommuSelector *selector, GError **error)
{
    g_autofree char *name = g_strdup_printf("iommu.%s", key), *value = NULL;
    g_autoptr(GRegex) regex = NULL;
    ViommuCondition condition;
    bool negative, matches, every, effective = false;

    if (!viommu_condition_split(name, text, &condition, error))
        return false;
    value = g_strstrip(g_strdup(condition.value));
    negative = condition.comparison == VIOMMU_COMPARISON_NOT_EQUAL ||
               condition.comparison == VIOMMU_COMPARISON_NOT_MATCH;
    every = condition.comparison == VIOMMU_COMPARISON_EQUAL && is_plain_word(value) &&
            g_strv_contains(any_words, value);
    if (condition.comparison == VIOMMU_COMPARISON_NOT_EQUAL && !check_excluded(key, value, error))
        return false;
    if (condition.comparison == VIOMMU_COMPARISON_MATCH ||
        condition.comparison == VIOMMU_COMPARISON_NOT_MATCH) {
        regex = viommu_pattern_compile(name, value, false, error);
        if (!regex)
            return false;
    }
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++) {
        const char *model_name = viommu_model_to_string((ViommuModel)model);

        matches = every || g_str_equal(model_name, value);
        if (regex && !viommu_pattern_try(regex, name, model_name, &matches, error))
            return false;
        kept[model] = kept[model] && matches != negative;
        effective = effective || matches == negative;
    }
    if (negative && !effective)
        selector->idle = text;
    return true;
}

/* All of @texts must hold. */
static bool read_conditions(const char *key, char **texts, ViommuSelector *selector, GError **error)
{
    bool kept[VIOMMU_MODEL_LAST];
    g_autofree char *all = NULL;

    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        kept[model] = true;
    for (char **text = texts; *text; text++) {
        if (!viommu_condition_is(*text))
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "iommu.%s lists '%s' beside an operator; write '= %s', or only names in order of preference",
                key, *text, *text);
        if (!apply_condition(key, *text, kept, selector, error))
            return false;
    }
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        if (kept[model])
            selector->models[selector->n_models++] = (ViommuModel)model;
    if (selector->n_models > 0) {
        settle_matches(selector);
        return true;
    }
    all = g_strjoinv("' and '", texts);
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "no model meets iommu.%s '%s': = and != compare whole names, ~ and !~ are regular expressions; the models are intel, smmuv3, virtio and amd",
        key, all);
}

/* "= none" means "none", as in tmt; NULL: this word may not stand alone.  Owned. */
static char *equal_word(const char *text)
{
    ViommuCondition condition;
    char *word;

    if (!viommu_condition_is(text) || !viommu_condition_split("", text, &condition, NULL) ||
        condition.comparison != VIOMMU_COMPARISON_EQUAL)
        return NULL;
    word = g_strstrip(g_strdup(condition.value));
    if (!is_plain_word(word))
        g_clear_pointer(&word, g_free);
    return word;
}

static bool read_word(const char *key, const char *word, ViommuSelector *selector, GError **error)
{
    char *const names[] = {(char *)word, NULL};

    if (viommu_enum_from_string(&viommu_enum_model, word) != VIOMMU_UNSET)
        return read_names(key, names, selector, error);
    if (g_strv_contains(any_words, word)) {
        selector->kind = VIOMMU_SELECTOR_ANY;
        return true;
    }
    if (g_str_equal(word, "none")) {
        selector->kind = VIOMMU_SELECTOR_NONE;
        return true;
    }
    return is_plain_word(word) ? unknown_model(key, word, error) : read_pattern(key, word, selector, error);
}

static bool read_model(const char *key, char **words, ViommuSelector *selector, GError **error)
{
    g_autofree char *word = NULL, *plain = g_strdup(words[0]);

    if (!words[0])
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "iommu.%s is an empty list; name a model, or omit the key", key);
    word = words[1] ? NULL : equal_word(words[0]);
    if (word)
        return read_word(key, word, selector, error);
    for (char **text = words; *text; text++)
        if (viommu_condition_is(*text))
            return read_conditions(key, words, selector, error);
    /* As in tmt, spaces around a value are no part of it. */
    return words[1] ? read_names(key, words, selector, error)
                    : read_word(key, g_strstrip(plain), selector, error);
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

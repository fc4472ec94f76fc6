/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/base/condition.h"

#include <string.h>

#include "lib/base/error.h"

#define SPACE "\t "

/* Every character that an operator of tmt consists of.  No name and no useful expression starts
 * with one of them. */
#define OPERATOR_CHARACTERS "=!~<>"

typedef struct Operator {
    const char *text;
    ViommuComparison comparison;
} Operator;

static const Operator text_operators[] = {
    {"=", VIOMMU_COMPARISON_EQUAL}, {"==", VIOMMU_COMPARISON_EQUAL}, {"!=", VIOMMU_COMPARISON_NOT_EQUAL},
    {"~", VIOMMU_COMPARISON_MATCH}, {"=~", VIOMMU_COMPARISON_MATCH}, {"!~", VIOMMU_COMPARISON_NOT_MATCH},
};

static const Operator number_operators[] = {
    {"=", VIOMMU_COMPARISON_EQUAL},      {"==", VIOMMU_COMPARISON_EQUAL},
    {"!=", VIOMMU_COMPARISON_NOT_EQUAL}, {"<", VIOMMU_COMPARISON_LESS},
    {"<=", VIOMMU_COMPARISON_AT_MOST},   {">", VIOMMU_COMPARISON_GREATER},
    {">=", VIOMMU_COMPARISON_AT_LEAST},
};

bool viommu_condition_is(const char *text)
{
    const char *start = text + strspn(text, SPACE);

    return *start && strchr(OPERATOR_CHARACTERS, *start);
}

/* @known: the operators, for the message. */
static bool split(const char *key, const char *text, const Operator *operators, size_t n, const char *known,
                  ViommuCondition *ret_condition, GError **error)
{
    size_t length = strspn(text, OPERATOR_CHARACTERS);
    const char *value = text + length + strspn(text + length, SPACE);

    for (size_t i = 0; i < n; i++) {
        if (strlen(operators[i].text) != length || strncmp(operators[i].text, text, length) != 0)
            continue;
        if (!*value)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "%s '%s' has an operator without a value; add the value", key, text);
        *ret_condition = (ViommuCondition){operators[i].comparison, value};
        return true;
    }
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                       "%s '%s' starts with '%.*s', which is not an operator; use %s", key, text,
                       (int)MIN(length, 8), text, known);
}

bool viommu_condition_split(const char *key, const char *text, ViommuCondition *ret_condition, GError **error)
{
    /* For tmt spaces before an operator make it a part of the value. */
    if (!*text || !strchr(OPERATOR_CHARACTERS, *text))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "%s '%s' has spaces before its operator; remove them", key, text);
    return split(key, text, text_operators, G_N_ELEMENTS(text_operators), "=, ==, !=, ~, =~ or !~",
                 ret_condition, error);
}

bool viommu_condition_split_number(const char *key, const char *text, ViommuCondition *ret_condition,
                                   GError **error)
{
    if (!viommu_condition_is(text)) {
        *ret_condition = (ViommuCondition){VIOMMU_COMPARISON_EQUAL, text};
        return true;
    }
    return split(key, text, number_operators, G_N_ELEMENTS(number_operators),
                 "=, ==, !=, <, <=, > or >=", ret_condition, error);
}

bool viommu_condition_read_flag(const char *key, const char *text, int *ret_flag, GError **error)
{
    ViommuCondition condition = {VIOMMU_COMPARISON_EQUAL, text};
    g_autofree char *value = NULL;
    bool given;

    if (viommu_condition_is(text) && !viommu_condition_split(key, text, &condition, error))
        return false;
    if (condition.comparison != VIOMMU_COMPARISON_EQUAL &&
        condition.comparison != VIOMMU_COMPARISON_NOT_EQUAL)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "%s '%s' compares true and false with a regular expression; use =, == or !=", key,
                           text);
    value = g_strstrip(g_strdup(condition.value));
    given = g_ascii_strcasecmp(value, "true") == 0;
    /* tmt takes any other word for false, "yes" too. */
    if (!given && g_ascii_strcasecmp(value, "false") != 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "%s '%s' is not known; use true or false, or text such as '= true' or '!= true'",
                           key, text);
    *ret_flag = given == (condition.comparison == VIOMMU_COMPARISON_EQUAL);
    return true;
}

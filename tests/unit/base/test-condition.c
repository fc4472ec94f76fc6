/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-condition: the operators of tmt, texts that look like one, and comparisons of flags. */
#include "lib/base/condition.h"

#include "tests/unit/unit.h"

START_TEST(operators)
{
    static const struct {
        const char *text;
        ViommuComparison comparison;
        const char *value;
    } cases[] = {
        {"= intel", VIOMMU_COMPARISON_EQUAL, "intel"},
        {"=intel", VIOMMU_COMPARISON_EQUAL, "intel"},
        {"== intel", VIOMMU_COMPARISON_EQUAL, "intel"},
        {"!= intel", VIOMMU_COMPARISON_NOT_EQUAL, "intel"},
        {"!=   intel", VIOMMU_COMPARISON_NOT_EQUAL, "intel"},
        {"~ int.*", VIOMMU_COMPARISON_MATCH, "int.*"},
        {"=~ int.*", VIOMMU_COMPARISON_MATCH, "int.*"},
        {"=~int.*", VIOMMU_COMPARISON_MATCH, "int.*"},
        {"!~ int.*", VIOMMU_COMPARISON_NOT_MATCH, "int.*"},
        {"= = x", VIOMMU_COMPARISON_EQUAL, "= x"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ViommuCondition condition;
        g_autoptr(GError) error = NULL;

        ck_assert(viommu_condition_is(cases[i].text));
        unit_assert_ok(viommu_condition_split("key", cases[i].text, &condition, &error), error);
        ck_assert_int_eq(condition.comparison, cases[i].comparison);
        ck_assert_str_eq(condition.value, cases[i].value);
    }
}
END_TEST

START_TEST(no_operators)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {">= 2", "key '>= 2' starts with '>=', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"> 2", "key '> 2' starts with '>', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"<2", "key '<2' starts with '<', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"!intel", "key '!intel' starts with '!', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"=== x", "key '=== x' starts with '===', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"~= x", "key '~= x' starts with '~=', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"!!~ x", "key '!!~ x' starts with '!!~', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"<>", "key '<>' starts with '<>', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"~~~~~~~~~~~~~~ x",
         "key '~~~~~~~~~~~~~~ x' starts with '~~~~~~~~', which is not an operator; use =, ==, !=, ~, =~ or !~"},
        {"~", "key '~' has an operator without a value; add the value"},
        {"!=  ", "key '!=  ' has an operator without a value; add the value"},
        {" ~ intel", "key ' ~ intel' has spaces before its operator; remove them"},
    };
    static const char *const others[] = {"", "intel", "int|vir", ".*", "(?!x)", "a=b", " intel"};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ViommuCondition condition;
        g_autoptr(GError) error = NULL;

        ck_assert(viommu_condition_is(cases[i].text));
        ck_assert(!viommu_condition_split("key", cases[i].text, &condition, &error));
        unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, cases[i].message);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        ck_assert_msg(!viommu_condition_is(others[i]), "%s", others[i]);
}
END_TEST

START_TEST(flags)
{
    static const struct {
        const char *text;
        int flag; /* VIOMMU_UNSET: refused */
    } cases[] = {
        {"true", 1},
        {"false", 0},
        {"True", 1},
        {"FALSE", 0},
        {"= true", 1},
        {"=true", 1},
        {"== True", 1},
        {"= false", 0},
        {"!= true", 0},
        {"!=false", 1},
        {"!= False ", 1},
        {" true", 1},
        {"yes", VIOMMU_UNSET},
        {"= yes", VIOMMU_UNSET},
        {"!= 1", VIOMMU_UNSET},
        {"~ true", VIOMMU_UNSET},
        {"!~ true", VIOMMU_UNSET},
        {"=~ t.*", VIOMMU_UNSET},
        {">= true", VIOMMU_UNSET},
        {"= ", VIOMMU_UNSET},
        {"= = true", VIOMMU_UNSET},
        {"= tru", VIOMMU_UNSET},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        int flag = VIOMMU_UNSET;
        g_autoptr(GError) error = NULL;
        bool read = viommu_condition_read_flag("key", cases[i].text, &flag, &error);

        ck_assert_msg(read == (cases[i].flag != VIOMMU_UNSET), "%s: %s", cases[i].text,
                      error ? error->message : "read");
        ck_assert_msg(flag == cases[i].flag, "%s: %d", cases[i].text, flag);
        ck_assert(read || g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
    }
}
END_TEST

UNIT_MAIN("condition", operators, no_operators, flags)

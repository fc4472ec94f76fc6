/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-selector: the models that a request selects by names, lists, expressions, and operators of
 * tmt. */
#include "lib/request/selector.h"

#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

/* "any", "none", or the models, in the order of the request after "first of"; "! " and an error. */
static char *select_models(const char *const *words, int is_supported)
{
    ViommuRequestIommu iommu = {.is_supported = is_supported, .model = (char **)words};
    g_autoptr(GError) error = NULL;
    ViommuSelector selector;
    GString *text;

    if (!viommu_selector_read(&iommu, &selector, &error)) {
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
        return g_strconcat("! ", error->message, NULL);
    }
    if (selector.kind == VIOMMU_SELECTOR_ANY || selector.kind == VIOMMU_SELECTOR_NONE)
        return g_strdup_printf("%s%s", selector.kind == VIOMMU_SELECTOR_ANY ? "any" : "none",
                               selector.idle ? " idle" : "");
    ck_assert_int_eq(selector.kind, VIOMMU_SELECTOR_NAMED);
    text = g_string_new(selector.ordered ? "first of" : "");
    for (unsigned i = 0; i < selector.n_models; i++)
        g_string_append_printf(text, "%s%s", text->len ? " " : "",
                               viommu_model_to_string(selector.models[i]));
    return g_string_free(text, FALSE);
}

START_TEST(single_texts)
{
    static const struct {
        const char *text, *selected;
    } cases[] = {
        /* viommud's own words */
        {"intel", "first of intel"},
        {"auto", "any"},
        {"none", "none"},
        {".*", "any"},
        {"intel|virtio", "intel virtio"},
        {" intel ", "first of intel"},
        {" ", "! iommu.model '' is not known"},
        {"int|intel", "intel"},
        {"int", "! iommu.model 'int' is not known"},
        {"i.*", "intel"},
        {"x)|(?:.*", "! iommu.model 'x)|(?:.*' is neither"},
        /* tmt's = and != compare the whole name */
        {"= intel", "first of intel"},
        {"==intel", "first of intel"},
        {"= auto", "any"},
        {"= none", "none"},
        {"= intel ", "first of intel"},
        {"= intel|virtio", "! no model meets iommu.model '= intel|virtio':"},
        {"= .*", "! no model meets iommu.model '= .*':"},
        {"= = intel", "! no model meets iommu.model '= = intel':"},
        {"= inetl", "! iommu.model 'inetl' is not known; did you mean 'intel'?"},
        {"= Intel", "! iommu.model 'Intel' is not known; did you mean 'intel'?"},
        {"= int", "! iommu.model 'int' is not known"},
        {"!= intel", "smmuv3 virtio amd"},
        {"!=amd", "intel smmuv3 virtio"},
        {"!= none", "any idle"},
        {"!= riscv", "any idle"},
        {"!= intel|virtio", "any idle"},
        {"!= inetl", "! iommu.model excludes 'inetl', which is not known; did you mean 'intel'?"},
        {"!= any", "! iommu.model excludes 'any'"},
        /* its expressions match the beginning of the name */
        {"~ intel|virtio", "intel virtio"},
        {"~ int", "intel"},
        {"~ i", "intel"},
        {"~ v3", "! no model meets iommu.model '~ v3':"},
        {"~ .*v3", "smmuv3"},
        {"~ intel$", "intel"},
        {"~ inte$", "! no model meets iommu.model '~ inte$':"},
        {"~ .*", "any"},
        {"~ ", "! iommu.model '~ ' has an operator without a value"},
        {"=~ (virtio|amd)", "virtio amd"},
        {"=~ INTEL", "! no model meets iommu.model '=~ INTEL':"},
        {"=~ (?i)INTEL", "intel"},
        {"~ intel|", "any"},
        {"!~ virtio|intel", "smmuv3 amd"},
        {"!~ virt", "intel smmuv3 amd"},
        {"!~ .*v3", "intel virtio amd"},
        {"!~ nvidia", "any idle"},
        {"!~ .*", "! no model meets iommu.model '!~ .*':"},
        {"~ (", "! iommu.model '(' is neither a name nor a regular expression"},
        {"!~ x)|(?:.*", "! iommu.model 'x)|(?:.*' is neither"},
        {"~ (?x)intel#", "! iommu.model '(?x)intel#' is not a complete regular expression: end its comment"},
        {"~ \\Qintel", "! iommu.model '\\Qintel' is not a complete regular expression"},
        /* texts that start like an operator */
        {">= intel", "! iommu.model '>= intel' starts with '>='"},
        {"! intel", "! iommu.model '! intel' starts with '!'"},
        {"=== intel", "! iommu.model '=== intel' starts with '==='"},
        {"~= intel", "! iommu.model '~= intel' starts with '~='"},
        {" ~ intel", "! iommu.model ' ~ intel' has spaces before its operator"},
        {"contains intel", "! iommu.model 'contains intel' matches no model"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const words[] = {cases[i].text, NULL};
        g_autofree char *selected = select_models(words, VIOMMU_UNSET);
        size_t shown = cases[i].selected[0] == '!' ? strlen(cases[i].selected) : strlen(selected) + 1;

        ck_assert_msg(strncmp(selected, cases[i].selected, shown) == 0, "%s: %s", cases[i].text, selected);
    }
}
END_TEST

START_TEST(lists)
{
    static const struct {
        const char *texts, *selected; /* the texts between commas */
    } cases[] = {
        {"virtio,intel", "first of virtio intel"},
        {"= intel,~ int", "intel"},
        {"!= intel,!= virtio", "smmuv3 amd"},
        {"~ intel|virtio,!= intel", "virtio"},
        {"!~ amd,!~ smmu,!= intel", "virtio"},
        {"= any,!= intel", "smmuv3 virtio amd"},
        {"= intel,= virtio", "! no model meets iommu.model '= intel' and '= virtio':"},
        {"intel,!= virtio", "! iommu.model lists 'intel' beside an operator"},
        {"!= virtio,intel", "! iommu.model lists 'intel' beside an operator"},
        {"!= virtio,>= 2", "! iommu.model '>= 2' starts with"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) words = g_strsplit(cases[i].texts, ",", -1);
        g_autofree char *selected = select_models((const char *const *)words, VIOMMU_UNSET);
        size_t shown = cases[i].selected[0] == '!' ? strlen(cases[i].selected) : strlen(selected) + 1;

        ck_assert_msg(strncmp(selected, cases[i].selected, shown) == 0, "%s: %s", cases[i].texts, selected);
    }
}
END_TEST

START_TEST(contradictions)
{
    static const char *const excluded[] = {"!= intel", NULL}, *const none[] = {"= none", NULL};
    g_autofree char *without = select_models(excluded, 0), *with = select_models(none, 1);

    ck_assert_str_eq(without, "! iommu.is-supported is false, but iommu.model '!= intel' requests an IOMMU; "
                              "remove one of the two");
    ck_assert_str_eq(with, "! iommu.is-supported is true, but iommu.model is 'none'; remove one of the two");
}
END_TEST

/* Expressions that would keep a matcher busy for hours, or take its stack. */
START_TEST(hostile_expressions)
{
    static const char *const patterns[] = {
        "(((((((((((((((((((.*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*[xz]",
        "(.?){1,60}(.?){1,60}(.?){1,60}(.?){1,60}(.?){1,60}(.?){1,60}[xz]",
        "(?:a?|b?|c?|d?|.?|.?|.?|.?|.?|.?){40}(?:.?|.?|.?|.?|.?|.?|.?){40}[xz]",
        "((?1)?(?1)?(?1)?.(?1)?(?1)?)[xz]",
        "(a|(?1)(?1)(?1)|.)+[xz]",
        "((((.{0,99}){0,99}){0,99}){0,99}){0,99}[xz]",
        "(?=(?=(?=(.*)*)*)*)*[xz]",
    };
    clock_t start = clock(), bound = CLOCKS_PER_SEC;

    for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
        static const char *const operators[] = {"", "~ ", "!~ "};

        for (size_t j = 0; j < G_N_ELEMENTS(operators); j++) {
            g_autofree char *text = g_strconcat(operators[j], patterns[i], NULL);
            const char *const words[] = {text, NULL};
            g_autofree char *selected = select_models(words, VIOMMU_UNSET);

            /* None of them matches: giving up must not count as a match. */
            ck_assert_msg(selected[0] == '!' || g_str_equal(selected, "any idle"), "%s: %s", text, selected);
        }
    }
    ck_assert_int_lt(clock() - start, bound);
}
END_TEST

UNIT_MAIN("selector", single_texts, lists, contradictions, hostile_expressions)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unit: a main() and a few assertions for all unit tests.  Knows check and GError, and nothing of
 * viommud. */
#pragma once

#include <check.h>
#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include "lib/base/error.h"

/** Runs @all (taken) in this process, so that a sanitizer sees everything, and libvirt's event
 *  loop, of which a process has one, meets no fork.  Returns the exit status for main(). */
static inline int unit_run_case(const char *name, TCase *all)
{
    Suite *suite = suite_create(name);
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/** Like viommu_unit_main(), for @tests without fixtures. */
static inline int unit_run(const char *name, const TTest *const *tests, size_t n)
{
    TCase *all = tcase_create(name);

    for (size_t i = 0; i < n; i++)
        tcase_add_test(all, tests[i]);
    return unit_run_case(name, all);
}

#define UNIT_MAIN(name, ...)                               \
    int main(void)                                         \
    {                                                      \
        const TTest *const tests[] = {__VA_ARGS__};        \
                                                           \
        return unit_run(name, tests, G_N_ELEMENTS(tests)); \
    }

/** The call succeeded; otherwise shows the error. */
#define unit_assert_ok(call, error) ck_assert_msg((call), "%s", (error) ? (error)->message : "no error set")

/** @error is set, with this code and exactly this message; clears it. */
#define unit_assert_error(error, expected_code, expected_message)                              \
    do {                                                                                       \
        ck_assert_msg((error) != NULL, "no error, but expected: %s", (expected_message));      \
        ck_assert_msg((error)->domain == VIOMMU_ERROR, "foreign error: %s", (error)->message); \
        ck_assert_str_eq((error)->message, (expected_message));                                \
        ck_assert_int_eq((error)->code, (int)(expected_code));                                 \
        g_clear_error(&(error));                                                               \
    } while (0)

#ifdef UNIT_DATA /* set by meson for tests with data */
/** The text of a file in tests/unit/data.  Owned, g_free(). */
static inline char *unit_read_data(const char *file)
{
    g_autofree char *path = g_build_filename(UNIT_DATA, file, NULL);
    char *text = NULL;

    ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "cannot read %s", path);
    return text;
}
#endif

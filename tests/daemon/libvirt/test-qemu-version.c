/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-qemu-version: the output of emulators, and of other programs: silent, hanging, missing. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/libvirt/qemu-version.h"
#include "lib/base/error.h"
#include "tests/unit/unit.h"

#define PATIENCE_MS 10000

static const struct {
    const char *text;
    ViommuVersion version; /* 0: not read */
} answers[] = {
    {"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright (c)\n",
     VIOMMU_VERSION_OF(7, 2, 22)},
    {"QEMU emulator version 4.2.1\n", VIOMMU_VERSION_OF(4, 2, 1)},
    {"QEMU emulator version 9.2.1 (qemu-9.2.1-1.fc42)", VIOMMU_VERSION_OF(9, 2, 1)},
    {"QEMU emulator version 11.0.50 (v11.0.0-1-gabc)\n", VIOMMU_VERSION_OF(11, 0, 50)},
    {"QEMU emulator version", 0},
    {"QEMU emulator version x.y\n", 0},
    {"busybox version 1.36.1\n", 0},
    {"", 0},
};

START_TEST(answers_are_read)
{
    ViommuVersion version = 0;

    ck_assert_int_eq(viommu_qemu_version_read(answers[_i].text, &version), answers[_i].version != 0);
    ck_assert_uint_eq(version, answers[_i].version);
}
END_TEST

static char *program;

static void setup(void)
{
    g_autoptr(GError) error = NULL;
    int fd = g_file_open_tmp("viommu-emulator-XXXXXX", &program, &error);

    ck_assert_msg(fd >= 0, "%s", error ? error->message : "");
    g_close(fd, NULL);
}

static void teardown(void)
{
    g_unlink(program);
    g_free(program);
}

static void write_program(const char *body)
{
    g_autofree char *text = g_strconcat("#!/bin/sh\n", body, "\n", NULL);

    ck_assert(g_file_set_contents(program, text, -1, NULL));
    ck_assert_int_eq(g_chmod(program, 0700), 0);
}

START_TEST(a_program_is_asked)
{
    g_autoptr(GError) error = NULL;
    ViommuVersion version = 0;

    write_program("[ \"$*\" = --version ] && echo 'QEMU emulator version 8.2.2 (x)'");
    ck_assert_msg(viommu_qemu_version_ask(program, PATIENCE_MS, &version, &error), "%s",
                  error ? error->message : "");
    ck_assert_uint_eq(version, VIOMMU_VERSION_OF(8, 2, 2));
}
END_TEST

static const struct {
    const char *body, *words;
    unsigned patience_ms;
} failures[] = {
    {"exit 0", "not a QEMU version", PATIENCE_MS},
    {"echo nonsense", "printed 'nonsense', which is not a QEMU version", PATIENCE_MS},
    {"exec sleep 60", "did not finish within 300 ms", 300},
    {"trap '' TERM; echo QEMU emulator; exec sleep 60", "did not finish within 300 ms", 300},
};

START_TEST(others_do_not_hold_us_up)
{
    g_autoptr(GError) error = NULL;
    ViommuVersion version = 0;
    gint64 begin = g_get_monotonic_time();

    write_program(failures[_i].body);
    ck_assert(!viommu_qemu_version_ask(program, failures[_i].patience_ms, &version, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    ck_assert_msg(strstr(error->message, failures[_i].words), "%s", error->message);
    ck_assert_int_lt(g_get_monotonic_time() - begin, PATIENCE_MS * G_TIME_SPAN_MILLISECOND);
    ck_assert_uint_eq(version, 0);
}
END_TEST

/* A talkative program is cut off, and not waited for. */
START_TEST(a_talkative_program_is_cut_off)
{
    g_autoptr(GError) error = NULL;
    ViommuVersion version;

    write_program("while :; do echo QEMU emulator version 9.9.9; done");
    ck_assert_msg(viommu_qemu_version_ask(program, PATIENCE_MS, &version, &error), "%s",
                  error ? error->message : "");
    ck_assert_uint_eq(version, VIOMMU_VERSION_OF(9, 9, 9));
}
END_TEST

START_TEST(a_missing_program_is_named)
{
    g_autoptr(GError) error = NULL;
    ViommuVersion version;

    ck_assert(!viommu_qemu_version_ask("/nowhere/qemu-system-x86_64", PATIENCE_MS, &version, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    ck_assert_ptr_nonnull(strstr(error->message, "/nowhere/qemu-system-x86_64"));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("qemu-version");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, answers_are_read, 0, G_N_ELEMENTS(answers));
    tcase_add_test(tcase, a_program_is_asked);
    tcase_add_loop_test(tcase, others_do_not_hold_us_up, 0, G_N_ELEMENTS(failures));
    tcase_add_test(tcase, a_talkative_program_is_cut_off);
    tcase_add_test(tcase, a_missing_program_is_named);
    return unit_run_case("qemu-version", tcase);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-program: how programs end, what they say, and when they are given up. */
#include "tools/client/program.h"

#include <signal.h>
#include <string.h>
#include "tests/unit/unit.h"

static int run(const char *script, const ViommuProgramTurn *turn, char **ret_said)
{
    char *const words[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};

    return viommu_program_run(words, turn, ret_said);
}

START_TEST(it_ends)
{
    g_autofree char *said = NULL, *nothing = NULL;

    ck_assert_int_eq(run("echo hidden; echo wrong >&2; exit 7", NULL, &said), 7);
    ck_assert_str_eq(said, "wrong");
    ck_assert_int_eq(run("kill -9 $$", NULL, &nothing), VIOMMU_PROGRAM_NO_STATUS);
    ck_assert_str_eq(nothing, "");
}
END_TEST

START_TEST(it_is_not_there)
{
    char *const words[] = {(char *)"no-such-program", NULL};
    g_autofree char *said = NULL;

    ck_assert_int_eq(viommu_program_run(words, NULL, &said), VIOMMU_PROGRAM_NO_STATUS);
    ck_assert_ptr_nonnull(strstr(said, "no-such-program"));
}
END_TEST

/* It does not wait for a reader, and its first words are kept. */
START_TEST(it_says_much)
{
    g_autofree char *said = NULL;

    ck_assert_int_eq(run("seq 100000 >&2", NULL, &said), 0);
    ck_assert(g_str_has_prefix(said, "1\n2\n"));
    ck_assert_uint_lt(strlen(said), 10000);
}
END_TEST

/* As ssh's own helper may. */
START_TEST(a_child_stays)
{
    gint64 begin = g_get_monotonic_time();
    g_autofree char *said = NULL;

    ck_assert_int_eq(run("sleep 60 & echo left $! >&2", NULL, &said), 0);
    ck_assert_int_lt(g_get_monotonic_time() - begin, 30 * G_USEC_PER_SEC);
    ck_assert(g_str_has_prefix(said, "left "));
    ck_assert_int_eq(kill(atoi(said + strlen("left ")), SIGKILL), 0);
}
END_TEST

static bool twice(void *userdata)
{
    return ++*(unsigned *)userdata < 2;
}

START_TEST(it_is_given_up)
{
    gint64 begin = g_get_monotonic_time();
    unsigned turns = 0;
    g_autofree char *said = NULL;

    ck_assert_int_eq(run("exec sleep 60", &(ViommuProgramTurn){twice, &turns}, &said),
                     VIOMMU_PROGRAM_NO_STATUS);
    ck_assert_int_lt(g_get_monotonic_time() - begin, 30 * G_USEC_PER_SEC);
    ck_assert_uint_ge(turns, 2);
}
END_TEST

UNIT_MAIN("program", it_ends, it_is_not_there, it_says_much, a_child_stays, it_is_given_up)

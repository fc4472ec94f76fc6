/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-console-log: the files that keep guests' output: bounded, found by name, owner and age, and
 * deleted in time. */
#include "tests/unit/unit.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>
#include "daemon/console/console-log.h"

#define LIMIT 8192

static const char *const uuids[] = {
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
    "00000000-0000-4000-8000-000000000003",
};

static char *directory;

static char *path_of(uint32_t uid, const char *name, unsigned n)
{
    return viommu_console_log_path(directory, uid, name, uuids[n]);
}

/* Its path. Owned. */
static char *make_log(uint32_t uid, const char *name, unsigned n, unsigned age)
{
    char *path = path_of(uid, name, n);
    struct utimbuf times;

    ck_assert(viommu_console_log_append(path, LIMIT, "words", 5, NULL));
    times.actime = times.modtime = time(NULL) - age;
    ck_assert_int_eq(utime(path, &times), 0);
    return path;
}

static bool is_there(const char *path)
{
    return g_access(path, F_OK) == 0;
}

START_TEST(small_ones_are_whole)
{
    g_autofree char *path = path_of(1000, "small", 0), *text = NULL;
    struct stat info;

    ck_assert(viommu_console_log_append(path, LIMIT, "one\n", 4, NULL));
    ck_assert(viommu_console_log_append(path, LIMIT, "two\n", 4, NULL));
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_str_eq(text, "one\ntwo\n");
    ck_assert_int_eq(g_stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    g_unlink(path);
}
END_TEST

/* Whatever the size of the pieces: the bound holds, the beginning stays, the end is there, and the
 * gap is noted once. */
START_TEST(large_ones_are_bounded)
{
    static const unsigned pieces[] = {1, 7, 80, 1000, 3000, 20000};

    for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_autofree char *path = path_of(1000, "large", 0), *piece = g_strnfill(pieces[i], 'x'), *text = NULL;
        size_t size, steps = MAX(9, 50000 / pieces[i]);
        struct stat info;

        ck_assert(viommu_console_log_append(path, LIMIT, "BEGINNING\n", 10, NULL));
        for (size_t step = 0; step < steps; step++) {
            ck_assert(viommu_console_log_append(path, LIMIT, piece, pieces[i], NULL));
            ck_assert_int_eq(g_stat(path, &info), 0);
            ck_assert_uint_le((uint64_t)info.st_size, LIMIT);
        }
        ck_assert(viommu_console_log_append(path, LIMIT, "\nEND", 4, NULL));
        ck_assert(g_file_get_contents(path, &text, &size, NULL));
        ck_assert_uint_gt(size, LIMIT / 2);
        ck_assert(g_str_has_prefix(text, "BEGINNING\nxxx"));
        ck_assert(g_str_has_suffix(text, "xxx\nEND"));
        const char *gap = strstr(text, "was dropped]");
        ck_assert_ptr_nonnull(gap);
        ck_assert_ptr_null(strstr(gap + 1, "was dropped]"));
        g_unlink(path);
    }
}
END_TEST

START_TEST(what_cannot_be_written_is_said)
{
    g_autofree char *path = g_build_filename(directory, "nowhere", "1-x.log", NULL);
    g_autofree char *link = path_of(1000, "link", 0), *target = g_build_filename(directory, "target", NULL);
    g_autoptr(GError) error = NULL;

    ck_assert(!viommu_console_log_append(path, LIMIT, "x", 1, &error));
    ck_assert(strstr(error->message, path) && strstr(error->message, "No such file"));
    ck_assert_int_eq(symlink(target, link), 0);
    ck_assert(!viommu_console_log_append(link, LIMIT, "x", 1, NULL));
    ck_assert(!is_there(target));
    g_unlink(link);
}
END_TEST

START_TEST(found_by_name_owner_and_age)
{
    const uint32_t one = 1000, other = 1001, nobody = 5;
    g_autofree char *old = make_log(one, "a-1", 0, 100), *new = make_log(one, "a-1", 1, 10);
    g_autofree char *others = make_log(other, "a-1", 2, 1);
    /* Named after the UUID of another user's machine. */
    g_autofree char *odd = make_log(other, uuids[0], 1, 0);
    const struct {
        const char *name;
        const uint32_t *uid;
        const char *path;
    } cases[] = {
        {"a-1", &one, new},    {"a-1", &other, others}, {"a-1", NULL, others}, {"a-1", &nobody, NULL},
        {uuids[0], &one, old}, {uuids[0], &other, odd}, {uuids[0], NULL, old}, {"a", NULL, NULL},
        {"1", NULL, NULL},     {"../x", &other, NULL},  {"", NULL, NULL},      {"-1", NULL, NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *found = viommu_console_log_find(directory, cases[i].name, cases[i].uid);
        ck_assert_msg(g_strcmp0(found, cases[i].path) == 0, "%zu: %s", i, found);
    }
    g_unlink(old);
    g_unlink(new);
    g_unlink(others);
    g_unlink(odd);
}
END_TEST

START_TEST(swept_by_age_and_number)
{
    g_autoptr(GHashTable) live = g_hash_table_new(g_str_hash, g_str_equal);
    ViommuConsoleLogKeep keep = {live, 1000, 1, 0};
    g_autofree char *alive = make_log(1, "alive", 0, 5000), *one = make_log(1, "one", 1, 20);
    g_autofree char *older = make_log(1, "older", 2, 30), *others = make_log(2, "others", 1, 500);
    g_autofree char *aged = make_log(3, "aged", 1, 2000),
                    *foreign = g_build_filename(directory, "1-x.log", NULL);

    ck_assert(g_file_set_contents(foreign, "", -1, NULL));
    g_hash_table_add(live, (char *)uuids[0]);
    viommu_console_log_sweep(directory, &keep);
    ck_assert(is_there(alive) && is_there(one) && is_there(others));
    ck_assert(!is_there(older) && !is_there(aged));
    /* Not a log of viommud. */
    ck_assert(is_there(foreign));
    keep.count = 0;
    viommu_console_log_sweep(directory, &keep);
    ck_assert(is_there(alive) && !is_there(one) && !is_there(others));
    g_unlink(alive);
    g_unlink(foreign);
}
END_TEST

/* Each has five bytes. */
START_TEST(swept_by_bytes)
{
    g_autoptr(GHashTable) live = g_hash_table_new(g_str_hash, g_str_equal);
    ViommuConsoleLogKeep keep = {live, 1000, 100, 25};
    g_autofree char *alive = make_log(1000, "alive", 0, 500);
    g_autofree char *new = make_log(1000, "new", 1, 10), *older = make_log(1000, "older", 1, 20),
                    *oldest = make_log(1000, "oldest", 1, 30);
    g_autofree char *modest = make_log(1001, "modest", 2, 40);

    g_hash_table_add(live, (char *)uuids[0]);
    viommu_console_log_sweep(directory, &keep);
    ck_assert(is_there(alive) && is_there(new) && is_there(older) && is_there(oldest) && is_there(modest));
    /* The user with the most loses the oldest log; a user below the share loses nothing. */
    keep.bytes = 20;
    viommu_console_log_sweep(directory, &keep);
    ck_assert(is_there(alive) && is_there(new) && is_there(older) && !is_there(oldest) && is_there(modest));
    keep.bytes = 15;
    viommu_console_log_sweep(directory, &keep);
    ck_assert(is_there(alive) && is_there(new) && !is_there(older) && is_there(modest));
    /* Live logs stay. */
    keep.bytes = 3;
    viommu_console_log_sweep(directory, &keep);
    ck_assert(is_there(alive) && !is_there(new) && !is_there(modest));
    g_unlink(alive);
}
END_TEST

static void print_much(const char *path, unsigned kib)
{
    g_autofree char *text = g_strnfill(1024, 'x');

    for (unsigned i = 0; i < kib; i++)
        ck_assert(viommu_console_log_append(path, LIMIT, text, 1024, NULL));
}

static uint64_t bytes_of(const char *path)
{
    struct stat info;

    ck_assert_int_eq(g_stat(path, &info), 0);
    return (uint64_t)info.st_size;
}

/* Two guests of a user print without end, and their logs alone are larger than the total.  Another
 * user's logs stay, and grow, up to that user's share. */
START_TEST(flooded_by_one_user)
{
    g_autoptr(GHashTable) live = g_hash_table_new(g_str_hash, g_str_equal);
    ViommuConsoleLogKeep keep = {live, 1000, 100, LIMIT};
    g_autofree char *first = make_log(1000, "first", 0, 1), *second = make_log(1000, "second", 1, 1);
    g_autofree char *ended = make_log(1000, "ended", 2, 10);
    g_autofree char *theirs = make_log(1001, "theirs", 2, 500), *growing = make_log(1001, "growing", 0, 1);

    g_hash_table_add(live, (char *)uuids[0]);
    g_hash_table_add(live, (char *)uuids[1]);
    print_much(first, 200);
    print_much(second, 200);
    ck_assert_uint_gt(bytes_of(first) + bytes_of(second), LIMIT);
    ck_assert_uint_le(bytes_of(first), LIMIT);
    ck_assert_uint_le(bytes_of(second), LIMIT);
    print_much(growing, 2);
    viommu_console_log_sweep(directory, &keep);
    ck_assert(is_there(first) && is_there(second) && !is_there(ended));
    ck_assert(is_there(theirs));
    ck_assert_uint_ge(bytes_of(growing), 2048);
    /* Beyond the share of one of two users, the oldest goes. */
    print_much(growing, 3);
    viommu_console_log_sweep(directory, &keep);
    ck_assert(is_there(growing) && !is_there(theirs));
    g_unlink(first);
    g_unlink(second);
    g_unlink(growing);
}
END_TEST

/* Reads and removes the file.  Owned. */
static char *take_text(const char *path)
{
    char *text = NULL;

    ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
    g_unlink(path);
    return text;
}

/* The name in an older log does not matter; a log that cannot be moved stays. */
START_TEST(taken_over)
{
    g_autofree char *former = g_dir_make_tmp("viommu-former-log.XXXXXX", NULL);
    g_autofree char *here = make_log(1000, "one", 0, 500), *odd = g_build_filename(former, "1-x.log", NULL);
    g_autofree char *there = viommu_console_log_path(former, 1000, "viommu-one", uuids[0]);
    g_autofree char *alone = viommu_console_log_path(former, 1000, "alone", uuids[1]), *text = NULL;
    g_autofree char *moved = path_of(1000, "alone", 1), *link = NULL, *blocked = path_of(1000, "blocked", 2);
    struct utimbuf times = {1000000000, 1000000000};
    g_autoptr(GError) error = NULL;
    struct stat info;

    link = viommu_console_log_path(former, 1000, "link", uuids[2]);
    ck_assert(g_file_set_contents(there, " and more", -1, NULL) && g_file_set_contents(alone, "x", 1, NULL));
    ck_assert(g_file_set_contents(odd, "", -1, NULL) && symlink("/etc/passwd", link) == 0);
    ck_assert_int_eq(utime(alone, &times), 0);
    ck_assert(viommu_console_log_take_over(former, directory, LIMIT, &error));
    text = take_text(here);
    ck_assert_str_eq(text, "words and more");
    ck_assert_int_eq(g_stat(moved, &info), 0);
    ck_assert_int_eq(info.st_mtime, 1000000000);
    ck_assert_int_eq(info.st_mode & 07777, 0600);
    ck_assert(!is_there(there) && !is_there(alone) && is_there(odd) && !is_there(blocked));
    g_unlink(moved);
    g_unlink(odd);
    g_unlink(link);
    ck_assert(g_file_set_contents(there, "kept", -1, NULL) && g_mkdir(here, 0700) == 0);
    ck_assert(!viommu_console_log_take_over(former, directory, LIMIT, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND) && is_there(there));
    g_rmdir(here);
    g_unlink(there);
    ck_assert_int_eq(g_rmdir(former), 0);
    ck_assert(viommu_console_log_take_over(former, directory, LIMIT, NULL));
}
END_TEST

/* What is in the former directory and here when viommud was killed on the way; each text comes
 * once. */
static const struct {
    const char *source, *taken, *part, *here, *whole;
} halves[] = {
    {"more", NULL, NULL, "words ", "words more"},             /* nothing was done yet */
    {"more", NULL, "words mo", "words ", "words more"},       /* the part was being made */
    {"more", NULL, "words more", "words ", "words more"},     /* it was made */
    {NULL, "more", "words more", "words ", "words more"},     /* it counts */
    {NULL, "more", NULL, "words more", "words more"},         /* it has its place */
    {NULL, NULL, NULL, "words more", "words more"},           /* all was done */
    {NULL, "more", "more", NULL, "more"},                     /* the same, without a log here */
    {"new", "more", "words more", "words ", "words morenew"}, /* a downgrade lay between */
    {NULL, NULL, "more", NULL, NULL},                         /* the host was started anew */
    {"", NULL, NULL, NULL, ""},
};

static void put(const char *path, const char *ending, const char *text)
{
    g_autofree char *whole = g_strconcat(path, ending, NULL);

    if (text)
        ck_assert(g_file_set_contents(whole, text, -1, NULL));
}

static void assert_text(const char *path, const char *expected)
{
    g_autofree char *text = NULL;

    ck_assert_int_eq(is_there(path), expected != NULL);
    if (!expected)
        return;
    text = take_text(path);
    ck_assert_str_eq(text, expected);
}

START_TEST(taken_over_once)
{
    g_autofree char *former = g_dir_make_tmp("viommu-former-log.XXXXXX", NULL);
    g_autofree char *here = path_of(1000, "one", 0);
    g_autofree char *there = viommu_console_log_path(former, 1000, "one", uuids[0]);

    for (size_t i = 0; i < G_N_ELEMENTS(halves); i++) {
        put(there, "", halves[i].source);
        put(there, ".taken", halves[i].taken);
        put(here, ".part", halves[i].part);
        put(here, "", halves[i].here);
        for (int again = 0; again < 2; again++)
            ck_assert(viommu_console_log_take_over(former, directory, LIMIT, NULL));
        assert_text(here, halves[i].whole);
    }
    ck_assert_int_eq(g_rmdir(former), 0);
}
END_TEST

/* The disk is full in the middle: all stays as it was, and the next start does it. */
START_TEST(not_taken_over_by_halves)
{
    const struct rlimit full = {LIMIT / 2, RLIM_INFINITY}, room = {RLIM_INFINITY, RLIM_INFINITY};
    g_autofree char *former = g_dir_make_tmp("viommu-former-log.XXXXXX", NULL);
    g_autofree char *here = make_log(1000, "one", 0, 500);
    g_autofree char *there = viommu_console_log_path(former, 1000, "one", uuids[0]);
    g_autofree char *printed = g_strnfill(LIMIT * 3 / 4, 'p'), *whole = g_strconcat("words", printed, NULL);
    g_autoptr(GError) error = NULL;

    put(there, "", printed);
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &full) == 0);
    ck_assert(!viommu_console_log_take_over(former, directory, LIMIT, &error));
    ck_assert(setrlimit(RLIMIT_FSIZE, &room) == 0 && is_there(there));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    ck_assert(viommu_console_log_take_over(former, directory, LIMIT, NULL));
    assert_text(here, whole);
    ck_assert_int_eq(g_rmdir(former), 0);
}
END_TEST

int main(void)
{
    static const TTest *tests[10];
    int status;

    tests[0] = small_ones_are_whole;
    tests[1] = large_ones_are_bounded;
    tests[2] = what_cannot_be_written_is_said;
    tests[3] = found_by_name_owner_and_age;
    tests[4] = swept_by_age_and_number;
    tests[5] = swept_by_bytes;
    tests[6] = taken_over;
    tests[7] = taken_over_once;
    tests[8] = not_taken_over_by_halves;
    tests[9] = flooded_by_one_user;
    directory = g_dir_make_tmp("viommu-console-log.XXXXXX", NULL);
    status = unit_run("console-log", tests, G_N_ELEMENTS(tests));
    if (g_rmdir(directory) < 0)
        status = EXIT_FAILURE; /* something is left */
    g_free(directory);
    return status;
}

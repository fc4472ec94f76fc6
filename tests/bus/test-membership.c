/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-membership: users who leave the group, and a user database that does not answer. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "tests/bus/people.h"

#define MEMBER   "nobody" /* PEOPLE_MEMBER's name */
#define REQUEST  "{'arch': <'x86_64'>, 'memory': <'1 MiB'>}"
#define PATIENCE (30 * G_USEC_PER_SEC)
/* The most that a system bus allows. */
#define FILES_OF_CALL 16u

static char *directory;

/* A viommud whose user database can be changed. */
static Harness *start(void)
{
    const char *asan = g_getenv("ASAN_OPTIONS");
    Harness *harness;

    directory = g_dir_make_tmp("viommu-accounts-XXXXXX", NULL);
    ck_assert_ptr_nonnull(directory);
    ck_assert_int_eq(g_chmod(directory, 0755), 0);
    g_setenv("VIOMMU_TEST_ACCOUNTS", directory, TRUE);
    g_setenv("LD_PRELOAD", ODD_ACCOUNTS, TRUE);
    if (asan) {
        g_autofree char *options = g_strconcat(asan, ":verify_asan_link_order=0", NULL);
        g_setenv("ASAN_OPTIONS", options, TRUE);
    }
    harness = people_new_system();
    g_unsetenv("LD_PRELOAD");
    return harness;
}

static void set_odd(const char *what, bool odd)
{
    g_autofree char *path = g_build_filename(directory, what, NULL);
    int fd = odd ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;

    if (odd)
        close(fd);
    else
        g_unlink(path);
}

static bool may_launch(sd_bus *bus)
{
    g_autoptr(sd_bus_message) answer = people_exchange(bus, harness_request(bus, "Launch", REQUEST));

    return !sd_bus_message_is_method_error(answer, NULL);
}

static void wait_until(sd_bus *bus, bool may)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;

    while (may_launch(bus) != may)
        ck_assert_msg(g_get_monotonic_time() < end, "launches are still %s", may ? "refused" : "made");
}

static void clean_up(void)
{
    g_rmdir(directory);
    g_clear_pointer(&directory, g_free);
}

/* The connection stays, but the right is lost. */
START_TEST(leaves)
{
    Harness *harness = start();
    sd_bus *member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autofree char *path = people_launch(member, "mine");

    set_odd("out." MEMBER, true);
    wait_until(member, false);
    people_assert_refused(member, harness_request(member, "Launch", REQUEST), "not in group");
    people_assert_refused(member, people_on_machine(member, path, "Kill"), "polkit");
    set_odd("out." MEMBER, false);
    wait_until(member, true);
    people_allow(member, people_on_machine(member, path, "Kill"));
    sd_bus_flush_close_unref(member);
    harness_free(harness);
    clean_up();
}
END_TEST

/* If a user cannot be looked up, the call fails after a while; nobody else waits, and viommud can
 * still end. */
START_TEST(unknown)
{
    Harness *harness = start();
    sd_bus *member = harness_connect_as(harness, PEOPLE_MEMBER),
           *outsider = harness_connect_as(harness, PEOPLE_OUTSIDER);
    HarnessPending launch, plan;
    gint64 begun;

    set_odd("hang." MEMBER, true);
    harness_send(member, harness_request(member, "Launch", REQUEST), &launch);
    harness_send(member, harness_request(member, "Plan", REQUEST), &plan);
    people_assert_refused(outsider, harness_request(outsider, "Launch", REQUEST), "not in group");
    g_free(people_launch(harness->bus, "roots"));
    ck_assert_ptr_null(launch.answer);
    people_assert_error(harness_answer(&launch), "Busy",
                        "did not report within 5 s whether user 65534 is in group");
    ck_assert(!sd_bus_message_is_method_error(harness_answer(&plan), NULL));
    sd_bus_message_unref(launch.answer);
    sd_bus_message_unref(plan.answer);
    /* The same question does not wait again. */
    begun = g_get_monotonic_time();
    for (unsigned i = 0; i < 20; i++)
        ck_assert(!may_launch(member));
    ck_assert_int_lt(g_get_monotonic_time() - begun, 20 * G_USEC_PER_SEC);
    set_odd("hang." MEMBER, false);
    wait_until(member, true);
    set_odd("hang." MEMBER, true);
    harness_send(member, harness_request(member, "Launch", REQUEST), &launch);
    sd_bus_flush(member);
    harness_free(harness);
    set_odd("hang." MEMBER, false);
    sd_bus_message_unref(launch.answer);
    sd_bus_close_unref(member);
    sd_bus_close_unref(outsider);
    clean_up();
}
END_TEST

/* Calls that wait for the user database keep their files, and viommud has room for so many. */
START_TEST(unknown_with_files)
{
    struct rlimit before, few;
    HarnessPending pending[100];
    int files[FILES_OF_CALL], file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    unsigned n = 0;
    Harness *harness;
    sd_bus *member;

    for (unsigned i = 0; i < FILES_OF_CALL; i++)
        files[i] = file;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){1024, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    harness = start();
    member = harness_connect_as(harness, PEOPLE_MEMBER);
    set_odd("hang." MEMBER, true);
    while (n < G_N_ELEMENTS(pending)) {
        sd_bus_message *call = harness_method(member, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");

        ck_assert_int_ge(sd_bus_message_open_container(call, 'a', "h"), 0);
        for (unsigned i = 0; i < FILES_OF_CALL; i++)
            ck_assert_int_ge(sd_bus_message_append_basic(call, 'h', &files[i]), 0);
        ck_assert_int_ge(sd_bus_message_close_container(call), 0);
        harness_send(member, call, &pending[n++]);
        /* When this is answered, the call before it has been taken. */
        g_free(harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Version"));
    }
    set_odd("hang." MEMBER, false);
    people_assert_error(harness_answer(&pending[n - 1]), "Busy", "too many open files");
    for (unsigned i = 0; i < n; i++)
        sd_bus_message_unref(harness_answer(&pending[i]));
    sd_bus_flush_close_unref(member);
    harness_free(harness);
    close(file);
    setrlimit(RLIMIT_NOFILE, &before);
    clean_up();
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"member-leaves", &leaves},
    {"member-unknown", &unknown},
    {"member-unknown-files", &unknown_with_files},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-bounds: what a host's size and a site allow one user, and how viommud reports it. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include "tests/bus/people.h"

#define EACH     64 /* machines-per-user=auto */
#define NAMELESS "{'arch': <'x86_64'>, 'memory': <'1 MiB'>}"

static void launch_many(sd_bus *bus, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        people_allow(bus, harness_request(bus, "Launch", NAMELESS));
}

/* A member's machines are counted, stopped ones too; root's are not, unless the site says so. */
START_TEST(machines_of_each)
{
    g_autoptr(Harness) harness = people_new_configured("[limits]\nmachines-per-user=auto\n");
    sd_bus *member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) refused = NULL;

    launch_many(member, EACH);
    refused = people_exchange(member, harness_request(member, "Launch", NAMELESS));
    people_assert_error(refused, "Busy",
                        "has 64 machines, and 1 more would exceed [limits] machines-per-user=64");
    launch_many(harness->bus, EACH + 1);
    /* More machines than there are numbers: generated names do not run out. */
    ck_assert_uint_eq(harness_count(harness), 2 * EACH + 1);
    sd_bus_flush_close_unref(member);
}
END_TEST

START_TEST(machines_of_root)
{
    g_autoptr(Harness) harness = people_new_configured("[limits]\nmachines-per-user=2\n");
    g_autoptr(sd_bus_message) refused = NULL;

    launch_many(harness->bus, 2);
    refused = people_exchange(harness->bus, harness_request(harness->bus, "Launch", NAMELESS));
    people_assert_error(refused, "Busy", "machines-per-user=2");
}
END_TEST

/* --- Copies --- */

/* A kernel of eight bytes, of which QEMU needs a copy. */
static char *make_kernel(Harness *harness, const char *name)
{
    g_autofree char *path = g_build_filename(harness->directory, name, NULL);

    ck_assert(g_file_set_contents(path, "a kernel", -1, NULL));
    ck_assert_int_eq(chown(path, PEOPLE_MEMBER, PEOPLE_MEMBER), 0);
    ck_assert_int_eq(g_chmod(path, 0644), 0);
    return g_strdup(path);
}

static sd_bus_message *booting(sd_bus *bus, const char *kernel)
{
    g_autofree char *text = g_strdup_printf("{'arch': <'x86_64'>, 'boot': <{'kernel': <'%s'>}>}", kernel);

    return harness_request(bus, "Launch", text);
}

static char *boot(sd_bus *bus, const char *kernel)
{
    g_autoptr(sd_bus_message) answer = people_assert_allowed(bus, booting(bus, kernel));
    const char *path;

    ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
    return g_strdup(path);
}

START_TEST(copies)
{
    g_autoptr(Harness) harness = people_new_configured("[limits]\ncopies=30 B\ncopies-per-user=20 B\n");
    g_autofree char *kernel = make_kernel(harness, "kernel"), *large = make_kernel(harness, "large"),
                    *first = NULL, *second = NULL, *third = NULL;
    g_autoptr(sd_bus_message) busy = NULL, never = NULL;
    sd_bus *member = harness_connect_as(harness, PEOPLE_MEMBER);

    ck_assert_int_eq(truncate(large, 21), 0);
    first = boot(member, kernel);
    second = boot(member, kernel);
    busy = people_exchange(member, booting(member, kernel));
    people_assert_error(
        busy, "Busy",
        "16 B of copied kernels and initrds, and 8 B more would exceed [limits] copies-per-user=20 B");
    never = people_exchange(member, booting(member, large));
    people_assert_error(never, "PolicyRefused", "[limits] copies-per-user is 20 B; request less");
    people_allow(member, people_on_machine(member, first, "Kill"));
    third = boot(member, kernel);
    /* The refused launch left nothing, and is not counted. */
    ck_assert_uint_eq(harness_count(harness), 2);
    people_allow(member, people_on_machine(member, second, "Kill"));
    people_allow(member, people_on_machine(member, third, "Kill"));
    g_free(boot(member, kernel));
    sd_bus_flush_close_unref(member);
}
END_TEST

/* A hole counts with its size, because it may be filled. */
START_TEST(copies_too_large)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *kernel = make_kernel(harness, "kernel");
    sd_bus *member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) refused = NULL;

    ck_assert_int_eq(truncate(kernel, (off_t)513 << 20), 0);
    refused = people_exchange(member, booting(member, kernel));
    people_assert_error(refused, "InvalidRequest", "it is larger than 512 MiB");
    sd_bus_flush_close_unref(member);
}
END_TEST

/* --- Leases --- */

static sd_bus_message *extending(sd_bus *bus, const char *path, uint64_t seconds)
{
    sd_bus_message *call = people_on_machine(bus, path, "Extend");

    ck_assert_int_ge(sd_bus_message_append(call, "t", seconds), 0);
    return call;
}

static sd_bus_message *leasing(sd_bus *bus, unsigned seconds)
{
    g_autofree char *text = g_strdup_printf("{'arch': <'x86_64'>, 'lease': <{'seconds': <%u>}>}", seconds);

    return harness_request(bus, "Launch", text);
}

/* The lease limit binds members, but not root, not even for a member's machine. */
START_TEST(leases)
{
    g_autoptr(Harness) harness = people_new_configured("[leases]\nmax-seconds=300\ndefault-seconds=200\n");
    sd_bus *member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autofree char *mine = people_launch(member, "mine"), *roots = people_launch(harness->bus, "roots");
    g_autofree char *warnings = harness_property(harness, mine, VIOMMU_IFACE_MACHINE, "Warnings");
    g_autofree char *end = harness_property(harness, mine, VIOMMU_IFACE_MACHINE, "LeaseEnd");

    ck_assert_str_ne(end, "uint64 0");
    ck_assert_msg(strstr(warnings, "this site gives the machine a lease of 200 seconds"), "%s", warnings);
    harness_assert_property(harness, roots, "LeaseEnd", "uint64 0");
    people_assert_refused(
        member, leasing(member, 301),
        "lease.seconds: a lease of 301 seconds was requested, but [leases] max-seconds is 300");
    people_allow(member, leasing(member, 300));
    people_allow(harness->bus, leasing(harness->bus, 301));
    people_assert_refused(member, extending(member, mine, 301), "[leases] max-seconds is 300");
    people_allow(member, extending(member, mine, 300));
    people_allow(harness->bus, extending(harness->bus, mine, 3000));
    sd_bus_flush_close_unref(member);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"bounds-machines", &machines_of_each},
    {"bounds-of-root", &machines_of_root},
    {"bounds-copies", &copies},
    {"bounds-copy-too-large", &copies_too_large},
    {"bounds-leases", &leases},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-clock: leases and clocks.  A jump of the time of day neither ends nor keeps a lease, over a
 * restart of the daemon, too; leases of another boot have ended. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "daemon/libvirt/backend.h"
#include "tests/bus/harness.h"

#define YEAR_USEC (INT64_C(365) * 24 * 3600 * 1000000)

#define MACHINE(name, seconds)                                                                               \
    "{'name': <'" name "'>, 'arch': <'x86_64'>, 'memory': <'64 MiB'>, 'lease': <{'seconds': <" seconds ">}>" \
    "}"

static uint64_t clock_usec(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * G_USEC_PER_SEC + (uint64_t)time.tv_nsec / 1000;
}

/* Shifts the time of day of the daemon that is started next; 0: no shift. */
static int64_t *share_clock(Harness *harness)
{
    g_autofree char *path = g_build_filename(harness->directory, "clock", NULL);
    const char *asan = g_getenv("ASAN_OPTIONS");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *map;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, sizeof(int64_t)), 0);
    map = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert(map != MAP_FAILED);
    close(fd);
    g_setenv("VIOMMU_TEST_CLOCK", path, TRUE);
    g_setenv("LD_PRELOAD", JUMPING_CLOCK, TRUE);
    /* It has to be loaded first, but works as the second, too. */
    if (asan) {
        g_autofree char *options = g_strconcat(asan, ":verify_asan_link_order=0", NULL);
        g_setenv("ASAN_OPTIONS", options, TRUE);
    }
    return map;
}

static uint64_t number(Harness *harness, const char *path, const char *property)
{
    g_autofree char *text = harness_property(harness, path, VIOMMU_IFACE_MACHINE, property);

    return g_ascii_strtoull(text + strlen("uint64 "), NULL, 10);
}

/* Asks the daemon itself for its time of day. */
static void assert_jumped(Harness *harness, const char *name, int64_t years)
{
    g_autofree char *request = g_strdup_printf(MACHINE("%s", "900"), name);
    g_autofree char *path = harness_launch(harness, request);
    int64_t ahead = (int64_t)(number(harness, path, "Created") - clock_usec(CLOCK_REALTIME));

    ck_assert_msg(llabs(ahead - years * YEAR_USEC) < YEAR_USEC / 2, "its clock is %lld us ahead",
                  (long long)ahead);
}

static bool is_listed(Harness *harness, const char *name)
{
    sd_bus_message *call = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "GetMachine");
    g_autoptr(sd_bus_message) answer = NULL;

    ck_assert_int_ge(sd_bus_message_append(call, "s", name), 0);
    answer = harness_exchange(harness, call);
    return !sd_bus_message_is_method_error(answer, NULL);
}

/* The machine stays until @end, and not much longer. */
static void assert_ends_at(Harness *harness, const char *name, uint64_t end)
{
    uint64_t patience = MAX(end, clock_usec(CLOCK_BOOTTIME)) + HARNESS_PATIENCE_USEC;

    while (is_listed(harness, name)) {
        ck_assert_msg(clock_usec(CLOCK_BOOTTIME) < patience, "'%s' stays", name);
        g_usleep(20000);
    }
    ck_assert_uint_ge(clock_usec(CLOCK_BOOTTIME), end);
}

static void restart(Harness *harness, const char *const *options)
{
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    harness_start(harness, options);
}

static void ignore_news(const ViommuNews *news, void *userdata)
{
}

START_TEST(jumps)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *connect = g_strconcat("--connect=", uri, NULL);
    const char *const options[] = {"--user", connect, NULL};
    g_autofree char *longer = NULL, *first = NULL, *second = NULL;
    int64_t *clock = share_clock(harness);
    ViommuBackend *keeper = NULL;
    uint64_t end, first_end, second_end;

    ck_assert(viommu_backend_new(uri, 1, &keeper, NULL));
    ck_assert(viommu_backend_watch(keeper, ignore_news, NULL, NULL));
    harness_start(harness, options);
    longer = harness_launch(harness, MACHINE("longer", "900"));
    end = number(harness, longer, "LeaseEnd");
    first = harness_launch(harness, MACHINE("first", "2"));
    first_end = number(harness, first, "LeaseEnd");
    second = harness_launch(harness, MACHINE("second", "5"));
    second_end = number(harness, second, "LeaseEnd");

    *clock = 10 * YEAR_USEC;
    assert_jumped(harness, "forward", 10);
    assert_ends_at(harness, "first", first_end);
    *clock = -10 * YEAR_USEC;
    assert_jumped(harness, "backward", -10);
    restart(harness, options);
    assert_jumped(harness, "again", -10);
    assert_ends_at(harness, "second", second_end);
    *clock = 10 * YEAR_USEC;
    restart(harness, options);
    ck_assert_uint_eq(number(harness, longer, "LeaseEnd"), end);
    ck_assert_uint_eq(harness_count(harness), 4);
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    viommu_backend_free(keeper);
}
END_TEST

/* Records another boot for the lease of machine @uuid. */
static void change_boot(ViommuBackend *backend, const char *uuid)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = viommu_backend_get_metadata(backend, uuid, &error), *after = NULL;
    g_autoptr(GRegex) boot = g_regex_new("boot=['\"][0-9a-f]{32}['\"]", 0, 0, NULL);

    ck_assert_msg(before, "%s", error ? error->message : "");
    ck_assert_msg(g_regex_match(boot, before, 0, NULL), "%s", before);
    after = g_regex_replace_literal(boot, before, -1, 0, "boot='0123456789abcdef0123456789abcdef'", 0, NULL);
    ck_assert(viommu_backend_set_metadata(backend, uuid, after, NULL));
}

START_TEST(other_boot)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *connect = g_strconcat("--connect=", uri, NULL);
    const char *const options[] = {"--user", connect, NULL};
    g_autofree char *old = NULL, *young = NULL, *uuid = NULL;
    ViommuBackend *keeper = NULL;

    ck_assert(viommu_backend_new(uri, 1, &keeper, NULL));
    ck_assert(viommu_backend_watch(keeper, ignore_news, NULL, NULL));
    harness_start(harness, options);
    old = harness_launch(harness, MACHINE("old", "900"));
    young = harness_launch(harness, MACHINE("young", "900"));
    uuid = harness_property(harness, old, VIOMMU_IFACE_MACHINE, "UUID");
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    uuid[strlen(uuid) - 1] = '\0';
    change_boot(keeper, uuid + 1);
    harness_start(harness, options);
    assert_ends_at(harness, "old", 0);
    harness_assert_property(harness, young, "State", "'running'");
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    viommu_backend_free(keeper);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"clock-jumps", &jumps},
    {"clock-other-boot", &other_boot},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    if (harness_has_libvirt())
        return harness_main(argc, argv, scenarios);
    puts("SKIP: libvirtd or setpriv is not installed");
    return 77;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-memory: limits on what guests lock, the host's own memory and its huge pages, and where the
 * limits are reported.  The guests are records of libvirt's test driver, the huge pages this
 * machine's. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "daemon/bus/variant.h"
#include "tests/bus/harness.h"

#define POOL      "/proc/sys/vm/nr_hugepages"
#define FREE      "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define PAGE_SIZE ((size_t)2 << 20)

#define BACKED(memory, backing) \
    "{'arch': <'x86_64'>, 'memory': <'" memory "'>, 'memory-backing': <{" backing "}>}"
#define LOCKED(memory) BACKED(memory, "'page-size': <'4 KiB'>, 'locked': <true>")
#define HUGE(memory)   BACKED(memory, "'page-size': <'2 MiB'>")
#define GROWING(memory, most)                                              \
    "{'arch': <'x86_64'>, 'memory': <'" memory "'>, 'memory-max': <'" most \
    "'>, 'memory-backing': <{'page-size': <'4 KiB'>, 'locked': <true>}>}"
#define ENCRYPTED(memory, kind) \
    "{'arch': <'x86_64'>, 'memory': <'" memory "'>, 'launch-security': <{'type': <'" kind "'>}>}"

static void start_with(Harness *harness, const char *configuration)
{
    static const char *const options[] = {"--user", "--connect=test:///default", NULL};

    harness_configure(harness, configuration);
    harness_start(harness, options);
}

static void assert_refused(Harness *harness, const char *request, const char *name, const char *words)
{
    g_autoptr(HarnessError) error = harness_refused(harness, "Launch", request);

    harness_assert_error(error, name, words);
}

START_TEST(locked_limits)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *user =
        g_strdup_printf("user %u has 1536 MiB of locked memory and huge pages", geteuid());
    g_autofree char *first = NULL, *second = NULL, *easy = NULL;

    start_with(harness,
               "[limits]\nlocked-memory=4 GiB\nlocked-memory-per-user=2 GiB\nlocked-memory-reserve=0 B\n");
    first = harness_launch(harness, LOCKED("512 MiB"));
    assert_refused(harness, LOCKED("64 MiB"), "Busy", user);
    assert_refused(harness, LOCKED("64 MiB"), "Busy",
                   "and 1088 MiB more would exceed [limits] locked-memory-per-user=2 GiB");
    assert_refused(harness, LOCKED("2 GiB"), "PolicyRefused",
                   "3 GiB of locked memory and huge pages requested");
    /* The kernel locks the memory of SEV's guests, which counts before there is a plan. */
    assert_refused(harness, ENCRYPTED("2 GiB", "sev"), "PolicyRefused",
                   "3 GiB of locked memory and huge pages requested");
    assert_refused(harness, ENCRYPTED("2 GiB", "sev-snp"), "NotSupported", "launch-security.type 'sev-snp'");
    assert_refused(harness, GROWING("64 MiB", "2 GiB"), "PolicyRefused",
                   "3 GiB of locked memory and huge pages requested");
    easy = harness_launch(harness, "{'arch': <'x86_64'>, 'memory': <'8 GiB'>}");
    harness_stop(harness, first, 0);
    second = harness_launch(harness, LOCKED("1 GiB"));
}
END_TEST

/* The test driver's host has 3 GiB. */
START_TEST(locked_room)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *first = NULL, *second = NULL;

    start_with(harness, "[limits]\nlocked-memory-reserve=500 MiB\n");
    assert_refused(harness, LOCKED("1600 MiB"), "NotSupported", "this host has 3 GiB");
    assert_refused(harness, LOCKED("1600 MiB"), "NotSupported",
                   "[limits] locked-memory-reserve keeps 500 MiB");
    first = harness_launch(harness, LOCKED("400 MiB"));
    assert_refused(harness, LOCKED("400 MiB"), "Busy", "other machines have locked 1424 MiB of the ");
    harness_stop(harness, first, 0);
    second = harness_launch(harness, LOCKED("400 MiB"));
}
END_TEST

/* --- Huge pages --- */

static uint64_t read_number(const char *path)
{
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : UINT64_MAX;
}

static bool write_number(const char *path, uint64_t number)
{
    FILE *file = fopen(path, "we");

    return file && fprintf(file, "%" G_GUINT64_FORMAT "\n", number) > 0 && fclose(file) == 0;
}

/* Pages that another process has. */
static void *take_pages(size_t n)
{
    void *memory = mmap(NULL, n * PAGE_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);

    ck_assert(memory != MAP_FAILED);
    return memory;
}

static uint64_t pool_before;

static void huge_pages_of(Harness *harness, uint64_t total)
{
    g_autofree char *many =
        g_strdup_printf("needs %" G_GUINT64_FORMAT " such pages, but this host has %" G_GUINT64_FORMAT
                        "; make more: sysctl vm.nr_hugepages=",
                        total + 1, total);
    g_autofree char *request = g_strdup_printf(HUGE("%" G_GUINT64_FORMAT " MiB"), 2 * (total + 1));
    g_autofree char *first = NULL, *second = NULL, *third = NULL, *fourth = NULL;
    void *others;

    assert_refused(harness, request, "NotSupported", many);
    first = harness_launch(harness, HUGE("40 MiB"));
    second = harness_launch(harness, HUGE("20 MiB"));
    assert_refused(harness, HUGE("8 MiB"), "Busy",
                   "needs 4 such pages, but other machines have 30 of this host's 32; ");
    harness_stop(harness, second, 0);
    third = harness_launch(harness, HUGE("8 MiB"));

    others = take_pages(30);
    assert_refused(harness, HUGE("8 MiB"), "Busy",
                   "needs 4 such pages, but of this host's 32 only 2 are free; wait,");
    ck_assert_int_eq(munmap(others, 30 * PAGE_SIZE), 0);
    fourth = harness_launch(harness, HUGE("8 MiB"));
}

START_TEST(huge_pages)
{
    g_autoptr(Harness) harness = harness_new(false);

    start_with(harness, "");
    huge_pages_of(harness, 32);
    /* The daemon notices the administrator's change. */
    ck_assert(write_number(POOL, 64));
    g_autofree char *more = harness_launch(harness, HUGE("60 MiB"));
}
END_TEST

START_TEST(limits_readable)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *text = NULL;

    start_with(harness, "[limits]\nmachines-per-user=7\nmemory=3 GiB\ndisk-reserve=5 B\n");
    text = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Limits");
    ck_assert_str_eq(
        text,
        "{'machines': <uint64 1024>, 'machines-per-user': <uint64 7>, 'vcpus': <uint64 0>, "
        "'vcpus-per-user': <uint64 0>, 'memory': <uint64 3221225472>, 'memory-per-user': <uint64 0>, "
        "'locked-memory': <uint64 0>, 'locked-memory-per-user': <uint64 0>, "
        "'locked-memory-reserve': <uint64 1073741824>, 'copies': <uint64 0>, 'copies-per-user': "
        "<uint64 0>, 'overlays': <uint64 0>, 'overlays-per-user': <uint64 0>, 'disk-reserve': <uint64 5>, "
        "'pending-launches': <uint64 1024>, "
        "'pending-launches-per-user': <uint64 512>}");
}
END_TEST

/* What machines have comes and goes with them. */
START_TEST(used_readable)
{
    static const char *const nothing =
        "{'machines': <uint64 0>, 'vcpus': <uint64 0>, 'memory': <uint64 0>, 'locked-memory': <uint64 0>, "
        "'copies': <uint64 0>, 'overlays': <uint64 0>, 'pending-launches': <uint64 0>}";
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *before = NULL, *during = NULL, *after = NULL, *path = NULL;

    start_with(harness, "");
    before = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Used");
    ck_assert_str_eq(before, nothing);
    path = harness_launch(harness, "{'vcpus': <uint32 3>, 'memory': <'400 MiB'>}");
    during = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Used");
    ck_assert_str_eq(
        during,
        "{'machines': <uint64 1>, 'vcpus': <uint64 3>, 'memory': <uint64 419430400>, 'locked-memory': "
        "<uint64 0>, 'copies': <uint64 0>, 'overlays': <uint64 0>, 'pending-launches': <uint64 0>}");
    harness_stop(harness, path, 0);
    after = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Used");
    ck_assert_str_eq(after, nothing);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"locked-limits", &locked_limits},     {"locked-room", &locked_room},     {"huge-pages", &huge_pages},
    {"limits-readable", &limits_readable}, {"used-readable", &used_readable}, {NULL, NULL},
};

static void restore_pool(void)
{
    (void)write_number(POOL, pool_before);
}

/* Where others use huge pages, or this process may not make any, the test cannot run. */
static const char *prepare_pool(void)
{
    pool_before = read_number(POOL);
    if (pool_before == UINT64_MAX || read_number(FREE) == UINT64_MAX)
        return "this kernel has no huge pages of 2 MiB";
    if (pool_before != 0)
        return "huge pages are in use here";
    if (!write_number(POOL, 32))
        return "only root can make huge pages";
    atexit(restore_pool);
    return read_number(FREE) == 32 ? NULL : "this machine has no 64 MiB for huge pages";
}

int main(int argc, char **argv)
{
    const char *obstacle = argc > 1 && g_str_equal(argv[1], "huge-pages") ? prepare_pool() : NULL;

    if (!obstacle)
        return harness_main(argc, argv, scenarios);
    printf("SKIP: %s\n", obstacle);
    return 77;
}

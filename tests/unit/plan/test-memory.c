/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-memory: the memory that guests take from a host, by page size, and whether the host has
 * it. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/plan/memory.h"
#include "lib/base/quantity.h"

#define GIB VIOMMU_GIB
#define MIB VIOMMU_MIB

START_TEST(each_pinned)
{
    static const struct {
        uint64_t memory, page;
        bool locked;
        ViommuPinned pinned;
    } cases[] = {
        {GIB, VIOMMU_UNSET_NUMBER, false, {0, 0, 0}},
        {GIB, 0, false, {0, 0, 0}},
        {GIB, 4096, true, {0, 0, 2 * GIB}},
        {GIB, VIOMMU_UNSET_NUMBER, true, {0, 0, 2 * GIB}},
        {GIB, 2 * MIB, false, {2 * MIB, GIB, 0}},
        /* Memory in huge pages is not counted twice. */
        {GIB, 2 * MIB, true, {2 * MIB, GIB, GIB}},
        {4 * GIB, GIB, true, {GIB, 4 * GIB, GIB}},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t bound = viommu_memory_bound(cases[i].memory, cases[i].locked);
        ViommuPinned pinned = viommu_memory_pinned(cases[i].memory, cases[i].page, bound);

        ck_assert_uint_eq(pinned.page_size_bytes, cases[i].pinned.page_size_bytes);
        ck_assert_uint_eq(pinned.huge_bytes, cases[i].pinned.huge_bytes);
        ck_assert_uint_eq(pinned.ordinary_bytes, cases[i].pinned.ordinary_bytes);
    }
    ck_assert_uint_eq(viommu_memory_bound(UINT64_MAX, true), UINT64_MAX);
}
END_TEST

/* 16 GiB on two nodes, of which 4 GiB are huge pages of 2 MiB, and 1 GiB is one of 1 GiB; 10 GiB
 * can be locked. */
static const char host_text[] =
    "{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.0'>, 'accelerators': "
    "<['tcg']>}]>,"
    " 'memory': <'16 GiB'>, 'topology': <{'nodes': <["
    "{'node': <0>, 'huge-pages': <[{'size': <'2 MiB'>, 'total': <1024>, 'free': <300>},"
    "                              {'size': <'1 GiB'>, 'total': <1>, 'free': <1>}]>},"
    "{'node': <1>, 'huge-pages': <[{'size': <'2 MiB'>, 'total': <1024>, 'free': <100>}]>}]>}>}";

static ViommuHost *read_host(const char *text)
{
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    ViommuHost *host = viommu_host_from_variant(tree, &error);

    ck_assert_msg(host != NULL, "%s", error ? error->message : "");
    return host;
}

static const struct {
    ViommuPinned wanted, used;
    int code; /* VIOMMU_ERROR_LAST: it fits */
    const char *message;
} rooms[] = {
    {{0, 0, 0}, {0, 0, 100 * GIB}, VIOMMU_ERROR_LAST, NULL},
    {{0, 0, 10 * GIB}, {0, 0, 0}, VIOMMU_ERROR_LAST, NULL},
    {{0, 0, 10 * GIB + 1},
     {0, 0, 0},
     VIOMMU_ERROR_NOT_SUPPORTED,
     "memory-backing.locked or hostdevs need 10737418241 B (with 1 GiB for QEMU), but guests can lock 10 GiB "
     "here: "
     "this "
     "host has "
     "16 GiB, of which 5 GiB are huge pages and [limits] locked-memory-reserve keeps 1 GiB; request less "
     "memory"},
    {{0, 0, 4 * GIB}, {0, 0, 6 * GIB}, VIOMMU_ERROR_LAST, NULL},
    {{0, 0, 4 * GIB},
     {0, 0, 7 * GIB},
     VIOMMU_ERROR_BUSY,
     "memory-backing.locked or hostdevs need 4 GiB (with 1 GiB for QEMU), but other machines have locked 7 "
     "GiB of the "
     "10 GiB that "
     "guests can lock here; stop one of them first"},
    {{2 * MIB, 4 * GIB, 0}, {2 * MIB, 0, 0}, VIOMMU_ERROR_LAST, NULL},
    {{2 * MIB, 5 * GIB, 0},
     {2 * MIB, 0, 0},
     VIOMMU_ERROR_NOT_SUPPORTED,
     "memory-backing.page-size '2 MiB' needs 2560 such pages, but this host has 2048; make more: sysctl "
     "vm.nr_hugepages=2560"},
    {{2 * MIB, 2 * GIB, 0}, {2 * MIB, 2 * GIB, 0}, VIOMMU_ERROR_LAST, NULL},
    {{2 * MIB, 2 * GIB, 0},
     {2 * MIB, 3 * GIB, 0},
     VIOMMU_ERROR_BUSY,
     "memory-backing.page-size '2 MiB' needs 1024 such pages, but other machines have 1536 of this host's "
     "2048; stop "
     "one of them first, or make more: sysctl vm.nr_hugepages=2560"},
    {{GIB, GIB, 0}, {GIB, 0, 0}, VIOMMU_ERROR_LAST, NULL},
    {{GIB, GIB, 0}, {GIB, GIB, 0}, VIOMMU_ERROR_BUSY, "but other machines have 1 of this host's 1"},
    {{GIB, 2 * GIB, 0}, {GIB, 0, 0}, VIOMMU_ERROR_NOT_SUPPORTED, "hugepagesz=1048576K hugepages=2"},
    /* A size that this host does not have. */
    {{512 * MIB, GIB, 0},
     {512 * MIB, 0, 0},
     VIOMMU_ERROR_NOT_SUPPORTED,
     "needs 2 such pages, but this host has 0"},
    /* Both sizes at once. */
    {{2 * MIB, GIB, GIB}, {2 * MIB, 0, 10 * GIB}, VIOMMU_ERROR_BUSY, "memory-backing.locked"},
};

static void assert_answer(bool good, const GError *error, int code, const char *message)
{
    ck_assert_int_eq(good, code == VIOMMU_ERROR_LAST);
    ck_assert_int_eq(good, error == NULL);
    if (good)
        return;
    ck_assert_int_eq(error->code, code);
    ck_assert_msg(strstr(error->message, message), "'%s' is not in: %s", message, error->message);
}

START_TEST(room)
{
    g_autoptr(ViommuHost) host = read_host(host_text);
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    for (size_t i = 0; i < G_N_ELEMENTS(rooms); i++) {
        g_autoptr(GError) error = NULL;
        bool good = viommu_memory_check_room(host, &policy, &rooms[i].wanted, &rooms[i].used, &error);

        assert_answer(good, error, rooms[i].code, rooms[i].message);
    }
}
END_TEST

START_TEST(room_unknown)
{
    g_autoptr(ViommuHost) host =
        read_host("{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.0'>, "
                  "'accelerators': <['tcg']>}]>}");
    ViommuPinned wanted = {2 * MIB, 100 * GIB, 100 * GIB};
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    ck_assert(viommu_memory_check_room(host, &policy, &wanted, &wanted, NULL));
    ck_assert(viommu_memory_check_free(host, &wanted, 0, NULL));
}
END_TEST

START_TEST(free_pages)
{
    static const struct {
        uint64_t wanted, promised;
        int code;
        const char *message;
    } cases[] = {
        {400, 0, VIOMMU_ERROR_LAST, NULL},
        {300, 100, VIOMMU_ERROR_LAST, NULL},
        {401, 0, VIOMMU_ERROR_BUSY,
         "memory-backing.page-size '2 MiB' needs 401 such pages, but of this host's 2048 only 400 are free; "
         "wait, or "
         "make more: sysctl vm.nr_hugepages=2049"},
        {300, 101, VIOMMU_ERROR_BUSY,
         "needs 300 such pages, but of this host's 2048 only 400 are free, 101 of them for launches under "
         "way; wait, "
         "or make more: sysctl vm.nr_hugepages=2049"},
    };
    g_autoptr(ViommuHost) host = read_host(host_text);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ViommuPinned wanted = {2 * MIB, cases[i].wanted * 2 * MIB, 0};
        g_autoptr(GError) error = NULL;
        bool good = viommu_memory_check_free(host, &wanted, cases[i].promised * 2 * MIB, &error);

        assert_answer(good, error, cases[i].code, cases[i].message);
    }
}
END_TEST

/* At the start it is an error only if less may be locked than was planned. */
START_TEST(live_limits)
{
    static const ViommuPlan plan = {.memlock_bytes = 9 * GIB, .memlock_start_bytes = 5 * GIB},
                            none = {.memlock_bytes = 0};
    static const uint64_t enough[] = {5 * GIB, 6 * GIB, VIOMMU_UNSET_NUMBER, VIOMMU_UNSET_NUMBER - 1};
    g_autofree char *text = viommu_memory_compare_limit(&plan, 5 * GIB - 1), *half = NULL;

    ck_assert_ptr_nonnull(text);
    half = viommu_memory_compare_limit(&plan, 2 * GIB);
    ck_assert_str_eq(
        half,
        "QEMU may lock 2 GiB of memory (RLIMIT_MEMLOCK), but the plan needs 5 GiB: this libvirt calculates "
        "another limit; the guest may fail with \"Cannot allocate memory\"");
    for (size_t i = 0; i < G_N_ELEMENTS(enough); i++)
        ck_assert_ptr_null(viommu_memory_compare_limit(&plan, enough[i]));
    ck_assert_ptr_null(viommu_memory_compare_limit(&none, 0));
}
END_TEST

UNIT_MAIN("memory", each_pinned, room, room_unknown, free_pages, live_limits)

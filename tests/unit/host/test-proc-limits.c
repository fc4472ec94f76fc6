/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-proc-limits: finds libvirt's daemons and guests below a made-up /proc, and what they may
 * lock. */
#include "tests/unit/unit.h"

#include <string.h>
#include <unistd.h>
#include "lib/host/proc-limits.h"
#include "tests/machines/machine.h"

#define UUID "11111111-2222-3333-4444-555555555555"

static char root[] = "/tmp/viommu-process-XXXXXX";
static const Host host = {root};

static void add_process(int pid, const char *command, const char *uid, const char *capabilities)
{
    g_autofree char *comm = g_strdup_printf("proc/%d/comm", pid),
                    *status = g_strdup_printf("proc/%d/status", pid);
    g_autofree char *name = g_strdup_printf("%s\n", command);
    g_autofree char *text = g_strdup_printf("Name:\t%s\nUid:\t%s\t%s\t%s\t%s\nCapInh:\t0000000000000000\n"
                                            "CapPrm:\tffffffffffffffff\nCapEff:\t%s\n",
                                            command, uid, uid, uid, uid, capabilities);

    host_add_file(&host, comm, name);
    host_add_file(&host, status, text);
}

START_TEST(daemons_of_libvirt)
{
    const char *name = NULL;

    ck_assert_uint_eq(viommu_process_find_libvirt(root, VIOMMU_UNSET_NUMBER, &name), 0);
    ck_assert_uint_eq(viommu_process_find_libvirt("/nowhere", 0, &name), 0);
    add_process(7, "libvirtd-tls", "0", "0");
    add_process(8, "virtqemud", "1000", "0");
    add_process(9, "libvirtd", "0", "0");
    host_add_file(&host, "proc/uptime", "1\n");
    ck_assert_uint_eq(viommu_process_find_libvirt(root, 0, &name), 9);
    ck_assert_str_eq(name, "libvirtd");
    ck_assert_uint_eq(viommu_process_find_libvirt(root, 1000, &name), 8);
    ck_assert_str_eq(name, "virtqemud");
    ck_assert_uint_eq(viommu_process_find_libvirt(root, 100, NULL), 0);
    ck_assert_uint_ne(viommu_process_find_libvirt(root, VIOMMU_UNSET_NUMBER, NULL), 0);
}
END_TEST

static void add_words(int pid, const char *words, size_t size)
{
    g_autofree char *path = g_strdup_printf("%s/proc/%d/cmdline", root, pid);

    add_process(pid, "qemu-system-x86", "64055", "0");
    ck_assert(g_file_set_contents(path, words, (gssize)size, NULL));
}

#define ADD_WORDS(pid, words) add_words(pid, words, sizeof(words))

START_TEST(guests)
{
    ADD_WORDS(20, "qemu-system-x86_64\0-name\0" UUID);
    ADD_WORDS(21, "grep\0-uuid " UUID);
    ADD_WORDS(22, "qemu\0-uuid\0" UUID "-more");
    ck_assert_uint_eq(viommu_process_find_guest(root, UUID), 0);
    ADD_WORDS(23, "qemu\0-m\0"
                  "512\0-uuid\0" UUID "\0-no-user-config");
    ck_assert_uint_eq(viommu_process_find_guest(root, UUID), 23);
    ck_assert_uint_eq(viommu_process_find_guest("/nowhere", UUID), 0);
}
END_TEST

START_TEST(limits)
{
    static const struct {
        const char *capabilities, *soft, *hard;
        uint64_t limit, lockable;
    } cases[] = {
        {"0000000000000000", "8388608", "67108864", 67108864, 67108864},
        {"0000000000000000", "65536", "unlimited", VIOMMU_PROCESS_UNLIMITED, VIOMMU_PROCESS_UNLIMITED},
        {"0000000000000000", "what", "ever", VIOMMU_UNSET_NUMBER, VIOMMU_UNSET_NUMBER},
        {"0000000001000000", "65536", "67108864", 67108864, VIOMMU_PROCESS_UNLIMITED},
        /* All capabilities of root but that one, as in a container. */
        {"000001fffeffffff", "65536", "67108864", 67108864, 67108864},
        {"000001ffffffffff", "65536", "67108864", 67108864, VIOMMU_PROCESS_UNLIMITED},
    };

    for (int i = 0; i < (int)G_N_ELEMENTS(cases); i++) {
        uint64_t pid = 30 + (uint64_t)i;

        add_process((int)pid, "libvirtd", "0", cases[i].capabilities);
        host_set_locked_limit(&host, (int)pid, cases[i].soft, cases[i].hard);
        ck_assert_uint_eq(viommu_process_locked_limit(root, pid), cases[i].limit);
        ck_assert_uint_eq(viommu_process_lockable(root, pid), cases[i].lockable);
    }
    ck_assert_uint_eq(viommu_process_locked_limit(root, 29), VIOMMU_UNSET_NUMBER);
    ck_assert_uint_eq(viommu_process_lockable(root, 29), VIOMMU_UNSET_NUMBER);
    ck_assert_uint_eq(viommu_process_locked_limit("/nowhere", 30), VIOMMU_UNSET_NUMBER);
    /* This process on this machine. */
    ck_assert_uint_ne(viommu_process_locked_limit("/", (uint64_t)getpid()), VIOMMU_UNSET_NUMBER);
    ck_assert_uint_ne(viommu_process_lockable("/", (uint64_t)getpid()), VIOMMU_UNSET_NUMBER);
}
END_TEST

static void begin(void)
{
    strcpy(root, "/tmp/viommu-process-XXXXXX");
    ck_assert_ptr_nonnull(g_mkdtemp(root));
}

static void end(void)
{
    g_autofree char *remove = g_strdup_printf("rm -r %s", root);

    ck_assert_int_eq(system(remove), 0);
}

int main(void)
{
    const TTest *const tests[] = {daemons_of_libvirt, guests, limits};
    TCase *all = tcase_create("process");

    tcase_add_checked_fixture(all, begin, end);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        tcase_add_test(all, tests[i]);
    return unit_run_case("process", all);
}

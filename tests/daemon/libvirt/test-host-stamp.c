/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-host-stamp: files that appear, vanish and change on a host change the stamp, and other files
 * do not. */
#include "daemon/libvirt/host-stamp.h"

#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/unit.h"

static char root[64];
static ViommuHost *host;

static void setup(void)
{
    ViommuEmulator *emulator;

    strcpy(root, "/tmp/viommu-stamp-XXXXXX");
    ck_assert_ptr_nonnull(g_mkdtemp(root));
    host = viommu_host_new();
    host->arch_name = g_strdup("x86_64");
    emulator = viommu_host_add_emulator(host);
    emulator->arch = VIOMMU_ARCH_X86_64;
    emulator->arch_name = g_strdup("x86_64");
    emulator->path = g_strdup("/opt/qemu");
    emulator->accelerators = VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG);
}

static void teardown(void)
{
    g_autofree char *command = g_strdup_printf("rm -rf %s", root);

    viommu_host_free(host);
    ck_assert_int_eq(system(command), 0);
}

/* Runs @command in the root. */
static void do_there(const char *command)
{
    g_autofree char *line = g_strdup_printf("cd %s && %s", root, command);

    ck_assert_int_eq(system(line), 0);
}

START_TEST(changes)
{
    static const char *const commands[] = {
        "mkdir -p sys/class/misc/kvm",           /* kvm_amd is loaded */
        "rmdir sys/class/misc/kvm",              /* and gone again */
        "mkdir -p dev && touch dev/kvm",         /* where /dev can be seen */
        "chmod 666 dev/kvm",                     /* udev has been there */
        "mkdir -p usr/share/qemu/firmware",      /* a package of firmware */
        "touch usr/share/qemu/firmware/60.json", /* one more */
        "mkdir -p opt && touch opt/qemu",        /* the emulator is there again */
        "echo new >opt/qemu",                    /* upgraded */
        "mkdir -p usr/bin && touch usr/bin/qemu-system-aarch64",
        "mkdir -p usr/lib/x86_64-linux-gnu/qemu", /* modules of the emulator */
        "mkdir -p sys/devices/system/memory",
        "mkdir sys/devices/system/memory/memory0", /* memory is plugged in */
    };
    g_autofree char *before = viommu_host_stamp(root, host, 0);

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *again = NULL;
        char *now;

        do_there(commands[i]);
        now = viommu_host_stamp(root, host, 0);
        ck_assert_msg(!g_str_equal(before, now), "%s", commands[i]);
        again = viommu_host_stamp(root, host, G_USEC_PER_SEC);
        ck_assert_str_eq(now, again);
        g_free(before);
        before = now;
    }
}
END_TEST

/* libvirt may answer too early: before udev has given the node to its group. */
START_TEST(kvm_that_libvirt_does_not_offer_yet)
{
    g_autofree char *without = viommu_host_stamp(root, host, 0);
    g_autofree char *without_later = viommu_host_stamp(root, host, 3600ll * G_USEC_PER_SEC);
    g_autofree char *first = NULL, *soon = NULL, *later = NULL, *offered = NULL, *offered_later = NULL,
                    *gone = NULL;

    ck_assert_str_eq(without, without_later);
    do_there("mkdir -p sys/class/misc/kvm");
    first = viommu_host_stamp(root, host, 0);
    soon = viommu_host_stamp(root, host, G_USEC_PER_SEC);
    later = viommu_host_stamp(root, host, 60 * G_USEC_PER_SEC);
    ck_assert_str_eq(first, soon);
    ck_assert_str_ne(first, later);
    ((ViommuEmulator *)g_ptr_array_index(host->emulators, 0))->accelerators |=
        VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM);
    offered = viommu_host_stamp(root, host, 0);
    offered_later = viommu_host_stamp(root, host, 3600ll * G_USEC_PER_SEC);
    ck_assert_str_eq(offered, offered_later);
    do_there("rmdir sys/class/misc/kvm");
    gone = viommu_host_stamp(root, host, 0);
    ck_assert_str_ne(offered, gone);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("host-stamp");

    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, changes);
    tcase_add_test(all, kvm_that_libvirt_does_not_offer_yet);
    return unit_run_case("host-stamp", all);
}

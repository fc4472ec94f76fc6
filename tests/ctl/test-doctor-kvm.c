/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-doctor-kvm: what doctor calls for when libvirt does not offer KVM, and what it says of the
 * verdict about KVM.  Needs root, and a /dev/kvm that can create a virtual machine; else it is
 * skipped. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <utime.h>
#include "tools/doctor/doctor.h"

#define CACHE "var/cache/libvirt/qemu/capabilities"

static char root[] = "/tmp/viommu-doctor-XXXXXX";

/* Like the host's own. */
static bool make_kvm(void)
{
    g_autofree char *path = g_build_filename(root, "dev", "kvm", NULL);
    g_autofree char *cache = g_build_filename(root, CACHE, NULL);
    g_autofree char *directory = g_path_get_dirname(path);
    struct stat real;
    int fd, machine;

    if (g_mkdir_with_parents(directory, 0755) < 0 || g_mkdir_with_parents(cache, 0755) < 0 ||
        stat("/dev/kvm", &real) < 0 || mknod(path, S_IFCHR | 0600, real.st_rdev) < 0)
        return false;
    fd = open(path, O_RDWR | O_CLOEXEC);
    machine = fd < 0 ? -1 : ioctl(fd, KVM_CREATE_VM, 0);
    if (machine >= 0)
        close(machine);
    if (fd >= 0)
        close(fd);
    return machine >= 0;
}

/* What doctor says of KVM on @host. */
static void expect_finding(const ViommuHost *host, ViommuHealth health, const char *found, const char *advice)
{
    const ViommuPatient patient = {.root = root, .hardware_only = true, .system = true, .host = host};
    g_autoptr(GPtrArray) findings = viommu_doctor_examine(&patient);
    bool seen = false;

    for (guint i = 0; i < findings->len; i++) {
        const ViommuFinding *finding = g_ptr_array_index(findings, i);

        if (!g_str_equal(finding->check, "kvm"))
            continue;
        seen = true;
        ck_assert_int_eq((int)finding->health, (int)health);
        ck_assert_msg(strstr(finding->found, found) != NULL, "%s", finding->found);
        ck_assert_msg(strstr(finding->advice ? finding->advice : "", advice) != NULL, "%s", finding->advice);
    }
    ck_assert(seen);
}

/* @age: of libvirt's file about QEMU, in seconds before /dev/kvm; 0: there is none. */
static void expect(int arch, long age, const char *found, const char *advice)
{
    g_autoptr(ViommuHost) host = viommu_host_new();
    ViommuEmulator *emulator = viommu_host_add_emulator(host);
    g_autofree char *file = g_build_filename(root, CACHE, "qemu.xml", NULL);
    g_autofree char *kvm = g_build_filename(root, "dev", "kvm", NULL);
    struct stat info;

    emulator->arch = arch;
    emulator->arch_name = g_strdup(viommu_arch_to_string((ViommuArch)arch));
    emulator->accelerators = VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG);
    host->arch_name = g_strdup("x86_64");
    (void)unlink(file);
    ck_assert_int_eq(stat(kvm, &info), 0);
    if (age != 0) {
        const struct utimbuf times = {info.st_mtime - age, info.st_mtime - age};

        ck_assert(g_file_set_contents(file, "<qemuCaps/>", -1, NULL));
        ck_assert_int_eq(utime(file, &times), 0);
    }
    expect_finding(host, VIOMMU_HEALTH_WARNING, found, advice);
}

START_TEST(libvirt_does_not_offer_it)
{
    expect(VIOMMU_ARCH_X86_64, 60, "has not looked at QEMU since /dev/kvm appeared", "looks again by itself");
    expect(VIOMMU_ARCH_X86_64, -60, "libvirt does not offer KVM", "libvirt-qemu or qemu");
    expect(VIOMMU_ARCH_X86_64, 0, "libvirt does not offer KVM", "libvirt-qemu or qemu");
    expect(VIOMMU_ARCH_AARCH64, 60, "finds no QEMU for this host's own architecture", "install QEMU");
}
END_TEST

/* A guest of viommud's own has shown it. */
START_TEST(it_was_proven)
{
    static const struct {
        ViommuKvm kvm;
        ViommuHealth health;
        const char *reason, *found, *advice;
    } rows[] = {
        {VIOMMU_KVM_WORKS, VIOMMU_HEALTH_OK, NULL, "KVM runs guests", ""},
        {VIOMMU_KVM_BROKEN, VIOMMU_HEALTH_WARNING, "it hangs", "KVM does not run guests: it hangs",
         "nested virtualisation"},
        {VIOMMU_KVM_UNKNOWN, VIOMMU_HEALTH_WARNING, "no room", "not known whether KVM runs guests: no room",
         "remove the cause"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(ViommuHost) host = viommu_host_new();
        g_autoptr(ViommuKvmVerdict) verdict = viommu_kvm_verdict_new(rows[i].kvm, rows[i].reason);
        ViommuEmulator *emulator = viommu_host_add_emulator(host);

        emulator->arch = VIOMMU_ARCH_X86_64;
        emulator->accelerators = VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM) | VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG);
        host->arch_name = g_strdup("x86_64");
        viommu_host_set_kvm(host, verdict);
        expect_finding(host, rows[i].health, rows[i].found, rows[i].advice);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("doctor-kvm");
    g_autofree char *remove = NULL;
    int status;

    if (!g_mkdtemp(root))
        return EXIT_FAILURE;
    remove = g_strdup_printf("rm -rf %s", root);
    tcase_add_test(tcase, libvirt_does_not_offer_it);
    tcase_add_test(tcase, it_was_proven);
    status = make_kvm() ? unit_run_case("doctor-kvm", tcase) : 77;
    return system(remove) == 0 ? status : EXIT_FAILURE;
}

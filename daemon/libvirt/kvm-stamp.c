/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm-stamp: what a proof of KVM depends on. */
#include "daemon/libvirt/kvm-proof.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include "daemon/libvirt/kvm-guest.h"
#include "daemon/process/kvm-file.h"
#include "lib/base/version.h"

/* The first processor's lines of /proc/cpuinfo take less. */
#define CPUINFO_BYTES 4096u

static void add_boot(GString *stamp)
{
    struct utsname name = {.release = ""};
    size_t size;
    g_autofree char *boot = viommu_kvm_file_read("/proc/sys/kernel/random/boot_id", 64, &size);

    (void)uname(&name);
    g_string_append_printf(stamp, "boot %s\nkernel %s %s\n", boot ? g_strchomp(boot) : "-", name.release,
                           name.version);
}

static void add_processor(GString *stamp)
{
    static const char *const keys[] = {"vendor_id", "cpu family", "model", "stepping", "microcode"};
    size_t size;
    g_autofree char *text = viommu_kvm_file_read("/proc/cpuinfo", CPUINFO_BYTES, &size);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

    /* An empty line ends the first processor. */
    for (char **line = lines; *line && **line; line++) {
        char *colon = strchr(*line, ':');
        g_autofree char *key = colon ? g_strchomp(g_strndup(*line, (gsize)(colon - *line))) : NULL;

        for (size_t i = 0; key && i < G_N_ELEMENTS(keys); i++)
            if (g_str_equal(key, keys[i]))
                g_string_append_printf(stamp, "%s%s\n", key, colon);
    }
}

/* Another device of the same number is another KVM: its module was loaded again. */
static void add_device(GString *stamp)
{
    struct stat info;

    if (stat("/sys/class/misc/kvm", &info) == 0)
        g_string_append_printf(stamp, "kvm %ju\n", (uintmax_t)info.st_ino);
}

static void add_program(GString *stamp, const char *path)
{
    struct stat info;

    if (stat(path, &info) == 0)
        g_string_append_printf(stamp, "qemu %s %ju %ju %jd %jd.%09ld\n", path, (uintmax_t)info.st_dev,
                               (uintmax_t)info.st_ino, (intmax_t)info.st_size, (intmax_t)info.st_ctim.tv_sec,
                               info.st_ctim.tv_nsec);
}

char *viommu_backend_kvm_stamp(ViommuBackend *backend, const ViommuHost *host)
{
    const ViommuEmulator *emulator =
        viommu_host_offers_kvm(host) ? viommu_host_emulator(host, (ViommuArch)viommu_host_arch(host)) : NULL;
    g_autofree char *libvirt = viommu_version_format(host->libvirt);
    GString *stamp;

    if (!emulator || !emulator->path || emulator->arch != VIOMMU_KVM_GUEST_ARCH ||
        !viommu_backend_is_local(backend))
        return NULL;
    stamp = g_string_new(NULL);
    add_boot(stamp);
    add_processor(stamp);
    add_device(stamp);
    g_string_append_printf(stamp, "libvirt %s at %s\n", libvirt, viommu_backend_uri(backend));
    add_program(stamp, emulator->path);
    return g_string_free(stamp, FALSE);
}

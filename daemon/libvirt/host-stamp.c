/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/libvirt/host-stamp.h"

#include <stdint.h>
#include <sys/stat.h>

/* The unit's PrivateDevices= hides /dev/kvm, but not the class device of the same module. */
#define KVM_DEVICE "/sys/class/misc/kvm"

/* Directories in which a new emulator, a module of it, or firmware appears: their time shows a
 * change.  In /sys the number of subdirectories does: blocks of memory. */
static const char *const watched_paths[] = {
    "/usr/bin",
    "/usr/local/bin",
    "/usr/libexec",
    "/usr/lib/qemu",
    "/usr/lib/x86_64-linux-gnu/qemu",
    "/usr/lib/aarch64-linux-gnu/qemu",
    "/usr/lib64/qemu",
    "/usr/lib64/qemu-kvm",
    "/usr/share/qemu/firmware",
    "/etc/qemu/firmware",
    "/usr/share/OVMF",
    "/usr/share/AAVMF",
    "/usr/share/edk2",
    "/usr/share/edk2/ovmf",
    "/usr/share/edk2/aarch64",
    "/dev/kvm",
    KVM_DEVICE,
    "/sys/class/misc/vfio",
    "/sys/class/misc/iommu",
    "/sys/devices/system/memory",
};

/* libvirt sees a new /dev/kvm only once udev has set its group, which nothing here shows. */
#define KVM_RETRY_USEC (15 * G_USEC_PER_SEC)

static void add_path(GString *stamp, const char *root, const char *path)
{
    g_autofree char *full = g_build_filename(root, path, NULL);
    struct stat st;

    if (stat(full, &st) < 0)
        g_string_append_printf(stamp, "%s -\n", path);
    else if (g_str_has_prefix(path, "/sys/"))
        /* Times in /sys are those of the kernel's cache. */
        g_string_append_printf(stamp, "%s %ju %ju\n", path, (uintmax_t)st.st_ino, (uintmax_t)st.st_nlink);
    else
        g_string_append_printf(stamp, "%s %ju %jd.%09ld %jd.%09ld %jd %ju\n", path, (uintmax_t)st.st_ino,
                               (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (intmax_t)st.st_ctim.tv_sec,
                               st.st_ctim.tv_nsec, (intmax_t)st.st_size, (uintmax_t)st.st_nlink);
}

/* The kernel has KVM, and libvirt offers none for the host's own architecture. */
static bool awaits_kvm(const char *root, const ViommuHost *host)
{
    int arch = viommu_host_arch(host);
    const ViommuEmulator *own = arch == VIOMMU_UNSET ? NULL : viommu_host_emulator(host, (ViommuArch)arch);
    g_autofree char *device = g_build_filename(root, KVM_DEVICE, NULL);

    return own && !(own->accelerators & VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM)) &&
           g_file_test(device, G_FILE_TEST_EXISTS);
}

char *viommu_host_stamp(const char *root, const ViommuHost *host, gint64 now_usec)
{
    GString *stamp = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(watched_paths); i++)
        add_path(stamp, root, watched_paths[i]);
    for (guint i = 0; host->emulators && i < host->emulators->len; i++) {
        const ViommuEmulator *emulator = g_ptr_array_index(host->emulators, i);

        if (emulator->path)
            add_path(stamp, root, emulator->path);
    }
    if (awaits_kvm(root, host))
        g_string_append_printf(stamp, "again %" G_GINT64_FORMAT "\n", now_usec / KVM_RETRY_USEC);
    return g_string_free(stamp, FALSE);
}

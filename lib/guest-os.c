/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-os: the table.  VIOMMU_DRIVER_UNKNOWN where no kernel of that architecture was looked at. */
#include "lib/guest-os.h"

#include <glib.h>
#include <string.h>
#include "lib/nearest.h"

#define Y VIOMMU_DRIVER_YES
#define O VIOMMU_DRIVER_OFF
#define M VIOMMU_DRIVER_MODULE
#define N VIOMMU_DRIVER_NO
#define U VIOMMU_DRIVER_UNKNOWN

#define DEBIAN      "configuration files of Debian's kernel packages; docs/matrix.md"
#define CLOUD       "configuration files of Debian's cloud kernels, which leave AMD_IOMMU out"
#define UBUNTU      "configuration files of Ubuntu's amd64 kernels (INTEL_IOMMU_DEFAULT_ON=y, VIRTIO_IOMMU=y)"
#define UBUNTU_BOTH UBUNTU "; annotations of 6.8: VIRTIO_IOMMU is y on amd64 and arm64"
#define FEDORA \
    "kernel-{x86_64,aarch64}-fedora.config in Fedora's kernel packages: INTEL_IOMMU_DEFAULT_ON not set"

/*   name              aliases                                     intel amd smmuv3 virtio: x86_64 aarch64 */
static const ViommuGuestOs known[] = {
    {"debian11", "bullseye", Y, Y, Y, N, N, DEBIAN},
    {"debian11-cloud", NULL, Y, N, Y, N, N, CLOUD},
    {"debian12", "bookworm", Y, Y, Y, N, N, DEBIAN},
    {"debian12-cloud", NULL, Y, N, Y, N, N, CLOUD},
    {"debian13", "trixie", Y, Y, Y, M, M, DEBIAN},
    {"debian13-cloud", NULL, Y, N, Y, M, M, CLOUD},
    {"debian14", "forky", Y, Y, Y, M, M, DEBIAN},
    {"debiantesting", "debian-testing", Y, Y, Y, M, M, DEBIAN},
    {"debiansid", "sid debian-unstable", Y, Y, Y, M, M, DEBIAN},
    {"ubuntu22.04", "ubuntu2204 jammy", Y, Y, U, Y, U, UBUNTU},
    {"ubuntu24.04", "ubuntu2404 noble", Y, Y, U, Y, Y, UBUNTU_BOTH},
    {"ubuntu25.10", "ubuntu2510 questing", Y, Y, U, Y, Y, UBUNTU_BOTH},
    {"ubuntu26.04", "ubuntu2604 resolute", Y, Y, U, Y, Y, UBUNTU_BOTH},
    {"ubuntu26.10", "ubuntu2610 stonking", Y, Y, U, Y, Y, UBUNTU_BOTH},
    {"rhel8", "centos-stream8 centos8 rocky8 almalinux8 ol8", O, Y, Y, N, N,
     "kernel-*.config of 4.18.0-193 to 4.18.0-513 (RHEL 8.2 to 8.9)"},
    {"rhel9.0", "rocky9.0 almalinux9.0", O, Y, Y, N, Y, "kernel-*-rhel.config of 5.14.0-70.30.1.el9_0"},
    {"rhel9", "centos-stream9 rocky9 almalinux9 ol9", O, Y, Y, Y, Y,
     "kernel-*-rhel.config of 5.14.0-162.6.1 (9.1) to 5.14.0-362.24.1 (9.3)"},
    {"rhel10", "centos-stream10 rocky10 almalinux10 ol10", O, Y, Y, Y, Y,
     "kernel-*-rhel.config of CentOS Stream 10 (6.11) and of Fedora's kernel packages 6.8 to 7.2"},
    {"fedora40", NULL, O, Y, Y, Y, Y, FEDORA},
    {"fedora41", NULL, O, Y, Y, Y, Y, FEDORA},
    {"fedora42", NULL, O, Y, Y, Y, Y, FEDORA},
    {"fedora43", NULL, O, Y, Y, Y, Y, FEDORA},
    {"fedora44", NULL, O, Y, Y, Y, Y, FEDORA},
    {"fedora45", "fedora-rawhide rawhide", O, Y, Y, Y, Y, FEDORA},
};

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = words; at && *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");

        if (n == length && strncmp(at, word, n) == 0)
            return true;
        at += n;
    }
    return false;
}

static const ViommuGuestOs *find_exactly(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (g_str_equal(known[i].name, name) || has_word(known[i].aliases, name))
            return &known[i];
    return NULL;
}

const ViommuGuestOs *viommu_guest_os_find(const char *name)
{
    const ViommuGuestOs *os = find_exactly(name);
    const char *dot = strrchr(name, '.');
    g_autofree char *major = NULL;

    /* Of Ubuntu's names the part behind the dot is no minor release. */
    if (os || !dot || g_str_has_prefix(name, "ubuntu"))
        return os;
    major = g_strndup(name, (gsize)(dot - name));
    return find_exactly(major);
}

const char *viommu_guest_os_nearest(const char *name)
{
    const char *names[G_N_ELEMENTS(known)];

    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        names[i] = known[i].name;
    return viommu_nearest(name, names, G_N_ELEMENTS(names));
}

const ViommuGuestOs *viommu_guest_os_row(size_t index)
{
    return index < G_N_ELEMENTS(known) ? &known[index] : NULL;
}

ViommuDriver viommu_guest_os_driver(const ViommuGuestOs *os, ViommuArch arch, ViommuModel model)
{
    switch (model) {
    case VIOMMU_MODEL_INTEL:
        return os->intel;
    case VIOMMU_MODEL_AMD:
        return os->amd;
    case VIOMMU_MODEL_SMMUV3:
        return os->smmuv3;
    case VIOMMU_MODEL_VIRTIO:
        return arch == VIOMMU_ARCH_X86_64 ? os->virtio_x86_64 : os->virtio_aarch64;
    case VIOMMU_MODEL_NONE:
    case VIOMMU_MODEL_LAST:
        break;
    }
    return VIOMMU_DRIVER_UNKNOWN;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-os: the IOMMU drivers in kernels of known distributions, each row with its source.  Does
 * not know requests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/platform.h"

/* The state of a kernel's driver for a model. */
typedef enum ViommuDriver {
    VIOMMU_DRIVER_UNKNOWN, /* not known */
    VIOMMU_DRIVER_YES,
    /* built in, but off unless the kernel's command line enables it (intel_iommu=on) */
    VIOMMU_DRIVER_OFF,
    /* a module that the stock initramfs lacks, so the guest does not find its root disk */
    VIOMMU_DRIVER_MODULE,
    VIOMMU_DRIVER_NO,
    VIOMMU_DRIVER_LAST,
} ViommuDriver;

/* The first systemd that takes root's SSH keys, a host name, and the address of vsock that it tells
 * of its readiness, from credentials.  Source: systemd.system-credentials(7),
 * ssh.authorized_keys.root, system.hostname and vmm.notify_socket; systemd's NEWS of 254 for
 * addresses of streams. */
#define VIOMMU_SYSTEMD_SSH_KEYS 252
#define VIOMMU_SYSTEMD_HOSTNAME 254
#define VIOMMU_SYSTEMD_READY    254

typedef struct ViommuGuestOs {
    const char *name;
    const char *aliases; /* separated by blanks; NULL: none */
    ViommuDriver intel, amd, smmuv3, virtio_x86_64, virtio_aarch64;
    /* its version; 0: it has none; VIOMMU_UNSET: not known, or releases differ */
    int systemd;
    const char *source;        /* of the drivers */
    unsigned aarch64_page_kib; /* page size of its aarch64 kernel; 0: not known.  x86_64 has 4 */
    /* names without a release for this row, the newest known one; NULL: none */
    const char *newest_of;
    const char *advice; /* what to do if no kernel could be examined; NULL: nothing */
    bool any_release;   /* the row is for all releases of its name: "nixos-24.05" */
    bool windows;       /* not Linux: texts about Linux kernels do not apply */
} ViommuGuestOs;

/** The row of @name, of an alias, or of libosinfo's name ("win11", "sles15sp6").  A minor release
 *  without a row has the row of its major release: "rhel9.4" that of "rhel9", "rhel9.4-64k" that of
 *  "rhel9-64k".  Static; NULL: unknown. */
const ViommuGuestOs *viommu_guest_os_find(const char *name);
/** The version of systemd in the guest @name, which may be NULL; 0: it has none; VIOMMU_UNSET: not
 *  known. */
int viommu_guest_os_systemd(const char *name);
/** Whether @name has no release, so that its row is only the newest known one. */
bool viommu_guest_os_is_newest(const ViommuGuestOs *os, const char *name);
/** The known name that is nearest to @name, or NULL.  Static. */
const char *viommu_guest_os_nearest(const char *name);
/** Row @index, to show the table; NULL after the last.  Static. */
const ViommuGuestOs *viommu_guest_os_row(size_t index);
ViommuDriver viommu_guest_os_driver(const ViommuGuestOs *os, ViommuArch arch, ViommuModel model);
/** The page size of its aarch64 kernel; 0: not known. */
uint64_t viommu_guest_os_page_bytes(const ViommuGuestOs *os);
/** The model of a driver, by the driver's name ("virtio-iommu", "arm-smmu-v3", ...) or by the
 *  model's own; VIOMMU_UNSET: not an IOMMU driver. */
int viommu_guest_os_driver_model(const char *word);

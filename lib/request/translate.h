/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* translate: which devices a request wants behind the IOMMU, which outside it, and which with ATS.
 * Only virtio devices can be outside or have ATS; QEMU puts every other device that it emulates
 * behind it. */
#pragma once

#include "lib/request/request.h"

/** Whether the guest reaches the disk by a virtio device: its own, or a virtio-scsi controller. */
bool viommu_request_disk_is_virtio(const ViommuRequestDisk *disk);
/** The model, virtio when unset. */
ViommuNetworkModel viommu_request_network_model(const ViommuRequestNetwork *network);
/** Whether the network's device is served outside of QEMU and of the host's kernel.  Who serves it
 *  need not know of IOMMUs, so it is behind one only when its own key says so. */
bool viommu_request_network_is_offloaded(const ViommuRequestNetwork *network);
/** How many networks are of type vdpa: the kernel locks the guest's memory for each. */
unsigned viommu_request_count_vdpa(const ViommuRequest *request);
/** The first key that is true and puts a virtio device behind the IOMMU: "iommu.translate",
 *  "disks[0].translate", "networks[0].ats"; NULL: none is.  Owned, g_free(). */
char *viommu_request_translate_key(const ViommuRequest *request);
/** Whether a disk, a network or a device has ATS. */
bool viommu_request_has_ats(const ViommuRequest *request);
/** Checks that the keys named translate and ats contradict neither one another nor the rest, and
 *  that no kind of device is there twice.  Fails: INVALID_REQUEST. */
bool viommu_request_check_translate(const ViommuRequest *request, GError **error);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest: whether a guest drives an IOMMU, from what the request claims of it and what was read
 * from its kernel. What was read wins over what is claimed.  Does not look into images. */
#pragma once

#include "lib/facts/guest-os.h"
#include "lib/guest/kernel.h"
#include "lib/request/request.h"

/* What is known of a guest. */
typedef struct ViommuGuest {
    /* what is claimed, and its command line when it is booted directly */
    const ViommuRequest *request;
    const ViommuKernel *kernel; /* what was read from boot.kernel; NULL: nothing */
    /* its firmware is UEFI, which describes the hardware by ACPI; virtio's and every x86_64
     * guest's IOMMU are described so anyway */
    bool by_acpi;
} ViommuGuest;

/** Whether @guest drives @model on @arch.  *ret_why: a sentence naming the source; owned; NULL
 *  when UNKNOWN. */
ViommuDriver viommu_guest_driver(const ViommuGuest *guest, ViommuArch arch, ViommuModel model,
                                 char **ret_why);
/** Whether it remaps interrupts with @model, which a driver that is switched off as far as DMA is
 *  concerned does; the command line aside. */
ViommuDriver viommu_guest_remapper(const ViommuGuest *guest, ViommuArch arch, ViommuModel model,
                                   char **ret_why);
/** The word of boot.cmdline that switches interrupt remapping off; NULL: none. Static. */
const char *viommu_guest_remapping_off(const ViommuGuest *guest, ViommuArch arch, ViommuModel model);
/** The word of boot.cmdline for which CPUs beyond the 255th are not reached, whatever remaps their
 *  interrupts; NULL: none. Static. */
const char *viommu_guest_many_cpus_off(const ViommuGuest *guest, ViommuArch arch, ViommuModel model);
/** The words that the command line of boot.kernel lacks for @model, and that boot.extend-cmdline
 *  lets us add; NULL: none. Static. */
const char *viommu_guest_missing_words(const ViommuGuest *guest, ViommuArch arch, ViommuModel model);
/** The page size of its kernel on @arch; 0: not known. */
uint64_t viommu_guest_page_bytes(const ViommuGuest *guest, ViommuArch arch);
/** Whether guest.os says that it has no Linux kernel: texts about those are not for it. */
bool viommu_guest_is_windows(const ViommuGuest *guest);
/** Adds a sentence (char *) to @warnings for each claim that what was read of the kernel
 *  contradicts. */
void viommu_guest_contradictions(const ViommuGuest *guest, ViommuArch arch, GPtrArray *warnings);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest: whether a guest drives an IOMMU, judged by the request's claims and by what was read from
 * the guest's kernel.  A reading outranks a claim.  Does not look into images. */
#pragma once

#include "lib/facts/guest-os.h"
#include "lib/guest/kernel.h"
#include "lib/request/request.h"

/* What is known of a guest. */
typedef struct ViommuGuest {
    /* the claims, and the command line of a guest that is booted directly */
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
/** Whether the guest remaps interrupts with @model, its command line aside.  A driver whose DMA
 *  translation is switched off still remaps interrupts. */
ViommuDriver viommu_guest_remapper(const ViommuGuest *guest, ViommuArch arch, ViommuModel model,
                                   char **ret_why);
/** The word of boot.cmdline that switches interrupt remapping off; NULL: none. Static. */
const char *viommu_guest_remapping_off(const ViommuGuest *guest, ViommuArch arch, ViommuModel model);
/** The word of boot.cmdline that keeps interrupts from CPUs beyond the 255th, even with interrupt
 *  remapping; NULL: none. Static. */
const char *viommu_guest_many_cpus_off(const ViommuGuest *guest, ViommuArch arch, ViommuModel model);
/** The words that @model needs and boot.cmdline lacks, if boot.extend-cmdline lets the plan add
 *  them; NULL: none. Static. */
const char *viommu_guest_missing_words(const ViommuGuest *guest, ViommuArch arch, ViommuModel model);
/** The page size of its kernel on @arch; 0: not known. */
uint64_t viommu_guest_page_bytes(const ViommuGuest *guest, ViommuArch arch);
/** Whether guest.os names a guest without a Linux kernel; advice about Linux kernels does not apply
 *  to it. */
bool viommu_guest_is_windows(const ViommuGuest *guest);
/** Adds a sentence (char *) to @warnings for each claim that contradicts what was read of the
 *  kernel. */
void viommu_guest_contradictions(const ViommuGuest *guest, ViommuArch arch, GPtrArray *warnings);

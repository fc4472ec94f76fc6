/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommu: choose the guest's IOMMU model and its attributes.  Knows: facts, guest.  Does not know:
 * XML, host files, libvirt.  Every candidate keeps every verdict. */
#pragma once

#include <glib.h>
#include "lib/host/host.h"
#include "lib/base/reason.h"
#include "lib/guest/kernel.h"
#include "lib/plan/placement.h"
#include "lib/policy/policy.h"
#include "lib/request/request.h"

typedef enum ViommuVerdict {
    VIOMMU_VERDICT_CHOSEN,
    VIOMMU_VERDICT_POSSIBLE,
    VIOMMU_VERDICT_REFUSED,
    VIOMMU_VERDICT_LAST,
} ViommuVerdict;
extern const ViommuEnum viommu_enum_verdict;

typedef struct ViommuCandidate {
    ViommuVerdict verdict;
    bool by_name_only;  /* possible, but chosen only if the request names it */
    GPtrArray *reasons; /* of ViommuReason, owned: all refusals, or why it is (not) chosen */
} ViommuCandidate;

/* Attributes of the chosen model; those that are VIOMMU_UNSET are left to QEMU. */
typedef struct ViommuIommuAttributes {
    int intremap, eim, caching_mode, iotlb, dma_translation, xtsup; /* flags */
    /* VIOMMU_UNSET_NUMBER: not given */
    uint64_t aw_bits;
    char *granule; /* "host" or NULL */
    /* VIOMMU_UNSET_NUMBER: not given */
    uint64_t granule_bytes;
} ViommuIommuAttributes;

typedef struct ViommuIommuChoice {
    ViommuModel model; /* VIOMMU_MODEL_NONE: no IOMMU */
    ViommuIommuAttributes attributes;
    /* of accelerated SMMUs; VIOMMU_UNSET, VIOMMU_UNSET_NUMBER: QEMU's choice */
    int ats, ril, cmdqv;    /* flags */
    uint64_t ssidsize, oas; /* bits */
    /* smmuv3: one with accel on each expander bus, and a plain one on pcie.0 */
    bool accelerated;
    /* plain smmuv3: one on pcie.0, the others on expander buses; 1 of any other */
    uint64_t count;
    /* virtio devices that support it are behind the IOMMU, unless the request says otherwise of
     * one */
    bool translate;
    ViommuCandidate candidates[VIOMMU_MODEL_LAST];
} ViommuIommuChoice;

/* A model that libvirt refused although the table allowed it. */
typedef struct ViommuVeto {
    ViommuModel model;
    const char *text; /* libvirt's words */
} ViommuVeto;

/* What the plan has settled before the IOMMU is chosen. */
typedef struct ViommuIommuInput {
    const ViommuRequest *request;
    const ViommuPolicy *policy;
    ViommuVersion libvirt;
    const ViommuEmulator *emulator;
    ViommuArch arch;
    ViommuFamily family;
    ViommuAccelerator accelerator; /* KVM or TCG */
    uint64_t vcpus;
    const ViommuKernel *kernel;       /* NULL: not read */
    const ViommuPlacement *placement; /* of assigned devices; NULL: none */
    ViommuVersion host_kernel;        /* Linux's; 0: not known */
    const char *machine;              /* name of the machine type */
    uint64_t host_page_bytes;         /* size of an ordinary page; VIOMMU_UNSET_NUMBER: not known */
    /* devices of the host may be plugged in later, behind an IOMMU of this width
     * (VIOMMU_UNSET_NUMBER: not known) */
    bool plugs_hostdevs;
    uint64_t host_width_bits;
    bool only_interrupts; /* the request wants no IOMMU: it is there for the vCPUs alone */
    const ViommuVeto *vetoes;
    size_t n_vetoes;
} ViommuIommuInput;

/** Judges all candidates and chooses one.  The caller clears @choice with
 *  viommu_iommu_choice_clear(), also after a failure, when it holds the verdicts.  @warnings
 *  collects char *. Fails: NOT_SUPPORTED when the request needs an IOMMU and no candidate is left.
 *  Pure; any thread. */
bool viommu_iommu_choose(const ViommuIommuInput *input, ViommuIommuChoice *choice, GPtrArray *warnings,
                         GError **error);
/** The place of @model in the order of preference of @request, or else of @policy, from 0; where it
 *  is in none, after all that are.  Pure. */
unsigned viommu_iommu_place(const ViommuRequest *request, const ViommuPolicy *policy, ViommuModel model);
void viommu_iommu_choice_init(ViommuIommuChoice *choice);
void viommu_iommu_choice_clear(ViommuIommuChoice *choice);

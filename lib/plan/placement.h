/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placement: assigned devices: which of the host's they are, whether their groups can be
 * assigned, and behind which physical IOMMU they are.  Knows the host's hardware.  Does not
 * know libvirt, QEMU, models, XML. */
#pragma once

#include "lib/base/reason.h"
#include "lib/policy/device-policy.h"
#include "lib/request/request.h"
#include "lib/host/topology.h"

/* What is not known is VIOMMU_UNSET_NUMBER or NULL. */
typedef struct ViommuPlacedDevice {
    char *address;
    const char *noun; /* "network"; static */
    uint64_t group, node;
    char *iommu;         /* the physical one */
    int iommu_kind;      /* ViommuIommuKind of that one; VIOMMU_UNSET: not known */
    uint64_t width_bits; /* of that one */
    char *host_driver;   /* bound to it now */
    bool taken;          /* from that driver, which uses it */
    char **uses;         /* as in the topology; NULL: none */
    /* stays bound to VFIO: libvirt may not change that; set with the rest of the plan */
    bool unmanaged;
    char *cdev;         /* as in the topology */
    int usable;         /* as in the topology */
    unsigned entry;     /* its index in the request */
    char *driver;       /* asked for; NULL: libvirt's choice */
    unsigned guest_bus; /* set by viommu_pcie_expand(); 0: libvirt's choice */
    bool iommufd;       /* set by viommu_plan_settle_iommufd(), with why */
    char *backend_reason;
} ViommuPlacedDevice;

typedef struct ViommuPlacement {
    /* of ViommuPlacedDevice, in the request's order; never NULL, often empty */
    GPtrArray *devices;
    uint64_t width_bits;   /* of the narrowest physical IOMMU; unset: one at least is not known */
    unsigned n_iommus;     /* different ones that are known */
    uint64_t shared_group; /* one that several of the devices are of; unset: none is known */
    bool unseen;           /* nothing of the host's devices could be seen, so nothing was checked */
} ViommuPlacement;

/* A device that is not free, though nothing of the hardware shows it.  Borrowed. */
typedef struct ViommuClaim {
    const char *address;
    const char *machine; /* that has it, or shall have it; NULL: a domain that is not viommud's */
    bool same_owner;     /* the machine is the asker's */
} ViommuClaim;

typedef struct ViommuPlacementInput {
    const ViommuRequest *request;
    const ViommuTopology *topology;
    const ViommuClaim *claims; /* of others; NULL: none */
    size_t n_claims;
    const ViommuAsker *asker; /* NULL: nobody in particular */
    const ViommuSite *site;   /* NULL: as the defaults are */
    /* addresses are passed on also where no device can be seen, to be checked by libvirt
     * and the kernel alone */
    bool blind;
    /* libvirt runs as an ordinary user: only what that user may open can be picked */
    bool unprivileged;
} ViommuPlacementInput;

void viommu_placement_init(ViommuPlacement *placement);
void viommu_placement_clear(ViommuPlacement *placement);
/** Whether what was placed before may still be had, on the host as it is by now.  Fails:
 *  POLICY_REFUSED; NOT_SUPPORTED, when it has gone. */
bool viommu_placement_check_again(const ViommuPlacementInput *input, const ViommuPlacement *placement,
                                  GError **error);

/* --- placement-policy --- */

/** Whether the asker may have what each entry of the request asks for, whatever the host has or
 *  can: the refusal tells of no device that the asker may not have.  Fails: POLICY_REFUSED. */
bool viommu_placement_check_policy(const ViommuPlacementInput *input, GError **error);
/** Whether the site lets the asker have @device, and whatever else goes with its IOMMU group.
 *  Fails: POLICY_REFUSED. */
bool viommu_placement_check_listed(const ViommuPlacementInput *input, const ViommuPciDevice *device,
                                   GError **error);
/** Whether the asker may have so many of the @n @chosen, beside those that his machines have.
 *  Fails: POLICY_REFUSED; BUSY, when others of his must end first. */
bool viommu_placement_check_counts(const ViommuPlacementInput *input, const ViommuPciDevice *const *chosen,
                                   unsigned n, GError **error);
/** Whether @device is what @asked names by kind or by a name of the site's. */
bool viommu_placement_is_wanted(const ViommuPlacementInput *input, const ViommuRequestHostdev *asked,
                                const ViommuPciDevice *device);
/** The end of a refusal: what polkit would change, or has said.  "" where it is not asked.
 *  Owned. */
char *viommu_placement_way_out(const ViommuPlacementInput *input, const ViommuRequestHostdev *asked);
/** "0000:65:00.0 (network, driver i40e)" to a list. */
void viommu_placement_describe(GString *text, const ViommuPciDevice *device);

/* Enough to choose from, and still one message. */
#define VIOMMU_PLACEMENT_SHOWN_MAX 12u

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placement: chooses the host's devices for a guest, and checks whether their groups can be
 * assigned, and which host IOMMUs they are behind.  Knows the host's hardware.  Does not know
 * libvirt, QEMU, models, XML. */
#pragma once

#include "lib/base/reason.h"
#include "lib/policy/device-policy.h"
#include "lib/request/request.h"
#include "lib/host/topology.h"

/* VIOMMU_UNSET_NUMBER or NULL: not known. */
typedef struct ViommuPlacedDevice {
    char *address;
    const char *noun; /* "network"; static */
    uint64_t group, node;
    char *iommu;         /* the host IOMMU */
    int iommu_kind;      /* ViommuIommuKind of the host IOMMU; VIOMMU_UNSET: not known */
    uint64_t width_bits; /* of the host IOMMU */
    char *host_driver;   /* the driver that is bound to it now */
    bool taken;          /* it is taken from that driver, which uses it */
    char **uses;         /* see the topology; NULL: none */
    /* stays bound to VFIO, because libvirt may not change that; set later in the plan */
    bool unmanaged;
    char *cdev;          /* see the topology */
    int usable;          /* see the topology */
    unsigned entry;      /* its index in the request */
    char *driver;        /* as requested; NULL: libvirt's choice */
    uint64_t boot_order; /* as requested; VIOMMU_UNSET_NUMBER: none */
    char *mac;           /* as requested; NULL: as it is */
    uint64_t vlan;       /* as requested; VIOMMU_UNSET_NUMBER: none */
    bool is_function;    /* it is a virtual function */
    int rombar;          /* flag, as requested */
    unsigned guest_bus;  /* set by viommu_pcie_expand(); 0: libvirt's choice */
    bool iommufd;        /* set by viommu_plan_settle_iommufd(), with the reason */
    char *backend_reason;
} ViommuPlacedDevice;

/** Whether libvirt makes a network interface of it, for a MAC address or a VLAN.  Pure; any
 *  thread. */
bool viommu_placed_is_interface(const ViommuPlacedDevice *device);

typedef struct ViommuPlacement {
    /* of ViommuPlacedDevice, in the request's order; never NULL, often empty */
    GPtrArray *devices;
    uint64_t width_bits;   /* of the narrowest host IOMMU; unset: at least one is not known */
    unsigned n_iommus;     /* number of known host IOMMUs */
    uint64_t shared_group; /* a group with several of the devices; unset: none is known */
    bool unseen;           /* no device of the host was visible, so nothing was checked */
} ViommuPlacement;

/* A device that another guest has, which the hardware does not show.  Borrowed. */
typedef struct ViommuClaim {
    const char *address;
    /* it has the device, or will have it; NULL: a domain that is not viommud's */
    const char *machine;
    bool same_owner; /* the machine is the asker's */
} ViommuClaim;

typedef struct ViommuPlacementInput {
    const ViommuRequest *request;
    const ViommuTopology *topology;
    const ViommuClaim *claims; /* of other guests; NULL: none */
    size_t n_claims;
    const ViommuAsker *asker; /* NULL: no particular user */
    const ViommuSite *site;   /* NULL: the defaults */
    /* accepts addresses even if no device is visible; libvirt and the kernel then check them */
    bool blind;
    /* libvirt runs as an ordinary user: only devices that this user may open can be chosen */
    bool unprivileged;
} ViommuPlacementInput;

void viommu_placement_init(ViommuPlacement *placement);
void viommu_placement_clear(ViommuPlacement *placement);
/** Whether the devices may still be assigned, on the present host.  Fails: POLICY_REFUSED;
 *  NOT_SUPPORTED, when a device is gone. */
bool viommu_placement_check_again(const ViommuPlacementInput *input, const ViommuPlacement *placement,
                                  GError **error);

/* --- placement-policy --- */

/** Whether the asker may have what each entry of the request names, without regard to the host: a
 *  refusal reveals only devices that the asker may have.  Fails: POLICY_REFUSED. */
bool viommu_placement_check_policy(const ViommuPlacementInput *input, GError **error);
/** Whether the site lets the asker have @device, and the rest of its IOMMU group.  Fails:
 *  POLICY_REFUSED. */
bool viommu_placement_check_listed(const ViommuPlacementInput *input, const ViommuPciDevice *device,
                                   GError **error);
/** Whether the asker may have as many as the @n @chosen, in addition to those of the asker's
 *  machines. Fails: POLICY_REFUSED; BUSY, when a machine of the asker must end first. */
bool viommu_placement_check_counts(const ViommuPlacementInput *input, const ViommuPciDevice *const *chosen,
                                   unsigned n, GError **error);
/** Whether @asked, a kind or a name of the site, selects @device. */
bool viommu_placement_is_wanted(const ViommuPlacementInput *input, const ViommuRequestHostdev *asked,
                                const ViommuPciDevice *device);
/** The end of a refusal: whether polkit could permit it, or why polkit did not.  "" when polkit is
 *  not asked.  Owned. */
char *viommu_placement_way_out(const ViommuPlacementInput *input, const ViommuRequestHostdev *asked);
/** Appends "0000:65:00.0 (network, driver i40e)" to a list. */
void viommu_placement_describe(GString *text, const ViommuPciDevice *device);

/* Enough for a choice, and short enough for a message. */
#define VIOMMU_PLACEMENT_SHOWN_MAX 12u

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pcie: the guest's PCI Express tree as far as viommud lays it out itself: expander buses, root
 * ports, and which assigned device stands on which.  Everything else is placed by libvirt, on
 * pcie.0.  Does not know libvirt, QEMU, models, XML. */
#pragma once

#include "lib/plan/placement.h"

/* A root complex beside pcie.0, for the devices behind one physical IOMMU. */
typedef struct ViommuPcieExpander {
    unsigned index;      /* the controller's */
    unsigned bus_number; /* the guest's first bus of it */
    int cell;            /* the guest's NUMA cell; VIOMMU_UNSET: none */
    const char *iommu;   /* the physical one; the placement's */
} ViommuPcieExpander;

typedef struct ViommuPciePort {
    unsigned index; /* the controller's: a device on it has this bus, slot 0 */
    /* index of the expander bus that it is on; 0: pcie.0, and libvirt chooses the slot */
    unsigned parent;
    unsigned slot;
} ViommuPciePort;

typedef struct ViommuPcie {
    GArray *expanders; /* of ViommuPcieExpander, by index; never NULL, often empty */
    GArray *ports;     /* of ViommuPciePort, by index */
} ViommuPcie;

void viommu_pcie_init(ViommuPcie *pcie);
void viommu_pcie_clear(ViommuPcie *pcie);
/** An expander bus for each physical IOMMU that is known of the devices of @placement, with a root
 *  port for each of them; sets their guest_bus.  A device whose IOMMU is not known stays libvirt's
 *  to place.  For an empty @pcie, once. */
void viommu_pcie_expand(ViommuPcie *pcie, ViommuPlacement *placement);
/** @n root ports on pcie.0, after everything else. */
void viommu_pcie_add_ports(ViommuPcie *pcie, unsigned n);

static inline const ViommuPcieExpander *viommu_pcie_expander(const ViommuPcie *pcie, guint i)
{
    return &g_array_index(pcie->expanders, ViommuPcieExpander, i);
}
static inline const ViommuPciePort *viommu_pcie_port(const ViommuPcie *pcie, guint i)
{
    return &g_array_index(pcie->ports, ViommuPciePort, i);
}

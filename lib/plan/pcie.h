/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pcie: the part of the guest's PCI Express tree that viommud lays out: expander buses, root ports,
 * and the device on each.  libvirt places everything else, on pcie.0.  Does not know libvirt, QEMU,
 * models, XML. */
#pragma once

#include "lib/plan/placement.h"

/* A root complex besides pcie.0, for the devices behind one host IOMMU. */
typedef struct ViommuPcieExpander {
    unsigned index;      /* of the controller */
    unsigned bus_number; /* the first bus of it in the guest */
    int cell;            /* the guest's NUMA cell; VIOMMU_UNSET: none */
    /* name of the host IOMMU; borrowed from the placement; NULL: for no device of the host */
    const char *iommu;
} ViommuPcieExpander;

typedef struct ViommuPciePort {
    unsigned index; /* of the controller: a device on it has this bus, slot 0 */
    /* index of its expander bus; 0: pcie.0, where libvirt chooses the slot */
    unsigned parent;
    unsigned slot;
} ViommuPciePort;

typedef struct ViommuPcie {
    GArray *expanders; /* of ViommuPcieExpander, by index; never NULL, often empty */
    GArray *ports;     /* of ViommuPciePort, by index */
} ViommuPcie;

void viommu_pcie_init(ViommuPcie *pcie);
void viommu_pcie_clear(ViommuPcie *pcie);
/** Adds an expander bus for each host IOMMU that is known for devices of @placement, with a root
 *  port for each device; sets their guest_bus.  libvirt places a device whose IOMMU is unknown.
 *  Call it once, for an empty @pcie. */
void viommu_pcie_expand(ViommuPcie *pcie, ViommuPlacement *placement);
/** Adds @n expander buses for no device of the host, each with a free root port.  Call it once, for
 *  an empty @pcie. */
void viommu_pcie_add_expanders(ViommuPcie *pcie, unsigned n);
/** Adds @n root ports on pcie.0, after everything else. */
void viommu_pcie_add_ports(ViommuPcie *pcie, unsigned n);

static inline const ViommuPcieExpander *viommu_pcie_expander(const ViommuPcie *pcie, guint i)
{
    return &g_array_index(pcie->expanders, ViommuPcieExpander, i);
}
static inline const ViommuPciePort *viommu_pcie_port(const ViommuPcie *pcie, guint i)
{
    return &g_array_index(pcie->ports, ViommuPciePort, i);
}

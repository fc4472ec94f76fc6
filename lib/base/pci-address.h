/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pci-address: the address of a PCI device, as Linux, lspci -D and libvirt have it.  A domain has
 * 32 bits: one that the kernel made up (of VMD, of Hyper-V) may have more than four digits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuPciAddress {
    uint32_t domain;
    uint8_t bus, slot, function;
} ViommuPciAddress;

/** @text as /sys writes it and not otherwise: "0000:65:00.0", "10000:e1:00.0". */
bool viommu_pci_address_parse(const char *text, ViommuPciAddress *ret_address);
/** Owned. */
char *viommu_pci_address_format(const ViommuPciAddress *address);

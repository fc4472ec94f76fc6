/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/base/pci-address.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>

char *viommu_pci_address_format(const ViommuPciAddress *address)
{
    return g_strdup_printf("%04" PRIx32 ":%02x:%02x.%x", address->domain, (unsigned)address->bus,
                           (unsigned)address->slot, (unsigned)address->function);
}

bool viommu_pci_address_parse(const char *text, ViommuPciAddress *ret_address)
{
    unsigned domain, bus, slot, function;
    ViommuPciAddress address;
    g_autofree char *again = NULL;

    if (sscanf(text, "%8x:%2x:%2x.%1x", &domain, &bus, &slot, &function) != 4 || slot > 0x1f || function > 7)
        return false;
    address = (ViommuPciAddress){domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function};
    /* sscanf also takes signs, spaces, capitals and whatever follows. */
    again = viommu_pci_address_format(&address);
    if (!g_str_equal(again, text))
        return false;
    *ret_address = address;
    return true;
}

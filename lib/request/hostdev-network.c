/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/hostdev-network.h"

#include <string.h>

#include "lib/base/error.h"

#define MAC_LENGTH 17

bool viommu_request_hostdev_is_network(const ViommuRequestHostdev *hostdev)
{
    return hostdev->mac || hostdev->vlan != VIOMMU_UNSET_NUMBER;
}

static bool is_mac(const char *text)
{
    if (strlen(text) != MAC_LENGTH)
        return false;
    for (int i = 0; i < MAC_LENGTH; i++)
        if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]) || g_ascii_isupper(text[i]))
            return false;
    return true;
}

/* An odd first octet is an address of a group. */
static bool is_of_one(const char *mac)
{
    return g_ascii_xdigit_value(mac[1]) % 2 == 0 && !g_str_equal(mac, "00:00:00:00:00:00");
}

static bool check_one(const ViommuRequestHostdev *hostdev, guint i, GError **error)
{
    const char *key = hostdev->mac ? "mac" : "vlan";

    if (hostdev->mac && (!is_mac(hostdev->mac) || !is_of_one(hostdev->mac)))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "hostdevs[%u].mac '%.32s' is not the address of an interface; write it like 52:54:00:12:34:56, in lower case",
            i, hostdev->mac);
    if (hostdev->mac && hostdev->count != VIOMMU_UNSET_NUMBER && hostdev->count > 1)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "hostdevs[%u].mac is the address of one interface, but hostdevs[%u].count is %" G_GUINT64_FORMAT
            "; give each device an entry of its own",
            i, i, hostdev->count);
    if (hostdev->driver || hostdev->iommufd == (int)VIOMMU_IOMMUFD_YES)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "hostdevs[%u].%s makes the device a network interface, which libvirt gives vfio-pci and a VFIO container; omit hostdevs[%u].%s, or the %s",
            i, key, i, hostdev->driver ? "driver" : "iommufd", key);
    return true;
}

bool viommu_request_check_hostdev_network(const ViommuRequest *request, GError **error)
{
    for (guint i = 0; request->hostdevs && i < request->hostdevs->len; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(request->hostdevs, i);

        if (viommu_request_hostdev_is_network(hostdev) && !check_one(hostdev, i, error))
            return false;
        for (guint j = 0; hostdev->mac && j < i; j++)
            if (g_strcmp0(((const ViommuRequestHostdev *)g_ptr_array_index(request->hostdevs, j))->mac,
                          hostdev->mac) == 0)
                return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                                   "hostdevs[%u] and hostdevs[%u] have the same mac '%s'; change one", j, i,
                                   hostdev->mac);
    }
    return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/boot-order.h"

#include "lib/base/error.h"

/* The lists of devices that the firmware can boot from. */
static const struct {
    const char *name;
    size_t list, order; /* offsets in ViommuRequest, and in an entry of the list */
} lists[] = {
    {"disks", offsetof(ViommuRequest, disks), offsetof(ViommuRequestDisk, boot_order)},
    {"networks", offsetof(ViommuRequest, networks), offsetof(ViommuRequestNetwork, boot_order)},
    {"hostdevs", offsetof(ViommuRequest, hostdevs), offsetof(ViommuRequestHostdev, boot_order)},
};

/* The key of the @n-th device that has a place, and the place; NULL: there are fewer.  Owned. */
static char *ordered_key(const ViommuRequest *request, guint n, uint64_t *ret_place)
{
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        const GPtrArray *list = *(GPtrArray *const *)((const char *)request + lists[i].list);

        for (guint j = 0; list && j < list->len; j++) {
            const char *entry = g_ptr_array_index(list, j);
            uint64_t place = *(const uint64_t *)(const void *)(entry + lists[i].order);

            if (place == VIOMMU_UNSET_NUMBER || n-- > 0)
                continue;
            *ret_place = place;
            return g_strdup_printf("%s[%u].boot-order", lists[i].name, j);
        }
    }
    return NULL;
}

char *viommu_request_boot_order_key(const ViommuRequest *request)
{
    uint64_t place;

    return ordered_key(request, 0, &place);
}

static bool check_places(const ViommuRequest *request, GError **error)
{
    /* by place */
    g_autoptr(GPtrArray) keys = g_ptr_array_new_full(VIOMMU_BOOT_ORDER_MAX + 1, g_free);
    uint64_t place;
    char *key;

    g_ptr_array_set_size(keys, VIOMMU_BOOT_ORDER_MAX + 1);
    for (guint n = 0; (key = ordered_key(request, n, &place)); n++) {
        const char *other = g_ptr_array_index(keys, place);

        if (other) {
            viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                        "%s and %s are both %" G_GUINT64_FORMAT "; give each device a place of its own",
                        other, key, place);
            g_free(key);
            return false;
        }
        g_ptr_array_index(keys, place) = key;
    }
    return true;
}

/* Of several devices that libvirt or viommud chooses, nobody knows which is which. */
static bool check_counts(const ViommuRequest *request, GError **error)
{
    for (guint i = 0; request->hostdevs && i < request->hostdevs->len; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(request->hostdevs, i);

        if (hostdev->boot_order != VIOMMU_UNSET_NUMBER && hostdev->count != VIOMMU_UNSET_NUMBER &&
            hostdev->count > 1)
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "hostdevs[%u].boot-order is the place of one device, but hostdevs[%u].count is %" G_GUINT64_FORMAT
                "; give that device an entry of its own",
                i, i, hostdev->count);
    }
    return true;
}

bool viommu_request_check_boot_order(const ViommuRequest *request, GError **error)
{
    g_autofree char *key = viommu_request_boot_order_key(request);

    if (key && request->boot.kernel.path)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s means nothing, because the guest boots boot.kernel directly; omit one of the two", key);
    return check_places(request, error) && check_counts(request, error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placement-internal: the choice of devices under way, and the obstacles to a device.  Only for
 * placement.c and placement-obstacles.c. */
#pragma once

#include "lib/plan/build.h"
#include "lib/plan/placement.h"

typedef struct ViommuChoosing {
    ViommuPlanBuild *build; /* its rule names the reason of a refusal */
    const ViommuPlacementInput *input;
    /* Devices by address are chosen first, so each is stored with the index of its entry in the
     * request. */
    const ViommuPciDevice *chosen[VIOMMU_HOSTDEVS_MAX];
    unsigned entries[VIOMMU_HOSTDEVS_MAX];
    unsigned n_chosen;
} ViommuChoosing;

typedef bool (*ViommuDeviceFilter)(const ViommuChoosing *choosing, const ViommuPciDevice *device,
                                   const void *data);

/** The device at index @i of the host; NULL: after the last. Borrowed. */
const ViommuPciDevice *viommu_choosing_device(const ViommuChoosing *choosing, guint i);
/** Whether the asker may know of @device: only of a device that the asker may have. */
bool viommu_choosing_tells(const ViommuChoosing *choosing, const ViommuPciDevice *device);
/** Whether @device is chosen already. */
bool viommu_choosing_has(const ViommuChoosing *choosing, const ViommuPciDevice *device);
/** The endpoints that pass @filter, on one line.  Owned. */
char *viommu_choosing_list(const ViommuChoosing *choosing, ViommuDeviceFilter filter, const void *data);

typedef enum ViommuObstacles {
    VIOMMU_OBSTACLES_HOST,  /* drivers of the host */
    VIOMMU_OBSTACLES_CLAIM, /* drivers of the host, and other guests */
} ViommuObstacles;

/** The claim on @device, or on a virtual function of it; NULL: none. Borrowed. */
const ViommuClaim *viommu_obstacle_claim(const ViommuChoosing *choosing, const ViommuPciDevice *device);
/** "machine 'a'". Owned. */
char *viommu_obstacle_claimant(const ViommuClaim *claim);
/** Whether a driver of the host or, with @obstacles, another guest has @device. */
bool viommu_obstacle_is_in_use(const ViommuChoosing *choosing, const ViommuPciDevice *device,
                               ViommuObstacles obstacles);
/** A device of @device's group with memory that the firmware wants mapped one to one; NULL: none.
 *  Borrowed. */
const ViommuPciDevice *viommu_obstacle_reserved(const ViommuChoosing *choosing,
                                                const ViommuPciDevice *device);
/** A device of @device's group, bridges too, that the host itself uses; NULL: none. Borrowed. */
const ViommuPciDevice *viommu_obstacle_user(const ViommuChoosing *choosing, const ViommuPciDevice *device);
/** An endpoint of @device's group that prevents the group's assignment; NULL: none.  Borrowed. */
const ViommuPciDevice *viommu_obstacle_of_group(const ViommuChoosing *choosing, const ViommuPciDevice *device,
                                                ViommuObstacles obstacles);

/* Each fails with a reason that reveals only devices that the asker may have. */

/** Fails: BUSY, when another guest has @device. */
bool viommu_obstacle_check_claim(ViommuChoosing *choosing, unsigned entry, const ViommuPciDevice *device,
                                 GError **error);
/** Fails: POLICY_REFUSED, when a driver of the host has @device and the asker may not take it. */
bool viommu_obstacle_check_driver(ViommuChoosing *choosing, unsigned entry, const ViommuPciDevice *device,
                                  GError **error);
/** Fails: POLICY_REFUSED, when the host itself uses @device or its group. */
bool viommu_obstacle_check_uses(ViommuChoosing *choosing, const ViommuPciDevice *device, GError **error);
/** Fails: NOT_SUPPORTED, when the firmware wants memory of @device's group mapped one to one. */
bool viommu_obstacle_check_reserved(ViommuChoosing *choosing, const ViommuPciDevice *device, GError **error);
/** Fails: NOT_SUPPORTED or BUSY, when the rest of @device's group cannot be assigned with it. */
bool viommu_obstacle_check_group(ViommuChoosing *choosing, const ViommuPciDevice *device, GError **error);

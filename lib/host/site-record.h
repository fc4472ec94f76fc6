/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* site-record: what a site allows, in a recorded host for other programs: the words of the
 * configuration by their keys, and the host's devices that they select.  Plans do not read it. */
#pragma once

#include "lib/base/fields.h"
#include "lib/host/site.h"

/* Entries of each list. */
#define VIOMMU_SITE_RECORD_MAX VIOMMU_TOPOLOGY_DEVICES_MAX

/* Of [device NAME]. */
typedef struct ViommuSiteRecordDevice {
    char *name;
    char **match;
    char *group;       /* NULL: each member of viommud's group may have them */
    uint64_t per_user; /* unset: no bound */
} ViommuSiteRecordDevice;

/* Of [devices]; NULL: an empty list. */
typedef struct ViommuSiteRecordDevices {
    bool present;
    char **allow;
    int take_from_driver; /* flag */
    char **drivers;
    int in_use;       /* ViommuInUse */
    char **listed;    /* addresses of the host's devices that "allow" selects */
    GPtrArray *named; /* of ViommuSiteRecordDevice */
} ViommuSiteRecordDevices;

/* Of [networks]; the same. */
typedef struct ViommuSiteRecordNetworks {
    bool present;
    int user; /* flag */
    char **networks, **bridges;
} ViommuSiteRecordNetworks;

typedef struct ViommuSiteRecord {
    bool present;
    ViommuSiteRecordDevices devices;
    ViommuSiteRecordNetworks networks;
} ViommuSiteRecord;

extern const ViommuFields viommu_site_record_fields;

/** Writes @site into @record, which must be initialised; the caller clears it by its fields. */
void viommu_site_record_fill(ViommuSiteRecord *record, const ViommuSite *site,
                             const ViommuTopology *topology);

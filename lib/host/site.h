/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* site: what a site allows to users other than root: devices, by selectors and by names of its own,
 * and networks.  Plain data with defaults, and its text form.  Does not know its source or the
 * user. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/host/topology.h"

/* Which users may have a device that the host itself uses. */
typedef enum ViommuInUse {
    VIOMMU_IN_USE_REFUSE, /* no user */
    VIOMMU_IN_USE_ROOT,
    VIOMMU_IN_USE_LAST,
} ViommuInUse;
extern const ViommuEnum viommu_enum_in_use;

/* The longest name of a [device NAME]. */
#define VIOMMU_SITE_NAME_MAX 63u

/* The numbers that a device must have, except those that are VIOMMU_UNSET_NUMBER; or a name that
 * the site defines. */
typedef struct ViommuDeviceSelector {
    char *name; /* of a ViommuSiteDevice; NULL: the numbers */
    bool is_address;
    uint64_t vendor, device;
    uint64_t domain, bus, slot, function;
} ViommuDeviceSelector;

/* [device NAME] */
typedef struct ViommuSiteDevice {
    char *name;
    GPtrArray *match;  /* of ViommuDeviceSelector, none of them a name */
    char *group;       /* members of this group may have them; "": all members of viommud's group */
    uint64_t per_user; /* 0: no bound */
} ViommuSiteDevice;

typedef struct ViommuSite {
    GPtrArray *allow;      /* of ViommuDeviceSelector */
    bool take_from_driver; /* listed devices may be taken from a driver of the host */
    char **drivers;        /* values of hostdevs[].driver; "auto": drivers made for VFIO */
    bool root_takes_used;  /* root may have devices that the host itself uses */
    GPtrArray *devices;    /* of ViommuSiteDevice */
    bool user_networks;    /* networks of type user */
    /* names of libvirt's networks; with "!" at the end: in any forward mode */
    char **networks;
    char **bridges;
} ViommuSite;

/** The defaults: users other than root may have only networks of type user. */
void viommu_site_init(ViommuSite *site);
void viommu_site_clear(ViommuSite *site);

/** Selectors separated by semicolons: VVVV:DDDD, DDDD:BB:SS.F ("*" for any number), and, with
 *  @names, NAME.  *ret_selectors: owned, g_ptr_array_unref().  Fails: INVALID_REQUEST, and quotes
 *  the invalid one. */
bool viommu_site_parse_selectors(const char *text, bool names, GPtrArray **ret_selectors, GError **error);
/** The selectors as text.  Owned. */
char *viommu_site_format_selectors(const GPtrArray *selectors);
/** Letters, digits, "-" and "_". */
bool viommu_site_name_is_valid(const char *name);

/** Borrowed; NULL: the site does not define the name. */
const ViommuSiteDevice *viommu_site_device(const ViommuSite *site, const char *name);
/** The same, created if needed. */
ViommuSiteDevice *viommu_site_add_device(ViommuSite *site, const char *name);
/** Whether one of @selectors selects @device.  An unknown number of the device
 *  (VIOMMU_UNSET_NUMBER) matches only "*".  @site: for names. */
bool viommu_site_selects(const ViommuSite *site, const GPtrArray *selectors, const ViommuPciDevice *device);

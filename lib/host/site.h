/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* site: what a site lets others than root have of the host: devices, by selectors and by names of
 * its own, and networks.  Plain data with defaults, and its texts.  Does not know where it was
 * configured, nor who asks. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/host/topology.h"

/* Who may have a device that the host itself uses. */
typedef enum ViommuInUse {
    VIOMMU_IN_USE_REFUSE, /* nobody */
    VIOMMU_IN_USE_ROOT,
    VIOMMU_IN_USE_LAST,
} ViommuInUse;
extern const ViommuEnum viommu_enum_in_use;

/* The longest name of a [device NAME]. */
#define VIOMMU_SITE_NAME_MAX 63u

/* What a device must be, in each part that is not VIOMMU_UNSET_NUMBER; or the name of a kind of
 * the site's. */
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
    char *group;       /* whose members may have them; "": every member of viommud's group */
    uint64_t per_user; /* 0: no bound */
} ViommuSiteDevice;

typedef struct ViommuSite {
    GPtrArray *allow;      /* of ViommuDeviceSelector */
    bool take_from_driver; /* listed devices may be taken from a driver of the host's */
    char **drivers;        /* values of hostdevs[].driver; "auto": those that are made for VFIO */
    bool root_takes_used;  /* root may have what the host itself uses */
    GPtrArray *devices;    /* of ViommuSiteDevice */
    bool user_networks;    /* networks of type user */
    /* libvirt's that may be named; with "!" behind it: whatever its forward mode is */
    char **networks;
    char **bridges;
} ViommuSite;

/** Nothing for others than root, but networks of type user. */
void viommu_site_init(ViommuSite *site);
void viommu_site_clear(ViommuSite *site);

/** Selectors with semicolons between: VVVV:DDDD, DDDD:BB:SS.F ("*" for any number), and, with
 *  @names, NAME.  *ret_selectors: owned, g_ptr_array_unref().  Fails: INVALID_REQUEST, quoting the
 *  one that is none. */
bool viommu_site_parse_selectors(const char *text, bool names, GPtrArray **ret_selectors, GError **error);
/** The same back. Owned. */
char *viommu_site_format_selectors(const GPtrArray *selectors);
/** Letters, digits, "-" and "_". */
bool viommu_site_name_is_valid(const char *name);

/** Borrowed; NULL: the site has no such name. */
const ViommuSiteDevice *viommu_site_device(const ViommuSite *site, const char *name);
/** The same, made when it is not there. */
ViommuSiteDevice *viommu_site_add_device(ViommuSite *site, const char *name);
/** Whether one of @selectors takes @device.  What is not known of it (VIOMMU_UNSET_NUMBER) matches
 *  "*" alone.  @site: for names. */
bool viommu_site_selects(const ViommuSite *site, const GPtrArray *selectors, const ViommuPciDevice *device);

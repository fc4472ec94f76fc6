/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/host/site-record.h"

static const ViommuField device_fields[] = {
    {"name", VIOMMU_FIELD_STRING, offsetof(ViommuSiteRecordDevice, name), .required = true},
    {"match", VIOMMU_FIELD_WORDS, offsetof(ViommuSiteRecordDevice, match), .max = VIOMMU_SITE_RECORD_MAX},
    {"group", VIOMMU_FIELD_STRING, offsetof(ViommuSiteRecordDevice, group)},
    {"per-user", VIOMMU_FIELD_NUMBER, offsetof(ViommuSiteRecordDevice, per_user), .min = 1},
};
static const ViommuFields device_table = {device_fields, G_N_ELEMENTS(device_fields),
                                          sizeof(ViommuSiteRecordDevice), -1};

static const ViommuField devices_fields[] = {
    {"allow", VIOMMU_FIELD_WORDS, offsetof(ViommuSiteRecordDevices, allow), .max = VIOMMU_SITE_RECORD_MAX},
    {"take-from-driver", VIOMMU_FIELD_FLAG, offsetof(ViommuSiteRecordDevices, take_from_driver)},
    {"drivers", VIOMMU_FIELD_WORDS, offsetof(ViommuSiteRecordDevices, drivers),
     .max = VIOMMU_SITE_RECORD_MAX},
    {"in-use", VIOMMU_FIELD_ENUM, offsetof(ViommuSiteRecordDevices, in_use), .words = &viommu_enum_in_use},
    {"listed", VIOMMU_FIELD_WORDS, offsetof(ViommuSiteRecordDevices, listed), .max = VIOMMU_SITE_RECORD_MAX},
    {"named", VIOMMU_FIELD_LIST, offsetof(ViommuSiteRecordDevices, named), .fields = &device_table,
     .max = VIOMMU_SITE_RECORD_MAX},
};
static const ViommuFields devices_table = {devices_fields, G_N_ELEMENTS(devices_fields),
                                           sizeof(ViommuSiteRecordDevices),
                                           offsetof(ViommuSiteRecordDevices, present)};

static const ViommuField networks_fields[] = {
    {"user", VIOMMU_FIELD_FLAG, offsetof(ViommuSiteRecordNetworks, user)},
    {"networks", VIOMMU_FIELD_WORDS, offsetof(ViommuSiteRecordNetworks, networks),
     .max = VIOMMU_SITE_RECORD_MAX},
    {"bridges", VIOMMU_FIELD_WORDS, offsetof(ViommuSiteRecordNetworks, bridges),
     .max = VIOMMU_SITE_RECORD_MAX},
};
static const ViommuFields networks_table = {networks_fields, G_N_ELEMENTS(networks_fields),
                                            sizeof(ViommuSiteRecordNetworks),
                                            offsetof(ViommuSiteRecordNetworks, present)};

static const ViommuField site_fields[] = {
    {"devices", VIOMMU_FIELD_DICT, offsetof(ViommuSiteRecord, devices), .fields = &devices_table},
    {"networks", VIOMMU_FIELD_DICT, offsetof(ViommuSiteRecord, networks), .fields = &networks_table},
};
const ViommuFields viommu_site_record_fields = {
    site_fields, G_N_ELEMENTS(site_fields), sizeof(ViommuSiteRecord), offsetof(ViommuSiteRecord, present)};

/* NULL for an empty list, which a record leaves out.  Owned. */
static char **copy_words(char **words)
{
    return *words ? g_strdupv(words) : NULL;
}

static char **copy_selectors(const GPtrArray *selectors)
{
    g_autofree char *text = viommu_site_format_selectors(selectors);

    return *text ? g_strsplit(text, ";", -1) : NULL;
}

static char **list_devices(const ViommuSite *site, const ViommuTopology *topology)
{
    GPtrArray *listed = g_ptr_array_new();

    for (guint i = 0; topology->devices && i < topology->devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(topology->devices, i);

        if (viommu_site_selects(site, site->allow, device))
            g_ptr_array_add(listed, g_strdup(device->address));
    }
    if (listed->len > 0)
        g_ptr_array_add(listed, NULL);
    return (char **)g_ptr_array_free(listed, FALSE);
}

static void add_named(ViommuSiteRecordDevices *record, const ViommuSiteDevice *device)
{
    ViommuSiteRecordDevice *named = g_new0(ViommuSiteRecordDevice, 1);

    *named = (ViommuSiteRecordDevice){
        .name = g_strdup(device->name),
        .match = copy_selectors(device->match),
        .group = *device->group ? g_strdup(device->group) : NULL,
        .per_user = device->per_user ? device->per_user : VIOMMU_UNSET_NUMBER,
    };
    if (!record->named)
        record->named = g_ptr_array_new();
    g_ptr_array_add(record->named, named);
}

void viommu_site_record_fill(ViommuSiteRecord *record, const ViommuSite *site, const ViommuTopology *topology)
{
    viommu_fields_clear(&viommu_site_record_fields, record);
    record->present = true;
    record->devices = (ViommuSiteRecordDevices){
        .present = true,
        .allow = copy_selectors(site->allow),
        .take_from_driver = site->take_from_driver,
        .drivers = copy_words(site->drivers),
        .in_use = site->root_takes_used ? VIOMMU_IN_USE_ROOT : VIOMMU_IN_USE_REFUSE,
        .listed = list_devices(site, topology),
    };
    for (guint i = 0; i < site->devices->len; i++)
        add_named(&record->devices, g_ptr_array_index(site->devices, i));
    record->networks = (ViommuSiteRecordNetworks){
        .present = true,
        .user = site->user_networks,
        .networks = copy_words(site->networks),
        .bridges = copy_words(site->bridges),
    };
}

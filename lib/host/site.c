/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* site: the defaults, and the grammar of selectors. */
#include "lib/host/site.h"

#include <string.h>

#include "lib/base/error.h"

VIOMMU_ENUM_DEFINE(in_use, "rule for devices in use", VIOMMU_IN_USE_LAST, "refuse", "root");

#define HEX     "0123456789abcdefABCDEF"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void selector_free(void *data)
{
    ViommuDeviceSelector *selector = data;

    g_free(selector->name);
    g_free(selector);
}

static void device_free(void *data)
{
    ViommuSiteDevice *device = data;

    g_free(device->name);
    g_free(device->group);
    g_ptr_array_unref(device->match);
    g_free(device);
}

void viommu_site_init(ViommuSite *site)
{
    *site = (ViommuSite){
        .allow = g_ptr_array_new_with_free_func(selector_free),
        .drivers = g_strsplit("auto", ";", -1),
        .devices = g_ptr_array_new_with_free_func(device_free),
        .user_networks = true,
        .networks = g_new0(char *, 1),
        .bridges = g_new0(char *, 1),
    };
}

void viommu_site_clear(ViommuSite *site)
{
    g_clear_pointer(&site->allow, g_ptr_array_unref);
    g_clear_pointer(&site->devices, g_ptr_array_unref);
    g_clear_pointer(&site->drivers, g_strfreev);
    g_clear_pointer(&site->networks, g_strfreev);
    g_clear_pointer(&site->bridges, g_strfreev);
}

/* --- Selectors --- */

bool viommu_site_name_is_valid(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= VIOMMU_SITE_NAME_MAX && strchr(LETTERS, name[0]) &&
           strspn(name, LETTERS "0123456789-_") == length;
}

/* Reads a field up to @end, which is consumed; "*" is unset. */
static bool read_field(const char **text, char end, size_t digits_max, uint64_t max, uint64_t *ret_number)
{
    size_t n = strspn(*text, HEX);
    g_autofree char *digits = g_strndup(*text, n);

    if (**text == '*' && n == 0) {
        *ret_number = VIOMMU_UNSET_NUMBER;
        n = 1;
    } else if (n == 0 || n > digits_max ||
               !g_ascii_string_to_unsigned(digits, 16, 0, max, ret_number, NULL)) {
        return false;
    }
    if ((*text)[n] != end)
        return false;
    *text += n + (end != 0);
    return true;
}

static ViommuDeviceSelector *new_selector(void)
{
    ViommuDeviceSelector *selector = g_new0(ViommuDeviceSelector, 1);

    selector->vendor = selector->device = selector->domain = VIOMMU_UNSET_NUMBER;
    selector->bus = selector->slot = selector->function = VIOMMU_UNSET_NUMBER;
    return selector;
}

static bool read_numbers(const char *text, ViommuDeviceSelector *selector)
{
    const char *rest = text;

    selector->is_address = strchr(text, '.') != NULL;
    if (!selector->is_address)
        return read_field(&rest, ':', 4, 0xffff, &selector->vendor) &&
               read_field(&rest, 0, 4, 0xffff, &selector->device);
    return read_field(&rest, ':', 8, UINT32_MAX, &selector->domain) &&
           read_field(&rest, ':', 2, 0xff, &selector->bus) &&
           read_field(&rest, '.', 2, 0x1f, &selector->slot) &&
           read_field(&rest, 0, 1, 7, &selector->function);
}

static bool read_selector(const char *text, bool names, GPtrArray *selectors, GError **error)
{
    ViommuDeviceSelector *selector = new_selector();

    g_ptr_array_add(selectors, selector);
    if (names && viommu_site_name_is_valid(text)) {
        selector->name = g_strdup(text);
        return true;
    }
    if (read_numbers(text, selector))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "'%.64s' is not a device selector; write VVVV:DDDD (vendor and device, see lspci -n) or DDDD:BB:SS.F (address, see lspci -D), with * for any number%s",
        text, names ? ", or the NAME of a section [device NAME]" : "");
}

bool viommu_site_parse_selectors(const char *text, bool names, GPtrArray **ret_selectors, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ";", -1);
    g_autoptr(GPtrArray) selectors = g_ptr_array_new_with_free_func(selector_free);

    for (char **word = words; *word; word++)
        if (*g_strstrip(*word) && !read_selector(*word, names, selectors, error))
            return false;
    *ret_selectors = g_steal_pointer(&selectors);
    return true;
}

/* @separator: written before it. */
static void write_field(GString *text, const char *separator, int digits, uint64_t number)
{
    g_string_append(text, separator);
    if (number == VIOMMU_UNSET_NUMBER)
        g_string_append_c(text, '*');
    else
        g_string_append_printf(text, "%0*" G_GINT64_MODIFIER "x", digits, number);
}

char *viommu_site_format_selectors(const GPtrArray *selectors)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < selectors->len; i++) {
        const ViommuDeviceSelector *selector = g_ptr_array_index(selectors, i);

        if (i)
            g_string_append_c(text, ';');
        if (selector->name) {
            g_string_append(text, selector->name);
        } else if (selector->is_address) {
            write_field(text, "", 4, selector->domain);
            write_field(text, ":", 2, selector->bus);
            write_field(text, ":", 2, selector->slot);
            write_field(text, ".", 1, selector->function);
        } else {
            write_field(text, "", 4, selector->vendor);
            write_field(text, ":", 4, selector->device);
        }
    }
    return g_string_free(text, FALSE);
}

/* --- Matching --- */

static bool fits(uint64_t wanted, uint64_t number)
{
    return wanted == VIOMMU_UNSET_NUMBER || wanted == number;
}

/* A device without a valid address has no address. */
static void read_address(const char *text, ViommuDeviceSelector *ret_address)
{
    *ret_address = (ViommuDeviceSelector){.domain = VIOMMU_UNSET_NUMBER,
                                          .bus = VIOMMU_UNSET_NUMBER,
                                          .slot = VIOMMU_UNSET_NUMBER,
                                          .function = VIOMMU_UNSET_NUMBER};
    if (text && strchr(text, '.'))
        (void)read_numbers(text, ret_address);
}

static bool selects(const ViommuSite *site, const ViommuDeviceSelector *selector,
                    const ViommuPciDevice *device, const ViommuDeviceSelector *address)
{
    const ViommuSiteDevice *named = selector->name && site ? viommu_site_device(site, selector->name) : NULL;

    if (selector->name)
        return named && viommu_site_selects(NULL, named->match, device);
    return fits(selector->vendor, device->vendor) && fits(selector->device, device->device) &&
           fits(selector->domain, address->domain) && fits(selector->bus, address->bus) &&
           fits(selector->slot, address->slot) && fits(selector->function, address->function);
}

bool viommu_site_selects(const ViommuSite *site, const GPtrArray *selectors, const ViommuPciDevice *device)
{
    ViommuDeviceSelector address;

    read_address(device->address, &address);
    for (guint i = 0; i < selectors->len; i++)
        if (selects(site, g_ptr_array_index(selectors, i), device, &address))
            return true;
    return false;
}

const ViommuSiteDevice *viommu_site_device(const ViommuSite *site, const char *name)
{
    for (guint i = 0; i < site->devices->len; i++) {
        const ViommuSiteDevice *device = g_ptr_array_index(site->devices, i);

        if (g_str_equal(device->name, name))
            return device;
    }
    return NULL;
}

ViommuSiteDevice *viommu_site_add_device(ViommuSite *site, const char *name)
{
    ViommuSiteDevice *device = (ViommuSiteDevice *)viommu_site_device(site, name);

    if (device)
        return device;
    device = g_new0(ViommuSiteDevice, 1);
    device->name = g_strdup(name);
    device->match = g_ptr_array_new_with_free_func(selector_free);
    device->group = g_strdup("");
    g_ptr_array_add(site->devices, device);
    return device;
}

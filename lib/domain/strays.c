/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/domain/strays.h"

/* What is wrong with one device; NULL: nothing.  Owned. */
static char *judge(const char *address, const char *driver, const ViommuPciDevice *device)
{
    if (!device)
        return g_strdup_printf("device %s, which had driver %s, is no longer present", address, driver);
    if (g_strcmp0(device->driver, driver) == 0)
        return NULL;
    if (!device->driver)
        return g_strdup_printf("device %s has no driver instead of %s", address, driver);
    return g_strdup_printf("device %s has driver %s instead of %s", address, device->driver, driver);
}

/* libvirt's name for it: "pci_0000_65_00_0". */
static void add_command(GString *commands, const char *address)
{
    g_autofree char *name = g_strdelimit(g_strdup(address), ":.", '_');

    g_string_append_printf(commands, "%svirsh nodedev-reattach pci_%s", commands->len ? "; " : "", name);
}

char *viommu_strays_describe(const char *host_drivers, const ViommuTopology *topology,
                             const char *const *held)
{
    g_autoptr(GString) text = g_string_new(NULL), commands = g_string_new(NULL);
    g_auto(GStrv) pairs = g_strsplit(host_drivers ? host_drivers : "", " ", -1);

    if (!topology->devices)
        return NULL;
    for (char **pair = pairs; *pair; pair++) {
        g_auto(GStrv) words = g_strsplit(*pair, "=", 2);
        const ViommuPciDevice *device;
        g_autofree char *problem = NULL;

        if (g_strv_length(words) != 2 || !*words[0] || !*words[1] ||
            (held && g_strv_contains(held, words[0])))
            continue;
        device = viommu_topology_device(topology, words[0]);
        problem = judge(words[0], words[1], device);
        if (!problem)
            continue;
        g_string_append_printf(text, "%s%s", text->len ? "; " : "", problem);
        if (device)
            add_command(commands, words[0]);
    }
    if (commands->len > 0)
        g_string_append_printf(text, "; to return devices to the host, run as root: %s", commands->str);
    return text->len > 0 ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

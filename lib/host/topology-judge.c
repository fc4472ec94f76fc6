/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-judge: decides whether this host has an IOMMU of its own, and whether it remaps
 * interrupts. Reads nothing: it judges what the readers found. */
#include <string.h>

#include "lib/base/cmdline.h"
#include "lib/base/platform.h"
#include "lib/host/topology.h"

/* Whether the command line has @option, and not @undone_by after it; NULL: nothing. */
static bool has_option(const ViommuTopology *topology, const char *option, const char *undone_by)
{
    g_autofree char *line = topology->kernel_options ? g_strjoinv(" ", topology->kernel_options) : NULL;

    return option && viommu_cmdline_says(line, option, undone_by);
}

/* --- Interrupt remapping --- */

/* The word of the command line that switches it off; NULL: none. */
static const char *interrupts_off(const ViommuTopology *topology)
{
    static const char *const words[] = {"intremap=off", "nointremap"};

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (has_option(topology, words[i], "intremap=on"))
            return words[i];
    return NULL;
}

/* On other architectures neither applies. */
static bool is_x86(const ViommuTopology *topology, int arch)
{
    for (guint i = 0; arch == VIOMMU_UNSET && topology->iommus && i < topology->iommus->len; i++) {
        int kind = ((const ViommuHostIommu *)g_ptr_array_index(topology->iommus, i))->kind;

        if (kind == VIOMMU_IOMMU_KIND_INTEL || kind == VIOMMU_IOMMU_KIND_AMD)
            return true;
    }
    return arch == VIOMMU_ARCH_X86_64;
}

/* An IOMMU of this host that cannot remap; then the kernel remaps for none. */
static const ViommuHostIommu *iommu_without(const ViommuTopology *topology, bool x86)
{
    for (guint i = 0; topology->iommus && i < topology->iommus->len; i++) {
        const ViommuHostIommu *iommu = g_ptr_array_index(topology->iommus, i);

        if (iommu->interrupt_remapping == 0 ||
            (iommu->kind == VIOMMU_IOMMU_KIND_VIRTIO && (x86 || topology->interrupt_remapping == 0)))
            return iommu;
    }
    return NULL;
}

static bool table_forbids(const ViommuTopology *topology)
{
    for (guint i = 0; topology->tables && i < topology->tables->len; i++)
        if (((const ViommuAcpiTable *)g_ptr_array_index(topology->tables, i))->interrupt_remapping == 0)
            return true;
    return false;
}

/* NULL: no obstacle is known.  Owned. */
static char *interrupts_hindrance(const ViommuTopology *topology, bool x86)
{
    const char *word = x86 ? interrupts_off(topology) : NULL;
    const ViommuHostIommu *iommu = iommu_without(topology, x86);

    if (word)
        return g_strdup_printf("the kernel's command line switches it off; remove '%s' from the command line",
                               word);
    if (iommu && iommu->kind == VIOMMU_IOMMU_KIND_VIRTIO)
        return g_strdup_printf(
            "this host is a guest, whose IOMMU %s is of kind virtio; give it one of kind intel or amd with interrupt remapping",
            iommu->name);
    if (iommu)
        return g_strdup_printf(
            "the IOMMU %s has none; if this host is a guest, give its IOMMU interrupt remapping",
            iommu->name);
    if (table_forbids(topology))
        return g_strdup(
            "the firmware's table DMAR says that this platform has none; look for interrupt remapping or x2APIC in the firmware setup");
    return NULL;
}

int viommu_topology_remaps_interrupts(const ViommuTopology *topology, int arch, char **ret_reason)
{
    g_autofree char *hindrance = NULL;

    if (topology->interrupt_remapping == 1)
        return 1;
    hindrance = interrupts_hindrance(topology, is_x86(topology, arch));
    if (!hindrance && topology->interrupt_remapping != 0)
        return VIOMMU_UNSET;
    *ret_reason =
        hindrance ? g_steal_pointer(&hindrance)
                  : g_strdup("no interrupt chip of the kernel does it; see 'remapping' in the kernel's log");
    return 0;
}

bool viommu_topology_allows_unsafe(const ViommuTopology *topology, bool iommufd)
{
    static const char *const modules[] = {"vfio_iommu_type1", "iommufd"};
    static const char *const values[] = {"", "=1", "=y", "=Y", "=t", "=T", "=yes", "=true", "=on", "=On"};
    int flag = iommufd ? topology->iommufd_unsafe_interrupts : topology->unsafe_interrupts;

    /* A module applies its words of the command line when it is loaded. */
    for (size_t i = 0; flag == VIOMMU_UNSET && i < G_N_ELEMENTS(values); i++) {
        g_autofree char *name = g_strdup_printf("%s.allow_unsafe_interrupts", modules[iommufd ? 1 : 0]);
        g_autofree char *word = g_strconcat(name, values[i], NULL);
        g_autofree char *undone_by = g_strconcat(name, "=", NULL);

        /* The last one counts. */
        if (has_option(topology, word, undone_by))
            return true;
    }
    return flag == 1;
}

/* --- The IOMMU --- */

/* What to do about a table that the kernel does not use; owned. */
static char *remedy(const ViommuTopology *topology, const char *table)
{
    static const struct {
        const char *table, *off, *on; /* the option that switches it off, or on again; NULL: none */
        const char *rest;             /* the advice otherwise */
    } rows[] = {
        {"DMAR", "intel_iommu=off", "intel_iommu=on", "boot with intel_iommu=on"},
        {"IVRS", "amd_iommu=off", NULL, "see 'AMD-Vi' in the kernel's log"},
        {"IORT", NULL, NULL, "see 'arm-smmu' in the kernel's log"},
        {"VIOT", NULL, NULL, "load the module virtio_iommu"},
    };

    if (has_option(topology, "iommu=off", NULL))
        return g_strdup("remove 'iommu=off' from its command line");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (g_str_equal(rows[i].table, table))
            return has_option(topology, rows[i].off, rows[i].on)
                       ? g_strdup_printf("remove '%s' from its command line", rows[i].off)
                       : g_strdup(rows[i].rest);
    return g_strdup("see the kernel's log");
}

static const ViommuAcpiTable *find_table(const ViommuTopology *topology, ViommuTableState state)
{
    for (guint i = 0; topology->tables && i < topology->tables->len; i++) {
        const ViommuAcpiTable *table = g_ptr_array_index(topology->tables, i);

        if (table->state == (int)state)
            return table;
    }
    return NULL;
}

static char *reason_used(const ViommuTopology *topology, unsigned n_devices)
{
    g_autoptr(GString) names = g_string_new(NULL);
    guint n = topology->iommus ? topology->iommus->len : 0;

    for (guint i = 0; i < n && i < 4; i++)
        g_string_append_printf(names, "%s%s", i ? ", " : "",
                               ((const ViommuHostIommu *)g_ptr_array_index(topology->iommus, i))->name);
    if (n > 4)
        g_string_append_printf(names, " and %u more", n - 4);
    return g_strdup_printf("the kernel has put %u PCI device%s into groups behind %s", n_devices,
                           n_devices == 1 ? "" : "s", n ? names->str : "an IOMMU that it does not name");
}

static char *reason_idle(const ViommuTopology *topology, const ViommuAcpiTable *table)
{
    g_autofree char *what = remedy(topology, table->name);

    return g_strdup_printf(
        "the ACPI table %s describes %" G_GUINT64_FORMAT " IOMMU%s, but the kernel does not use %s: %s",
        table->name, table->units, table->units == 1 ? "" : "s", table->units == 1 ? "it" : "them", what);
}

static char *reason_none(const ViommuTopology *topology)
{
    const ViommuAcpiTable *unread = find_table(topology, VIOMMU_TABLE_STATE_UNREAD);
    const ViommuAcpiTable *broken = find_table(topology, VIOMMU_TABLE_STATE_BROKEN);

    if (unread)
        return g_strdup_printf("the kernel uses no IOMMU; only root may read the ACPI table %s",
                               unread->name);
    if (broken)
        return g_strdup_printf("the ACPI table %s describes no IOMMU: %s", broken->name,
                               broken->problem ? broken->problem : "it is broken");
    if (topology->acpi == 1)
        return g_strdup(
            "the firmware describes no IOMMU (no DMAR, IVRS, IORT or VIOT); if the machine has one, enable VT-d, AMD-Vi or the SMMU in the firmware setup");
    return g_strdup("the kernel uses no IOMMU, and there are no ACPI tables that could describe one");
}

ViommuIommuUse viommu_topology_judge(const ViommuTopology *topology, char **ret_reason)
{
    const ViommuAcpiTable *good = find_table(topology, VIOMMU_TABLE_STATE_GOOD);
    unsigned n_devices = 0;

    for (guint i = 0; topology->devices && i < topology->devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(topology->devices, i);

        n_devices += device->group != VIOMMU_UNSET_NUMBER && !viommu_pci_device_is_bridge(device);
    }
    if (n_devices > 0) {
        *ret_reason = reason_used(topology, n_devices);
        return VIOMMU_IOMMU_USE_USED;
    }
    *ret_reason = good ? reason_idle(topology, good) : reason_none(topology);
    return good ? VIOMMU_IOMMU_USE_IDLE : VIOMMU_IOMMU_USE_NONE;
}

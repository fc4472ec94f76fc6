/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology: prints what lib/host/topology.c found.  Judges nothing. */
#include "tools/ctl/topology.h"

#include <inttypes.h>

#include "lib/base/quantity.h"
#include "lib/plan/traits.h"

/* --- The lines above the tree --- */

static void print_use(const ViommuOutput *output, const ViommuTopology *topology)
{
    static const struct {
        ViommuStyle style;
        const char *word;
    } uses[] = {
        [VIOMMU_IOMMU_USE_NONE] = {VIOMMU_STYLE_BAD, "none"},
        [VIOMMU_IOMMU_USE_IDLE] = {VIOMMU_STYLE_WARNING, "there, but not in use"},
        [VIOMMU_IOMMU_USE_USED] = {VIOMMU_STYLE_GOOD, "in use"},
    };
    g_autofree char *reason = NULL;
    ViommuIommuUse use = viommu_topology_judge(topology, &reason);

    viommu_output_text(output, VIOMMU_STYLE_HEAD, "The host's own IOMMU: ");
    viommu_output_text(output, uses[use].style, uses[use].word);
    viommu_output_format(output, "\n  %s\n", reason);
}

static void print_tables(const ViommuOutput *output, const ViommuTopology *topology)
{
    for (guint i = 0; topology->tables && i < topology->tables->len; i++) {
        const ViommuAcpiTable *table = g_ptr_array_index(topology->tables, i);

        viommu_output_format(output, "  %s: ", table->name);
        if (table->state == VIOMMU_TABLE_STATE_UNREAD)
            viommu_output_format(output, "exists, but only root may read it\n");
        else if (table->state == VIOMMU_TABLE_STATE_BROKEN)
            viommu_output_format(output, "unusable: %s\n", table->problem ? table->problem : "it is broken");
        else
            viommu_output_format(output, "%" PRIu64 " IOMMU%s\n", table->units, table->units == 1 ? "" : "s");
    }
}

static const char *flag_word(int flag)
{
    return flag < 0 ? "not known" : flag ? "yes" : "no";
}

static const char *iommufd_word(const ViommuTopology *topology)
{
    return topology->iommufd_loadable == 1 ? "yes, as a module that is not loaded"
                                           : flag_word(topology->iommufd);
}

/* It matters where devices can be assigned. */
static void print_interrupts(const ViommuOutput *output, const ViommuHost *host)
{
    static const struct {
        bool iommufd;
        const char *module;
    } backends[] = {{false, "vfio_iommu_type1"}, {true, "iommufd"}};
    g_autofree char *reason = NULL, *use = NULL;
    int remaps = viommu_topology_remaps_interrupts(&host->topology, viommu_host_arch(host), &reason);

    if (viommu_topology_judge(&host->topology, &use) != VIOMMU_IOMMU_USE_USED)
        return;
    viommu_output_format(output, "  interrupt remapping: %s%s%s\n", flag_word(remaps), reason ? ": " : "",
                         reason ? reason : "");
    for (size_t i = 0; remaps == 0 && i < G_N_ELEMENTS(backends); i++)
        if (viommu_topology_allows_unsafe(&host->topology, backends[i].iommufd))
            viommu_output_format(output, "  %s.allow_unsafe_interrupts is set\n", backends[i].module);
}

static void print_kernel(const ViommuOutput *output, const ViommuTopology *topology)
{
    g_autofree char *version = topology->kernel ? viommu_version_format_short(topology->kernel) : NULL;

    if (topology->kernel_options) {
        g_autofree char *options = g_strjoinv(" ", topology->kernel_options);

        viommu_output_format(output, "  kernel options: %s\n", options);
    }
    viommu_output_format(output, "  %s%s%sVFIO: %s; iommufd: %s; vhost-vsock: %s\n", version ? "Linux " : "",
                         version ? version : "", version ? "; " : "", flag_word(topology->vfio),
                         iommufd_word(topology), flag_word(topology->vhost_vsock));
    if (topology->dma_entry_limit != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, "  mappings of a VFIO container: at most %" PRIu64 "\n",
                             topology->dma_entry_limit);
}

static void print_node(const ViommuOutput *output, const ViommuNode *node)
{
    viommu_output_format(output, "  node %" PRIu64, node->node);
    if (node->memory_bytes != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, ": %.1f GiB", (double)node->memory_bytes / VIOMMU_GIB);
    for (guint i = 0; node->huge_pages && i < node->huge_pages->len; i++) {
        const ViommuHugePages *pages = g_ptr_array_index(node->huge_pages, i);
        g_autofree char *size = viommu_quantity_format(pages->size_bytes);

        if (pages->total != VIOMMU_UNSET_NUMBER && pages->total > 0 && pages->free != VIOMMU_UNSET_NUMBER)
            viommu_output_format(output, ", %" PRIu64 " of %" PRIu64 " pages of %s free", pages->free,
                                 pages->total, size);
    }
    viommu_output_format(output, "\n");
}

/* --- The tree --- */

static int compare_by_group(const void *a, const void *b)
{
    const ViommuPciDevice *one = *(ViommuPciDevice *const *)a, *other = *(ViommuPciDevice *const *)b;

    if (one->group != other->group)
        return one->group < other->group ? -1 : 1;
    return g_strcmp0(one->address, other->address);
}

/* The devices behind @iommu, by group; NULL: those behind no known IOMMU.  Borrowed entries. */
static GPtrArray *devices_behind(const ViommuTopology *topology, const ViommuHostIommu *iommu)
{
    GPtrArray *found = g_ptr_array_new();

    for (guint i = 0; topology->devices && i < topology->devices->len; i++) {
        ViommuPciDevice *device = g_ptr_array_index(topology->devices, i);

        if (viommu_topology_iommu(topology, device->iommu) == iommu)
            g_ptr_array_add(found, device);
    }
    g_ptr_array_sort(found, compare_by_group);
    return found;
}

/* "virtual function 0000:3b:02.0 (vfio-pci)" */
static void print_functions(const ViommuOutput *output, const ViommuTopology *topology,
                            const ViommuPciDevice *device)
{
    unsigned n = 0;

    if (device->physical_function)
        viommu_output_format(output, "      virtual function of %s\n", device->physical_function);
    for (guint i = 0; topology->devices && i < topology->devices->len; i++) {
        const ViommuPciDevice *other = g_ptr_array_index(topology->devices, i);

        if (g_strcmp0(other->physical_function, device->address) != 0)
            continue;
        viommu_output_format(output, "%s%s (%s)", n++ ? ", " : "      physical function of ", other->address,
                             other->driver ? other->driver : "no driver");
    }
    if (n == 0 && device->virtual_functions != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, "      physical function without virtual functions");
    if (device->virtual_functions != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, "; it can have %" PRIu64, device->virtual_functions);
    if (n > 0 || device->virtual_functions != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, "\n");
}

static void print_device(const ViommuOutput *output, const ViommuTopology *topology,
                         const ViommuPciDevice *device, const ViommuSite *site)
{
    viommu_output_format(output, "    %s  %04" PRIx64 ":%04" PRIx64 "  %-11s  ", device->address,
                         device->vendor, device->device, viommu_pci_device_noun(device));
    viommu_output_format(output, "%s", device->driver ? device->driver : "no driver");
    if (device->cdev)
        viommu_output_format(output, " (%s)", device->cdev);
    if (device->node != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, ", node %" PRIu64, device->node);
    if (site && viommu_site_selects(site, site->allow, device))
        viommu_output_format(output, ", available to users other than root");
    viommu_output_format(output, "\n");
    print_functions(output, topology, device);
    if (device->direct_regions) {
        g_autofree char *regions = g_strjoinv(", ", device->direct_regions);

        viommu_output_format(
            output, "      cannot be assigned: the firmware keeps memory for its group (RMRR %s)\n", regions);
    }
    for (char **use = device->uses; use && *use; use++)
        viommu_output_format(output, "      in use by the host: %s\n", *use);
}

/* Prints the group of the device at @first, the first one of its group. */
static void print_group(const ViommuOutput *output, const GPtrArray *devices, guint first)
{
    uint64_t group = ((const ViommuPciDevice *)g_ptr_array_index(devices, first))->group;
    unsigned endpoints = 0;

    if (group == VIOMMU_UNSET_NUMBER) {
        viommu_output_format(output, "  in no IOMMU group: cannot be assigned\n");
        return;
    }
    for (guint i = first; i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        endpoints += device->group == group && !viommu_pci_device_is_bridge(device);
    }
    viommu_output_format(output, "  group %" PRIu64, group);
    if (endpoints > 1)
        viommu_output_format(output, ": its %u devices can only be assigned together", endpoints);
    viommu_output_format(output, "\n");
}

static void print_devices(const ViommuOutput *output, const ViommuTopology *topology,
                          const GPtrArray *devices, const ViommuSite *site)
{
    for (guint i = 0; i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);
        const ViommuPciDevice *before = i > 0 ? g_ptr_array_index(devices, i - 1) : NULL;

        if (!before || before->group != device->group)
            print_group(output, devices, i);
        print_device(output, topology, device, site);
    }
}

static void print_iommu(const ViommuOutput *output, const ViommuTopology *topology,
                        const ViommuHostIommu *iommu, const ViommuSite *site)
{
    g_autoptr(GPtrArray) devices = devices_behind(topology, iommu);

    viommu_output_text(output, VIOMMU_STYLE_PLAIN, "\n");
    viommu_output_text(output, VIOMMU_STYLE_HEAD, iommu->name);
    viommu_output_format(output, "  %s", viommu_enum_to_string(&viommu_enum_iommu_kind, iommu->kind));
    if (iommu->width_bits != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, ", %" PRIu64 " bits", iommu->width_bits);
    else
        viommu_output_format(output, ", width not known");
    viommu_output_format(output, "%s\n", devices->len ? "" : "; no PCI devices behind it");
    print_devices(output, topology, devices, site);
}

void viommu_ctl_print_topology(const ViommuOutput *output, const ViommuHost *host, const ViommuSite *site)
{
    const ViommuTopology *topology = &host->topology;
    g_autoptr(GPtrArray) rest = devices_behind(topology, NULL);

    print_use(output, topology);
    print_tables(output, topology);
    print_kernel(output, topology);
    print_interrupts(output, host);
    for (guint i = 0; topology->nodes && i < topology->nodes->len; i++)
        print_node(output, g_ptr_array_index(topology->nodes, i));
    for (guint i = 0; topology->iommus && i < topology->iommus->len; i++)
        print_iommu(output, topology, g_ptr_array_index(topology->iommus, i), site);
    if (rest->len == 0)
        return;
    viommu_output_text(output, VIOMMU_STYLE_HEAD, "\nbehind no known IOMMU\n");
    print_devices(output, topology, rest, site);
}

/* --- The inventory --- */

/* @reason: NULL if the hardware is not known; @traits: NULL if libvirt is not. */
static void print_inventory_json(ViommuIommuUse use, const char *reason, char **traits)
{
    GVariantBuilder tree;

    g_variant_builder_init(&tree, G_VARIANT_TYPE_VARDICT);
    if (reason) {
        g_variant_builder_add(&tree, "{sv}", "virt-iommu",
                              g_variant_new_boolean(use != VIOMMU_IOMMU_USE_NONE));
        g_variant_builder_add(&tree, "{sv}", "used", g_variant_new_boolean(use == VIOMMU_IOMMU_USE_USED));
        g_variant_builder_add(&tree, "{sv}", "reason", g_variant_new_string(reason));
    }
    if (traits)
        g_variant_builder_add(&tree, "{sv}", "traits", g_variant_new_strv((const char *const *)traits, -1));
    viommu_output_json(g_variant_builder_end(&tree));
}

static void print_inventory_lines(const ViommuOutput *output, ViommuIommuUse use, const char *reason,
                                  char **traits)
{
    if (reason) {
        g_autofree char *quoted = g_shell_quote(reason);

        viommu_output_format(output, "VIRT_IOMMU=%d\n", use != VIOMMU_IOMMU_USE_NONE);
        viommu_output_format(output, "VIRT_IOMMU_USED=%d\n", use == VIOMMU_IOMMU_USE_USED);
        viommu_output_format(output, "VIRT_IOMMU_REASON=%s\n", quoted);
    }
    if (traits) {
        g_autofree char *words = g_strjoinv(" ", traits);

        viommu_output_format(output, "TRAITS='%s'\n", words);
    }
}

void viommu_ctl_print_inventory(const ViommuOutput *output, const ViommuHost *host,
                                const ViommuPolicy *policy)
{
    g_autofree char *reason = NULL;
    g_auto(GStrv) traits = NULL;
    ViommuIommuUse use = VIOMMU_IOMMU_USE_NONE;

    if (host->topology.present)
        use = viommu_topology_judge(&host->topology, &reason);
    if (host->libvirt) {
        ViommuOffer offer;

        viommu_offer_of_host(host, policy, &offer);
        traits = viommu_traits(&offer);
    }
    if (output->json)
        print_inventory_json(use, reason, traits);
    else
        print_inventory_lines(output, use, reason, traits);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dot: boxes are devices, frames are IOMMUs, groups and machines.  What is outside the IOMMU is
 * dashed. */
#include "tools/ctl/dot.h"

#include <inttypes.h>

/* --- Words of the language --- */

/* A label has several lines.  Names have no control characters: what reads them refuses those. */
static char *quoted(const char *text)
{
    GString *string = g_string_new("\"");

    for (const char *c = text; *c; c++)
        if (*c == '\n')
            g_string_append(string, "\\n");
        else if (*c == '"' || *c == '\\')
            g_string_append_printf(string, "\\%c", *c);
        else
            g_string_append_c(string, *c);
    g_string_append_c(string, '"');
    return g_string_free(string, FALSE);
}

static void begin(const ViommuOutput *output, const char *name)
{
    g_autofree char *title = quoted(name);

    viommu_output_format(
        output,
        "digraph %s {\n  rankdir=LR;\n"
        "  node [shape=box, fontname=\"sans-serif\"];\n  graph [fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\"];\n",
        title);
}

static void frame(const ViommuOutput *output, const char *id, const char *label)
{
    g_autofree char *cluster = g_strconcat("cluster ", id, NULL);
    g_autofree char *name = quoted(cluster), *text = quoted(label);

    viommu_output_format(output, "  subgraph %s {\n  label=%s;\n", name, text);
}

static void end(const ViommuOutput *output)
{
    viommu_output_format(output, "  }\n");
}

static void box(const ViommuOutput *output, const char *id, const char *label, bool dashed)
{
    g_autofree char *name = quoted(id), *text = quoted(label);

    viommu_output_format(output, "  %s [label=%s%s];\n", name, text, dashed ? ", style=dashed" : "");
}

static void arrow(const ViommuOutput *output, const char *from, const char *to, const char *options)
{
    g_autofree char *tail = quoted(from), *head = quoted(to);

    viommu_output_format(output, "  %s -> %s%s;\n", tail, head, options);
}

/* --- The host --- */

static void print_device(const ViommuOutput *output, const ViommuPciDevice *device)
{
    g_autofree char *id = g_strconcat("host ", device->address, NULL);
    g_autoptr(GString) label = g_string_new(device->address);

    g_string_append_printf(label, "\n%s\n%s", viommu_pci_device_noun(device),
                           device->driver ? device->driver : "no driver");
    if (device->node != VIOMMU_UNSET_NUMBER)
        g_string_append_printf(label, ", node %" PRIu64, device->node);
    box(output, id, label->str, device->uses && *device->uses);
}

static char *group_label(uint64_t group)
{
    return group == VIOMMU_UNSET_NUMBER ? g_strdup("no group") : g_strdup_printf("group %" PRIu64, group);
}

/* The devices of @group behind @iommu, from @first on. */
static void print_group(const ViommuOutput *output, const GPtrArray *devices, guint first)
{
    const ViommuPciDevice *head = g_ptr_array_index(devices, first);
    g_autofree char *label = group_label(head->group);
    g_autofree char *id = g_strdup_printf("%s %s", head->iommu ? head->iommu : "", label);

    frame(output, id, label);
    for (guint i = first; i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (device->group == head->group && g_strcmp0(device->iommu, head->iommu) == 0)
            print_device(output, device);
    }
    end(output);
}

static bool is_first(const GPtrArray *devices, guint at)
{
    const ViommuPciDevice *device = g_ptr_array_index(devices, at);

    for (guint i = 0; i < at; i++) {
        const ViommuPciDevice *before = g_ptr_array_index(devices, i);

        if (before->group == device->group && g_strcmp0(before->iommu, device->iommu) == 0)
            return false;
    }
    return true;
}

/* @iommu NULL: those behind none. */
static void print_groups(const ViommuOutput *output, const GPtrArray *devices, const char *iommu)
{
    for (guint i = 0; devices && i < devices->len; i++)
        if (g_strcmp0(((const ViommuPciDevice *)g_ptr_array_index(devices, i))->iommu, iommu) == 0 &&
            is_first(devices, i))
            print_group(output, devices, i);
}

static void print_host_iommu(const ViommuOutput *output, const ViommuHostIommu *iommu,
                             const GPtrArray *devices)
{
    g_autofree char *bits = iommu->width_bits == VIOMMU_UNSET_NUMBER
                                ? g_strdup("")
                                : g_strdup_printf(", %" PRIu64 " bits", iommu->width_bits);
    g_autofree char *label = g_strdup_printf(
        "%s: %s%s", iommu->name, viommu_enum_to_string(&viommu_enum_iommu_kind, iommu->kind), bits);

    frame(output, iommu->name, label);
    print_groups(output, devices, iommu->name);
    end(output);
}

static void print_function(const ViommuOutput *output, const ViommuPciDevice *device)
{
    g_autofree char *from = g_strconcat("host ", device->physical_function, NULL);
    g_autofree char *to = g_strconcat("host ", device->address, NULL);

    arrow(output, from, to, " [label=\"virtual function\"]");
}

void viommu_ctl_dot_host(const ViommuOutput *output, const ViommuTopology *topology)
{
    const GPtrArray *devices = topology->devices;

    begin(output, "host");
    for (guint i = 0; topology->iommus && i < topology->iommus->len; i++)
        print_host_iommu(output, g_ptr_array_index(topology->iommus, i), devices);
    print_groups(output, devices, NULL);
    for (guint i = 0; devices && i < devices->len; i++)
        if (((const ViommuPciDevice *)g_ptr_array_index(devices, i))->physical_function)
            print_function(output, g_ptr_array_index(devices, i));
    viommu_output_format(output, "}\n");
}

/* --- The guest --- */

#define ROOT  "guest root"
#define IOMMU "guest iommu"

static char *bus_id(unsigned index)
{
    return index == 0 ? g_strdup(ROOT) : g_strdup_printf("guest bus %u", index);
}

static void print_expanders(const ViommuOutput *output, const ViommuPcie *pcie)
{
    for (guint i = 0; i < pcie->expanders->len; i++) {
        const ViommuPcieExpander *expander = viommu_pcie_expander(pcie, i);
        g_autofree char *id = bus_id(expander->index);
        g_autoptr(GString) label = g_string_new(NULL);

        g_string_append_printf(label, "expander bus 0x%02x", expander->bus_number);
        if (expander->cell != VIOMMU_UNSET)
            g_string_append_printf(label, "\nNUMA cell %d", expander->cell);
        box(output, id, label->str, false);
    }
}

static void print_ports(const ViommuOutput *output, const ViommuPcie *pcie)
{
    for (guint i = 0; i < pcie->ports->len; i++) {
        const ViommuPciePort *port = viommu_pcie_port(pcie, i);
        g_autofree char *id = bus_id(port->index), *parent = bus_id(port->parent);

        box(output, id, "root port", false);
        arrow(output, parent, id, "");
    }
}

/* A device that libvirt places on the bus @bus, or where it likes (0). */
static void print_guest_device(const ViommuOutput *output, const char *id, const char *label, unsigned bus,
                               bool outside)
{
    g_autofree char *name = g_strconcat("guest ", id, NULL);
    g_autofree char *parent = bus_id(bus);

    box(output, name, label, outside);
    arrow(output, parent, name, outside ? " [style=dashed]" : "");
}

static void print_disks(const ViommuOutput *output, const ViommuPlan *plan, bool has_iommu)
{
    for (guint i = 0; i < plan->disks->len; i++) {
        const ViommuPlanDisk *disk = g_ptr_array_index(plan->disks, i);
        g_autofree char *id = g_strdup_printf("disks.%u", i);
        g_autofree char *label =
            g_strdup_printf("%s\ndisk %s on %s", id, disk->target,
                            viommu_enum_to_string(&viommu_enum_disk_bus, (int)disk->bus));

        print_guest_device(output, id, label, 0,
                           has_iommu && disk->bus == VIOMMU_DISK_BUS_VIRTIO && !disk->translated);
    }
}

static void print_networks(const ViommuOutput *output, const ViommuPlan *plan, bool has_iommu)
{
    for (guint i = 0; i < plan->networks->len; i++) {
        const ViommuPlanNetwork *network = g_ptr_array_index(plan->networks, i);
        g_autofree char *id = g_strdup_printf("networks.%u", i);
        g_autofree char *label = g_strdup_printf(
            "%s\nnetwork %s", id, viommu_enum_to_string(&viommu_enum_network_model, (int)network->model));

        print_guest_device(output, id, label, 0,
                           has_iommu && network->model == VIOMMU_NETWORK_MODEL_VIRTIO &&
                               !network->translated);
    }
}

static void print_others(const ViommuOutput *output, const ViommuPlan *plan, bool has_iommu)
{
    for (guint i = 0; i < plan->shares->len; i++) {
        const ViommuPlanShare *share = g_ptr_array_index(plan->shares, i);
        g_autofree char *id = g_strdup_printf("shares.%u", i);
        g_autofree char *label = g_strdup_printf(
            "%s\n%s '%s'", id, viommu_enum_to_string(&viommu_enum_share_type, (int)share->type), share->tag);

        print_guest_device(output, id, label, 0, has_iommu && !share->translated);
    }
    for (int kind = 0; kind < VIOMMU_DEVICE_LAST; kind++) {
        const char *word = viommu_enum_to_string(&viommu_enum_device, kind);

        if (plan->devices[kind].present)
            print_guest_device(output, word, word, 0, has_iommu && !plan->devices[kind].translated);
    }
    if (plan->vsock)
        print_guest_device(output, "vsock", "vsock", 0, has_iommu && !plan->vsock_translated);
}

/* An expander bus has an SMMU of its own, or shares the guest's IOMMU with bus 0. */
static void print_further_iommu(const ViommuOutput *output, const ViommuPlan *plan, unsigned bus,
                                const char *label)
{
    bool own = plan->iommu.accelerated || plan->iommu.count > 1;
    g_autofree char *id = bus_id(bus), *iommu = own ? g_strdup_printf(IOMMU " %u", bus) : g_strdup(IOMMU);

    if (own)
        box(output, iommu, label, false);
    arrow(output, iommu, id, "");
}

static void print_guest(const ViommuOutput *output, const ViommuPlan *plan)
{
    bool has_iommu = plan->iommu.model != VIOMMU_MODEL_NONE;
    g_autofree char *title = g_strdup_printf("guest %s: %s", plan->name, plan->machine);
    g_autofree char *iommu = g_strdup_printf("IOMMU %s", viommu_model_to_string(plan->iommu.model));

    frame(output, "guest", title);
    if (has_iommu)
        box(output, IOMMU, iommu, false);
    box(output, ROOT, plan->family == VIOMMU_FAMILY_I440FX ? "pci.0" : "pcie.0", false);
    if (has_iommu)
        arrow(output, IOMMU, ROOT, "");
    print_expanders(output, &plan->pcie);
    for (guint i = 0; has_iommu && i < plan->pcie.expanders->len; i++)
        print_further_iommu(output, plan, viommu_pcie_expander(&plan->pcie, i)->index, iommu);
    print_ports(output, &plan->pcie);
    print_disks(output, plan, has_iommu);
    print_networks(output, plan, has_iommu);
    print_others(output, plan, has_iommu);
    for (guint i = 0; i < plan->placement.devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(plan->placement.devices, i);
        g_autofree char *id = g_strdup_printf("hostdevs.%u %s", device->entry, device->address);
        g_autofree char *label = g_strdup_printf("hostdevs.%u\n%s", device->entry, device->noun);

        print_guest_device(output, id, label, device->guest_bus, false);
    }
    end(output);
}

/* The host's side of a device, in the frames of its IOMMU and group. */
static void print_placed(const ViommuOutput *output, const ViommuPlacedDevice *device)
{
    g_autofree char *id = g_strconcat("host ", device->address, NULL);
    g_autofree char *guest = g_strdup_printf("guest hostdevs.%u %s", device->entry, device->address);
    g_autofree char *group = group_label(device->group);
    const char *iommu = device->iommu ? device->iommu : "IOMMU not known";
    g_autofree char *group_id = g_strdup_printf("%s %s", iommu, group);
    g_autofree char *label = g_strdup_printf("%s\n%s", device->address, device->noun);

    frame(output, iommu, iommu);
    frame(output, group_id, group);
    box(output, id, label, false);
    end(output);
    end(output);
    arrow(output, guest, id, device->iommufd ? " [label=\"iommufd\"]" : " [label=\"VFIO\"]");
}

void viommu_ctl_dot_plan(const ViommuOutput *output, const ViommuPlan *plan)
{
    begin(output, plan->name);
    print_guest(output, plan);
    if (plan->placement.devices->len > 0) {
        frame(output, "host", "host");
        for (guint i = 0; i < plan->placement.devices->len; i++)
            print_placed(output, g_ptr_array_index(plan->placement.devices, i));
        end(output);
    }
    viommu_output_format(output, "}\n");
}

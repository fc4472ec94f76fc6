/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/domain/domain-xml.h"

#include <stdio.h>

#include "lib/plan/numa.h"
#include "lib/base/quantity.h"
#include "lib/machine/forwards.h"
#include "lib/domain/hostdev-xml.h"
#include "lib/domain/memory-xml.h"
#include "lib/domain/sysinfo.h"
#include "lib/domain/virtio-xml.h"

static const char *on(bool flag)
{
    return flag ? "on" : NULL;
}

static void write_metadata(ViommuXmlWriter *xml, const ViommuMetadata *metadata)
{
    if (!metadata)
        return;
    viommu_xml_open(xml, "metadata");
    viommu_metadata_write(metadata, xml);
    viommu_metadata_write_additions(metadata, xml);
    viommu_xml_close(xml);
}

static void write_vcpus(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, plan->vcpus);

    viommu_xml_open(xml, "vcpu");
    if (plan->vcpus_present != plan->vcpus)
        viommu_xml_attribute_number(xml, "current", plan->vcpus_present);
    viommu_xml_text(xml, number);
    viommu_xml_close(xml);
}

static void write_secure_boot(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    switch (plan->secure_boot_by) {
    case VIOMMU_SECURE_BOOT_FEATURE:
        viommu_xml_open(xml, "firmware");
        viommu_xml_empty(xml, "feature", "enabled", plan->secure_boot ? "yes" : "no", "name", "secure-boot",
                         NULL);
        if (plan->secure_boot)
            viommu_xml_empty(xml, "feature", "enabled", "yes", "name", "enrolled-keys", NULL);
        viommu_xml_close(xml);
        break;
    case VIOMMU_SECURE_BOOT_LOADER:
        viommu_xml_empty(xml, "loader", "secure", plan->secure_boot ? "yes" : "no", NULL);
        break;
    case VIOMMU_SECURE_BOOT_NONE:
    case VIOMMU_SECURE_BOOT_LAST:
        break;
    }
}

static void write_os(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    viommu_xml_open(xml, "os");
    viommu_xml_attribute(xml, "firmware", plan->firmware == VIOMMU_FIRMWARE_EFI ? "efi" : NULL);
    viommu_xml_open(xml, "type");
    viommu_xml_attribute(xml, "arch", viommu_arch_to_string(plan->arch));
    viommu_xml_attribute(xml, "machine", plan->machine);
    viommu_xml_text(xml, "hvm");
    viommu_xml_close(xml);
    write_secure_boot(xml, plan);
    if (plan->firmware_stateful)
        viommu_xml_empty(xml, "loader", "stateless", "no", NULL);
    if (plan->firmware_stateless)
        viommu_xml_empty(xml, "loader", "stateless", "yes", NULL);
    viommu_xml_leaf(xml, "nvram", plan->nvram);
    viommu_xml_leaf(xml, "kernel", plan->kernel);
    viommu_xml_leaf(xml, "initrd", plan->initrd);
    viommu_xml_leaf(xml, "cmdline", plan->cmdline);
    if (viommu_sysinfo_has_smbios(plan))
        viommu_xml_empty(xml, "smbios", "mode", "sysinfo", NULL);
    if (!plan->kernel && !plan->boots_in_order && (plan->disks->len || plan->networks->len))
        viommu_xml_empty(xml, "boot", "dev", plan->disks->len ? "hd" : "network", NULL);
    viommu_xml_close(xml);
}

static void write_features(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (!plan->acpi && !plan->gic_version)
        return;
    viommu_xml_open(xml, "features");
    if (plan->acpi)
        viommu_xml_empty(xml, "acpi", NULL);
    if (plan->arch == VIOMMU_ARCH_X86_64)
        viommu_xml_empty(xml, "apic", NULL);
    if (plan->ioapic_split)
        viommu_xml_empty(xml, "ioapic", "driver", "qemu", NULL);
    if (plan->gic_version)
        viommu_xml_empty(xml, "gic", "version", plan->gic_version == 3 ? "3" : "2", NULL);
    viommu_xml_close(xml);
}

/* A node without memory left takes it from the others. */
static void write_numatune(ViommuXmlWriter *xml, const GArray *cells)
{
    if (cells->len == 0)
        return;
    viommu_xml_open(xml, "numatune");
    for (guint i = 0; i < cells->len; i++) {
        viommu_xml_open(xml, "memnode");
        viommu_xml_attribute_number(xml, "cellid", i);
        viommu_xml_attribute(xml, "mode", "preferred");
        viommu_xml_attribute_number(xml, "nodeset", g_array_index(cells, ViommuNumaCell, i).host_node);
        viommu_xml_close(xml);
    }
    viommu_xml_close(xml);
}

static void write_address_bits(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    bool said = plan->address_bits != VIOMMU_UNSET_NUMBER;

    if (!said && plan->address_limit == VIOMMU_UNSET_NUMBER)
        return;
    viommu_xml_open(xml, "maxphysaddr");
    viommu_xml_attribute(xml, "mode", said ? "emulate" : "passthrough");
    viommu_xml_attribute_number(xml, said ? "bits" : "limit",
                                said ? plan->address_bits : plan->address_limit);
    viommu_xml_close(xml);
}

static void write_cpu(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    bool said = plan->cpu_mode != VIOMMU_CPU_MODE_DEFAULT;

    if (!said && plan->cells->len == 0 && plan->memory_hotplug == VIOMMU_UNSET)
        return;
    viommu_xml_open(xml, "cpu");
    if (said)
        viommu_xml_attribute(xml, "mode", viommu_enum_to_string(&viommu_enum_cpu_mode, (int)plan->cpu_mode));
    if (plan->cpu_model) {
        viommu_xml_attribute(xml, "match", "exact");
        viommu_xml_leaf(xml, "model", plan->cpu_model);
    }
    write_address_bits(xml, plan);
    viommu_memory_write_cells(xml, plan);
    viommu_xml_close(xml);
}

static void write_clock_and_ends(ViommuXmlWriter *xml)
{
    viommu_xml_empty(xml, "clock", "offset", "utc", NULL);
    viommu_xml_leaf(xml, "on_poweroff", "destroy");
    viommu_xml_leaf(xml, "on_reboot", "restart");
    viommu_xml_leaf(xml, "on_crash", "destroy");
}

static void write_kept(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    for (const char *const *model = plan->kept_models; *model; model++)
        viommu_xml_empty(xml, "seclabel", "model", *model, "relabel", "no", NULL);
}

/* Writes the whole chain, or its end, so that QEMU does not read these names from the image. */
static void write_backing(ViommuXmlWriter *xml, const ViommuPlan *plan, const GPtrArray *chain)
{
    for (guint i = 0; i < chain->len; i++) {
        const ViommuPlanBacking *backing = g_ptr_array_index(chain, i);

        viommu_xml_open(xml, "backingStore");
        viommu_xml_attribute(xml, "type", "file");
        viommu_xml_empty(xml, "format", "type",
                         viommu_enum_to_string(&viommu_enum_disk_format, (int)backing->format), NULL);
        viommu_xml_open(xml, "source");
        viommu_xml_attribute(xml, "file", backing->path);
        viommu_xml_attribute(xml, "fdgroup", backing->is_open ? backing->group : NULL);
        write_kept(xml, plan);
        viommu_xml_close(xml);
    }
    viommu_xml_empty(xml, "backingStore", NULL);
    for (guint i = 0; i < chain->len; i++)
        viommu_xml_close(xml);
}

static void write_disk(ViommuXmlWriter *xml, const ViommuPlan *plan, const ViommuPlanDisk *disk,
                       const ViommuXmlPlace *place)
{
    viommu_xml_open(xml, "disk");
    viommu_xml_attribute(xml, "type", disk->is_block ? "block" : "file");
    viommu_xml_attribute(xml, "device", "disk");
    viommu_xml_empty(xml, "driver", "name", "qemu", "type",
                     viommu_enum_to_string(&viommu_enum_disk_format, (int)disk->format), "iommu",
                     on(disk->translated), "ats", on(disk->ats), NULL);
    viommu_xml_open(xml, "source");
    viommu_xml_attribute(xml, disk->is_block ? "dev" : "file", disk->path);
    viommu_xml_attribute(xml, "fdgroup", disk->is_open ? disk->target : NULL);
    if (disk->is_kept)
        write_kept(xml, plan);
    viommu_xml_close(xml);
    if (disk->backing && disk->format == VIOMMU_DISK_FORMAT_QCOW2)
        write_backing(xml, plan, disk->backing);
    viommu_xml_empty(xml, "target", "dev", disk->target, "bus",
                     viommu_enum_to_string(&viommu_enum_disk_bus, (int)disk->bus), NULL);
    if (disk->read_only)
        viommu_xml_empty(xml, "readonly", NULL);
    viommu_xml_write_boot_order(xml, disk->boot_order);
    /* libvirt wants one, and gives disks with the same one the same controller. */
    if (disk->bus == VIOMMU_DISK_BUS_NVME)
        viommu_xml_leaf(xml, "serial", disk->target);
    viommu_xml_write_place(xml, place);
    viommu_xml_close(xml);
}

static void open_pci_controller(ViommuXmlWriter *xml, unsigned index, const char *model)
{
    viommu_xml_open(xml, "controller");
    viommu_xml_attribute(xml, "type", "pci");
    viommu_xml_attribute_number(xml, "index", index);
    viommu_xml_attribute(xml, "model", model);
}

static void write_pcie(ViommuXmlWriter *xml, const ViommuPcie *pcie)
{
    for (guint i = 0; i < pcie->expanders->len; i++) {
        const ViommuPcieExpander *expander = viommu_pcie_expander(pcie, i);

        open_pci_controller(xml, expander->index, "pcie-expander-bus");
        viommu_xml_open(xml, "target");
        viommu_xml_attribute_number(xml, "busNr", expander->bus_number);
        if (expander->cell != VIOMMU_UNSET)
            viommu_xml_leaf_number(xml, "node", (uint64_t)expander->cell);
        viommu_xml_close(xml);
        viommu_xml_close(xml);
    }
    for (guint i = 0; i < pcie->ports->len; i++) {
        const ViommuPciePort *port = viommu_pcie_port(pcie, i);

        open_pci_controller(xml, port->index, "pcie-root-port");
        if (port->parent)
            viommu_xml_write_pci_address(xml, port->parent, port->slot);
        viommu_xml_close(xml);
    }
}

static void write_virtio_controller(ViommuXmlWriter *xml, const char *type, const char *model,
                                    const ViommuPlanDevice *device)
{
    viommu_xml_open(xml, "controller");
    viommu_xml_attribute(xml, "type", type);
    if (model)
        viommu_xml_attribute(xml, "model", model);
    viommu_virtio_write_driver(xml, device);
    viommu_xml_close(xml);
}

static void write_spare_sata(ViommuXmlWriter *xml, int index)
{
    viommu_xml_open(xml, "controller");
    viommu_xml_attribute(xml, "type", "sata");
    viommu_xml_attribute_number(xml, "index", (uint64_t)index);
    viommu_xml_write_pci_address(xml, 0, VIOMMU_SPARE_SATA_SLOT);
    viommu_xml_close(xml);
}

static void write_controllers(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    const ViommuPlanDevice *controller = &plan->devices[VIOMMU_DEVICE_SCSI];
    const ViommuPlanDevice serial = {.translated = viommu_plan_marks_virtio(plan)};

    write_pcie(xml, &plan->pcie);
    viommu_xml_empty(xml, "controller", "type", "usb", "model", "none", NULL);
    if (plan->spare_sata != VIOMMU_UNSET)
        write_spare_sata(xml, plan->spare_sata);
    if (controller->present)
        write_virtio_controller(xml, "scsi", "virtio-scsi", controller);
    if (plan->agent)
        write_virtio_controller(xml, "virtio-serial", NULL, &serial);
}

static void write_passt(ViommuXmlWriter *xml, const GArray *ports)
{
    viommu_xml_empty(xml, "backend", "type", "passt", NULL);
    if (ports->len == 0)
        return;
    viommu_xml_open(xml, "portForward");
    viommu_xml_attribute(xml, "proto", "tcp");
    viommu_xml_attribute(xml, "address", VIOMMU_FORWARD_ADDRESS);
    for (guint i = 0; i < ports->len; i++) {
        const ViommuPlanPort *port = &g_array_index(ports, ViommuPlanPort, i);
        char host[8], guest[8];

        g_snprintf(host, sizeof(host), "%u", port->host);
        g_snprintf(guest, sizeof(guest), "%u", port->guest);
        viommu_xml_empty(xml, "range", "start", host, "to", guest, NULL);
    }
    viommu_xml_close(xml);
}

/* QEMU connects to a socket, and does not wait for somebody to listen on it. */
static void write_source(ViommuXmlWriter *xml, const ViommuPlanNetwork *network, const char *type)
{
    if (network->type == VIOMMU_NETWORK_TYPE_VHOSTUSER)
        viommu_xml_empty(xml, "source", "type", "unix", "path", network->source, "mode", "client", NULL);
    else if (network->type == VIOMMU_NETWORK_TYPE_VDPA)
        viommu_xml_empty(xml, "source", "dev", network->source, NULL);
    else if (network->source)
        viommu_xml_empty(xml, "source", type, network->source, NULL);
}

static void write_network(ViommuXmlWriter *xml, const ViommuPlanNetwork *network, const ViommuXmlPlace *place)
{
    const char *type = viommu_enum_to_string(&viommu_enum_network_type, (int)network->type);

    viommu_xml_open(xml, "interface");
    viommu_xml_attribute(xml, "type", type);
    write_source(xml, network, type);
    viommu_xml_empty(xml, "model", "type",
                     viommu_enum_to_string(&viommu_enum_network_model, (int)network->model), NULL);
    if (network->translated)
        viommu_xml_empty(xml, "driver", "name", network->without_vhost ? "qemu" : NULL, "iommu", "on", "ats",
                         on(network->ats), NULL);
    viommu_xml_write_boot_order(xml, network->boot_order);
    if (network->passt_ports)
        write_passt(xml, network->passt_ports);
    viommu_xml_write_place(xml, place);
    viommu_xml_close(xml);
}

static void write_share(ViommuXmlWriter *xml, const ViommuPlanShare *share)
{
    bool virtiofs = share->type == VIOMMU_SHARE_TYPE_VIRTIOFS;

    viommu_xml_open(xml, "filesystem");
    viommu_xml_attribute(xml, "type", "mount");
    viommu_xml_attribute(xml, "accessmode", share->mapped ? "mapped" : "passthrough");
    viommu_xml_empty(xml, "driver", "type", virtiofs ? "virtiofs" : "path", "iommu",
                     share->translated ? "on" : NULL, NULL);
    viommu_xml_empty(xml, "source", "dir", share->path, NULL);
    viommu_xml_empty(xml, "target", "dir", share->tag, NULL);
    if (share->read_only)
        viommu_xml_empty(xml, "readonly", NULL);
    viommu_xml_close(xml);
}

static void write_granule(ViommuXmlWriter *xml, const ViommuIommuAttributes *given)
{
    if (given->granule)
        viommu_xml_empty(xml, "granule", "mode", given->granule, NULL);
    if (given->granule_bytes == VIOMMU_UNSET_NUMBER)
        return;
    viommu_xml_open(xml, "granule");
    viommu_xml_attribute_number(xml, "size", viommu_quantity_kib(given->granule_bytes));
    viommu_xml_attribute(xml, "unit", "KiB");
    viommu_xml_close(xml);
}

static bool has_attributes(const ViommuIommuAttributes *given)
{
    return given->intremap >= 0 || given->eim >= 0 || given->caching_mode >= 0 || given->iotlb >= 0 ||
           given->dma_translation >= 0 || given->xtsup >= 0 || given->aw_bits != VIOMMU_UNSET_NUMBER ||
           given->granule || given->granule_bytes != VIOMMU_UNSET_NUMBER;
}

static void write_iommu(ViommuXmlWriter *xml, const ViommuIommuChoice *choice)
{
    const ViommuIommuAttributes *given = &choice->attributes;

    if (choice->model == VIOMMU_MODEL_NONE)
        return;
    viommu_xml_open(xml, "iommu");
    viommu_xml_attribute(xml, "model", viommu_model_to_string(choice->model));
    if (has_attributes(given)) {
        viommu_xml_open(xml, "driver");
        viommu_xml_attribute_switch(xml, "intremap", given->intremap);
        viommu_xml_attribute_switch(xml, "caching_mode", given->caching_mode);
        viommu_xml_attribute_switch(xml, "eim", given->eim);
        viommu_xml_attribute_switch(xml, "iotlb", given->iotlb);
        viommu_xml_attribute_switch(xml, "dma_translation", given->dma_translation);
        viommu_xml_attribute_switch(xml, "xtsup", given->xtsup);
        if (given->aw_bits != VIOMMU_UNSET_NUMBER)
            viommu_xml_attribute_number(xml, "aw_bits", given->aw_bits);
        write_granule(xml, given);
        viommu_xml_close(xml);
    }
    viommu_xml_close(xml);
}

static void write_smmu(ViommuXmlWriter *xml, const ViommuPlan *plan, unsigned bus)
{
    viommu_xml_open(xml, "iommu");
    viommu_xml_attribute(xml, "model", viommu_model_to_string(plan->iommu.model));
    viommu_xml_open(xml, "driver");
    viommu_xml_attribute_number(xml, "pciBus", bus);
    if (bus != 0 && plan->iommu.accelerated) {
        viommu_xml_attribute(xml, "accel", "on");
        viommu_xml_attribute_switch(xml, "ats", plan->iommu.ats);
        viommu_xml_attribute_switch(xml, "ril", plan->iommu.ril);
        viommu_xml_attribute_switch(xml, "cmdqv", plan->iommu.cmdqv);
        if (plan->iommu.ssidsize != VIOMMU_UNSET_NUMBER)
            viommu_xml_attribute_number(xml, "ssidsize", plan->iommu.ssidsize);
        if (plan->iommu.oas != VIOMMU_UNSET_NUMBER)
            viommu_xml_attribute_number(xml, "oas", plan->iommu.oas);
    }
    viommu_xml_close(xml);
    viommu_xml_close(xml);
}

/* Devices that QEMU emulates stay on pcie.0 behind a plain SMMU where the others are accelerated:
 * such a one cannot serve them. */
static void write_smmus(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    write_smmu(xml, plan, 0);
    for (guint i = 0; i < plan->pcie.expanders->len; i++)
        write_smmu(xml, plan, viommu_pcie_expander(&plan->pcie, i)->index);
}

/* Lets viommud tell a panic from other ends.  Only new versions of libvirt know the device of
 * aarch64 (pvpanic-pci). */
static void write_panic(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (plan->arch == VIOMMU_ARCH_X86_64)
        viommu_xml_empty(xml, "panic", "model", "isa", NULL);
}

static void write_vsock(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (!plan->vsock)
        return;
    viommu_xml_open(xml, "vsock");
    viommu_xml_attribute(xml, "model", "virtio");
    viommu_xml_empty(xml, "cid", "auto", "yes", NULL);
    if (plan->vsock_translated)
        viommu_xml_empty(xml, "driver", "iommu", "on", NULL);
    viommu_xml_close(xml);
}

/* libvirt creates the socket. */
static void write_agent(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (!plan->agent)
        return;
    viommu_xml_open(xml, "channel");
    viommu_xml_attribute(xml, "type", "unix");
    viommu_xml_empty(xml, "target", "type", "virtio", "name", "org.qemu.guest_agent.0", NULL);
    viommu_xml_close(xml);
}

static void write_devices(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    viommu_xml_open(xml, "devices");
    viommu_xml_leaf(xml, "emulator", plan->emulator);
    for (guint i = 0; i < plan->disks->len; i++)
        write_disk(xml, plan, g_ptr_array_index(plan->disks, i), NULL);
    write_controllers(xml, plan);
    for (guint i = 0; i < plan->networks->len; i++)
        write_network(xml, g_ptr_array_index(plan->networks, i), NULL);
    for (guint i = 0; i < plan->shares->len; i++)
        write_share(xml, g_ptr_array_index(plan->shares, i));
    for (guint i = 0; i < plan->placement.devices->len; i++)
        viommu_hostdev_write(xml, g_ptr_array_index(plan->placement.devices, i), NULL);
    viommu_xml_empty(xml, "serial", "type", "pty", NULL);
    write_agent(xml, plan);
    if (plan->iommu.accelerated || plan->iommu.count > 1)
        write_smmus(xml, plan);
    else
        write_iommu(xml, &plan->iommu);
    viommu_virtio_write(xml, plan);
    viommu_memory_write_device(xml, plan);
    write_panic(xml, plan);
    write_vsock(xml, plan);
    viommu_xml_close(xml);
}

static void write_launch_security(ViommuXmlWriter *xml, const ViommuPlanLaunchSecurity *security)
{
    if (security->kind == VIOMMU_UNSET)
        return;
    viommu_xml_open(xml, "launchSecurity");
    viommu_xml_attribute(xml, "type", viommu_enum_to_string(&viommu_enum_launch_security, security->kind));
    if (security->hashes)
        viommu_xml_attribute(xml, "kernelHashes", "yes");
    if (security->policy != VIOMMU_UNSET_NUMBER) {
        g_autofree char *policy = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", security->policy);

        viommu_xml_leaf(xml, "policy", policy);
    }
    viommu_xml_close(xml);
}

/* libvirt also gives this label to what it creates for QEMU: sockets, the variable store, copies of
 * kernels. */
static void write_label(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (!plan->label)
        return;
    viommu_xml_open(xml, "seclabel");
    viommu_xml_attribute(xml, "type", "static");
    viommu_xml_attribute(xml, "model", "dac");
    viommu_xml_attribute(xml, "relabel", "yes");
    viommu_xml_leaf(xml, "label", plan->label);
    viommu_xml_close(xml);
}

char *viommu_domain_xml(const ViommuPlan *plan, const ViommuMetadata *metadata)
{
    g_autoptr(ViommuXmlWriter) xml = viommu_xml_writer_new();

    viommu_xml_open(xml, "domain");
    viommu_xml_attribute(xml, "type", plan->accelerator == VIOMMU_ACCELERATOR_KVM ? "kvm" : "qemu");
    viommu_xml_leaf(xml, "name", plan->domain);
    viommu_xml_leaf(xml, "uuid", plan->uuid);
    write_metadata(xml, metadata);
    viommu_memory_write(xml, plan);
    write_vcpus(xml, plan);
    viommu_memory_write_backing(xml, plan);
    write_numatune(xml, plan->cells);
    viommu_sysinfo_write(xml, plan);
    write_os(xml, plan);
    write_features(xml, plan);
    write_cpu(xml, plan);
    write_clock_and_ends(xml);
    write_devices(xml, plan);
    write_launch_security(xml, &plan->launch_security);
    write_label(xml, plan);
    viommu_xml_close(xml);
    return viommu_xml_finish(xml);
}

char *viommu_domain_device_xml(const ViommuPlan *plan, const char *alias, unsigned bus)
{
    const ViommuXmlPlace place = {alias, bus};
    g_autoptr(ViommuXmlWriter) xml = viommu_xml_writer_new();

    if (plan->disks->len > 0)
        write_disk(xml, plan, g_ptr_array_index(plan->disks, 0), &place);
    else if (plan->networks->len > 0)
        write_network(xml, g_ptr_array_index(plan->networks, 0), &place);
    else
        viommu_hostdev_write(xml, g_ptr_array_index(plan->placement.devices, 0), &place);
    return viommu_xml_finish(xml);
}

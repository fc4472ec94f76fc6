/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lint-compare: what the plan of a domain has, and the domain lacks.  QEMU and libvirt leave out,
 * by default, what a working IOMMU needs. */
#include <string.h>

#include "lib/base/quantity.h"
#include "lib/facts/facts.h"
#include "lib/host/caps.h"
#include "lib/lint/lint-internal.h"
#include "lib/plan/iommu-attributes.h"
#include "lib/plan/iommu-rules.h"
#include "lib/plan/movable.h"

static bool has_hostdevs(const ViommuLinting *linting)
{
    return linting->plan->placement.devices->len > 0;
}

/* --- Attributes of the IOMMU --- */

static bool many_vcpus(const ViommuLinting *linting)
{
    return linting->plan->arch == VIOMMU_ARCH_X86_64 && linting->plan->vcpus > VIOMMU_X86_PLAIN_VCPUS;
}

static bool is_told_on(const ViommuLinting *linting, const char *key)
{
    const ViommuDomainPart *part = viommu_lint_part(linting, key);

    return part && g_variant_get_boolean(part->value);
}

/* libvirt 9.0 src/qemu/qemu_validate.c: "IOMMU eim requires interrupt remapping to be enabled". */
static bool needs_remapping(const ViommuLinting *linting)
{
    return many_vcpus(linting) || is_told_on(linting, "iommu.eim");
}

/* Attributes that a domain must have where @matters says so. */
static const struct {
    const char *attribute;
    size_t planned; /* a flag of ViommuIommuAttributes */
    bool (*matters)(const ViommuLinting *linting);
    ViommuRule rule;
    const char *why;
} attributes[] = {
    {"intremap", offsetof(ViommuIommuAttributes, intremap), needs_remapping, VIOMMU_RULE_ATTRIBUTE,
     "EIM, and so more than 255 vCPUs, need interrupt remapping"},
    {"eim", offsetof(ViommuIommuAttributes, eim), many_vcpus, VIOMMU_RULE_VCPUS,
     "more than 255 vCPUs need EIM; only new releases of libvirt switch it on by themselves"},
    {"xtsup", offsetof(ViommuIommuAttributes, xtsup), many_vcpus, VIOMMU_RULE_VCPUS,
     "more than 255 vCPUs need xtsup"},
    {"caching_mode", offsetof(ViommuIommuAttributes, caching_mode), has_hostdevs, VIOMMU_RULE_HOSTDEV,
     "QEMU refuses assigned devices behind 'intel' without it, because it does not see the guest's mappings"},
};

/* Sets an attribute of the IOMMU's <driver>, which may have to be made. */
static void set_of_driver(ViommuLinting *linting, ViommuFinding *finding, const char *name, const char *value)
{
    const ViommuDomainRead *read = linting->read;
    g_autofree char *child = g_strdup_printf("<driver %s='%s'/>", name, value);

    if (read->iommu_driver)
        viommu_lint_set(linting, finding, read->iommu_driver, name, value);
    else
        viommu_lint_add_child(linting, finding, read->iommu, child);
}

static const xmlNode *driver_or_iommu(const ViommuLinting *linting)
{
    return linting->read->iommu_driver ? linting->read->iommu_driver : linting->read->iommu;
}

static bool says(const ViommuLinting *linting, const char *attribute)
{
    g_autofree char *value = viommu_xml_get(linting->read->iommu_driver, attribute);

    return value;
}

static void compare_attributes(ViommuLinting *linting)
{
    const ViommuIommuAttributes *given = &linting->plan->iommu.attributes;
    bool adds = linting->host.libvirt >= VIOMMU_FACT_LIBVIRT_ADDS_EIM && many_vcpus(linting);

    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
        g_autofree char *remedy = g_strdup_printf("set %s='on'", attributes[i].attribute);
        bool is_added =
            adds && linting->plan->iommu.model == VIOMMU_MODEL_INTEL && attributes[i].matters != has_hostdevs;
        ViommuFinding *finding;

        if (*(const int *)((const char *)given + attributes[i].planned) != 1 ||
            !attributes[i].matters(linting) || says(linting, attributes[i].attribute))
            continue;
        finding = viommu_lint_add(linting, is_added ? VIOMMU_SEVERITY_NOTE : VIOMMU_SEVERITY_ERROR,
                                  attributes[i].rule, driver_or_iommu(linting), NULL, remedy,
                                  "%s is missing: %s", attributes[i].attribute, attributes[i].why);
        set_of_driver(linting, finding, attributes[i].attribute, "on");
    }
}

/* QEMU's default width of 'intel'. */
static uint64_t default_bits(const ViommuLinting *linting)
{
    const char *machine = linting->plan->machine;
    ViommuVersion version = viommu_caps_machine_version(machine);

    if (!strchr(machine, '-'))
        version = linting->emulator->qemu;
    return version >= VIOMMU_FACT_INTEL_WIDE_MACHINE ? VIOMMU_INTEL_WIDE_BITS : VIOMMU_INTEL_NARROW_BITS;
}

static void compare_width(ViommuLinting *linting)
{
    uint64_t planned = linting->plan->iommu.attributes.aw_bits, width = linting->plan->placement.width_bits;
    bool known = width != VIOMMU_UNSET_NUMBER;
    uint64_t otherwise = default_bits(linting);
    g_autofree char *value = g_strdup_printf("%" G_GUINT64_FORMAT, planned), *remedy = NULL;
    ViommuFinding *finding;

    if (linting->plan->iommu.model != VIOMMU_MODEL_INTEL || !has_hostdevs(linting) ||
        says(linting, "aw_bits") || planned == VIOMMU_UNSET_NUMBER || planned >= otherwise)
        return;
    remedy = g_strdup_printf("set aw_bits='%s'", value);
    finding = viommu_lint_add(
        linting, known ? VIOMMU_SEVERITY_ERROR : VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_HOSTDEV,
        driver_or_iommu(linting), NULL, remedy,
        "aw_bits is missing: this machine type has %" G_GUINT64_FORMAT
        " bits by default, and QEMU refuses more than the host's IOMMU of an assigned device translates%s",
        otherwise, known ? "" : ", whose width is not known");
    set_of_driver(linting, finding, "aw_bits", value);
}

static void compare_granule(ViommuLinting *linting)
{
    const ViommuDomainRead *read = linting->read;
    uint64_t planned = linting->plan->iommu.attributes.granule_bytes;
    g_autofree char *granule = NULL, *child = NULL, *remedy = NULL;
    ViommuFinding *finding;

    if (planned == VIOMMU_UNSET_NUMBER || viommu_xml_child(read->iommu_driver, "granule"))
        return;
    granule = g_strdup_printf("<granule size='%" G_GUINT64_FORMAT "' unit='KiB'/>", planned / VIOMMU_KIB);
    child = g_strdup_printf("<driver>%s</driver>", granule);
    remedy = g_strdup_printf("add %s to its <driver>", granule);
    finding = viommu_lint_add(
        linting, VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_ATTRIBUTE, driver_or_iommu(linting), NULL, remedy,
        "the granule of 'virtio' is the host's page by default, which is larger than 4 KiB here: a guest with smaller pages puts no device behind the IOMMU");
    viommu_lint_add_child(linting, finding, driver_or_iommu(linting), read->iommu_driver ? granule : child);
}

/* --- What the IOMMU needs elsewhere --- */

static void add_feature(ViommuLinting *linting, ViommuFinding *finding, const char *element)
{
    g_autofree char *child = g_strdup_printf("<features>%s</features>", element);

    if (linting->read->features)
        viommu_lint_add_child(linting, finding, linting->read->features, element);
    else
        viommu_lint_add_child(linting, finding, linting->read->root, child);
}

/* libvirt refuses remapping without it: libvirt 9.0 src/qemu/qemu_validate.c. */
static void compare_ioapic(ViommuLinting *linting)
{
    const xmlNode *ioapic = viommu_xml_child(linting->read->features, "ioapic");
    ViommuFinding *finding;

    if (!is_told_on(linting, "iommu.intremap") || linting->read->has_split_ioapic)
        return;
    finding = viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_ATTRIBUTE,
                              ioapic                    ? ioapic
                              : linting->read->features ? linting->read->features
                                                        : NULL,
                              NULL, "set <ioapic driver='qemu'/> in <features>",
                              "interrupt remapping needs a split I/O APIC, and libvirt refuses it without");
    if (ioapic)
        viommu_lint_set(linting, finding, ioapic, "driver", "qemu");
    else
        add_feature(linting, finding, "<ioapic driver='qemu'/>");
}

static void compare_acpi(ViommuLinting *linting)
{
    const ViommuPlan *plan = linting->plan;
    ViommuFinding *finding;

    if (!plan->acpi || linting->read->has_acpi ||
        (plan->arch == VIOMMU_ARCH_AARCH64 && plan->iommu.model != VIOMMU_MODEL_VIRTIO))
        return;
    finding =
        viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_ACPI, linting->read->features, NULL,
                        "add <acpi/> to <features>",
                        "the guest is told of its IOMMU by the ACPI table %s, but the domain has no ACPI",
                        viommu_plan_guest_table(plan));
    add_feature(linting, finding, "<acpi/>");
}

/* Each SMMU but that of pcie.0 is one of the host's for assigned devices. */
static void compare_accelerated(ViommuLinting *linting)
{
    const ViommuDomainRead *read = linting->read;
    bool range_is_off = linting->plan->iommu.accelerated && linting->plan->iommu.ril == 0;

    if (linting->plan->iommu.accelerated && !read->has_accelerated)
        viommu_lint_add(
            linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_HOSTDEV, read->iommu, NULL,
            "put the devices below a pcie-expander-bus that has an <iommu> with <driver pciBus='...' accel='on'/>; \"viommuctl plan --xml\" shows one for a request with the same hostdevs",
            "a plain 'smmuv3' does not report the guest's mappings to QEMU, which refuses assigned devices behind it");
    for (const xmlNode *node = read->iommu; range_is_off && node; node = viommu_xml_next(node, "iommu")) {
        const xmlNode *driver = viommu_xml_child(node, "driver");
        g_autofree char *accel = viommu_xml_get(driver, "accel"), *ril = viommu_xml_get(driver, "ril");
        ViommuFinding *finding;

        if (g_strcmp0(accel, "on") != 0 || ril)
            continue;
        finding = viommu_lint_add(
            linting, VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_HOSTDEV, driver, NULL, "set ril='off'",
            "this QEMU starts only on a host whose SMMU has range invalidation, unless that is switched off");
        viommu_lint_set(linting, finding, driver, "ril", "off");
    }
}

static void compare_number(ViommuLinting *linting)
{
    if (linting->read->n_iommus > 1 && linting->plan->iommu.model != VIOMMU_MODEL_SMMUV3)
        viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_LIBVIRT,
                        viommu_xml_next(linting->read->iommu, "iommu"), NULL, "leave one of them",
                        "the domain has %u IOMMUs, but only 'smmuv3' can be there more than once",
                        linting->read->n_iommus);
}

/* --- Devices --- */

static void set_behind(ViommuLinting *linting, ViommuFinding *finding, const ViommuDomainDevice *device)
{
    if (device->driver)
        viommu_lint_set(linting, finding, device->driver, "iommu", "on");
    else
        viommu_lint_add_child(linting, finding, device->node, "<driver iommu='on'/>");
}

/* QEMU 5.2 hw/virtio/virtio-pci.c (virtio_pci_device_plugged): "VIRTIO_F_IOMMU_PLATFORM was
 * supported by neither legacy nor transitional device".  On pcie.0 a device is transitional. */
static const char *why_not_modern(const ViommuDomainDevice *device)
{
    if (device->legacy)
        return "is 'virtio-transitional'";
    return device->kept_on_bus_0 ? "is on bus 0, where QEMU makes it transitional" : NULL;
}

static void compare_bypass(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    const char *old = why_not_modern(device);
    ViommuFinding *finding;

    if (old) {
        viommu_lint_add(linting, VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_TRANSLATE, device->node, NULL,
                        "leave its <address> to libvirt and its model at 'virtio', and set iommu='on'",
                        "this %s bypasses the IOMMU, and cannot be behind it, because it %s", device->noun,
                        old);
        return;
    }
    finding = viommu_lint_add(
        linting, VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_TRANSLATE,
        device->driver ? device->driver : device->node, NULL, "set iommu='on' in its <driver>",
        "this %s bypasses the IOMMU: its DMA is neither translated nor stopped", device->noun);
    set_behind(linting, finding, device);
}

/* Its queues are in memory that QEMU cannot read. */
static void compare_encrypted(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    ViommuFinding *finding = viommu_lint_add(
        linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_LAUNCH_SECURITY,
        device->driver ? device->driver : device->node, NULL, "set iommu='on' in its <driver>",
        "the guest cannot use this %s: its memory is encrypted, and only with iommu='on' it shares what the device may see",
        device->noun);

    set_behind(linting, finding, device);
}

/* Only networks that plans put behind the IOMMU can lose their vhost.  With ATS and a device IOTLB,
 * vhost hears of what a guest unmaps. */
static void compare_vhost(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    const ViommuPlanNetwork *planned =
        device->network == VIOMMU_UNSET ? NULL
                                        : g_ptr_array_index(linting->plan->networks, (guint)device->network);
    ViommuFinding *finding;

    if (!planned || !planned->without_vhost || device->without_vhost || !device->driver ||
        (device->ats && linting->plan->iommu.attributes.iotlb == 1))
        return;
    finding = viommu_lint_add(
        linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_TRANSLATE, device->driver, NULL,
        "let QEMU itself serve it: set name='qemu'",
        "the guest loses this network, because this QEMU does not tell vhost what a guest unmaps behind 'intel'");
    viommu_lint_set(linting, finding, device->driver, "name", "qemu");
}

/* libvirt defines it, QEMU starts it, and the guest finds no IOMMU to use ATS with. */
static void compare_ats(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    ViommuFinding *finding;

    if (!device->ats || linting->plan->iommu.attributes.iotlb == 1)
        return;
    finding = viommu_lint_add(linting, VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_TRANSLATE, device->driver, "ats",
                              "remove ats='on', or give the domain an 'intel' IOMMU with iotlb='on'",
                              "ATS of this %s does nothing, because the IOMMU has no IOTLB for devices",
                              device->noun);
    viommu_lint_set(linting, finding, device->driver, "ats", NULL);
}

/* The guest runs, and its device reaches nobody. */
static void compare_vsock(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    const char *why = linting->plan->vsock_obstacle;
    ViommuFinding *finding;

    if (!device->behind) {
        viommu_lint_add(linting, VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_LAST, device->node, NULL, NULL,
                        "this %s is outside the IOMMU: %s", device->noun, why);
        return;
    }
    finding = viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_TRANSLATE, device->driver, "iommu",
                              "do that, or remove iommu='on'", "this %s does not work behind the IOMMU: %s",
                              device->noun, why);
    viommu_lint_set(linting, finding, device->driver, "iommu", NULL);
}

static void compare_device(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    const ViommuPlan *plan = linting->plan;
    bool planned = device->is_vsock ? plan->vsock_translated : plan->iommu.translate;
    const char *old = why_not_modern(device);

    if (device->behind && old)
        viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_TRANSLATE, device->node, NULL,
                        "leave its <address> to libvirt, and its model at 'virtio'",
                        "QEMU refuses to start with iommu='on' of this %s, because it %s", device->noun, old);
    if (plan->launch_security.kind != VIOMMU_UNSET && !device->behind && !device->outside)
        compare_encrypted(linting, device);
    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        return;
    if (device->is_vsock && plan->vsock_obstacle)
        compare_vsock(linting, device);
    else if (device->outside && planned)
        viommu_lint_compare_offloaded(linting, device);
    else if (planned && !device->behind)
        compare_bypass(linting, device);
    else if (device->behind)
        compare_vhost(linting, device);
    compare_ats(linting, device);
}

/* libvirt 9.0 src/qemu/qemu_domain.c (qemuDomainDefAddDefaultDevices). */
static void compare_balloon(ViommuLinting *linting)
{
    ViommuFinding *finding;

    if (linting->read->has_balloon || !linting->plan->iommu.translate || !linting->read->devices_node)
        return;
    finding = viommu_lint_add(
        linting, VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_TRANSLATE, linting->read->devices_node, NULL,
        "add <memballoon model='virtio'> with <driver iommu='on'/>, or model 'none'",
        "the domain does not mention a memory balloon: libvirt adds one, which bypasses the IOMMU");
    viommu_lint_add_child(linting, finding, linting->read->devices_node,
                          "<memballoon model='virtio'><driver iommu='on'/></memballoon>");
}

/* --- Memory and migration --- */

static void compare_memlock(ViommuLinting *linting)
{
    const ViommuPlan *plan = linting->plan;
    uint64_t limit = linting->read->hard_limit_bytes,
             least = viommu_quantity_kib(plan->memory_bytes) * VIOMMU_KIB;
    g_autofree char *has = NULL, *needs = NULL, *remedy = NULL;

    if (!has_hostdevs(linting) || limit == VIOMMU_UNSET_NUMBER || limit >= plan->memlock_bytes)
        return;
    has = viommu_quantity_format(limit);
    needs = viommu_quantity_format(plan->memlock_bytes);
    remedy = g_strdup_printf("leave <hard_limit> out, or give at least %s", needs);
    viommu_lint_add(
        linting, limit < least ? VIOMMU_SEVERITY_ERROR : VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_MEMLOCK,
        linting->read->hard_limit, NULL, remedy,
        "the assigned devices may lock %s, but <hard_limit> lets QEMU lock %s: it may fail with \"Cannot allocate memory\"",
        needs, has);
}

/* The keys of a request have no place for the disks of a domain. */
static void note_disks(ViommuLinting *linting)
{
    const char *words =
        viommu_movable_disk(VIOMMU_DISK_BUS_NVME, linting->host.libvirt, linting->emulator->qemu);

    for (const xmlNode *disk = viommu_xml_child(linting->read->devices_node, "disk"); words && disk;
         disk = viommu_xml_next(disk, "disk")) {
        g_autofree char *bus = viommu_xml_get(viommu_xml_child(disk, "target"), "bus");

        if (g_strcmp0(bus, "nvme") == 0)
            viommu_lint_add(linting, VIOMMU_SEVERITY_NOTE, VIOMMU_RULE_MIGRATION, disk, NULL, NULL, "%s",
                            words);
    }
}

static void note_migration(ViommuLinting *linting)
{
    const char *words = viommu_movable_hostdevs(linting->plan);

    for (guint i = 0; words && i < linting->read->parts->len; i++) {
        const ViommuDomainPart *part = g_ptr_array_index(linting->read->parts, i);

        if (!part->dropped && g_str_equal(part->key, "hostdevs"))
            viommu_lint_add(linting, VIOMMU_SEVERITY_NOTE, VIOMMU_RULE_MIGRATION, part->node, NULL, NULL,
                            "%s", words);
    }
    note_disks(linting);
}

static void note_remapping(ViommuLinting *linting)
{
    const ViommuPlan *plan = linting->plan;

    if (plan->iommu.attributes.intremap != 1 || plan->accelerator != VIOMMU_ACCELERATOR_KVM ||
        says(linting, "intremap") || needs_remapping(linting))
        return;
    viommu_lint_add(
        linting, VIOMMU_SEVERITY_NOTE, VIOMMU_RULE_ATTRIBUTE, driver_or_iommu(linting), NULL,
        "set intremap='on' here and <ioapic driver='qemu'/> in <features>",
        "interrupts are not remapped by default: VFIO in the guest then needs vfio_iommu_type1.allow_unsafe_interrupts=1");
}

void viommu_lint_compare(ViommuLinting *linting)
{
    bool has_iommu = linting->read->iommu && linting->plan->iommu.model != VIOMMU_MODEL_NONE;

    if (linting->read->odd_model)
        viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_LIBVIRT, linting->read->iommu, "model",
                        "use intel, smmuv3, virtio or amd", "'%s' is no model of an IOMMU",
                        linting->read->odd_model);
    /* What the plan has of another model says nothing of this one. */
    if (has_iommu && !viommu_lint_part(linting, "iommu.model"))
        return;
    if (has_iommu) {
        compare_attributes(linting);
        compare_width(linting);
        compare_granule(linting);
        compare_ioapic(linting);
        compare_acpi(linting);
        compare_accelerated(linting);
        compare_number(linting);
        compare_balloon(linting);
        note_remapping(linting);
    }
    for (guint i = 0; i < linting->read->devices->len; i++)
        compare_device(linting, g_ptr_array_index(linting->read->devices, i));
    viommu_lint_compare_shared_memory(linting);
    compare_memlock(linting);
    note_migration(linting);
}

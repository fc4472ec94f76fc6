/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/host/fact-probe.h"

#include "lib/base/quantity.h"
#include "lib/base/xml-write.h"

#define BOTH VIOMMU_UNSET

/* libvirt drops unknown attributes silently, so acceptance counts only if the arguments have QEMU's
 * property.  What QEMU itself refuses at its start (EIM under TCG) is not visible this way. */
static const struct {
    ViommuFactId fact;
    int arch; /* ViommuArch; BOTH */
    ViommuModel model;
    const char *attribute, *value; /* of <driver>, of a hostdev where model is none; NULL: none */
    const char *shows;
} probes[] = {
    {VIOMMU_FACT_INTEL, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, NULL, NULL, "intel-iommu"},
    {VIOMMU_FACT_SMMUV3, VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3, NULL, NULL, "iommu=smmuv3"},
    {VIOMMU_FACT_VIRTIO_X86_64, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, NULL, NULL, "virtio-iommu"},
    {VIOMMU_FACT_VIRTIO_AARCH64, VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_VIRTIO, NULL, NULL, "virtio-iommu"},
    {VIOMMU_FACT_AMD, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_AMD, NULL, NULL, "amd-iommu"},
    {VIOMMU_FACT_INTEL_INTREMAP, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, "intremap", "on", "intremap"},
    {VIOMMU_FACT_INTEL_EIM, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, "eim", "on", "eim"},
    {VIOMMU_FACT_INTEL_CACHING_MODE, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, "caching_mode", "on",
     "caching-mode"},
    {VIOMMU_FACT_INTEL_IOTLB, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, "iotlb", "on", "device-iotlb"},
    {VIOMMU_FACT_INTEL_AW_BITS, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, "aw_bits", "48", "aw-bits"},
    {VIOMMU_FACT_INTEL_DMA_TRANSLATION, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, "dma_translation", "off",
     "dma-translation"},
    {VIOMMU_FACT_VIRTIO_AW_BITS, BOTH, VIOMMU_MODEL_VIRTIO, "aw_bits", "48", "aw-bits"},
    {VIOMMU_FACT_VIRTIO_GRANULE, BOTH, VIOMMU_MODEL_VIRTIO, "granule", "4", "granule"},
    {VIOMMU_FACT_AMD_INTREMAP, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_AMD, "intremap", "on", "intremap"},
    {VIOMMU_FACT_AMD_IOTLB, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_AMD, "iotlb", "on", "device-iotlb"},
    {VIOMMU_FACT_SMMUV3_ACCEL, VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3, "accel", "on", "\"accel\":true"},
    {VIOMMU_FACT_SMMUV3_RIL, VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3, "ril", "off", "\"ril\":\"off\""},
    {VIOMMU_FACT_IOMMUFD, BOTH, VIOMMU_MODEL_NONE, "iommufd", "yes", "\"iommufd\":"},
    {VIOMMU_FACT_AMD_XTSUP, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_AMD, "xtsup", "on", "xtsup"},
};

/* The IOMMU of an expander bus, which must be there. */
#define BUS_OF_IOMMU "1"

static void write_buses(ViommuXmlWriter *xml)
{
    viommu_xml_empty(xml, "controller", "type", "pci", "index", "0", "model", "pcie-root", NULL);
    viommu_xml_empty(xml, "controller", "type", "pci", "index", BUS_OF_IOMMU, "model", "pcie-expander-bus",
                     NULL);
}

/* A conversion does not look for the device. */
static void write_hostdev(ViommuXmlWriter *xml, const char *attribute, const char *value)
{
    viommu_xml_open(xml, "hostdev");
    viommu_xml_attribute(xml, "mode", "subsystem");
    viommu_xml_attribute(xml, "type", "pci");
    viommu_xml_attribute(xml, "managed", "yes");
    if (attribute)
        viommu_xml_empty(xml, "driver", attribute, value, NULL);
    viommu_xml_open(xml, "source");
    viommu_xml_empty(xml, "address", "domain", "0x0000", "bus", "0x01", "slot", "0x00", "function", "0x0",
                     NULL);
    viommu_xml_close(xml);
    viommu_xml_close(xml);
}

static void write_iommu(ViommuXmlWriter *xml, ViommuModel model, const char *attribute, const char *value)
{
    viommu_xml_open(xml, "iommu");
    viommu_xml_attribute(xml, "model", viommu_model_to_string(model));
    if (attribute) {
        viommu_xml_open(xml, "driver");
        if (g_str_equal(attribute, "granule")) {
            viommu_xml_empty(xml, "granule", "size", value, "unit", "KiB", NULL);
        } else {
            /* EIM needs it. */
            if (g_str_equal(attribute, "eim"))
                viommu_xml_attribute(xml, "intremap", "on");
            /* Without a bus of its own it is the machine's, which is never accelerated. */
            if (model == VIOMMU_MODEL_SMMUV3)
                viommu_xml_attribute(xml, "pciBus", BUS_OF_IOMMU);
            if (g_str_equal(attribute, "ril"))
                viommu_xml_attribute(xml, "accel", "on");
            viommu_xml_attribute(xml, attribute, value);
        }
        viommu_xml_close(xml);
    }
    viommu_xml_close(xml);
}

static void write_os(ViommuXmlWriter *xml, const ViommuEmulator *emulator)
{
    bool arm = emulator->arch == VIOMMU_ARCH_AARCH64;

    viommu_xml_open(xml, "os");
    viommu_xml_open(xml, "type");
    viommu_xml_attribute(xml, "arch", emulator->arch_name);
    viommu_xml_attribute(xml, "machine", viommu_arch_default_machine((ViommuArch)emulator->arch));
    viommu_xml_text(xml, "hvm");
    viommu_xml_close(xml);
    /* ACPI needs UEFI there; a conversion does not open the image. */
    if (arm) {
        viommu_xml_open(xml, "loader");
        viommu_xml_attribute(xml, "readonly", "yes");
        viommu_xml_attribute(xml, "type", "pflash");
        viommu_xml_text(xml, "/nonexistent");
        viommu_xml_close(xml);
    }
    viommu_xml_close(xml);
    viommu_xml_open(xml, "features");
    viommu_xml_empty(xml, "acpi", NULL);
    if (!arm)
        viommu_xml_empty(xml, "ioapic", "driver", "qemu", NULL);
    viommu_xml_close(xml);
}

/* The smallest domain, to which its device is added. */
static ViommuXmlWriter *begin_domain(const ViommuEmulator *emulator)
{
    bool tcg = emulator->accelerators & VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG);
    ViommuXmlWriter *xml = viommu_xml_writer_new();

    viommu_xml_open(xml, "domain");
    viommu_xml_attribute(xml, "type", tcg ? "qemu" : "kvm");
    viommu_xml_leaf(xml, "name", "viommu-probe");
    viommu_xml_leaf_number(xml, "memory", viommu_quantity_kib(64 * VIOMMU_MIB));
    viommu_xml_leaf_number(xml, "vcpu", 1);
    write_os(xml, emulator);
    viommu_xml_open(xml, "devices");
    viommu_xml_leaf(xml, "emulator", emulator->path);
    viommu_xml_empty(xml, "controller", "type", "usb", "model", "none", NULL);
    viommu_xml_empty(xml, "memballoon", "model", "none", NULL);
    return xml;
}

static char *end_domain(ViommuXmlWriter *xml)
{
    viommu_xml_close(xml);
    viommu_xml_close(xml);
    return viommu_xml_finish(xml);
}

char *viommu_fact_probe(ViommuFactId fact, const ViommuEmulator *emulator, const char **ret_shows)
{
    for (size_t i = 0; i < G_N_ELEMENTS(probes); i++) {
        g_autoptr(ViommuXmlWriter) xml = NULL;

        if (probes[i].fact != fact || (probes[i].arch != BOTH && probes[i].arch != emulator->arch))
            continue;
        xml = begin_domain(emulator);
        if (probes[i].model == VIOMMU_MODEL_SMMUV3 && probes[i].attribute)
            write_buses(xml);
        if (probes[i].model == VIOMMU_MODEL_NONE)
            write_hostdev(xml, probes[i].attribute, probes[i].value);
        else
            write_iommu(xml, probes[i].model, probes[i].attribute, probes[i].value);
        *ret_shows = probes[i].shows;
        return end_domain(xml);
    }
    return NULL;
}

char *viommu_fact_probe_ground(ViommuFactId fact, const ViommuEmulator *emulator)
{
    g_autoptr(ViommuXmlWriter) xml = NULL;

    if (fact != VIOMMU_FACT_IOMMUFD)
        return NULL;
    xml = begin_domain(emulator);
    write_hostdev(xml, NULL, NULL);
    return end_domain(xml);
}

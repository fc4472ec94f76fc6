/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/domain/virtio-xml.h"

void viommu_virtio_write_driver(ViommuXmlWriter *xml, const ViommuPlanDevice *device)
{
    if (device->translated)
        viommu_xml_empty(xml, "driver", "iommu", "on", "ats", device->ats ? "on" : NULL, NULL);
}

static void write_entropy(ViommuXmlWriter *xml, const ViommuPlanDevice *device)
{
    viommu_xml_open(xml, "rng");
    viommu_xml_attribute(xml, "model", "virtio");
    viommu_virtio_write_driver(xml, device);
    viommu_xml_open(xml, "backend");
    viommu_xml_attribute(xml, "model", "random");
    viommu_xml_text(xml, "/dev/urandom");
    viommu_xml_close(xml);
    viommu_xml_close(xml);
}

/* libvirt adds a balloon to a domain that has no word of one. */
static void write_balloon(ViommuXmlWriter *xml, const ViommuPlanDevice *balloon)
{
    viommu_xml_open(xml, "memballoon");
    viommu_xml_attribute(xml, "model", balloon->present ? "virtio" : "none");
    viommu_virtio_write_driver(xml, balloon);
    viommu_xml_close(xml);
}

static void write_gpu(ViommuXmlWriter *xml, const ViommuPlanDevice *gpu)
{
    if (!gpu->present)
        return;
    viommu_xml_open(xml, "video");
    viommu_virtio_write_driver(xml, gpu);
    viommu_xml_empty(xml, "model", "type", "virtio", NULL);
    viommu_xml_close(xml);
}

static void write_inputs(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    static const ViommuDeviceKind kinds[] = {VIOMMU_DEVICE_KEYBOARD, VIOMMU_DEVICE_MOUSE,
                                             VIOMMU_DEVICE_TABLET};

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const ViommuPlanDevice *input = &plan->devices[kinds[i]];

        if (!input->present)
            continue;
        viommu_xml_open(xml, "input");
        viommu_xml_attribute(xml, "type", viommu_enum_to_string(&viommu_enum_device, (int)kinds[i]));
        viommu_xml_attribute(xml, "bus", "virtio");
        viommu_virtio_write_driver(xml, input);
        viommu_xml_close(xml);
    }
}

void viommu_virtio_write(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    write_inputs(xml, plan);
    write_gpu(xml, &plan->devices[VIOMMU_DEVICE_GPU]);
    write_balloon(xml, &plan->devices[VIOMMU_DEVICE_BALLOON]);
    write_entropy(xml, &plan->devices[VIOMMU_DEVICE_RNG]);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/domain/memory-xml.h"

#include "lib/base/quantity.h"
#include "lib/plan/numa.h"

/* More than anybody plugs in by hand. */
#define DIMM_SLOTS 16

static void write_kib(ViommuXmlWriter *xml, uint64_t bytes)
{
    g_autofree char *kib = g_strdup_printf("%" G_GUINT64_FORMAT, viommu_quantity_kib(bytes));

    viommu_xml_attribute(xml, "unit", "KiB");
    viommu_xml_text(xml, kib);
}

static void write_size(ViommuXmlWriter *xml, const char *name, uint64_t bytes)
{
    viommu_xml_open(xml, name);
    write_kib(xml, bytes);
    viommu_xml_close(xml);
}

void viommu_memory_write(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (plan->memory_hotplug != VIOMMU_UNSET) {
        viommu_xml_open(xml, "maxMemory");
        viommu_xml_attribute_number(xml, "slots", DIMM_SLOTS);
        write_kib(xml, plan->memory_max_bytes);
        viommu_xml_close(xml);
    }
    write_size(xml, "memory", plan->memory_bytes);
}

void viommu_memory_write_backing(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (!plan->page_size_bytes && !plan->locked && !plan->shared_memory)
        return;
    viommu_xml_open(xml, "memoryBacking");
    if (plan->page_size_bytes) {
        viommu_xml_open(xml, "hugepages");
        viommu_xml_open(xml, "page");
        viommu_xml_attribute_number(xml, "size", viommu_quantity_kib(plan->page_size_bytes));
        viommu_xml_attribute(xml, "unit", "KiB");
        viommu_xml_close(xml);
        viommu_xml_close(xml);
    }
    if (plan->locked)
        viommu_xml_empty(xml, "locked", NULL);
    if (plan->shared_memory) {
        viommu_xml_empty(xml, "source", "type", "memfd", NULL);
        viommu_xml_empty(xml, "access", "mode", "shared", NULL);
    }
    viommu_xml_close(xml);
}

static void write_cell(ViommuXmlWriter *xml, guint i, const ViommuNumaCell *cell)
{
    g_autofree char *vcpus = g_strdup_printf("%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, cell->first_vcpu,
                                             cell->first_vcpu + cell->vcpus - 1);

    viommu_xml_open(xml, "cell");
    viommu_xml_attribute_number(xml, "id", i);
    viommu_xml_attribute(xml, "cpus", vcpus);
    viommu_xml_attribute_number(xml, "memory", viommu_quantity_kib(cell->memory_bytes));
    viommu_xml_attribute(xml, "unit", "KiB");
    viommu_xml_close(xml);
}

/* libvirt before 9.6 refuses memory that can grow without a cell, and later ones add one. */
void viommu_memory_write_cells(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    const ViommuNumaCell all = {.vcpus = plan->vcpus, .memory_bytes = plan->memory_bytes};

    if (plan->cells->len == 0 && plan->memory_hotplug == VIOMMU_UNSET)
        return;
    viommu_xml_open(xml, "numa");
    for (guint i = 0; i < plan->cells->len; i++)
        write_cell(xml, i, &g_array_index(plan->cells, ViommuNumaCell, i));
    if (plan->cells->len == 0)
        write_cell(xml, 0, &all);
    viommu_xml_close(xml);
}

/* It is as large as it can get, and the guest starts with nothing of it. */
void viommu_memory_write_device(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (plan->memory_hotplug != VIOMMU_MEMORY_HOTPLUG_VIRTIO_MEM)
        return;
    viommu_xml_open(xml, "memory");
    viommu_xml_attribute(xml, "model", "virtio-mem");
    if (plan->memory_translated)
        viommu_xml_empty(xml, "driver", "iommu", "on", NULL);
    viommu_xml_open(xml, "target");
    write_size(xml, "size", plan->memory_max_bytes - plan->memory_bytes);
    viommu_xml_leaf_number(xml, "node", 0);
    write_size(xml, "block", plan->memory_block_bytes);
    write_size(xml, "requested", 0);
    viommu_xml_close(xml);
    viommu_xml_close(xml);
}

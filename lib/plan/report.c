/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/report.h"

#include "lib/plan/numa.h"
#include "lib/base/quantity.h"

/* Like g_variant_builder_add() with "{sv}", but does not parse this format each time, which took a
 * third of the report's time. */
static void add(GVariantBuilder *tree, const char *key, GVariant *value)
{
    g_variant_builder_add_value(
        tree, g_variant_new_dict_entry(g_variant_new_string(key), g_variant_new_variant(value)));
}

static GVariant *attributes_tree(const ViommuIommuChoice *choice)
{
    const ViommuIommuAttributes *given = &choice->attributes;
    const struct {
        const char *key;
        int flag;
    } switches[] = {
        {"intremap", given->intremap}, {"eim", given->eim},     {"caching-mode", given->caching_mode},
        {"iotlb", given->iotlb},       {"xtsup", given->xtsup}, {"dma-translation", given->dma_translation},
    };
    GVariantBuilder tree;

    g_variant_builder_init(&tree, G_VARIANT_TYPE_VARDICT);
    for (size_t i = 0; i < G_N_ELEMENTS(switches); i++)
        if (switches[i].flag != VIOMMU_UNSET)
            add(&tree, switches[i].key, g_variant_new_boolean(switches[i].flag));
    if (given->aw_bits != VIOMMU_UNSET_NUMBER)
        add(&tree, "aw-bits", g_variant_new_uint32((guint32)given->aw_bits));
    if (given->granule)
        add(&tree, "granule", g_variant_new_string(given->granule));
    if (given->granule_bytes != VIOMMU_UNSET_NUMBER)
        add(&tree, "granule", g_variant_new_take_string(viommu_quantity_format(given->granule_bytes)));
    if (choice->count > 1)
        add(&tree, "count", g_variant_new_uint32((guint32)choice->count));
    return g_variant_builder_end(&tree);
}

/* " KEY=VALUE", with sizes in bytes. */
static void put_word(GString *words, const char *key, GVariant *value, const ViommuIommuAttributes *given)
{
    g_string_append_printf(words, "%s%s=", words->len ? " " : "", key);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        g_string_append(words, g_variant_get_boolean(value) ? "on" : "off");
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
        g_string_append_printf(words, "%u", g_variant_get_uint32(value));
    else if (given->granule)
        g_string_append(words, given->granule);
    else
        g_string_append_printf(words, "%" G_GUINT64_FORMAT, given->granule_bytes);
}

static void add_outside(GPtrArray *keys, const char *list, guint i)
{
    g_ptr_array_add(keys, g_strdup_printf("%s[%u]", list, i));
}

/* Disks have no more devices than keys: those on SCSI share a controller. */
static unsigned list_disks_outside(const ViommuPlan *plan, GPtrArray *keys)
{
    const ViommuPlanDevice *controller = &plan->devices[VIOMMU_DEVICE_SCSI];
    bool scsi = controller->present && controller->asked == VIOMMU_UNSET && !controller->translated;
    unsigned n = scsi;

    for (guint i = 0; i < plan->disks->len; i++) {
        const ViommuPlanDisk *disk = g_ptr_array_index(plan->disks, i);
        bool is_virtio = disk->bus == VIOMMU_DISK_BUS_VIRTIO && !disk->translated;

        n += is_virtio;
        if (is_virtio || (scsi && disk->bus == VIOMMU_DISK_BUS_SCSI))
            add_outside(keys, "disks", i);
    }
    return n;
}

/* In the order of the request. */
static unsigned list_others_outside(const ViommuPlan *plan, GPtrArray *keys)
{
    unsigned n = 0;

    for (int i = 0; i < VIOMMU_DEVICE_LAST; i++)
        for (int kind = 0; kind < VIOMMU_DEVICE_LAST; kind++) {
            const ViommuPlanDevice *device = &plan->devices[kind];

            if (!device->present || device->asked != i || device->translated)
                continue;
            add_outside(keys, "devices", (guint)i);
            n++;
        }
    return n;
}

/* The keys of the requested devices that are outside the IOMMU; none without an IOMMU.
 * *ret_devices: how many devices these are. */
static GPtrArray *list_outside(const ViommuPlan *plan, unsigned *ret_devices)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);

    *ret_devices = 0;
    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        return keys;
    *ret_devices = list_disks_outside(plan, keys);
    for (guint i = 0; i < plan->networks->len; i++) {
        const ViommuPlanNetwork *network = g_ptr_array_index(plan->networks, i);

        if (network->model == VIOMMU_NETWORK_MODEL_VIRTIO && !network->translated) {
            add_outside(keys, "networks", i);
            ++*ret_devices;
        }
    }
    *ret_devices += list_others_outside(plan, keys);
    for (guint i = 0; i < plan->shares->len; i++)
        if (!((const ViommuPlanShare *)g_ptr_array_index(plan->shares, i))->translated) {
            add_outside(keys, "shares", i);
            ++*ret_devices;
        }
    if (plan->memory_hotplug == VIOMMU_MEMORY_HOTPLUG_VIRTIO_MEM && !plan->memory_translated) {
        g_ptr_array_add(keys, g_strdup("memory-hotplug"));
        ++*ret_devices;
    }
    if (plan->vsock && !plan->vsock_translated) {
        g_ptr_array_add(keys, g_strdup("guest.vsock"));
        ++*ret_devices;
    }
    return keys;
}

/* What accelerated SMMUs have besides, and how many SMMUs there are: write_accelerated() of
 * domain-xml. */
static void put_accelerated(GString *words, const ViommuPlan *plan)
{
    const ViommuIommuChoice *choice = &plan->iommu;
    const struct {
        const char *key;
        int flag;
    } switches[] = {{"ats", choice->ats}, {"ril", choice->ril}, {"cmdqv", choice->cmdqv}};

    if (!choice->accelerated)
        return;
    g_string_append_printf(words, " units=%u", 1 + plan->pcie.expanders->len);
    for (size_t i = 0; i < G_N_ELEMENTS(switches); i++)
        if (switches[i].flag != VIOMMU_UNSET)
            g_string_append_printf(words, " %s=%s", switches[i].key, switches[i].flag ? "on" : "off");
    if (choice->ssidsize != VIOMMU_UNSET_NUMBER)
        g_string_append_printf(words, " ssidsize=%" G_GUINT64_FORMAT, choice->ssidsize);
    if (choice->oas != VIOMMU_UNSET_NUMBER)
        g_string_append_printf(words, " oas=%" G_GUINT64_FORMAT, choice->oas);
}

char *viommu_plan_report_proof(const ViommuPlan *plan)
{
    const ViommuIommuAttributes *given = &plan->iommu.attributes;
    g_autoptr(GVariant) tree = g_variant_ref_sink(attributes_tree(&plan->iommu));
    g_autoptr(GVariant) translate = g_variant_ref_sink(g_variant_new_boolean(plan->iommu.translate));
    GString *words = g_string_new(NULL);
    unsigned outside;
    g_autoptr(GPtrArray) keys = list_outside(plan, &outside);
    GVariantIter iterator;
    const char *key;
    GVariant *value;

    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        return g_string_free(words, TRUE);
    put_word(words, "translate", translate, given);
    if (plan->iommu.translate && outside > 0)
        g_string_append_printf(words, " outside=%u", outside);
    g_variant_iter_init(&iterator, tree);
    while (g_variant_iter_loop(&iterator, "{&sv}", &key, &value))
        put_word(words, key, value, given);
    put_accelerated(words, plan);
    if (plan->level != VIOMMU_LEVEL_PRESENT)
        g_string_append_printf(words, " level=%s",
                               viommu_enum_to_string(&viommu_enum_level, (int)plan->level));
    return g_string_free(words, FALSE);
}

GVariant *viommu_plan_report_reasons(const GPtrArray *reasons)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; reasons && i < reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(reasons, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        if (reason->model != VIOMMU_MODEL_NONE)
            add(&list, "model", g_variant_new_string(viommu_model_to_string((ViommuModel)reason->model)));
        add(&list, "rule", g_variant_new_string(viommu_rule_to_string(reason->rule)));
        add(&list, "text", g_variant_new_string(reason->text));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

/* A candidate names its model once, so its reasons do not. */
static GVariant *candidate_reasons(const ViommuCandidate *candidate)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < candidate->reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(candidate->reasons, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add(&list, "rule", g_variant_new_string(viommu_rule_to_string(reason->rule)));
        add(&list, "text", g_variant_new_string(reason->text));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static GVariant *candidates_list(const ViommuIommuChoice *choice)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++) {
        const ViommuCandidate *candidate = &choice->candidates[model];

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add(&list, "model", g_variant_new_string(viommu_model_to_string((ViommuModel)model)));
        add(&list, "verdict",
            g_variant_new_string(viommu_enum_to_string(&viommu_enum_verdict, (int)candidate->verdict)));
        add(&list, "reasons", candidate_reasons(candidate));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static GVariant *iommu_tree(const ViommuPlan *plan)
{
    const ViommuIommuChoice *choice = &plan->iommu;
    GVariantBuilder tree;

    g_variant_builder_init(&tree, G_VARIANT_TYPE_VARDICT);
    add(&tree, "model", g_variant_new("ms", viommu_model_to_string(choice->model)));
    if (viommu_plan_guest_table(plan))
        add(&tree, "guest-table", g_variant_new_string(viommu_plan_guest_table(plan)));
    add(&tree, "attributes", attributes_tree(choice));
    add(&tree, "translate", g_variant_new_boolean(choice->translate));
    add(&tree, "candidates", candidates_list(choice));
    return g_variant_builder_end(&tree);
}

static GVariant *hostdevs_list(const ViommuPlacement *placement)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < placement->devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(placement->devices, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add(&list, "address", g_variant_new_string(device->address));
        if (device->group != VIOMMU_UNSET_NUMBER)
            add(&list, "group", g_variant_new_uint32((guint32)device->group));
        if (device->iommu)
            add(&list, "iommu", g_variant_new_string(device->iommu));
        if (device->node != VIOMMU_UNSET_NUMBER)
            add(&list, "node", g_variant_new_uint32((guint32)device->node));
        if (device->guest_bus)
            add(&list, "guest-bus", g_variant_new_uint32(device->guest_bus));
        add(&list, "iommufd", g_variant_new_boolean(device->iommufd));
        add(&list, "reason", g_variant_new_string(device->backend_reason));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static GVariant *expanders_list(const ViommuPcie *pcie)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < pcie->expanders->len; i++) {
        const ViommuPcieExpander *expander = viommu_pcie_expander(pcie, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add(&list, "index", g_variant_new_uint32(expander->index));
        add(&list, "bus-number", g_variant_new_uint32(expander->bus_number));
        if (expander->iommu)
            add(&list, "iommu", g_variant_new_string(expander->iommu));
        if (expander->cell != VIOMMU_UNSET)
            add(&list, "cell", g_variant_new_uint32((guint32)expander->cell));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static GVariant *cells_list(const GArray *cells)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < cells->len; i++) {
        const ViommuNumaCell *cell = &g_array_index(cells, ViommuNumaCell, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add(&list, "vcpus", g_variant_new_uint32((guint32)cell->vcpus));
        add(&list, "memory-bytes", g_variant_new_uint64(cell->memory_bytes));
        add(&list, "host-node", g_variant_new_uint32((guint32)cell->host_node));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static GVariant *words(const GPtrArray *texts)
{
    return g_variant_new_strv((const char *const *)texts->pdata, (gssize)texts->len);
}

GVariant *viommu_plan_report(const ViommuPlan *plan, const char *xml)
{
    unsigned n_outside;
    g_autoptr(GPtrArray) outside = list_outside(plan, &n_outside);
    GVariantBuilder tree;

    g_variant_builder_init(&tree, G_VARIANT_TYPE_VARDICT);
    add(&tree, "name", g_variant_new_string(plan->name));
    add(&tree, "uuid", g_variant_new_string(plan->uuid));
    add(&tree, "arch", g_variant_new_string(viommu_arch_to_string(plan->arch)));
    add(&tree, "machine", g_variant_new_string(plan->machine));
    add(&tree, "accelerator",
        g_variant_new_string(viommu_enum_to_string(&viommu_enum_accelerator, (int)plan->accelerator)));
    add(&tree, "firmware",
        g_variant_new_string(viommu_enum_to_string(&viommu_enum_firmware, (int)plan->firmware)));
    add(&tree, "vcpus", g_variant_new_uint32((guint32)plan->vcpus));
    if (plan->vcpus_present != plan->vcpus)
        add(&tree, "vcpus-present", g_variant_new_uint32((guint32)plan->vcpus_present));
    add(&tree, "memory-bytes", g_variant_new_uint64(plan->memory_bytes));
    if (plan->memory_hotplug != VIOMMU_UNSET)
        add(&tree, "memory-max-bytes", g_variant_new_uint64(plan->memory_max_bytes));
    add(&tree, "iommu", iommu_tree(plan));
    if (plan->placement.devices->len > 0)
        add(&tree, "hostdevs", hostdevs_list(&plan->placement));
    if (plan->pcie.expanders->len > 0)
        add(&tree, "expander-buses", expanders_list(&plan->pcie));
    if (plan->cells->len > 0)
        add(&tree, "cells", cells_list(plan->cells));
    if (outside->len > 0)
        add(&tree, "outside", words(outside));
    add(&tree, "warnings", words(plan->warnings));
    add(&tree, "notes", words(plan->notes));
    add(&tree, "memlock-bytes", g_variant_new_uint64(plan->memlock_bytes));
    add(&tree, "domain-xml", g_variant_new_string(xml));
    return g_variant_builder_end(&tree);
}

static void explain_attributes(GString *text, const ViommuIommuChoice *choice)
{
    g_autoptr(GVariant) tree = g_variant_ref_sink(attributes_tree(choice));
    const char *separator = "";
    const char *key;
    GVariant *value;
    GVariantIter iterator;

    if (g_variant_n_children(tree) == 0)
        return;
    g_string_append(text, "  attributes:  ");
    g_variant_iter_init(&iterator, tree);
    while (g_variant_iter_next(&iterator, "{&sv}", &key, &value)) {
        g_string_append_printf(text, "%s%s ", separator, key);
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
            g_string_append(text, g_variant_get_boolean(value) ? "on" : "off");
        else if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
            g_string_append_printf(text, "%u", g_variant_get_uint32(value));
        else
            g_string_append(text, g_variant_get_string(value, NULL));
        separator = ", ";
        g_variant_unref(value);
    }
    g_string_append_c(text, '\n');
}

static void explain_outside(GString *text, const ViommuPlan *plan)
{
    unsigned n;
    g_autoptr(GPtrArray) keys = list_outside(plan, &n);

    for (guint i = 0; i < keys->len; i++)
        g_string_append_printf(text, "%s%s%s",
                               i ? ", " : "  outside it:  ", (const char *)g_ptr_array_index(keys, i),
                               i + 1 == keys->len ? "\n" : "");
}

static void explain_list(GString *text, const char *title, const GPtrArray *lines)
{
    if (lines->len == 0)
        return;
    g_string_append_printf(text, "\n%s:\n", title);
    for (guint i = 0; i < lines->len; i++)
        g_string_append_printf(text, "  - %s\n", (const char *)g_ptr_array_index(lines, i));
}

static void explain_candidates(GString *text, const ViommuIommuChoice *choice)
{
    g_string_append(text, "\nCandidates:\n");
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++) {
        const ViommuCandidate *candidate = &choice->candidates[model];

        g_string_append_printf(text, "  %-7s %s\n", viommu_model_to_string((ViommuModel)model),
                               viommu_enum_to_string(&viommu_enum_verdict, (int)candidate->verdict));
        for (guint i = 0; i < candidate->reasons->len; i++) {
            const ViommuReason *reason = g_ptr_array_index(candidate->reasons, i);

            g_string_append_printf(text, "          %s: %s\n", viommu_rule_to_string(reason->rule),
                                   reason->text);
        }
    }
}

char *viommu_plan_explain(const ViommuPlan *plan)
{
    GString *text = g_string_new(NULL);
    g_autofree char *memory = viommu_quantity_format(plan->memory_bytes);
    const char *model = viommu_model_to_string(plan->iommu.model);

    g_string_append_printf(text, "%s: %s %s under %s, %" G_GUINT64_FORMAT " vCPU%s, %s\n", plan->name,
                           viommu_arch_to_string(plan->arch), plan->machine,
                           viommu_enum_to_string(&viommu_enum_accelerator, (int)plan->accelerator),
                           plan->vcpus, plan->vcpus == 1 ? "" : "s", memory);
    g_string_append_printf(text, "  IOMMU:       %s\n", model ? model : "none");
    if (viommu_plan_guest_table(plan))
        g_string_append_printf(text, "  guest table: %s\n", viommu_plan_guest_table(plan));
    explain_attributes(text, &plan->iommu);
    explain_outside(text, plan);
    if (plan->memlock_bytes) {
        g_autofree char *bound = viommu_quantity_format(plan->memlock_bytes);

        g_string_append_printf(text, "  may lock:    %s\n", bound);
    }
    explain_candidates(text, &plan->iommu);
    explain_list(text, "Warnings", plan->warnings);
    explain_list(text, "Notes", plan->notes);
    return g_string_free(text, FALSE);
}

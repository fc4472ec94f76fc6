/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/host/host-class.h"

#include <string.h>

#define DIGITS 12

/* What becomes of a key of a recorded host; a key that is not listed decides, and stays. */
typedef enum Fate {
    FATE_KEPT,
    FATE_DROPPED, /* it does not decide, or a scheduler counts it, or it depends on who looks */
    FATE_MARKED,  /* it decides that there is one */
    FATE_CUT,     /* of a version, releases of bugs decide through facts only; kept in the host */
    FATE_FAULT,   /* of KVM, only that it is broken decides */
} Fate;

static const struct {
    const char *path;
    Fate fate;
} fates[] = {
    {"libvirt", FATE_CUT},
    {"emulators.qemu", FATE_CUT},
    {"emulators.path", FATE_DROPPED},
    {"memory", FATE_DROPPED},
    {"kvm", FATE_FAULT},
    {"kvm-reason", FATE_DROPPED},
    {"site", FATE_DROPPED}, /* no plan reads it */
    {"topology.kernel", FATE_CUT},
    {"topology.nodes", FATE_DROPPED},  /* memory and huge pages */
    {"topology.tables", FATE_DROPPED}, /* only root reads them, and viommud is not root */
    {"topology.iommufd-usable", FATE_DROPPED},
    {"topology.vhost-vsock-usable", FATE_DROPPED},
    /* A guest that has the device changes these. */
    {"topology.devices.driver", FATE_DROPPED},
    {"topology.devices.usable", FATE_DROPPED},
    {"topology.devices.cdev", FATE_DROPPED},
    {"topology.devices.uses", FATE_MARKED},
};

static Fate fate_of(const char *path, bool digest)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fates); i++)
        if (g_str_equal(fates[i].path, path))
            return fates[i].fate == FATE_CUT && !digest ? FATE_KEPT : fates[i].fate;
    return FATE_KEPT;
}

static bool is_dropped(Fate fate, GVariant *value)
{
    if (fate != FATE_FAULT)
        return fate == FATE_DROPPED;
    return !g_str_equal(g_variant_get_string(value, NULL),
                        viommu_enum_to_string(&viommu_enum_kvm, VIOMMU_KVM_BROKEN));
}

static GVariant *reduce(GVariant *tree, const char *path, bool digest);

static GVariant *reduce_list(GVariant *list, const char *path, bool digest)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(list, i);

        g_variant_builder_add_value(&builder, reduce(entry, path, digest));
    }
    return g_variant_builder_end(&builder);
}

/* "7.2" of "7.2.22". */
static GVariant *cut(GVariant *value)
{
    const char *text = g_variant_get_string(value, NULL);
    const char *minor = strchr(text, '.'), *micro = minor ? strchr(minor + 1, '.') : NULL;
    g_autofree char *shorter = micro ? g_strndup(text, (gsize)(micro - text)) : g_strdup(text);

    return g_variant_new_string(shorter);
}

/* Floating, or a new reference. */
static GVariant *reduce_value(GVariant *value, const char *path, Fate fate, bool digest)
{
    static const char *const used[] = {"something", NULL};

    if (fate == FATE_MARKED)
        return g_variant_new_strv(used, -1);
    if (fate == FATE_CUT)
        return cut(value);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        return reduce(value, path, digest);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE("aa{sv}")))
        return reduce_list(value, path, digest);
    return g_variant_ref(value);
}

/* Floating. */
static GVariant *reduce(GVariant *tree, const char *path, bool digest)
{
    GVariantBuilder builder;
    GVariantIter iterator;
    GVariant *value;
    const char *key;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_iter_init(&iterator, tree);
    while (g_variant_iter_loop(&iterator, "{&sv}", &key, &value)) {
        g_autofree char *place = *path ? g_strjoin(".", path, key, NULL) : g_strdup(key);
        Fate fate = fate_of(place, digest);
        g_autoptr(GVariant) reduced =
            is_dropped(fate, value) ? NULL : g_variant_take_ref(reduce_value(value, place, fate, digest));

        if (reduced)
            g_variant_builder_add(&builder, "{sv}", key, reduced);
    }
    return g_variant_builder_end(&builder);
}

/* What the whole versions decide. */
static void add_facts(const ViommuHost *host, const ViommuEmulator *emulator, GString *text)
{
    for (int fact = 0; fact < VIOMMU_FACT_LAST; fact++)
        g_string_append_c(text, viommu_emulator_has(emulator, host->libvirt, (ViommuFactId)fact) ? '1' : '0');
    for (int flaw = 0; flaw < VIOMMU_FLAW_LAST; flaw++)
        g_string_append_c(text, viommu_flaw_is_in((ViommuFlawId)flaw, emulator->qemu) ? '1' : '0');
    g_string_append_c(text, emulator->qemu < viommu_fact_qemu_floor(host->libvirt) ? '1' : '0');
    g_string_append_c(text, '\n');
}

char *viommu_host_class(const ViommuHost *host)
{
    g_autoptr(GVariant) whole = g_variant_ref_sink(viommu_host_to_variant(host));
    g_autoptr(GVariant) facts = g_variant_ref_sink(reduce(whole, "", true));
    g_autofree char *tree = g_variant_print(facts, TRUE), *digest = NULL;
    g_autoptr(GString) text = g_string_new(tree);

    g_string_append_c(text, '\n');
    for (guint i = 0; host->emulators && i < host->emulators->len; i++)
        add_facts(host, g_ptr_array_index(host->emulators, i), text);
    digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str, (gssize)text->len);
    return g_strdup_printf(VIOMMU_HOST_CLASS_PREFIX "%.*s", DIGITS, digest);
}

ViommuHost *viommu_host_class_host(const ViommuHost *host, GError **error)
{
    g_autoptr(GVariant) whole = g_variant_ref_sink(viommu_host_to_variant(host));
    g_autoptr(GVariant) reduced = g_variant_ref_sink(reduce(whole, "", false));

    return viommu_host_from_variant(reduced, error);
}

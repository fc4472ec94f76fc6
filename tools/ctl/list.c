/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl list and show: print machines as tables, or as JSON with the names of the bus. */
#include <string.h>

#include "lib/base/names.h"
#include "lib/base/quantity.h"
#include "tools/ctl/machine.h"

/* The columns of ListMachines(), a(ssso), and their keys in JSON. */
static const char *const titles[] = {"NAME", "STATE", "IOMMU", NULL};
static const char *const keys[] = {"name", "state", "model", "path"};
enum {
    NAME,
    STATE,
    MODEL,
    PATH,
    N_KEYS
};

static void list_as_json(GVariant *machines)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (gsize i = 0; i < g_variant_n_children(machines); i++) {
        g_autoptr(GVariant) machine = g_variant_get_child_value(machines, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        for (gsize key = 0; key < N_KEYS; key++) {
            g_autoptr(GVariant) value = g_variant_get_child_value(machine, key);

            g_variant_builder_add(&list, "{sv}", keys[key], value);
        }
        g_variant_builder_close(&list);
    }
    viommu_output_json(g_variant_builder_end(&list));
}

static void list_as_table(const ViommuOutput *output, GVariant *machines)
{
    g_autoptr(ViommuTable) table = viommu_table_new(titles, 0);
    const char *cells[N_KEYS];
    GVariantIter iterator;

    g_variant_iter_init(&iterator, machines);
    while (g_variant_iter_next(&iterator, "(&s&s&s&o)", &cells[NAME], &cells[STATE], &cells[MODEL],
                               &cells[PATH])) {
        if (!*cells[MODEL])
            cells[MODEL] = "none";
        viommu_table_add(table, cells, STATE, viommu_ctl_state_style(cells[STATE]));
    }
    viommu_table_print(table, output);
}

bool viommu_ctl_list(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {
        .path = VIOMMU_BUS_PATH, .interface = VIOMMU_IFACE_MANAGER, .method = "ListMachines"};
    g_autoptr(ViommuClient) client = viommu_ctl_connect(ctl, error);
    g_autoptr(GVariant) machines = NULL;

    if (!client || !viommu_client_call(client, &call, &machines, &ctl->reasons, error))
        return false;
    if (ctl->output.json)
        list_as_json(machines);
    else
        list_as_table(&ctl->output, machines);
    return true;
}

typedef char *(*ValueFunc)(GVariant *value);

static char *size_text(GVariant *value)
{
    return viommu_quantity_format(g_variant_get_uint64(value));
}

static char *time_text(GVariant *value)
{
    gint64 usec = (gint64)g_variant_get_uint64(value);
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(usec / G_TIME_SPAN_SECOND);

    return usec && time ? g_date_time_format(time, "%F %T %z") : g_strdup("");
}

static char *model_text(GVariant *value)
{
    const char *model = g_variant_get_string(value, NULL);

    return g_strdup(*model ? model : "none");
}

/* The name and text of an error; two empty strings if neither the launch failed nor the guest
 * crashed. */
static char *failure_text(GVariant *value)
{
    const char *name, *text;

    g_variant_get(value, "(&s&s)", &name, &text);
    return *name ? g_strdup_printf("%s: %s", name, text) : g_strdup("");
}

/* Properties that are printed in other words than on the bus. */
static const struct {
    const char *name, *type;
    ValueFunc text;
} shown_otherwise[] = {
    {"Memory", "t", size_text},      {"MemlockBytes", "t", size_text},  {"Created", "t", time_text},
    {"IommuModel", "s", model_text}, {"Failure", "(ss)", failure_text},
};

static char *value_text(const char *name, GVariant *value)
{
    for (size_t i = 0; i < G_N_ELEMENTS(shown_otherwise); i++)
        if (g_str_equal(shown_otherwise[i].name, name) &&
            g_variant_is_of_type(value, G_VARIANT_TYPE(shown_otherwise[i].type)))
            return shown_otherwise[i].text(value);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_variant_dup_string(value, NULL);
    return g_variant_print(value, FALSE);
}

/* A line for each entry of a list. */
static void show_list(ViommuTable *table, const char *name, GVariant *list)
{
    gsize n = g_variant_n_children(list);
    const char *cells[2] = {name, NULL};

    if (n == 0)
        viommu_table_add(table, cells, -1, VIOMMU_STYLE_PLAIN);
    for (gsize i = 0; i < n; i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(list, i);
        g_autofree char *text = value_text(name, entry);

        cells[0] = i ? " " : name;
        cells[1] = text;
        viommu_table_add(table, cells, -1, VIOMMU_STYLE_PLAIN);
    }
}

static void show_property(ViommuTable *table, const char *name, GVariant *value)
{
    g_autofree char *text = NULL;
    bool styled = g_str_equal(name, "State");

    if (g_variant_is_of_type(value, G_VARIANT_TYPE("a*"))) {
        show_list(table, name, value);
        return;
    }
    text = value_text(name, value);
    viommu_table_add(table, (const char *const[]){name, text}, styled ? 1 : -1,
                     styled ? viommu_ctl_state_style(text) : VIOMMU_STYLE_PLAIN);
}

bool viommu_ctl_show(ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuClient) client = viommu_ctl_connect(ctl, error);
    g_autofree char *path = client ? viommu_ctl_find_machine(ctl, client, error) : NULL;
    g_autoptr(GVariant) properties = path ? viommu_ctl_machine_properties(ctl, client, path, error) : NULL;
    g_autoptr(ViommuTable) table = NULL;
    GVariantIter iterator;
    const char *name;
    GVariant *value;

    if (!properties)
        return false;
    if (ctl->output.json) {
        viommu_output_json(g_variant_ref(properties));
        return true;
    }
    table = viommu_table_new(NULL, 2);
    g_variant_iter_init(&iterator, properties);
    while (g_variant_iter_loop(&iterator, "{&sv}", &name, &value))
        show_property(table, name, value);
    viommu_table_print(table, &ctl->output);
    return true;
}

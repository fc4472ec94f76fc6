/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl list and show: machines as tables, or as JSON with the names of the bus. */
#include <string.h>

#include "lib/enum.h"
#include "lib/names.h"
#include "lib/quantity.h"
#include "tools/ctl-machine.h"

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

static ViommuStyle state_style(const char *state)
{
    int value = viommu_enum_from_string(&viommu_enum_state, state);

    switch ((ViommuState)value) {
    case VIOMMU_STATE_RUNNING:
        return VIOMMU_STYLE_GOOD;
    case VIOMMU_STATE_FAILED:
        return VIOMMU_STYLE_BAD;
    case VIOMMU_STATE_PLANNING:
    case VIOMMU_STATE_DEFINING:
    case VIOMMU_STATE_STARTING:
    case VIOMMU_STATE_STOPPING:
        return VIOMMU_STYLE_WARNING;
    case VIOMMU_STATE_STOPPED:
    case VIOMMU_STATE_LAST:
        break;
    }
    return VIOMMU_STYLE_PLAIN;
}

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
                               &cells[PATH]))
        viommu_table_add(table, cells, STATE, state_style(cells[STATE]));
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

/* A property's value in words; its unit is in its name. */
static char *value_text(const char *name, GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING) ||
        g_variant_is_of_type(value, G_VARIANT_TYPE_OBJECT_PATH))
        return g_variant_dup_string(value, NULL);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        return g_strdup(g_variant_get_boolean(value) ? "yes" : "no");
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64) && g_str_has_suffix(name, "Bytes"))
        return viommu_quantity_format(g_variant_get_uint64(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64) && g_str_has_suffix(name, "Usec")) {
        guint64 usec = g_variant_get_uint64(value);
        g_autoptr(GDateTime) time = g_date_time_new_from_unix_local((gint64)(usec / G_TIME_SPAN_SECOND));

        return usec && time ? g_date_time_format(time, "%F %T %z") : g_strdup("");
    }
    return g_variant_print(value, FALSE);
}

static void show_property(ViommuTable *table, const char *name, GVariant *value)
{
    gsize n = g_variant_is_of_type(value, G_VARIANT_TYPE("a*")) ? g_variant_n_children(value) : 0;
    const char *cells[2] = {name, NULL};
    g_autofree char *text = NULL;

    for (gsize i = 0; i < n; i++) {
        g_autoptr(GVariant) item = g_variant_get_child_value(value, i);
        g_autofree char *line = value_text(name, item);

        cells[0] = i ? " " : name;
        cells[1] = line;
        viommu_table_add(table, cells, -1, VIOMMU_STYLE_PLAIN);
    }
    if (n > 0)
        return;
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE("a*")))
        cells[1] = text = value_text(name, value);
    viommu_table_add(table, cells, g_str_equal(name, "State") ? 1 : -1,
                     g_str_equal(name, "State") ? state_style(text) : VIOMMU_STYLE_PLAIN);
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

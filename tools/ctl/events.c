/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl events: prints what happens to machines, as it happens. */
#include <stdio.h>

#include "lib/base/names.h"
#include "tools/client/error.h"
#include "tools/ctl/machine.h"

/* Properties whose changes are lines for people; --json has all. */
static const char *const told[] = {"State",    "Result",   "QueuePosition", "Ready",   "Verified",
                                   "Forwards", "VsockCid", "Failure",       "LeaseEnd"};

typedef struct Stream {
    ViommuCtl *ctl;
    ViommuClient *client;
    GHashTable *names; /* the name of each machine, by its path */
} Stream;

/* --- Printing --- */

static void print_json(const char *path, const char *name, const char *event, const char *property,
                       GVariant *value)
{
    GVariantBuilder object;

    g_variant_builder_init(&object, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&object, "{sv}", "time", g_variant_new_int64(g_get_real_time()));
    g_variant_builder_add(&object, "{sv}", "event", g_variant_new_string(event));
    if (path) {
        g_variant_builder_add(&object, "{sv}", "machine", g_variant_new_string(name));
        g_variant_builder_add(&object, "{sv}", "path", g_variant_new_string(path));
    }
    if (property)
        g_variant_builder_add(&object, "{sv}", "property", g_variant_new_string(property));
    if (value)
        g_variant_builder_add(&object, "{sv}", "value", value);
    viommu_output_json_line(g_variant_builder_end(&object));
}

static bool is_told(const char *property)
{
    for (size_t i = 0; i < G_N_ELEMENTS(told); i++)
        if (g_str_equal(told[i], property))
            return true;
    return false;
}

static char *value_text(GVariant *value)
{
    bool is_text = g_variant_is_of_type(value, G_VARIANT_TYPE_STRING);

    return is_text ? g_variant_dup_string(value, NULL) : g_variant_print(value, FALSE);
}

static void print_line(const Stream *stream, const char *name, const char *event, const char *property,
                       GVariant *value)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%T");
    g_autofree char *shown = property ? value_text(value) : g_strdup("");

    viommu_output_format(&stream->ctl->output, "%s  %-20s  %s%s%s\n", time, name, property ? property : event,
                         *shown ? " " : "", shown);
}

/* @path NULL: of viommud itself.  @property NULL: none; @value is for JSON then.  Fails: OUTPUT. */
static bool print(const Stream *stream, const char *path, const char *event, const char *property,
                  GVariant *value, GError **error)
{
    const char *name = path ? g_hash_table_lookup(stream->names, path) : NULL;

    if (path && !name)
        return true;
    if (stream->ctl->output.json)
        print_json(path, name, event, property, value);
    else if (!property || is_told(property))
        print_line(stream, name ? name : "-", event, property, value);
    return viommu_output_finish(error);
}

/* --- What is there --- */

/* NULL: viommud does not answer. */
static GVariant *list_machines(const Stream *stream)
{
    const ViommuClientCall call = {
        .path = VIOMMU_BUS_PATH, .interface = VIOMMU_IFACE_MANAGER, .method = "ListMachines"};
    g_autoptr(GVariant) machines = NULL;

    if (!viommu_client_call(stream->client, &call, &machines, NULL, NULL) || !machines ||
        !g_variant_is_of_type(machines, G_VARIANT_TYPE("a(ssso)")))
        return NULL;
    return g_steal_pointer(&machines);
}

/* A new machine, with all that the caller may read of it. */
static bool print_added(const Stream *stream, const char *path, GError **error)
{
    g_autoptr(GVariant) properties = viommu_ctl_machine_properties(stream->ctl, stream->client, path, NULL);

    return print(stream, path, "added", NULL, properties, error);
}

/* Learns the names of machines, and with @tell says which came and went since the last time. */
static bool learn(Stream *stream, bool tell, GError **error)
{
    g_autoptr(GVariant) machines = list_machines(stream);
    g_autoptr(GHashTable) gone = g_hash_table_new(g_str_hash, g_str_equal);
    const char *name, *path;
    GVariantIter iterator;
    GHashTableIter each;
    bool good = true;

    if (!machines)
        return true;
    g_hash_table_iter_init(&each, stream->names);
    while (g_hash_table_iter_next(&each, (gpointer *)&path, NULL))
        g_hash_table_add(gone, (gpointer)path);
    g_variant_iter_init(&iterator, machines);
    while (good && g_variant_iter_next(&iterator, "(&s&s&s&o)", &name, NULL, NULL, &path)) {
        if (g_hash_table_remove(gone, path))
            continue;
        g_hash_table_insert(stream->names, g_strdup(path), g_strdup(name));
        good = !tell || print_added(stream, path, error);
    }
    g_hash_table_iter_init(&each, gone);
    while (good && g_hash_table_iter_next(&each, (gpointer *)&path, NULL))
        good = !tell || print(stream, path, "removed", NULL, NULL, error);
    g_hash_table_iter_init(&each, gone);
    while (g_hash_table_iter_next(&each, (gpointer *)&path, NULL))
        g_hash_table_remove(stream->names, path);
    return good;
}

/* --- The signals --- */

static bool on_added(Stream *stream, const ViommuClientSignal *signal, GError **error)
{
    g_autoptr(GVariant) interfaces = g_variant_get_child_value(signal->arguments, 1);
    g_autoptr(GVariant) path = g_variant_get_child_value(signal->arguments, 0);
    g_autoptr(GVariant) properties =
        g_variant_lookup_value(interfaces, VIOMMU_IFACE_MACHINE, G_VARIANT_TYPE_VARDICT);
    const char *name, *where = g_variant_get_string(path, NULL);

    if (!properties || !g_variant_lookup(properties, "Name", "&s", &name))
        return true;
    g_hash_table_insert(stream->names, g_strdup(where), g_strdup(name));
    return print_added(stream, where, error);
}

static bool on_removed(Stream *stream, const ViommuClientSignal *signal, GError **error)
{
    g_autoptr(GVariant) path = g_variant_get_child_value(signal->arguments, 0);
    const char *where = g_variant_get_string(path, NULL);
    bool good = print(stream, where, "removed", NULL, NULL, error);

    g_hash_table_remove(stream->names, where);
    return good;
}

/* Values that not every user may read are asked for: the signal has only their names. */
static bool tell_invalidated(Stream *stream, const char *path, char **names, GError **error)
{
    g_autoptr(GVariant) properties =
        *names ? viommu_ctl_machine_properties(stream->ctl, stream->client, path, NULL) : NULL;
    bool good = true;

    for (char **name = names; properties && good && *name; name++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(properties, *name, NULL);

        if (value)
            good = print(stream, path, "changed", *name, value, error);
    }
    return good;
}

static bool on_changed(Stream *stream, const ViommuClientSignal *signal, GError **error)
{
    g_autoptr(GVariant) values = g_variant_get_child_value(signal->arguments, 1);
    g_autoptr(GVariant) invalidated = g_variant_get_child_value(signal->arguments, 2);
    g_auto(GStrv) names = g_variant_dup_strv(invalidated, NULL);
    GVariantIter iterator;
    const char *name;
    GVariant *value;
    bool good = true;

    g_variant_iter_init(&iterator, values);
    while (g_variant_iter_loop(&iterator, "{&sv}", &name, &value))
        good = good && print(stream, signal->path, "changed", name, value, error);
    return good && tell_invalidated(stream, signal->path, names, error);
}

/* viommud finds its machines again when it starts, and some may have ended meanwhile. */
static bool on_owner(Stream *stream, const ViommuClientSignal *signal, GError **error)
{
    const char *name, *before, *now;

    g_variant_get(signal->arguments, "(&s&s&s)", &name, &before, &now);
    if (!*now)
        return print(stream, NULL, "viommud-stopped", NULL, NULL, error);
    return print(stream, NULL, "viommud-started", NULL, NULL, error) && learn(stream, true, error);
}

static const struct {
    const char *member, *type;
    bool (*handle)(Stream *stream, const ViommuClientSignal *signal, GError **error);
} handlers[] = {
    {"InterfacesAdded", "(oa{sa{sv}})", on_added},
    {"InterfacesRemoved", "(oas)", on_removed},
    {"PropertiesChanged", "(sa{sv}as)", on_changed},
    {"NameOwnerChanged", "(sss)", on_owner},
};

static bool handle(Stream *stream, const ViommuClientSignal *signal, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(handlers); i++)
        if (g_str_equal(handlers[i].member, signal->member) &&
            g_variant_is_of_type(signal->arguments, G_VARIANT_TYPE(handlers[i].type)))
            return handlers[i].handle(stream, signal, error);
    return true;
}

/* Ends with the bus, or by a signal. */
static bool follow(Stream *stream, ViommuClientSignals *signals, GError **error)
{
    bool good = true;

    while (good) {
        g_auto(ViommuClientSignal) signal = {NULL};

        good =
            viommu_client_signals_next(signals, UINT64_MAX, &signal, error) && handle(stream, &signal, error);
    }
    return false;
}

bool viommu_ctl_events(ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuClient) client = viommu_ctl_connect(ctl, error);
    g_autoptr(ViommuClientSignals) signals = client ? viommu_client_signals_new(client, error) : NULL;
    Stream stream = {ctl, client, NULL};
    bool good;

    if (!signals)
        return false;
    stream.names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!ctl->output.json)
        viommu_output_format(&ctl->output, "%-8s  %-20s  %s\n", "TIME", "MACHINE", "EVENT");
    good = viommu_output_finish(error) && learn(&stream, false, error) && follow(&stream, signals, error);
    g_hash_table_unref(stream.names);
    return good;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: the list of machines, their properties where the list has new ones, and GetUsage(). */
#include "tools/ctl/usage.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/names.h"
#include "tools/ctl/machine.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

static void free_usage(void *data)
{
    ViommuCtlUsage *usage = data;

    g_free(usage->name);
    g_free(usage->state);
    g_free(usage);
}

void viommu_ctl_sample_free(ViommuCtlSample *sample)
{
    if (!sample)
        return;
    g_hash_table_unref(sample->by_name);
    g_ptr_array_unref(sample->machines);
    g_clear_pointer(&sample->used, g_variant_unref);
    g_clear_pointer(&sample->limits, g_variant_unref);
    g_clear_error(&sample->error);
    g_free(sample);
}

static GVariant *ask(ViommuClient *client, const char *interface, const char *method, const char *type,
                     GError **error)
{
    const ViommuClientCall call = {.path = VIOMMU_BUS_PATH, .interface = interface, .method = method};
    g_autoptr(GVariant) reply = NULL;

    if (!viommu_client_call(client, &call, &reply, NULL, error))
        return NULL;
    if (reply && g_variant_is_of_type(reply, G_VARIANT_TYPE(type)))
        return g_steal_pointer(&reply);
    viommu_fail(error, VIOMMU_ERROR_INTERNAL, "%s did not reply with '%s'", method, type);
    return NULL;
}

static ViommuCtlUsage *find(const ViommuCtlSample *sample, const char *name)
{
    return sample ? g_hash_table_lookup(sample->by_name, name) : NULL;
}

/* --- The machines --- */

/* Sizes do not change; what waits for its turn moves up. */
static bool keep_properties(ViommuCtlUsage *usage, const ViommuCtlUsage *before)
{
    if (!before || g_str_equal(usage->state, "planning") || !g_str_equal(usage->state, before->state))
        return false;
    usage->is_known = before->is_known;
    usage->vcpus = before->vcpus;
    usage->memory_bytes = before->memory_bytes;
    return true;
}

/* *ret_complete: no properties need to be asked for. */
static bool list_machines(ViommuClient *client, ViommuCtlSample *sample, const ViommuCtlSample *before,
                          bool *ret_complete, GError **error)
{
    g_autoptr(GVariant) machines = ask(client, VIOMMU_IFACE_MANAGER, "ListMachines", "a(ssso)", error);
    const char *name, *state, *model;
    GVariantIter iterator;

    if (!machines)
        return false;
    *ret_complete = true;
    g_variant_iter_init(&iterator, machines);
    while (g_variant_iter_next(&iterator, "(&s&s&s&o)", &name, &state, &model, NULL)) {
        ViommuCtlUsage *usage = g_new0(ViommuCtlUsage, 1);

        *usage = (ViommuCtlUsage){.name = g_strdup(name),
                                  .state = g_strdup(state),
                                  .model = g_intern_string(model),
                                  .cpu_nsec = VIOMMU_CTL_UNKNOWN,
                                  .resident_bytes = VIOMMU_CTL_UNKNOWN,
                                  .cpu_percent = -1};
        g_ptr_array_add(sample->machines, usage);
        g_hash_table_insert(sample->by_name, usage->name, usage);
        if (!keep_properties(usage, find(before, name)))
            *ret_complete = false;
    }
    return true;
}

static bool read_properties(ViommuClient *client, const ViommuCtlSample *sample, GError **error)
{
    g_autoptr(GVariant) objects = ask(client, OBJECT_MANAGER, "GetManagedObjects", "a{oa{sa{sv}}}", error);
    GVariantIter iterator;
    GVariant *interfaces;

    if (!objects)
        return false;
    g_variant_iter_init(&iterator, objects);
    while (g_variant_iter_loop(&iterator, "{&o@a{sa{sv}}}", NULL, &interfaces)) {
        g_autoptr(GVariant) properties =
            g_variant_lookup_value(interfaces, VIOMMU_IFACE_MACHINE, G_VARIANT_TYPE_VARDICT);
        const char *name;
        ViommuCtlUsage *usage;
        guint32 vcpus, position;

        if (!properties || !g_variant_lookup(properties, "Name", "&s", &name) ||
            !(usage = find(sample, name)))
            continue;
        usage->is_known = g_variant_lookup(properties, "VCPUs", "u", &vcpus) &&
                          g_variant_lookup(properties, "Memory", "t", &usage->memory_bytes) &&
                          g_variant_lookup(properties, "QueuePosition", "u", &position);
        usage->vcpus = usage->is_known ? vcpus : 0;
        usage->queue_position = usage->is_known ? position : 0;
    }
    return true;
}

/* --- What they take --- */

/* A guest that was started anew has taken less than before. */
static void compare(ViommuCtlUsage *usage, const ViommuCtlUsage *before)
{
    if (before && usage->cpu_nsec != VIOMMU_CTL_UNKNOWN && before->cpu_nsec <= usage->cpu_nsec &&
        before->asked_usec < usage->asked_usec)
        usage->cpu_percent = (double)(usage->cpu_nsec - before->cpu_nsec) /
                             (double)(usage->asked_usec - before->asked_usec) / 10;
}

/* Without it the rest is worth showing. */
static void read_usage(ViommuClient *client, ViommuCtlSample *sample, const ViommuCtlSample *before)
{
    g_autoptr(GVariant) rows = ask(client, VIOMMU_IFACE_MANAGER, "GetUsage", "a(sttt)", &sample->error);
    guint64 cpu, memory, asked;
    GVariantIter iterator;
    const char *name;

    if (!rows)
        return;
    g_variant_iter_init(&iterator, rows);
    while (g_variant_iter_next(&iterator, "(&sttt)", &name, &cpu, &memory, &asked)) {
        ViommuCtlUsage *usage = find(sample, name);

        if (!usage)
            continue;
        usage->cpu_nsec = cpu;
        usage->resident_bytes = memory;
        usage->asked_usec = asked;
        compare(usage, find(before, name));
    }
}

bool viommu_ctl_sample_has_usage(const ViommuCtlSample *sample)
{
    for (guint i = 0; i < sample->machines->len; i++)
        if (((const ViommuCtlUsage *)g_ptr_array_index(sample->machines, i))->asked_usec)
            return true;
    return false;
}

/* As it is shown, so that what looks equal keeps its place. */
static gint64 percent(const ViommuCtlUsage *usage)
{
    return usage->cpu_percent < 0 ? -1 : (gint64)(usage->cpu_percent + 0.5);
}

static gint by_cpu(gconstpointer one, gconstpointer other)
{
    const ViommuCtlUsage *a = *(ViommuCtlUsage *const *)one, *b = *(ViommuCtlUsage *const *)other;

    if (percent(a) != percent(b))
        return percent(a) < percent(b) ? 1 : -1;
    return strcmp(a->name, b->name);
}

ViommuCtlSample *viommu_ctl_sample_take(ViommuClient *client, const ViommuCtlSample *before, GError **error)
{
    g_autoptr(ViommuCtlSample) sample = g_new0(ViommuCtlSample, 1);
    bool complete;

    sample->machines = g_ptr_array_new_with_free_func(free_usage);
    sample->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    if (!list_machines(client, sample, before, &complete, error) ||
        (!complete && !read_properties(client, sample, error)))
        return NULL;
    sample->used = viommu_ctl_manager_property(client, "Used", "a{sv}", error);
    sample->limits = sample->used ? viommu_ctl_manager_property(client, "Limits", "a{sv}", error) : NULL;
    if (!sample->limits)
        return NULL;
    read_usage(client, sample, before);
    g_ptr_array_sort(sample->machines, by_cpu);
    return g_steal_pointer(&sample);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/progress.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/names.h"
#include "tools/ctl/last-words.h"

/* A viommud that does not answer this delays the end of the wait by as much at most. */
#define ANSWER_USEC (2 * G_TIME_SPAN_SECOND)

/* Owned; NULL. */
static GVariant *ask(ViommuClient *client, const char *path, const char *interface, const char *method,
                     GVariant *arguments, const char *type)
{
    const ViommuClientCall call = {.path = path,
                                   .interface = interface,
                                   .method = method,
                                   .arguments = arguments,
                                   .timeout_usec = ANSWER_USEC};
    g_autoptr(GVariant) reply = NULL;

    if (!viommu_client_call(client, &call, &reply, NULL, NULL) || !reply ||
        !g_variant_is_of_type(reply, G_VARIANT_TYPE(type)))
        return NULL;
    return g_steal_pointer(&reply);
}

static GVariant *list_machines(ViommuClient *client)
{
    return ask(client, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines", NULL, "a(ssso)");
}

static GVariant *properties_of(ViommuClient *client, const char *path)
{
    return ask(client, path, "org.freedesktop.DBus.Properties", "GetAll",
               g_variant_new("(s)", VIOMMU_IFACE_MACHINE), "a{sv}");
}

void viommu_ctl_progress_follow(ViommuCtlProgress *progress, ViommuClient *client, const char *name)
{
    g_autoptr(GVariant) machines = NULL;
    const char *path;
    GVariantIter iterator;

    if (!viommu_output_shows_progress(progress->output))
        return;
    progress->client = client;
    progress->name = name;
    machines = name ? NULL : list_machines(client);
    if (!machines)
        return;
    progress->before = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_variant_iter_init(&iterator, machines);
    while (g_variant_iter_next(&iterator, "(&s&s&s&o)", NULL, NULL, NULL, &path))
        g_hash_table_add(progress->before, g_strdup(path));
}

static bool is_mine(ViommuClient *client, const char *path)
{
    g_autoptr(GVariant) properties = properties_of(client, path);
    guint32 owner;

    return properties && g_variant_lookup(properties, "Owner", "u", &owner) && owner == geteuid();
}

/* A machine without a name in the request is the only new one of this user; if there are several,
 * none is shown. */
static char *find_launched(const ViommuCtlProgress *progress)
{
    g_autoptr(GVariant) machines = list_machines(progress->client);
    g_autofree char *found = NULL;
    const char *name, *path;
    GVariantIter iterator;

    if (!machines || (!progress->name && !progress->before))
        return NULL;
    g_variant_iter_init(&iterator, machines);
    while (g_variant_iter_next(&iterator, "(&s&s&s&o)", &name, NULL, NULL, &path)) {
        bool candidate = progress->name ? g_str_equal(name, progress->name)
                                        : !g_hash_table_contains(progress->before, path);

        if (!candidate || !is_mine(progress->client, path))
            continue;
        if (found)
            return NULL;
        found = g_strdup(path);
    }
    return g_steal_pointer(&found);
}

/* Owned; NULL. */
static char *last_line(const ViommuCtlProgress *progress, GVariant *properties)
{
    const char *name = "", *line;
    g_autofree char *tail = NULL;

    g_variant_lookup(properties, "Name", "&s", &name);
    tail = viommu_ctl_console_tail(progress->client, name);
    line = tail ? strrchr(tail, '\n') : NULL;
    return g_strdup(line ? line + 1 : tail);
}

/* What the machine does.  Owned; NULL: nothing to tell. */
static char *describe(const ViommuCtlProgress *progress)
{
    g_autoptr(GVariant) properties = properties_of(progress->client, progress->path);
    g_autofree char *line = NULL;
    const char *state = "";
    guint32 position = 0;

    if (!properties)
        return NULL;
    g_variant_lookup(properties, "State", "&s", &state);
    g_variant_lookup(properties, "QueuePosition", "u", &position);
    if (position > 0)
        return g_strdup_printf("position %u in the queue", position);
    /* A launch that waits for its guest is still starting. */
    line = last_line(progress, properties);
    return line || g_str_equal(state, "running") ? g_steal_pointer(&line) : g_strdup(state);
}

static void refresh(ViommuCtlProgress *progress)
{
    g_clear_pointer(&progress->detail, g_free);
    if (!progress->path)
        progress->path = find_launched(progress);
    if (progress->path)
        progress->detail = describe(progress);
}

void viommu_ctl_progress(uint64_t waited_usec, void *userdata)
{
    ViommuCtlProgress *progress = userdata;
    g_autofree char *text = NULL;
    const char *detail;

    if (waited_usec < G_TIME_SPAN_SECOND || !viommu_output_shows_progress(progress->output))
        return;
    if (progress->client && waited_usec - progress->asked_usec >= G_TIME_SPAN_SECOND) {
        progress->asked_usec = waited_usec;
        refresh(progress);
    }
    detail = progress->detail;
    text = g_strdup_printf("%s ... %u s%s%s", progress->what, (unsigned)(waited_usec / G_TIME_SPAN_SECOND),
                           detail && *detail ? ": " : "", detail ? detail : "");
    viommu_output_progress(progress->output, text);
}

void viommu_ctl_progress_clear(ViommuCtlProgress *progress)
{
    if (progress->output)
        viommu_output_progress_end(progress->output);
    g_clear_pointer(&progress->path, g_free);
    g_clear_pointer(&progress->before, g_hash_table_unref);
    g_clear_pointer(&progress->detail, g_free);
    progress->client = NULL;
}

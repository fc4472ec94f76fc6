/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "tools/client/error.h"
#include "tools/client/key-store.h"
#include "tools/client/program.h"
#include "tools/client/remote.h"
#include "tools/ctl/child.h"
#include "tools/ctl/last-words.h"
#include "tools/ctl/reach.h"

#define SSH_PORT 22
/* ssh's own failures; also a command may exit with it. */
#define STATUS_SSH 255
/* A server may answer before the guest has the key. */
#define KEY_USEC (30 * G_TIME_SPAN_SECOND)
/* A try takes a busy emulated guest so long at most. */
#define TRY_USEC   (120 * G_TIME_SPAN_SECOND)
#define RETRY_USEC (500 * G_TIME_SPAN_MILLISECOND)

struct ViommuInside {
    ViommuKey *key;
    char *user;      /* of the request; NULL: none */
    guint64 seconds; /* to wait for ssh */
    ViommuLogin login;
};

void viommu_ctl_inside_free(ViommuInside *inside)
{
    if (!inside)
        return;
    viommu_login_clear(&inside->login);
    viommu_key_free(inside->key);
    g_free(inside->user);
    g_free(inside);
}

/* --- The request --- */

/* A list of a request: one value stands for a list of it.  Floating. */
static GVariant *with_entry(GVariant *list, GVariant *entry)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("av"));

    if (list && !g_variant_is_of_type(list, G_VARIANT_TYPE("av")))
        g_variant_builder_add(&builder, "v", list);
    for (gsize i = 0;
         list && g_variant_is_of_type(list, G_VARIANT_TYPE("av")) && i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(list, i);

        g_variant_builder_add_value(&builder, child);
    }
    g_variant_builder_add(&builder, "v", entry);
    return g_variant_builder_end(&builder);
}

/* @dict with @entry at the end of its list @key.  Floating. */
static GVariant *with_list(GVariant *dict, const char *key, GVariant *entry)
{
    g_autoptr(GVariant) list = NULL;
    GVariantDict result;

    g_variant_dict_init(&result, dict);
    list = g_variant_dict_lookup_value(&result, key, NULL);
    g_variant_dict_insert_value(&result, key, with_entry(list, entry));
    return g_variant_dict_end(&result);
}

/* The keys of the request stay.  *ret_user NULL: the request leaves the user to its image, or to
 * viommud. */
static GVariant *with_key(GVariant *request, const ViommuKey *key, char **ret_user)
{
    g_autoptr(GVariant) seed = g_variant_lookup_value(request, "seed", G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) keyed =
        g_variant_ref_sink(with_list(seed, "ssh-keys", g_variant_new_string(viommu_key_public(key))));
    GVariantDict outer;

    g_variant_lookup(keyed, "user", "s", ret_user);
    g_variant_dict_init(&outer, request);
    g_variant_dict_insert_value(&outer, "seed", keyed);
    return g_variant_ref_sink(g_variant_dict_end(&outer));
}

static bool is_ssh_port(GVariant *value)
{
    return g_variant_is_of_type(value, G_VARIANT_TYPE_INT64) && g_variant_get_int64(value) == SSH_PORT;
}

static bool forwards_ssh(GVariant *network)
{
    g_autoptr(GVariant) ports = g_variant_lookup_value(network, "forward", NULL);
    bool found = ports && is_ssh_port(ports);

    for (gsize i = 0; ports && !found && g_variant_is_of_type(ports, G_VARIANT_TYPE("av")) &&
                      i < g_variant_n_children(ports);
         i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(ports, i);
        g_autoptr(GVariant) port = g_variant_get_variant(boxed);

        found = is_ssh_port(port);
    }
    return found;
}

static bool is_user_network(GVariant *network)
{
    const char *type = "";

    g_variant_lookup(network, "type", "&s", &type);
    return g_str_equal(type, "user");
}

/* The port goes to the first network of type user, or to a new one.  Floating. */
static GVariant *networks_with_port(GVariant *networks)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("av"));
    bool done = false;

    for (gsize i = 0; networks && i < g_variant_n_children(networks); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(networks, i);
        g_autoptr(GVariant) network = g_variant_get_variant(boxed);

        if (!done && g_variant_is_of_type(network, G_VARIANT_TYPE_VARDICT) && is_user_network(network)) {
            g_variant_builder_add(&list, "v", with_list(network, "forward", g_variant_new_int64(SSH_PORT)));
            done = true;
        } else {
            g_variant_builder_add_value(&list, boxed);
        }
    }
    if (!done) {
        g_autoptr(GVariant) user = g_variant_ref_sink(g_variant_new_parsed("{'type': <'user'>}"));

        g_variant_builder_add(&list, "v", with_list(user, "forward", g_variant_new_int64(SSH_PORT)));
    }
    return g_variant_builder_end(&list);
}

static GVariant *with_port(GVariant *request)
{
    g_autoptr(GVariant) networks = g_variant_lookup_value(request, "networks", G_VARIANT_TYPE("av"));
    GVariantDict result;

    for (gsize i = 0; networks && i < g_variant_n_children(networks); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(networks, i);
        g_autoptr(GVariant) network = g_variant_get_variant(boxed);

        if (g_variant_is_of_type(network, G_VARIANT_TYPE_VARDICT) && forwards_ssh(network))
            return g_variant_ref(request);
    }
    g_variant_dict_init(&result, request);
    g_variant_dict_insert_value(&result, "networks", networks_with_port(networks));
    return g_variant_ref_sink(g_variant_dict_end(&result));
}

static bool check_gets(const ViommuCtl *ctl, GError **error)
{
    for (guint i = 0; ctl->gets && i < ctl->gets->len; i++) {
        const char *get = g_ptr_array_index(ctl->gets, i);

        if (!*get || *get == ':' || strpbrk(get, "\r\n"))
            return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--get='%s' names no file of the guest",
                                      get);
    }
    return true;
}

/* Before a guest is launched that nobody reaches. */
static bool check_host(const ViommuCtl *ctl, GError **error)
{
    g_autofree char *jump = ctl->host ? viommu_remote_jump(ctl->host, error) : NULL;

    return !ctl->host || jump;
}

ViommuInside *viommu_ctl_inside_prepare(const ViommuCtl *ctl, GVariant **request, GError **error)
{
    g_autoptr(ViommuInside) inside = g_new0(ViommuInside, 1);
    g_autoptr(GVariant) reachable = NULL;
    GVariant *prepared;

    inside->seconds = VIOMMU_REACH_SECONDS;
    if (!check_host(ctl, error) || !check_gets(ctl, error) ||
        !viommu_ctl_read_timeout(ctl, &inside->seconds, error))
        return NULL;
    inside->key = viommu_key_new(error);
    if (!inside->key)
        return NULL;
    reachable = with_port(*request);
    prepared = with_key(reachable, inside->key, &inside->user);
    g_variant_unref(*request);
    *request = prepared;
    return g_steal_pointer(&inside);
}

/* --- The guest --- */

/* A try to log in. */
typedef struct Attempt {
    ViommuCtl *ctl;
    const ViommuCtlLaunched *launched;
    gint64 deadline; /* when no further try begins */
    gint64 end;      /* of this try */
    GError *ended;   /* why the guest is gone; NULL: it runs */
} Attempt;

/* A guest may accept a connection and never say a word. */
static bool goes_on(void *userdata)
{
    Attempt *attempt = userdata;

    viommu_output_progress(&attempt->ctl->output, "logging in to the guest ...");
    return !attempt->ended && g_get_monotonic_time() < attempt->end &&
           viommu_ctl_reach_runs(attempt->ctl, attempt->launched->client, attempt->launched->path,
                                 &attempt->ended);
}

/* *ret_said: what ssh said; owned. */
static bool try_login(const ViommuInside *inside, Attempt *attempt, char **ret_said)
{
    char *const nothing[] = {(char *)"true", NULL};
    g_auto(GStrv) words = viommu_login_ssh(&inside->login, nothing);
    const ViommuProgramTurn turn = {goes_on, attempt};

    attempt->end = MAX(attempt->deadline, g_get_monotonic_time() + TRY_USEC);
    return viommu_program_run(words, &turn, ret_said) == 0;
}

/* Where another host is between, this also waits for the guest. */
static bool log_in(const ViommuInside *inside, Attempt *attempt, GError **error)
{
    g_autofree char *said = NULL;
    bool there;

    while (!(there = try_login(inside, attempt, &said)) && g_get_monotonic_time() < attempt->deadline &&
           goes_on(attempt)) {
        g_clear_pointer(&said, g_free);
        g_usleep(RETRY_USEC);
    }
    viommu_output_progress_end(&attempt->ctl->output);
    if (there) {
        g_clear_error(&attempt->ended);
        return true;
    }
    if (attempt->ended)
        g_propagate_error(error, g_steal_pointer(&attempt->ended));
    else
        viommu_failure_set(error, VIOMMU_FAILURE_TIMEOUT, "cannot log in to the guest as '%s': %s",
                           inside->login.user, *said ? said : "ssh did not end in time");
    return false;
}

static bool reach(ViommuInside *inside, ViommuCtl *ctl, const ViommuCtlLaunched *launched, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)inside->seconds * G_TIME_SPAN_SECOND;
    Attempt attempt = {.ctl = ctl, .launched = launched};
    const char *uuid = "";

    g_variant_lookup(launched->properties, "UUID", "&s", &uuid);
    if (!viommu_ctl_reach_login(ctl, launched->properties, &inside->login, error))
        return false;
    g_free(inside->login.key);
    g_free(inside->login.known_hosts);
    inside->login.key = viommu_key_file(inside->key, "key");
    if (inside->user) {
        g_free(inside->login.user);
        inside->login.user = g_strdup(inside->user);
    }
    inside->login.known_hosts = viommu_key_file(inside->key, "known-hosts");
    inside->login.alone = true;
    viommu_key_assign(inside->key, uuid, inside->login.user);
    if (!viommu_login_check(&inside->login, error) ||
        !viommu_ctl_reach_wait(ctl, launched->client, launched->path, &inside->login, inside->seconds, error))
        return false;
    if (!inside->login.jump)
        deadline = MIN(deadline, g_get_monotonic_time() + KEY_USEC);
    attempt.deadline = MAX(deadline, g_get_monotonic_time() + KEY_USEC / 2);
    return log_in(inside, &attempt, error);
}

/* A command that exits with 255 leaves a guest that one can log in to. */
static bool check_lost(ViommuInside *inside, ViommuCtl *ctl, const ViommuCtlLaunched *launched,
                       GError **error)
{
    Attempt attempt = {.ctl = ctl, .launched = launched};
    g_autofree char *said = NULL;
    bool there;

    if (ctl->exit_status != STATUS_SSH)
        return true;
    there = try_login(inside, &attempt, &said);
    viommu_output_progress_end(&ctl->output);
    if (there) {
        g_clear_error(&attempt.ended);
        return true;
    }
    viommu_failure_set(error, VIOMMU_FAILURE_LOST, "the guest was lost while the command ran: %s",
                       attempt.ended ? attempt.ended->message
                       : *said       ? said
                                     : "ssh failed");
    g_clear_error(&attempt.ended);
    return false;
}

static bool get(const ViommuInside *inside, const char *text, GError **error)
{
    g_auto(GStrv) sides = g_strsplit(text, ":", 2);
    const char *local = sides[1] && *sides[1] ? sides[1] : ".";
    g_autofree char *batch = viommu_key_file(inside->key, "batch");
    g_autofree char *from = viommu_login_sftp_quote(sides[0]), *to = viommu_login_sftp_quote(local);
    g_auto(GStrv) words = viommu_login_sftp(&inside->login, batch);
    g_autofree char *said = NULL;
    FILE *file = fopen(batch, "we");
    bool written;

    if (!file)
        return viommu_failure_set(error, VIOMMU_FAILURE_OUTPUT, "cannot write '%s': %s", batch,
                                  g_strerror(errno));
    written = fprintf(file, "get -r -p %s %s\n", from, to) > 0;
    if (fclose(file) != 0 || !written)
        return viommu_failure_set(error, VIOMMU_FAILURE_OUTPUT, "cannot write '%s': %s", batch,
                                  g_strerror(errno));
    return viommu_program_run(words, NULL, &said) == 0 ||
           viommu_failure_set(error, VIOMMU_FAILURE_OUTPUT, "cannot copy '%s' out of the guest: %s", sides[0],
                              *said ? said : "sftp failed");
}

/* What fails is a warning, unless it is the only failure. */
static bool get_all(const ViommuInside *inside, ViommuCtl *ctl, GError **error)
{
    GError *first = NULL;

    for (guint i = 0; ctl->gets && i < ctl->gets->len; i++) {
        const char *text = g_ptr_array_index(ctl->gets, i);
        g_autofree char *what = g_strdup_printf("copying %s ...", text);
        g_autoptr(GError) trouble = NULL;
        bool good;

        viommu_output_progress(&ctl->output, what);
        good = get(inside, text, &trouble);
        viommu_output_progress_end(&ctl->output);
        if (good)
            continue;
        if (first || ctl->exit_status != 0)
            viommu_output_warning(&ctl->output, trouble->message);
        else
            first = g_steal_pointer(&trouble);
    }
    if (first)
        g_propagate_error(error, first);
    return !first;
}

bool viommu_ctl_inside_run(ViommuInside *inside, ViommuCtl *ctl, const ViommuCtlLaunched *launched,
                           GError **error)
{
    bool good = reach(inside, ctl, launched, error);

    if (good) {
        g_auto(GStrv) words = viommu_login_ssh(&inside->login, ctl->command);

        good = viommu_ctl_child_run(ctl, launched, words, environ, error) &&
               check_lost(inside, ctl, launched, error);
        if (good)
            good = get_all(inside, ctl, error);
        else if (g_error_matches(*error, VIOMMU_FAILURE, VIOMMU_FAILURE_LOST))
            ctl->exit_status = 0;
    }
    if (!good || ctl->exit_status != 0)
        viommu_ctl_last_words(ctl, launched->client, launched->properties);
    return good;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/reach.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/machine/pause.h"
#include "tools/client/banner.h"
#include "tools/client/error.h"
#include "tools/client/key-store.h"
#include "tools/client/remote.h"
#include "tools/ctl/progress.h"

#define SSH_PORT  22
#define TURN_MSEC 1000

bool viommu_ctl_reach_port(GVariant *properties, char **ret_address, unsigned *ret_port)
{
    g_autoptr(GVariant) forwards = g_variant_lookup_value(properties, "Forwards", G_VARIANT_TYPE("a(qsq)"));
    GVariantIter iterator;
    const char *address;
    guint16 guest, port;

    if (!forwards)
        return false;
    g_variant_iter_init(&iterator, forwards);
    while (g_variant_iter_next(&iterator, "(q&sq)", &guest, &address, &port))
        if (guest == SSH_PORT) {
            *ret_address = g_strdup(address);
            *ret_port = port;
            return true;
        }
    return false;
}

/* "192.0.2.1:22", "[2001:db8::1]:22", or without a port. */
static bool read_address(const char *text, ViommuLogin *login, GError **error)
{
    const char *colon = strrchr(text, ':');
    bool bracket = *text == '[', many = colon && strchr(text, ':') != colon;
    guint64 port = SSH_PORT;

    if (many && !(bracket && colon[-1] == ']'))
        colon = NULL;
    if (colon && !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--address='%s' does not end with a port",
                                  text);
    login->address = g_strndup(text, colon ? (gsize)(colon - text) : strlen(text));
    login->port = (unsigned)port;
    if (bracket) {
        g_autofree char *whole = login->address;

        login->address = g_strndup(whole + 1, strcspn(whole + 1, "]"));
    }
    return true;
}

/* The first address of the guest in a network of this host. */
static bool first_address(GVariant *properties, ViommuLogin *login)
{
    g_autofree const char **addresses = NULL;

    if (!g_variant_lookup(properties, "Addresses", "^a&s", &addresses) || !*addresses)
        return false;
    login->address = g_strdup(*addresses);
    login->port = SSH_PORT;
    return true;
}

static bool find_address(const ViommuCtl *ctl, GVariant *properties, ViommuLogin *login, GError **error)
{
    if (ctl->address)
        return read_address(ctl->address, login, error);
    if (viommu_ctl_reach_port(properties, &login->address, &login->port) || first_address(properties, login))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_NOT_SUPPORTED,
        "no port of this host leads to port 22 of the guest: launch it with networks.0.type=user networks.0.forward=22, or name its address with --address");
}

/* By the key that is used, else by the seed of the machine.  @of_key is taken. */
static char *choose_user(const ViommuCtl *ctl, GVariant *properties, char *of_key)
{
    g_autofree char *known = of_key;
    const char *seeded = "";

    if (ctl->login)
        return g_strdup(ctl->login);
    if (known)
        return g_steal_pointer(&known);
    g_variant_lookup(properties, "SeedUser", "&s", &seeded);
    return g_strdup(*seeded ? seeded : "root");
}

bool viommu_ctl_reach_login(const ViommuCtl *ctl, GVariant *properties, ViommuLogin *ret_login,
                            GError **error)
{
    g_auto(ViommuLogin) login = {NULL};
    g_autofree char *user = NULL, *key = NULL;
    const char *uuid = "";

    g_variant_lookup(properties, "UUID", "&s", &uuid);
    if (!find_address(ctl, properties, &login, error))
        return false;
    key = ctl->key ? g_strdup(ctl->key) : viommu_key_find(uuid, &user);
    login.key = g_steal_pointer(&key);
    login.user = choose_user(ctl, properties, g_steal_pointer(&user));
    login.known_hosts = viommu_key_known_hosts();
    login.alias = g_strconcat("viommu-", uuid, NULL);
    if (ctl->host && !(login.jump = viommu_remote_jump(ctl->host, error)))
        return false;
    if (!viommu_login_check(&login, error))
        return false;
    *ret_login = login;
    login = (ViommuLogin){NULL};
    return true;
}

/* A guest that waits for the host boots no further before somebody mends it. */
static bool check_pause(GVariant *properties, GError **error)
{
    const char *reason = "";
    int pause;

    g_variant_lookup(properties, "PauseReason", "&s", &reason);
    pause = viommu_enum_from_string(&viommu_enum_pause, reason);
    return pause < 0 || !viommu_pause_is_trouble((ViommuPause)pause) ||
           viommu_failure_set(error, VIOMMU_FAILURE_PAUSED, "the guest is paused: %s",
                              viommu_pause_words((ViommuPause)pause));
}

bool viommu_ctl_reach_runs(ViommuCtl *ctl, ViommuClient *client, const char *path, GError **error)
{
    g_autoptr(GVariant) properties = viommu_ctl_machine_properties(ctl, client, path, error);
    const char *state = "";

    if (!properties)
        return false;
    g_variant_lookup(properties, "State", "&s", &state);
    if (!g_str_equal(state, "stopped") && !g_str_equal(state, "failed"))
        return check_pause(properties, error);
    return viommu_fail(error, VIOMMU_ERROR_NOT_FOUND, "the guest has ended: the machine is %s", state);
}

bool viommu_ctl_reach_wait(ViommuCtl *ctl, ViommuClient *client, const char *path, const ViommuLogin *login,
                           guint64 seconds, GError **error)
{
    gint64 begin = g_get_monotonic_time(), waited = 0;
    g_auto(ViommuCtlProgress) progress = {.output = &ctl->output,
                                          .what = "waiting for ssh in the guest",
                                          .client = client,
                                          .path = g_strdup(path)};
    g_autoptr(ViommuBanner) banner = NULL;
    bool there = false, runs = true;

    /* ssh itself connects from the other host. */
    if (login->jump)
        return true;
    banner = viommu_banner_new(login->address, login->port, error);
    if (!banner)
        return false;
    while (!there && runs && waited <= (gint64)seconds * G_TIME_SPAN_SECOND) {
        there = viommu_banner_wait(banner, TURN_MSEC);
        waited = g_get_monotonic_time() - begin;
        viommu_ctl_progress((uint64_t)waited, &progress);
        runs = there || viommu_ctl_reach_runs(ctl, client, path, error);
    }
    if (there || !runs)
        return there;
    return viommu_failure_set(error, VIOMMU_FAILURE_TIMEOUT,
                              "no ssh server answers at %s port %u within %" G_GUINT64_FORMAT " seconds",
                              login->address, login->port, seconds);
}

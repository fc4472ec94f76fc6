/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/remote.h"

#include <errno.h>
#include <string.h>

#include "lib/base/error.h"

/* A host that is down, or whose sshd hangs before its greeting, fails after ten seconds; sd-bus
 * waits for 90.  The time to type a password does not count.  A connection that breaks later is
 * noticed after a minute. */
static const char *const ssh_options[] = {"-xT", "-oConnectTimeout=10", "-oServerAliveInterval=20",
                                          "-oServerAliveCountMax=3"};

/* IPv6 addresses with a port are in brackets, which ssh takes in ProxyJump only. */
static const char host_pattern[] =
    "^(?<user>[^@/]+@)?(?:\\[(?<six>[^][@/]+)\\]|(?<host>[^][@:/]+))(?::(?<port>[0-9]{1,5}))?(?:/(?<container>[A-Za-z0-9.-]+))?$";

static char *part(const GMatchInfo *match, const char *name)
{
    g_autofree char *text = g_match_info_fetch_named(match, name);

    return text && *text ? g_steal_pointer(&text) : NULL;
}

static char **ssh_words(const GMatchInfo *match)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *user = part(match, "user"), *six = part(match, "six"), *host = part(match, "host"),
                    *port = part(match, "port"), *container = part(match, "container");

    g_ptr_array_add(words, g_strdup("ssh"));
    for (size_t i = 0; i < G_N_ELEMENTS(ssh_options); i++)
        g_ptr_array_add(words, g_strdup(ssh_options[i]));
    if (port)
        g_ptr_array_add(words, g_strconcat("-p", port, NULL));
    g_ptr_array_add(words, g_strdup("--"));
    g_ptr_array_add(words, g_strconcat(user ? user : "", six ? six : host, NULL));
    g_ptr_array_add(words, g_strdup("systemd-stdio-bridge"));
    if (container)
        g_ptr_array_add(words, g_strconcat("--machine=", container, NULL));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

static int start(sd_bus **ret_bus, char **words)
{
    const char *name;
    int r = sd_bus_new(ret_bus);

    if (r >= 0)
        r = sd_bus_set_exec(*ret_bus, words[0], words);
    if (r >= 0)
        r = sd_bus_set_bus_client(*ret_bus, 1);
    if (r >= 0)
        r = sd_bus_start(*ret_bus);
    /* ssh's failure shows only when the greeting of the bus does not arrive. */
    return r < 0 ? r : sd_bus_get_unique_name(*ret_bus, &name);
}

int viommu_remote_open(sd_bus **ret_bus, const char *host)
{
    g_autoptr(GRegex) regex = g_regex_new(host_pattern, 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    g_auto(GStrv) words = NULL;

    if (!g_regex_match(regex, host, 0, &match))
        return -EINVAL;
    words = ssh_words(match);
    return start(ret_bus, words);
}

char *viommu_remote_jump(const char *host, GError **error)
{
    const char *container = strchr(host, '/');
    g_auto(GStrv) parts = NULL;

    if (container) {
        viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "ssh cannot pass through '%s' to a guest: the guest is reached from within the container '%s' only; run viommuctl there",
            host, container + 1);
        return NULL;
    }
    /* Alone, the word means that there is no host to pass through. */
    if (g_ascii_strcasecmp(host, "none") == 0)
        return g_strconcat("ssh://", host, NULL);
    /* ssh expands '%', which may be in an address of IPv6. */
    parts = g_strsplit(host, "%", -1);
    return g_strjoinv("%%", parts);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/login.h"

#include <string.h>

#include "lib/base/error.h"

/* A shell that exits with 128 and the number of the signal where ssh would say only 255. */
#define WRAPPER "sh -c '\"$@\"; exit $?' sh"

void viommu_login_clear(ViommuLogin *login)
{
    g_free(login->address);
    g_free(login->user);
    g_free(login->key);
    g_free(login->known_hosts);
    g_free(login->alias);
    g_free(login->jump);
    *login = (ViommuLogin){NULL};
}

bool viommu_login_check(const ViommuLogin *login, GError **error)
{
    const char *paths[] = {login->key, login->known_hosts};

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        if (paths[i] && (strpbrk(paths[i], "\"\\\n") || strstr(paths[i], "${")))
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "ssh cannot read the path '%s': it has a quotation mark, a backslash, '${' or a line end; rename the file or its directory",
                paths[i]);
    return true;
}

/* ssh expands '%' in paths, and splits at spaces outside of quotes. */
static char *quote_path(const char *path)
{
    GString *text = g_string_new("\"");

    for (; *path; path++)
        g_string_append_printf(text, *path == '%' ? "%%%c" : "%c", *path);
    g_string_append_c(text, '"');
    return g_string_free(text, FALSE);
}

static void add(GPtrArray *settings, const char *key, const char *value)
{
    g_ptr_array_add(settings, g_strconcat(key, " ", value, NULL));
}

static void add_path(GPtrArray *settings, const char *key, const char *path)
{
    g_autofree char *quoted = quote_path(path);

    add(settings, key, quoted);
}

/* "Key value", as in ssh_config(5). */
static GPtrArray *make_settings(const ViommuLogin *login)
{
    static const char *const when_alone[] = {"BatchMode yes", "ConnectTimeout 60", "ServerAliveInterval 30",
                                             "ServerAliveCountMax 10"};
    GPtrArray *settings = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *port = g_strdup_printf("%u", login->port);

    add(settings, "HostName", login->address);
    add(settings, "Port", port);
    add(settings, "User", login->user);
    add(settings, "HostKeyAlias", login->alias);
    add_path(settings, "UserKnownHostsFile", login->known_hosts);
    add(settings, "StrictHostKeyChecking", "accept-new");
    add(settings, "LogLevel", "ERROR");
    if (login->key) {
        add_path(settings, "IdentityFile", login->key);
        add(settings, "IdentitiesOnly", "yes");
    }
    if (login->jump)
        add(settings, "ProxyJump", login->jump);
    for (size_t i = 0; login->alone && i < G_N_ELEMENTS(when_alone); i++)
        g_ptr_array_add(settings, g_strdup(when_alone[i]));
    return settings;
}

static GPtrArray *begin(const ViommuLogin *login, const char *program)
{
    g_autoptr(GPtrArray) settings = make_settings(login);
    GPtrArray *words = g_ptr_array_new();

    g_ptr_array_add(words, g_strdup(program));
    if (login->alone && !login->jump) {
        g_ptr_array_add(words, g_strdup("-F"));
        g_ptr_array_add(words, g_strdup("none"));
    }
    for (guint i = 0; i < settings->len; i++) {
        g_ptr_array_add(words, g_strdup("-o"));
        g_ptr_array_add(words, g_strdup(g_ptr_array_index(settings, i)));
    }
    return words;
}

static char **end(GPtrArray *words)
{
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

static char *quote_command(char *const *command)
{
    GString *text = g_string_new(WRAPPER);

    for (; *command; command++) {
        g_autofree char *quoted = g_shell_quote(*command);

        g_string_append_printf(text, " %s", quoted);
    }
    return g_string_free(text, FALSE);
}

char **viommu_login_ssh(const ViommuLogin *login, char *const *command)
{
    GPtrArray *words = begin(login, "ssh");

    g_ptr_array_add(words, g_strdup("--"));
    g_ptr_array_add(words, g_strdup(login->alias));
    if (command)
        g_ptr_array_add(words, quote_command(command));
    return end(words);
}

char **viommu_login_sftp(const ViommuLogin *login, const char *batch)
{
    GPtrArray *words = begin(login, "sftp");

    g_ptr_array_add(words, g_strdup("-b"));
    g_ptr_array_add(words, g_strdup(batch));
    g_ptr_array_add(words, g_strdup("--"));
    g_ptr_array_add(words, g_strdup(login->alias));
    return end(words);
}

char *viommu_login_sftp_quote(const char *path)
{
    GString *text = g_string_new(NULL);

    for (; *path; path++) {
        if (strchr(" \t\"'#\\", *path))
            g_string_append_c(text, '\\');
        g_string_append_c(text, *path);
    }
    return g_string_free(text, FALSE);
}

char *viommu_login_config(const ViommuLogin *login, const char *name)
{
    g_autoptr(GPtrArray) settings = make_settings(login);
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "Host %s\n", name);
    for (guint i = 0; i < settings->len; i++)
        g_string_append_printf(text, "  %s\n", (const char *)g_ptr_array_index(settings, i));
    return g_string_free(text, FALSE);
}

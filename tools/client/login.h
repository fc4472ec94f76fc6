/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* login: how ssh(1) and sftp(1) reach a guest: their words, and the same for a configuration file.
 * Knows no machine.  Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct ViommuLogin {
    char *address; /* of a host, without brackets */
    unsigned port;
    char *user;
    char *key;         /* the file of a private key; NULL: those of ssh itself */
    char *known_hosts; /* the file of keys of guests that were seen */
    char *alias;       /* the name of the guest in that file */
    char *jump;        /* [USER@]HOST to pass through; NULL: none */
    /* Nobody is asked, a guest that does not answer is given up, and the user's configuration is
     * not read, except that of the host to pass through. */
    bool alone;
} ViommuLogin;

void viommu_login_clear(ViommuLogin *login);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuLogin, viommu_login_clear)
/** The words of ssh(1).  @command: NULL-terminated words, which reach the program in the guest
 *  unchanged, whatever shell its user has; NULL: none, so ssh runs that shell.  Owned,
 *  g_strfreev(). */
char **viommu_login_ssh(const ViommuLogin *login, char *const *command);
/** The words of sftp(1), which reads its commands from the file @batch.  Owned, g_strfreev(). */
char **viommu_login_sftp(const ViommuLogin *login, const char *batch);
/** @path as a word of sftp's commands: wildcards stay.  Owned, g_free(). */
char *viommu_login_sftp_quote(const char *path);
/** A stanza "Host NAME" for ssh_config(5).  Owned, g_free(). */
char *viommu_login_config(const ViommuLogin *login, const char *name);

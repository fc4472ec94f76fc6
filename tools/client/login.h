/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* login: how ssh(1) and sftp(1) reach a guest: their words, and the same for a configuration file
 * of ssh.  Knows no machine.  Pure. */
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
    char *jump;        /* ProxyJump: the host to pass through; NULL: none */
    /* ssh asks nobody, gives up a guest that does not answer, and reads the user's configuration
     * only where there is a host to pass through. */
    bool alone;
} ViommuLogin;

void viommu_login_clear(ViommuLogin *login);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuLogin, viommu_login_clear)
/** Fails: INVALID_REQUEST if ssh cannot take a path of @login, since its versions read quotation
 *  marks and backslashes in different ways. */
bool viommu_login_check(const ViommuLogin *login, GError **error);
/** The words of ssh(1).  @command: NULL-terminated words, which reach the program in the guest
 *  unchanged if its user's shell quotes as sh(1) does; NULL: none, so ssh runs that shell.  Owned,
 *  g_strfreev(). */
char **viommu_login_ssh(const ViommuLogin *login, char *const *command);
/** The words of sftp(1), which reads its commands from the file @batch.  Owned, g_strfreev(). */
char **viommu_login_sftp(const ViommuLogin *login, const char *batch);
/** @path as a word of sftp's commands: wildcards stay.  Owned, g_free(). */
char *viommu_login_sftp_quote(const char *path);
/** A stanza "Host NAME" for ssh_config(5).  Owned, g_free(). */
char *viommu_login_config(const ViommuLogin *login, const char *name);

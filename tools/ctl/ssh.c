/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl ssh and ssh-config: log in to a guest, or tell other programs how to. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "tools/ctl/reach.h"

#define STATUS_NOT_FOUND 127

/* What both verbs need.  The machine's name is the first word. */
static bool find_login(ViommuCtl *ctl, bool wait, ViommuLogin *ret_login, GError **error)
{
    g_autoptr(ViommuClient) client = NULL;
    g_autofree char *path = NULL;
    g_autoptr(GVariant) properties = NULL;
    guint64 seconds = VIOMMU_REACH_SECONDS;

    if (!viommu_ctl_read_timeout(ctl, &seconds, error))
        return false;
    client = viommu_ctl_connect(ctl, error);
    path = client ? viommu_ctl_find_machine(ctl, client, error) : NULL;
    properties = path ? viommu_ctl_machine_properties(ctl, client, path, error) : NULL;
    return properties && viommu_ctl_reach_login(ctl, properties, ret_login, error) &&
           (!wait || viommu_ctl_reach_wait(ctl, client, path, ret_login, seconds, error));
}

bool viommu_ctl_ssh(ViommuCtl *ctl, GError **error)
{
    g_auto(ViommuLogin) login = {NULL};
    g_auto(GStrv) words = NULL;

    if (!find_login(ctl, true, &login, error))
        return false;
    /* A script must not wait for a guest that hangs, whose connection QEMU keeps. */
    login.alone = ctl->command && !isatty(STDIN_FILENO);
    words = viommu_login_ssh(&login, ctl->command);
    fflush(stdout);
    /* In place of viommuctl, so that the terminal, signals and the exit status are those of ssh. */
    execvp(words[0], words);
    ctl->exit_status = STATUS_NOT_FOUND;
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot run 'ssh' (is openssh-client installed?): %s",
                       g_strerror(errno));
}

bool viommu_ctl_ssh_config(ViommuCtl *ctl, GError **error)
{
    g_auto(ViommuLogin) login = {NULL};
    g_autofree char *text = NULL;

    if (!find_login(ctl, false, &login, error))
        return false;
    text = viommu_login_config(&login, ctl->words[0]);
    if (ctl->output.json)
        viommu_output_json(g_variant_new_parsed("{'ssh-config': <%s>}", text));
    else
        viommu_output_text(&ctl->output, VIOMMU_STYLE_PLAIN, text);
    return true;
}

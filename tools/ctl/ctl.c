/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl: parses the command line, calls the verb, and prints its error.  Does not know what
 * verbs do. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "lib/base/printable.h"
#include "lib/request/request.h"
#include "tools/client/error.h"
#include "tools/client/request-words.h"
#include "tools/ctl/options.h"

static int fail(ViommuCtl *ctl, const GError *error)
{
    viommu_output_failure(&ctl->output, error, ctl->reasons);
    g_clear_pointer(&ctl->reasons, g_variant_unref);
    fflush(stdout);
    return ctl->exit_status ? ctl->exit_status : viommu_failure_exit_status(error);
}

/* A wrong command line: on standard error even with --json, because no verb ran. */
static int fail_usage(const GError *error)
{
    g_autofree char *message = viommu_console_text_clean(error->message);

    fprintf(stderr, "viommuctl: %s\n", message);
    return viommu_failure_exit_status(error);
}

int main(int argc, char **argv)
{
    ViommuCtl ctl = {0};
    const ViommuCtlVerbRow *verb = NULL;
    g_autoptr(GError) error = NULL;

    setlocale(LC_CTYPE, "");
    /* A caller that ignores it passes that on, and no child would have a status. */
    signal(SIGCHLD, SIG_DFL);
    if (!viommu_ctl_parse(&ctl, argc, argv, &verb, &error))
        return fail_usage(error);
    viommu_output_open(&ctl.output, ctl.json, ctl.no_color);
    if (ctl.version)
        printf("viommuctl %s\n", VIOMMU_VERSION);
    else if (ctl.keys) {
        g_autofree char *keys = viommu_request_words_help(&viommu_request_fields);

        fputs(keys, stdout);
    } else if (ctl.help || !verb) {
        g_autofree char *help = viommu_ctl_help(verb);

        fputs(help, ctl.help ? stdout : stderr);
        if (!ctl.help)
            viommu_failure_set(&error, VIOMMU_FAILURE_USAGE, "a verb is missing");
    } else if (!verb->run(&ctl, &error))
        return fail(&ctl, error);
    if (error)
        return fail_usage(error);
    if (!viommu_output_finish(&error))
        return fail_usage(error);
    return ctl.exit_status;
}

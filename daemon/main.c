/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main: the command line of viommud. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include "daemon/process/log.h"
#include "daemon/service.h"
#include "lib/base/xml-read.h"

#define EXIT_USAGE 2

/* Threads mostly wait; with a heap for each thread, the memory of a burst of calls would be
 * kept. */
#define HEAPS_MAX 2

static int fail_usage(const char *text)
{
    fprintf(stderr, "viommud: %s\nTry 'viommud --help'.\n", text);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    g_autofree char *connect = NULL, *config = NULL, *console_directory = NULL, *log_level = NULL,
                    *root = NULL;
    gboolean user = FALSE, system = FALSE, version = FALSE, print_config = FALSE;
    const GOptionEntry entries[] = {
        {"user", 0, 0, G_OPTION_ARG_NONE, &user, "Serve the user bus; use qemu:///session", NULL},
        {"system", 0, 0, G_OPTION_ARG_NONE, &system, "Serve the system bus; use qemu:///system", NULL},
        {"connect", 'c', 0, G_OPTION_ARG_STRING, &connect, "Use this libvirt ($VIOMMU_CONNECT)", "URI"},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &config, "The only configuration file to read", "FILE"},
        {"console-directory", 0, 0, G_OPTION_ARG_FILENAME, &console_directory,
         "Log the guests' consoles in DIR", "DIR"},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &root, "Read recorded hardware from DIR", "DIR"},
        {"log-level", 0, 0, G_OPTION_ARG_STRING, &log_level, "Log up to LEVEL, emerg to debug (info)",
         "LEVEL"},
        {"print-config", 0, 0, G_OPTION_ARG_NONE, &print_config, "Print all settings with their sources",
         NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version and exit", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- launch guests whose IOMMU works");
    g_autoptr(GError) error = NULL;
    int priority = LOG_INFO;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        return fail_usage(error->message);
    if (version) {
        puts("viommud " VIOMMU_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc > 1)
        return fail_usage("viommud takes options only, no arguments");
    if (user && system)
        return fail_usage("--user and --system cannot be combined; use one of them");
    if (log_level && (priority = viommu_log_priority_from_string(log_level)) < 0)
        return fail_usage("--log-level must be emerg, alert, crit, err, warning, notice, info or debug");
    viommu_log_open(priority);
    mallopt(M_ARENA_MAX, HEAPS_MAX);
    viommu_xml_init();

    ViommuServiceOptions options = {user, connect, config, console_directory, root};
    return print_config ? viommu_service_print_config(&options) : viommu_service_run(&options);
}

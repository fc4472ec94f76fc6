/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service: puts the parts of the daemon together: a start in five named steps, and an orderly end.
 * Decides nothing about machines. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Options of the command line; NULL: not given. */
typedef struct ViommuServiceOptions {
    bool user;                     /* use the user's bus and engine, not the system's */
    const char *connect;           /* libvirt URI */
    const char *config;            /* the only configuration file to read */
    const char *console_directory; /* overrides the configuration */
    const char *root;              /* of the host's hardware */
} ViommuServiceOptions;

/** Runs the daemon until it is told to end.  Reads the environment (XDG_RUNTIME_DIR, XDG_DATA_HOME,
 *  STATE_DIRECTORY, VIOMMU_CONNECT, VIOMMU_CONFIG).  Returns the exit status; logs errors. */
int viommu_service_run(const ViommuServiceOptions *options);
/** Prints the configuration that would be used, with the file and line of each value.  Returns the
 *  exit status; logs errors. */
int viommu_service_print_config(const ViommuServiceOptions *options);

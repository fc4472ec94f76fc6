/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error: the errors of viommuctl: those of lib/base/error.h, and those that only a client can have.
 * Knows the names of errors on the bus, not the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum ViommuFailure {
    VIOMMU_FAILURE_USAGE,       /* the command line is wrong */
    VIOMMU_FAILURE_UNAVAILABLE, /* no bus, or no viommud on it */
    VIOMMU_FAILURE_OUTPUT,      /* standard output cannot be written */
    VIOMMU_FAILURE_TIMEOUT,     /* no reply in time; the operation may still complete */
    VIOMMU_FAILURE_DENIED,      /* the bus or polkit does not allow it */
    VIOMMU_FAILURE_LOST,        /* the guest was lost while a command ran inside */
    VIOMMU_FAILURE_PAUSED,      /* the guest waits for the host to mend one of its disks */
    VIOMMU_FAILURE_LAST,
} ViommuFailure;

#define VIOMMU_FAILURE (viommu_failure_quark())
GQuark viommu_failure_quark(void);

/** Sets @error, and returns false. */
bool viommu_failure_set(GError **error, ViommuFailure code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/** The short name of @error: "NotSupported", "Unavailable"; "Internal" for an error of an unknown
 *  domain. Static. */
const char *viommu_failure_word(const GError *error);
/** The exit status for @error. */
int viommu_failure_exit_status(const GError *error);
/** An error reply as a GError; depends on @bus_name only. @message may be NULL. Owned. */
GError *viommu_failure_from_bus(const char *bus_name, const char *message);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error: one GError domain and one table: code, name on the bus, exit status of viommuctl. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum ViommuError {
    VIOMMU_ERROR_INVALID_REQUEST, /* the request contradicts itself or the schema */
    VIOMMU_ERROR_NOT_SUPPORTED,   /* this host or this guest is not able to do it */
    VIOMMU_ERROR_POLICY_REFUSED,  /* the site does not allow it */
    VIOMMU_ERROR_EXISTS,
    VIOMMU_ERROR_NOT_FOUND,
    /* a limit is reached, or another operation on the machine is under way */
    VIOMMU_ERROR_BUSY,
    VIOMMU_ERROR_NOT_VERIFIED, /* the guest runs, but did not show that its IOMMU works */
    VIOMMU_ERROR_NOT_READY,    /* the guest runs, but did not answer in time */
    VIOMMU_ERROR_BACKEND,      /* libvirt or QEMU refused; the message quotes them */
    VIOMMU_ERROR_INTERNAL,     /* a defect of viommud */
    VIOMMU_ERROR_LAST,
} ViommuError;

typedef struct ViommuErrorInfo {
    const char *word;     /* "InvalidRequest" */
    const char *bus_name; /* "org.viommu1.Error.InvalidRequest" */
    int exit_status;
} ViommuErrorInfo;

#define VIOMMU_ERROR (viommu_error_quark())
GQuark viommu_error_quark(void);

/** Sets @error and returns false: "return viommu_fail(error, VIOMMU_ERROR_BUSY, ...)". */
bool viommu_fail(GError **error, ViommuError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/** The row of @error; a GError of another domain counts as Internal. Static. */
const ViommuErrorInfo *viommu_error_info(const GError *error);
/** The row of @code. */
const ViommuErrorInfo *viommu_error_info_by_code(ViommuError code);
/** The code whose bus name is @bus_name, or VIOMMU_ERROR_LAST. */
ViommuError viommu_error_from_bus_name(const char *bus_name);

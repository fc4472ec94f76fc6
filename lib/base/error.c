/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error: the table of errors.  Does not know who raises them. */
#include "lib/base/error.h"

#include "lib/base/names.h"

#define ROW(code, name, status) \
    [VIOMMU_ERROR_##code] = {.word = (name), .bus_name = VIOMMU_ERROR_PREFIX name, .exit_status = (status)}

static const ViommuErrorInfo infos[] = {
    ROW(INVALID_REQUEST, "InvalidRequest", 2),
    ROW(NOT_SUPPORTED, "NotSupported", 3),
    ROW(POLICY_REFUSED, "PolicyRefused", 4),
    ROW(EXISTS, "Exists", 5),
    ROW(NOT_FOUND, "NotFound", 6),
    ROW(BUSY, "Busy", 7),
    ROW(NOT_VERIFIED, "NotVerified", 9),
    ROW(NOT_READY, "NotReady", 10),
    ROW(BACKEND, "Backend", 8),
    ROW(INTERNAL, "Internal", 70),
};
G_STATIC_ASSERT(G_N_ELEMENTS(infos) == VIOMMU_ERROR_LAST);

G_DEFINE_QUARK(viommu_error, viommu_error)

bool viommu_fail(GError **error, ViommuError code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_propagate_error(error, g_error_new_valist(VIOMMU_ERROR, (int)code, format, arguments));
    va_end(arguments);
    return false;
}

const ViommuErrorInfo *viommu_error_info(const GError *error)
{
    if (error->domain != VIOMMU_ERROR)
        return &infos[VIOMMU_ERROR_INTERNAL];
    return viommu_error_info_by_code((ViommuError)error->code);
}

const ViommuErrorInfo *viommu_error_info_by_code(ViommuError code)
{
    return (unsigned)code < VIOMMU_ERROR_LAST ? &infos[code] : &infos[VIOMMU_ERROR_INTERNAL];
}

ViommuError viommu_error_from_bus_name(const char *bus_name)
{
    for (int code = 0; bus_name && code < VIOMMU_ERROR_LAST; code++)
        if (g_str_equal(infos[code].bus_name, bus_name))
            return (ViommuError)code;
    return VIOMMU_ERROR_LAST;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/error.h"

#include <sysexits.h>

#include "lib/base/error.h"
#include "lib/base/names.h"

G_DEFINE_QUARK(viommu_failure, viommu_failure)

static const struct {
    const char *word;
    int exit_status;
} failures[] = {
    [VIOMMU_FAILURE_USAGE] = {"Usage", EX_USAGE},
    [VIOMMU_FAILURE_UNAVAILABLE] = {"Unavailable", EX_UNAVAILABLE},
    [VIOMMU_FAILURE_OUTPUT] = {"Output", EX_IOERR},
    [VIOMMU_FAILURE_TIMEOUT] = {"Timeout", EX_TEMPFAIL},
    [VIOMMU_FAILURE_DENIED] = {"Denied", EX_NOPERM},
    [VIOMMU_FAILURE_LOST] = {"Lost", EX_PROTOCOL},
    [VIOMMU_FAILURE_PAUSED] = {"Paused", EX_OSERR},
};
G_STATIC_ASSERT(G_N_ELEMENTS(failures) == VIOMMU_FAILURE_LAST);

#define DBUS "org.freedesktop.DBus.Error."

/* Errors of the bus itself, and their meaning here. */
static const struct {
    const char *bus_name;
    ViommuFailure failure;
} bus_failures[] = {
    {DBUS "ServiceUnknown", VIOMMU_FAILURE_UNAVAILABLE},
    {DBUS "NameHasNoOwner", VIOMMU_FAILURE_UNAVAILABLE},
    {DBUS "Disconnected", VIOMMU_FAILURE_UNAVAILABLE},
    {DBUS "NoServer", VIOMMU_FAILURE_UNAVAILABLE},
    {DBUS "FileNotFound", VIOMMU_FAILURE_UNAVAILABLE},
    {DBUS "Spawn.ExecFailed", VIOMMU_FAILURE_UNAVAILABLE},
    {DBUS "Spawn.ChildExited", VIOMMU_FAILURE_UNAVAILABLE},
    {DBUS "Spawn.ChildSignaled", VIOMMU_FAILURE_UNAVAILABLE},
    {DBUS "Spawn.ServiceNotFound", VIOMMU_FAILURE_UNAVAILABLE},
    {"org.freedesktop.systemd1.LoadFailed", VIOMMU_FAILURE_UNAVAILABLE},
    {"org.freedesktop.systemd1.NoSuchUnit", VIOMMU_FAILURE_UNAVAILABLE},
    /* The bus also sends this if the peer disappears during a call. */
    {DBUS "NoReply", VIOMMU_FAILURE_TIMEOUT},
    {DBUS "Timeout", VIOMMU_FAILURE_TIMEOUT},
    {DBUS "TimedOut", VIOMMU_FAILURE_TIMEOUT},
    {DBUS "AccessDenied", VIOMMU_FAILURE_DENIED},
    {DBUS "InteractiveAuthorizationRequired", VIOMMU_FAILURE_DENIED},
};

bool viommu_failure_set(GError **error, ViommuFailure code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_propagate_error(error, g_error_new_valist(VIOMMU_FAILURE, (int)code, format, arguments));
    va_end(arguments);
    return false;
}

const char *viommu_failure_word(const GError *error)
{
    if (error->domain == VIOMMU_FAILURE && (unsigned)error->code < VIOMMU_FAILURE_LAST)
        return failures[error->code].word;
    return viommu_error_info(error)->word;
}

int viommu_failure_exit_status(const GError *error)
{
    if (error->domain == VIOMMU_FAILURE && (unsigned)error->code < VIOMMU_FAILURE_LAST)
        return failures[error->code].exit_status;
    return viommu_error_info(error)->exit_status;
}

GError *viommu_failure_from_bus(const char *bus_name, const char *message)
{
    ViommuError code = viommu_error_from_bus_name(bus_name);
    const char *text = message && *message ? message : bus_name;

    if (code != VIOMMU_ERROR_LAST)
        return g_error_new_literal(VIOMMU_ERROR, (int)code, text);
    for (size_t i = 0; i < G_N_ELEMENTS(bus_failures); i++)
        if (g_strcmp0(bus_failures[i].bus_name, bus_name) == 0)
            return g_error_new_literal(VIOMMU_FAILURE, (int)bus_failures[i].failure, text);
    return g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL, "%s (%s)", text, bus_name);
}

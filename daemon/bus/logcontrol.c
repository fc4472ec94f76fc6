/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* logcontrol: systemd's interface org.freedesktop.LogControl1, for "systemctl service-log-level".
 * auth has allowed the call before. */
#include "daemon/bus/bus.h"

#include "daemon/process/log.h"
#include "lib/base/names.h"

static int get_level(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    return sd_bus_message_append(reply, "s", viommu_log_priority());
}

static int set_level(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *value, void *userdata, sd_bus_error *error)
{
    const char *word;
    int priority, r = sd_bus_message_read(value, "s", &word);

    if (r < 0)
        return r;
    priority = viommu_log_priority_from_string(word);
    if (priority < 0)
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                 "LogLevel '%.32s' is unknown; use a syslog level, from emerg to debug",
                                 word);
    viommu_log_set_priority(priority);
    return 0;
}

static int get_target(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    return sd_bus_message_append(reply, "s", viommu_log_target());
}

static int set_target(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *value, void *userdata, sd_bus_error *error)
{
    const char *word;
    int r = sd_bus_message_read(value, "s", &word);

    if (r >= 0 && !viommu_log_set_target(word))
        r = sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                              "LogTarget '%.32s' is unknown; use console or journal", word);
    return r < 0 ? r : 0;
}

static int get_identifier(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    return sd_bus_message_append(reply, "s", VIOMMU_LOG_IDENTIFIER);
}

static const sd_bus_vtable log_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

int viommu_bus_add_log(ViommuBus *bus)
{
    return sd_bus_add_object_vtable(bus->bus, NULL, VIOMMU_LOG_PATH, VIOMMU_IFACE_LOG, log_vtable, bus);
}

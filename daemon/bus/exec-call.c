/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exec-call: the method Exec of org.viommu1.Machine, and the descriptors that it takes. */
#include "daemon/bus/bus.h"

#include <errno.h>
#include <stdlib.h>
#include "daemon/bus/arrivals.h"
#include "daemon/bus/errors.h"
#include "daemon/process/held-files.h"
#include "lib/base/error.h"

/* As sd-bus makes them. */
static void free_strv(char **words)
{
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}

static int fill_status(sd_bus_message *reply, const ViommuOutcome *outcome)
{
    return sd_bus_message_append(reply, "i", outcome->status);
}

/* Appends a duplicate of the next descriptor of @call to @fds.  False: @error is set, or *ret_r is
 * an error of sd-bus. */
static bool take_descriptor(sd_bus_message *call, const char *name, GArray *fds, int *ret_r, GError **error)
{
    int fd;

    *ret_r = sd_bus_message_read_basic(call, SD_BUS_TYPE_UNIX_FD, &fd);
    if (*ret_r < 0)
        return false;
    fd = viommu_arrivals_find(fd, error);
    if (fd < 0 || !viommu_relay_check(fd, name, error))
        return false;
    fd = viommu_held_dup(fd);
    if (fd < 0)
        return viommu_fail(error, VIOMMU_ERROR_BUSY,
                           "viommud cannot keep the file descriptor: %s; try again later", g_strerror(errno));
    g_array_append_val(fds, fd);
    return true;
}

int viommu_bus_exec(ViommuBus *bus, sd_bus_message *call, const ViommuMachine *machine)
{
    static const char *const names[VIOMMU_RELAY_STREAMS] = {"stdin", "stdout", "stderr"};
    g_autofree char *caller = viommu_bus_clients_sender(bus->clients, call);
    g_autoptr(GArray) fds = viommu_held_array_new();
    g_autoptr(GError) error = NULL;
    char **argv = NULL; /* of malloc() */
    ViommuWaiter waiter;
    int r = sd_bus_message_read_strv(call, &argv);

    for (size_t i = 0; r >= 0 && !error && i < VIOMMU_RELAY_STREAMS; i++)
        (void)take_descriptor(call, names[i], fds, &r, &error);
    if (error)
        r = viommu_bus_reply_error(call, error, NULL);
    else if (r >= 0 && viommu_bus_reply_later(bus, call, fill_status, &waiter)) {
        ViommuExecOrder order = {(const char *const *)argv, g_steal_pointer(&fds), caller};

        viommu_manager_exec(bus->manager, machine, &order, &waiter);
        if (caller)
            viommu_bus_clients_hold(bus->clients, caller);
    }
    free_strv(argv);
    return r < 0 ? r : 1;
}

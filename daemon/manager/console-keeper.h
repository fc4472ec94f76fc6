/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-keeper: reads the consoles of machines, passes them to clients, keeps their logs, and
 * adds the last lines to errors of guests that end badly.  Does not know launches or stops, and
 * sees no bus message.  Loop thread. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "daemon/machines/registry.h"
#include "daemon/process/config.h"
#include "daemon/process/loop.h"
#include "daemon/process/worker.h"

typedef struct ViommuConsoleKeeper ViommuConsoleKeeper;

/* All borrowed. */
typedef struct ViommuConsoleKeeperContext {
    ViommuLoop *loop;
    ViommuBackend *backend;
    ViommuWorker *worker; /* deletes logs */
    const ViommuConfig *config;
    ViommuRegistry *registry;
    bool has_consoles; /* libvirt gives guests consoles; else none is read, named or deleted */
    /* directory of a former version, whose logs are moved at the start; NULL: none */
    const char *former;
} ViommuConsoleKeeperContext;

/** Owned. */
ViommuConsoleKeeper *viommu_console_keeper_new(const ViommuConsoleKeeperContext *context);
/** Free the worker first. */
void viommu_console_keeper_free(ViommuConsoleKeeper *keeper);

/** Tells whether libvirt is connected; while it is away, no console is opened and no log
 *  deleted. */
void viommu_console_keeper_set_connected(ViommuConsoleKeeper *keeper, bool connected);
/** Decides where @machine's console is logged. */
void viommu_console_keeper_name_log(ViommuConsoleKeeper *keeper, ViommuMachine *machine);
/** Opens all closed consoles of running machines; a timer does the same. */
void viommu_console_keeper_open_all(ViommuConsoleKeeper *keeper);
/** Deletes logs of machines that are gone; a timer does the same. */
void viommu_console_keeper_sweep(ViommuConsoleKeeper *keeper);
/** The backend has output or an event for the console of @uuid. */
void viommu_console_keeper_take(ViommuConsoleKeeper *keeper, const char *uuid);

/** @error with the last lines of @machine's console. Owned. */
GError *viommu_console_keeper_with_tail(const ViommuMachine *machine, const GError *error);
/** The guest of @machine has ended, as @news tells; call it before the machine's state changes.
 *  Records the reason, unless a client asked for the end. */
void viommu_console_keeper_end(ViommuConsoleKeeper *keeper, ViommuMachine *machine, const ViommuNews *news);

/** *ret_fd as of viommu_console_attach().  Fails: BUSY unless the guest runs, and when too many
 *  clients are attached; NOT_SUPPORTED where guests have no console. */
bool viommu_console_keeper_attach(ViommuConsoleKeeper *keeper, ViommuMachine *machine, int *ret_fd,
                                  GError **error);
/** *ret_fd: the log of the machine @name (or UUID), or of the latest machine of that name that is
 *  gone, for reading; owned. @uid: only that user's machine; NULL: any user's.  Fails:
 *  NOT_FOUND. */
bool viommu_console_keeper_open_log(const ViommuConsoleKeeper *keeper, const char *name, const uint32_t *uid,
                                    int *ret_fd, GError **error);

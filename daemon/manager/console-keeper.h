/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-keeper: reads the consoles of machines, gives them to clients, keeps their logs, and the
 * last words of guests that end badly.  Does not know launches or stops, and sees no bus message.
 * Loop thread. */
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
    bool has_consoles;  /* libvirt gives guests consoles; else nothing is read, named or deleted */
    const char *former; /* directory whose logs are taken over at first; NULL: none */
} ViommuConsoleKeeperContext;

/** Owned. */
ViommuConsoleKeeper *viommu_console_keeper_new(const ViommuConsoleKeeperContext *context);
/** After the worker. */
void viommu_console_keeper_free(ViommuConsoleKeeper *keeper);

/** libvirt is there, or away: then no console is opened, and no log deleted. */
void viommu_console_keeper_set_connected(ViommuConsoleKeeper *keeper, bool connected);
/** Decides where @machine's console is logged. */
void viommu_console_keeper_name_log(ViommuConsoleKeeper *keeper, ViommuMachine *machine);
/** Opens those of running machines that are not open; it does so by itself, too. */
void viommu_console_keeper_open_all(ViommuConsoleKeeper *keeper);
/** Deletes logs of machines that are gone; it does so by itself, too. */
void viommu_console_keeper_sweep(ViommuConsoleKeeper *keeper);
/** Something waits at the backend for the console of @uuid. */
void viommu_console_keeper_take(ViommuConsoleKeeper *keeper, const char *uuid);

/** @error with the last lines of @machine's console. Owned. */
GError *viommu_console_keeper_with_tail(const ViommuMachine *machine, const GError *error);
/** The guest of @machine has ended, as @news tells, before the machine changes; unless somebody
 *  wanted it to end, why is noted. */
void viommu_console_keeper_end(ViommuConsoleKeeper *keeper, ViommuMachine *machine, const ViommuNews *news);

/** *ret_fd as viommu_console_attach() has it.  Fails: BUSY unless the guest lives, and when too
 *  many are attached; NOT_SUPPORTED where guests have no console. */
bool viommu_console_keeper_attach(ViommuConsoleKeeper *keeper, ViommuMachine *machine, int *ret_fd,
                                  GError **error);
/** *ret_fd: the log of the machine @name (or UUID), or of the last one of that name that is gone,
 *  for reading; owned. @uid: only that user's; NULL: anybody's.  Fails: NOT_FOUND. */
bool viommu_console_keeper_open_log(const ViommuConsoleKeeper *keeper, const char *name, const uint32_t *uid,
                                    int *ret_fd, GError **error);

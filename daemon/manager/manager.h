/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manager: does to machines what clients ask and libvirt's news demand: launch, stop, limits,
 * adoption, the daemon's end.  Sees no bus message and no libvirt.  Everything here runs on the
 * loop thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/config.h"
#include "daemon/jobs/enquiry.h"
#include "daemon/files/files.h"
#include "daemon/machines/host-cache.h"
#include "daemon/process/loop.h"
#include "daemon/machines/reply.h"
#include "daemon/files/reader.h"
#include "daemon/machines/registry.h"
#include "daemon/process/workers.h"
#include "lib/request/request.h"

typedef struct ViommuManager ViommuManager;

/* What the manager works with; all borrowed, and outlive it. */
typedef struct ViommuManagerContext {
    ViommuLoop *loop;
    ViommuWorkers workers;
    ViommuBackend *backend;
    const ViommuConfig *config;
    const ViommuFilesSite *files;
    ViommuReaders *readers;
    bool has_consoles;           /* of the backend, which tells viommu_manager_take_console() */
    const char *former_consoles; /* where a former version kept console logs; NULL: nowhere */
} ViommuManagerContext;

ViommuManager *viommu_manager_new(const ViommuManagerContext *context);
/** After the workers. */
void viommu_manager_free(ViommuManager *manager);

/** All machines.  To be read, and watched; what changes them goes through the manager. Borrowed. */
ViommuRegistry *viommu_manager_registry(ViommuManager *manager);
ViommuHostinfo *viommu_manager_hostinfo(ViommuManager *manager);
const ViommuConfig *viommu_manager_config(const ViommuManager *manager);
const char *viommu_manager_uri(const ViommuManager *manager);
bool viommu_manager_is_connected(const ViommuManager *manager);
/** @func is called when viommu_manager_is_connected() changes. */
void viommu_manager_watch_connection(ViommuManager *manager, ViommuLoopFunc func, void *userdata);

/** Takes over what libvirt has of ours as soon as the backend's first news arrives, and learns
 *  about the host.  @func is called once: when that is done, or when libvirt is away or slow, and
 *  the rest must wait. */
void viommu_manager_adopt_all(ViommuManager *manager, ViommuLoopFunc func, void *userdata);
/** News from the backend, brought to the loop. */
void viommu_manager_take_news(ViommuManager *manager, const ViommuNews *news);
/** Something waits at the backend for the console of @uuid, brought to the loop. */
void viommu_manager_take_console(ViommuManager *manager, const char *uuid);

/* The end waits no longer for what is under way, as libvirt may hang.  The machines' records hold
 * it, and the next start settles it. */
#define VIOMMU_MANAGER_END_SEC 3u
/** Takes no more launches, and finishes what is under way within VIOMMU_MANAGER_END_SEC; guests
 *  keep running.  Then tells the callers that still wait that the daemon ends, and calls @func with
 *  whether everything did finish. */
void viommu_manager_end(ViommuManager *manager, void (*func)(bool finished, void *userdata), void *userdata);

/** Takes @request.  @client is what a machine is bound to whose request says so.  The outcome has
 *  the machine when it has come as far as the request's wait says.  Fails: as a plan and libvirt
 *  fail; EXISTS for a name or a request-id in use; BUSY and POLICY_REFUSED at a limit. */
void viommu_manager_launch(ViommuManager *manager, ViommuRequest *request, const ViommuAsker *asker,
                           const char *client, const ViommuWaiter *waiter);
/** Ends the machines that are bound to @client. */
void viommu_manager_client_gone(ViommuManager *manager, const char *client);
/** Takes the request of @enquiry.  A dry run; the outcome has the model, and unless it is brief the
 *  report. */
void viommu_manager_plan(ViommuManager *manager, const ViommuEnquiry *enquiry, const ViommuWaiter *waiter);
/** Ends @machine, which is gone when @waiter hears of it.  @seconds for the guest to end by itself;
 *  0 also hurries an earlier stop. */
void viommu_manager_stop(ViommuManager *manager, ViommuMachine *machine, uint32_t seconds,
                         const ViommuWaiter *waiter);
/** The lease of @machine ends @seconds from now, unless it ends later already; the outcome has the
 *  machine.  @bound: the site's longest lease binds who asks.  Fails: INVALID_REQUEST when it has
 *  no lease; POLICY_REFUSED when that is too long; BUSY in a launch or a stop. */
void viommu_manager_extend(ViommuManager *manager, ViommuMachine *machine, uint64_t seconds, bool bound,
                           const ViommuWaiter *waiter);
/** Fails: BUSY unless it runs. */
void viommu_manager_reset(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter);
/** The outcome has the XML. */
void viommu_manager_get_xml(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter);
/** Proves, from inside, that the IOMMU of @machine is what was planned; the outcome has a report.
 *  @seconds for it, at most VIOMMU_VERIFY_SECONDS_MAX; 0: as the site says.  One under way is
 *  joined.  Fails: NOT_VERIFIED with the likely cause; BUSY unless it runs; NOT_SUPPORTED when
 *  nothing can look inside. */
void viommu_manager_verify(ViommuManager *manager, const ViommuMachine *machine, uint64_t seconds,
                           const ViommuWaiter *waiter);
/** *ret_fd as viommu_console_attach() has it.  Fails: BUSY unless the guest lives, and when too
 *  many are attached; NOT_SUPPORTED where guests have no console. */
bool viommu_manager_open_console(ViommuManager *manager, ViommuMachine *machine, int *ret_fd, GError **error);
/** *ret_fd: the log of the machine @name (or UUID), or of the last one of that name that is gone,
 *  for reading; owned. @uid: only that user's; NULL: anybody's.  Fails: NOT_FOUND. */
bool viommu_manager_open_console_log(ViommuManager *manager, const char *name, const uint32_t *uid,
                                     int *ret_fd, GError **error);

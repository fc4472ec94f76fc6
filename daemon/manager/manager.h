/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manager: carries out what clients and libvirt's news demand of machines: launch, stop, limits,
 * adoption, the daemon's end.  Sees no bus message and no libvirt.  Loop thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/config.h"
#include "daemon/jobs/attach.h"
#include "daemon/jobs/enquiry.h"
#include "daemon/files/files.h"
#include "daemon/manager/exec-keeper.h"
#include "daemon/machines/host-cache.h"
#include "daemon/process/loop.h"
#include "daemon/machines/reply.h"
#include "daemon/files/reader.h"
#include "daemon/machines/registry.h"
#include "daemon/process/workers.h"
#include "lib/request/request.h"

typedef struct ViommuManager ViommuManager;

/* The parts that the manager uses; all are borrowed and outlive it. */
typedef struct ViommuManagerContext {
    ViommuLoop *loop;
    ViommuWorkers workers;
    ViommuBackend *backend;
    const ViommuConfig *config;
    const ViommuFilesSite *files;
    ViommuReaders *readers;
    bool has_consoles;           /* the backend calls viommu_manager_take_console() */
    const char *former_consoles; /* directory of a former version's console logs; NULL: none */
    const char *state;           /* directory of what viommud has learnt of this host */
    unsigned proof_sec;          /* how long a launch waits for the proof of KVM */
    unsigned detach_sec;         /* how long a detach waits for the guest */
    int ready_file;              /* of viommu_readiness_new(); borrowed */
} ViommuManagerContext;

ViommuManager *viommu_manager_new(const ViommuManagerContext *context);
/** Free the workers first. */
void viommu_manager_free(ViommuManager *manager);

/** All machines, to be read and watched; every change goes through the manager. Borrowed. */
ViommuRegistry *viommu_manager_registry(ViommuManager *manager);
ViommuHostinfo *viommu_manager_hostinfo(ViommuManager *manager);
const ViommuConfig *viommu_manager_config(const ViommuManager *manager);
/** What all machines together have now, by the keys of [limits] that bound it, as numbers (t):
 *  floating a{sv}. */
GVariant *viommu_manager_used(const ViommuManager *manager);
/** What running guests take of the host, as libvirt counts it; the outcome has the usage of all,
 *  also of those that the caller may not know of.  @owner: it must have that user's machines; NULL:
 *  all.  Fails: BACKEND. */
void viommu_manager_read_usage(ViommuManager *manager, const uint32_t *owner, const ViommuWaiter *waiter);
const char *viommu_manager_uri(const ViommuManager *manager);
bool viommu_manager_is_connected(const ViommuManager *manager);
/** @func is called when viommu_manager_is_connected() changes. */
void viommu_manager_watch_connection(ViommuManager *manager, ViommuLoopFunc func, void *userdata);

/** Adopts viommud's domains when the backend's first news arrives, and learns about the host.
 *  Calls @func once: when both are done, or when libvirt is away or slow and the rest must be done
 *  later. */
void viommu_manager_adopt_all(ViommuManager *manager, ViommuLoopFunc func, void *userdata);
/** News from the backend, brought to the loop. */
void viommu_manager_take_news(ViommuManager *manager, const ViommuNews *news);
/** The backend has output or an event for the console of @uuid; called on the loop. */
void viommu_manager_take_console(ViommuManager *manager, const char *uuid);

/* How long the end waits for jobs under way, because libvirt may hang.  The machines' metadata
 * record the jobs, and the next start settles them. */
#define VIOMMU_MANAGER_END_SEC 3u
/** Takes no more launches, and lets the jobs under way finish within VIOMMU_MANAGER_END_SEC; guests
 *  keep running.  Then tells the callers that still wait that the daemon ends, and calls @func with
 *  whether all jobs have finished. */
void viommu_manager_end(ViommuManager *manager, void (*func)(bool finished, void *userdata), void *userdata);

/** Takes @request.  A machine that the request binds to its client is bound to @client.  The
 *  outcome has the machine once it is in the phase that the request waits for.  Fails: as a plan
 *  and libvirt fail; EXISTS for a name or a request-id in use; BUSY and POLICY_REFUSED at a
 *  limit. */
void viommu_manager_launch(ViommuManager *manager, ViommuRequest *request, const ViommuAsker *asker,
                           const char *client, const ViommuWaiter *waiter);
/** Ends the machines that are bound to @client. */
void viommu_manager_client_gone(ViommuManager *manager, const char *client);
/** Takes the request of @enquiry.  A dry run; the outcome has the model, and unless it is brief the
 *  report. */
void viommu_manager_plan(ViommuManager *manager, const ViommuEnquiry *enquiry, const ViommuWaiter *waiter);
/** Ends @machine and answers @waiter when it is gone.  The guest has @seconds to end by itself; 0
 *  also hurries an earlier stop. */
void viommu_manager_stop(ViommuManager *manager, ViommuMachine *machine, uint32_t seconds,
                         const ViommuWaiter *waiter);
/** Makes the lease of @machine end @seconds from now, unless it ends later already; the outcome has
 *  the machine.  @bound: the site's longest lease applies to the caller.  Fails: INVALID_REQUEST
 *  when the machine has no lease; POLICY_REFUSED when @seconds are too many; BUSY during a launch
 *  or a stop. */
void viommu_manager_extend(ViommuManager *manager, ViommuMachine *machine, uint64_t seconds, bool bound,
                           const ViommuWaiter *waiter);
/** Fails: BUSY unless the machine runs. */
void viommu_manager_reset(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter);
/** Pauses the guest; when that is answered, the machine is paused.  One that is paused stays so.
 *  Fails: BUSY unless the machine runs or is paused. */
void viommu_manager_suspend(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter);
/** Lets a paused guest run again, whyever it is paused; likewise. */
void viommu_manager_resume(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter);
/** Attaches a device to @machine; takes the descriptors of @order.  See device-keeper.h. */
void viommu_manager_attach(ViommuManager *manager, const ViommuMachine *machine,
                           const ViommuAttachOrder *order, const ViommuWaiter *waiter);
/** Detaches the attached device @id; likewise. */
void viommu_manager_detach(ViommuManager *manager, ViommuMachine *machine, const char *id,
                           const ViommuWaiter *waiter);
/** The outcome has the XML. */
void viommu_manager_get_xml(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter);
/** Verifies from inside the guest that the IOMMU of @machine is the planned one; the outcome has a
 *  report.  It may take @seconds, at most VIOMMU_VERIFY_SECONDS_MAX; 0: the site's setting.  Joins
 *  a verification that is under way.  Fails: NOT_VERIFIED with the likely cause; BUSY unless the
 *  machine runs; NOT_SUPPORTED when the guest has neither agent nor console. */
void viommu_manager_verify(ViommuManager *manager, const ViommuMachine *machine, uint64_t seconds,
                           const ViommuWaiter *waiter);
/** Waits until the agent in @machine answers, or its systemd tells that it is ready.  @seconds as
 *  above.  Fails: NOT_READY; BUSY unless it runs; NOT_SUPPORTED when it has no agent that may be
 *  asked, and no vsock. */
void viommu_manager_await_ready(ViommuManager *manager, const ViommuMachine *machine, uint64_t seconds,
                                const ViommuWaiter *waiter);
/** The guest with the vsock context @cid tells that it is ready.  False: it may be a machine whose
 *  context is not known yet; tell it again. */
bool viommu_manager_told_ready(ViommuManager *manager, uint32_t cid);
/** Runs a command in the guest of @machine, through its agent; the outcome has its status.  Takes
 *  the descriptors of @order, also on failure.  Fails: INVALID_REQUEST for the words; BUSY unless
 *  the machine runs, when its agent does not answer, and at the limits of exec-keeper.h;
 *  NOT_SUPPORTED when it has no agent that may run commands. */
void viommu_manager_exec(ViommuManager *manager, const ViommuMachine *machine, const ViommuExecOrder *order,
                         const ViommuWaiter *waiter);
/** Kills the commands that @caller runs in guests. */
void viommu_manager_caller_gone(ViommuManager *manager, const char *caller);
/** *ret_fd as of viommu_console_attach().  Fails: BUSY unless the guest runs, and when too many
 *  clients are attached; NOT_SUPPORTED where guests have no console. */
bool viommu_manager_open_console(ViommuManager *manager, ViommuMachine *machine, int *ret_fd, GError **error);
/** *ret_fd: the log of the machine @name (or UUID), or of the latest machine of that name that is
 *  gone, for reading; owned. @uid: only that user's machine; NULL: any user's.  Fails:
 *  NOT_FOUND. */
bool viommu_manager_open_console_log(ViommuManager *manager, const char *name, const uint32_t *uid,
                                     int *ret_fd, GError **error);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal: what the files of the libvirt backend share; no other file includes it.
 *   calls.c        the calls of daemon/libvirt/backend.h
 *   pool.c         connections for calls, and virError -> GError
 *   probe.c        what is known of the host, and its cache
 *   list.c         which domains there are
 *   network.c      where its networks lead
 *   watch.c        libvirt's event loop, the event connection, its reconnecting, events -> news
 *   guest-agent.c  the guests' agents
 *   console.c      the guests' serial consoles, on connections of their own */
#pragma once

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include "daemon/libvirt/backend.h"
#include "lib/base/error.h"

/* The table: libvirt's code -> ours. */
ViommuError viommu_libvirt_error_code(int virt_code);
/** Fails with the calling thread's last virError: "WHAT: libvirt: ITS WORDS (error N)".  Always
 *  returns false. */
bool viommu_libvirt_fail(GError **error, const char *what, ...) G_GNUC_PRINTF(2, 3);
/** The code of the thread's last virError; VIR_ERR_OK when there is none. */
int viommu_libvirt_last_code(void);

/** Whether the thread's last virError is libvirt's verdict on a configuration:
 *  it cannot be, here. */
bool viommu_libvirt_last_unsupported(void);

/* Connections for calls.  Thread-safe. */
typedef struct ViommuPool ViommuPool;

ViommuPool *viommu_pool_new(const char *uri, unsigned size);
/** As viommu_backend_set_timeout(). */
void viommu_pool_set_timeout(ViommuPool *pool, unsigned seconds);
/** All connections must be back; openings that hang are left to themselves, and then the pool is
 *  not freed. */
void viommu_pool_free(ViommuPool *pool);
const char *viommu_pool_uri(const ViommuPool *pool);
bool viommu_pool_is_local(const ViommuPool *pool);
/** A new connection, outside the pool's limit; close it with virConnectClose().  NULL on
 *  failure. */
virConnectPtr viommu_pool_open(ViommuPool *pool, GError **error);
/** What is done with a connection.  Fails with an error. */
typedef bool (*ViommuPoolFunc)(virConnectPtr connection, void *data, GError **error);
/** Lends @func a living connection, waiting for one when all are lent.  When the connection breaks
 *  under it and @again says that asking twice does no harm, it is called once more on a new one. */
bool viommu_pool_call(ViommuPool *pool, ViommuPoolFunc func, void *data, bool again, GError **error);
/** Counts how often libvirt's daemon was found gone: what was learnt from the one before may be
 *  wrong now. */
int viommu_pool_generation(ViommuPool *pool);
void viommu_pool_bump(ViommuPool *pool);

/** A thread that takes no signal: the process's own are the loop's affair.  NULL on failure,
 *  INTERNAL. */
GThread *viommu_thread_start(const char *name, GThreadFunc func, void *data, GError **error);

/* libvirt's event loop, on a thread of its own.  One per process; must run before the first
 * connection is opened. */
bool viommu_event_thread_start(GError **error);
void viommu_event_thread_stop(void);

/* The event connection. */
typedef struct ViommuWatch ViommuWatch;

/** Fails: INTERNAL. */
ViommuWatch *viommu_watch_new(ViommuPool *pool, ViommuNewsFunc func, void *userdata, GError **error);
/** Ends its thread and its connection; news that is being told may still arrive until the event
 *  thread has stopped. */
void viommu_watch_stop(ViommuWatch *watch);
/** It opens its connection, which takes as long as libvirt's daemon hangs. */
bool viommu_watch_is_opening(ViommuWatch *watch);
/** Stopped, and after the event thread. */
void viommu_watch_free(ViommuWatch *watch);

/** As viommu_backend_list() and viommu_backend_list_holders(). */
GPtrArray *viommu_list_domains(ViommuPool *pool, GError **error);
GPtrArray *viommu_list_holders(ViommuPool *pool, GError **error);
GPtrArray *viommu_list_unmarked(ViommuPool *pool, const char *prefix, GError **error);

/** As viommu_backend_network_mode(). */
char *viommu_network_mode(ViommuPool *pool, const char *name, GError **error);

/* The cached host.  Thread-safe; one probe at a time. */
typedef struct ViommuProbe ViommuProbe;

ViommuProbe *viommu_probe_new(ViommuPool *pool);
/** As viommu_backend_set_root(). */
void viommu_probe_set_root(ViommuProbe *probe, const char *root);
void viommu_probe_free(ViommuProbe *probe);
/** As viommu_backend_read_topology(). */
bool viommu_probe_topology(const ViommuProbe *probe, ViommuTopology *topology, GError **error);
/** Owned, on every call a host of its own. */
ViommuHost *viommu_probe_host(ViommuProbe *probe, GError **error);

/** As viommu_backend_run_in_guest(), on connections of @pool. */
char *viommu_agent_run(ViommuPool *pool, const char *uuid, const char *script, bool *ret_broke,
                       GError **error);

/* The consoles.  Thread-safe; nothing blocks but what says so. */
typedef struct ViommuConsoles ViommuConsoles;

/** After the event thread was started. */
ViommuConsoles *viommu_consoles_new(ViommuPool *pool, ViommuConsoleFunc func, void *userdata);
/** Blocks until all are closed; the rest is as with the watch. */
void viommu_consoles_stop(ViommuConsoles *consoles);
void viommu_consoles_free(ViommuConsoles *consoles);
/** As in daemon/libvirt/backend.h. */
void viommu_consoles_open(ViommuConsoles *consoles, const char *uuid, uint32_t lane);
/** Blocks until it is open, or cannot be, or takes too long. */
void viommu_consoles_open_now(ViommuConsoles *consoles, const char *uuid, uint32_t lane);
ViommuConsoleNews *viommu_consoles_take(ViommuConsoles *consoles, const char *uuid);
void viommu_consoles_send(ViommuConsoles *consoles, const char *uuid, GBytes *bytes);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal: what the files of the libvirt backend share; no other file includes it.
 * calls.c: the calls of daemon/libvirt/backend.h
 * pool.c: connections for calls, and virError -> GError
 * probe.c: what is known of the host, and its cache
 * list.c: lists of domains
 * network.c: forward modes of libvirt's networks
 * usage.c: what guests take of the host, and the size of a domain
 * addresses.c: addresses of a guest in networks of the host
 * forward.c: ports of this host that lead to a guest
 * watch.c: libvirt's event loop, the event connection, its reconnecting, events -> news
 * guest-agent.c: the guests' agents
 * guest-command.c: commands in guests, through their agents
 * device.c: devices of running guests
 * console.c: the guests' serial consoles, on connections of their own */
#pragma once

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include "daemon/libvirt/backend.h"
#include "lib/base/error.h"

/* The table from libvirt's codes to viommud's. */
ViommuError viommu_libvirt_error_code(int virt_code);
/** Sets the calling thread's last virError as @error: "WHAT: libvirt: MESSAGE (error N)".  Always
 *  returns false. */
bool viommu_libvirt_fail(GError **error, const char *what, ...) G_GNUC_PRINTF(2, 3);
/** The code of the thread's last virError; VIR_ERR_OK when there is none. */
int viommu_libvirt_last_code(void);

/** Whether the thread's last virError says that libvirt cannot do a configuration. */
bool viommu_libvirt_last_unsupported(void);

/* Connections for calls.  Thread-safe. */
typedef struct ViommuPool ViommuPool;

ViommuPool *viommu_pool_new(const char *uri, unsigned size);
/** Like viommu_backend_set_timeout(). */
void viommu_pool_set_timeout(ViommuPool *pool, unsigned seconds);
/** All connections must be returned.  A thread that hangs in an opening keeps the pool, which then
 *  is not freed. */
void viommu_pool_free(ViommuPool *pool);
const char *viommu_pool_uri(const ViommuPool *pool);
bool viommu_pool_is_local(const ViommuPool *pool);
/** A new connection beyond the pool's limit; close it with virConnectClose().  NULL on failure. */
virConnectPtr viommu_pool_open(ViommuPool *pool, GError **error);
/** Uses a connection.  Fails with an error. */
typedef bool (*ViommuPoolFunc)(virConnectPtr connection, void *data, GError **error);
/** Lends a working connection to @func, and waits for one when all are lent.  If the connection
 *  breaks meanwhile and @again allows it, calls @func once more with a new one. */
bool viommu_pool_call(ViommuPool *pool, ViommuPoolFunc func, void *data, bool again, GError **error);
/** Counts how often libvirt's daemon was found to have ended: what was learnt before may be
 *  outdated. */
int viommu_pool_generation(ViommuPool *pool);
void viommu_pool_bump(ViommuPool *pool);

/** Starts a thread that blocks all signals: the loop handles those of the process.  NULL on
 *  failure, INTERNAL. */
GThread *viommu_thread_start(const char *name, GThreadFunc func, void *data, GError **error);

/* libvirt's event loop, on a thread of its own.  One per process; start it before the first
 * connection is opened. */
bool viommu_event_thread_start(GError **error);
void viommu_event_thread_stop(void);

/* The event connection. */
typedef struct ViommuWatch ViommuWatch;

/** Fails: INTERNAL. */
ViommuWatch *viommu_watch_new(ViommuPool *pool, ViommuNewsFunc func, void *userdata, GError **error);
/** Ends its thread and its connection.  The receiver may still be called until the event thread has
 *  stopped. */
void viommu_watch_stop(ViommuWatch *watch);
/** Whether it is opening its connection, which may hang with libvirt's daemon. */
bool viommu_watch_is_opening(ViommuWatch *watch);
/** Call it after viommu_watch_stop() and after the event thread has stopped. */
void viommu_watch_free(ViommuWatch *watch);

/** Like the functions of the backend with these names. */
GPtrArray *viommu_list_domains(ViommuPool *pool, GError **error);
GPtrArray *viommu_list_holders(ViommuPool *pool, GError **error);
char *viommu_list_find_xml(ViommuPool *pool, const char *name, GError **error);
GPtrArray *viommu_list_unmarked(ViommuPool *pool, const char *prefix, GError **error);

/** Why the guest of @domain is paused, as far as libvirt knows. */
ViommuPause viommu_pause_of(virDomainPtr domain);
/** Like viommu_backend_find_pause(). */
bool viommu_pause_find(ViommuPool *pool, const char *uuid, ViommuPause *ret_pause, GError **error);
/** Like viommu_backend_suspend(). */
bool viommu_pause_begin(ViommuPool *pool, const char *uuid, GError **error);
/** Like viommu_backend_resume(). */
bool viommu_pause_end(ViommuPool *pool, const char *uuid, GError **error);
/** Like viommu_backend_read_usage(). */
GArray *viommu_usage_read(ViommuPool *pool, GError **error);
/** Like viommu_backend_read_size(). */
bool viommu_size_read(ViommuPool *pool, ViommuDomain *domain, GError **error);
/** Like viommu_backend_network_mode(). */
char *viommu_network_mode(ViommuPool *pool, const char *name, GError **error);

/** Has QEMU open a port of this host for each of @forwards, unless all have one, and writes its
 *  number there.  Fails: BACKEND, with QEMU's words. */
bool viommu_forward_open(virDomainPtr domain, GArray *forwards, GError **error);
/** Like viommu_backend_read_forwards(). */
GArray *viommu_forward_list(ViommuPool *pool, const char *uuid, GError **error);

/** Like viommu_backend_read_addresses(). */
char **viommu_addresses_read(ViommuPool *pool, const char *uuid, GError **error);

/* The cached host.  Thread-safe; one probe at a time. */
typedef struct ViommuProbe ViommuProbe;

ViommuProbe *viommu_probe_new(ViommuPool *pool);
/** Like viommu_backend_set_root(). */
void viommu_probe_set_root(ViommuProbe *probe, const char *root);
const char *viommu_probe_root(const ViommuProbe *probe);
void viommu_probe_free(ViommuProbe *probe);
/** Like viommu_backend_read_topology(). */
bool viommu_probe_topology(const ViommuProbe *probe, ViommuTopology *topology, GError **error);
/** A new host on each call.  Owned. */
ViommuHost *viommu_probe_host(ViommuProbe *probe, GError **error);

/** The connections for all other calls.  Borrowed. */
ViommuPool *viommu_backend_pool(ViommuBackend *backend);
/** Gives libvirt @files, of ViommuBackendFile, for @domain; NULL: none.  Fails: NOT_SUPPORTED when
 *  this libvirt cannot take open files. */
bool viommu_device_give_files(virDomainPtr domain, const GArray *files, GError **error);
/** The element <attached> of @domain; NULL: there is none.  Owned, g_free(). */
char *viommu_attached_of(virDomainPtr domain);

/** The connections for calls that a guest can delay.  Borrowed. */
ViommuPool *viommu_backend_agents(ViommuBackend *backend);

/* The consoles.  Thread-safe; only calls marked "blocks" block. */
typedef struct ViommuConsoles ViommuConsoles;

/** Call it after the event thread was started. */
ViommuConsoles *viommu_consoles_new(ViommuPool *pool, ViommuConsoleFunc func, void *userdata);
/** Blocks until all are closed; otherwise like the watch. */
void viommu_consoles_stop(ViommuConsoles *consoles);
void viommu_consoles_free(ViommuConsoles *consoles);
/** See daemon/libvirt/backend.h. */
void viommu_consoles_open(ViommuConsoles *consoles, const char *uuid, uint32_t lane);
/** Blocks until the console is open, has failed to open, or the time is over. */
void viommu_consoles_open_now(ViommuConsoles *consoles, const char *uuid, uint32_t lane);
ViommuConsoleNews *viommu_consoles_take(ViommuConsoles *consoles, const char *uuid);
void viommu_consoles_send(ViommuConsoles *consoles, const char *uuid, GBytes *bytes);

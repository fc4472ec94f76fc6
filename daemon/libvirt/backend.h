/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend: libvirt, as the rest of viommud sees it.  Values in and out are strings and types of
 * lib/. One implementation, the files of daemon/libvirt/, the only ones that include libvirt.  It
 * owns the connections, the event thread and the reconnecting; it knows nothing of machines,
 * requests or the bus.
 *
 * Threads: the calls marked "blocks" belong into a worker (or into a client program that may
 * wait); each borrows one of the pool's connections, which are opened on demand and closed when
 * libvirt's daemon ended.  Events and connection news arrive on threads of the backend, on a
 * connection of their own; the receiver only posts them to its loop. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/host/host.h"
#include "lib/machine/news.h"

typedef struct ViommuBackend ViommuBackend;

typedef struct ViommuNews {
    ViommuNewsKind kind;
    char uuid[37]; /* "" for connection news */
    char *detail;  /* may be NULL */
} ViommuNews;

/** Called on a thread of the backend; @news is borrowed for the call. */
typedef void (*ViommuNewsFunc)(const ViommuNews *news, void *userdata);

/* A domain that carries our metadata element. */
typedef struct ViommuDomain {
    char *name;
    char uuid[37];
    bool active;
    /* active, and its guest does not run: since its start, or for another reason */
    bool paused;
    char *metadata;               /* the XML of our element <machine> */
    char *additions;              /* of our element <additions>; NULL: there is none */
    uint64_t vcpus, memory_bytes; /* 0 until viommu_backend_read_size() */
} ViommuDomain;
void viommu_domain_free(ViommuDomain *domain);

/* A guest that runs, ours or not, with devices of the host. */
typedef struct ViommuHolder {
    char uuid[37];
    char **hostdevs; /* PCI addresses */
} ViommuHolder;
void viommu_holder_free(ViommuHolder *holder);

/** @uri as libvirt takes it: qemu:///system, qemu:///session, qemu:///embed?root=DIR,
 *  test:///default, test:///FILE. @n_connections: how many calls may be in flight at once (libvirtd
 *  serves five requests per connection at a time).  Does not connect yet.  Once per process:
 *  libvirt has one event loop. */
bool viommu_backend_new(const char *uri, unsigned n_connections, ViommuBackend **ret_backend, GError **error);
/** Before the first call; otherwise VIOMMU_CONFIG_LIBVIRT_TIMEOUT_SEC.  A call whose answer was
 *  lost is settled by asking again, by UUID, within twice that time. */
void viommu_backend_set_timeout(ViommuBackend *backend, unsigned seconds);
/** Before the first call: the host's hardware is read below the directory @root, as if it were "/".
 *  Borrowed. */
void viommu_backend_set_root(ViommuBackend *backend, const char *root);
/* How many guests' agents can be asked at once. */
#define VIOMMU_BACKEND_AGENTS 8u
/** Starts the event thread's connection and its reconnecting (every second at first, then every
 *  ten). */
bool viommu_backend_watch(ViommuBackend *backend, ViommuNewsFunc func, void *userdata, GError **error);
/** libvirt's daemon takes a connection and does not answer: freeing the backend would wait until it
 *  does. */
bool viommu_backend_hangs(ViommuBackend *backend);
/** Ends the event thread, closes every connection.  No call may be in flight. */
void viommu_backend_free(ViommuBackend *backend);
const char *viommu_backend_uri(const ViommuBackend *backend);
/** Whether libvirt is on this host: then paths mean to it what they mean to us. */
bool viommu_backend_is_local(const ViommuBackend *backend);

/* All of these block.  Fails: BACKEND with libvirt's code and words; NOT_FOUND for an unknown
 * UUID; EXISTS for a name taken. */

/** Everything the planner needs to know of this host: versions of libvirt and of each emulator
 *  (asked by running "EMULATOR --version" for a local connection; else from libvirt), capabilities,
 *  domain capabilities.  Owned. */
ViommuHost *viommu_backend_probe(ViommuBackend *backend, GError **error);
/** All domains that carry our metadata, of ViommuDomain. Owned. */
GPtrArray *viommu_backend_list(ViommuBackend *backend, GError **error);
/** The names of the domains that begin with @prefix and carry no metadata of ours. Owned. */
GPtrArray *viommu_backend_list_unmarked(ViommuBackend *backend, const char *prefix, GError **error);
/** The host's hardware as it is now, into @topology, which is initialised; of a host that is not
 *  this one, nothing. */
bool viommu_backend_read_topology(ViommuBackend *backend, ViommuTopology *topology, GError **error);
/** The forward mode of libvirt's network @name as lib/network-xml has it; "" when there is no such
 *  network.  Owned. */
char *viommu_backend_network_mode(ViommuBackend *backend, const char *name, GError **error);
/** Asks how large @domain is, which its metadata mostly tells without asking. */
bool viommu_backend_read_size(ViommuBackend *backend, ViommuDomain *domain, GError **error);
/** All guests that run with devices of the host, of ViommuHolder. Owned. */
GPtrArray *viommu_backend_list_holders(ViommuBackend *backend, GError **error);
/** Defines with VIR_DOMAIN_DEFINE_VALIDATE; the return value counts, not the last error.  A name
 *  that is taken by a domain with another UUID fails with EXISTS.  *ret_unsupported: libvirt itself
 *  says this configuration cannot be (its XML or "unsupported configuration" errors), so another
 *  candidate may be tried. */
bool viommu_backend_define(ViommuBackend *backend, const char *xml, bool *ret_unsupported, GError **error);
/** Our metadata element <machine>, as virDomainGetMetadata() returns it. Owned, g_free(). */
char *viommu_backend_get_metadata(ViommuBackend *backend, const char *uuid, GError **error);
/** Our metadata element <additions>; NULL: there is none, or it cannot be read. Owned, g_free(). */
char *viommu_backend_get_additions(ViommuBackend *backend, const char *uuid);
/** Replaces our metadata element <machine>, in the stored configuration and in the running
 *  guest. */
bool viommu_backend_set_metadata(ViommuBackend *backend, const char *uuid, const char *metadata,
                                 GError **error);
/* An open file for the guest, by the name that its XML has for it (fdgroup). */
typedef struct ViommuBackendFile {
    const char *name;
    int fd;
} ViommuBackendFile;

/** Opens its console before its first instruction, when consoles are watched; @lane: as with the
 *  console.  @files: of ViommuBackendFile, borrowed; NULL: none.  A domain that runs already was
 *  started by us, in a call whose answer was lost: that is success.  Fails also: NOT_SUPPORTED when
 *  this libvirt cannot take open files. */
bool viommu_backend_start(ViommuBackend *backend, const char *uuid, const GArray *files, uint32_t lane,
                          GError **error);
/** Asks the guest to power off (ACPI). Returns at once. */
bool viommu_backend_shutdown(ViommuBackend *backend, const char *uuid, GError **error);
/** Ends the guest now.  Not running is success, and so is not being there. */
bool viommu_backend_destroy(ViommuBackend *backend, const char *uuid, GError **error);
bool viommu_backend_reset(ViommuBackend *backend, const char *uuid, GError **error);
/** Removes the domain with its NVRAM, managed save and snapshot metadata, by what this libvirt
 *  knows.  Not there is success. */
bool viommu_backend_undefine(ViommuBackend *backend, const char *uuid, GError **error);
/** The domain's present XML. Owned, g_free(). */
char *viommu_backend_get_xml(ViommuBackend *backend, const char *uuid, GError **error);
/** *ret_active and NOT_FOUND tell what is there: the question to ask when an earlier answer was
 *  lost. */
bool viommu_backend_is_active(ViommuBackend *backend, const char *uuid, bool *ret_active, GError **error);

/** Runs @script by /bin/sh in the guest, through its QEMU guest agent, and returns what it printed.
 *  Owned, g_free().  Takes up to half a minute of a guest that answers slowly, on connections that
 *  nothing else uses.  Fails: NOT_FOUND, the machine has no agent's channel; NOT_SUPPORTED, its
 *  agent may not; BUSY, it does not answer (yet); BACKEND.  It is asked once: *ret_broke, which is
 *  always written, says that the connection to libvirt broke while it was asked, maybe of its
 *  answer. */
char *viommu_backend_run_in_guest(ViommuBackend *backend, const char *uuid, const char *script,
                                  bool *ret_broke, GError **error);

/* Serial consoles.  None of these blocks.  What a guest prints is read as long as its console is
 * open and waits here, at most 64 KiB, to be taken. */

typedef struct ViommuConsoleNews {
    bool opened;        /* it is read from here on: before the output */
    bool sent;          /* what was to be sent is; send more */
    bool ended;         /* it is closed: after the output */
    char *error;        /* why, when it was not the guest's end; may be NULL */
    uint64_t lost;      /* bytes that came after the output and did not fit */
    GByteArray *output; /* not NULL */
} ViommuConsoleNews;
void viommu_console_news_free(ViommuConsoleNews *news);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuConsoleNews, viommu_console_news_free)

/** There is something to take; not called again before it was taken.  On any
 *  thread but the loop's. */
typedef void (*ViommuConsoleFunc)(const char *uuid, void *userdata);

/** Once, before the first start; without it no console is opened.  Returns false when this kind of
 *  libvirt has none. */
bool viommu_backend_watch_consoles(ViommuBackend *backend, ViommuConsoleFunc func, void *userdata);
/** Opens it unless it is open; tells "opened", or "ended" with an error.  @lane: what consoles of
 *  one lane do keeps none of another lane waiting; the owner's uid. */
void viommu_backend_open_console(ViommuBackend *backend, const char *uuid, uint32_t lane);
/** Owned; NULL: nothing waits. */
ViommuConsoleNews *viommu_backend_take_console(ViommuBackend *backend, const char *uuid);
/** Takes @bytes; tells "sent", unless it ends before.  Of one console, one at a time. */
void viommu_backend_send_console(ViommuBackend *backend, const char *uuid, GBytes *bytes);

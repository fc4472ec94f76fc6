/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend: libvirt for the rest of viommud.  Values in and out are strings and types of lib/.
 * There is one implementation, the files of daemon/libvirt/; no other file includes libvirt.  It
 * owns the connections, the event thread and the reconnecting; it knows nothing of machines,
 * requests or the bus.
 * Threads: calls marked "blocks" belong in a worker (or in a client program that may wait).  Each
 * borrows a connection from a pool, which opens connections on demand and closes them when
 * libvirt's daemon has ended.  Events and news about the connection arrive on threads of the
 * backend, over a connection of their own; the receiver only posts them to its loop. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/host/host.h"
#include "lib/machine/forwards.h"
#include "lib/machine/news.h"

typedef struct ViommuBackend ViommuBackend;

typedef struct ViommuNews {
    ViommuNewsKind kind;
    char uuid[37]; /* "" for news about the connection */
    char *detail;  /* may be NULL */
} ViommuNews;

/** Called on a thread of the backend; @news is borrowed for the call. */
typedef void (*ViommuNewsFunc)(const ViommuNews *news, void *userdata);

/* A domain with viommud's metadata element. */
typedef struct ViommuDomain {
    char *name;
    char uuid[37];
    bool active;
    bool saved; /* it is not active, and libvirt can restore its guest */
    /* its guest is paused, since its start or for another reason; never DISK_FULL, which QEMU must
     * be asked for */
    ViommuPause pause;
    char *metadata;               /* the XML of the element <machine> */
    char *additions;              /* the XML of the element <additions>; NULL: there is none */
    char *attached;               /* of the element <attached>; NULL: there is none */
    uint64_t vcpus, memory_bytes; /* 0 until viommu_backend_read_size() */
} ViommuDomain;
void viommu_domain_free(ViommuDomain *domain);

/* A running guest, viommud's or not, that has devices of the host. */
typedef struct ViommuHolder {
    char uuid[37];
    char **hostdevs; /* PCI addresses */
} ViommuHolder;
void viommu_holder_free(ViommuHolder *holder);

/** @uri: qemu:///system, qemu:///session, qemu:///embed?root=DIR, test:///default, test:///FILE.
 *  @n_connections: how many calls may run at once (libvirtd serves five requests per connection at
 *  a time).  Does not connect yet.  Once per process: libvirt has one event loop. */
bool viommu_backend_new(const char *uri, unsigned n_connections, ViommuBackend **ret_backend, GError **error);
/** Call it before the first call; the default is VIOMMU_CONFIG_LIBVIRT_TIMEOUT_SEC.  When an answer
 *  is lost, the backend asks again by UUID, within twice that time. */
void viommu_backend_set_timeout(ViommuBackend *backend, unsigned seconds);
/** Call it before the first call: the host's hardware is then read below directory @root instead of
 *  "/".  Borrowed. */
void viommu_backend_set_root(ViommuBackend *backend, const char *root);
/** That directory, where other facts of this host are read, too.  Borrowed. */
const char *viommu_backend_root(const ViommuBackend *backend);
/* How many guest agents can be asked at once. */
#define VIOMMU_BACKEND_AGENTS 8u
/** Starts the event connection and its reconnecting (each second at first, then every ten
 *  seconds). */
bool viommu_backend_watch(ViommuBackend *backend, ViommuNewsFunc func, void *userdata, GError **error);
/** Whether libvirt's daemon accepts a connection and does not answer: freeing the backend would
 *  wait for it. */
bool viommu_backend_hangs(ViommuBackend *backend);
/** Ends the event thread and closes all connections.  No call may be under way. */
void viommu_backend_free(ViommuBackend *backend);
const char *viommu_backend_uri(const ViommuBackend *backend);
/** Whether libvirt runs on this host: only then does a path mean the same file to it. */
bool viommu_backend_is_local(const ViommuBackend *backend);

/* All of these block.  They fail with BACKEND, libvirt's code and its message; NOT_FOUND for an
 * unknown UUID; EXISTS for a name that is taken. */

/** What the planner needs to know of this host: versions of libvirt and of each emulator (from
 *  "EMULATOR --version" on a local connection, else from libvirt), capabilities, domain
 *  capabilities. Owned. */
ViommuHost *viommu_backend_probe(ViommuBackend *backend, GError **error);
/** All domains with viommud's metadata, as ViommuDomain.  Owned. */
GPtrArray *viommu_backend_list(ViommuBackend *backend, GError **error);
/** The names of domains that begin with @prefix and have no metadata of viommud.  Owned. */
GPtrArray *viommu_backend_list_unmarked(ViommuBackend *backend, const char *prefix, GError **error);
/** Reads the host's present hardware into @topology, which must be initialised; of a remote host,
 *  nothing. */
bool viommu_backend_read_topology(ViommuBackend *backend, ViommuTopology *topology, GError **error);
/* What a running guest takes of the host, viommud's or not, as libvirt counts it. */
typedef struct ViommuUsage {
    char uuid[37];
    uint64_t cpu_nsec;     /* of its QEMU since its start; VIOMMU_USAGE_UNKNOWN */
    uint64_t memory_bytes; /* resident memory of its QEMU; likewise */
} ViommuUsage;
#define VIOMMU_USAGE_UNKNOWN UINT64_MAX
/** All running guests, as ViommuUsage; no QEMU is asked.  Owned. */
GArray *viommu_backend_read_usage(ViommuBackend *backend, GError **error);
/** The forward mode of libvirt's network @name, as lib/host/network-xml returns it; "" when there
 *  is no such network.  Owned. */
char *viommu_backend_network_mode(ViommuBackend *backend, const char *name, GError **error);
/** Asks for the size of @domain, where its metadata does not tell it. */
bool viommu_backend_read_size(ViommuBackend *backend, ViommuDomain *domain, GError **error);
/** All running guests that have devices of the host, as ViommuHolder.  Owned. */
GPtrArray *viommu_backend_list_holders(ViommuBackend *backend, GError **error);
/** Defines with VIR_DOMAIN_DEFINE_VALIDATE; judges by the return value, not by the last error.
 *  EXISTS: a domain with another UUID has this name.  *ret_unsupported: libvirt cannot do this
 *  configuration (an error about its XML, or "unsupported configuration"), so another candidate may
 *  be tried. */
bool viommu_backend_define(ViommuBackend *backend, const char *xml, bool *ret_unsupported, GError **error);
/** The element <machine>, as virDomainGetMetadata() returns it.  Owned, g_free(). */
char *viommu_backend_get_metadata(ViommuBackend *backend, const char *uuid, GError **error);
/** The element <additions>; NULL: there is none, or it cannot be read.  Owned, g_free(). */
char *viommu_backend_get_additions(ViommuBackend *backend, const char *uuid);
/** Replaces the element <machine> in the stored configuration and in the running guest. */
bool viommu_backend_set_metadata(ViommuBackend *backend, const char *uuid, const char *metadata,
                                 GError **error);
/** The element <attached>; NULL: there is none, or it cannot be read.  Owned, g_free(). */
char *viommu_backend_get_attached(ViommuBackend *backend, const char *uuid);
/** Replaces that element likewise; NULL removes it. */
bool viommu_backend_set_attached(ViommuBackend *backend, const char *uuid, const char *attached,
                                 GError **error);
/* An open file for the guest, under the name that its XML uses (fdgroup). */
typedef struct ViommuBackendFile {
    const char *name;
    int fd;
} ViommuBackendFile;

/* What a start needs beside the domain; borrowed. */
typedef struct ViommuBackendStart {
    const GArray *files; /* of ViommuBackendFile; NULL: none */
    uint32_t lane;       /* see the consoles below */
    GArray *forwards;    /* of ViommuForward; NULL: none.  Their ports of this host are written. */
} ViommuBackendStart;

/** Attaches the device of @xml to the running guest, and only there.  @files: of ViommuBackendFile;
 *  NULL: none.  The answer may be lost when it fails. */
bool viommu_backend_attach(ViommuBackend *backend, const char *uuid, const char *xml, const GArray *files,
                           GError **error);
/** Asks the running guest to give back the device with @alias.  VIOMMU_NEWS_DEVICE_REMOVED tells
 *  when it has, and VIOMMU_NEWS_DEVICE_KEPT that it does not; the guest may also do neither.
 *  *ret_gone, which is always written: it has no such device any more; that is success. */
bool viommu_backend_detach(ViommuBackend *backend, const char *uuid, const char *alias, bool *ret_gone,
                           GError **error);
/** Starts the guest.  Before its first instruction its ports are forwarded, and its console is open
 *  if consoles are watched.  A domain that already runs was started by an earlier call whose answer
 *  was lost: that is success.  Also fails: NOT_SUPPORTED when this libvirt cannot take open
 *  files. */
bool viommu_backend_start(ViommuBackend *backend, const char *uuid, const ViommuBackendStart *start,
                          GError **error);
/** The ports of this host that lead to the running guest, as ViommuForward.  Owned. */
GArray *viommu_backend_read_forwards(ViommuBackend *backend, const char *uuid, GError **error);
/** The addresses of the running guest in networks of the host, valid ones and each once; maybe none
 *  yet.  Owned. */
char **viommu_backend_read_addresses(ViommuBackend *backend, const char *uuid, GError **error);
/** Asks the guest to power off (ACPI). Returns at once. */
bool viommu_backend_shutdown(ViommuBackend *backend, const char *uuid, GError **error);
/** Ends the guest now.  A domain that does not run, or does not exist, is success. */
bool viommu_backend_destroy(ViommuBackend *backend, const char *uuid, GError **error);
bool viommu_backend_reset(ViommuBackend *backend, const char *uuid, GError **error);
/** Pauses the guest.  One that is paused already stays so: success. */
bool viommu_backend_suspend(ViommuBackend *backend, const char *uuid, GError **error);
/** Lets a paused guest run again.  One that runs goes on: success. */
bool viommu_backend_resume(ViommuBackend *backend, const char *uuid, GError **error);
/** Removes the domain with its NVRAM, managed save and snapshot metadata, as far as this libvirt
 *  supports each.  A domain that does not exist is success. */
bool viommu_backend_undefine(ViommuBackend *backend, const char *uuid, GError **error);
/** The domain's present XML. Owned, g_free(). */
char *viommu_backend_get_xml(ViommuBackend *backend, const char *uuid, GError **error);
/** The stored XML of the domain with this name or UUID, viommud's or not: what its next start is
 *  made of. Owned, g_free(). */
char *viommu_backend_find_xml(ViommuBackend *backend, const char *name, GError **error);
/** Whether the guest is paused, and why.  Asks QEMU, which may hang. */
bool viommu_backend_find_pause(ViommuBackend *backend, const char *uuid, ViommuPause *ret_pause,
                               GError **error);
/** Whether the domain is active; NOT_FOUND when it does not exist.  Ask this when an earlier answer
 *  was lost. */
bool viommu_backend_is_active(ViommuBackend *backend, const char *uuid, bool *ret_active, GError **error);

/** Runs @script with /bin/sh in the guest, through its QEMU guest agent, and returns the output.
 *  Owned, g_free().  May take half a minute, on connections that nothing else uses.  Fails:
 *  NOT_FOUND, the machine has no agent channel; NOT_SUPPORTED, the agent forbids it; BUSY, the
 *  agent does not answer (yet); BACKEND.  The agent is asked once: *ret_broke, which is always
 *  written, says that the connection to libvirt broke meanwhile, maybe because of the answer. */
char *viommu_backend_run_in_guest(ViommuBackend *backend, const char *uuid, const char *script,
                                  bool *ret_broke, GError **error);

/** Asks the guest's agent whether it answers.  Otherwise like viommu_backend_run_in_guest(). */
bool viommu_backend_ping_guest(ViommuBackend *backend, const char *uuid, bool *ret_broke, GError **error);

/* Commands in a guest, through its agent. */
#define VIOMMU_GUEST_FILES   3u
#define VIOMMU_GUEST_OUTPUTS 2u
/* How much the agent reads or writes at once.  Its replies must stay far below 10 MiB: a longer one
 * makes libvirt drop the agent until it is restarted. */
#define VIOMMU_GUEST_PIECE (48u * 1024)

/* What viommud knows of a command.  Zeroed before the start; clear it with
 * viommu_guest_command_clear(). */
typedef struct ViommuGuestCommand {
    char *directory; /* of its files, in the guest; NULL: there is none */
    int64_t pid;     /* and process group; 0: not started */
    bool exited;
    int status; /* as a shell has it, when it has exited */
    /* For the backend alone. */
    int64_t files[VIOMMU_GUEST_FILES]; /* the agent's numbers of input, output and errors */
    uint64_t offsets[VIOMMU_GUEST_FILES];
    unsigned n_files;
    bool is_lost; /* the agent's offsets may be others */
} ViommuGuestCommand;
static inline void viommu_guest_command_clear(ViommuGuestCommand *command)
{
    g_clear_pointer(&command->directory, g_free);
}

/* What is to be done in a step, and what was done. */
typedef struct ViommuGuestStep {
    GBytes *input;   /* of the command, at most a piece; owned; NULL: none, or it was written */
    bool input_ends; /* after @input; false when that was told */
    bool wants[VIOMMU_GUEST_OUTPUTS];     /* output, errors */
    GBytes *output[VIOMMU_GUEST_OUTPUTS]; /* what was read; owned; NULL: nothing */
    bool ends[VIOMMU_GUEST_OUTPUTS];      /* and nothing more was there */
} ViommuGuestStep;
static inline void viommu_guest_step_clear(ViommuGuestStep *step)
{
    g_clear_pointer(&step->input, g_bytes_unref);
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS; i++)
        g_clear_pointer(&step->output[i], g_bytes_unref);
}

/** Starts @argv in a process group of its own.  A @command that has a directory after a failure
 *  must be ended, too.  May take half a minute.  These fail like viommu_backend_run_in_guest(). */
bool viommu_backend_start_in_guest(ViommuBackend *backend, const char *uuid, const char *const *argv,
                                   ViommuGuestCommand *command, bool *ret_broke, GError **error);
/** Does what @step wants, and looks whether the command has exited.  After BUSY the same step can
 *  be made again, with what is left of it: nothing is lost, and nothing comes twice. */
bool viommu_backend_step_in_guest(ViommuBackend *backend, const char *uuid, ViommuGuestCommand *command,
                                  ViommuGuestStep *step, bool *ret_broke, GError **error);
/** Removes the command's files, and if @kills, its process group if it runs. */
bool viommu_backend_end_in_guest(ViommuBackend *backend, const char *uuid, ViommuGuestCommand *command,
                                 bool kills, bool *ret_broke, GError **error);

/* Serial consoles.  None of these blocks.  While a console is open its output is read, and waits
 * here until it is taken, at most 64 KiB. */

typedef struct ViommuConsoleNews {
    bool opened;        /* the console is read from here on; comes before the output */
    bool sent;          /* the last bytes were sent; send more */
    bool ended;         /* the console is closed; comes after the output */
    char *error;        /* why it closed, unless the guest ended; may be NULL */
    uint64_t lost;      /* bytes that came after the output and were dropped */
    GByteArray *output; /* not NULL */
} ViommuConsoleNews;
void viommu_console_news_free(ViommuConsoleNews *news);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuConsoleNews, viommu_console_news_free)

/** Called when there is something to take, and not again before it was taken.  On any thread but
 *  the loop's. */
typedef void (*ViommuConsoleFunc)(const char *uuid, void *userdata);

/** Call it once, before the first start; without it no console is opened.  False: this kind of
 *  libvirt has no consoles. */
bool viommu_backend_watch_consoles(ViommuBackend *backend, ViommuConsoleFunc func, void *userdata);
/** Opens the console unless it is open; reports "opened", or "ended" with an error.  @lane: the
 *  owner's uid; consoles of one lane never delay those of another. */
void viommu_backend_open_console(ViommuBackend *backend, const char *uuid, uint32_t lane);
/** Takes the news.  Owned; NULL: there is none. */
ViommuConsoleNews *viommu_backend_take_console(ViommuBackend *backend, const char *uuid);
/** Sends @bytes (the call takes them); reports "sent", unless the console ends first.  One call at
 *  a time for each console. */
void viommu_backend_send_console(ViommuBackend *backend, const char *uuid, GBytes *bytes);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: one guest as viommud knows it: small strings and numbers, and its state by
 * lib/machine/lifecycle.  Knows no bus and no libvirt.  A host may have thousands of machines, so a
 * machine keeps neither its XML nor its request. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/console/console.h"
#include "lib/machine/lifecycle.h"
#include "lib/machine/pause.h"
#include "lib/machine/reach.h"
#include "lib/domain/attached.h"
#include "lib/domain/metadata.h"

typedef struct ViommuJob ViommuJob; /* daemon/machines/job.h */

typedef struct ViommuMachine {
    char *name;
    char uuid[37];
    uint32_t owner_uid;
    /* another version of viommud made it: only what follows from its metadata's core is
     * known */
    bool foreign;
    uint32_t metadata_version; /* that version's */
    ViommuState state;
    ViommuPause pause; /* of a guest that has not ended; NONE: it runs, or there is none */
    ViommuResult result;
    /* bus name of the error that the launch, or the guest, ended with; NULL: none.  Static. */
    const char *failure_name;
    char *failure_text;
    ViommuArch arch;
    const char *machine_type; /* interned */
    ViommuAccelerator accelerator;
    ViommuModel model;
    uint32_t vcpus;
    uint64_t memory_bytes, memlock_bytes, created_usec;
    uint64_t planned_memlock;   /* memlock_bytes without what was attached */
    uint64_t page_size_bytes;   /* 0: ordinary pages */
    char **reasons, **warnings; /* NULL until planned */
    /* PCI addresses, also of those that were attached; NULL: none, or not planned */
    char **hostdevs;
    GPtrArray *attached;       /* of ViommuAttached; NULL: none */
    char *proof;               /* what its guest must show, as in its metadata; NULL: not known */
    uint64_t reach_kinds;      /* set of ViommuReachKind: what there is to know */
    ViommuReach reach;         /* of the running guest */
    char *seed_user;           /* who takes the seed's keys; NULL: there are none */
    char *console_log;         /* its path; NULL: none */
    ViommuConsole *console;    /* NULL: not known yet */
    char *request_id;          /* NULL: none */
    char *fingerprint;         /* of the request; NULL until planned */
    uint64_t lease_end_usec;   /* CLOCK_BOOTTIME; 0: no lease */
    uint64_t lease_retry_usec; /* the earliest time of the next attempt to remove it */
    char *client;              /* bus and connection that it is bound to; NULL: none */
    ViommuJob *job;            /* the job under way; NULL: none */
    unsigned told_position;    /* its place in the queue, as last signalled to clients; 0: none */
    int verified;              /* flag: its IOMMU was verified; lost when viommud restarts */
    /* flag: its agent has answered, or told_ready; lost when viommud restarts */
    int ready;
    bool told_ready; /* its systemd has told so since it was reset; lost likewise */
    char *launcher;  /* bus and connection of the launch; NULL: an earlier viommud's */
    bool announced;  /* its owner and root see it: it waits, is planned or was adopted */
    bool shown;      /* all users see it: it has run */
    unsigned epoch;  /* the registry's epoch of its last change */
} ViommuMachine;

/* What viommu_machine_step() or viommu_machine_fail() changed. */
typedef enum ViommuMachineChange {
    VIOMMU_MACHINE_CHANGE_STATE = 1 << 0,
    VIOMMU_MACHINE_CHANGE_RESULT = 1 << 1,
    VIOMMU_MACHINE_CHANGE_FAILURE = 1 << 2,
    /* a plan, or another one after libvirt refused the first */
    VIOMMU_MACHINE_CHANGE_PLAN = 1 << 3,
    VIOMMU_MACHINE_CHANGE_LEASE = 1 << 4,
    /* its place in the queue, or that it has left the queue */
    VIOMMU_MACHINE_CHANGE_QUEUE = 1 << 5,
    VIOMMU_MACHINE_CHANGE_VERIFIED = 1 << 6,
    VIOMMU_MACHINE_CHANGE_PAUSE = 1 << 7,
    VIOMMU_MACHINE_CHANGE_REACH = 1 << 8,
    VIOMMU_MACHINE_CHANGE_READY = 1 << 9,
    /* what is attached, and what follows from it */
    VIOMMU_MACHINE_CHANGE_ATTACHED = 1 << 10,
} ViommuMachineChange;

/* The launch that a machine comes from; borrowed. */
typedef struct ViommuMachineOrigin {
    const char *request_id;  /* NULL: none */
    const char *fingerprint; /* of the request */
    const char *client;      /* bus and connection that it is bound to; NULL: none */
    const char *launcher;    /* bus and connection of the caller */
    uint64_t created_usec;
} ViommuMachineOrigin;

/* The sizes that limits count. */
typedef struct ViommuMachineSizes {
    uint32_t vcpus;
    uint64_t memory_bytes, memlock_bytes, page_size_bytes;
} ViommuMachineSizes;

/* Every module may read the fields; only this module writes them, and tests/lint/layers.py checks
 * that. */

/** In state planning.  @uuid as 36 characters. Owned. */
ViommuMachine *viommu_machine_new(const char *name, const char *uuid, uint32_t owner_uid);
void viommu_machine_free(ViommuMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuMachine, viommu_machine_free)

/** The place of @machine in the queue of launches, from 1; 0: it does not wait. */
unsigned viommu_machine_queue_position(const ViommuMachine *machine);

/** Sets its origin, before it is in the registry. */
void viommu_machine_set_origin(ViommuMachine *machine, const ViommuMachineOrigin *origin);
/** Sets its sizes, before there is a plan. */
void viommu_machine_set_sizes(ViommuMachine *machine, const ViommuMachineSizes *sizes);
/** Takes over the plan's results from the metadata that goes into the domain, or was found
 *  there. */
void viommu_machine_fill(ViommuMachine *machine, const ViommuMetadata *metadata);
/** Takes over the metadata of a domain that was found in @state.  @saved: libvirt can restore its
 *  guest, which does not run. */
void viommu_machine_adopt(ViommuMachine *machine, const ViommuMetadata *metadata, ViommuState state,
                          bool saved);

/** Takes @job, which is under way from now on, or follows the job under way.  Only a stop can
 *  follow, and only one. */
void viommu_machine_add_job(ViommuMachine *machine, ViommuJob *job);
/** Ends the job under way and returns it; the next job takes its place, so callers that are
 *  answered afterwards see the machine without it.  NULL: there was none.  Owned. */
ViommuJob *viommu_machine_end_job(ViommuMachine *machine);
/** Whether its job decides the machine's state: a launch or a stop, also a stop that follows. */
bool viommu_machine_is_busy(const ViommuMachine *machine);
/** Makes it visible: to its owner and root, and to all users when it is @shown or was before. */
void viommu_machine_announce(ViommuMachine *machine, bool shown);
/** Records that it has changed in this epoch of the registry. */
void viommu_machine_touch(ViommuMachine *machine, unsigned epoch);

/** Takes the @path of its console's log. */
void viommu_machine_set_console_log(ViommuMachine *machine, char *path);
/** Takes @console; the machine must have none. */
void viommu_machine_set_console(ViommuMachine *machine, ViommuConsole *console);

/** Moves the end of its lease.  Returns what changed. */
unsigned viommu_machine_extend(ViommuMachine *machine, uint64_t end_usec);
/** Its lease has ended: the next attempt to remove it is not before @usec. */
void viommu_machine_retry_lease(ViommuMachine *machine, uint64_t usec);

/** The word for its state: "foreign" for a machine of another version, unless it is being stopped.
 *  Static. */
const char *viommu_machine_state_word(const ViommuMachine *machine);
/** Fails: NOT_SUPPORTED when another version of viommud made it. */
bool viommu_machine_check_known(const ViommuMachine *machine, GError **error);

/** Applies @event.  Returns what changed; 0: the event means nothing in this state.  *ret_gone: the
 *  machine ends here. */
unsigned viommu_machine_step(ViommuMachine *machine, ViommuEvent event, bool *ret_gone);
/** The guest is paused, or runs again; nothing changes when it has ended.  Returns
 *  ViommuMachineChange bits; 0: it was so before. */
unsigned viommu_machine_pause(ViommuMachine *machine, ViommuPause pause);
/** It has, or gets, a copy of @attached.  Returns what changed. */
unsigned viommu_machine_attach(ViommuMachine *machine, const ViommuAttached *attached);
/** It does not have the attached device @id any more.  Returns what changed: 0 when it had none. */
unsigned viommu_machine_detach(ViommuMachine *machine, const char *id);
/** Adds a warning.  Returns what changed. */
unsigned viommu_machine_warn(ViommuMachine *machine, const char *text);
/** Records that its IOMMU was verified.  Returns what changed: 0 when it was verified before. */
unsigned viommu_machine_prove(ViommuMachine *machine);
/** Notes that its agent has answered.  Returns what changed: 0 when it had before. */
unsigned viommu_machine_ready(ViommuMachine *machine);
/** Its systemd has told that it is ready, or the guest was reset. */
unsigned viommu_machine_tell_ready(ViommuMachine *machine, bool ready);
/** Takes what is in @reach, which is empty then.  Returns what changed. */
unsigned viommu_machine_set_reach(ViommuMachine *machine, ViommuReach *reach);
/** The set of ViommuReachKind that its guest has, and that is not known yet. */
uint64_t viommu_machine_unknown_reach(const ViommuMachine *machine);
/** Records its place in the queue, 0: none.  Returns what changed since the last signal to
 *  clients. */
unsigned viommu_machine_move(ViommuMachine *machine, unsigned position);
/** Records why the launch failed.  Returns what changed. */
unsigned viommu_machine_fail(ViommuMachine *machine, const GError *error);

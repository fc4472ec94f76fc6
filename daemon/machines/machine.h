/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: one guest as viommud knows it: small strings and numbers, and its state by
 * lib/machine/lifecycle.  Knows no bus and no libvirt.  A host may have thousands of machines, so a
 * machine keeps neither its XML nor its request. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/console/console.h"
#include "lib/machine/lifecycle.h"
#include "lib/domain/metadata.h"

typedef struct ViommuJob ViommuJob; /* daemon/machines/job.h */

typedef struct ViommuMachine {
    char *name;
    char uuid[37];
    uint32_t owner_uid;
    /* another version of viommud made it: only what follows from its metadata's core is
     * known */
    bool foreign;
    uint32_t metadata_version; /* of that one */
    ViommuState state;
    ViommuResult result;
    /* bus name of the error that a launch ended with; NULL: none.  Static. */
    const char *failure_name;
    char *failure_text;
    ViommuArch arch;
    const char *machine_type; /* interned */
    ViommuAccelerator accelerator;
    ViommuModel model;
    uint32_t vcpus;
    uint64_t memory_bytes, memlock_bytes, created_usec;
    uint64_t page_size_bytes;   /* 0: ordinary pages */
    char **reasons, **warnings; /* NULL until planned */
    char **hostdevs;            /* PCI addresses; NULL: none, or not planned */
    char *console_log;          /* its path; NULL: none */
    ViommuConsole *console;     /* NULL: nothing is known of it, yet */
    char *request_id;           /* NULL: none */
    char *fingerprint;          /* of the request; NULL until planned */
    uint64_t lease_end_usec;    /* CLOCK_BOOTTIME; 0: no lease */
    uint64_t lease_retry_usec;  /* its removal is tried again not before */
    char *client;               /* bus and connection that it is bound to; NULL: none */
    ViommuJob *job;             /* under way; NULL: it is at rest */
    unsigned told_position;     /* in the queue of launches, as clients were told last; 0: none */
    int verified;               /* flag: proven from inside; kept by this viommud only */
    char *launcher;             /* as client is, who launched it; NULL: another viommud did */
    bool announced;             /* waiting, planned or adopted: its owner and root see it */
    bool shown;                 /* it has run: everybody does */
    unsigned epoch;             /* of the registry, when it last changed */
} ViommuMachine;

/* What viommu_machine_step() or viommu_machine_fail() changed. */
typedef enum ViommuMachineChange {
    VIOMMU_MACHINE_CHANGE_STATE = 1 << 0,
    VIOMMU_MACHINE_CHANGE_RESULT = 1 << 1,
    VIOMMU_MACHINE_CHANGE_FAILURE = 1 << 2,
    /* a plan, or another one after libvirt refused the first */
    VIOMMU_MACHINE_CHANGE_PLAN = 1 << 3,
    VIOMMU_MACHINE_CHANGE_LEASE = 1 << 4,
    VIOMMU_MACHINE_CHANGE_QUEUE = 1 << 5, /* its place in the queue, or that it has none any more */
    VIOMMU_MACHINE_CHANGE_VERIFIED = 1 << 6,
} ViommuMachineChange;

/* Whose launch a machine comes from; borrowed. */
typedef struct ViommuMachineOrigin {
    const char *request_id;  /* NULL: none */
    const char *fingerprint; /* of the request */
    const char *client;      /* what it is bound to; NULL: nothing */
    const char *launcher;    /* bus and connection of who asked */
    uint64_t created_usec;
} ViommuMachineOrigin;

/* What limits count of it. */
typedef struct ViommuMachineSizes {
    uint32_t vcpus;
    uint64_t memory_bytes, memlock_bytes, page_size_bytes;
} ViommuMachineSizes;

/* The fields are for everybody to read.  Only this module writes them; tests/lint/layers.py holds
 * the others to that. */

/** In state planning.  @uuid as 36 characters. Owned. */
ViommuMachine *viommu_machine_new(const char *name, const char *uuid, uint32_t owner_uid);
void viommu_machine_free(ViommuMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuMachine, viommu_machine_free)

/** How many launches come before that of @machine, and itself; 0: it does not wait. */
unsigned viommu_machine_queue_position(const ViommuMachine *machine);

/** Notes where it comes from, before it is in the registry. */
void viommu_machine_set_origin(ViommuMachine *machine, const ViommuMachineOrigin *origin);
/** Notes what it takes, before a plan says so. */
void viommu_machine_set_sizes(ViommuMachine *machine, const ViommuMachineSizes *sizes);
/** Takes over what the plan settled, from the metadata that goes into the domain, or was found
 *  there. */
void viommu_machine_fill(ViommuMachine *machine, const ViommuMetadata *metadata);
/** Takes over what stands in the metadata of a domain that was found in @state. */
void viommu_machine_adopt(ViommuMachine *machine, const ViommuMetadata *metadata, ViommuState state);

/** Takes @job, which is under way from now on, or comes after the one that is; that can be a stop
 *  alone, and one. */
void viommu_machine_add_job(ViommuMachine *machine, ViommuJob *job);
/** The job under way has ended, and what comes after it takes its place.  Whoever is answered then
 *  sees the machine without it.  NULL: there was none.  Owned. */
ViommuJob *viommu_machine_end_job(ViommuMachine *machine);
/** Whether its job says itself what becomes of the machine: a launch or a stop, also one that is
 *  yet to come. */
bool viommu_machine_is_busy(const ViommuMachine *machine);
/** Clients see it from now on: its owner and root, and everybody when it is @shown or was
 *  before. */
void viommu_machine_announce(ViommuMachine *machine, bool shown);
/** It has changed in this epoch of the registry. */
void viommu_machine_touch(ViommuMachine *machine, unsigned epoch);

/** Takes the @path of its console's log. */
void viommu_machine_set_console_log(ViommuMachine *machine, char *path);
/** Takes @console; the machine must have none. */
void viommu_machine_set_console(ViommuMachine *machine, ViommuConsole *console);

/** Moves the end of its lease.  Returns what changed. */
unsigned viommu_machine_extend(ViommuMachine *machine, uint64_t end_usec);
/** Its lease has ended, and its removal is tried again not before @usec. */
void viommu_machine_retry_lease(ViommuMachine *machine, uint64_t usec);

/** How its state is called: "foreign" for one of another version, unless it is being stopped.
 *  Static. */
const char *viommu_machine_state_word(const ViommuMachine *machine);
/** Fails: NOT_SUPPORTED when another version of viommud made it. */
bool viommu_machine_check_known(const ViommuMachine *machine, GError **error);

/** Applies @event.  Returns what changed, 0 when the event means nothing now.  @ret_gone: the
 *  object ends here. */
unsigned viommu_machine_step(ViommuMachine *machine, ViommuEvent event, bool *ret_gone);
/** Notes one more warning.  Returns what changed. */
unsigned viommu_machine_warn(ViommuMachine *machine, const char *text);
/** Notes that its IOMMU is proven.  Returns what changed: 0 when it was proven before. */
unsigned viommu_machine_prove(ViommuMachine *machine);
/** Notes its place in the queue, 0: none.  Returns what changed since clients were told last. */
unsigned viommu_machine_move(ViommuMachine *machine, unsigned position);
/** Notes why the launch failed.  Returns what changed. */
unsigned viommu_machine_fail(ViommuMachine *machine, const GError *error);

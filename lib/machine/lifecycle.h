/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lifecycle: states, events and the transition table of a machine.  Does not know how an event
 * came about. */
#pragma once

#include <stdbool.h>
#include "lib/base/enum.h"

/* Where a machine stands. */
typedef enum ViommuState {
    VIOMMU_STATE_PLANNING,
    VIOMMU_STATE_DEFINING,
    VIOMMU_STATE_STARTING,
    VIOMMU_STATE_RUNNING,
    VIOMMU_STATE_STOPPING, /* asked to end; the domain is being destroyed and undefined */
    VIOMMU_STATE_STOPPED,  /* the guest ended by itself; its domain is kept until Stop */
    VIOMMU_STATE_FAILED,   /* it never ran; everything made so far is undone */
    VIOMMU_STATE_LAST,
} ViommuState;
extern const ViommuEnum viommu_enum_state;

/* How it ended. */
typedef enum ViommuResult {
    VIOMMU_RESULT_NONE,     /* it has not ended */
    VIOMMU_RESULT_SHUTDOWN, /* the guest powered itself off */
    VIOMMU_RESULT_CRASHED,  /* QEMU died, or somebody else ended it */
    VIOMMU_RESULT_PANICKED, /* the guest's kernel gave up, and said so */
    VIOMMU_RESULT_STOPPED,  /* a client asked for it */
    VIOMMU_RESULT_LOST,     /* the domain vanished behind our back */
    VIOMMU_RESULT_FAILED,   /* the launch failed */
    VIOMMU_RESULT_EXPIRED,  /* its lease ended, or the client that it was bound to left */
    VIOMMU_RESULT_LAST,
} ViommuResult;
extern const ViommuEnum viommu_enum_result;

typedef enum ViommuEvent {
    VIOMMU_EVENT_PLANNED,        /* a plan was made: define it */
    VIOMMU_EVENT_DEFINED,        /* libvirt has the domain: start it */
    VIOMMU_EVENT_STARTED,        /* the guest runs */
    VIOMMU_EVENT_LAUNCH_FAILED,  /* any step of the launch failed and was undone */
    VIOMMU_EVENT_STOP_REQUESTED, /* a client, or the daemon, wants it gone */
    VIOMMU_EVENT_GUEST_ENDED,    /* the guest powered itself off */
    VIOMMU_EVENT_GUEST_CRASHED,  /* QEMU died, or somebody else ended it */
    VIOMMU_EVENT_GUEST_PANICKED, /* the guest said that it cannot go on */
    VIOMMU_EVENT_VANISHED,       /* somebody else undefined the domain */
    VIOMMU_EVENT_REMOVED,        /* destroyed and undefined: the object can go */
    VIOMMU_EVENT_STOP_FAILED,    /* libvirt could not remove it; it can be asked again */
    VIOMMU_EVENT_EXPIRED,        /* its lease has ended, or its client has left: it must go */
    VIOMMU_EVENT_REAPED,         /* the same as removed, after that */
    VIOMMU_EVENT_LAST,
} ViommuEvent;
extern const ViommuEnum viommu_enum_event;

typedef struct ViommuTransition {
    ViommuState state;   /* the next one */
    ViommuResult result; /* VIOMMU_RESULT_NONE: unchanged */
    bool gone;           /* the machine's object ends here */
} ViommuTransition;

/** @ret_next untouched when the event means nothing in @state (a late or doubled one): false, not
 *  an error. */
bool viommu_lifecycle_step(ViommuState state, ViommuEvent event, ViommuTransition *ret_next);

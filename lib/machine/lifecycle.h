/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lifecycle: states, events and the transition table of a machine.  Does not know what causes an
 * event. */
#pragma once

#include <stdbool.h>
#include "lib/base/enum.h"

/* The state of a machine. */
typedef enum ViommuState {
    VIOMMU_STATE_PLANNING,
    VIOMMU_STATE_DEFINING,
    VIOMMU_STATE_STARTING,
    VIOMMU_STATE_RUNNING,
    VIOMMU_STATE_STOPPING, /* a stop is under way; the domain is being destroyed and undefined */
    VIOMMU_STATE_STOPPED,  /* the guest ended by itself; its domain is kept until Stop */
    VIOMMU_STATE_FAILED,   /* it never ran; everything made for it is undone */
    VIOMMU_STATE_LAST,
} ViommuState;
extern const ViommuEnum viommu_enum_state;

/* How the machine ended. */
typedef enum ViommuResult {
    VIOMMU_RESULT_NONE,     /* it has not ended */
    VIOMMU_RESULT_SHUTDOWN, /* the guest powered itself off */
    VIOMMU_RESULT_CRASHED,  /* QEMU died, or somebody else destroyed it */
    VIOMMU_RESULT_PANICKED, /* the guest's kernel panicked and reported it */
    VIOMMU_RESULT_STOPPED,  /* a client stopped it */
    VIOMMU_RESULT_LOST,     /* somebody else removed the domain */
    VIOMMU_RESULT_FAILED,   /* the launch failed */
    VIOMMU_RESULT_EXPIRED,  /* its lease ended, or its client disconnected */
    VIOMMU_RESULT_SAVED,    /* somebody else saved it: libvirt can restore it */
    VIOMMU_RESULT_LAST,
} ViommuResult;
extern const ViommuEnum viommu_enum_result;

typedef enum ViommuEvent {
    VIOMMU_EVENT_PLANNED,        /* a plan was made: define it */
    VIOMMU_EVENT_DEFINED,        /* libvirt has the domain: start it */
    VIOMMU_EVENT_STARTED,        /* the guest runs */
    VIOMMU_EVENT_LAUNCH_FAILED,  /* a step of the launch failed, and the launch was undone */
    VIOMMU_EVENT_STOP_REQUESTED, /* a client, or the daemon, stops it */
    VIOMMU_EVENT_GUEST_ENDED,    /* the guest powered itself off */
    VIOMMU_EVENT_GUEST_CRASHED,  /* QEMU died, or somebody else destroyed it */
    VIOMMU_EVENT_GUEST_PANICKED, /* the guest's kernel panicked and reported it */
    VIOMMU_EVENT_VANISHED,       /* somebody else undefined the domain */
    VIOMMU_EVENT_REMOVED,        /* destroyed and undefined: remove the object */
    VIOMMU_EVENT_STOP_FAILED,    /* libvirt could not remove it; it can be stopped again */
    VIOMMU_EVENT_EXPIRED,        /* its lease ended, or its client disconnected: it must go */
    VIOMMU_EVENT_REAPED,         /* like REMOVED, but after EXPIRED */
    VIOMMU_EVENT_GUEST_SAVED,    /* somebody else saved it: libvirt can restore it */
    VIOMMU_EVENT_LAST,
} ViommuEvent;
extern const ViommuEnum viommu_enum_event;

typedef struct ViommuTransition {
    ViommuState state;   /* the next state */
    ViommuResult result; /* VIOMMU_RESULT_NONE: unchanged */
    bool gone;           /* the machine's object ends here */
} ViommuTransition;

/** False, and @ret_next untouched, when the event means nothing in @state (it is late or doubled);
 *  that is no error. */
bool viommu_lifecycle_step(ViommuState state, ViommuEvent event, ViommuTransition *ret_next);

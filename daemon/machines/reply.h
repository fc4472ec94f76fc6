/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reply: the result of a call, and the function that receives it.  Does not know the call. */
#pragma once

#include <glib.h>
#include "daemon/machines/machine.h"
#include "lib/host/host.h"

/* What a running guest takes of the host. */
typedef struct ViommuGuestUsage {
    char uuid[37];
    uint64_t cpu_nsec, memory_bytes; /* VIOMMU_USAGE_UNKNOWN: libvirt does not tell */
    uint64_t asked_usec;             /* CLOCK_MONOTONIC, when libvirt answered */
} ViommuGuestUsage;

/* All borrowed, until ViommuOutcomeFunc returns. */
typedef struct ViommuOutcome {
    const GError *error; /* NULL: success */
    /* of ViommuReason: all reasons against a request; may be NULL */
    const GPtrArray *reasons;
    const ViommuMachine *machine; /* launch */
    const ViommuHost *host;       /* this host, for viommud's own use */
    GVariant *report;             /* plan: a{sv} */
    ViommuModel model;            /* check: the model that would be chosen */
    const char *xml;              /* XML of a domain */
    const char *id;               /* of an attached device */
    int status;                   /* of a command in a guest */
    /* UUID -> ViommuGuestUsage: all guests, also those of others; never changed */
    GHashTable *usage;
} ViommuOutcome;

/** Called exactly once for each call that takes one, possibly before that call returns.  Loop
 *  thread. */
typedef void (*ViommuOutcomeFunc)(const ViommuOutcome *outcome, void *userdata);

typedef struct ViommuWaiter {
    ViommuOutcomeFunc func;
    void *userdata;
} ViommuWaiter;

static inline void viommu_waiter_answer(const ViommuWaiter *waiter, const ViommuOutcome *outcome)
{
    waiter->func(outcome, waiter->userdata);
}

static inline void viommu_waiter_fail(const ViommuWaiter *waiter, const GError *error)
{
    ViommuOutcome outcome = {.error = error};

    viommu_waiter_answer(waiter, &outcome);
}

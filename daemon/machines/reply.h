/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reply: the result of a call, and the function that waits for it.  Does not know the call. */
#pragma once

#include <glib.h>
#include "daemon/machines/machine.h"
#include "lib/host/host.h"

/* All borrowed, for the call of ViommuOutcomeFunc. */
typedef struct ViommuOutcome {
    const GError *error; /* NULL: it went well */
    /* of ViommuReason: all that speaks against a request; may be NULL */
    const GPtrArray *reasons;
    const ViommuMachine *machine; /* launch */
    const ViommuHost *host;       /* what is known of this host, asked for by viommud itself */
    GVariant *report;             /* plan: a{sv} */
    ViommuModel model;            /* check: what would be chosen */
    const char *xml;              /* XML of a domain */
} ViommuOutcome;

/** Called exactly once for each call that takes one, maybe before that call returns.  Loop
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

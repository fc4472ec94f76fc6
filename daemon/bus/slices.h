/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* slices: answers that grow with the number of machines are made in steps of the loop, between
 * which the loop does everything else.  One answer is made at a time, and the next begins when it
 * has been given to the bus, so answers take a bounded amount of memory, however many are asked
 * for.  Users take turns.  An answer that fits into one step is sent at once.  Knows no method. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef struct ViommuBusSlices ViommuBusSlices;
typedef struct ViommuBus ViommuBus;

/* How long one step may take. */
#define VIOMMU_BUS_SLICE_USEC 2000

/* What makes an answer.  Each function but @free: negative: an error of sd-bus. */
typedef struct ViommuBusParts {
    /* the first: what the answer is about is taken here, not earlier */
    int (*begin)(sd_bus_message *reply, void *data);
    /* the next part, which takes microseconds.  0: the reply is complete */
    int (*append)(sd_bus_message *reply, void *data);
    /* the next part of what comes after a reply that was not sent at once.  0: there is no more;
     * NULL: nothing */
    int (*follow)(void *data);
    void (*free)(void *data);
} ViommuBusParts;

/** Owned. */
ViommuBusSlices *viommu_bus_slices_new(ViommuBus *bus);
/** Call it before the turns are closed: drops what is not complete. */
void viommu_bus_slices_close(ViommuBusSlices *slices);
ViommuBusSlices *viommu_bus_slices_ref(ViommuBusSlices *slices);
/** Its bus; NULL: closed. */
ViommuBus *viommu_bus_slices_bus(const ViommuBusSlices *slices);
/** NULL is ignored. */
void viommu_bus_slices_unref(ViommuBusSlices *slices);
/** Answers @call by @parts, which are static, and @data, which is freed by them: at once, if @call
 *  is being handled and the answer fits into one step.  Calls of one user wait up to
 *  VIOMMU_BUS_WAITING_MAX_PER_USER; a further one is refused as Busy.  The slices must not be
 *  closed.  Returns 1, or a negative error of sd-bus. */
int viommu_bus_slices_answer(ViommuBusSlices *slices, sd_bus_message *call, const ViommuBusParts *parts,
                             void *data);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* job: what is under way for a machine: its launch, a new end of its lease, or its stop; who waits
 * for it, and what comes after it.  Does not know how it is done.
 *
 * A machine has one job at most.  What a call means meanwhile:
 *
 *   job        Launch, sent again   Stop                               Extend
 *   launch     waits for it         cancels it, and comes after it     BUSY
 *   lease      is answered          comes after it                     joins it
 *   stop       is answered          joins it; 0 seconds hurry it       BUSY
 *
 * An end that nobody asked for, of a lease or of a client, is a stop that nobody waits for.  A
 * launch that was cancelled ends with nothing left, so the stop after it has nothing to do.
 *
 * Beside the job stand: a verification, which changes nothing and ends when the machine does not
 * run any more; what only looks, or resets the guest; and the step of a launch that was given up,
 * whose machine is gone by then. */
#pragma once

#include "daemon/machines/waiters.h"
#include "lib/machine/queue.h"

typedef enum ViommuJobKind {
    VIOMMU_JOB_LAUNCH,
    VIOMMU_JOB_LEASE,
    VIOMMU_JOB_STOP,
    VIOMMU_JOB_LAST,
} ViommuJobKind;

/* How a machine is to be stopped. */
typedef struct ViommuEnding {
    uint32_t seconds; /* for the guest to end by itself */
    bool expired;     /* nobody asked for it but the machine's lease */
    bool was_running; /* when it was asked for */
} ViommuEnding;

/* The fields are for everybody to read, and a job is written by this module alone, as a machine
 * is by its own. */
struct ViommuJob {
    ViommuJobKind kind;
    const ViommuQueue *queue; /* where a launch waits to begin; NULL: it does not.  Borrowed. */
    void *work;               /* ViommuLaunch, ViommuExtension or ViommuStop; NULL: not begun */
    GDestroyNotify free_work;
    ViommuWaiters *waiters;
    bool answered;       /* those who waited, maybe before its end: nobody else is to wait for it */
    ViommuEnding ending; /* of a stop */
    ViommuJob *next;     /* the stop that comes after it; NULL: none.  Owned. */
};

/** A launch or a lease. Owned. */
ViommuJob *viommu_job_new(ViommuJobKind kind);
/** Owned. */
ViommuJob *viommu_job_new_stop(const ViommuEnding *ending);
/** NULL does nothing.  What is under way goes on without a receiver.  Whoever still waits, also for
 *  what comes after it, is told that the machine is gone. */
void viommu_job_free(ViommuJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuJob, viommu_job_free)

/** Takes @work, which does it from now on, and is freed by @free_work; frees what did it before. */
void viommu_job_set_work(ViommuJob *job, void *work, GDestroyNotify free_work);
/** It waits in @queue; NULL: not any more. */
void viommu_job_set_queue(ViommuJob *job, const ViommuQueue *queue);
/** Takes @stop, which comes after it; there must be none yet. */
void viommu_job_set_next(ViommuJob *job, ViommuJob *stop);
/** What comes after it, which it has no more; NULL: nothing. Owned. */
ViommuJob *viommu_job_take_next(ViommuJob *job);
/** A stop that has not begun takes at most so long. */
void viommu_job_shorten(ViommuJob *stop, uint32_t seconds);
/** Answers all who wait. */
void viommu_job_answer(ViommuJob *job, const ViommuOutcome *outcome);
/** Fails all who wait, also for what comes after it. */
void viommu_job_fail(ViommuJob *job, const GError *error);

/** What does @job if it is of @kind; NULL: it is not, or there is no job.  Borrowed. */
void *viommu_job_work(const ViommuJob *job, ViommuJobKind kind);
/** The stop that @job is, or that comes after it; NULL: none, or no job.  Borrowed. */
ViommuJob *viommu_job_stop(ViommuJob *job);

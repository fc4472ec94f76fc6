/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* job: the operation that is under way for a machine (its launch, a new end of its lease, or its
 * stop), the callers that wait for it, and the stop that comes after it.  Does not know how the
 * operation is done.
 *
 * A machine has one job at most.  What a call means meanwhile:
 *
 *   job        Launch, sent again   Stop                               Extend
 *   launch     waits for it         cancels it, and comes after it     BUSY
 *   lease      is answered          comes after it                     joins it
 *   stop       is answered          joins it; 0 seconds hurry it       BUSY
 *
 * The end of a lease or of a client is a stop without a waiting caller.  A cancelled launch leaves
 * nothing behind, so the stop after it has nothing to do.
 *
 * These stand beside the job: a verification, which changes nothing and ends when the machine no
 * longer runs; an attached or detached device, which ends likewise; calls that only read, or reset,
 * suspend or resume the guest; and the step of a launch that was given
 * up, whose machine is gone by then. */
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
    uint32_t seconds; /* the guest's time to end by itself */
    bool expired;     /* caused by the machine's lease alone */
    bool was_running; /* when the stop was requested */
} ViommuEnding;

/* Every module may read the fields; only this module writes them. */
struct ViommuJob {
    ViommuJobKind kind;
    /* the queue in which a launch waits to begin; NULL: none.  Borrowed. */
    const ViommuQueue *queue;
    void *work; /* ViommuLaunch, ViommuExtension or ViommuStop; NULL: not begun */
    GDestroyNotify free_work;
    ViommuWaiters *waiters;
    /* its callers are answered, maybe before its end; no further caller may wait for it */
    bool answered;
    ViommuEnding ending; /* of a stop */
    ViommuJob *next;     /* the stop that comes after it; NULL: none.  Owned. */
};

/** A launch or a lease. Owned. */
ViommuJob *viommu_job_new(ViommuJobKind kind);
/** Owned. */
ViommuJob *viommu_job_new_stop(const ViommuEnding *ending);
/** NULL does nothing.  The work goes on without a receiver.  Callers that still wait, also for the
 *  next job, are told that the machine is gone. */
void viommu_job_free(ViommuJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuJob, viommu_job_free)

/** Takes @work, which does the job from now on and is freed by @free_work; frees the work before
 *  it. */
void viommu_job_set_work(ViommuJob *job, void *work, GDestroyNotify free_work);
/** The job waits in @queue; NULL: no longer. */
void viommu_job_set_queue(ViommuJob *job, const ViommuQueue *queue);
/** Takes @stop, which comes after @job; there must be none yet. */
void viommu_job_set_next(ViommuJob *job, ViommuJob *stop);
/** Takes the next job out of @job; NULL: there is none.  Owned. */
ViommuJob *viommu_job_take_next(ViommuJob *job);
/** Limits the time that a stop, which has not begun, gives the guest. */
void viommu_job_shorten(ViommuJob *stop, uint32_t seconds);
/** Answers all waiting callers. */
void viommu_job_answer(ViommuJob *job, const ViommuOutcome *outcome);
/** Fails all waiting callers, also those of the next job. */
void viommu_job_fail(ViommuJob *job, const GError *error);

/** The work of @job if it is of @kind; NULL: it is not, or there is no job.  Borrowed. */
void *viommu_job_work(const ViommuJob *job, ViommuJobKind kind);
/** The stop that @job is, or that comes after it; NULL: none, or no job.  Borrowed. */
ViommuJob *viommu_job_stop(ViommuJob *job);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* job: holds a kind, the work, the waiters and the next job.  Does not know machines. */
#include "daemon/machines/job.h"

#include "lib/base/error.h"

ViommuJob *viommu_job_new(ViommuJobKind kind)
{
    ViommuJob *job = g_new0(ViommuJob, 1);

    job->kind = kind;
    job->waiters = viommu_waiters_new();
    return job;
}

ViommuJob *viommu_job_new_stop(const ViommuEnding *ending)
{
    ViommuJob *job = viommu_job_new(VIOMMU_JOB_STOP);

    job->ending = *ending;
    return job;
}

void viommu_job_free(ViommuJob *job)
{
    g_autoptr(GError) gone = NULL;

    if (!job)
        return;
    gone = g_error_new_literal(VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND, "the machine is gone");
    viommu_job_fail(job, gone);
    viommu_job_free(job->next);
    viommu_job_set_work(job, NULL, NULL);
    viommu_waiters_free(job->waiters);
    g_free(job);
}

void viommu_job_set_work(ViommuJob *job, void *work, GDestroyNotify free_work)
{
    if (job->work)
        job->free_work(job->work);
    job->work = work;
    job->free_work = free_work;
}

void viommu_job_set_queue(ViommuJob *job, const ViommuQueue *queue)
{
    job->queue = queue;
}

void viommu_job_set_next(ViommuJob *job, ViommuJob *stop)
{
    g_assert(job->kind != VIOMMU_JOB_STOP && stop->kind == VIOMMU_JOB_STOP && !job->next);
    job->next = stop;
}

ViommuJob *viommu_job_take_next(ViommuJob *job)
{
    return g_steal_pointer(&job->next);
}

void viommu_job_shorten(ViommuJob *stop, uint32_t seconds)
{
    stop->ending.seconds = MIN(stop->ending.seconds, seconds);
}

void viommu_job_answer(ViommuJob *job, const ViommuOutcome *outcome)
{
    job->answered = true;
    viommu_waiters_answer(job->waiters, outcome);
}

void viommu_job_fail(ViommuJob *job, const GError *error)
{
    const ViommuOutcome outcome = {.error = error};

    for (; job; job = job->next)
        viommu_job_answer(job, &outcome);
}

void *viommu_job_work(const ViommuJob *job, ViommuJobKind kind)
{
    return job && job->kind == kind ? job->work : NULL;
}

ViommuJob *viommu_job_stop(ViommuJob *job)
{
    return job && job->kind != VIOMMU_JOB_STOP ? job->next : job;
}

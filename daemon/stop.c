/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stop: the steps of an ending.  Does not know who asked for it. */
#include "daemon/stop.h"

#include <time.h>
#include "daemon/fault.h"
#include "daemon/log.h"
#include "daemon/record.h"
#include "daemon/removal.h"
#include "lib/error.h"

struct ViommuStop {
    ViommuStopContext context;
    ViommuStopFunc func;
    void *userdata;
    char *uuid;
    uint32_t seconds;
    bool hurry;            /* loop thread only */
    sd_event_source *wait; /* set while waiting for the guest */
    GError *error;         /* of the step that just ran */
};

static void done_mark(void *data);
static void done_ask(void *data);
static void done_remove(void *data);

/* Written before anything is done: a daemon that dies on the way finishes the job when it comes back. */
static void work_mark(void *data)
{
    static const ViommuRecordChange stopping = {.phase = VIOMMU_STATE_STOPPING};
    ViommuStop *stop = data;

    VIOMMU_FAULT(before_stop_mark);
    viommu_record_change(stop->context.backend, stop->uuid, &stopping, &stop->error);
    VIOMMU_FAULT(after_stop_mark);
}

static void work_ask(void *data)
{
    ViommuStop *stop = data;

    VIOMMU_FAULT(before_ask);
    viommu_backend_shutdown(stop->context.backend, stop->uuid, &stop->error);
    VIOMMU_FAULT(after_ask);
}

static void work_remove(void *data)
{
    ViommuStop *stop = data;

    viommu_removal_run(stop->context.backend, stop->context.copies, stop->uuid, &stop->error);
}

ViommuStop *viommu_stop_new(const ViommuStopContext *context, const ViommuMachine *machine, uint32_t seconds,
                            ViommuStopFunc func, void *userdata)
{
    ViommuStop *stop = g_new0(ViommuStop, 1);

    stop->context = *context;
    stop->func = func;
    stop->userdata = userdata;
    stop->uuid = g_strdup(machine->uuid);
    stop->seconds = seconds;
    viommu_worker_run(context->worker, work_mark, done_mark, stop);
    return stop;
}

static void end_wait(ViommuStop *stop)
{
    if (!stop->wait)
        return;
    sd_event_source_set_enabled(stop->wait, SD_EVENT_OFF);
    stop->wait = sd_event_source_unref(stop->wait);
}

void viommu_stop_free(ViommuStop *stop)
{
    if (!stop)
        return;
    end_wait(stop);
    g_free(stop->uuid);
    g_clear_error(&stop->error);
    g_free(stop);
}

static void remove_now(ViommuStop *stop)
{
    end_wait(stop);
    g_clear_error(&stop->error);
    viommu_worker_run(stop->context.worker, work_remove, done_remove, stop);
}

static void done_mark(void *data)
{
    ViommuStop *stop = data;

    /* A mark that cannot be written keeps nobody from trying to remove what is there. */
    if (stop->seconds == 0 || stop->hurry || stop->error)
        remove_now(stop);
    else
        viommu_worker_run(stop->context.worker, work_ask, done_ask, stop);
}

static int on_patience_ends(sd_event_source *source, uint64_t usec, void *userdata)
{
    remove_now(userdata);
    return 0;
}

static void done_ask(void *data)
{
    ViommuStop *stop = data;
    int r = -ECANCELED;

    if (!stop->error && !stop->hurry)
        r = sd_event_add_time_relative(viommu_loop_event(stop->context.loop), &stop->wait, CLOCK_BOOTTIME,
                                       (uint64_t)stop->seconds * G_USEC_PER_SEC, 0, on_patience_ends, stop);
    if (r < 0)
        remove_now(stop);
}

static void done_remove(void *data)
{
    ViommuStop *stop = data;

    stop->func(stop, stop->error, stop->userdata);
}

void viommu_stop_hurry(ViommuStop *stop)
{
    stop->hurry = true;
    if (stop->wait)
        remove_now(stop);
}

bool viommu_stop_is_waiting(const ViommuStop *stop)
{
    return stop->wait != NULL;
}

const char *viommu_stop_uuid(const ViommuStop *stop)
{
    return stop->uuid;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stop: the steps of a stop.  Does not know its reason. */
#include "daemon/jobs/stop.h"

#include <time.h>
#include "daemon/process/fault.h"
#include "daemon/process/log.h"
#include "daemon/jobs/metadata-update.h"
#include "daemon/jobs/domain-remove.h"
#include "lib/base/error.h"

/* A call that hangs in the machine's QEMU keeps libvirt from changing its metadata. */
#define MARK_TIMEOUT_SEC 5u

/* A call to libvirt on the way, on which the stop does not depend: it may return when the stop is
 * long over. */
typedef struct Errand {
    ViommuStop *stop; /* NULL: the stop does not wait for it.  Loop thread only. */
    ViommuBackend *backend;
    char *uuid;
    GError *error;
} Errand;

struct ViommuStop {
    ViommuStopContext context;
    ViommuStopFunc func;
    void *userdata;
    char *uuid;
    uint32_t owner_uid;
    uint32_t seconds;
    Errand *errand; /* under way; NULL: none.  Owns itself. */
    bool marking;   /* the errand is the mark */
    bool hurry;
    bool removing;
    sd_event_source *wait; /* for the mark, and for the guest's end */
    char *strays;          /* what the removal found missing */
    GError *error;         /* of the removal */
};

static void done_remove(void *data);

/* Written first: a daemon that dies on the way completes the stop when it is back. */
static void work_mark(void *data)
{
    static const ViommuMetadataChange stopping = {.phase = VIOMMU_STATE_STOPPING};
    Errand *errand = data;

    VIOMMU_FAULT(before_stop_mark);
    viommu_record_change(errand->backend, errand->uuid, &stopping, &errand->error);
    VIOMMU_FAULT(after_stop_mark);
}

static void work_ask(void *data)
{
    Errand *errand = data;

    VIOMMU_FAULT(before_ask);
    viommu_backend_shutdown(errand->backend, errand->uuid, &errand->error);
    VIOMMU_FAULT(after_ask);
}

static void work_remove(void *data)
{
    ViommuStop *stop = data;

    viommu_removal_run(stop->context.backend, stop->context.copies, stop->uuid, &stop->strays, &stop->error);
}

static void run_errand(ViommuStop *stop, ViommuWorker *worker, ViommuWorkFunc work, ViommuDoneFunc done)
{
    Errand *errand = g_new0(Errand, 1);

    *errand = (Errand){stop, stop->context.backend, g_strdup(stop->uuid), NULL};
    stop->errand = errand;
    viommu_worker_run(worker, stop->owner_uid, work, done, errand);
}

/* Takes its result off the stop; NULL: the stop went on without it. */
static ViommuStop *end_errand(Errand *errand, bool *ret_failed)
{
    ViommuStop *stop = errand->stop;

    *ret_failed = errand->error;
    if (stop)
        stop->errand = NULL;
    g_free(errand->uuid);
    g_clear_error(&errand->error);
    g_free(errand);
    return stop;
}

static void end_wait(ViommuStop *stop)
{
    stop->wait = sd_event_source_disable_unref(stop->wait);
}

static void forget_errand(ViommuStop *stop)
{
    if (stop->errand)
        stop->errand->stop = NULL;
    stop->errand = NULL;
}

void viommu_stop_free(ViommuStop *stop)
{
    if (!stop)
        return;
    forget_errand(stop);
    end_wait(stop);
    g_free(stop->uuid);
    g_free(stop->strays);
    g_clear_error(&stop->error);
    g_free(stop);
}

static void remove_now(ViommuStop *stop)
{
    if (stop->removing)
        return;
    stop->removing = true;
    stop->marking = false;
    forget_errand(stop);
    end_wait(stop);
    viommu_worker_run(stop->context.ends, stop->owner_uid, work_remove, done_remove, stop);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
    remove_now(userdata);
    return 0;
}

/* Without a timer there is no waiting. */
static void start_wait(ViommuStop *stop, uint32_t seconds)
{
    end_wait(stop);
    if (sd_event_add_time_relative(viommu_loop_event(stop->context.loop), &stop->wait, CLOCK_BOOTTIME,
                                   (uint64_t)seconds * G_USEC_PER_SEC, 0, on_timeout, stop) < 0)
        remove_now(stop);
}

static void done_ask(void *data)
{
    bool failed;
    ViommuStop *stop = end_errand(data, &failed);

    if (stop && failed)
        remove_now(stop);
}

static void done_mark(void *data)
{
    bool failed;
    ViommuStop *stop = end_errand(data, &failed);

    if (!stop)
        return;
    stop->marking = false;
    /* The machine is removed even if the mark cannot be written. */
    if (stop->seconds == 0 || stop->hurry || failed) {
        remove_now(stop);
        return;
    }
    run_errand(stop, stop->context.calls, work_ask, done_ask);
    start_wait(stop, stop->seconds);
}

ViommuStop *viommu_stop_new(const ViommuStopContext *context, const ViommuMachine *machine, uint32_t seconds,
                            ViommuStopFunc func, void *userdata)
{
    ViommuStop *stop = g_new0(ViommuStop, 1);

    stop->context = *context;
    stop->func = func;
    stop->userdata = userdata;
    stop->uuid = g_strdup(machine->uuid);
    stop->owner_uid = machine->owner_uid;
    stop->seconds = seconds;
    stop->marking = true;
    run_errand(stop, context->ends, work_mark, done_mark);
    start_wait(stop, MARK_TIMEOUT_SEC);
    return stop;
}

static void done_remove(void *data)
{
    ViommuStop *stop = data;

    stop->func(stop, stop->error, stop->userdata);
}

void viommu_stop_hurry(ViommuStop *stop)
{
    stop->hurry = true;
    if (!stop->marking)
        remove_now(stop);
}

const char *viommu_stop_uuid(const ViommuStop *stop)
{
    return stop->uuid;
}

const char *viommu_stop_strays(const ViommuStop *stop)
{
    return stop->strays;
}

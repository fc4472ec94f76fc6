/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal: the throttle, and a timer that logs how many lines were left out. */
#include "daemon/process/journal.h"

#include <time.h>
#include "daemon/process/log.h"

#define UID_LENGTH 16
#define TELL_USEC  (60 * G_USEC_PER_SEC)

/* There is one journal. */
static ViommuThrottle *throttle;
static ViommuLoop *loop;
static sd_event_source *timer; /* NULL: not started yet */

static const struct {
    const char *noun;
    int priority;
} flows[] = {
    [VIOMMU_FLOW_REFUSALS] = {"refused launches", LOG_NOTICE},
    [VIOMMU_FLOW_FAILURES] = {"failed launches", LOG_NOTICE},
    [VIOMMU_FLOW_OUTSIDERS] = {"refused launches of users outside the group", LOG_INFO},
    [VIOMMU_FLOW_TROUBLE] = {"messages about failures of viommud or libvirt", LOG_WARNING},
    [VIOMMU_FLOW_PAUSES] = {"pauses of guests", LOG_NOTICE},
    [VIOMMU_FLOW_REMARKS] = {"other messages", LOG_NOTICE},
};
G_STATIC_ASSERT(G_N_ELEMENTS(flows) == VIOMMU_FLOW_LAST);

static void tell_left_out(ViommuFlow flow, uint32_t uid, uint64_t left_out)
{
    char digits[UID_LENGTH];
    const ViommuLogFields fields = {.message_id = VIOMMU_MESSAGE_LEFT_OUT,
                                    .owner_uid = uid == VIOMMU_THROTTLE_NOBODY ? NULL : digits};

    g_snprintf(digits, sizeof(digits), "%u", uid);

    viommu_log(flows[flow].priority, &fields,
               "%" G_GUINT64_FORMAT " %s%s%s were not logged, because there were too many", left_out,
               flows[flow].noun, fields.owner_uid ? " of user " : "",
               fields.owner_uid ? fields.owner_uid : "");
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    if (!viommu_throttle_tell(throttle, (uint64_t)g_get_monotonic_time(), tell_left_out))
        return 0;
    (void)sd_event_source_set_time_relative(source, TELL_USEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* A running timer is not started again. */
static void start_timer(void)
{
    int enabled = SD_EVENT_OFF;

    if (timer)
        (void)sd_event_source_get_enabled(timer, &enabled);
    if (!loop || enabled != SD_EVENT_OFF)
        return;
    if (!timer) {
        (void)sd_event_add_time_relative(viommu_loop_event(loop), &timer, CLOCK_MONOTONIC, TELL_USEC, 0,
                                         on_timer, NULL);
        return;
    }
    (void)sd_event_source_set_time_relative(timer, TELL_USEC);
    (void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

bool viommu_journal_may_tell_of(ViommuFlow flow, uint32_t uid)
{
    uint64_t left_out;

    if (!throttle)
        throttle = viommu_throttle_new();
    if (!viommu_throttle_take(throttle, flow, uid, (uint64_t)g_get_monotonic_time(), &left_out)) {
        start_timer();
        return false;
    }
    if (left_out > 0)
        tell_left_out(flow, flow == VIOMMU_FLOW_OUTSIDERS ? VIOMMU_THROTTLE_NOBODY : uid, left_out);
    return true;
}

bool viommu_journal_may_tell(uint32_t uid)
{
    return viommu_journal_may_tell_of(VIOMMU_FLOW_REMARKS, uid);
}

void viommu_journal_open(ViommuLoop *new_loop)
{
    loop = new_loop;
}

void viommu_journal_close(void)
{
    /* Writes the counts now, because the next viommud does not know them. */
    if (throttle)
        (void)viommu_throttle_tell(throttle, (uint64_t)g_get_monotonic_time() + TELL_USEC, tell_left_out);
    timer = sd_event_source_disable_unref(timer);
    loop = NULL;
    g_clear_pointer(&throttle, viommu_throttle_free);
}

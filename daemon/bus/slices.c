/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* slices: a fair queue of calls, and the answer that is being made.  Each step is posted to the
 * loop, which serves what else has happened before it. */
#include "daemon/bus/slices.h"

#include "daemon/bus/bus.h"
#include "daemon/bus/errors.h"
#include "lib/machine/queue.h"

typedef struct Answer {
    sd_bus_message *call, *reply;
    const ViommuBusParts *parts;
    void *data;
    uint32_t uid;
    bool following;      /* the reply has been sent */
    GHashTable *waiting; /* the table that counts it; NULL: not counted */
} Answer;

struct ViommuBusSlices {
    unsigned references;
    ViommuBus *bus;       /* borrowed; NULL: closed */
    ViommuQueue *waiting; /* of Answer that have not begun, owned */
    Answer *current;      /* NULL: none is being made */
};

ViommuBusSlices *viommu_bus_slices_new(ViommuBus *bus)
{
    ViommuBusSlices *slices = g_new0(ViommuBusSlices, 1);

    slices->references = 1;
    slices->bus = bus;
    slices->waiting = viommu_queue_new();
    return slices;
}

ViommuBusSlices *viommu_bus_slices_ref(ViommuBusSlices *slices)
{
    slices->references++;
    return slices;
}

ViommuBus *viommu_bus_slices_bus(const ViommuBusSlices *slices)
{
    return slices->bus;
}

void viommu_bus_slices_unref(ViommuBusSlices *slices)
{
    if (!slices || --slices->references > 0)
        return;
    viommu_queue_free(slices->waiting);
    g_free(slices);
}

static void free_answer(Answer *answer)
{
    if (!answer)
        return;
    if (answer->waiting)
        viommu_bus_count_waiting(answer->waiting, answer->uid, -1);
    answer->parts->free(answer->data);
    sd_bus_message_unref(answer->reply);
    sd_bus_message_unref(answer->call);
    g_free(answer);
}

void viommu_bus_slices_close(ViommuBusSlices *slices)
{
    Answer *answer;

    if (!slices)
        return;
    while ((answer = viommu_queue_take(slices->waiting)))
        free_answer(answer);
    g_clear_pointer(&slices->current, free_answer);
    slices->bus = NULL;
}

/* --- One step --- */

/* 1: the time is over; 0: nothing is left to do. */
static int work(Answer *answer)
{
    gint64 end = g_get_monotonic_time() + VIOMMU_BUS_SLICE_USEC;
    int r;

    do
        r = answer->following ? answer->parts->follow(answer->data)
                              : answer->parts->append(answer->reply, answer->data);
    while (r > 0 && g_get_monotonic_time() < end);
    return r;
}

static int begin(Answer *answer)
{
    int r = sd_bus_message_new_method_return(answer->call, &answer->reply);

    return r < 0 ? r : answer->parts->begin(answer->reply, answer->data);
}

static void go_on(ViommuBusSlices *slices);

static void on_step(void *data)
{
    ViommuBusSlices *slices = data;

    go_on(slices);
    viommu_bus_slices_unref(slices);
}

static void post_step(ViommuBusSlices *slices)
{
    viommu_loop_post(slices->bus->loop, on_step, viommu_bus_slices_ref(slices));
}

static bool has_left(const ViommuBusSlices *slices, const Answer *answer)
{
    return viommu_bus_peers_find(slices->bus->peers, sd_bus_message_get_sender(answer->call)) ==
           VIOMMU_PEER_GONE;
}

static void begin_next(ViommuBusSlices *slices)
{
    while (!slices->current && (slices->current = viommu_queue_take(slices->waiting)))
        if (has_left(slices, slices->current))
            g_clear_pointer(&slices->current, free_answer);
    if (slices->current)
        post_step(slices);
}

static void finish(ViommuBusSlices *slices)
{
    g_clear_pointer(&slices->current, free_answer);
    begin_next(slices);
}

static void fail(ViommuBusSlices *slices, int r)
{
    if (!slices->current->following)
        (void)sd_bus_reply_method_errno(slices->current->call, r, NULL);
    finish(slices);
}

/* The turns have sent the reply. */
static void on_sent(void *data)
{
    ViommuBusSlices *slices = data;

    if (slices->current) {
        slices->current->following = true;
        if (slices->current->parts->follow)
            post_step(slices);
        else
            finish(slices);
    }
    viommu_bus_slices_unref(slices);
}

static void send_reply(ViommuBusSlices *slices)
{
    Answer *answer = slices->current;
    sd_bus_message *reply = answer->reply;
    int r;

    answer->reply = NULL;
    r = viommu_bus_turns_send(slices->bus->turns, reply, answer->uid, on_sent, viommu_bus_slices_ref(slices));
    sd_bus_message_unref(reply);
    if (r >= 0)
        return;
    viommu_bus_slices_unref(slices);
    fail(slices, r);
}

static void go_on(ViommuBusSlices *slices)
{
    Answer *answer = slices->current;
    int r = 0;

    if (!answer)
        return;
    if (has_left(slices, answer)) {
        finish(slices);
        return;
    }
    if (!answer->reply && !answer->following)
        r = begin(answer);
    if (r >= 0)
        r = work(answer);
    if (r < 0)
        fail(slices, r);
    else if (r > 0)
        post_step(slices);
    else if (answer->following)
        finish(slices);
    else
        send_reply(slices);
}

/* --- A call --- */

/* A call that is being handled has its turn; its answer need not wait for another one. */
static void try_at_once(ViommuBusSlices *slices, Answer *answer)
{
    int r = begin(answer);

    slices->current = answer;
    if (r >= 0)
        r = work(answer);
    if (r > 0) {
        post_step(slices);
        return;
    }
    if (r == 0)
        r = sd_bus_send(slices->bus->bus, answer->reply, NULL);
    if (r < 0)
        fail(slices, r);
    else
        finish(slices);
}

int viommu_bus_slices_answer(ViommuBusSlices *slices, sd_bus_message *call, const ViommuBusParts *parts,
                             void *data)
{
    ViommuBus *bus = slices->bus;
    g_autoptr(GError) error = NULL;
    Answer *answer = g_new0(Answer, 1);

    *answer = (Answer){.call = sd_bus_message_ref(call), .parts = parts, .data = data};
    if (!viommu_auth_uid(bus->auth, call, &answer->uid, &error) ||
        (slices->current && !viommu_bus_may_wait(bus, call, answer->uid, &error))) {
        free_answer(answer);
        return viommu_bus_reply_error(call, error, NULL);
    }
    if (!slices->current && sd_bus_get_current_message(bus->bus) == call) {
        try_at_once(slices, answer);
        return 1;
    }
    answer->waiting = bus->waiting;
    viommu_bus_count_waiting(answer->waiting, answer->uid, 1);
    viommu_queue_add(slices->waiting, answer->uid, answer);
    if (!slices->current)
        begin_next(slices);
    return 1;
}

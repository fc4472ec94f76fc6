/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* turns: a fair queue of calls; calls are taken while the socket has accepted all messages. */
#include "daemon/bus/turns.h"

#include <errno.h>
#include <glib.h>
#include <malloc.h>
#include <sys/socket.h>
#include "daemon/bus/errors.h"
#include "daemon/bus/variant.h"
#include "daemon/process/fd-room.h"
#include "lib/base/error.h"
#include "lib/machine/queue.h"

/* The kernel doubles it.  Further messages wait in sd-bus, where they can be counted. */
#define SEND_BUFFER_BYTES (32 * 1024)

/* After a flood of so many messages their memory is returned to the system. */
#define FLOOD_MESSAGES 256u

/* A waiting call, or the reply Busy to a call above the limit. */
typedef struct Item {
    sd_bus_message *message;
    uint32_t uid;
    size_t bytes; /* of a call */
    bool is_answer;
    ViommuBusTurnsSentFunc sent; /* of an answer; may be NULL */
    void *userdata;
} Item;

typedef struct Counts {
    unsigned calls, answers;
    size_t bytes;
} Counts;

struct ViommuBusTurns {
    unsigned references;
    sd_bus *bus;              /* borrowed; NULL: closed */
    sd_event_source *source;  /* runs after each event; enabled while something waits */
    ViommuQueue *waiting;     /* of Item */
    GHashTable *users;        /* uid -> Counts, owned; a missing entry means zeros */
    sd_bus_message *admitted; /* the call whose turn has come, on its way back; owned */
    unsigned longest;         /* the longest length of the queue since it was empty */
};

static void free_item(Item *item)
{
    if (item->sent)
        item->sent(item->userdata);
    sd_bus_message_unref(item->message);
    g_free(item);
}

static Counts *find_counts(ViommuBusTurns *turns, uint32_t uid)
{
    Counts *counts = g_hash_table_lookup(turns->users, GUINT_TO_POINTER(uid));

    if (!counts) {
        counts = g_new0(Counts, 1);
        g_hash_table_insert(turns->users, GUINT_TO_POINTER(uid), counts);
    }
    return counts;
}

static Item *take(ViommuBusTurns *turns)
{
    Item *item = viommu_queue_take(turns->waiting);
    Counts *counts;

    if (!item)
        return NULL;
    counts = find_counts(turns, item->uid);
    if (item->is_answer)
        counts->answers--;
    else
        counts->calls--;
    counts->bytes -= item->bytes;
    if (counts->answers + counts->calls == 0)
        g_hash_table_remove(turns->users, GUINT_TO_POINTER(item->uid));
    return item;
}

static bool has_backlog(const ViommuBusTurns *turns)
{
    uint64_t n;

    return sd_bus_get_n_queued_write(turns->bus, &n) >= 0 && n > 0;
}

/* A lost bus ends the loop, so what cannot be sent is dropped. */
static void serve(ViommuBusTurns *turns, Item *item)
{
    if (item->is_answer)
        (void)sd_bus_send(turns->bus, item->message, NULL);
    else if (sd_bus_enqueue_for_read(turns->bus, item->message) >= 0)
        turns->admitted = sd_bus_message_ref(item->message);
    free_item(item);
}

static int after_event(sd_event_source *source, void *userdata)
{
    ViommuBusTurns *turns = userdata;
    Item *item;

    while (!turns->admitted && !has_backlog(turns) && (item = take(turns)))
        serve(turns, item);
    if (viommu_queue_length(turns->waiting) > 0)
        return 0;
    if (turns->longest >= FLOOD_MESSAGES)
        malloc_trim(0);
    turns->longest = 0;
    return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

int viommu_bus_turns_new(sd_bus *bus, ViommuBusTurns **ret_turns)
{
    const int bytes = SEND_BUFFER_BYTES;
    ViommuBusTurns *turns = g_new0(ViommuBusTurns, 1);
    int r;

    turns->references = 1;
    turns->bus = bus;
    turns->waiting = viommu_queue_new();
    turns->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    *ret_turns = turns;
    r = sd_event_add_post(sd_bus_get_event(bus), &turns->source, after_event, turns);
    if (r >= 0)
        r = sd_event_source_set_enabled(turns->source, SD_EVENT_OFF);
    if (r >= 0 && setsockopt(sd_bus_get_fd(bus), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0)
        r = -errno;
    return r;
}

void viommu_bus_turns_close(ViommuBusTurns *turns)
{
    Item *item;

    if (!turns)
        return;
    while ((item = take(turns))) {
        if (item->is_answer)
            (void)sd_bus_send(turns->bus, item->message, NULL);
        free_item(item);
    }
    turns->admitted = sd_bus_message_unref(turns->admitted);
    turns->source = sd_event_source_disable_unref(turns->source);
    turns->bus = NULL;
}

ViommuBusTurns *viommu_bus_turns_ref(ViommuBusTurns *turns)
{
    turns->references++;
    return turns;
}

void viommu_bus_turns_unref(ViommuBusTurns *turns)
{
    if (!turns || --turns->references > 0)
        return;
    g_assert(!turns->bus);
    viommu_queue_free(turns->waiting);
    g_hash_table_unref(turns->users);
    g_free(turns);
}

static bool is_busy(const ViommuBusTurns *turns)
{
    return turns->admitted || viommu_queue_length(turns->waiting) > 0 || has_backlog(turns);
}

static void add(ViommuBusTurns *turns, Item waiting)
{
    Item *item = g_new(Item, 1);
    uint32_t uid = waiting.uid;
    Counts *counts = find_counts(turns, uid);

    *item = waiting;
    sd_bus_message_ref(item->message);
    if (item->is_answer)
        counts->answers++;
    else
        counts->calls++;
    counts->bytes += item->bytes;
    viommu_queue_add(turns->waiting, uid, item);
    turns->longest = MAX(turns->longest, viommu_queue_length(turns->waiting));
    (void)sd_event_source_set_enabled(turns->source, SD_EVENT_ON);
}

/* The reply waits for its turn, too: it is short, but a user can have thousands of them. */
static void refuse(ViommuBusTurns *turns, sd_bus_message *call, uint32_t uid, const GError *error)
{
    sd_bus_message *answer = NULL;

    if (viommu_bus_new_error(call, error, NULL, &answer) < 0)
        return;
    if (find_counts(turns, uid)->answers < VIOMMU_BUS_TURNS_ANSWERS_MAX)
        add(turns, (Item){.message = answer, .uid = uid, .is_answer = true});
    else
        (void)sd_bus_send(turns->bus, answer, NULL);
    sd_bus_message_unref(answer);
}

bool viommu_bus_turns_take_up(ViommuBusTurns *turns, sd_bus_message *call)
{
    if (call != turns->admitted)
        return false;
    turns->admitted = sd_bus_message_unref(turns->admitted);
    return true;
}

/* A waiting call keeps its memory, so its size counts. */
static bool check_room(const Counts *counts, uint32_t uid, sd_bus_message *call, size_t *ret_bytes,
                       GError **error)
{
    if (!viommu_bus_variant_measure(call, ret_bytes))
        return viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "the bus takes viommud's answers slowly, and meanwhile calls of more than %u KiB cannot wait; send a smaller call, or try again later",
            VIOMMU_BUS_BYTES_MAX / 1024);
    if (counts->calls >= VIOMMU_BUS_TURNS_CALLS_MAX)
        return viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "%u calls of user %u already wait for the bus to take viommud's answers; read the answers, and try again later",
            counts->calls, uid);
    if (counts->bytes + *ret_bytes > VIOMMU_BUS_TURNS_BYTES_MAX)
        return viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "calls of user %u with %zu KiB already wait for the bus to take viommud's answers; read the answers, and try again later",
            uid, counts->bytes / 1024);
    return viommu_room_check(error);
}

bool viommu_bus_turns_admit(ViommuBusTurns *turns, sd_bus_message *call, uint32_t uid)
{
    g_autoptr(GError) error = NULL;
    size_t bytes = 0;

    if (!is_busy(turns))
        return true;
    if (check_room(find_counts(turns, uid), uid, call, &bytes, &error))
        add(turns, (Item){.message = call, .uid = uid, .bytes = bytes});
    else
        refuse(turns, call, uid, error);
    return false;
}

int viommu_bus_turns_send(ViommuBusTurns *turns, sd_bus_message *answer, uint32_t uid,
                          ViommuBusTurnsSentFunc sent, void *userdata)
{
    int r;

    if (!turns->bus)
        return -ENOTCONN;
    if (is_busy(turns)) {
        add(turns,
            (Item){.message = answer, .uid = uid, .is_answer = true, .sent = sent, .userdata = userdata});
        return 0;
    }
    r = sd_bus_send(turns->bus, answer, NULL);
    if (r >= 0 && sent)
        sent(userdata);
    return r;
}

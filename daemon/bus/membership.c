/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* membership: at most one look-up at a time for each user, its waiters, and its last result.  Does
 * not know what the result is for. */
#include "daemon/bus/membership.h"

#include <time.h>
#include "daemon/files/unix-user.h"

#define YES_USEC (G_USEC_PER_SEC / 10)
#define NO_USEC  G_USEC_PER_SEC
/* Users whose results are remembered. */
#define REMEMBERED_MAX 1024u

typedef struct Waiter {
    ViommuMembershipFunc func;
    void *userdata;
} Waiter;

/* One look-up, until it ends, however late. */
typedef struct Lookup {
    ViommuMembership *membership; /* NULL: freed */
    uint32_t uid;
    char *group;
    ViommuMember answer;
    GArray *waiters;        /* of Waiter */
    sd_event_source *timer; /* NULL: it has rung */
    ViommuTask *task;
    bool late;
} Lookup;

typedef struct Memory {
    ViommuMember answer;
    gint64 until_usec;
} Memory;

struct ViommuMembership {
    ViommuLoop *loop;
    ViommuWorker *worker;
    char *group;
    GHashTable *lookups;    /* uid -> Lookup */
    GHashTable *remembered; /* uid -> Memory, owned */
};

ViommuMembership *viommu_membership_new(ViommuLoop *loop, ViommuWorker *worker, const char *group)
{
    ViommuMembership *membership = g_new0(ViommuMembership, 1);

    membership->loop = loop;
    membership->worker = worker;
    membership->group = g_strdup(group);
    membership->lookups = g_hash_table_new(NULL, NULL);
    membership->remembered = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return membership;
}

static void leave_alone(Lookup *lookup)
{
    lookup->timer = sd_event_source_disable_unref(lookup->timer);
    g_array_set_size(lookup->waiters, 0);
    lookup->membership = NULL;
}

void viommu_membership_free(ViommuMembership *membership)
{
    GHashTableIter iterator;
    void *lookup;

    if (!membership)
        return;
    g_hash_table_iter_init(&iterator, membership->lookups);
    while (g_hash_table_iter_next(&iterator, NULL, &lookup))
        leave_alone(lookup);
    g_hash_table_unref(membership->lookups);
    g_hash_table_unref(membership->remembered);
    g_free(membership->group);
    g_free(membership);
}

static void remember(ViommuMembership *membership, uint32_t uid, ViommuMember answer)
{
    Memory *memory = g_new(Memory, 1);

    if (g_hash_table_size(membership->remembered) >= REMEMBERED_MAX)
        g_hash_table_remove_all(membership->remembered);
    *memory = (Memory){answer, g_get_monotonic_time() + (answer == VIOMMU_MEMBER_YES ? YES_USEC : NO_USEC)};
    g_hash_table_replace(membership->remembered, GUINT_TO_POINTER(uid), memory);
}

bool viommu_membership_recall(ViommuMembership *membership, uint32_t uid, ViommuMember *ret_answer)
{
    const Memory *memory = g_hash_table_lookup(membership->remembered, GUINT_TO_POINTER(uid));
    const Lookup *lookup = g_hash_table_lookup(membership->lookups, GUINT_TO_POINTER(uid));

    if (lookup && lookup->late) {
        *ret_answer = VIOMMU_MEMBER_UNKNOWN;
        return true;
    }
    if (!memory || g_get_monotonic_time() > memory->until_usec)
        return false;
    *ret_answer = memory->answer;
    return true;
}

/* A waiter that is answered may ask again. */
static void answer_waiters(Lookup *lookup, ViommuMember answer)
{
    g_autoptr(GArray) waiters = lookup->waiters;

    lookup->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
    for (guint i = 0; i < waiters->len; i++)
        g_array_index(waiters, Waiter, i).func(answer, g_array_index(waiters, Waiter, i).userdata);
}

static void work_lookup(void *data)
{
    Lookup *lookup = data;
    g_autoptr(ViommuAccount) account = viommu_account_find(lookup->uid);

    lookup->answer = viommu_account_is_in(account, lookup->group) ? VIOMMU_MEMBER_YES : VIOMMU_MEMBER_NO;
}

static void done_lookup(void *data)
{
    Lookup *lookup = data;

    lookup->timer = sd_event_source_disable_unref(lookup->timer);
    if (lookup->membership) {
        g_hash_table_remove(lookup->membership->lookups, GUINT_TO_POINTER(lookup->uid));
        /* Its result may be old. */
        if (!lookup->late)
            remember(lookup->membership, lookup->uid, lookup->answer);
        answer_waiters(lookup, lookup->answer);
    }
    g_array_unref(lookup->waiters);
    g_free(lookup->group);
    g_free(lookup);
}

/* From now on nobody waits for it; when it ends after all, the next question starts another
 * look-up. */
static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    Lookup *lookup = userdata;

    lookup->timer = sd_event_source_disable_unref(lookup->timer);
    lookup->late = true;
    (void)viommu_worker_abandon(lookup->task);
    answer_waiters(lookup, VIOMMU_MEMBER_UNKNOWN);
    return 0;
}

static Lookup *begin(ViommuMembership *membership, uint32_t uid)
{
    Lookup *lookup = g_new0(Lookup, 1);

    lookup->membership = membership;
    lookup->uid = uid;
    lookup->group = g_strdup(membership->group);
    lookup->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
    g_hash_table_insert(membership->lookups, GUINT_TO_POINTER(uid), lookup);
    if (sd_event_add_time_relative(viommu_loop_event(membership->loop), &lookup->timer, CLOCK_MONOTONIC,
                                   VIOMMU_MEMBERSHIP_TIMEOUT_SEC * G_USEC_PER_SEC, 0, on_late, lookup) < 0)
        lookup->timer = NULL;
    lookup->task = viommu_worker_run(membership->worker, uid, work_lookup, done_lookup, lookup);
    return lookup;
}

void viommu_membership_ask(ViommuMembership *membership, uint32_t uid, ViommuMembershipFunc func,
                           void *userdata)
{
    Lookup *lookup = g_hash_table_lookup(membership->lookups, GUINT_TO_POINTER(uid));
    const Waiter waiter = {func, userdata};

    if (!lookup)
        lookup = begin(membership, uid);
    g_array_append_val(lookup->waiters, waiter);
}

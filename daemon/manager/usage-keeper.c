/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage-keeper: the last answer, and who waits for the next one. */
#include "daemon/manager/usage-keeper.h"

struct ViommuUsageKeeper {
    ViommuUsageContext context;
    GHashTable *known; /* uuid -> ViommuGuestUsage, owned: the last answer; NULL: there is none */
    gint64 asked_usec; /* when it came */
    GArray *waiting;   /* of Waiting; not empty while libvirt is asked */
};

typedef struct Waiting {
    ViommuWaiter waiter;
    uint32_t owner_uid;
    bool wants_all;
} Waiting;

ViommuUsageKeeper *viommu_usage_keeper_new(const ViommuUsageContext *context)
{
    ViommuUsageKeeper *keeper = g_new0(ViommuUsageKeeper, 1);

    keeper->context = *context;
    keeper->waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
    return keeper;
}

void viommu_usage_keeper_free(ViommuUsageKeeper *keeper)
{
    if (!keeper)
        return;
    g_clear_pointer(&keeper->known, g_hash_table_unref);
    g_array_unref(keeper->waiting);
    g_free(keeper);
}

static bool is_wanted(const Waiting *waiting, const ViommuMachine *machine)
{
    return machine->announced && (waiting->wants_all || machine->owner_uid == waiting->owner_uid);
}

/* Whether the last answer is young enough, and has all guests that were started since. */
static bool is_known(const ViommuUsageKeeper *keeper, const Waiting *waiting)
{
    ViommuRegistryIterator machines = viommu_registry_iterate(keeper->context.registry);

    if (!keeper->known || g_get_monotonic_time() - keeper->asked_usec >= VIOMMU_USAGE_AGE_USEC)
        return false;
    for (ViommuMachine *machine; (machine = viommu_registry_next(&machines));)
        if (machine->state == VIOMMU_STATE_RUNNING && is_wanted(waiting, machine) &&
            !g_hash_table_contains(keeper->known, machine->uuid))
            return false;
    return true;
}

static void tell(const ViommuUsageKeeper *keeper, const Waiting *waiting)
{
    const ViommuOutcome outcome = {.usage = keeper->known};

    viommu_waiter_answer(&waiting->waiter, &outcome);
}

typedef struct Question {
    ViommuUsageKeeper *keeper;
    GHashTable *answer; /* NULL: failed */
    gint64 asked_usec;
    GError *error;
} Question;

static void ask_work(void *data)
{
    Question *question = data;
    g_autoptr(GArray) found = viommu_backend_read_usage(question->keeper->context.backend, &question->error);

    if (!found)
        return;
    question->asked_usec = g_get_monotonic_time();
    question->answer = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    for (guint i = 0; i < found->len; i++) {
        const ViommuUsage *usage = &g_array_index(found, ViommuUsage, i);
        ViommuGuestUsage *row = g_new(ViommuGuestUsage, 1);

        *row = (ViommuGuestUsage){.cpu_nsec = usage->cpu_nsec,
                                  .memory_bytes = usage->memory_bytes,
                                  .asked_usec = (uint64_t)question->asked_usec};
        g_strlcpy(row->uuid, usage->uuid, sizeof(row->uuid));
        g_hash_table_replace(question->answer, row->uuid, row);
    }
}

static void ask_done(void *data)
{
    Question *question = data;
    ViommuUsageKeeper *keeper = question->keeper;
    /* Whoever asks from here on has another question. */
    g_autoptr(GArray) waiting = keeper->waiting;

    keeper->waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
    g_clear_pointer(&keeper->known, g_hash_table_unref);
    keeper->known = question->answer;
    keeper->asked_usec = question->asked_usec;
    for (guint i = 0; i < waiting->len; i++) {
        const Waiting *one = &g_array_index(waiting, Waiting, i);

        if (question->error)
            viommu_waiter_fail(&one->waiter, question->error);
        else
            tell(keeper, one);
    }
    g_clear_error(&question->error);
    g_free(question);
}

void viommu_usage_keeper_read(ViommuUsageKeeper *keeper, const uint32_t *owner, const ViommuWaiter *waiter)
{
    const Waiting waiting = {*waiter, owner ? *owner : 0, !owner};
    Question *question;

    if (is_known(keeper, &waiting)) {
        tell(keeper, &waiting);
        return;
    }
    g_array_append_val(keeper->waiting, waiting);
    if (keeper->waiting->len > 1)
        return;
    question = g_new0(Question, 1);
    question->keeper = keeper;
    viommu_worker_run(keeper->context.calls, VIOMMU_WORKER_NOBODY, ask_work, ask_done, question);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage-keeper: the last answer, and who waits for the next one. */
#include "daemon/manager/usage-keeper.h"

struct ViommuUsageKeeper {
    ViommuUsageContext context;
    GHashTable *known; /* uuid -> ViommuUsage, in @answer; NULL: nothing yet */
    GArray *answer;
    gint64 asked_usec; /* when it came; 0: there is none */
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
    g_clear_pointer(&keeper->answer, g_array_unref);
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

    if (!keeper->asked_usec || g_get_monotonic_time() - keeper->asked_usec >= VIOMMU_USAGE_AGE_USEC)
        return false;
    for (ViommuMachine *machine; (machine = viommu_registry_next(&machines));)
        if (machine->state == VIOMMU_STATE_RUNNING && is_wanted(waiting, machine) &&
            !g_hash_table_contains(keeper->known, machine->uuid))
            return false;
    return true;
}

static void tell(const ViommuUsageKeeper *keeper, const Waiting *waiting)
{
    g_autoptr(GPtrArray) machines = viommu_registry_list(keeper->context.registry, true);
    g_autoptr(GArray) usage = g_array_new(FALSE, FALSE, sizeof(ViommuMachineUsage));
    const ViommuOutcome outcome = {.usage = usage};

    for (guint i = 0; i < machines->len; i++) {
        const ViommuMachine *machine = g_ptr_array_index(machines, i);
        const ViommuUsage *found = g_hash_table_lookup(keeper->known, machine->uuid);

        if (found && is_wanted(waiting, machine)) {
            const ViommuMachineUsage row = {machine->name, found->cpu_nsec, found->memory_bytes,
                                            (uint64_t)keeper->asked_usec};
            g_array_append_val(usage, row);
        }
    }
    viommu_waiter_answer(&waiting->waiter, &outcome);
}

static void take(ViommuUsageKeeper *keeper, GArray *answer)
{
    g_clear_pointer(&keeper->known, g_hash_table_unref);
    g_clear_pointer(&keeper->answer, g_array_unref);
    keeper->asked_usec = answer ? g_get_monotonic_time() : 0;
    keeper->answer = answer;
    keeper->known = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; answer && i < answer->len; i++) {
        ViommuUsage *usage = &g_array_index(answer, ViommuUsage, i);

        g_hash_table_insert(keeper->known, usage->uuid, usage);
    }
}

typedef struct Question {
    ViommuUsageKeeper *keeper;
    GArray *answer; /* NULL: failed */
    GError *error;
} Question;

static void ask_work(void *data)
{
    Question *question = data;

    question->answer = viommu_backend_read_usage(question->keeper->context.backend, &question->error);
}

static void ask_done(void *data)
{
    Question *question = data;
    ViommuUsageKeeper *keeper = question->keeper;
    /* Whoever asks from here on has another question. */
    g_autoptr(GArray) waiting = keeper->waiting;

    keeper->waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
    take(keeper, question->answer);
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

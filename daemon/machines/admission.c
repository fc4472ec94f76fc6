/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* admission: sums the resources of all machines, and keeps the queue. */
#include "daemon/machines/admission.h"

#include <unistd.h>
#include "daemon/machines/job.h"
#include "lib/base/error.h"
#include "lib/plan/memory.h"
#include "lib/plan/plan.h"
#include "lib/request/translate.h"
#include "lib/machine/queue.h"

/* The least time between two signals of places in the queue: for a thousand waiting launches, each
 * costs a thousand signals. */
#define TELL_USEC (G_USEC_PER_SEC / 5)

struct ViommuAdmission {
    ViommuLoop *loop;
    sd_event_source *telling; /* NULL: all places in the queue have been signalled */
    const ViommuConfig *config;
    ViommuRegistry *registry;
    ViommuLedger *ledger;
    ViommuQueue *queue; /* of ViommuMachine */
    unsigned running;
    GHashTable *users; /* uid -> User, owned */
};

/* The counts of one user's launches. */
typedef struct User {
    unsigned running, hung;
} User;

/* Kept until the daemon ends: there is one for each user who ever launched. */
static User *user_of(const ViommuAdmission *admission, uint32_t uid)
{
    User *user = g_hash_table_lookup(admission->users, GUINT_TO_POINTER(uid));

    if (!user) {
        user = g_new0(User, 1);
        g_hash_table_insert(admission->users, GUINT_TO_POINTER(uid), user);
    }
    return user;
}

ViommuAdmission *viommu_admission_new(ViommuLoop *loop, const ViommuConfig *config, ViommuRegistry *registry,
                                      ViommuLedger *ledger)
{
    ViommuAdmission *admission = g_new0(ViommuAdmission, 1);

    admission->loop = loop;
    admission->config = config;
    admission->registry = registry;
    admission->ledger = ledger;
    admission->queue = viommu_queue_new();
    admission->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return admission;
}

void viommu_admission_free(ViommuAdmission *admission)
{
    if (!admission)
        return;
    sd_event_source_disable_unref(admission->telling);
    viommu_queue_free(admission->queue);
    g_hash_table_unref(admission->users);
    g_free(admission);
}

/* A guest holds its resources until it ends. */
static bool has_guest(const ViommuMachine *machine)
{
    return machine->state != VIOMMU_STATE_STOPPED && machine->state != VIOMMU_STATE_FAILED;
}

static uint64_t pinned_bytes(uint64_t memory_bytes, uint64_t page_size_bytes, uint64_t memlock_bytes)
{
    ViommuPinned pinned = viommu_memory_pinned(memory_bytes, page_size_bytes, memlock_bytes);

    return pinned.ordinary_bytes + pinned.huge_bytes;
}

/* As a plan has it: 0 for ordinary pages, which are larger than 4 KiB on some hosts. */
static uint64_t huge_page_of(const ViommuRequest *request)
{
    uint64_t bytes = request->memory_backing.page_size_bytes;

    return bytes == (uint64_t)sysconf(_SC_PAGESIZE) ? 0 : bytes;
}

static void add_machine(ViommuAmounts *used, const ViommuMachine *machine, uint32_t uid)
{
    uint64_t pinned = pinned_bytes(machine->memory_bytes, machine->page_size_bytes, machine->memlock_bytes);
    const uint64_t amounts[VIOMMU_RESOURCE_LAST] = {
        [VIOMMU_RESOURCE_MACHINES] = 1,
        [VIOMMU_RESOURCE_VCPUS] = has_guest(machine) ? machine->vcpus : 0,
        [VIOMMU_RESOURCE_MEMORY] = has_guest(machine) ? machine->memory_bytes : 0,
        [VIOMMU_RESOURCE_LOCKED_MEMORY] = has_guest(machine) ? pinned : 0,
        [VIOMMU_RESOURCE_PENDING_LAUNCHES] = machine->job && machine->job->kind == VIOMMU_JOB_LAUNCH,
    };

    for (int i = 0; i < VIOMMU_RESOURCE_LAST; i++) {
        used->all[i] += amounts[i];
        used->user[i] += machine->owner_uid == uid ? amounts[i] : 0;
    }
}

static uint64_t vcpus_of(const ViommuAdmission *admission, const ViommuRequest *request)
{
    return request->vcpus == VIOMMU_UNSET_NUMBER ? admission->config->policy.default_vcpus : request->vcpus;
}

/* With all that can be plugged in. */
static uint64_t memory_of(const ViommuAdmission *admission, const ViommuRequest *request)
{
    return request->memory_max_bytes != VIOMMU_UNSET_NUMBER ? request->memory_max_bytes
           : request->memory_bytes == VIOMMU_UNSET_NUMBER   ? admission->config->policy.default_memory_bytes
                                                            : request->memory_bytes;
}

static uint64_t bound_of(const ViommuAdmission *admission, const ViommuRequest *request)
{
    return viommu_memory_bound(memory_of(admission, request),
                               request->memory_backing.locked == 1 || request->hostdevs ||
                                   viommu_request_count_vdpa(request) > 0 ||
                                   viommu_launch_security_locks(request->launch_security.type));
}

/* The limits that the host's size sets keep users apart, and do not apply to root. */
static ViommuAmounts limits_for(const ViommuConfig *config, uint32_t uid)
{
    ViommuAmounts limits = config->bounds.limits;

    for (int i = 0; uid == 0 && i < VIOMMU_RESOURCE_LAST; i++)
        if (config->limits.user[i] == VIOMMU_LIMIT_AUTO)
            limits.user[i] = 0;
    return limits;
}

bool viommu_admission_take_copies(const ViommuAdmission *admission, const char *uuid, uint32_t uid,
                                  const ViommuCopiesSize *size, GError **error)
{
    const uint64_t wanted[VIOMMU_RESOURCE_LAST] = {
        [VIOMMU_RESOURCE_COPIES] = size->bytes, [VIOMMU_RESOURCE_OVERLAYS] = size->overlay_bytes};
    ViommuAmounts limits = limits_for(admission->config, uid), used = {{0}, {0}};
    ViommuCopiesSize all, user;

    viommu_ledger_sum(admission->ledger, uid, admission->config->bounds.limits.user[VIOMMU_RESOURCE_COPIES],
                      &all, &user);
    used.all[VIOMMU_RESOURCE_COPIES] = all.bytes;
    used.user[VIOMMU_RESOURCE_COPIES] = user.bytes;
    used.all[VIOMMU_RESOURCE_OVERLAYS] = all.overlay_bytes;
    used.user[VIOMMU_RESOURCE_OVERLAYS] = user.overlay_bytes;
    if (!viommu_quota_check(&limits, &used, wanted, uid, error))
        return false;
    viommu_ledger_note(admission->ledger, uuid, uid, size);
    return true;
}

void viommu_admission_used(const ViommuAdmission *admission, ViommuAmounts *ret_used)
{
    ViommuRegistryIterator iterator = viommu_registry_iterate(admission->registry);
    ViommuCopiesSize all, user;

    *ret_used = (ViommuAmounts){{0}, {0}};
    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        add_machine(ret_used, machine, 0);
    viommu_ledger_sum(admission->ledger, 0, admission->config->bounds.limits.user[VIOMMU_RESOURCE_COPIES],
                      &all, &user);
    ret_used->all[VIOMMU_RESOURCE_COPIES] = all.bytes;
    ret_used->all[VIOMMU_RESOURCE_OVERLAYS] = all.overlay_bytes;
}

/* A launch behind the user's own hanging launches would wait forever, so it is refused. */
static bool check_hung(const ViommuAdmission *admission, uint32_t uid, GError **error)
{
    uint64_t max = admission->config->user_launches;
    unsigned hung = user_of(admission, uid)->hung;

    if (max == 0 || hung < max)
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_BUSY,
        "%u launches of user %u timed out and still hang in libvirt or QEMU, the maximum that may run at once ([daemon] running-launches-per-user); launch again when they have ended",
        hung, uid);
}

bool viommu_admission_check(const ViommuAdmission *admission, const ViommuRequest *request, uint32_t uid,
                            GError **error)
{
    const uint64_t wanted[VIOMMU_RESOURCE_LAST] = {
        [VIOMMU_RESOURCE_MACHINES] = 1,
        [VIOMMU_RESOURCE_VCPUS] = vcpus_of(admission, request),
        [VIOMMU_RESOURCE_MEMORY] = memory_of(admission, request),
        [VIOMMU_RESOURCE_LOCKED_MEMORY] =
            pinned_bytes(memory_of(admission, request), huge_page_of(request), bound_of(admission, request)),
        [VIOMMU_RESOURCE_PENDING_LAUNCHES] = 1,
    };
    ViommuRegistryIterator iterator = viommu_registry_iterate(admission->registry);
    ViommuAmounts limits = limits_for(admission->config, uid), used = {{0}, {0}};

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        add_machine(&used, machine, uid);
    return check_hung(admission, uid, error) && viommu_quota_check(&limits, &used, wanted, uid, error);
}

/* Memory counts from the plan on, so that launches get it in the order of the queue. */
static bool holds_memory(const ViommuMachine *machine)
{
    return has_guest(machine) && machine->state != VIOMMU_STATE_PLANNING;
}

bool viommu_admission_check_memory(const ViommuAdmission *admission, const ViommuPlan *plan,
                                   const ViommuHost *host, GError **error)
{
    ViommuPinned wanted =
        viommu_memory_pinned(plan->memory_max_bytes, plan->page_size_bytes, plan->memlock_bytes);
    const ViommuMachine *self = viommu_registry_by_uuid(admission->registry, plan->uuid);
    ViommuRegistryIterator iterator = viommu_registry_iterate(admission->registry);
    ViommuPinned used = {.page_size_bytes = wanted.page_size_bytes};
    uint64_t promised = 0;

    if (wanted.ordinary_bytes == 0 && wanted.huge_bytes == 0)
        return true;
    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));) {
        ViommuPinned pinned =
            viommu_memory_pinned(machine->memory_bytes, machine->page_size_bytes, machine->memlock_bytes);
        if (!holds_memory(machine) || g_str_equal(machine->uuid, plan->uuid))
            continue;
        used.ordinary_bytes += pinned.ordinary_bytes;
        if (pinned.page_size_bytes != wanted.page_size_bytes)
            continue;
        used.huge_bytes += pinned.huge_bytes;
        /* A QEMU that has been started already holds its pages; those of guests that are not
         * started yet are missing from the host's count. */
        promised += machine->state == VIOMMU_STATE_DEFINING ? pinned.huge_bytes : 0;
    }
    return viommu_memory_check_room(host, &admission->config->policy, &wanted, &used, error) &&
           ((self && self->state == VIOMMU_STATE_RUNNING) ||
            viommu_memory_check_free(host, &wanted, promised, error));
}

bool viommu_admission_check_locked(const ViommuAdmission *admission, const ViommuMachine *machine,
                                   const ViommuPlan *plan, GError **error)
{
    const uint64_t wanted[VIOMMU_RESOURCE_LAST] = {
        [VIOMMU_RESOURCE_LOCKED_MEMORY] =
            pinned_bytes(machine->memory_bytes, machine->page_size_bytes, plan->memlock_bytes),
    };
    ViommuRegistryIterator iterator = viommu_registry_iterate(admission->registry);
    ViommuAmounts limits = limits_for(admission->config, machine->owner_uid), used = {{0}, {0}};

    for (ViommuMachine *other; (other = viommu_registry_next(&iterator));)
        if (other != machine)
            add_machine(&used, other, machine->owner_uid);
    return viommu_quota_check(&limits, &used, wanted, machine->owner_uid, error);
}

static void claim(GArray *claims, char **hostdevs, const char *name, bool same_owner)
{
    for (; hostdevs && *hostdevs; hostdevs++) {
        ViommuClaim one = {*hostdevs, name, same_owner};

        g_array_append_val(claims, one);
    }
}

/* Claims are computed from the machines' states, which change only on the loop; so nothing is
 * reserved or released. */
GArray *viommu_admission_claims(const ViommuAdmission *admission, const GPtrArray *holders, const char *uuid,
                                bool with_own)
{
    GArray *claims = g_array_new(FALSE, FALSE, sizeof(ViommuClaim));
    const ViommuMachine *self = viommu_registry_by_uuid(admission->registry, uuid);
    ViommuRegistryIterator iterator = viommu_registry_iterate(admission->registry);

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        if (has_guest(machine) && (with_own || !g_str_equal(machine->uuid, uuid)))
            claim(claims, machine->hostdevs, machine->name, self && machine->owner_uid == self->owner_uid);
    /* The loop above has counted viommud's own machines, unless they have ended since.  What
     * remains are the guests of failed launches, and machines of another version, whose devices
     * only libvirt knows. */
    for (guint i = 0; holders && i < holders->len; i++) {
        const ViommuHolder *holder = g_ptr_array_index(holders, i);
        const ViommuMachine *machine = viommu_registry_by_uuid(admission->registry, holder->uuid);

        if (!machine || (machine->foreign && has_guest(machine)) || machine->state == VIOMMU_STATE_FAILED)
            claim(claims, holder->hostdevs, machine ? machine->name : NULL,
                  machine && self && machine->owner_uid == self->owner_uid);
    }
    return claims;
}

/* --- The queue --- */

static void tell_place(void *item, unsigned position, void *data)
{
    const ViommuAdmission *admission = data;

    viommu_registry_move(admission->registry, item, position);
}

static int on_telling(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuAdmission *admission = userdata;

    admission->telling = sd_event_source_disable_unref(admission->telling);
    viommu_queue_foreach(admission->queue, tell_place, admission);
    return 0;
}

/* Each launch that comes or goes moves others.  Without a timer they are signalled with the next
 * change. */
static void tell_places(ViommuAdmission *admission)
{
    if (!admission->telling && viommu_queue_length(admission->queue) > 0)
        (void)sd_event_add_time_relative(viommu_loop_event(admission->loop), &admission->telling,
                                         CLOCK_MONOTONIC, TELL_USEC, 0, on_telling, admission);
}

/* Signalled at once, because the machine's next signal comes at once, too. */
static void end_wait(ViommuAdmission *admission, ViommuMachine *machine)
{
    viommu_job_set_queue(machine->job, NULL);
    viommu_registry_move(admission->registry, machine, 0);
    tell_places(admission);
}

void viommu_admission_enter(ViommuAdmission *admission, const ViommuRequest *request, ViommuMachine *machine)
{
    uint64_t memory_bytes = memory_of(admission, request);
    const ViommuMachineSizes sizes = {
        .vcpus = (uint32_t)vcpus_of(admission, request),
        .memory_bytes = memory_bytes,
        .memlock_bytes = bound_of(admission, request),
        .page_size_bytes = viommu_memory_pinned(memory_bytes, huge_page_of(request), 0).page_size_bytes,
    };

    /* The sizes count from now on, although the plan comes later. */
    viommu_machine_set_sizes(machine, &sizes);
    viommu_job_set_queue(machine->job, admission->queue);
    viommu_queue_add(admission->queue, machine->owner_uid, machine);
    viommu_registry_move(admission->registry, machine, viommu_machine_queue_position(machine));
    tell_places(admission);
}

static bool may_begin(uint32_t uid, void *data)
{
    const ViommuAdmission *admission = data;
    const User *user = user_of(admission, uid);
    uint64_t max = admission->config->user_launches;

    return max == 0 || user->running + user->hung < max;
}

ViommuMachine *viommu_admission_next(ViommuAdmission *admission)
{
    const ViommuConfig *config = admission->config;
    uint64_t max = config->running_launches ? config->running_launches : config->workers;
    ViommuMachine *machine =
        admission->running < max ? viommu_queue_take_if(admission->queue, may_begin, admission) : NULL;

    if (machine) {
        end_wait(admission, machine);
        admission->running++;
        user_of(admission, machine->owner_uid)->running++;
    }
    return machine;
}

void viommu_admission_leave(ViommuAdmission *admission, ViommuMachine *machine)
{
    if (machine->job->queue) {
        viommu_queue_remove(admission->queue, machine->owner_uid, machine);
        end_wait(admission, machine);
    } else {
        admission->running--;
        user_of(admission, machine->owner_uid)->running--;
    }
}

void viommu_admission_hang(ViommuAdmission *admission, uint32_t uid)
{
    user_of(admission, uid)->hung++;
}

void viommu_admission_unhang(ViommuAdmission *admission, uint32_t uid)
{
    user_of(admission, uid)->hung--;
}

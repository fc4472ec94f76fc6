/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: the values of one guest.  Does not know who changes them, or who is told. */
#include "daemon/machines/machine.h"

#include "daemon/machines/job.h"
#include "daemon/process/boottime.h"
#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/domain/lease-boot.h"

ViommuMachine *viommu_machine_new(const char *name, const char *uuid, uint32_t owner_uid)
{
    ViommuMachine *machine = g_new0(ViommuMachine, 1);

    machine->name = g_strdup(name);
    g_strlcpy(machine->uuid, uuid, sizeof(machine->uuid));
    machine->owner_uid = owner_uid;
    machine->state = VIOMMU_STATE_PLANNING;
    machine->result = VIOMMU_RESULT_NONE;
    machine->model = VIOMMU_MODEL_NONE;
    machine->arch = (ViommuArch)VIOMMU_UNSET; /* until it is planned */
    return machine;
}

void viommu_machine_free(ViommuMachine *machine)
{
    if (!machine)
        return;
    viommu_job_free(machine->job);
    g_free(machine->name);
    g_free(machine->failure_text);
    g_strfreev(machine->reasons);
    g_strfreev(machine->warnings);
    g_strfreev(machine->hostdevs);
    g_clear_pointer(&machine->attached, g_ptr_array_unref);
    viommu_reach_clear(&machine->reach);
    viommu_console_free(machine->console);
    g_free(machine->console_log);
    g_free(machine->proof);
    g_free(machine->request_id);
    g_free(machine->seed_user);
    g_free(machine->fingerprint);
    g_free(machine->client);
    g_free(machine->launcher);
    g_free(machine);
}

void viommu_machine_set_sizes(ViommuMachine *machine, const ViommuMachineSizes *sizes)
{
    machine->vcpus = sizes->vcpus;
    machine->memory_bytes = sizes->memory_bytes;
    machine->memlock_bytes = sizes->memlock_bytes;
    machine->page_size_bytes = sizes->page_size_bytes;
}

void viommu_machine_add_job(ViommuMachine *machine, ViommuJob *job)
{
    if (machine->job)
        viommu_job_set_next(machine->job, job);
    else
        machine->job = job;
}

ViommuJob *viommu_machine_end_job(ViommuMachine *machine)
{
    ViommuJob *ended = machine->job;

    machine->job = ended ? viommu_job_take_next(ended) : NULL;
    return ended;
}

bool viommu_machine_is_busy(const ViommuMachine *machine)
{
    return machine->job && (machine->job->kind != VIOMMU_JOB_LEASE || machine->job->next);
}

void viommu_machine_announce(ViommuMachine *machine, bool shown)
{
    machine->announced = true;
    machine->shown = machine->shown || shown;
}

void viommu_machine_touch(ViommuMachine *machine, unsigned epoch)
{
    machine->epoch = epoch;
}

void viommu_machine_set_console(ViommuMachine *machine, ViommuConsole *console)
{
    g_assert(!machine->console);
    machine->console = console;
}

void viommu_machine_set_console_log(ViommuMachine *machine, char *path)
{
    g_free(machine->console_log);
    machine->console_log = path;
}

unsigned viommu_machine_extend(ViommuMachine *machine, uint64_t end_usec)
{
    machine->lease_end_usec = end_usec;
    return VIOMMU_MACHINE_CHANGE_LEASE;
}

void viommu_machine_retry_lease(ViommuMachine *machine, uint64_t usec)
{
    machine->lease_retry_usec = usec;
}

unsigned viommu_machine_queue_position(const ViommuMachine *machine)
{
    const ViommuQueue *queue = machine->job ? machine->job->queue : NULL;

    return queue ? viommu_queue_position(queue, machine->owner_uid, machine) : 0;
}

static void replace_string(char **target, const char *value)
{
    g_free(*target);
    *target = g_strdup(value);
}

static void replace_strings(char ***target, char **value)
{
    g_strfreev(*target);
    *target = g_strdupv(value);
}

void viommu_machine_set_origin(ViommuMachine *machine, const ViommuMachineOrigin *origin)
{
    replace_string(&machine->request_id, origin->request_id);
    replace_string(&machine->fingerprint, origin->fingerprint);
    replace_string(&machine->client, origin->client);
    replace_string(&machine->launcher, origin->launcher);
    machine->created_usec = origin->created_usec;
}

/* A lease of an earlier boot has ended with that boot, so its end lies in the past. */
static uint64_t lease_end(const ViommuMetadata *metadata)
{
    bool now = viommu_lease_boot_is(metadata, viommu_boottime_boot());

    return metadata->lease_end_usec && !now ? 1 : metadata->lease_end_usec;
}

static void fill_core(ViommuMachine *machine, const ViommuMetadata *metadata)
{
    machine->owner_uid = metadata->owner_uid;
    machine->lease_end_usec = lease_end(metadata);
    replace_string(&machine->client, metadata->client);
}

static void fill_foreign(ViommuMachine *machine, const ViommuMetadata *metadata)
{
    fill_core(machine, metadata);
    machine->foreign = true;
    machine->metadata_version = metadata->version;
    machine->accelerator = (ViommuAccelerator)VIOMMU_UNSET;
}

void viommu_machine_fill(ViommuMachine *machine, const ViommuMetadata *metadata)
{
    if (metadata->foreign) {
        fill_foreign(machine, metadata);
        return;
    }
    fill_core(machine, metadata);
    machine->arch = metadata->arch;
    machine->machine_type = g_intern_string(metadata->machine);
    machine->accelerator = metadata->accelerator;
    machine->model = metadata->model;
    machine->vcpus = (uint32_t)MIN(metadata->vcpus, UINT32_MAX);
    machine->memory_bytes = metadata->memory_bytes;
    machine->memlock_bytes = machine->planned_memlock = metadata->memlock_bytes;
    machine->page_size_bytes = metadata->page_size_bytes;
    machine->created_usec = metadata->created_usec;
    replace_strings(&machine->reasons, metadata->reasons);
    replace_strings(&machine->warnings, metadata->warnings);
    /* Few machines have assigned devices. */
    g_clear_pointer(&machine->hostdevs, g_strfreev);
    if (metadata->hostdevs && *metadata->hostdevs)
        machine->hostdevs = g_strdupv(metadata->hostdevs);
    machine->reach_kinds = viommu_reach_kinds_from_text(metadata->reach);
    replace_string(&machine->proof, metadata->proof);
    replace_string(&machine->request_id, metadata->request_id);
    replace_string(&machine->seed_user, metadata->seed_user);
    replace_string(&machine->fingerprint, metadata->fingerprint);
}

void viommu_machine_adopt(ViommuMachine *machine, const ViommuMetadata *metadata, ViommuState state,
                          bool saved)
{
    viommu_machine_fill(machine, metadata);
    machine->state = state;
    /* How a guest ended that was not saved is not known. */
    if (state == VIOMMU_STATE_STOPPED)
        machine->result = saved ? VIOMMU_RESULT_SAVED : VIOMMU_RESULT_SHUTDOWN;
}

const char *viommu_machine_state_word(const ViommuMachine *machine)
{
    if (machine->foreign && machine->state != VIOMMU_STATE_STOPPING)
        return "foreign";
    if (machine->state == VIOMMU_STATE_RUNNING && machine->pause != VIOMMU_PAUSE_NONE)
        return "paused";
    return viommu_enum_to_string(&viommu_enum_state, (int)machine->state);
}

bool viommu_machine_check_known(const ViommuMachine *machine, GError **error)
{
    if (machine->foreign)
        viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "machine '%s' was made by another version of viommud (its metadata has version %u, this viommud knows version %u) and can only be stopped or killed; for other operations, run that version again",
            machine->name, machine->metadata_version, VIOMMU_METADATA_VERSION);
    return !machine->foreign;
}

/* Whether QEMU may be there, with a guest that viommud does not stop. */
static bool has_guest(ViommuState state)
{
    return state == VIOMMU_STATE_STARTING || state == VIOMMU_STATE_RUNNING;
}

unsigned viommu_machine_pause(ViommuMachine *machine, ViommuPause pause)
{
    unsigned changes = VIOMMU_MACHINE_CHANGE_PAUSE;

    if (machine->pause == pause || (pause != VIOMMU_PAUSE_NONE && !has_guest(machine->state)))
        return 0;
    if (machine->state == VIOMMU_STATE_RUNNING &&
        (machine->pause == VIOMMU_PAUSE_NONE) != (pause == VIOMMU_PAUSE_NONE))
        changes |= VIOMMU_MACHINE_CHANGE_STATE;
    machine->pause = pause;
    return changes;
}

static void add_hostdev(ViommuMachine *machine, const char *address)
{
    guint n = machine->hostdevs ? g_strv_length(machine->hostdevs) : 0;

    machine->hostdevs = g_renew(char *, machine->hostdevs, n + 2);
    machine->hostdevs[n] = g_strdup(address);
    machine->hostdevs[n + 1] = NULL;
}

static void remove_hostdev(ViommuMachine *machine, const char *address)
{
    char **to = machine->hostdevs;

    for (char **from = machine->hostdevs; from && *from; from++)
        if (g_str_equal(*from, address))
            g_free(*from);
        else
            *to++ = *from;
    if (to)
        *to = NULL;
}

unsigned viommu_machine_attach(ViommuMachine *machine, const ViommuAttached *attached)
{
    if (!machine->attached)
        machine->attached = viommu_attached_list_new();
    g_ptr_array_add(machine->attached, viommu_attached_copy(attached));
    machine->memlock_bytes = MAX(machine->memlock_bytes, attached->memlock_bytes);
    if (attached->kind == VIOMMU_ATTACHED_HOSTDEV)
        add_hostdev(machine, attached->what);
    return VIOMMU_MACHINE_CHANGE_ATTACHED;
}

unsigned viommu_machine_detach(ViommuMachine *machine, const char *id)
{
    g_autoptr(ViommuAttached) gone = machine->attached ? viommu_attached_take(machine->attached, id) : NULL;

    if (!gone)
        return 0;
    if (gone->kind == VIOMMU_ATTACHED_HOSTDEV)
        remove_hostdev(machine, gone->what);
    machine->memlock_bytes = machine->planned_memlock;
    for (guint i = 0; i < machine->attached->len; i++) {
        const ViommuAttached *left = g_ptr_array_index(machine->attached, i);

        machine->memlock_bytes = MAX(machine->memlock_bytes, left->memlock_bytes);
    }
    return VIOMMU_MACHINE_CHANGE_ATTACHED;
}

static unsigned detach_all(ViommuMachine *machine)
{
    unsigned changes = 0;

    while (machine->attached && machine->attached->len > 0) {
        g_autofree char *id = g_strdup(((ViommuAttached *)g_ptr_array_index(machine->attached, 0))->id);

        changes |= viommu_machine_detach(machine, id);
    }
    return changes;
}

unsigned viommu_machine_step(ViommuMachine *machine, ViommuEvent event, bool *ret_gone)
{
    ViommuTransition next;
    unsigned changes = 0;

    if (!viommu_lifecycle_step(machine->state, event, &next))
        return 0;
    if (next.state != machine->state)
        changes |= VIOMMU_MACHINE_CHANGE_STATE;
    /* Its ports and addresses may be another's from now on. */
    if (next.state == VIOMMU_STATE_STOPPED) {
        changes |= viommu_machine_set_reach(machine, &(ViommuReach){.vsock_cid = 0});
        machine->told_ready = false;
        changes |= detach_all(machine);
    }
    /* Somebody has started it again. */
    if (next.state == VIOMMU_STATE_RUNNING && machine->result != VIOMMU_RESULT_NONE) {
        machine->result = VIOMMU_RESULT_NONE;
        changes |= VIOMMU_MACHINE_CHANGE_RESULT;
    }
    machine->state = next.state;
    if (next.result != VIOMMU_RESULT_NONE && next.result != machine->result) {
        machine->result = next.result;
        changes |= VIOMMU_MACHINE_CHANGE_RESULT;
    }
    if (!has_guest(machine->state))
        changes |= viommu_machine_pause(machine, VIOMMU_PAUSE_NONE);
    *ret_gone = next.gone;
    return changes;
}

unsigned viommu_machine_warn(ViommuMachine *machine, const char *text)
{
    guint n = machine->warnings ? g_strv_length(machine->warnings) : 0;

    machine->warnings = g_renew(char *, machine->warnings, n + 2);
    machine->warnings[n] = g_strdup(text);
    machine->warnings[n + 1] = NULL;
    return VIOMMU_MACHINE_CHANGE_PLAN;
}

unsigned viommu_machine_prove(ViommuMachine *machine)
{
    unsigned changes = machine->verified ? 0 : VIOMMU_MACHINE_CHANGE_VERIFIED;

    machine->verified = true;
    return changes;
}

unsigned viommu_machine_ready(ViommuMachine *machine)
{
    unsigned changes = machine->ready ? 0 : VIOMMU_MACHINE_CHANGE_READY;

    machine->ready = true;
    return changes;
}

unsigned viommu_machine_tell_ready(ViommuMachine *machine, bool ready)
{
    machine->told_ready = ready;
    return ready ? viommu_machine_ready(machine) : 0;
}

unsigned viommu_machine_set_reach(ViommuMachine *machine, ViommuReach *reach)
{
    unsigned changes = viommu_reach_equal(&machine->reach, reach) ? 0 : VIOMMU_MACHINE_CHANGE_REACH;

    viommu_reach_clear(&machine->reach);
    machine->reach = *reach;
    *reach = (ViommuReach){.vsock_cid = 0};
    return changes;
}

uint64_t viommu_machine_unknown_reach(const ViommuMachine *machine)
{
    uint64_t known = machine->reach.forwards ? VIOMMU_BIT(VIOMMU_REACH_FORWARDS) : 0;

    if (machine->reach.vsock_cid)
        known |= VIOMMU_BIT(VIOMMU_REACH_VSOCK);
    if (machine->reach.addresses)
        known |= VIOMMU_BIT(VIOMMU_REACH_ADDRESSES);
    return machine->reach_kinds & ~known;
}

unsigned viommu_machine_move(ViommuMachine *machine, unsigned position)
{
    unsigned changes = machine->told_position == position ? 0 : VIOMMU_MACHINE_CHANGE_QUEUE;

    machine->told_position = position;
    return changes;
}

unsigned viommu_machine_fail(ViommuMachine *machine, const GError *error)
{
    machine->failure_name = viommu_error_info(error)->bus_name;
    replace_string(&machine->failure_text, error->message);
    return VIOMMU_MACHINE_CHANGE_FAILURE;
}

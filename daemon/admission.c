/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* admission: the sums over all machines, and the queue. */
#include "daemon/admission.h"

#include "lib/queue.h"

struct ViommuAdmission {
    const ViommuConfig *config;
    ViommuRegistry *registry;
    ViommuQueue *queue; /* of ViommuMachine */
    unsigned running;
};

ViommuAdmission *viommu_admission_new(const ViommuConfig *config, ViommuRegistry *registry)
{
    ViommuAdmission *admission = g_new0(ViommuAdmission, 1);

    admission->config = config;
    admission->registry = registry;
    admission->queue = viommu_queue_new();
    return admission;
}

void viommu_admission_free(ViommuAdmission *admission)
{
    if (!admission)
        return;
    viommu_queue_free(admission->queue);
    g_free(admission);
}

/* What a guest takes it takes until it has ended. */
static bool has_guest(const ViommuMachine *machine)
{
    return machine->state != VIOMMU_STATE_STOPPED && machine->state != VIOMMU_STATE_FAILED;
}

static void add_machine(ViommuAmounts *used, const ViommuMachine *machine, uint32_t uid)
{
    const uint64_t amounts[VIOMMU_RESOURCE_LAST] = {
        [VIOMMU_RESOURCE_MACHINES] = 1,
        [VIOMMU_RESOURCE_VCPUS] = has_guest(machine) ? machine->vcpus : 0,
        [VIOMMU_RESOURCE_MEMORY] = has_guest(machine) ? machine->memory_bytes : 0,
        [VIOMMU_RESOURCE_PENDING_LAUNCHES] = machine->queue || machine->launching,
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

static uint64_t memory_of(const ViommuAdmission *admission, const ViommuRequest *request)
{
    return request->memory_bytes == VIOMMU_UNSET_NUMBER ? admission->config->policy.default_memory_bytes
                                                        : request->memory_bytes;
}

bool viommu_admission_check(const ViommuAdmission *admission, const ViommuRequest *request, uint32_t uid,
                            GError **error)
{
    const uint64_t wanted[VIOMMU_RESOURCE_LAST] = {
        [VIOMMU_RESOURCE_MACHINES] = 1,
        [VIOMMU_RESOURCE_VCPUS] = vcpus_of(admission, request),
        [VIOMMU_RESOURCE_MEMORY] = memory_of(admission, request),
        [VIOMMU_RESOURCE_PENDING_LAUNCHES] = 1,
    };
    ViommuRegistryIterator iterator = viommu_registry_iterate(admission->registry);
    ViommuAmounts used = {{0}, {0}};

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        add_machine(&used, machine, uid);
    return viommu_quota_check(&admission->config->limits, &used, wanted, uid, error);
}

void viommu_admission_enter(ViommuAdmission *admission, const ViommuRequest *request, ViommuMachine *machine)
{
    /* Counted from now on, though the plan comes later. */
    machine->vcpus = (uint32_t)vcpus_of(admission, request);
    machine->memory_bytes = memory_of(admission, request);
    machine->queue = admission->queue;
    viommu_queue_add(admission->queue, machine->owner_uid, machine);
}

ViommuMachine *viommu_admission_next(ViommuAdmission *admission)
{
    const ViommuConfig *config = admission->config;
    uint64_t max = config->running_launches ? config->running_launches : config->workers;
    ViommuMachine *machine = admission->running < max ? viommu_queue_take(admission->queue) : NULL;

    if (machine) {
        machine->queue = NULL;
        machine->launching = true;
        admission->running++;
    }
    return machine;
}

ViommuMachine *viommu_admission_evict(ViommuAdmission *admission)
{
    ViommuMachine *machine = viommu_queue_take(admission->queue);

    if (machine)
        machine->queue = NULL;
    return machine;
}

void viommu_admission_leave(ViommuAdmission *admission, ViommuMachine *machine)
{
    if (machine->launching)
        admission->running--;
    else if (machine->queue)
        viommu_queue_remove(admission->queue, machine->owner_uid, machine);
    machine->queue = NULL;
    machine->launching = false;
}

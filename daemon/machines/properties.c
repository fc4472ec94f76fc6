/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties: the rows.  A new property is one more row, and an element of
 * schemas/org.viommu1.Machine.xml. */
#include "daemon/machines/properties.h"

#define AT(member)   offsetof(ViommuMachine, member)
#define CHANGE(name) VIOMMU_MACHINE_CHANGE_##name
#define TEXT         VIOMMU_PROPERTY_TEXT
#define WORD         VIOMMU_PROPERTY_WORD
#define TEXTS        VIOMMU_PROPERTY_TEXTS
#define NUMBER       VIOMMU_PROPERTY_NUMBER32
#define LARGE        VIOMMU_PROPERTY_NUMBER64

const ViommuProperty viommu_machine_properties[VIOMMU_MACHINE_PROPERTIES] = {
    {"Name", TEXT, AT(name), NULL, 0, true},
    {"UUID", VIOMMU_PROPERTY_UUID, AT(uuid), NULL, 0, false},
    {"State", VIOMMU_PROPERTY_STATE, 0, NULL, CHANGE(STATE), true},
    {"Result", WORD, AT(result), &viommu_enum_result, CHANGE(RESULT), true},
    {"PauseReason", WORD, AT(pause), &viommu_enum_pause, CHANGE(PAUSE), false},
    {"Failure", VIOMMU_PROPERTY_FAILURE, 0, NULL, CHANGE(FAILURE), false},
    {"Owner", NUMBER, AT(owner_uid), NULL, 0, false},
    {"Arch", WORD, AT(arch), &viommu_enum_arch, CHANGE(PLAN), false},
    {"MachineType", TEXT, AT(machine_type), NULL, CHANGE(PLAN), false},
    {"Accelerator", WORD, AT(accelerator), &viommu_enum_accelerator, CHANGE(PLAN), false},
    {"VCPUs", NUMBER, AT(vcpus), NULL, 0, false},
    {"Memory", LARGE, AT(memory_bytes), NULL, 0, false},
    {"MemlockBytes", LARGE, AT(memlock_bytes), NULL, CHANGE(PLAN) | CHANGE(ATTACHED), false},
    {"IommuModel", WORD, AT(model), &viommu_enum_model, CHANGE(PLAN), false},
    {"Hostdevs", TEXTS, AT(hostdevs), NULL, CHANGE(PLAN) | CHANGE(ATTACHED), false},
    {"Attached", VIOMMU_PROPERTY_ATTACHED, AT(attached), NULL, CHANGE(ATTACHED), false},
    {"Reasons", TEXTS, AT(reasons), NULL, CHANGE(PLAN), false},
    {"Warnings", TEXTS, AT(warnings), NULL, CHANGE(PLAN), false},
    {"ConsoleLog", TEXT, AT(console_log), NULL, CHANGE(PLAN), false},
    {"ConsoleProblem", VIOMMU_PROPERTY_CONSOLE, 0, NULL, VIOMMU_PROPERTY_UNTOLD, false},
    {"RequestId", TEXT, AT(request_id), NULL, 0, false},
    {"LeaseEnd", LARGE, AT(lease_end_usec), NULL, CHANGE(PLAN) | CHANGE(LEASE), false},
    {"QueuePosition", VIOMMU_PROPERTY_QUEUE, 0, NULL, CHANGE(QUEUE), false},
    {"Verified", VIOMMU_PROPERTY_FLAG, AT(verified), NULL, CHANGE(VERIFIED), false},
    {"Ready", VIOMMU_PROPERTY_FLAG, AT(ready), NULL, CHANGE(READY), false},
    {"Forwards", VIOMMU_PROPERTY_FORWARDS, AT(reach.forwards), NULL, CHANGE(REACH), false},
    {"Addresses", TEXTS, AT(reach.addresses), NULL, CHANGE(REACH), false},
    {"VsockCid", NUMBER, AT(reach.vsock_cid), NULL, CHANGE(REACH), false},
    {"SeedUser", TEXT, AT(seed_user), NULL, CHANGE(PLAN), false},
    {"Created", LARGE, AT(created_usec), NULL, 0, false},
};

const ViommuProperty *viommu_machine_property(const char *name)
{
    for (size_t i = 0; i < VIOMMU_MACHINE_PROPERTIES; i++)
        if (g_str_equal(viommu_machine_properties[i].name, name))
            return &viommu_machine_properties[i];
    return NULL;
}

const void *viommu_machine_property_at(const ViommuProperty *property, const ViommuMachine *machine)
{
    return (const char *)machine + property->offset;
}

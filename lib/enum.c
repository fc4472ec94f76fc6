/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* enum: the words of every enum.  Knows nothing of what they mean. */
#include "lib/enum.h"

#include "lib/lifecycle.h"
#include "lib/recover.h"

#define DEFINE_ENUM(name, text, count, ...)                  \
    static const char *const name##_words[] = {__VA_ARGS__}; \
    G_STATIC_ASSERT(G_N_ELEMENTS(name##_words) == (count));  \
    const ViommuEnum viommu_enum_##name = {.noun = (text), .words = name##_words, .last = (count)}

DEFINE_ENUM(arch, "architecture", VIOMMU_ARCH_LAST, "x86_64", "aarch64");
DEFINE_ENUM(family, "machine family", VIOMMU_FAMILY_LAST, "q35", "virt", "pc");
DEFINE_ENUM(accelerator, "accelerator", VIOMMU_ACCELERATOR_LAST, "auto", "kvm", "tcg");
DEFINE_ENUM(model, "IOMMU model", VIOMMU_MODEL_LAST, "intel", "smmuv3", "virtio", "amd");
DEFINE_ENUM(agent_use, "use of agents", VIOMMU_AGENT_LAST, "auto", "yes", "no");
DEFINE_ENUM(order, "order of preference", VIOMMU_ORDER_LAST, "native", "virtio");
DEFINE_ENUM(verdict, "verdict", VIOMMU_VERDICT_LAST, "chosen", "possible", "refused");
DEFINE_ENUM(firmware, "firmware", VIOMMU_FIRMWARE_LAST, "auto", "bios", "efi");
DEFINE_ENUM(wait, "phase to wait for", VIOMMU_WAIT_LAST, "planned", "started", "verified");
DEFINE_ENUM(bind, "bond", VIOMMU_BIND_LAST, "none", "client");
DEFINE_ENUM(disk_format, "disk format", VIOMMU_DISK_FORMAT_LAST, "raw", "qcow2");
DEFINE_ENUM(disk_bus, "disk bus", VIOMMU_DISK_BUS_LAST, "virtio", "scsi", "sata");
DEFINE_ENUM(network_type, "network type", VIOMMU_NETWORK_TYPE_LAST, "user", "network", "bridge");
DEFINE_ENUM(network_model, "network model", VIOMMU_NETWORK_MODEL_LAST, "virtio", "e1000e");
DEFINE_ENUM(iommufd, "use of iommufd", VIOMMU_IOMMUFD_LAST, "auto", "yes", "no");
DEFINE_ENUM(cpu_mode, "CPU mode", VIOMMU_CPU_MODE_LAST, "host-passthrough", "maximum", "custom", "default");
DEFINE_ENUM(state, "state", VIOMMU_STATE_LAST, "planning", "defining", "starting", "running", "stopping",
            "stopped", "failed");
DEFINE_ENUM(result, "result", VIOMMU_RESULT_LAST, "none", "shutdown", "crashed", "panicked", "stopped",
            "lost", "failed", "expired");
DEFINE_ENUM(event, "event", VIOMMU_EVENT_LAST, "planned", "defined", "started", "launch-failed",
            "stop-requested", "guest-ended", "guest-crashed", "guest-panicked", "vanished", "removed",
            "stop-failed", "expired", "reaped");
DEFINE_ENUM(iommu_kind, "kind of IOMMU", VIOMMU_IOMMU_KIND_LAST, "intel", "amd", "smmuv3", "smmu", "virtio",
            "other");
DEFINE_ENUM(table_state, "state of a table", VIOMMU_TABLE_STATE_LAST, "good", "broken", "unread");
DEFINE_ENUM(proof, "verdict on a proof", VIOMMU_PROOF_LAST, "proven", "pending", "disproved");
DEFINE_ENUM(recovery, "recovery", VIOMMU_RECOVERY_LAST, "adopt", "undo", "report");

DEFINE_ENUM(confinement, "confinement", VIOMMU_CONFINEMENT_LAST, "required", "warn", "off");
DEFINE_ENUM(in_use, "rule for devices in use", VIOMMU_IN_USE_LAST, "refuse", "root");

const ViommuEnum *const viommu_enum_all[] = {
    &viommu_enum_arch,         &viommu_enum_family,
    &viommu_enum_accelerator,  &viommu_enum_model,
    &viommu_enum_order,        &viommu_enum_agent_use,
    &viommu_enum_verdict,      &viommu_enum_firmware,
    &viommu_enum_wait,         &viommu_enum_bind,
    &viommu_enum_disk_format,  &viommu_enum_disk_bus,
    &viommu_enum_network_type, &viommu_enum_network_model,
    &viommu_enum_cpu_mode,     &viommu_enum_state,
    &viommu_enum_result,       &viommu_enum_event,
    &viommu_enum_recovery,     &viommu_enum_iommu_kind,
    &viommu_enum_table_state,  &viommu_enum_iommufd,
    &viommu_enum_proof,        &viommu_enum_confinement,
    &viommu_enum_in_use,       NULL,
};

const char *viommu_enum_to_string(const ViommuEnum *table, int value)
{
    return value >= 0 && value < table->last ? table->words[value] : NULL;
}

int viommu_enum_from_string(const ViommuEnum *table, const char *word)
{
    for (int value = 0; word && value < table->last; value++)
        if (g_str_equal(table->words[value], word))
            return value;
    return VIOMMU_UNSET;
}

char *viommu_enum_list(const ViommuEnum *table)
{
    GString *list = g_string_new(NULL);

    for (int value = 0; value < table->last; value++)
        g_string_append_printf(list, "%s%s", value ? ", " : "", table->words[value]);
    return g_string_free(list, FALSE);
}

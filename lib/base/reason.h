/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reason: why a machine is planned as it is, or refused: one sentence by one rule, whose name users
 * can branch on.  The table in viommu-request(5) explains each rule and says what to do;
 * tests/ctl/ctl-docs compares it with these words. */
#pragma once

#include "lib/base/platform.h"

/* The names are promises: never rename or remove one. */
typedef enum ViommuRule {
    /* about a model */
    VIOMMU_RULE_ARCH,
    VIOMMU_RULE_MACHINE,
    VIOMMU_RULE_LIBVIRT_VERSION,
    VIOMMU_RULE_QEMU_VERSION,
    VIOMMU_RULE_LIBVIRT_SAYS,
    VIOMMU_RULE_ACCELERATOR,
    VIOMMU_RULE_VCPUS,
    VIOMMU_RULE_FIRMWARE,
    VIOMMU_RULE_ACPI,
    VIOMMU_RULE_GUEST,
    VIOMMU_RULE_ATTRIBUTE,
    VIOMMU_RULE_TRANSLATE,
    VIOMMU_RULE_HOSTDEV,
    VIOMMU_RULE_BY_NAME,
    VIOMMU_RULE_LIBVIRT,
    VIOMMU_RULE_SELECTION,
    VIOMMU_RULE_ORDER,
    /* about the machine as a whole */
    VIOMMU_RULE_EMULATOR,
    VIOMMU_RULE_MAX_VCPUS,
    VIOMMU_RULE_MEMORY,
    VIOMMU_RULE_MEMLOCK,
    VIOMMU_RULE_DISK,
    VIOMMU_RULE_CONFINEMENT,
    VIOMMU_RULE_AGENT_POLICY,
    VIOMMU_RULE_NETWORK_POLICY,
    /* about the host's devices */
    VIOMMU_RULE_HOST_IOMMU,
    VIOMMU_RULE_VFIO,
    VIOMMU_RULE_HOSTDEV_UNSEEN,
    VIOMMU_RULE_HOSTDEV_NAME,
    VIOMMU_RULE_HOSTDEV_MISSING,
    VIOMMU_RULE_HOSTDEV_BRIDGE,
    VIOMMU_RULE_HOSTDEV_GROUP,
    VIOMMU_RULE_HOSTDEV_KIND,
    VIOMMU_RULE_HOSTDEV_CLAIMED,
    VIOMMU_RULE_HOSTDEV_IN_USE,
    VIOMMU_RULE_HOSTDEV_POLICY,
    VIOMMU_RULE_HOSTDEV_DRIVER,
    VIOMMU_RULE_HOSTDEV_NODE,
    VIOMMU_RULE_IOMMUFD,
    VIOMMU_RULE_HOSTDEV_RESERVED,
    VIOMMU_RULE_INTERRUPT_REMAPPING,
    /* about what the guest is told */
    VIOMMU_RULE_SEED,
    /* about the way to it */
    VIOMMU_RULE_VSOCK,
    /* about what it must show */
    VIOMMU_RULE_LEVEL,
    /* about what else it can reach */
    VIOMMU_RULE_SHARE,
    VIOMMU_RULE_NETWORK,
    /* about what can become of it */
    VIOMMU_RULE_MIGRATION,
    /* about its processor */
    VIOMMU_RULE_CPU,
    VIOMMU_RULE_LAUNCH_SECURITY, /* the guest's memory cannot be encrypted */
    VIOMMU_RULE_HOSTDEV_NETWORK, /* the device gets no MAC address or VLAN */
    VIOMMU_RULE_HOSTDEV_WINDOW,  /* the windows of the devices do not fit */
    VIOMMU_RULE_LAST,
} ViommuRule;
extern const ViommuEnum viommu_enum_rule;

typedef struct ViommuReason {
    /* the ViommuModel that the sentence is about; VIOMMU_MODEL_NONE: the machine as a whole */
    int model;
    ViommuRule rule;
    char *text;
} ViommuReason;

/** The result is owned, viommu_reason_free(). */
ViommuReason *viommu_reason_new(ViommuModel model, ViommuRule rule, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
void viommu_reason_free(ViommuReason *reason);

/** The rule's name: "libvirt-version". Static. */
static inline const char *viommu_rule_to_string(ViommuRule rule)
{
    return viommu_enum_to_string(&viommu_enum_rule, (int)rule);
}

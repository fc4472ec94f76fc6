/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reason: the names of the rules, and the sentence of one rule. */
#include "lib/base/reason.h"

VIOMMU_ENUM_DEFINE(rule, "rule", VIOMMU_RULE_LAST, "arch", "machine", "libvirt-version", "qemu-version",
                   "libvirt-says", "accelerator", "vcpus", "firmware", "acpi", "guest", "attribute",
                   "translate", "hostdev", "by-name", "libvirt", "selection", "order", "emulator",
                   "max-vcpus", "memory", "memlock", "disk", "confinement", "agent-policy", "network-policy",
                   "host-iommu", "vfio", "hostdev-unseen", "hostdev-name", "hostdev-missing",
                   "hostdev-bridge", "hostdev-group", "hostdev-kind", "hostdev-claimed", "hostdev-in-use",
                   "hostdev-policy", "hostdev-driver", "hostdev-node", "iommufd", "hostdev-reserved",
                   "interrupt-remapping", "seed", "vsock", "level", "share", "network", "migration", "cpu",
                   "launch-security", "hostdev-network", "hostdev-window");

ViommuReason *viommu_reason_new(ViommuModel model, ViommuRule rule, const char *format, ...)
{
    ViommuReason *reason = g_new0(ViommuReason, 1);
    va_list arguments;

    reason->model = (int)model;
    reason->rule = rule;
    va_start(arguments, format);
    reason->text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return reason;
}

void viommu_reason_free(ViommuReason *reason)
{
    if (!reason)
        return;
    g_free(reason->text);
    g_free(reason);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build: what the rooms of a plan under way share: the plan so far, and how one refuses.  Only for lib/plan*.c. */
#pragma once

#include "lib/plan/plan.h"

typedef struct ViommuPlanBuild {
    const ViommuPlanInput *input;
    const ViommuRequest *request;
    const ViommuEmulator *emulator; /* NULL until the machine is settled */
    ViommuPlan *plan;
    GPtrArray *reasons; /* of ViommuReason: why the machine as a whole cannot be */
} ViommuPlanBuild;

/** Adds a reason, and sets @error to NOT_SUPPORTED; returns false. */
bool viommu_plan_refuse(ViommuPlanBuild *build, ViommuRule rule, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/** The same with POLICY_REFUSED: it is not for whoever asks. */
bool viommu_plan_refuse_policy(ViommuPlanBuild *build, ViommuRule rule, GError **error, const char *format,
                               ...) G_GNUC_PRINTF(4, 5);
/** A default taken, or a side effect, in plain words. */
void viommu_plan_note(ViommuPlanBuild *build, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** What a person should know before using it. */
void viommu_plan_warn(ViommuPlanBuild *build, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** plan-policy: whether the site lets the asker have what is asked for.  Looks at no host.  Fails: POLICY_REFUSED. */
bool viommu_plan_check_policy(ViommuPlanBuild *build, GError **error);
/** plan-agent: whether the guest's agent gets its channel.  Of the host it looks at libvirt's version.  Fails: POLICY_REFUSED. */
bool viommu_plan_settle_agent(ViommuPlanBuild *build, GError **error);
/** plan-machine: architecture, emulator, machine, accelerator, vCPUs, in this order. Fails: NOT_SUPPORTED. */
bool viommu_plan_settle_machine(ViommuPlanBuild *build, GError **error);
/** plan-machine: how the CPU is described to libvirt. */
void viommu_plan_settle_cpu(ViommuPlanBuild *build);
/** plan-pcie: the guest's PCI Express tree and NUMA cells, and what is lost where one IOMMU serves several. */
void viommu_plan_settle_pcie(ViommuPlanBuild *build);
/** plan-devices: makes the empty lists of @plan. */
void viommu_plan_init_devices(ViommuPlan *plan);
/** plan-devices: whether the disks can be.  Fails: NOT_SUPPORTED. */
bool viommu_plan_check_disks(ViommuPlanBuild *build, GError **error);
/** plan-files: whether libvirt can be given the disks' files so that they stay as they are, and guests are confined as the site wants.
 *  Fails: NOT_SUPPORTED, POLICY_REFUSED. */
bool viommu_plan_check_files(ViommuPlanBuild *build, GError **error);
/** plan-files: whose rights QEMU has, and what libvirt must not label. */
void viommu_plan_settle_rights(ViommuPlanBuild *build);
/** plan-files: how libvirt gets disk @i of the request; @disk has its target. */
void viommu_plan_settle_file(const ViommuPlanBuild *build, guint i, ViommuPlanDisk *disk);
/** plan-files: whether it is given open. */
bool viommu_plan_takes_open(const ViommuPlanInput *input, const ViommuHandover *handover);
/** plan-devices: disks, networks, controllers, once the IOMMU is chosen. */
void viommu_plan_settle_devices(ViommuPlanBuild *build);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build: what the rooms of a plan under way share: the plan so far, and how a room refuses.
 * Only for lib/plan. */
#pragma once

#include "lib/base/error.h"
#include "lib/plan/plan.h"

typedef struct ViommuPlanBuild {
    const ViommuPlanInput *input;
    const ViommuRequest *request;
    const ViommuEmulator *emulator; /* NULL until the machine is settled */
    ViommuPlan *plan;
    /* What is being settled, which names the reason when a room fails.  VIOMMU_RULE_LAST: the
     * IOMMU, whose candidates have reasons of their own. */
    ViommuRule rule;
} ViommuPlanBuild;

/** Sets build->rule and @error; returns false.  A room whose checks are shared with others than
 *  the planner sets build->rule itself, and lets them fail. */
bool viommu_plan_refuse(ViommuPlanBuild *build, ViommuError code, ViommuRule rule, GError **error,
                        const char *format, ...) G_GNUC_PRINTF(5, 6);
/** A default taken, or a side effect. */
void viommu_plan_note(ViommuPlanBuild *build, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** What a person should know before using the machine. */
void viommu_plan_warn(ViommuPlanBuild *build, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* --- The rooms, in the order of the plan --- */

/** allowed: whether the site lets the asker have what the request wants.  Looks at no host.
 *  Fails: POLICY_REFUSED. */
bool viommu_plan_check_policy(ViommuPlanBuild *build, GError **error);
/** agent: whether the guest's agent gets its channel.  Of the host it looks at libvirt's version.
 *  Fails: POLICY_REFUSED. */
bool viommu_plan_settle_agent(ViommuPlanBuild *build, GError **error);
/** machine: architecture, emulator, machine, accelerator, vCPUs, in this order.
 *  Fails: NOT_SUPPORTED. */
bool viommu_plan_settle_machine(ViommuPlanBuild *build, GError **error);
/** placement: finds the devices of the request, and whether they can be assigned.
 *  Fails: NOT_SUPPORTED; POLICY_REFUSED, when the site does not let the asker have one, or the host
 *  itself uses it; BUSY, when another machine has it. */
bool viommu_plan_settle_placement(ViommuPlanBuild *build, GError **error);
/** iommufd: which of them go through iommufd, and why the others do not.
 *  Fails: NOT_SUPPORTED, when the request says "yes" of one that cannot. */
bool viommu_plan_settle_iommufd(ViommuPlanBuild *build, GError **error);
/** hostdevs: the two above, and whether libvirt can bind the devices and open them.
 *  Fails: as they do. */
bool viommu_plan_settle_hostdevs(ViommuPlanBuild *build, GError **error);
/** iommu-notes: whether the request leaves room for devices of the host to be plugged in, and the
 *  host has some: *ret_width_bits of its narrowest IOMMU (VIOMMU_UNSET_NUMBER: not known). */
bool viommu_plan_plugs_hostdevs(const ViommuPlanBuild *build, uint64_t *ret_width_bits);
/** iommu-notes: what of the chosen IOMMU is not as asked for, or does less than it seems to. */
void viommu_plan_explain_iommu(ViommuPlanBuild *build, const ViommuIommuInput *input);
/** memory: its size, its pages, and whether the host has them.
 *  Fails: INVALID_REQUEST, when the size is no multiple of the page size; NOT_SUPPORTED, when it is
 *  more than the host has or lets be locked. */
bool viommu_plan_settle_memory(ViommuPlanBuild *build, GError **error);
/** memory: how much QEMU may have to lock for the assigned devices, once the IOMMU is chosen.
 *  Fails: NOT_SUPPORTED, when libvirt's daemon may not have so much locked. */
bool viommu_plan_settle_memlock(ViommuPlanBuild *build, GError **error);
/** hostdevs: notes and warnings about the assigned devices, once the IOMMU is chosen. */
void viommu_plan_explain_hostdevs(ViommuPlanBuild *build);
/** devices: whether the disks are possible.  Fails: NOT_SUPPORTED. */
bool viommu_plan_check_disks(ViommuPlanBuild *build, GError **error);
/** files: whether libvirt can be given the disks' files so that they stay as they are, and guests
 *  are confined as the site wants.  Fails: NOT_SUPPORTED, POLICY_REFUSED. */
bool viommu_plan_check_files(ViommuPlanBuild *build, GError **error);
/** files: whose rights QEMU has, and what libvirt must not label. */
void viommu_plan_settle_rights(ViommuPlanBuild *build);
/** devices: disks, networks, controllers. */
void viommu_plan_settle_devices(ViommuPlanBuild *build);
/** buses: the guest's PCI Express tree and NUMA cells, and what is lost where one IOMMU serves
 *  several. */
void viommu_plan_settle_pcie(ViommuPlanBuild *build);
/** machine: how the CPU is described to libvirt. */
void viommu_plan_settle_cpu(ViommuPlanBuild *build);

/* --- Shared by them --- */

/** devices: makes the empty lists of @plan. */
void viommu_plan_init_devices(ViommuPlan *plan);
/** files: how libvirt gets disk @i of the request; @disk has its target. */
void viommu_plan_settle_file(const ViommuPlanBuild *build, guint i, ViommuPlanDisk *disk);
/** files: whether it is given open. */
bool viommu_plan_takes_open(const ViommuPlanInput *input, const ViommuHandover *handover);
/** placement: what it goes by.  Borrows from @input. */
ViommuPlacementInput viommu_plan_placing(const ViommuPlanInput *input);

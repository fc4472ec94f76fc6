/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build: what the files of the planner share: the plan so far, and the way to refuse.  Only for
 * lib/plan. */
#pragma once

#include "lib/base/error.h"
#include "lib/facts/facts.h"
#include "lib/plan/plan.h"

/* A path that no file has: an open file needs no other name, nor does one of a dry run. */
#define VIOMMU_PLAN_OPEN_FILES "/var/lib/viommu/open"

typedef struct ViommuPlanBuild {
    const ViommuPlanInput *input;
    const ViommuRequest *request;
    const ViommuEmulator *emulator; /* NULL until the machine is settled */
    ViommuPlan *plan;
    /* The rule of the present step, which names the reason when the step fails.  VIOMMU_RULE_LAST:
     * the IOMMU, whose candidates have reasons of their own. */
    ViommuRule rule;
} ViommuPlanBuild;

/** Sets build->rule and @error; returns false.  A file whose checks serve callers other than the
 *  planner sets build->rule itself before it calls them. */
bool viommu_plan_refuse(ViommuPlanBuild *build, ViommuError code, ViommuRule rule, GError **error,
                        const char *format, ...) G_GNUC_PRINTF(5, 6);
/** Notes a default that was taken, or a side effect. */
void viommu_plan_note(ViommuPlanBuild *build, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** Warns of something that the user should know before using the machine. */
void viommu_plan_warn(ViommuPlanBuild *build, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* --- The steps, in the order of the plan; "name:" is the step's file --- */

/** allowed: checks that the site allows the asker what the request wants.  Does not look at the
 *  host. Fails: POLICY_REFUSED. */
bool viommu_plan_check_policy(ViommuPlanBuild *build, GError **error);
/** agent: decides whether the guest's agent gets its channel.  Of the host it uses only libvirt's
 *  version. Fails: POLICY_REFUSED. */
bool viommu_plan_settle_agent(ViommuPlanBuild *build, GError **error);
/** machine: architecture, emulator, machine, accelerator, vCPUs, in this order.
 *  Fails: NOT_SUPPORTED. */
bool viommu_plan_settle_machine(ViommuPlanBuild *build, GError **error);
/** launch-security: checks that the guest's memory can be encrypted, and settles how; the machine
 *  is settled.  Fails: NOT_SUPPORTED. */
bool viommu_plan_check_launch_security(ViommuPlanBuild *build, GError **error);
/** placement: finds the devices of the request, and checks that they can be assigned.  Fails:
 *  NOT_SUPPORTED; POLICY_REFUSED, when the site does not allow the asker one of them, or the host
 *  itself uses it; BUSY, when another machine has it. */
bool viommu_plan_settle_placement(ViommuPlanBuild *build, GError **error);
/** iommufd: decides which devices use iommufd, and why the others do not. Fails: NOT_SUPPORTED,
 *  when the request says "yes" for a device that cannot use it. */
bool viommu_plan_settle_iommufd(ViommuPlanBuild *build, GError **error);
/** hostdevs: the two above, and checks that libvirt can bind the devices and open them. Fails: as
 *  they do. */
bool viommu_plan_settle_hostdevs(ViommuPlanBuild *build, GError **error);
/** iommu-notes: whether the request leaves room for hotplug of host devices, and the host has some:
 *  *ret_width_bits of its narrowest IOMMU (VIOMMU_UNSET_NUMBER: not known). */
bool viommu_plan_plugs_hostdevs(const ViommuPlanBuild *build, uint64_t *ret_width_bits);
/** iommu-notes: notes where the chosen IOMMU differs from the request, or does less than it seems
 *  to. */
void viommu_plan_explain_iommu(ViommuPlanBuild *build, const ViommuIommuInput *input);
/** memory: settles its size and pages, and checks that the host has them. Fails: INVALID_REQUEST,
 *  when the size is no multiple of the page size; NOT_SUPPORTED, when it is more than the host has
 *  or allows to be locked. */
bool viommu_plan_settle_memory(ViommuPlanBuild *build, GError **error);
/** address-space: settles how far the guest's physical addresses reach, once the firmware is
 *  settled.  Fails: NOT_SUPPORTED. */
bool viommu_plan_settle_address_space(ViommuPlanBuild *build, GError **error);
/** memory-plug: settles how memory can be plugged in, and the maximum; the size at the start is
 *  settled.  Fails: NOT_SUPPORTED. */
bool viommu_plan_settle_memory_max(ViommuPlanBuild *build, GError **error);
/** memory-plug: checks that the guest can hear of memory, once the firmware is settled.  Fails:
 *  NOT_SUPPORTED. */
bool viommu_plan_check_memory_plug(ViommuPlanBuild *build, GError **error);
/** memory-plug: settles the device, once the IOMMU is settled. */
void viommu_plan_settle_memory_plug(ViommuPlanBuild *build);
/** memory: settles how much QEMU may have to lock for the assigned devices, once the IOMMU is
 *  chosen. Fails: NOT_SUPPORTED, when the limit of libvirt's daemon is lower. */
bool viommu_plan_settle_memlock(ViommuPlanBuild *build, GError **error);
/** movable: notes what forbids to save or migrate the guest; all is settled. */
void viommu_plan_explain_movable(ViommuPlanBuild *build);
/** hostdevs: adds notes and warnings about the assigned devices, once the IOMMU is chosen. */
void viommu_plan_explain_hostdevs(ViommuPlanBuild *build);
/** devices: checks that the disks are possible.  Fails: NOT_SUPPORTED. */
bool viommu_plan_check_disks(ViommuPlanBuild *build, GError **error);
/** devices: checks that the models of the networks are possible.  Fails: NOT_SUPPORTED. */
bool viommu_plan_check_networks(ViommuPlanBuild *build, GError **error);
/** files: checks that libvirt can use the disks' files without changing their owner or label, and
 *  that guests are confined as the site wants.  Fails: NOT_SUPPORTED, POLICY_REFUSED. */
bool viommu_plan_check_files(ViommuPlanBuild *build, GError **error);
/** files: settles the rights of QEMU, and the files that libvirt must not label. */
void viommu_plan_settle_rights(ViommuPlanBuild *build);
/** seed: checks that the guest can be told what the request says.  Fails: NOT_SUPPORTED. */
bool viommu_plan_check_seed(ViommuPlanBuild *build, GError **error);
/** seed: settles how the guest is told, once the machine has its name and UUID. */
void viommu_plan_settle_seed(ViommuPlanBuild *build);
/** shares: checks that the guest may have the directories, and how.  Fails: POLICY_REFUSED,
 *  NOT_SUPPORTED. */
bool viommu_plan_check_shares(ViommuPlanBuild *build, GError **error);
/** shares: settles them, once the IOMMU is settled. */
void viommu_plan_settle_shares(ViommuPlanBuild *build);
/** user-networks: checks that the host has networks of type user, if the request wants one. Fails:
 *  NOT_SUPPORTED. */
bool viommu_plan_check_user_networks(ViommuPlanBuild *build, GError **error);
/** offloaded-networks: checks those that another program or hardware serves, once the IOMMU is
 *  settled.  Fails: NOT_SUPPORTED. */
bool viommu_plan_check_offloaded_networks(ViommuPlanBuild *build, GError **error);
/** vsock: checks that the host has vsock for guests, if the request wants it, and settles whether
 *  the guest's systemd can say that it is ready; the agent and the firmware are settled.  Fails:
 *  NOT_SUPPORTED. */
bool viommu_plan_check_vsock(ViommuPlanBuild *build, GError **error);
/** vsock: settles the device, once the IOMMU is settled. */
void viommu_plan_settle_vsock(ViommuPlanBuild *build);
/** level: settles what the guest must show, once its devices are settled.  Fails: NOT_SUPPORTED. */
bool viommu_plan_settle_level(ViommuPlanBuild *build, GError **error);
/** devices: settles disks, networks and controllers. */
void viommu_plan_settle_devices(ViommuPlanBuild *build);
/** buses: settles the guest's PCI Express tree and NUMA cells, and notes what is lost when one
 *  IOMMU serves several devices. */
void viommu_plan_settle_pcie(ViommuPlanBuild *build);
/** cpu: checks that the guest's CPU is what the request wants, once the accelerator is settled.
 *  Fails: NOT_SUPPORTED. */
bool viommu_plan_check_cpu(ViommuPlanBuild *build, GError **error);
/** machine: settles how the CPU is described to libvirt. */
void viommu_plan_settle_cpu(ViommuPlanBuild *build);

/* --- Shared by them --- */

/** devices: makes the empty lists of @plan. */
void viommu_plan_init_devices(ViommuPlan *plan);
/** user-networks: settles who serves them, once the machine has its UUID and the plan its
 *  networks. */
void viommu_plan_settle_user_networks(ViommuPlanBuild *build);
/** offloaded-networks: explains them, and shares the guest's memory, once the plan has its
 *  networks. */
void viommu_plan_settle_offloaded_networks(ViommuPlanBuild *build);
/** devices: whether libvirt and QEMU have what @subject of entry @i of @list asks for.  Fails:
 *  NOT_SUPPORTED, with @rule. */
bool viommu_plan_check_fact(ViommuPlanBuild *build, ViommuFactId id, ViommuRule rule, const char *list,
                            guint i, const char *subject, GError **error);
/** devices: the releases of QEMU that do not tell vhost, which has no ATS, what a guest unmaps, if
 *  the IOMMU is settled and this is one; NULL: it does.  Owned. */
char *viommu_plan_deaf_vhost(const ViommuPlanBuild *build);
/** files: settles how libvirt gets the file of disk @i of the request; @disk has its target. */
void viommu_plan_settle_file(const ViommuPlanBuild *build, guint i, ViommuPlanDisk *disk);
/** files: what the guest sees of disk @i, which has an overlay; VIOMMU_UNSET_NUMBER: not known. */
uint64_t viommu_plan_overlay_bytes(const ViommuPlanBuild *build, guint i);
/** files: whether libvirt gets the file open. */
bool viommu_plan_takes_open(const ViommuPlanInput *input, const ViommuHandover *handover);
/** placement: its input.  Borrows from @input. */
ViommuPlacementInput viommu_plan_placing(const ViommuPlanInput *input);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seed: decides how the guest is told what the request's seed says, and whether it can hear it.
 * The disk for cloud-init is one of the devices. */
#include "lib/facts/facts.h"
#include "lib/facts/guest-os.h"
#include "lib/plan/build.h"

static ViommuSeedBy seed_by(const ViommuRequestSeed *seed)
{
    return seed->by == VIOMMU_UNSET ? VIOMMU_SEED_BY_CLOUD_INIT : (ViommuSeedBy)seed->by;
}

static void warn_of_hostname(ViommuPlanBuild *build, int systemd)
{
    if (systemd != VIOMMU_UNSET && systemd < VIOMMU_SYSTEMD_HOSTNAME)
        viommu_plan_warn(
            build,
            "seed.hostname by 'credentials' has no effect in guest.os '%s': it needs a guest with systemd %d or newer; use 'cloud-init'",
            build->request->guest.os, VIOMMU_SYSTEMD_HOSTNAME);
    else
        viommu_plan_warn(
            build,
            "seed.hostname by 'credentials' needs a guest with systemd %d or newer and without a name in /etc/hostname",
            VIOMMU_SYSTEMD_HOSTNAME);
}

static bool check_credentials(ViommuPlanBuild *build, GError **error)
{
    const char *name = build->request->guest.os;
    int systemd = viommu_guest_os_systemd(name);

    if (build->plan->arch == VIOMMU_ARCH_AARCH64 && build->plan->firmware != VIOMMU_FIRMWARE_EFI)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_SEED, error,
            "seed.by 'credentials' needs UEFI on aarch64, which gives the guest its SMBIOS tables; set boot.firmware to 'efi'");
    if (systemd != VIOMMU_UNSET && systemd < VIOMMU_SYSTEMD_SSH_KEYS)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_SEED, error,
            "seed.by 'credentials' needs a guest with systemd %d or newer, which guest.os '%s' does not have; use 'cloud-init'",
            VIOMMU_SYSTEMD_SSH_KEYS, name);
    if (systemd == VIOMMU_UNSET)
        viommu_plan_warn(
            build,
            "seed.by 'credentials' needs a guest with systemd %d or newer, and guest.os does not say which one it has",
            VIOMMU_SYSTEMD_SSH_KEYS);
    if (build->request->seed.hostname)
        warn_of_hostname(build, systemd);
    return true;
}

static bool check_ignition(ViommuPlanBuild *build, GError **error)
{
    ViommuVersion libvirt = build->input->host->libvirt;
    g_autofree char *needs = NULL, *had = NULL;

    if (viommu_fact_holds(VIOMMU_FACT_FW_CFG, libvirt, 0))
        return true;
    needs = viommu_fact_needs(VIOMMU_FACT_FW_CFG);
    had = viommu_fact_had(VIOMMU_FACT_FW_CFG, libvirt, 0);
    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_SEED, error,
                              "seed.by 'ignition' needs %s, but %s; use 'cloud-init'", needs, had);
}

bool viommu_plan_check_seed(ViommuPlanBuild *build, GError **error)
{
    const ViommuRequestSeed *seed = &build->request->seed;
    ViommuSeedBy by = seed_by(seed);

    if (!seed->present)
        return true;
    if (by == VIOMMU_SEED_BY_CREDENTIALS)
        return check_credentials(build, error);
    if (build->input->is_remote)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_SEED, error,
            "seed needs a file, and libvirt runs on another host, where viommud can make none; launch the machine with a viommud on that host, or use seed.by 'credentials'");
    return by == VIOMMU_SEED_BY_CLOUD_INIT || check_ignition(build, error);
}

static void note_seed(ViommuPlanBuild *build)
{
    if (build->plan->seed.by == VIOMMU_SEED_BY_CREDENTIALS)
        viommu_plan_note(build,
                         "the seed is told to systemd by credentials, which every user of the host can read");
    else
        viommu_plan_note(
            build, "the seed is a configuration of Ignition, in a file that is removed with the machine");
}

/* Like a kernel, its file is viommud's own, and libvirt gives it to QEMU's user. */
static char *seed_path(const ViommuPlanBuild *build)
{
    const ViommuHandovers *handovers = build->input->handovers;

    return handovers && handovers->seed.path
               ? g_strdup(handovers->seed.path)
               : g_strdup_printf(VIOMMU_PLAN_OPEN_FILES "/%s.seed", build->plan->uuid);
}

void viommu_plan_settle_seed(ViommuPlanBuild *build)
{
    const ViommuRequestSeed *asked = &build->request->seed;
    ViommuPlanSeed *seed = &build->plan->seed;

    if (!asked->present)
        return;
    seed->present = true;
    seed->by = seed_by(asked);
    if (seed->by == VIOMMU_SEED_BY_CREDENTIALS) {
        seed->ssh_keys = g_strdupv(asked->ssh_keys);
        seed->hostname = g_strdup(asked->hostname ? asked->hostname : build->plan->name);
    } else {
        seed->path = seed_path(build);
    }
    if (seed->by != VIOMMU_SEED_BY_CLOUD_INIT)
        note_seed(build);
}

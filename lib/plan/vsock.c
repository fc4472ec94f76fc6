/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vsock: decides whether the guest can have a vsock device, whether that is behind the IOMMU, and
 * whether the guest's systemd is asked to say there that it has booted.  libvirt itself opens
 * /dev/vhost-vsock, so its user counts. */
#include "lib/facts/facts.h"
#include "lib/facts/guest-os.h"
#include "lib/plan/build.h"

/* Why the guest's systemd cannot say that it has booted.  Owned; NULL: it can, as far as is
 * known. */
static char *why_silent(const ViommuPlanBuild *build)
{
    int systemd = viommu_guest_os_systemd(build->request->guest.os);

    if (!build->input->policy->ready_port)
        return g_strdup("viommud hears nothing on vsock here");
    /* The address is a credential in the SMBIOS tables. */
    if (build->plan->arch == VIOMMU_ARCH_AARCH64 && build->plan->firmware != VIOMMU_FIRMWARE_EFI)
        return g_strdup("its systemd can tell over vsock only with UEFI on aarch64 (boot.firmware 'efi')");
    if (systemd != VIOMMU_UNSET && systemd < VIOMMU_SYSTEMD_READY)
        return g_strdup_printf(
            "its systemd can tell over vsock from version %d on, which guest.os '%s' does not have",
            VIOMMU_SYSTEMD_READY, build->request->guest.os);
    return NULL;
}

static bool settle_ready(ViommuPlanBuild *build, GError **error)
{
    g_autofree char *why = why_silent(build);
    bool needed = build->request->wait == VIOMMU_WAIT_READY && !build->plan->agent;

    build->plan->ready_port = why ? 0 : build->input->policy->ready_port;
    if (needed && why)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_VSOCK, error,
            "nobody in the guest can tell that it is ready: it has no agent, and %s; let it have an agent (guest.agent), or wait for 'started'",
            why);
    if (needed && viommu_guest_os_systemd(build->request->guest.os) == VIOMMU_UNSET)
        viommu_plan_warn(
            build,
            "wait 'ready' needs a guest with systemd %d or newer, and guest.os does not say which one it has",
            VIOMMU_SYSTEMD_READY);
    return true;
}

bool viommu_plan_check_vsock(ViommuPlanBuild *build, GError **error)
{
    const ViommuHost *host = build->input->host;

    if (build->request->guest.vsock != 1)
        return true;
    if (host->topology.vhost_vsock == 0)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_VSOCK, error,
            "guest.vsock needs /dev/vhost-vsock, which the host's kernel does not have; use a kernel with the module vhost_vsock (CONFIG_VHOST_VSOCK), or omit guest.vsock");
    if (host->unprivileged == 1 && host->topology.vhost_vsock_usable == 0)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_VSOCK, error,
            "guest.vsock needs /dev/vhost-vsock, which the user that libvirt runs as may not open; add the user to the group of that device (ls -l /dev/vhost-vsock), or omit guest.vsock");
    return settle_ready(build, error);
}

/* libvirt opens the device for QEMU, which can set it up.  QEMU also reads from it which addresses
 * the kernel wants translated, and writes the answers; AppArmor denies both to a guest that libvirt
 * confines (up to libvirt 12.8), and the guest's device is dead. */
static bool is_denied(const ViommuHost *host)
{
    return viommu_host_secmodel(host, "apparmor") && host->topology.vhost_vsock_rule != 1;
}

/* Why the device is outside the IOMMU.  Owned; NULL: it can be behind it. */
static char *obstacle(const ViommuPlanBuild *build)
{
    ViommuVersion libvirt = build->input->host->libvirt, kernel = build->input->host->topology.kernel;
    ViommuVersion least = viommu_fact(VIOMMU_FACT_VSOCK_TRANSLATION)->host_kernel;
    bool knows = viommu_fact_holds(VIOMMU_FACT_VSOCK_TRANSLATION, libvirt, 0);
    g_autofree char *needs = viommu_fact_needs(VIOMMU_FACT_VSOCK_TRANSLATION);
    g_autofree char *had = viommu_fact_had(VIOMMU_FACT_VSOCK_TRANSLATION, libvirt, 0);
    g_autofree char *least_linux = viommu_fact_kernel(VIOMMU_FACT_VSOCK_TRANSLATION, true);

    if (!knows)
        return g_strdup_printf("to be behind it, it needs %s, but %s", needs, had);
    if (kernel != 0 && kernel < least)
        return g_strdup_printf("to be behind it, it needs %s or newer on the host, which has an older kernel",
                               least_linux);
    return is_denied(build->input->host)
               ? g_strdup(
                     "to be behind it, QEMU must read and write /dev/vhost-vsock, which libvirt's rules of AppArmor for guests do not allow; the host's administrator can allow it with the line '/dev/vhost-vsock rw,' in /etc/apparmor.d/local/abstractions/libvirt-qemu")
               : NULL;
}

void viommu_plan_settle_vsock(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;

    if (build->request->guest.vsock != 1)
        return;
    plan->vsock = true;
    viommu_plan_note(
        build,
        "libvirt gives the guest's vsock device a CID when it starts (property VsockCid); every user of the host can connect to it");
    if (plan->ready_port)
        viommu_plan_note(build, "the guest's systemd tells viommud over vsock when it has booted");
    plan->vsock_translated = viommu_plan_marks_virtio(plan);
    if (!plan->iommu.translate)
        return;
    plan->vsock_obstacle = obstacle(build);
    plan->vsock_translated = !plan->vsock_obstacle;
    if (plan->vsock_obstacle)
        viommu_plan_warn(build, "the guest's vsock device is outside the IOMMU: %s", plan->vsock_obstacle);
}

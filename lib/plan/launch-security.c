/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch-security: judges whether the guest's memory can be encrypted, and settles how.  libvirt
 * tells by the host's hardware, kernel and QEMU; no such host has been tried. */
#include "lib/facts/facts.h"
#include "lib/plan/build.h"
#include "lib/request/translate.h"

/* What each kind needs and has. */
static const struct {
    ViommuFactId fact;
    const char *hardware;
    uint64_t policy; /* where the request has none; VIOMMU_UNSET_NUMBER: libvirt's */
    bool locks;      /* the kernel locks all of the guest's memory and counts it: QEMU 9.2
                      * target/i386/sev.c (sev_ram_block_added) */
    bool splits;     /* the I/O APIC must be QEMU's: QEMU 10.1 target/i386/kvm/tdx.c */
    bool hashes;     /* the firmware starts only a kernel whose hash QEMU gives it: edk2
                      * OvmfPkg/AmdSev/BlobVerifierLibSevHashes; QEMU 6.2 target/i386/sev.c */
} kinds[VIOMMU_LAUNCH_SECURITY_LAST] = {
    /* No debugging, and no key that is shared with other guests. */
    [VIOMMU_LAUNCH_SECURITY_SEV] = {VIOMMU_FACT_SEV, "an AMD CPU with SEV, and kvm_amd with sev=1", 0x3, true,
                                    false, true},
    /* Threads are allowed, and bit 17 must be set. */
    [VIOMMU_LAUNCH_SECURITY_SEV_SNP] = {VIOMMU_FACT_SEV_SNP,
                                        "an AMD CPU with SEV-SNP, and kvm_amd with sev_snp=1", 0x30000, false,
                                        false, true},
    [VIOMMU_LAUNCH_SECURITY_TDX] = {VIOMMU_FACT_TDX, "an Intel CPU with TDX, and kvm_intel with tdx=1",
                                    VIOMMU_UNSET_NUMBER, false, true, false},
};

bool viommu_launch_security_locks(int kind)
{
    return kind != VIOMMU_UNSET && kinds[kind].locks;
}

bool viommu_plan_marks_virtio(const ViommuPlan *plan)
{
    return plan->iommu.translate || plan->launch_security.kind != VIOMMU_UNSET;
}

static bool refuse(ViommuPlanBuild *build, GError **error, const char *why)
{
    return viommu_plan_refuse(
        build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_LAUNCH_SECURITY, error,
        "launch-security.type '%s' is not possible here: %s",
        viommu_enum_to_string(&viommu_enum_launch_security, build->request->launch_security.type), why);
}

static bool check_machine(ViommuPlanBuild *build, GError **error)
{
    const ViommuPlan *plan = build->plan;

    if (plan->arch != VIOMMU_ARCH_X86_64)
        return refuse(build, error, "it exists on x86_64 only; omit launch-security");
    if (plan->family != VIOMMU_FAMILY_Q35)
        return refuse(build, error, "it needs machine 'q35'; leave machine out");
    if (plan->accelerator != VIOMMU_ACCELERATOR_KVM)
        return refuse(
            build, error,
            "the CPU encrypts the guest's memory, for which it needs KVM; set accelerator to 'kvm', or omit launch-security");
    return true;
}

static bool check_host(ViommuPlanBuild *build, GError **error)
{
    int kind = build->request->launch_security.type;
    ViommuFactId id = kinds[kind].fact;
    ViommuVersion libvirt = build->input->host->libvirt;
    g_autofree char *needs = viommu_fact_needs(id);
    g_autofree char *had = viommu_fact_had(id, libvirt, build->emulator->qemu), *why = NULL;

    if (!viommu_emulator_has(build->emulator, libvirt, id))
        why = g_strdup_printf("it needs %s, but %s", needs, had);
    else if (build->emulator->launch_security[kind] != 1)
        why = g_strdup_printf(
            "libvirt %s for this host; it needs %s; see \"virsh domcapabilities\", <launchSecurity>",
            build->emulator->launch_security[kind] == 0 ? "does not offer it" : "does not report it",
            kinds[kind].hardware);
    return !why || refuse(build, error, why);
}

/* What the guest could not use.  Its kernel copies what a device may see out of the encrypted
 * memory, but only for devices that use the DMA API. */
static bool check_devices(ViommuPlanBuild *build, GError **error)
{
    const ViommuRequest *request = build->request;
    ViommuVersion libvirt = build->input->host->libvirt;
    g_autofree char *needs = viommu_fact_needs(VIOMMU_FACT_VSOCK_TRANSLATION);
    g_autofree char *old = NULL;

    if (request->hostdevs && request->hostdevs->len > 0)
        return refuse(
            build, error,
            "devices of the host are not known to work with encrypted memory; omit hostdevs, or launch-security");
    if (request->memory_backing.locked == 0 && viommu_launch_security_locks(request->launch_security.type))
        return refuse(
            build, error,
            "the kernel locks all of such a guest's memory, but memory-backing.locked is false; omit that key");
    if (request->memory_max_bytes != VIOMMU_UNSET_NUMBER)
        return refuse(
            build, error,
            "memory that is plugged in is not known to work with it; omit memory-max, or launch-security");
    for (guint i = 0; request->shares && i < request->shares->len; i++)
        if (((const ViommuRequestShare *)g_ptr_array_index(request->shares, i))->type !=
            (int)VIOMMU_SHARE_TYPE_9P)
            return refuse(
                build, error,
                "virtiofs uses the guest's memory directly, and QEMU cannot change that; set the type of the shares to '9p'");
    for (guint i = 0; request->networks && i < request->networks->len; i++)
        if (viommu_request_network_is_offloaded(g_ptr_array_index(request->networks, i)))
            return refuse(
                build, error,
                "who serves a network of type 'vhostuser' or 'vdpa' uses the guest's memory directly; use another type");
    if (request->guest.vsock != 1 || viommu_fact_holds(VIOMMU_FACT_VSOCK_TRANSLATION, libvirt, 0))
        return true;
    old = g_strdup_printf("guest.vsock then needs %s; omit one of the two", needs);
    return refuse(build, error, old);
}

bool viommu_plan_check_launch_security(ViommuPlanBuild *build, GError **error)
{
    int kind = build->request->launch_security.type;
    ViommuPlanLaunchSecurity *settled = &build->plan->launch_security;

    settled->kind = kind;
    if (kind == VIOMMU_UNSET)
        return true;
    if (!check_machine(build, error) || !check_devices(build, error) || !check_host(build, error))
        return false;
    settled->policy = build->request->launch_security.policy;
    if (settled->policy == VIOMMU_UNSET_NUMBER)
        settled->policy = kinds[kind].policy;
    settled->locks = kinds[kind].locks;
    settled->splits = kinds[kind].splits;
    settled->hashes = kinds[kind].hashes && build->request->boot.kernel.path;
    viommu_plan_note(
        build,
        "all virtio devices have iommu='on', without an IOMMU: the guest's kernel then copies what they may see out of its encrypted memory");
    viommu_plan_warn(
        build,
        "no guest with launch-security '%s' has been started in viommud's tests: libvirt takes such domains, and whether the guest runs is not known",
        viommu_enum_to_string(&viommu_enum_launch_security, kind));
    return true;
}

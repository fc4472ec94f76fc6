/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/iommu-rules.h"

#include "lib/facts/facts.h"
#include "lib/guest/guest.h"
#include "lib/host/caps.h"
#include "lib/plan/iommu-attributes.h"
#include "lib/request/translate.h"

/* Where each model exists (FACTS 1.1). */
static const struct {
    int arch; /* ViommuArch; VIOMMU_UNSET: both */
    ViommuFactId fact[VIOMMU_ARCH_LAST];
} homes[VIOMMU_MODEL_LAST] = {
    [VIOMMU_MODEL_INTEL] = {VIOMMU_ARCH_X86_64, {VIOMMU_FACT_INTEL, VIOMMU_FACT_INTEL}},
    [VIOMMU_MODEL_SMMUV3] = {VIOMMU_ARCH_AARCH64, {VIOMMU_FACT_SMMUV3, VIOMMU_FACT_SMMUV3}},
    [VIOMMU_MODEL_VIRTIO] = {VIOMMU_UNSET, {VIOMMU_FACT_VIRTIO_X86_64, VIOMMU_FACT_VIRTIO_AARCH64}},
    [VIOMMU_MODEL_AMD] = {VIOMMU_ARCH_X86_64, {VIOMMU_FACT_AMD, VIOMMU_FACT_AMD}},
};

static bool at_home(const ViommuIommuInput *input, ViommuModel model)
{
    return homes[model].arch == VIOMMU_UNSET || homes[model].arch == (int)input->arch;
}

/* The fact with the versions that the model needs on its architecture. */
static ViommuFactId home_fact(const ViommuJudging *judging)
{
    return homes[judging->model].fact[judging->input->arch];
}

void viommu_judge_note(const ViommuJudging *judging, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(judging->candidate->reasons,
                    viommu_reason_new(judging->model, judging->rule, "%s", text));
}

bool viommu_iommu_many_vcpus(const ViommuIommuInput *input)
{
    return input->arch == VIOMMU_ARCH_X86_64 && input->vcpus > VIOMMU_X86_PLAIN_VCPUS;
}

bool viommu_iommu_has_hostdevs(const ViommuIommuInput *input)
{
    return input->placement && input->placement->devices->len > 0;
}

/* Refuses with the versions of a fact: "the subject needs ..., but this host has ...". */
static void refuse_fact(const ViommuJudging *judging, ViommuFactId id, const char *subject)
{
    const ViommuIommuInput *input = judging->input;
    g_autofree char *needs = viommu_fact_needs(id);
    g_autofree char *had = viommu_fact_had(id, input->libvirt, input->emulator->qemu);

    viommu_judge_refuse(judging, "%s needs %s, but %s", subject, needs, had);
}

static void judge_arch(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;

    if (!at_home(input, judging->model))
        viommu_judge_refuse(judging, "'%s' exists only on %s, but arch is '%s'", judging->name,
                            viommu_arch_to_string((ViommuArch)homes[judging->model].arch),
                            viommu_arch_to_string(input->arch));
}

static void judge_machine(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    ViommuFamily needed = input->arch == VIOMMU_ARCH_X86_64 ? VIOMMU_FAMILY_Q35 : VIOMMU_FAMILY_VIRT;

    if (input->family != needed)
        viommu_judge_refuse(judging, "'%s' needs machine '%s', but the machine is of family '%s'",
                            judging->name, viommu_enum_to_string(&viommu_enum_family, (int)needed),
                            viommu_enum_to_string(&viommu_enum_family, (int)input->family));
}

/* Whether libvirt itself reported the models of this emulator; its report outranks the table. */
static bool asked_libvirt(const ViommuJudging *judging)
{
    const ViommuEmulator *emulator = judging->input->emulator;

    return (emulator->accepts | emulator->refuses) & VIOMMU_BIT(home_fact(judging));
}

static void judge_libvirt(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    const ViommuFact *fact = viommu_fact(home_fact(judging));

    if (!asked_libvirt(judging) && input->libvirt < fact->libvirt) {
        g_autofree char *needs = viommu_version_format_short(fact->libvirt);
        g_autofree char *has = viommu_version_format(input->libvirt);

        viommu_judge_refuse(judging, "'%s' needs libvirt %s or newer, but this host has %s", judging->name,
                            needs, has);
    }
}

static void judge_qemu(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    const ViommuFact *fact = viommu_fact(home_fact(judging));

    if (!asked_libvirt(judging) && input->emulator->qemu < fact->qemu) {
        g_autofree char *needs = viommu_version_format_short(fact->qemu);
        g_autofree char *has = viommu_version_format(input->emulator->qemu);

        viommu_judge_refuse(judging, "'%s' needs QEMU %s or newer for %s, but this host has %s",
                            judging->name, needs, viommu_arch_to_string(input->arch), has);
    }
}

/* Names the versions of the table, too, because they tell the user what to install. */
static void judge_observation(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    g_autofree char *needs = viommu_fact_needs(home_fact(judging));

    if (asked_libvirt(judging) && !viommu_emulator_has(input->emulator, input->libvirt, home_fact(judging)))
        viommu_judge_refuse(judging,
                            "libvirt reports that this QEMU has no '%s' IOMMU; it needs %s, built with it",
                            judging->name, needs);
}

/* EIM: which accelerators support it (FACTS 6.2). */
static void judge_accelerator(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    bool wanted = input->request->iommu.eim == 1;

    if (judging->model != VIOMMU_MODEL_INTEL || input->accelerator != VIOMMU_ACCELERATOR_TCG ||
        (!wanted && !viommu_iommu_many_vcpus(input)) ||
        viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_INTEL_EIM_TCG))
        return;
    refuse_fact(judging, VIOMMU_FACT_INTEL_EIM_TCG,
                wanted ? "iommu.eim is true, and with accelerator 'tcg' EIM"
                       : "more than 255 vCPUs need EIM, which with accelerator 'tcg'");
}

static void judge_vcpus(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    const ViommuRequestIommu *asked = &input->request->iommu;

    ViommuGuest guest = {input->request, input->kernel, false};
    const char *off;

    if (!viommu_iommu_many_vcpus(input))
        return;
    off = viommu_guest_many_cpus_off(&guest, input->arch, judging->model);
    if (off)
        viommu_judge_refuse(
            judging,
            "boot.cmdline has '%s', with which Linux does not use the vCPUs beyond the %uth of %" G_GUINT64_FORMAT
            "; leave the word out, or ask for fewer vCPUs",
            off, VIOMMU_X86_PLAIN_VCPUS, input->vcpus);
    if (judging->model == VIOMMU_MODEL_VIRTIO)
        viommu_judge_refuse(
            judging,
            "'virtio' does not remap interrupts, and without that %" G_GUINT64_FORMAT
            " vCPUs (more than %u) are not known to work; use 'intel' with EIM, or fewer vCPUs",
            input->vcpus, VIOMMU_X86_PLAIN_VCPUS);
    else if (asked->intremap == 0 || (judging->model == VIOMMU_MODEL_INTEL && asked->eim == 0))
        viommu_judge_refuse(judging,
                            "iommu.%s is false, but %" G_GUINT64_FORMAT " vCPUs need it (more than %u)",
                            asked->intremap == 0 ? "intremap" : "eim", input->vcpus, VIOMMU_X86_PLAIN_VCPUS);
    else if (judging->model == VIOMMU_MODEL_AMD &&
             !viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_AMD_MANY_VCPUS))
        refuse_fact(judging, VIOMMU_FACT_AMD_MANY_VCPUS, "'amd' with more than 255 vCPUs (xtsup)");
    else if (judging->model == VIOMMU_MODEL_INTEL &&
             !viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_INTEL_EIM))
        refuse_fact(judging, VIOMMU_FACT_INTEL_EIM, "'intel' with more than 255 vCPUs (EIM)");
}

bool viommu_iommu_takes_efi(const ViommuRequest *request, ViommuArch arch, ViommuModel model)
{
    if (request->boot.firmware == VIOMMU_FIRMWARE_EFI || request->boot.secure_boot == 1 ||
        request->launch_security.type != VIOMMU_UNSET)
        return true;
    return arch == VIOMMU_ARCH_AARCH64 && request->boot.firmware != VIOMMU_FIRMWARE_BIOS &&
           (!request->boot.kernel.path || model == VIOMMU_MODEL_VIRTIO ||
            (model == VIOMMU_MODEL_SMMUV3 &&
             ((request->hostdevs && request->hostdevs->len > 0) || viommu_iommu_several(request))));
}

bool viommu_iommu_several(const ViommuRequest *request)
{
    return request->iommu.count != VIOMMU_UNSET_NUMBER && request->iommu.count > 1;
}

/* With UEFI, smmuv3 is described by the IORT table alone, and before some QEMU there is no such
 * table without an ITS. */
static void judge_smmuv3_firmware(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    ViommuVersion machine = viommu_caps_machine_version(input->machine);
    bool old = machine && machine < VIOMMU_FACT_VIRT_ITS;
    ViommuFactId id = old ? VIOMMU_FACT_SMMUV3_ACPI_NO_ITS : VIOMMU_FACT_SMMUV3_ACPI_TCG;
    g_autofree char *needs = viommu_fact_needs(id);
    g_autofree char *had = viommu_fact_had(id, input->libvirt, input->emulator->qemu);
    g_autofree char *least = viommu_version_format_short(VIOMMU_FACT_VIRT_ITS);

    if (!viommu_iommu_takes_efi(input->request, input->arch, VIOMMU_MODEL_SMMUV3) ||
        viommu_emulator_has(input->emulator, input->libvirt, id))
        return;
    if (old)
        viommu_judge_refuse(
            judging,
            "machine '%s' has no ITS, and with UEFI QEMU then describes 'smmuv3' to the guest only in %s, but %s; use machine 'virt-%s' or newer, or boot a kernel directly (boot.kernel with boot.firmware 'bios')",
            input->machine, needs, had, least);
    else if (input->accelerator == VIOMMU_ACCELERATOR_TCG)
        viommu_judge_refuse(
            judging,
            "with UEFI and accelerator 'tcg', QEMU describes 'smmuv3' to the guest only in %s, but %s; boot a kernel directly (boot.kernel with boot.firmware 'bios'), or use KVM",
            needs, had);
}

/* Only the VIOT table describes virtio to the guest, and on aarch64 only UEFI provides ACPI
 * tables. */
static bool needs_acpi(const ViommuJudging *judging)
{
    return judging->input->arch == VIOMMU_ARCH_AARCH64 && judging->model == VIOMMU_MODEL_VIRTIO;
}

static void judge_acpi(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;

    if (needs_acpi(judging) && input->request->boot.firmware == VIOMMU_FIRMWARE_BIOS)
        viommu_judge_refuse(
            judging,
            "'virtio' needs ACPI, which aarch64 has only with UEFI, but boot.firmware is 'bios'; set it to 'auto' or 'efi'");
}

static void judge_firmware(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;

    if (input->arch == VIOMMU_ARCH_AARCH64 && judging->model == VIOMMU_MODEL_SMMUV3)
        judge_smmuv3_firmware(judging);
    if (needs_acpi(judging) && input->request->boot.firmware != VIOMMU_FIRMWARE_BIOS &&
        (!viommu_emulator_has_firmware(input->emulator, VIOMMU_FIRMWARE_EFI) ||
         !viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_FIRMWARE_EFI)))
        viommu_judge_refuse(
            judging,
            "'virtio' needs ACPI, which aarch64 has only with UEFI, but this host has no UEFI firmware for aarch64; install it (Debian: package qemu-efi-aarch64, Fedora: edk2-aarch64)");
}

static void judge_guest(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    ViommuGuest guest = {input->request, input->kernel,
                         viommu_iommu_takes_efi(input->request, input->arch, judging->model)};
    g_autofree char *why = NULL;

    switch (input->only_interrupts ? viommu_guest_remapper(&guest, input->arch, judging->model, &why)
                                   : viommu_guest_driver(&guest, input->arch, judging->model, &why)) {
    case VIOMMU_DRIVER_NO:
        viommu_judge_refuse(judging, "%s", why);
        break;
    case VIOMMU_DRIVER_OFF:
    case VIOMMU_DRIVER_MODULE:
        judging->candidate->by_name_only = true;
        viommu_judge_note(judging, "%s", why);
        break;
    case VIOMMU_DRIVER_YES:
    case VIOMMU_DRIVER_UNKNOWN:
    case VIOMMU_DRIVER_LAST:
        break;
    }
}

static void judge_attributes(const ViommuJudging *judging)
{
    viommu_iommu_attributes_judge(judging);
}

bool viommu_iommu_has_legacy_virtio(const ViommuIommuInput *input)
{
    ViommuVersion machine = viommu_caps_machine_version(input->machine);

    return machine && machine < VIOMMU_FACT_MODERN_VIRTIO;
}

static void judge_translation(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    g_autofree char *modern = viommu_version_format_short(VIOMMU_FACT_MODERN_VIRTIO);
    g_autofree char *key = viommu_request_translate_key(input->request);

    if (!key)
        return;
    if (viommu_iommu_has_legacy_virtio(input))
        viommu_judge_refuse(
            judging,
            "%s is true, but QEMU puts no virtio device of machine '%s' behind an IOMMU; use machine version %s or newer",
            key, input->machine, modern);
    if (judging->model == VIOMMU_MODEL_AMD)
        viommu_judge_refuse(
            judging,
            "%s is true, but behind 'amd' virtio devices hang the guest, because libvirt cannot enable dma-remap",
            key);
    else if (!viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_DEVICE_TRANSLATION))
        refuse_fact(judging, VIOMMU_FACT_DEVICE_TRANSLATION, key);
}

static void judge_usefulness(const ViommuJudging *judging)
{
    if (judging->model != VIOMMU_MODEL_AMD)
        return;
    judging->candidate->by_name_only = true;
    if (judging->candidate->verdict == VIOMMU_VERDICT_REFUSED)
        return;
    viommu_judge_note(
        judging,
        "'amd' remaps interrupts, but libvirt cannot enable its DMA remapping; it is chosen only when the request names it");
}

/* --- Assigned devices (FACTS 6.3) --- */

static void refuse_hostdev_versions(const ViommuJudging *judging, ViommuFactId id)
{
    g_autofree char *subject = g_strdup_printf(
        "to serve assigned devices, '%s'%s", judging->name,
        id == VIOMMU_FACT_SMMUV3_ACCEL
            ? " must be accelerated (QEMU's plain one does not report the guest's mappings), which"
            : "");

    refuse_fact(judging, id, subject);
}

/* QEMU: "aw-bits 48 > host aw-bits 39". */
static void judge_hostdev_width(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    uint64_t width = input->placement->width_bits, asked = input->request->iommu.aw_bits;

    if (width == VIOMMU_UNSET_NUMBER)
        return;
    if (width < VIOMMU_INTEL_NARROW_BITS)
        viommu_judge_refuse(judging,
                            "the host's IOMMU of an assigned device translates %" G_GUINT64_FORMAT
                            " bits, but 'intel' has at least %u",
                            width, VIOMMU_INTEL_NARROW_BITS);
    else if (asked != VIOMMU_UNSET_NUMBER && asked > width)
        viommu_judge_refuse(judging,
                            "iommu.aw-bits is %" G_GUINT64_FORMAT
                            ", but the host's IOMMU of an assigned device translates %" G_GUINT64_FORMAT
                            " bits",
                            asked, width);
}

static void judge_hostdev_intel(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;

    if (!viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_INTEL_HOSTDEV) ||
        !viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_INTEL_CACHING_MODE))
        refuse_hostdev_versions(judging, VIOMMU_FACT_INTEL_HOSTDEV);
    else if (input->request->iommu.caching_mode == 0)
        viommu_judge_refuse(
            judging,
            "iommu.caching-mode is false, but 'intel' needs it to serve assigned devices: without it QEMU does not see the guest's mappings; leave it out");
    judge_hostdev_width(judging);
}

/* libvirt cannot set "auto", the default of newer releases of QEMU. */
static void judge_range_invalidation(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    g_autofree char *range = NULL, *needs = NULL, *had = NULL, *why = NULL;

    if (!viommu_flaw_is_in(VIOMMU_FLAW_SMMUV3_RIL, input->emulator->qemu) ||
        viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_SMMUV3_RIL))
        return;
    range = viommu_flaw_range(VIOMMU_FLAW_SMMUV3_RIL, input->emulator->qemu);
    needs = viommu_fact_needs(VIOMMU_FACT_SMMUV3_RIL);
    had = viommu_fact_had(VIOMMU_FACT_SMMUV3_RIL, input->libvirt, input->emulator->qemu);
    why = input->emulator->refuses & VIOMMU_BIT(VIOMMU_FACT_SMMUV3_RIL)
              ? g_strdup("libvirt reports that it cannot")
              : g_strdup_printf("that needs %s, but %s", needs, had);
    viommu_judge_refuse(
        judging,
        "the accelerated 'smmuv3' of %s starts only on a host whose SMMU has range invalidation, unless libvirt switches that off: %s; upgrade QEMU",
        range, why);
}

/* Each requirement builds on the one before: the first that is missing is the first to fix. */
static void judge_hostdev_smmuv3(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    static const char why[] = "'smmuv3' serves assigned devices only when accelerated, which needs";
    const GPtrArray *devices = input->placement->devices;

    if (!viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_SMMUV3_ACCEL)) {
        refuse_hostdev_versions(judging, VIOMMU_FACT_SMMUV3_ACCEL);
        return;
    }
    if (input->accelerator != VIOMMU_ACCELERATOR_KVM)
        viommu_judge_refuse(judging, "%s KVM, but the accelerator is 'tcg'", why);
    judge_range_invalidation(judging);
    for (guint i = 0; i < devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(devices, i);

        if (device->iommufd)
            continue;
        viommu_judge_refuse(judging, "%s iommufd for every device, but %s does not use it: %s", why,
                            device->address, device->backend_reason);
        break;
    }
    for (guint i = 0; i < devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(devices, i);

        if (device->iommu_kind == VIOMMU_IOMMU_KIND_SMMUV3)
            continue;
        viommu_judge_refuse(judging, "%s an SMMUv3 of the host for every device, but %s is behind %s", why,
                            device->address,
                            device->iommu ? device->iommu : "an IOMMU that viommud cannot see");
        break;
    }
    if (input->host_kernel && input->host_kernel < viommu_fact(VIOMMU_FACT_SMMUV3_ACCEL)->host_kernel) {
        g_autofree char *needs = viommu_fact_kernel(VIOMMU_FACT_SMMUV3_ACCEL, true);
        g_autofree char *kernel = viommu_version_format(input->host_kernel);

        viommu_judge_refuse(judging, "%s %s or newer on the host (ARM_SMMU_V3_IOMMUFD), but this host has %s",
                            why, needs, kernel);
    }
    if (!viommu_iommu_takes_efi(input->request, input->arch, VIOMMU_MODEL_SMMUV3))
        viommu_judge_refuse(
            judging,
            "%s ACPI, and so UEFI, because only the IORT table describes further SMMUs, but boot.firmware is 'bios'; set it to 'auto' or 'efi'",
            why);
}

static void judge_hostdevs(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;

    if (!viommu_iommu_has_hostdevs(input))
        return;
    /* hw/vfio: "group %d used in multiple address spaces"; with iommufd, the kernel refuses the
     * same. */
    if (input->placement->shared_group != VIOMMU_UNSET_NUMBER)
        viommu_judge_refuse(
            judging,
            "several assigned devices are in the host's IOMMU group %" G_GUINT64_FORMAT
            ", which has one address space, but an IOMMU of the guest gives each device its own, and several of one group are not known to work; assign one of them and detach the others from the host (virsh nodedev-detach pci_...), or ask for no IOMMU (iommu.is-supported false)",
            input->placement->shared_group);
    switch (judging->model) {
    case VIOMMU_MODEL_INTEL:
        judge_hostdev_intel(judging);
        break;
    case VIOMMU_MODEL_SMMUV3:
        judge_hostdev_smmuv3(judging);
        break;
    case VIOMMU_MODEL_VIRTIO:
        if (!viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_VIRTIO_HOSTDEV))
            refuse_hostdev_versions(judging, VIOMMU_FACT_VIRTIO_HOSTDEV);
        break;
    case VIOMMU_MODEL_AMD:
        viommu_judge_refuse(
            judging,
            "'amd' cannot serve assigned devices: that needs QEMU's dma-remap, which no libvirt release can enable");
        break;
    case VIOMMU_MODEL_NONE:
    case VIOMMU_MODEL_LAST:
        break;
    }
}

/* QEMU reads an IOMMU's tables and queues, which the guest's kernel keeps in its memory: Linux 6.12
 * drivers/iommu/intel/iommu.c and drivers/virtio/virtio_ring.c. */
static void judge_encryption(const ViommuJudging *judging)
{
    int kind = judging->input->request->launch_security.type;

    if (kind != VIOMMU_UNSET)
        viommu_judge_refuse(
            judging,
            "QEMU reads the tables and queues of '%s' in the guest's memory, which launch-security '%s' encrypts; ask for no IOMMU (iommu.is-supported false), or omit launch-security",
            judging->name, viommu_enum_to_string(&viommu_enum_launch_security, kind));
}

static void judge_veto(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;

    for (size_t i = 0; i < input->n_vetoes; i++)
        if (input->vetoes[i].model == judging->model)
            viommu_judge_refuse(judging, "libvirt refuses '%s': %s", judging->name, input->vetoes[i].text);
}

const ViommuIommuRule viommu_iommu_rules[] = {
    {VIOMMU_RULE_ARCH, judge_arch},
    {VIOMMU_RULE_MACHINE, judge_machine},
    {VIOMMU_RULE_LIBVIRT_VERSION, judge_libvirt},
    {VIOMMU_RULE_QEMU_VERSION, judge_qemu},
    {VIOMMU_RULE_LIBVIRT_SAYS, judge_observation},
    {VIOMMU_RULE_ACCELERATOR, judge_accelerator},
    {VIOMMU_RULE_VCPUS, judge_vcpus},
    {VIOMMU_RULE_ACPI, judge_acpi},
    {VIOMMU_RULE_FIRMWARE, judge_firmware},
    {VIOMMU_RULE_GUEST, judge_guest},
    {VIOMMU_RULE_ATTRIBUTE, judge_attributes},
    {VIOMMU_RULE_TRANSLATE, judge_translation},
    {VIOMMU_RULE_HOSTDEV, judge_hostdevs},
    {VIOMMU_RULE_LAUNCH_SECURITY, judge_encryption},
    {VIOMMU_RULE_BY_NAME, judge_usefulness},
    {VIOMMU_RULE_LIBVIRT, judge_veto},
    {VIOMMU_RULE_LAST, NULL},
};

void viommu_iommu_judge(const ViommuIommuInput *input, ViommuModel model, ViommuCandidate *candidate)
{
    candidate->verdict = VIOMMU_VERDICT_POSSIBLE;
    for (const ViommuIommuRule *row = viommu_iommu_rules; row->judge; row++) {
        const ViommuJudging judging = {input, model, viommu_model_to_string(model), candidate, row->rule};

        row->judge(&judging);
        if (!at_home(input, model))
            return;
    }
}

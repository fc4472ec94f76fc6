/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan.h"

#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/facts.h"
#include "lib/guest.h"
#include "lib/iommu-rules.h"
#include "lib/memory.h"
#include "lib/nearest.h"
#include "lib/plan-hostdevs.h"

/* GICv2 addresses eight CPUs. */
#define GICV2_VCPUS 8

typedef struct Build {
    const ViommuPlanInput *input;
    const ViommuRequest *request;
    const ViommuEmulator *emulator;
    ViommuPlan *plan;
    GPtrArray *reasons; /* of ViommuReason: why the machine as a whole cannot be */
} Build;

static bool refuse(Build *build, const char *rule, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static bool refuse(Build *build, const char *rule, GError **error, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(build->reasons, viommu_reason_new(VIOMMU_MODEL_NONE, rule, "%s", text));
    g_set_error_literal(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED, text);
    return false;
}

static void note(Build *build, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void note(Build *build, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(build->plan->notes, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

char *viommu_plan_default_name(const ViommuRequest *request)
{
    g_autofree char *fingerprint = viommu_request_fingerprint(request);

    return g_strdup_printf("vm-%.10s", fingerprint);
}

/* A UUID of version 8 (our own making) out of the request's fingerprint. */
static char *derived_uuid(const ViommuRequest *request)
{
    g_autofree char *digits = viommu_request_fingerprint(request);

    digits[12] = '8';
    digits[16] = 'a';
    return g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12, digits + 16,
                           digits + 20);
}

static bool settle_arch(Build *build, GError **error)
{
    const ViommuHost *host = build->input->host;
    ViommuPlan *plan = build->plan;
    int arch = build->request->arch ? viommu_enum_from_string(&viommu_enum_arch, build->request->arch)
                                    : viommu_host_arch(host);

    if (!host->emulators || host->emulators->len == 0)
        return refuse(
            build, "emulator", error,
            "this host has no QEMU that libvirt knows (Debian: packages qemu-system-x86, qemu-system-arm)");
    if (arch == VIOMMU_UNSET)
        return refuse(build, "arch", error,
                      "viommud launches no machines of this host's own architecture%s%s%s; say arch",
                      host->arch_name ? " '" : "", host->arch_name ? host->arch_name : "",
                      host->arch_name ? "'" : "");
    plan->arch = (ViommuArch)arch;
    build->emulator = viommu_host_emulator(host, plan->arch);
    if (!build->emulator)
        return refuse(build, "emulator", error, "this host has no emulator for %s (Debian: package %s)",
                      viommu_arch_to_string(plan->arch),
                      plan->arch == VIOMMU_ARCH_X86_64 ? "qemu-system-x86" : "qemu-system-arm");
    if (!build->request->arch)
        note(build, "arch %s, the host's own", viommu_arch_to_string(plan->arch));
    plan->emulator = g_strdup(build->emulator->path);
    return true;
}

/* libvirt refuses to run a QEMU below its floor, whatever the machine is. */
static bool check_versions(Build *build, GError **error)
{
    ViommuVersion floor = viommu_fact_qemu_floor(build->input->host->libvirt);
    g_autofree char *has = NULL, *needs = NULL, *libvirt = NULL;

    if (build->emulator->qemu >= floor)
        return true;
    has = viommu_version_format(build->emulator->qemu);
    needs = viommu_version_format_short(floor);
    libvirt = viommu_version_format(build->input->host->libvirt);
    return refuse(build, "qemu-version", error,
                  "libvirt %s needs QEMU %s or newer, but the emulator for %s is %s", libvirt, needs,
                  viommu_arch_to_string(build->plan->arch), has);
}

static const struct {
    const char *name;   /* the machine itself, or its alias */
    const char *prefix; /* of versioned names */
    ViommuFamily family;
} families[] = {
    {"q35", "pc-q35-", VIOMMU_FAMILY_Q35},
    {"virt", "virt-", VIOMMU_FAMILY_VIRT},
    {"pc", "pc-i440fx-", VIOMMU_FAMILY_I440FX},
};

static int family_of(const char *machine)
{
    for (size_t i = 0; i < G_N_ELEMENTS(families); i++)
        if (g_str_equal(machine, families[i].name) || g_str_has_prefix(machine, families[i].prefix))
            return (int)families[i].family;
    return VIOMMU_UNSET;
}

/* Machines that people may ask for, and why there is no IOMMU on them. */
static const struct {
    const char *name, *why;
} other_machines[] = {
    {"microvm", "it has no ACPI table and no PCI bus that an IOMMU could be described on"},
    {"isapc", "it has no PCI bus"},
    {"xenfv", "it is a machine for Xen"},
    {"sbsa-ref", "libvirt has no IOMMU model for it"},
    {"raspi", "it has no PCI bus that an IOMMU could stand before"},
    {"none", "it is empty"},
};

static bool refuse_machine(Build *build, const char *machine, GError **error)
{
    const char *known[] = {"q35", "virt", "pc"};
    const char *near = viommu_nearest(machine, known, G_N_ELEMENTS(known));

    for (size_t i = 0; i < G_N_ELEMENTS(other_machines); i++)
        if (g_str_has_prefix(machine, other_machines[i].name))
            return refuse(build, "machine", error,
                          "machine '%s' is not supported: %s; use q35 (x86_64) or virt (aarch64)", machine,
                          other_machines[i].why);
    return refuse(build, "machine", error, "machine '%s' is not known; %s%s%s", machine,
                  near ? "did you mean '" : "use q35 (x86_64) or virt (aarch64)", near ? near : "",
                  near ? "'?" : "");
}

static bool machine_is_there(const ViommuEmulator *emulator, const char *machine, bool said)
{
    if (!emulator->machines)
        return true;
    if (g_strv_contains((const char *const *)emulator->machines, machine))
        return true;
    for (char **name = emulator->machines; !said && *name; name++)
        if (family_of(*name) == family_of(machine))
            return true;
    return false;
}

static bool settle_machine(Build *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    bool x86 = plan->arch == VIOMMU_ARCH_X86_64;
    const char *machine = build->request->machine ? build->request->machine : x86 ? "q35" : "virt";
    int family = family_of(machine);

    if (family == VIOMMU_UNSET)
        return refuse_machine(build, machine, error);
    if ((family == VIOMMU_FAMILY_VIRT) == x86)
        return refuse(build, "machine", error, "machine '%s' does not exist on %s; use %s", machine,
                      viommu_arch_to_string(plan->arch), x86 ? "q35" : "virt");
    if (!machine_is_there(build->emulator, machine, build->request->machine != NULL))
        return refuse(build, "machine", error,
                      "machine '%s' is not among those of this host's emulator for %s", machine,
                      viommu_arch_to_string(plan->arch));
    if (!build->request->machine)
        note(build, "machine %s by default", machine);
    plan->family = (ViommuFamily)family;
    plan->machine = g_strdup(machine);
    return true;
}

static bool settle_accelerator(Build *build, GError **error)
{
    unsigned there = build->emulator->accelerators;
    bool kvm = there & (1u << VIOMMU_ACCELERATOR_KVM), tcg = there & (1u << VIOMMU_ACCELERATOR_TCG);
    int wanted = build->request->accelerator;
    bool said = wanted != VIOMMU_UNSET && wanted != VIOMMU_ACCELERATOR_AUTO;

    if (!said)
        wanted = (int)build->input->policy->accelerator;
    if (wanted == VIOMMU_ACCELERATOR_AUTO)
        wanted = kvm ? VIOMMU_ACCELERATOR_KVM : VIOMMU_ACCELERATOR_TCG;
    if ((wanted == VIOMMU_ACCELERATOR_KVM && !kvm) || (wanted == VIOMMU_ACCELERATOR_TCG && !tcg))
        return refuse(build, "accelerator", error, "accelerator '%s' is not available for %s on this host%s",
                      viommu_enum_to_string(&viommu_enum_accelerator, wanted),
                      viommu_arch_to_string(build->plan->arch),
                      kvm || tcg ? kvm ? "; 'kvm' is" : "; 'tcg' is" : "");
    build->plan->accelerator = (ViommuAccelerator)wanted;
    if (!said)
        note(build, "accelerator %s, %s", viommu_enum_to_string(&viommu_enum_accelerator, wanted),
             build->input->policy->accelerator == VIOMMU_ACCELERATOR_AUTO
                 ? "the best that libvirt offers here"
                 : "the site's setting");
    return true;
}

static bool settle_vcpus(Build *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    uint64_t most = viommu_fact_max_vcpus(plan->family, plan->machine, build->emulator->qemu);

    /* What was recorded of the host holds for its default machine. */
    if (build->emulator->max_vcpus != VIOMMU_UNSET_NUMBER && !strchr(plan->machine, '-') &&
        plan->family != VIOMMU_FAMILY_I440FX)
        most = build->emulator->max_vcpus;
    if (plan->family == VIOMMU_FAMILY_VIRT && plan->accelerator == VIOMMU_ACCELERATOR_TCG &&
        !viommu_emulator_has(build->emulator, build->input->host->libvirt, VIOMMU_FACT_VIRT_MANY_VCPUS_TCG))
        most = MIN(most, VIOMMU_FACT_VIRT_FEW_VCPUS);
    plan->vcpus = build->request->vcpus == VIOMMU_UNSET_NUMBER ? build->input->policy->default_vcpus
                                                               : build->request->vcpus;
    if (plan->vcpus > most)
        return refuse(build, "max-vcpus", error,
                      "vcpus %" G_GUINT64_FORMAT
                      " is more than machine '%s' of this QEMU takes: %" G_GUINT64_FORMAT,
                      plan->vcpus, plan->machine, most);
    if (build->request->vcpus == VIOMMU_UNSET_NUMBER)
        note(build, "%" G_GUINT64_FORMAT " vCPU%s by default", plan->vcpus, plan->vcpus == 1 ? "" : "s");
    if (plan->arch == VIOMMU_ARCH_AARCH64 && plan->accelerator == VIOMMU_ACCELERATOR_TCG &&
        plan->vcpus > GICV2_VCPUS)
        plan->gic_version = 3;
    return true;
}

/* One of the two halves of plan-hostdevs. */
static bool settle_hostdevs(Build *build,
                            bool (*settle)(const ViommuPlanInput *input, const ViommuEmulator *emulator,
                                           ViommuPlan *plan, const char **ret_rule, GError **error),
                            GError **error)
{
    g_autoptr(GError) local = NULL;
    const char *rule = NULL;

    if (settle(build->input, build->emulator, build->plan, &rule, &local))
        return true;
    g_ptr_array_add(build->reasons, viommu_reason_new(VIOMMU_MODEL_NONE, rule, "%s", local->message));
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

static bool settle_memory(Build *build, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (viommu_memory_plan(build->request, build->input->host, build->input->policy, build->plan, &local)) {
        if (build->request->memory_bytes == VIOMMU_UNSET_NUMBER)
            note(build, "memory %" G_GUINT64_FORMAT " MiB by default", build->plan->memory_bytes >> 20);
        return true;
    }
    if (g_error_matches(local, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED))
        return refuse(build, "memory", error, "%s", local->message);
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

static bool settle_iommu(Build *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    ViommuIommuInput input = {
        .request = build->request,
        .policy = build->input->policy,
        .libvirt = build->input->host->libvirt,
        .emulator = build->emulator,
        .arch = plan->arch,
        .family = plan->family,
        .accelerator = plan->accelerator,
        .vcpus = plan->vcpus,
        .kernel = build->input->kernel,
        .placement = &plan->placement,
        .vetoes = build->input->vetoes,
        .n_vetoes = build->input->n_vetoes,
    };
    const char *os = build->request->guest.os;

    if (os && !viommu_guest_os_find(os)) {
        const char *near = viommu_guest_os_nearest(os);

        g_ptr_array_add(
            plan->warnings,
            g_strdup_printf("guest.os '%s' is not known%s%s%s: its IOMMU drivers were not checked; say "
                            "guest.kernel or guest.drivers",
                            os, near ? " (nearest: '" : "", near ? near : "", near ? "')" : ""));
    }
    if (!viommu_iommu_choose(&input, &plan->iommu, plan->warnings, error))
        return false;
    plan->ioapic_split = plan->iommu.attributes.intremap == 1;
    return true;
}

static bool settle_firmware(Build *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    const ViommuRequest *request = build->request;
    bool arm = plan->arch == VIOMMU_ARCH_AARCH64;
    bool efi = viommu_iommu_takes_efi(request, plan->arch, plan->iommu.model);
    ViommuVersion libvirt = build->input->host->libvirt;

    plan->firmware = efi ? VIOMMU_FIRMWARE_EFI : VIOMMU_FIRMWARE_BIOS;
    plan->acpi = efi || !arm;
    if (!viommu_emulator_has_firmware(build->emulator, plan->firmware))
        return refuse(build, "firmware", error, "this host has no %s firmware for %s%s",
                      efi ? "UEFI" : "BIOS", viommu_arch_to_string(plan->arch),
                      !efi  ? ""
                      : arm ? " (Debian: package qemu-efi-aarch64)"
                            : " (Debian: package ovmf)");
    if (efi && !viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_FIRMWARE_EFI))
        return refuse(build, "firmware", error,
                      "UEFI needs libvirt 5.2 or newer, which chooses the firmware image");
    if (arm && !efi && !request->boot.kernel.path)
        g_ptr_array_add(plan->warnings,
                        g_strdup("nothing to boot: boot.firmware 'bios' on aarch64 means a direct kernel "
                                 "boot, but there is no boot.kernel"));
    if (efi) {
        plan->secure_boot = request->boot.secure_boot == 1;
        plan->secure_boot_by = viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_FIRMWARE_FEATURE)
                                   ? VIOMMU_SECURE_BOOT_FEATURE
                                   : VIOMMU_SECURE_BOOT_LOADER;
        plan->firmware_stateful =
            viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_FIRMWARE_STATEFUL);
    }
    if (request->boot.firmware == VIOMMU_UNSET || request->boot.firmware == VIOMMU_FIRMWARE_AUTO)
        note(build, "firmware %s",
             efi   ? plan->iommu.model == VIOMMU_MODEL_VIRTIO && arm
                         ? "UEFI with secure boot off: the VIOT table needs ACPI"
                         : "UEFI"
             : arm ? "none: the kernel is booted directly, with a device tree"
                   : "BIOS");
    return true;
}

static void plan_disk_free(void *data)
{
    ViommuPlanDisk *disk = data;

    g_free(disk->path);
    g_clear_pointer(&disk->backing, g_ptr_array_unref);
    g_free(disk);
}

static void plan_network_free(void *data)
{
    ViommuPlanNetwork *network = data;

    g_free(network->source);
    g_free(network);
}

/* How libvirt gets disk @i; NULL in a dry run. */
static const ViommuHandover *disk_handover(const Build *build, guint i)
{
    return build->input->handovers ? g_ptr_array_index(build->input->handovers->disks, i) : NULL;
}

static bool refuse_open_disk(Build *build, guint i, const char *path, GError **error)
{
    g_autofree char *libvirt = viommu_version_format(build->input->host->libvirt);

    return refuse(
        build, "disk", error,
        "disks[%u].path '%s' would have to be given to libvirt as an open file, as others than root can "
        "put another file in its place; that needs libvirt 9.0.0, and this is %s; move the image into a "
        "directory that only root can write to, such as /var/lib/libvirt/images",
        i, path, libvirt);
}

/* libvirt: "readonly sata disks are not supported". */
static bool check_disks(Build *build, GError **error)
{
    ViommuVersion libvirt = build->input->host->libvirt;

    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++) {
        const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);
        const ViommuHandover *handover = disk_handover(build, i);

        if (disk->bus == VIOMMU_DISK_BUS_SATA && disk->read_only == 1)
            return refuse(build, "disk", error,
                          "disks[%u].read-only is not possible with bus 'sata'; use 'virtio' or 'scsi'", i);
        if (handover && handover->is_open && !viommu_fact_holds(VIOMMU_FACT_OPEN_DISK, libvirt, 0))
            return refuse_open_disk(build, i, disk->file.path, error);
    }
    return true;
}

/* virtio disks and SCSI disks number apart, as the guest does; SATA and SCSI share the letters of sd. */
static void settle_disks(Build *build)
{
    ViommuPlan *plan = build->plan;
    char letters[2] = {'a', 'a'};

    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++) {
        const ViommuRequestDisk *asked = g_ptr_array_index(build->request->disks, i);
        const ViommuHandover *handover = disk_handover(build, i);
        ViommuPlanDisk *disk = g_new0(ViommuPlanDisk, 1);
        bool is_virtio;

        disk->path = g_strdup(handover ? handover->path : asked->file.path);
        disk->is_open = handover && handover->is_open;
        disk->is_block = handover && handover->is_block;
        disk->backing = handover && handover->backing ? g_ptr_array_ref(handover->backing) : NULL;
        disk->format = (ViommuDiskFormat)asked->format;
        disk->bus = asked->bus == VIOMMU_UNSET ? VIOMMU_DISK_BUS_VIRTIO : (ViommuDiskBus)asked->bus;
        disk->read_only = asked->read_only == 1;
        is_virtio = disk->bus == VIOMMU_DISK_BUS_VIRTIO;
        disk->translated = plan->iommu.translate && is_virtio;
        snprintf(disk->target, sizeof(disk->target), "%cd%c", is_virtio ? 'v' : 's', letters[is_virtio]++);
        plan->scsi_controller = plan->scsi_controller || disk->bus == VIOMMU_DISK_BUS_SCSI;
        g_ptr_array_add(plan->disks, disk);
    }
}

static void settle_devices(Build *build)
{
    ViommuPlan *plan = build->plan;

    settle_disks(build);
    for (guint i = 0; build->request->networks && i < build->request->networks->len; i++) {
        const ViommuRequestNetwork *asked = g_ptr_array_index(build->request->networks, i);
        ViommuPlanNetwork *network = g_new0(ViommuPlanNetwork, 1);

        network->type = (ViommuNetworkType)asked->type;
        network->source = g_strdup(asked->source);
        network->model =
            asked->model == VIOMMU_UNSET ? VIOMMU_NETWORK_MODEL_VIRTIO : (ViommuNetworkModel)asked->model;
        network->translated = plan->iommu.translate && network->model == VIOMMU_NETWORK_MODEL_VIRTIO;
        g_ptr_array_add(plan->networks, network);
    }
    plan->translate_controllers = plan->iommu.translate;
    if (plan->iommu.translate)
        note(build, "the DMA of every virtio device that can goes through the IOMMU");
}

static void settle_cmdline(Build *build)
{
    ViommuPlan *plan = build->plan;
    const char *asked = build->request->boot.cmdline;
    ViommuGuest guest = {build->request, build->input->kernel};
    const char *missing = plan->iommu.model == VIOMMU_MODEL_NONE
                              ? NULL
                              : viommu_guest_missing_words(&guest, plan->arch, plan->iommu.model);

    if (!missing) {
        plan->cmdline = g_strdup(asked);
        return;
    }
    plan->cmdline = asked ? g_strdup_printf("%s %s", asked, missing) : g_strdup(missing);
    note(build, "'%s' is added to the kernel's command line, as boot.extend-cmdline allows", missing);
}

static void settle_cpu(Build *build)
{
    ViommuPlan *plan = build->plan;

    if (plan->accelerator == VIOMMU_ACCELERATOR_KVM) {
        plan->cpu_mode = VIOMMU_CPU_MODE_HOST_PASSTHROUGH;
    } else if (viommu_emulator_has(build->emulator, build->input->host->libvirt, VIOMMU_FACT_CPU_MAXIMUM)) {
        plan->cpu_mode = VIOMMU_CPU_MODE_MAXIMUM;
    } else if (plan->arch == VIOMMU_ARCH_AARCH64) {
        /* QEMU's default for "virt" is a cortex-a15, which has 32 bits: no guest says a word (libvirt 7.0, QEMU 5.2). */
        plan->cpu_mode = VIOMMU_CPU_MODE_CUSTOM;
        plan->cpu_model = "cortex-a57";
    } else {
        plan->cpu_mode = VIOMMU_CPU_MODE_DEFAULT;
    }
}

static void settle_rest(Build *build)
{
    ViommuPlan *plan = build->plan;
    const ViommuRequest *request = build->request;
    const ViommuPlanInput *input = build->input;

    settle_cpu(build);
    plan->name = input->name     ? g_strdup(input->name)
                 : request->name ? g_strdup(request->name)
                                 : viommu_plan_default_name(request);
    plan->uuid = input->uuid ? g_strdup(input->uuid) : derived_uuid(request);
    plan->kernel = g_strdup(input->handovers ? input->handovers->kernel.path : request->boot.kernel.path);
    plan->initrd = g_strdup(input->handovers ? input->handovers->initrd.path : request->boot.initrd.path);
    settle_cmdline(build);
    plan->wait = request->wait == VIOMMU_UNSET ? VIOMMU_WAIT_STARTED : (ViommuWait)request->wait;
    if (plan->ioapic_split)
        note(build, "the I/O APIC is split (driver 'qemu'): interrupt remapping needs it");
}

static bool build_plan(Build *build, GError **error)
{
    if (!settle_arch(build, error) || !check_versions(build, error) || !settle_machine(build, error) ||
        !settle_accelerator(build, error) || !settle_vcpus(build, error) ||
        !settle_hostdevs(build, viommu_plan_hostdevs_place, error) || !settle_memory(build, error) ||
        !settle_iommu(build, error) || !settle_hostdevs(build, viommu_plan_hostdevs_settle, error) ||
        !settle_firmware(build, error) || !check_disks(build, error))
        return false;
    settle_devices(build);
    settle_rest(build);
    return true;
}

/* All that speaks against it: the machine's own reasons, or else every candidate's. */
static GPtrArray *collect_reasons(Build *build)
{
    GPtrArray *all = g_steal_pointer(&build->reasons);

    if (all->len > 0)
        return all;
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++) {
        GPtrArray *reasons = build->plan->iommu.candidates[model].reasons;

        for (guint i = 0; i < reasons->len; i++) {
            const ViommuReason *reason = g_ptr_array_index(reasons, i);

            g_ptr_array_add(all,
                            viommu_reason_new((ViommuModel)reason->model, reason->rule, "%s", reason->text));
        }
    }
    return all;
}

bool viommu_plan_build(const ViommuPlanInput *input, ViommuPlan **ret_plan, GPtrArray **ret_reasons,
                       GError **error)
{
    g_autoptr(ViommuPlan) plan = g_new0(ViommuPlan, 1);
    g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_reason_free);
    Build build = {.input = input, .request = input->request, .plan = plan, .reasons = reasons};

    viommu_iommu_choice_init(&plan->iommu);
    viommu_placement_init(&plan->placement);
    plan->warnings = g_ptr_array_new_with_free_func(g_free);
    plan->notes = g_ptr_array_new_with_free_func(g_free);
    plan->disks = g_ptr_array_new_with_free_func(plan_disk_free);
    plan->networks = g_ptr_array_new_with_free_func(plan_network_free);
    if (!build_plan(&build, error)) {
        g_steal_pointer(&reasons);
        if (ret_reasons)
            *ret_reasons = collect_reasons(&build);
        else
            g_ptr_array_unref(build.reasons);
        return false;
    }
    *ret_plan = g_steal_pointer(&plan);
    return true;
}

void viommu_plan_free(ViommuPlan *plan)
{
    if (!plan)
        return;
    g_free(plan->name);
    g_free(plan->uuid);
    g_free(plan->machine);
    g_free(plan->emulator);
    g_free(plan->kernel);
    g_free(plan->initrd);
    g_free(plan->cmdline);
    g_clear_pointer(&plan->disks, g_ptr_array_unref);
    g_clear_pointer(&plan->networks, g_ptr_array_unref);
    g_clear_pointer(&plan->warnings, g_ptr_array_unref);
    g_clear_pointer(&plan->notes, g_ptr_array_unref);
    viommu_iommu_choice_clear(&plan->iommu);
    viommu_placement_clear(&plan->placement);
    g_free(plan);
}

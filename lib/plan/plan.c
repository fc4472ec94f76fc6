/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/plan.h"

#include "lib/facts/facts.h"
#include "lib/base/cmdline.h"
#include "lib/guest/guest.h"
#include "lib/plan/iommu-rules.h"
#include "lib/plan/build.h"
#include "lib/request/boot-order.h"
#include "lib/request/site-image.h"

VIOMMU_ENUM_DEFINE(cpu_mode, "CPU mode", VIOMMU_CPU_MODE_LAST, "host-passthrough", "maximum", "custom",
                   "default");

const char *viommu_plan_guest_table(const ViommuPlan *plan)
{
    static const char *const acpi[VIOMMU_MODEL_LAST] = {
        [VIOMMU_MODEL_INTEL] = "DMAR",
        [VIOMMU_MODEL_SMMUV3] = "IORT",
        [VIOMMU_MODEL_VIRTIO] = "VIOT",
        [VIOMMU_MODEL_AMD] = "IVRS",
    };

    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        return NULL;
    return plan->acpi ? acpi[plan->iommu.model] : "device tree";
}

char *viommu_plan_default_name(const ViommuRequest *request)
{
    g_autofree char *fingerprint = viommu_request_fingerprint(request);

    return g_strdup_printf("vm-%.10s", fingerprint);
}

/* A UUID of version 8 (a custom format), derived from the request's fingerprint. */
static char *derived_uuid(const ViommuRequest *request)
{
    g_autofree char *digits = viommu_request_fingerprint(request);

    digits[12] = '8';
    digits[16] = 'a';
    return g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12, digits + 16,
                           digits + 20);
}

/* Warns of what is not known, or only assumed, of the guest's distribution. */
static void warn_of_os(ViommuPlanBuild *build)
{
    const char *name = build->request->guest.os;
    const ViommuGuestOs *os = name ? viommu_guest_os_find(name) : NULL;
    const char *near = name && !os ? viommu_guest_os_nearest(name) : NULL;
    const ViommuKernel *kernel = build->input->kernel;

    if (name && !os)
        viommu_plan_warn(
            build,
            "guest.os '%s' is not known%s%s%s, so the guest's IOMMU drivers were not checked; set guest.kernel or guest.drivers",
            name, near ? " (nearest: '" : "", near ? near : "", near ? "')" : "");
    if (os && viommu_guest_os_is_newest(os, name))
        viommu_plan_note(build, "guest.os '%s' names no release; '%s' is the newest that is known", name,
                         os->name);
    if (os && os->advice && !build->request->guest.drivers && !(kernel && kernel->configured))
        viommu_plan_warn(build, "guest.os '%s': %s", name, os->advice);
}

static bool settle_iommu(ViommuPlanBuild *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    uint64_t host_width_bits = VIOMMU_UNSET_NUMBER;
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
        .host_kernel = build->input->host->topology.kernel,
        .machine = plan->machine,
        .host_page_bytes = viommu_host_page_bytes(build->input->host),
        .plugs_hostdevs = viommu_plan_plugs_hostdevs(build, &host_width_bits),
        .vetoes = build->input->vetoes,
        .n_vetoes = build->input->n_vetoes,
    };

    input.host_width_bits = host_width_bits;
    build->rule = VIOMMU_RULE_LAST;
    warn_of_os(build);
    if (!viommu_iommu_choose(&input, &plan->iommu, plan->warnings, error))
        return false;
    plan->ioapic_split = plan->iommu.attributes.intremap == 1 || plan->launch_security.splits;
    viommu_plan_explain_iommu(build, &input);
    return true;
}

/* libvirt 7.0 and 9.0 src/qemu/qemu_validate.c (loader secure): only q35, whose SMM keeps the
 * variables; by firmware features, aarch64 has it, too. */
static bool check_secure_boot(ViommuPlanBuild *build, GError **error)
{
    const ViommuPlan *plan = build->plan;
    ViommuVersion libvirt = build->input->host->libvirt;
    g_autofree char *needs = NULL, *had = NULL;

    if (build->request->boot.secure_boot != 1)
        return true;
    if (plan->family == VIOMMU_FAMILY_I440FX)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_FIRMWARE, error,
            "boot.secure-boot needs machine 'q35' on x86_64, but machine is '%s'; leave machine out",
            plan->machine);
    if (plan->arch != VIOMMU_ARCH_AARCH64 ||
        viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_FIRMWARE_FEATURE))
        return true;
    needs = viommu_fact_needs(VIOMMU_FACT_FIRMWARE_FEATURE);
    had = viommu_fact_had(VIOMMU_FACT_FIRMWARE_FEATURE, libvirt, build->emulator->qemu);
    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_FIRMWARE, error,
                              "boot.secure-boot on aarch64 needs %s, but %s; leave it out", needs, had);
}

static bool settle_firmware(ViommuPlanBuild *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    const ViommuRequest *request = build->request;
    bool arm = plan->arch == VIOMMU_ARCH_AARCH64;
    bool efi = viommu_iommu_takes_efi(request, plan->arch, plan->iommu.model);
    ViommuVersion libvirt = build->input->host->libvirt;

    plan->firmware = efi ? VIOMMU_FIRMWARE_EFI : VIOMMU_FIRMWARE_BIOS;
    plan->acpi = efi || !arm;
    if (!viommu_emulator_has_firmware(build->emulator, plan->firmware))
        return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_FIRMWARE, error,
                                  "this host has no %s firmware for %s%s", efi ? "UEFI" : "BIOS",
                                  viommu_arch_to_string(plan->arch),
                                  !efi  ? ""
                                  : arm ? "; install it (Debian: package qemu-efi-aarch64)"
                                        : "; install it (Debian: package ovmf)");
    if (efi && !viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_FIRMWARE_EFI)) {
        g_autofree char *needs = viommu_fact_needs(VIOMMU_FACT_FIRMWARE_EFI);
        g_autofree char *had = viommu_fact_had(VIOMMU_FACT_FIRMWARE_EFI, libvirt, build->emulator->qemu);

        return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_FIRMWARE, error,
                                  "UEFI needs %s, which chooses the firmware image, but %s", needs, had);
    }
    if (!check_secure_boot(build, error))
        return false;
    if (arm && !efi && !request->boot.kernel.path)
        g_ptr_array_add(
            plan->warnings,
            g_strdup(
                "the machine has nothing to boot: on aarch64 boot.firmware 'bios' means a direct kernel boot, but there is no boot.kernel"));
    plan->firmware_stateless = plan->launch_security.kind != VIOMMU_UNSET;
    if (efi && !plan->firmware_stateless) {
        plan->secure_boot = request->boot.secure_boot == 1;
        plan->secure_boot_by = viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_FIRMWARE_FEATURE)
                                   ? VIOMMU_SECURE_BOOT_FEATURE
                                   : VIOMMU_SECURE_BOOT_LOADER;
        plan->firmware_stateful =
            viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_FIRMWARE_STATEFUL);
    }
    if (request->boot.firmware == VIOMMU_UNSET || request->boot.firmware == VIOMMU_FIRMWARE_AUTO)
        viommu_plan_note(build, "firmware %s",
                         efi   ? plan->iommu.model == VIOMMU_MODEL_VIRTIO && arm
                                     ? "UEFI with secure boot off, because the VIOT table needs ACPI"
                                     : "UEFI"
                         : arm ? "none: the kernel is booted directly, with a device tree"
                               : "BIOS");
    return true;
}

/* Adds @word before the words for init. */
static void add_word(ViommuPlanBuild *build, const char *word)
{
    g_autofree char *before = build->plan->cmdline;
    const char *init = before ? viommu_cmdline_init(before) : NULL;

    if (!before)
        build->plan->cmdline = g_strdup(word);
    else if (init)
        build->plan->cmdline = g_strdup_printf("%.*s%s %s", (int)(init - before), before, word, init);
    else
        build->plan->cmdline = g_strdup_printf("%s %s", before, word);
    viommu_plan_note(
        build, "'%s' is added to the kernel's command line, because boot.extend-cmdline allows it", word);
}

static void settle_cmdline(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    const char *asked = build->request->boot.cmdline;
    ViommuGuest guest = {build->request, build->input->kernel, plan->acpi};
    const char *missing = plan->iommu.model == VIOMMU_MODEL_NONE
                              ? NULL
                              : viommu_guest_missing_words(&guest, plan->arch, plan->iommu.model);

    plan->cmdline = g_strdup(asked);
    if (missing)
        add_word(build, missing);
    if (plan->timer_word)
        add_word(build, plan->timer_word);
}

/* libvirt keeps some files under the domain's name; the prefix keeps a request from reaching
 * another domain's files by its machine name.  A machine's firmware variables need more: of two
 * machines with the same name, one after the other, the second must not find the variables of the
 * first.  Where libvirt cannot be told a path for that file, the domain gets a name of its own. */
static void settle_domain(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    const ViommuPolicy *policy = build->input->policy;
    const char *prefix = policy->name_prefix ? policy->name_prefix : "";
    bool efi = plan->firmware == VIOMMU_FIRMWARE_EFI;
    bool by_path = viommu_emulator_has(build->emulator, build->input->host->libvirt, VIOMMU_FACT_NVRAM_PATH);

    if (efi && *prefix && !by_path)
        plan->domain = g_strdup_printf("%s%s-%.8s", prefix, plan->name, plan->uuid);
    else
        plan->domain = g_strconcat(prefix, plan->name, NULL);
    if (efi && by_path && policy->nvram_directory && !plan->firmware_stateless)
        plan->nvram = g_strdup_printf("%s/%s%s_VARS.fd", policy->nvram_directory, prefix, plan->uuid);
}

static void settle_names(ViommuPlanBuild *build)
{
    const ViommuRequest *request = build->request;
    const ViommuPlanInput *input = build->input;

    build->plan->name = input->name     ? g_strdup(input->name)
                        : request->name ? g_strdup(request->name)
                                        : viommu_plan_default_name(request);
    build->plan->uuid = input->uuid ? g_strdup(input->uuid) : derived_uuid(request);
}

static void settle_rest(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    const ViommuRequest *request = build->request;
    const ViommuPlanInput *input = build->input;
    g_autofree char *ordered = viommu_request_boot_order_key(request);

    plan->boots_in_order = ordered;
    viommu_plan_settle_cpu(build);
    settle_domain(build);
    plan->kernel = g_strdup(input->handovers ? input->handovers->kernel.path : request->boot.kernel.path);
    plan->initrd = g_strdup(input->handovers ? input->handovers->initrd.path : request->boot.initrd.path);
    settle_cmdline(build);
    plan->wait = request->wait == VIOMMU_UNSET ? VIOMMU_WAIT_STARTED : (ViommuWait)request->wait;
    if (plan->agent && request->guest.agent_offered)
        viommu_plan_note(build, "a channel for the guest's agent, which image '%s' has", request->image);
    else if (plan->agent && request->guest.agent == VIOMMU_UNSET)
        viommu_plan_note(build, "a channel for the guest's agent, because wait is '%s'",
                         viommu_enum_to_string(&viommu_enum_wait, (int)plan->wait));
    if (plan->ioapic_split && !plan->launch_security.splits)
        viommu_plan_note(build,
                         "the I/O APIC is split (driver 'qemu'), because interrupt remapping needs it");
}

static void note_image(ViommuPlanBuild *build)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, 0);
    g_autofree char *file = viommu_site_image_file_name(build->request->image);
    g_autofree char *directory = g_path_get_dirname(disk->file.path);

    viommu_plan_note(build, "image '%s' is '%s', as '%s/%s' says", build->request->image, disk->file.path,
                     directory, file);
}

/* Whoever reads the site's images puts them into the request. */
static bool settle_image(ViommuPlanBuild *build, GError **error)
{
    if (!build->request->image)
        return true;
    if (!build->request->image_is_known)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
            "image '%s' is a name of an image on the host of libvirt, whose files are not read here; launch the machine with a viommud on that host, give the image's file in disks, or use \"viommuctl plan --images\"",
            build->request->image);
    note_image(build);
    return true;
}

static bool build_plan(ViommuPlanBuild *build, GError **error)
{
    if (!settle_image(build, error) || !viommu_plan_check_policy(build, error) ||
        !viommu_plan_settle_agent(build, error) || !viommu_plan_settle_machine(build, error) ||
        !viommu_plan_check_launch_security(build, error) || !viommu_plan_settle_hostdevs(build, error) ||
        !viommu_plan_settle_memory(build, error) || !settle_iommu(build, error) ||
        !viommu_plan_settle_memlock(build, error))
        return false;
    viommu_plan_explain_hostdevs(build);
    if (!settle_firmware(build, error) || !viommu_plan_check_memory_plug(build, error) ||
        !viommu_plan_settle_address_space(build, error) || !viommu_plan_check_disks(build, error) ||
        !viommu_plan_check_files(build, error) || !viommu_plan_check_seed(build, error) ||
        !viommu_plan_check_networks(build, error) || !viommu_plan_check_user_networks(build, error) ||
        !viommu_plan_check_offloaded_networks(build, error) || !viommu_plan_check_cpu(build, error) ||
        !viommu_plan_check_vsock(build, error) || !viommu_plan_check_shares(build, error))
        return false;
    settle_names(build);
    viommu_plan_settle_rights(build);
    viommu_plan_settle_seed(build);
    viommu_plan_settle_devices(build);
    viommu_plan_settle_vsock(build);
    viommu_plan_settle_shares(build);
    viommu_plan_settle_memory_plug(build);
    if (!viommu_plan_settle_level(build, error))
        return false;
    viommu_plan_settle_pcie(build);
    settle_rest(build);
    viommu_plan_explain_movable(build);
    return true;
}

/* All reasons against the plan: that of the step that failed, or else every candidate's.  A
 * contradictory request has no rule. */
static GPtrArray *collect_reasons(const ViommuPlanBuild *build, const GError *error)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_reason_free);

    if (g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST))
        return all;
    if (build->rule != VIOMMU_RULE_LAST) {
        g_ptr_array_add(all, viommu_reason_new(VIOMMU_MODEL_NONE, build->rule, "%s", error->message));
        return all;
    }
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
    ViommuPlanBuild build = {
        .input = input, .request = input->request, .plan = plan, .rule = VIOMMU_RULE_LAST};
    g_autoptr(GError) local = NULL;

    viommu_iommu_choice_init(&plan->iommu);
    viommu_placement_init(&plan->placement);
    viommu_pcie_init(&plan->pcie);
    plan->warnings = g_ptr_array_new_with_free_func(g_free);
    plan->notes = g_ptr_array_new_with_free_func(g_free);
    viommu_plan_init_devices(plan);
    if (!build_plan(&build, &local)) {
        if (ret_reasons)
            *ret_reasons = collect_reasons(&build, local);
        g_propagate_error(error, g_steal_pointer(&local));
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
    g_free(plan->domain);
    g_free(plan->uuid);
    g_free(plan->nvram);
    g_free(plan->vsock_obstacle);
    g_free(plan->machine);
    g_free(plan->emulator);
    g_free(plan->kernel);
    g_free(plan->initrd);
    g_free(plan->cmdline);
    g_free(plan->label);
    g_free(plan->seed.path);
    g_free(plan->seed.hostname);
    g_strfreev(plan->seed.ssh_keys);
    g_clear_pointer(&plan->disks, g_ptr_array_unref);
    g_clear_pointer(&plan->networks, g_ptr_array_unref);
    g_clear_pointer(&plan->shares, g_ptr_array_unref);
    g_clear_pointer(&plan->warnings, g_ptr_array_unref);
    g_clear_pointer(&plan->notes, g_ptr_array_unref);
    viommu_iommu_choice_clear(&plan->iommu);
    viommu_placement_clear(&plan->placement);
    viommu_pcie_clear(&plan->pcie);
    g_clear_pointer(&plan->cells, g_array_unref);
    g_free(plan);
}

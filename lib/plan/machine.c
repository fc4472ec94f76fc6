/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: chooses emulator, machine, accelerator, vCPUs and CPU.  Does not know IOMMUs. */
#include <string.h>

#include "lib/facts/facts.h"
#include "lib/base/did-you-mean.h"
#include "lib/host/caps.h"
#include "lib/plan/build.h"

/* GICv2 addresses eight CPUs. */
#define GICV2_VCPUS 8

static bool settle_arch(ViommuPlanBuild *build, GError **error)
{
    const ViommuHost *host = build->input->host;
    ViommuPlan *plan = build->plan;
    int arch = build->request->arch ? viommu_enum_from_string(&viommu_enum_arch, build->request->arch)
                                    : viommu_host_arch(host);

    if (!host->emulators || host->emulators->len == 0)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_EMULATOR, error,
            "libvirt finds no QEMU on this host; install one (Debian: packages qemu-system-x86, qemu-system-arm)");
    if (arch == VIOMMU_UNSET)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_ARCH, error,
            "viommud does not support this host's own architecture%s%s%s; set arch to 'x86_64' or 'aarch64'",
            host->arch_name ? " '" : "", host->arch_name ? host->arch_name : "", host->arch_name ? "'" : "");
    plan->arch = (ViommuArch)arch;
    build->emulator = viommu_host_emulator(host, plan->arch);
    if (!build->emulator)
        return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_EMULATOR, error,
                                  "this host has no emulator for %s; install one (Debian: package %s)",
                                  viommu_arch_to_string(plan->arch),
                                  plan->arch == VIOMMU_ARCH_X86_64 ? "qemu-system-x86" : "qemu-system-arm");
    if (!build->request->arch)
        viommu_plan_note(build, "arch %s, the host's own", viommu_arch_to_string(plan->arch));
    plan->emulator = g_strdup(build->emulator->path);
    return true;
}

/* libvirt refuses a QEMU that is older than its minimum, for every machine. */
static bool check_versions(ViommuPlanBuild *build, GError **error)
{
    ViommuVersion floor = viommu_fact_qemu_floor(build->input->host->libvirt);
    g_autofree char *has = NULL, *needs = NULL, *libvirt = NULL;

    if (build->emulator->qemu >= floor)
        return true;
    has = viommu_version_format(build->emulator->qemu);
    needs = viommu_version_format_short(floor);
    libvirt = viommu_version_format(build->input->host->libvirt);
    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_QEMU_VERSION, error,
                              "libvirt %s needs QEMU %s or newer, but the emulator for %s is %s", libvirt,
                              needs, viommu_arch_to_string(build->plan->arch), has);
}

/* Machines that users may request, and why they have no IOMMU. */
static const struct {
    const char *name, *why;
} other_machines[] = {
    {"microvm", "it has no ACPI tables and no PCI bus, which an IOMMU needs"},
    {"isapc", "it has no PCI bus"},
    {"xenfv", "it is for Xen"},
    {"sbsa-ref", "libvirt has no IOMMU model for it"},
    {"raspi", "it has no PCI bus, which an IOMMU needs"},
    {"none", "it is empty"},
};

static bool refuse_machine(ViommuPlanBuild *build, const char *machine, GError **error)
{
    const char *near = viommu_nearest(machine, viommu_enum_family.words, VIOMMU_FAMILY_LAST);

    for (size_t i = 0; i < G_N_ELEMENTS(other_machines); i++)
        if (g_str_has_prefix(machine, other_machines[i].name))
            return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MACHINE, error,
                                      "machine '%s' is not supported: %s; use q35 (x86_64) or virt (aarch64)",
                                      machine, other_machines[i].why);
    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MACHINE, error,
                              "machine '%s' is not known; %s%s%s", machine,
                              near ? "did you mean '" : "use q35 (x86_64) or virt (aarch64)",
                              near ? near : "", near ? "'?" : "");
}

/* The name alone tells where libvirt lists no machines.  NULL: the machine may be there.  Owned. */
static char *why_not_there(const ViommuEmulator *emulator, const char *machine)
{
    ViommuVersion version = viommu_caps_machine_version(machine);
    g_autofree char *qemu = viommu_version_format(emulator->qemu);

    if (emulator->machines)
        return NULL;
    if (viommu_fact_machine_is_later(version, emulator->qemu))
        return g_strdup_printf("is newer than this host's QEMU, which is %s", qemu);
    if (viommu_fact_machine_is_removed(version, emulator->qemu))
        return g_strdup_printf("is older than the machines that this host's QEMU %s still has", qemu);
    return NULL;
}

static bool machine_is_there(const ViommuEmulator *emulator, const char *machine, bool said)
{
    if (!emulator->machines)
        return true;
    if (g_strv_contains((const char *const *)emulator->machines, machine))
        return true;
    for (char **name = emulator->machines; !said && *name; name++)
        if (viommu_family_of_machine(*name) == viommu_family_of_machine(machine))
            return true;
    return false;
}

/* The limit that libvirt reports, else that of the version in the machine's name; a distribution's
 * own name has no version.  VIOMMU_UNSET_NUMBER: not known. */
static uint64_t most_vcpus(const ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;
    const ViommuEmulator *emulator = build->emulator;
    bool is_alias = !strchr(plan->machine, '-'), is_i440fx = plan->family == VIOMMU_FAMILY_I440FX;
    /* libvirt reports the limit of the default machine, the newest; no other machine has a higher
     * one. */
    uint64_t bound = is_i440fx ? VIOMMU_UNSET_NUMBER : emulator->max_vcpus;
    uint64_t said = viommu_emulator_machine_vcpus(emulator, plan->machine);
    ViommuVersion version = is_alias ? emulator->qemu : viommu_caps_machine_version(plan->machine);

    if (said == VIOMMU_UNSET_NUMBER && (version || is_i440fx) && !(is_alias && bound != VIOMMU_UNSET_NUMBER))
        said = viommu_fact_max_vcpus(plan->family, version);
    return MIN(said, bound);
}

static bool settle_machine_type(ViommuPlanBuild *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    bool x86 = plan->arch == VIOMMU_ARCH_X86_64;
    const char *usual = viommu_arch_default_machine(plan->arch);
    const char *machine = build->request->machine ? build->request->machine : usual;
    int family = viommu_family_of_machine(machine);
    g_autofree char *missing = why_not_there(build->emulator, machine);

    if (family == VIOMMU_UNSET)
        return refuse_machine(build, machine, error);
    if ((family == VIOMMU_FAMILY_VIRT) == x86)
        return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MACHINE, error,
                                  "machine '%s' does not exist on %s; use %s", machine,
                                  viommu_arch_to_string(plan->arch), usual);
    if (!machine_is_there(build->emulator, machine, build->request->machine != NULL))
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MACHINE, error,
            "machine '%s' is unknown to this host's emulator for %s; list its machine types with -machine help",
            machine, viommu_arch_to_string(plan->arch));
    if (missing)
        return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MACHINE, error,
                                  "machine '%s' %s; use %s, which is the newest that it has", machine,
                                  missing, usual);
    if (!build->request->machine)
        viommu_plan_note(build, "machine type %s by default", machine);
    plan->family = (ViommuFamily)family;
    plan->machine = g_strdup(machine);
    return true;
}

/* Why KVM is not to be used, though libvirt offers it; NULL: it may be used.  Borrowed. */
static const char *kvm_fault(const ViommuPlanBuild *build)
{
    const ViommuHost *host = build->input->host;

    if (!build->input->policy->prove_kvm || host->kvm != VIOMMU_KVM_BROKEN ||
        (int)build->plan->arch != viommu_host_arch(host))
        return NULL;
    return host->kvm_reason ? host->kvm_reason : "no reason is recorded";
}

/* On a host of several users it also matters that TCG does not confine guests. */
static void warn_of_fault(ViommuPlanBuild *build, const char *fault)
{
    const ViommuAsker *asker = build->input->asker;
    bool own = !asker || asker->kind == VIOMMU_ASKER_OWN;

    viommu_plan_warn(
        build,
        own ? "the guest is emulated (TCG) and slow, because KVM does not run guests on this host: %s; \"viommuctl doctor\" says what to do"
            : "the guest runs under TCG, which is not a security boundary, because KVM does not run guests on this host: %s; \"viommuctl doctor\" says what to do",
        fault);
}

/* No warning is needed for a guest of another architecture: only emulation can run it.  On a host
 * of several users it also matters that TCG does not confine guests. */
static void warn_of_emulation(ViommuPlanBuild *build)
{
    const ViommuAsker *asker = build->input->asker;

    if ((int)build->plan->arch != viommu_host_arch(build->input->host))
        return;
    if (!asker || asker->kind == VIOMMU_ASKER_OWN)
        viommu_plan_warn(
            build,
            "the guest is emulated (TCG) and slow, because libvirt offers no KVM here: make /dev/kvm work (load kvm_intel or kvm_amd, enable virtualisation in the host's firmware), or set accelerator to 'tcg' if emulation is wanted");
    else
        viommu_plan_warn(
            build,
            "the guest runs under TCG, which is not a security boundary, because libvirt offers no KVM here: make /dev/kvm work (load kvm_intel or kvm_amd, enable virtualisation in the host's firmware), or set [machine] accelerator=kvm in viommud.conf to refuse such machines");
}

static bool refuse_accelerator(ViommuPlanBuild *build, int wanted, uint64_t there, GError **error)
{
    bool kvm = there & VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM), tcg = there & VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG);

    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_ACCELERATOR, error,
                              "accelerator '%s' is not available for %s on this host%s",
                              viommu_enum_to_string(&viommu_enum_accelerator, wanted),
                              viommu_arch_to_string(build->plan->arch),
                              kvm || tcg ? kvm ? "; use 'kvm'" : "; use 'tcg'" : "");
}

/* A guest of viommud's own has shown the fault. */
static bool refuse_broken_kvm(ViommuPlanBuild *build, const char *fault, GError **error)
{
    bool tcg = build->emulator->accelerators & VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG);

    return viommu_plan_refuse(
        build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_ACCELERATOR, error,
        "accelerator 'kvm' is not possible, because KVM does not run guests on this host: %s; %sset [machine] prove-kvm=no in viommud.conf to use KVM nevertheless",
        fault, tcg ? "use 'tcg', or " : "");
}

static void note_accelerator(ViommuPlanBuild *build, const char *fault)
{
    const char *why = "the site's setting";

    if (build->input->policy->accelerator == VIOMMU_ACCELERATOR_AUTO)
        why = fault ? "because KVM does not run guests here" : "the best that libvirt offers here";
    viommu_plan_note(build, "accelerator %s, %s",
                     viommu_enum_to_string(&viommu_enum_accelerator, (int)build->plan->accelerator), why);
}

bool viommu_plan_may_use_kvm(const ViommuRequest *request, const ViommuHost *host, const ViommuPolicy *policy)
{
    int own = viommu_host_arch(host), accelerator = request->accelerator;

    if (accelerator == VIOMMU_UNSET || accelerator == VIOMMU_ACCELERATOR_AUTO)
        accelerator = (int)policy->accelerator;
    return policy->prove_kvm && accelerator != VIOMMU_ACCELERATOR_TCG && viommu_host_offers_kvm(host) &&
           (!request->arch || viommu_enum_from_string(&viommu_enum_arch, request->arch) == own);
}

static bool settle_accelerator(ViommuPlanBuild *build, GError **error)
{
    uint64_t there = build->emulator->accelerators;
    bool kvm = there & VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM);
    const char *fault = kvm ? kvm_fault(build) : NULL;
    int wanted = build->request->accelerator;
    bool said = wanted != VIOMMU_UNSET && wanted != VIOMMU_ACCELERATOR_AUTO, free;

    if (!said)
        wanted = (int)build->input->policy->accelerator;
    free = wanted == VIOMMU_ACCELERATOR_AUTO;
    if (free)
        wanted = kvm && !fault ? VIOMMU_ACCELERATOR_KVM : VIOMMU_ACCELERATOR_TCG;
    if (fault && (wanted == VIOMMU_ACCELERATOR_KVM || (free && !(there & VIOMMU_BIT(wanted)))))
        return refuse_broken_kvm(build, fault, error);
    if (!(there & VIOMMU_BIT(wanted)))
        return refuse_accelerator(build, wanted, there, error);
    build->plan->accelerator = (ViommuAccelerator)wanted;
    if (free && fault)
        warn_of_fault(build, fault);
    else if (free && wanted == VIOMMU_ACCELERATOR_TCG)
        warn_of_emulation(build);
    if (!said)
        note_accelerator(build, fault);
    return true;
}

/* Whether libvirt's list of GICs lacks GICv3.  On a host with KVM it lists KVM's GICs. */
static bool has_old_gic(const ViommuPlanBuild *build)
{
    const ViommuEmulator *emulator = build->emulator;
    bool listed = emulator->accelerators & VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM)
                      ? build->plan->accelerator == VIOMMU_ACCELERATOR_KVM
                      : true;

    return listed && build->plan->arch == VIOMMU_ARCH_AARCH64 && emulator->gic_versions &&
           !g_strv_contains((const char *const *)emulator->gic_versions, "3");
}

static bool settle_present(ViommuPlanBuild *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    uint64_t present = build->request->vcpus_present;

    plan->vcpus_present = present == VIOMMU_UNSET_NUMBER ? plan->vcpus : present;
    if (plan->vcpus_present == plan->vcpus)
        return true;
    if (plan->arch == VIOMMU_ARCH_AARCH64)
        return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MAX_VCPUS, error,
                                  "vcpus-present is %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                                  ", but QEMU plugs no vCPU into machine '%s'; omit vcpus-present",
                                  present, plan->vcpus, plan->machine);
    viommu_plan_note(build,
                     "the guest starts with %" G_GUINT64_FORMAT " of its %" G_GUINT64_FORMAT
                     " vCPUs; virsh setvcpus plugs in others",
                     present, plan->vcpus);
    return true;
}

static bool settle_vcpus(ViommuPlanBuild *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    uint64_t most = most_vcpus(build);

    if (plan->family == VIOMMU_FAMILY_VIRT && plan->accelerator == VIOMMU_ACCELERATOR_TCG &&
        !viommu_emulator_has(build->emulator, build->input->host->libvirt, VIOMMU_FACT_VIRT_MANY_VCPUS_TCG))
        most = MIN(most, VIOMMU_FACT_VIRT_FEW_VCPUS);
    plan->vcpus = build->request->vcpus == VIOMMU_UNSET_NUMBER ? build->input->policy->default_vcpus
                                                               : build->request->vcpus;
    if (plan->vcpus > most)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MAX_VCPUS, error,
            "vcpus %" G_GUINT64_FORMAT
            " exceeds the maximum of machine '%s' with this QEMU, which is %" G_GUINT64_FORMAT,
            plan->vcpus, plan->machine, most);
    if (plan->vcpus > GICV2_VCPUS && has_old_gic(build))
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MAX_VCPUS, error,
            "vcpus %" G_GUINT64_FORMAT
            " exceeds %d, which is what the interrupt controller (GICv2) serves; libvirt lists no GICv3 here",
            plan->vcpus, GICV2_VCPUS);
    if (build->request->vcpus == VIOMMU_UNSET_NUMBER)
        viommu_plan_note(build, "%" G_GUINT64_FORMAT " vCPU%s by default", plan->vcpus,
                         plan->vcpus == 1 ? "" : "s");
    if (plan->arch == VIOMMU_ARCH_AARCH64 && plan->accelerator == VIOMMU_ACCELERATOR_TCG &&
        plan->vcpus > GICV2_VCPUS)
        plan->gic_version = 3;
    return settle_present(build, error);
}

bool viommu_plan_settle_machine(ViommuPlanBuild *build, GError **error)
{
    return settle_arch(build, error) && check_versions(build, error) && settle_machine_type(build, error) &&
           settle_accelerator(build, error) && settle_vcpus(build, error);
}

void viommu_plan_settle_cpu(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;

    if (plan->accelerator == VIOMMU_ACCELERATOR_KVM) {
        plan->cpu_mode = VIOMMU_CPU_MODE_HOST_PASSTHROUGH;
    } else if (viommu_emulator_has(build->emulator, build->input->host->libvirt, VIOMMU_FACT_CPU_MAXIMUM)) {
        plan->cpu_mode = VIOMMU_CPU_MODE_MAXIMUM;
    } else if (plan->arch == VIOMMU_ARCH_AARCH64) {
        /* QEMU's default for "virt" is a cortex-a15, a 32-bit CPU: 64-bit guests print nothing
         * (libvirt 7.0, QEMU 5.2). */
        plan->cpu_mode = VIOMMU_CPU_MODE_CUSTOM;
        plan->cpu_model = "cortex-a57";
    } else {
        plan->cpu_mode = VIOMMU_CPU_MODE_DEFAULT;
    }
}

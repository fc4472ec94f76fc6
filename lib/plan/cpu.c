/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpu: judges whether the guest's CPU is what the request wants.  KVM gives it the host's; QEMU's
 * emulation gives x86_64 one that calls itself AuthenticAMD and has SVM, both as "max" and by
 * default (query-cpu-model-expansion of QEMU 5.2, 7.2, 10.0 and 11.1), and aarch64 one without
 * EL2. */
#include "lib/facts/facts.h"
#include "lib/plan/build.h"

static bool is_emulated(const ViommuPlanBuild *build)
{
    return build->plan->accelerator == VIOMMU_ACCELERATOR_TCG;
}

static bool refuse(ViommuPlanBuild *build, const char *key, const char *value, const char *why,
                   GError **error)
{
    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_CPU, error,
                              "%s '%s' is not possible here: %s; use another host, or omit %s", key, value,
                              why, key);
}

static bool check_vendor(ViommuPlanBuild *build, GError **error)
{
    int wanted = build->request->cpu.vendor;
    int vendor = is_emulated(build) ? VIOMMU_CPU_VENDOR_AMD : build->input->host->topology.cpu_vendor;
    const char *word = wanted == VIOMMU_UNSET ? "" : viommu_enum_to_string(&viommu_enum_cpu_vendor, wanted);

    if (wanted == VIOMMU_UNSET || (build->plan->arch == VIOMMU_ARCH_X86_64 && vendor == wanted))
        return true;
    return refuse(build, "cpu.vendor", word,
                  build->plan->arch != VIOMMU_ARCH_X86_64 ? "a CPU of aarch64 has none of these vendors"
                  : is_emulated(build)                    ? "QEMU emulates a CPU of 'amd'"
                  : vendor == VIOMMU_UNSET                ? "the vendor of this host's CPU is not known"
                                           : "with KVM the guest has the host's CPU, of another vendor",
                  error);
}

static bool check_virtualization(ViommuPlanBuild *build, GError **error)
{
    bool is_x86 = build->plan->arch == VIOMMU_ARCH_X86_64;
    int wanted = build->request->cpu.virtualization;
    int has = !is_x86 ? 0 : is_emulated(build) ? 1 : build->input->host->topology.nested;

    if (wanted == VIOMMU_UNSET || wanted == has)
        return true;
    return refuse(build, "cpu.virtualization", wanted ? "true" : "false",
                  !is_x86              ? "viommud gives no guest of aarch64 EL2"
                  : is_emulated(build) ? "the CPU that QEMU emulates can run guests (SVM)"
                  : has == VIOMMU_UNSET
                      ? "no module of KVM that tells whether guests can run guests is loaded"
                  : has ? "KVM lets guests run guests (parameter 'nested' of its module)"
                        : "KVM lets no guest run guests (parameter 'nested' of its module)",
                  error);
}

/* QEMU 5.2 target/i386/cpu.c: "TCG only supports phys-bits=40". */
#define TCG_ADDRESS_BITS 40

static bool check_address_bits(ViommuPlanBuild *build, GError **error)
{
    uint64_t wanted = build->request->cpu.address_bits, host = build->input->host->topology.cpu_address_bits;
    ViommuVersion libvirt = build->input->host->libvirt;
    bool is_x86 = build->plan->arch == VIOMMU_ARCH_X86_64;
    g_autofree char *value = g_strdup_printf("%" G_GUINT64_FORMAT, wanted);
    g_autofree char *needs = viommu_fact_needs(VIOMMU_FACT_CPU_ADDRESS_BITS);
    g_autofree char *had = viommu_fact_had(VIOMMU_FACT_CPU_ADDRESS_BITS, libvirt, build->emulator->qemu);
    g_autofree char *old = g_strdup_printf("it needs %s, but %s", needs, had);
    bool has = viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_CPU_ADDRESS_BITS);
    bool emulated = is_emulated(build);

    if (wanted == VIOMMU_UNSET_NUMBER ||
        (is_x86 && has && (emulated ? wanted == TCG_ADDRESS_BITS : wanted <= host)))
        return true;
    return refuse(build, "cpu.address-bits", value,
                  !is_x86    ? "libvirt sets them on x86_64 only"
                  : !has     ? old
                  : emulated ? "the CPU that QEMU emulates has 40"
                             : "the host's own CPU has fewer, and QEMU gives no more",
                  error);
}

bool viommu_plan_check_cpu(ViommuPlanBuild *build, GError **error)
{
    return check_vendor(build, error) && check_virtualization(build, error) &&
           check_address_bits(build, error);
}

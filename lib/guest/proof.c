/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof: judges a report by what each model needs. */
#include "lib/guest/proof.h"

#include <string.h>

#include "lib/base/pci-address.h"
#include "lib/guest/off-words.h"
#include "lib/guest/proof-attributes.h"

/* The most devices that a message names. */
#define OUTSIDE_NAMED 4u

VIOMMU_ENUM_DEFINE(proof, "verdict on a proof", VIOMMU_PROOF_LAST, "proven", "pending", "disproved");

static bool is_unit_of_virtio(const char *name)
{
    ViommuPciAddress address;

    return viommu_pci_address_parse(name, &address);
}

static bool is_unit_of_intel(const char *name)
{
    return g_str_has_prefix(name, "dmar");
}

static bool is_unit_of_amd(const char *name)
{
    return g_str_has_prefix(name, "ivhd");
}

static bool is_unit_of_smmuv3(const char *name)
{
    return g_str_has_prefix(name, "smmu3.");
}

/* How a guest's kernel shows each model, and what it needs.  Under libvirt ACPI always describes
 * virtio. */
static const struct Trait {
    bool (*shows)(const char *name);
    const char *table, *driver, *option;
    const char *key;       /* of the command line, which switches it; NULL: none */
    bool or_by_devicetree; /* a device tree describes it when there is no ACPI */
    /* its driver cannot be a module: it binds at boot or never */
    bool early;
} traits[] = {
    [VIOMMU_MODEL_INTEL] = {is_unit_of_intel, "DMAR", "intel-iommu", "CONFIG_INTEL_IOMMU", "intel_iommu",
                            false, true},
    [VIOMMU_MODEL_SMMUV3] = {is_unit_of_smmuv3, "IORT", "arm-smmu-v3", "CONFIG_ARM_SMMU_V3", NULL, true,
                             false},
    [VIOMMU_MODEL_VIRTIO] = {is_unit_of_virtio, "VIOT", "virtio_iommu", "CONFIG_VIRTIO_IOMMU", NULL, false,
                             false},
    [VIOMMU_MODEL_AMD] = {is_unit_of_amd, "IVRS", "amd-iommu", "CONFIG_AMD_IOMMU", "amd_iommu", false, true},
};
G_STATIC_ASSERT(G_N_ELEMENTS(traits) == VIOMMU_MODEL_LAST);

/* Whether @word is the last of @word and @other among the values of @key ("on,sm_on"): the kernel
 * also uses the last one. */
static bool is_switched(const ViommuReport *report, const char *key, const char *word, const char *other)
{
    g_auto(GStrv) words = g_strsplit_set(report->cmdline, " \"", -1);
    size_t length = strlen(key);
    bool found = false;

    for (char **at = words; *at; at++) {
        g_auto(GStrv) parts = NULL;

        if (strncmp(*at, key, length) != 0 || (*at)[length] != '=')
            continue;
        parts = g_strsplit(*at + length + 1, ",", -1);
        if (g_strv_contains((const char *const *)parts, word))
            found = true;
        else if (g_strv_contains((const char *const *)parts, other))
            found = false;
    }
    return found;
}

/* The word that makes the kernel ignore the IOMMU; NULL: none.  Static. */
static const char *find_switch_off(ViommuModel model, const ViommuReport *report)
{
    const struct Trait *trait = &traits[model];
    const ViommuOffQuestion question = {
        .cmdline = report->cmdline,
        .arch = report->devicetree || trait->or_by_devicetree ? VIOMMU_ARCH_AARCH64 : VIOMMU_ARCH_X86_64,
        .model = model,
        .effects = VIOMMU_OFF_DMA,
        .by_acpi = !trait->or_by_devicetree,
        .may_be_module = !g_strv_contains((const char *const *)report->drivers, trait->driver),
    };

    return viommu_off_word(&question);
}

static ViommuProof say(ViommuProofVerdict verdict, char *cause)
{
    return (ViommuProof){
        .verdict = verdict, .cause = cause, .lacks = verdict == VIOMMU_PROOF_PROVEN ? NULL : "active"};
}

/* The guest shows no IOMMU: finds the cause. */
static ViommuProof judge_absent(ViommuModel model, const ViommuReport *report)
{
    const struct Trait *trait = &traits[model];
    const char *off = find_switch_off(model, report);
    bool has_table = g_strv_contains((const char *const *)report->tables, trait->table);
    bool by_tree = trait->or_by_devicetree && report->devicetree;

    if (off)
        return say(VIOMMU_PROOF_DISPROVED,
                   g_strdup_printf("the kernel's command line disables it: remove '%s'", off));
    if (!report->acpi && !by_tree)
        return say(VIOMMU_PROOF_DISPROVED,
                   g_strdup_printf("no ACPI table %s: the guest runs without ACPI", trait->table));
    if (!has_table && !by_tree)
        return say(VIOMMU_PROOF_DISPROVED,
                   g_strdup_printf("no ACPI table %s: the guest's firmware does not describe the IOMMU",
                                   trait->table));
    if (!g_strv_contains((const char *const *)report->drivers, trait->driver))
        return say(trait->early ? VIOMMU_PROOF_DISPROVED : VIOMMU_PROOF_PENDING,
                   g_strdup_printf("driver missing: kernel '%s' has no %s (%s), or has not loaded it",
                                   report->kernel, trait->driver, trait->option));
    if (trait->key && !is_switched(report, trait->key, "on", "off"))
        return say(
            VIOMMU_PROOF_DISPROVED,
            g_strdup_printf(
                "kernel '%s' has the driver %s, which is not at work: if this kernel leaves it off by default, add '%s=on' to its command line",
                report->kernel, trait->driver, trait->key));
    return say(
        VIOMMU_PROOF_PENDING,
        g_strdup_printf("not bound: kernel '%s' has the driver %s, but the driver has not bound to the IOMMU",
                        report->kernel, trait->driver));
}

/* --- What it does --- */

/* The word that makes the kernel leave DMA untranslated; NULL: none.  Static. */
static const char *passthrough_word(const ViommuReport *report)
{
    return is_switched(report, "iommu", "pt", "nopt")           ? "iommu=pt"
           : is_switched(report, "iommu.passthrough", "1", "0") ? "iommu.passthrough=1"
                                                                : NULL;
}

static char *passes_through(const ViommuReport *report)
{
    const char *word = passthrough_word(report);
    uint64_t passing = report->types[VIOMMU_GROUP_TYPE_IDENTITY], all = viommu_report_typed_groups(report);

    if (passing == 0)
        return NULL;
    if (word)
        return g_strdup_printf(
            "leaves DMA of its devices untranslated: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
            " IOMMU groups have the type identity; remove '%s' from the kernel's command line",
            passing, all, word);
    return g_strdup_printf(
        "leaves DMA of its devices untranslated: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
        " IOMMU groups have the type identity, which this kernel takes by default; add 'iommu.passthrough=0' to its command line",
        passing, all);
}

/* Some of the devices, and how many more. */
static char *list_outside(const ViommuReport *report)
{
    GString *text = g_string_new(NULL);
    guint n = g_strv_length(report->outside);

    for (guint i = 0; i < MIN(n, OUTSIDE_NAMED); i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", report->outside[i]);
    if (n > OUTSIDE_NAMED)
        g_string_append_printf(text, " and %u more", n - OUTSIDE_NAMED);
    return g_string_free(text, FALSE);
}

/* Whether the plan switches @key on. */
static bool is_planned(const ViommuProofWanted *wanted, const char *key)
{
    g_autofree char *value = viommu_proof_planned(wanted->planned, key);

    return g_strcmp0(value, "on") == 0;
}

/* Why interrupts are not remapped as planned, to follow "the IOMMU"; NULL: they are, or the guest
 * does not show it.  Static. */
static const char *why_not_remapping(const ViommuProofWanted *wanted, const ViommuReport *report)
{
    return report->remaps == 0 && is_planned(wanted, "intremap")
               ? "does not remap interrupts: the guest's kernel leaves interrupt remapping off (intremap=off, nointremap, or no CONFIG_IRQ_REMAP)"
               : NULL;
}

/* Why interrupts are remapped, but not in the planned mode, as above.  All of them are, so this
 * lowers no level. */
static const char *why_not_in_x2apic_mode(const ViommuProofWanted *wanted, const ViommuReport *report)
{
    return report->remaps == 1 && report->x2apic == 0 && viommu_proof_wants_x2apic(wanted->planned)
               ? "remaps interrupts in xapic mode, although the plan has eim or xtsup for x2apic mode: the guest's CPU has no x2apic, or its kernel leaves it off (nox2apic)"
               : NULL;
}

/* Why it is present, but does not translate for every device, to follow "the IOMMU"; NULL: it
 * does.  *ret_may_follow: waiting may change it. */
static char *why_not_translating(const ViommuProofWanted *wanted, const ViommuReport *report,
                                 bool *ret_may_follow)
{
    g_autofree char *outside = list_outside(report);
    char *passing = passes_through(report);
    bool is_whole = viommu_report_is_whole(report, is_planned(wanted, "intremap"));

    *ret_may_follow = false;
    if (viommu_report_typed_groups(report) == 0)
        return g_strdup(
            "does not show what it does: the guest's guest-report is an older one, or its kernel shows no types of IOMMU groups; let the guest run the guest-report of this viommud");
    if (passing)
        return passing;
    *ret_may_follow = report->outside_by[VIOMMU_OUTSIDE_NO_GROUP] > 0 || !is_whole;
    if (*report->outside)
        return g_strdup_printf("does not translate for %s", outside);
    if (!is_whole)
        return g_strdup(
            "does not show all of what it does: a part of the guest's report is missing, as when its kernel prints into it; let the guest run guest-report again");
    if (report->types[VIOMMU_GROUP_TYPE_DMA] + report->types[VIOMMU_GROUP_TYPE_DMA_FQ] == 0)
        return g_strdup("translates for no group of devices: none has the type DMA or DMA-FQ");
    return NULL;
}

static const char *const isolation_texts[] = {
    [VIOMMU_ISOLATION_FAULT] = NULL,
    [VIOMMU_ISOLATION_NONE] =
        "did not stop a DMA of the guest's spare SATA controller to memory that no driver had mapped: the guest's kernel logged no fault",
    [VIOMMU_ISOLATION_NO_DEVICE] =
        "was not seen to stop a device: the guest has no SATA controller of the kind that a q35 has (8086:2922), or its guest-report is an older one",
    [VIOMMU_ISOLATION_IN_USE] =
        "was not seen to stop a device: each of the guest's SATA controllers (8086:2922) has a disk",
    [VIOMMU_ISOLATION_NO_GROUP] =
        "was not seen to stop a device: the guest's spare SATA controller is in no IOMMU group until its driver (ahci) is loaded",
    [VIOMMU_ISOLATION_NO_LOG] =
        "was not seen to stop a device: the guest's kernel log cannot be read; run guest-report as root, with dmesg",
    [VIOMMU_ISOLATION_LOCKED] =
        "was not seen to stop a device: the guest's kernel does not let guest-report write the registers of its spare SATA controller (not root, or lockdown by secure boot)",
};
G_STATIC_ASSERT(G_N_ELEMENTS(isolation_texts) == VIOMMU_ISOLATION_LAST);

/* Why it translates, but does not isolate; NULL: it does. */
static char *why_not_isolating(const ViommuReport *report, bool *ret_may_follow)
{
    *ret_may_follow = report->isolation == (int)VIOMMU_ISOLATION_NO_GROUP;
    return g_strdup(report->isolation == VIOMMU_UNSET
                        ? "was not asked to stop a device: let the guest run guest-report --isolate"
                        : isolation_texts[report->isolation]);
}

/* Whether no more devices are outside than the plan put there: all virtio devices, or so many. */
static bool only_planned_outside(const ViommuProofWanted *wanted, const ViommuReport *report)
{
    g_autofree char *translate = viommu_proof_planned(wanted->planned, "translate");
    g_autofree char *outside = viommu_proof_planned(wanted->planned, "outside");
    uint64_t virtio = report->outside_by[VIOMMU_OUTSIDE_VIRTIO];
    guint64 planned = 0;

    if (g_strcmp0(translate, "off") == 0)
        planned = UINT64_MAX;
    else if (outside && !g_ascii_string_to_unsigned(outside, 10, 0, UINT32_MAX, &planned, NULL))
        planned = 0;
    return virtio > 0 && virtio == g_strv_length(report->outside) && virtio <= planned;
}

/* An older report shows no types, and its guest's command line tells as much as it did then. */
static bool is_worth_a_note(const ViommuProofWanted *wanted, const ViommuReport *report)
{
    if (viommu_report_typed_groups(report) == 0)
        return false;
    return !only_planned_outside(wanted, report) || report->types[VIOMMU_GROUP_TYPE_IDENTITY] > 0;
}

static char *note_on(const ViommuProofWanted *wanted, const ViommuReport *report, const char *why)
{
    const char *direct = why_not_remapping(wanted, report), *narrow = why_not_in_x2apic_mode(wanted, report);

    if (why && is_worth_a_note(wanted, report))
        return g_strdup_printf("the IOMMU works, but %s", why);
    if (direct || narrow)
        return g_strdup_printf("the IOMMU works, but %s", direct ? direct : narrow);
    return viommu_report_typed_groups(report) == 0 && passthrough_word(report)
               ? g_strdup(
                     "the IOMMU works, but the guest's command line leaves DMA of its devices untranslated (iommu=pt or iommu.passthrough=1)")
               : NULL;
}

ViommuLevel viommu_proof_wanted_level(const char *planned)
{
    g_autofree char *word = viommu_proof_planned(planned, "level");
    int level = word ? viommu_enum_from_string(&viommu_enum_level, word) : VIOMMU_UNSET;

    return level == VIOMMU_UNSET ? VIOMMU_LEVEL_PRESENT : (ViommuLevel)level;
}

static ViommuProof lacking(ViommuLevel level, ViommuLevel reached, const char *why, bool may_follow)
{
    return (ViommuProof){may_follow ? VIOMMU_PROOF_PENDING : VIOMMU_PROOF_DISPROVED,
                         g_strdup_printf("it %s; the level that it has shown is '%s'", why,
                                         viommu_enum_to_string(&viommu_enum_level, (int)reached)),
                         viommu_enum_to_string(&viommu_enum_level, (int)level)};
}

/* How many units are planned and not shown: an SMMU that is missing leaves its devices alone. */
static uint64_t units_missing(const ViommuProofWanted *wanted, const ViommuReport *report)
{
    g_autofree char *planned = viommu_proof_planned(wanted->planned, "units");
    guint64 n = 0, shown = 0;

    if (!planned || !g_ascii_string_to_unsigned(planned, 10, 1, UINT32_MAX, &n, NULL))
        return 0;
    for (char **name = report->iommus; *name; name++)
        shown += traits[wanted->model].shows(*name);
    return shown < n ? n - shown : 0;
}

/* The guest has the planned model, and devices in groups. */
static ViommuProof judge_present(const ViommuProofWanted *wanted, const ViommuReport *report)
{
    g_auto(ViommuProofAttributes) attributes =
        viommu_proof_attributes_compare(wanted->model, wanted->planned, report);
    ViommuLevel level = viommu_proof_wanted_level(wanted->planned);
    bool may_follow, isolates_later;
    g_autofree char *why = why_not_translating(wanted, report, &may_follow);
    g_autofree char *lets = why_not_isolating(report, &isolates_later);

    if (!why)
        why = g_strdup(why_not_remapping(wanted, report));
    if (units_missing(wanted, report) > 0)
        return (ViommuProof){
            VIOMMU_PROOF_PENDING,
            g_strdup_printf("%" G_GUINT64_FORMAT
                            " of the planned IOMMUs are missing in the guest's /sys/class/iommu",
                            units_missing(wanted, report)),
            "as planned"};
    if (attributes.difference)
        return (ViommuProof){VIOMMU_PROOF_DISPROVED, g_steal_pointer(&attributes.difference), "as planned"};
    if (why && level > VIOMMU_LEVEL_PRESENT)
        return lacking(level, VIOMMU_LEVEL_PRESENT, why, may_follow);
    if (lets && level > VIOMMU_LEVEL_TRANSLATING)
        return lacking(level, VIOMMU_LEVEL_TRANSLATING, lets, isolates_later);
    return (ViommuProof){
        .verdict = VIOMMU_PROOF_PROVEN,
        .cause = note_on(wanted, report, why),
        .level = why    ? VIOMMU_LEVEL_PRESENT
                 : lets ? VIOMMU_LEVEL_TRANSLATING
                        : VIOMMU_LEVEL_ISOLATING,
        .shown = g_steal_pointer(&attributes.shown),
        .not_shown = g_steal_pointer(&attributes.not_shown),
    };
}

static bool translates_nothing(const ViommuProofWanted *wanted)
{
    g_autofree char *translation = viommu_proof_planned(wanted->planned, "dma-translation");

    return g_strcmp0(translation, "off") == 0;
}

/* An IOMMU without DMA translation has no unit and no groups in /sys: Linux ignores it for DMA
 * (alloc_iommu()). */
static ViommuProof judge_remapper(const ViommuProofWanted *wanted, const ViommuReport *report)
{
    g_auto(ViommuProofAttributes) attributes =
        viommu_proof_attributes_compare(wanted->model, wanted->planned, report);
    const char *why = why_not_in_x2apic_mode(wanted, report);

    if (report->remaps != 1)
        return say(
            VIOMMU_PROOF_DISPROVED,
            g_strdup(
                report->remaps == 0
                    ? "the plan has no DMA translation, and the guest's kernel does not remap interrupts"
                    : "the plan has no DMA translation, and the guest does not show whether its kernel remaps interrupts; let it run the guest-report of this viommud"));
    return (ViommuProof){
        .verdict = VIOMMU_PROOF_PROVEN,
        .cause = why ? g_strdup_printf(
                           "as planned (dma-translation), the IOMMU only remaps interrupts, but it %s", why)
                     : g_strdup("the IOMMU only remaps interrupts, as planned (dma-translation)"),
        .level = VIOMMU_LEVEL_PRESENT,
        .shown = g_steal_pointer(&attributes.shown),
        .not_shown = g_steal_pointer(&attributes.not_shown),
    };
}

ViommuProof viommu_proof_judge(const ViommuProofWanted *wanted, const ViommuReport *report)
{
    const char *first = report->iommus[0];

    if (wanted->model == VIOMMU_MODEL_NONE)
        return first ? say(VIOMMU_PROOF_DISPROVED,
                           g_strdup_printf("the plan has no IOMMU, but the guest has '%s'", first))
                     : say(VIOMMU_PROOF_PROVEN, NULL);
    if (!first && translates_nothing(wanted))
        return judge_remapper(wanted, report);
    if (!first)
        return judge_absent(wanted->model, report);
    for (char **name = report->iommus; *name; name++)
        if (traits[wanted->model].shows(*name) && report->groups > 0)
            return judge_present(wanted, report);
        else if (traits[wanted->model].shows(*name))
            return say(
                VIOMMU_PROOF_PENDING,
                g_strdup_printf("not bound: the guest has '%s', but none of its devices is in an IOMMU group",
                                *name));
    return say(VIOMMU_PROOF_DISPROVED, g_strdup_printf("the guest has '%s' instead of the planned %s", first,
                                                       viommu_model_to_string(wanted->model)));
}

void viommu_proof_clear(ViommuProof *proof)
{
    g_clear_pointer(&proof->cause, g_free);
    g_clear_pointer(&proof->shown, g_strfreev);
    g_clear_pointer(&proof->not_shown, g_strfreev);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/iommu-attributes.h"

#include "lib/facts/facts.h"
#include "lib/base/cmdline.h"
#include "lib/guest/guest.h"
#include "lib/host/caps.h"
#include "lib/base/quantity.h"

#define NOWHERE          (-1)
#define SMALLEST_GRANULE (4 * VIOMMU_KIB)

/* Switches of the <driver> element: which models have them, since which versions, and what the
 * absence of each means. */
typedef struct Switch {
    const char *key;
    size_t asked, given; /* offsets in ViommuRequestIommu and ViommuIommuAttributes */
    int absent;
    int facts[VIOMMU_MODEL_LAST]; /* ViommuFactId, by model */
} Switch;

#define SWITCH(key, member, absent, intel, amd)                                                             \
    {                                                                                                       \
        key, offsetof(ViommuRequestIommu, member), offsetof(ViommuIommuAttributes, member), absent,         \
        {                                                                                                   \
            [VIOMMU_MODEL_INTEL] = intel, [VIOMMU_MODEL_SMMUV3] = NOWHERE, [VIOMMU_MODEL_VIRTIO] = NOWHERE, \
            [VIOMMU_MODEL_AMD] = amd                                                                        \
        }                                                                                                   \
    }

static const Switch switches[] = {
    SWITCH("intremap", intremap, 0, VIOMMU_FACT_INTEL_INTREMAP, VIOMMU_FACT_AMD_INTREMAP),
    SWITCH("eim", eim, 0, VIOMMU_FACT_INTEL_EIM, NOWHERE),
    SWITCH("caching-mode", caching_mode, 0, VIOMMU_FACT_INTEL_CACHING_MODE, NOWHERE),
    SWITCH("iotlb", iotlb, 0, VIOMMU_FACT_INTEL_IOTLB, VIOMMU_FACT_AMD_IOTLB),
    SWITCH("dma-translation", dma_translation, 1, VIOMMU_FACT_INTEL_DMA_TRANSLATION, NOWHERE),
};

static const int aw_bits_facts[VIOMMU_MODEL_LAST] = {VIOMMU_FACT_INTEL_AW_BITS, NOWHERE,
                                                     VIOMMU_FACT_VIRTIO_AW_BITS, NOWHERE};
static const int granule_facts[VIOMMU_MODEL_LAST] = {NOWHERE, NOWHERE, VIOMMU_FACT_VIRTIO_GRANULE, NOWHERE};

static bool available(const ViommuIommuInput *input, int fact)
{
    return fact != NOWHERE && viommu_emulator_has(input->emulator, input->libvirt, (ViommuFactId)fact);
}

static int asked_switch(const ViommuIommuInput *input, const Switch *row)
{
    return *(const int *)((const char *)&input->request->iommu + row->asked);
}

static void judge_one(const ViommuJudging *judging, const char *key, int fact)
{
    const ViommuIommuInput *input = judging->input;

    if (available(input, fact))
        return;
    if (fact == NOWHERE) {
        viommu_judge_refuse(judging, "'%s' has no attribute %s; leave iommu.%s out, or ask for another model",
                            judging->name, key, key);
    } else {
        g_autofree char *needs = viommu_fact_needs((ViommuFactId)fact);
        g_autofree char *had = viommu_fact_had((ViommuFactId)fact, input->libvirt, input->emulator->qemu);

        viommu_judge_refuse(judging, "%s of '%s' needs %s, but %s", key, judging->name, needs, had);
    }
}

/* --- The granule (virtio): Linux refuses one that is larger than its page --- */

/* QEMU's own default: the host's page size since the granule can be set, except in machine types
 * from before that. */
static uint64_t default_granule(const ViommuIommuInput *input)
{
    ViommuVersion since = viommu_fact(VIOMMU_FACT_VIRTIO_GRANULE)->qemu;
    ViommuVersion machine = viommu_caps_machine_version(input->machine);

    return input->emulator->qemu < since || (machine && machine < since) ? SMALLEST_GRANULE
                                                                         : input->host_page_bytes;
}

/* Every guest accepts the smallest granule; for assigned devices, the host maps in its own
 * pages. */
static bool takes_smallest_granule(const ViommuIommuInput *input)
{
    uint64_t by_default = default_granule(input);

    return !input->request->iommu.granule && by_default != VIOMMU_UNSET_NUMBER &&
           by_default > SMALLEST_GRANULE && !viommu_iommu_has_hostdevs(input) &&
           available(input, VIOMMU_FACT_VIRTIO_GRANULE);
}

uint64_t viommu_iommu_granule(const ViommuIommuInput *input)
{
    const char *asked = input->request->iommu.granule;
    uint64_t granule = default_granule(input), host = input->host_page_bytes;

    if (asked && g_str_equal(asked, "host"))
        granule = host;
    else if (asked)
        viommu_quantity_parse(asked, &granule, NULL);
    else if (takes_smallest_granule(input))
        granule = SMALLEST_GRANULE;
    if (!viommu_iommu_has_hostdevs(input) || granule == VIOMMU_UNSET_NUMBER || host == VIOMMU_UNSET_NUMBER)
        return granule;
    return MAX(granule, host);
}

static void judge_granule(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;
    ViommuGuest guest = {input->request, input->kernel, true};
    uint64_t granule = viommu_iommu_granule(input), page = viommu_guest_page_bytes(&guest, input->arch);
    bool numbered = input->request->iommu.granule && !g_str_equal(input->request->iommu.granule, "host");
    g_autofree char *granule_text = NULL, *page_text = NULL;

    if (granule == VIOMMU_UNSET_NUMBER || page == 0 || granule <= page)
        return;
    granule_text = viommu_quantity_format(granule);
    page_text = viommu_quantity_format(page);
    if (numbered && granule != input->host_page_bytes)
        viommu_judge_refuse(
            judging,
            "iommu.granule is %s, but the guest's pages are %s, and Linux puts no device behind an IOMMU whose granule is larger than a page; ask for at most %s",
            granule_text, page_text, page_text);
    else
        viommu_judge_refuse(
            judging,
            "the granule of 'virtio' is the host's page of %s, but the guest's pages are %s, and Linux puts no device behind an IOMMU whose granule is larger than a page; %s",
            granule_text, page_text,
            viommu_iommu_has_hostdevs(input) || !available(input, VIOMMU_FACT_VIRTIO_GRANULE)
                ? "use a guest kernel with pages as large as the host's"
                : "set iommu.granule to '4 KiB'");
}

/* --- Several SMMUs --- */

static void judge_count(const ViommuJudging *judging)
{
    const ViommuIommuInput *input = judging->input;

    if (!viommu_iommu_several(input->request))
        return;
    if (judging->model != VIOMMU_MODEL_SMMUV3) {
        viommu_judge_refuse(judging,
                            "a guest has only one '%s'; leave iommu.count out, or ask for model 'smmuv3'",
                            judging->name);
        return;
    }
    if (viommu_iommu_has_hostdevs(input))
        viommu_judge_refuse(
            judging,
            "devices of the host get an 'smmuv3' for each of the host's IOMMUs that they are behind; leave iommu.count out");
    judge_one(judging, "count", VIOMMU_FACT_SMMUV3_SEVERAL);
    if (!viommu_iommu_takes_efi(input->request, input->arch, VIOMMU_MODEL_SMMUV3))
        viommu_judge_refuse(
            judging,
            "iommu.count needs ACPI, and so UEFI, because only the IORT table describes further SMMUs, but boot.firmware is 'bios'; set it to 'auto' or 'efi'");
}

/* --- Accelerated SMMUs --- */

/* The first attribute that only they have; NULL: none is asked for. */
static const char *accelerated_key(const ViommuRequestIommu *asked)
{
    return asked->ats != VIOMMU_UNSET               ? "ats"
           : asked->ril != VIOMMU_UNSET             ? "ril"
           : asked->cmdqv != VIOMMU_UNSET           ? "cmdqv"
           : asked->ssidsize != VIOMMU_UNSET_NUMBER ? "ssidsize"
           : asked->oas != VIOMMU_UNSET_NUMBER      ? "oas"
                                                    : NULL;
}

static void judge_accelerated(const ViommuJudging *judging)
{
    const ViommuRequestIommu *asked = &judging->input->request->iommu;
    const char *key = accelerated_key(asked);

    if (!key)
        return;
    if (judging->model != VIOMMU_MODEL_SMMUV3)
        judge_one(judging, key, NOWHERE);
    else if (!viommu_iommu_has_hostdevs(judging->input))
        viommu_judge_refuse(
            judging,
            "only an accelerated 'smmuv3' has the attribute %s, and it is accelerated for devices of the host; assign one, or leave iommu.%s out",
            key, key);
    if (judging->model == VIOMMU_MODEL_SMMUV3 && asked->cmdqv == 1)
        judge_one(judging, "cmdqv", VIOMMU_FACT_SMMUV3_CMDQV);
    /* QEMU 11.1 refuses other numbers. */
    if (judging->model == VIOMMU_MODEL_SMMUV3 && asked->oas != VIOMMU_UNSET_NUMBER && asked->oas != 44 &&
        asked->oas != 48)
        viommu_judge_refuse(judging, "iommu.oas of 'smmuv3' must be 44 or 48, not %" G_GUINT64_FORMAT,
                            asked->oas);
}

/* QEMU 11.0 switches range invalidation on where it is not told, and later ones ask the host. */
void viommu_iommu_accelerate(const ViommuIommuInput *input, ViommuIommuChoice *choice)
{
    const ViommuRequestIommu *asked = &input->request->iommu;

    choice->ats = asked->ats;
    choice->ril = asked->ril;
    choice->cmdqv = asked->cmdqv;
    choice->ssidsize = asked->ssidsize;
    choice->oas = asked->oas;
    if (asked->ril == VIOMMU_UNSET && viommu_flaw_is_in(VIOMMU_FLAW_SMMUV3_RIL, input->emulator->qemu))
        choice->ril = 0;
}

void viommu_iommu_attributes_judge(const ViommuJudging *judging)
{
    const ViommuRequestIommu *asked = &judging->input->request->iommu;
    ViommuModel model = judging->model;

    for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
        int value = asked_switch(judging->input, &switches[i]);

        if (value != VIOMMU_UNSET && value != switches[i].absent)
            judge_one(judging, switches[i].key, switches[i].facts[model]);
    }
    if (asked->aw_bits != VIOMMU_UNSET_NUMBER) {
        judge_one(judging, "aw-bits", aw_bits_facts[model]);
        /* QEMU: "Supported values for aw-bits are: 39, 48", in every release. */
        if (model == VIOMMU_MODEL_INTEL && asked->aw_bits != VIOMMU_INTEL_NARROW_BITS &&
            asked->aw_bits != VIOMMU_INTEL_WIDE_BITS)
            viommu_judge_refuse(judging, "iommu.aw-bits of 'intel' must be 39 or 48, not %" G_GUINT64_FORMAT,
                                asked->aw_bits);
    }
    if (asked->granule)
        judge_one(judging, "granule", granule_facts[model]);
    if (model == VIOMMU_MODEL_VIRTIO)
        judge_granule(judging);
    judge_count(judging);
    judge_accelerated(judging);
}

/* A kernel that QEMU boots is Linux; what is on a disk is only known by its name. */
static bool boots_linux(const ViommuIommuInput *input)
{
    ViommuGuest guest = {input->request, input->kernel, false};
    const char *os = input->request->guest.os;

    return !viommu_guest_is_windows(&guest) &&
           (input->request->boot.kernel.path || (os && viommu_guest_os_find(os)));
}

/* Linux checks its timer by counting ticks while QEMU, not KVM, emulates it, and gives up with a
 * panic at once where interrupts are remapped (arch/x86/kernel/apic/io_apic.c, check_timer). */
bool viommu_iommu_risks_timer(const ViommuIommuInput *input)
{
    return boots_linux(input) && input->arch == VIOMMU_ARCH_X86_64 &&
           input->accelerator == VIOMMU_ACCELERATOR_TCG &&
           !viommu_cmdline_at(input->request->boot.cmdline, VIOMMU_TIMER_WORD);
}

/* Without interrupt remapping, a guest trusts every device with every interrupt vector, and QEMU
 * and libvirt leave it off by default.  So the plan switches it on wherever it can, with EIM as on
 * bare metal; under TCG, EIM only if it is needed.  If the timer is at risk, remapping is on only
 * by request. */
static void default_interrupts(const ViommuIommuInput *input, ViommuModel model, ViommuIommuAttributes *given)
{
    bool kvm = input->accelerator == VIOMMU_ACCELERATOR_KVM;
    ViommuFactId eim = kvm ? VIOMMU_FACT_INTEL_EIM : VIOMMU_FACT_INTEL_EIM_TCG;
    /* QEMU's own default is "on". */
    bool off = model == VIOMMU_MODEL_INTEL && viommu_iommu_risks_timer(input) &&
               !viommu_iommu_many_vcpus(input) && given->eim != 1;

    if (model != VIOMMU_MODEL_INTEL && model != VIOMMU_MODEL_AMD)
        return;
    if (given->intremap == VIOMMU_UNSET && available(input, switches[0].facts[model]))
        given->intremap = !off;
    if (model == VIOMMU_MODEL_INTEL && given->eim == VIOMMU_UNSET && given->intremap == 1 &&
        (kvm || viommu_iommu_many_vcpus(input)) && available(input, (int)eim))
        given->eim = 1;
    if (model == VIOMMU_MODEL_AMD && viommu_iommu_many_vcpus(input) &&
        available(input, VIOMMU_FACT_AMD_XTSUP))
        given->xtsup = 1;
}

static bool is_wide(uint64_t bits)
{
    return bits != VIOMMU_UNSET_NUMBER && bits >= VIOMMU_INTEL_WIDE_BITS;
}

/* Not wider than the host IOMMUs of the assigned devices, now or after hotplug; every IOMMU has at
 * least 39 bits. */
static uint64_t intel_bits(const ViommuIommuInput *input)
{
    bool now = viommu_iommu_has_hostdevs(input), later = input->plugs_hostdevs;

    return (!now || is_wide(input->placement->width_bits)) && (!later || is_wide(input->host_width_bits))
               ? VIOMMU_INTEL_WIDE_BITS
               : VIOMMU_INTEL_NARROW_BITS;
}

void viommu_iommu_attributes_choose(const ViommuIommuInput *input, ViommuModel model,
                                    ViommuIommuAttributes *ret_attributes)
{
    const ViommuRequestIommu *asked = &input->request->iommu;

    for (size_t i = 0; i < G_N_ELEMENTS(switches); i++)
        if (available(input, switches[i].facts[model]))
            *(int *)((char *)ret_attributes + switches[i].given) = asked_switch(input, &switches[i]);
    default_interrupts(input, model, ret_attributes);

    if (model == VIOMMU_MODEL_INTEL && viommu_iommu_has_hostdevs(input))
        ret_attributes->caching_mode = 1;
    if (model == VIOMMU_MODEL_INTEL && input->plugs_hostdevs &&
        ret_attributes->caching_mode == VIOMMU_UNSET && available(input, VIOMMU_FACT_INTEL_CACHING_MODE))
        ret_attributes->caching_mode = 1;

    /* QEMU's default width of intel changed between releases and machine types, so the plan always
     * sets it. */
    if (available(input, aw_bits_facts[model])) {
        ret_attributes->aw_bits = asked->aw_bits;
        if (model == VIOMMU_MODEL_INTEL && asked->aw_bits == VIOMMU_UNSET_NUMBER)
            ret_attributes->aw_bits = intel_bits(input);
    }
    if (model == VIOMMU_MODEL_VIRTIO && takes_smallest_granule(input))
        ret_attributes->granule_bytes = SMALLEST_GRANULE;
    if (asked->granule && available(input, granule_facts[model])) {
        if (g_str_equal(asked->granule, "host"))
            ret_attributes->granule = g_strdup(asked->granule);
        else
            viommu_quantity_parse(asked->granule, &ret_attributes->granule_bytes, NULL);
    }
}

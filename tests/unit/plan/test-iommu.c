/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-iommu: decides requests on hosts: the model, its attributes, each rule that can refuse, and
 * the order of candidates. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/host/fact-probe.h"
#include "lib/plan/iommu-rules.h"
#include "lib/plan/plan.h"

/* Hosts by name, as recorded trees. */
#define EMULATOR(arch, qemu, accelerators) \
    "{'arch': <'" arch "'>, 'qemu': <'" qemu "'>, 'accelerators': <[" accelerators "]>}"
#define HOST(libvirt, qemu, accelerators)                                                                \
    "{'libvirt': <'" libvirt "'>, 'emulators': <[" EMULATOR("x86_64", qemu, accelerators) ", " EMULATOR( \
        "aarch64", qemu, accelerators) "]>}"

static const char *const bullseye = HOST("7.0.0", "5.2.0", "'kvm', 'tcg'");
static const char *const bookworm = HOST("9.0.0", "7.2.22", "'kvm', 'tcg'");
static const char *const bookworm_tcg = HOST("9.0.0", "7.2.22", "'tcg'");
static const char *const questing = HOST("11.6.0", "10.1.0", "'kvm', 'tcg'");
static const char *const newest = HOST("12.8.0", "11.1.3", "'kvm', 'tcg'");
static const char *const newest_tcg = HOST("12.8.0", "11.1.3", "'tcg'");
static const char *const has_sev = "{'libvirt': <'12.8.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': "
                                   "<'11.1.3'>, 'accelerators': <['kvm']>, 'sev': <true>}]>}";
static const char *const no_uefi = "{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'aarch64'>, 'qemu': "
                                   "<'7.2.22'>, 'accelerators': <['tcg']>, "
                                   "'firmware': <['bios']>}]>}";

static const char *const denies_intel =
    "{'libvirt': <'8.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'6.2'>, 'accelerators': "
    "<['tcg']>, "
    "'accepts': <['virtio-x86_64']>, 'refuses': <['intel', 'intel-aw-bits']>}]>}";

static const char *const has_iommu =
    "{'libvirt': <'9.0.0'>, 'host-iommu': <true>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, "
    "'accelerators': <['kvm']>}]>}";

/* The result of one decision. */
typedef struct Decision {
    ViommuPlan *plan; /* NULL: refused */
    GPtrArray *reasons;
    GError *error;
} Decision;

static Decision decide(const char *host_text, const char *request_text, const ViommuPolicy *policy)
{
    g_autoptr(GVariant) host_tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, host_text, NULL, NULL, NULL);
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, request_text, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuHost) host = NULL;
    g_autoptr(ViommuRequest) request = NULL;
    ViommuPolicy defaults;
    Decision decision = {0};

    ck_assert_msg(host_tree && tree, "%s\n%s", host_text, request_text);
    host = viommu_host_from_variant(host_tree, &error);
    unit_assert_ok(host != NULL, error);
    request = viommu_request_parse(tree, &error);
    unit_assert_ok(request != NULL, error);
    viommu_policy_init(&defaults);
    ViommuPlanInput input = {.request = request, .host = host, .policy = policy ? policy : &defaults};
    ck_assert_int_eq(viommu_plan_build(&input, &decision.plan, &decision.reasons, &decision.error),
                     decision.plan != NULL);
    ck_assert((decision.plan == NULL) == (decision.error != NULL));
    return decision;
}

static void decision_clear(Decision *decision)
{
    viommu_plan_free(decision->plan);
    g_clear_pointer(&decision->reasons, g_ptr_array_unref);
    g_clear_error(&decision->error);
}

static const char *model_of(const Decision *decision)
{
    const char *name = decision->plan ? viommu_model_to_string(decision->plan->iommu.model) : "refused";

    return name ? name : "none";
}

START_TEST(choices)
{
    const struct {
        const char *host, *arch, *rest, *native, *virtio;
    } cases[] = {
        {bullseye, "x86_64", "", "intel", "intel"},
        {bullseye, "aarch64", "", "smmuv3", "smmuv3"},
        {bookworm, "x86_64", "", "intel", "virtio"},
        {bookworm, "aarch64", "", "smmuv3", "virtio"},
        {newest, "x86_64", "", "intel", "virtio"},
        {newest, "aarch64", "", "smmuv3", "virtio"},
        /* the guest decides, too */
        {bookworm, "x86_64", ", 'guest': <{'os': <'debian12'>}>", "intel", "intel"},
        {bookworm, "x86_64", ", 'guest': <{'os': <'debian13'>}>", "intel", "intel"},
        {bookworm, "x86_64", ", 'guest': <{'os': <'ubuntu24.04'>}>", "intel", "virtio"},
        {bookworm, "x86_64", ", 'guest': <{'drivers': <['virtio']>}>", "virtio", "virtio"},
        {bookworm, "aarch64", ", 'guest': <{'kernel': <'5.10'>}>", "smmuv3", "smmuv3"},
        {newest, "x86_64", ", 'guest': <{'drivers': <['amd']>}>", "refused", "refused"},
        /* virtio has no ACPI without UEFI */
        {no_uefi, "aarch64", ", 'boot': <{'kernel': <'/k'>}>", "smmuv3", "smmuv3"},
        {bookworm, "aarch64", ", 'boot': <{'kernel': <'/k'>, 'firmware': <'bios'>}>", "smmuv3", "smmuv3"},
        /* many vCPUs */
        {bookworm, "x86_64", ", 'vcpus': <256>", "intel", "intel"},
        {bookworm_tcg, "x86_64", ", 'vcpus': <256>", "refused", "refused"},
        {newest_tcg, "x86_64", ", 'vcpus': <256>", "intel", "intel"},
        {bookworm, "aarch64", ", 'vcpus': <256>", "smmuv3", "virtio"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (int order = 0; order < VIOMMU_ORDER_LAST; order++) {
            g_autofree char *request = g_strdup_printf(
                "{'arch': <'%s'>, 'iommu': <{'is-supported': <true>}>%s}", cases[i].arch, cases[i].rest);
            ViommuPolicy policy;
            Decision decision;

            viommu_policy_init(&policy);
            policy.order = (ViommuOrder)order;
            decision = decide(cases[i].host, request, &policy);
            ck_assert_msg(g_str_equal(model_of(&decision),
                                      order == VIOMMU_ORDER_NATIVE ? cases[i].native : cases[i].virtio),
                          "%s: %s, order %d; %s", request, model_of(&decision), order,
                          decision.error ? decision.error->message : "");
            decision_clear(&decision);
        }
    }
}
END_TEST

START_TEST(by_name)
{
    const struct {
        const char *host, *request, *model;
    } cases[] = {
        {bookworm, "{'iommu': <{'model': <'virtio'>}>}", "virtio"},
        {bullseye, "{'iommu': <{'model': <'virtio'>}>}", "refused"},
        {bullseye, "{'iommu': <{'model': <['virtio', 'intel']>}>}", "intel"},
        {bookworm, "{'iommu': <{'model': <['virtio', 'intel']>}>}", "virtio"},
        {bookworm, "{'iommu': <{'model': <'virtio|intel'>}>}", "intel"},
        {bookworm, "{'iommu': <{'model': <'smmuv3'>}>}", "refused"},
        {bookworm, "{'arch': <'aarch64'>, 'iommu': <{'model': <'intel'>}>}", "refused"},
        {bookworm, "{'iommu': <{'model': <'amd'>}>}", "refused"},
        {questing, "{'iommu': <{'model': <'amd'>}>}", "amd"},
        {newest, "{'iommu': <{'model': <'amd'>, 'translate': <true>}>}", "refused"},
        {bookworm, "{'machine': <'pc'>, 'iommu': <{'model': <'intel'>}>}", "refused"},
        {bookworm, "{'machine': <'pc-q35-7.2'>, 'iommu': <{'model': <'intel'>}>}", "intel"},
        {bookworm, "{'iommu': <{'model': <'virtio'>}>, 'guest': <{'os': <'debian13'>}>}", "virtio"},
        {bookworm, "{'iommu': <{'model': <'virtio'>}>, 'guest': <{'os': <'debian12'>}>}", "refused"},
        {bullseye, "{'iommu': <{'model': <'virtio'>, 'required': <false>}>}", "none"},
        {bookworm, "@a{sv} {}", "none"},
        {bookworm, "{'iommu': <{'is-supported': <false>}>}", "none"},
        /* machines that need an IOMMU */
        {bookworm, "{'vcpus': <256>}", "intel"},
        {bookworm, "{'vcpus': <255>}", "none"},
        {bookworm, "{'vcpus': <256>, 'iommu': <{'is-supported': <false>}>}", "refused"},
        {bookworm_tcg, "{'vcpus': <256>}", "refused"},
        {bookworm, "{'vcpus': <256>, 'iommu': <{'model': <'virtio'>}>}", "refused"},
        {bookworm, "{'vcpus': <256>, 'iommu': <{'model': <'virtio'>, 'required': <false>}>}", "refused"},
        {questing, "{'vcpus': <256>, 'iommu': <{'model': <'amd'>}>}", "refused"},
        {newest, "{'vcpus': <256>, 'iommu': <{'model': <'amd'>}>}", "amd"},
        /* attributes */
        {bookworm, "{'iommu': <{'model': <'intel'>, 'aw-bits': <40>}>}", "refused"},
        {bookworm, "{'iommu': <{'model': <'virtio'>, 'aw-bits': <48>}>}", "refused"},
        {newest, "{'iommu': <{'model': <'virtio'>, 'aw-bits': <48>}>}", "virtio"},
        {bookworm, "{'iommu': <{'model': <'intel'>, 'granule': <'host'>}>}", "refused"},
        {bookworm_tcg, "{'iommu': <{'model': <'intel'>, 'eim': <true>}>}", "refused"},
        {newest_tcg, "{'iommu': <{'model': <'intel'>, 'eim': <true>}>}", "intel"},
        {bookworm, "{'iommu': <{'is-supported': <true>, 'dma-translation': <false>}>}", "refused"},
        {newest, "{'iommu': <{'is-supported': <true>, 'dma-translation': <false>}>}", "intel"},
        /* a value that equals the default requests nothing */
        {bookworm, "{'iommu': <{'model': <'virtio'>, 'intremap': <false>, 'dma-translation': <true>}>}",
         "virtio"},
        {bookworm, "{'iommu': <{'model': <'virtio'>, 'intremap': <true>}>}", "refused"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Decision decision = decide(cases[i].host, cases[i].request, NULL);

        ck_assert_msg(g_str_equal(model_of(&decision), cases[i].model), "%s: %s; %s", cases[i].request,
                      model_of(&decision), decision.error ? decision.error->message : "");
        if (!decision.plan)
            ck_assert_int_eq(decision.error->code, VIOMMU_ERROR_NOT_SUPPORTED);
        decision_clear(&decision);
    }
}
END_TEST

/* The attributes as one line: "intremap=1 eim=1 aw=48". */
static char *attributes_of(const ViommuPlan *plan)
{
    const ViommuIommuAttributes *given = &plan->iommu.attributes;
    const struct {
        const char *name;
        int value;
    } flags[] = {{"intremap", given->intremap},    {"eim", given->eim},
                 {"caching", given->caching_mode}, {"iotlb", given->iotlb},
                 {"dma", given->dma_translation},  {"xtsup", given->xtsup}};
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
        if (flags[i].value != VIOMMU_UNSET)
            g_string_append_printf(text, "%s=%d ", flags[i].name, flags[i].value);
    if (given->aw_bits != VIOMMU_UNSET_NUMBER)
        g_string_append_printf(text, "aw=%u ", (unsigned)given->aw_bits);
    if (given->granule)
        g_string_append_printf(text, "granule=%s ", given->granule);
    if (given->granule_bytes != VIOMMU_UNSET_NUMBER)
        g_string_append_printf(text, "granule=%u ", (unsigned)given->granule_bytes);
    if (plan->ioapic_split)
        g_string_append(text, "ioapic ");
    if (plan->iommu.translate)
        g_string_append(text, "translate");
    return g_strchomp(g_string_free(text, FALSE));
}

START_TEST(attributes_given)
{
    const struct {
        const char *host, *request, *attributes;
    } cases[] = {
        {bookworm, "{'iommu': <{'model': <'intel'>}>}", "intremap=1 eim=1 aw=48 ioapic translate"},
        {bookworm_tcg, "{'iommu': <{'model': <'intel'>}>}", "intremap=1 aw=48 ioapic translate"},
        {newest_tcg, "{'iommu': <{'model': <'intel'>}>}", "intremap=1 aw=48 ioapic translate"},
        {newest_tcg, "{'vcpus': <300>}", "intremap=1 eim=1 aw=48 ioapic translate"},
        {newest, "{'iommu': <{'model': <'intel'>, 'intremap': <false>}>}", "intremap=0 aw=48 translate"},
        {newest, "{'iommu': <{'model': <'intel'>, 'eim': <false>, 'caching-mode': <true>, 'aw-bits': <39>}>}",
         "intremap=1 eim=0 caching=1 aw=39 ioapic translate"},
        {newest, "{'iommu': <{'model': <'intel'>, 'translate': <false>, 'iotlb': <true>}>}",
         "intremap=1 eim=1 iotlb=1 aw=48 ioapic"},
        {bookworm, "{'iommu': <{'model': <'virtio'>}>}", "translate"},
        {newest, "{'iommu': <{'model': <'virtio'>}>}", "translate"},
        {newest, "{'iommu': <{'model': <'virtio'>, 'aw-bits': <40>, 'granule': <'host'>}>}",
         "aw=40 granule=host translate"},
        {newest, "{'iommu': <{'model': <'virtio'>, 'granule': <'4 KiB'>}>}", "granule=4096 translate"},
        {newest, "{'arch': <'aarch64'>, 'iommu': <{'model': <'virtio'>, 'granule': <'64 KiB'>}>}",
         "granule=65536 translate"},
        /* a direct boot under TCG */
        {bookworm_tcg, "{'iommu': <{'model': <'intel'>}>, 'boot': <{'kernel': <'/k'>}>}",
         "intremap=0 aw=48 translate"},
        {bookworm, "{'iommu': <{'model': <'intel'>}>, 'boot': <{'kernel': <'/k'>}>}",
         "intremap=1 eim=1 aw=48 ioapic translate"},
        {bookworm_tcg, "{'iommu': <{'model': <'intel'>, 'intremap': <true>}>, 'boot': <{'kernel': <'/k'>}>}",
         "intremap=1 aw=48 ioapic translate"},
        {bookworm_tcg,
         "{'iommu': <{'model': <'intel'>}>, 'boot': <{'kernel': <'/k'>, 'cmdline': <'no_timer_check'>}>}",
         "intremap=1 aw=48 ioapic translate"},
        {newest_tcg, "{'iommu': <{'model': <'intel'>, 'eim': <true>}>, 'boot': <{'kernel': <'/k'>}>}",
         "intremap=1 eim=1 aw=48 ioapic translate"},
        {newest_tcg, "{'vcpus': <256>, 'boot': <{'kernel': <'/k'>}>}",
         "intremap=1 eim=1 aw=48 ioapic translate"},
        {newest_tcg, "{'iommu': <{'model': <'amd'>}>, 'boot': <{'kernel': <'/k'>}>}", "intremap=1 ioapic"},
        /* devices of the host may be plugged in */
        {has_iommu, "{'iommu': <{'model': <'intel'>}>, 'hotplug-ports': <1>}",
         "intremap=1 eim=1 caching=1 aw=39 ioapic translate"},
        {has_iommu, "{'iommu': <{'model': <'intel'>}>, 'hotplug-ports': <0>}",
         "intremap=1 eim=1 aw=48 ioapic translate"},
        {bookworm, "{'iommu': <{'model': <'intel'>}>, 'hotplug-ports': <1>}",
         "intremap=1 eim=1 aw=48 ioapic translate"},
        {newest, "{'arch': <'aarch64'>, 'iommu': <{'model': <'smmuv3'>}>}", "translate"},
        {questing, "{'iommu': <{'model': <'amd'>}>}", "intremap=1 ioapic"},
        {newest, "{'vcpus': <300>, 'iommu': <{'model': <'amd'>}>}", "intremap=1 xtsup=1 ioapic"},
        {bookworm, "{'iommu': <{'model': <'intel'>}>, 'hostdevs': <[{'address': <'0000:01:00.0'>}]>}",
         "intremap=1 eim=1 caching=1 aw=39 ioapic translate"},
        {bookworm, "@a{sv} {}", ""},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Decision decision = decide(cases[i].host, cases[i].request, NULL);
        g_autofree char *given = NULL;

        unit_assert_ok(decision.plan != NULL, decision.error);
        given = attributes_of(decision.plan);
        ck_assert_msg(g_str_equal(given, cases[i].attributes), "%s: %s", cases[i].request, given);
        decision_clear(&decision);
    }
}
END_TEST

/* Both sides of each range of releases. */
START_TEST(networks_without_vhost)
{
    static const struct {
        const char *qemu, *iommu, *network; /* the network's type, and what follows it */
        bool without;
    } cases[] = {
        {"5.2.0", "'translate': <true>", "<'network'>, 'source': <'x'>", false},
        {"6.0.0", "'translate': <true>", "<'network'>, 'source': <'x'>", true},
        {"6.2.0", "'translate': <true>", "<'bridge'>, 'source': <'x'>", true},
        {"6.2.0", "'translate': <true>", "<'user'>", false},
        {"6.2.0", "'translate': <true>", "<'network'>, 'source': <'x'>, 'model': <'e1000e'>", false},
        {"6.2.0", "'translate': <false>", "<'network'>, 'source': <'x'>", false},
        {"7.2.0", "'translate': <true>", "<'network'>, 'source': <'x'>", true},
        {"7.2.1", "'translate': <true>", "<'network'>, 'source': <'x'>", false},
        {"7.2.22", "'translate': <true>", "<'network'>, 'source': <'x'>", false},
        {"7.2.4", "'iotlb': <true>", "<'network'>, 'source': <'x'>", true},
        {"7.2.5", "'iotlb': <true>", "<'network'>, 'source': <'x'>", false},
        {"8.0.0", "'iotlb': <true>", "<'network'>, 'source': <'x'>", true},
        {"8.0.5", "'translate': <true>", "<'network'>, 'source': <'x'>", false},
        {"8.1.0", "'iotlb': <true>", "<'network'>, 'source': <'x'>", false},
    };

    for (size_t i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        size_t row = i / 2;
        bool kvm = i % 2;
        g_autofree char *host = g_strdup_printf(
            "{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'%s'>, 'accelerators': "
            "<['%s']>}]>}",
            cases[row].qemu, kvm ? "kvm" : "tcg");
        g_autofree char *request =
            g_strdup_printf("{'iommu': <{'model': <'intel'>, %s}>, 'networks': <[{'type': %s}]>}",
                            cases[row].iommu, cases[row].network);
        Decision decision;

        decision = decide(host, request, NULL);
        unit_assert_ok(decision.plan != NULL, decision.error);
        ck_assert_msg(((ViommuPlanNetwork *)decision.plan->networks->pdata[0])->without_vhost ==
                          (kvm && cases[row].without),
                      "%s, QEMU %s, %s", request, cases[row].qemu, kvm ? "kvm" : "tcg");
        decision_clear(&decision);
    }
}
END_TEST

static bool has_reason(const GPtrArray *reasons, int model, ViommuRule rule)
{
    for (guint i = 0; i < reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(reasons, i);

        if (reason->model == model && reason->rule == rule)
            return true;
    }
    return false;
}

/* Each rule, in a case in which it refuses.  The loop goes over the rules, so that a new rule needs
 * a case. */
START_TEST(every_rule_speaks)
{
    const struct {
        ViommuRule rule;
        ViommuModel model;
        const char *host, *request;
    } cases[] = {
        {VIOMMU_RULE_ARCH, VIOMMU_MODEL_SMMUV3, bookworm, "@a{sv} {}"},
        {VIOMMU_RULE_MACHINE, VIOMMU_MODEL_INTEL, bookworm, "{'machine': <'pc'>}"},
        {VIOMMU_RULE_LIBVIRT_VERSION, VIOMMU_MODEL_VIRTIO, bullseye, "@a{sv} {}"},
        {VIOMMU_RULE_QEMU_VERSION, VIOMMU_MODEL_VIRTIO, bullseye, "@a{sv} {}"},
        {VIOMMU_RULE_LIBVIRT_SAYS, VIOMMU_MODEL_INTEL, denies_intel, "@a{sv} {}"},
        {VIOMMU_RULE_ACCELERATOR, VIOMMU_MODEL_INTEL, bookworm_tcg,
         "{'iommu': <{'model': <'virtio|intel'>, 'eim': <true>, "
         "'required': <false>}>}"},
        {VIOMMU_RULE_VCPUS, VIOMMU_MODEL_VIRTIO, bookworm, "{'vcpus': <256>}"},
        {VIOMMU_RULE_FIRMWARE, VIOMMU_MODEL_VIRTIO, no_uefi,
         "{'arch': <'aarch64'>, 'boot': <{'kernel': <'/k'>}>}"},
        {VIOMMU_RULE_ACPI, VIOMMU_MODEL_VIRTIO, bookworm,
         "{'arch': <'aarch64'>, 'boot': <{'kernel': <'/k'>, 'firmware': <'bios'>}>}"},
        {VIOMMU_RULE_GUEST, VIOMMU_MODEL_VIRTIO, bookworm, "{'guest': <{'os': <'debian12'>}>}"},
        {VIOMMU_RULE_ATTRIBUTE, VIOMMU_MODEL_VIRTIO, bookworm,
         "{'iommu': <{'is-supported': <true>, 'aw-bits': <48>}>}"},
        {VIOMMU_RULE_TRANSLATE, VIOMMU_MODEL_AMD, newest,
         "{'iommu': <{'is-supported': <true>, 'translate': <true>}>}"},
        {VIOMMU_RULE_HOSTDEV, VIOMMU_MODEL_AMD, newest, "{'hostdevs': <[{'address': <'0000:01:00.0'>}]>}"},
        {VIOMMU_RULE_LAUNCH_SECURITY, VIOMMU_MODEL_VIRTIO, has_sev,
         "{'iommu': <{'is-supported': <true>, 'required': <false>}>, 'launch-security': <{'type': <'sev'>}>}"},
        {VIOMMU_RULE_BY_NAME, VIOMMU_MODEL_AMD, newest, "{'iommu': <{'is-supported': <true>}>}"},
    };
    uint64_t covered = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Decision decision = decide(cases[i].host, cases[i].request, NULL);

        unit_assert_ok(decision.plan != NULL, decision.error);
        ck_assert_msg(has_reason(decision.plan->iommu.candidates[cases[i].model].reasons, (int)cases[i].model,
                                 cases[i].rule),
                      "'%s' is silent on %s", viommu_rule_to_string(cases[i].rule), cases[i].request);
        covered |= VIOMMU_BIT(cases[i].rule);
        decision_clear(&decision);
    }
    /* libvirt's own refusals have another test */
    covered |= VIOMMU_BIT(VIOMMU_RULE_LIBVIRT);
    for (const ViommuIommuRule *row = viommu_iommu_rules; row->judge; row++)
        ck_assert_msg(covered & VIOMMU_BIT(row->rule), "no case for the rule '%s'",
                      viommu_rule_to_string(row->rule));
}
END_TEST

/* libvirt's answer overrides the table, and the next candidate is taken. */
START_TEST(refusals_by_libvirt)
{
    const ViommuVeto vetoes[] = {{VIOMMU_MODEL_INTEL, "unsupported: no"},
                                 {VIOMMU_MODEL_VIRTIO, "unsupported: neither"}};
    g_autoptr(GVariant) host_tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, bookworm, NULL, NULL, NULL);
    g_autoptr(GVariant) tree =
        g_variant_parse(G_VARIANT_TYPE_VARDICT, "{'iommu': <{'is-supported': <true>}>}", NULL, NULL, NULL);
    g_autoptr(ViommuHost) host = viommu_host_from_variant(host_tree, NULL);
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    for (size_t n = 0; n <= G_N_ELEMENTS(vetoes); n++) {
        ViommuPlanInput input = {
            .request = request, .host = host, .policy = &policy, .vetoes = vetoes, .n_vetoes = n};
        g_autoptr(ViommuPlan) plan = NULL;
        g_autoptr(GPtrArray) reasons = NULL;
        g_autoptr(GError) error = NULL;
        bool built = viommu_plan_build(&input, &plan, &reasons, &error);

        ck_assert_int_eq(built, n < 2);
        if (built) {
            ck_assert_int_eq((int)plan->iommu.model, (int)(n ? VIOMMU_MODEL_VIRTIO : VIOMMU_MODEL_INTEL));
            ck_assert_int_eq((int)plan->iommu.candidates[VIOMMU_MODEL_INTEL].verdict,
                             n ? VIOMMU_VERDICT_REFUSED : VIOMMU_VERDICT_CHOSEN);
        } else {
            ck_assert_ptr_nonnull(strstr(error->message, "unsupported: no"));
            ck_assert(has_reason(reasons, VIOMMU_MODEL_VIRTIO, VIOMMU_RULE_LIBVIRT));
        }
    }
}
END_TEST

/* Whatever else stands against it: no version helps a model that the architecture does not have. */
static void assert_arch_alone(const char *host, ViommuArch arch, ViommuModel model, const char *rest)
{
    g_autofree char *request =
        g_strdup_printf("{'arch': <'%s'>, 'iommu': <{'model': <'%s'>%s}>}", viommu_arch_to_string(arch),
                        viommu_model_to_string(model), rest);
    Decision decision = decide(host, request, NULL);
    unsigned n = 0;

    ck_assert_msg(decision.reasons, "%s was not refused", request);
    for (guint i = 0; i < decision.reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(decision.reasons, i);

        if (reason->model != model)
            continue;
        n++;
        ck_assert_msg(reason->rule == VIOMMU_RULE_ARCH, "%s: %s", request, reason->text);
    }
    ck_assert_uint_eq(n, 1);
    decision_clear(&decision);
}

static void assert_foreign_models(void)
{
    static const struct {
        ViommuArch arch;
        ViommuModel model;
    } foreign[] = {
        {VIOMMU_ARCH_X86_64, VIOMMU_MODEL_SMMUV3},
        {VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_INTEL},
        {VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_AMD},
    };
    static const char *const rests[] = {"", ", 'eim': <true>", ", 'aw-bits': <57>"};
    const char *hosts[] = {bullseye, bookworm, bookworm_tcg, questing, newest, newest_tcg};

    for (size_t i = 0; i < G_N_ELEMENTS(foreign); i++)
        for (size_t host = 0; host < G_N_ELEMENTS(hosts); host++)
            for (size_t rest = 0; rest < G_N_ELEMENTS(rests); rest++)
                assert_arch_alone(hosts[host], foreign[i].arch, foreign[i].model, rests[rest]);
}

/* In each decision every candidate has a verdict and a sentence, and exactly one chosen model. */
START_TEST(every_candidate_has_its_say)
{
    static const char *const requests[] = {
        "@a{sv} {}",
        "{'iommu': <{'is-supported': <true>}>}",
        "{'iommu': <{'is-supported': <false>}>}",
        "{'iommu': <{'model': <'virtio'>, 'required': <false>}>}",
        "{'iommu': <{'model': <['amd', 'intel', 'virtio']>, 'required': <false>}>}",
        "{'iommu': <{'model': <'i.*|v.*'>, 'required': <false>}>}",
        "{'arch': <'aarch64'>, 'iommu': <{'is-supported': <true>}>}",
        "{'machine': <'pc'>}",
        "{'guest': <{'os': <'debian13'>}>, 'iommu': <{'is-supported': <true>}>}",
    };
    const char *const hosts[] = {bullseye, bookworm, bookworm_tcg, questing, newest, newest_tcg};

    for (size_t h = 0; h < G_N_ELEMENTS(hosts); h++) {
        for (size_t r = 0; r < G_N_ELEMENTS(requests); r++) {
            Decision decision = decide(hosts[h], requests[r], NULL);

            unit_assert_ok(decision.plan != NULL, decision.error);
            for (int model = 0; model < VIOMMU_MODEL_LAST; model++) {
                const ViommuCandidate *candidate = &decision.plan->iommu.candidates[model];

                ck_assert_uint_gt(candidate->reasons->len, 0);
                ck_assert_int_eq(candidate->verdict == VIOMMU_VERDICT_CHOSEN,
                                 model == (int)decision.plan->iommu.model);
                for (guint i = 0; i < candidate->reasons->len; i++) {
                    const ViommuReason *reason = g_ptr_array_index(candidate->reasons, i);

                    ck_assert_int_eq(reason->model, model);
                    ck_assert_ptr_null(strstr(reason->text, "(null)"));
                }
            }
            decision_clear(&decision);
        }
    }
    assert_foreign_models();
}
END_TEST

/* libvirt's answer overrides the table, both ways. */
START_TEST(libvirt_was_asked)
{
    Decision decision = decide(denies_intel, "{'iommu': <{'is-supported': <true>}>}", NULL);
    const ViommuCandidate *intel;
    const ViommuReason *reason;

    ck_assert_ptr_nonnull(decision.plan);
    ck_assert_int_eq(decision.plan->iommu.model, VIOMMU_MODEL_VIRTIO);
    intel = &decision.plan->iommu.candidates[VIOMMU_MODEL_INTEL];
    ck_assert_int_eq(intel->verdict, VIOMMU_VERDICT_REFUSED);
    reason = g_ptr_array_index(intel->reasons, 0);
    ck_assert_int_eq((int)reason->rule, VIOMMU_RULE_LIBVIRT_SAYS);
    decision_clear(&decision);
}
END_TEST

START_TEST(questions_to_libvirt)
{
    static const struct {
        ViommuArch arch;
        ViommuFactId fact;
        const char *part; /* NULL: libvirt was not asked */
    } cases[] = {
        {VIOMMU_ARCH_X86_64, VIOMMU_FACT_INTEL_EIM, "<driver intremap='on' eim='on'/>"},
        {VIOMMU_ARCH_X86_64, VIOMMU_FACT_VIRTIO_GRANULE, "<granule size='4' unit='KiB'/>"},
        {VIOMMU_ARCH_AARCH64, VIOMMU_FACT_SMMUV3, "<iommu model='smmuv3'/>"},
        {VIOMMU_ARCH_AARCH64, VIOMMU_FACT_INTEL, NULL},
        {VIOMMU_ARCH_AARCH64, VIOMMU_FACT_SMMUV3_ACCEL, "<driver pciBus='1' accel='on'/>"},
        {VIOMMU_ARCH_AARCH64, VIOMMU_FACT_SMMUV3_ACCEL, "<controller type='pci' index='1'"},
        {VIOMMU_ARCH_AARCH64, VIOMMU_FACT_SMMUV3_RIL, "<driver pciBus='1' accel='on' ril='off'/>"},
        {VIOMMU_ARCH_AARCH64, VIOMMU_FACT_SMMUV3_RIL, "<controller type='pci' index='1'"},
        {VIOMMU_ARCH_X86_64, VIOMMU_FACT_SMMUV3_ACCEL, NULL},
        {VIOMMU_ARCH_X86_64, VIOMMU_FACT_IOMMUFD, "<driver iommufd='yes'/>"},
        {VIOMMU_ARCH_X86_64, VIOMMU_FACT_INTEL_EIM_TCG, NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ViommuHost) host = viommu_host_new();
        ViommuEmulator *emulator = viommu_host_add_emulator(host);
        const char *shows = NULL;
        g_autofree char *xml = NULL, *ground = NULL;

        emulator->arch = (int)cases[i].arch;
        emulator->arch_name = g_strdup(viommu_arch_to_string(cases[i].arch));
        emulator->path = g_strdup("/usr/bin/qemu");
        xml = viommu_fact_probe(cases[i].fact, emulator, &shows);
        ck_assert_int_eq(xml != NULL, cases[i].part != NULL);
        ck_assert_msg(!xml || (strstr(xml, cases[i].part) && shows), "%s", xml);
        /* A host without VFIO refuses each assigned device. */
        ground = viommu_fact_probe_ground(cases[i].fact, emulator);
        ck_assert_int_eq(ground != NULL, cases[i].fact == VIOMMU_FACT_IOMMUFD);
        ck_assert(!ground || (strstr(ground, "<hostdev") && !strstr(ground, "iommufd")));
    }
}
END_TEST

UNIT_MAIN("iommu", choices, by_name, attributes_given, networks_without_vhost, every_rule_speaks,
          refusals_by_libvirt, every_candidate_has_its_say, libvirt_was_asked, questions_to_libvirt)

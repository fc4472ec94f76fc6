/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/iommu.h"

#include "lib/base/error.h"
#include "lib/facts/facts.h"
#include "lib/guest/guest.h"
#include "lib/plan/iommu-attributes.h"
#include "lib/plan/iommu-rules.h"
#include "lib/request/selector.h"

VIOMMU_ENUM_DEFINE(verdict, "verdict", VIOMMU_VERDICT_LAST, "chosen", "possible", "refused");

static const ViommuModel site_orders[VIOMMU_ORDER_LAST][VIOMMU_MODEL_LAST] = {
    [VIOMMU_ORDER_NATIVE] = {VIOMMU_MODEL_INTEL, VIOMMU_MODEL_SMMUV3, VIOMMU_MODEL_VIRTIO, VIOMMU_MODEL_AMD},
    [VIOMMU_ORDER_VIRTIO] = {VIOMMU_MODEL_VIRTIO, VIOMMU_MODEL_INTEL, VIOMMU_MODEL_SMMUV3, VIOMMU_MODEL_AMD},
};

void viommu_iommu_choice_init(ViommuIommuChoice *choice)
{
    *choice = (ViommuIommuChoice){
        .model = VIOMMU_MODEL_NONE,
        .ats = VIOMMU_UNSET,
        .ril = VIOMMU_UNSET,
        .cmdqv = VIOMMU_UNSET,
        .ssidsize = VIOMMU_UNSET_NUMBER,
        .oas = VIOMMU_UNSET_NUMBER,
        .attributes = {.intremap = VIOMMU_UNSET,
                       .eim = VIOMMU_UNSET,
                       .caching_mode = VIOMMU_UNSET,
                       .iotlb = VIOMMU_UNSET,
                       .dma_translation = VIOMMU_UNSET,
                       .xtsup = VIOMMU_UNSET,
                       .aw_bits = VIOMMU_UNSET_NUMBER,
                       .granule_bytes = VIOMMU_UNSET_NUMBER},
    };
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        choice->candidates[model].reasons =
            g_ptr_array_new_with_free_func((GDestroyNotify)viommu_reason_free);
}

void viommu_iommu_choice_clear(ViommuIommuChoice *choice)
{
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        g_clear_pointer(&choice->candidates[model].reasons, g_ptr_array_unref);
    g_clear_pointer(&choice->attributes.granule, g_free);
}

/* The selection with its order.  The reasons name the origin of the order: the request or the
 * site. */
typedef struct Ranking {
    ViommuSelector selector;
    bool needed; /* not requested, but this machine cannot do without an IOMMU */
    ViommuModel models[VIOMMU_MODEL_LAST];
    unsigned n_models;
} Ranking;

static void rank(const ViommuIommuInput *input, Ranking *ranking)
{
    const ViommuModel *site = site_orders[input->policy->order];
    ViommuSelector *selector = &ranking->selector;

    if (selector->kind == VIOMMU_SELECTOR_UNSAID && viommu_iommu_many_vcpus(input)) {
        ranking->needed = true;
        ranking->models[ranking->n_models++] = VIOMMU_MODEL_INTEL;
        return;
    }
    for (unsigned i = 0; i < VIOMMU_MODEL_LAST; i++) {
        if (selector->kind == VIOMMU_SELECTOR_ANY ||
            (selector->kind == VIOMMU_SELECTOR_NAMED && !selector->ordered &&
             viommu_selector_names(selector, site[i])))
            ranking->models[ranking->n_models++] = site[i];
        else if (selector->kind == VIOMMU_SELECTOR_NAMED && selector->ordered && i < selector->n_models)
            ranking->models[ranking->n_models++] = selector->models[i];
    }
}

static bool ranked(const Ranking *ranking, ViommuModel model)
{
    for (unsigned i = 0; i < ranking->n_models; i++)
        if (ranking->models[i] == model)
            return true;
    return false;
}

static ViommuModel first_possible(const Ranking *ranking, const ViommuIommuChoice *choice)
{
    for (unsigned i = 0; i < ranking->n_models; i++) {
        const ViommuCandidate *candidate = &choice->candidates[ranking->models[i]];

        if (candidate->verdict != VIOMMU_VERDICT_REFUSED &&
            (!candidate->by_name_only || ranking->selector.kind == VIOMMU_SELECTOR_NAMED))
            return ranking->models[i];
    }
    return VIOMMU_MODEL_NONE;
}

static const char *order_name(const ViommuIommuInput *input, const Ranking *ranking)
{
    if (ranking->selector.ordered)
        return "the request's";
    return input->policy->order == VIOMMU_ORDER_VIRTIO ? "the site's virtio-first" : "the site's native";
}

/* Ends the reasons of every candidate with a sentence that says why it is, or is not, chosen. */
static void explain(const ViommuIommuInput *input, const Ranking *ranking, ViommuIommuChoice *choice)
{
    for (int i = 0; i < VIOMMU_MODEL_LAST; i++) {
        ViommuModel model = (ViommuModel)i;
        ViommuCandidate *candidate = &choice->candidates[i];
        const char *name = viommu_model_to_string(model);
        ViommuReason *reason = NULL;

        if (candidate->verdict == VIOMMU_VERDICT_REFUSED)
            continue;
        if (model == choice->model) {
            candidate->verdict = VIOMMU_VERDICT_CHOSEN;
            if (ranking->needed)
                reason = viommu_reason_new(model, VIOMMU_RULE_VCPUS,
                                           "added although the request asks for no IOMMU: %" G_GUINT64_FORMAT
                                           " vCPUs (more than %u) need interrupt remapping with EIM",
                                           input->vcpus, VIOMMU_X86_PLAIN_VCPUS);
            else if (ranking->n_models == 1)
                reason = viommu_reason_new(model, VIOMMU_RULE_SELECTION, "the request names '%s'", name);
            else
                reason = viommu_reason_new(model, VIOMMU_RULE_ORDER, "the first possible model in %s order",
                                           order_name(input, ranking));
        } else if (ranking->needed || ranking->selector.kind == VIOMMU_SELECTOR_UNSAID) {
            reason = viommu_reason_new(model, VIOMMU_RULE_SELECTION, "the request asks for no IOMMU");
        } else if (ranking->selector.kind == VIOMMU_SELECTOR_NONE) {
            reason = viommu_reason_new(model, VIOMMU_RULE_SELECTION,
                                       "the request wants a machine without an IOMMU");
        } else if (!ranked(ranking, model)) {
            reason = viommu_reason_new(model, VIOMMU_RULE_SELECTION, "the request does not name '%s'", name);
        } else if (candidate->by_name_only && ranking->selector.kind == VIOMMU_SELECTOR_ANY) {
            reason =
                viommu_reason_new(model, VIOMMU_RULE_BY_NAME,
                                  "never chosen automatically; set iommu.model to '%s' to have it", name);
        } else {
            reason = viommu_reason_new(model, VIOMMU_RULE_ORDER, "'%s' is preferred in %s order",
                                       viommu_model_to_string(choice->model), order_name(input, ranking));
        }
        g_ptr_array_add(candidate->reasons, reason);
    }
}

/* Owned. */
static char *warn_of_driver(ViommuArch arch)
{
    g_autofree char *kernel = viommu_fact_kernel(
        arch == VIOMMU_ARCH_AARCH64 ? VIOMMU_FACT_VIRTIO_AARCH64 : VIOMMU_FACT_VIRTIO_X86_64, false);

    return g_strdup_printf(
        "the guest's driver is not known: 'virtio' needs %s or newer with VIRTIO_IOMMU and ACPI_VIOT, built in or in the initramfs; set guest.os, guest.kernel or guest.drivers to have it checked",
        kernel);
}

/* Warns of what a Linux kernel must have, or must be told. */
static void warn_of_linux(const ViommuIommuInput *input, ViommuModel model, ViommuDriver driver,
                          GPtrArray *warnings)
{
    if (model == VIOMMU_MODEL_INTEL && driver == VIOMMU_DRIVER_UNKNOWN)
        g_ptr_array_add(
            warnings,
            g_strdup(
                "the guest's kernel is not known: kernels of Fedora, RHEL and CentOS leave 'intel' off unless 'intel_iommu=on' is on their command line; set guest.os or guest.drivers to have it checked"));
    if (model == VIOMMU_MODEL_VIRTIO && driver == VIOMMU_DRIVER_UNKNOWN)
        g_ptr_array_add(warnings, warn_of_driver(input->arch));
    if (model == VIOMMU_MODEL_AMD)
        g_ptr_array_add(
            warnings,
            g_strdup(
                "'amd' only remaps interrupts here: boot the guest with iommu=pt; host devices do not work"));
}

static void warn(const ViommuIommuInput *input, const Ranking *ranking, const ViommuIommuChoice *choice,
                 GPtrArray *warnings)
{
    const ViommuIommuAttributes *given = &choice->attributes;
    ViommuGuest guest = {input->request, input->kernel,
                         choice->model != VIOMMU_MODEL_NONE &&
                             viommu_iommu_takes_efi(input->request, input->arch, choice->model)};
    g_autofree char *why = NULL;
    ViommuDriver driver;

    if (choice->model == VIOMMU_MODEL_NONE)
        return;
    if (ranking->selector.idle)
        g_ptr_array_add(warnings, g_strdup_printf("iommu.%s '%s' excludes no model of viommud",
                                                  input->request->iommu.model ? "model" : "model-name",
                                                  ranking->selector.idle));
    for (size_t i = 0; i < input->n_vetoes; i++)
        g_ptr_array_add(warnings, g_strdup_printf("'%s' was passed over because libvirt refuses it here: %s",
                                                  viommu_model_to_string(input->vetoes[i].model),
                                                  input->vetoes[i].text));
    viommu_guest_contradictions(&guest, input->arch, warnings);
    driver = ranking->needed ? viommu_guest_remapper(&guest, input->arch, choice->model, &why)
                             : viommu_guest_driver(&guest, input->arch, choice->model, &why);
    if (ranking->needed)
        g_ptr_array_add(warnings,
                        g_strdup_printf("added an IOMMU that the request does not ask for: %" G_GUINT64_FORMAT
                                        " vCPUs need 'intel' with EIM",
                                        input->vcpus));
    if (driver == VIOMMU_DRIVER_MODULE)
        g_ptr_array_add(
            warnings,
            g_strdup_printf(
                "%s; add it to the modules of the guest's initramfs (Debian: virtio-iommu in /etc/initramfs-tools/modules; dracut: force_drivers; mkinitcpio: MODULES)",
                why));
    if (driver == VIOMMU_DRIVER_OFF)
        g_ptr_array_add(warnings, g_strdup_printf("%s%s", why,
                                                  input->request->boot.kernel.path
                                                      ? "; set boot.extend-cmdline to have it added"
                                                      : "; otherwise add it in the guest's boot loader"));
    if (!viommu_guest_is_windows(&guest) && !ranking->needed)
        warn_of_linux(input, choice->model, driver, warnings);
    if (given->dma_translation == 0)
        g_ptr_array_add(
            warnings,
            g_strdup(
                "iommu.dma-translation is false: the guest sees interrupt remapping, but no IOMMU groups"));
}

static bool refuse(const ViommuIommuInput *input, const Ranking *ranking, const ViommuIommuChoice *choice,
                   GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < ranking->n_models; i++) {
        const ViommuCandidate *candidate = &choice->candidates[ranking->models[i]];
        const ViommuReason *first = g_ptr_array_index(candidate->reasons, 0);

        /* An automatic choice does not mean the models of another architecture. */
        if (ranking->selector.kind == VIOMMU_SELECTOR_ANY && first->rule == VIOMMU_RULE_ARCH)
            continue;
        g_string_append_printf(text, "%s%s", text->len ? "; " : "", first->text);
    }
    if (ranking->needed)
        return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                           "vcpus %" G_GUINT64_FORMAT
                           " needs an IOMMU with EIM, which is not possible here: %s",
                           input->vcpus, text->str);
    else if (ranking->n_models == 1)
        return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED, "iommu.model '%s' is not possible here: %s",
                           viommu_model_to_string(ranking->models[0]), text->str);
    else
        return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED, "no IOMMU is possible here: %s", text->str);
}

bool viommu_iommu_choose(const ViommuIommuInput *input, ViommuIommuChoice *choice, GPtrArray *warnings,
                         GError **error)
{
    const ViommuRequestIommu *asked = &input->request->iommu;
    ViommuIommuInput judged = *input;
    Ranking ranking = {0};
    g_autoptr(GError) refusal = NULL;

    choice->count = 1;
    if (!viommu_selector_read(asked, &ranking.selector, error))
        return false;
    rank(input, &ranking);
    judged.only_interrupts = ranking.needed;
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        viommu_iommu_judge(&judged, (ViommuModel)model, &choice->candidates[model]);
    choice->model = first_possible(&ranking, choice);

    if (choice->model == VIOMMU_MODEL_NONE && ranking.n_models > 0) {
        explain(input, &ranking, choice);
        refuse(input, &ranking, choice, &refusal);
        if (asked->required != 0 || viommu_iommu_many_vcpus(input)) {
            g_propagate_error(error, g_steal_pointer(&refusal));
            return false;
        }
        g_ptr_array_add(warnings, g_strdup_printf("the machine has no IOMMU (iommu.required is false): %s",
                                                  refusal->message));
        return true;
    }
    if (choice->model == VIOMMU_MODEL_NONE && viommu_iommu_many_vcpus(input)) {
        explain(input, &ranking, choice);
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "vcpus %" G_GUINT64_FORMAT
            " without an IOMMU is not known to work: more than %u vCPUs on x86_64 need 'intel' with EIM; ask for fewer vCPUs, or for model 'intel'",
            input->vcpus, VIOMMU_X86_PLAIN_VCPUS);
    }
    explain(input, &ranking, choice);
    if (choice->model != VIOMMU_MODEL_NONE) {
        viommu_iommu_attributes_choose(input, choice->model, &choice->attributes);
        choice->accelerated = choice->model == VIOMMU_MODEL_SMMUV3 && viommu_iommu_has_hostdevs(input);
        if (choice->model == VIOMMU_MODEL_SMMUV3 && viommu_iommu_several(input->request))
            choice->count = asked->count;
        if (choice->accelerated)
            viommu_iommu_accelerate(input, choice);
        choice->translate =
            asked->translate != 0 && choice->model != VIOMMU_MODEL_AMD &&
            !viommu_iommu_has_legacy_virtio(input) &&
            viommu_emulator_has(input->emulator, input->libvirt, VIOMMU_FACT_DEVICE_TRANSLATION);
    }
    warn(input, &ranking, choice, warnings);
    return true;
}

unsigned viommu_iommu_place(const ViommuRequest *request, const ViommuPolicy *policy, ViommuModel model)
{
    ViommuSelector selector;
    const ViommuModel *order = site_orders[policy->order];
    unsigned n = VIOMMU_MODEL_LAST;

    if (viommu_selector_read(&request->iommu, &selector, NULL) && selector.ordered) {
        order = selector.models;
        n = selector.n_models;
    }
    for (unsigned i = 0; i < n; i++)
        if (order[i] == model)
            return i;
    return VIOMMU_MODEL_LAST;
}

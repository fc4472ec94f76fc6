/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/lint/lint-internal.h"

#include <string.h>

#include "lib/lint/xml-places.h"
#include "lib/plan/iommu-rules.h"

VIOMMU_ENUM_DEFINE(severity, "severity", VIOMMU_SEVERITY_LAST, "note", "warning", "error");

/* Each round of a correction is the answer to what was found in the one before. */
#define ROUNDS_MAX 64

static void finding_free(void *data)
{
    ViommuFinding *finding = data;

    g_free(finding->path);
    g_free(finding->text);
    g_free(finding->remedy);
    g_free(finding);
}

void viommu_lint_free(ViommuLint *lint)
{
    if (!lint)
        return;
    g_ptr_array_unref(lint->findings);
    viommu_xml_edits_free(lint->edits);
    g_free(lint);
}

/* --- Findings --- */

ViommuFinding *viommu_lint_add(ViommuLinting *linting, ViommuSeverity severity, ViommuRule rule,
                               const xmlNode *node, const char *attribute, const char *remedy,
                               const char *format, ...)
{
    const xmlNode *at = node ? node : linting->read->root;
    ViommuFinding *finding = g_new0(ViommuFinding, 1);
    g_autofree char *path = viommu_xml_path(at), *text = NULL;
    size_t element = viommu_xml_index(at);
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    *finding = (ViommuFinding){
        .severity = severity,
        .rule = rule,
        .path = g_strconcat(path, attribute ? "/@" : "", attribute ? attribute : "", NULL),
        .line = g_array_index(linting->read->places, ViommuXmlPlace, element).line,
        .text = viommu_lint_translate(text),
        .remedy = remedy ? viommu_lint_translate(remedy) : NULL,
    };
    g_ptr_array_add(linting->lint->findings, finding);
    return finding;
}

void viommu_lint_set(ViommuLinting *linting, ViommuFinding *finding, const xmlNode *node, const char *name,
                     const char *value)
{
    viommu_xml_edits_set(linting->lint->edits, viommu_xml_index(node), name, value);
    finding->fixable = true;
}

void viommu_lint_add_child(ViommuLinting *linting, ViommuFinding *finding, const xmlNode *node,
                           const char *child)
{
    viommu_xml_edits_add(linting->lint->edits, viommu_xml_index(node), child);
    finding->fixable = true;
}

const ViommuDomainPart *viommu_lint_part(const ViommuLinting *linting, const char *key)
{
    for (guint i = 0; i < linting->read->parts->len; i++) {
        const ViommuDomainPart *part = g_ptr_array_index(linting->read->parts, i);

        if (!part->dropped && g_str_equal(part->key, key))
            return part;
    }
    return NULL;
}

/* --- The planner --- */

/* The answer to a request. */
typedef struct Answer {
    ViommuPlan *plan;   /* NULL: it was refused */
    GError *error;      /* why */
    GPtrArray *reasons; /* of ViommuReason, owned; NULL: the request contradicts itself */
} Answer;

static void answer_clear(Answer *answer)
{
    g_clear_pointer(&answer->plan, viommu_plan_free);
    g_clear_pointer(&answer->reasons, g_ptr_array_unref);
    g_clear_error(&answer->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

static void ask(const ViommuLinting *linting, Answer *ret_answer)
{
    const ViommuLintInput *input = linting->input;
    g_autoptr(GVariant) tree = g_variant_ref_sink(viommu_domain_request(linting->read));
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, &ret_answer->error);
    const ViommuPlanInput planning = {
        .request = request, .host = &linting->host, .policy = input->policy, .kernel = input->kernel};

    if (request)
        viommu_plan_build(&planning, &ret_answer->plan, &ret_answer->reasons, &ret_answer->error);
}

/* --- What the planner refuses --- */

typedef struct Complaint {
    ViommuRule rule;
    char *text; /* in a domain's words, which do not count what was dropped */
} Complaint;

/* The first reason against the domain's own model, or against the machine. */
static Complaint first_complaint(const ViommuLinting *linting, const Answer *answer)
{
    const ViommuDomainPart *part = viommu_lint_part(linting, "iommu.model");
    int model = part ? viommu_enum_from_string(&viommu_enum_model, g_variant_get_string(part->value, NULL))
                     : VIOMMU_UNSET;

    for (guint i = 0; answer->reasons && i < answer->reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(answer->reasons, i);

        if (reason->model == VIOMMU_MODEL_NONE || reason->model == model)
            return (Complaint){reason->rule, viommu_lint_translate(reason->text)};
    }
    return (Complaint){VIOMMU_RULE_LAST, viommu_lint_translate(answer->error->message)};
}

/* A request that is refused for itself has no rule; the planner would have this one. */
static ViommuRule rule_of(const ViommuDomainPart *cause)
{
    static const struct {
        const char *key;
        ViommuRule rule;
    } rules[] = {
        {"arch", VIOMMU_RULE_ARCH},        {"machine", VIOMMU_RULE_MACHINE},
        {"vcpus", VIOMMU_RULE_MAX_VCPUS},  {"memory", VIOMMU_RULE_MEMORY},
        {"hostdevs", VIOMMU_RULE_HOSTDEV}, {"iommu.is-supported", VIOMMU_RULE_VCPUS},
    };

    for (size_t i = 0; cause && i < G_N_ELEMENTS(rules); i++)
        if (g_str_equal(rules[i].key, cause->key))
            return rules[i].rule;
    return VIOMMU_RULE_ATTRIBUTE;
}

/* What is no machine of viommud can still be one of libvirt, as long as it needs no IOMMU. */
static bool is_only_unknown(const ViommuLinting *linting, const ViommuDomainPart *cause)
{
    const char *word = cause && g_variant_is_of_type(cause->value, G_VARIANT_TYPE_STRING)
                           ? g_variant_get_string(cause->value, NULL)
                           : NULL;

    if (linting->read->iommu || !word)
        return false;
    return (g_str_equal(cause->key, "arch") &&
            viommu_enum_from_string(&viommu_enum_arch, word) == VIOMMU_UNSET) ||
           (g_str_equal(cause->key, "machine") && viommu_family_of_machine(word) == VIOMMU_UNSET);
}

static bool is_same(const char *text, const Complaint *complaint)
{
    g_autofree char *words = viommu_lint_translate(text);

    return g_str_equal(words, complaint->text);
}

static bool repeats(const Answer *answer, const Complaint *complaint)
{
    for (guint i = 0; answer->reasons && i < answer->reasons->len; i++)
        if (is_same(((const ViommuReason *)g_ptr_array_index(answer->reasons, i))->text, complaint))
            return true;
    return answer->error && is_same(answer->error->message, complaint);
}

/* Whether a plan is possible (@whole), or at least this complaint is gone, without @part; then it
 * stays dropped. */
static bool try_without(ViommuLinting *linting, ViommuDomainPart *part, const Complaint *complaint,
                        bool whole)
{
    g_auto(Answer) answer = {NULL, NULL, NULL};

    part->dropped = true;
    ask(linting, &answer);
    if (whole ? answer.plan != NULL : !repeats(&answer, complaint))
        return true;
    part->dropped = false;
    return false;
}

static void drop_hostdevs(ViommuLinting *linting, bool dropped, ViommuDomainPart **ret_first)
{
    *ret_first = NULL;
    for (guint i = linting->read->parts->len; i > 0; i--) {
        ViommuDomainPart *part = g_ptr_array_index(linting->read->parts, i - 1);

        if (!g_str_equal(part->key, "hostdevs") || part->dropped == dropped)
            continue;
        part->dropped = dropped;
        *ret_first = part;
    }
}

/* Devices can be wrong together, and without each of them for another reason. */
static ViommuDomainPart *try_without_hostdevs(ViommuLinting *linting, const Complaint *complaint)
{
    g_auto(Answer) answer = {NULL, NULL, NULL};
    ViommuDomainPart *first, *kept;

    if (viommu_lint_part(linting, "hostdevs") == NULL ||
        (complaint->rule != VIOMMU_RULE_HOSTDEV && complaint->rule != VIOMMU_RULE_HOSTDEV_GROUP))
        return NULL;
    drop_hostdevs(linting, true, &first);
    ask(linting, &answer);
    if (answer.plan)
        return first;
    drop_hostdevs(linting, false, &kept);
    return NULL;
}

/* Drops the first part without which a plan is possible; if there is none, the devices; if that
 * does not do, either, the first part without which the complaint is not made.  NULL: there is
 * none.  Borrowed. */
static ViommuDomainPart *drop_cause(ViommuLinting *linting, const Complaint *complaint)
{
    for (int whole = 1; whole >= 0; whole--) {
        ViommuDomainPart *first;

        for (guint i = 0; i < linting->read->parts->len; i++) {
            ViommuDomainPart *part = g_ptr_array_index(linting->read->parts, i);

            if (!part->dropped && try_without(linting, part, complaint, whole))
                return part;
        }
        first = whole ? try_without_hostdevs(linting, complaint) : NULL;
        if (first)
            return first;
    }
    return NULL;
}

typedef struct Refusal {
    const ViommuDomainPart *cause; /* NULL: the domain as a whole */
    ViommuRule rule;
    char *text;
} Refusal;

static void refusal_clear(void *data)
{
    g_free(((Refusal *)data)->text);
}

/* The plan of what remains without the causes of all refusals; NULL: nothing does.  Owned. */
static ViommuPlan *settle(ViommuLinting *linting, GArray *refusals)
{
    for (guint rounds = 0; rounds <= linting->read->parts->len; rounds++) {
        g_auto(Answer) answer = {NULL, NULL, NULL};
        Complaint complaint;
        Refusal refusal;

        ask(linting, &answer);
        if (answer.plan)
            return g_steal_pointer(&answer.plan);
        complaint = first_complaint(linting, &answer);
        refusal = (Refusal){drop_cause(linting, &complaint), complaint.rule, complaint.text};
        if (refusal.rule == VIOMMU_RULE_LAST)
            refusal.rule = rule_of(refusal.cause);
        g_array_append_val(refusals, refusal);
        if (!refusal.cause)
            return NULL;
    }
    return NULL;
}

/* --- What should stand there instead --- */

static const struct {
    const char *key;
    size_t offset;
} planned_switches[] = {
    {"iommu.intremap", offsetof(ViommuIommuAttributes, intremap)},
    {"iommu.eim", offsetof(ViommuIommuAttributes, eim)},
    {"iommu.caching-mode", offsetof(ViommuIommuAttributes, caching_mode)},
    {"iommu.iotlb", offsetof(ViommuIommuAttributes, iotlb)},
    {"iommu.dma-translation", offsetof(ViommuIommuAttributes, dma_translation)},
};

static bool same_model(const ViommuLinting *linting)
{
    const ViommuDomainPart *part = viommu_lint_part(linting, "iommu.model");

    return part && linting->plan && linting->plan->iommu.model != VIOMMU_MODEL_NONE;
}

/* The value that the plan has for an attribute of the IOMMU; NULL: none.  Owned. */
static char *planned_value(const ViommuLinting *linting, const char *key)
{
    const ViommuIommuAttributes *given = same_model(linting) ? &linting->plan->iommu.attributes : NULL;

    for (size_t i = 0; given && i < G_N_ELEMENTS(planned_switches); i++) {
        int value = *(const int *)((const char *)given + planned_switches[i].offset);

        if (g_str_equal(planned_switches[i].key, key))
            return value == VIOMMU_UNSET ? NULL : g_strdup(value ? "on" : "off");
    }
    if (given && g_str_equal(key, "iommu.aw-bits") && given->aw_bits != VIOMMU_UNSET_NUMBER)
        return g_strdup_printf("%" G_GUINT64_FORMAT, given->aw_bits);
    return NULL;
}

/* "use machine 'q35'": of the words that are no attributes of the IOMMU.  Owned; NULL: the
 * planner's sentence says it. */
static char *planned_word(const ViommuLinting *linting, const char *key)
{
    const ViommuPlan *plan = linting->plan;

    if (plan && g_str_equal(key, "machine"))
        return g_strdup_printf("use machine '%s', on which this host can do it", plan->machine);
    if (plan && g_str_equal(key, "iommu.model") && plan->iommu.model != VIOMMU_MODEL_NONE)
        return g_strdup_printf("this host and guest can have model '%s'",
                               viommu_model_to_string(plan->iommu.model));
    if (g_str_equal(key, "iommu.model"))
        return g_strdup("this host can have none for this guest; leave <iommu> out");
    if (plan && g_str_equal(key, "iommu.is-supported") && plan->iommu.model != VIOMMU_MODEL_NONE)
        return g_strdup_printf("add an <iommu> of model '%s', as new releases of libvirt do by themselves",
                               viommu_model_to_string(plan->iommu.model));
    return NULL;
}

/* So many vCPUs need an IOMMU that remaps interrupts, and a plan adds one for that alone. */
static bool is_for_interrupts(const ViommuLinting *linting, const Refusal *refusal)
{
    const ViommuPlan *plan = linting->plan;

    return refusal->rule == VIOMMU_RULE_GUEST && refusal->cause &&
           g_str_equal(refusal->cause->key, "boot.cmdline") && plan &&
           plan->iommu.model == VIOMMU_MODEL_INTEL && plan->vcpus > VIOMMU_X86_PLAIN_VCPUS;
}

static ViommuSeverity severity_of(const ViommuLinting *linting, const Refusal *refusal)
{
    bool is_added = refusal->cause && g_str_equal(refusal->cause->key, "iommu.is-supported") &&
                    linting->host.libvirt >= VIOMMU_FACT_LIBVIRT_ADDS_EIM;

    return is_only_unknown(linting, refusal->cause) || is_for_interrupts(linting, refusal) || is_added
               ? VIOMMU_SEVERITY_NOTE
               : VIOMMU_SEVERITY_ERROR;
}

static void add_refusal(ViommuLinting *linting, const Refusal *refusal)
{
    const ViommuDomainPart *cause = refusal->cause;
    bool of_driver = cause && cause->node == linting->read->iommu_driver && cause->attribute;
    bool of_device = cause && g_str_equal(cause->key, "iommu.translate");
    g_autofree char *value = cause ? planned_value(linting, cause->key) : NULL;
    g_autofree char *remedy = !cause ? NULL
                              : is_for_interrupts(linting, refusal)
                                  ? g_strdup("leave the word out, or have the IOMMU for its interrupts alone")
                              : of_driver && value     ? g_strdup_printf("set it to '%s'", value)
                              : of_driver || of_device ? g_strdup("leave it out")
                                                       : planned_word(linting, cause->key);
    ViommuFinding *finding =
        viommu_lint_add(linting, severity_of(linting, refusal), refusal->rule, cause ? cause->node : NULL,
                        cause ? cause->attribute : NULL, remedy, "%s", refusal->text);

    /* Without a plan nothing is known to be better. */
    if (linting->plan && (of_driver || of_device))
        viommu_lint_set(linting, finding, cause->node, cause->attribute, value);
}

/* --- What the planner says of the guest --- */

/* The advice that a warning adds to @said.  NULL: it is another one.  Borrowed. */
static const char *advice_after(const char *warning, const char *said)
{
    const char *rest = said && g_str_has_prefix(warning, said) ? warning + strlen(said) : NULL;

    return rest && g_str_has_prefix(rest, "; ") ? rest + 2 : rest;
}

/* What is only not known is no fault. */
static void add_warning(ViommuLinting *linting, const char *warning)
{
    bool unknown = strstr(warning, "set guest.os");

    viommu_lint_add(linting, unknown ? VIOMMU_SEVERITY_NOTE : VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_LAST,
                    linting->read->iommu, NULL, unknown ? "say with --os what runs in the guest" : NULL, "%s",
                    warning);
}

/* Reasons that restrict the chosen model, and warnings; each once. */
static void add_remarks(ViommuLinting *linting)
{
    const ViommuPlan *plan = linting->plan;
    const GPtrArray *reasons =
        plan->iommu.model == VIOMMU_MODEL_NONE ? NULL : plan->iommu.candidates[plan->iommu.model].reasons;
    const ViommuDomainPart *words = viommu_lint_part(linting, "boot.cmdline");
    const char *said = NULL, *advice = NULL;

    for (guint i = 0; reasons && i < reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(reasons, i);

        if (reason->rule == VIOMMU_RULE_GUEST)
            said = reason->text;
    }
    for (guint i = 0; i < plan->warnings->len; i++) {
        const char *warning = g_ptr_array_index(plan->warnings, i), *more = advice_after(warning, said);

        advice = more ? more : advice;
        /* compare_vsock() says it of the domain's own. */
        if (!more && !(plan->vsock_obstacle && g_str_has_suffix(warning, plan->vsock_obstacle)))
            add_warning(linting, warning);
    }
    if (said)
        viommu_lint_add(linting, VIOMMU_SEVERITY_WARNING, VIOMMU_RULE_GUEST,
                        words ? words->node : linting->read->iommu, NULL, advice, "%s", said);
}

/* --- The whole --- */

/* Errors first within a line. */
static int compare(gconstpointer a, gconstpointer b)
{
    const ViommuFinding *left = *(ViommuFinding *const *)a, *right = *(ViommuFinding *const *)b;

    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    return (int)right->severity - (int)left->severity;
}

/* A domain that brings its firmware needs none of the host's.  The result borrows from the host. */
static void take_host(ViommuLinting *linting)
{
    const GPtrArray *emulators = linting->input->host->emulators;

    linting->host = *linting->input->host;
    if (!linting->read->has_own_firmware || !emulators)
        return;
    linting->host.emulators = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < emulators->len; i++) {
        ViommuEmulator *emulator = g_new(ViommuEmulator, 1);

        *emulator = *(const ViommuEmulator *)g_ptr_array_index(emulators, i);
        if (emulator->firmware)
            emulator->firmware |= VIOMMU_BIT(VIOMMU_FIRMWARE_EFI);
        g_ptr_array_add(linting->host.emulators, emulator);
    }
}

/* Whether the IOMMU of the plan is the domain's, or both have none. */
static bool is_own(const ViommuLinting *linting)
{
    return linting->read->iommu ? viommu_lint_part(linting, "iommu.model") != NULL
                                : linting->plan->iommu.model == VIOMMU_MODEL_NONE;
}

static void judge(ViommuLinting *linting)
{
    g_autoptr(GArray) refusals = g_array_new(FALSE, FALSE, sizeof(Refusal));
    g_autoptr(ViommuPlan) plan = NULL;

    g_array_set_clear_func(refusals, refusal_clear);
    plan = settle(linting, refusals);
    linting->plan = plan;
    for (guint i = 0; i < refusals->len; i++)
        add_refusal(linting, &g_array_index(refusals, Refusal, i));
    if (!plan)
        return;
    linting->emulator = viommu_host_emulator(&linting->host, plan->arch);
    if (is_own(linting))
        add_remarks(linting);
    viommu_lint_compare(linting);
    linting->plan = NULL;
}

ViommuLint *viommu_lint_judge(const ViommuLintInput *input, GError **error)
{
    g_autoptr(ViommuDomainRead) read = viommu_domain_read(input->xml, input->host, error);
    ViommuLinting linting = {.input = input, .read = read};

    if (!read)
        return NULL;
    if (input->os)
        viommu_domain_read_set_os(read, input->os);
    linting.lint = g_new0(ViommuLint, 1);
    linting.lint->findings = g_ptr_array_new_with_free_func(finding_free);
    linting.lint->edits = viommu_xml_edits_new();
    take_host(&linting);
    judge(&linting);
    if (linting.host.emulators != input->host->emulators)
        g_ptr_array_unref(linting.host.emulators);
    g_ptr_array_sort(linting.lint->findings, compare);
    return linting.lint;
}

ViommuSeverity viommu_lint_worst(const ViommuLint *lint)
{
    ViommuSeverity worst = VIOMMU_SEVERITY_NOTE;

    for (guint i = 0; i < lint->findings->len; i++)
        worst = MAX(worst, ((const ViommuFinding *)g_ptr_array_index(lint->findings, i))->severity);
    return worst;
}

char *viommu_lint_fix(const ViommuLintInput *input, ViommuLint **ret_rest, GError **error)
{
    g_autofree char *text = g_strdup(input->xml);

    for (unsigned round = 0;; round++) {
        ViommuLintInput again = *input;
        g_autoptr(ViommuLint) lint = NULL;
        g_autoptr(GArray) places = NULL;
        char *fixed;

        again.xml = text;
        lint = viommu_lint_judge(&again, error);
        if (!lint)
            return NULL;
        if (viommu_xml_edits_is_empty(lint->edits) || round == ROUNDS_MAX) {
            *ret_rest = g_steal_pointer(&lint);
            return g_steal_pointer(&text);
        }
        places = viommu_xml_places(text);
        fixed = viommu_xml_edits_apply(lint->edits, text, places);
        g_free(text);
        text = fixed;
    }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl host: prints what this host supports, the planner's reasons against the rest, and the
 * hardware. */
#include "lib/base/error.h"
#include "lib/plan/offered-models.h"
#include "lib/plan/report.h"
#include "lib/base/quantity.h"
#include "tools/ctl/topology.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/dot.h"
#include "tools/ctl/local-host.h"
#include "tools/ctl/node.h"

static void print_reasons(const ViommuOutput *output, const GPtrArray *reasons, ViommuModel model)
{
    for (guint i = 0; reasons && i < reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(reasons, i);

        /* It was chosen because the request here names it. */
        if ((reason->model == (int)model || reason->model == VIOMMU_MODEL_NONE) &&
            reason->rule != VIOMMU_RULE_SELECTION)
            viommu_output_format(output, "             %s: %s\n", viommu_rule_to_string(reason->rule),
                                 reason->text);
    }
}

static void print_possible(const ViommuOutput *output, const ViommuPlan *plan, ViommuModel model)
{
    print_reasons(output, plan->iommu.candidates[model].reasons, model);
    for (guint i = 0; i < plan->warnings->len; i++)
        viommu_output_format(output, "             warning: %s\n",
                             (const char *)g_ptr_array_index(plan->warnings, i));
}

static void print_model(const ViommuOutput *output, ViommuPlanInput *input, ViommuArch arch,
                        ViommuModel model)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuRequest) request = viommu_offer_request(arch, model);
    g_autoptr(ViommuPlan) plan = NULL;
    GPtrArray *reasons = NULL;
    bool possible;

    input->request = request;
    possible = viommu_plan_build(input, &plan, &reasons, &error);
    viommu_output_format(output, "  %-9s", viommu_model_to_string(model));
    viommu_output_text(output, possible ? VIOMMU_STYLE_GOOD : VIOMMU_STYLE_BAD,
                       possible ? "possible\n" : "refused\n");
    if (possible)
        print_possible(output, plan, model);
    else if (reasons && reasons->len > 0)
        print_reasons(output, reasons, model);
    else
        viommu_output_format(output, "             %s\n", error->message);
    g_clear_pointer(&reasons, g_ptr_array_unref);
}

/* "kvm, tcg" */
static char *set_words(const ViommuEnum *table, uint64_t set)
{
    GString *words = g_string_new(NULL);

    for (int value = 0; value < table->last; value++)
        if (set & VIOMMU_BIT(value))
            g_string_append_printf(words, "%s%s", words->len ? ", " : "", table->words[value]);
    return g_string_free(words, FALSE);
}

static void print_emulator(const ViommuOutput *output, ViommuPlanInput *input, const ViommuEmulator *emulator)
{
    g_autofree char *qemu = viommu_version_format_short(emulator->qemu);
    g_autofree char *accelerators = set_words(&viommu_enum_accelerator, emulator->accelerators);
    g_autofree char *firmware = set_words(&viommu_enum_firmware, emulator->firmware);
    g_autofree char *head = g_strdup_printf("\n%s\n", emulator->arch_name);

    viommu_output_text(output, VIOMMU_STYLE_HEAD, head);
    viommu_output_format(output, "  QEMU %s%s%s\n", emulator->qemu ? qemu : "of unknown version",
                         emulator->path ? " at " : "", emulator->path ? emulator->path : "");
    viommu_output_format(output, "  accelerators: %s; firmware: %s\n", *accelerators ? accelerators : "none",
                         *firmware ? firmware : "not told");
    if (emulator->arch == VIOMMU_UNSET) {
        viommu_output_text(output, VIOMMU_STYLE_PLAIN,
                           "  viommud does not support guests of this architecture\n");
        return;
    }
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        print_model(output, input, (ViommuArch)emulator->arch, (ViommuModel)model);
}

static void print_kvm(const ViommuOutput *output, const ViommuHost *host)
{
    if (host->kvm == VIOMMU_KVM_WORKS)
        viommu_output_format(output, "KVM: works; a guest of viommud's own ran in it\n");
    else if (host->kvm != VIOMMU_UNSET)
        viommu_output_format(output, "KVM: %s: %s\n",
                             host->kvm == VIOMMU_KVM_BROKEN
                                 ? "does not run guests; \"viommuctl doctor\" says what to do"
                                 : "not known to work",
                             host->kvm_reason ? host->kvm_reason : "no reason is recorded");
}

static void print_host(const ViommuOutput *output, const ViommuHost *host, const char *uri)
{
    g_autofree char *libvirt = viommu_version_format(host->libvirt);

    viommu_output_format(output, "libvirt %s%s%s\n", libvirt, uri ? " at " : "", uri ? uri : "");
    if (host->arch_name)
        viommu_output_format(output, "host architecture: %s\n", host->arch_name);
    if (host->memory_bytes != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, "memory: %.1f GiB\n", (double)host->memory_bytes / VIOMMU_GIB);
    if (host->locked_memory_bytes != VIOMMU_UNSET_NUMBER) {
        g_autofree char *locked = viommu_quantity_format(host->locked_memory_bytes);

        viommu_output_format(output, "locked memory: libvirt can let each guest lock at most %s\n", locked);
    }
    print_kvm(output, host);
    if (host->unprivileged == 1)
        viommu_output_format(
            output,
            "libvirt runs as an ordinary user: it cannot take devices from drivers, and opens only what that user may open\n");
    if (!host->emulators || host->emulators->len == 0)
        viommu_output_format(output, "libvirt finds no QEMU: install qemu-system-x86 or qemu-system-arm\n");
}

static bool print_inventory(const ViommuCtl *ctl, const ViommuHost *host, const ViommuPolicy *policy,
                            GError **error)
{
    if (!host->topology.present && !host->libvirt)
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "the recorded host has neither a libvirt nor hardware: record it again with \"viommuctl host --json\"");
    viommu_ctl_print_inventory(&ctl->output, host, policy);
    return true;
}

static bool print_picture(const ViommuCtl *ctl, const ViommuHost *host, GError **error)
{
    if (!host->topology.present)
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "the recorded host has no hardware to draw: record it again with \"viommuctl host --json\"");
    viommu_ctl_dot_host(&ctl->output, &host->topology);
    return true;
}

/* A user's own viommud is limited only by the user's rights; a recorded host has its own site. */
static const ViommuSite *site_of(const ViommuCtl *ctl, const ViommuConfig *config)
{
    return ctl->host || viommu_local_is_user(ctl) ? NULL : &config->site;
}

static void print_json(const ViommuSite *site, ViommuHost *host)
{
    if (site)
        viommu_site_record_fill(&host->site, site, &host->topology);
    viommu_output_json(viommu_host_to_variant(host));
}

bool viommu_ctl_host(ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuConfig) config = viommu_local_config(ctl, error);
    g_autofree char *uri = NULL;
    g_autoptr(ViommuHost) host = config ? viommu_local_host(ctl, &uri, error) : NULL;
    ViommuPlanInput input = {.host = host};

    if (!host)
        return false;
    if (ctl->dot)
        return print_picture(ctl, host, error);
    if (ctl->slurm || viommu_ctl_counts(ctl))
        return viommu_ctl_print_node(ctl, config, site_of(ctl, config), host, error);
    if (ctl->inventory)
        return print_inventory(ctl, host, &config->policy, error);
    if (ctl->output.json) {
        print_json(site_of(ctl, config), host);
        return true;
    }
    input.policy = &config->policy;
    if (host->libvirt)
        print_host(&ctl->output, host, uri);
    for (guint i = 0; host->emulators && i < host->emulators->len; i++)
        print_emulator(&ctl->output, &input, g_ptr_array_index(host->emulators, i));
    if (host->topology.present && host->libvirt)
        viommu_output_text(&ctl->output, VIOMMU_STYLE_PLAIN, "\n");
    if (host->topology.present)
        viommu_ctl_print_topology(&ctl->output, host, site_of(ctl, config));
    return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl host: what this host can do; why not the rest, in the planner's own words. */
#include "lib/plan-report.h"
#include "lib/quantity.h"
#include "tools/ctl.h"
#include "tools/local.h"

/* The request of somebody who wants @model on @arch and says nothing else. */
static ViommuRequest *plain_request(ViommuArch arch, ViommuModel model, GError **error)
{
    g_autoptr(GVariant) tree = NULL;
    GVariantBuilder request, iommu;

    g_variant_builder_init(&iommu, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&iommu, "{sv}", "model", g_variant_new_string(viommu_model_to_string(model)));
    g_variant_builder_init(&request, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&request, "{sv}", "arch", g_variant_new_string(viommu_arch_to_string(arch)));
    g_variant_builder_add(&request, "{sv}", "iommu", g_variant_builder_end(&iommu));
    tree = g_variant_ref_sink(g_variant_builder_end(&request));
    return viommu_request_parse(tree, error);
}

static void print_reasons(const ViommuOutput *output, const GPtrArray *reasons, ViommuModel model)
{
    for (guint i = 0; reasons && i < reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(reasons, i);

        /* Why it was taken is plain: we named it. */
        if ((reason->model == (int)model || reason->model == VIOMMU_MODEL_NONE) &&
            !g_str_equal(reason->rule, "selection"))
            viommu_output_format(output, "             %s: %s\n", reason->rule, reason->text);
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
    g_autoptr(ViommuRequest) request = plain_request(arch, model, &error);
    g_autoptr(ViommuPlan) plan = NULL;
    GPtrArray *reasons = NULL;
    bool possible;

    input->request = request;
    possible = request && viommu_plan_build(input, &plan, &reasons, &error);
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
static char *set_words(const ViommuEnum *table, unsigned set)
{
    GString *words = g_string_new(NULL);

    for (int value = 0; value < table->last; value++)
        if (set & (1u << value))
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
        viommu_output_text(output, VIOMMU_STYLE_PLAIN, "  viommud launches no guests of this architecture\n");
        return;
    }
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        print_model(output, input, (ViommuArch)emulator->arch, (ViommuModel)model);
}

static void print_host(const ViommuOutput *output, const ViommuHost *host, const char *uri)
{
    g_autofree char *libvirt = viommu_version_format(host->libvirt);

    viommu_output_format(output, "libvirt %s at %s\n", libvirt, uri);
    if (host->arch_name)
        viommu_output_format(output, "host architecture: %s\n", host->arch_name);
    if (host->memory_bytes != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, "memory: %.1f GiB\n", (double)host->memory_bytes / VIOMMU_GIB);
    if (host->locked_memory_bytes != VIOMMU_UNSET_NUMBER) {
        g_autofree char *locked = viommu_quantity_format(host->locked_memory_bytes);

        viommu_output_format(output, "locked memory of libvirt's daemon: at most %s\n", locked);
    }
    if (host->iommu_width != VIOMMU_UNSET_NUMBER)
        viommu_output_format(output, "width of the host's IOMMU: %" G_GUINT64_FORMAT " bits\n",
                             host->iommu_width);
    if (!host->emulators || host->emulators->len == 0)
        viommu_output_format(output,
                             "libvirt knows no emulator: install qemu-system-x86 or qemu-system-arm\n");
}

bool viommu_ctl_host(ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuConfig) config = viommu_local_config(ctl, error);
    g_autofree char *uri = NULL;
    g_autoptr(ViommuHost) host = config ? viommu_local_host(ctl, &uri, error) : NULL;
    ViommuPlanInput input = {.host = host};

    if (!host)
        return false;
    if (ctl->output.json) {
        viommu_output_json(viommu_host_to_variant(host));
        return true;
    }
    input.policy = &config->policy;
    print_host(&ctl->output, host, uri);
    for (guint i = 0; host->emulators && i < host->emulators->len; i++)
        print_emulator(&ctl->output, &input, g_ptr_array_index(host->emulators, i));
    return true;
}

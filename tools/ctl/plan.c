/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl plan: decides like the daemon, and explains the decision. */
#include <string.h>

#include "daemon/files/kernel-file.h"
#include "lib/domain/domain-xml.h"
#include "lib/host/osinfo.h"
#include "lib/plan/report.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/dot.h"
#include "tools/ctl/fleet.h"
#include "tools/ctl/local-host.h"
#include "tools/ctl/request.h"

/* What osinfo-db says of a guest that is not known here.  A recorded host has none. */
static void suggest(const ViommuCtl *ctl, const char *os, ViommuPlan *plan)
{
    g_autoptr(ViommuRoot) root = NULL;
    char *text;

    if (!viommu_osinfo_is_asked(os) || (ctl->host && !ctl->root))
        return;
    root = viommu_root_open(ctl->root ? ctl->root : "/", NULL);
    text = root ? viommu_osinfo_suggest(root, os) : NULL;
    if (text)
        g_ptr_array_add(plan->notes, text);
}

/* @data: ViommuPlan **. */
static bool decide(ViommuCtl *ctl, GVariant *tree, void *data, GError **error)
{
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, error);
    g_autoptr(ViommuConfig) config = request ? viommu_local_config(ctl, error) : NULL;
    g_autoptr(ViommuHost) host = config ? viommu_local_host_known(ctl, error) : NULL;
    ViommuPlanInput input = {.request = request, .host = host};
    ViommuPlan *plan = NULL;
    GPtrArray *reasons = NULL;
    ViommuKernel kernel;

    if (!host || !viommu_local_image(ctl, config, request, error))
        return false;
    /* The files of a request are not those of a recorded host. */
    if (!ctl->host && request->boot.kernel.path &&
        viommu_kernel_file_read_path(request->boot.kernel.path, &kernel))
        input.kernel = &kernel;
    input.policy = &config->policy;
    if (viommu_plan_build(&input, &plan, &reasons, error)) {
        suggest(ctl, request->guest.os, plan);
        *(ViommuPlan **)data = plan;
        return true;
    }
    ctl->reasons = g_variant_ref_sink(viommu_plan_report_reasons(reasons));
    g_clear_pointer(&reasons, g_ptr_array_unref);
    return false;
}

/* Finds verdicts by the words at the end of lib/plan/report.c's lines. */
static ViommuStyle line_style(const char *line)
{
    static const struct {
        const char *ending;
        ViommuStyle style;
    } endings[] = {
        {" chosen", VIOMMU_STYLE_GOOD},
        {" possible", VIOMMU_STYLE_PLAIN},
        {" refused", VIOMMU_STYLE_BAD},
    };

    if (*line && *line != ' ')
        return VIOMMU_STYLE_HEAD;
    for (size_t i = 0; strlen(line) < 24 && i < G_N_ELEMENTS(endings); i++)
        if (g_str_has_suffix(line, endings[i].ending))
            return endings[i].style;
    return VIOMMU_STYLE_PLAIN;
}

static void explain(const ViommuCtl *ctl, const ViommuPlan *plan, const char *xml)
{
    g_autofree char *text = viommu_plan_explain(plan);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);

    for (char **line = lines; *line; line++) {
        viommu_output_text(&ctl->output, line_style(*line), *line);
        viommu_output_text(&ctl->output, VIOMMU_STYLE_PLAIN, "\n");
    }
    if (ctl->xml)
        viommu_output_format(&ctl->output, "\n%s", xml);
}

bool viommu_ctl_plan(ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuPlan) plan = NULL;
    g_autofree char *xml = NULL;
    char *note = NULL;

    if (ctl->fleet)
        return viommu_ctl_fleet_plan(ctl, error);
    if (!viommu_ctl_request_try(ctl, decide, &plan, &note, error))
        return false;
    if (note)
        g_ptr_array_add(plan->notes, note);
    if (ctl->dot) {
        viommu_ctl_dot_plan(&ctl->output, plan);
        return true;
    }
    xml = viommu_domain_xml(plan, NULL);
    if (ctl->output.json)
        viommu_output_json(viommu_plan_report(plan, xml));
    else
        explain(ctl, plan, xml);
    return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl stop, kill, reset, extend, xml: one call on one machine each. */
#include "tools/ctl-machine.h"
#include "tools/failure.h"

#define DEFAULT_STOP_SECONDS 30

bool viommu_ctl_stop(ViommuCtl *ctl, GError **error)
{
    guint64 seconds = DEFAULT_STOP_SECONDS;
    ViommuClientCall call = {.method = "Stop"};

    if (ctl->timeout && !g_ascii_string_to_unsigned(ctl->timeout, 10, 0, G_MAXUINT32, &seconds, NULL)) {
        g_set_error(error, VIOMMU_FAILURE, VIOMMU_FAILURE_USAGE, "--timeout='%s' is not a number of seconds",
                    ctl->timeout);
        return false;
    }
    call.arguments = g_variant_new("(u)", (guint32)seconds);
    call.timeout_usec = VIOMMU_CTL_PATIENCE_USEC + seconds * G_TIME_SPAN_SECOND;
    return viommu_ctl_call_machine(ctl, call, "waiting for the guest to power off", NULL, error);
}

bool viommu_ctl_extend(ViommuCtl *ctl, GError **error)
{
    ViommuClientCall call = {.method = "Extend"};
    g_autoptr(GVariant) reply = NULL;
    guint64 seconds;

    if (!g_ascii_string_to_unsigned(ctl->words[1], 10, 0, G_MAXUINT64, &seconds, NULL)) {
        g_set_error(error, VIOMMU_FAILURE, VIOMMU_FAILURE_USAGE, "'%s' is not a number of seconds",
                    ctl->words[1]);
        return false;
    }
    call.arguments = g_variant_new("(t)", seconds);
    if (!viommu_ctl_call_machine(ctl, call, "extending the lease", &reply, error))
        return false;
    if (ctl->output.json)
        viommu_output_json(g_variant_new_parsed("{'lease-end': %v}", reply));
    return true;
}

bool viommu_ctl_kill(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {.method = "Kill", .timeout_usec = VIOMMU_CTL_PATIENCE_USEC};

    return viommu_ctl_call_machine(ctl, call, "ending the guest", NULL, error);
}

bool viommu_ctl_reset(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {.method = "Reset"};

    return viommu_ctl_call_machine(ctl, call, "resetting the guest", NULL, error);
}

bool viommu_ctl_xml(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {.method = "GetDomainXML"};
    g_autoptr(GVariant) reply = NULL;

    if (!viommu_ctl_call_machine(ctl, call, "asking libvirt", &reply, error))
        return false;
    if (ctl->output.json)
        viommu_output_json(g_variant_new_parsed("{'domain-xml': %v}", reply));
    else
        viommu_output_text(&ctl->output, VIOMMU_STYLE_PLAIN, g_variant_get_string(reply, NULL));
    return true;
}

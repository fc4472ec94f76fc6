/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl stop, kill, reset, suspend, resume, extend, verify, xml: one call on one machine
 * each. */
#include "tools/ctl/machine.h"
#include "tools/client/error.h"

#define DEFAULT_STOP_SECONDS 30

bool viommu_ctl_read_timeout(const ViommuCtl *ctl, guint64 *seconds, GError **error)
{
    if (!ctl->timeout || g_ascii_string_to_unsigned(ctl->timeout, 10, 0, G_MAXUINT32, seconds, NULL))
        return true;
    return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--timeout='%s' is not a number of seconds",
                              ctl->timeout);
}

bool viommu_ctl_stop(ViommuCtl *ctl, GError **error)
{
    guint64 seconds = DEFAULT_STOP_SECONDS;
    ViommuClientCall call = {.method = "Stop"};

    if (!viommu_ctl_read_timeout(ctl, &seconds, error))
        return false;
    call.arguments = g_variant_new("(u)", (guint32)seconds);
    call.timeout_usec = VIOMMU_CTL_TIMEOUT_USEC + seconds * G_TIME_SPAN_SECOND;
    return viommu_ctl_call_machine(ctl, call, "waiting for the guest to power off", NULL, error);
}

bool viommu_ctl_extend(ViommuCtl *ctl, GError **error)
{
    ViommuClientCall call = {.method = "Extend"};
    g_autoptr(GVariant) reply = NULL;
    guint64 seconds;

    if (!g_ascii_string_to_unsigned(ctl->words[1], 10, 0, G_MAXUINT64, &seconds, NULL))
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "'%s' is not a number of seconds",
                                  ctl->words[1]);
    call.arguments = g_variant_new("(t)", seconds);
    if (!viommu_ctl_call_machine(ctl, call, "extending the lease", &reply, error))
        return false;
    if (ctl->output.json)
        viommu_output_json(g_variant_new_parsed("{'lease-end': %v}", reply));
    return true;
}

/* "WHAT: a, b" on a line of its own, if there are any. */
static void print_texts(const ViommuCtl *ctl, GVariant *proof, const char *key, const char *what)
{
    g_autofree const char **texts = NULL;
    g_autofree char *joined = NULL;

    if (!g_variant_lookup(proof, key, "^a&s", &texts) || !*texts)
        return;
    joined = g_strjoinv(", ", (char **)texts);
    viommu_output_format(&ctl->output, "  %s: %s\n", what, joined);
}

static void print_proof(ViommuCtl *ctl, GVariant *proof)
{
    g_autofree char **iommus = NULL;
    g_autofree char *names = NULL;
    const char *by = "", *kernel = "", *note = NULL, *level = NULL, *interrupts = NULL;
    guint64 groups = 0, devices = 0;

    g_variant_lookup(proof, "iommus", "^a&s", &iommus);
    g_variant_lookup(proof, "by", "&s", &by);
    g_variant_lookup(proof, "kernel", "&s", &kernel);
    g_variant_lookup(proof, "note", "&s", &note);
    g_variant_lookup(proof, "level", "&s", &level);
    g_variant_lookup(proof, "interrupts", "&s", &interrupts);
    g_variant_lookup(proof, "groups", "t", &groups);
    g_variant_lookup(proof, "devices", "t", &devices);
    names = iommus && *iommus ? g_strjoinv(", ", iommus) : g_strdup("no IOMMU, as planned");
    viommu_output_format(&ctl->output,
                         "%s: %s; %" G_GUINT64_FORMAT " groups with %" G_GUINT64_FORMAT
                         " devices (Linux %s, by its %s)\n",
                         ctl->words[0], names, groups, devices, kernel, by);
    if (level)
        viommu_output_format(&ctl->output, "  level: %s%s%s\n", level, interrupts ? "; interrupts: " : "",
                             interrupts ? interrupts : "");
    print_texts(ctl, proof, "attributes", "as planned");
    print_texts(ctl, proof, "not-shown", "not shown");
    print_texts(ctl, proof, "outside", "outside");
    if (note)
        viommu_output_warning(&ctl->output, note);
}

bool viommu_ctl_verify(ViommuCtl *ctl, GError **error)
{
    ViommuClientCall call = {.method = "Verify", .timeout_usec = VIOMMU_CTL_PROOF_USEC};
    g_autoptr(GVariant) reply = NULL;
    guint64 seconds = 0;

    if (!viommu_ctl_read_timeout(ctl, &seconds, error))
        return false;
    call.arguments = g_variant_new("(t)", seconds);
    if (!viommu_ctl_call_machine(ctl, call, "looking inside", &reply, error))
        return false;
    if (ctl->output.json)
        viommu_output_json(g_variant_ref(reply));
    else
        print_proof(ctl, reply);
    return true;
}

bool viommu_ctl_kill(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {.method = "Kill", .timeout_usec = VIOMMU_CTL_TIMEOUT_USEC};

    return viommu_ctl_call_machine(ctl, call, "ending the guest", NULL, error);
}

bool viommu_ctl_reset(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {.method = "Reset"};

    return viommu_ctl_call_machine(ctl, call, "resetting the guest", NULL, error);
}

bool viommu_ctl_suspend(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {.method = "Suspend"};

    return viommu_ctl_call_machine(ctl, call, "pausing the guest", NULL, error);
}

bool viommu_ctl_resume(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {.method = "Resume"};

    return viommu_ctl_call_machine(ctl, call, "letting the guest run again", NULL, error);
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

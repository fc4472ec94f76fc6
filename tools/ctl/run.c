/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl run: a machine for the life of a command.  However viommuctl ends, the machine goes: it
 * is bound to viommuctl's connection, which the kernel closes. */
#include "tools/ctl/child.h"
#include "tools/ctl/fleet.h"
#include "tools/ctl/inside.h"
#include "tools/ctl/reach.h"

/* The environment of the command. */
static const struct {
    const char *variable, *property;
} facts[] = {
    {"VIOMMU_NAME", "Name"},
    {"VIOMMU_UUID", "UUID"},
    {"VIOMMU_ARCH", "Arch"},
    {"VIOMMU_MACHINE_TYPE", "MachineType"},
    {"VIOMMU_ACCELERATOR", "Accelerator"},
    {"VIOMMU_MODEL", "IommuModel"},
    {"VIOMMU_VCPUS", "VCPUs"},
    {"VIOMMU_MEMORY", "Memory"}, /* in bytes */
    {"VIOMMU_CONSOLE_LOG", "ConsoleLog"},
};

static char **make_environment(const ViommuCtlLaunched *launched)
{
    char **environment = g_get_environ();
    g_autofree char *address = NULL;
    unsigned port;

    for (size_t i = 0; i < G_N_ELEMENTS(facts); i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(launched->properties, facts[i].property, NULL);
        bool is_text = value && g_variant_is_of_type(value, G_VARIANT_TYPE_STRING);
        g_autofree char *text = !value    ? g_strdup("")
                                : is_text ? g_variant_dup_string(value, NULL)
                                          : g_variant_print(value, FALSE);

        environment = g_environ_setenv(environment, facts[i].variable, text, TRUE);
    }
    if (viommu_ctl_reach_port(launched->properties, &address, &port)) {
        g_autofree char *text = g_strdup_printf("%u", port);

        environment = g_environ_setenv(environment, "VIOMMU_ADDRESS", address, TRUE);
        environment = g_environ_setenv(environment, "VIOMMU_SSH_PORT", text, TRUE);
    }
    return g_environ_setenv(environment, "VIOMMU_OBJECT", launched->path, TRUE);
}

static bool run_outside(ViommuCtl *ctl, const ViommuCtlLaunched *launched, GError **error)
{
    g_auto(GStrv) environment = make_environment(launched);

    return viommu_ctl_child_run(ctl, launched, ctl->command, environment, error);
}

typedef struct Run {
    ViommuCtlLaunched launched;
    ViommuInside *inside; /* NULL: the command runs outside */
} Run;

static void run_clear(Run *run)
{
    viommu_ctl_launched_clear(&run->launched);
    g_clear_pointer(&run->inside, viommu_ctl_inside_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static bool try(ViommuCtl *ctl, GVariant *said, void *data, GError **error)
{
    Run *run = (Run *)data;
    g_autoptr(GVariant) request = g_variant_ref(said);

    g_clear_pointer(&run->inside, viommu_ctl_inside_free);
    if (ctl->inside)
        run->inside = viommu_ctl_inside_prepare(ctl, &request, error);
    return (!ctl->inside || run->inside) && viommu_ctl_launch_request(ctl, request, &run->launched, error);
}

bool viommu_ctl_run(ViommuCtl *ctl, GError **error)
{
    g_auto(Run) run = {{NULL, NULL, NULL, false}, NULL};
    g_autoptr(GError) trouble = NULL;
    bool good;

    if (ctl->fleet)
        return viommu_ctl_fleet_run(ctl, error);
    ctl->bind = "client";
    ctl->needs_started = true;
    if (!viommu_ctl_request_try(ctl, try, &run, NULL, error))
        return false;
    good = run.inside ? viommu_ctl_inside_run(run.inside, ctl, &run.launched, error)
                      : run_outside(ctl, &run.launched, error);
    /* The exit status of the command counts; viommud removes the machine when viommuctl ends. */
    if (!viommu_ctl_launched_remove(&run.launched, &trouble))
        viommu_output_warning(&ctl->output, trouble->message);
    return good;
}

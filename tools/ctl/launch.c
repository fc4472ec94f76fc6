/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl launch: launches a request. */
#include "tools/ctl/launch.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/names.h"
#include "lib/request/request.h"
#include "tools/client/polkit-agent.h"
#include "tools/ctl/files.h"
#include "tools/ctl/fleet.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/request.h"

/* Prints a summary on a terminal, and only the name in a pipe. */
static void summarize(const ViommuCtl *ctl, GVariant *properties)
{
    const ViommuOutput *output = &ctl->output;
    const char *name = "", *state = "", *model = "", *result = "";
    g_autofree const char **reasons = NULL;
    g_autofree const char **warnings = NULL;

    g_variant_lookup(properties, "Name", "&s", &name);
    if (!output->terminal) {
        viommu_output_format(output, "%s\n", name);
        return;
    }
    g_variant_lookup(properties, "State", "&s", &state);
    g_variant_lookup(properties, "Result", "&s", &result);
    g_variant_lookup(properties, "IommuModel", "&s", &model);
    g_variant_lookup(properties, "Reasons", "^a&s", &reasons);
    g_variant_lookup(properties, "Warnings", "^a&s", &warnings);
    viommu_output_text(output, VIOMMU_STYLE_HEAD, name);
    viommu_output_format(output, "\n  state: %s\n  IOMMU: %s\n", state, *model ? model : "none");
    for (const char **reason = reasons; reason && *reason; reason++)
        viommu_output_format(output, "    %s\n", *reason);
    for (const char **warning = warnings; warning && *warning; warning++)
        viommu_output_warning(output, *warning);
}

void viommu_ctl_launched_clear(ViommuCtlLaunched *launched)
{
    g_clear_pointer(&launched->properties, g_variant_unref);
    g_clear_pointer(&launched->path, g_free);
    g_clear_pointer(&launched->client, viommu_client_free);
}

/* What a job of Slurm leaves is found by its number.  The process's makes it another request than
 * the job's others. */
static GVariant *with_job(GVariant *tree)
{
    const char *job = g_getenv("SLURM_JOB_ID");
    guint64 number;
    GVariantDict dict;

    if (!job || !g_ascii_string_to_unsigned(job, 10, 0, UINT32_MAX, &number, NULL) ||
        g_variant_lookup(tree, "request-id", "*", NULL))
        return g_variant_ref(tree);
    g_variant_dict_init(&dict, tree);
    g_variant_dict_insert_value(
        &dict, "request-id", g_variant_new_printf("slurm-%" G_GUINT64_FORMAT "-%d", number, (int)getpid()));
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

bool viommu_ctl_launch_request(ViommuCtl *ctl, GVariant *said, ViommuCtlLaunched *ret_launched,
                               GError **error)
{
    g_autoptr(GVariant) named = with_job(said);
    g_autoptr(GVariant) tree = viommu_ctl_files_absolute(named);
    /* Also parsed here: to refuse a wrong key without a daemon, and a null, which the bus cannot
     * carry. */
    g_autoptr(ViommuRequest) request = tree ? viommu_request_parse(tree, error) : NULL;
    g_autoptr(ViommuClient) client = request ? viommu_ctl_connect(ctl, error) : NULL;
    /* polkit may ask about a device that the site does not list. */
    g_autoptr(ViommuAgent) agent =
        client && request->hostdevs && viommu_ctl_may_be_asked(ctl, client) ? viommu_agent_start() : NULL;
    g_auto(ViommuCtlProgress) progress = {.output = &ctl->output, .what = "launching"};
    ViommuClientCall call = {.path = VIOMMU_BUS_PATH,
                             .interface = VIOMMU_IFACE_MANAGER,
                             .method = "Launch",
                             .timeout_usec = VIOMMU_CTL_PROOF_USEC,
                             .tick = agent ? NULL : viommu_ctl_progress,
                             .userdata = &progress};
    g_autoptr(GVariant) path = NULL;
    g_autoptr(GVariant) properties = NULL;
    g_autoptr(GArray) fds = NULL;

    if (!client)
        return false;
    if (viommu_client_takes_files(client)) {
        g_autoptr(GVariant) paths = g_steal_pointer(&tree);

        tree = viommu_ctl_files_open(paths, &fds, error);
        if (!tree)
            return false;
    }
    call.arguments = g_variant_new("(@a{sv})", tree);
    if (call.tick)
        viommu_ctl_progress_follow(&progress, client, request->name);
    if (!viommu_client_call(client, &call, &path, &ctl->reasons, error))
        return false;
    properties = viommu_ctl_machine_properties(ctl, client, g_variant_get_string(path, NULL), error);
    if (!properties)
        return false;
    ret_launched->path = g_variant_dup_string(path, NULL);
    ret_launched->bound = request->lease.bind == VIOMMU_BIND_CLIENT;
    ret_launched->properties = g_steal_pointer(&properties);
    ret_launched->client = g_steal_pointer(&client);
    return true;
}

bool viommu_ctl_launched_remove(const ViommuCtlLaunched *launched, GError **error)
{
    const ViommuClientCall call = {.path = launched->path,
                                   .interface = VIOMMU_IFACE_MACHINE,
                                   .method = "Kill",
                                   .timeout_usec = VIOMMU_CTL_TIMEOUT_USEC};
    g_autoptr(GError) trouble = NULL;

    if (viommu_client_call(launched->client, &call, NULL, NULL, &trouble) ||
        !viommu_client_has(launched->client, launched->path))
        return true;
    g_propagate_error(error, g_steal_pointer(&trouble));
    return false;
}

/* The meaning of each Result. */
static const struct {
    const char *result, *words;
} endings[] = {
    {"expired", "its lease ended"},
    {"stopped", "it was stopped"},
    {"lost", "its domain was removed through libvirt"},
    {"failed", "its launch failed"},
};

void viommu_ctl_launched_lament(const ViommuCtl *ctl, const ViommuCtlLaunched *launched, const char *result)
{
    const char *name = "", *words = result;
    g_autofree char *text = NULL;

    g_variant_lookup(launched->properties, "Name", "&s", &name);
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++)
        if (g_str_equal(endings[i].result, result))
            words = endings[i].words;
    text = g_strdup_printf("machine '%s' is gone: %s", name, words);
    viommu_output_warning(&ctl->output, text);
}

/* Waits for a signal or the end of the machine.  Before, a signal ends viommuctl and thereby the
 * machine. */
static bool hold(ViommuCtl *ctl, const ViommuCtlLaunched *launched, GError **error)
{
    g_autoptr(ViommuClientWatch) watch = NULL;
    sigset_t signals;
    bool gone = false, good;
    int fd;

    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    fd = signalfd(-1, &signals, SFD_CLOEXEC);
    watch = viommu_client_watch(launched->client, launched->path, error);
    viommu_output_progress(&ctl->output, "kept until Ctrl-C");
    good = watch && viommu_client_watch_wait(watch, fd, &gone, error);
    viommu_output_progress_end(&ctl->output);
    close(fd);
    if (gone)
        viommu_ctl_launched_lament(ctl, launched, viommu_client_watch_result(watch));
    return good && (gone || viommu_ctl_launched_remove(launched, error));
}

static bool try(ViommuCtl *ctl, GVariant *request, void *data, GError **error)
{
    return viommu_ctl_launch_request(ctl, request, (ViommuCtlLaunched *)data, error);
}

bool viommu_ctl_launch(ViommuCtl *ctl, GError **error)
{
    g_auto(ViommuCtlLaunched) launched = {NULL, NULL, NULL, false};

    if (ctl->fleet)
        return viommu_ctl_fleet_launch(ctl, error);
    if (!viommu_ctl_request_try(ctl, try, &launched, NULL, error))
        return false;
    if (ctl->output.json)
        viommu_output_json(g_variant_ref(launched.properties));
    else
        summarize(ctl, launched.properties);
    return !launched.bound || (viommu_output_finish(error) && hold(ctl, &launched, error));
}

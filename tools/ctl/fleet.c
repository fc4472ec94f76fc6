/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/fleet.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/fleet/placing.h"
#include "lib/host/host-class.h"
#include "lib/plan/report.h"
#include "tools/client/error.h"
#include "tools/ctl/files.h"
#include "tools/ctl/fleet-job.h"
#include "tools/ctl/inside.h"
#include "tools/ctl/local-host.h"
#include "tools/ctl/request.h"

/* The recorded hosts of a directory. */
#define RECORDS_MAX 1024u

typedef struct Fleet {
    ViommuConfig *config;
    GPtrArray *classes; /* of ViommuFleetClass */
    ViommuRequest *request;
    GVariant *tree; /* of the request */
    ViommuFleetDemand demand;
    ViommuFleetPlacing *placing;
} Fleet;

static void fleet_clear(Fleet *fleet)
{
    g_clear_pointer(&fleet->placing, viommu_fleet_placing_free);
    g_clear_pointer(&fleet->request, viommu_request_free);
    g_clear_pointer(&fleet->tree, g_variant_unref);
    g_clear_pointer(&fleet->demand.nodes, g_ptr_array_unref);
    g_clear_pointer(&fleet->classes, g_ptr_array_unref);
    g_clear_pointer(&fleet->config, viommu_config_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fleet, fleet_clear)

/* --- The classes --- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static GPtrArray *list_records(const char *directory, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    g_autoptr(GDir) listing = g_dir_open(directory, 0, &trouble);
    GPtrArray *names;

    if (!listing) {
        viommu_fail(error, VIOMMU_ERROR_NOT_FOUND, "the classes of the fleet cannot be read: %s",
                    trouble->message);
        return NULL;
    }
    names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; (name = g_dir_read_name(listing)) && names->len <= RECORDS_MAX;)
        if (g_str_has_suffix(name, ".json") && *name != '.')
            g_ptr_array_add(names, g_strdup(name));
    if (names->len > RECORDS_MAX) {
        g_ptr_array_unref(names);
        viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s has more than %u recorded hosts, which is the most that is read; keep one of each class",
            directory, RECORDS_MAX);
        return NULL;
    }
    g_ptr_array_sort(names, compare_texts);
    return names;
}

static bool is_known(const GPtrArray *classes, const char *name)
{
    for (guint i = 0; i < classes->len; i++)
        if (g_str_equal(((const ViommuFleetClass *)g_ptr_array_index(classes, i))->name, name))
            return true;
    return false;
}

/* Several hosts of one class may have been recorded. */
static bool add_class(GPtrArray *classes, const char *directory, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *origin = g_filename_display_name(name);
    g_autoptr(ViommuHost) host = viommu_local_host_read(path, error);
    g_autoptr(ViommuFleetClass) class = host ? viommu_fleet_class_new(origin, host, error) : NULL;

    if (!class)
        return false;
    if (!is_known(classes, class->name))
        g_ptr_array_add(classes, g_steal_pointer(&class));
    return true;
}

static bool read_classes(const ViommuCtl *ctl, Fleet *fleet, GError **error)
{
    const char *directory = ctl->classes ? ctl->classes : fleet->config->fleet_classes;
    g_autoptr(GPtrArray) records = NULL;

    if (!directory)
        return viommu_failure_set(
            error, VIOMMU_FAILURE_USAGE,
            "the classes of the fleet are not known: set [fleet] classes in viommud.conf(5), or use --classes=DIR");
    records = list_records(directory, error);
    if (!records)
        return false;
    fleet->classes = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_fleet_class_free);
    for (guint i = 0; i < records->len; i++)
        if (!add_class(fleet->classes, directory, g_ptr_array_index(records, i), error))
            return false;
    return fleet->classes->len > 0 ||
           viommu_fail(
               error, VIOMMU_ERROR_NOT_FOUND,
               "%s has no recorded host: put the output of \"viommuctl host --json\" of a host of each class there, as NAME.json",
               directory);
}

/* --- The request --- */

/* The request as the node launches it: a command in the guest needs a way into it.  Owned. */
static ViommuRequest *parse(const ViommuCtl *ctl, GVariant *tree, GError **error)
{
    g_autoptr(GVariant) request = g_variant_ref(tree);
    g_autoptr(ViommuInside) inside = ctl->inside ? viommu_ctl_inside_prepare(ctl, &request, error) : NULL;

    return ctl->inside && !inside ? NULL : viommu_request_parse(request, error);
}

/* @data: Fleet.  Judges one alternative of the request. */
static bool try(ViommuCtl *ctl, GVariant *said, void *data, GError **error)
{
    Fleet *fleet = data;

    g_clear_pointer(&fleet->placing, viommu_fleet_placing_free);
    g_clear_pointer(&fleet->request, viommu_request_free);
    g_clear_pointer(&fleet->tree, g_variant_unref);
    fleet->tree = viommu_ctl_files_absolute(said);
    fleet->request = parse(ctl, fleet->tree, error);
    if (!fleet->request || !viommu_local_image(ctl, fleet->config, fleet->request, error))
        return false;
    fleet->placing =
        viommu_fleet_place(fleet->request, &fleet->config->policy, fleet->classes, &fleet->demand);
    return viommu_fleet_placing_check(fleet->placing, fleet->request, error);
}

/* An image that is told from others by its name alone may be another one on the node. */
static void warn_of_image(const ViommuCtl *ctl, const ViommuRequest *request)
{
    const ViommuRequestDisk *disk =
        request->disks && request->disks->len ? g_ptr_array_index(request->disks, 0) : NULL;
    g_autofree char *text = NULL;

    if (!request->image || (disk && disk->digest))
        return;
    text = g_strdup_printf(
        "image '%s' has no digest, so nodes without it are not left out: add its digest to %s.image",
        request->image, request->image);
    viommu_output_warning(&ctl->output, text);
}

/* All of the classes, each with its class. */
static GVariant *collect_reasons(const ViommuFleetPlacing *placing)
{
    GVariantBuilder all;

    g_variant_builder_init(&all, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < placing->verdicts->len; i++) {
        const ViommuFleetVerdict *verdict = g_ptr_array_index(placing->verdicts, i);
        g_autoptr(GVariant) reasons = g_variant_ref_sink(viommu_plan_report_reasons(verdict->reasons));

        for (gsize j = 0; j < g_variant_n_children(reasons); j++) {
            g_autoptr(GVariant) reason = g_variant_get_child_value(reasons, j);
            GVariantDict dict;

            g_variant_dict_init(&dict, reason);
            g_variant_dict_insert(&dict, "class", "s", verdict->class->name);
            g_variant_builder_add_value(&all, g_variant_dict_end(&dict));
        }
    }
    return g_variant_builder_end(&all);
}

/* Their hosts are left out. */
static void warn_of_class(const ViommuCtl *ctl, const char *class)
{
    g_autofree char *text = g_strdup_printf(
        "nodes of class %s are left out: no recorded host is of this class; record one with \"viommuctl host --json\"",
        class);

    viommu_output_warning(&ctl->output, text);
}

static void warn_of_classes(const ViommuCtl *ctl, const Fleet *fleet)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < fleet->demand.nodes->len; i++)
        for (char **feature = g_ptr_array_index(fleet->demand.nodes, i); *feature; feature++)
            if (g_str_has_prefix(*feature, VIOMMU_HOST_CLASS_PREFIX) && !is_known(fleet->classes, *feature) &&
                g_hash_table_add(seen, *feature))
                warn_of_class(ctl, *feature);
}

/* A dry run may be made where there is no Slurm. */
static bool ask_slurm(const ViommuCtl *ctl, Fleet *fleet, bool dry, GError **error)
{
    fleet->demand.proven = fleet->config->fleet_proven;
    fleet->demand.nodes = viommu_ctl_fleet_nodes(dry ? NULL : error);
    if (fleet->demand.nodes)
        warn_of_classes(ctl, fleet);
    return dry || fleet->demand.nodes;
}

static bool open_fleet(ViommuCtl *ctl, Fleet *fleet, bool dry, GError **error)
{
    fleet->config = viommu_local_config(ctl, error);
    if (!fleet->config || !read_classes(ctl, fleet, error) || !ask_slurm(ctl, fleet, dry, error))
        return false;
    if (!viommu_ctl_request_try(ctl, try, fleet, NULL, error)) {
        /* The message has them for people. */
        if (ctl->output.json && fleet->placing)
            ctl->reasons = g_variant_ref_sink(collect_reasons(fleet->placing));
        return false;
    }
    warn_of_image(ctl, fleet->request);
    return true;
}

/* --- srun --- */

static void add(GPtrArray *words, const char *word)
{
    g_ptr_array_add(words, g_strdup(word));
}

static void add_all(GPtrArray *words, char *const *more)
{
    for (; more && *more; more++)
        add(words, *more);
}

/* Words of the configuration, between which may be several spaces. */
static void add_options(GPtrArray *words, const char *options)
{
    g_auto(GStrv) parts = g_strsplit(options, " ", -1);

    for (char **part = parts; *part; part++)
        if (**part)
            add(words, *part);
}

static void add_value(GPtrArray *words, const char *option, const char *value)
{
    if (value)
        g_ptr_array_add(words, g_strdup_printf("--%s=%s", option, value));
}

/* The node's viommuctl, which reads the request from its input. */
static void add_viommuctl(const ViommuCtl *ctl, const char *verb, GPtrArray *words)
{
    add(words, "viommuctl");
    add(words, verb);
    add(words, "-");
    add(words, "--system");
    if (ctl->output.json)
        add(words, "--json");
    if (ctl->no_ask_password)
        add(words, "--no-ask-password");
    if (!ctl->command) {
        add(words, "--bind=client");
        return;
    }
    if (ctl->inside)
        add(words, "--inside");
    for (guint i = 0; ctl->gets && i < ctl->gets->len; i++)
        add_value(words, "get", g_ptr_array_index(ctl->gets, i));
    add_value(words, "timeout", ctl->timeout);
    add(words, "--");
    add_all(words, ctl->command);
}

/* Slurm refuses a job when all nodes that it prefers are too small for it, though others are not.
 * @n: of @words, how many are of the placing. */
static void check_preference(const Fleet *fleet, guint n, GPtrArray *words)
{
    for (guint i = 0; fleet->demand.nodes && i < n; i++) {
        char *preference = g_ptr_array_index(words, i);
        g_autofree char *alone = NULL;
        bool fits;

        if (!g_str_has_prefix(preference, VIOMMU_FLEET_PREFER))
            continue;
        /* A test looks at no preference; of two constraints, the latter counts. */
        alone = g_strconcat("--constraint=", preference + strlen(VIOMMU_FLEET_PREFER), NULL);
        words->pdata[i] = alone;
        fits = viommu_ctl_fleet_job_fits((char *const *)words->pdata);
        words->pdata[i] = preference;
        if (!fits)
            g_ptr_array_remove_index(words, i);
        return;
    }
}

/* @name: of the job; NULL: the machine's.  Owned, g_strfreev(). */
static char **make_words(const ViommuCtl *ctl, const Fleet *fleet, const char *verb, const char *name)
{
    g_auto(GStrv) asked =
        viommu_fleet_srun_words(fleet->placing, fleet->request, fleet->config->fleet_time_limit_sec);
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

    add_all(words, asked);
    add_value(words, "job-name", name);
    add_options(words, fleet->config->fleet_options);
    add_viommuctl(ctl, verb, words);
    g_ptr_array_add(words, NULL);
    check_preference(fleet, g_strv_length(asked), words);
    return (char **)g_ptr_array_free(words, FALSE);
}

static bool run_job(ViommuCtl *ctl, const char *verb, GError **error)
{
    g_auto(Fleet) fleet = {0};
    g_autofree char *name = NULL, *input = NULL;
    g_auto(GStrv) words = NULL;

    ctl->bind = "client";
    if (!open_fleet(ctl, &fleet, false, error))
        return false;
    /* Its place in the queue is found by it. */
    name = g_strdup_printf("viommu-%d-%" G_GINT64_MODIFIER "x", (int)getpid(), g_get_real_time());
    words = make_words(ctl, &fleet, verb, name);
    input = viommu_output_json_text(g_variant_ref(fleet.tree));
    return viommu_ctl_fleet_job_run(ctl, words, name, input, error);
}

bool viommu_ctl_fleet_run(ViommuCtl *ctl, GError **error)
{
    ctl->needs_started = true;
    return run_job(ctl, "run", error);
}

bool viommu_ctl_fleet_launch(ViommuCtl *ctl, GError **error)
{
    return run_job(ctl, "launch", error);
}

/* --- plan --- */

static const char *const titles[] = {"CLASS", "RECORD", "RESULT", "IOMMU", "ACCELERATOR", NULL};
#define RESULT_COLUMN 2

static void add_row(ViommuTable *table, const Fleet *fleet, const ViommuFleetVerdict *verdict)
{
    const ViommuPlan *plan = verdict->plan;
    const char *result = viommu_fleet_is_first_choice(fleet->placing, verdict) ? "preferred"
                         : viommu_fleet_is_possible(verdict)                   ? "possible"
                         : plan                                                ? "no node"
                                                                               : "refused";
    const char *model = plan ? viommu_model_to_string(plan->iommu.model) : NULL;
    const char *cells[] = {
        verdict->class->name, verdict->class->origin, result, plan && !model ? "none" : model,
        plan ? viommu_enum_to_string(&viommu_enum_accelerator, (int)plan->accelerator) : NULL};

    viommu_table_add(table, cells, RESULT_COLUMN,
                     viommu_fleet_is_possible(verdict) ? VIOMMU_STYLE_GOOD : VIOMMU_STYLE_BAD);
}

static void print_plan(const ViommuOutput *output, const Fleet *fleet, char **words)
{
    g_autoptr(ViommuTable) table = viommu_table_new(titles, 0);

    for (guint i = 0; i < fleet->placing->verdicts->len; i++)
        add_row(table, fleet, g_ptr_array_index(fleet->placing->verdicts, i));
    viommu_table_print(table, output);
    for (guint i = 0; i < fleet->placing->verdicts->len; i++) {
        const ViommuFleetVerdict *verdict = g_ptr_array_index(fleet->placing->verdicts, i);
        g_autofree char *text = viommu_fleet_verdict_text(verdict);

        if (!viommu_fleet_is_possible(verdict))
            viommu_output_format(output, "\n%s: %s\n", verdict->class->name, text);
    }
    viommu_output_text(output, VIOMMU_STYLE_PLAIN, "\n");
    for (char **word = words; *word; word++) {
        g_autofree char *quoted = strpbrk(*word, "|&()* '\"\\$`;<>?[]#~!{}") ? g_shell_quote(*word) : NULL;

        viommu_output_format(output, "%s%s", word == words ? "" : " ", quoted ? quoted : *word);
    }
    viommu_output_text(output, VIOMMU_STYLE_PLAIN, "\n");
}

static void print_json(const Fleet *fleet, char **words)
{
    GVariantBuilder classes;
    GVariantDict tree;

    g_variant_builder_init(&classes, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < fleet->placing->verdicts->len; i++)
        g_variant_builder_add_value(
            &classes,
            viommu_fleet_verdict_to_variant(fleet->placing, g_ptr_array_index(fleet->placing->verdicts, i)));
    g_variant_dict_init(&tree, NULL);
    g_variant_dict_insert_value(&tree, "classes", g_variant_builder_end(&classes));
    g_variant_dict_insert_value(&tree, "srun", g_variant_new_strv((const char *const *)words, -1));
    viommu_output_json(g_variant_dict_end(&tree));
}

bool viommu_ctl_fleet_plan(ViommuCtl *ctl, GError **error)
{
    g_auto(Fleet) fleet = {0};
    g_auto(GStrv) words = NULL;

    if (!open_fleet(ctl, &fleet, true, error))
        return false;
    words = make_words(ctl, &fleet, "launch", NULL);
    if (ctl->output.json)
        print_json(&fleet, words);
    else
        print_plan(&ctl->output, &fleet, words);
    return true;
}

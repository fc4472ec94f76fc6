/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fleet/placing.h"

#include <inttypes.h>

#include "lib/base/error.h"
#include "lib/base/quantity.h"
#include "lib/fleet/node.h"
#include "lib/host/host-class.h"
#include "lib/plan/memory.h"
#include "lib/plan/report.h"

/* The ranks of one accelerator. */
#define RANKS (VIOMMU_MODEL_LAST + 1u)
/* What a QEMU needs whose guest has huge pages; 0 would be all memory of a node. */
#define QEMU_MIB 256u

/* --- Classes --- */

ViommuFleetClass *viommu_fleet_class_new(const char *origin, const ViommuHost *host, GError **error)
{
    g_autoptr(ViommuFleetClass) class = g_new0(ViommuFleetClass, 1);

    class->name = viommu_host_class(host);
    class->origin = g_strdup(origin);
    class->host = viommu_host_class_host(host, error);
    return class->host ? g_steal_pointer(&class) : NULL;
}

void viommu_fleet_class_free(ViommuFleetClass *class)
{
    if (!class)
        return;
    g_free(class->name);
    g_free(class->origin);
    viommu_host_free(class->host);
    g_free(class);
}

/* --- Verdicts --- */

static void verdict_free(void *data)
{
    ViommuFleetVerdict *verdict = data;

    viommu_plan_free(verdict->plan);
    g_clear_error(&verdict->error);
    g_clear_pointer(&verdict->reasons, g_ptr_array_unref);
    g_clear_pointer(&verdict->features, g_ptr_array_unref);
    g_free(verdict);
}

static char *proof_feature(const ViommuPlan *plan)
{
    return plan->iommu.model == VIOMMU_MODEL_NONE
               ? NULL
               : g_strdup_printf(VIOMMU_FLEET_PROOF_PREFIX "%s%s_%s",
                                 plan->accelerator == VIOMMU_ACCELERATOR_KVM ? "kvm_" : "",
                                 viommu_arch_to_string(plan->arch),
                                 viommu_model_to_string(plan->iommu.model));
}

/* The class, the proof of the model, and the image by its digest. */
static GPtrArray *list_features(const ViommuFleetVerdict *verdict, const ViommuRequest *request, bool proven)
{
    const ViommuRequestDisk *disk =
        request->image && request->disks && request->disks->len ? g_ptr_array_index(request->disks, 0) : NULL;
    GPtrArray *features = g_ptr_array_new_with_free_func(g_free);
    char *proof = proven ? proof_feature(verdict->plan) : NULL;

    g_ptr_array_add(features, g_strdup(verdict->class->name));
    if (proof)
        g_ptr_array_add(features, proof);
    if (disk && disk->digest)
        g_ptr_array_add(features, viommu_fleet_image_feature(disk->digest));
    return features;
}

/* Whether a node has the first @n of @features. */
static bool has_node(const GPtrArray *nodes, const GPtrArray *features, guint n)
{
    for (guint i = 0; i < nodes->len; i++) {
        guint had = 0;

        while (had < n && g_strv_contains(g_ptr_array_index(nodes, i), g_ptr_array_index(features, had)))
            had++;
        if (had == n)
            return true;
    }
    return false;
}

/* Slurm refuses a job that names a feature which no node has, even beside others, and a job for
 * which no node has all. */
static const char *find_lacking(const GPtrArray *features, const GPtrArray *nodes)
{
    for (guint n = 1; nodes && n <= features->len; n++)
        if (!has_node(nodes, features, n))
            return g_ptr_array_index(features, n - 1);
    return NULL;
}

static ViommuFleetVerdict *judge(const ViommuRequest *request, const ViommuPolicy *policy,
                                 const ViommuFleetClass *class, const ViommuFleetDemand *demand)
{
    ViommuFleetVerdict *verdict = g_new0(ViommuFleetVerdict, 1);
    const ViommuPlanInput input = {.request = request, .host = class->host, .policy = policy};

    verdict->class = class;
    if (!viommu_plan_build(&input, &verdict->plan, &verdict->reasons, &verdict->error))
        return verdict;
    verdict->rank = (verdict->plan->accelerator == VIOMMU_ACCELERATOR_KVM ? 0 : RANKS) +
                    viommu_iommu_place(request, policy, verdict->plan->iommu.model);
    verdict->features = list_features(verdict, request, demand && demand->proven);
    verdict->lacking = find_lacking(verdict->features, demand ? demand->nodes : NULL);
    return verdict;
}

ViommuFleetPlacing *viommu_fleet_place(const ViommuRequest *request, const ViommuPolicy *policy,
                                       const GPtrArray *classes, const ViommuFleetDemand *demand)
{
    ViommuFleetPlacing *placing = g_new0(ViommuFleetPlacing, 1);

    placing->verdicts = g_ptr_array_new_with_free_func(verdict_free);
    placing->best = UINT_MAX;
    for (guint i = 0; i < classes->len; i++) {
        ViommuFleetVerdict *verdict = judge(request, policy, g_ptr_array_index(classes, i), demand);

        g_ptr_array_add(placing->verdicts, verdict);
        if (!viommu_fleet_is_possible(verdict))
            continue;
        placing->n_possible++;
        placing->best = MIN(placing->best, verdict->rank);
    }
    return placing;
}

void viommu_fleet_placing_free(ViommuFleetPlacing *placing)
{
    if (!placing)
        return;
    g_ptr_array_unref(placing->verdicts);
    g_free(placing);
}

static const ViommuFleetVerdict *verdict_at(const ViommuFleetPlacing *placing, guint i)
{
    return g_ptr_array_index(placing->verdicts, i);
}

bool viommu_fleet_is_possible(const ViommuFleetVerdict *verdict)
{
    return verdict->plan && !verdict->lacking;
}

char *viommu_fleet_verdict_text(const ViommuFleetVerdict *verdict)
{
    if (!verdict->plan)
        return g_strdup(verdict->error->message);
    if (!verdict->lacking)
        return g_strdup("it can be launched");
    if (g_str_equal(verdict->lacking, verdict->class->name))
        return g_strdup_printf(
            "no node of Slurm has the feature %s, so its hosts are gone or of another class",
            verdict->lacking);
    return g_strdup_printf("no node of this class has the feature %s: %s", verdict->lacking,
                           g_str_has_prefix(verdict->lacking, VIOMMU_FLEET_IMAGE_PREFIX)
                               ? "copy the image, and its description, to one"
                               : "no guest has shown this IOMMU there");
}

bool viommu_fleet_is_first_choice(const ViommuFleetPlacing *placing, const ViommuFleetVerdict *verdict)
{
    return viommu_fleet_is_possible(verdict) && verdict->rank == placing->best;
}

/* An address or a site's name means a device of one host. */
static bool check_devices(const ViommuRequest *request, GError **error)
{
    for (guint i = 0; request->hostdevs && i < request->hostdevs->len; i++) {
        const ViommuRequestHostdev *device = g_ptr_array_index(request->hostdevs, i);

        if (!device->vendor || !device->device)
            return viommu_fail(
                error, VIOMMU_ERROR_NOT_SUPPORTED,
                "hostdevs[%u] names a device of one host, but a fleet counts devices by their kind: use vendor and device, which \"viommuctl host\" shows",
                i);
    }
    return true;
}

bool viommu_fleet_placing_check(const ViommuFleetPlacing *placing, const ViommuRequest *request,
                                GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    int code = VIOMMU_ERROR_LAST;

    if (!check_devices(request, error))
        return false;
    if (placing->n_possible > 0)
        return true;
    for (guint i = 0; i < placing->verdicts->len; i++) {
        const ViommuFleetVerdict *verdict = verdict_at(placing, i);
        g_autofree char *reason = viommu_fleet_verdict_text(verdict);
        int its = verdict->error ? verdict->error->code : VIOMMU_ERROR_NOT_SUPPORTED;

        code = code == VIOMMU_ERROR_LAST || code == its ? its : VIOMMU_ERROR_NOT_SUPPORTED;
        g_string_append_printf(text, "; %s (%s): %s", verdict->class->name, verdict->class->origin, reason);
    }
    return viommu_fail(error, code == VIOMMU_ERROR_LAST ? VIOMMU_ERROR_NOT_SUPPORTED : (ViommuError)code,
                       "no class of the fleet can launch this request%s", text->str);
}

GVariant *viommu_fleet_verdict_to_variant(const ViommuFleetPlacing *placing,
                                          const ViommuFleetVerdict *verdict)
{
    g_autofree char *text = viommu_fleet_verdict_text(verdict);
    GVariantDict tree;

    g_variant_dict_init(&tree, NULL);
    g_variant_dict_insert(&tree, "class", "s", verdict->class->name);
    g_variant_dict_insert(&tree, "record", "s", verdict->class->origin);
    g_variant_dict_insert(&tree, "possible", "b", viommu_fleet_is_possible(verdict));
    if (verdict->plan) {
        g_variant_dict_insert(&tree, "first-choice", "b", viommu_fleet_is_first_choice(placing, verdict));
        g_variant_dict_insert(&tree, "model", "ms", viommu_model_to_string(verdict->plan->iommu.model));
        g_variant_dict_insert(
            &tree, "accelerator", "s",
            viommu_enum_to_string(&viommu_enum_accelerator, (int)verdict->plan->accelerator));
    }
    if (!viommu_fleet_is_possible(verdict)) {
        g_variant_dict_insert(&tree, "message", "s", text);
        g_variant_dict_insert_value(&tree, "reasons", viommu_plan_report_reasons(verdict->reasons));
    }
    return g_variant_dict_end(&tree);
}

/* --- The job --- */

typedef bool (*Matches)(const ViommuFleetPlacing *placing, const ViommuFleetVerdict *verdict);

static bool can(const ViommuFleetPlacing *placing, const ViommuFleetVerdict *verdict)
{
    return viommu_fleet_is_possible(verdict);
}

static unsigned count(const ViommuFleetPlacing *placing, Matches matches)
{
    unsigned n = 0;

    for (guint i = 0; i < placing->verdicts->len; i++)
        n += matches(placing, verdict_at(placing, i));
    return n;
}

/* "vf_a|vf_b", or "(vf_a&vi_x)|(vf_b&vi_x)": Slurm has brackets for groups only. */
static char *make_constraint(const ViommuFleetPlacing *placing, Matches matches)
{
    bool several = count(placing, matches) > 1;
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < placing->verdicts->len; i++) {
        const ViommuFleetVerdict *verdict = verdict_at(placing, i);
        bool grouped = several && verdict->features && verdict->features->len > 1;

        if (!matches(placing, verdict))
            continue;
        g_string_append_printf(text, "%s%s", text->len ? "|" : "", grouped ? "(" : "");
        for (guint j = 0; j < verdict->features->len; j++)
            g_string_append_printf(text, "%s%s", j ? "&" : "",
                                   (const char *)g_ptr_array_index(verdict->features, j));
        g_string_append(text, grouped ? ")" : "");
    }
    return g_string_free(text, FALSE);
}

/* What Slurm's memory of the node counts: all but the huge pages. */
static uint64_t memory_mib(const ViommuPlan *plan)
{
    ViommuPinned pinned =
        viommu_memory_pinned(plan->memory_max_bytes, plan->page_size_bytes, plan->memlock_bytes);
    uint64_t bytes = pinned.huge_bytes ? MAX(pinned.ordinary_bytes, QEMU_MIB * VIOMMU_MIB)
                                       : MAX(pinned.ordinary_bytes, plan->memory_max_bytes);

    return (bytes + VIOMMU_MIB - 1) / VIOMMU_MIB;
}

static char *make_gres(const ViommuPlan *plan, const ViommuRequest *request)
{
    g_autoptr(GPtrArray) gres = viommu_fleet_gres_new();
    g_autofree char *pages = NULL;

    for (guint i = 0; request->hostdevs && i < request->hostdevs->len; i++) {
        const ViommuRequestHostdev *device = g_ptr_array_index(request->hostdevs, i);
        g_autofree char *name = viommu_fleet_gres_device(g_ascii_strtoull(device->vendor, NULL, 16),
                                                         g_ascii_strtoull(device->device, NULL, 16));

        viommu_fleet_gres_add(gres, name, device->count == VIOMMU_UNSET_NUMBER ? 1 : device->count);
    }
    if (plan->page_size_bytes) {
        pages = viommu_fleet_gres_pages(plan->page_size_bytes);
        viommu_fleet_gres_add(gres, pages, plan->memory_max_bytes / plan->page_size_bytes);
    }
    return viommu_fleet_gres_words(gres);
}

/* Of the first class that can: the amounts are those of the request. */
static const ViommuPlan *first_plan(const ViommuFleetPlacing *placing)
{
    for (guint i = 0; i < placing->verdicts->len; i++)
        if (viommu_fleet_is_possible(verdict_at(placing, i)))
            return verdict_at(placing, i)->plan;
    return NULL;
}

static void add(GPtrArray *words, const char *option, const char *value)
{
    g_ptr_array_add(words, g_strconcat(option, value, NULL));
}

char **viommu_fleet_srun_words(const ViommuFleetPlacing *placing, const ViommuRequest *request,
                               uint64_t seconds)
{
    const ViommuPlan *plan = first_plan(placing);
    GPtrArray *words = g_ptr_array_new();
    g_autofree char *constraint = make_constraint(placing, can);
    g_autofree char *best = make_constraint(placing, viommu_fleet_is_first_choice);
    g_autofree char *gres = make_gres(plan, request);

    add(words, "srun", "");
    add(words, "--ntasks=1", "");
    add(words, "--nodes=1", "");
    add(words, "--quit-on-interrupt", "");
    g_ptr_array_add(words, g_strdup_printf("--cpus-per-task=%" PRIu64, plan->vcpus));
    g_ptr_array_add(words, g_strdup_printf("--mem=%" PRIu64, memory_mib(plan)));
    add(words, "--constraint=", constraint);
    /* Slurm takes it in place of the constraint where it can, so it is as complete. */
    if (!g_str_equal(best, constraint))
        add(words, VIOMMU_FLEET_PREFER, best);
    if (*gres)
        add(words, "--gres=", gres);
    /* Slurm counts in minutes. */
    if (seconds)
        g_ptr_array_add(words, g_strdup_printf("--time=%" PRIu64, (seconds + 59) / 60));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fleet-plans: each golden request on each recorded host, as a fleet places it.  Where the class of
 * a host can launch the request, and Slurm counts enough on the host, the host itself must plan it:
 * nothing may be refused after the claim.  Prints TAP.
 *   fleet-plans GOLDEN */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/quantity.h"
#include "lib/fleet/node.h"
#include "lib/fleet/placing.h"
#include "lib/plan/traits.h"
#include "tools/client/request-file.h"

typedef struct Recorded {
    char *name;
    ViommuHost *host;
    ViommuFleetNode *node;
    guint class; /* its index */
} Recorded;

typedef struct Fleet {
    GPtrArray *hosts;   /* of Recorded */
    GPtrArray *classes; /* of ViommuFleetClass */
    ViommuPolicy policy;
    unsigned requests, right, wrong, overlooked;
} Fleet;

/* --- The hosts --- */

static void add_host(Fleet *fleet, const char *path, const char *name)
{
    g_autoptr(GVariant) tree = viommu_request_file_read(path, NULL);
    ViommuHost *host = tree ? viommu_host_from_variant(tree, NULL) : NULL;
    g_autoptr(ViommuFleetClass) class = host ? viommu_fleet_class_new(name, host, NULL) : NULL;
    Recorded *recorded;

    /* Two are wrong on purpose. */
    if (!class)
        return;
    recorded = g_new0(Recorded, 1);
    recorded->name = g_strdup(name);
    recorded->host = host;
    recorded->node = viommu_fleet_node_new(&(ViommuFleetNodeInput){.host = host, .policy = &fleet->policy});
    for (; recorded->class < fleet->classes->len; recorded->class ++) {
        const ViommuFleetClass *known = g_ptr_array_index(fleet->classes, recorded->class);

        if (g_str_equal(known->name, class->name))
            break;
    }
    if (recorded->class == fleet->classes->len)
        g_ptr_array_add(fleet->classes, g_steal_pointer(&class));
    g_ptr_array_add(fleet->hosts, recorded);
}

/* --- What Slurm counts --- */

static uint64_t count_of(const ViommuFleetNode *node, const char *name)
{
    for (guint i = 0; i < node->gres->len; i++) {
        const ViommuFleetGres *gres = g_ptr_array_index(node->gres, i);

        if (g_str_equal(gres->name, name))
            return gres->count;
    }
    return 0;
}

static bool has_gres(const ViommuFleetNode *node, const char *words)
{
    g_auto(GStrv) all = g_strsplit(words, ",", -1);

    for (char **one = all; *one; one++) {
        g_auto(GStrv) parts = g_strsplit(*one, ":", 2);

        if (count_of(node, parts[0]) < g_ascii_strtoull(parts[1], NULL, 10))
            return false;
    }
    return true;
}

/* Whether Slurm gives the job with these words to this node, which is empty.  Hosts whose memory is
 * not known have any amount. */
static bool is_granted(const ViommuFleetNode *node, char **words)
{
    for (; *words; words++) {
        const char *value = strchr(*words, '=');

        if (g_str_has_prefix(*words, "--mem=") && node->memory_mib &&
            g_ascii_strtoull(value + 1, NULL, 10) > node->memory_mib)
            return false;
        if (g_str_has_prefix(*words, "--gres=") && !has_gres(node, value + 1))
            return false;
    }
    return true;
}

/* --- The requests --- */

static void compare(Fleet *fleet, const char *path, const ViommuRequest *request,
                    const ViommuFleetPlacing *placing, const Recorded *recorded)
{
    const ViommuFleetVerdict *verdict = g_ptr_array_index(placing->verdicts, recorded->class);
    const ViommuPlanInput input = {.request = request, .host = recorded->host, .policy = &fleet->policy};
    g_autoptr(ViommuPlan) plan = NULL;
    g_autoptr(GError) refusal = NULL;
    bool possible = viommu_plan_build(&input, &plan, NULL, &refusal);

    if (verdict->plan) {
        g_auto(GStrv) words = viommu_fleet_srun_words(placing, request, 0);

        if (!is_granted(recorded->node, words))
            return;
    }
    if (possible && !verdict->plan) {
        fleet->overlooked++;
        printf("# overlooked: %s on %s: %s\n", path, recorded->name, verdict->error->message);
    } else if (!possible && verdict->plan) {
        fleet->wrong++;
        printf("# refused after the claim: %s on %s: %s\n", path, recorded->name, refusal->message);
    } else {
        fleet->right += possible;
    }
}

static void place(Fleet *fleet, const char *path)
{
    g_autoptr(GVariant) tree = viommu_request_file_read(path, NULL);
    g_autoptr(ViommuRequest) request = tree ? viommu_request_parse(tree, NULL) : NULL;
    g_autoptr(ViommuFleetPlacing) placing = NULL;

    /* Some are wrong on purpose, and a fleet does not take devices of one host. */
    if (!request)
        return;
    placing = viommu_fleet_place(request, &fleet->policy, fleet->classes, NULL);
    if (placing->n_possible > 0 && !viommu_fleet_placing_check(placing, request, NULL))
        return;
    fleet->requests++;
    for (guint i = 0; i < fleet->hosts->len; i++)
        compare(fleet, path, request, placing, g_ptr_array_index(fleet->hosts, i));
}

/* --- Both --- */

typedef void (*Take)(Fleet *fleet, const char *path, const char *name);

static void take_request(Fleet *fleet, const char *path, const char *name)
{
    place(fleet, path);
}

static void walk(Fleet *fleet, const char *directory, Take take)
{
    g_autoptr(GDir) listing = g_dir_open(directory, 0, NULL);

    for (const char *name; listing && (name = g_dir_read_name(listing));) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            walk(fleet, path, take);
        else
            take(fleet, path, name);
    }
}

static void result(unsigned number, bool good, const char *what)
{
    printf("%sok %u - %s\n", good ? "" : "not ", number, what);
}

int main(int argc, char **argv)
{
    Fleet fleet = {g_ptr_array_new(), g_ptr_array_new()};
    g_autofree char *hosts = g_build_filename(argv[1], "hosts", NULL);
    g_autofree char *requests = g_build_filename(argv[1], "requests", NULL);

    viommu_policy_init(&fleet.policy);
    walk(&fleet, hosts, add_host);
    walk(&fleet, requests, take_request);
    printf("1..3\n# %u hosts in %u classes, %u requests: %u matches are right, %u overlooked\n",
           fleet.hosts->len, fleet.classes->len, fleet.requests, fleet.right, fleet.overlooked);
    result(1, fleet.hosts->len > 40 && fleet.requests > 100 && fleet.right > 2000,
           "there is something to compare");
    result(2, fleet.wrong == 0, "no class is matched whose host refuses the request");
    result(3, fleet.overlooked * 20 < fleet.right, "few hosts are overlooked");
    return fleet.wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

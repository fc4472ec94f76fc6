/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fleet: what it costs to place a request on 50 classes of hosts, and to read their records.  The
 * records are those of the golden tests.  No Slurm.
 *   bench-fleet GOLDEN/hosts */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include "lib/fleet/placing.h"
#include "tools/client/request-file.h"

#define GOAL_MSEC 10.0
#define CLASSES   50u
#define ROUNDS    200

static const char *const request_text =
    "{'name': <'bench'>, 'arch': <'x86_64'>, 'memory': <'512 MiB'>, 'iommu': <{'model': <['virtio', 'intel']>}>, "
    "'boot': <{'kernel': <'/srv/vmlinuz'>, 'initrd': <'/srv/initrd'>, 'cmdline': <'console=ttyS0'>}>}";

static bool is_known(const GPtrArray *classes, const char *name)
{
    for (guint i = 0; i < classes->len; i++)
        if (g_str_equal(((const ViommuFleetClass *)g_ptr_array_index(classes, i))->name, name))
            return true;
    return false;
}

static void add_class(GPtrArray *classes, const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autoptr(GVariant) tree = viommu_request_file_read(path, NULL);
    g_autoptr(ViommuHost) host = tree ? viommu_host_from_variant(tree, NULL) : NULL;
    g_autoptr(ViommuFleetClass) class = host ? viommu_fleet_class_new(name, host, NULL) : NULL;

    if (class && !is_known(classes, class->name))
        g_ptr_array_add(classes, g_steal_pointer(&class));
}

static GPtrArray *read_classes(const char *directory)
{
    GPtrArray *classes = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_fleet_class_free);
    g_autoptr(GDir) listing = g_dir_open(directory, 0, NULL);

    for (const char *name; listing && classes->len < CLASSES && (name = g_dir_read_name(listing));)
        add_class(classes, directory, name);
    return classes;
}

int main(int argc, char **argv)
{
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, request_text, NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = tree ? viommu_request_parse(tree, NULL) : NULL;
    g_autoptr(GArray) msec = bench_samples_new();
    g_autoptr(GPtrArray) classes = NULL;
    unsigned possible = 0;
    ViommuPolicy policy;
    uint64_t begin;

    g_set_prgname("fleet");
    viommu_policy_init(&policy);
    begin = bench_cpu_nsec();
    classes = read_classes(argc > 1 ? argv[1] : ".");
    if (!request || classes->len < CLASSES)
        bench_die("there are only %u classes: name the directory tests/golden/hosts", classes->len);
    bench_title("fleet: one request on %u classes (CPU time, median of %d)", classes->len, ROUNDS);
    bench_row("reading the records", "%8.2f ms", (double)(bench_cpu_nsec() - begin) / 1e6);
    for (int round = 0; round < ROUNDS; round++) {
        g_autoptr(ViommuFleetPlacing) placing = NULL;
        g_auto(GStrv) words = NULL;

        begin = bench_cpu_nsec();
        placing = viommu_fleet_place(request, &policy, classes, NULL);
        words = viommu_fleet_srun_words(placing, request, 0);
        bench_samples_add(msec, (double)(bench_cpu_nsec() - begin) / 1e6);
        possible = placing->n_possible;
    }
    bench_row("classes that can", "%8u", possible);
    bench_goal("placing a request on 50 classes", bench_samples_at(msec, 0.5), BENCH_AT_MOST, GOAL_MSEC,
               "ms");
    return EXIT_SUCCESS;
}

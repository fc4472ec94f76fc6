/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* planner: measures plans per second on one core, in this process: parse, plan and XML, and each
 * part. Knows lib/ only; no bus, no libvirt. */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include "lib/domain/domain-xml.h"
#include "lib/plan/report.h"

#define GOAL_PER_SECOND 100000.0
#define ROUNDS          9
#define ROUND_PLANS     2000

static const char *const host_text =
    "{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, 'accelerators': <['kvm', "
    "'tcg']>}, {'arch': <'aarch64'>, 'qemu': <'7.2.22'>, 'accelerators': <['tcg']>}]>}";

static const struct {
    const char *what, *request;
    bool is_goal; /* the request of the project's goal, an ordinary one */
} cases[] = {
    {"x86_64, an IOMMU",
     "{'name': <'bench'>, 'arch': <'x86_64'>, 'memory': <'512 MiB'>, 'iommu': <{'is-supported': <true>}>, "
     "'boot': <{'kernel': <'/srv/vmlinuz'>, 'initrd': <'/srv/initrd'>, 'cmdline': <'console=ttyS0'>}>}",
     true},
    {"aarch64, virtio, disk and network",
     "{'name': <'bench'>, 'arch': <'aarch64'>, 'vcpus': <uint32 4>, 'memory': <'2 GiB'>, 'iommu': <{'model': "
     "<'virtio'>}>, 'guest': <{'os': <'ubuntu24.04'>}>, 'disks': <[{'path': <'/srv/disk.qcow2'>, 'format': "
     "<'qcow2'>}]>, 'networks': <[{'type': <'network'>, 'source': <'default'>}]>}",
     false},
};

typedef enum Part {
    PART_PARSE,
    PART_PLAN,
    PART_XML,
    PART_REPORT, /* what the bus adds */
    PART_LAST,
} Part;

static const char *const part_names[] = {
    [PART_PARSE] = "parse",
    [PART_PLAN] = "plan",
    [PART_XML] = "XML",
    [PART_REPORT] = "report for the bus (not in the sum)",
};
G_STATIC_ASSERT(G_N_ELEMENTS(part_names) == PART_LAST);

static void fail(const GError *error)
{
    bench_die("%s", error ? error->message : "no plan");
}

/* Makes one plan, and adds the time of each part to @nsec. */
static void plan_once(GVariant *tree, const ViommuHost *host, const ViommuPolicy *policy,
                      uint64_t nsec[PART_LAST])
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) report = NULL;
    g_autofree char *xml = NULL;
    ViommuPlan *plan = NULL;
    uint64_t times[PART_LAST + 1];

    times[0] = bench_cpu_nsec();
    ViommuRequest *request = viommu_request_parse(tree, &error);
    if (!request)
        fail(error);
    times[1] = bench_cpu_nsec();
    ViommuPlanInput input = {.request = request, .host = host, .policy = policy};
    if (!viommu_plan_build(&input, &plan, NULL, &error))
        fail(error);
    times[2] = bench_cpu_nsec();
    xml = viommu_domain_xml(plan, NULL);
    times[3] = bench_cpu_nsec();
    report = g_variant_ref_sink(viommu_plan_report(plan, xml));
    times[4] = bench_cpu_nsec();
    for (int part = 0; part < PART_LAST; part++)
        nsec[part] += times[part + 1] - times[part];
    viommu_plan_free(plan);
    viommu_request_free(request);
}

/* The same without reading the clock in between, and with everything freed: this sum counts. */
static void plan_whole(GVariant *tree, const ViommuHost *host, const ViommuPolicy *policy)
{
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    g_autoptr(ViommuPlan) plan = NULL;
    ViommuPlanInput input = {.request = request, .host = host, .policy = policy};
    g_autofree char *xml = NULL;

    if (!viommu_plan_build(&input, &plan, NULL, NULL))
        fail(NULL);
    xml = viommu_domain_xml(plan, NULL);
}

static void measure(size_t n, const ViommuHost *host, const ViommuPolicy *policy)
{
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, cases[n].request, NULL, NULL, NULL);
    GArray *parts[PART_LAST];
    g_autoptr(GArray) whole = bench_samples_new();

    for (int part = 0; part < PART_LAST; part++)
        parts[part] = bench_samples_new();
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t nsec[PART_LAST] = {0}, begin = bench_cpu_nsec();
        for (int i = 0; i < ROUND_PLANS; i++)
            plan_whole(tree, host, policy);
        bench_samples_add(whole, (double)(bench_cpu_nsec() - begin) / 1e3 / ROUND_PLANS);
        for (int i = 0; i < ROUND_PLANS; i++)
            plan_once(tree, host, policy, nsec);
        for (int part = 0; part < PART_LAST; part++)
            bench_samples_add(parts[part], (double)nsec[part] / 1e3 / ROUND_PLANS);
    }
    bench_title("planner: %s (CPU time, median of %d times %d)", cases[n].what, ROUNDS, ROUND_PLANS);
    for (int part = 0; part < PART_LAST; part++) {
        bench_row(part_names[part], "%8.2f us", bench_samples_at(parts[part], 0.5));
        g_array_unref(parts[part]);
    }
    bench_row("parse, plan, XML, and freeing it all", "%8.2f us", bench_samples_at(whole, 0.5));
    if (cases[n].is_goal)
        bench_goal("plans per second and core", 1e6 / bench_samples_at(whole, 0.5), BENCH_AT_LEAST,
                   GOAL_PER_SECOND, "");
    else
        bench_row("plans per second and core", "%8.0f", 1e6 / bench_samples_at(whole, 0.5));
}

int main(void)
{
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, host_text, NULL, NULL, NULL);
    g_autoptr(ViommuHost) host = viommu_host_from_variant(tree, NULL);
    ViommuPolicy policy;

    g_set_prgname("planner");
    viommu_policy_init(&policy);
    for (size_t n = 0; n < G_N_ELEMENTS(cases); n++)
        measure(n, host, &policy);
    return EXIT_SUCCESS;
}

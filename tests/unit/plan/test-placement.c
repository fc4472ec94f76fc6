/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-placement: a device that another guest has is refused, or skipped when a choice is allowed,
 * and named in the message. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/plan/build.h"
#include "tests/machines/machine.h"

/* Three devices of a kind, the first two free, the third used by the host; and two devices of one
 * group. */
static const HostDevice devices[] = {
    {"0000:01:00.0", 0x8086, 0x1572, 0x020000, NULL, NULL, "dmar0", 1, -1, NULL},
    {"0000:02:00.0", 0x8086, 0x1572, 0x020000, "vfio-pci", NULL, "dmar0", 2, -1, NULL},
    {"0000:03:00.0", 0x8086, 0x1572, 0x020000, "i40e", NULL, "dmar0", 3, -1, NULL},
    {"0000:04:00.0", 0x10de, 0x1f36, 0x030000, NULL, NULL, "dmar0", 4, -1, NULL},
    {"0000:04:00.1", 0x10de, 0x10f9, 0x040300, NULL, NULL, "dmar0", 4, -1, NULL},
};

static ViommuTopology topology;

static void read_hardware(void)
{
    char root[] = "/tmp/viommu-claims-XXXXXX";
    const Host host = {root};
    g_autofree char *remove = NULL;

    ck_assert_ptr_nonnull(g_mkdtemp(root));
    remove = g_strdup_printf("rm -r %s", root);
    host_add_iommu(&host, &(HostIommu){.name = "dmar0"});
    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
        host_add_device(&host, &devices[i]);
    viommu_fields_init(&viommu_topology_fields, &topology);
    ck_assert(viommu_topology_read(root, &topology, NULL));
    ck_assert_int_eq(system(remove), 0);
}

#define KIND(count) "{'vendor': <'8086'>, 'device': <'1572'>, 'count': <uint32 " #count ">}"
#define AT(address) "{'address': <'" address "'>}"

START_TEST(what_others_have)
{
    static const ViommuClaim first = {"0000:01:00.0", "a"}, second = {"0000:02:00.0", "b"};
    static const ViommuClaim third = {"0000:03:00.0", "c"}, foreign = {"0000:02:00.0", NULL};
    static const ViommuClaim half = {"0000:04:00.1", "d"};
    const struct {
        const char *hostdev;
        ViommuClaim claims[2];
        const char *chosen; /* NULL: refused */
        int code;
        const char *message; /* the beginning of the message */
    } cases[] = {
        {AT("0000:01:00.0"), {second, third}, "0000:01:00.0", 0, NULL},
        {AT("0000:01:00.0"),
         {first},
         NULL,
         VIOMMU_ERROR_BUSY,
         "hostdevs[0].address '0000:01:00.0' is in use by machine 'a'; stop it first"},
        {AT("0000:02:00.0"),
         {foreign},
         NULL,
         VIOMMU_ERROR_BUSY,
         "hostdevs[0].address '0000:02:00.0' is in use by a guest that viommud did not make;"},
        {AT("0000:04:00.0"),
         {half},
         NULL,
         VIOMMU_ERROR_BUSY,
         "'0000:04:00.0' is in IOMMU group 4 with '0000:04:00.1', which is in use by machine 'd'"},
        {KIND(1), {{NULL, NULL}}, "0000:01:00.0", 0, NULL},
        /* In the request's order; but a device requested by address is never taken as one of a
         * kind. */
        {KIND(1) ", " AT("0000:01:00.0"), {{NULL, NULL}}, "0000:02:00.0 0000:01:00.0", 0, NULL},
        {AT("0000:04:00.0") ", " KIND(1) ", " AT("0000:04:00.1"),
         {{NULL, NULL}},
         "0000:04:00.0 0000:01:00.0 0000:04:00.1",
         0,
         NULL},
        {KIND(1), {first}, "0000:02:00.0", 0, NULL},
        {KIND(2), {{NULL, NULL}}, "0000:01:00.0 0000:02:00.0", 0, NULL},
        {KIND(1),
         {first, foreign},
         NULL,
         VIOMMU_ERROR_BUSY,
         "hostdevs[0] requests 1 of 8086:1572, but this host can assign 0 now; in use: 0000:01:00.0 by machine "
         "'a', "
         "0000:02:00.0 by a guest that viommud did not make; stop one of these first"},
        {KIND(2),
         {second},
         NULL,
         VIOMMU_ERROR_BUSY,
         "hostdevs[0] requests 2 of 8086:1572, but this host can assign 1 now; in use: 0000:02:00.0 by machine "
         "'b'"},
        /* The third device is not free, whatever guests end. */
        {KIND(3),
         {first},
         NULL,
         VIOMMU_ERROR_NOT_SUPPORTED,
         "hostdevs[0] requests 3 of 8086:1572, but this host can assign 1"},
        {"{'vendor': <'10de'>, 'device': <'1f36'>}",
         {half},
         NULL,
         VIOMMU_ERROR_BUSY,
         "hostdevs[0] requests 1 of 10de:1f36, but this host can assign 0 now; in use: 0000:04:00.0 by machine "
         "'d'"},
    };

    read_hardware();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("{'hostdevs': <[%s]>}", cases[i].hostdev);
        g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
        g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
        const ViommuHost host = {.topology = topology};
        const ViommuPolicy policy = {.site = NULL};
        ViommuPlanInput input = {
            .request = request, .host = &host, .policy = &policy, .claims = cases[i].claims};
        ViommuPlan plan;
        ViommuPlanBuild build = {&input, request, NULL, &plan, VIOMMU_RULE_LAST};
        g_autoptr(GString) chosen = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        while (input.n_claims < 2 && cases[i].claims[input.n_claims].address)
            input.n_claims++;
        viommu_placement_init(&plan.placement);
        ck_assert_int_eq(viommu_plan_settle_placement(&build, &error), cases[i].chosen != NULL);
        for (guint j = 0; cases[i].chosen && j < plan.placement.devices->len; j++)
            g_string_append_printf(chosen, "%s%s", j ? " " : "",
                                   ((ViommuPlacedDevice *)plan.placement.devices->pdata[j])->address);
        if (cases[i].chosen) {
            ck_assert_str_eq(chosen->str, cases[i].chosen);
        } else {
            ck_assert_int_eq(error->code, cases[i].code);
            ck_assert_msg(g_str_has_prefix(error->message, cases[i].message), "%s", error->message);
            ck_assert_int_eq(build.rule == VIOMMU_RULE_HOSTDEV_CLAIMED, cases[i].code == VIOMMU_ERROR_BUSY);
        }
        viommu_placement_clear(&plan.placement);
    }
    viommu_fields_clear(&viommu_topology_fields, &topology);
}
END_TEST

UNIT_MAIN("claims", what_others_have)

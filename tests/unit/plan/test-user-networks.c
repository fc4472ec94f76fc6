/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-user-networks: who serves networks of type user, for whom, and at which ports. */
#include "tests/unit/parse-request.h"

#include <string.h>

#include "lib/domain/domain-xml.h"
#include "lib/plan/plan.h"

#define UUID  "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER "01234567-89ab-cdef-0123-456789abcdee"
#define PORTS "{'networks': <[<{'type': <'user'>, 'forward': <[<22>, <80>]>}>, <{'type': <'user'>}>]>}"

static ViommuHost *make_host(int own, int passt)
{
    ViommuHost *host = viommu_host_new();
    ViommuEmulator *emulator = viommu_host_add_emulator(host);

    viommu_version_parse("11.3.0", &host->libvirt);
    emulator->arch = VIOMMU_ARCH_X86_64;
    emulator->arch_name = g_strdup("x86_64");
    emulator->accelerators = VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM);
    viommu_version_parse("10.0.0", &emulator->qemu);
    emulator->user_network = own;
    emulator->passt = passt;
    return host;
}

static ViommuPlan *plan(const ViommuHost *host, const char *text, ViommuAskerKind kind, const char *uuid,
                        GError **error)
{
    g_autoptr(ViommuRequest) request = unit_request(text);
    const ViommuAsker asker = {.kind = kind, .uid = 1000};
    ViommuPlan *result = NULL;
    ViommuPolicy policy;
    const ViommuPlanInput input = {
        .request = request, .host = host, .policy = &policy, .uuid = uuid, .asker = &asker};

    viommu_policy_init(&policy);
    (void)viommu_plan_build(&input, &result, NULL, error);
    return result;
}

START_TEST(who_serves)
{
    static const struct {
        int own, passt;
        ViommuAskerKind kind;
        bool by_passt;
        const char *refusal; /* NULL: none */
    } rows[] = {
        {VIOMMU_UNSET, VIOMMU_UNSET, VIOMMU_ASKER_MEMBER, false, NULL},
        {1, 1, VIOMMU_ASKER_OWN, false, NULL},
        {1, 0, VIOMMU_ASKER_MEMBER, false, NULL},
        {0, 1, VIOMMU_ASKER_OWN, true, NULL},
        {0, 1, VIOMMU_ASKER_ROOT, true, NULL},
        {0, 1, VIOMMU_ASKER_MEMBER, false, "may not make its socket"},
        {0, 0, VIOMMU_ASKER_OWN, false, "install passt"},
        {0, VIOMMU_UNSET, VIOMMU_ASKER_ROOT, false, "install passt"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(ViommuHost) host = make_host(rows[i].own, rows[i].passt);
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuPlan) made = plan(host, PORTS, rows[i].kind, UUID, &error);
        g_autofree char *xml = made ? viommu_domain_xml(made, NULL) : NULL;

        if (rows[i].refusal) {
            ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED));
            ck_assert_ptr_nonnull(strstr(error->message, rows[i].refusal));
            continue;
        }
        unit_assert_ok(made != NULL, error);
        ck_assert_int_eq(strstr(xml, "<backend type=\"passt\"/>") || strstr(xml, "<backend type='passt'/>"),
                         rows[i].by_passt);
        ck_assert_int_eq(strstr(xml, "<portForward") != NULL, rows[i].by_passt);
    }
}
END_TEST

/* Other networks need neither. */
START_TEST(other_networks)
{
    g_autoptr(ViommuHost) host = make_host(0, 0);
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuPlan) made = plan(host, "{'networks': <[{'type': <'bridge'>, 'source': <'br0'>}]>}",
                                      VIOMMU_ASKER_ROOT, UUID, &error);

    unit_assert_ok(made != NULL, error);
    ck_assert(!viommu_plan_draw_ports(made, 1));
}
END_TEST

static uint16_t port_of(const ViommuPlan *plan, guint i)
{
    const ViommuPlanNetwork *network = g_ptr_array_index(plan->networks, 0);

    return g_array_index(network->passt_ports, ViommuPlanPort, i).host;
}

START_TEST(ports)
{
    g_autoptr(ViommuHost) host = make_host(0, 1);
    g_autoptr(ViommuPlan) one = plan(host, PORTS, VIOMMU_ASKER_OWN, UUID, NULL);
    g_autoptr(ViommuPlan) same = plan(host, PORTS, VIOMMU_ASKER_OWN, UUID, NULL);
    g_autoptr(ViommuPlan) other = plan(host, PORTS, VIOMMU_ASKER_OWN, OTHER, NULL);
    uint16_t before = port_of(one, 0);

    ck_assert_uint_eq(port_of(same, 0), before);
    ck_assert_uint_ne(port_of(other, 0), before);
    for (unsigned turn = 1; turn < 100; turn++) {
        ck_assert(viommu_plan_draw_ports(one, turn));
        ck_assert_uint_ne(port_of(one, 0), port_of(one, 1));
        ck_assert(port_of(one, 0) >= 61000 && port_of(one, 1) >= 61000);
        ck_assert_uint_ne(port_of(one, 0), before);
        before = port_of(one, 0);
    }
}
END_TEST

UNIT_MAIN("user-networks", who_serves, other_networks, ports)

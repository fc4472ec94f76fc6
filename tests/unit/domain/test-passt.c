/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-passt: the ports of passt in a domain's XML. */
#include "lib/domain/passt.h"

#include "lib/base/error.h"
#include "lib/machine/forwards.h"
#include "tests/unit/unit.h"

#define DOMAIN(devices) "<domain type='kvm'><devices>" devices "</devices></domain>"
#define PASST(forwards) "<interface type='user'>" forwards "<backend type='passt'/></interface>"
#define AT(ranges)      "<portForward proto='tcp' address='127.0.0.1'>" ranges "</portForward>"

START_TEST(ports)
{
    static const struct {
        const char *xml, *ports; /* NULL: not passt's */
    } cases[] = {
        {DOMAIN(PASST(AT("<range start='61022' to='22'/><range start='61023' to='80'/>"))),
         "0:22=61022 0:80=61023 "},
        {DOMAIN("<interface type='network'/>" PASST(AT("<range start='61022' to='22'/>"))), "1:22=61022 "},
        {DOMAIN(PASST("")), ""},
        /* not as viommud writes them */
        {DOMAIN(PASST(AT("<range start='0' to='22'/><range start='x' to='22'/><range start='65536' to='22'/>"
                         "<range start='22'/>"))),
         ""},
        {DOMAIN(PASST(
             "<portForward proto='tcp'><range start='61022' to='22'/></portForward>"
             "<portForward proto='udp' address='127.0.0.1'><range start='61022' to='22'/></portForward>")),
         ""},
        {DOMAIN("<interface type='user'><model type='virtio'/></interface>"), NULL},
        {DOMAIN(""), NULL},
        {"<domain/>", NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) forwards = viommu_domain_passt_forwards(cases[i].xml, &error);
        g_autoptr(GString) text = g_string_new(NULL);

        ck_assert_ptr_null(error);
        ck_assert_int_eq(forwards != NULL, cases[i].ports != NULL);
        for (guint j = 0; forwards && j < forwards->len; j++) {
            const ViommuForward *forward = &g_array_index(forwards, ViommuForward, j);

            g_string_append_printf(text, "%u:%u=%u ", forward->network, forward->guest_port,
                                   forward->host_port);
        }
        ck_assert_str_eq(text->str, cases[i].ports ? cases[i].ports : "");
    }
}
END_TEST

START_TEST(no_domain)
{
    static const char *const texts[] = {"", "<network/>", "<domain>"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(viommu_domain_passt_forwards(texts[i], &error));
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    }
}
END_TEST

UNIT_MAIN("passt", ports, no_domain)

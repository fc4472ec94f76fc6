/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-lease-boot: leases of this boot, of another, and of one that nobody knows. */
#include "lib/domain/lease-boot.h"
#include "tests/unit/unit.h"

#define ZEROS "00000000000000000000000000000000"
#define THIS  "11111111111111111111111111111111"
#define OTHER "22222222222222222222222222222222"

START_TEST(which_boot)
{
    static const struct {
        const char *boot, *host_boot, *present;
        bool same;
    } cases[] = {
        {THIS, NULL, THIS, true},    {OTHER, NULL, THIS, false},  {ZEROS, THIS, THIS, true},
        {ZEROS, OTHER, THIS, false}, {ZEROS, NULL, THIS, true},   {NULL, NULL, THIS, true},
        {OTHER, NULL, ZEROS, true},  {ZEROS, OTHER, ZEROS, true}, {"", NULL, THIS, false},
        {THIS, OTHER, THIS, true},   {OTHER, THIS, THIS, false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const ViommuMetadata one = {.boot = (char *)cases[i].boot, .host_boot = (char *)cases[i].host_boot};

        ck_assert_msg(viommu_lease_boot_is(&one, cases[i].present) == cases[i].same, "case %zu", i);
    }
}
END_TEST

/* The service writes zeros, as that of 0.1.0 reads them, and the boot beside them. */
START_TEST(writes)
{
    static const struct {
        uint64_t end_usec;
        const char *present;
        bool service;
        const char *boot, *host_boot;
    } written_as[] = {
        {7, THIS, false, THIS, NULL},   {7, THIS, true, ZEROS, THIS}, {7, ZEROS, true, ZEROS, NULL},
        {7, ZEROS, false, ZEROS, NULL}, {0, THIS, true, NULL, NULL},
    };
    g_autoptr(ViommuMetadata) metadata = g_new0(ViommuMetadata, 1);

    for (size_t i = 0; i < G_N_ELEMENTS(written_as); i++) {
        viommu_lease_boot_write(metadata, written_as[i].end_usec, written_as[i].present,
                                written_as[i].service);
        ck_assert_uint_eq(metadata->lease_end_usec, written_as[i].end_usec);
        ck_assert_pstr_eq(metadata->boot, written_as[i].boot);
        ck_assert_pstr_eq(metadata->host_boot, written_as[i].host_boot);
    }
}
END_TEST

START_TEST(extensions)
{
    static const ViommuMetadataChange longer = {VIOMMU_STATE_LAST, 9, THIS};
    static const struct {
        const char *before, *after;
    } cases[] = {{ZEROS, ZEROS}, {OTHER, THIS}, {THIS, THIS}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml = g_strdup_printf(
            "<machine version='2' owner='7' phase='running' lease-end='5' boot='%s'/>", cases[i].before);
        g_autoptr(GError) error = NULL;
        g_autofree char *changed = viommu_metadata_change(xml, &longer, &error);
        g_autoptr(ViommuMetadata) metadata = NULL;

        unit_assert_ok(changed != NULL, error);
        metadata = viommu_metadata_from_xml(changed, NULL, &error);
        unit_assert_ok(metadata != NULL, error);
        ck_assert_uint_eq(metadata->lease_end_usec, 9);
        ck_assert_str_eq(metadata->boot, cases[i].after);
    }
}
END_TEST

UNIT_MAIN("lease-boot", which_boot, writes, extensions)

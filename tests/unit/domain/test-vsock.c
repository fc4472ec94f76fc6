/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-vsock: the context of vsock in a domain's XML. */
#include "lib/domain/vsock.h"

#include "lib/base/error.h"
#include "tests/unit/unit.h"

#define DOMAIN(devices) "<domain type='kvm'><devices>" devices "</devices></domain>"

START_TEST(contexts)
{
    static const struct {
        const char *xml;
        uint32_t cid;
    } cases[] = {
        {DOMAIN("<vsock model='virtio'><cid auto='yes' address='3'/><alias name='vsock0'/></vsock>"), 3},
        {DOMAIN("<disk/><vsock><cid auto='no' address='4294967294'/></vsock>"), 4294967294u},
        /* not started yet; the host itself; no context; no number */
        {DOMAIN("<vsock model='virtio'><cid auto='yes'/></vsock>"), 0},
        {DOMAIN("<vsock><cid address='2'/></vsock>"), 0},
        {DOMAIN("<vsock><cid address='4294967295'/></vsock>"), 0},
        {DOMAIN("<vsock><cid address='0x3'/></vsock>"), 0},
        {DOMAIN("<vsock/>"), 0},
        {DOMAIN(""), 0},
        {"<domain/>", 0},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_uint_eq(viommu_domain_vsock_cid(cases[i].xml, &error), cases[i].cid);
        ck_assert_ptr_null(error);
    }
}
END_TEST

START_TEST(no_domain)
{
    static const char *const texts[] = {"", "<network/>", "<domain>"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_uint_eq(viommu_domain_vsock_cid(texts[i], &error), 0);
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    }
}
END_TEST

UNIT_MAIN("vsock", contexts, no_domain)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-hostdev-network: who may give a virtual function a MAC address or a VLAN. */
#include "tests/unit/plan/made-plan.h"

#include <string.h>

/* One virtual function that no driver has. */
static const char host[] =
    "{'libvirt': <'12.8.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'11.1.3'>, 'accelerators': "
    "<['kvm']>}]>, 'topology': <{'acpi': <true>, 'vfio': <true>, 'tables': <[{'name': <'DMAR'>, 'state': "
    "<'good'>, 'units': <1>, 'interrupt-remapping': <true>}]>, 'kernel-options': <['intel_iommu=on']>, "
    "'iommus': <[{'name': <'dmar0'>, 'kind': <'intel'>, 'width': <48>, 'interrupt-remapping': <true>}]>, "
    "'devices': <[{'address': <'0000:3b:02.0'>, 'vendor': <32902>, 'device': <5452>, 'class': <131072>, "
    "'group': <32>, 'iommu': <'dmar0'>, 'physical-function': <'0000:3b:00.0'>}]>}>}";

static const struct {
    ViommuAskerKind asker;
    const char *keys;
    bool refused;
} rows[] = {
    {VIOMMU_ASKER_MEMBER, "'mac': <'52:54:00:12:34:56'>", true},
    {VIOMMU_ASKER_MEMBER, "'vlan': <42>", true},
    {VIOMMU_ASKER_OUTSIDER, "'vlan': <42>", true},
    {VIOMMU_ASKER_ROOT, "'mac': <'52:54:00:12:34:56'>, 'vlan': <42>", false},
    {VIOMMU_ASKER_OWN, "'vlan': <42>", false},
};

START_TEST(who_may)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *request =
            g_strdup_printf("{'hostdevs': <[{'address': <'0000:3b:02.0'>, %s}]>}", rows[i].keys);
        const ViommuAsker asker = {.kind = rows[i].asker, .uid = 1000};
        Made made;

        made_prepare(&made, host, request);
        made_build(&made, &asker);
        if (rows[i].refused)
            ck_assert(g_error_matches(made.error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED) &&
                      strstr(made.error->message, "only root may set it"));
        else
            unit_assert_ok(made.plan != NULL, made.error);
        made_clear(&made);
    }
}
END_TEST

UNIT_MAIN("hostdev-network", who_may)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-offloaded-networks: networks that another program or hardware serves: who may have them,
 * where they stand, and what the guest's memory must be. */
#include "tests/unit/parse-request.h"

#include <string.h>

#include "lib/base/quantity.h"
#include "lib/domain/domain-xml.h"
#include "lib/plan/plan.h"

#define USER "{'type': <'vhostuser'>, 'source': <'/run/s'>"
#define VDPA "{'type': <'vdpa'>, 'source': <'/dev/vhost-vdpa-0'>"

static ViommuHost *make_host(const char *libvirt, const char *qemu)
{
    ViommuHost *host = viommu_host_new();
    ViommuEmulator *emulator = viommu_host_add_emulator(host);

    viommu_version_parse(libvirt, &host->libvirt);
    emulator->arch = VIOMMU_ARCH_X86_64;
    emulator->arch_name = g_strdup("x86_64");
    emulator->accelerators = VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM);
    viommu_version_parse(qemu, &emulator->qemu);
    return host;
}

static ViommuPlan *plan(const ViommuHost *host, const char *text, ViommuAskerKind kind, GError **error)
{
    g_autoptr(ViommuRequest) request = unit_request(text);
    const ViommuAsker asker = {.kind = kind, .uid = 1000};
    ViommuPlan *result = NULL;
    ViommuPolicy policy;
    const ViommuPlanInput input = {.request = request, .host = host, .policy = &policy, .asker = &asker};

    viommu_policy_init(&policy);
    (void)viommu_plan_build(&input, &result, NULL, error);
    return result;
}

/* On the system bus, libvirt would change the owner of a socket, or open the device, as root. */
START_TEST(who_may)
{
    static const char *const requests[] = {"{'networks': <[" USER "}]>}", "{'networks': <[" VDPA "}]>}"};

    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_autoptr(ViommuHost) host = make_host("11.3.0", "10.0.0");
        g_autoptr(GError) refused = NULL, error = NULL;
        g_autoptr(ViommuPlan) member = plan(host, requests[i], VIOMMU_ASKER_MEMBER, &refused);
        g_autoptr(ViommuPlan) root = plan(host, requests[i], VIOMMU_ASKER_ROOT, &error);
        g_autoptr(ViommuPlan) own = plan(host, requests[i], VIOMMU_ASKER_OWN, &error);

        ck_assert_ptr_null(member);
        ck_assert(g_error_matches(refused, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED));
        ck_assert_ptr_nonnull(strstr(refused->message, "only root may have it"));
        unit_assert_ok(root && own, error);
    }
}
END_TEST

START_TEST(where_they_stand)
{
    static const struct {
        const char *libvirt, *qemu, *request;
        bool behind;
        const char *refusal; /* NULL: none */
    } rows[] = {
        {"11.3.0", "10.0.0", "{'iommu': <{'model': <'intel'>}>, 'networks': <[" USER "}]>}", false, NULL},
        {"11.3.0", "10.0.0",
         "{'iommu': <{'model': <'intel'>}>, 'networks': <[" USER ", 'translate': <true>}]>}", true, NULL},
        {"8.0.0", "6.2.0", "{'iommu': <{'model': <'intel'>}>, 'networks': <[" USER "}]>}", false, NULL},
        {"8.0.0", "6.2.0",
         "{'iommu': <{'model': <'intel'>}>, 'networks': <[" USER ", 'translate': <true>}]>}", false,
         "does not tell the program what a guest unmaps"},
        {"8.0.0", "6.2.0",
         "{'iommu': <{'model': <'intel'>, 'iotlb': <true>}>, 'networks': <[" USER
         ", 'translate': <true>, 'ats': <true>}]>}",
         true, NULL},
        {"6.0.0", "5.2.0", "{'networks': <[" USER "}]>}", false, "type 'vhostuser' needs libvirt 7.0"},
        {"11.3.0", "10.0.0", "{'iommu': <{'model': <'intel'>}>, 'networks': <[" VDPA "}]>}", false, NULL},
        {"11.3.0", "10.0.0",
         "{'iommu': <{'model': <'intel'>, 'caching-mode': <true>}>, 'networks': <[" VDPA
         ", 'translate': <true>}]>}",
         true, NULL},
        {"11.3.0", "10.0.0",
         "{'iommu': <{'model': <'intel'>}>, 'networks': <[" VDPA ", 'translate': <true>}]>}", false,
         "set iommu.caching-mode"},
        {"11.3.0", "10.0.0",
         "{'iommu': <{'model': <'virtio'>}>, 'networks': <[" VDPA ", 'translate': <true>}]>}", true, NULL},
        {"9.0.0", "7.2.22",
         "{'iommu': <{'model': <'virtio'>}>, 'networks': <[" VDPA ", 'translate': <true>}]>}", false,
         "type 'vdpa' behind the IOMMU needs libvirt 9.0 and QEMU 8.1"},
        {"8.0.0", "6.2.0", "{'networks': <[" VDPA "}]>}", false, "type 'vdpa' needs libvirt 9.0"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(ViommuHost) host = make_host(rows[i].libvirt, rows[i].qemu);
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuPlan) made = plan(host, rows[i].request, VIOMMU_ASKER_ROOT, &error);

        if (rows[i].refusal) {
            ck_assert_msg(!made && strstr(error->message, rows[i].refusal), "%zu: %s", i,
                          error ? error->message : "taken");
            continue;
        }
        unit_assert_ok(made != NULL, error);
        ck_assert_msg(((ViommuPlanNetwork *)g_ptr_array_index(made->networks, 0))->translated ==
                          rows[i].behind,
                      "%zu", i);
    }
}
END_TEST

/* vhost-user maps the guest's memory, and the kernel locks it for vDPA. */
START_TEST(memory)
{
    g_autoptr(ViommuHost) host = make_host("11.3.0", "10.0.0");
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuPlan) user =
        plan(host, "{'memory': <'2 GiB'>, 'networks': <[" USER "}]>}", VIOMMU_ASKER_ROOT, &error);
    g_autoptr(ViommuPlan) vdpa = plan(host,
                                      "{'memory': <'2 GiB'>, 'networks': <[" VDPA
                                      "}, {'type': <'vdpa'>, 'source': <'/dev/vhost-vdpa-1'>}]>}",
                                      VIOMMU_ASKER_ROOT, &error);
    g_autofree char *xml = NULL;

    unit_assert_ok(user && vdpa, error);
    ck_assert(user->shared_memory && !vdpa->shared_memory);
    ck_assert_uint_eq(user->memlock_bytes, 0);
    ck_assert_uint_eq(vdpa->memlock_bytes, 5 * VIOMMU_GIB);
    xml = viommu_domain_xml(vdpa, NULL);
    ck_assert_ptr_nonnull(strstr(xml, "<source dev='/dev/vhost-vdpa-0'/>"));
}
END_TEST

/* QEMU ends. */
START_TEST(tcg)
{
    static const struct {
        const char *libvirt, *qemu;
        bool warns;
    } rows[] = {{"9.0.0", "7.2.22", true}, {"11.3.0", "10.0.0", false}};

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(ViommuHost) host = make_host(rows[i].libvirt, rows[i].qemu);
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuPlan) made = NULL;
        bool warned = false;

        ((ViommuEmulator *)g_ptr_array_index(host->emulators, 0))->accelerators =
            VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG);
        made = plan(host, "{'networks': <[" USER "}]>}", VIOMMU_ASKER_ROOT, &error);
        unit_assert_ok(made != NULL, error);
        for (guint j = 0; j < made->warnings->len; j++)
            warned = warned || strstr(g_ptr_array_index(made->warnings, j), "pci=nomsi");
        ck_assert(warned == rows[i].warns);
    }
}
END_TEST

UNIT_MAIN("offloaded-networks", who_may, where_they_stand, memory, tcg)

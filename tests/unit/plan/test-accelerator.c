/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-accelerator: KVM or emulation, by the request, the site and the host, and what is said of
 * it. */
#include "tests/unit/plan/made-plan.h"

#include <string.h>

/* Emulation that neither the request nor the site asked for. */
static const struct {
    const char *request;
    ViommuAskerKind asker;
    bool kvm, warned;
    ViommuAccelerator site;
} emulations[] = {
    {"{}", VIOMMU_ASKER_MEMBER, false, true, VIOMMU_ACCELERATOR_AUTO},
    {"{'accelerator': <'auto'>}", VIOMMU_ASKER_ROOT, false, true, VIOMMU_ACCELERATOR_AUTO},
    {"{}", VIOMMU_ASKER_OWN, false, true, VIOMMU_ACCELERATOR_AUTO},
    {"{}", VIOMMU_ASKER_OWN, true, false, VIOMMU_ACCELERATOR_AUTO},
    {"{'accelerator': <'tcg'>}", VIOMMU_ASKER_OWN, false, false, VIOMMU_ACCELERATOR_AUTO},
    {"{}", VIOMMU_ASKER_MEMBER, true, false, VIOMMU_ACCELERATOR_AUTO},
    {"{'accelerator': <'tcg'>}", VIOMMU_ASKER_MEMBER, false, false, VIOMMU_ACCELERATOR_AUTO},
    {"{}", VIOMMU_ASKER_MEMBER, false, false, VIOMMU_ACCELERATOR_TCG},
};

START_TEST(emulation)
{
    for (size_t i = 0; i < G_N_ELEMENTS(emulations); i++) {
        g_autofree char *host = g_strdup_printf("{'arch': <'x86_64'>, 'libvirt': <'9.0.0'>, 'emulators': "
                                                "<[{'arch': <'x86_64'>, 'qemu': <'7.2.0'>, "
                                                "'accelerators': <[%s'tcg']>}]>}",
                                                emulations[i].kvm ? "'kvm', " : "");
        ViommuAsker asker = {emulations[i].asker, 1000};
        Made made;

        made_prepare(&made, host, emulations[i].request);
        made.policy.accelerator = emulations[i].site;
        made_build(&made, &asker);
        ck_assert_ptr_nonnull(made.plan);
        ck_assert_msg((made.plan->warnings->len > 0) == emulations[i].warned, "%zu", i);
        made_clear(&made);
    }
}
END_TEST

#define KVM_HOST(arch, accelerators, kvm)                                                                  \
    "{'arch': <'" arch "'>, 'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.0'>, " \
    "'accelerators': <[" accelerators "]>}]>" kvm "}"
#define BROKEN ", 'kvm': <'broken'>, 'kvm-reason': <'it hangs'>"
START_TEST(broken_kvm)
{
    static const struct {
        const char *host, *request;
        ViommuAccelerator site;
        bool proves;
        int accelerator;   /* VIOMMU_UNSET: refused */
        const char *words; /* of the only warning, or of the refusal; NULL: no warning */
    } rows[] = {
        {KVM_HOST("x86_64", "'kvm', 'tcg'", BROKEN), "@a{sv} {}", VIOMMU_ACCELERATOR_AUTO, true,
         VIOMMU_ACCELERATOR_TCG, "KVM does not run guests on this host: it hangs"},
        {KVM_HOST("x86_64", "'kvm', 'tcg'", ", 'kvm': <'works'>"), "@a{sv} {}", VIOMMU_ACCELERATOR_AUTO, true,
         VIOMMU_ACCELERATOR_KVM, NULL},
        {KVM_HOST("x86_64", "'kvm', 'tcg'", ", 'kvm': <'unknown'>, 'kvm-reason': <'no room'>"), "@a{sv} {}",
         VIOMMU_ACCELERATOR_AUTO, true, VIOMMU_ACCELERATOR_KVM, NULL},
        {KVM_HOST("x86_64", "'kvm', 'tcg'", ", 'kvm': <'broken'>"), "@a{sv} {}", VIOMMU_ACCELERATOR_AUTO,
         true, VIOMMU_ACCELERATOR_TCG, "no reason is recorded"},
        /* The site trusts it. */
        {KVM_HOST("x86_64", "'kvm', 'tcg'", BROKEN), "@a{sv} {}", VIOMMU_ACCELERATOR_AUTO, false,
         VIOMMU_ACCELERATOR_KVM, NULL},
        {KVM_HOST("x86_64", "'kvm', 'tcg'", BROKEN), "{'accelerator': <'kvm'>}", VIOMMU_ACCELERATOR_AUTO,
         false, VIOMMU_ACCELERATOR_KVM, NULL},
        /* Requested by name, by the request or by the site. */
        {KVM_HOST("x86_64", "'kvm', 'tcg'", BROKEN), "{'accelerator': <'kvm'>}", VIOMMU_ACCELERATOR_AUTO,
         true, VIOMMU_UNSET, "guests on this host: it hangs; use 'tcg', or set [machine] prove-kvm=no"},
        {KVM_HOST("x86_64", "'kvm', 'tcg'", BROKEN), "@a{sv} {}", VIOMMU_ACCELERATOR_KVM, true, VIOMMU_UNSET,
         "it hangs; use 'tcg'"},
        {KVM_HOST("x86_64", "'kvm', 'tcg'", BROKEN), "{'accelerator': <'tcg'>}", VIOMMU_ACCELERATOR_KVM, true,
         VIOMMU_ACCELERATOR_TCG, NULL},
        {KVM_HOST("x86_64", "'kvm'", BROKEN), "@a{sv} {}", VIOMMU_ACCELERATOR_AUTO, true, VIOMMU_UNSET,
         "it hangs; set [machine] prove-kvm=no"},
        /* The verdict is about guests of the host's own architecture. */
        {KVM_HOST("aarch64", "'kvm', 'tcg'", BROKEN), "{'arch': <'x86_64'>}", VIOMMU_ACCELERATOR_AUTO, true,
         VIOMMU_ACCELERATOR_KVM, NULL},
        {KVM_HOST("x86_64", "'tcg'", BROKEN), "@a{sv} {}", VIOMMU_ACCELERATOR_AUTO, true,
         VIOMMU_ACCELERATOR_TCG, "because libvirt offers no KVM here"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Made made;

        made_prepare(&made, rows[i].host, rows[i].request);
        made.policy.accelerator = rows[i].site;
        made.policy.prove_kvm = rows[i].proves;
        made_build(&made, NULL);
        ck_assert_msg(!made.plan == (rows[i].accelerator == VIOMMU_UNSET), "%zu", i);
        if (!made.plan) {
            ck_assert_msg(strstr(made.error->message, rows[i].words), "%zu: %s", i, made.error->message);
        } else {
            ck_assert_int_eq((int)made.plan->accelerator, rows[i].accelerator);
            ck_assert_uint_eq(made.plan->warnings->len, rows[i].words ? 1 : 0);
            ck_assert(!rows[i].words || strstr(made.plan->warnings->pdata[0], rows[i].words));
        }
        made_clear(&made);
    }
}
END_TEST

UNIT_MAIN("accelerator", emulation, broken_kvm)

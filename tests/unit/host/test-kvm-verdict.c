/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-kvm-verdict: the text of a verdict about KVM: what is written is read, and nothing else. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/host/host.h"
#include "lib/host/kvm-verdict.h"

#define STAMP "boot 1\nkernel 6.1\n"
#define HEAD  "viommud kvm-verdict 1\n"

START_TEST(written_and_read)
{
    static const struct {
        ViommuKvm kvm;
        const char *reason, *kept;
    } rows[] = {
        {VIOMMU_KVM_WORKS, NULL, NULL},
        {VIOMMU_KVM_WORKS, "a reason that means nothing", NULL},
        {VIOMMU_KVM_BROKEN, "it hangs", "it hangs"},
        {VIOMMU_KVM_BROKEN, " two\nlines\tand \033[1mmore\n", "two lines and more"},
        {VIOMMU_KVM_BROKEN, NULL, "no reason is known"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(ViommuKvmVerdict) verdict = viommu_kvm_verdict_new(rows[i].kvm, rows[i].reason);
        g_autofree char *text = viommu_kvm_verdict_format(verdict, STAMP);
        g_autoptr(ViommuKvmVerdict) read = viommu_kvm_verdict_parse(text, strlen(text), STAMP);

        ck_assert_msg(read != NULL, "%s", text);
        ck_assert_int_eq((int)read->kvm, (int)rows[i].kvm);
        ck_assert_pstr_eq(read->reason, rows[i].kept);
        /* What it was learnt from has changed. */
        ck_assert_ptr_null(viommu_kvm_verdict_parse(text, strlen(text), STAMP "more\n"));
        ck_assert_ptr_null(viommu_kvm_verdict_parse(text, strlen(text), "boot 1\n"));
    }
}
END_TEST

START_TEST(other_texts)
{
    static const char *const texts[] = {
        "",
        HEAD,
        HEAD "works",
        HEAD "works\n",
        HEAD "works\n\n",
        HEAD "works\nbut\n" STAMP,
        HEAD "unknown\nit hangs\n" STAMP,
        HEAD "broken\n\n" STAMP,
        HEAD "broken\n\033[1m\n" STAMP,
        HEAD "broken\nit \x80 hangs\n" STAMP,
        HEAD "maybe\n\n" STAMP,
        HEAD "works\n\n" STAMP "\n",
        "viommud kvm-verdict 2\nworks\n\n" STAMP,
        " " HEAD "works\n\n" STAMP,
    };
    static const char with_nul[] = HEAD "works\n\n" STAMP;
    g_autofree char *large = g_strnfill(VIOMMU_KVM_TEXT_MAX, 'x');
    g_autofree char *text = g_strconcat(HEAD "works\n\n", large, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        ck_assert_msg(!viommu_kvm_verdict_parse(texts[i], strlen(texts[i]), STAMP), "%s", texts[i]);
    ck_assert_ptr_null(viommu_kvm_verdict_parse(with_nul, sizeof(with_nul), STAMP));
    ck_assert_ptr_null(viommu_kvm_verdict_parse(text, strlen(text), large));
}
END_TEST

START_TEST(long_reason)
{
    g_autoptr(GString) long_one = g_string_new("x");
    g_autoptr(ViommuKvmVerdict) verdict = NULL;

    for (unsigned i = 0; i < VIOMMU_KVM_REASON_MAX; i++)
        g_string_append(long_one, "\xc3\xa9");
    verdict = viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, long_one->str);
    ck_assert_uint_eq(strlen(verdict->reason), VIOMMU_KVM_REASON_MAX - 1);
    ck_assert(g_utf8_validate(verdict->reason, -1, NULL));
}
END_TEST

START_TEST(stands_in_the_host)
{
    g_autoptr(ViommuHost) host = viommu_host_new();
    g_autoptr(ViommuKvmVerdict) broken = viommu_kvm_verdict_new(VIOMMU_KVM_BROKEN, "it hangs");
    g_autoptr(GVariant) tree = NULL;
    g_autoptr(ViommuHost) again = NULL;

    host->libvirt = VIOMMU_VERSION_OF(9, 0, 0);
    host->emulators = g_ptr_array_new();
    ck_assert_int_eq(host->kvm, VIOMMU_UNSET);
    viommu_host_set_kvm(host, broken);
    tree = g_variant_ref_sink(viommu_host_to_variant(host));
    again = viommu_host_from_variant(tree, NULL);
    ck_assert_int_eq(again->kvm, VIOMMU_KVM_BROKEN);
    ck_assert_str_eq(again->kvm_reason, "it hangs");
    viommu_host_set_kvm(again, NULL);
    ck_assert_int_eq(again->kvm, VIOMMU_UNSET);
    ck_assert_ptr_null(again->kvm_reason);
}
END_TEST

UNIT_MAIN("kvm-verdict", written_and_read, other_texts, long_reason, stands_in_the_host)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-words: each table of words, the table of errors, the nearest word, and the default
 * policy. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/base/enum.h"
#include "lib/plan/iommu.h"
#include "lib/lint/lint.h"
#include "lib/machine/lifecycle.h"
#include "lib/machine/pause.h"
#include "lib/machine/reach.h"
#include "lib/base/names.h"
#include "lib/base/did-you-mean.h"
#include "lib/plan/plan.h"
#include "lib/policy/policy.h"
#include "lib/guest/proof.h"
#include "lib/guest/report.h"
#include "lib/base/quantity.h"
#include "lib/base/reason.h"
#include "lib/domain/attached.h"
#include "lib/domain/recover.h"
#include "lib/request/request.h"
#include "lib/host/kvm-verdict.h"
#include "lib/host/topology.h"
#include "lib/plan/traits.h"

/* All tables of lib/; lint compares this list with the sources. */
static const ViommuEnum *const tables[] = {
    &viommu_enum_accelerator,    &viommu_enum_agent_use,
    &viommu_enum_arch,           &viommu_enum_bind,
    &viommu_enum_attached,       &viommu_enum_confinement,
    &viommu_enum_cpu_mode,       &viommu_enum_device,
    &viommu_enum_disk_bus,       &viommu_enum_disk_format,
    &viommu_enum_event,          &viommu_enum_family,
    &viommu_enum_firmware,       &viommu_enum_in_use,
    &viommu_enum_iommu_kind,     &viommu_enum_iommufd,
    &viommu_enum_memory_hotplug, &viommu_enum_model,
    &viommu_enum_network_model,  &viommu_enum_network_type,
    &viommu_enum_order,          &viommu_enum_proof,
    &viommu_enum_reach,          &viommu_enum_pause,
    &viommu_enum_recovery,       &viommu_enum_result,
    &viommu_enum_rule,           &viommu_enum_severity,
    &viommu_enum_seed_by,        &viommu_enum_share_type,
    &viommu_enum_state,          &viommu_enum_table_state,
    &viommu_enum_verdict,        &viommu_enum_wait,
    &viommu_enum_level,          &viommu_enum_outside,
    &viommu_enum_isolation,      &viommu_enum_kvm,
    &viommu_enum_cpu_vendor,     &viommu_enum_launch_security,
};

START_TEST(every_word_both_ways)
{
    g_autoptr(GHashTable) nouns = g_hash_table_new(g_str_hash, g_str_equal);

    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        const ViommuEnum *table = tables[i];
        g_autofree char *list = viommu_enum_list(table);
        g_auto(GStrv) words = g_strsplit(list, ", ", -1);

        ck_assert_msg(g_hash_table_add(nouns, (gpointer)table->noun), "two tables of %s", table->noun);
        ck_assert_int_gt(table->last, 0);
        ck_assert_int_eq((int)g_strv_length(words), table->last);
        for (int value = 0; value < table->last; value++) {
            const char *word = viommu_enum_to_string(table, value);

            ck_assert_ptr_nonnull(word);
            ck_assert_str_eq(words[value], word);
            ck_assert_uint_eq(strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_-"), strlen(word));
            /* this also finds a repeated word */
            ck_assert_int_eq(viommu_enum_from_string(table, word), value);
        }
        ck_assert_ptr_null(viommu_enum_to_string(table, table->last));
        ck_assert_ptr_null(viommu_enum_to_string(table, VIOMMU_UNSET));
        ck_assert_int_eq(viommu_enum_from_string(table, "no such word"), VIOMMU_UNSET);
        ck_assert_int_eq(viommu_enum_from_string(table, ""), VIOMMU_UNSET);
        ck_assert_int_eq(viommu_enum_from_string(table, NULL), VIOMMU_UNSET);
    }
}
END_TEST

START_TEST(words_are_in_the_order_of_the_enum)
{
    ck_assert_str_eq(viommu_arch_to_string(VIOMMU_ARCH_AARCH64), "aarch64");
    ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_family, VIOMMU_FAMILY_I440FX), "pc");
    ck_assert_str_eq(viommu_model_to_string(VIOMMU_MODEL_SMMUV3), "smmuv3");
    ck_assert_str_eq(viommu_model_to_string(VIOMMU_MODEL_AMD), "amd");
    ck_assert_ptr_null(viommu_model_to_string(VIOMMU_MODEL_NONE));
    ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_accelerator, VIOMMU_ACCELERATOR_TCG), "tcg");
    ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_firmware, VIOMMU_FIRMWARE_EFI), "efi");
    ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_state, VIOMMU_STATE_STOPPED), "stopped");
    ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_result, VIOMMU_RESULT_LOST), "lost");
    ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_cpu_mode, VIOMMU_CPU_MODE_DEFAULT), "default");
}
END_TEST

START_TEST(every_error)
{
    g_autoptr(GError) foreign = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "not ours");

    for (int code = 0; code < VIOMMU_ERROR_LAST; code++) {
        g_autoptr(GError) error = g_error_new_literal(VIOMMU_ERROR, code, "ours");
        const ViommuErrorInfo *info = viommu_error_info_by_code((ViommuError)code);

        ck_assert_ptr_eq(viommu_error_info(error), info);
        ck_assert(g_str_has_prefix(info->bus_name, VIOMMU_ERROR_PREFIX));
        ck_assert_str_eq(info->bus_name + strlen(VIOMMU_ERROR_PREFIX), info->word);
        ck_assert_int_eq(viommu_error_from_bus_name(info->bus_name), code);
        /* 0 is success, and 1 is any failure of a shell */
        ck_assert_int_gt(info->exit_status, 1);
        for (int other = 0; other < code; other++)
            ck_assert_int_ne(viommu_error_info_by_code((ViommuError)other)->exit_status, info->exit_status);
    }
    ck_assert_int_eq(viommu_error_info_by_code(VIOMMU_ERROR_NOT_SUPPORTED)->exit_status, 3);
    ck_assert_int_eq(viommu_error_info(foreign)->exit_status, 70);
    ck_assert_int_eq(viommu_error_from_bus_name("org.freedesktop.DBus.Error.Failed"), VIOMMU_ERROR_LAST);
    ck_assert_int_eq(viommu_error_from_bus_name(NULL), VIOMMU_ERROR_LAST);
}
END_TEST

START_TEST(nearest_word)
{
    static const char *const words[] = {"intel", "smmuv3", NULL, "virtio", "amd", "is-supported", "memory"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"intle", "intel"},
        {"Intel", "intel"},
        {"INTEL", "intel"},
        {"smmu", "smmuv3"},
        {"smmuv2", "smmuv3"},
        {"vitio", "virtio"},
        {"virtio-iommu", "virtio"},
        {"is_supported", "is-supported"},
        {"issupported", "is-supported"},
        {"mem", "memory"},
        {"memory-bytes", "memory"},
        {"amdd", "amd"},
        {"a", NULL},
        {"", NULL},
        {"xx", NULL},
        {"nested", NULL},
        {"pcie", NULL},
        {"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm", NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_assert_pstr_eq(viommu_nearest(cases[i].word, words, G_N_ELEMENTS(words)), cases[i].nearest);
    ck_assert_ptr_null(viommu_nearest("intel", NULL, 0));
    /* of two words, the nearer; of two equally near ones, the first */
    static const char *const pair[] = {"aaac", "aaab", "aaad"};
    ck_assert_str_eq(viommu_nearest("aaad", pair, 3), "aaad");
    ck_assert_str_eq(viommu_nearest("aaax", pair, 3), "aaac");
    /* and the one with the nearest number */
    static const char *const releases[] = {"fedora40", "fedora43", "fedora42", "fedora-rawhide"};
    ck_assert_str_eq(viommu_nearest("fedora46", releases, 4), "fedora43");
    ck_assert_str_eq(viommu_nearest("fedora39", releases, 4), "fedora40");
    ck_assert_str_eq(viommu_nearest("fedora4x", releases, 4), "fedora40");
}
END_TEST

START_TEST(default_policy)
{
    ViommuPolicy policy;

    memset(&policy, 0xff, sizeof policy);
    viommu_policy_init(&policy);
    ck_assert_int_eq((int)policy.order, VIOMMU_ORDER_NATIVE);
    ck_assert_int_eq((int)policy.accelerator, VIOMMU_ACCELERATOR_AUTO);
    ck_assert_uint_eq(policy.default_memory_bytes, VIOMMU_GIB);
    ck_assert_uint_eq(policy.default_vcpus, 1);
}
END_TEST

START_TEST(models_as_traits)
{
    const struct {
        ViommuOffer offer;
        const char *traits;
    } cases[] = {
        {{{0, 0}, {0, 0}}, ""},
        {{{1u << VIOMMU_MODEL_AMD, 0}, {0, 0}}, "CUSTOM_COMPUTE_VIOMMU_MODEL_AMD CUSTOM_VIOMMU_X86_64_AMD"},
        {{{0, 1u << VIOMMU_MODEL_SMMUV3}, {0, 0}},
         "COMPUTE_VIOMMU_MODEL_SMMUV3 COMPUTE_VIOMMU_MODEL_AUTO CUSTOM_VIOMMU_AARCH64_SMMUV3"},
        {{{1u << VIOMMU_MODEL_INTEL | 1u << VIOMMU_MODEL_VIRTIO, 1u << VIOMMU_MODEL_VIRTIO},
          {1u << VIOMMU_MODEL_INTEL, 0}},
         "COMPUTE_VIOMMU_MODEL_INTEL COMPUTE_VIOMMU_MODEL_VIRTIO COMPUTE_VIOMMU_MODEL_AUTO "
         "CUSTOM_VIOMMU_X86_64_INTEL CUSTOM_VIOMMU_X86_64_VIRTIO CUSTOM_VIOMMU_AARCH64_VIRTIO "
         "CUSTOM_VIOMMU_KVM_X86_64_INTEL"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) traits = viommu_traits(&cases[i].offer);
        g_autofree char *text = g_strjoinv(" ", traits);

        ck_assert_str_eq(text, cases[i].traits);
    }
}
END_TEST

UNIT_MAIN("words", every_word_both_ways, words_are_in_the_order_of_the_enum, every_error, nearest_word,
          default_policy, models_as_traits)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmt: files with a hardware requirement of tmt, or a job of Beaker; each word of a translation is
 * a key of a request, or is refused by name. */
#include "lib/request/beaker-judge.h"
#include "lib/request/beaker.h"
#include "lib/request/request.h"
#include "lib/request/tmt.h"
#include "tests/fuzz/fuzz.h"
#include "tools/client/request-words.h"
#include "tools/client/yaml-read.h"

static void check_alternative(const GPtrArray *alternative)
{
    g_autoptr(GError) error = NULL, refusal = NULL;
    g_auto(GStrv) words = viommu_tmt_words(alternative, &error);
    g_autofree char *text = viommu_tmt_text(alternative);
    g_autoptr(GVariant) tree = NULL;

    fuzz_check_outcome(words != NULL, error);
    fuzz_check(g_utf8_validate(text, -1, NULL));
    if (!words)
        return;
    tree = viommu_request_words_apply(&viommu_request_fields, NULL, (const char *const *)words, &refusal);
    fuzz_check(tree != NULL);
}

static void check_alternatives(GPtrArray *alternatives, const GError *error)
{
    fuzz_check_outcome(alternatives != NULL, error);
    for (guint i = 0; alternatives && i < alternatives->len; i++)
        check_alternative((const GPtrArray *)alternatives->pdata[i]);
    g_clear_pointer(&alternatives, g_ptr_array_unref);
}

/* Of a system with one disk. */
static void check_judge(const char *xml)
{
    g_autoptr(GPtrArray) facts = viommu_beaker_facts_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *said = NULL;

    viommu_beaker_facts_add(facts, "arch", "x86_64");
    viommu_beaker_facts_add(facts, "memory", "4096");
    viommu_beaker_facts_add(facts, "cpu/model_name", "A B C");
    viommu_beaker_facts_add(facts, "disk/size", "10000000000");
    said = viommu_beaker_judge(xml, facts, &error);
    fuzz_check_outcome(said != NULL, error);
    fuzz_check(!said || g_utf8_validate(said, -1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GString) file = g_string_new_len((const char *)data, (gssize)size);
    g_autoptr(GError) error = NULL, refusal = NULL;
    g_autofree char *rest = NULL;
    g_autoptr(GVariant) tree = NULL;

    if (file->str[0] == '<') {
        if (g_utf8_validate(file->str, -1, NULL)) {
            check_alternatives(viommu_beaker_read(file->str, &rest, &error), error);
            check_judge(file->str);
        }
        return 0;
    }
    tree = viommu_yaml_read(file, &error);
    fuzz_check_outcome(tree != NULL, error);
    if (tree)
        check_alternatives(viommu_tmt_read(tree, &rest, &refusal), refusal);
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lint-words: the planner's sentences speak of a request; here they get a domain's words. */
#include <stdbool.h>
#include <string.h>

#include "lib/lint/lint-internal.h"

/* How the planner's sentences name the keys of a request, and what a domain has instead.  A key
 * comes before those that it begins with. */
static const struct {
    const char *key, *word;
} vocabulary[] = {
    {"iommu.caching-mode", "caching_mode"},
    {"iommu.dma-translation", "dma_translation"},
    {"iommu.intremap", "intremap"},
    {"iommu.eim", "eim"},
    {"iommu.iotlb", "iotlb"},
    {"iommu.aw-bits", "aw_bits"},
    {"iommu.granule", "the granule"},
    {"iommu.count", "a further <iommu>"},
    {"iommu.translate", "iommu='on' of a device"},
    {"iommu.is-supported", "<iommu>"},
    {"iommu.model", "<iommu model>"},
    {"boot.cmdline", "<cmdline>"},
    {"boot.kernel", "<kernel>"},
    {"boot.firmware", "the firmware of <os>"},
    {"boot.secure-boot", "secure-boot"},
    {"guest.vsock", "<vsock>"},
    {"guest.os", "the guest's system"},
    {"memory-backing.page-size", "<hugepages>"},
    {"memory-backing.locked", "<locked>"},
    {"hostdevs", "<hostdev>"},
};

/* Keys that only a request has: advice to set one is of no use here. */
static const char *const unsayable[] = {"guest.drivers", "guest.kernel", "boot.extend-cmdline",
                                        "iommu.required", "guest.os, "};

static bool is_unsayable(const char *clause)
{
    for (size_t i = 0; i < G_N_ELEMENTS(unsayable); i++)
        if (strstr(clause, unsayable[i]))
            return true;
    return false;
}

/* Without "[2]" behind each @word: the places of findings say which.  Owned. */
static char *without_index(const char *text, const char *word)
{
    g_auto(GStrv) pieces = g_strsplit(text, word, -1);
    GString *result = g_string_new(*pieces);

    for (char **piece = pieces; *piece && piece[1]; piece++) {
        const char *end = piece[1][0] == '[' ? strchr(piece[1], ']') : NULL;

        g_string_append_printf(result, "%s%s", word, end ? end + 1 : piece[1]);
    }
    return g_string_free(result, FALSE);
}

char *viommu_lint_translate(const char *text)
{
    g_auto(GStrv) clauses = g_strsplit(text, "; ", -1);
    GString *kept = g_string_new(*clauses);
    g_autofree char *plain = NULL;
    char *words;

    for (char **clause = clauses; *clause && clause[1]; clause++)
        if (!is_unsayable(clause[1]))
            g_string_append_printf(kept, "; %s", clause[1]);
    plain = g_string_free(kept, FALSE);
    words = without_index(plain, "hostdevs");
    for (size_t i = 0; i < G_N_ELEMENTS(vocabulary); i++) {
        g_autofree char *before = words;
        g_auto(GStrv) pieces = g_strsplit(before, vocabulary[i].key, -1);

        words = g_strjoinv(vocabulary[i].word, pieces);
    }
    return words;
}

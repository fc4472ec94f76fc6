/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/host/kvm-verdict.h"

#include <string.h>
#include "lib/base/printable.h"

VIOMMU_ENUM_DEFINE(kvm, "verdict about KVM", VIOMMU_KVM_LAST, "unknown", "works", "broken");

#define HEAD "viommud kvm-verdict 1\n"

/* One line of printable characters, which a message, a log and a file can carry. */
static char *clean(const char *reason)
{
    g_autofree char *printable = viommu_console_text_clean(reason);
    const char *end;

    g_strstrip(g_strdelimit(printable, "\r\n\t", ' '));
    if (strlen(printable) <= VIOMMU_KVM_REASON_MAX)
        return g_steal_pointer(&printable);
    g_utf8_validate(printable, VIOMMU_KVM_REASON_MAX, &end);
    return g_strndup(printable, (gsize)(end - printable));
}

ViommuKvmVerdict *viommu_kvm_verdict_new(ViommuKvm kvm, const char *reason)
{
    ViommuKvmVerdict *verdict = g_new0(ViommuKvmVerdict, 1);

    verdict->kvm = kvm;
    if (kvm != VIOMMU_KVM_WORKS)
        verdict->reason = clean(reason && *reason ? reason : "no reason is known");
    return verdict;
}

void viommu_kvm_verdict_free(ViommuKvmVerdict *verdict)
{
    if (!verdict)
        return;
    g_free(verdict->reason);
    g_free(verdict);
}

char *viommu_kvm_verdict_format(const ViommuKvmVerdict *verdict, const char *stamp)
{
    return g_strdup_printf(HEAD "%s\n%s\n%s", viommu_enum_to_string(&viommu_enum_kvm, (int)verdict->kvm),
                           verdict->reason ? verdict->reason : "", stamp);
}

/* The line at *at, which then is the next one.  NULL: there is none.  Owned. */
static char *take_line(const char **at)
{
    const char *start = *at, *end = strchr(start, '\n');

    if (!end)
        return NULL;
    *at = end + 1;
    return g_strndup(start, (gsize)(end - start));
}

ViommuKvmVerdict *viommu_kvm_verdict_parse(const char *text, size_t size, const char *stamp)
{
    g_autoptr(ViommuKvmVerdict) verdict = NULL;
    g_autofree char *copy = NULL, *word = NULL, *reason = NULL, *again = NULL;
    const char *at;
    int kvm;

    if (size > VIOMMU_KVM_TEXT_MAX || !g_utf8_validate(text, (gssize)size, NULL))
        return NULL;
    copy = g_strndup(text, size);
    if (!g_str_has_prefix(copy, HEAD))
        return NULL;
    at = copy + strlen(HEAD);
    word = take_line(&at);
    reason = word ? take_line(&at) : NULL;
    kvm = reason ? viommu_enum_from_string(&viommu_enum_kvm, word) : VIOMMU_UNSET;
    if (kvm != VIOMMU_KVM_WORKS && kvm != VIOMMU_KVM_BROKEN)
        return NULL;
    verdict = viommu_kvm_verdict_new((ViommuKvm)kvm, reason);
    again = viommu_kvm_verdict_format(verdict, stamp);
    return strlen(again) == size && memcmp(again, text, size) == 0 ? g_steal_pointer(&verdict) : NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm-verdict: whether KVM of a host runs guests, as a guest of viommud's own has shown, and the
 * text that keeps such a verdict.  Does not know how it is learnt, or where it is kept. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/enum.h"

typedef enum ViommuKvm {
    VIOMMU_KVM_UNKNOWN, /* the guest could not be started, which says nothing of KVM */
    VIOMMU_KVM_WORKS,
    VIOMMU_KVM_BROKEN, /* the guest runs without KVM, and not with it */
    VIOMMU_KVM_LAST,
} ViommuKvm;
extern const ViommuEnum viommu_enum_kvm;

/* The most bytes of a reason, and of a text. */
#define VIOMMU_KVM_REASON_MAX 1000u
#define VIOMMU_KVM_TEXT_MAX   8192u

typedef struct ViommuKvmVerdict {
    ViommuKvm kvm;
    char *reason; /* why KVM is broken, or why it is not known; NULL for WORKS */
} ViommuKvmVerdict;

/** Owned.  @reason is copied: what is not printable is replaced, lines are joined, and a long one
 *  is cut. */
ViommuKvmVerdict *viommu_kvm_verdict_new(ViommuKvm kvm, const char *reason);
void viommu_kvm_verdict_free(ViommuKvmVerdict *verdict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuKvmVerdict, viommu_kvm_verdict_free)

/** The text for a file.  @stamp: of everything that the verdict was learnt from.  Owned. */
char *viommu_kvm_verdict_format(const ViommuKvmVerdict *verdict, const char *stamp);
/** Reads what viommu_kvm_verdict_format() writes, and nothing else.  NULL: it is no such text, it
 *  has another stamp, or its verdict is UNKNOWN.  Owned. */
ViommuKvmVerdict *viommu_kvm_verdict_parse(const char *text, size_t size, const char *stamp);

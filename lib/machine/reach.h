/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach: how a running guest is reached from its host.  Nobody chooses these values before it runs:
 * libvirt, QEMU and the kernel do.  Knows none of them. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/enum.h"
#include "lib/machine/forwards.h"

typedef enum ViommuReachKind {
    VIOMMU_REACH_FORWARDS,  /* ports of this host */
    VIOMMU_REACH_VSOCK,     /* a context of vsock */
    VIOMMU_REACH_ADDRESSES, /* addresses in networks of the host */
    VIOMMU_REACH_LAST,
} ViommuReachKind;
extern const ViommuEnum viommu_enum_reach;

typedef struct ViommuReach {
    GArray *forwards;   /* of ViommuForward; NULL: not known, or none */
    uint32_t vsock_cid; /* 0: not known, or none */
    char **addresses;   /* of IP; NULL: not known, or none */
} ViommuReach;

void viommu_reach_clear(ViommuReach *reach);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuReach, viommu_reach_clear)
bool viommu_reach_equal(const ViommuReach *a, const ViommuReach *b);

/** The set of kinds as words, as the metadata keep them.  Owned; NULL: the set is empty. */
char *viommu_reach_kinds_to_text(uint64_t kinds);
/** The set of kinds in @text, NULL: none.  Words of a later viommud are skipped. */
uint64_t viommu_reach_kinds_from_text(const char *text);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asker: the user for whom a plan is made, as far as the site's policy distinguishes users.
 * Knows no user database. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum ViommuAskerKind {
    /* the user of a user's own daemon, and of a dry run without a daemon: libvirt decides what is
     * allowed */
    VIOMMU_ASKER_OWN,
    VIOMMU_ASKER_ROOT, /* on the system bus: root, and the user that the daemon runs as */
    /* a member of the group that may launch; the site's policy binds members */
    VIOMMU_ASKER_MEMBER,
    VIOMMU_ASKER_OUTSIDER, /* may plan, with the rights that every user has */
    VIOMMU_ASKER_LAST,
} ViommuAskerKind;

typedef struct ViommuAsker {
    ViommuAskerKind kind;
    uint32_t uid;
    /* the site's names ([device NAME]) that the user may request; NULL: none.  Owned,
     * g_strfreev() */
    char **names;
    /* For a member's launch, beyond what the site lists. */
    char **granted; /* from viommu_device_policy_grant(); NULL: none.  Owned, g_strfreev() */
    char *verdict;  /* why no more was granted; NULL: polkit was not asked.  Owned */
} ViommuAsker;

/** Whether the site's policy binds @asker (NULL: no particular user) and decides what is
 *  allowed. */
static inline bool viommu_asker_is_bound(const ViommuAsker *asker)
{
    return asker && (asker->kind == VIOMMU_ASKER_MEMBER || asker->kind == VIOMMU_ASKER_OUTSIDER);
}

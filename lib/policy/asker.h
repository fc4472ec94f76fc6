/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asker: the user for whom a plan is made, as far as the site's policy distinguishes users.
 * Knows no user database. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum ViommuAskerKind {
    /* the user of a daemon of his own, and of a dry run without a daemon: libvirt decides what
     * he may */
    VIOMMU_ASKER_OWN,
    VIOMMU_ASKER_ROOT,     /* on the system bus: root, and the user that the daemon runs as */
    VIOMMU_ASKER_MEMBER,   /* of the group that may launch: the site's policy binds him */
    VIOMMU_ASKER_OUTSIDER, /* may plan, and have what everybody may have */
    VIOMMU_ASKER_LAST,
} ViommuAskerKind;

typedef struct ViommuAsker {
    ViommuAskerKind kind;
    uint32_t uid;
    /* of the site's [device NAME] that he may ask for; NULL: none. Owned, g_strfreev() */
    char **names;
    /* Of a member's launch, beyond what the site lists. */
    char **granted; /* as viommu_device_policy_grant() has them; NULL: none. Owned, g_strfreev() */
    char *verdict;  /* why there are no more of them; NULL: nobody was asked. Owned */
} ViommuAsker;

/** Whether the site's policy binds @asker (NULL: nobody in particular), and
 *  says what he may have. */
static inline bool viommu_asker_is_bound(const ViommuAsker *asker)
{
    return asker && (asker->kind == VIOMMU_ASKER_MEMBER || asker->kind == VIOMMU_ASKER_OUTSIDER);
}

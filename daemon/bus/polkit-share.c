/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/bus/polkit-share.h"

#include "lib/base/error.h"

void viommu_auth_share_count(ViommuAuthShare *share, uint32_t one, uint32_t uid)
{
    share->all++;
    share->own += one == uid;
}

bool viommu_auth_share_check(const ViommuAuthShare *share, uint32_t uid, GError **error)
{
    unsigned others = share->all - share->own;
    unsigned left = others < VIOMMU_AUTH_SHARE_MAX ? VIOMMU_AUTH_SHARE_MAX - others : 0;

    if (share->own < MIN((left + 1) / 2, VIOMMU_AUTH_SHARE_MAX_PER_USER))
        return true;
    if (share->own >= VIOMMU_AUTH_SHARE_MAX_PER_USER)
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
                    "polkit has %u questions about user %u to answer; try again when some are answered",
                    share->own, uid);
    else
        g_set_error(
            error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
            "polkit has %u questions to answer, %u of them about user %u, and the rest of the room is for other users; try again when some are answered, or have root do it",
            share->all, share->own, uid);
    return false;
}

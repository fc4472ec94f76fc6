/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit-share: computes which user may ask polkit another question. */
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
        viommu_fail(error, VIOMMU_ERROR_BUSY,
                    "polkit already has %u pending questions about user %u; try again later", share->own,
                    uid);
    else
        viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "polkit already has %u pending questions, %u of them about user %u, and the rest are reserved for other users; try again later, or ask root",
            share->all, share->own, uid);
    return false;
}

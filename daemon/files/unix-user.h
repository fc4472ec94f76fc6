/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix-user: a user and their groups, as the system's user database has them.  Knows what mode
 * bits give them; does not know what they want. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef struct ViommuAccount ViommuAccount;

/* What mode bits speak of. */
typedef enum ViommuMayBits {
    VIOMMU_MAY_SEARCH = 1, /* a directory */
    VIOMMU_MAY_WRITE = 2,
    VIOMMU_MAY_READ = 4,
} ViommuMayBits;

/** Asks the database; blocks as long as that does.  A user that it does not know is in no group.
 *  Owned. */
ViommuAccount *viommu_account_find(uid_t uid);
void viommu_account_free(ViommuAccount *account);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuAccount, viommu_account_free)

uid_t viommu_account_uid(const ViommuAccount *account);
/** False also when there is no such group. */
bool viommu_account_is_in(const ViommuAccount *account, const char *group);
/** Whether the owner and the mode of a file alone give all of @bits. */
bool viommu_account_may(const ViommuAccount *account, const struct stat *file, unsigned bits);

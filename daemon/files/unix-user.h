/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix-user: a user and their groups from the system's user database.  Knows what mode bits allow
 * them. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef struct ViommuAccount ViommuAccount;

/* Mode bits. */
typedef enum ViommuMayBits {
    VIOMMU_MAY_SEARCH = 1, /* a directory */
    VIOMMU_MAY_WRITE = 2,
    VIOMMU_MAY_READ = 4,
} ViommuMayBits;

/** Asks the database; blocks as long as it does.  An unknown user is in no group.  Owned. */
ViommuAccount *viommu_account_find(uid_t uid);
void viommu_account_free(ViommuAccount *account);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuAccount, viommu_account_free)

uid_t viommu_account_uid(const ViommuAccount *account);
/** Also false when the group does not exist. */
bool viommu_account_is_in(const ViommuAccount *account, const char *group);
/** Whether owner and mode of a file alone allow all of @bits. */
bool viommu_account_may(const ViommuAccount *account, const struct stat *file, unsigned bits);

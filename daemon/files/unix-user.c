/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix-user: getpwuid, getgrouplist, and the three sets of mode bits. */
#include "daemon/files/unix-user.h"

#include <grp.h>
#include <pwd.h>

/* One entry of the user database. */
#define ENTRY_MAX  (1 << 20)
#define GROUPS_MAX 65536

struct ViommuAccount {
    uid_t uid;
    gid_t *gids;
    int n_gids;
};

ViommuAccount *viommu_account_find(uid_t uid)
{
    ViommuAccount *account = g_new0(ViommuAccount, 1);
    g_autofree char *buffer = g_malloc(ENTRY_MAX);
    g_autofree gid_t *gids = g_new(gid_t, GROUPS_MAX);
    struct passwd entry, *user = NULL;
    int n = GROUPS_MAX;

    account->uid = uid;
    if (getpwuid_r(uid, &entry, buffer, ENTRY_MAX, &user) == 0 && user &&
        getgrouplist(user->pw_name, user->pw_gid, gids, &n) >= 0) {
        account->gids = g_renew(gid_t, g_steal_pointer(&gids), n);
        account->n_gids = n;
    }
    return account;
}

void viommu_account_free(ViommuAccount *account)
{
    if (!account)
        return;
    g_free(account->gids);
    g_free(account);
}

uid_t viommu_account_uid(const ViommuAccount *account)
{
    return account->uid;
}

static bool has_gid(const ViommuAccount *account, gid_t gid)
{
    for (int i = 0; i < account->n_gids; i++)
        if (account->gids[i] == gid)
            return true;
    return false;
}

bool viommu_account_is_in(const ViommuAccount *account, const char *group)
{
    g_autofree char *buffer = g_malloc(ENTRY_MAX);
    struct group entry, *found = NULL;

    return getgrnam_r(group, &entry, buffer, ENTRY_MAX, &found) == 0 && found &&
           has_gid(account, found->gr_gid);
}

bool viommu_account_may(const ViommuAccount *account, const struct stat *file, unsigned bits)
{
    unsigned mode = file->st_mode;

    if (account->uid == 0)
        return true;
    if (file->st_uid == account->uid)
        mode >>= 6;
    else if (has_gid(account, file->st_gid))
        mode >>= 3;
    return (mode & bits) == bits;
}

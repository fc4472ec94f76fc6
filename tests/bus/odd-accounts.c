/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* odd-accounts: preloaded into the daemon; changes the user database by files in the directory
 * $VIOMMU_TEST_ACCOUNTS: "out.NAME": NAME is in no group; "hang.NAME": the look-up of NAME hangs
 * while the file exists. */
#include <dlfcn.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* These override the C library's own. */
#define PUBLIC __attribute__((visibility("default")))

static int is_there(const char *what, const char *user)
{
    const char *directory = getenv("VIOMMU_TEST_ACCOUNTS");
    char path[512];

    snprintf(path, sizeof(path), "%s/%s.%s", directory ? directory : "", what, user);
    return directory && access(path, F_OK) == 0;
}

PUBLIC int getgrouplist(const char *user, gid_t group, gid_t *groups, int *n_groups)
{
    static int (*real)(const char *, gid_t, gid_t *, int *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getgrouplist");
    while (is_there("hang", user))
        usleep(10000);
    if (!is_there("out", user))
        return real(user, group, groups, n_groups);
    *n_groups = 0;
    return 0;
}

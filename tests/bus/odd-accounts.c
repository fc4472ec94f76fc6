/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* odd-accounts: preloaded into the daemon, it makes the user database odd, by files in the directory $VIOMMU_TEST_ACCOUNTS, each named
 * after what is odd and the user: "out.NAME": is in no group; "hang.NAME": no answer as long as the file is there. */
#include <dlfcn.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Taken before the C library's own. */
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

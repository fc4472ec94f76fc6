/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/internal.h"

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS_MAX 65536

enum {
    OPENS,
    REFUSED,
    NOT_KNOWN,
};

static int ask(const struct passwd *user, const gid_t *groups, size_t n_groups, const char *path)
{
    if (setgroups(n_groups, groups) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
        return NOT_KNOWN;
    return access(path, R_OK | W_OK) == 0 ? OPENS : REFUSED;
}

/* The kernel is asked, because mode and groups are not all: viommud's installation lets its group
 * in by an access control list (conf/viommud.tmpfiles). */
bool viommu_doctor_is_closed(const struct passwd *user, const char *path)
{
    g_autofree gid_t *groups = g_new(gid_t, GROUPS_MAX);
    int n_groups = GROUPS_MAX, status;
    pid_t child;

    if (getgrouplist(user->pw_name, user->pw_gid, groups, &n_groups) < 0)
        return false;
    child = fork();
    if (child == 0)
        _exit(ask(user, groups, (size_t)n_groups, path));
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == REFUSED;
}

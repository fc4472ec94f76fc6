/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process/fd-room.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "lib/base/error.h"

bool viommu_room_check(GError **error)
{
    struct rlimit limit;
    /* The lowest free descriptor. */
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    bool room = fd >= 0 && (getrlimit(RLIMIT_NOFILE, &limit) < 0 || (rlim_t)fd < limit.rlim_cur / 4 * 3);

    if (fd >= 0)
        close(fd);
    if (!room)
        viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "pending calls hold too many open files (LimitNOFILE= of viommud.service); try again later");
    return room;
}

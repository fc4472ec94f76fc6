/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader-internal: viommud-files and its children.  Only for readers.c, which starts it, and for
 * reader.c, which talks to the child of one launch. */
#pragma once

#include <sys/types.h>
#include "daemon/files/digest.h"
#include "daemon/files/reader.h"

struct ViommuReaders {
    ViommuLoop *loop;
    uint32_t timeout_sec, digest_timeout_sec;
    ViommuDigests *digests; /* loop thread */
    int program;            /* O_PATH: the program of this build, also after an upgrade */
    int control;            /* to viommud-files; -1: it must be started */
    pid_t process;          /* viommud-files */
    GPtrArray *hung;        /* of Hung */
};

/** Sends the socket of a launch, which a child will serve; starts viommud-files again if it has
 *  ended.  Fails: BUSY, INTERNAL. */
bool viommu_readers_send(ViommuReaders *readers, int socket, GError **error);
/** Closes *fd, unless it is negative, and sets it to -1. */
void viommu_readers_close(int *fd);
/** Fails with INTERNAL, "cannot @what" and the words of errno @code. */
bool viommu_readers_fail(GError **error, int code, const char *what);
/** Takes the pidfd @handle of a child of user @uid that was killed, and counts it as long as it
 *  exists. */
void viommu_readers_watch_end(ViommuReaders *readers, uint32_t uid, int handle);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* relay: carries bytes between three descriptors of a user (an input and two outputs) and sockets
 * of viommud's own, on a thread.  Another process may have the same pipe, and can make each read or
 * write of it wait, whatever its flags say; so the loop never touches a user's descriptor.  Loop
 * thread.  Does not know what the bytes are. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define VIOMMU_RELAY_STREAMS 3u

typedef struct ViommuRelay {
    /* viommud's ends, which do not wait: [0] is read; [1] and [2] are written, and shut down for
     * writing at their end.  An output that hangs up before that is one that nobody reads. */
    int ends[VIOMMU_RELAY_STREAMS];
    /* Hangs up when the thread has ended: the outputs are carried to their ends, or broken. */
    int over;
} ViommuRelay;

/** Whether @fd is a pipe without a name or an end of a socketpair(2) of streams, whose waiting a
 *  thread can end, and whose other end takes nothing for viommud's own word; nothing else is
 *  relayed.  Does not touch the file.  Fails: INVALID_REQUEST. */
bool viommu_relay_check(int fd, const char *name, GError **error);
/** @fds: VIOMMU_RELAY_STREAMS held descriptors; the relay takes its reference, also on failure.
 *  Fails: BUSY. */
bool viommu_relay_new(GArray *fds, ViommuRelay **ret_relay, GError **error);
/** Carries nothing any more: the thread ends, unless somebody makes a read or write of a pipe
 *  wait. */
void viommu_relay_drop(ViommuRelay *relay);
/** Drops it, and does not hear of the thread's end. */
void viommu_relay_free(ViommuRelay *relay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuRelay, viommu_relay_free)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire: frames between viommud and its process for files, on a stream socket: each is one value,
 * and may have descriptors.  Does not know their meaning. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The longest frame: a request, or the paths of its files. */
#define VIOMMU_WIRE_BYTES_MAX (4u << 20)
/* The most descriptors of one frame, which is Linux's limit. */
#define VIOMMU_WIRE_FDS_MAX 253u
/* No deadline. */
#define VIOMMU_WIRE_FOR_EVER G_MAXINT64

/** Sends @message (a floating one is sunk) with @fds (of int, borrowed; NULL: none).  Blocks until
 *  @end_usec of the monotonic clock.  Fails: BUSY when that time is over, BACKEND when the other
 *  end is gone. */
bool viommu_wire_send(int socket, GVariant *message, const GArray *fds, gint64 end_usec, GError **error);
/** Waits for a valid frame of exactly this @type; appends its descriptors to @fds (of int; NULL:
 *  none may come).  Owned.  Fails: BUSY when @end_usec is over; BACKEND when the other end is gone;
 *  INTERNAL for an invalid frame. */
GVariant *viommu_wire_receive(int socket, const char *type, GArray *fds, gint64 end_usec, GError **error);

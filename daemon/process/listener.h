/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listener: a socket that listens, on the loop.  All connections that wait are taken at once, so
 * that one client does not hold up another's, and then there is a rest, so that clients that
 * connect without end cost little.  Does not know what connects.  Runs on the loop. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/process/loop.h"

typedef struct ViommuListener ViommuListener;

/** Takes one connection from the socket @fd, which does not block.  False: none could be taken. */
typedef bool (*ViommuListenerFunc)(int fd, void *userdata);

/** Takes @fd, which listens and does not block; also on failure.  @most: taken at once.  @for_what:
 *  for the error, "on vsock".  Owned.  Fails: INTERNAL. */
ViommuListener *viommu_listener_new(ViommuLoop *loop, int fd, unsigned most, const char *for_what,
                                    ViommuListenerFunc func, void *userdata, GError **error);
/** Closes the socket.  NULL does nothing. */
void viommu_listener_free(ViommuListener *listener);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arrivals: which of the descriptors that messages bring viommud lets in, and where it keeps them.
 *
 * sd-bus closes the descriptors of a message with the message, on the loop, and close(2) waits for
 * the server of a FUSE file.  So sd-bus never has a user's descriptor: this module takes the place
 * of recvmsg(2) on the socket of the bus, and puts tokens, ends of a pipe, in the place of what
 * comes.  It lets in what the calls that read files bring; the kernel drops all others with the
 * message, and asks no server for that (FLUSH is for descriptors that a process has had).  What is
 * let in is held (held-files) as long as sd-bus has the message.
 * Loop thread.  Without viommu_arrivals_open(), as on a user's own bus, sd-bus has the descriptors
 * themselves. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include "daemon/bus/message-header.h"

typedef enum ViommuArrival {
    VIOMMU_ARRIVAL_DROP,   /* nobody wants them */
    VIOMMU_ARRIVAL_REFUSE, /* who reads them is told why not */
    VIOMMU_ARRIVAL_TAKE,
    VIOMMU_ARRIVAL_LAST,
} ViommuArrival;

/** Judges a message that brings descriptors.  @ret_uid: whose they are, for TAKE; @error: for
 *  REFUSE, BUSY. */
typedef ViommuArrival (*ViommuArrivalFunc)(const ViommuMessageHeader *header, void *userdata,
                                           uint32_t *ret_uid, GError **error);

/** From now on what @bus receives, which is attached to an event loop.  One bus at a time.  Below 0
 *  as sd-bus and sd-event return it. */
int viommu_arrivals_open(sd_bus *bus, ViommuArrivalFunc judge, void *userdata);
/** After the bus is closed.  What is held is given to the closers. */
void viommu_arrivals_close(void);
/** The descriptor that @fd, of a message, stands for.  Borrowed, as long as the message is there.
 *  Below 0: it was refused.  Fails: BUSY. */
int viommu_arrivals_find(int fd, GError **error);

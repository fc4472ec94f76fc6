/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arrivals: decides which descriptors of incoming messages viommud accepts, and where it keeps
 * them.
 * sd-bus closes the descriptors of a message with the message, on the loop, and close(2) waits for
 * the server of a FUSE file.  So sd-bus never gets a user's descriptor: this module replaces
 * recvmsg(2) on the socket of the bus, and gives sd-bus tokens, ends of a pipe, instead.  It
 * accepts the descriptors of calls that read files; the kernel drops all others with the message,
 * and asks no server for that (FLUSH is for descriptors that a process has had).  Only a TCP socket
 * with SO_LINGER waits then, and a signal ends its wait after a millisecond.  Accepted descriptors
 * are held (held-files) while sd-bus has the message.
 * A call whose sender is not known yet stays in the socket, with all that came behind it, until the
 * sender is known.  Loop thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include "daemon/bus/message-header.h"

typedef enum ViommuArrival {
    VIOMMU_ARRIVAL_DROP,   /* no method takes them */
    VIOMMU_ARRIVAL_REFUSE, /* the call is refused, with an error */
    VIOMMU_ARRIVAL_TAKE,
    VIOMMU_ARRIVAL_LAST,
} ViommuArrival;

/** Whether the sender of a call is known.  False: somebody finds out, and then calls
 *  viommu_arrivals_go_on(); until then sd-bus reads nothing. */
typedef bool (*ViommuArrivalKnowsFunc)(const ViommuMessageHeader *header, void *userdata);
/** Judges a message with descriptors.  @ret_uid: their owner, for TAKE; @error: for REFUSE,
 *  BUSY. */
typedef ViommuArrival (*ViommuArrivalFunc)(const ViommuMessageHeader *header, void *userdata,
                                           uint32_t *ret_uid, GError **error);

typedef struct ViommuArrivalFuncs {
    ViommuArrivalKnowsFunc knows;
    ViommuArrivalFunc judge;
} ViommuArrivalFuncs;

/** Handles what @bus receives from now on; it must be attached to an event loop.  One bus at a
 *  time.  Negative: an error of sd-bus or sd-event.  @funcs: copied. */
int viommu_arrivals_open(sd_bus *bus, const ViommuArrivalFuncs *funcs, void *userdata);
/** The next message may pass, whether its sender is known or not. */
void viommu_arrivals_go_on(void);
/** Call it after the bus is closed.  Gives the held descriptors to the closers. */
void viommu_arrivals_close(void);
/** The descriptor for which @fd, of a message, stands.  Borrowed, while the message exists.
 *  Negative: it was refused.  Fails: BUSY. */
int viommu_arrivals_find(int fd, GError **error);

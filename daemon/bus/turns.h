/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* turns: users take turns while the bus takes viommud's messages slower than viommud writes them.
 * dbus-daemon reads 2 KiB of a connection and then serves all others, so what viommud has written
 * delays what it writes next.  This module keeps that backlog small, and lets each user wait only
 * for one call of each other user.  Knows no method, and does not judge a call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* Limits of one user: waiting calls, their bytes together, and waiting replies.  A call beyond the
 * first two limits is answered with Busy when the user's turn comes, and beyond the third limit at
 * once. */
#define VIOMMU_BUS_TURNS_CALLS_MAX   1024u
#define VIOMMU_BUS_TURNS_BYTES_MAX   (4u * 1024 * 1024)
#define VIOMMU_BUS_TURNS_ANSWERS_MAX 4096u

typedef struct ViommuBusTurns ViommuBusTurns;

/** An answer was given to the bus, or the bus is gone. */
typedef void (*ViommuBusTurnsSentFunc)(void *userdata);

/** @bus borrowed, attached to an event loop.  Shrinks the send buffer of its socket.  Negative: an
 *  error of sd-bus or sd-event.  @ret_turns owned. */
int viommu_bus_turns_new(sd_bus *bus, ViommuBusTurns **ret_turns);
/** Sends the waiting replies, and drops the calls; afterwards nothing is sent. */
void viommu_bus_turns_close(ViommuBusTurns *turns);
ViommuBusTurns *viommu_bus_turns_ref(ViommuBusTurns *turns);
/** The turns must have been closed.  NULL is ignored. */
void viommu_bus_turns_unref(ViommuBusTurns *turns);
/** Whether @call waited, and its turn has come. */
bool viommu_bus_turns_take_up(ViommuBusTurns *turns, sd_bus_message *call);
/** True: handle @call of user @uid now.  False: the call waits, and passes the filters of the bus
 *  again when the user's turn comes; or it is refused as Busy. */
bool viommu_bus_turns_admit(ViommuBusTurns *turns, sd_bus_message *call, uint32_t uid);
/** Sends @answer to a call of user @uid that was admitted before: now, or when the user's turn
 *  comes; then calls @sent(@userdata), if there is one.  Negative: an error of sd-bus, and @sent is
 *  not called. */
int viommu_bus_turns_send(ViommuBusTurns *turns, sd_bus_message *answer, uint32_t uid,
                          ViommuBusTurnsSentFunc sent, void *userdata);

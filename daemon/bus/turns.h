/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* turns: users take turns while the bus takes viommud's messages slower than viommud writes them.
 * dbus-daemon reads 2 KiB of a connection and then serves all others, so what viommud has written
 * delays what it writes next.  This module keeps that backlog small, and lets each user wait only
 * for one call of each other user.  Knows no method, and does not judge a call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* Limits of one user: calls that wait, their bytes together, and answers that wait.  A call beyond
 * the first two limits is answered with Busy when it is the user's turn, and beyond the third limit
 * at once. */
#define VIOMMU_BUS_TURNS_CALLS_MAX   1024u
#define VIOMMU_BUS_TURNS_BYTES_MAX   (4u * 1024 * 1024)
#define VIOMMU_BUS_TURNS_ANSWERS_MAX 4096u

typedef struct ViommuBusTurns ViommuBusTurns;

/** @bus borrowed, attached to an event loop.  Shrinks the send buffer of its socket.
 *  Below 0 as sd-bus and sd-event return it.  @ret_turns owned. */
int viommu_bus_turns_new(sd_bus *bus, ViommuBusTurns **ret_turns);
/** Sends the answers that wait, and drops the calls; nothing is sent from now on. */
void viommu_bus_turns_close(ViommuBusTurns *turns);
ViommuBusTurns *viommu_bus_turns_ref(ViommuBusTurns *turns);
/** The last one must have been closed before.  NULL is ignored. */
void viommu_bus_turns_unref(ViommuBusTurns *turns);
/** Whether @call waited, and its turn has come. */
bool viommu_bus_turns_take_up(ViommuBusTurns *turns, sd_bus_message *call);
/** True: handle @call of user @uid now.  False: the call waits, and comes through the filters of
 *  the bus again when it is the user's turn; or it is refused as Busy. */
bool viommu_bus_turns_admit(ViommuBusTurns *turns, sd_bus_message *call, uint32_t uid);
/** Sends @answer, of a call of user @uid that was admitted before: now, or when it is the user's
 *  turn.  Below 0 as sd-bus returns it. */
int viommu_bus_turns_send(ViommuBusTurns *turns, sd_bus_message *answer, uint32_t uid);

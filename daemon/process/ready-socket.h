/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ready-socket: hears guests say over vsock that they have booted: their systemd connects to the
 * address of its credential vmm.notify_socket, writes READY=1 among other lines, and waits until
 * viommud closes the connection (sd_notify(3), systemd(1)).  Every process of every guest of the
 * host can connect.  Knows no machine: the kernel tells which context (CID) a guest has.  Runs on
 * the loop. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/process/kept.h"
#include "daemon/process/loop.h"

/* Limits of what guests can take.  A connection above that of its guest is closed at once; one more
 * of another guest takes the place of the oldest. */
#define VIOMMU_READY_CONNECTIONS      64u
#define VIOMMU_READY_CONNECTIONS_EACH 2u    /* of one guest */
#define VIOMMU_READY_BYTES            4096u /* of one message */
#define VIOMMU_READY_SECONDS          5u    /* of one connection */

typedef struct ViommuReadySocket ViommuReadySocket;

/** The guest with this context is ready; it may say so again.  False: whose context that is may be
 *  known later; called again while the connection lasts. */
typedef bool (*ViommuReadyFunc)(uint32_t cid, void *userdata);

/** Listens at @port, which the guests that were told it keep.  systemd keeps the socket while
 *  viommud is restarted: what guests say meanwhile waits in it.  Owned.  -1: the kernel has no
 *  vsock, or another process listens there, which is logged. */
int viommu_ready_socket_listen(ViommuKept *kept, uint32_t port);
/** @func is called on the loop.  Takes @listener, which listens.  Owned.  Fails: INTERNAL. */
ViommuReadySocket *viommu_ready_socket_new(ViommuLoop *loop, int listener, ViommuReadyFunc func,
                                           void *userdata, GError **error);
/** Takes a connection of the guest with @cid.  Takes @fd. */
void viommu_ready_socket_take(ViommuReadySocket *socket, int fd, uint32_t cid);
void viommu_ready_socket_free(ViommuReadySocket *socket);

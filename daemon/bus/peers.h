/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peers: the connections on the bus: the user of each, and when it disconnects.  Asks the bus, and
 * does not wait for the reply.  Loop thread.  Does not know what a peer wants. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct ViommuBusPeers ViommuBusPeers;

typedef enum ViommuPeer {
    VIOMMU_PEER_UNKNOWN, /* not asked about, or the bus did not reply */
    VIOMMU_PEER_HERE,
    VIOMMU_PEER_GONE, /* has disconnected */
    VIOMMU_PEER_LAST,
} ViommuPeer;

/** A peer that was HERE has disconnected. */
typedef void (*ViommuBusPeersGoneFunc)(const char *name, void *userdata);
/** What the bus has told about the peer @name. */
typedef void (*ViommuBusPeersFunc)(const char *name, ViommuPeer peer, void *userdata);

/** @bus borrowed, attached to an event loop.  Negative: an error of sd-bus.  @ret_peers owned. */
int viommu_bus_peers_new(sd_bus *bus, ViommuBusPeersGoneFunc gone, void *userdata,
                         ViommuBusPeers **ret_peers);
/** Call it before the bus is closed; no function is called any more. */
void viommu_bus_peers_free(ViommuBusPeers *peers);

ViommuPeer viommu_bus_peers_find(const ViommuBusPeers *peers, const char *name);
/** The user of @name, also when it has disconnected.  False: unknown.  @name: NULL is unknown. */
bool viommu_bus_peers_uid(const ViommuBusPeers *peers, const char *name, uint32_t *ret_uid);
/** Asks the bus about @name; calls @func once, later.  Negative: an error of sd-bus, and @func is
 *  not called. */
int viommu_bus_peers_ask(ViommuBusPeers *peers, const char *name, ViommuBusPeersFunc func, void *userdata);

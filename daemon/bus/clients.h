/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clients: the connections to which something is bound, on this bus or on an earlier one, and which
 * of them have disconnected.  Does not know what is bound to them. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>
#include "daemon/bus/peers.h"

typedef struct ViommuBusClients ViommuBusClients;

/* If the bus does not tell whether a client is there, it is asked again after this time. */
#define VIOMMU_BUS_CLIENTS_AGAIN_USEC (5 * G_USEC_PER_SEC)

/** @client has disconnected, or the bus that it was on is gone. */
typedef void (*ViommuBusClientFunc)(const char *client, void *userdata);

/** @bus and @peers, of that bus, are borrowed.  Owned. */
ViommuBusClients *viommu_bus_clients_new(sd_bus *bus, ViommuBusPeers *peers, ViommuBusClientFunc func,
                                         void *userdata);
/** Call it after @peers are freed; func is not called any more. */
void viommu_bus_clients_free(ViommuBusClients *clients);

/** The sender of @call: the bus's own id, which no other bus has, and the connection's name on it.
 *  Owned, g_free(); NULL when the bus does not report it. */
char *viommu_bus_clients_sender(ViommuBusClients *clients, sd_bus_message *call);
/** From now on func is called when @client disconnects; soon, or before this function returns, if
 *  it already has. */
void viommu_bus_clients_hold(ViommuBusClients *clients, const char *client);
/** The peer @name of this bus has disconnected. */
void viommu_bus_clients_gone(ViommuBusClients *clients, const char *name);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clients: knows which connections are still on the bus.  Does not know what is bound to them. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

typedef struct ViommuBusClients ViommuBusClients;

/** @client has disconnected, or the bus that it was on is gone. */
typedef void (*ViommuBusClientFunc)(const char *client, void *userdata);

/** @bus is borrowed. Owned. */
ViommuBusClients *viommu_bus_clients_new(sd_bus *bus, ViommuBusClientFunc func, void *userdata);
/** Call it before the bus is closed; func is not called any more. */
void viommu_bus_clients_free(ViommuBusClients *clients);

/** The sender of @call: the bus's own id, which no other bus has, and the connection's name on it.
 *  Owned, g_free(); NULL when the bus does not report it. */
char *viommu_bus_clients_sender(ViommuBusClients *clients, sd_bus_message *call);
/** From now on func is called when @client disconnects; before this function returns, if it already
 *  has. */
void viommu_bus_clients_hold(ViommuBusClients *clients, const char *client);

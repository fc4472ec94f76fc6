/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clients: an sd_bus_track for each client, until it disconnects. */
#include "daemon/bus/clients.h"

#include <string.h>

struct ViommuBusClients {
    sd_bus *bus;
    ViommuBusClientFunc func;
    void *userdata;
    GHashTable *held; /* client -> Held, owned */
};

typedef struct Held {
    ViommuBusClients *clients;
    char *client;
    sd_bus_track *track;
} Held;

static void free_held(void *data)
{
    Held *held = data;

    sd_bus_track_unref(held->track);
    g_free(held->client);
    g_free(held);
}

ViommuBusClients *viommu_bus_clients_new(sd_bus *bus, ViommuBusClientFunc func, void *userdata)
{
    ViommuBusClients *clients = g_new0(ViommuBusClients, 1);

    clients->bus = bus;
    clients->func = func;
    clients->userdata = userdata;
    clients->held = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_held);
    return clients;
}

void viommu_bus_clients_free(ViommuBusClients *clients)
{
    if (!clients)
        return;
    g_hash_table_unref(clients->held);
    g_free(clients);
}

/* Each bus gives names like :1.7 anew. */
static char *name_client(const ViommuBusClients *clients, const char *name)
{
    char bus[SD_ID128_STRING_MAX];
    sd_id128_t id;

    if (!name || sd_bus_get_bus_id(clients->bus, &id) < 0)
        return NULL;
    return g_strconcat(sd_id128_to_string(id, bus), name, NULL);
}

char *viommu_bus_clients_sender(ViommuBusClients *clients, sd_bus_message *call)
{
    return name_client(clients, sd_bus_message_get_sender(call));
}

static void tell_gone(Held *held)
{
    ViommuBusClients *clients = held->clients;
    g_autofree char *client = g_strdup(held->client);

    g_hash_table_remove(clients->held, client);
    clients->func(client, clients->userdata);
}

static int on_left(sd_bus_track *track, void *userdata)
{
    tell_gone(userdata);
    return 1;
}

void viommu_bus_clients_hold(ViommuBusClients *clients, const char *client)
{
    const char *name = strchr(client, ':');
    g_autofree char *here = name_client(clients, name);
    Held *held;

    if (g_hash_table_contains(clients->held, client))
        return;
    held = g_new0(Held, 1);
    held->clients = clients;
    held->client = g_strdup(client);
    g_hash_table_insert(clients->held, held->client, held);
    /* The client is of another bus, or no longer on this one. */
    if (g_strcmp0(here, client) != 0 || sd_bus_track_new(clients->bus, &held->track, on_left, held) < 0 ||
        sd_bus_track_add_name(held->track, name) < 0)
        tell_gone(held);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clients: a set of clients that are held until they disconnect. */
#include "daemon/bus/clients.h"

#include <string.h>
#include <time.h>

struct ViommuBusClients {
    sd_bus *bus;
    ViommuBusPeers *peers;
    ViommuBusClientFunc func;
    void *userdata;
    GHashTable *held;       /* set of clients, owned */
    sd_event_source *again; /* timer: asks again; NULL: all are known */
};

ViommuBusClients *viommu_bus_clients_new(sd_bus *bus, ViommuBusPeers *peers, ViommuBusClientFunc func,
                                         void *userdata)
{
    ViommuBusClients *clients = g_new0(ViommuBusClients, 1);

    clients->bus = bus;
    clients->peers = peers;
    clients->func = func;
    clients->userdata = userdata;
    clients->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return clients;
}

void viommu_bus_clients_free(ViommuBusClients *clients)
{
    if (!clients)
        return;
    sd_event_source_disable_unref(clients->again);
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

static void tell_gone(ViommuBusClients *clients, const char *client)
{
    if (g_hash_table_remove(clients->held, client))
        clients->func(client, clients->userdata);
}

void viommu_bus_clients_gone(ViommuBusClients *clients, const char *name)
{
    g_autofree char *client = name_client(clients, name);

    if (client)
        tell_gone(clients, client);
}

static void look(ViommuBusClients *clients, const char *name, ViommuPeer peer);
static void ask_again(ViommuBusClients *clients);

static void on_answer(const char *name, ViommuPeer peer, void *userdata)
{
    if (peer == VIOMMU_PEER_UNKNOWN)
        ask_again(userdata);
    else
        look(userdata, name, peer);
}

static void look(ViommuBusClients *clients, const char *name, ViommuPeer peer)
{
    switch (peer) {
    case VIOMMU_PEER_GONE:
        viommu_bus_clients_gone(clients, name);
        break;
    case VIOMMU_PEER_UNKNOWN:
        if (viommu_bus_peers_ask(clients->peers, name, on_answer, clients) < 0)
            ask_again(clients);
        break;
    case VIOMMU_PEER_HERE:
    case VIOMMU_PEER_LAST:
        break;
    }
}

/* Those that were told meanwhile are not asked about again. */
static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuBusClients *clients = userdata;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iterator;
    void *client;

    clients->again = sd_event_source_disable_unref(clients->again);
    g_hash_table_iter_init(&iterator, clients->held);
    while (g_hash_table_iter_next(&iterator, &client, NULL))
        g_ptr_array_add(names, g_strdup(strchr(client, ':')));
    for (guint i = 0; i < names->len; i++)
        look(clients, names->pdata[i], viommu_bus_peers_find(clients->peers, names->pdata[i]));
    return 0;
}

/* Without a timer the client stays held: a machine that may still be wanted is not ended. */
static void ask_again(ViommuBusClients *clients)
{
    if (!clients->again)
        (void)sd_event_add_time_relative(sd_bus_get_event(clients->bus), &clients->again, CLOCK_MONOTONIC,
                                         VIOMMU_BUS_CLIENTS_AGAIN_USEC, 0, on_again, clients);
}

void viommu_bus_clients_hold(ViommuBusClients *clients, const char *client)
{
    const char *name = strchr(client, ':');
    g_autofree char *here = name_client(clients, name), *copy = g_strdup(client);

    if (!g_hash_table_add(clients->held, g_strdup(client)))
        return;
    if (g_strcmp0(here, client) == 0)
        look(clients, name, viommu_bus_peers_find(clients->peers, name));
    else
        tell_gone(clients, copy); /* of another bus */
}

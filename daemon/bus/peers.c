/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peers: a table of the peers that were asked about.  A bus never reuses a name, so what it has
 * told stays true.  The table has at most the connections of the bus, which limits them, and those
 * that have left last. */
#include "daemon/bus/peers.h"

#define BUS "org.freedesktop.DBus"
/* Calls of a peer that has left may still wait. */
#define GONE_MAX 1024u

typedef struct Peer {
    uint32_t uid;
    bool gone;
} Peer;

struct ViommuBusPeers {
    sd_bus *bus;
    sd_bus_slot *match;
    ViommuBusPeersGoneFunc gone_func;
    void *userdata;
    GHashTable *table;     /* name -> Peer, owned */
    GQueue *gone;          /* names, of the table */
    GHashTable *questions; /* set of Question, owned */
};

typedef struct Question {
    ViommuBusPeers *peers;
    char *name;
    sd_bus_slot *slot;
    ViommuBusPeersFunc func;
    void *userdata;
} Question;

static void free_question(void *data)
{
    Question *question = data;

    sd_bus_slot_unref(question->slot);
    g_free(question->name);
    g_free(question);
}

static void forget_oldest(ViommuBusPeers *peers)
{
    const char *name;

    while (g_queue_get_length(peers->gone) > GONE_MAX && (name = g_queue_pop_head(peers->gone)))
        g_hash_table_remove(peers->table, name);
}

static int on_owner_changed(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
    ViommuBusPeers *peers = userdata;
    const char *name, *before, *now;
    void *key, *peer;

    if (sd_bus_message_read(signal, "sss", &name, &before, &now) < 0 || *now ||
        !g_hash_table_lookup_extended(peers->table, name, &key, &peer) || ((Peer *)peer)->gone)
        return 0;
    ((Peer *)peer)->gone = true;
    g_queue_push_tail(peers->gone, key);
    peers->gone_func(name, peers->userdata);
    forget_oldest(peers);
    return 0;
}

int viommu_bus_peers_new(sd_bus *bus, ViommuBusPeersGoneFunc gone, void *userdata, ViommuBusPeers **ret_peers)
{
    ViommuBusPeers *peers = g_new0(ViommuBusPeers, 1);

    peers->bus = bus;
    peers->gone_func = gone;
    peers->userdata = userdata;
    peers->table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    peers->gone = g_queue_new();
    peers->questions = g_hash_table_new_full(NULL, NULL, free_question, NULL);
    *ret_peers = peers;
    /* Before any question, so that no peer leaves unnoticed behind its answer. */
    return sd_bus_add_match_async(bus, &peers->match,
                                  "type='signal',sender='" BUS "',interface='" BUS
                                  "',member='NameOwnerChanged',arg2=''",
                                  on_owner_changed, NULL, peers);
}

void viommu_bus_peers_free(ViommuBusPeers *peers)
{
    if (!peers)
        return;
    sd_bus_slot_unref(peers->match);
    g_hash_table_unref(peers->questions);
    g_queue_free(peers->gone);
    g_hash_table_unref(peers->table);
    g_free(peers);
}

ViommuPeer viommu_bus_peers_find(const ViommuBusPeers *peers, const char *name)
{
    const Peer *peer = g_hash_table_lookup(peers->table, name);

    if (!peer)
        return VIOMMU_PEER_UNKNOWN;
    return peer->gone ? VIOMMU_PEER_GONE : VIOMMU_PEER_HERE;
}

bool viommu_bus_peers_uid(const ViommuBusPeers *peers, const char *name, uint32_t *ret_uid)
{
    const Peer *peer = name ? g_hash_table_lookup(peers->table, name) : NULL;

    if (peer)
        *ret_uid = peer->uid;
    return peer != NULL;
}

static void remember(ViommuBusPeers *peers, const char *name, uint32_t uid)
{
    Peer *peer;

    if (g_hash_table_contains(peers->table, name))
        return;
    peer = g_new0(Peer, 1);
    peer->uid = uid;
    g_hash_table_insert(peers->table, g_strdup(name), peer);
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    Question *question = userdata;
    ViommuBusPeers *peers = question->peers;
    ViommuPeer peer = VIOMMU_PEER_UNKNOWN;
    uint32_t uid;

    if (sd_bus_error_has_name(sd_bus_message_get_error(answer), SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
        peer = VIOMMU_PEER_GONE;
    } else if (sd_bus_message_read(answer, "u", &uid) > 0) {
        remember(peers, question->name, uid);
        peer = VIOMMU_PEER_HERE;
    }
    g_hash_table_steal(peers->questions, question);
    question->func(question->name, peer, question->userdata);
    free_question(question);
    return 1;
}

int viommu_bus_peers_ask(ViommuBusPeers *peers, const char *name, ViommuBusPeersFunc func, void *userdata)
{
    Question *question = g_new0(Question, 1);
    int r;

    *question = (Question){.peers = peers, .name = g_strdup(name), .func = func, .userdata = userdata};
    r = sd_bus_call_method_async(peers->bus, &question->slot, BUS, "/org/freedesktop/DBus", BUS,
                                 "GetConnectionUnixUser", on_answer, question, "s", name);
    if (r < 0)
        free_question(question);
    else
        g_hash_table_add(peers->questions, question);
    return r;
}

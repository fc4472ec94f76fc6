/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/agents.h"

/* When libvirt's daemon dies, all that are being asked lose their connections, and it cannot be told of whose answer it died: all
 * of these guests are under suspicion, and it weighs less on each of their owners. */
#define WEIGHT_ALONE   2u
#define WEIGHT_SHARED  1u
#define WEIGHT_OF_USER 4u

/* A death of libvirt's daemon, as the first of those that were being asked has told it. */
typedef struct Death {
    uint32_t uid; /* whose guest that was */
    bool shared;  /* others lost their connections by it, too */
} Death;

struct ViommuAgents {
    int references;
    bool allowed;
    GHashTable *asking; /* uid -> the Death since which it is being asked; NULL: none */
    GPtrArray *deaths;  /* of Death, owned: their number is bounded by what the users' weights allow */
    GHashTable *broken; /* UUIDs, owned */
    GHashTable *users;  /* uid -> weight of what their guests did */
};

ViommuAgents *viommu_agents_new(bool allowed)
{
    ViommuAgents *agents = g_new0(ViommuAgents, 1);

    agents->references = 1;
    agents->allowed = allowed;
    agents->asking = g_hash_table_new(NULL, NULL);
    agents->deaths = g_ptr_array_new_with_free_func(g_free);
    agents->broken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    agents->users = g_hash_table_new(NULL, NULL);
    return agents;
}

ViommuAgents *viommu_agents_ref(ViommuAgents *agents)
{
    agents->references++;
    return agents;
}

void viommu_agents_unref(ViommuAgents *agents)
{
    if (!agents || --agents->references > 0)
        return;
    g_hash_table_unref(agents->asking);
    g_ptr_array_unref(agents->deaths);
    g_hash_table_unref(agents->broken);
    g_hash_table_unref(agents->users);
    g_free(agents);
}

static unsigned weight_of(const ViommuAgents *agents, uint32_t uid)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(agents->users, GUINT_TO_POINTER(uid)));
}

const char *viommu_agents_refusal(const ViommuAgents *agents, const ViommuAgentsGuest *guest)
{
    if (!agents->allowed)
        return "no guest's agent is asked here, as [verify] agent=no in viommud.conf says";
    if (g_hash_table_contains(agents->broken, guest->uuid))
        return "its agent is not asked any more, as the connection to libvirt broke when it was; if that was "
               "by "
               "chance, as when libvirt was restarted, root may restart viommud to have it asked again";
    if (weight_of(agents, guest->owner_uid) >= WEIGHT_OF_USER)
        return "the agents of its owner's guests are not asked any more, as the connection to libvirt broke "
               "repeatedly when they were; root may restart viommud to have them asked again";
    return NULL;
}

bool viommu_agents_begin(ViommuAgents *agents, const ViommuAgentsGuest *guest)
{
    void *owner = GUINT_TO_POINTER(guest->owner_uid);

    if (g_hash_table_contains(agents->asking, owner))
        return false;
    g_hash_table_insert(agents->asking, owner, NULL);
    return true;
}

static void add_weight(ViommuAgents *agents, uint32_t uid, int weight)
{
    unsigned sum = (unsigned)((int)weight_of(agents, uid) + weight);

    g_hash_table_insert(agents->users, GUINT_TO_POINTER(uid), GUINT_TO_POINTER(sum));
}

/* The others that are being asked will tell the same, if they were asked through the daemon that died. */
static void begin_death(ViommuAgents *agents, uint32_t uid)
{
    Death *death = g_new0(Death, 1);
    GHashTableIter iterator;

    death->uid = uid;
    g_ptr_array_add(agents->deaths, death);
    add_weight(agents, uid, WEIGHT_ALONE);
    g_hash_table_iter_init(&iterator, agents->asking);
    while (g_hash_table_iter_next(&iterator, NULL, NULL))
        g_hash_table_iter_replace(&iterator, death);
}

static void share_death(ViommuAgents *agents, Death *death, uint32_t uid)
{
    if (!death->shared)
        add_weight(agents, death->uid, (int)WEIGHT_SHARED - (int)WEIGHT_ALONE);
    death->shared = true;
    add_weight(agents, uid, WEIGHT_SHARED);
}

bool viommu_agents_end(ViommuAgents *agents, const ViommuAgentsGuest *guest, bool broke)
{
    void *owner = GUINT_TO_POINTER(guest->owner_uid);
    Death *death = g_hash_table_lookup(agents->asking, owner);

    g_hash_table_remove(agents->asking, owner);
    if (!broke)
        return false;
    g_hash_table_add(agents->broken, g_strdup(guest->uuid));
    if (death)
        share_death(agents, death, guest->owner_uid);
    else
        begin_death(agents, guest->owner_uid);
    return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/agents.h"

/* When libvirt's daemon dies, all that are being asked lose their connections, and it cannot be told of whose answer it died: all
 * of these guests are under suspicion, and it weighs less on each of their owners. */
#define WEIGHT_ALONE   2u
#define WEIGHT_SHARED  1u
#define WEIGHT_OF_USER 4u

struct ViommuAgents {
    int references;
    bool allowed;
    GHashTable *asking; /* uid -> whether it was being asked when another one's connection broke */
    GHashTable *broken; /* UUIDs, owned */
    GHashTable *users;  /* uid -> weight of what their guests did */
};

ViommuAgents *viommu_agents_new(bool allowed)
{
    ViommuAgents *agents = g_new0(ViommuAgents, 1);

    agents->references = 1;
    agents->allowed = allowed;
    agents->asking = g_hash_table_new(NULL, NULL);
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
    g_hash_table_insert(agents->asking, owner, GINT_TO_POINTER(false));
    return true;
}

static void suspect_others(ViommuAgents *agents)
{
    GHashTableIter iterator;

    g_hash_table_iter_init(&iterator, agents->asking);
    while (g_hash_table_iter_next(&iterator, NULL, NULL))
        g_hash_table_iter_replace(&iterator, GINT_TO_POINTER(true));
}

bool viommu_agents_end(ViommuAgents *agents, const ViommuAgentsGuest *guest, bool broke)
{
    void *owner = GUINT_TO_POINTER(guest->owner_uid);
    bool shared = GPOINTER_TO_INT(g_hash_table_lookup(agents->asking, owner));

    g_hash_table_remove(agents->asking, owner);
    if (!broke)
        return false;
    shared = shared || g_hash_table_size(agents->asking) > 0;
    suspect_others(agents);
    g_hash_table_add(agents->broken, g_strdup(guest->uuid));
    g_hash_table_insert(
        agents->users, owner,
        GUINT_TO_POINTER(weight_of(agents, guest->owner_uid) + (shared ? WEIGHT_SHARED : WEIGHT_ALONE)));
    return true;
}

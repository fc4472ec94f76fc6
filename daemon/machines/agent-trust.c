/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent-trust: remembers during which questions libvirt's daemon crashed. */
#include "daemon/machines/agent-trust.h"

/* When libvirt's daemon crashes, all agents that are being asked lose their connections, and any of
 * them may be the cause.  A user who was asked at two crashes, without any other user at both,
 * counts as the cause; of two users who were asked each time, both do at the third. */
#define DEATHS           2u
#define DEATHS_AMBIGUOUS 3u

/* A crash of libvirt's daemon, as the lost questions reported it. */
typedef struct Death {
    /* of uint32_t: the owners of the guests that were asked; each once, as one guest of each is
     * asked at a time */
    GArray *uids;
} Death;

struct ViommuAgents {
    int references;
    bool allowed;
    GHashTable *asking; /* uid -> the Death since which its guest is being asked; NULL: none */
    /* of Death; few, because after some of them a user's agents are no longer asked */
    GPtrArray *deaths;
    GHashTable *broken; /* UUIDs, owned */
};

static void free_death(void *data)
{
    Death *death = data;

    g_array_unref(death->uids);
    g_free(death);
}

ViommuAgents *viommu_agents_new(bool allowed)
{
    ViommuAgents *agents = g_new0(ViommuAgents, 1);

    agents->references = 1;
    agents->allowed = allowed;
    agents->asking = g_hash_table_new(NULL, NULL);
    agents->deaths = g_ptr_array_new_with_free_func(free_death);
    agents->broken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
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
    g_free(agents);
}

static bool was_there(const Death *death, uint32_t uid)
{
    for (guint i = 0; i < death->uids->len; i++)
        if (g_array_index(death->uids, uint32_t, i) == uid)
            return true;
    return false;
}

/* At how many crashes @uid was asked, and @other as well. */
static unsigned count_deaths(const ViommuAgents *agents, uint32_t uid, uint32_t other)
{
    unsigned count = 0;

    for (guint i = 0; i < agents->deaths->len; i++) {
        const Death *death = g_ptr_array_index(agents->deaths, i);

        count += was_there(death, uid) && was_there(death, other);
    }
    return count;
}

/* Whether one other user was asked at each of the @deaths crashes at which @uid was. */
static bool is_ambiguous(const ViommuAgents *agents, uint32_t uid, unsigned deaths)
{
    const Death *any = NULL;

    for (guint i = 0; !any && i < agents->deaths->len; i++)
        if (was_there(g_ptr_array_index(agents->deaths, i), uid))
            any = g_ptr_array_index(agents->deaths, i);
    for (guint i = 0; any && i < any->uids->len; i++) {
        uint32_t other = g_array_index(any->uids, uint32_t, i);

        if (other != uid && count_deaths(agents, uid, other) == deaths)
            return true;
    }
    return false;
}

static bool is_held_responsible(const ViommuAgents *agents, uint32_t uid)
{
    unsigned deaths = count_deaths(agents, uid, uid);

    return deaths >= DEATHS_AMBIGUOUS || (deaths >= DEATHS && !is_ambiguous(agents, uid, deaths));
}

const char *viommu_agents_refusal(const ViommuAgents *agents, const ViommuAgentsGuest *guest)
{
    if (!agents->allowed)
        return "[verify] agent=no in viommud.conf turns guest agents off";
    if (g_hash_table_contains(agents->broken, guest->uuid))
        return "its agent is no longer asked, because the connection to libvirt broke during the last question; if libvirt was merely restarted then, have root restart viommud to ask the agent again";
    if (is_held_responsible(agents, guest->owner_uid))
        return "the agents of its owner's guests are no longer asked, because the connection to libvirt broke repeatedly during such questions; have root restart viommud to ask them again";
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

/* The other agents that are being asked will report the same, if they were asked through the
 * crashed daemon. */
static Death *begin_death(ViommuAgents *agents)
{
    Death *death = g_new0(Death, 1);
    GHashTableIter iterator;

    death->uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_ptr_array_add(agents->deaths, death);
    g_hash_table_iter_init(&iterator, agents->asking);
    while (g_hash_table_iter_next(&iterator, NULL, NULL))
        g_hash_table_iter_replace(&iterator, death);
    return death;
}

bool viommu_agents_end(ViommuAgents *agents, const ViommuAgentsGuest *guest, bool broke)
{
    void *owner = GUINT_TO_POINTER(guest->owner_uid);
    Death *death = g_hash_table_lookup(agents->asking, owner);

    g_hash_table_remove(agents->asking, owner);
    if (!broke)
        return false;
    g_hash_table_add(agents->broken, g_strdup(guest->uuid));
    if (!death)
        death = begin_death(agents);
    g_array_append_val(death->uids, guest->owner_uid);
    return true;
}

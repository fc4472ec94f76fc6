/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auth: the table of methods and the policy of auth.h over it.  Does not know what the methods do. */
#include "daemon/auth.h"

#include <unistd.h>
#include "lib/error.h"

/* Names on a bus are never used again, so who has one is worth remembering: asking costs a round trip. */
#define REMEMBERED_MAX 1024

static const struct {
    const char *member;
    ViommuAction action;
} methods[] = {
    {"Plan", VIOMMU_ACTION_READ},         {"GetMachine", VIOMMU_ACTION_READ},
    {"ListMachines", VIOMMU_ACTION_READ}, {"GetDomainXML", VIOMMU_ACTION_READ},
    {"Launch", VIOMMU_ACTION_LAUNCH},     {"Stop", VIOMMU_ACTION_MANAGE},
    {"Kill", VIOMMU_ACTION_MANAGE},       {"Reset", VIOMMU_ACTION_MANAGE},
};

struct ViommuAuth {
    bool user;
    uid_t own_uid;
    GHashTable *uids; /* unique name -> uid */
};

ViommuAuth *viommu_auth_new(bool user)
{
    ViommuAuth *auth = g_new0(ViommuAuth, 1);

    auth->user = user;
    auth->own_uid = geteuid();
    auth->uids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return auth;
}

void viommu_auth_free(ViommuAuth *auth)
{
    if (!auth)
        return;
    g_hash_table_unref(auth->uids);
    g_free(auth);
}

static bool ask_uid(sd_bus_message *call, uid_t *ret_uid, GError **error)
{
    sd_bus_creds *creds = NULL;
    int r = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds);

    if (r >= 0)
        r = sd_bus_creds_get_euid(creds, ret_uid);
    sd_bus_creds_unref(creds);
    if (r < 0)
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED, "the bus does not tell who calls: %s",
                    g_strerror(-r));
    return r >= 0;
}

static bool find_uid(ViommuAuth *auth, sd_bus_message *call, uid_t *ret_uid, GError **error)
{
    const char *sender = sd_bus_message_get_sender(call);
    void *known;

    if (sender && g_hash_table_lookup_extended(auth->uids, sender, NULL, &known)) {
        *ret_uid = GPOINTER_TO_UINT(known);
        return true;
    }
    if (!ask_uid(call, ret_uid, error))
        return false;
    if (g_hash_table_size(auth->uids) >= REMEMBERED_MAX)
        g_hash_table_remove_all(auth->uids);
    if (sender)
        g_hash_table_insert(auth->uids, g_strdup(sender), GUINT_TO_POINTER(*ret_uid));
    return true;
}

static bool find_action(const char *member, ViommuAction *ret_action)
{
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
        if (g_strcmp0(methods[i].member, member) == 0) {
            *ret_action = methods[i].action;
            return true;
        }
    return false;
}

static bool is_allowed(const ViommuAuth *auth, ViommuAction action, uid_t uid)
{
    bool trusted = uid == 0 || uid == auth->own_uid;

    switch (action) {
    case VIOMMU_ACTION_READ:
        return trusted || !auth->user;
    case VIOMMU_ACTION_LAUNCH:
    case VIOMMU_ACTION_MANAGE:
        return trusted;
    case VIOMMU_ACTION_LAST:
        break;
    }
    return false;
}

bool viommu_auth_check(ViommuAuth *auth, sd_bus_message *call, uint32_t *ret_uid, GError **error)
{
    const char *member = sd_bus_message_get_member(call);
    ViommuAction action;
    uid_t uid;

    if (!find_action(member, &action)) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED, "nobody may call '%s'", member);
        return false;
    }
    if (!find_uid(auth, call, &uid, error))
        return false;
    if (!is_allowed(auth, action, uid)) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED,
                    "user %u may not call '%s'; root and user %u may", uid, member, auth->own_uid);
        return false;
    }
    if (ret_uid)
        *ret_uid = uid;
    return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-permission: a list of devices to ask about, for each call that waits for polkit. */
#include "daemon/bus/device-permission.h"

#include "daemon/bus/polkit.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "daemon/bus/membership.h"

struct ViommuAuthDevices {
    ViommuLoop *loop;
    ViommuWorker *accounts;
    GHashTable *groups;    /* of [device NAME]: name -> ViommuMembership, owned */
    GHashTable *questions; /* call -> Question, which references the call */
};

/* The answers for one call so far. */
typedef struct Question {
    ViommuAuthDevices *devices;
    sd_bus_message *call;
    sd_bus_slot *slot;
    uid_t uid;
    GHashTable *members; /* group -> ViommuMember, of the groups that were asked about */
    char *group;         /* the group that is being asked about; NULL: none */
    char *grant;         /* the same for a device */
    GHashTable *asked;   /* addresses */
    GPtrArray *granted;
    char *verdict; /* polkit's refusal; NULL: none */
} Question;

static void free_membership(void *data)
{
    viommu_membership_free(data);
}

static void free_question(void *data)
{
    Question *question = data;

    sd_bus_slot_unref(question->slot);
    sd_bus_message_unref(question->call);
    g_hash_table_unref(question->members);
    g_hash_table_unref(question->asked);
    g_ptr_array_unref(question->granted);
    g_free(question->group);
    g_free(question->grant);
    g_free(question->verdict);
    g_free(question);
}

ViommuAuthDevices *viommu_auth_devices_new(ViommuLoop *loop, ViommuWorker *accounts)
{
    ViommuAuthDevices *devices = g_new0(ViommuAuthDevices, 1);

    devices->loop = loop;
    devices->accounts = accounts;
    devices->groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_membership);
    devices->questions = g_hash_table_new_full(NULL, NULL, NULL, free_question);
    return devices;
}

void viommu_auth_devices_free(ViommuAuthDevices *devices)
{
    if (!devices)
        return;
    g_hash_table_unref(devices->groups);
    g_hash_table_unref(devices->questions);
    g_free(devices);
}

static Question *begin(ViommuAuthDevices *devices, sd_bus_message *call, uid_t uid)
{
    Question *question = g_new0(Question, 1);

    *question = (Question){.devices = devices,
                           .call = sd_bus_message_ref(call),
                           .uid = uid,
                           .members = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                           .asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                           .granted = g_ptr_array_new_with_free_func(g_free)};
    g_hash_table_insert(devices->questions, call, question);
    return question;
}

void viommu_auth_devices_count(const ViommuAuthDevices *devices, uid_t uid, ViommuAuthShare *share)
{
    GHashTableIter iter;
    void *question;

    g_hash_table_iter_init(&iter, devices->questions);
    while (g_hash_table_iter_next(&iter, NULL, &question))
        viommu_auth_share_count(share, ((Question *)question)->uid, uid);
}

bool viommu_auth_devices_know(const ViommuAuthDevices *devices, const sd_bus_message *call)
{
    return g_hash_table_contains(devices->questions, call);
}

void viommu_auth_devices_forget(ViommuAuthDevices *devices, sd_bus_message *call)
{
    g_hash_table_remove(devices->questions, call);
}

static void take_up(Question *question)
{
    g_autoptr(GError) error = NULL;
    int r = viommu_auth_take_up(question->call);

    if (r >= 0)
        return;
    (void)sd_bus_reply_method_errno(question->call, r, NULL);
    g_hash_table_remove(question->devices->questions, question->call);
}

/* --- The users of the site's names --- */

static void on_member(ViommuMember answer, void *userdata)
{
    Question *question = userdata;

    g_hash_table_insert(question->members, g_steal_pointer(&question->group), GINT_TO_POINTER(answer));
    take_up(question);
}

static void ask_group(Question *question, const char *group)
{
    ViommuAuthDevices *devices = question->devices;
    ViommuMembership *membership = g_hash_table_lookup(devices->groups, group);

    if (!membership) {
        membership = viommu_membership_new(devices->loop, devices->accounts, group);
        g_hash_table_insert(devices->groups, g_strdup(group), membership);
    }
    question->group = g_strdup(group);
    viommu_membership_ask(membership, question->uid, on_member, question);
}

static bool is_member(const Question *question, const char *group)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(question->members, group)) == VIOMMU_MEMBER_YES;
}

/* Adds the names for the asker, as far as the answers are known. */
static void learn_names(const Question *question, const ViommuSite *site, ViommuAsker *asker)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; i < site->devices->len; i++) {
        const ViommuSiteDevice *name = g_ptr_array_index(site->devices, i);

        if (!*name->group || is_member(question, name->group))
            g_ptr_array_add(names, g_strdup(name->name));
    }
    g_ptr_array_add(names, NULL);
    g_strfreev(asker->names);
    asker->names = (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* A group that decides on @device and was not asked about; NULL: none.  Borrowed. */
static const char *unknown_group(const Question *question, const ViommuSite *site,
                                 const ViommuPciDevice *device)
{
    for (guint i = 0; i < site->devices->len; i++) {
        const ViommuSiteDevice *name = g_ptr_array_index(site->devices, i);

        if (*name->group && !g_hash_table_contains(question->members, name->group) &&
            viommu_site_selects(NULL, name->match, device))
            return name->group;
    }
    return NULL;
}

/* --- One device --- */

static void take_grant(Question *question)
{
    if (viommu_journal_may_tell(question->uid))
        viommu_log(
            LOG_NOTICE, NULL,
            "User %u launches a machine with a device that the site does not list; polkit allowed it: %s",
            question->uid, question->grant);
    g_ptr_array_add(question->granted, g_steal_pointer(&question->grant));
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    Question *question = userdata;
    bool interactive = sd_bus_message_get_allow_interactive_authorization(question->call) > 0;
    g_autoptr(GError) error = NULL;

    question->slot = sd_bus_slot_unref(question->slot);
    if (viommu_polkit_read(answer, interactive, &error))
        take_grant(question);
    else
        question->verdict = g_strdup(error->message);
    g_clear_pointer(&question->grant, g_free);
    take_up(question);
    return 1;
}

static void ask_polkit(Question *question, const ViommuAuthLaunch *launch, const ViommuPciDevice *device)
{
    bool known = device->vendor != VIOMMU_UNSET_NUMBER;
    g_autofree char *vendor = known ? g_strdup_printf("%04x", (unsigned)device->vendor) : g_strdup("unknown");
    g_autofree char *kind = known ? g_strdup_printf("%04x", (unsigned)device->device) : g_strdup("unknown");
    const ViommuPolkitDevice told = {
        .machine = launch->request->name,
        .owner_uid = question->uid,
        .address = device->address,
        .vendor = vendor,
        .device = kind,
        .driver = device->driver ? device->driver : "none",
    };
    int r = viommu_polkit_ask_device(question->call, &told, on_answer, question, &question->slot);

    g_hash_table_add(question->asked, g_strdup(device->address));
    question->grant = viommu_device_policy_grant(device);
    if (r < 0)
        question->verdict = g_strdup_printf("viommud cannot ask polkit: %s", g_strerror(-r));
}

/* Asks the next question about @device.  False: there is none, or polkit cannot be asked. */
static bool ask_about(Question *question, const ViommuAuthLaunch *launch, const ViommuPciDevice *device,
                      ViommuAsker *asker)
{
    const char *group = unknown_group(question, launch->site, device);

    if (!viommu_device_policy_is_beyond(launch->site, asker, device) ||
        g_hash_table_contains(question->asked, device->address))
        return false;
    if (group)
        ask_group(question, group);
    else
        ask_polkit(question, launch, device);
    return !question->verdict;
}

static bool ask_next(Question *question, const ViommuAuthLaunch *launch, ViommuAsker *asker)
{
    const GPtrArray *hostdevs = launch->request->hostdevs;

    for (guint i = 0; i < hostdevs->len && !question->verdict; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(hostdevs, i);
        /* For a device that does not exist, the question has only its address. */
        const ViommuPciDevice missing = {
            .address = hostdev->address, .vendor = VIOMMU_UNSET_NUMBER, .device = VIOMMU_UNSET_NUMBER};
        const ViommuPciDevice *device =
            hostdev->address ? viommu_topology_device(&launch->host->topology, hostdev->address) : NULL;

        if (hostdev->address && ask_about(question, launch, device ? device : &missing, asker))
            return true;
    }
    return false;
}

static void give(const Question *question, ViommuAsker *asker)
{
    g_autoptr(GPtrArray) granted = g_ptr_array_new();

    for (guint i = 0; i < question->granted->len; i++)
        g_ptr_array_add(granted, g_strdup(g_ptr_array_index(question->granted, i)));
    g_ptr_array_add(granted, NULL);
    g_strfreev(asker->granted);
    asker->granted = (char **)g_ptr_array_free(g_steal_pointer(&granted), FALSE);
    g_free(asker->verdict);
    asker->verdict = g_strdup(question->verdict);
}

ViommuAuthAnswer viommu_auth_devices_ask(ViommuAuthDevices *devices, sd_bus_message *call,
                                         const ViommuAuthLaunch *launch, const ViommuAuthShare *share,
                                         ViommuAsker *asker, GError **error)
{
    Question *question = g_hash_table_lookup(devices->questions, call);

    if (!question && !viommu_auth_share_check(share, asker->uid, error))
        return VIOMMU_AUTH_NO;
    if (!question)
        question = begin(devices, call, asker->uid);
    learn_names(question, launch->site, asker);
    give(question, asker);
    if (ask_next(question, launch, asker))
        return VIOMMU_AUTH_LATER;
    give(question, asker);
    g_hash_table_remove(devices->questions, call);
    return VIOMMU_AUTH_YES;
}

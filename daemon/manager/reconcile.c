/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reconcile: makes one listing at a time, and applies it.  Does not know who waits for it. */
#include "daemon/manager/reconcile.h"

#include "daemon/machines/journal-events.h"
#include "daemon/machines/waiters.h"
#include "daemon/process/journal.h"
#include "daemon/files/boot-copies.h"
#include "daemon/process/log.h"
#include "daemon/manager/orphans.h"
#include "daemon/jobs/metadata-update.h"
#include "daemon/jobs/domain-remove.h"
#include "daemon/jobs/take-back.h"
#include "lib/base/error.h"
#include "lib/domain/recover.h"

#define TOLD_MAX 20

struct ViommuSettle {
    ViommuRegistry *registry;
    ViommuBackend *backend;
    ViommuWorker *host, *ends;
    const char *copies;
    ViommuRemains *remains;
    ViommuPauses *pauses;
    bool listing;
    bool again; /* another listing was requested while one was under way, which may be too old */
    ViommuWaiters *waiters;
    /* UUIDs of failed launches whose undo failed */
    GHashTable *owed;
    unsigned told;              /* domains logged as left alone since the listing began */
    const char *orphans_prefix; /* NULL: they are not looked for */
    GPtrArray *orphans;         /* of ViommuOrphan; NULL: none were looked for yet */
    /* UUIDs of domains that are left alone, which is told once of each */
    GHashTable *left;
};

typedef struct Listing {
    ViommuSettle *settle;
    ViommuBackend *backend;
    const char *copies_directory;
    /* of viommu_copies_list(), read before the domains: copies without a domain are then useless */
    GHashTable *copies;
    GPtrArray *domains;
    const char *orphans_prefix;
    GPtrArray *orphans;
    GError *error;
} Listing;

typedef struct Undo {
    ViommuSettle *settle;
    ViommuBackend *backend;
    const char *copies;
    char *name, *uuid, *strays;
    uint32_t owner_uid;
    GError *error;
} Undo;

static void begin(ViommuSettle *settle);

ViommuSettle *viommu_settle_new(ViommuRegistry *registry, ViommuBackend *backend,
                                const ViommuWorkers *workers, const char *copies, ViommuRemains *remains)
{
    ViommuSettle *settle = g_new0(ViommuSettle, 1);

    settle->registry = registry;
    settle->backend = backend;
    settle->host = workers->host;
    settle->ends = workers->ends;
    settle->copies = copies;
    settle->remains = remains;
    settle->waiters = viommu_waiters_new();
    settle->left = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    settle->owed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return settle;
}

void viommu_settle_free(ViommuSettle *settle)
{
    if (!settle)
        return;
    g_assert(!settle->listing);
    viommu_waiters_free(settle->waiters);
    g_hash_table_unref(settle->owed);
    g_hash_table_unref(settle->left);
    g_clear_pointer(&settle->orphans, g_ptr_array_unref);
    g_free(settle);
}

/* --- News --- */

/* A launch starts its guest paused, and lets it run. */
static void take_pause(ViommuSettle *settle, ViommuMachine *machine, ViommuPause pause)
{
    if (pause != VIOMMU_PAUSE_SUSPENDED || !viommu_machine_is_busy(machine))
        viommu_pauses_take(settle->pauses, machine, pause);
}

void viommu_settle_take_news(ViommuSettle *settle, const ViommuNews *news)
{
    ViommuMachine *machine = viommu_registry_by_uuid(settle->registry, news->uuid);
    const ViommuNewsMeaning *meaning = viommu_news_meaning(news->kind);

    /* A libvirt daemon that hung may carry out old calls, even of an earlier viommud: a domain that
     * appears may be half a machine. */
    if (!machine && (news->kind == VIOMMU_NEWS_DEFINED ||
                     (news->kind == VIOMMU_NEWS_STARTED && g_hash_table_contains(settle->owed, news->uuid))))
        viommu_settle_run(settle, NULL, NULL);
    if (machine && meaning->pause != VIOMMU_PAUSE_LAST)
        take_pause(settle, machine, meaning->pause);
    if (!machine || meaning->event == VIOMMU_EVENT_LAST)
        return;
    /* During a launch only the guest's end matters; other events are effects of the launch
     * itself. */
    if (viommu_machine_is_busy(machine) && !meaning->ends)
        return;
    /* Nobody starts this guest again, so its copies of boot files are useless. */
    if ((meaning->ends && !meaning->keeps) || meaning->event == VIOMMU_EVENT_VANISHED)
        viommu_remains_remove(settle->remains, news->uuid);
    if (meaning->ends && !viommu_machine_is_busy(machine) && machine->hostdevs && *machine->hostdevs)
        viommu_take_back_begin(settle->ends, settle->backend,
                               &(ViommuJournalSubject){machine->name, machine->uuid, &machine->owner_uid});
    viommu_registry_feed(settle->registry, machine, meaning->event);
}

/* --- Domains without a machine --- */

static void undo_work(void *data)
{
    Undo *undo = data;

    viommu_removal_run(undo->backend, undo->copies, undo->uuid, &undo->strays, &undo->error);
}

static void undo_done(void *data)
{
    Undo *undo = data;
    ViommuLogFields fields = {.machine_name = undo->name, .machine_uuid = undo->uuid};
    const ViommuJournalSubject subject = {undo->name, undo->uuid, &undo->owner_uid};

    if (undo->strays)
        viommu_journal_not_given_back(&subject, undo->strays);
    if (undo->error && viommu_journal_may_tell_of(VIOMMU_FLOW_TROUBLE, undo->owner_uid))
        viommu_log_error(LOG_ERR, &fields, undo->error,
                         "removing the remains of an interrupted launch or stop");
    else if (!undo->error)
        viommu_journal_undone(&subject);
    if (!undo->error) {
        g_hash_table_remove(undo->settle->owed, undo->uuid);
        viommu_remains_remove(undo->settle->remains, undo->uuid);
    }
    g_free(undo->name);
    g_free(undo->uuid);
    g_free(undo->strays);
    g_clear_error(&undo->error);
    g_free(undo);
}

/* Earlier versions gave the domain the machine's name. */
static const char *name_of(const ViommuDomain *domain, const ViommuMetadata *metadata)
{
    return metadata->name ? metadata->name : domain->name;
}

static void start_undo(ViommuSettle *settle, const ViommuDomain *domain, const ViommuMetadata *metadata)
{
    Undo *undo = g_new0(Undo, 1);

    undo->settle = settle;
    undo->backend = settle->backend;
    undo->copies = settle->copies;
    undo->name = g_strdup(name_of(domain, metadata));
    undo->uuid = g_strdup(domain->uuid);
    undo->owner_uid = metadata->owner_uid;
    viommu_worker_run(settle->ends, undo->owner_uid, undo_work, undo_done, undo);
}

/* --- Machines whose launch was cut short after the start --- */

typedef struct Marking {
    ViommuBackend *backend;
    char *uuid;
    GError *error;
} Marking;

static void marking_work(void *data)
{
    static const ViommuMetadataChange running = {.phase = VIOMMU_STATE_RUNNING};
    Marking *marking = data;

    viommu_record_change(marking->backend, marking->uuid, &running, &marking->error);
}

static void marking_done(void *data)
{
    Marking *marking = data;
    ViommuLogFields fields = {.machine_uuid = marking->uuid};

    if (marking->error && viommu_journal_may_tell_of(VIOMMU_FLOW_TROUBLE, VIOMMU_THROTTLE_NOBODY))
        viommu_log_error(LOG_WARNING, &fields, marking->error, "recording that a machine has started");
    g_free(marking->uuid);
    g_clear_error(&marking->error);
    g_free(marking);
}

/* Completes the launch's last step; without it, the guest's own end would look like a launch that
 * was cut short. */
static void finish_launch(ViommuSettle *settle, const ViommuDomain *domain)
{
    Marking *marking = g_new0(Marking, 1);

    marking->backend = settle->backend;
    marking->uuid = g_strdup(domain->uuid);
    viommu_worker_run(settle->ends, VIOMMU_WORKER_NOBODY, marking_work, marking_done, marking);
}

/* A user may have made a thousand such domains: those above the bound are logged with the next
 * listing, unless they are gone. */
static void leave_alone(ViommuSettle *settle, const ViommuJournalSubject *subject, const GError *error)
{
    if (g_hash_table_contains(settle->left, subject->uuid) || settle->told >= TOLD_MAX)
        return;
    settle->told++;
    g_hash_table_add(settle->left, g_strdup(subject->uuid));
    viommu_journal_left_alone(subject, error);
}

static gboolean is_not_seen(void *uuid, void *value, void *seen)
{
    return !g_hash_table_contains(seen, uuid);
}

/* device-keeper looks whether the guest has them. */
static void adopt_attached(ViommuMachine *machine, const ViommuDomain *domain)
{
    g_autoptr(GPtrArray) attached =
        domain->attached && !machine->foreign ? viommu_attached_from_xml(domain->attached, NULL) : NULL;

    for (guint i = 0; attached && i < attached->len; i++)
        viommu_machine_attach(machine, g_ptr_array_index(attached, i));
}

static void adopt(ViommuSettle *settle, const ViommuDomain *domain, const ViommuMetadata *metadata,
                  ViommuState state)
{
    const char *name = name_of(domain, metadata);
    const ViommuJournalSubject subject = {name, domain->uuid, &metadata->owner_uid};
    g_autoptr(GError) error = NULL;
    ViommuMachine *machine;

    if (viommu_registry_by_name(settle->registry, name)) {
        viommu_fail(&error, VIOMMU_ERROR_EXISTS, "the name '%s' of domain '%s' belongs to another machine",
                    name, domain->name);
        leave_alone(settle, &subject, error);
        return;
    }
    machine = viommu_machine_new(name, domain->uuid, metadata->owner_uid);
    viommu_machine_adopt(machine, metadata, state, domain->saved);
    if (state == VIOMMU_STATE_RUNNING)
        adopt_attached(machine, domain);
    if (machine->foreign)
        viommu_machine_set_sizes(machine,
                                 &(ViommuMachineSizes){.vcpus = (uint32_t)MIN(domain->vcpus, UINT32_MAX),
                                                       .memory_bytes = domain->memory_bytes});
    (void)viommu_registry_pause(settle->registry, machine, domain->pause);
    viommu_registry_add(settle->registry, machine);
    viommu_registry_announce(settle->registry, machine);
    if (domain->pause != VIOMMU_PAUSE_NONE)
        viommu_pauses_take(settle->pauses, machine, domain->pause);
    if (metadata->phase != VIOMMU_STATE_RUNNING && state == VIOMMU_STATE_RUNNING)
        finish_launch(settle, domain);
    if (machine->foreign)
        viommu_journal_foreign(machine);
    else
        viommu_journal_found(machine);
    viommu_registry_bind(settle->registry, machine);
}

/* Fails for a copy of a machine's domain, which has the machine's metadata, too.  The copy is no
 * machine, and must not end with a lease. */
static bool check_original(const ViommuDomain *domain, const ViommuMetadata *metadata, GError **error)
{
    if (!metadata || !metadata->uuid || g_ascii_strcasecmp(metadata->uuid, domain->uuid) == 0)
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_EXISTS,
        "domain '%s' is a copy of a machine: its metadata is that of UUID '%.64s'; remove the metadata (virsh metadata) to keep the copy",
        domain->name, metadata->uuid);
}

static void settle_unknown(ViommuSettle *settle, const ViommuDomain *domain)
{
    const ViommuJournalSubject subject = {.name = domain->name, .uuid = domain->uuid};
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuMetadata) metadata =
        viommu_metadata_from_xml(domain->metadata, domain->additions, &error);
    ViommuState state = VIOMMU_STATE_LAST;

    if (!check_original(domain, metadata, &error)) {
        leave_alone(settle, &subject, error);
        return;
    }
    switch (viommu_recover_decide(metadata, domain->active, domain->pause != VIOMMU_PAUSE_NONE, &state)) {
    case VIOMMU_RECOVERY_ADOPT:
        adopt(settle, domain, metadata, state);
        break;
    case VIOMMU_RECOVERY_UNDO:
        start_undo(settle, domain, metadata);
        break;
    case VIOMMU_RECOVERY_REPORT:
        leave_alone(settle, &subject, error);
        break;
    case VIOMMU_RECOVERY_LAST:
        break;
    }
}

/* --- The listing --- */

/* A failed launch stays failed, so a domain that appears later is removed. */
static void settle_owed(ViommuSettle *settle, const ViommuDomain *domain)
{
    g_autoptr(ViommuMetadata) metadata = viommu_metadata_from_xml(domain->metadata, domain->additions, NULL);

    if (metadata)
        start_undo(settle, domain, metadata);
}

static void settle_known(ViommuSettle *settle, const ViommuDomain *domain, ViommuMachine *machine)
{
    if (!viommu_registry_is_settled(settle->registry, machine))
        return;
    if (machine->state == VIOMMU_STATE_RUNNING && !domain->active)
        viommu_registry_feed(settle->registry, machine,
                             domain->saved ? VIOMMU_EVENT_GUEST_SAVED : VIOMMU_EVENT_GUEST_ENDED);
    else if (machine->state == VIOMMU_STATE_STOPPED && domain->active)
        viommu_registry_feed(settle->registry, machine, VIOMMU_EVENT_STARTED);
    if (domain->active && domain->pause != machine->pause)
        take_pause(settle, machine, domain->pause);
}

static void settle_vanished(ViommuSettle *settle, GHashTable *seen)
{
    g_autoptr(GPtrArray) machines = viommu_registry_list(settle->registry, false);

    for (guint i = 0; i < machines->len; i++) {
        ViommuMachine *machine = g_ptr_array_index(machines, i);
        /* A failed machine has no domain any more. */
        if (machine->state != VIOMMU_STATE_FAILED && !g_hash_table_contains(seen, machine->uuid) &&
            viommu_registry_is_settled(settle->registry, machine))
            viommu_registry_feed(settle->registry, machine, VIOMMU_EVENT_VANISHED);
    }
}

static void settle_all(ViommuSettle *settle, GPtrArray *domains, GHashTable *copies)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < domains->len; i++) {
        const ViommuDomain *domain = g_ptr_array_index(domains, i);
        ViommuMachine *machine = viommu_registry_by_uuid(settle->registry, domain->uuid);

        g_hash_table_add(seen, (char *)domain->uuid);
        if (g_hash_table_contains(settle->owed, domain->uuid))
            settle_owed(settle, domain);
        else if (machine)
            settle_known(settle, domain, machine);
        else if (!viommu_registry_has_ended(settle->registry, domain->uuid))
            settle_unknown(settle, domain);
    }
    settle_vanished(settle, seen);
    viommu_remains_settle(settle->remains, copies, domains);
    g_hash_table_foreach_remove(settle->left, is_not_seen, seen);
}

/* The core of their metadata lacks the sizes that limits count, so they are read from the
 * domains. */
static void read_foreign_sizes(const Listing *listing)
{
    for (guint i = 0; i < listing->domains->len; i++) {
        ViommuDomain *domain = g_ptr_array_index(listing->domains, i);
        g_autoptr(ViommuMetadata) metadata =
            viommu_metadata_from_xml(domain->metadata, domain->additions, NULL);

        if (metadata && metadata->foreign)
            viommu_backend_read_size(listing->backend, domain, NULL);
    }
}

static void list_work(void *data)
{
    Listing *listing = data;

    listing->copies = viommu_copies_list(listing->copies_directory);
    listing->domains = viommu_backend_list(listing->backend, &listing->error);
    if (listing->domains)
        read_foreign_sizes(listing);
    if (listing->domains && listing->orphans_prefix)
        listing->orphans =
            viommu_orphans_find(listing->backend, "/", VIOMMU_ORPHANS_DIRECTORY, listing->orphans_prefix);
}

/* --- Guests that libvirt has forgotten --- */

static bool has_orphan(const GPtrArray *orphans, const char *uuid)
{
    for (guint i = 0; orphans && i < orphans->len; i++)
        if (g_str_equal(((const ViommuOrphan *)g_ptr_array_index(orphans, i))->uuid, uuid))
            return true;
    return false;
}

/* Takes @orphans.  Logs each once, before its machine vanishes from the registry. */
static void take_orphans(ViommuSettle *settle, GPtrArray *orphans)
{
    for (guint i = 0; i < orphans->len; i++) {
        const ViommuOrphan *orphan = g_ptr_array_index(orphans, i);
        const ViommuMachine *machine = viommu_registry_by_uuid(settle->registry, orphan->uuid);
        const ViommuJournalSubject subject = {orphan->name, orphan->uuid,
                                              machine ? &machine->owner_uid : NULL};

        if (!has_orphan(settle->orphans, orphan->uuid))
            viommu_journal_orphaned(&subject, orphan->pid);
    }
    g_clear_pointer(&settle->orphans, g_ptr_array_unref);
    settle->orphans = orphans;
}

void viommu_settle_tell_pauses(ViommuSettle *settle, ViommuPauses *pauses)
{
    settle->pauses = pauses;
}

void viommu_settle_look_for_orphans(ViommuSettle *settle, const char *prefix)
{
    settle->orphans_prefix = prefix;
}

uint64_t viommu_settle_orphan(ViommuSettle *settle, const char *name)
{
    for (guint i = 0; settle->orphans && i < settle->orphans->len; i++) {
        const ViommuOrphan *orphan = g_ptr_array_index(settle->orphans, i);

        if (g_str_equal(orphan->name, name) && viommu_orphan_lives(orphan))
            return orphan->pid;
    }
    return 0;
}

static void list_done(void *data)
{
    Listing *listing = data;
    ViommuSettle *settle = listing->settle;

    settle->listing = false;
    if (listing->orphans)
        take_orphans(settle, g_steal_pointer(&listing->orphans));
    if (listing->domains)
        settle_all(settle, listing->domains, listing->copies);
    else if (viommu_journal_may_tell_of(VIOMMU_FLOW_TROUBLE, VIOMMU_THROTTLE_NOBODY))
        viommu_log_error(LOG_WARNING, NULL, listing->error, "listing the domains of libvirt");
    viommu_registry_end_epoch(settle->registry);
    g_clear_pointer(&listing->domains, g_ptr_array_unref);
    g_clear_pointer(&listing->copies, g_hash_table_unref);
    g_clear_error(&listing->error);
    g_free(listing);
    if (settle->again)
        begin(settle);
    else
        viommu_waiters_answer(settle->waiters, &(ViommuOutcome){.error = NULL});
}

static void begin(ViommuSettle *settle)
{
    Listing *listing = g_new0(Listing, 1);

    settle->listing = true;
    settle->told = 0;
    settle->again = false;
    viommu_registry_begin_epoch(settle->registry);
    listing->settle = settle;
    listing->backend = settle->backend;
    listing->copies_directory = settle->copies;
    listing->orphans_prefix = settle->orphans_prefix;
    viommu_worker_run(settle->host, VIOMMU_WORKER_NOBODY, list_work, list_done, listing);
}

void viommu_settle_owe(ViommuSettle *settle, const char *uuid)
{
    g_hash_table_add(settle->owed, g_strdup(uuid));
}

void viommu_settle_forgive(ViommuSettle *settle, const char *uuid)
{
    g_hash_table_remove(settle->owed, uuid);
}

void viommu_settle_run(ViommuSettle *settle, ViommuOutcomeFunc func, void *userdata)
{
    const ViommuWaiter waiter = {func, userdata};

    if (func)
        viommu_waiters_add(settle->waiters, &waiter);
    if (settle->listing)
        settle->again = true;
    else
        begin(settle);
}

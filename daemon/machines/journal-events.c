/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal-events: one function for each event. */
#include "daemon/machines/journal-events.h"

#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "daemon/process/tally.h"
#include "lib/base/error.h"
#include "lib/plan/iommu.h"

#define UID_LENGTH 16

/* @uid: a buffer of UID_LENGTH for the decimal. */
static ViommuLogFields subject_fields(const char *id, const ViommuJournalSubject *subject, char *uid)
{
    if (subject->owner_uid)
        g_snprintf(uid, UID_LENGTH, "%u", *subject->owner_uid);
    return (ViommuLogFields){.message_id = id,
                             .machine_name = subject->name,
                             .machine_uuid = subject->uuid,
                             .owner_uid = subject->owner_uid ? uid : NULL};
}

static ViommuLogFields machine_fields(const char *id, const ViommuMachine *machine, char *uid)
{
    const ViommuJournalSubject subject = {machine->name, machine->uuid, &machine->owner_uid};

    return subject_fields(id, &subject, uid);
}

/* --- Launches --- */

void viommu_journal_launched(const ViommuMachine *machine)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = machine_fields(VIOMMU_MESSAGE_LAUNCHED, machine, uid);
    const char *model = viommu_model_to_string(machine->model);

    viommu_tally_count(VIOMMU_TALLY_LAUNCHES, "Started");
    viommu_log(LOG_INFO, &fields, "Launched machine '%s': %s %s, IOMMU %s", machine->name,
               viommu_arch_to_string(machine->arch), machine->machine_type, model ? model : "none");
}

static const char *failure_id(const GError *error)
{
    if (error->domain != VIOMMU_ERROR)
        return VIOMMU_MESSAGE_FAILED;
    switch ((ViommuError)error->code) {
    case VIOMMU_ERROR_INVALID_REQUEST:
    case VIOMMU_ERROR_NOT_SUPPORTED:
    case VIOMMU_ERROR_POLICY_REFUSED:
    case VIOMMU_ERROR_EXISTS:
    case VIOMMU_ERROR_NOT_FOUND:
    case VIOMMU_ERROR_BUSY:
        return VIOMMU_MESSAGE_REFUSED;
    case VIOMMU_ERROR_NOT_VERIFIED:
    case VIOMMU_ERROR_NOT_READY:
    case VIOMMU_ERROR_BACKEND:
    case VIOMMU_ERROR_INTERNAL:
    case VIOMMU_ERROR_LAST:
        break;
    }
    return VIOMMU_MESSAGE_FAILED;
}

/* Each rule once, without "selection": it speaks against a model that was not requested, but does
 * not explain the refusal. */
static GPtrArray *list_rules(const GPtrArray *reasons)
{
    GPtrArray *rules = g_ptr_array_new();

    for (guint i = 0; reasons && i < reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(reasons, i);
        const char *name = viommu_rule_to_string(reason->rule);

        if (reason->rule != VIOMMU_RULE_SELECTION && !g_ptr_array_find(rules, name, NULL))
            g_ptr_array_add(rules, (char *)name);
    }
    g_ptr_array_add(rules, NULL);
    return rules;
}

/* @rules as list_rules() returns them; NULL: none. */
static void tally_failure(const GError *error, const GPtrArray *rules)
{
    viommu_tally_count(VIOMMU_TALLY_LAUNCHES, viommu_error_info(error)->word);
    for (guint i = 0; rules && rules->pdata[i]; i++)
        viommu_tally_count(VIOMMU_TALLY_RULES, rules->pdata[i]);
}

static uint32_t uid_of(const ViommuJournalSubject *subject)
{
    return subject->owner_uid ? *subject->owner_uid : VIOMMU_THROTTLE_NOBODY;
}

void viommu_journal_not_launched(const ViommuJournalSubject *subject, const GError *error,
                                 const GPtrArray *reasons)
{
    char uid[UID_LENGTH];
    const char *id = failure_id(error);
    ViommuLogFields fields = subject_fields(id, subject, uid);
    bool refused = g_str_equal(id, VIOMMU_MESSAGE_REFUSED);
    ViommuFlow flow = refused ? VIOMMU_FLOW_REFUSALS : VIOMMU_FLOW_FAILURES;
    g_autoptr(GPtrArray) rules = list_rules(reasons);

    tally_failure(error, rules);
    if (!viommu_journal_may_tell_of(flow, uid_of(subject)))
        return;
    fields.rules = (const char *const *)rules->pdata;
    viommu_log_error(LOG_NOTICE, &fields, error, "launch");
}

void viommu_journal_outsider_refused(uint32_t uid, const GError *error)
{
    const ViommuJournalSubject subject = {.owner_uid = &uid};
    char digits[UID_LENGTH];
    const ViommuLogFields fields = subject_fields(VIOMMU_MESSAGE_REFUSED, &subject, digits);

    tally_failure(error, NULL);
    if (viommu_journal_may_tell_of(VIOMMU_FLOW_OUTSIDERS, uid))
        viommu_log_error(LOG_INFO, &fields, error, "launch");
}

void viommu_journal_not_verified(const ViommuMachine *machine, const char *verb, const GError *error)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = machine_fields(VIOMMU_MESSAGE_NOT_VERIFIED, machine, uid);

    if (viommu_journal_may_tell(machine->owner_uid))
        viommu_log_error(LOG_WARNING, &fields, error, verb);
}

void viommu_journal_agent_broke(const ViommuMachine *machine, const GError *error)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = machine_fields(VIOMMU_MESSAGE_AGENT_BROKE, machine, uid);
    g_autofree char *what = g_strdup_printf("The agent of machine '%s' is no longer asked", machine->name);

    viommu_log_error(LOG_WARNING, &fields, error, what);
}

void viommu_journal_not_given_back(const ViommuJournalSubject *subject, const char *strays)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = subject_fields(VIOMMU_MESSAGE_NOT_GIVEN_BACK, subject, uid);

    viommu_log(LOG_WARNING, &fields, "A device of machine '%s' was not given back to the host: %s",
               subject->name, strays);
}

void viommu_journal_lease_ended(const ViommuMachine *machine, const char *why)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = machine_fields(VIOMMU_MESSAGE_LEASE_ENDED, machine, uid);

    viommu_log(LOG_NOTICE, &fields, "Removing machine '%s': %s", machine->name, why);
}

void viommu_journal_evicted(const ViommuMachine *machine, const char *why)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = machine_fields(VIOMMU_MESSAGE_EVICTED, machine, uid);

    viommu_log(LOG_WARNING, &fields, "Ending the guest of machine '%s': %s", machine->name, why);
}

void viommu_journal_found(const ViommuMachine *machine)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = machine_fields(VIOMMU_MESSAGE_FOUND, machine, uid);

    viommu_log(LOG_INFO, &fields, "Found machine '%s' again, %s", machine->name,
               viommu_machine_state_word(machine));
}

void viommu_journal_paused(const ViommuMachine *machine)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = machine_fields(VIOMMU_MESSAGE_PAUSED, machine, uid);

    if (machine->pause == VIOMMU_PAUSE_NONE)
        viommu_log(LOG_NOTICE, &fields, "Machine '%s' is not paused any more", machine->name);
    else
        viommu_log(viommu_pause_is_trouble(machine->pause) ? LOG_WARNING : LOG_NOTICE, &fields,
                   "Machine '%s' is paused: %s", machine->name, viommu_pause_words(machine->pause));
}

void viommu_journal_foreign(const ViommuMachine *machine)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = machine_fields(VIOMMU_MESSAGE_FOREIGN, machine, uid);

    viommu_log(
        LOG_NOTICE, &fields,
        "Found machine '%s' of another version of viommud (its metadata has version %u): it counts in limits, its lease holds, and it can be stopped",
        machine->name, machine->metadata_version);
}

void viommu_journal_orphaned(const ViommuJournalSubject *subject, uint64_t pid)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = subject_fields(VIOMMU_MESSAGE_ORPHANED, subject, uid);

    viommu_log(LOG_WARNING, &fields,
               "libvirt has forgotten machine '%s', but its guest runs on as process %" G_GUINT64_FORMAT
               ": power it off from inside, or end it as root: kill %" G_GUINT64_FORMAT,
               subject->name, pid, pid);
}

void viommu_journal_undone(const ViommuJournalSubject *subject)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = subject_fields(VIOMMU_MESSAGE_UNDONE, subject, uid);

    viommu_log(LOG_NOTICE, &fields, "Removed machine '%s', whose launch or stop was interrupted",
               subject->name);
}

void viommu_journal_left_alone(const ViommuJournalSubject *subject, const GError *error)
{
    char uid[UID_LENGTH];
    const ViommuLogFields fields = subject_fields(VIOMMU_MESSAGE_LEFT_ALONE, subject, uid);

    viommu_log_error(LOG_WARNING, &fields, error, "left alone");
}

/* --- The host --- */

void viommu_journal_kvm(const ViommuKvmVerdict *verdict)
{
    const ViommuLogFields fields = {.message_id = VIOMMU_MESSAGE_KVM};

    if (verdict->kvm == VIOMMU_KVM_WORKS)
        viommu_log(LOG_INFO, &fields, "KVM works: a guest of viommud's own has run in it");
    else if (verdict->kvm == VIOMMU_KVM_BROKEN)
        viommu_log(LOG_WARNING, &fields, "KVM does not run guests on this host: %s", verdict->reason);
    else
        viommu_log(LOG_WARNING, &fields, "It is not known whether KVM runs guests: %s", verdict->reason);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log: the only writer to the journal.  Writes structured fields when stderr is the journal,
 * otherwise lines of "<level> text".  The place where an error ends logs it; all others return a
 * GError. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG: the priorities */

#define VIOMMU_LOG_IDENTIFIER "viommud" /* SYSLOG_IDENTIFIER of each entry */

/* The fields of an entry; those that are set are written. */
typedef struct ViommuLogFields {
    const char *message_id;   /* MESSAGE_ID, of an event that the catalog explains (journal.h) */
    const char *machine_name; /* MACHINE_NAME */
    const char *machine_uuid; /* MACHINE_UUID */
    const char *owner_uid;    /* OWNER_UID, decimal */
    const char *error_name;   /* ERROR_NAME, as on the bus */
    const char *const *rules; /* RULE, once for each rule that refused; NULL-terminated */
} ViommuLogFields;

/** Finds out where stderr goes.  Lines above @max_priority are dropped; before this call, above
 *  LOG_INFO. Call it before the first thread is started. */
void viommu_log_open(int max_priority);
/** The number of syslog's word, "emerg" to "debug"; -1 for any other word. */
int viommu_log_priority_from_string(const char *word);
/** The word of the lowest level that is logged; the second function sets it. */
const char *viommu_log_priority(void);
void viommu_log_set_priority(int max_priority);
/** Where lines go: "journal", or "console" for stderr.  The second function sets it, and returns
 *  false for any other word. */
const char *viommu_log_target(void);
bool viommu_log_set_target(const char *word);

/** @fields may be NULL.  Messages of more than 8 KiB are cut.  Any thread. */
void viommu_log(int priority, const ViommuLogFields *fields, const char *format, ...) G_GNUC_PRINTF(3, 4);
/** Logs "@what: message of @error", with the error's bus name as a field.  For the place where an
 *  error ends.  @fields may be NULL. */
void viommu_log_error(int priority, const ViommuLogFields *fields, const GError *error, const char *what);

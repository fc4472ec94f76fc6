/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log: sd-journal when stderr is the journal, otherwise lines on stderr. */
#define SD_JOURNAL_SUPPRESS_LOCATION /* the location would always be in this file */
#include "daemon/process/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>
#include "lib/base/printable.h"
#include "lib/base/error.h"

/* Bytes, so that no message can fill the journal. */
#define MESSAGE_MAX 8192u

static const struct {
    const char *name;
    size_t offset;
} journal_fields[] = {
    {"MESSAGE_ID=", offsetof(ViommuLogFields, message_id)},
    {"MACHINE_NAME=", offsetof(ViommuLogFields, machine_name)},
    {"MACHINE_UUID=", offsetof(ViommuLogFields, machine_uuid)},
    {"OWNER_UID=", offsetof(ViommuLogFields, owner_uid)},
    {"ERROR_NAME=", offsetof(ViommuLogFields, error_name)},
};
/* All fields except the last, which may occur several times. */
G_STATIC_ASSERT(G_N_ELEMENTS(journal_fields) * sizeof(char *) == offsetof(ViommuLogFields, rules));

/* By syslog's numbers, from LOG_EMERG 0 to LOG_DEBUG 7. */
static const char *const priorities[] = {"emerg",   "alert",  "crit", "err",
                                         "warning", "notice", "info", "debug"};

/* Atomic, because workers log while the loop changes it. */
static atomic_int max_priority = LOG_INFO;
static atomic_bool to_journal;

/* systemd sets $JOURNAL_STREAM to the device and inode of its stream; a redirected stderr has
 * others. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    g_autofree char *mine = NULL;
    struct stat st;

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    mine = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return g_str_equal(stream, mine);
}

void viommu_log_open(int priority)
{
    max_priority = priority;
    to_journal = stderr_is_journal();
}

int viommu_log_priority_from_string(const char *word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(priorities); i++)
        if (g_str_equal(word, priorities[i]))
            return (int)i;
    return -1;
}

const char *viommu_log_priority(void)
{
    return priorities[max_priority];
}

void viommu_log_set_priority(int priority)
{
    max_priority = priority;
}

static const char *const targets[] = {[false] = "console", [true] = "journal"};

const char *viommu_log_target(void)
{
    return targets[to_journal];
}

bool viommu_log_set_target(const char *word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(targets); i++)
        if (g_str_equal(word, targets[i])) {
            to_journal = i;
            return true;
        }
    return false;
}

static void add_fields(GPtrArray *texts, const ViommuLogFields *fields)
{
    for (size_t i = 0; i < G_N_ELEMENTS(journal_fields); i++) {
        const char *value = G_STRUCT_MEMBER(const char *, fields, journal_fields[i].offset);
        if (value)
            g_ptr_array_add(texts, g_strconcat(journal_fields[i].name, value, NULL));
    }
    for (const char *const *rule = fields->rules; rule && *rule; rule++)
        g_ptr_array_add(texts, g_strconcat("RULE=", *rule, NULL));
}

static void write_journal(int priority, const ViommuLogFields *fields, const char *message)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autofree struct iovec *vectors = NULL;

    g_ptr_array_add(texts, g_strconcat("MESSAGE=", message, NULL));
    g_ptr_array_add(texts, g_strdup_printf("PRIORITY=%d", priority));
    g_ptr_array_add(texts, g_strdup("SYSLOG_IDENTIFIER=" VIOMMU_LOG_IDENTIFIER));
    if (fields)
        add_fields(texts, fields);
    vectors = g_new(struct iovec, texts->len);
    for (guint i = 0; i < texts->len; i++)
        vectors[i] = (struct iovec){texts->pdata[i], strlen(texts->pdata[i])};
    (void)sd_journal_sendv(vectors, (int)texts->len);
}

/* One write() for each message, so that lines of several threads do not mix. */
static void write_stderr(int priority, const char *message)
{
    g_auto(GStrv) lines = g_strsplit(message, "\n", -1);
    g_autofree char *text = g_strjoinv("\n  ", lines);
    g_autofree char *line = g_strdup_printf("%s: %s\n", priorities[priority], text);
    ssize_t n = write(STDERR_FILENO, line, strlen(line));
    (void)n;
}

/* Cuts between two characters. */
static void cut(char *message)
{
    if (strlen(message) > MESSAGE_MAX)
        *g_utf8_find_prev_char(message, message + MESSAGE_MAX) = '\0';
}

void viommu_log(int priority, const ViommuLogFields *fields, const char *format, ...)
{
    g_autofree char *text = NULL, *message = NULL;
    va_list args;

    if (priority > max_priority)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    /* The text may quote requests and libvirt, which must not steer the reader's terminal. */
    message = viommu_console_text_clean(text);
    cut(message);
    g_strchomp(message);
    if (to_journal)
        write_journal(priority, fields, message);
    else
        write_stderr(priority, message);
}

void viommu_log_error(int priority, const ViommuLogFields *fields, const GError *error, const char *what)
{
    ViommuLogFields with_name = fields ? *fields : (ViommuLogFields){0};

    with_name.error_name = viommu_error_info(error)->bus_name;
    viommu_log(priority, &with_name, "%s: %s", what, error->message);
}

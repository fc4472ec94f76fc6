/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log: sd-journal when stderr is the journal, else lines on stderr.  Does not know who logs. */
#define SD_JOURNAL_SUPPRESS_LOCATION /* it would always be this file */
#include "daemon/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>
#include "lib/error.h"

static const struct {
    const char *name;
    size_t offset;
} journal_fields[] = {
    {"MACHINE_NAME=", offsetof(ViommuLogFields, machine_name)},
    {"MACHINE_UUID=", offsetof(ViommuLogFields, machine_uuid)},
    {"OWNER_UID=", offsetof(ViommuLogFields, owner_uid)},
    {"ERROR_NAME=", offsetof(ViommuLogFields, error_name)},
};
G_STATIC_ASSERT(G_N_ELEMENTS(journal_fields) * sizeof(char *) == sizeof(ViommuLogFields));

/* By syslog's numbers, which reach from LOG_EMERG 0 to LOG_DEBUG 7. */
static const char *const priorities[] = {"emerg",   "alert",  "crit", "err",
                                         "warning", "notice", "info", "debug"};

static int max_priority = LOG_INFO;
static bool to_journal;

/* systemd sets $JOURNAL_STREAM to the device and inode of the stream it gave; a redirected stderr has another. */
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
    for (int i = LOG_ERR; i <= LOG_DEBUG; i++)
        if (g_str_equal(word, priorities[i]))
            return i;
    return -1;
}

static void write_journal(int priority, const ViommuLogFields *fields, const char *message)
{
    char *texts[3 + G_N_ELEMENTS(journal_fields)];
    struct iovec vectors[G_N_ELEMENTS(texts)];
    int n = 0;

    texts[n++] = g_strdup_printf("MESSAGE=%s", message);
    texts[n++] = g_strdup_printf("PRIORITY=%d", priority);
    texts[n++] = g_strdup("SYSLOG_IDENTIFIER=viommud");
    for (size_t i = 0; fields && i < G_N_ELEMENTS(journal_fields); i++) {
        const char *value = G_STRUCT_MEMBER(const char *, fields, journal_fields[i].offset);
        if (value)
            texts[n++] = g_strconcat(journal_fields[i].name, value, NULL);
    }
    for (int i = 0; i < n; i++)
        vectors[i] = (struct iovec){texts[i], strlen(texts[i])};
    (void)sd_journal_sendv(vectors, n);
    for (int i = 0; i < n; i++)
        g_free(texts[i]);
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

void viommu_log(int priority, const ViommuLogFields *fields, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    if (priority > max_priority)
        return;
    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/records.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/enum.h"

#define DEVICES       "sys/bus/pci/devices/"
#define TABLES        "sys/firmware/acpi/tables/"
#define ADDRESS_BYTES 64
#define TIMES_MAX     64
/* More than these find nothing new, and take longer. */
#define ASKERS_MAX   4u
#define REQUESTS_MAX 4u

typedef struct Row {
    const char *word;
    int min, max; /* number of arguments; the last one extends to the end of the line */
    void (*take)(FuzzRecords *records, char **words, unsigned depth);
    bool is_text; /* its source is always UTF-8 */
} Row;

static void take_line(FuzzRecords *records, const char *line, unsigned depth);

/* --- Files --- */

static GByteArray *decode(const char *text)
{
    GByteArray *bytes = g_byte_array_new();

    for (const char *at = text; *at; at++) {
        uint8_t byte = (uint8_t)*at;

        if (at[0] == '\\' && at[1] == 'x' && g_ascii_isxdigit(at[2]) && g_ascii_isxdigit(at[3])) {
            byte = (uint8_t)(g_ascii_xdigit_value(at[2]) << 4 | g_ascii_xdigit_value(at[3]));
            at += 3;
        } else if (at[0] == '\\' && (at[1] == 'n' || at[1] == '\\')) {
            byte = at[1] == 'n' ? '\n' : '\\';
            at++;
        }
        g_byte_array_append(bytes, &byte, 1);
    }
    return bytes;
}

static void take_file(FuzzRecords *records, char **words, unsigned depth)
{
    g_autoptr(GByteArray) bytes = decode(words[1] ? words[1] : "");

    fuzz_files_add(&records->files, words[0], bytes->data, bytes->len);
}

static void take_link(FuzzRecords *records, char **words, unsigned depth)
{
    fuzz_files_add_link(&records->files, words[0], words[1]);
}

static void take_pipe(FuzzRecords *records, char **words, unsigned depth)
{
    fuzz_files_add_pipe(&records->files, words[0]);
}

static void take_table(FuzzRecords *records, char **words, unsigned depth)
{
    g_autofree char *path = g_strconcat(TABLES, words[0], NULL);
    g_autoptr(GByteArray) bytes = decode(words[1] ? words[1] : "");
    uint8_t sum = 0;

    if (bytes->len >= 10) {
        for (guint i = 0; i < 4; i++)
            bytes->data[4 + i] = (uint8_t)(bytes->len >> (8 * i));
        bytes->data[9] = 0;
        for (guint i = 0; i < bytes->len; i++)
            sum = (uint8_t)(sum + bytes->data[i]);
        bytes->data[9] = (uint8_t)-sum;
    }
    fuzz_files_add(&records->files, path, bytes->data, bytes->len);
}

/* Writes each word into a file or link of its own. */
static void take_device(FuzzRecords *records, char **words, unsigned depth)
{
    static const struct {
        const char *name, *before;
        bool is_link;
    } parts[] = {
        {"vendor", "0x", false},
        {"device", "0x", false},
        {"class", "0x", false},
        {"driver", "../../../drivers/", true},
        {"iommu_group", "/sys/kernel/iommu_groups/", true},
        {"iommu", "/sys/class/iommu/", true},
        {"numa_node", "", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(parts) && words[i + 1]; i++) {
        g_autofree char *path = g_strdup_printf(DEVICES "%.*s/%s", ADDRESS_BYTES, words[0], parts[i].name);
        g_autofree char *value = g_strconcat(parts[i].before, words[i + 1], NULL);

        if (g_str_equal(words[i + 1], "-"))
            continue;
        if (parts[i].is_link)
            fuzz_files_add_link(&records->files, path, value);
        else
            fuzz_files_add(&records->files, path, value, strlen(value));
    }
}

static void take_times(FuzzRecords *records, char **words, unsigned depth)
{
    uint64_t n = g_ascii_strtoull(words[0], NULL, 10);

    for (uint64_t i = 0; depth == 0 && i < MIN(n, TIMES_MAX); i++) {
        g_auto(GStrv) parts = g_strsplit(words[1], "#", -1);
        char number[4];

        snprintf(number, sizeof(number), "%02u", (unsigned)i);
        g_autofree char *line = g_strjoinv(number, parts);
        take_line(records, line, depth + 1);
    }
}

/* --- All but files and devices --- */

static void take_host(FuzzRecords *records, char **words, unsigned depth)
{
    g_free(records->host);
    records->host = g_strdup(words[0]);
}

static void take_memory(FuzzRecords *records, char **words, unsigned depth)
{
    (void)g_ascii_string_to_unsigned(words[0], 10, 0, G_MAXUINT64, &records->memory_bytes, NULL);
    if (words[1])
        (void)g_ascii_string_to_unsigned(words[1], 10, 0, G_MAXUINT64, &records->locked_bytes, NULL);
}

static void take_conf(FuzzRecords *records, char **words, unsigned depth)
{
    g_string_append_printf(records->conf, "%s\n", words[0]);
}

static void take_asker(FuzzRecords *records, char **words, unsigned depth)
{
    static const char *const kinds[] = {"own", "root", "member", "outsider"};

    G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == VIOMMU_ASKER_LAST);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds) && records->askers->len < ASKERS_MAX; i++) {
        ViommuAsker *asker;

        if (!g_str_equal(words[0], kinds[i]))
            continue;
        asker = g_new0(ViommuAsker, 1);
        asker->kind = (ViommuAskerKind)i;
        asker->uid = i == VIOMMU_ASKER_ROOT ? 0 : 1000;
        asker->verdict = g_strdup("there was nobody to ask");
        asker->names = words[1] ? g_strsplit(words[1], ";", -1) : NULL;
        g_ptr_array_add(records->askers, asker);
    }
}

static void take_leave(FuzzRecords *records, char **words, unsigned depth)
{
    g_ptr_array_add(records->leaves, g_strdup(words[0]));
}

static void take_claim(FuzzRecords *records, char **words, unsigned depth)
{
    bool has = words[1] && !g_str_equal(words[1], "-");
    ViommuClaim claim = {g_strdup(words[0]), has ? g_strdup(words[1]) : NULL,
                         has && g_str_has_prefix(words[1], "own")};

    g_array_append_val(records->claims, claim);
}

static void take_modes(FuzzRecords *records, char **words, unsigned depth)
{
    g_strfreev(records->modes);
    records->modes = g_strsplit(words[0], ";", -1);
}

static void take_request(FuzzRecords *records, char **words, unsigned depth)
{
    if (records->requests->len < REQUESTS_MAX)
        g_ptr_array_add(records->requests, g_strdup(words[0]));
}

/* --- The table of records --- */

static const Row rows[] = {
    {"file", 1, 2, take_file, false},     {"link", 2, 2, take_link, false},
    {"pipe", 1, 1, take_pipe, false},     {"table", 1, 2, take_table, false},
    {"device", 4, 8, take_device, false}, {"times", 2, 2, take_times, false},
    {"host", 1, 1, take_host, true},      {"memory", 1, 2, take_memory, true},
    {"conf", 1, 1, take_conf, false},     {"asker", 1, 2, take_asker, true},
    {"leave", 1, 1, take_leave, true},    {"claim", 1, 2, take_claim, true},
    {"modes", 1, 1, take_modes, true},    {"request", 1, 1, take_request, true},
};

static void take_line(FuzzRecords *records, const char *line, unsigned depth)
{
    g_auto(GStrv) head = g_strsplit(line, " ", 2);

    for (size_t i = 0; head[0] && head[1] && i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) words = NULL;
        int n;

        if (!g_str_equal(rows[i].word, head[0]))
            continue;
        words = g_strsplit(head[1], " ", rows[i].max);
        n = (int)g_strv_length(words);
        if (n >= rows[i].min && (!rows[i].is_text || g_utf8_validate(head[1], -1, NULL)))
            rows[i].take(records, words, depth);
        return;
    }
}

static void asker_free(void *data)
{
    ViommuAsker *asker = data;

    g_strfreev(asker->names);
    g_strfreev(asker->granted);
    g_free(asker->verdict);
    g_free(asker);
}

static void claim_clear(void *data)
{
    ViommuClaim *claim = data;

    g_free((char *)claim->address);
    g_free((char *)claim->machine);
}

void fuzz_records_read(FuzzRecords *records, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    *records = (FuzzRecords){
        .conf = g_string_new(NULL),
        .memory_bytes = VIOMMU_UNSET_NUMBER,
        .locked_bytes = VIOMMU_UNSET_NUMBER,
        .askers = g_ptr_array_new_with_free_func(asker_free),
        .leaves = g_ptr_array_new_with_free_func(g_free),
        .claims = g_array_new(FALSE, FALSE, sizeof(ViommuClaim)),
        .requests = g_ptr_array_new_with_free_func(g_free),
    };
    g_array_set_clear_func(records->claims, claim_clear);
    fuzz_files_begin(&records->files);
    for (char **line = lines; *line; line++)
        take_line(records, *line, 0);
}

void fuzz_records_clear(FuzzRecords *records)
{
    fuzz_files_end(&records->files);
    g_string_free(records->conf, TRUE);
    g_free(records->host);
    g_ptr_array_unref(records->askers);
    g_ptr_array_unref(records->leaves);
    g_array_unref(records->claims);
    g_ptr_array_unref(records->requests);
    g_strfreev(records->modes);
}

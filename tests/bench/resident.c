/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resident: reads smaps_rollup. */
#include "tests/bench/resident.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "tests/bench/bench.h"

static const struct {
    const char *key;
    size_t offset;
} keys[] = {
    {"Rss:", offsetof(BenchResident, all_bytes)},
    {"Pss:", offsetof(BenchResident, share_bytes)},
    {"Private_Dirty:", offsetof(BenchResident, own_bytes)},
};

BenchResident bench_resident_read(int pid)
{
    g_autofree char *path =
        pid ? g_strdup_printf("/proc/%d/smaps_rollup", pid) : g_strdup("/proc/self/smaps_rollup");
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    BenchResident resident = {0};

    if (!g_file_get_contents(path, &text, NULL, NULL))
        bench_die("cannot read %s", path);
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
            if (g_str_has_prefix(*line, keys[i].key))
                *(uint64_t *)((char *)&resident + keys[i].offset) +=
                    strtoull(*line + strlen(keys[i].key), NULL, 10) * 1024;
    return resident;
}

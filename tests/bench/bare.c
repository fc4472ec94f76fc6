/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bare: measures the memory of a program that only opens a connection to libvirt; or, with a
 * template, before and after its engine holds N domains made from it.
 * bare URI [N TEMPLATE-FILE METADATA-FILE]
 * Prints lines of resident, proportional and own bytes, which its caller compares. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/bench/engine.h"
#include "tests/bench/resident.h"

static void print_memory(void)
{
    BenchResident resident = bench_resident_read(0);

    printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", resident.all_bytes,
           resident.share_bytes, resident.own_bytes);
}

/* Like the measurement of viommud: does not count what the first domains take, and libvirt or
 * malloc keep. */
#define WARM_UP 64

static char *domain_name(int number)
{
    return g_strdup_printf("bench-%04d", number);
}

static void launch(BenchEngine *engine, char **parts, const char *metadata, int number)
{
    g_autofree char *name = domain_name(number), *xml = g_strjoinv(name, parts),
                    *uuid = g_uuid_string_random();
    char *begin = strstr(xml, "<uuid>");

    memcpy(begin + strlen("<uuid>"), uuid, strlen(uuid));
    bench_engine_launch(engine, xml, true);
    bench_engine_set_metadata(engine, name, metadata);
}

static void launch_all(BenchEngine *engine, int n, const char *template_file, const char *metadata_file)
{
    g_autofree char *text = NULL, *metadata = NULL;
    g_auto(GStrv) parts = NULL;

    if (!g_file_get_contents(template_file, &text, NULL, NULL) ||
        !g_file_get_contents(metadata_file, &metadata, NULL, NULL))
        bench_die("cannot read %s and %s", template_file, metadata_file);
    parts = g_strsplit(text, "bench-0001", -1);
    for (int i = 1; i <= WARM_UP; i++)
        launch(engine, parts, metadata, i);
    for (int i = 1; i <= WARM_UP; i++) {
        g_autofree char *name = domain_name(i);
        bench_engine_remove(engine, name);
    }
    print_memory();
    for (int i = 1; i <= n; i++)
        launch(engine, parts, metadata, i);
}

int main(int argc, char **argv)
{
    BenchEngine *engine;

    g_set_prgname("bare");
    if (argc != 2 && argc != 5)
        bench_die("URI [N TEMPLATE-FILE METADATA-FILE]");
    engine = bench_engine_open(argv[1]);
    if (argc == 5)
        launch_all(engine, atoi(argv[2]), argv[3], argv[4]);
    print_memory();
    /* Not return: libvirt's event thread runs. */
    fflush(stdout);
    _Exit(EXIT_SUCCESS);
}

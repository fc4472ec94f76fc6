/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory: measures viommud's memory at rest, compared with a bare program on the same connection;
 * and what each of N machines adds.
 * memory PID URI BARE BARE-URI [N inside|beside]
 * beside: the engine is another process, so viommud causes all growth.  inside: the growth of a
 * bare program with the same N domains is subtracted. */
#include "tests/bench/bench.h"
#include "tests/bench/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/domain/metadata.h"
#include "tests/bench/resident.h"

#define GOAL_REST_MB     8.0
#define GOAL_MACHINE_KB  6.0
#define LAUNCHES_AT_ONCE 8
/* Before the measurement each worker has worked, and keeps the memory that this took. */
#define WARM_UP       64
#define TEMPLATE_FILE "bench-template.xml"
#define METADATA_FILE "bench-metadata.xml"

typedef struct Memory {
    int pid;
    const char *uri, *bare, *bare_uri;
    sd_bus *bus;
} Memory;

static void row(const char *what, const BenchResident *resident)
{
    bench_row(what, "%6.2f MB resident  %6.2f MB proportional  %6.2f MB of its own",
              (double)resident->all_bytes / 1e6, (double)resident->share_bytes / 1e6,
              (double)resident->own_bytes / 1e6);
}

/* The lines that the bare program prints. */
static unsigned run_bare(const Memory *memory, unsigned n, BenchResident ret_lines[2])
{
    g_autofree char *number = g_strdup_printf("%u", n), *output = NULL, *words = NULL;
    const char *arguments[] = {memory->bare,  memory->bare_uri, n ? number : NULL,
                               TEMPLATE_FILE, METADATA_FILE,    NULL};
    g_autoptr(GError) error = NULL;
    unsigned n_lines = 0;
    int status;

    if (!g_spawn_sync(NULL, (char **)arguments, NULL, 0, NULL, NULL, &output, &words, &status, &error) ||
        status)
        bench_die("%s: %s", memory->bare, error ? error->message : words);
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    for (; n_lines < 2 && lines[n_lines] && *lines[n_lines]; n_lines++) {
        BenchResident *line = &ret_lines[n_lines];
        if (sscanf(lines[n_lines], "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                   &line->all_bytes, &line->share_bytes, &line->own_bytes) != 3)
            bench_die("%s: %s", memory->bare, output);
    }
    return n_lines;
}

static void measure_rest(const Memory *memory)
{
    BenchResident rest, bare[2];

    /* The first call creates some objects. */
    sd_bus_message_unref(bench_bus_call(
        memory->bus, bench_bus_get(memory->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "HostFacts")));
    rest = bench_resident_read(memory->pid);
    run_bare(memory, 0, bare);
    bench_title("memory: at rest, %s", memory->uri);
    row("viommud", &rest);
    row("a bare program with such a connection", &bare[0]);
    bench_goal("resident at rest", (double)rest.all_bytes / 1e6, BENCH_AT_MOST, GOAL_REST_MB, "MB");
    bench_goal("of its own at rest", (double)rest.own_bytes / 1e6, BENCH_AT_MOST, GOAL_REST_MB, "MB");
}

/* --- Machines --- */

static char *machine_name(unsigned number)
{
    return g_strdup_printf("bench-%04u", number);
}

static void launch_all(const Memory *memory, unsigned n)
{
    BenchPending pending = {0};

    for (unsigned i = 1; i <= n; i++) {
        g_autofree char *name = machine_name(i);
        g_autofree char *request = g_strdup_printf(
            "{'name': <'%s'>, 'arch': <'x86_64'>, 'accelerator': <'tcg'>, 'memory': <'64 MiB'>, 'iommu': "
            "<{'is-supported': <true>}>}",
            name);
        bench_bus_send(memory->bus, bench_bus_request(memory->bus, "Launch", request), &pending);
        bench_bus_drain(memory->bus, &pending, LAUNCHES_AT_ONCE - 1);
    }
    bench_bus_drain(memory->bus, &pending, 0);
    if (pending.failed)
        bench_die("%u of %u launches failed", pending.failed, n);
}

static void warm_up(const Memory *memory)
{
    launch_all(memory, WARM_UP);
    for (unsigned i = 1; i <= WARM_UP; i++) {
        g_autofree char *name = machine_name(i), *path = bench_bus_find(memory->bus, name);
        bench_bus_kill(memory->bus, path);
    }
}

/* The domain's XML from libvirt, and viommud's metadata in libvirt's form. */
static void write_template(const Memory *memory)
{
    g_autofree char *name = machine_name(1), *path = bench_bus_find(memory->bus, name);
    g_autofree char *xml = bench_bus_xml(memory->bus, path), *inner = NULL, *text = NULL;
    g_autoptr(ViommuMetadata) metadata = NULL;
    g_autoptr(GError) error = NULL;
    const char *begin = strstr(xml, "<metadata>"), *end = strstr(xml, "</metadata>");

    if (!begin || !end)
        bench_die("the domain has no metadata");
    begin += strlen("<metadata>");
    inner = g_strstrip(g_strndup(begin, (gsize)(end - begin)));
    metadata = viommu_metadata_from_xml(inner, NULL, &error);
    if (!metadata)
        bench_die("%s", error->message);
    text = viommu_metadata_to_xml(metadata);
    if (!g_file_set_contents(TEMPLATE_FILE, xml, -1, &error) ||
        !g_file_set_contents(METADATA_FILE, text, -1, &error))
        bench_die("%s", error->message);
}

static double grown_kb(const BenchResident *before, const BenchResident *after, unsigned n)
{
    return ((double)after->own_bytes - (double)before->own_bytes) / n / 1e3;
}

static void measure_machines(const Memory *memory, unsigned n, bool inside)
{
    BenchResident before, after, bare[2];

    warm_up(memory);
    before = bench_resident_read(memory->pid);
    launch_all(memory, n);
    after = bench_resident_read(memory->pid);
    bench_title("memory: %u machines, %s", n, memory->uri);
    row("viommud, after some that are gone again", &before);
    row("viommud, with all of them", &after);
    if (!inside) {
        bench_goal("per machine", grown_kb(&before, &after, n), BENCH_AT_MOST, GOAL_MACHINE_KB, "kB");
        return;
    }
    write_template(memory);
    if (run_bare(memory, n, bare) != 2)
        bench_die("%s does not say it twice", memory->bare);
    row("a bare program, likewise before", &bare[0]);
    row("a bare program with the same domains", &bare[1]);
    bench_row("per machine, with libvirt's engine inside", "%6.2f kB", grown_kb(&before, &after, n));
    bench_row("per domain of the bare program", "%6.2f kB", grown_kb(&bare[0], &bare[1], n));
    bench_goal("per machine, less a domain of the bare one",
               grown_kb(&before, &after, n) - grown_kb(&bare[0], &bare[1], n), BENCH_AT_MOST, GOAL_MACHINE_KB,
               "kB");
}

int main(int argc, char **argv)
{
    Memory memory;

    g_set_prgname("memory");
    if (argc != 5 && argc != 7)
        bench_die("PID URI BARE BARE-URI [N inside|beside]");
    memory = (Memory){atoi(argv[1]), argv[2], argv[3], argv[4], bench_bus_open()};
    if (argc == 5)
        measure_rest(&memory);
    else
        measure_machines(&memory, (unsigned)atoi(argv[5]), g_str_equal(argv[6], "inside"));
    sd_bus_flush_close_unref(memory.bus);
    return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch: measures the time until a guest runs: through viommud, with a bare C program, and with
 * other launchers, in turns and with the same XML.  The caller leaves out launchers that cannot
 * work here.
 * launch URI GOAL ROUNDS [dbus=PATH] [viommuctl=PROGRAM] [virt-install=PROGRAM]
 * GOAL: "ratio" or "added". */
#include "tests/bench/bench.h"
#include "tests/bench/client.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/engine.h"

#define GOAL_RATIO    1.05
#define GOAL_ADDED_MS 1.0
#define WORDS_FILE    "bench-launch.words"
#define TEMPLATE      "bench-template" /* the name in the XML, replaced for each guest */

/* No kernel and no disk: the firmware finds nothing to boot.  The bench measures libvirt and
 * QEMU. */
#define REQUEST \
    "'arch': <'x86_64'>, 'accelerator': <'tcg'>, 'memory': <'64 MiB'>, 'iommu': <{'is-supported': <true>}>"

typedef struct Launch {
    const char *uri;
    sd_bus *bus;
    BenchEngine *engine;
    char *xml;
    char *dbus_path, *viommuctl, *virt_install; /* NULL: not compared */
} Launch;

typedef struct Way {
    const char *what;
    size_t needs; /* offset of the option that it needs; 0: none */
    void (*launch)(const Launch *bench, const char *name);
    void (*clear)(const Launch *bench, const char *name);
    unsigned every; /* takes part in each, or in each n-th round */
    GArray *msec;
} Way;

/* The XML of a guest of this name: the template with the name and a new UUID. */
static char *make_xml(const Launch *bench, const char *name)
{
    g_auto(GStrv) parts = g_strsplit(bench->xml, TEMPLATE, -1);
    g_autofree char *named = g_strjoinv(name, parts), *uuid = g_uuid_string_random();
    char *begin = strstr(named, "<uuid>");

    if (!begin)
        bench_die("the XML has no uuid");
    memcpy(begin + strlen("<uuid>"), uuid, strlen(uuid));
    return g_steal_pointer(&named);
}

/* What viommud passes to libvirt: the plan's XML with the metadata of such a machine. */
static char *make_template(const Launch *bench)
{
    const char *request = "{'name': <'" TEMPLATE "'>, " REQUEST "}";
    g_autoptr(GVariant) plan = bench_bus_plan(bench->bus, request);
    g_autofree char *path = bench_bus_launch(bench->bus, request), *defined = bench_bus_xml(bench->bus, path);
    const char *begin = strstr(defined, "<metadata>"), *end = strstr(defined, "</metadata>");
    const char *xml = NULL, *memory;

    bench_bus_kill(bench->bus, path);
    if (!g_variant_lookup(plan, "domain-xml", "&s", &xml) || !(memory = strstr(xml, "<memory")) || !begin ||
        !end)
        bench_die("no XML to launch by: %s%s", xml, defined);
    return g_strdup_printf("%.*s%.*s</metadata>\n  %s", (int)(memory - xml), xml, (int)(end - begin), begin,
                           memory);
}

/* --- viommud --- */

static void launch_viommud(const Launch *bench, const char *name)
{
    g_autofree char *request = g_strdup_printf("{'name': <'%s'>, " REQUEST "}", name);

    g_free(bench_bus_launch(bench->bus, request));
}

static void clear_viommud(const Launch *bench, const char *name)
{
    g_autofree char *path = bench_bus_find(bench->bus, name);

    bench_bus_kill(bench->bus, path);
}

/* --- The bare program, which is this one --- */

static void launch_bare(const Launch *bench, const char *name)
{
    g_autofree char *xml = make_xml(bench, name);

    bench_engine_launch(bench->engine, xml, false);
}

static void launch_validated(const Launch *bench, const char *name)
{
    g_autofree char *xml = make_xml(bench, name);

    bench_engine_launch(bench->engine, xml, true);
}

static void clear_bare(const Launch *bench, const char *name)
{
    bench_engine_remove(bench->engine, name);
}

/* --- libvirt-dbus --- */

static char *call_libvirt_dbus(const Launch *bench, const char *member, const char *argument)
{
    sd_bus_message *call =
        bench_bus_method(bench->bus, "org.libvirt", bench->dbus_path, "org.libvirt.Connect", member);
    g_autoptr(sd_bus_message) reply = NULL;
    const char *path;

    sd_bus_message_append(call, "s", argument);
    reply = bench_bus_call(bench->bus, call);
    if (sd_bus_message_read(reply, "o", &path) <= 0)
        bench_die("%s: no path", member);
    return g_strdup(path);
}

static void order_libvirt_dbus(const Launch *bench, const char *path, const char *member)
{
    sd_bus_message *call = bench_bus_method(bench->bus, "org.libvirt", path, "org.libvirt.Domain", member);
    g_autoptr(sd_bus_message) reply = NULL;

    sd_bus_message_append(call, "u", 0);
    reply = bench_bus_call(bench->bus, call);
}

static void launch_libvirt_dbus(const Launch *bench, const char *name)
{
    g_autofree char *xml = make_xml(bench, name);
    g_autofree char *path = call_libvirt_dbus(bench, "DomainDefineXML", xml);

    order_libvirt_dbus(bench, path, "Create");
}

static void clear_libvirt_dbus(const Launch *bench, const char *name)
{
    g_autofree char *path = call_libvirt_dbus(bench, "DomainLookupByName", name);

    order_libvirt_dbus(bench, path, "Destroy");
    order_libvirt_dbus(bench, path, "Undefine");
}

/* --- Programs --- */

/* With posix_spawn(): after a fork() each page that the bare program writes would cost it a page
 * fault. */
static void run_program(const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    g_autofree char *words = NULL;
    int status = 0, r;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, WORDS_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    r = posix_spawnp(&pid, arguments[0], &actions, NULL, (char **)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (r != 0)
        bench_die("%s: %s", arguments[0], g_strerror(r));
    waitpid(pid, &status, 0);
    if (status != 0 && g_file_get_contents(WORDS_FILE, &words, NULL, NULL))
        bench_die("%s: %s", arguments[0], words);
}

static void launch_viommuctl(const Launch *bench, const char *name)
{
    g_autofree char *file = g_strdup_printf("%s.json", name);
    g_autofree char *json =
        g_strdup_printf("{\"name\": \"%s\", \"arch\": \"x86_64\", \"accelerator\": \"tcg\", "
                        "\"memory\": \"64 MiB\", \"iommu\": {\"is-supported\": true}}",
                        name);
    const char *arguments[] = {bench->viommuctl, "--user", "launch", file, "--wait=started", NULL};

    if (!g_file_set_contents(file, json, -1, NULL))
        bench_die("cannot write %s", file);
    run_program(arguments);
    remove(file);
}

static void launch_virt_install(const Launch *bench, const char *name)
{
    const char *type = g_str_has_prefix(bench->uri, "test:") ? "test" : "qemu";
    g_autofree char *line = g_strdup_printf(
        "%s --connect %s --name %s --virt-type %s --arch x86_64 --machine q35 --memory 64 --vcpus 1 "
        "--iommu intel --import --disk none --boot hd --network none --graphics none --sound none "
        "--controller usb,model=none --memballoon none --osinfo detect=off,require=off --noautoconsole",
        bench->virt_install, bench->uri, name, type);
    g_auto(GStrv) arguments = g_strsplit(line, " ", -1);

    run_program((const char *const *)arguments);
}

#define NEEDS(member) offsetof(Launch, member)

static Way ways[] = {
    {"viommud", 0, launch_viommud, clear_viommud, 1, NULL},
    {"a bare define and start", 0, launch_bare, clear_bare, 1, NULL},
    {"the same, validated as by viommud", 0, launch_validated, clear_bare, 1, NULL},
    {"libvirt-dbus", NEEDS(dbus_path), launch_libvirt_dbus, clear_libvirt_dbus, 1, NULL},
    {"viommuctl launch (a process)", NEEDS(viommuctl), launch_viommuctl, clear_viommud, 2, NULL},
    {"virt-install (a process)", NEEDS(virt_install), launch_virt_install, clear_bare, 5, NULL},
};
enum {
    VIOMMUD,
    BARE,
    VALIDATED
};

static bool takes_part(const Launch *bench, const Way *way)
{
    return way->needs == 0 || *(char *const *)((const char *)bench + way->needs);
}

/* @number: of the launch, for its name.  Negative: not timed, because the first launch makes
 * libvirt probe QEMU. */
static void launch_once(const Launch *bench, Way *way, int number)
{
    g_autofree char *name = g_strdup_printf("bench-%d-%d", (int)(way - ways), number + 1);
    uint64_t begin = bench_now_nsec();

    way->launch(bench, name);
    if (number >= 0)
        bench_samples_add(way->msec, (double)(bench_now_nsec() - begin) / 1e6);
    way->clear(bench, name);
}

static void run_rounds(const Launch *bench, int rounds)
{
    for (int round = -1; round < rounds; round++)
        for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
            /* Each round begins with another one. */
            Way *way = &ways[(i + (size_t)(round + 1)) % G_N_ELEMENTS(ways)];
            if (takes_part(bench, way) && (round < 0 || (unsigned)round % way->every == 0))
                launch_once(bench, way, round);
        }
}

static void report_goals(const double quartiles[], const double medians[], bool is_ratio)
{
    if (is_ratio) {
        bench_row("viommud / validated, of the quickest quarters", "%9.3f",
                  quartiles[VIOMMUD] / quartiles[VALIDATED]);
        bench_goal("viommud / bare", medians[VIOMMUD] / medians[BARE], BENCH_AT_MOST, GOAL_RATIO, "");
        bench_goal("viommud / bare and validated", medians[VIOMMUD] / medians[VALIDATED], BENCH_AT_MOST,
                   GOAL_RATIO, "");
    } else {
        bench_goal("added to bare", medians[VIOMMUD] - medians[BARE], BENCH_AT_MOST, GOAL_ADDED_MS, "ms");
        bench_goal("added to bare and validated", medians[VIOMMUD] - medians[VALIDATED], BENCH_AT_MOST,
                   GOAL_ADDED_MS, "ms");
    }
}

static void report(const Launch *bench, bool is_ratio)
{
    double quartiles[G_N_ELEMENTS(ways)], medians[G_N_ELEMENTS(ways)];

    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
        if (takes_part(bench, &ways[i])) {
            quartiles[i] = bench_samples_at(ways[i].msec, 0.25);
            medians[i] = bench_samples_at(ways[i].msec, 0.5);
        }
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
        if (takes_part(bench, &ways[i]))
            bench_row(ways[i].what, "median %9.2f  quickest quarter %9.2f ms  %8.3f of bare  (%u launches)",
                      medians[i], quartiles[i], medians[i] / medians[BARE], ways[i].msec->len);
    report_goals(quartiles, medians, is_ratio);
}

static void read_options(Launch *bench, char **options)
{
    const struct {
        const char *prefix;
        char **value;
    } known[] = {{"dbus=", &bench->dbus_path},
                 {"viommuctl=", &bench->viommuctl},
                 {"virt-install=", &bench->virt_install}};

    for (; *options; options++)
        for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
            if (g_str_has_prefix(*options, known[i].prefix))
                *known[i].value = *options + strlen(known[i].prefix);
}

int main(int argc, char **argv)
{
    Launch bench = {.uri = argv[1]};

    g_set_prgname("launch");
    if (argc < 4)
        bench_die("URI GOAL ROUNDS [OPTION...]");
    read_options(&bench, argv + 4);
    bench.bus = bench_bus_open();
    bench.engine = bench_engine_open(bench.uri);
    bench.xml = make_template(&bench);
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
        ways[i].msec = bench_samples_new();
    bench_title("launch: %s, 64 MiB, TCG, nothing to boot; %s rounds, in turns, medians", bench.uri, argv[3]);
    run_rounds(&bench, atoi(argv[3]));
    report(&bench, g_str_equal(argv[2], "ratio"));
    /* Not return: libvirt's event thread runs. */
    fflush(stdout);
    _Exit(EXIT_SUCCESS);
}

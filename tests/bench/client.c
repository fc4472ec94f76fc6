/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client: the connection and the calls.  Does not know what is measured. */
#include "tests/bench/client.h"

#include <stdlib.h>

#include "daemon/bus/variant.h"
#include "tests/bench/bench.h"

static void check(int r, const char *what)
{
    if (r < 0)
        bench_die("%s: %s", what, g_strerror(-r));
}

sd_bus *bench_bus_open(void)
{
    sd_bus *bus = NULL;

    check(sd_bus_open_user(&bus), "connecting to the session bus");
    return bus;
}

sd_bus_message *bench_bus_method(sd_bus *bus, const char *name, const char *path, const char *interface,
                                 const char *member)
{
    sd_bus_message *call = NULL;

    check(sd_bus_message_new_method_call(bus, &call, name, path, interface, member), member);
    return call;
}

sd_bus_message *bench_bus_request(sd_bus *bus, const char *member, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    sd_bus_message *call =
        bench_bus_method(bus, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, member);

    if (!tree)
        bench_die("%s: %s", text, error->message);
    check(viommu_bus_variant_append(call, tree), member);
    return call;
}

sd_bus_message *bench_bus_get(sd_bus *bus, const char *path, const char *interface, const char *property)
{
    sd_bus_message *call =
        bench_bus_method(bus, VIOMMU_BUS_NAME, path, "org.freedesktop.DBus.Properties", "Get");

    check(sd_bus_message_append(call, "ss", interface, property), property);
    return call;
}

sd_bus_message *bench_bus_ping(sd_bus *bus)
{
    return bench_bus_method(bus, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping");
}

sd_bus_message *bench_bus_call(sd_bus *bus, sd_bus_message *taken)
{
    g_autoptr(sd_bus_message) call = taken;
    sd_bus_message *reply = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;

    if (sd_bus_call(bus, call, BENCH_PATIENCE_USEC, &error, &reply) < 0)
        bench_die("%s: %s: %s", sd_bus_message_get_member(call), error.name, error.message);
    return reply;
}

/* The only text, or path, in the reply to @taken. */
static char *call_for_text(sd_bus *bus, sd_bus_message *taken, const char *type)
{
    g_autoptr(sd_bus_message) reply = bench_bus_call(bus, taken);
    const char *text;

    check(sd_bus_message_read(reply, type, &text), "reading a reply");
    return g_strdup(text);
}

char *bench_bus_launch(sd_bus *bus, const char *text)
{
    return call_for_text(bus, bench_bus_request(bus, "Launch", text), "o");
}

char *bench_bus_find(sd_bus *bus, const char *name)
{
    sd_bus_message *call =
        bench_bus_method(bus, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "GetMachine");

    check(sd_bus_message_append(call, "s", name), name);
    return call_for_text(bus, call, "o");
}

char *bench_bus_xml(sd_bus *bus, const char *path)
{
    return call_for_text(
        bus, bench_bus_method(bus, VIOMMU_BUS_NAME, path, VIOMMU_IFACE_MACHINE, "GetDomainXML"), "s");
}

GVariant *bench_bus_plan(sd_bus *bus, const char *text)
{
    g_autoptr(sd_bus_message) reply = bench_bus_call(bus, bench_bus_request(bus, "Plan", text));
    g_autoptr(GError) error = NULL;
    GVariant *plan = NULL;

    if (!viommu_bus_variant_read(reply, &plan, &error))
        bench_die("Plan: %s", error->message);
    return plan;
}

void bench_bus_kill(sd_bus *bus, const char *path)
{
    sd_bus_message_unref(
        bench_bus_call(bus, bench_bus_method(bus, VIOMMU_BUS_NAME, path, VIOMMU_IFACE_MACHINE, "Kill")));
}

unsigned bench_bus_count(sd_bus *bus)
{
    g_autoptr(sd_bus_message) reply = NULL;
    unsigned n = 0;

    if (sd_bus_call_method(bus, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines", NULL,
                           &reply, NULL) < 0)
        return 0;
    for (sd_bus_message_enter_container(reply, 'a', "(ssso)"); sd_bus_message_skip(reply, "(ssso)") > 0;)
        n++;
    return n;
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    BenchPending *pending = userdata;

    pending->left--;
    pending->failed += sd_bus_message_is_method_error(reply, NULL) > 0;
    return 0;
}

void bench_bus_send(sd_bus *bus, sd_bus_message *taken, BenchPending *pending)
{
    g_autoptr(sd_bus_message) call = taken;

    pending->left++;
    check(sd_bus_call_async(bus, NULL, call, on_reply, pending, BENCH_PATIENCE_USEC), "sending a call");
}

void bench_bus_drain(sd_bus *bus, BenchPending *pending, unsigned left)
{
    while (pending->left > left) {
        int r = sd_bus_process(bus, NULL);
        if (r == 0)
            r = sd_bus_wait(bus, BENCH_PATIENCE_USEC);
        check(r, "waiting for replies");
    }
}

double bench_loop_cpu_usec(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/schedstat", pid), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        bench_die("cannot read %s", path);
    return (double)strtoull(text, NULL, 10) / 1e3;
}

int bench_bus_pid(sd_bus *bus)
{
    sd_bus_message *call = bench_bus_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                            "org.freedesktop.DBus", "GetConnectionUnixProcessID");
    g_autoptr(sd_bus_message) reply = NULL;
    uint32_t pid = 0;

    sd_bus_message_append(call, "s", VIOMMU_BUS_NAME);
    reply = bench_bus_call(bus, call);
    sd_bus_message_read(reply, "u", &pid);
    return (int)pid;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client: viommud for a client on the session bus.  Does not know what is measured.  An error ends
 * the program. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include "lib/base/names.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus, sd_bus_flush_close_unref)

/* Enough for a guest under TCG on a machine that runs 32 of them. */
#define BENCH_PATIENCE_USEC (120 * G_USEC_PER_SEC)

/** A new connection to the session bus.  Owned. */
sd_bus *bench_bus_open(void);
/** All of these are owned; sending a call frees it. */
sd_bus_message *bench_bus_method(sd_bus *bus, const char *name, const char *path, const char *interface,
                                 const char *member);
/** @member of the Manager, with a request in GVariant's text format. */
sd_bus_message *bench_bus_request(sd_bus *bus, const char *member, const char *text);
/** Properties.Get of viommud. */
sd_bus_message *bench_bus_get(sd_bus *bus, const char *path, const char *interface, const char *property);
sd_bus_message *bench_bus_ping(sd_bus *bus);
/** Sends and waits for the reply. */
sd_bus_message *bench_bus_call(sd_bus *bus, sd_bus_message *call);
/** Launches; the machine's path, owned. */
char *bench_bus_launch(sd_bus *bus, const char *text);
/** Plans; a{sv}, owned. */
GVariant *bench_bus_plan(sd_bus *bus, const char *text);
/** Calls GetMachine; the machine's path, owned. */
char *bench_bus_find(sd_bus *bus, const char *name);
/** Calls GetDomainXML; owned. */
char *bench_bus_xml(sd_bus *bus, const char *path);
/** Kills the machine, and waits until it is gone. */
void bench_bus_kill(sd_bus *bus, const char *path);
/** How many machines there are; 0 also when viommud does not answer yet. */
unsigned bench_bus_count(sd_bus *bus);

/** The process of viommud. */
int bench_bus_pid(sd_bus *bus);
/** The CPU time of the first thread of process @pid, on which viommud answers; the kernel counts
 *  it. */
double bench_loop_cpu_usec(int pid);

typedef struct BenchPending {
    unsigned left, failed;
} BenchPending;
/** Sends without waiting; increases @pending->left, which the reply decreases. */
void bench_bus_send(sd_bus *bus, sd_bus_message *call, BenchPending *pending);
/** Processes replies until at most @left are left. */
void bench_bus_drain(sd_bus *bus, BenchPending *pending, unsigned left);

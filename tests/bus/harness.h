/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* harness: a private dbus-daemon, the real viommud on it, and a client.  One for each scenario,
 * which ends what it starts. */
#pragma once

#include <check.h>
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include "lib/base/names.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus, sd_bus_flush_close_unref)

/* A test waits for milliseconds; under a sanitizer on a busy machine, for seconds. */
#define HARNESS_PATIENCE_USEC (30 * G_USEC_PER_SEC)

typedef struct Harness {
    char *directory; /* removed at the end */
    char *address;   /* of the bus */
    GPid bus_pid, daemon_pid;
    uid_t daemon_uid; /* for the next start; 0: like the test */
    GPid libvirt_pid; /* 0: viommud has libvirt inside, or none */
    sd_bus *bus;      /* the client's connection */
    /* of sd_bus_message: signals that harness_wait_signal() has not taken yet */
    GPtrArray *signals;
} Harness;

/* An error reply. */
typedef struct HarnessError {
    char *name, *message;
    GPtrArray *reasons; /* of char *: "MODEL RULE TEXT", from NotSupported */
} HarnessError;

/** A bus without a daemon.  @activation: the bus starts one when it is called. */
Harness *harness_new(bool activation);
/** A bus whose configuration has @rules, XML, as well as its address; viommud is started there as
 *  @daemon_uid.  Only as root. */
Harness *harness_new_ruled(const char *rules, uid_t daemon_uid);
/** A bus with a viommud, with --user and test:///default. */
Harness *harness_new_ready(void);
/** Ends the daemon, which must end successfully, and the bus. */
void harness_free(Harness *harness);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Harness, harness_free)

/** Starts viommud with @options, a list that NULL ends, and waits for its name. */
void harness_start(Harness *harness, const char *const *options);
/** Starts a viommud that should end by itself; returns its exit status, and its output in
 *  *ret_words, owned. */
int harness_run(Harness *harness, const char *const *options, char **ret_words);
/** Whether harness_start_libvirt() can work here. */
bool harness_has_libvirt(void);
/** Starts a private libvirtd, as an ordinary user, and waits for its socket.  Returns the URI of
 *  the test driver in it; owned. */
char *harness_start_libvirt(Harness *harness);
/** Kills libvirtd at once. */
void harness_kill_libvirt(Harness *harness);
/** Sends a signal to the daemon. */
void harness_signal(Harness *harness, int number);
/** Waits until the daemon ends, and returns its exit status. */
int harness_wait_exit(Harness *harness);
/** Writes the configuration that the daemon reads when it starts. */
void harness_configure(Harness *harness, const char *text);
/** Removes @path and what is below it. */
void harness_remove_tree(const char *path);
/** Another client.  Owned, sd_bus_flush_close_unref(). */
sd_bus *harness_connect(Harness *harness);
/** The same as another user; only for root. */
sd_bus *harness_connect_as(Harness *harness, uid_t uid);

/** A call on @bus, to be filled with arguments.  Owned. */
sd_bus_message *harness_method(sd_bus *bus, const char *path, const char *interface, const char *member);
/** Sends @call, which is freed; returns the reply or the error.  Owned. */
sd_bus_message *harness_exchange(Harness *harness, sd_bus_message *call);
/** Sends @call, which is freed; it must succeed.  Owned. */
sd_bus_message *harness_call(Harness *harness, sd_bus_message *call);
/** Sends @call, which is freed; it must fail. */
HarnessError *harness_call_error(Harness *harness, sd_bus_message *call);
void harness_error_free(HarnessError *error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HarnessError, harness_error_free)

/* A call that waits for its reply. */
typedef struct HarnessPending {
    sd_bus *bus;
    sd_bus_message *answer; /* NULL: none yet; owned */
} HarnessPending;
/** Sends @call, which is freed, on @bus, and does not wait.  @ret_pending must not move until the
 *  reply is there. */
void harness_send(sd_bus *bus, sd_bus_message *call, HarnessPending *ret_pending);
/** Waits for the reply.  Borrowed. */
sd_bus_message *harness_answer(HarnessPending *pending);

/** The Launch or Plan of a request in GVariant's text format. Owned. */
sd_bus_message *harness_request(sd_bus *bus, const char *member, const char *text);
/** Launches; returns the path, owned. */
char *harness_launch(Harness *harness, const char *text);
/** Calls GetMachine with a name or UUID.  Owned path. */
char *harness_find(Harness *harness, const char *name);
/** Calls Launch or Plan, which must be refused. */
HarnessError *harness_refused(Harness *harness, const char *member, const char *text);
/** Fails unless @error has that name ("Busy") and its message contains @words. */
void harness_assert_error(const HarnessError *error, const char *name, const char *words);
/** Calls Stop(seconds), or with a negative number Kill(). */
void harness_stop(Harness *harness, const char *path, int seconds);

/** A property as GVariant text, owned: "'running'", "uint32 2". */
char *harness_property(Harness *harness, const char *path, const char *interface, const char *name);
void harness_assert_property(Harness *harness, const char *path, const char *name, const char *text);
/** The number of machines. */
unsigned harness_count(Harness *harness);

/** Keeps signals from now on. */
void harness_watch(Harness *harness);
/** Waits for @member of @path, and drops earlier signals.  Owned, rewound. */
sd_bus_message *harness_wait_signal(Harness *harness, const char *path, const char *member);
/** Waits until @path has @state, or has signalled it. */
void harness_wait_state(Harness *harness, const char *path, const char *state);

typedef struct HarnessScenario {
    const char *name;
    const TTest **test; /* check declares a test as a variable */
} HarnessScenario;
/** Runs the scenario that the command line names, or all; a row of NULL ends @scenarios. */
int harness_main(int argc, char **argv, const HarnessScenario *scenarios);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* people: a system's bus and its callers: root, a member of viommud's group, and an outsider, each
 * with a uid of its own. */
#pragma once

#include "tests/bus/harness.h"

/* A user of every system, whose own group becomes viommud's; and one outside that group. */
#define PEOPLE_MEMBER   65534
#define PEOPLE_OUTSIDER 1

/* The beginning of a configuration without bounds, because the test's machine may be small. */
#define PEOPLE_UNBOUND                                                                            \
    "[limits]\nmachines-per-user=0\nvcpus=0\nvcpus-per-user=0\nmemory=0 B\nmemory-per-user=0 B\n" \
    "copies=0 B\ncopies-per-user=0 B\noverlays=0 B\noverlays-per-user=0 B\ndisk-reserve=0 B\n"

#define PEOPLE_PROPERTIES "org.freedesktop.DBus.Properties"

/** The group of the member; NULL: this machine has none.  Owned. */
char *people_group(void);
/** A bus with a viommud that serves a system, as root. */
Harness *people_new_system(void);
/** The same with further lines of a configuration file, which begin in the group [daemon]. */
Harness *people_new_configured(const char *configuration);

/* @call is freed. */

/** The reply or the error.  Owned. */
sd_bus_message *people_exchange(sd_bus *bus, sd_bus_message *call);
/** The call must succeed.  Owned. */
sd_bus_message *people_assert_allowed(sd_bus *bus, sd_bus_message *call);
/** The same, and frees the reply. */
void people_allow(sd_bus *bus, sd_bus_message *call);
/** Fails unless @answer is the error @name ("Busy") and contains @words. */
void people_assert_error(sd_bus_message *answer, const char *name, const char *words);
/** The call must fail with PolicyRefused, and the message must contain @words. */
void people_assert_refused(sd_bus *bus, sd_bus_message *call, const char *words);
/** Launches a machine with an IOMMU; returns its path, owned. */
char *people_launch(sd_bus *bus, const char *name);

/* Calls, ready to be sent.  Owned. */
sd_bus_message *people_on_machine(sd_bus *bus, const char *path, const char *member);
sd_bus_message *people_get(sd_bus *bus, const char *path, const char *property);
sd_bus_message *people_get_all(sd_bus *bus, const char *path);

/** Like harness_main(), if the test can run.  @obstacle: why it cannot; NULL: it can. */
int people_main(int argc, char **argv, const HarnessScenario *scenarios, const char *obstacle);

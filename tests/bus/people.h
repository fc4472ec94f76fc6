/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* people: a system's bus and who calls there: root, a member of viommud's group, an outsider, each with a uid of its own. */
#pragma once

#include "tests/bus/harness.h"

/* A user that every system has, whose own group is made viommud's; and one that is not in that group. */
#define PEOPLE_MEMBER   65534
#define PEOPLE_OUTSIDER 1

/* The beginning of a configuration: the machine that runs a test is not to bound it, however small it is. */
#define PEOPLE_UNBOUND                                                                            \
    "[limits]\nmachines-per-user=0\nvcpus=0\nvcpus-per-user=0\nmemory=0 B\nmemory-per-user=0 B\n" \
    "copies=0 B\ncopies-per-user=0 B\n"

#define PEOPLE_PROPERTIES "org.freedesktop.DBus.Properties"

/** The group of the member; NULL: none here. Owned. */
char *people_group(void);
/** A bus with a viommud on it that serves a system, as root. */
Harness *people_new_system(void);
/** The same with more of a configuration file, which goes on in the group [daemon]. */
Harness *people_new_configured(const char *configuration);

/* @call is freed. */

/** The answer, or the error. Owned. */
sd_bus_message *people_exchange(sd_bus *bus, sd_bus_message *call);
/** An answer must come. Owned. */
sd_bus_message *people_assert_allowed(sd_bus *bus, sd_bus_message *call);
/** The same. */
void people_allow(sd_bus *bus, sd_bus_message *call);
/** Fails unless @answer is the error @name ("Busy") and contains @words. */
void people_assert_error(sd_bus_message *answer, const char *name, const char *words);
/** PolicyRefused must come, and contain @words. */
void people_assert_refused(sd_bus *bus, sd_bus_message *call, const char *words);
/** Launches a machine with an IOMMU; its path, owned. */
char *people_launch(sd_bus *bus, const char *name);

/* Calls to be sent. Owned. */
sd_bus_message *people_on_machine(sd_bus *bus, const char *path, const char *member);
sd_bus_message *people_get(sd_bus *bus, const char *path, const char *property);
sd_bus_message *people_get_all(sd_bus *bus, const char *path);

/** As harness_main(), where it can run.  @obstacle: why it cannot; NULL: it can. */
int people_main(int argc, char **argv, const HarnessScenario *scenarios, const char *obstacle);

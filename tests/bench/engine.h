/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine: libvirt as a bare C program uses it: one connection, an event loop in a thread, define and start.
 * What viommud is compared with; shares no code with it.  Errors end the program. */
#pragma once

#include <stdbool.h>

typedef struct BenchEngine BenchEngine;

/** Opens @uri.  Never closed: the process ends with it. */
BenchEngine *bench_engine_open(const char *uri);
/** @validate: against libvirt's schema, as viommud does. */
void bench_engine_launch(BenchEngine *engine, const char *xml, bool validate);
/** Stores @metadata in both the configuration and the running domain, as viommud does. */
void bench_engine_set_metadata(BenchEngine *engine, const char *name, const char *metadata);
/** Destroys what runs and undefines what is defined by this name; neither needs to be. */
void bench_engine_remove(BenchEngine *engine, const char *name);

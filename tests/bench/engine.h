/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine: libvirt as a bare C program uses it: one connection, an event loop in a thread, define
 * and start.  The benches compare viommud with it; it shares no code with viommud.  Errors end the
 * program. */
#pragma once

#include <stdbool.h>

typedef struct BenchEngine BenchEngine;

/** Opens @uri, which is never closed: the process ends with it. */
BenchEngine *bench_engine_open(const char *uri);
/** @validate: with libvirt's schema, as viommud does. */
void bench_engine_launch(BenchEngine *engine, const char *xml, bool validate);
/** Stores @metadata in both the configuration and the running domain, as viommud does. */
void bench_engine_set_metadata(BenchEngine *engine, const char *name, const char *metadata);
/** Destroys and undefines the domain of this name, if it exists. */
void bench_engine_remove(BenchEngine *engine, const char *name);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: what one guest prints, on its way to a log file, a short memory and those who are
 * attached; and what they write, on its way to the guest.  Runs on the loop.  Knows the backend;
 * does not know machines, clients or the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/loop.h"
#include "lib/guest/proof.h"

typedef struct ViommuConsole ViommuConsole;

/* What consoles work with; all borrowed. */
typedef struct ViommuConsoleContext {
    ViommuLoop *loop;
    ViommuBackend *backend;
    uint64_t log_bytes; /* the most that a log takes */
} ViommuConsoleContext;

/** @log: the file; NULL: none. Owned. */
ViommuConsole *viommu_console_new(const ViommuConsoleContext *context, const char *uuid, const char *log);
/** Whoever is attached hears that it is over. */
void viommu_console_free(ViommuConsole *console);

/** Takes what waits at the backend. */
void viommu_console_take(ViommuConsole *console);
/** The backend reads it. */
bool viommu_console_is_open(const ViommuConsole *console);
/** Why it is not read, in words; "": it is.  Borrowed, until the next take. */
const char *viommu_console_problem(const ViommuConsole *console);
/** The guest has ended: whoever is attached hears of it. */
void viommu_console_end(ViommuConsole *console);

/** *ret_fd: a stream socket, owned: what the guest printed last, and prints from now on; what is
 *  written to it goes to the guest.  Who does not read is dropped.  Fails: BUSY when too many are
 *  attached; INTERNAL. */
bool viommu_console_attach(ViommuConsole *console, int *ret_fd, GError **error);
unsigned viommu_console_n_attached(const ViommuConsole *console);

/** The last whole report that the guest has printed. Owned; NULL: none. */
ViommuReport *viommu_console_report(const ViommuConsole *console);
/** The last lines, as lib/console-text has it. Owned; NULL: none. */
char *viommu_console_tail(const ViommuConsole *console);

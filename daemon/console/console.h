/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: one guest's output, on its way to a log file, a short memory and the attached clients;
 * and their input, on its way to the guest.  Runs on the loop.  Knows the backend; does not know
 * machines, clients of the bus, or the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/loop.h"
#include "lib/guest/proof.h"

typedef struct ViommuConsole ViommuConsole;

/* What all consoles use; all borrowed. */
typedef struct ViommuConsoleContext {
    ViommuLoop *loop;
    ViommuBackend *backend;
    uint64_t log_bytes; /* the largest size of a log */
} ViommuConsoleContext;

/** @log: the path of the file; NULL: no log.  Owned. */
ViommuConsole *viommu_console_new(const ViommuConsoleContext *context, const char *uuid, const char *log);
/** Disconnects the attached clients. */
void viommu_console_free(ViommuConsole *console);

/** Takes the output that waits at the backend. */
void viommu_console_take(ViommuConsole *console);
/** Whether the backend reads this console. */
bool viommu_console_is_open(const ViommuConsole *console);
/** Why the console is not read; "": it is read.  Borrowed, until the next take. */
const char *viommu_console_problem(const ViommuConsole *console);
/** The guest has ended: disconnects the attached clients. */
void viommu_console_end(ViommuConsole *console);

/** *ret_fd: a stream socket, owned.  It first has the guest's last output, then new output; what is
 *  written to it goes to the guest.  A client that does not read is disconnected.  Fails: BUSY when
 *  too many clients are attached; INTERNAL. */
bool viommu_console_attach(ViommuConsole *console, int *ret_fd, GError **error);
unsigned viommu_console_n_attached(const ViommuConsole *console);

/** The last complete report that the guest printed.  Owned; NULL: none. */
ViommuReport *viommu_console_report(const ViommuConsole *console);
/** Whether the guest has begun a report, and not ended it yet. */
bool viommu_console_is_reporting(const ViommuConsole *console);
/** The last lines, as lib/base/printable returns them.  Owned; NULL: none. */
char *viommu_console_tail(const ViommuConsole *console);

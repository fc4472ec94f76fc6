/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-backend: the functions of daemon/libvirt/backend.h over a table of domains, linked in place of the room libvirt.  What a domain
 * does is told as libvirt tells it; a test says which calls fail, and which hang.  Knows no libvirt and no QEMU; knows nothing of
 * machines.  There is one, as there is one libvirt.  Any thread. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "tests/daemon/fake-script.h"

/* What is there of a domain. */
typedef struct FakeDomain {
    char *name;
    char uuid[37];
    char *xml, *metadata, *additions; /* metadata NULL: it is not ours */
    bool active, paused;
    bool obeys;         /* it ends when it is asked to */
    char *agent_output; /* NULL: it has no agent */
    bool agent_breaks;  /* and libvirt's daemon dies when it is asked */
    char *hostdev;      /* PCI address that it has while it is active; NULL: none */

    bool console_open;
    char *console_refusal;   /* why it cannot be opened; NULL: it can */
    ViommuConsoleNews *news; /* to be taken; NULL: nothing */
    GString *input;          /* what was sent to its console */
    bool deaf;               /* it does not read its console: nothing is "sent" */
} FakeDomain;

/** The next @times of defining are refused by libvirt's own judgement of a configuration. */
void fake_refuse(unsigned times, const char *words);
/** How often a console was to be opened. */
unsigned fake_console_openings(void);

/** A domain that is there; texts are copied, @metadata may be NULL. Borrowed, until it is undefined.  Tells nothing. */
FakeDomain *fake_add(const char *name, const char *uuid, const char *metadata, bool active);
/** Borrowed; NULL: there is none. */
FakeDomain *fake_find(const char *uuid);
/** Somebody else takes it away; tells nothing. */
void fake_forget(const char *uuid);
/** Tells news as libvirt does; @uuid "" for the connection. */
void fake_tell(ViommuNewsKind kind, const char *uuid, const char *detail);
/** Its guest ends: @kind is told, after its console's end. */
void fake_end(const char *uuid, ViommuNewsKind kind, const char *detail);

/** Its guest prints @text; @lost bytes more did not fit. */
void fake_print(const char *uuid, const char *text, uint64_t lost);
/** A deaf guest reads its console again. */
void fake_listen(const char *uuid);
/** Its console breaks. */
void fake_break_console(const char *uuid, const char *error);

/** The host as a recorded one, text of a{sv}; NULL: Debian 12 with x86_64 and aarch64. */
void fake_set_host(const char *text);
/** The forward mode of every network from now on; "" for one that is not there.  Static; "nat" until it is set. */
void fake_set_network_mode(const char *mode);
/** Guests have no consoles; before the backend is watched for them. */
void fake_set_consoles(bool has);

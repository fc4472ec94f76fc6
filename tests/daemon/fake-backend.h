/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-backend: the functions of daemon/libvirt/backend.h over a table of domains, linked in place
 * of the room libvirt.  It reports what domains do as libvirt does; a test sets which calls fail,
 * and which hang.  Knows no libvirt, no QEMU and no machines.  There is one, as there is one
 * libvirt.  Any thread. */
#pragma once

#include "daemon/libvirt/kvm-proof.h"
#include "tests/daemon/fake-script.h"

/* The command that was run last in a guest.  Read and write it through fake_command_...(), while a
 * command runs. */
typedef struct FakeCommand {
    char *words;    /* the command's, with spaces between */
    GString *input; /* what it got */
    bool is_whole;  /* and nothing more comes */
    GString *printed[VIOMMU_GUEST_OUTPUTS];
    gsize n_read[VIOMMU_GUEST_OUTPUTS];
    bool exits; /* when viommud looks next */
    int status;
    unsigned n_starts, n_ends, n_kills;
} FakeCommand;

/* The state of a domain. */
typedef struct FakeDomain {
    char *name;
    char uuid[37];
    char *xml, *metadata, *additions; /* metadata NULL: not viommud's */
    char *attached;                   /* the element; NULL: none */
    GPtrArray *devices;               /* of char *: the XML of each that was attached; NULL: none */
    bool clings;                      /* its guest gives back no device */
    bool active, saved;
    ViommuPause pause;
    bool obeys;         /* powers off when asked to */
    char *agent_output; /* NULL: no agent */
    bool agent_breaks;  /* and libvirt's daemon crashes when the agent is asked */
    FakeCommand command;
    uint64_t cpu_nsec;     /* that it has taken */
    GArray *forwards;      /* of ViommuForward; NULL: none */
    const char *addresses; /* with spaces between; static; NULL: none */
    char *hostdev;         /* PCI address of its device while it is active; NULL: none */

    bool console_open;
    char *console_refusal;   /* why it cannot be opened; NULL: it can */
    ViommuConsoleNews *news; /* to be taken; NULL: none */
    GString *input;          /* bytes sent to its console */
    bool deaf;               /* does not read its console: "sent" is never reported */
} FakeDomain;

/** libvirt refuses the configuration of the next @times definitions. */
void fake_refuse(unsigned times, const char *words);
/** How often a console was opened, or refused. */
unsigned fake_console_openings(void);

/** The guest of domain @uuid gives back the device with @alias, and libvirt reports it. */
void fake_give_back(const char *uuid, const char *alias);
/** Adds a domain; texts are copied, @metadata may be NULL.  Borrowed, until it is undefined.
 *  Reports nothing. */
FakeDomain *fake_add(const char *name, const char *uuid, const char *metadata, bool active);
/** Borrowed; NULL: no such domain. */
FakeDomain *fake_find(const char *uuid);
/** Removes the domain, as another client would; reports nothing. */
void fake_forget(const char *uuid);
/** Reports news as libvirt does; @uuid "" for the connection. */
void fake_tell(ViommuNewsKind kind, const char *uuid, const char *detail);
/** Ends its guest: reports @kind, after the end of its console. */
void fake_end(const char *uuid, ViommuNewsKind kind, const char *detail);

/** Its guest prints @text; @lost further bytes did not fit. */
void fake_print(const char *uuid, const char *text, uint64_t lost);
/** A deaf guest reads its console again. */
void fake_listen(const char *uuid);
/** The command in the guest @uuid prints @text (@size bytes) to its output @i. */
void fake_command_print(const char *uuid, size_t i, const char *text, gsize size);
/** It exits with @status. */
void fake_command_exit(const char *uuid, int status);
/** How much of output @i was read. */
gsize fake_command_read(const char *uuid, size_t i);
/** How many commands were started, ended, and of these killed. */
unsigned fake_command_starts(const char *uuid);
unsigned fake_command_ends(const char *uuid);
unsigned fake_command_kills(const char *uuid);
/** For fake-backend.c: frees what @command has. */
void fake_command_clear(FakeCommand *command);
/** Breaks its console. */
void fake_break_console(const char *uuid, const char *error);

/* For the files of the fake backend only.  A domain may be freed by another thread whenever the
 * lock is not held. */
/** Like fake_find(), with fake_lock held. */
FakeDomain *fake_find_held(const char *uuid);
/** What all active domains take, as ViommuUsage; likewise.  Owned. */
GArray *fake_usage_held(void);
/** Closes the console of @domain, with fake_lock held; fake_tell_console() reports it, without. */
void fake_close_console(FakeDomain *domain, const char *error);
void fake_tell_console(const char *uuid);
/** Nobody watches consoles any more. */
void fake_consoles_clear(void);
/** Begins a call about a domain, and holds the lock for fake_script_end().  NULL: the call fails or
 *  the domain does not exist, and the lock is not held. */
FakeDomain *fake_begin_domain_call(FakeCall call, const char *uuid, GError **error);

/** The recorded host, text of a{sv}; NULL: Debian 12 with x86_64 and aarch64. */
void fake_set_host(const char *text);
/** What is proven of KVM from now on, while the host has KVM: with this stamp (static; NULL: there
 *  is nothing to prove, as in the beginning), and this verdict and reason (static). */
void fake_set_kvm(const char *stamp, ViommuKvm kvm, const char *reason);
/** The forward mode of each network from now on; "": no such network.  Static; the default is
 *  "nat". */
void fake_set_network_mode(const char *mode);
/** Guests have no consoles; call it before the backend watches them. */
void fake_set_consoles(bool has);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* abuse: a bus with the system's rules and ours, a daemon with a user of its own, an unprivileged attacker, a victim who
 * wants to be served meanwhile; and the daemon must come out of it as it went in. */
#pragma once

#include "tests/bus/people.h"

/* Users that every system has. */
#define ABUSE_DAEMON 2
#define ABUSE_VICTIM 3
/* What the daemon may have grown by after an abuse.  Caches fill, and a flood of ten thousand calls
 * leaves 13 to 35 MiB in the allocator, more with MALLOC_PERTURB_ and on a loaded machine; three
 * times as many calls leave no more.  A larger leak for each of thousands of calls shows.
 * A sanitizer keeps what was freed, finds leaks by itself, and takes its time. */
#ifdef __SANITIZE_ADDRESS__
#define ABUSE_GROWTH_KIB (1024u * 1024)
#define ABUSE_SLOWNESS   5
#else
#define ABUSE_GROWTH_KIB (48u * 1024)
#define ABUSE_SLOWNESS   1
#endif

/* How long the victim may have to wait meanwhile. */
#define ABUSE_PATIENCE_USEC (2 * ABUSE_SLOWNESS * G_USEC_PER_SEC)

typedef struct Abuse {
    Harness *harness;
    sd_bus *attacker; /* PEOPLE_MEMBER */
    sd_bus *victim;   /* ABUSE_VICTIM, who is in no group */
    GPid pid;         /* of the daemon */
    size_t rss_kib;   /* before */
} Abuse;

/** Warm: each kind of call has been made once. */
Abuse *abuse_begin(void);
/** Fails unless the daemon is the same process, no machine is left, and it has not grown. */
void abuse_end(Abuse *abuse);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Abuse, abuse_end)

/** The victim reads a property; how long that took, in milliseconds.  Fails when it takes longer than its patience. */
unsigned abuse_serve_victim(Abuse *abuse);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* abuse: a bus with the system's rules and viommud's, a daemon with a user of its own, an
 * unprivileged attacker, and a victim who must be served meanwhile; in the end the daemon must be
 * unchanged. */
#pragma once

#include "tests/bus/people.h"

/* Users of every system. */
#define ABUSE_DAEMON 2
#define ABUSE_VICTIM 3
/* How much the daemon may grow during an abuse.  Caches fill, and a flood of ten thousand calls
 * leaves 13 to 35 MiB in the allocator, more with MALLOC_PERTURB_ and on a loaded machine; three
 * times as many calls leave no more.  A larger leak per call shows over thousands of calls.  A
 * sanitizer keeps freed memory, finds leaks itself, and is slow. */
#ifdef __SANITIZE_ADDRESS__
#define ABUSE_GROWTH_KIB (1024u * 1024)
#define ABUSE_SLOWNESS   5
#else
#define ABUSE_GROWTH_KIB (48u * 1024)
#define ABUSE_SLOWNESS   1
#endif

/* The longest time that the victim may wait meanwhile. */
#define ABUSE_PATIENCE_USEC (2 * ABUSE_SLOWNESS * G_USEC_PER_SEC)

typedef struct Abuse {
    Harness *harness;
    sd_bus *attacker; /* PEOPLE_MEMBER */
    sd_bus *victim;   /* ABUSE_VICTIM, a member of no group */
    GPid pid;         /* of the daemon */
    size_t rss_kib;   /* before the abuse */
} Abuse;

/** Starts everything, and makes each kind of call once. */
Abuse *abuse_begin(void);
/** Fails unless the daemon is the same process, no machine is left, and it has not grown. */
void abuse_end(Abuse *abuse);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Abuse, abuse_end)

/** The victim reads a property; returns the milliseconds.  Fails when that takes longer than
 *  ABUSE_PATIENCE_USEC. */
unsigned abuse_serve_victim(Abuse *abuse);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-script: which calls of the fake backend fail, lose their answer, or hang.  Knows calls by their names alone.  Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/error.h"

/* The calls that can be made to fail or to hang. */
typedef enum FakeCall {
    FAKE_PROBE,
    FAKE_LIST,
    FAKE_TOPOLOGY,
    FAKE_NETWORK,
    FAKE_DEFINE,
    FAKE_GET_METADATA,
    FAKE_SET_METADATA,
    FAKE_START,
    FAKE_SHUTDOWN,
    FAKE_DESTROY,
    FAKE_RESET,
    FAKE_UNDEFINE,
    FAKE_XML,
    FAKE_AGENT,
    FAKE_CALL_LAST,
} FakeCall;

/** The next @times of @call fail with @code and @words.  Nothing is done by then, unless fake_lose() says so. */
void fake_fail(FakeCall call, unsigned times, ViommuError code, const char *words);
/** Of the calls that fail only the answer is lost. */
void fake_lose(FakeCall call, bool lose);
/** From now on each @call hangs until fake_release().  How many hang: fake_hanging(). */
void fake_hold(FakeCall call);
void fake_release(FakeCall call);
unsigned fake_hanging(FakeCall call);
/** How often it was called. */
unsigned fake_calls(FakeCall call);

/* For fake-backend.c alone: its table is under the same lock. */
extern GMutex fake_lock;
/** Returns with the lock taken, when nothing holds the call any more.  False: it fails, and the lock is not taken. */
bool fake_script_begin(FakeCall call, GError **error);
/** Lets go of the lock.  False: the answer is lost. */
bool fake_script_end(FakeCall call, GError **error);
/** Nothing fails any more. */
void fake_script_clear(void);

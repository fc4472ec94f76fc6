/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-script: which calls of the fake backend fail, lose their reply, or hang.  Knows calls by
 * name only.  Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/error.h"

/* The calls that can fail or hang. */
typedef enum FakeCall {
    FAKE_PROBE,
    FAKE_PROVE,
    FAKE_LIST,
    FAKE_TOPOLOGY,
    FAKE_NETWORK,
    FAKE_USAGE,
    FAKE_DEFINE,
    FAKE_GET_METADATA,
    FAKE_SET_METADATA,
    FAKE_START,
    FAKE_SHUTDOWN,
    FAKE_DESTROY,
    FAKE_RESET,
    FAKE_SUSPEND,
    FAKE_RESUME,
    FAKE_UNDEFINE,
    FAKE_ATTACH,
    FAKE_DETACH,
    FAKE_SET_ATTACHED,
    FAKE_XML,
    FAKE_READ_FORWARDS,
    FAKE_READ_ADDRESSES,
    FAKE_FIND_PAUSE,
    FAKE_AGENT,
    FAKE_COMMAND_START,
    FAKE_COMMAND_STEP,
    FAKE_COMMAND_END,
    FAKE_CALL_LAST,
} FakeCall;

/** The next @times of @call fail with @code and @words, and do nothing, unless fake_lose() says
 *  otherwise. */
void fake_fail(FakeCall call, unsigned times, ViommuError code, const char *words);
/** Failing calls only lose their reply. */
void fake_lose(FakeCall call, bool lose);
/** From now on each @call hangs until fake_release(); fake_hanging() counts them. */
void fake_hold(FakeCall call);
void fake_release(FakeCall call);
unsigned fake_hanging(FakeCall call);
/** How often it was called. */
unsigned fake_calls(FakeCall call);

/* For the files of the fake backend only: the same lock protects its table. */
extern GMutex fake_lock;
/** Returns with the lock held, when the call may go on.  False: it fails, and the lock is not
 *  held. */
bool fake_script_begin(FakeCall call, GError **error);
/** Releases the lock.  False: the reply is lost. */
bool fake_script_end(FakeCall call, GError **error);
/** From now on nothing fails. */
void fake_script_clear(void);

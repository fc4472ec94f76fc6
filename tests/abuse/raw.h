/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* raw: a hand-made client of the bus, for messages that no library would send.  Knows the wire
 * protocol. */
#pragma once

#include "tests/bus/people.h"

/** A socket on which PEOPLE_MEMBER has authenticated and said Hello.  The caller closes it. */
int raw_connect(const Harness *harness);
/** Calls GetMachine with @length bytes of @text, which need not be a valid string. */
void raw_get_machine(int fd, const char *text, size_t length);
/** Calls @member without arguments, and wants the reply. */
void raw_call(int fd, const char *path, const char *interface, const char *member);
/** Sends a signal that pretends to come from the bus, to the connection @destination alone. */
void raw_signal(int fd, const char *destination);
/** Sends bytes that need not be a message. */
void raw_send(int fd, const void *bytes, size_t length);
/** Reads until @words arrive (true) or the bus disconnects (false).  Fails when neither happens for
 *  long. */
bool raw_hears(int fd, const char *words);
/** Reads until @words with the numbers 0 to @n - 1 behind them have come, in this order (true). */
bool raw_hears_in_order(int fd, const char *words, unsigned n);

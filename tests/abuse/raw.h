/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* raw: a client of the bus made by hand, for what no library would send.  Knows the wire, not what is abuse. */
#pragma once

#include "tests/bus/people.h"

/** A socket on which PEOPLE_MEMBER has logged in and said Hello.  The caller closes it. */
int raw_connect(const Harness *harness);
/** Calls GetMachine with @text of @length bytes, which need not be a string. */
void raw_get_machine(int fd, const char *text, size_t length);
/** Calls @member, which has no arguments, and wants the answer. */
void raw_call(int fd, const char *path, const char *interface, const char *member);
/** Sends a signal that pretends to be the bus's, to the connection @destination alone. */
void raw_signal(int fd, const char *destination);
/** Sends bytes that need not be a message. */
void raw_send(int fd, const void *bytes, size_t length);
/** Reads until @words come by, true, or the bus hangs up, false.  Fails when neither happens for long. */
bool raw_hears(int fd, const char *words);

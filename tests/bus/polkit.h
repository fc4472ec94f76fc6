/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit: a real polkitd on a scenario's bus, with viommud's actions and one rule of the
 * scenario. */
#pragma once

#include "tests/bus/harness.h"

/** Why polkitd cannot run here; NULL: it can. */
const char *polkit_obstacle(void);
/** @rule is the body of a function of action and subject; in it, "there" is a directory that it can
 *  write to. */
void polkit_start(Harness *harness, const char *rule);
void polkit_end(void);
/** Creates the file @name in that directory, which tells a rule to go on. */
void polkit_touch(Harness *harness, const char *name);
/** Removes "go" and "asked". */
void polkit_untouch(Harness *harness);
/** Waits until @name exists there. */
void polkit_wait(Harness *harness, const char *name);

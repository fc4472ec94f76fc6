/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz: the common part of the targets: an input as text, file or tree, and the rules for
 * everything that is accepted.  A target is one LLVMFuzzerTestOneInput(); driver.c or libFuzzer has
 * the main(). A broken rule aborts. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/host/host.h"
#include "lib/domain/metadata.h"
#include "lib/plan/plan.h"

/** The entry of each target; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Unless @condition holds, ends the program with its text and place. */
#define fuzz_check(condition)                                                    \
    do {                                                                         \
        if (!(condition))                                                        \
            g_error("%s:%d: does not hold: %s", __FILE__, __LINE__, #condition); \
    } while (0)

/** The input up to its first NUL. Owned, g_free(). */
char *fuzz_text(const uint8_t *data, size_t size);
/** A path whose content is the input, and the descriptor that keeps it, for the caller to close.
 *  Owned, g_free(). */
char *fuzz_file(const uint8_t *data, size_t size, int *ret_file);
/** The input as a{sv}: GVariant text when it begins with '{', else GVariant bytes, in normal form.
 *  NULL when it is no such tree.  Owned. */
GVariant *fuzz_tree(const uint8_t *data, size_t size);

/** Either @accepted, or @error is one of viommud's, in UTF-8. */
void fuzz_check_outcome(bool accepted, const GError *error);
/** Both are NULL, or the texts are equal. */
void fuzz_check_same(const char *before, const char *after);
/** Parses @tree as a request; NULL after a proper refusal.  Owned. */
ViommuRequest *fuzz_request(GVariant *tree);
/** Plans @request on @host, and once more with a veto of the chosen model; the XML of each plan
 *  must parse, and its metadata must read back the same. */
void fuzz_plan(const ViommuRequest *request, const ViommuHost *host);
/** Makes one plan, checked like that; NULL, and *ret_refusal (owned) has the reason.  Owned. */
ViommuPlan *fuzz_plan_once(const ViommuPlanInput *input, char **ret_refusal);
/** The host stays the same when it is recorded and read again. */
void fuzz_host(const ViommuHost *host);
/** The recorded host of that name in tests/golden/hosts. Owned. */
ViommuHost *fuzz_recorded_host(const char *name);
/** The same, read once for the whole program.  Borrowed. */
const ViommuHost *fuzz_known_host(const char *name);
/** The metadata stays the same when it is written, read and written again, as libvirt returns it
 *  and as it stands in a domain. */
void fuzz_metadata(const ViommuMetadata *metadata);

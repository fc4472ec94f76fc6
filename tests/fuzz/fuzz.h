/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz: what the targets share: one input as text, file or tree, and what must hold of everything that was accepted.
 * A target is one LLVMFuzzerTestOneInput(); driver.c or libFuzzer has the main().  What does not hold aborts. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/host/host.h"
#include "lib/domain/metadata.h"
#include "lib/plan/plan.h"

/** The entry of every target; 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Ends the program with the words and place of @condition, unless it holds. */
#define fuzz_check(condition)                                                    \
    do {                                                                         \
        if (!(condition))                                                        \
            g_error("%s:%d: does not hold: %s", __FILE__, __LINE__, #condition); \
    } while (0)

/** The input up to its first NUL. Owned, g_free(). */
char *fuzz_text(const uint8_t *data, size_t size);
/** A path that reads as the input, and the descriptor that keeps it, for the caller to close. Owned, g_free(). */
char *fuzz_file(const uint8_t *data, size_t size, int *ret_file);
/** The input as a{sv}: as GVariant text when it begins with '{', else as GVariant's bytes, whatever they are, in normal
 *  form.  NULL when it is no such tree. Owned. */
GVariant *fuzz_tree(const uint8_t *data, size_t size);

/** @accepted or a good @error: one of ours, in UTF-8. */
void fuzz_check_outcome(bool accepted, const GError *error);
/** Both NULL, or the same text. */
void fuzz_check_same(const char *before, const char *after);
/** Reads as a request like @tree, or is refused well; NULL then. Owned. */
ViommuRequest *fuzz_request(GVariant *tree);
/** Plans @request on @host, and once more with a veto of what was chosen; every plan's XML must parse, and its metadata
 *  come back. */
void fuzz_plan(const ViommuRequest *request, const ViommuHost *host);
/** One plan, whose XML must parse, and its metadata come back; NULL, and *ret_refusal (owned) says why.  Owned. */
ViommuPlan *fuzz_plan_once(const ViommuPlanInput *input, char **ret_refusal);
/** Recorded and read again it is the same. */
void fuzz_host(const ViommuHost *host);
/** The recorded host of that name in tests/golden/hosts. Owned. */
ViommuHost *fuzz_recorded_host(const char *name);
/** The same, read once in the life of the program. Borrowed. */
const ViommuHost *fuzz_known_host(const char *name);
/** Written, read and written again it is the same, as libvirt hands it out and as it stands in a domain. */
void fuzz_metadata(const ViommuMetadata *metadata);

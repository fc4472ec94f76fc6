/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request: the request of launch, run and plan: a file, a requirement of tmt,
 * words KEY=VALUE, and options. */
#pragma once

#include "tools/ctl/ctl.h"

/** Does something with @request (a{sv}); false: it is not possible, or something failed. */
typedef bool (*ViommuCtlTry)(ViommuCtl *ctl, GVariant *request, void *data, GError **error);

/** Passes the request to @try: the keys of the file, overridden by the requirement of --tmt or
 *  --beaker, by the words, and by the options.
 *  If the requirement has alternatives, each is a request, and they are tried in turn until one is
 *  possible.
 *  @ret_note: which alternative it is, where there were several, and what is not judged; NULL:
 *  none; owned; may be NULL.
 *  Fails: USAGE if there is no request, or more than one file; INVALID_REQUEST naming the file and
 *  the line, or quoting the word; what @try says of the only request, or of each. */
bool viommu_ctl_request_try(ViommuCtl *ctl, ViommuCtlTry try, void *data, char **ret_note, GError **error);

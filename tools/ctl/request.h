/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request: the request of launch, run and plan: a file, words KEY=VALUE, and options. */
#pragma once

#include "tools/ctl/ctl.h"

/** The tree of the request: the keys of the file, overridden by the words, overridden by the
 *  options. @return owned (not floating).  Fails: USAGE if there is no request, or more than one
 *  file; INVALID_REQUEST naming the file and the line, or quoting the word. */
GVariant *viommu_ctl_request_read(const ViommuCtl *ctl, GError **error);

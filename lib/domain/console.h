/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: where a running guest's first console is, by the XML of its domain.  Knows where
 * libvirt names it. */
#pragma once

#include <glib.h>

/** The terminal's path ("/dev/pts/3"); NULL: it has none, as a guest that does not run.  Owned. */
char *viommu_domain_console_terminal(const char *xml);

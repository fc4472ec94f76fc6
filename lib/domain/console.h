/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: finds the first console of a running guest in the XML of its domain. */
#pragma once

#include <glib.h>

/** The path of the terminal ("/dev/pts/3"); NULL: there is none, as in a guest that does not run.
 *  Owned. */
char *viommu_domain_console_terminal(const char *xml);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host-stamp: what shows that libvirt's answers about this host may have changed.  Looks at files
 * that viommud sees from inside its unit; does not know libvirt. */
#pragma once

#include <glib.h>
#include "lib/host/host.h"

/** A text that differs from the one before when an emulator, firmware, KVM or memory has appeared,
 *  gone or changed.  @root: the directory read as "/".  @host: the last answers.  @now_usec: the
 *  monotonic time, because an answer that must change soon is only good for some seconds.
 *  Owned. */
char *viommu_host_stamp(const char *root, const ViommuHost *host, gint64 now_usec);

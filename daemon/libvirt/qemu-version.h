/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-version: asks an emulator for its version by running it, for libvirt does not tell.  Knows
 * neither libvirt nor the host. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/version.h"

/** Runs "@path --version" and blocks until it has answered, @timeout_ms at most; then it is killed.
 *  Fails: BACKEND. */
bool viommu_qemu_version_ask(const char *path, unsigned timeout_ms, ViommuVersion *ret_version,
                             GError **error);
/** Reads "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)".  False, *ret_version untouched, for
 *  another text. */
bool viommu_qemu_version_read(const char *text, ViommuVersion *ret_version);

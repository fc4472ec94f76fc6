/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-version: runs an emulator to read its version, which libvirt does not report.  Knows neither
 * libvirt nor the host. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/version.h"

/** Runs "@path --version" and blocks until it has answered, for at most @timeout_ms; then it is
 *  killed. Fails: BACKEND. */
bool viommu_qemu_version_ask(const char *path, unsigned timeout_ms, ViommuVersion *ret_version,
                             GError **error);
/** Reads "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)".  False, *ret_version untouched, for
 *  another text. */
bool viommu_qemu_version_read(const char *text, ViommuVersion *ret_version);

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# install: puts what "host --installed" has built into the host that this runs in, as "meson install" would.
set -euo pipefail
# Where /lib is a link to /usr/lib it stays one.
tar -C /viommu/stage -c . | tar -C / -x --keep-directory-symlink --no-same-owner
env -u DESTDIR MESON_INSTALL_PREFIX=/usr sh "$(dirname "$0")/../../conf/after-install"

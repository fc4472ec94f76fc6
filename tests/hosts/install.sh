#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# install: installs what "host --installed" has built into the host that runs this, like "meson
# install".
set -euo pipefail
# If /lib is a link to /usr/lib, it stays a link.
tar -C /viommu/stage -c . | tar -C / -x --keep-directory-symlink --no-same-owner
env -u DESTDIR MESON_INSTALL_PREFIX=/usr sh "$(dirname "$0")/../../conf/after-install"

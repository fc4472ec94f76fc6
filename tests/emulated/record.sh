#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# record: what viommuctl says of an emulated host, and no more.  Run by
# "hardware --record", or by "host --machine=... record", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
the_host '.topology.iommus | length == 1'
finish

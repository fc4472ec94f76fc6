# SPDX-License-Identifier: LGPL-2.1-or-later
# members: the service as installed, and users of it.  Sourced by scripts that run in a host, as
# root, with --installed, after tap.sh.
# shellcheck shell=bash

# members_and_service: ci and mate are in the group of viommud, stranger is not.
members_and_service() {
    local user
    for user in ci mate stranger; do
        useradd --create-home "$user"
    done
    run 0 'viommud is installed' '' tests/hosts/install.sh
    run 0 'and started' '' systemctl enable --now viommud
    usermod -aG viommu ci
    usermod -aG viommu mate
}

# SPDX-License-Identifier: LGPL-2.1-or-later
# passwords: polkit asks for a password on the terminal of a user outside viommud's group.  Sourced
# by "service".
# shellcheck shell=bash disable=SC2154  # "service" sets work

chpasswd <<<'root:open-sesame'
run 0 'a machine of a member' '^asked$' runuser -u ci -- viommuctl --system launch --wait=started - <<<'{"name": "asked", "memory": "64 MiB"}'
run 0 "with an administrator's password a stranger may" "to reset the virtual machine 'asked' of the user with the UID $(id -u ci)" \
    tests/hosts/ask.py stranger open-sesame '' viommuctl --system reset asked
run 4 'with a wrong one not' 'needs org.viommu1.manage-all: polkit' tests/hosts/ask.py stranger open-barley '' viommuctl --system reset asked
run 6 'nor what is gone when the password is there' 'there is no machine' tests/hosts/ask.py stranger open-sesame \
    'viommuctl kill asked' viommuctl --system reset asked

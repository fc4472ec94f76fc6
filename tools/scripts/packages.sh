# SPDX-License-Identifier: LGPL-2.1-or-later
# packages: installs the packages of tools/scripts/packages.txt that are missing.  Sourced by bash,
# after say.sh.  Knows apt, and not what the packages are for.

packages_list=$(dirname "${BASH_SOURCE[0]}")/packages.txt

# packages_missing PURPOSE...: prints the names of the missing packages.
packages_missing() {
    local name purpose
    while read -r name purpose _; do
        case " $* " in
        *" $purpose "*) ;;
        *) continue ;;
        esac
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
    done < <(grep -v -e '^#' -e '^$' "$packages_list")
}

# packages_need PURPOSE...: installs the missing packages as root; otherwise prints the command for
# it and ends the script.
packages_need() {
    local missing log
    command -v apt-get >/dev/null ||
        say_die "this machine has no apt-get: install the packages of $packages_list by hand"
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "Packages are missing; run as root:"
        say "    apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        exit 1
    fi
    log=$(mktemp)
    say_while "packages: updating the lists" "$log" apt-get -q update
    say_while "packages: installing ${#missing[@]}: ${missing[*]}" "$log" packages_install "${missing[@]}"
    rm -f "$log"
}

# Without systemd (a container, a chroot), a policy file prevents packages from starting services.
packages_install() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -d /run/systemd/system ] || [ -e "$policy" ]; then policy=; fi
    if [ -n "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o APT::Status-Fd=1 -o Acquire::Retries=3 \
        -o Dpkg::Options::=--force-confold --no-install-recommends install "$@" || status=$?
    [ -z "$policy" ] || rm -f "$policy"
    return "$status"
}

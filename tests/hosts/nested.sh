# SPDX-License-Identifier: LGPL-2.1-or-later
# nested: hosts within the host, each with its own systemd, system bus, polkit and libvirtd, on one
# network.  They begin as what the host is then; what they change is gone with them.  Sourced by
# scripts that run in a host, as root, with systemd-container installed, after tap.sh.
# shellcheck shell=bash

nested_address=10.9.0.1  # of the host itself
nested_net=10.9.0

# nested_open: makes the network, and what the hosts are made of.
nested_open() {
    ip link add nested type bridge
    ip address add "$nested_address/24" dev nested
    ip link set nested up
    echo "$nested_address $(hostname) ctl" >>/etc/hosts
    local i
    for i in 1 2 3 4; do
        echo "$nested_net.$((i + 1)) host$i" >>/etc/hosts
    done
    rm -f /etc/hostname  # which would be the name of each
    mkdir -p /viommu-nested
    mount --bind / /viommu-nested
}

# Nothing, if it does not run.
nested_leader() {
    local pid
    pid=$(systemctl show --property=MainPID --value "nested-$1")
    [ "${pid:-0}" -eq 0 ] || pgrep --oldest --parent "$pid"
}

# on HOST COMMAND...: runs it there, as root.
on() {
    local pid
    pid=$(nested_leader "$1")
    [ "$pid" ] || return 1
    nsenter --target="$pid" --all --wdns="$PWD" -- "${@:2}"
}

nested_is_up() {
    case $(on "$1" systemctl is-system-running) in
    running | degraded) ;;
    *) return 1 ;;
    esac
}

# nested_boot HOST [OPTION...]: with these options of systemd-nspawn; HOST is host1 to host4.
nested_boot() {
    systemd-run --quiet --collect --unit="nested-$1" --property=Delegate=yes --setenv=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
        systemd-nspawn --quiet --directory=/viommu-nested --volatile=overlay --boot --machine="$1" --hostname="$1" \
        --network-bridge=nested --register=no --keep-unit --console=pipe --bind=/viommu "${@:2}" || return 1
    until_true 120 nested_is_up "$1" || return 1
    on "$1" ip address add "$nested_net.$((${1#host} + 1))/24" dev host0 && on "$1" ip link set host0 up
}

# nested_kill HOST: as by a loss of power.
nested_kill() {
    systemctl kill --signal=KILL --kill-whom=all "nested-$1"
    until_true 20 sh -c "! systemctl is-active --quiet nested-$1"
    # systemd-nspawn 257 refuses to boot it again while this is left.
    umount "/run/systemd/nspawn/unix-export/$1" 2>/dev/null || true
}

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# overlays: guests that boot from one image at once, each with an overlay: the image stays as it is,
# to the byte and the second, and nothing of the overlays and seeds is left when the guests are
# killed, or viommud is; by path, and open, as the system's viommud hands them over.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# overlay NAME [MORE]: the path of a request for a machine over the image; MORE, as JSON, of its
# disk.
overlay() {
    jq -n --arg name "$1" --arg path "$base" --arg key "$key" --argjson more "${2:-null}" \
        '{name: $name, arch: "x86_64", accelerator: "tcg", memory: "64 MiB", seed: {"ssh-keys": $key},
          disks: [{path: $path, format: "raw", overlay: true} + $more]}' >"$lab_dir/$1.json"
    echo "$lab_dir/$1.json"
}

# named NAME: the same by the image's name, with an overlay that is larger.
named() {
    jq -n --arg name "$1" --arg key "$key" \
        '{name: $name, image: "base", accelerator: "tcg", memory: "64 MiB", seed: {"ssh-keys": $key},
          disks: [{size: "2 MiB"}]}' >"$lab_dir/$1.json"
    echo "$lab_dir/$1.json"
}
key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1F0u8n0zvM6fA2o5oUuR9b8b2v3mXl1nqkB5rYtG7Q ci"

# The image: contents, size and times.
image() {
    sha256sum "$base"
    stat -c '%s %a %u %Y %Z' "$base"
}

boots() {
    grep -qa 'viommu boot sector' "$1"
}

# Overlays and seeds.
made() {
    find "$lab_dir" -path '*/boot/*' -type f
}

none_is_left() {
    [ -z "$(made)" ]
}

is_left() {
    [ "$(made | wc -l)" -eq "$1" ]
}

# Either viommud: the user's own, or the system's on the same bus.
as=own
ctl() {
    if [ "$as" = own ]; then
        lab_ctl "$@"
    else
        lab_run env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$lab_dir/bus" "$lab_dir/viommuctl" --system "$@"
    fi
}

start() {
    if [ "$as" = own ]; then
        lab_start_daemon
    else
        lab_spawn viommud env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$lab_dir/bus" STATE_DIRECTORY="$lab_dir/state" \
            "$lab_dir/viommud" --system --connect="qemu:///embed?root=$lab_dir/libvirt"
        lab_daemon=$lab_pid
        lab_until 30 lab_answers || say_die "viommud does not start: $(tail -n 5 "$lab_dir/viommud.log")"
    fi
}

# launch NAME [MORE]: a machine that boots.
launch() {
    launch_file "$1" "$(overlay "$@")"
}

# launch_file NAME REQUEST
launch_file() {
    local console
    ctl launch "$2" --wait=started >/dev/null || say_die "$as: an overlay: $(tail -n 5 "$lab_dir/viommud.log")"
    console=$(ctl show "$1" --json | jq -r .ConsoleLog)
    lab_until 20 boots "$console" || say_die "$as: the guest '$1' does not boot from its overlay"
}

# refused NAME MORE WORDS
refused() {
    local answer
    ! answer=$(ctl launch "$(overlay "$1" "$2")" --wait=started 2>&1) || say_die "$as: '$1' was launched"
    [[ $answer = *"$3"* ]] || say_die "$as: '$1' was refused with: $answer"
    none_is_left || say_die "$as: left behind by '$1', which was refused: $(made)"
}

# open_files DOMAIN: the names of the open files that libvirt was given for its disks.
open_files() {
    grep -o 'fdgroup=.[a-z0-9.]*' "$lab_dir/libvirt/run/qemu/$1.xml" | sed 's/^fdgroup=.//' | sort -u | xargs
}

two_at_once() {
    local before
    before=$(image)
    launch one
    launch two "{\"size\": \"8 MiB\", \"digest\": \"sha256:$(sha256sum "$base" | cut -d ' ' -f 1)\"}"
    [ "$(made | wc -l)" -eq 4 ] || say_die "$as: not two overlays and two seeds: $(made)"
    [ "$(image)" = "$before" ] || say_die "$as: the image has changed: $before -> $(image)"
    grep -q "file='$(made | grep '\.seed$' | head -n 1)'" "$lab_dir/libvirt/run/qemu/"*one.xml ||
        grep -q "file='$(made | grep '\.seed$' | tail -n 1)'" "$lab_dir/libvirt/run/qemu/"*one.xml ||
        say_die "$as: the guest has no seed"
    [ "$as" = own ] || [ "$(open_files viommu-two)" = 'vda vda.1' ] || say_die "QEMU was given: $(open_files viommu-two)"
    ctl kill one
    ctl kill two
    none_is_left || say_die "$as: left behind: $(made)"
}

lab_under_reaper "$@"
for program in qemu-system-x86_64 qemu-img dbus-daemon setpriv jq; do
    command -v "$program" >/dev/null || lab_skip "$program is not installed"
done
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
install -m 755 "$here/boot-sector.sh" "$lab_dir/boot-sector"
lab_run mkdir -p "$lab_dir/home/.local/share/viommud/images"
base=$lab_dir/home/.local/share/viommud/images/base.raw
lab_run "$lab_dir/boot-sector" "$base"
chown root "$base" 2>/dev/null || true
chmod 444 "$base"

two_at_once
for by in cloud-init ignition credentials; do
    printf '[image]\nfile=base.raw\nformat=raw\narch=x86_64\nseed=%s\n' "$by" >"${base%/*}/base.image"
    launch_file named "$(named named)"
    grep -q 'overlay-0-2097152$' <(made) || say_die "no overlay of 2 MiB: $(made)"
    ctl kill named
done
none_is_left || say_die "left behind by an image that was named: $(made)"
refused small '{"size": "1 MiB", "digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000"}' 'another image'

# --- viommud dies, and so does a guest meanwhile ---

launch kept
launch gone
kill -KILL "$lab_daemon"
lab_until 15 lab_daemon_gone || say_die "viommud does not die"
kill -KILL "$(cat "$lab_dir/libvirt/run/qemu/gone.pid")"
start
lab_until 20 is_left 2 || say_die "of a machine whose guest ended meanwhile is left: $(made)"
ctl kill kept
ctl kill gone
none_is_left || say_die "left behind by machines that a dead viommud had made: $(made)"

# --- Disk space ---

kill "$lab_daemon"
lab_until 15 lab_daemon_gone || say_die "viommud does not end"
printf '[limits]\noverlays-per-user=3 MiB\n' >>"$lab_dir/viommud.conf"
start
refused large '{"size": "4 MiB"}' '4 MiB of overlays requested, but [limits] overlays-per-user is 3 MiB'
launch fits '{"size": "2 MiB"}'
! answer=$(ctl launch "$(overlay full '{"size": "2 MiB"}')" 2>&1) || say_die "more overlays than allowed"
[[ $answer = *'2 MiB of overlays, and 2 MiB more would exceed [limits] overlays-per-user=3 MiB'* ]] || say_die "$answer"
ctl kill fits
kill "$lab_daemon"
lab_until 15 lab_daemon_gone || say_die "viommud does not end"
sed -i '/^overlays-per-user/s/.*/disk-reserve=4000000 GiB/' "$lab_dir/viommud.conf"
start
refused full null 'disk-reserve='
kill "$lab_daemon"
lab_until 15 lab_daemon_gone || say_die "viommud does not end"
sed -i '/^disk-reserve/d' "$lab_dir/viommud.conf"

# --- Handed over open ---

as=system
start
two_at_once

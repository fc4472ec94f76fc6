# SPDX-License-Identifier: LGPL-2.1-or-later
# lab: tests/qemu/lab.sh with a libvirtd of its own in place of the embedded engine: domains, NVRAM
# and guests outlive viommud, and libvirtd can die and hang, too.  Sourced by bash, after
# tools/scripts/say.sh.  Its guests are firmware alone: nothing boots.

crash_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/qemu/lab.sh
. "$crash_here/../qemu/lab.sh"

lab_libvirtd=
lab_libvirtd_words=()  # a prefix of its command
lab_daemon_words=()  # a prefix of viommud's command

# crash_prerequisites: ends the script as skipped, with the reason.
crash_prerequisites() {
    local program
    for program in libvirtd virsh qemu-system-x86_64 dbus-daemon setpriv jq; do
        command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
            lab_skip "$program is not installed"
    done
}

# crash_open [CONFIGURATION]: opens the lab, with further lines of viommud.conf.
crash_open() {
    PATH=$PATH:/usr/sbin
    crash_configuration=${1:-}
    trap lab_close EXIT
    trap 'exit 130' INT TERM
    lab_open
}

# These replace those of tests/qemu/lab.sh; the first start of viommud makes the rest of the lab.
lab_start_daemon() {
    if [ -z "$lab_libvirtd" ]; then
        lab_environment+=("XDG_RUNTIME_DIR=$lab_dir/run")
        lab_state=$lab_dir/home/.config/libvirt/qemu
        lab_uri="qemu:///session?socket=$lab_dir/run/libvirt/libvirt-sock"
        printf '%s\n' "$crash_configuration" >>"$lab_dir/viommud.conf"
        lab_run mkdir -p -m 700 "$lab_dir/run" "$lab_state"
        lab_run cp "$lab_dir/libvirt/etc/qemu.conf" "$lab_dir/home/.config/libvirt/"
        crash_start_libvirtd
    fi
    lab_spawn viommud "${lab_daemon_words[@]}" "$lab_dir/viommud" --user --connect="$lab_uri"
    lab_daemon=$lab_pid
    lab_until 30 lab_answers || say_die "viommud does not start: $(tail -n 5 "$lab_dir/viommud.log")"
}

lab_left_behind() {
    lab_ctl list --json | jq -r '.[] | "machine \(.name) (\(.state))"'
    crash_left
}

lab_processes() {
    local pid
    for pid in "${lab_children[@]}" $(crash_guests); do
        ! kill -0 "$pid" 2>/dev/null || echo "$pid"
    done
}

crash_start_libvirtd() {
    lab_spawn libvirtd "${lab_libvirtd_words[@]}" libvirtd
    lab_libvirtd=$lab_pid
    lab_until 20 crash_virsh -q list >/dev/null || say_die "libvirtd does not start: $(tail -n 5 "$lab_dir/libvirtd.log")"
}

crash_virsh() {
    kill -0 "$lab_libvirtd" 2>/dev/null && lab_run virsh -q -c "$lab_uri" "$@" 2>&1
}

# crash_wait_dead PID WHAT: waits until the process is gone.
crash_wait_dead() {
    lab_until 20 crash_is_dead "$1" || say_die "$2 does not end"
}

crash_is_dead() {
    ! kill -0 "$1" 2>/dev/null
}

# The QEMUs of this lab.
crash_guests() {
    local file pid
    find "$lab_dir/run/libvirt/qemu" -name '*.pid' ! -name driver.pid 2>/dev/null | while read -r file; do
        pid=$(cat "$file")
        ! grep -qa qemu-system "/proc/$pid/cmdline" 2>/dev/null || echo "$pid"
    done
}

# All traces of machines, one per line, from libvirt and the directories; without console logs,
# which stay for a while.
crash_left() {
    crash_virsh list --all --name | sed '/^$/d; s/^/domain /'
    find "$lab_state" -name '*.xml' -o -path '*/nvram/*' -o -path '*/save/*' -o -path '*/swtpm/*' -type f -o -path '*/snapshot/*' -type f
    find "$lab_dir/home" -path '*/viommud/boot/*' -type f
    crash_guests | sed 's/^/process /'
}

# crash_request NAME JQ: the path of a request for a machine of firmware alone, with JQ's changes.
crash_request() {
    jq -n --arg name "$1" "{name: \$name | gsub(\"_\"; \"-\"), arch: \"x86_64\", accelerator: \"tcg\", memory: \"64 MiB\", iommu: {\"is-supported\": true},
        boot: {firmware: \"efi\"}} | ${2:-.}" >"$lab_dir/$1.json"
    chmod 644 "$lab_dir/$1.json"
    echo "$lab_dir/$1.json"
}

# crash_launch REQUEST: ends the script on failure.
crash_launch() {
    lab_launch "$1" || say_die "launch: $lab_refusal $(tail -n 3 "$lab_dir/viommud.log")"
}

# crash_nothing_left WHEN: ends the script if anything is left.
crash_nothing_left() {
    local left
    left=$(lab_left_behind)
    [ -z "$left" ] || say_die "$1: left behind: $left"
}

# crash_whole WHEN: ends the script unless the one machine is complete, and exists once.
crash_whole() {
    lab_until 20 crash_is_whole || say_die "$1: there are $(crash_count)"
}

crash_is_whole() {
    [ "$(crash_count)" = '1 machines, 1 domains, 1 NVRAM, 1 processes' ]
}

crash_count() {
    echo "$(lab_ctl list --json | jq length) machines, $(crash_virsh list --all --name | grep -c .) domains," \
        "$(find "$lab_state/nvram" -type f | wc -l) NVRAM, $(crash_guests | wc -l) processes"
}

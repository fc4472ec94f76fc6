# SPDX-License-Identifier: LGPL-2.1-or-later
# lab: a private viommud (private bus, embedded libvirt, throw-away directory), and guests booted
# through it.  Sourced by bash, after tools/scripts/say.sh, with $VIOMMUD and $VIOMMUCTL set, by
# tools/quickstart and the qemu suite.
#
# Guests never run as root: root hands everything over to an ordinary user first.  So libvirt needs
# no system set-up, and its view of /dev/kvm is QEMU's own (a root libvirt whose QEMU may not open
# /dev/kvm probes QEMU at each define).

lab_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab_dir=
lab_as=()  # a prefix that runs a command as the guests' user
lab_children=()
lab_accelerator=${lab_accelerator:-tcg}
lab_level=${lab_level:-}  # the guest must show this level of its IOMMU before the launch is over
# shellcheck disable=SC2034  # for the sourcing script
lab_boots=1200 # seconds in which an emulated Debian must be up; a quiet machine needs a tenth
lab_daemon='' lab_machine='' lab_console='' lab_refusal=''
# shellcheck disable=SC2034  # for the sourcing script
lab_console_end=''
lab_problem='' lab_model='' lab_class='' lab_groups='' lab_seconds=''  # of the last lab_boot
# shellcheck disable=SC2034
# the guest's files below /sys and /proc that lib/host/topology reads: a compressed archive in
# base64
lab_hardware=''

# The guests, and what each must show.  One row per guest:
#   name  arch  kernel  iommu of the request  guest of the request  chosen model  /sys/class/iommu
# (regex)  groups
# groups: "0", or "+" for at least one.  Model "!Name": the launch is refused with that error.
# Optional: further words of the command line, separated by commas, or "-"; and the machine type.
lab_rows='
x86_64-supported    x86_64   debian13  {"is-supported":true}   -                           intel         ^dmar0$           +
x86_64-virtio       x86_64   debian13  {"model":"virtio"}      {"drivers":["virtio"]}      virtio        ^0000:00:         +
aarch64-supported   aarch64  debian13  {"is-supported":true}   -                           smmuv3        ^smmu3\.          +
aarch64-virtio      aarch64  debian13  {"model":"virtio"}      {"drivers":["virtio"]}      virtio        ^0000:00:         +
x86_64-none         x86_64   debian13  {"is-supported":false}  -                           none          ^$                0
x86_64-silent       x86_64   debian12  {"model":"virtio"}      -                           virtio        ^$                0
x86_64-refused      x86_64   debian12  {"model":"virtio"}      {"os":"debian12"}           !NotSupported -                 -
x86_64-old          x86_64   debian12  {"is-supported":true}   {"os":"debian12"}           intel         ^dmar0$           +
aarch64-old         aarch64  debian12  {"is-supported":true}   {"os":"debian12"}           smmuv3        ^smmu3\.          +
x86_64-iommu-off    x86_64   debian13  {"model":"virtio"}      {"drivers":["virtio"]}      virtio        ^0000:00:         +  iommu=off
x86_64-last-word    x86_64   debian13  {"model":"intel"}       -                           intel         ^dmar0$           +  intel_iommu=off,intel_iommu=on
x86_64-first-word   x86_64   debian13  {"model":"intel"}       -                           !NotSupported -                 -  intel_iommu=on,intel_iommu=off
aarch64-no-its      aarch64  debian13  {"model":"smmuv3"}      -                           smmuv3        ^smmu3\.          +  -  virt-2.7
'

# lab_under_reaper "$@": continues below tini where PID 1 may leave zombies: libvirt waits until a
# QEMU that it ended is gone.
lab_under_reaper() {
    if [ -z "${VIOMMU_REAPER:-}" ] && [ "$(cat /proc/1/comm)" != systemd ] && command -v tini >/dev/null; then
        VIOMMU_REAPER=1 exec tini -s -- "$BASH" "$0" "$@"
    fi
}

# lab_programs ARCH PROGRAM...: checks what lab_open needs, and these programs; else ends the script
# as skipped (77), with the reason on its last line.
lab_programs() {
    local program
    for program in "qemu-system-$1" dbus-daemon setpriv jq cpio "${@:2}"; do
        command -v "$program" >/dev/null || lab_skip "$program is not installed"
    done
}

# lab_prerequisites ROW: the same, with the row's kernel.
lab_prerequisites() {
    lab_row "$1"
    lab_programs "${lab_fields[1]}"
    "$lab_here/guests.sh" "${lab_fields[1]}-${lab_fields[2]}" >/dev/null ||
        lab_skip "the guest's kernel is not in the cache and cannot be downloaded"
}

lab_skip() {
    echo "SKIP: $*"
    exit 77
}

# lab_row NAME: the row's fields in the array lab_fields.
lab_row() {
    read -r -a lab_fields <<<"$(awk -v name="$1" '$1 == name' <<<"$lab_rows")"
    [ ${#lab_fields[@]} -ge 8 ] || say_die "no row named '$1' in ${BASH_SOURCE[0]}"
}

# lab_die TEXT: ends the test, with the ends of viommud's log and of the guest's console.
lab_die() {
    say "$(tail -n 5 "$lab_dir/viommud.log")"
    say "$(tail -n 25 "$lab_console" | tr -d '\r' | tr -c '[:print:]\n' '?')"
    say_die "$*"
}

# lab_open: makes the directory, starts the bus and the daemon.  Set "trap lab_close EXIT" first.
# $lab_qemu_conf: further lines of libvirt's qemu.conf; $lab_viommud_conf: of viommud.conf;
# $lab_bus_conf: of the bus's policy.
lab_open() {
    local user
    # Short: paths of sockets below it have at most 108 characters.
    lab_dir=$(mktemp -d /tmp/viommu.XXXXXX)
    if [ "$(id -u)" -eq 0 ]; then
        user=libvirt-qemu
        id "$user" >/dev/null 2>&1 || user=nobody
        lab_as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups --inh-caps=-all --)
        chown "$user" "$lab_dir"
    fi
    chmod 755 "$lab_dir"
    # The build tree may be closed to that user.
    install -m 755 "$VIOMMUD" "$(dirname "$VIOMMUD")/viommud-files" "$lab_dir"
    install -m 755 "$VIOMMUCTL" "$lab_dir/viommuctl"
    "${lab_as[@]}" mkdir -p "$lab_dir"/{console,home,libvirt/etc}
    printf '[console]\ndirectory=%s/console\n%s\n' "$lab_dir" "${lab_viommud_conf:-}" >"$lab_dir/viommud.conf"
    # Without virtlogd libvirt writes the console logs itself.
    printf 'stdio_handler = "file"\n%s\n' "${lab_qemu_conf:-}" | "${lab_as[@]}" tee "$lab_dir/libvirt/etc/qemu.conf" >/dev/null
    cat >"$lab_dir/bus.conf" <<END
<busconfig>
  <type>session</type>
  <listen>unix:path=$lab_dir/bus</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    ${lab_bus_conf:-}
  </policy>
</busconfig>
END
    lab_environment=(env -C "$lab_dir" -u XDG_RUNTIME_DIR -u XDG_CONFIG_HOME -u XDG_CACHE_HOME -u XDG_DATA_HOME
        HOME="$lab_dir/home" VIOMMU_CONFIG="$lab_dir/viommud.conf"
        DBUS_SESSION_BUS_ADDRESS="unix:path=$lab_dir/bus")
    lab_spawn bus dbus-daemon --nofork --nopidfile --config-file="$lab_dir/bus.conf"
    lab_until 10 test -S "$lab_dir/bus" || say_die "dbus-daemon does not start: $(cat "$lab_dir/bus.log")"
    lab_start_daemon
}

# lab_run COMMAND...: as the guests' user, on the lab's bus, with nothing of the caller's session.
lab_run() {
    "${lab_environment[@]}" "${lab_as[@]}" "$@"
}

# lab_spawn NAME COMMAND...: in the background, output in NAME.log, process in lab_pid.
lab_spawn() {
    local name=$1
    shift
    (exec "${lab_environment[@]}" "${lab_as[@]}" "$@") >>"$lab_dir/$name.log" 2>&1 </dev/null &
    lab_pid=$!
    disown "$lab_pid"
    lab_children+=("$lab_pid")
}

lab_start_daemon() {
    lab_spawn viommud "$lab_dir/viommud" --user --connect="qemu:///embed?root=$lab_dir/libvirt"
    lab_daemon=$lab_pid
    lab_until 30 lab_answers || say_die "viommud does not start: $(tail -n 5 "$lab_dir/viommud.log")"
}

# lab_libvirt: the versions of libvirt and QEMU on this machine, as text.
lab_libvirt() {
    echo "libvirt $(dpkg-query -W -f '${source:Upstream-Version}' libvirt-daemon 2>/dev/null || echo '?')," \
        "$(qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/QEMU \1/p')"
}

lab_answers() {
    kill -0 "$lab_daemon" 2>/dev/null || say_die "viommud ended: $(tail -n 5 "$lab_dir/viommud.log")"
    lab_ctl list >/dev/null 2>&1
}

# lab_until SECONDS COMMAND...: waits until COMMAND succeeds; fails when it does not in time.
lab_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

lab_ctl() {
    lab_run "$lab_dir/viommuctl" --user "$@"
}

# lab_property MACHINE PROPERTY: as text; empty when there is none.
lab_property() {
    lab_ctl show "$1" --json | jq -r --arg name "$2" '.[$name] // ""'
}

# lab_request ROW [KERNEL_WORDS]: the path of a row's request, with files that the guests' user can
# read.
lab_request() {
    local arch parts guest words console=ttyS0 request
    lab_row "$1"
    arch=${lab_fields[1]}
    parts=$("$lab_here/guests.sh" "$arch-${lab_fields[2]}")
    [ "$arch" = x86_64 ] || console=ttyAMA0
    if ! "${lab_as[@]}" test -r "$parts/initrd"; then
        cp -rL "$parts" "$lab_dir/"
        parts=$lab_dir/$(basename "$parts")
    fi
    guest=${lab_fields[4]}
    [ "$guest" != - ] || guest={}
    words=${lab_fields[8]:--}
    [ "$words" != - ] || words=
    [ -z "$lab_level" ] || words=${words:+$words,}viommu.isolate
    request=$lab_dir/$1.json
    jq -n --arg name "$1" --arg arch "$arch" --arg accelerator "$lab_accelerator" --argjson iommu "${lab_fields[3]}" \
        --argjson guest "$guest" --arg parts "$parts" --arg cmdline "console=$console panic=-1 ${words:+${words//,/ } }${2:-}" \
        --arg machine "${lab_fields[9]:-}" --arg level "$lab_level" \
        '{name: $name | gsub("_"; "-"), arch: $arch, accelerator: $accelerator, memory: "512 MiB", iommu: $iommu,
          boot: {kernel: "\($parts)/vmlinuz", initrd: "\($parts)/initrd", cmdline: $cmdline}}
         + if $guest == {} then {} else {guest: $guest} end
         + if $machine == "" then {} else {machine: $machine} end
         + if $level == "" then {} else {verify: {level: $level}} end' >"$request"
    chmod 644 "$request"
    echo "$request"
}

# lab_launch REQUEST: sets lab_machine and lab_console; when refused, returns viommuctl's status,
# and its output as JSON in lab_refusal.
lab_launch() {
    local answer status=0 wait=started
    [ -z "$lab_level" ] || wait=verified
    answer=$(lab_ctl launch "$1" --wait=$wait --json 2>>"$lab_dir/viommuctl.log") || status=$?
    lab_refusal=
    if [ "$status" -ne 0 ]; then
        lab_refusal=$answer
        return "$status"
    fi
    lab_machine=$(jq -r .Name <<<"$answer")
    lab_console=$(jq -r .ConsoleLog <<<"$answer")
}

# lab_image GUEST NAME OS: an image of cloud.sh becomes one that requests can name.
lab_image() {
    local directory=$lab_dir/home/.local/share/viommud/images parts
    parts=$("$lab_here/cloud.sh" "$1")
    "${lab_as[@]}" mkdir -p "$directory"
    cp --reflink=auto "$parts/disk.qcow2" "$directory/$2.qcow2"
    lab_ctl image-add "$directory/$2.qcow2" --os="$3" --seed=cloud-init --agent=yes >/dev/null
}

# lab_wait MACHINE CONSOLE SECONDS: waits until the guest has printed its facts.
lab_wait() {
    local end=$((SECONDS + $3)) turn=0
    until grep -qa '^=== viommu end ===' "$2" 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then
            lab_problem="the guest printed nothing within $3 s"
            return 1
        fi
        turn=$((turn + 1))
        if [ $((turn % 20)) -eq 0 ] && [ "$(lab_property "$1" State)" != running ] &&
            ! grep -qa '^=== viommu end ===' "$2"; then
            lab_problem="the guest ended without having printed its facts"
            return 1
        fi
        sleep 0.1
    done
}

# lab_fact CONSOLE KEY: the value that the guest printed.
lab_fact() {
    tr -d '\r' <"$1" | sed -n "/^=== viommu guest ===/,/^=== viommu end ===/s/^$2=//p"
}

# lab_archive CONSOLE: the archive that the guest printed.
lab_archive() {
    tr -d '\r' <"$1" | sed -n '/^=== viommu hardware ===/,/^=== viommu hardware end ===/{/^===/!p}'
}

# lab_boot ROW: boots the row's guest, compares what it shows with the request, and removes it.
# Sets lab_model, lab_class, lab_groups, lab_seconds, lab_hardware; on failure lab_problem has the
# reason.  Refused: lab_model is the error.
lab_boot() {
    local request started model class groups status=0
    lab_problem='' lab_model='' lab_class='' lab_groups='' lab_seconds='' lab_console_end='' lab_hardware=''
    request=$(lab_request "$1")
    lab_row "$1"
    model=${lab_fields[5]} class=${lab_fields[6]} groups=${lab_fields[7]}
    started=${EPOCHREALTIME/./}
    lab_launch "$request" || status=$?
    if [ "$status" -ne 0 ]; then
        lab_model="!$(jq -r '.error.name // "no answer"' <<<"$lab_refusal" | sed 's/.*\.//')"
        lab_problem=$(jq -r '.error.message // "no answer"' <<<"$lab_refusal")
        [ "$lab_model" = "$model" ]
        return
    fi
    lab_model=$(lab_property "$lab_machine" IommuModel)
    : "${lab_model:=none}"
    lab_wait "$lab_machine" "$lab_console" 180 || status=$?
    lab_seconds=$(((${EPOCHREALTIME/./} - started) / 100000))
    lab_seconds=$((lab_seconds / 10)).$((lab_seconds % 10))
    if [ "$status" -eq 0 ]; then
        lab_class=$(lab_fact "$lab_console" iommu)
        lab_groups=$(lab_fact "$lab_console" groups)
        # shellcheck disable=SC2034
        lab_hardware=$(lab_archive "$lab_console")
        lab_compare "$model" "$class" "$groups" && lab_powered_off || status=$?
    fi
    [ "$status" -eq 0 ] || lab_keep_console
    lab_ctl stop "$lab_machine" --timeout=20 >>"$lab_dir/viommuctl.log" 2>&1 || {
        lab_problem="${lab_problem:+$lab_problem; }viommuctl stop failed: $(tail -n 1 "$lab_dir/viommuctl.log")"
        status=1
    }
    return "$status"
}

# lab_compare MODEL CLASS_REGEX GROUPS: with what the guest showed.
lab_compare() {
    if [ "$lab_model" != "$1" ]; then
        lab_problem="the chosen model is '$lab_model', not '${1#!}'"
    elif ! [[ $lab_class =~ $2 ]]; then
        lab_problem="/sys/class/iommu in the guest has '$lab_class', which does not match $2"
    elif [ "$3" = + ] && ! [ "${lab_groups:-0}" -gt 0 ]; then
        lab_problem="the guest has no IOMMU group"
    elif [ "$3" = 0 ] && [ "$lab_groups" != 0 ]; then
        lab_problem="the guest has '$lab_groups' IOMMU groups, though it was given no IOMMU that it can drive"
    else
        return 0
    fi
    return 1
}

# The guest powers itself off at its end, and libvirt's event tells viommud.
lab_powered_off() {
    local result
    if ! lab_until 20 lab_ended; then
        lab_problem="the guest powered off, but the machine is '$(lab_property "$lab_machine" State)'"
        return 1
    fi
    result=$(lab_property "$lab_machine" Result)
    if [ "$result" != shutdown ]; then
        lab_problem="the guest powered off, but the machine's Result is '$result'"
        return 1
    fi
}

lab_ended() {
    [ "$(lab_property "$lab_machine" State)" = stopped ]
}

lab_keep_console() {
    # shellcheck disable=SC2034
    lab_console_end=$(tail -n 15 "$lab_console" 2>/dev/null | tr -d '\r' | tr -c '[:print:]\n' '?')
}

# lab_left_behind: describes what is left of machines that should be gone; prints nothing when
# nothing is left.
lab_left_behind() {
    lab_ctl list --json | jq -r '.[] | "machine \(.name) (\(.state))"'
    find "$lab_dir/libvirt" -path '*/etc/qemu/*.xml' -o -path '*/nvram/*' -o -path '*/run/qemu/*.pid' ! -name driver.pid
}

# lab_processes: the processes that still belong to this lab.
lab_processes() {
    local pid
    for pid in "${lab_children[@]}"; do
        ! kill -0 "$pid" 2>/dev/null || echo "$pid"
    done
    # libvirt writes one file for each QEMU; its own process is in driver.pid.
    find "$lab_dir/libvirt/run/qemu" -name '*.pid' ! -name driver.pid 2>/dev/null | while read -r file; do
        pid=$(cat "$file")
        ! grep -qa qemu-system "/proc/$pid/cmdline" 2>/dev/null || echo "$pid"
    done
}

lab_gone() {
    [ -z "$(lab_processes)" ]
}

# lab_close: ends everything and removes the directory, at any point of the script.
lab_close() {
    local machine
    [ -n "$lab_dir" ] || return 0
    if [ -n "${lab_daemon:-}" ] && kill -0 "$lab_daemon" 2>/dev/null; then
        for machine in $(lab_ctl list --json 2>/dev/null | jq -r '.[].name' 2>/dev/null); do
            lab_ctl kill "$machine" >/dev/null 2>&1 || true
        done
        kill "$lab_daemon" 2>/dev/null || true
        lab_until 15 lab_daemon_gone || true
    fi
    lab_processes | xargs -r kill 2>/dev/null || true
    lab_until 5 lab_gone || lab_processes | xargs -r kill -KILL 2>/dev/null || true
    rm -rf "$lab_dir"
    lab_dir=
}

lab_daemon_gone() {
    ! kill -0 "$lab_daemon" 2>/dev/null
}

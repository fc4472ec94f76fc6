# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# assign: launches guests that use devices of an emulated host, and looks at what QEMU and the host
# do with them.  Sourced by bash, in the host, from the root of the checkout; $guest has the guest's
# files.  Knows the machines of tests/emulated/machines; does not know what is tested.

# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
boots=900 # seconds in which a guest must be up; a quiet host needs a twentieth
mode=${1:-} # "record": what viommuctl says of the host is not compared with its recording
recording=/viommu/out/emulated-$VIOMMU_MACHINE
arch=$(uname -m)
emulator=qemu-system-$arch
guest=/viommu-guests/$arch-devices
terminal=ttyS0 kvm=kvm_amd
# aarch64's kernels have KVM built in.
[ "$arch" = x86_64 ] || terminal=ttyAMA0 kvm=
initrd=/srv/initrd
iommufd=no # yes: devices of the host are assigned through iommufd

# cell NAME: what follows belongs to it, up to the next one; says how long each took.
cell() {
    [ -z "${cell:-}" ] || echo "# $cell: $((SECONDS - cell_began)) s"
    cell=$1 cell_began=$SECONDS
}

# shows IOMMU WHAT: a row of docs/hardware.md, if nothing has failed so far; hardware.py reads it.
shows() {
    [ "$failures" -ne 0 ] || echo "$1|$2" >>/viommu/out/shown
}

# --- The host ---

# behind SLOT: the address of the first device on the root port in this slot.
behind() {
    basename "$(find "/sys/bus/pci/devices/$1/" -mindepth 1 -maxdepth 1 -name '0000:??:??.?' | sort | head -n 1)"
}

has_driver() {
    [ "$(basename "$(readlink "/sys/bus/pci/devices/$1/driver")")" = "$2" ]
}

# returns ADDRESS DRIVER
returns() {
    check "$1 is back at its driver" until_true 60 has_driver "$1" "$2"
}

# start_service: viommud with the settings of this test, and a member of its group, ci.
start_service() {
    # libvirt asks each QEMU what it can do, and an emulated host takes many seconds for each.
    find /usr/bin -name 'qemu-system-*' ! -name "$emulator" -delete
    modprobe -a ${kvm:+$kvm} vfio-pci e1000e nvme igb
    [ ! -e "$guest" ] || tests/hosts/add-to-initrd.py tests/emulated/use-devices.sh test/run | cat "$guest/initrd" - >$initrd
    useradd --create-home --groups viommu ci
    mkdir -p /etc/viommud/viommud.conf.d
    printf '%s\n' '[devices]' 'allow=8086:10d3;1b36:0010' 'take-from-driver=yes' '[daemon]' 'verify-timeout=900' 'launch-timeout=900' \
        '[files]' timeout=600 '[limits]' vcpus=300 vcpus-per-user=300 \
        >/etc/viommud/viommud.conf.d/site.conf
    systemctl start viommud
}

# the_host FILTER: the cell that a script begins with; jq's FILTER holds of what viommuctl says.
the_host() {
    cell 'the host'
    run 0 'viommud is installed' '' tests/hosts/install.sh
    run 0 'and started' '' start_service
    [ "$arch" != x86_64 ] || check 'viommud has seen that KVM works' until_true 900 kvm_works
    record
    check 'its IOMMU' jq -e "$1" "$recording.json"
    [ "$mode" = record ] || check 'viommuctl says what is recorded of it' as_recorded
}

# viommud does not prove KVM on aarch64.
kvm_works() {
    viommuctl host --json | jq -e '.kvm == "works"'
}

# record: what viommuctl says of this host, for tests/golden/hosts and tests/machines/expected; the
# settings are the default ones, not those of these tests.
record() {
    local -x VIOMMU_CONFIG=conf/viommud.conf
    local said
    viommuctl host --json | jq . >"$recording.json"
    for said in host 'host --inventory' doctor; do
        printf '# viommuctl %s\n\n' "$said"
        # shellcheck disable=SC2086  # words
        viommuctl $said 2>&1 || true
        echo
    done >"$recording.txt"
}

# normal FILE: without what the packages of another day change: versions, sizes of memory and disk.
normal() {
    sed -E '/^limits /s/[0-9]+( [KMG]iB)?/X/g; s/((libvirt|qemu|kernel)": "|libvirt |QEMU |Linux )[0-9][0-9.]*[0-9]/\1X/g; s/("memory": )[0-9]+/\1X/' "$1"
}

as_recorded() {
    local name=${recording##*/}
    if [ ! -e "tests/golden/hosts/$name.json" ]; then
        echo "$VIOMMU_MACHINE has not been recorded: tests/emulated/hardware.py --record $VIOMMU_MACHINE"
        return
    fi
    diff -u <(normal "tests/golden/hosts/$name.json") <(normal "$recording.json") &&
        diff -u <(normal "tests/machines/expected/$name.txt") <(normal "$recording.txt")
}

# --- Guests ---

# request NAME MODEL WORDS DEVICE...: a guest of 256 MiB that proves its IOMMU, which is of any
# model if MODEL is "any".  WORDS for its kernel: viommu.nics=N and viommu.disks=N, how many of each
# it uses.
request() {
    local name=$1 model=$2 words=$3 spec
    shift 3
    spec="{\"model\": \"$model\"}"
    [ "$model" != any ] || spec='{"is-supported": true}'
    [ "$model" != none ] || spec='{"is-supported": false}'
    jq -n --arg name "$name" --arg iommufd $iommufd --argjson iommu "$spec" --arg kernel "$guest/vmlinuz" --arg initrd "$initrd" \
        --arg words "console=$terminal panic=-1 quiet viommu.report viommu.stay viommu.words=$name $words" '
        {$name, memory: "256 MiB", $iommu, guest: {os: "debian13"}, hostdevs: ($ARGS.positional | map({address: ., $iommufd})),
         boot: {$kernel, $initrd, cmdline: $words}}' --args "$@"
}

# launch USER WAIT [OPTION...] <REQUEST
launch() {
    local user=$1 wait=$2
    shift 2
    runuser -u "$user" -- viommuctl --system launch --wait="$wait" "$@" -
}

# verified NAME MODEL WORDS DEVICE...: ci launches it, and it proves itself.
verified() {
    local name=$1 before=$failures
    run 0 "guest $name proves itself" "^$name\$" launch ci verified < <(request "$@")
    [ "$failures" -eq "$before" ] || viommuctl console --log "$name" | tail -n 40 | sed 's/^/# console: /'
}

# shown NAME FILTER: what the guest has shown of its IOMMU.
shown() {
    viommuctl verify "$1" --json >"$work/proof" && jq -e "$2" "$work/proof"
}

# alone NAME MODEL [FILTER]: a guest without devices of the host proves its IOMMU under KVM.
alone() {
    run 0 "guest $1 proves itself" "^$1\$" launch ci verified < <(request "$1" "$2" '' | jq "${3:-.}")
}

# said NAME TEXT: on its console.
said() {
    viommuctl console --log "$1" | grep -aqF "$2"
}

# types NAME COMMAND: into the shell at the guest's console.
types() {
    printf '\n%s\n' "$2" | timeout 5 viommuctl console "$1" >/dev/null || true
}

# answers NAME TEXT COMMAND: typed again until the guest prints TEXT, which COMMAND must not have.
answers() {
    local end=$((SECONDS + boots))
    until said "$1" "$2"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        types "$1" "$3"
    done
}

ends() {
    run 0 "guest $1 is ended" '' runuser -u ci -- viommuctl --system kill "$1"
}

# answered NAME MAC...: the guest has pinged the other end of these cards' wires.
answered() {
    local name=$1 mac
    shift
    for mac in "$@"; do
        check "$name used $mac" said "$name" "nic $mac: answered"
    done
}

# --- What viommud would not make ---

# hostdev ADDRESS: its XML, on one line.
hostdev() {
    echo "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x${1:0:4}' bus='0x${1:5:2}' slot='0x${1:8:2}' function='0x${1:11}'/></source></hostdev>"
}

# by_hand SED REQUEST-ARGUMENT...: starts the domain that is planned for the request, changed by
# SED, without viommud.
by_hand() {
    local change=$1 status=0
    shift
    request "$@" | viommuctl --system plan --json - | jq -r '."domain-xml"' |
        sed "s/<name>[^<]*/<name>by-hand/; /<uuid>/d; $change" >"$work/by-hand.xml"
    virsh create "$work/by-hand.xml" || status=1
    virsh -q destroy by-hand 2>/dev/null || true
    return $status
}

# --- What QEMU locks ---

# status_kib KEY: a line of /proc/PID/status of the only QEMU.
status_kib() {
    sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB/\1/p" "/proc/$(pidof "$emulator")/status"
}

limit_kib() {
    echo $(($(sed -n 's/^Max locked memory *\([0-9]*\).*/\1/p' "/proc/$(pidof "$emulator")/limits") / 1024))
}

# locks NAME [TIMES]: QEMU's limit is the planned one, and it locks not more, but at least the
# guest's memory so many times.  VmLck is what counts against the limit.  iommufd would count all
# guests of libvirt's user together, and show VmPin only, if libvirt did not tell it otherwise.
locks() {
    local planned least=$((${2:-0} * 256 * 1024))
    planned=$(($(viommuctl show "$1" --json | jq .MemlockBytes) / 1024))
    echo "# $1: planned $planned KiB, limit $(limit_kib) KiB, VmLck $(status_kib VmLck) KiB, VmPin $(status_kib VmPin) KiB"
    [ "$(limit_kib)" -eq "$planned" ] && [ "$(status_kib VmLck)" -le "$planned" ] && [ "$(status_kib VmLck)" -ge "$least" ]
}

# --- AppArmor ---

confined() {
    grep -qF '(enforce)' "/proc/$1/attr/current"
}

# denied PROFILE: what the kernel's log has of it.
denied() {
    dmesg | grep 'apparmor="DENIED"' | grep -E -m 5 "$1"
}

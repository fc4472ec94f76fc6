#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# host: boots a throw-away Debian (systemd-nspawn: its own PID 1, system bus, polkit, libvirtd) with
# this checkout in it, runs a script of this directory there as root, prints its output (TAP), and
# powers off.  See --help.  Starts and ends a host; does not know what is tested.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
# shellcheck source=tools/scripts/say.sh
. "$source/tools/scripts/say.sh"
# shellcheck source=tests/qemu/foreign.sh
. "$source/tests/qemu/foreign.sh"

# name    suite     its name for "polkitd"   in addition       option for mmdebstrap
# A mirror's testing may be older than testing should be; only its packages matter here.
releases='
debian11  bullseye  policykit-1              -                 -
debian12  bookworm  polkitd                  -                 -
debian13  trixie    polkitd                  virtiofsd,passt   -
testing   testing   polkitd                  -                 --aptopt=Acquire::Check-Valid-Until "false"
'
archive=http://archive.debian.org/debian  # releases that the mirrors have dropped
recipe=2  # increase it when the same packages are installed in another way
# In addition to the packages for building in tools/scripts/packages.txt: a system with libvirt, and
# what its users and the scripts need.
packages='systemd systemd-sysv dbus polkitd libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86
    qemu-system-arm qemu-utils openssh-client iproute2 procps ovmf qemu-efi-aarch64 ipxe-qemu check jq man-db zsh'
# in addition, for a host with a kernel of its own
vm_packages='linux-image-amd64 initramfs-tools apparmor kmod udev'
# A host of aarch64 has these in place of all of them, and what viommud is linked with.
aarch64_packages='apparmor kmod udev systemd systemd-sysv dbus polkitd libvirt-daemon-system
    libvirt-daemon-driver-qemu libvirt-clients qemu-system-arm qemu-utils qemu-efi-aarch64 ipxe-qemu iproute2 procps jq cpio python3'
# in addition, where tests/emulated/kernel.sh has not made one
aarch64_kernel_packages='linux-image-arm64 initramfs-tools'
# An emulated processor takes many minutes for an initramfs of all modules.
# shellcheck disable=SC2016  # expanded by mmdebstrap's shell
initramfs_hook='mkdir -p "$1/etc/initramfs-tools/conf.d"
    echo MODULES=list >"$1/etc/initramfs-tools/conf.d/viommu"
    printf "%s\n" virtio_pci virtio_blk ext4 >"$1/etc/initramfs-tools/modules"'

usage() {
    cat <<END
usage: tests/hosts/host.sh [OPTION...] SCRIPT [ARGUMENT...]
       tests/hosts/host.sh --prepare [--release=NAME]

Boots a host, runs SCRIPT of tests/hosts or tests/emulated in it, and ends it.  The hosts' roots are kept in
    $cache
What a host changes is in memory and gone with it.  A root that is removed is made anew from that day's packages.

  --release=NAME    one of: $(awk 'NF { printf "%s ", $1 }' <<<"$releases"); default debian12
  --vm              as a virtual machine with a kernel of its own, emulated, in place of a container: there AppArmor
                    confines what it confines on such a host
  --machine=NAME    a virtual machine with the hardware that tests/emulated/machines/NAME describes; aarch64-...: of
                    aarch64
  --installed       what "meson install" would install, from this checkout, is below /viommu/stage: see tests/hosts/install.sh
  --previous        what the release named in tests/hosts/previous-release would install is below /viommu/previous-stage
  --packages        Debian packages of this checkout, built there by tools/package, are below /viommu/packages; lintian
                    has found nothing in them; what they need in addition is below /viommu/packages/needed
  --guest=NAME      a guest of tests/qemu/guests.sh, an image of tests/qemu/cloud.sh, or the guest of tests/qemu/debian.sh,
                    in the host below /viommu-guests; any number
  --newer=SUITE:SOURCE...
                    in the host below /viommu-newer: what apt would upgrade these source packages to, were SUITE
                    one of its sources
  --add=PACKAGE,... in the host below /viommu-added: these packages, and what they need
  --out=DIRECTORY   keep what the script leaves in /viommu/out
  --time-limit=S    for the whole life of the host; default 420 s
  --prepare         only make what is missing in the cache
END
}

# In TAP, a skip is a plan of no tests and status 0.
skip() {
    echo "1..0 # SKIP $*"
    exit 0
}

prerequisites() {
    local program
    [ "$(id -u)" -eq 0 ] || skip "only root can boot a host in systemd-nspawn"
    for program in systemd-nspawn mmdebstrap apt-get; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
    [ "$(uname -m)" = x86_64 ] || skip "the guest is made for x86_64 hosts"
    unshare --mount --pid --fork --uts --ipc true 2>/dev/null || skip "this machine does not let root make namespaces"
}

# own_cgroup: moves this script to a cgroup of its own.  systemd-nspawn makes its cgroups, whose
# names are the same for each container, below that of its caller: two hosts would share them.
own_cgroup() {
    local mount path
    for mount in /sys/fs/cgroup{,/unified,/systemd}; do
        path=$(awk -F: -v v1="${mount##*/}" '$2 == (v1 == "systemd" ? "name=systemd" : "") { print $3; exit }' /proc/self/cgroup)
        path=$mount${path%/}
        if [ -w "$path/cgroup.procs" ] && mkdir "$path/viommu-host-$$"; then
            cgroups+=("$path")
            echo $$ >"$path/viommu-host-$$/cgroup.procs"
        fi
    done
}

leave_cgroup() {
    local path
    for path in "${cgroups[@]}"; do
        echo $$ >"$path/cgroup.procs"
        find "$path/viommu-host-$$" -depth -type d -exec rmdir {} + || true
    done
}

# The mirror that this machine's own apt uses.
mirror() {
    # shellcheck disable=SC2016  # apt's own variables
    apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "main" && !/security/ { print $2; exit }'
}

# make_root NAME DIRECTORY PACKAGE...: makes it beside its place first, so that an incomplete one
# is never used; older ones of that name are removed.  The name says which architecture it is of.
make_root() {
    local name=$1 directory=$2 uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg options=()
    shift 2
    [ -r "$keyring" ] || skip "$keyring is missing: debian-archive-keyring is not installed"
    [ "$option" = - ] || options=("$option")
    if [[ $name = aarch64-* ]]; then
        # mmdebstrap would ask arch-test whether the programs of aarch64 run here.
        options+=(--architectures=arm64 --skip=check/qemu --essential-hook="$initramfs_hook")
        unpacked=$(mktemp -d)
        foreign_open "$unpacked"
    fi
    for uri in $(mirror) "$archive"; do
        rm -rf --one-file-system "${cache:?}/$name"-*
        say_while "host $name: making a root of $# packages and what they need, from $uri" "$cache/$release.log" \
            mmdebstrap --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' \
            --aptopt='Acquire::Retries "3"' "${options[@]}" --include="$(printf '%s,' "$@" | sed 's/,$//')" \
            "$suite" "$directory.new" "deb [signed-by=$keyring] $uri $suite main" || continue
        mv "$directory.new" "$directory"
        end_foreign
        return
    done
    skip "no root of $name ($suite) could be made; see $cache/$release.log"
}

end_foreign() {
    [ -z "$unpacked" ] || { foreign_close; rm -rf "$unpacked"; }
    unpacked=
}

# find_root: sets $root to the directory of what runs here, $disk_root to that of the disk of a
# virtual machine, and $packages_there and $foreign_packages to what they are made of.
find_root() {
    local polkit added
    read -r _ suite polkit added option <<<"$(awk -v name="$release" '$1 == name' <<<"$releases")"
    [ -n "$suite" ] || say_die "no release named '$release'; see --help"
    # shellcheck disable=SC2086  # a list of words
    packages_there=$({ printf '%s\n' $packages ${added//[-,]/ } ${kind:+$vm_packages}; awk '$2 == "build" { print $1 }' "$source/tools/scripts/packages.txt"; } |
        sed "s/^polkitd\$/$polkit/" | sort -u)
    root=$cache/$kind$release-$recipe-$(sha256sum <<<"$packages_there" | cut -c 1-12)
    disk_root=$root
    if [ "$arch" != x86_64 ]; then
        foreign_packages=$({ printf '%s\n' $aarch64_packages; [ -n "$boot" ] || printf '%s\n' $aarch64_kernel_packages; awk '$2 == "build" && $1 ~ /-dev$/ { print $1 }' "$source/tools/scripts/packages.txt"; } | sort -u)
        disk_root=$cache/$arch-$release-$recipe-$(sha256sum <<<"$foreign_packages" | cut -c 1-12)
    fi
    [ -z "$newer" ] || newer_root=$root-${newer%%:*}
    [ -z "$add" ] || added_root=$root-added-$(sha256sum <<<"$add" | cut -c 1-12)
}

# cached: what this host is made of is in the cache.
cached() {
    [ -d "$root" ] && { [ -z "$add" ] || [ -d "$added_root" ]; } && { [ -z "$newer" ] || [ -d "$newer_root" ]; } && { [ -z "$vm" ] || [ -e "$disk_root.img" ]; }
}

# fill_cache: makes what is missing, and locks it until the script ends.  Any number of hosts use it
# at once; only one of them makes it, and while none uses it.
fill_cache() {
    mkdir -p "$cache"
    # First: it may take half an hour, in which other hosts of the release need not wait.
    [ "$arch" = x86_64 ] || fill_foreign
    exec 9>"$cache/.$kind$release.lock"
    flock --shared 9
    until cached; do
        flock --exclusive 9
        # shellcheck disable=SC2086  # a list of words
        [ -d "$root" ] || make_root "$kind$release" "$root" $packages_there
        [ -z "$newer" ] || [ -d "$newer_root" ] || newer_packages "$newer"
        [ -z "$add" ] || [ -d "$added_root" ] || added_packages "$add"
        [ -z "$vm" ] || [ -e "$disk_root.img" ] || make_image
        flock --shared 9
    done
}

# fill_foreign: the same for the disk of another architecture.
fill_foreign() {
    exec 7>"$cache/.$arch-$release.lock"
    flock --shared 7
    until [ -e "$disk_root.img" ]; do
        flock --exclusive 7
        # shellcheck disable=SC2086  # a list of words
        [ -d "$disk_root" ] || make_root "$arch-$release" "$disk_root" $foreign_packages
        [ -e "$disk_root.img" ] || make_image
        flock --shared 7
    done
}

# set_nspawn: the command that runs something on $root.  Changes stay in memory and are lost with
# it; it ends with this script.
set_nspawn() {
    nspawn=(env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setpriv --pdeathsig TERM systemd-nspawn --quiet --directory="$root"
        --volatile=overlay --register=no --keep-unit --console=pipe --machine="viommu-host-$$" --hostname=viommu-host
        --private-network)
}

# stage NAME SOURCES DIRECTORY: copies what the sources in $work/SOURCES install on such a host to
# $work/DIRECTORY.  It is built once for each state of them, by one host; the others wait for it.
stage() {
    local sum staged
    exec 8>"$cache/.$1-$release.lock"
    flock 8
    sum=$(cd "$work/$2" && tar --sort=name --mtime=@0 --exclude=./tests -c . | sha256sum | cut -c 1-12)
    staged=$cache/$1-$release-$sum
    [ -d "$staged" ] || build_stage "$1" "$2"
    cp -a "$staged" "$work/$3"
    exec 8>&-
}

# What fills /staged.  Packages that are not of Debian's archive close none of its bugs.
meson_install='meson setup /tmp/build --prefix=/usr --buildtype=release -Dtests=disabled
    ninja -C /tmp/build
    DESTDIR=/staged meson install --no-rebuild -C /tmp/build'
# Of aarch64, with the headers and libraries of that host's root.
cross_install='DEBIAN_FRONTEND=noninteractive dpkg --install /viommu-added/*.deb
    export PKG_CONFIG_LIBDIR=/viommu-root/usr/lib/aarch64-linux-gnu/pkgconfig:/viommu-root/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=/viommu-root
    meson setup /tmp/build --cross-file tests/emulated/aarch64.ini --prefix=/usr --buildtype=release -Dtests=disabled
    ninja -C /tmp/build
    DESTDIR=/staged meson install --no-rebuild -C /tmp/build'
declare -A build_commands=([staged]=$meson_install [previous]=$meson_install [staged-aarch64]=$cross_install
    [packages]='DEBIAN_FRONTEND=noninteractive dpkg --install /viommu-added/*.deb
        tools/package deb /staged
        runuser -u nobody -- lintian --fail-on=error,warning,info --tag-display-limit=0 --suppress-tags=initial-upload-closes-no-bugs /staged/*.changes
        mkdir /staged/needed
        cp /viommu-added/{libyaml-0-2,rsync}_*.deb /staged/needed')

# build_stage NAME SOURCES: fills $staged.
build_stage() {
    rm -rf "$cache/$1-$release"-*
    mkdir "$staged.new"
    say_while "host $release: building what $2 installs there" "$cache/$release.log" \
        "${nspawn[@]}" ${add:+--bind-ro="$added_root:/viommu-added"} --bind-ro="$disk_root:/viommu-root" --bind="$work:/viommu" --bind="$staged.new:/staged" --chdir="/viommu/$2" \
        bash -ec "${build_commands[$1]}" </dev/null || say_die "$2 does not build there; see $cache/$release.log"
    mv "$staged.new" "$staged"
}

# previous_release: puts its sources into $work/previous.
previous_release() {
    local commit
    commit=$(awk '!/^#/ { print $2; exit }' "$here/previous-release")
    git -C "$source" cat-file -e "$commit^{commit}" 2>/dev/null ||
        skip "commit $commit, the previous release, is not in this clone: git fetch --tags, or git fetch --unshallow, brings it"
    mkdir "$work/previous"
    git -C "$source" archive "$commit" | tar -C "$work/previous" --no-same-owner -x
}

# make_image: makes a disk of $disk_root, which mounts what fill_work makes and runs its unit.
make_image() {
    mkdir -p "$disk_root/viommu" "$disk_root/etc/systemd/system/multi-user.target.wants"
    echo 'viommu /viommu 9p trans=virtio,version=9p2000.L,msize=262144 0 0' >"$disk_root/etc/fstab"
    printf '9p\n9pnet_virtio\n' >"$disk_root/etc/modules"
    ln -sf ../viommu-vm.service "$disk_root/etc/systemd/system/multi-user.target.wants"
    cat >"$disk_root/etc/systemd/system/viommu-vm.service" <<END
[Unit]
RequiresMountsFor=/viommu
[Service]
Type=oneshot
ExecStart=/bin/sh -ec 'cp /viommu/viommu-test.service /run/systemd/system; systemctl daemon-reload; systemctl --no-block start viommu-test'
END
    rm -f "$disk_root.img.new"
    truncate -s 6G "$disk_root.img.new"
    say_while "host $release: making a disk of its root" "$cache/$release.log" mke2fs -q -t ext4 -d "$disk_root" "$disk_root.img.new"
    mv "$disk_root.img.new" "$disk_root.img"
}

# machine_words: the QEMU options of the machine, one a line.
machine_words() {
    [ -n "$machine" ] || { printf '%s\n' -M 'q35,kernel-irqchip=split' -cpu EPYC -m 3072; return; }
    sed -e '/^#/d; /^append /d; /^file /d; /^kernel /d; /^rmrr /d; s/ /\n/' "$machines/$machine"
}

# kernel_words: the QEMU options of the kernel: one of tests/emulated/kernel.sh, which needs no
# initramfs, or that of the release.
kernel_words() {
    local kernels=("$boot"/vmlinuz*) initrds=("$boot"/initrd.img-*) slot
    printf '%s\n' -kernel "/viommu-boot/${kernels[0]##*/}"
    slot=$(sed -n 's/^rmrr //p' ${machine:+"$machines/$machine"} </dev/null)
    if [ -n "$slot" ]; then
        "$source/tests/emulated/rmrr.py" "$slot" >"$work/dmar"
        "$here/add-to-initrd.py" "$work/dmar" kernel/firmware/acpi/dmar.aml plain | cat - "${initrds[0]}" >"$work/initrd"
        printf '%s\n' -initrd /viommu/initrd
    elif [ -e "${initrds[0]}" ]; then
        printf '%s\n' -initrd "/viommu-boot/${initrds[0]##*/}"
    fi
}

# set_vm: the command that boots it, in QEMU of the release itself.  On a busy machine the kernel's
# check of its timer fails now and then on x86_64, and with interrupt remapping the kernel then
# panics.  No getty: udev may take longer than systemd waits for the terminal.
declare -A kernel_ends=([x86_64]='console=ttyS0 mitigations=off no_timer_check' [aarch64]='console=ttyAMA0 systemd.getty_auto=no')
set_vm() {
    local words kernel name size
    mapfile -t kernel < <(kernel_words)
    mapfile -t words < <(machine_words)
    [ -z "$machine" ] || while read -r _ name size; do
        truncate -s "$size" "$work/$name"
    done < <(grep '^file ' "$machines/$machine")
    vm_words=("${nspawn[@]}" --as-pid2 --bind="$work:/viommu" --bind-ro="$disk_root.img:/viommu.img" --bind-ro="$boot:/viommu-boot"
        "/usr/bin/qemu-system-$arch"
        -nodefaults -display none -no-reboot -accel 'tcg,thread=multi,tb-size=1024' "${words[@]}" -smp 1 "${kernel[@]}"
        -append "root=/dev/vda rw quiet panic=-1 ${kernel_ends[$arch]}$(sed -n 's/^append / /p' ${machine:+"$machines/$machine"} </dev/null | tr -d '\n')"
        -drive 'file=/viommu.img,format=raw,if=none,id=root,snapshot=on' -device 'virtio-blk-pci,drive=root,bus=pcie.0'
        -fsdev 'local,id=viommu,path=/viommu,security_model=none' -device 'virtio-9p-pci,fsdev=viommu,mount_tag=viommu,bus=pcie.0'
        -serial stdio)
}

# wants_kernel: the machine's kernel has iommufd.
wants_kernel() {
    [ -n "$machine" ] && grep -qx 'kernel iommufd' "$machines/$machine"
}

# copy_modules: they go to $work, with the tables that modprobe needs for them and Debian's own.
copy_modules() {
    cp -r "$modules" "$work"
    [ "$arch" = x86_64 ] || return 0
    # shellcheck disable=SC2016  # expanded by the shell in the host
    "${nspawn[@]}" --bind="$work:/viommu" sh -ec 'cp -r /viommu/modules/. /lib/modules
        version=$(ls /viommu/modules)
        depmod "$version"
        cp "/lib/modules/$version"/modules.* "/viommu/modules/$version"' </dev/null
}

# copy_guests: a virtual machine sees them below $work.
copy_guests() {
    local i file
    for i in "${!wanted[@]}"; do
        mkdir -p "$work/guests/${wanted[i]}"
        for file in "${guest_files[i]}"/{vmlinuz,initrd,disk,disk.qcow2}; do
            [ ! -e "$file" ] || cp -L --reflink=auto --sparse=always "$file" "$work/guests/${wanted[i]}"
        done
    done
}

# newer_packages SUITE:SOURCE...: fills $newer_root with the host's own apt, which gets network
# access for it.
newer_packages() {
    local sources=${1#*:}
    rm -rf "$newer_root.new"
    mkdir -p "$newer_root.new/partial"
    # shellcheck disable=SC2016  # expanded by the shell in the host
    say_while "host $release: downloading newer packages of $sources from ${1%%:*}" "$cache/$release.log" \
        "${nspawn[@]/--private-network/--bind=$newer_root.new:/newer}" sh -ec '
            sed "s/ $1 / $2 /" /etc/apt/sources.list >/etc/apt/sources.list.d/newer.list
            printf "Package:%s\nPin: release n=%s\nPin-Priority: 990\n" "$3" "$2" >/etc/apt/preferences.d/newer
            apt-get -q update
            apt-get -qy --no-install-recommends --download-only -o Dir::Cache::Archives=/newer -o APT::Sandbox::User=root dist-upgrade
            ' - "$suite" "${1%%:*}" " src:${sources//,/ src:}" </dev/null || true
    compgen -G "$newer_root.new/*.deb" >/dev/null || skip "no newer packages could be downloaded; see $cache/$release.log"
    mv "$newer_root.new" "$newer_root"
}

# added_packages PACKAGE,...: fills $added_root in the same way.
added_packages() {
    rm -rf "$added_root.new"
    mkdir -p "$added_root.new/partial"
    # shellcheck disable=SC2016  # expanded by the shell in the host
    say_while "host $release: downloading $1" "$cache/$release.log" \
        "${nspawn[@]/--private-network/--bind=$added_root.new:/added}" sh -ec '
            apt-get -q update
            # shellcheck disable=SC2086  # a list of words
            apt-get -qy --no-install-recommends --download-only -o Dir::Cache::Archives=/added -o APT::Sandbox::User=root install $1
            ' - "${1//,/ }" </dev/null || true
    compgen -G "$added_root.new/*.deb" >/dev/null || skip "$1 could not be downloaded; see $cache/$release.log"
    mv "$added_root.new" "$added_root"
}

# fill_work ARGUMENT...: one directory has everything that the host reads and writes; the host sees
# it as /viommu.
fill_work() {
    mkdir "$work/checkout" "$work/out"
    "$source/tools/scripts/source-files.sh" "$source" |
        tar -C "$source" --null --no-recursion -T - -c | tar -C "$work/checkout" --no-same-owner -x
    chmod 755 "$work"
    cat >"$work/viommu-test.service" <<END
[Unit]
Description=The test that this host was booted for
After=multi-user.target
[Service]
Type=oneshot
WorkingDirectory=/viommu/checkout
Environment=HOME=/root LC_ALL=C.UTF-8 VIOMMU_MACHINE=$machine
${vm:+ExecStartPre=/bin/ln -sfn /viommu/guests /viommu-guests}
ExecStartPre=/bin/sh -c '[ ! -d /viommu/modules ] || cp -r /viommu/modules/. /lib/modules'
ExecStart=/viommu/checkout/tests/$script $*
StandardOutput=append:/viommu/out/tap
StandardError=append:/viommu/out/errors
ExecStopPost=/bin/sh -c 'journalctl --no-pager -u viommud >/viommu/out/journal; echo "\$\$EXIT_STATUS" >/viommu/out/status; systemctl --no-block poweroff'
END
}

# boot: returns when the host has powered off.
boot() {
    local end
    local words=("${nspawn[@]}" --boot --bind="$work:/viommu" "${guests[@]}"
        --bind-ro="$work/viommu-test.service:/etc/systemd/system/viommu-test.service" systemd.wants=viommu-test.service)
    [ -z "$vm" ] || words=("${vm_words[@]}")
    "${words[@]}" >"$work/console" 2>&1 </dev/null &
    container=$!
    end=$((SECONDS + time_limit))
    while kill -0 "$container" 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "# not powered off after $time_limit s"
            halt
            return
        fi
        sleep 0.2
    done
    wait "$container" || true
    container=
}

# SIGTERM asks for an orderly end.  Never SIGKILL nspawn itself: its PID 1 would survive.
halt() {
    [ -n "$container" ] || return 0
    kill "$container" 2>/dev/null || true
    for _ in $(seq 80); do
        kill -0 "$container" 2>/dev/null || break
        sleep 0.1
    done
    pkill -KILL -P "$container" 2>/dev/null || true
    wait "$container" 2>/dev/null || true
    container=
}

release=debian12 option='' suite='' newer='' add='' out='' prepare='' time_limit=420 guests=() wanted=() guest_files=() vm='' machine='' machines=$source/tests/emulated/machines kind='' installed='' previous='' packaged='' cgroups=() arch=x86_64 foreign='' unpacked='' foreign_packages='' boot='' modules=''
cache=${VIOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viommud}/hosts
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --release=*) release=${1#*=} ;;
    --vm) vm=yes kind=vm- installed=yes ;;
    --machine=x86_64-*) machine=${1#*=} vm=yes kind=vm- installed=yes ;;
    --machine=aarch64-*) machine=${1#*=} vm=yes installed=yes arch=aarch64 foreign=yes ;;
    --installed) installed=yes ;;
    --previous) previous=yes ;;
    --packages) packaged=yes ;;
    --guest=*) wanted+=("${1#*=}") ;;
    --newer=*) newer=${1#*=} ;;
    --add=*) add=${1#*=} ;;
    --out=*) out=${1#*=} ;;
    --time-limit=*) time_limit=${1#*=} ;;
    --prepare) prepare=yes ;;
    -*) say_die "unknown option '$1'; see --help" ;;
    *) break ;;
    esac
    shift
done
if [ -n "$packaged" ]; then
    add=${add:+$add,}$(awk '$2 == "deb" { printf "%s,", $1 }' "$source/tools/scripts/packages.txt")lintian,rsync
fi
[ -z "$machine" ] || [ -f "$machines/$machine" ] || say_die "there is no machine '$machine' in tests/emulated/machines"
[ -z "$foreign" ] || add=${add:+$add,}gcc-aarch64-linux-gnu
if [ -z "$prepare" ]; then
    named=${1:?a script, or --prepare}
    shift
    for script in {hosts,emulated}/"$named"{,.sh,.py}; do [ ! -f "$source/tests/$script" ] || break; done
    [ -f "$source/tests/$script" ] || say_die "there is no script '$named' in tests/hosts or tests/emulated"
fi
# git refuses a checkout of another user, which may be tested all the same.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$source
container='' work=''
trap 'say_abandon; halt; end_foreign; leave_cgroup; [ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
prerequisites
own_cgroup
# Before the locks: it takes them, too.
if wants_kernel && [ "$arch" != x86_64 ]; then
    boot=$("$source/tests/emulated/kernel.sh" "$arch") || skip "the kernel of this machine cannot be made"
fi
find_root
set_nspawn
fill_cache
[ -z "$boot" ] || modules=$boot/modules
: "${boot:=$disk_root/boot}"
if wants_kernel && [ "$arch" = x86_64 ]; then
    modules=$("$source/tests/emulated/kernel.sh" "$arch" "$(ls "$disk_root/lib/modules")")/modules || skip "the modules of this machine cannot be made"
fi
[ -z "$add" ] || guests+=("--bind-ro=$added_root:/viommu-added")
[ -z "$newer" ] || guests+=("--bind-ro=$newer_root:/viommu-newer")
for guest in "${wanted[@]}"; do
    maker=guests.sh
    [[ $guest != *-image ]] || maker=cloud.sh
    [[ $guest != *-agent ]] || maker=debian.sh
    parts=$("$source/tests/qemu/$maker" "$guest") || skip "guest $guest is not in the cache and cannot be made"
    guests+=("--bind-ro=$parts:/viommu-guests/$guest")
    guest_files+=("$parts")
done
[ -z "$prepare" ] || exit 0
work=$(mktemp -d /tmp/viommu-host.XXXXXX)
"${nspawn[@]}" true >"$work/console" 2>&1 </dev/null || skip "systemd-nspawn cannot run here: $(tail -n 1 "$work/console" | tr -d '\r')"
fill_work "$@"
if [ -n "$installed" ]; then
    stage "staged${foreign:+-$arch}" checkout stage
fi
if [ -n "$previous" ]; then
    previous_release
    stage previous previous previous-stage
fi
if [ -n "$packaged" ]; then
    stage packages checkout packages
fi
[ -z "$vm" ] || { set_vm; copy_guests; }
[ -z "$modules" ] || copy_modules
boot
cat "$work/out/tap" 2>/dev/null || true
[ -z "$out" ] || cp -r "$work/out/." "$out/"
status=$(cat "$work/out/status" 2>/dev/null || echo 'none: it was not run to its end')
if [ "$status" != 0 ]; then
    echo "not ok - $script ended with status $status"
    tail -n 20 "$work/console" "$work/out/errors" "$work/out/journal" 2>/dev/null | tr -d '\r' | sed 's/^/# /'
    exit 1
fi

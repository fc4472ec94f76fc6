#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# package: the Debian packages on a Debian: what an installation does and leaves alone, an upgrade
# from the previous release and a downgrade to it while a machine runs, removal and purge.  Run by
# "host --packages --previous package", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
export DEBIAN_FRONTEND=noninteractive
packages=/viommu/packages
viommud=$(echo $packages/viommud_*.deb)
profile=/etc/apparmor.d/viommud

# install FILE...: as an administrator would, who keeps files that were edited.
install() {
    apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold install "$@"
}

# as USER VERB...
as() {
    runuser -u "$1" -- viommuctl --system "${@:2}"
}

# launch USER NAME
launch() {
    as "$1" launch --wait=started - <<<"{\"name\": \"$2\", \"accelerator\": \"tcg\", \"memory\": \"64 MiB\"}"
}

# with_version VERSION FILE: a package as $viommud is, of that version.  What is in $work/tree is
# packed.
with_version() {
    sed -i "s/^Version: .*/Version: $1/" "$work/tree/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$work/tree" "$2"
}

unpack() {
    rm -rf "$work/tree"
    dpkg-deb --raw-extract "$viommud" "$work/tree"
}

# The previous release had no package: its files, with the scripts of this one, but for a service
# that it did not have.
make_previous() {
    unpack
    find "$work/tree" -mindepth 1 -maxdepth 1 ! -name DEBIAN -exec rm -rf {} +
    tar -C /viommu/previous-stage -c . | tar -C "$work/tree" --no-same-owner -x
    rm -f "$work/tree/DEBIAN"/{conffiles,md5sums}
    sed -i "s/'*viommu-artemis.service'* //" "$work/tree/DEBIAN"/{postinst,prerm,postrm}
    with_version 0.1.0-1 "$work/previous.deb"
}

# A later package, with another profile in which a site may have edited.
make_next() {
    unpack
    echo '# of the next version' >>"$work/tree$profile"
    rm "$work/tree/DEBIAN/md5sums"
    with_version 99-1 "$work/next.deb"
}

# state WORD WORD: what systemd says of the service: enabled or not, active or not.
state() {
    [ "$(systemctl is-enabled viommud 2>/dev/null) $(systemctl is-active viommud)" = "$1 $2" ]
}

# runs FILE: that build is what runs.
runs() {
    cmp "/proc/$(systemctl show -P MainPID viommud)/exe" "$1"
}

# The machine's guest is the one that was launched.
still_there() {
    kill -0 "$qemu" && [ "$(as ci list --json | jq -r '.[] | "\(.name) \(.state)"')" = 'kept running' ]
}

# files: all names on the host, but for those that each installation of any package changes, and
# what libvirt, QEMU and the journal keep.
files() {
    find / -xdev \( -path /viommu -o -path /tmp -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache \
        -o -path /var/log/apt -o -path /var/log/journal -o -path /var/log/libvirt -o -path /var/lib/libvirt \) -prune -o -print |
        grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$' | sort
    find /run -name '*viommu*' ! -path '/run/systemd/*/viommu-test*' ! -path '/run/viommu-host*' | sort
}
nothing_left() {
    files >"$work/after"
    diff "$work/before" "$work/after"
}

for user in ci stranger; do
    useradd --create-home "$user"
done
make_previous >"$work/out" 2>"$work/err"
check 'a package of the previous release' test -s "$work/previous.deb"
make_next >"$work/out" 2>"$work/err"
check 'and one of a later one' test -s "$work/next.deb"
# Who asks first starts polkit, which has a directory of its own.
run 0 'polkit runs' '' systemctl start polkit
# What the packages depend on is no part of them.
run 0 'what they need' '' install $packages/needed/*.deb
files >"$work/before"

# --- Installation ---

run 0 'apt installs the three packages' '' install $packages/{viommud,viommu-doc,python3-tmt-viommu}_*.deb
check 'the service is neither enabled nor started' state disabled inactive
check 'nor is that for Artemis' test "$(systemctl is-enabled viommu-artemis)" = disabled
run 0 'the user is there' '^viommu:' getent passwd viommu
run 0 'it may use libvirt' '\blibvirt\b' id -nG viommu
run 0 'directories are' '^viommu 700$' stat -c '%U %a' /var/lib/viommu/boot
run 0 'with their owners' '^root 755$' stat -c '%U %a' /var/lib/viommu/images
run 0 'also in /run' '^viommu 700$' stat -c '%U %a' /run/viommud/console
run 0 'polkit knows the actions' '^org.viommu1' sh -c 'pkaction | grep org.viommu1'
check 'the profile of AppArmor is there' test -s $profile
[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] ||
    run 0 'and loaded' 'libvirt-viommud' cat /sys/kernel/security/apparmor/profiles
run 0 'the journal explains' 'viommu' sh -c 'journalctl --list-catalog | grep -i viommu'
run 0 'the manual is found' '/viommuctl.1.gz$' man -w viommuctl
run 0 'tmt would find its plugin' 'tmt_viommu.provision' python3 -c '
import importlib.metadata
print([entry.value for entry in importlib.metadata.distribution("tmt-viommu").entry_points])'
check 'documents are there' test -s /usr/share/doc/viommu-doc/docs/ci.md -a -s /usr/share/doc/viommud/examples/any.json

run 0 'asked for, it runs' '' systemctl enable --now viommud
usermod -aG viommu ci
run 0 'a member may launch' '^first$' launch ci first
run 4 'a stranger may not' "not in group 'viommu'" launch stranger second
run 0 'it runs' 'first +running' as ci list
run 0 'and ends' '' as ci kill first

# --- Removal and purge ---

run 0 'remove' '' apt-get -q -y remove viommud viommu-doc python3-tmt-viommu
check 'no daemon is left' test -z "$(pidof viommud)"
check 'the profile is kept' test -s $profile
run 0 'purge' '' apt-get -q -y purge viommud viommu-doc python3-tmt-viommu
check 'nothing is left of it' nothing_left

# --- Upgrade and downgrade while a machine runs ---

run 0 'the previous release is installed' '' install "$work/previous.deb"
run 0 'and enabled' '' systemctl enable --now viommud
check 'it runs' runs /viommu/previous-stage/usr/bin/viommud
run 0 'a machine' '^kept$' launch ci kept
qemu=$(pidof qemu-system-x86_64)
run 0 'this release takes its place' '' install "$viommud"
check 'it is enabled, and runs' state enabled active
check 'it is the new one' runs /usr/bin/viommud
check 'the profile has come' test -s $profile
check 'the machine is as it was' still_there
echo '# of the site' >>$profile
run 0 'a later one' '' install "$work/next.deb"
run 0 'the edited profile is kept' '# of the site' tail -n 1 $profile
check 'the other is beside it' grep -q '# of the next version' $profile.dpkg-dist
check 'the machine is as it was' still_there
run 100 'apt refuses a downgrade' 'downgrade' install "$work/previous.deb"
check 'the machine is as it was' still_there
run 0 'unless it is allowed' '' install --allow-downgrades "$work/previous.deb"
check 'the previous one runs' runs /viommu/previous-stage/usr/bin/viommud
check 'the machine is as it was' still_there
run 0 'upgrade again' '' install "$viommud"
check 'the machine is as it was' still_there
run 0 'a stopped service' '' systemctl disable --now viommud
run 0 'is upgraded' '' install "$work/next.deb"
check 'and stays stopped' state disabled inactive
run 0 'started again' '' systemctl start viommud
check 'the machine is as it was' still_there

run 0 'removed while the machine runs: it is named' '^kept +running' apt-get -q -y remove viommud
check 'its guest goes on' kill -0 "$qemu"
run 0 'installed again' '' install "$viommud"
run 0 'and started' '' systemctl start viommud
check 'the machine is as it was' still_there
run 0 'it ends' '' as ci kill kept
mkdir -p /etc/viommud/viommud.conf.d
printf '[limits]\nvcpus=4\n' >/etc/viommud/viommud.conf.d/site.conf
touch /var/lib/viommu/images/of-the-site
run 0 'purge' '' apt-get -q -y purge viommud
check 'images of the site are kept' rm /var/lib/viommu/images/of-the-site
rmdir /var/lib/viommu/images /var/lib/viommu
check 'nothing else is left of it' nothing_left
finish

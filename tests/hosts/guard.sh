#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# guard: the files that a request names stay unchanged, and give its sender no access that they did
# not have.  Run by "host guard", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
readonly guest=/viommu-guests/x86_64-debian13 images=/var/lib/viommu/images
readonly open=/var/lib/viommu/open
qcow2=$PWD/tests/hosts/qcow2.py
# The real paths, without links.
su=$(readlink -f "$(command -v su)") mount=$(readlink -f "$(command -v mount)") initrd=$(readlink -f $guest/initrd)
libvirt=$(virsh version --daemon 2>/dev/null | sed -n 's/^Running against daemon: //p')
[ -n "$libvirt" ] || libvirt=$(libvirtd --version | sed 's/.* //')

newer() {  # than libvirt 9.0
    [ "${libvirt%%.*}" -ge 9 ]
}

# as USER COMMAND...
as() {
    runuser -u "$1" -- env -C "/home/$1" "${@:2}"
}

# launch USER: the request is on standard input.
launch() {
    as "$1" viommuctl --system launch --wait=started -
}

# call USER WORD...: Launch by busctl, with paths and with descriptors.
call() {
    runuser -u "$1" -- busctl call org.viommu1 /org/viommu1 org.viommu1.Manager Launch 'a{sv}' "${@:2}"
}

end() {
    viommuctl kill "$1" >>"$work/err" 2>&1
}

# state FILE...: owners, modes and content.
state() {
    python3 - "$@" <<'PYTHON'
import hashlib, os, sys
for path in sys.argv[1:]:
    info = os.lstat(path)
    attributes = {name: os.getxattr(path, name).hex() for name in sorted(os.listxattr(path))}
    with open(path, "rb") as file:
        print(path, info.st_uid, info.st_gid, oct(info.st_mode), attributes, hashlib.sha256(file.read()).hexdigest())
PYTHON
}

# unchanged NAME: the watched files are unchanged.
unchanged() {
    state "${watched[@]}" >"$work/now"
    cp "$work/now" "$work/out"
    check "$1" diff "$work/before" "$work/now"
}

qemu_of() {
    local pid
    for pid in $(pidof qemu-system-x86_64); do
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "-name guest=[^ ,]*$1," && echo "$pid"
    done
}

# opened NAME FILE: the QEMU of machine NAME has it open.
opened() {
    find "/proc/$(qemu_of "$1")/fd" -lname "$2" | grep -q .
}

# reads_only NAME FILE: the QEMU of machine NAME has it open, and not for writing.
reads_only() {
    local fd pid
    pid=$(qemu_of "$1")
    while read -r fd; do
        grep -q '^flags:.*0$' "/proc/$pid/fdinfo/$fd" || return 1
    done < <(find "/proc/$pid/fd" -lname "$2" -printf '%f\n')
}

pid() {
    systemctl show -P MainPID viommud
}

# --- A host, and files of all kinds ---

for user in ci mate stranger; do
    useradd --create-home --shell /bin/bash $user
    chmod 700 /home/$user
done
run 0 'viommud is installed' '' tests/hosts/install.sh
run 0 'and started' '' systemctl enable --now viommud
usermod -aG viommu ci
usermod -aG viommu mate
echo "# libvirt $libvirt"

as ci tests/qemu/boot-sector.sh /home/ci/own.raw 2>/dev/null || tests/qemu/boot-sector.sh /home/ci/own.raw
cp $guest/vmlinuz $guest/initrd /home/ci
cp $guest/vmlinuz $guest/initrd /home/mate
truncate -s 4M $images/base.raw $images/ci.data /home/ci/plain.raw
cp "$su" $images/su && chmod 4755 $images/su
cp "$mount" /home/ci
as ci "$qcow2" make /home/ci/based.qcow2 backing=$images/base.raw
"$qcow2" make $images/top.qcow2 backing=$images/base.raw
"$qcow2" make $images/with-data.qcow2 data=$images/ci.data
as ci "$qcow2" make /home/ci/relative.qcow2 data=ci.data
chown ci: /home/ci/* $images/ci.data
chown ci $images/with-data.qcow2
chmod 600 /home/ci/based.qcow2 $images/ci.data
chmod 6755 /home/ci/mount
chmod 600 /home/mate/*
chown mate: /home/mate/*
python3 -c 'import os; os.setxattr("/home/ci/plain.raw", "user.note", b"of ci")' 2>/dev/null || echo '# no extended attributes of users here'
python3 -c 'import os; os.setxattr("'$images'/base.raw", "trusted.note", b"of root")' || echo '# no extended attributes here'
# shellcheck disable=SC2206  # no spaces in these
watched=($su $mount /usr/bin/passwd /etc/passwd /etc/shadow /home/ci/vmlinuz /home/ci/initrd /home/ci/mount
    /home/ci/plain.raw $images/base.raw $images/top.qcow2 $images/su $images/with-data.qcow2 /home/mate/initrd $guest/vmlinuz $initrd)
# shellcheck disable=SC2206
# Writable files stay the same except for their bytes; here no guest writes.
watched+=(/home/ci/based.qcow2 $images/ci.data)
# Files that a member may read through a group, and viommud may not: QEMU opens these by path.
truncate -s 4M $images/closed.raw $images/base-closed.raw
chgrp ci $images/closed.raw $images/base-closed.raw
chmod 640 $images/closed.raw $images/base-closed.raw
"$qcow2" make $images/upon.qcow2 backing=$images/base-closed.raw
# shellcheck disable=SC2206
watched+=($images/closed.raw $images/base-closed.raw $images/upon.qcow2)
state "${watched[@]}" >"$work/before"

by_path='name s paths memory s 64MiB accelerator s tcg disks aa{sv} 4
    3 path s '$su' format s raw read-only b true 3 path s /etc/passwd format s raw read-only b true
    3 path s '$images'/su format s raw read-only b true 3 path s '$images'/top.qcow2 format s qcow2 read-only b true'
by_descriptor='{"name": "mixed", "memory": "512 MiB", "accelerator": "tcg", "boot": {"kernel": "vmlinuz", "initrd": "initrd",
    "cmdline": "console=ttyS0 panic=-1 viommu.stay"}, "disks": [{"path": "based.qcow2", "format": "qcow2"},
    {"path": "/usr/bin/passwd", "format": "raw", "read-only": true}, {"path": "'$images'/with-data.qcow2", "format": "qcow2"},
    {"path": "plain.raw", "format": "raw"}, {"path": "mount", "format": "raw", "read-only": true}]}'
by_path_only='name s only memory s 512MiB accelerator s tcg boot a{sv} 3 kernel s '$guest'/vmlinuz initrd s '$initrd'
    cmdline s console=ttyS0 disks aa{sv} 2 2 path s '$images'/with-data.qcow2 format s qcow2 3 path s '$mount' format s raw read-only b true'
by_path_closed='name s closed memory s 64MiB accelerator s tcg disks aa{sv} 2
    3 path s '$images'/closed.raw format s raw read-only b true 3 path s '$images'/upon.qcow2 format s qcow2 read-only b true'

# --- No named file changes ---

# shellcheck disable=SC2086  # words of busctl's
run 0 'a member names files of root by their paths' '^o "' call ci 4 $by_path
unchanged 'they stay as they are'
check 'the guest has them' until_true 20 opened paths "$su"
run 0 'it is killed' '' end paths
unchanged 'they are as they were'
if newer; then
    # shellcheck disable=SC2086
    run 0 'a member names files that only they can open' '^o "' call ci 4 $by_path_closed
    check 'the guest has them' until_true 20 opened closed $images/closed.raw
    check 'and what one of them is based on' until_true 20 opened closed $images/base-closed.raw
    unchanged 'they stay as they are, though libvirt has their names'
    run 0 'it is killed' '' end closed
    unchanged 'they are as they were'
    run 0 'a member launches from files at home' '^mixed$' launch ci <<<"$by_descriptor"
else
    # shellcheck disable=SC2086
    run 0 'a member names kernel, setuid program and image' '^o "' call ci 5 ${by_path_only/only/mixed}
fi
unchanged 'they stay as they are, in spite of setuid bits and attributes'
qemu=$(qemu_of mixed)
run 0 'QEMU runs as who launched it' "^Uid:[[:space:]]$(id -u ci)" grep '^Uid' "/proc/$qemu/status"
run 0 "with libvirt's group" '' test "$(stat -c %G "/proc/$qemu")" = "$(stat -c %G /var/lib/libvirt/qemu)"
for what in environ mem fd/0 fd/6 root/etc/hostname map_files/0-1; do
    run 1 "whom Linux does not let look into it: $what" 'denied|not permitted' as ci head -c 1 "/proc/$qemu/$what"
done
uuid=$(viommuctl show mixed --json | jq -r .UUID)
check 'it has copies of the boot files' test -s "/var/lib/viommu/boot/$uuid.kernel"
run 1 'which are out of reach for who launched it' denied as ci cat "/var/lib/viommu/boot/$uuid.kernel"
run 1 'also for writing' denied as ci bash -c "echo >>/var/lib/viommu/boot/$uuid.kernel"
run 1 'and for other members' denied as mate cat "/var/lib/viommu/boot/$uuid.kernel"
old=$(pid)
kill -KILL "$old"
check 'viommud is killed, and back' until_true 30 sh -c "[ \$(systemctl show -P MainPID viommud) -ne $old ] && systemctl is-active viommud"
check 'with the machine' until_true 30 sh -c 'viommuctl list --json | jq -e ".[] | select(.name == \"mixed\" and .state == \"running\")"'
unchanged 'nothing has changed by that'
kill -KILL "$qemu"
check 'its QEMU is killed' until_true 30 sh -c 'viommuctl list --json | jq -e "all(.[]; .name != \"mixed\" or .state != \"running\")"'
end mixed
unchanged 'nor by that'
# shellcheck disable=SC2086
run 1 'a setuid program is no kernel' '' call ci 3 name s unborn accelerator s tcg boot 'a{sv}' 1 kernel s "$mount"
unchanged 'nor by a launch that fails'
run 0 "root's own request" '^o "' busctl call org.viommu1 /org/viommu1 org.viommu1.Manager Launch 'a{sv}' 4 name s roots memory s 64MiB \
    accelerator s tcg disks 'aa{sv}' 1 3 path s $images/top.qcow2 format s qcow2 read-only b true
run 0 "has libvirt's own user" '' test "$(stat -c %U "/proc/$(qemu_of roots)")" = "$(stat -c %U /var/lib/libvirt/qemu)"
end roots
unchanged 'and changes nothing either'
end unborn

# --- Overlays: what they are based on stays as it is ---

over='{"name": "over", "memory": "64 MiB", "accelerator": "tcg", "disks": [
    {"path": "'$images'/base.raw", "format": "raw", "overlay": true}, {"path": "'$images'/top.qcow2", "format": "qcow2", "overlay": true},
    {"path": "plain.raw", "format": "raw", "overlay": true}, {"path": "mount", "format": "raw", "overlay": true}]}'
over_by_path='name s over memory s 64MiB accelerator s tcg disks aa{sv} 2
    3 path s '$images'/base.raw format s raw overlay b true 3 path s '$images'/top.qcow2 format s qcow2 overlay b true'
if newer; then
    run 0 'a member launches over files of root, and own ones' '^over$' launch ci <<<"$over"
    check 'QEMU has what they are based on' until_true 20 opened over $images/base.raw
    check 'for reading alone' reads_only over $images/base.raw
    unchanged 'all of it stays as it is'
    kill -KILL "$(qemu_of over)"
    check 'its QEMU is killed' until_true 30 sh -c "viommuctl list | grep -Eq '^over +stopped'"
    unchanged 'it is as it was'
    end over
else
    run 3 'where libvirt takes no open files, a member has no overlay over own files' \
        "disks.2..path '/home/ci/plain.raw', so viommud must pass it to libvirt as an open file; that needs libvirt 9.0 or newer" launch ci <<<"$over"
fi
# shellcheck disable=SC2086
run 0 'by the paths of files that only root can replace' '^o "' call ci 4 $over_by_path
check 'QEMU has what they are based on' until_true 20 opened over $images/base.raw
check 'for reading alone, too' reads_only over $images/base.raw
unchanged 'and all of it stays as it is'
run 1 'its overlays are out of reach for who launched it' 'denied' as ci head -c 1 "$(find /var/lib/viommu/boot -name "*overlay*" -print -quit)"
end over
unchanged 'and afterwards'
check 'no overlay is left' sh -c '! ls /var/lib/viommu/boot | grep overlay'

# --- Who is notified, and when ---

runuser -u stranger -- dbus-monitor --system "type='signal',sender='org.viommu1'" >"$work/heard" 2>&1 &
monitor=$!
check 'a stranger listens' until_true 20 grep -q NameAcquired "$work/heard"
# shellcheck disable=SC2086
run 1 'a launch that fails in QEMU' '' call ci 4 name s unborn memory s 64MiB accelerator s tcg boot 'a{sv}' 1 kernel s "$mount"
run 0 'one that does not' '^o "' call ci 3 name s seen memory s 64MiB accelerator s tcg
check 'the stranger hears of it' until_true 20 grep -q '"running"' "$work/heard"
end seen
check 'and of its end' until_true 20 grep -q InterfacesRemoved "$work/heard"
cp "$work/heard" "$work/out"
check 'of the other one nothing' sh -c "! grep -q 'unborn' '$work/heard'"
check 'and nothing of what is not running yet' sh -c "! grep -qE '\"(planning|defining|starting|failed)\"' '$work/heard'"
kill "$monitor"

# --- Only viommud writes the XML ---

if newer; then
    run 0 'a launch' '^mixed$' launch ci <<<"$by_descriptor"
    run 0 "an open file's name is ours" "file='$open/$uuid|file='$open/" virsh dumpxml "$(virsh list --name | grep mixed)"
    check 'and no other' sh -c "! grep -E \"file='/(home|usr|etc)\" '$work/out'"
    end mixed
fi

# --- An image whose header changes after it was read ---

run 0 'mate launches' '^mates$' launch mate <<<'{"name": "mates", "memory": "512 MiB", "accelerator": "tcg",
    "boot": {"kernel": "vmlinuz", "initrd": "initrd", "cmdline": "console=ttyS0 panic=-1 viommu.stay"}}'
secret=/var/lib/viommu/boot/$(viommuctl show mates --json | jq -r .UUID).initrd
check 'with copies that are theirs' test -s "$secret"
tries=40
# attack TARGET: until QEMU has read the name and reported it; QEMU must not have opened the file.
attack() {
    local target=$1 i
    rm -f $images/flip.qcow2
    "$qcow2" make $images/flip.qcow2
    chown ci $images/flip.qcow2
    setpriv --reuid=ci --regid=ci --init-groups "$qcow2" flip $images/flip.qcow2 "$target" &
    flip=$!
    for ((i = 0; i < tries; i++)); do
        : >"$work/err"
        call ci 4 name s thief memory s 64MiB accelerator s tcg disks 'aa{sv}' 1 2 path s $images/flip.qcow2 format s qcow2 \
            >"$work/out" 2>"$work/err"
        if opened thief "$target" 2>/dev/null; then
            echo "QEMU has $target open" >>"$work/err"
            break
        fi
        end thief
        grep -q "Could not open '$target'" "$work/err" && break
    done
    kill "$flip"
    wait "$flip" 2>/dev/null
    cp "$work/err" "$work/attack"
    grep "Could not open '$target': Permission denied" "$work/attack"
}
for target in /etc/shadow /etc/passwd "$secret" /home/mate/initrd; do
    check "QEMU does not open ${target/$secret/"a copy of mate's"}, though the header says so" attack "$target"
    end thief
done
end mates
unchanged 'and nothing has changed'
if newer; then
    run 4 'a data file without an absolute path is refused' 'is not an absolute path' launch ci \
        <<<'{"disks": [{"path": "relative.qcow2", "format": "qcow2"}]}'
fi

# --- Descriptors of other kinds ---

# kernel_by PATH: a launch whose kernel is an open descriptor of what ci can open there.
kernel_by() {
    setpriv --reuid=ci --regid=ci --init-groups viommuctl --system launch - <<<'{"name": "odd", "boot": {"kernel": "'"$1"'"}}'
}
export -f kernel_by
# elsewhere COMMAND: in a mount namespace of its own, with all rights in it.
elsewhere() {
    unshare -m bash -c "$1"
}
run 4 'a file of /proc, open' "'proc', which does not hold files" kernel_by /proc/1/status
run 1 'by path' "'proc', which does not hold files" call ci 1 boot 'a{sv}' 1 kernel s /proc/1/status
run 4 'a file of /sys, open' "'sysfs', which does not hold files" kernel_by /sys/kernel/mm/transparent_hugepage/enabled
run 1 'by path' "'sysfs', which does not hold files" call ci 1 boot 'a{sv}' 1 kernel s /sys/kernel/mm/transparent_hugepage/enabled
run 4 'a file of memory' "host's own mount namespace" python3 -c 'import os
fd = os.memfd_create("x", 0); os.fchmod(fd, 0o444); os.write(fd, b"x"); os.dup2(fd, 3)
os.execvp("bash", ["bash", "-c", "kernel_by /dev/fd/3"])'
run 4 'a file of another mount namespace' "host's own mount namespace" elsewhere 'mount -t tmpfs tmpfs /var/lib/dpkg
    mkdir -p /var/lib/dpkg/info; echo x >/var/lib/dpkg/info/dash.postinst; kernel_by /var/lib/dpkg/info/dash.postinst'
run 4 "also what the other namespace shares with the host's" "host's own mount namespace" elsewhere 'kernel_by /home/ci/vmlinuz'
if newer; then
    as ci truncate -s 4M /home/ci/gone.raw
    run 0 'a deleted file, which is still theirs' '^odd$' bash -c 'exec 3<>/home/ci/gone.raw; rm /home/ci/gone.raw
        exec setpriv --reuid=ci --regid=ci --init-groups viommuctl --system launch --wait=started -' \
        <<<'{"name": "odd", "memory": "64 MiB", "accelerator": "tcg", "disks": [{"path": "/dev/fd/3", "format": "raw"}]}'
    run 0 'has a name of ours' "file='$open/" virsh dumpxml "$(virsh list --name | grep odd)"
    check 'and not its own' sh -c "! grep -q 'source.*deleted' '$work/out'"
    end odd
fi
check 'viommud is the same process' test "$(systemctl show -P NRestarts viommud)" -eq 1

# --- A host that does not confine guests ---

mkdir -p /etc/viommud/viommud.conf.d
printf '[guests]\nconfinement=required\n' >/etc/viommud/viommud.conf.d/guard.conf
run 0 'with confinement that is required' '' systemctl restart viommud
run 1 'nothing is launched without AppArmor and SELinux' "confinement is 'required'" call ci 2 name s loose accelerator s tcg
rm /etc/viommud/viommud.conf.d/guard.conf
run 0 'and without' '' systemctl restart viommud
run 0 'it is' '^o "' call ci 3 name s loose memory s 64MiB accelerator s tcg
run 0 'with a warning' 'neither AppArmor nor SELinux' viommuctl show loose
run 0 'and doctor tells of it' 'warning +neither AppArmor nor SELinux confines guests' viommuctl doctor
end loose
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl ssh and ssh-config, with a real viommud over libvirt's test driver, and with an ssh
# server of this host in place of the guest's.
#   ctl-ssh VIOMMUCTL VIOMMUD
set -u
# shellcheck source=tests/ctl/own-bus.sh
. "$(dirname "$0")/own-bus.sh"
sshd=$(PATH=$PATH:/usr/sbin command -v sshd) || { echo '1..0 # SKIP openssh-server is not installed'; exit 0; }
export HOME=$work
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
daemons=()
trap '[ ${#daemons[@]} -eq 0 ] || kill "${daemons[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT

# server NAME: starts an ssh server with a host key NAME, which lets this user in with $work/key.
server() {
    [ -e "$work/$1" ] || ssh-keygen -q -t ed25519 -N '' -f "$work/$1"
    cat >"$work/sshd.conf" <<END
ListenAddress 127.0.0.1:$port
HostKey $work/$1
AuthorizedKeysFile $work/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
END
    "$sshd" -D -f "$work/sshd.conf" -E "$work/sshd.log" &
    server=$!
    daemons+=("$server")
}
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
ssh-keygen -q -t ed25519 -N '' -f "$work/other"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

start_viommud
daemons+=("$daemon")
for name in one two; do
    run 0 "a machine" "^$name\$" "$ctl" launch name=$name arch=x86_64 memory=64M
done
uuid=$("$ctl" show one | sed -n 's/^UUID *//p')

run 3 'no way to the guest' 'no port of this host leads to port 22 .*--address' "$ctl" ssh one -- true
run 64 'no port' "does not end with a port" "$ctl" ssh one --address=127.0.0.1:x -- true
run 2 'no address' "'nowhere.invalid' is not a numeric address" "$ctl" ssh one --address=nowhere.invalid -- true
run 6 'no machine' "'three'" "$ctl" ssh three
run 75 'nobody listens' "no ssh server answers at 127.0.0.1 port $port within 1 seconds" "$ctl" ssh one --address="127.0.0.1:$port" --timeout=1 -- true

# inside OPTION... -- COMMAND...
inside() { "$ctl" ssh one --address="127.0.0.1:$port" --login="$(id -un)" --key="$work/key" "$@"; }
(sleep 2; exec python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
time.sleep(3)' "$port") &
silent=$!
run 75 'somebody listens, and is silent' 'no ssh server answers' inside --timeout=4 -- true
wait "$silent"
(sleep 1.5; echo late) >"$work/late" &
late=$!
inside --timeout=30 -- cat "$work/late" >"$work/out" 2>"$work/err" &
waiting=$!
wait "$late"
server host
check 'a server that comes late' wait "$waiting"
check 'is waited for' grep -q late "$work/out"
run 0 'a command' '^here$' inside -- echo here
run 7 'its exit status' '' inside -- sh -c 'exit 7'
# shellcheck disable=SC2016 # for the inner shell
run 137 'the signal that ended it' '' inside -- sh -c 'kill -9 $$'
run 127 'a command that is not there' 'no-such-command' inside -- no-such-command
odd=("a b" "" "'" '"' "\$HOME" '*' 'a
b' '\' ';' '-x')
run 0 'its arguments' '' inside -- printf '<%s>\n' "${odd[@]}"
printf '<%s>\n' "${odd[@]}" >"$work/wanted"
check 'arrive unchanged' cmp "$work/out" "$work/wanted"
run 0 'standard input' '^typed$' inside -- cat <<<typed
check 'the guest is known by the UUID of its machine' ssh-keygen -F "viommu-$uuid" -f "$XDG_RUNTIME_DIR/viommu/known-hosts"
check 'nobody else can read that' test "$(stat -c %a "$XDG_RUNTIME_DIR/viommu")" = 700
run 255 'a wrong key' 'Permission denied' "$ctl" ssh one --address="127.0.0.1:$port" --login="$(id -un)" --key="$work/other" -- true </dev/null

run 2 'a key whose path ssh cannot read' 'has a quotation mark.*rename' inside --key="$work/a\"b" -- true

run 0 'for other programs' "^Host one\$" "$ctl" ssh-config one --address="127.0.0.1:$port" --login="$(id -un)" --key="$work/key"
cp "$work/out" "$work/ssh.conf"
run 0 'is what ssh takes' '^here$' ssh -F "$work/ssh.conf" one echo here
echo 'a file' >"$work/file"
run 0 'and scp' '' scp -q -F "$work/ssh.conf" "one:$work/file" "$work/copied"
check 'which copies' cmp "$work/file" "$work/copied"
run 0 'as JSON' '"ssh-config" : "Host one' "$ctl" ssh-config one --address='[::1]:2222' --json
check 'with an address of IPv6' json '"HostName ::1\n  Port 2222" in j["ssh-config"]'

# Another host, which is this one: the bus by a program in place of ssh, the rest by ssh itself.
mkdir "$work/bin"
printf '#!/bin/sh\nexec systemd-stdio-bridge -p "$DBUS_SESSION_BUS_ADDRESS"\n' >"$work/bin/ssh"
chmod 755 "$work/bin/ssh"
if command -v systemd-stdio-bridge >/dev/null; then
    # far HOST WORD...
    far() { PATH=$work/bin:$PATH "$ctl" --host="$1" "${@:2}"; }
    run 0 'through another host' '^  ProxyJump ci@elsewhere:2222$' far ci@elsewhere:2222 ssh-config one --address=127.0.0.1
    run 0 'or its address in a network' '^  ProxyJump \[fe80::1%%eth0\]:22$' far '[fe80::1%eth0]:22' ssh-config one --address=127.0.0.1
    cp "$work/out" "$work/ssh.conf"
    check 'as ssh reads it' bash -c "timeout 5 ssh -vF '$work/ssh.conf' -o BatchMode=yes one true 2>&1 | grep -q 'Executing proxy command: .* fe80::1%eth0'"
    run 0 'or one that is named like no host' '^  ProxyJump ssh://None$' far None ssh-config one --address=127.0.0.1
    cp "$work/out" "$work/ssh.conf"
    check 'as ssh reads it' bash -c "ssh -GF '$work/ssh.conf' one </dev/null | grep -qx 'proxyjump None'"
    run 3 'not into a container' "cannot pass through 'elsewhere/deep'.*run viommuctl there" far elsewhere/deep ssh one --address=127.0.0.1 -- true
    run 3 'nor for a guest that would be launched there' "within the container 'deep' only" \
        far elsewhere/deep run --inside arch=x86_64 memory=64M --name=brief -- touch "$work/touched"
else
    echo '# SKIP --host: systemd-stdio-bridge is not installed'
fi

kill "$server"
wait "$server"
server changed
run 255 'a guest that is another one' 'Host key verification failed|HOST IDENTIFICATION HAS CHANGED' inside -- true </dev/null
run 0 'a new machine may be at the same port' '^here$' \
    "$ctl" ssh two --address="127.0.0.1:$port" --login="$(id -un)" --key="$work/key" -- echo here

# Keys of "run --inside".  libvirt's test driver starts no guest paused, so the run fails when it
# has a key.
store=$XDG_RUNTIME_DIR/viommu
mkdir -m 700 "$store/run-left" "$store/run-held"
touch "$store/run-left/"{lock,key,key.pub,known-hosts,machine}
cp "$work/key" "$store/run-held/key"
printf '%s\n%s\n' "$("$ctl" show two | sed -n 's/^UUID *//p')" "$(id -un)" >"$store/run-held/machine"
exec 8>"$store/run-held/lock"
flock 8
run 0 'the key of a run that lives' '^here$' "$ctl" ssh two --address="127.0.0.1:$port" -- echo here
# runs NAME [COMMAND...]: a run that fails when it has a key, in the environment of COMMAND (env).
runs() {
    run 8 "$1" 'cannot start domain' "${@:2}" "$ctl" run --inside arch=x86_64 memory=64M --name=brief --timeout=2 \
        -- touch "$work/touched" 8>&-
}
export TMPDIR=$work
runs 'a run whose guest does not start'
check 'runs nothing' test ! -e "$work/touched"
check 'leaves no key, removes what a killed run left, and nothing else' test "$(echo "$store"/run-*)" = "$store/run-held"
run 6 'nor a machine' "'brief'" "$ctl" show brief
chmod 755 "$store"
runs 'a directory that others can read'
check 'is not used' test "$(echo "$store"/run-*)" = "$store/run-held"
check 'nor is anything left elsewhere' bash -c "! ls -d '$work'/viommu-* 2>/dev/null"
other=$work/viommu-$(id -u)
mkdir -m 700 "$other" "$other/run-left"
touch "$other/run-left/"{lock,key}
runs 'outside of a session' env -u XDG_RUNTIME_DIR
check 'what a killed run left is removed, too' test -z "$(ls "$other")"
run 64 'files of no guest' 'use it with --inside' "$ctl" run --get=/a arch=x86_64 -- true
run 64 'a time without an ssh server' 'use it with --inside' "$ctl" run --timeout=1 arch=x86_64 -- true
run 64 'files without a name' 'names no file' "$ctl" run --inside --get=:a arch=x86_64 -- true
finish

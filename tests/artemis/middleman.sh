#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommu-artemis against a real viommud on a private bus, with libvirt's test driver: the requests
# of Artemis' driver, and those of others.
#   middleman VIOMMUCTL VIOMMUD
set -u
# shellcheck source=tests/ctl/own-bus.sh
. "$(dirname "$0")/../ctl/own-bus.sh"
command -v qemu-img >/dev/null || { echo '1..0 # SKIP qemu-img is not installed'; exit 0; }
here=$(cd "$(dirname "$0")" && pwd)
middleman=$here/../../tools/artemis/viommu-artemis.py
PATH=$(dirname "$ctl"):$PATH
export VIOMMU_CONNECT=test:///default
images=$XDG_DATA_HOME/viommud/images
mkdir -p "$images"
qemu-img create -q -f qcow2 "$images/debian13.qcow2" 64M
"$ctl" --user image-add "$images/debian13.qcow2" --os=debian13-cloud --seed=cloud-init --agent=no >/dev/null
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1F0u8n0zvM6fA2o5oUuR9b8b2v3mXl1nqkB5rYtG7Q artemis' >"$work/keys"
(umask 077 && echo 'correct horse' >"$work/password")
echo 'correct horse' >"$work/open"
: >"$work/empty"

# begin WORD...: starts viommu-artemis; its address, with the password, is in $url.
begin() {
    : >"$work/said"
    printf '%s\n' '# one a line' "--network=network=default" "--keys=$work/keys" >"$work/options"
    "$middleman" --connection=session @"$work/options" --password="$work/password" --listen=127.0.0.1:0 "$@" 2>"$work/said" &
    served=$!
    until_true 20 grep -q listening "$work/said"
    port=$(sed -n 's/^listening at 127.0.0.1 port //p' "$work/said")
    url=http://artemis:correct%20horse@127.0.0.1:$port
}

# end: ends it.
end() {
    kill "$served" 2>/dev/null
    wait "$served" 2>/dev/null
}

# asks STATUS NAME PATTERN WORD...: what the driver gets.
asks() {
    run "$1" "$2" "$3" "$here/driver.py" "$url" "${@:4}"
}

start_viommud
trap 'end; kill "$daemon" 2>/dev/null; wait "$daemon"; rm -rf "$work"' EXIT
begin --image=Debian-13=debian13 --guests=1
guest=artemis-5f4a2d0e-9a4b-4c1e-8a57-3f1f6a4b7c11
good='{"hw": {"arch": "x86_64", "constraints": {"and": [{"memory": ">= 1 GB"}, {"iommu": {"is-supported": true}}]}}, "os": {"compose": "Debian-13"}}'

# --- The driver's requests ---

asks 0 'can acquire' '"result": true, "reason": null' can-acquire "$good"
asks 0 'cannot acquire' "\"result\": false, \"reason\": \".*'smmuv3' exists only on aarch64" can-acquire "${good/\"is-supported\": true/\"model-name\": \"smmuv3\"}"
asks 0 'an unknown constraint' '"result": false.*did you mean' can-acquire "${good/memory/memori}"
asks 0 'an unknown image' "\"result\": false.*image 'Fedora-1'" can-acquire "${good/Debian-13/Fedora-1}"
asks 0 'no image' '"result": false.*os.compose of the environment names no image' can-acquire '{"hw": {"arch": "x86_64"}}'
asks 0 'capacity' '"usage": {"instances": 0,.*"limits": {"instances": 1,' metrics
asks 0 'acquire' "\"guest_id\": \"$guest\", \"state\": \"(pending|complete)\"" acquire "$good"
asks 0 'acquire again, as after a lost answer' "\"guest_id\": \"$guest\", \"state\": \"(pending|complete)\"" acquire "$good"
until_true 30 bash -c "'$here/driver.py' $url update $guest '$good' | grep -q complete"
asks 0 'the guest, with its address' '"state": "complete", "address": "[0-9.]+"' update "$guest" "$good"
run 0 'what was launched' '"IommuModel" : "intel"' "$ctl" show "$guest" --json
check 'as it was required' json 'j["Memory"] == 954 << 20 and j["SeedUser"] == "root" and j["LeaseEnd"] > 0'
asks 0 'capacity in use' '"usage": {"instances": 1,' metrics
asks 0 'the pool is full' '"result": false.*all 1 guests of this pool are in use' can-acquire "$good"
asks 0 'reboot' '^$' reboot "$guest"
asks 1 'console, which this driver of libvirt does not have' 'HTTP 50|HTTP 404' console "$guest"
asks 0 'release' '^$' release "$guest"
run 6 'it is gone' '' "$ctl" show "$guest"
asks 0 'release again' '^$' release "$guest"
asks 0 'a guest that is gone' '"state": "cancel"' update "$guest"
asks 0 'acquire what is not possible' '"state": "cancel"' acquire "${good/\"is-supported\": true/\"model-name\": \"smmuv3\"}"
check 'and why' grep -q "'smmuv3' exists only on aarch64" "$work/said"

# --- Those of others ---

"$ctl" launch name=mine arch=x86_64 memory=64M >/dev/null
asks 1 'machines of others' 'HTTP 404' release mine
asks 1 'a path' 'HTTP 404' release artemis-../mine
asks 1 'an option' 'HTTP 404' release artemis---help
asks 1 'another method' 'HTTP 501' raw 'PUT /guests HTTP/1.1\r\nPASSWORD\r\n'
asks 1 'no JSON' 'the environment is not JSON' raw 'POST /guests HTTP/1.1\r\nPASSWORDContent-Length: 1\r\n\r\n{'
asks 1 'nested deeply' 'nested too deeply|not JSON' raw "POST /guests HTTP/1.1\\r\\nPASSWORDContent-Length: 60000\\r\\n\\r\\n$(printf '[%.0s' {1..60000})"
asks 1 'not a dictionary' 'environment of the environment is not|is not a dictionary' raw 'POST /guests HTTP/1.1\r\nPASSWORDContent-Length: 17\r\n\r\n{"environment":1}'
asks 1 'a body without a length' 'HTTP 411' raw 'POST /guests HTTP/1.1\r\nPASSWORDTransfer-Encoding: chunked\r\n\r\n'
asks 1 'a large body' 'HTTP 413' raw 'POST /guests HTTP/1.1\r\nPASSWORDContent-Length: 99999999\r\n\r\n'
asks 1 'not base64' 'not coded in base64' raw 'GET /guests?environment=%ff HTTP/1.1\r\nPASSWORD\r\n'
asks 1 'more fields than there are' 'not coded in base64' raw 'GET /guests?a=1&b=1&c=1&d=1&e=1 HTTP/1.1\r\nPASSWORD\r\n'
asks 1 'control characters' 'HTTP 4' raw 'GET /\x1b[31m HTTP/1.1\r\nPASSWORD\r\n'
check 'are not in the log' bash -c "! grep -q $'\\e' '$work/said'"
asks 1 'a long line' 'HTTP 404' raw "GET /$(printf 'x%.0s' {1..60000}) HTTP/1.1\\r\\nPASSWORD\\r\\n"
check 'is short in the log' bash -c "[ \$(wc -L <'$work/said') -lt 3000 ]"
run 0 'the machine of others is there' '' "$ctl" show mine
# 200 connections say nothing, and 10 send half of a body: a request is answered at once.
check 'clients that are slow hold up nobody' python3 -c "
import base64, os, socket, time, urllib.request
password = b'Authorization: Basic ' + base64.b64encode(b'x:correct horse')
slow = [socket.create_connection(('127.0.0.1', $port)) for _ in range(210)]
for half in slow[200:]: half.sendall(b'POST /guests HTTP/1.1\r\n' + password + b'\r\nContent-Length: 9\r\n\r\n{')
request = urllib.request.Request('http://127.0.0.1:$port/pool_resources_metrics', headers=dict([password.decode().split(': ')]))
began = time.monotonic()
urllib.request.urlopen(request, timeout=8)
print(time.monotonic() - began)
assert len(os.listdir('/proc/$served/task')) < 100"
check 'and their threads end' until_true 20 sh -c "[ \$(ls /proc/$served/task | wc -l) -le 2 ]"
# Without a password, 64 clients send 6 MB of headers each.
python3 -c "
import contextlib, socket
many = [socket.create_connection(('127.0.0.1', $port)) for _ in range(64)]
for one in many:
    with contextlib.suppress(OSError):
        one.sendall(b'GET / HTTP/1.1\r\n' + b'X: %65000d\r\n' % 1 * 99)"
check 'large heads are not kept' awk '/^VmHWM/ { print; exit $2 > 150000 }' "/proc/$served/status"
asks 1 'nor read' 'HTTP 431' raw "GET / HTTP/1.1\\r\\nX: $(printf 'x%.0s' {1..17000})\\r\\nPASSWORD\\r\\n"
# Each acquires a guest of its own, at once.
for i in 1 2 3 4 5 6; do
    GUESTNAME=0000000$i "$here/driver.py" "$url" acquire "$good" >"$work/acquired$i" 2>&1 &
    acquiring[i]=$!
done
wait "${acquiring[@]}"
asks 0 'all at once get one' '"usage": {"instances": 1,' metrics
end
begin --image=Debian-13=debian13 --guests=1 --pool=other
asks 0 'another pool has guests of its own' '"usage": {"instances": 0,' metrics
asks 1 'and no others' 'HTTP 404' release "$guest"
end

# --- Keys ---

sed 's/^/no-pty /' "$work/keys" >"$work/optioned"
begin --keys="$work/optioned"
asks 0 'a key that viommud does not take: cannot acquire' '"result": false.*is not a public key of SSH' can-acquire "${good/Debian-13/debian13}"
end

# --- Passwords ---

begin
url=http://127.0.0.1:$port
asks 1 'no password' 'the password is missing or wrong' metrics
url=http://artemis:wrong@127.0.0.1:$port
asks 1 'a wrong password' 'the password is missing or wrong' metrics
asks 1 'no body is read without it' 'HTTP 401' raw 'POST /guests HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n'
asks 1 'a password that is not base64' 'HTTP 401' raw 'GET /guests HTTP/1.1\r\nAuthorization: Basic %%%\r\n\r\n'
asks 1 'nor ASCII' 'HTTP 401' raw 'GET /guests HTTP/1.1\r\nAuthorization: Basic \xff\r\n\r\n'
url=http://artemis:correct%20horse@127.0.0.1:$port
asks 0 'the password' '"limits": {"instances": 4,' metrics
run 1 'another service at this port' "^viommu-artemis: cannot listen at 127.0.0.1 port $port: Address already in use" \
    timeout 20 "$middleman" @"$work/options" --password="$work/password" --listen="127.0.0.1:$port"
end
(umask 077 && printf '#sharp\nother\n' >"$work/sharp")
begin --password="$work/sharp"
url=http://artemis:%23sharp@127.0.0.1:$port
asks 0 'a password is no comment' '"limits": {"instances": 4,' metrics
end

# --- Options ---

# refused NAME PATTERN WORD...: viommu-artemis does not start.
refused() {
    run 2 "$1" "$2" timeout 20 "$middleman" --listen=127.0.0.1:0 --keys="$work/keys" --network=network=default "${@:3}"
}

refused 'no password' 'arguments are required: --password'
refused 'a password that every user can read' 'every user can read .*: chmod o=' --password="$work/open"
refused 'an empty one' 'is empty' --password="$work/empty"
refused 'no keys' 'is empty' --password="$work/password" --keys="$work/empty"
echo '# none' >"$work/none"
refused 'only a comment' 'none has no key' --password="$work/password" --keys="$work/none"
refused 'ports instead of addresses' 'the guests need addresses' --password="$work/password" --network=user=x
refused 'no guests' 'is not a number above 0' --password="$work/password" --guests=0
refused 'a pool that is no name' 'small letters and digits' --password="$work/password" --pool=a-b
refused 'a port that is none' 'is not ADDRESS:PORT' --password="$work/password" --listen=127.0.0.1:70000
finish

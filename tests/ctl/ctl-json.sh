#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl with JSON files that are slightly wrong: each is refused with its line, and none is
# changed silently.
#   ctl-json VIOMMUCTL MAKE-MACHINE
set -u
# shellcheck source=tests/ctl/tap.sh
. "$(dirname "$0")/tap.sh"
ctl=$1 make=$2
cat >"$work/host.json" <<'END'
{"libvirt": "9.0.0", "emulators": [{"arch": "x86_64", "qemu": "7.2.22", "accelerators": ["tcg"]}]}
END

# file STATUS PATTERN TEXT: TEXT is the request, with printf's escapes.
file() {
    # shellcheck disable=SC2059
    printf "$3" >"$work/request.json"
    run "$1" "${3:0:40}" "$2" "$ctl" plan --host "$work/host.json" "$work/request.json"
}

file 0 'IOMMU: +none' '{}'
file 0 'IOMMU: +intel' ' \t\r\n{ "iommu" : { "model" : [ "intel" ] } }\n\n'
file 0 '512 MiB' '{"memory": "\\u00351\\u0032 MiB"}'
file 0 '2 vCPUs' '{"vcpus": 2}'
file 2 "request.json: line 1: there is no object" ''
file 2 "there is no object" '   \n'
file 2 "must contain a JSON object" '[]'
file 2 "line 2: the key 'model' is given twice" '{"iommu": {"model": "intel",\n"model": "virtio"}}'
file 2 "line 1: the key 'vcpus' is given twice" '{"vcpus": 1, "vcpus": 1}'
file 2 'after the end of the JSON object' '{} {}'
file 2 "'}' closes nothing" '}'
file 2 'ends inside an object' '{"vcpus": 1'
file 2 "line 3: a comma before '}'" '{\n"vcpus": 1,\n}'
file 2 "line 1: .*expected character ..'" '{"vcpus" 1}'
file 2 "line 1: .*expected character .,'" '{"vcpus": 1\n "name": "a"}'
file 2 "'/' is not JSON, which has no comments" '// a comment\n{}'
file 2 "''' is not JSON" "{'vcpus': 1}"
file 2 "'tru' needs quotes" '{"iommu": {"is-supported": tru}}'
file 2 "'var' needs quotes" 'var request = {}'
file 2 '9223372036854775808 does not fit 64 bits' '{"vcpus": 9223372036854775808}'
file 2 '18446744073709551615 does not fit 64 bits' '{"memory": 18446744073709551615}'
file 2 '1000000000000000000000000 does not fit' '{"vcpus": 1000000000000000000000000}'
file 2 "'01' is not a JSON number" '{"vcpus": 01}'
file 2 "'-' is not a JSON number" '{"vcpus": - 1}'
file 2 "'.5' is not JSON|'\.' is not JSON" '{"vcpus": .5}'
file 2 'is -9223372036854775808|-9223372036854775808 is too small' '{"vcpus": -9223372036854775808}'
file 2 'number with a fraction' '{"vcpus": 1.0}'
file 2 'number with a fraction' '{"vcpus": 1e400}'
file 2 'is null' '{"name": null}'
file 2 'is null' '{"iommu": {"model": null}}'
file 2 'not UTF-8' '{"name": "\xff"}'
file 2 'u0000 cannot be in a string' '{"name": "a\\u0000b"}'
file 2 'half of a surrogate pair' '{"name": "\\ud800"}'
file 2 'half of a surrogate pair' '{"name": "\\ud83d\\ud83d"}'
file 2 'half of a surrogate pair' '{"name": "\\ude00"}'
file 2 'without four digits' '{"name": "\\u12"}'
file 2 'does not begin a JSON escape' '{"name": "\\q"}'
file 2 'does not end on its line' '{"name": "a\nb"}'
file 2 'does not end' '{"name": "a'
file 2 'has an escape' '{"n\\u0061me": "a"}'
file 2 'nested deeper than 32' "$(printf '[%.0s' {1..40})"
file 2 "unknown key|not known|'nme'" '{"nme": "a"}'
run 2 'a file that is not there' 'cannot read .*nowhere.json: No such file' \
    "$ctl" plan --host "$work/host.json" "$work/nowhere.json"
run 2 'a folder' 'Is a directory' "$ctl" plan --host "$work/host.json" "$work"
run 2 'a file without an end' 'more than 1048576 bytes' "$ctl" plan --host "$work/host.json" /dev/zero
printf '{"iommu": {"model": "intel"}}' >"$work/request.json"
run 0 'standard input' 'IOMMU: +intel' "$ctl" plan --host "$work/host.json" - <"$work/request.json"
run 2 'the recorded host is read as strictly' 'line 1: the key .libvirt. is given twice' \
    "$ctl" plan --host <(printf '{"libvirt": "9.0.0", "libvirt": "9.0.0"}') "$work/request.json"

# --- What steers a terminal is escaped, in JSON, too ---

printf '{"machine": "a31m\xe2\x80\xaeb\xc3\xa4"}' >"$work/request.json"
run 2 'a control character in a request' 'must not contain control characters' "$ctl" plan --host "$work/host.json" <(printf '{"machine": "a\xc2\x9bb"}')
run 3 'what steers a terminal in an error' 'a31m.u202eb' "$ctl" plan --json --host "$work/host.json" "$work/request.json"
check 'are the same to who reads it' json '"a31m\u202eb\xe4" in j["error"]["message"]'
check 'and none is printed' python3 -c 'import sys; t = open(sys.argv[1]).read(); sys.exit(any(not (c.isprintable() or c == "\n") for c in t))' "$work/out"
run 3 'nor in words' 'a31m.b' "$ctl" plan --host "$work/host.json" "$work/request.json"
check 'on either stream' python3 -c 'import sys; t = open(sys.argv[1]).read(); sys.exit(any(not (c.isprintable() or c == "\n") for c in t))' "$work/err"

# --- What the site allows, on each host ---

mkdir "$work/server"
"$make" server-two-sockets "$work/server"
# host ARGUMENT...: this host's libvirt with the hardware of that server.
host() {
    VIOMMU_CONFIG=$work/viommud.conf "$ctl" --connect test:///default --root "$work/server" --json host "$@"
}
: >"$work/viommud.conf"
run 0 'a site that allows nothing' '' host --system
check 'says so, without empty lists' json 'j["site"] == {
    "devices": {"take-from-driver": False, "drivers": ["auto"], "in-use": "refuse"}, "networks": {"user": True}}'
cat >"$work/viommud.conf" <<'END'
[devices]
allow=gpus;8086:1572;0000:77:*.*
take-from-driver=yes
drivers=auto;mlx5_vfio_pci
in-use=root
[device gpus]
match=10de:20b5;10de:2330
group=ml
per-user=2
[device ports]
match=8086:*
[networks]
user=no
networks=inside;lab!
bridges=br0
END
run 0 'a site that allows something' '' host --system
check 'says what of the devices' json '{key: j["site"]["devices"][key] for key in ("allow", "take-from-driver", "drivers", "in-use")} == {
    "allow": ["gpus", "8086:1572", "0000:77:*.*"], "take-from-driver": True, "drivers": ["auto", "mlx5_vfio_pci"], "in-use": "root"}'
check 'to whom by which names' json 'j["site"]["devices"]["named"] == [
    {"name": "gpus", "match": ["10de:20b5", "10de:2330"], "group": "ml", "per-user": 2}, {"name": "ports", "match": ["8086:*"]}]'
check 'which of them are here' json 'j["site"]["devices"]["listed"] == [d["address"] for d in j["topology"]["devices"]
    if (d["vendor"], d["device"]) in ((0x10de, 0x20b5), (0x8086, 0x1572))] != []'
check 'and which networks' json 'j["site"]["networks"] == {"user": False, "networks": ["inside", "lab!"], "bridges": ["br0"]}'
cp "$work/out" "$work/recorded.json"
printf '{}' >"$work/request.json"
run 0 'the recording is planned on' 'IOMMU: +none' "$ctl" plan --host "$work/recorded.json" "$work/request.json"
run 0 'and printed as it was' '' "$ctl" host --json --system --host "$work/recorded.json"
check 'with its own site' cmp "$work/out" "$work/recorded.json"
run 0 "a user's own viommud has no site" '' host --user
check 'so none is told' json '"site" not in j and j["topology"]'
finish

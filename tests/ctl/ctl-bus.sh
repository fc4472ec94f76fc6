#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl against a real viommud on a private bus, with libvirt's test driver.
#   ctl-bus VIOMMUCTL VIOMMUD
set -u
# shellcheck source=tests/ctl/own-bus.sh
. "$(dirname "$0")/own-bus.sh"
printf '{"name": "one", "arch": "x86_64", "memory": "64 MiB", "iommu": {"is-supported": true}}' >"$work/one.json"
printf '{"arch": "x86_64", "memory": "64 MiB", "iommu": {"model": "smmuv3"}}' >"$work/refused.json"
printf '{"arch": "x86_64", "memory": "64 MiB"}' >"$work/unnamed.json"

# Without a daemon.
run 69 'nobody there' 'neither on the session bus nor on the system bus.*viommud --user &.*systemctl start viommud' "$ctl" list
run 69 'nobody on the session bus' 'does not run on the session bus.*viommud --user &' "$ctl" --user list
run 69 'no system bus' 'cannot connect to the system bus' "$ctl" --system list
run 69 'nobody there, as JSON' '"Unavailable"' "$ctl" list --json
check 'on standard output' json 'j["error"]["name"] == "Unavailable" and j["error"]["reasons"] == []'
DBUS_SESSION_BUS_ADDRESS=unix:path=$work/nowhere run 69 'no bus at all' 'session bus \(not reachable\)' "$ctl" list
run 2 'a wrong request needs no daemon' "'nme'|nme" "$ctl" launch - <<<'{"nme": "a"}'

start_viommud
trap 'kill "$daemon" 2>/dev/null; wait "$daemon"; rm -rf "$work"' EXIT
run 0 'no machines yet' '^NAME +STATE +IOMMU$' "$ctl" list
run 0 'no machines yet, as JSON' '^\[\]$' "$ctl" list --json

# Launch.
run 0 'launch' '^one$' "$ctl" launch "$work/one.json"
check 'launch says only the name in a pipe' test "$(cat "$work/out")" = one
run 0 'launch with another name' '^two$' "$ctl" launch "$work/one.json" --name=two --wait=started
run 0 'launch from standard input' '^three$' "$ctl" launch --name three - <"$work/one.json"
run 0 'launch, as JSON' '"Name" : "four"' "$ctl" --json launch --name four "$work/one.json"
check 'with all properties' json 'j["IommuModel"] == "intel" and j["State"] == "running" and j["Memory"] == 64 << 20'
run 0 'launch without a file' '^worded$' "$ctl" launch name=worded arch=x86_64 memory=64M --iommu
run 64 'exec needs a command' 'a command is missing' "$ctl" exec worded
run 64 'exec refuses words that are not UTF-8' 'word 2 of the command is not UTF-8' "$ctl" exec worded -- echo "$(printf '\351')"
run 3 'exec needs an agent' "machine 'worded' cannot run the command" "$ctl" exec worded -- true
run 3 'exec copies from and to files' "machine 'worded' cannot run the command" "$ctl" exec worded -- true </dev/null
run 0 'what was launched' '"IommuModel" : "intel"' "$ctl" show worded --json
run 0 'the end of it' '' "$ctl" kill worded
run 0 'run without a file' '^inner 67108864 a b=c$' "$ctl" run --name=inner arch=x86_64 --memory=64M -- sh -c 'echo $VIOMMU_NAME $VIOMMU_MEMORY "$1" $2' - a b=c
run 0 'run without the --' '^inner$' "$ctl" run --name inner "$work/one.json" printenv VIOMMU_NAME
run 0 'a name is made up' '^vm-[0-9a-f]+' "$ctl" launch "$work/unnamed.json"
unnamed=$(cat "$work/out")
run 0 'launch with a request-id' '^five$' "$ctl" launch --name five --request-id=r5 "$work/one.json"
run 0 'launch with the same request-id' '^five$' "$ctl" launch --name five --request-id=r5 "$work/one.json"
run 5 'the same request-id, another request' 'request-id|r5' "$ctl" launch --name six --request-id=r5 "$work/one.json"
run 5 'a name that is taken' "'one'" "$ctl" launch "$work/one.json"
run 3 'a refusal' '^viommuctl: .*smmuv3' "$ctl" launch "$work/refused.json"
check 'with a reason for each model' bash -c "for m in intel smmuv3 virtio amd; do grep -qE \"^  \$m +[a-z-]+: \" '$work/err' || exit; done"
run 3 'a refusal, as JSON' NotSupported "$ctl" launch --json "$work/refused.json"
check 'with its reasons' json 'j["error"]["name"] == "NotSupported"
    and {r["model"] for r in j["error"]["reasons"]} == {"intel", "smmuv3", "virtio", "amd"}
    and all(r["rule"] and r["text"] for r in j["error"]["reasons"])'
run 0 'of a requirement of tmt the first alternative that is possible' '"IommuModel" : "intel"' "$ctl" launch --json --name tmt --tmt=- <<'END'
{"and": [{"arch": "x86_64"}, {"memory": "64 MiB"},
         {"or": [{"iommu": {"model-name": "smmuv3"}}, {"tpm": {"version": "2.0"}}, {"iommu": {"is-supported": true}}, {"hostname": "x"}]}]}
END
run 0 'the end of it' '' "$ctl" kill tmt
run 3 'none of the alternatives' "none of the 2 alternatives.*'smmuv3' exists only on aarch64.*no TPM" "$ctl" launch arch=x86_64 --tmt=- <<<'{"or": [{"iommu": {"model-name": "smmuv3"}}, {"tpm": {"version": "2.0"}}]}'
run 0 'run with a requirement of tmt' '^2 intel$' "$ctl" run --tmt=- arch=x86_64 memory=64M -- sh -c 'echo $VIOMMU_VCPUS $VIOMMU_MODEL' <<<'{"iommu": {"is-supported": "!= false"}, "cpu": {"processors": "> 1"}}'
run 0 'planned is enough' '^seven$' "$ctl" launch --wait=planned --name seven "$work/one.json"

# Leases, and machines for the life of a command.
listed() { "$ctl" list --json >"$work/out" && json "'$1' in [m['name'] for m in j]"; }
until_listed() { for _ in {1..100}; do listed "$1" && return; sleep 0.05; done; return 1; }
until_gone() { for _ in {1..100}; do listed "$1" || return 0; sleep 0.05; done; return 1; }
run 0 'launch with a lease' '"LeaseEnd" : [1-9]' "$ctl" launch --json --lease=1000 --name leased "$work/one.json"
run 0 'extend' '' "$ctl" extend leased 2000
check 'it says nothing' test ! -s "$work/out"
run 0 'extend, as JSON' 'lease-end' "$ctl" extend leased 2000 --json
check 'the end of the lease' json 'j["lease-end"] > 2000 * 1000000'
run 2 'extend without a lease' "machine 'one' has no lease" "$ctl" extend one 10
run 2 'a lease of no time' "lease.seconds" "$ctl" launch --lease=0 --name no "$work/one.json"
run 0 'the end of it' '' "$ctl" kill leased
for signal in int term kill; do
    "$ctl" launch --bind=client --name "held-$signal" "$work/one.json" >"$work/held" &
    held=$!
    # Background jobs ignore SIGINT, but viommuctl waits for it.
    check "launch --bind=client holds ($signal)" until_listed "held-$signal"
    check "and says the name ($signal)" bash -c "for _ in {1..100}; do grep -q '^held-$signal\$' '$work/held' && exit; sleep 0.05; done; exit 1"
    kill -s "${signal^^}" "$held"
    wait "$held"
    check "until $signal comes" until_gone "held-$signal"
done
"$ctl" launch --bind=client --name held "$work/one.json" >"$work/held" &
held=$!
check 'launch --bind=client holds' until_listed held
run 0 'its machine is stopped by another' '' "$ctl" stop held
check 'which ends it' wait "$held"
# shellcheck disable=SC2016 # for the inner shell
run 0 'run' '^inner [0-9a-f-]{36} intel  /org/viommu1/machine/[0-9a-f_]{36} [1-9][0-9]* [1-9][0-9]{7,}$' "$ctl" run --name inner "$work/one.json" -- \
    sh -c 'echo "$VIOMMU_NAME $VIOMMU_UUID $VIOMMU_MODEL $VIOMMU_CONSOLE_LOG $VIOMMU_OBJECT $VIOMMU_VCPUS $VIOMMU_MEMORY"'
check 'its machine is gone at once' bash -c "! '$ctl' show inner"
run 0 'its machine runs meanwhile' '^inner +running' "$ctl" run --name inner "$work/one.json" -- "$ctl" list
run 0 'run asks for no password if told so' '^it ran$' "$ctl" run --no-ask-password --name inner "$work/one.json" -- echo 'it ran'
run 42 'the exit status of the command' '' "$ctl" run --name inner "$work/one.json" -- sh -c 'exit 42'
# shellcheck disable=SC2016
run 143 'the signal of the command' '' "$ctl" run --name inner "$work/one.json" -- sh -c 'kill -TERM $$'
run 127 'a command that is not there' "cannot run 'no-such-command'" "$ctl" run --name inner "$work/one.json" -- no-such-command
run 126 'a command that is none' "cannot run '/'" "$ctl" run --name inner "$work/one.json" -- /
run 3 'run of what is not possible' smmuv3 "$ctl" run "$work/refused.json" -- touch "$work/touched"
check 'runs nothing' test ! -e "$work/touched"
run 0 'a machine that is stopped by its command' '^done$' "$ctl" run --name inner "$work/one.json" -- sh -c "'$ctl' stop inner; echo done"
run 9 'a lease that ends before its command' "machine 'inner' is gone: its lease ended" "$ctl" run --lease=1 --name inner "$work/one.json" -- \
    sh -c 'sleep 2; exit 9'
run 0 'a lease that ends a launch' "machine 'held' is gone: its lease ended" "$ctl" launch --bind=client --lease=1 --name held "$work/one.json"
# This libvirt's guests show nothing.
for words in "9 --wait=verified" "9 wait=verified" "10 wait=ready"; do
    # shellcheck disable=SC2086
    run ${words% *} "run of a guest that must show something (${words#* })" "" "$ctl" run --name inner ${words#* } "$work/one.json" -- touch "$work/touched"
    check "runs nothing" test ! -e "$work/touched"
done
# Another alternative may be tried for what the host cannot do, not for what a guest has not shown.
echo 'or: [{iommu: {model-name: intel}}, {iommu: {model-name: virtio}}]' >"$work/either.yaml"
run 9 'run of the first of two alternatives' "NotVerified" "$ctl" run --json --name inner --tmt "$work/either.yaml" arch=x86_64 wait=verified -- true
check 'tries no other' sh -c "! grep -q alternatives $work/out"
jq '.wait = 5' "$work/one.json" >"$work/no-word.json"
run 2 'run of a request whose wait is no word' 'wait must be one of' "$ctl" run --name inner "$work/no-word.json" -- true
run 0 'run --wait=planned waits until the guest runs' running "$ctl" run --name inner --wait=planned "$work/one.json" -- "$ctl" show inner
"$ctl" run --name inner "$work/one.json" -- sleep 20 &
runner=$!
check 'run waits for its command' until_listed inner
sleep 0.3
kill "$runner"
wait "$runner"
[ $? -eq 143 ]
report 'a signal for run is one for its command' $?
check 'and its machine is gone' bash -c "! '$ctl' show inner"
"$ctl" run --name inner "$work/one.json" -- sleep 20 &
runner=$!
check 'run has a machine' until_listed inner
kill -KILL "$runner"
wait "$runner"
check 'which is gone when run is killed' until_gone inner

# Waiting.
run 0 'a machine that runs' '' "$ctl" wait one
check 'says nothing' test ! -s "$work/out" -a ! -s "$work/err"
run 75 'one that does not end' "machine 'one' is not ended within 1 seconds" "$ctl" wait one --for=ended --timeout=1
run 6 'one that there is not' "'nobody'" "$ctl" wait nobody
run 64 'a goal that is none' 'one of started, ready, verified, ended' "$ctl" wait one --for=lunch
"$ctl" launch "$work/one.json" --name waited >"$work/out" 2>"$work/err"
"$ctl" wait waited --for=ended >"$work/waited" &
waiter=$!
"$ctl" wait waited --for=ended --json >"$work/waited.json" &
waiter_json=$!
sleep 0.5
run 0 'one that ends' '' "$ctl" kill waited
check 'ends its wait' wait "$waiter"
check 'with its result' grep -qx stopped "$work/waited"
check 'and each other one' wait "$waiter_json"
check 'as JSON' grep -q '"result" : "stopped"' "$work/waited.json"

# The verbs that show.
run 0 'list' '^one +running +intel$' "$ctl" list
check 'one line for each' test "$(wc -l <"$work/out")" -eq 8
run 0 'no IOMMU is said' "^$unnamed +running +none\$" "$ctl" list
run 0 'list, as JSON' '"one"' "$ctl" list --json
check 'a list of objects' json 'len(j) == 7 and all(set(m) == {"name", "state", "model", "path"} for m in j)'
run 0 'show' '^IommuModel +intel$' "$ctl" show one
check 'show has sizes in words' grep -qE '^Memory +64 MiB$' "$work/out"
run 0 'show, as JSON' '"UUID"' "$ctl" show one --json
check 'by the names of the bus' json 'j["Name"] == "one" and j["IommuModel"] == "intel" and j["Memory"] == 64 << 20'
run 0 'xml' "<iommu model='intel'>" "$ctl" xml one
run 0 'xml, as JSON' 'domain-xml' "$ctl" xml one --json
check 'one string' json 'j["domain-xml"].startswith("<domain")'
run 6 'show of nothing' "'nothing'" "$ctl" show nothing
run 6 'xml of nothing' "'nothing'" "$ctl" xml nothing
run 6 'stop of nothing, as JSON' NotFound "$ctl" stop nothing --json

# The verbs that act.
run 0 'reset' '' "$ctl" reset one
run 0 'suspend' '' "$ctl" suspend one
run 0 'is paused' '^one +paused +intel$' "$ctl" list
run 0 'resume' '' "$ctl" resume one
run 0 'runs again' '^one +running +intel$' "$ctl" list
run 0 'stop' '' "$ctl" stop one --timeout=2
check 'it says nothing' test ! -s "$work/out" -a ! -s "$work/err"
run 6 'stop again' "'one'" "$ctl" stop one
run 0 'kill' '' "$ctl" kill two

# Another host, through a program in place of ssh.
if command -v systemd-stdio-bridge >/dev/null; then
    mkdir "$work/ssh"
    cat >"$work/ssh/ssh" <<'END'
#!/bin/sh
echo "$@" >"$0.words"
exec systemd-stdio-bridge -p "$DBUS_SESSION_BUS_ADDRESS"
END
    chmod 755 "$work/ssh/ssh"
    far() { PATH=$work/ssh:$PATH "$ctl" "$@"; }
    run 0 "another machine's list" '^three +running +intel$' far -H ci@otherhost list
    check 'is asked for by ssh' grep -qE -- '-oConnectTimeout=[0-9]+ .*-- ci@otherhost systemd-stdio-bridge$' "$work/ssh/ssh.words"
    run 0 'at a port' '^three' far -H otherhost:2222 list
    check 'which ssh is told' grep -q -- ' -p2222 -- otherhost systemd-stdio-bridge$' "$work/ssh/ssh.words"
    run 0 'at an address, in a container' '^three' far -H 'ci@[fe80::1%eth0]:22/deep' list
    check 'without its brackets' grep -q -- ' -p22 -- ci@fe80::1%eth0 systemd-stdio-bridge --machine=deep$' "$work/ssh/ssh.words"
    for host in '' 'a b:c' 'host:' ':22' '[::1' '::1' 'host/' 'host/a/b' 'host:container' 'a@b@c' 'ssh://host'; do
        run 69 "no host: '$host'" 'cannot connect to the system bus of .*: a host is .* in brackets$' far --host="$host" list
    done
    run 0 'a launch there' '^far$' far --host=otherhost launch --name far "$work/one.json"
    run 0 'is on that bus' '^far +running' "$ctl" list
    run 0 'and its end' '' far --host=otherhost kill far
    run 6 'as is seen there' "'far'" far -H otherhost show far
    printf '#!/bin/sh\necho "ssh: no route to host" >&2\nexit 255\n' >"$work/ssh/ssh"
    run 69 'a machine that is not reached' '^ssh: no route' far --host=otherhost list
    check 'whose name is said' grep -q '^viommuctl: cannot connect to the system bus of otherhost' "$work/err"
    run 69 'the same as JSON' '"Unavailable"' far --host=otherhost list --json
else
    echo '# SKIP --host: systemd-stdio-bridge is not installed'
fi

# On a terminal.
if command -v script >/dev/null; then
    unset NO_COLOR
    on_terminal() { TERM=xterm script -qefc "$(printf '%q ' "$@")" /dev/null </dev/null; }
    run 0 'colour on a terminal' $'\033\\[32mrunning' on_terminal "$ctl" list
    run 0 'none with --no-color' '^three +running +intel' on_terminal "$ctl" list --no-color
    NO_COLOR=1 run 0 'none with NO_COLOR' '^three +running +intel' on_terminal "$ctl" list
    run 0 'a summary on a terminal' 'IOMMU: intel' on_terminal "$ctl" launch --name eight "$work/one.json"
    run 3 'colour of a refusal' $'\033\\[31mviommuctl:' on_terminal "$ctl" launch "$work/refused.json"
    export NO_COLOR=1
else
    echo '# SKIP terminal: script (bsdutils) is not installed'
fi

# The verbs that need no daemon.  The test driver has no emulator.
run 0 'host, as JSON' '"libvirt"' "$ctl" host --json --connect test:///default
cp "$work/out" "$work/host.json"
run 0 'a recorded host is read again' '^x|^vm-' "$ctl" plan --host "$work/host.json" "$work/unnamed.json"
run 0 'host' '^libvirt [0-9.]+ at test:///default' "$ctl" host --connect test:///default
run 8 'a libvirt that is not there' 'cannot ask libvirt at test:///nowhere' "$ctl" host --connect test:///nowhere

# The doctor.
run 0 'doctor' '^viommud +ok +viommud [0-9.]+ runs' "$ctl" doctor --connect test:///default
check 'of the session, where polkit and groups have no say' bash -c "! grep -qE '^(polkit|group) ' '$work/out'"
check 'viommud counts what is there' grep -qE '^leftovers +ok +viommud counts all [0-9]+ machines' "$work/out"
check 'libvirt answers' grep -qE '^libvirt +ok +libvirt [0-9.]+ at test:///default' "$work/out"
check 'emulators' grep -qE '^emulator +ok +QEMU [0-9.]+ for x86_64' "$work/out"
check 'settings' grep -qE '^settings +ok ' "$work/out"
printf '[daemon]\nwrokers=2\n' >"$work/odd.conf"
VIOMMU_CONFIG=$work/odd.conf run 0 'an odd setting' '^settings +warning .*wrokers' "$ctl" doctor --connect test:///default
run 0 'a libvirt that does not answer' '^libvirt +warning +libvirt [0-9.]+ accepts viommud, but not you' \
    "$ctl" doctor --connect test:///nowhere
run 1 'a system that is not there' '^viommud +problem +cannot connect to the system bus' "$ctl" --system doctor --connect test:///default

# A viommud that stands still: viommuctl waits 25 s for an answer.
kill -STOP "$daemon"
run 75 'a viommud that does not answer' '^viommuctl: viommud on the session bus gave no answer to ListMachines' \
    timeout 60 "$ctl" --user list
kill -CONT "$daemon"

kill "$daemon"
wait "$daemon"
run 1 'doctor without viommud' '^viommud +problem .*viommud --user &' "$ctl" doctor --user --connect test:///default

# Leftovers: a domain whose metadata viommud cannot read, and copies of a machine that does not
# exist.
cat >"$work/node.xml" <<'END'
<node><domain type='test'><name>torn</name><uuid>00000000-0000-4000-8000-000000000001</uuid><memory>65536</memory><os><type>hvm</type></os>
  <metadata><viommu:machine xmlns:viommu='https://viommu.org/xmlns/domain/1' name='torn'/></metadata></domain></node>
END
node=test://$work/node.xml
run 1 'machines that nobody counts' '^leftovers +warning +viommud does not answer, so no lease ends the 1 machines' \
    "$ctl" doctor --user --connect "$node"
"$viommud" --user --connect "$node" 2>"$work/log" &
daemon=$!
for _ in {1..100}; do
    "$ctl" --user list >"$work/out" 2>"$work/err" && break
    sleep 0.1
done
run 0 'a domain that viommud does not count' "^leftovers +warning +domain 'torn' \(00000000-0000-4000-8000-000000000001\) has viommud's metadata" \
    "$ctl" doctor --connect "$node"
check 'how to end it' grep -q 'virsh undefine --nvram 00000000-0000-4000-8000-000000000001' "$work/out"
mkdir -p "$XDG_DATA_HOME/viommud/boot"
head -c 4096 /dev/zero >"$XDG_DATA_HOME/viommud/boot/00000000-0000-4000-8000-000000000001.kernel"
cp "$XDG_DATA_HOME/viommud/boot/"{00000000-0000-4000-8000-000000000001.kernel,00000000-0000-4000-8000-000000000002.initrd}
run 0 'copies that are left' 'has copied boot files and overlays \(4 KiB\) of 1 machines that do not exist' "$ctl" doctor --connect "$node"
run 0 'of another libvirt nothing is said' '^viommud +ok' "$ctl" doctor --connect test:///default
check 'nothing at all' bash -c "! grep -q '^leftovers' '$work/out'"
kill "$daemon"
wait "$daemon"
run 69 'gone again' 'neither on the session bus' "$ctl" list

# viommuctl sends files open to the system's viommud, which then needs no access to their paths:
# here that is root's viommud on this bus.
if [ "$(id -u)" -eq 0 ]; then
    export DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS STATE_DIRECTORY=$work/state
    # In a directory where only root can replace the file, libvirt may use the path, too.
    safe=$(mktemp -d /run/viommu-ctl.XXXXXX)
    trap 'kill "$daemon" 2>/dev/null; wait "$daemon"; rm -rf "$work" "$safe"' EXIT
    : >"$work/empty.conf"
    "$viommud" --system --config="$work/empty.conf" --console-directory="$work/console" --connect=test:///default 2>"$work/log" &
    daemon=$!
    for _ in {1..100}; do
        "$ctl" --system list >"$work/out" 2>"$work/err" && break
        sleep 0.1
    done
    printf 'a kernel' >"$safe/kernel"
    truncate -s 1M "$safe/disk.raw"
    cat >"$safe/files.json" <<END
{"name": "files", "arch": "x86_64", "memory": "64 MiB", "boot": {"kernel": "kernel"},
 "disks": [{"path": "$safe/disk.raw", "format": "raw"}, {"path": "disk.raw", "format": "raw", "read-only": true}]}
END
    from_safe() { env -C "$safe" "$@"; }
    run 0 'files by descriptors' '^files$' from_safe "$ctl" --system launch files.json
    run 0 'are those of this command' "$safe/disk.raw" "$ctl" --system xml files
    check 'the kernel is a copy' grep -qE '<kernel>.*/state/.*\.kernel</kernel>' "$work/out"
    run 2 'a path from elsewhere' "boot\.kernel '.*/kernel' cannot be opened" "$ctl" --system launch "$safe/files.json"
    sed -i 's/"kernel": "kernel"/"kernel": 7/' "$safe/files.json"
    run 2 'what is no path' 'boot\.kernel' from_safe "$ctl" --system launch files.json
    sed -i 's/"kernel": 7/"kernel": "kernel"/; s|"path": "/|"path": "/nowhere/|' "$safe/files.json"
    run 2 'a disk that is not there' "disks\[0\]\.path '/nowhere/.*' cannot be opened for reading and writing" \
        from_safe "$ctl" --system launch files.json
    python3 -c 'import json, sys; disk = {"path": sys.argv[1], "format": "raw", "read-only": True}
json.dump({"name": "many", "arch": "x86_64", "boot": {"kernel": "kernel"}, "disks": [disk] * 16}, sys.stdout)' \
        "$safe/disk.raw" >"$safe/many.json"
    run 0 'more than fit into a message' '^many$' from_safe "$ctl" --system launch many.json
    run 0 'is there, and the other, too' '^files +running' "$ctl" --system list
    run 0 'kill' '' "$ctl" --system kill files

    # What users other than root may have, as the doctor reads it.
    cat >"$safe/site.conf" <<END
[devices]
allow=gpus;8086:10d3
take-from-driver=yes
in-use=root
[device gpus]
match=10de:1eb8
group=nogroup
per-user=2
[networks]
user=no
networks=default
bridges=br0
END
    VIOMMU_CONFIG=$safe/site.conf run 0 'what others may have' \
        "gpus;8086:10d3; taken from drivers of the host: yes; .*of type user: no; libvirt networks: default; bridges: br0" \
        "$ctl" --system doctor --connect test:///default
    check 'a named device' grep -qE "'gpus' \(10de:1eb8\) is for members of group nogroup, at most 2 per user" "$work/out"
    check 'what root may besides' grep -q 'root may assign devices that the host itself uses' "$work/out"
else
    echo '# SKIP files for the system: it takes root'
fi
finish

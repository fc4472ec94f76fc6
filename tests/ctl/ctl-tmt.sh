#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl plan --tmt: files with a hardware requirement of tmt, as YAML and as JSON, what a host
# gives for them, and what is refused; and jobs of Beaker.
#   ctl-tmt VIOMMUCTL yaml|json
set -u
# shellcheck source=tests/ctl/tap.sh
. "$(dirname "$0")/tap.sh"
ctl=$(realpath "$1") form=$2
cat >"$work/host.json" <<'END'
{"libvirt": "9.0.0", "emulators": [{"arch": "x86_64", "qemu": "7.2.22", "accelerators": ["tcg"], "firmware": ["bios", "efi"]}]}
END

# plan STATUS NAME PATTERN TEXT [WORD...]: what "plan --tmt" says of TEXT.
plan() {
    printf '%s\n' "$4" >"$work/plan.fmf"
    run "$1" "$2" "$3" "$ctl" plan --host="$work/host.json" --tmt="$work/plan.fmf" "${@:5}"
}

# yaml STATUS...: the same, where viommuctl reads YAML.
yaml() {
    [ "$form" = json ] || plan "$@"
}

plan 0 'a requirement' '4 vCPUs, 1908 MiB' '{"iommu": {"is-supported": true}, "memory": ">= 2 GB", "cpu": {"processors": "> 3"}}'
check 'with an IOMMU' grep -q 'IOMMU: *intel' "$work/out"
plan 0 'a word overrides it' '4 vCPUs, 512 MiB' '{"memory": ">= 2 GB", "cpu": {"processors": "> 3"}}' memory=512M
plan 0 'the second alternative' 'alternative 2 of 2 of the hardware requirement: iommu.model-name: != smmuv3' \
    '{"or": [{"iommu": {"model-name": "smmuv3"}}, {"iommu": {"model-name": "!= smmuv3"}}]}'
plan 3 'no alternative' "none of the 2 alternatives .*tpm.version: 2' is not possible: viommud gives no TPM; iommu.model-name: smmuv3: " \
    '{"or": [{"tpm": {"version": "2"}}, {"iommu": {"model-name": "smmuv3"}}]}'
plan 3 'a model that this host does not have' "smmuv3  arch: 'smmuv3' exists only on aarch64|'smmuv3' exists only on aarch64" '{"iommu": {"model-name": "smmuv3"}}'
plan 0 'no requirement' '1 vCPU, 1 GiB' '{"provision": {"how": "viommu"}}'
plan 2 'a name that tmt does not know' "did you mean 'memory'" '{"memori": 1}'
plan 2 'not a dictionary' 'mapping|object' '[1]'
run 2 'a file that is not there' 'cannot read /nowhere' "$ctl" plan --tmt=/nowhere
run 0 'standard input' 'IOMMU: *intel' "$ctl" plan --host="$work/host.json" --tmt=- <<<'{"iommu": {"is-supported": true}}'
[ "$form" = yaml ] || plan 2 'YAML without libyaml' 'built without libyaml' 'memory: 1 GB'

yaml 3 'the image of a plan' "image 'debian13'" 'summary: x
provision:
  - how: viommu
    image: debian13
    hardware:
      memory: 1 GB'
yaml 0 'a plan for another plugin' '954 MiB' 'provision: {how: virtual, image: fedora, hardware: {memory: ">= 1 GB"}}'
yaml 2 'a wrong name beside what is possible' "did you mean 'memory'" 'or: [{iommu: {is-supported: true}}, {memorx: 2 GB}]'
yaml 2 'a wrong value beside what is possible' "'2 GBX' has an unknown unit" 'or: [{iommu: {is-supported: true}}, {memory: 2 GBX}]'
yaml 0 'what is not possible beside what is' 'alternative 2 of 2' 'or: [{tpm: {version: "2.0"}}, {iommu: {is-supported: true}}]'
yaml 2 'two phases' "give the 'hardware' of one phase" 'provision: [{how: viommu}, {how: viommu}]'
yaml 2 'no value' "'memory' has no value" 'memory:'
yaml 2 'an alias' 'line 2: aliases' $'a: &x [1]\nb: [*x, *x, *x]'
yaml 2 'an alias of itself' 'line 1: aliases' 'a: &x [*x]'
yaml 2 'a tag' 'line 1: tags' 'memory: !!str 1'
yaml 2 'a key twice' 'line 2: a key is there twice' $'memory: 1\nmemory: 2'
yaml 2 'a key that is no text' 'line 1: a key must be text' '[a]: 1'
yaml 2 'two documents' 'line 2: a second document' $'memory: 1 GB\n--- {}'
yaml 2 'no document' 'the file is empty' '# nothing'
yaml 2 'not YAML' 'line 1: ' 'a: ]'
yaml 2 'a control character' 'control characters' 'hostname: "a\u001b[31m"'
yaml 2 'a zero' 'line 1: a value that is no text' 'hostname: "a\0b"'
yaml 2 'nested too deeply' 'nested too deeply' "a: $(printf '[%.0s' {1..40})$(printf ']%.0s' {1..40})"
yaml 2 'nested very deeply' 'nested too deeply' "a: $(head -c 100000 /dev/zero | tr '\0' '[')"
yaml 2 'too large' 'larger than 1 MiB' "#$(head -c 1100000 /dev/zero | tr '\0' x)"
printf 'hostname: "\377"\n' >"$work/bytes.fmf"
[ "$form" = json ] || run 2 'not UTF-8' 'line 1: ' "$ctl" plan --tmt="$work/bytes.fmf"

# --- Beaker ---

# job STATUS NAME PATTERN HOSTREQUIRES [WORD...]: what "plan --beaker" says.
job() {
    printf '<job><recipeSet><recipe><hostRequires>%s</hostRequires></recipe></recipeSet></job>\n' "$4" >"$work/job.xml"
    run "$1" "$2" "$3" "$ctl" plan --host="$work/host.json" --beaker="$work/job.xml" "${@:5}"
}
iommu='<key_value key="VIRT_IOMMU" op="==" value="1"/>'
job 0 'a job' 'IOMMU: *intel' "<and>$iommu<memory op='&gt;=' value='2048'/></and>"
check 'with its memory' grep -q '1 vCPU, 2 GiB' "$work/out"
job 0 'what is not judged' 'not judged of hostRequires: labcontroller, key_value MODULE$' "$iommu<labcontroller value='a'/><key_value key='MODULE' value='b'/>"
job 3 'more disks' 'the guest has the disk of its image' "$iommu<key_value key='NR_DISKS' op='&gt;=' value='2'/>"
job 3 'no disk' "'key_value NR_DISKS: = 0' is not possible: the guest has the disk of its image" "$iommu<key_value key='NR_DISKS' op='==' value='0'/>"
job 0 'what is judged before what is not' 'not judged of hostRequires: labcontroller; alternative 1 of 2 of the hardware requirement: iommu.is-supported: = true$' "<or><labcontroller value='a'/>$iommu</or>"
job 0 'what is not judged before what is not possible' 'alternative 2 of 2 of the hardware requirement: labcontroller: not judged$' "<or><labcontroller value='a'/><key_value key='NR_DISKS' value='2'/></or>"
job 3 'a CPU that is another one here' "cpu.vendor 'intel' is not possible here: QEMU emulates a CPU of 'amd'" "<cpu><vendor value='GenuineIntel'/></cpu>"
job 0 'the one that it is' 'accelerator tcg' "<cpu><vendor value='AuthenticAMD'/></cpu>"
job 3 'a CPU of nobody' "'cpu.vendor-name: = VIA' is not possible: viommud knows GenuineIntel" "<cpu><vendor value='VIA'/></cpu>"
job 0 'an alternative' 'alternative 2 of 2' "<or><cpu><vendor value='GenuineIntel'/></cpu>$iommu</or>"
job 0 "the first seed's example" 'IOMMU: *intel' "<and>$iommu<key_value key='NR_DISKS' op='==' value='1'/><cpu><vendor op='!=' value='GenuineIntel'/></cpu></and>"
job 3 'its opposite' 'is not possible' "<not><system><hypervisor op='!=' value=''/></system></not>"
# The host itself, of which /proc and /sys say more than a recording; here without a libvirt.
itself() {
    printf '<hostRequires>%s</hostRequires>\n' "$4" >"$work/job.xml"
    run "$1" "$2" "; $3\$" env VIOMMU_CONNECT=none:/// "$ctl" plan --user --beaker="$work/job.xml"
}
yes='this host itself satisfies hostRequires' no='this host itself does not satisfy hostRequires'
processors=$(grep -c '^processor' /proc/cpuinfo) disks=0
for block in /sys/block/*; do
    if [ -e "$block/device" ] && [ "$(cat "$block/removable" "$block/size" | paste -sd :)" != "0:0" ] && [ "$(cat "$block/removable")" = 0 ]; then
        disks=$((disks + 1))
    fi
done
itself 8 'its arch, CPUs and disks' "$yes" "<arch value='$(uname -m)'/><cpu_count value='$processors'/><key_value key='NR_DISKS' op='&lt;' value='$((disks + 2))'/>"
itself 3 'other ones' "$no: not system/arch == '$(uname -m)' (.*), cpu/processors > '$processors' (.*), key_value NR_DISKS == '$((disks + 5))' \\(it is '$disks'\\)" \
    "<not><system><arch value='$(uname -m)'/></system></not><cpu><processors op='&gt;' value='$processors'/></cpu><key_value key='NR_DISKS' value='$((disks + 5))'/>"
itself 8 'its memory' "$yes" "<memory op='&gt;' value='$(($(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo) / 1024 - 1))'/>"
vendor=$(sed -n 's/^vendor_id[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
if [ -n "$vendor" ]; then
    itself 8 'the vendor of its CPU' "$yes" "<cpu><vendor op='like' value='${vendor:0:3}%'/><vendor value='$vendor'/><vendor op='!=' value='VIA'/></cpu>"
    itself 3 'another vendor' "$no: cpu/vendor == 'VIA' \\(it is '$vendor'\\)" "<cpu><vendor value='VIA'/></cpu>"
fi
itself 8 'its IOMMU, as in its inventory' "$yes" "<key_value key='VIRT_IOMMU' value='$("$ctl" host --root / --inventory | sed -n 's/^VIRT_IOMMU=//p')'/>"
itself 8 'what is not known of it' 'this host itself may satisfy hostRequires: not judged of it: labcontroller' "<arch value='$(uname -m)'/><labcontroller value='a'/>"
job 0 'a note' 'this host itself may satisfy' "$iommu" --json
job 0 'a recorded host' "this host itself may satisfy hostRequires: not judged of it: key_value VIRT_IOMMU$" "$iommu"
run 2 'not XML' 'cannot parse the XML of <job>' "$ctl" plan --beaker=- <<<'job'
run 2 'not text' 'not text in UTF-8' "$ctl" plan --beaker=- < <(printf '<job>\377</job>')
run 64 'both' 'cannot be combined' "$ctl" plan --beaker=- --tmt=-

# --- The inventory of a lab, with a lab controller that takes one call ---

cat >"$work/controller.py" <<'END'
import sys, xmlrpc.server
class Handler(xmlrpc.server.SimpleXMLRPCRequestHandler):
    rpc_paths = ("/server",)
server = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), Handler, logRequests=False)
@server.register_function
def legacypush(fqdn, inventory):
    print(fqdn, inventory, flush=True)
    return 0
print(server.server_address[1], flush=True)
server.timeout = 60
server.handle_request()
END
python3 "$work/controller.py" >"$work/pushed" &
until_true 20 grep -q . "$work/pushed"
run 0 'a hook of the inventory' '' env PATH="$(dirname "$ctl"):$PATH" VIOMMU_CONNECT=test:///default HOSTNAME=host.example \
    server="http://127.0.0.1:$(head -n 1 "$work/pushed")/server" "$(dirname "$0")/../../docs/examples/beaker/push-iommu.py"
check 'which Beaker gets' grep -qE "^host.example {'VIRT_IOMMU': (True|False)}$" "$work/pushed"
finish

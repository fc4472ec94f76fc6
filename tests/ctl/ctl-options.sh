#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line of viommuctl: help, versions, options on either side of the verb, and what is
# refused with status 64.
#   ctl-options VIOMMUCTL VIOMMUD COMPLETION
set -u
# shellcheck source=tests/ctl/tap.sh
. "$(dirname "$0")/tap.sh"
ctl=$(realpath "$1") viommud=$(realpath "$2") completion=$3
verbs='launch run list top show stop kill reset suspend resume attach detach extend xml wait events ssh ssh-config exec plan lint host doctor facts images image-add help version'
cat >"$work/host.json" <<'END'
{"libvirt": "9.0.0", "emulators": [{"arch": "x86_64", "qemu": "7.2.22", "accelerators": ["tcg"]}]}
END
printf '{"arch": "x86_64", "iommu": {"model": ["intel", "virtio"]}}' >"$work/request.json"
printf '{"arch": "x86_64", "iommu": {"is-supported": true}}' >"$work/any.json"

run 0 'version' '^viommuctl [0-9]+\.[0-9]+\.[0-9]+$' "$ctl" version
run 0 '--version' '^viommuctl [0-9]' "$ctl" --version
run 64 'no verb' 'a verb is missing' "$ctl"
# fits: no line on standard output has more than 80 columns.
fits() { [ -s "$work/out" ] && ! grep -E '.{81}' "$work/out"; }
run 0 'help' '^Verbs:' "$ctl" help
check 'help fits 80 columns' fits
run 0 'help of viommud' '^Usage:' "$viommud" --help
check 'help of viommud fits 80 columns' fits
for verb in $verbs; do
    run 0 "help names $verb" "^  $verb " "$ctl" help
    run 0 "help $verb" "^Usage: viommuctl .*$verb" "$ctl" help "$verb"
    run 0 "$verb --help" "^Usage: viommuctl .*$verb" "$ctl" "$verb" --help
    check "$verb --help fits 80 columns" fits
done
run 64 'an unknown verb' "did you mean 'launch'" "$ctl" launchh
run 64 'an unknown verb of help' "unknown verb 'frobnicate'" "$ctl" help frobnicate
run 64 'an unknown option' "did you mean '--host'" "$ctl" plan --hots=x y
run 64 'an unknown letter' "unknown option '-z'" "$ctl" list -z
run 64 'an option of another verb' "'list' does not take --xml" "$ctl" list --xml
run 64 'a missing word' 'usage: viommuctl show NAME' "$ctl" show
run 64 'too many words' "unexpected argument 'c'" "$ctl" show b c
run 64 'an option without its value' '--connect=URI' "$ctl" host --connect
run 64 'a flag with a value' '--json takes no value' "$ctl" list --json=yes
run 64 'an unknown phase' 'one of planned, started, ready, verified' "$ctl" launch --wait=done "$work/any.json"
run 64 'an unknown order' 'one of native, virtio' "$ctl" plan --order=best "$work/any.json"
run 64 'both buses' 'cannot be combined' "$ctl" list --user --system
run 64 'a console far away' "'console' does not take --host" "$ctl" console --host=a b
run 64 'another host and a session' 'not a session bus' "$ctl" list --host a --user
run 64 'a recorded host and a live one' 'cannot be combined' "$ctl" plan --host a --connect b c
run 64 'a timeout that is none' "--timeout='soon' is not a number" "$ctl" stop --timeout=soon a

run 0 'facts of a recorded host' '^virtio-x86_64 +8\.3 +7\.0 +5\.14 ' "$ctl" facts --host "$work/host.json"
run 0 'facts name the host'"'"'s kernel' '^iommufd +12\.1 +9\.0 +- +6\.2 ' "$ctl" facts --host "$work/host.json"
run 0 'facts have a column of the host'"'"'s kernel' '^FACT +LIBVIRT +QEMU +LINUX +HOST LINUX +X86_64' "$ctl" facts --host "$work/host.json"
run 0 'facts name what kernels leave off' '^rhel9 +off ' "$ctl" facts --host "$work/host.json"
run 0 'facts as JSON' '"source" : "libvirt NEWS 5.5.0' "$ctl" facts --json --host "$work/host.json"
run 2 'facts of a host that is not there' 'No such file' "$ctl" facts --host "$work/nobody.json"

run 64 'a lease that is none' "--lease='soon' is not a number" "$ctl" launch --lease=soon "$work/any.json"
run 64 'an unknown bond' 'one of none, client' "$ctl" launch --bind=me "$work/any.json"
run 64 'an extension that is none' "'later' is not a number" "$ctl" extend a later
run 64 'run without a command' 'usage: viommuctl run REQUEST... -- COMMAND' "$ctl" run "$work/any.json"
run 64 'an option behind the wrong word' "unknown option" "$ctl" run "$work/any.json" sh -x

run 0 'options before the verb' '"model" : "intel"' "$ctl" --json --host "$work/host.json" plan "$work/any.json"
run 0 'options after the words' '"model" : "intel"' "$ctl" plan "$work/any.json" --host "$work/host.json" -j
run 0 'native order' 'IOMMU: +intel' "$ctl" plan --order=native --host "$work/host.json" "$work/any.json"
run 0 'virtio order' 'IOMMU: +virtio' "$ctl" plan --order=virtio --host "$work/host.json" "$work/any.json"
printf '[iommu]\norder=virtio\n' >"$work/viommud.conf"
VIOMMU_CONFIG=$work/viommud.conf run 0 "the site's order" 'IOMMU: +virtio' \
    "$ctl" plan --host "$work/host.json" "$work/any.json"
VIOMMU_CONFIG=$work/viommud.conf run 0 "--order over the site's" 'IOMMU: +intel' \
    "$ctl" plan --order native --host "$work/host.json" "$work/any.json"
VIOMMU_CONFIG=$work/nowhere run 6 'a configuration that is not there' 'nowhere' \
    "$ctl" plan --host "$work/host.json" "$work/any.json"
printf '[iommu]\nodrer=virtio\n' >"$work/viommud.conf"
VIOMMU_CONFIG=$work/viommud.conf run 0 'an unknown key of the configuration' 'warning: .*odrer' \
    "$ctl" plan --host "$work/host.json" "$work/any.json"

run 0 'the XML on demand' "<iommu model='intel'>" "$ctl" plan --xml --host "$work/host.json" "$work/any.json"
run 0 'no XML without demand' 'Candidates' "$ctl" plan --host "$work/host.json" "$work/any.json"
check 'no XML, really' bash -c "! grep -q '<domain' '$work/out'"
check 'no colour in a pipe' bash -c "! grep -q $'\033' '$work/out'"
run 0 'the report' 'domain-xml' "$ctl" plan --json --host "$work/host.json" "$work/any.json"
check 'the report is a tree' json 'j["iommu"]["model"] == "intel" and j["iommu"]["attributes"]["intremap"] is True
    and {c["model"] for c in j["iommu"]["candidates"]} == {"intel", "smmuv3", "virtio", "amd"}
    and j["domain-xml"].startswith("<domain") and j["memlock-bytes"] == 0'
run 0 'no IOMMU' 'null' "$ctl" plan --json --host "$work/host.json" - <<<'{}'
check 'no IOMMU is null' json 'j["iommu"]["model"] is None'
run 3 'a refusal' "^viommuctl: iommu.model 'smmuv3'" "$ctl" plan --host "$work/host.json" - <<<'{"iommu": {"model": "smmuv3"}}'
check 'a refusal goes to standard error' test ! -s "$work/out"
run 3 'a refusal as JSON' NotSupported "$ctl" plan --json --host "$work/host.json" - <<<'{"iommu": {"model": "smmuv3"}}'
check 'with its reasons' json 'j["error"]["name"] == "NotSupported"
    and {"model": "smmuv3", "rule": "arch"}.items() <= [r for r in j["error"]["reasons"] if r["model"] == "smmuv3"][0].items()'
run 2 'an invalid request as JSON' InvalidRequest "$ctl" plan --json --host "$work/host.json" - <<<'{"iommu": {}}'
check 'without reasons' json 'j["error"]["name"] == "InvalidRequest" and j["error"]["reasons"] == []'
run 74 'a full disk' 'cannot write to standard output' bash -c '"$@" >/dev/full' - "$ctl" plan --host "$work/host.json" "$work/any.json"

# Requests without a file, or over one.
# words STATUS PATTERN WORD...: plans for the recorded host.
words() {
    local status=$1 pattern=$2
    shift 2
    run "$status" "words: $*" "$pattern" "$ctl" plan --host "$work/host.json" "$@"
}
words 64 'the request is missing: name a file'
words 0 '2 GiB' memory=2G
words 0 '2 GiB' --memory=2G
words 0 '2 vCPUs' vcpus=2
words 0 '3 vCPUs' --vcpus=3 vcpus=2
words 64 "--vcpus='two' is not a number" --vcpus=two
words 0 'IOMMU: +intel' --iommu
words 0 'IOMMU: +virtio' --iommu=virtio
words 0 'IOMMU: +none' --iommu=none
words 0 'IOMMU: +none' "$work/request.json" --iommu=none
words 0 'IOMMU: +virtio' "$work/request.json" --iommu=virtio
words 0 'IOMMU: +virtio' "$work/request.json" iommu.model=virtio
words 0 'IOMMU: +intel' "$work/request.json" memory=1G
words 0 'IOMMU: +intel' --iommu=smmuv3,intel
words 0 'IOMMU: +intel' iommu.model=smmuv3 iommu.model=intel
words 3 'is not possible here' iommu.model=smmuv3
words 0 'IOMMU: +none' 'iommu.is-supported=!= true'
words 2 'iommu.modle=virtio.: unknown key .modle.; did you mean .iommu.model.' iommu.modle=virtio
words 2 'did you mean .iommu.model.' model=virtio
words 2 'unknown key .frobnicate.; "viommuctl help keys"' frobnicate=1
words 2 'has keys of its own, such as iommu' iommu=virtio
words 2 'is a list: write disks.0.path .*the next new one is 0' disks.1.path=/a
words 2 'is a list' disks=/a
words 2 'is a list' disks.0=/a
words 2 'did you mean .disks.0.path.' disks.0.path2=raw
words 2 "'name' has no keys" name.a=b
words 2 "'two' is not a whole number" vcpus=two
words 2 'must be true or false' iommu.required=yes
words 2 'there is no key before' =a
words 2 'the key has no value' name=
words 2 'is not UTF-8' $'name=\xff'
words 2 "memory: size '2X' has an unknown unit" memory=2X
words 64 "unexpected argument '.*any.json'" "$work/request.json" "$work/any.json"
words 2 "cannot read debian13" debian13
printf '{"iommu": "intel", "disks": {}}' >"$work/odd.json"
words 2 "'iommu' of the file is not an object" "$work/odd.json" iommu.model=intel
words 2 "'disks' of the file is not a list" "$work/odd.json" disks.0.path=/a
printf '{"disks": [{"path": "/a", "format": "raw"}]}' >"$work/disk.json"
run 0 'words over a file' '<domain' "$ctl" plan --xml --host "$work/host.json" "$work/disk.json" disks.0.format=qcow2 disks.1.path=/b disks.1.format=raw
check 'change an entry, and add one' bash -c "grep -A1 \"type='qcow2'\" '$work/out' | grep -q '/a' && grep -A1 \"type='raw'\" '$work/out' | grep -q '/b'"
run 64 'a command that looks like a key' 'write -- before the command' "$ctl" run memory=1G vcpus=2 true
run 64 'no command after the --' 'a command is missing' "$ctl" run memory=1G --
run 0 'help of the keys' '^disks\.N\.format=raw\|qcow2$' "$ctl" help keys
check 'is one line for each' bash -c "! grep -vE '^[a-z.N-]+=[A-Za-z0-9|,._-]+\$' '$work/out'"
printf '{}' >"$work/a=b.json"
words 0 'IOMMU: +none' "$work/a=b.json"

# The hardware below another root, and this machine's.
hosts=$(dirname "$0")/../golden/hosts
mkdir -p "$work/root/sys/firmware/acpi/tables"
run 0 'the hardware of another root' "own IOMMU: none" "$ctl" host --root "$work/root"
check 'libvirt is not asked for it' bash -c "! grep -q libvirt '$work/out'"
run 0 'an inventory' '^VIRT_IOMMU=0$' "$ctl" host --root "$work/root" --inventory
check 'a shell can source it, and it has no traits' bash -c ". '$work/out' && [ -n \"\$VIRT_IOMMU_REASON\" ] &&
    [ \"\$VIRT_IOMMU_USED\" = 0 ] && [ -z \"\${TRAITS-}\" ]"
run 0 'an inventory with a libvirt' "^TRAITS='COMPUTE_VIOMMU_MODEL_INTEL COMPUTE_VIOMMU_MODEL_VIRTIO" \
    "$ctl" host --host "$work/host.json" --root "$work/root" --inventory
run 0 'an inventory as JSON' 'traits' "$ctl" host --host "$work/host.json" --root "$work/root" --inventory --json
check 'it is a tree' json 'j["virt-iommu"] is False and j["used"] is False and j["reason"]
    and "CUSTOM_VIOMMU_X86_64_VIRTIO" in j["traits"] and not [t for t in j["traits"] if "AARCH64" in t]'
run 0 'both make a recorded host' topology "$ctl" host --host "$work/host.json" --root "$work/root" --json
cp "$work/out" "$work/joined.json"
run 0 'which is read again' 'IOMMU: +intel' "$ctl" plan --host "$work/joined.json" "$work/any.json"
run 0 'an inventory of a libvirt alone' "^TRAITS='COMPUTE" "$ctl" host --host "$work/host.json" --inventory
check 'says nothing of hardware' grep -vq VIRT_IOMMU "$work/out"
run 0 'nor as JSON' 'traits' "$ctl" host --host "$work/host.json" --inventory --json
check 'has only traits' json 'list(j) == ["traits"]'

# The same for schedulers.
run 0 'a node of Slurm' '^Feature=viommu,viommu_x86_64_intel,.*,vf_[0-9a-f]{12}$' "$ctl" host --host "$work/host.json" --slurm
run 0 'the same as JSON' 'vf_' "$ctl" host --host "$work/host.json" --slurm --json
check 'has the class in its features' json 'j["class"] in j["features"] and j["gres"] == {} and "cpus" not in j'
run 0 'a node with pages' 'RealMemory=4096 .* Gres=hugepages_2m:1024,hugepages_1g:1$' \
    "$ctl" host --host "$hosts/huge.json" --slurm
run 0 'a node with devices' 'Gres=pci_8086_154c:2$' "$ctl" host --host "$hosts/machine-server-sriov.json" --slurm
run 0 'an inventory for a shell' "^TRAITS=" "$ctl" host --host "$work/host.json" --inventory --format=shell
run 0 'an inventory for Placement' 'CUSTOM_HUGEPAGES_2M' "$ctl" host --host "$hosts/huge.json" --inventory --format=placement
check 'has traits and inventories' json '"COMPUTE_ARCH_X86_64" in j["traits"] and "CUSTOM_VIOMMU_KVM_X86_64_INTEL" in j["traits"]
    and j["inventories"]["MEMORY_MB"]["total"] == 4096 and j["inventories"]["CUSTOM_HUGEPAGES_2M"]["total"] == 1024'
run 0 'an inventory for Kubernetes' '^viommu\.org/kvm_x86_64_intel=true$' \
    "$ctl" host --host "$hosts/huge.json" --inventory --format=kubernetes
run 0 'an inventory for Nomad' '^viommu_hugepages_1g=1$' "$ctl" host --host "$hosts/huge.json" --inventory --format=nomad
run 0 'the same as JSON' 'viommu_class' "$ctl" host --host "$hosts/huge.json" --inventory --format=nomad --json
check 'is an object' json 'j["viommu_hugepages_1g"] == "1"'
run 64 'a format that is not known' "use one of shell, placement, kubernetes, nomad" "$ctl" host --inventory --format=raw
run 64 '--format alone' 'use it with --inventory' "$ctl" host --format=nomad
run 64 'two kinds of output' 'cannot be combined' "$ctl" host --slurm --inventory
jq '.topology.iommus[0].name = "dmar\"];" | .topology.devices[].iommu = .topology.iommus[0].name' \
    "$hosts/machine-server-sriov.json" >"$work/odd.json"
run 0 'a picture of a host with functions' '"host 0000:[0-9a-f:.]+" -> "host 0000:[0-9a-f:.]+" .label="virtual function".' \
    "$ctl" host --host "$hosts/machine-server-sriov.json" --dot
run 0 'whose names do not end its strings' 'label="dmar\\"\];: intel' "$ctl" host --host "$work/odd.json" --dot
run 0 'a picture of a plan' 'label="networks.0.nnetwork virtio", style=dashed' \
    "$ctl" plan --host "$work/host.json" --dot networks.0.type=user networks.0.translate=false iommu.model=intel
run 0 'one of a machine without PCI Express' '"guest root" .label="pci.0"' \
    "$ctl" plan --host "$work/host.json" --dot machine=pc iommu.is-supported=false
run 64 'a picture as JSON' 'nothing else' "$ctl" plan --dot --json memory=1G
run 64 'a picture of the fleet' 'nothing else' "$ctl" plan --dot --fleet memory=1G
run 64 'a picture of a machine' 'does not take --dot' "$ctl" show one --dot
run 3 'a picture without hardware' 'no hardware to draw' "$ctl" host --host "$hosts/bookworm.json" --dot
run 3 'a node without libvirt' 'must know what libvirt can do' "$ctl" host --root "$work/root" --slurm
run 64 'a format of an image' "use one of raw, qcow2" "$ctl" image-add /x --format=nomad
run 6 'a root that is not there' "cannot open directory '/nowhere'" "$ctl" host --root /nowhere
run 0 'this machine' "own IOMMU: " "$ctl" host --root /
run 64 '--root of another verb' "'plan' does not take --root" "$ctl" plan --root / "$work/any.json"

# Domains of others.  The findings themselves: tests/golden/domains.py.
domains=$(dirname "$0")/../golden/domains
run 0 'lint: a clean domain' 'note: the guest' "$ctl" lint --host "$work/host.json" "$domains/virtio-plain.xml"
run 1 'lint: warnings' 'bypass.xml:15: warning: translate: this disk bypasses' "$ctl" lint --host "$work/host.json" "$domains/bypass.xml"
run 3 'lint: what would not work' 'driver/@aw_bits: set it to .48. \(--fix does it\)' "$ctl" lint --host "$work/host.json" "$domains/intel-width.xml"
run 1 'lint --os' "debian13" "$ctl" lint --os=debian13 --host "$work/host.json" "$domains/virtio-plain.xml"
run 0 'lint --fix' "aw_bits='48'" "$ctl" lint --fix --host "$work/host.json" "$domains/intel-width.xml"
cp "$work/out" "$work/fixed.xml"
run 0 'is clean' '' "$ctl" lint --host "$work/host.json" "$work/fixed.xml"
run 0 'lint --fix of a clean domain' '' "$ctl" lint --fix --host "$work/host.json" "$work/fixed.xml"
check 'changes nothing' cmp "$work/out" "$work/fixed.xml"
# shellcheck disable=SC2016
run 3 'lint --json' '' sh -c '"$0" lint --json --host "$1" - <"$2"' "$ctl" "$work/host.json" "$domains/intel-width.xml"
check 'is an object' json "j['verdict'] == 'fails' and any(f['rule'] == 'attribute' and f['fixable'] for f in j['findings'] if 'rule' in f)"
run 2 'lint: no domain' "instead of <domain>" "$ctl" lint --host "$work/host.json" /dev/stdin <<<'<network/>'
run 2 'lint: no file' "cannot read ./nothing.xml" "$ctl" lint --host "$work/host.json" ./nothing.xml
run 2 'lint: a name and a recorded host' "is a domain of this host, but --host names another one" "$ctl" lint --host "$work/host.json" web
run 6 'lint: no such domain' "cannot find domain 'web'" "$ctl" lint --connect test:///default web
run 2 'lint: a domain of libvirt that is none of QEMU' "test: the domain is of type 'test'" "$ctl" lint --connect test:///default test

# Completion, with the program of this build.
complete_words() {
    mkdir -p "$work/bin"
    ln -sf "$ctl" "$work/bin/viommuctl"
    PATH=$work/bin:$PATH bash -c '
        . "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _viommuctl
        printf "%s\n" "${COMPREPLY[@]}"' "$completion" "$@"
}
for verb in $verbs; do
    run 0 "completion knows $verb" "^$verb\$" complete_words viommuctl ''
done
run 0 'completion of options' '^--host=$' complete_words viommuctl plan --
run 0 'completion of bonds' '^client$' complete_words viommuctl launch --bind = ''
run 0 'completion of keys' '^iommu\.model=$' complete_words viommuctl plan iommu.m
run 0 'completion of keys of lists' '^disks\.0\.format=$' complete_words viommuctl launch disks
run 0 'completion of values' '^qcow2$' complete_words viommuctl launch disks.1.format = q
run 0 'completion of what is no key' '' complete_words viommuctl launch 'a/b' = q
check 'says nothing' test ! -s "$work/err"
run 0 'completion of models' '^virtio$' complete_words viommuctl run --iommu = v
run 0 'completion of phases' '^started$' complete_words viommuctl launch --wait = ''
finish

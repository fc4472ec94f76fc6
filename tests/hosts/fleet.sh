#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fleet: a real Slurm (controller, two nodes and one that registers itself) and real guests.  The
# nodes are slurmds of one host, so they share its viommud.  Run by "host fleet", as root, in the
# host, with --installed, --add=slurmctld,slurmd,slurm-client,munge and a guest.
#   fleet           what takes seconds
#   fleet all       with proofs, guests that boot, and the death of a node, too
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
guest=/viommu-guests/x86_64-debian13
address=10.9.0.1  # glibc looks up no other host where there are only loopback addresses
classes=/etc/viommud/classes
health=/usr/share/viommud/slurm/health
host=$(hostname)

# as_ci COMMAND...: as the member.
as_ci() {
    runuser -u ci -- env -C /home/ci "$@"
}

fleet() {
    as_ci viommuctl "$1" --fleet "${@:2}"
}

features_of() {
    scontrol show node "$1" --oneliner | sed -n 's/.* ActiveFeatures=\([^ ]*\).*/\1/p'
}

state_of() {
    sinfo --noheader --nodes="$1" --Node --format=%T | head -n 1
}

is_state() {
    [ "$(state_of "$1")" = "$2" ]
}

# No machine of viommud is left.
is_empty() {
    [ "$(viommuctl list --json | jq length)" = 0 ]
}

# So many machines run.
runs() {
    [ "$(viommuctl list --json | jq '[.[] | select(.state == "running")] | length')" = "$1" ]
}

look() {
    SLURMD_NODENAME=$1 "$health"
}

# text SECTION [N]: what docs/fleet.md has there.
text() {
    PAGE=fleet.md tests/hosts/ci-text.py block "$@"
}

# --- The host, and its nodes ---

useradd --create-home ci
run 0 'Slurm is installed' '' dpkg -i /viommu-added/*.deb
run 0 'viommud is installed' '' tests/hosts/install.sh
mkdir -p /etc/viommud/viommud.conf.d
(
    text 'The classes'
    printf '[limits]\nmachines-per-user=0\nvcpus-per-user=0\nmemory-per-user=0\n'
) >/etc/viommud/viommud.conf.d/fleet.conf
run 0 'and started' '' systemctl enable --now viommud
usermod -aG viommu ci
run 0 'root prints the line of the node' '^CPUs=[0-9]+ RealMemory=[0-9]+ Feature=viommu,' viommuctl host --slurm
words=$(cat "$work/out")
class=${words##*,}
run 0 'viommud has the same class' "\"$class\"" busctl get-property org.viommu1 /org/viommu1 org.viommu1.Manager FactsClass

# The page's file for this host, which has two more nodes and no cgroups to give.  Time matters.
ip address add $address/24 dev lo
echo "$address $host ctl node1 node2 node3" >>/etc/hosts
mkdir -p /var/spool/slurmd.node{1,2,3}
echo 'CgroupPlugin=cgroup/v1' >/etc/slurm/cgroup.conf
(
    text 'The controller' 2 | sed "s/^SlurmctldHost=.*/SlurmctldHost=$host($address)/; s/^SlurmdTimeout=.*/SlurmdTimeout=10/
        s/^HealthCheckInterval=.*/HealthCheckInterval=20/; s/^SlurmdSpoolDir=.*/SlurmdSpoolDir=\/var\/spool\/slurmd.%n/"
    echo 'KillWait=5'
    echo 'SlurmdPidFile=/run/slurmd.%n.pid'
    echo 'SlurmdLogFile=/var/log/slurmd.%n'
    echo "NodeName=node1 NodeHostname=$host NodeAddr=$address Port=17001 $words Gres=pci_8086_1572:1"
    echo "NodeName=node2 NodeHostname=$host NodeAddr=$address Port=17002 $words"
) >/etc/slurm/slurm.conf
run 0 'the controller starts' '' sh -c "$(text 'The controller' 3)"
for node in node1 node2; do
    run 0 "$node starts" '' slurmd -N $node
done
for node in node1 node2; do
    check "$node is idle" until_true 30 is_state $node idle
done
# Without its name it would be the first of this host's in slurm.conf.
echo 'SLURMD_OPTIONS="-N node3"' >/etc/default/slurmd
run 0 'a node that registers itself' '' sh -ec "$(text 'Each host' | grep -v '^apt ')"
check 'is idle' until_true 30 is_state node3 idle
check 'and has the class' sh -c "scontrol show node node3 | grep -q ActiveFeatures=.*$class"

# --- The planner, before anything is queued ---

mkdir -p $classes
run 6 'no class is recorded' 'has no recorded host' fleet plan --iommu
run 0 'the classes are recorded' '' sh -ec "$(text 'The classes' 2)"
check 'once' test "$(ls $classes)" = "$class.json"
# The node's viommuctl is one that fails.
mkdir -p /usr/local/lib/stand-in
stand_in=/usr/local/lib/stand-in
printf '#!/bin/sh\nexit 3\n' >$stand_in/viommuctl
chmod +x $stand_in/viommuctl
# slurmd's own looks would set the features again; one may be under way.
chmod -x $health
sleep 2
scontrol update nodename=node1 availablefeatures=vf_ffffffffffff activefeatures=vf_ffffffffffff
run 3 'a class whose host cannot be recorded' '' env "PATH=$stand_in:$PATH" sh -ec "$(text 'The classes' 2)"
check 'leaves no record' test "$(echo $classes/*.json)" = "$classes/$class.json"
scontrol update nodename=node1 availablefeatures="${words#*Feature=}" activefeatures="${words#*Feature=}"
mv "$classes/$class.json" $classes/this.json
run 0 'a recorded class' "^$class +this.json +preferred +intel +tcg" fleet plan --iommu
run 3 'no class can' 'no class of the fleet can launch this request.*smmuv3' fleet run arch=x86_64 iommu.model=smmuv3 -- true
check 'and nothing was queued' test -z "$(squeue --noheader)"
cp tests/golden/hosts/debian13.json "$classes/other.json"
run 0 'a class without a node' 'no node of Slurm has the feature vf_' fleet plan --iommu
run 3 'what only that class can' 'no node of Slurm has the feature vf_' \
    fleet run arch=x86_64 vcpus=256 accelerator=tcg iommu.model=intel -- true
rm "$classes/other.json"
cp "$classes/this.json" "$work/this.json"
cp tests/golden/hosts/debian13.json "$classes/this.json"
run 3 'the nodes of a class without a record' "warning: nodes of class $class are left out" fleet run --iommu -- true
cp "$work/this.json" "$classes/this.json"

# Slurm refuses a job whose preferred nodes are too small, though others are not.  Node 2 is said to
# have KVM; only node 1 has the device.
cp /etc/viommud/viommud.conf.d/fleet.conf "$work"
cp tests/golden/hosts/bookworm.json $classes/other.json
other=$(fleet plan --json --iommu | jq -r '.classes[] | select(.record == "other.json").class')
scontrol update nodename=node2 availablefeatures="$other" activefeatures="$other"
run 0 'a class is preferred' "--prefer=$other" fleet plan --iommu memory=64M
printf '[fleet]\nclasses=%s\noptions=--gres=pci_8086_1572:1\n' $classes >/etc/viommud/viommud.conf.d/fleet.conf
run 0 'its nodes lack what a job needs, and another has it' '^node1$' fleet run --iommu memory=64M -- sh -c 'echo $SLURMD_NODENAME'
cp "$work/fleet.conf" /etc/viommud/viommud.conf.d/fleet.conf
rm $classes/other.json
chmod +x $health
run 0 'node 2 has its class again' '' look node2

# --- Jobs ---

run 0 'a job beside its guest' '^intel x86_64 node[123]$' \
    fleet run --iommu memory=64M -- sh -c 'echo "$VIOMMU_MODEL $VIOMMU_ARCH $SLURMD_NODENAME"'
run 0 'the commands of the page' '^intel on node[123]$' as_ci sh -ec "$(text 'A job on the right host')"
run 0 'a job with a device that Slurm counts' '^node1$' as_ci srun -n1 --gres=pci_8086_1572:1 sh -c 'echo $SLURMD_NODENAME'
run 1 'and with more than there are' 'not available' as_ci srun -n1 --gres=pci_8086_1572:2 true
run 0 'a job without --fleet' '' as_ci sh -ec "$(text 'A job on the right host' 2)"
check 'nothing is left' until_true 10 is_empty
run 0 'the words of a command, also those that are empty' '^4$' fleet run --iommu memory=64M -- sh -c 'echo $#' sh a '' b ''
run 7 'the exit status is that of the command' 'exit code 7' fleet run --iommu memory=64M -- sh -c 'exit 7'
# A second job of the same user while another runs, and a device that no node has free.
run 1 'more than any node has' 'not available' fleet run memory=9000G -- true
fleet run --iommu memory=64M -- sleep 300 >"$work/job" 2>&1 &
check 'its guest runs' until_true 30 runs 1
began=$(date +%s%N)
scancel --user=ci
check 'its guest goes with it' until_true 20 is_empty
echo "# $((($(date +%s%N) - began) / 1000000)) ms after scancel"
wait

# client SIGNAL: a job whose viommuctl on the login host gets this.
client() {
    setsid runuser -u ci -- viommuctl run --fleet --iommu memory=64M -- sleep 300 >"$work/job" 2>&1 &
    until_true 30 runs 1 || return 1
    pkill "-$1" --oldest --full --uid ci '^viommuctl run --fleet'
    until_true 30 is_empty
}
check 'a client that is killed takes its guest with it' client KILL
check 'and so does one that is told to end' client TERM
wait

# --- Races for the last slot ---

# Eight jobs of one processor, as many as there are: more wait.
cpus=$(sed 's/CPUs=\([0-9]*\).*/\1/' <<<"$words")
most=0
for i in $(seq $((3 * cpus + 4))); do
    fleet run --iommu memory=64M -- sleep 2 >"$work/race.$i" 2>&1 &
done
while [ -n "$(jobs -rp)" ]; do
    now=$(viommuctl list --json | jq length)
    [ "${now:-0}" -le "$most" ] || most=$now
    sleep 0.3
done
wait
check 'all race jobs ran' sh -c "! grep -lE 'viommuctl:|error' $work/race.*"
check "never more than $((3 * cpus)) machines (most: $most)" test "$most" -le $((3 * cpus))
check 'and nothing is left' until_true 10 is_empty

# --- The health program, and the epilog ---

run 0 'a look of the health program' '' look node1
run 0 'at a node that is as it was' '' look node1
check 'changes nothing' test "$(features_of node1)" = "$(sed 's/.*Feature=//' <<<"$words")"
systemctl stop viommud
systemctl mask --runtime --quiet viommud
scontrol update nodename=node2 state=drain reason='the fan'
run 0 'viommud is away from a node that an administrator drained' '' look node2
check 'whose reason stays' sh -c 'scontrol show node node2 | grep -q "Reason=the fan"'
scontrol update nodename=node2 state=resume
run 0 'viommud is away' '' look node1
check 'so the node is drained' sh -c 'scontrol show node node1 | grep -q "Reason=viommud: viommud does not answer"'
systemctl unmask --runtime --quiet viommud
systemctl start viommud
run 0 'it is back' '' look node1
check 'and so is the node' until_true 10 is_state node1 idle
systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket
# looks PATTERN: the next look leaves a node with this reason.
looks() {
    look node1
    scontrol show node node1 | grep -q "$1"
}
check 'libvirt is away, and the node is drained' until_true 30 looks 'Reason=viommud: viommud is not connected to libvirt'
systemctl start libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service
check 'libvirt is back, and so is the node' until_true 30 looks 'State=IDLE *ThreadsPerCore'
scontrol update nodename=node1 state=drain reason='the fan'
run 0 "an administrator's drain" '' look node1
check 'stays' sh -c 'scontrol show node node1 | grep -q "Reason=the fan"'
scontrol update nodename=node1 state=resume
scontrol update nodename=node1 availablefeatures=stale activefeatures=stale
run 0 'a look at a node with features of yesterday' '' look node1
check 'which has those of today' test "$(features_of node1)" = "$(sed 's/.*Feature=//' <<<"$words")"
cat >$stand_in/viommuctl <<END
#!/bin/sh
case \$1 in
host) exec $(command -v viommuctl) "\$@" ;;
kill) exit 6 ;;  # the guest has ended
esac
END
mkdir "$work/proofs"
echo '{}' >"$work/proofs/x86_64.json"
run 0 'proofs by guests that ended by themselves' '' \
    env "PATH=$stand_in:$PATH" SLURMD_NODENAME=node1 VIOMMU_SLURM_PROOFS="$work/proofs" "$health" prove
check 'count' grep -qx viommu_proven_x86_64_intel /run/viommu-slurm/node1/proven
rm /run/viommu-slurm/node1/proven
run 0 'a job that leaves a machine' 'left' as_ci srun -n1 viommuctl --system launch name=left memory=64M --wait=started
check 'the epilog removes it' until_true 20 is_empty
run 0 'a machine past the fleet' '' as_ci viommuctl --system launch name=own memory=64M --wait=started
run 0 'and a job' '' as_ci srun -n1 true
sleep 1
check 'whose epilog lets it be' runs 1
viommuctl kill own

# --- The controller ---

fleet run --iommu memory=64M -- sleep 6 >"$work/job" 2>&1 &
job=$!
check 'a guest runs' until_true 30 runs 1
systemctl restart slurmctld
wait $job
report 'its job ends well although the controller was restarted' $?
check 'and nothing is left' until_true 10 is_empty

# --- A node that dies ---

# What the node ran dies with it: slurmd, and the job's processes.
printf '[fleet]\nclasses=%s\noptions=--nodelist=node2\n' $classes >/etc/viommud/viommud.conf.d/fleet.conf
fleet run --iommu memory=64M -- sleep 300 >"$work/job" 2>&1 &
job=$!
check 'a guest runs on node2' until_true 30 runs 1
pkill -KILL --full '^slurmd -N node2'
pkill -KILL --full 'slurmstepd.*'
pkill -KILL --full '^(viommuctl run|sleep 300)'
check 'the node dies, and its guest' until_true 10 is_empty
check 'Slurm sees it' until_true 60 is_state node2 'down*'
wait $job
check 'the job has failed' test $? -ne 0
run 0 'the node boots' '' slurmd -N node2
check 'and is back' until_true 30 is_state node2 idle

# --- A host that is upgraded ---

dpkg --remove --force-depends ovmf >/dev/null
systemctl restart libvirtd
check 'the class of the host is another' until_true 20 sh -c \
    "! busctl get-property org.viommu1 /org/viommu1 org.viommu1.Manager FactsClass | grep -q $class"
for node in node1 node2 node3; do
    run 0 "a look at $node" '' look $node
done
new=$(features_of node2 | tr , '\n' | grep '^vf_')
check 'publishes it' test "$new" -a "$new" != "$class"
run 3 'without a record of it, no job' "warning: nodes of class $new are left out" fleet run --iommu -- true
run 0 'it is recorded' '' sh -ec "$(text 'The classes' 2)"
run 0 'and jobs go there again' '^node2$' fleet run --iommu memory=64M -- sh -c 'echo $SLURMD_NODENAME'

if [ "${1-}" = all ]; then
    # --- Features by proof ---
    mkdir -p /etc/viommud/proofs
    cat >/etc/viommud/proofs/x86_64.json <<JSON
{"memory": "512 MiB", "boot": {"kernel": "$guest/vmlinuz", "initrd": "$guest/initrd", "cmdline": "console=ttyS0 panic=-1 viommu.report viommu.stay"}}
JSON
    run 0 'a node begins its proofs' '' look node1
    check 'which end' until_true 600 sh -c '! systemctl is-active --quiet viommu-proof-node1'
    run 0 'a look at what they showed' '' look node1
    cp /run/viommu-slurm/node1/x86_64_intel.why "$work/err"
    check 'intel is proven' sh -c 'scontrol show node node1 | grep -q "ActiveFeatures=.*viommu_proven_x86_64_intel"'
    printf '[fleet]\nclasses=%s\nproven=yes\n' "$classes" >/etc/viommud/viommud.conf.d/fleet.conf
    run 0 'a job that wants a proof' '^node[123]$' \
        fleet run arch=x86_64 iommu.model=intel memory=64M -- sh -c 'echo $SLURMD_NODENAME'
    # A guest that powers off without a word proves nothing.
    sed -i 's/ viommu.report viommu.stay//' /etc/viommud/proofs/x86_64.json
    rm -f /run/viommu-slurm/node1/proven /run/viommu-slurm/node1/failed
    run 0 'proofs that fail' '' look node1
    check 'end, too' until_true 900 sh -c '! systemctl is-active --quiet viommu-proof-node1'
    run 0 'a look' '' look node1
    check 'drains the node' sh -c 'scontrol show node node1 | grep -q "Reason=viommud: guests with x86_64_intel did not show their IOMMU: viommuctl: "'
    check 'which has no such feature any more' sh -c '! scontrol show node node1 | grep -q viommu_proven_x86_64_intel'
fi
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fleet: a real Slurm, with a controller and two hosts (systemd-nspawn within the host), each with
# its viommud and libvirtd, and real guests.  Run by "host fleet", as root, in the host, with
# --installed, --add=slurmctld,slurmd,slurm-client,munge,systemd-container and a guest.
#   fleet           what takes seconds
#   fleet all       with proofs by guests that boot, too: x86_64-debian13 and aarch64-debian13; and
#                   with a command in a guest: x86_64-debian13-image
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
# shellcheck source=tests/hosts/nested.sh
. tests/hosts/nested.sh
classes=/etc/viommud/classes
images=/var/lib/viommu/images
health=/usr/share/viommud/slurm/health
stand_in=/usr/local/lib/stand-in

# as_ci COMMAND...: as the member.
as_ci() {
    runuser -u ci -- env -C /home/ci "$@"
}

fleet() {
    as_ci viommuctl "$1" --fleet "${@:2}"
}

# pinned NODE [WORDS]: jobs go to this node only.
pinned() {
    printf '[fleet]\nclasses=%s\noptions=--nodelist=%s %s\n' "$classes" "$1" "${2-}" >/etc/viommud/viommud.conf.d/fleet.conf
}

unpinned() {
    printf '[fleet]\nclasses=%s\n' "$classes" >/etc/viommud/viommud.conf.d/fleet.conf
}

features_of() {
    scontrol show node "$1" --oneliner | sed -n 's/.* ActiveFeatures=\([^ ]*\).*/\1/p'
}

class_of() {
    features_of "$1" | tr , '\n' | grep '^vf_'
}

state_of() {
    sinfo --noheader --nodes="$1" --Node --format=%T | head -n 1
}

is_state() {
    [ "$(state_of "$1")" = "$2" ]
}

# says_reason NODE PATTERN: of its drain.
says_reason() {
    grep -q "Reason=$2" <(scontrol show node "$1")
}

# has_feature NODE PATTERN
has_feature() {
    grep -q "ActiveFeatures=.*$2" <(scontrol show node "$1")
}

# Its health program has seen it.
has_image() {
    look "$1"
    has_feature "$1" vi_
}

lacks_image() {
    ! has_image "$1"
}

# machines_of HOST: how many there are.
machines_of() {
    on "$1" viommuctl list --json | jq length
}

is_empty() {
    [ "$(machines_of host1)" = 0 ] && [ "$(machines_of host2)" = 0 ]
}

# runs HOST N: so many machines run there.
runs() {
    [ "$(on "$1" viommuctl list --json | jq '[.[] | select(.state == "running")] | length')" = "$2" ]
}

look() {
    on "$1" env SLURMD_NODENAME="$1" "$health"
}

# text SECTION [N]: what docs/fleet.md has there.
text() {
    PAGE=fleet.md tests/hosts/ci-text.py block "$@"
}

# --- The controller, where users work, and two hosts ---

useradd --create-home ci
run 0 'Slurm is installed' '' dpkg -i /viommu-added/*.deb
# Without its file it would hold up the hosts' boot.
systemctl disable --quiet --now slurmd slurmctld
run 0 'viommud is installed' '' tests/hosts/install.sh
usermod -aG viommu ci
mkdir -p /etc/viommud/viommud.conf.d
text 'The classes' >/etc/viommud/viommud.conf.d/fleet.conf
printf '[limits]\nmachines-per-user=0\nvcpus-per-user=0\nmemory-per-user=0\n[daemon]\nverify-timeout=2\n' \
    >/etc/viommud/viommud.conf.d/limits.conf
nested_open
run 0 'a host boots' '' nested_boot host1 "--bind-ro=/viommu-guests"
run 0 'and another' '' nested_boot host2 "--bind-ro=/viommu-guests"
# Of another class: it has no UEFI for x86_64.
on host2 dpkg --remove --force-depends ovmf >/dev/null
for host in host1 host2; do
    run 0 "$host has viommud" '' on $host systemctl enable --now viommud
done
run 0 'root prints the line of the node' '^CPUs=[0-9]+ RealMemory=[0-9]+ Feature=viommu,' on host1 viommuctl host --slurm
words=$(cat "$work/out")
class=${words##*,}
run 0 'viommud has the same class' "\"$class\"" on host1 busctl get-property org.viommu1 /org/viommu1 org.viommu1.Manager FactsClass

# The page's file, for hosts that have no cgroups to give; time matters.  host1 is listed, with a
# device; host2 registers itself.
echo 'CgroupPlugin=cgroup/v1' >/etc/slurm/cgroup.conf
(
    text 'The controller' 2 | sed "s/^SlurmctldHost=.*/SlurmctldHost=$(hostname)($nested_address)/; s/^SlurmdTimeout=.*/SlurmdTimeout=10/
        s/^HealthCheckInterval=.*/HealthCheckInterval=20/"
    echo 'KillWait=5'
    echo "NodeName=host1 $words Gres=pci_8086_1572:1"
) >/etc/slurm/slurm.conf
run 0 'the controller starts' '' sh -c "$(text 'The controller' 3)"
# slurmd HOST: as the page says; a node that is listed keeps Debian's unit.
slurmd() {
    local file
    for file in slurm.conf cgroup.conf; do
        on "$1" sh -c "cat >/etc/slurm/$file" <"/etc/slurm/$file" || return
    done
    if [ "$1" = host1 ]; then
        on "$1" systemctl restart slurmd
    else
        on "$1" sh -ec "$(text 'Each host' | grep -v '^apt ')"
    fi
}
for host in host1 host2; do
    run 0 "$host has slurmd" '' slurmd $host
done
for host in host1 host2; do
    check "$host is idle" until_true 30 is_state $host idle
done
check 'the node that registered itself has a class' has_feature host2 vf_
other=$(class_of host2)
check 'of its own' test "$other" != "$class"

# --- The planner, before anything is queued ---

mkdir -p $classes
run 6 'no class is recorded' 'has no recorded host' fleet plan --iommu
run 0 'the classes are recorded' '' sh -ec "$(text 'The classes' 2)"
# records: their names.
records() {
    find $classes -name '*.json' -printf '%f\n' | sort | paste -sd ' '
}
recorded=$(records)
check 'both of them' test "$recorded" = "$(printf '%s.json\n' "$class" "$other" | sort | paste -sd ' ')"
# The nodes' viommuctl is one that fails.
cat >"$work/fails" <<'END'
#!/bin/sh
exit 3
END
for host in host1 host2; do
    on $host sh -c "mkdir -p $stand_in; cat >$stand_in/viommuctl; chmod +x $stand_in/viommuctl" <"$work/fails"
done
# slurmd's own looks would set the features again; one may be under way.
on host1 chmod -x $health
sleep 2
scontrol update nodename=host1 availablefeatures=vf_ffffffffffff activefeatures=vf_ffffffffffff
run 3 'a class whose host cannot be recorded' '' env "PATH=$stand_in:$PATH" sh -ec "$(text 'The classes' 2)"
check 'leaves no record' test "$(records)" = "$recorded"
scontrol update nodename=host1 availablefeatures="${words#*Feature=}" activefeatures="${words#*Feature=}"
on host1 chmod +x $health
mv "$classes/$class.json" $classes/this.json
mv "$classes/$other.json" $classes/that.json
run 0 'both classes can' "^$class +this.json +preferred +intel +tcg" fleet plan --iommu
check 'the other, too' grep -qE "^$other +that.json +preferred +intel +tcg" "$work/out"
run 0 'one class can' "^$other +that.json +refused" fleet plan --iommu boot.firmware=efi arch=x86_64
run 3 'no class can' 'no class of the fleet can launch this request.*smmuv3' fleet run arch=x86_64 iommu.model=smmuv3 -- true
check 'and nothing was queued' test -z "$(squeue --noheader)"
cp tests/golden/hosts/arm-server.json "$classes/absent.json"
run 0 'a class without a node' 'no node of Slurm has the feature vf_' fleet plan --iommu
run 3 'what only that class can' 'no node of Slurm has the feature vf_' \
    fleet run arch=aarch64 accelerator=kvm --iommu -- true
rm "$classes/absent.json"
mv "$classes/that.json" "$work"
run 0 'the nodes of a class without a record' "warning: nodes of class $other are left out" fleet run --iommu memory=64M -- true
mv "$work/that.json" "$classes"

# Slurm refuses a job whose preferred nodes are too small, though others are not.  host2 is said to
# have KVM; only host1 has the device.
on host2 chmod -x $health
sleep 2
published=$(features_of host2)
cp tests/golden/hosts/bookworm.json $classes/kvm.json
kvm=$(fleet plan --json --iommu | jq -r '.classes[] | select(.record == "kvm.json").class')
scontrol update nodename=host2 availablefeatures="$kvm" activefeatures="$kvm"
run 0 'a class is preferred' "--prefer=$kvm" fleet plan --iommu memory=64M
printf '[fleet]\nclasses=%s\noptions=--gres=pci_8086_1572:1\n' $classes >/etc/viommud/viommud.conf.d/fleet.conf
run 0 'its nodes lack what a job needs, and another has it' '^host1$' fleet run --iommu memory=64M -- hostname
unpinned
rm $classes/kvm.json
scontrol update nodename=host2 availablefeatures="$published" activefeatures="$published"
on host2 chmod +x $health

# --- Jobs ---

run 0 'a job beside its guest' '^intel x86_64 host[12]$' \
    fleet run --iommu memory=64M -- sh -c 'echo "$VIOMMU_MODEL $VIOMMU_ARCH $(hostname)"'
run 0 'the commands of the page' '^intel on host[12]$' as_ci sh -ec "$(text 'A job on the right host')"
run 0 'only one class can' '^host1$' fleet run --iommu arch=x86_64 boot.firmware=efi memory=64M -- hostname
run 0 'a job with a device that Slurm counts' '^host1$' as_ci srun -n1 --gres=pci_8086_1572:1 hostname
run 1 'and with more than there are' 'not available' as_ci srun -n1 --gres=pci_8086_1572:2 true
run 0 'a job without --fleet' '' as_ci sh -ec "$(text 'A job on the right host' 2)"
check 'nothing is left' until_true 10 is_empty
run 0 'the words of a command, also those that are empty' '^4$' fleet run --iommu memory=64M -- sh -c 'echo $#' sh a '' b ''
run 7 'the exit status is that of the command' 'exit code 7' fleet run --iommu memory=64M -- sh -c 'exit 7'
run 1 'more than any node has' 'not available' fleet run memory=9000G -- true

# An image is on host2 only; users have its description.
on host2 mkdir -p $images
on host2 qemu-img create -q -f qcow2 $images/small.qcow2 16M
run 0 'an image' '' on host2 viommuctl image-add $images/small.qcow2 --os=debian13
mkdir -p $images
on host2 cat $images/small.image >$images/small.image
check 'is published' until_true 30 has_image host2
run 0 'a job with it' '^host2$' fleet run image=small memory=64M -- hostname
on host2 rm $images/small.qcow2
check 'it is gone' until_true 30 lacks_image host2
run 3 'and no job is queued for it' 'copy the image, and its description' fleet run image=small memory=64M -- hostname
rm $images/small.image

pinned host2
fleet run --iommu memory=64M -- sleep 300 >"$work/job" 2>&1 &
check 'its guest runs on the node of the job' until_true 30 runs host2 1
check 'and on no other' runs host1 0
began=$(date +%s%N)
scancel --user=ci
check 'its guest goes with it' until_true 20 is_empty
echo "# $((($(date +%s%N) - began) / 1000000)) ms after scancel"
wait

# client SIGNAL: a job whose viommuctl on the login host gets this.
client() {
    setsid runuser -u ci -- viommuctl run --fleet --iommu memory=64M -- sleep 300 >"$work/job" 2>&1 &
    until_true 30 runs host2 1 || return 1
    pkill "-$1" --oldest --full --uid ci '^viommuctl run --fleet'
    until_true 30 is_empty
}
check 'a client that is killed takes its guest with it' client KILL
check 'and so does one that is told to end' client TERM
wait
unpinned

# --- Races for the last slot ---

# Jobs of one processor, some more than both hosts have: those wait.
cpus=$(sed 's/CPUs=\([0-9]*\).*/\1/' <<<"$words")
most=0
for i in $(seq $((2 * cpus + 4))); do
    fleet run --iommu memory=64M -- sh -c 'hostname; sleep 2' >"$work/race.$i" 2>&1 &
done
while [ -n "$(jobs -rp)" ]; do
    for host in host1 host2; do
        now=$(machines_of $host)
        [ "${now:-0}" -le "$most" ] || most=$now
    done
    sleep 0.3
done
wait
check 'all race jobs ran' sh -c "! grep -lE 'viommuctl:|error' $work/race.*"
for host in host1 host2; do
    check "some on $host" grep -qx $host "$work"/race.*
done
check "never more than $cpus machines on a host (most: $most)" test "$most" -le "$cpus"
check 'and nothing is left' until_true 10 is_empty

# --- The health program, and the epilog ---

run 0 'a look of the health program' '' look host1
check 'at a node that is as it was changes nothing' test "$(features_of host1)" = "${words#*Feature=}"
on host2 systemctl stop viommud
on host2 systemctl mask --runtime --quiet viommud
scontrol update nodename=host2 state=drain reason='the fan'
run 0 'viommud is away from a node that an administrator drained' '' look host2
check 'whose reason stays' says_reason host2 'the fan'
scontrol update nodename=host2 state=resume
run 0 'viommud is away' '' look host2
check 'so the node is drained' says_reason host2 'viommud: viommud does not answer'
run 0 'and jobs go to the other' '^host1$' fleet run --iommu memory=64M -- hostname
on host2 systemctl unmask --runtime --quiet viommud
on host2 systemctl start viommud
run 0 'it is back' '' look host2
check 'and so is the node' until_true 10 is_state host2 idle
on host1 systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket
# looks NODE PATTERN: the next look leaves a node with this state.
looks() {
    look "$1"
    grep -q "$2" <(scontrol show node "$1")
}
check 'libvirt is away, and the node is drained' until_true 30 looks host1 'Reason=viommud: viommud is not connected to libvirt'
on host1 systemctl start libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service
check 'libvirt is back, and so is the node' until_true 30 looks host1 'State=IDLE *ThreadsPerCore'
scontrol update nodename=host1 state=drain reason='the fan'
run 0 "an administrator's drain" '' look host1
check 'stays' says_reason host1 'the fan'
scontrol update nodename=host1 state=resume
scontrol update nodename=host1 availablefeatures=stale activefeatures=stale
run 0 'a look at a node with features of yesterday' '' look host1
check 'which has those of today' test "$(features_of host1)" = "${words#*Feature=}"
pinned host1
run 0 'a job that leaves a machine' 'left' as_ci srun -n1 --nodelist=host1 viommuctl --system launch name=left memory=64M --wait=started
check 'the epilog removes it' until_true 20 is_empty
run 0 'a machine past the fleet' '' on host1 runuser -u ci -- viommuctl --system launch name=own memory=64M --wait=started
run 0 'and a job' '' as_ci srun -n1 --nodelist=host1 true
sleep 1
check 'whose epilog lets it be' runs host1 1
on host1 viommuctl kill own

# --- Proofs, by a viommuctl that launches nothing ---

# proves STATUS: the guests of proofs end with it, and have ended by themselves.
proves() {
    on host1 sh -c "cat >$stand_in/viommuctl" <<END
#!/bin/sh
case \$1 in
host) exec /usr/bin/viommuctl "\$@" ;;
launch) exit $1 ;;
kill) exit 6 ;;
esac
END
    on host1 env "PATH=$stand_in:$PATH" SLURMD_NODENAME=host1 VIOMMU_SLURM_PROOFS="$work" "$health" prove
}
state=/run/viommu-slurm/host1
# Only a look asks for the node.
on host1 sh -c "cat >$stand_in/scontrol; chmod +x $stand_in/scontrol" <<END
#!/bin/sh
touch $stand_in/asked
exec /usr/bin/scontrol "\$@"
END
on host1 sh -c "mkdir -p $work; echo '{}' >$work/x86_64.json"
run 0 'proofs for which no guest can be launched' 'no guest could be launched' proves 75
check 'end without a look' on host1 test ! -e $stand_in/asked
run 0 'proofs by guests that ended by themselves' '' proves 0
check 'count' on host1 grep -qx viommu_proven_x86_64_intel $state/proven
for i in 1 2 3; do
    run 9 "a user's guest shows no IOMMU" 'NotVerified|did not' fleet run name=silent$i --iommu arch=x86_64 memory=64M wait=verified -- true
done
run 0 'a look soon after the proofs' '' look host1
check 'leaves them' on host1 test -e $state/proven
on host1 systemd-run --quiet --collect --unit=viommu-proof-host1 sleep 300
on host1 touch --date='2 hours ago' $state/ended
run 0 'an hour after them, while some are under way' '' look host1
check 'leaves them, too' on host1 test -e $state/proven
on host1 systemctl stop viommu-proof-host1
run 0 'an hour after them' '' look host1
check 'they begin anew' on host1 test ! -e $state/proven
check 'and meanwhile the features stay' has_feature host1 viommu_proven_x86_64_intel
run 0 'the guests show their IOMMU again' '' proves 0
check 'so it was the user' on host1 test ! -e $state/doubted -a -e $state/ended
on host1 touch --date='2 hours ago' $state/ended
run 0 'the next time' '' look host1
run 0 'they do not' '' proves 9
run 0 'a look' '' look host1
check 'drains the node' says_reason host1 'viommud: guests with x86_64_.* did not show their IOMMU'
check 'which has no such feature any more' sh -c '! scontrol show node host1 | grep -q viommu_proven'
on host1 rm -r $state
run 0 'the node is repaired' '' look host1
check 'and is back' until_true 10 is_state host1 idle

# --- The controller, a time limit, and a host that dies ---

fleet run --iommu memory=64M -- sleep 6 >"$work/job" 2>&1 &
job=$!
check 'a guest runs' until_true 30 runs host1 1
systemctl restart slurmctld
wait $job
report 'its job ends well although the controller was restarted' $?
check 'and nothing is left' until_true 10 is_empty
pinned host1 --time=1
fleet run --iommu memory=64M -- sleep 300 >"$work/limited" 2>&1 &
limited=$!
check 'a job with a time limit' until_true 30 runs host1 1

pinned host2
fleet run --iommu memory=64M -- sleep 300 >"$work/job" 2>&1 &
job=$!
check 'a guest runs on host2' until_true 30 runs host2 1
nested_kill host2
check 'the host dies, and Slurm sees it' until_true 60 is_state host2 'down*'
wait $job
status=$?
cp "$work/job" "$work/err"
check "the job has failed ($status)" test $status -eq 69
run 0 'the host boots' '' nested_boot host2 "--bind-ro=/viommu-guests"
on host2 systemctl enable --quiet --now viommud
run 0 'and has slurmd' '' slurmd host2
check 'and is back' until_true 30 is_state host2 idle

# --- A host that is upgraded, while a job waits for it ---

# It has UEFI again, and so the class of the other; a record of it is there.
new=$(class_of host2)
check 'it is of the class of host1' test "$new" = "$class"
scontrol update nodename=host2 state=drain reason='upgrade'
fleet run --iommu arch=x86_64 memory=64M -- true >"$work/job" 2>&1 &
job=$!
check 'a job waits for it' until_true 20 sh -c 'squeue --noheader --states=PENDING | grep -q .'
on host2 dpkg --remove --force-depends ovmf >/dev/null
on host2 systemctl restart libvirtd
# upgraded: the next look publishes another class.
upgraded() {
    look host2
    [ "$(class_of host2)" = "$other" ]
}
check 'its class is another, and published' until_true 20 upgraded
scontrol update nodename=host2 state=resume
# As the page says: a job that was queued for a class that no node has now is its user's to cancel.
check 'the job waits on' until_true 40 sh -c 'squeue --noheader | grep -q BadConstraints'
scancel --user=ci --state=PENDING
wait $job
check 'until it is cancelled' test $? -ne 0
mv $classes/that.json "$work"
run 1 'without a record of its class, no job for it' "warning: nodes of class $other are left out" fleet run --iommu -- true
run 0 'it is recorded' '' sh -ec "$(text 'The classes' 2)"
run 0 'and jobs go there again' '^host2$' fleet run --iommu memory=64M -- hostname

wait $limited
check 'the job with a time limit has ended' test $? -ne 0
check 'as its time was over' sh -c 'squeue --noheader --states=TIMEOUT | grep -q .'
check 'and its guest with it' until_true 10 is_empty

if [ "${1-}" = all ]; then
    # --- Features by proof ---
    on host1 sh -c 'sed -i s/verify-timeout=2/verify-timeout=180/ /etc/viommud/viommud.conf.d/limits.conf; systemctl restart viommud; mkdir -p /etc/viommud/proofs'
    # proof_by ARCH CONSOLE FIRMWARE WORDS: of the kernel.
    proof_by() {
        local guest=/viommu-guests/$1-debian13
        on host1 sh -c "cat >/etc/viommud/proofs/$1.json" <<JSON
{"memory": "512 MiB", "boot": {"kernel": "$guest/vmlinuz", "initrd": "$guest/initrd", "firmware": "$3", "cmdline": "console=$2 panic=-1$4"}}
JSON
    }
    proofs_ended() {
        ! on host1 systemctl is-active --quiet viommu-proof-host1
    }
    proof_by x86_64 ttyS0 bios ' viommu.report viommu.stay'
    proof_by aarch64 ttyAMA0 efi ' viommu.report viommu.stay'
    run 0 'a node begins its proofs' '' look host1
    check 'which end' until_true 1500 proofs_ended
    run 0 'a look at what they showed' '' look host1
    for model in x86_64_intel x86_64_virtio aarch64_smmuv3 aarch64_virtio; do
        check "$model is proven" has_feature host1 viommu_proven_$model
    done
    printf '[fleet]\nclasses=%s\nproven=yes\n' "$classes" >/etc/viommud/viommud.conf.d/fleet.conf
    run 0 'a job that wants a proof' '^host1$' fleet run arch=x86_64 iommu.model=intel memory=64M -- hostname
    # A command in a guest, whose image both hosts have.
    for host in host1 host2; do
        on $host sh -c "mkdir -p $images; cp /viommu-guests/x86_64-debian13-image/disk.qcow2 $images/debian13.qcow2
            viommuctl image-add $images/debian13.qcow2 --os=debian13-cloud --seed=cloud-init --agent=yes"
        check "$host has the image" until_true 30 has_image $host
    done
    on host1 cat $images/debian13.image >$images/debian13.image
    run 0 'a command in a guest' '^dmar0$' fleet run image=debian13 --iommu=intel memory=1G --inside -- ls /sys/class/iommu
    check 'and nothing is left' until_true 10 is_empty
    # A guest that powers off without a word proves nothing.
    on host1 rm /etc/viommud/proofs/aarch64.json
    proof_by x86_64 ttyS0 bios ''
    on host1 rm -f $state/proven $state/failed
    run 0 'proofs that fail' '' look host1
    check 'end, too' until_true 900 proofs_ended
    run 0 'a look' '' look host1
    check 'drains the node' says_reason host1 'viommud: guests with x86_64_intel did not show their IOMMU: viommuctl: '
    check 'which has no such feature any more' sh -c '! scontrol show node host1 | grep -q viommu_proven_x86_64_intel'
fi
finish

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# health: tells Slurm what this host can do, and takes the node out of service while it can do
# nothing.  For HealthCheckProgram= of slurm.conf(5), as root on each node.  Writes on a change
# only.
#   health          one look; proofs run beside it
#   health prove    proves the models of this host, one small guest for each
# A node that this program drained comes back by itself; it touches no other drain.
set -u
node=${SLURMD_NODENAME:-$(hostname -s)}
state=${VIOMMU_SLURM_STATE:-/run/viommu-slurm}/$node
# NAME.json of an architecture: a request that boots a guest which tells of its IOMMU.  Without one
# the models of the architecture are not proven.
proofs=${VIOMMU_SLURM_PROOFS:-/etc/viommud/proofs}
mark=viommud:
tries=2  # guests of one model that may fail
doubts=3  # guests of users that showed no IOMMU, after which the models are proven again,
pause=60  # and so many minutes after the last proofs
umask 022
mkdir -p "$state" || exit 1

# One field of the node in Slurm.
field() {
    scontrol show node "$node" --oneliner | sed -n "s/.*[ ]$1=\\([^ ]*\\).*/\\1/p"
}

# The reason of the node's drain, without its author; empty: none.
reason() {
    scontrol show node "$node" | sed -n 's/^ *Reason=//p' | sed 's/ \[[^]]*\]$//'
}

# Whether an administrator, or another program, drained the node.
drained_by_others() {
    case $(field State)/$(reason) in
    */"$mark "*) return 1 ;;
    *DRAIN*) return 0 ;;
    *) return 1 ;;
    esac
}

# drain WHY: and ends this look.
drain() {
    [ "$(reason)" = "$mark $1" ] || drained_by_others ||
        scontrol update nodename="$node" state=drain reason="$mark $1"
    exit 0
}

resume() {
    case $(reason) in
    "$mark "*) scontrol update nodename="$node" state=resume ;;
    esac
}

property() {
    busctl --timeout=20 get-property org.viommu1 /org/viommu1 org.viommu1.Manager "$1" 2>/dev/null
}

# The features of this host, one a line.
features() {
    viommuctl host --slurm --system 2>/dev/null | tr ' ' '\n' | sed -n 's/^Feature=//p' | tr ',' '\n'
}

class_of() {
    property FactsClass | sed 's/^s "\(.*\)"$/\1/'
}

# --- Proofs ---

# prove_one ARCH MODEL ACCELERATOR COMBINATION: 0 if a guest shows this IOMMU, 1 if it does not, 2
# if none can be launched now.  $state/COMBINATION.why tells why not.
prove_one() {
    name=proof-$1-$2-$3-$(printf '%.30s' "$node")
    name=$(printf '%s' "$name" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9' '-' | sed 's/-*$//')
    viommuctl kill "$name" --system >/dev/null 2>&1
    viommuctl launch "$proofs/$1.json" name="$name" arch="$1" iommu.model="$2" accelerator="$3" --wait=verified --lease=900 \
        --system >/dev/null 2>"$state/$4.why"
    case $? in
    0) viommuctl kill "$name" --system >/dev/null 2>&1; return 0 ;;  # it may have ended by itself
    8 | 9) return 1 ;;  # QEMU or libvirt refuses it, or the guest shows no IOMMU
    *) return 2 ;;
    esac
}

# missing COMBINATION: whether it has no result yet.
missing() {
    ! grep -qx "viommu_proven_$1" "$state/proven" && [ "$(grep -cx "$1" "$state/failed")" -lt "$tries" ]
}

# The first model that too many guests did not show; empty: none.
disproven() {
    sort "$state/failed" 2>/dev/null | uniq -c | awk -v tries=$tries '$1 >= tries { print $2; exit }'
}

# in_doubt: guests of users did not show their IOMMU since the models were proven.  Users can bring
# this about, with a kernel that has no driver; the proofs tell whether the host is to blame.
in_doubt() {
    [ "$(find "$state/ended" -mmin "+$pause" 2>/dev/null)" ] && [ -z "$(disproven)" ] && ! proves_now &&
        [ "$(journalctl --quiet --output=json --output-fields=ERROR_NAME --lines=$doubts \
            --since="@$(stat --format=%Y "$state/ended")" _SYSTEMD_UNIT=viommud.service \
            ERROR_NAME=org.viommu1.Error.NotVerified | wc -l)" -ge $doubts ]
}

# prove: each model that has no result yet.  $state/proven has the features, $state/failed a line
# for each guest that failed, $state/doubted the features of earlier proofs, until a result of now.
prove() {
    class=$(cat "$state/class")
    combinations=$(features | sed -n 's/^viommu_//p')
    left=''
    touch "$state/proven" "$state/failed" "$state/doubted"
    for combination in $combinations; do
        accelerator=tcg arch_model=$combination
        case $combination in
        kvm_*) accelerator=kvm arch_model=${combination#kvm_} ;;
        # With KVM, only who asks for it gets it emulated.
        *) ! echo "$combinations" | grep -qx "kvm_$combination" || continue ;;
        esac
        while [ -r "$proofs/${arch_model%_*}.json" ] && missing "$combination"; do
            prove_one "${arch_model%_*}" "${arch_model##*_}" "$accelerator" "$combination"
            result=$?
            # The host may have changed meanwhile; then the result is of another one.
            [ "$(cat "$state/class")" = "$class" ] || exit 0
            case $result in
            0) echo "viommu_proven_$combination" >>"$state/proven" ;;
            1)
                echo "$combination" >>"$state/failed"
                missing "$combination" || sed -i "/^viommu_proven_$combination\$/d" "$state/doubted"
                ;;
            *)
                # For the journal: it is tried again by the next look.
                echo "no guest could be launched to prove $combination: $(cat "$state/$combination.why")" >&2
                left=yes
                break
                ;;
            esac
        done
    done
    [ -z "$left" ] || return
    rm -f "$state/doubted"
    [ -e "$state/ended" ] || touch "$state/ended"
}

proves_now() {
    systemctl is-active --quiet "viommu-proof-$node"
}

# Slurm kills a health program after a minute, and guests may take longer.
begin_proofs() {
    proves_now ||
        systemd-run --quiet --collect --unit="viommu-proof-$node" --setenv=SLURMD_NODENAME="$node" \
            --setenv=VIOMMU_SLURM_STATE="${state%/*}" --setenv=VIOMMU_SLURM_PROOFS="$proofs" "$0" prove
}

# --- One look ---

case ${1-} in
prove) prove; exit 0 ;;
esac
[ "$(property Connected)" ] || drain 'viommud does not answer'
[ "$(property Connected)" = 'b true' ] || drain 'viommud is not connected to libvirt'
class=$(class_of)
words=$(features)
if [ -z "$class" ] || [ -z "$words" ]; then
    drain 'what this host can do is not known'
fi
# Nothing is proven of another class.
if [ "$class" != "$(cat "$state/class" 2>/dev/null)" ]; then
    rm -f "$state/proven" "$state/failed" "$state/doubted" "$state/ended" "$state"/*.why
    echo "$class" >"$state/class"
fi
if in_doubt; then
    mv "$state/proven" "$state/doubted"
    rm -f "$state/failed" "$state/ended"
fi
! [ -d "$proofs" ] || begin_proofs
words=$( (echo "$words"; cat "$state/proven" "$state/doubted" 2>/dev/null) | awk 'NF && !seen[$0]++' | paste -sd, -)
if [ "$(field AvailableFeatures)" != "$words" ] || [ "$(field ActiveFeatures)" != "$words" ]; then
    scontrol update nodename="$node" availablefeatures="$words" activefeatures="$words"
fi
failed=$(disproven)
[ -z "$failed" ] || drain "guests with $failed did not show their IOMMU: $(head -c 200 "$state/$failed.why" | tr '\n' ' ')"
resume
exit 0

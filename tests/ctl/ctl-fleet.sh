#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl --fleet before anything reaches Slurm: the classes, the verdicts, the words of srun, and
# what is refused.  tests/hosts/fleet.sh has the jobs.
#   ctl-fleet VIOMMUCTL GOLDEN
set -u
# shellcheck source=tests/ctl/tap.sh
. "$(dirname "$0")/tap.sh"
ctl=$(realpath "$1") golden=$(realpath "$2")
classes=$work/classes
mkdir "$classes" "$work/empty" "$work/bin"
cp "$golden/hosts/debian11.json" "$golden/hosts/debian13.json" "$classes"
cp "$classes/debian13.json" "$classes/twin.json"
printf '[fleet]\nclasses=%s\ntime-limit=100\noptions=--partition=iommu  --account=a\n' "$classes" >"$work/fleet.conf"
export VIOMMU_CONFIG=$work/fleet.conf

# slurmless COMMAND...: without Slurm's programs.
for program in timeout ssh-keygen; do
    ln -s "$(command -v $program)" "$work/bin"
done
slurmless() {
    PATH=$work/bin "$@"
}

run 0 'a plan' '^srun --ntasks=1 .* viommuctl launch - --system --bind=client$' \
    slurmless "$ctl" plan --fleet arch=x86_64 --iommu vcpus=3 memory=1G
check 'names each class' sh -c "grep -q debian11.json $work/out && grep -q debian13.json $work/out"
check 'once' sh -c "! grep -q twin.json $work/out"
check 'and the limits' grep -q -- '--cpus-per-task=3 --mem=1024 .* --time=2 --partition=iommu --account=a' "$work/out"
run 0 'in JSON' '"srun"' slurmless "$ctl" plan --fleet --json arch=x86_64 iommu.model=virtio
check 'a class that cannot has its reasons' json \
    'any(not c["possible"] and c["reasons"] and c["message"] for c in j["classes"])'
check 'a class that can has its model' json \
    'any(c["possible"] and c["first-choice"] and c["model"] == "virtio" for c in j["classes"])'
check 'the job has only the latter' json \
    '[w for w in j["srun"] if w.startswith("--constraint=")] == ["--constraint=" + c["class"] for c in j["classes"] if c["possible"]]'
run 0 'other classes' 'debian12.json' sh -c \
    "mkdir $work/other && cp $golden/hosts/debian12.json $work/other && '$ctl' plan --fleet --classes=$work/other --iommu"
run 3 'no class can' 'no class of the fleet can launch this request; vf_' \
    slurmless "$ctl" plan --fleet arch=x86_64 iommu.model=smmuv3
run 3 'nor does it run, with the reasons of each class' '"class"' \
    slurmless "$ctl" plan --fleet --json arch=x86_64 iommu.model=smmuv3
check 'as a list' json 'len({r["class"] for r in j["error"]["reasons"]}) == 2'
run 2 'a wrong request' "unknown key 'foo'|foo" slurmless "$ctl" plan --fleet foo=1
run 3 'a device of one host' 'names a device of one host' \
    slurmless "$ctl" plan --fleet arch=x86_64 hostdevs.0.address=0000:01:00.0
run 69 'a job without Slurm' 'sinfo does not tell.*slurm-client' slurmless "$ctl" run --fleet --iommu -- true
run 69 'a machine without Slurm' 'sinfo does not tell' slurmless "$ctl" launch --fleet --iommu
run 6 'no record' 'has no recorded host' "$ctl" plan --fleet --classes="$work/empty" --iommu
run 6 'no directory' 'classes of the fleet cannot be read' "$ctl" plan --fleet --classes="$work/none" --iommu
mkdir "$work/many"
touch "$work/many/"{1..1025}.json
run 2 'more records than are read' 'more than 1024 recorded hosts' "$ctl" plan --fleet --classes="$work/many" --iommu
cp "$classes/debian13.json" "$work/other/"$'\xff.json'
run 0 'the name of a file that is not UTF-8' '"record" : ".*�' "$ctl" plan --fleet --json --classes="$work/other" --iommu
check 'is nothing to warn of' test ! -s "$work/err"
echo '{"libvirt": 7}' >"$work/empty/broken.json"
run 2 'a broken record' 'broken.json' "$ctl" plan --fleet --classes="$work/empty" --iommu
run 64 'no classes at all' 'the classes of the fleet are not known' env VIOMMU_CONFIG=/dev/null "$ctl" plan --fleet --iommu
run 64 'classes without a fleet' 'use it with --fleet' "$ctl" plan --classes="$classes" --iommu
for option in --host=x --user --connect=test:///default --xml; do
    run 64 "--fleet with $option" 'omit' "$ctl" plan --fleet $option --iommu
done
run 64 'a list of a fleet' "'list' does not take --fleet" "$ctl" list --fleet

# --- What reaches Slurm's programs; here others stand in their place ---

run 0 'the classes' '"srun"' "$ctl" plan --fleet --json arch=x86_64 --iommu
both=$(sed -n 's/.*"class" : "\(vf_[0-9a-f]*\)".*/\1/p' "$work/out" | paste -sd' ')
class=${both%% *}
# program NAME: its text is on standard input.
program() {
    { echo '#!/bin/sh'; cat; } >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}
export PATH=$work/bin:$PATH STAND_IN=$work
program sinfo <<<"echo viommu,$class; echo '(null)'"
program srun <<'END'
printf '<%s>' "$@" >"$STAND_IN/words"
cat >"$STAND_IN/input"
exit 7
END
run 7 'a job with the status of srun' '' "$ctl" run --fleet arch=x86_64 --iommu -- printf '' '*' 'a  b' ''
check 'has the words of its command, also those that are empty' grep -qF '<--><printf><><*><a  b><>' "$work/words"
check 'and its request as input' grep -q '"arch":"x86_64"' "$work/input"
# The latter of the two has virtio.
program sinfo <<<"printf '%s\n' $both"
program srun <<'END'
case " $* " in *' --test-only '*) echo "$*" >"$STAND_IN/tested"; exit 1 ;; esac
echo "$*" >"$STAND_IN/words"
END
run 0 'a job whose preferred nodes are too small' '' "$ctl" run --fleet arch=x86_64 iommu.model=virtio,intel -- true --prefer=x
check 'for which they alone are tested' grep -q ' --constraint=vf_[^ ]*|vf_[^ ]* --constraint=vf_[^ |]* --time' "$work/tested"
check 'prefers none' grep -q ' --constraint=vf_[^ ]*|vf_[^ ]* --time=.* true --prefer=x$' "$work/words"
program srun <<<'echo "$*" >"$STAND_IN/words"'
run 0 'and one whose preferred nodes are not' '' "$ctl" run --fleet arch=x86_64 iommu.model=virtio,intel -- true
check 'prefers them' grep -q '^--ntasks.* --prefer=vf_[^ ]* --time' "$work/words"
program sinfo <<<"echo viommu,$class; echo '(null)'"
program srun <<<"kill -TERM \$\$"
run 143 'the signal of srun' '' "$ctl" run --fleet arch=x86_64 --iommu -- true

# on_terminal SECONDS: a job of so many seconds whose messages go to a terminal, in $work/terminal.
on_terminal() {
    program srun <<<"sleep $1"
    timeout 60 script -qefc "$(printf '%q ' "$ctl" run --fleet arch=x86_64 --iommu -- true)" /dev/null >"$work/terminal"
}
program squeue <<'END'
echo "$*" >>"$STAND_IN/questions"
case $* in
*--states=all*) cat "$STAND_IN/end" ;;
*--name=viommu-*) echo "12 $(cat "$STAND_IN/state") Resources" ;;
*) printf '9\n12_[1-3]\n12\n' ;;
esac
END
echo '12 CD None' >"$work/end"
echo PD >"$work/state"
run 0 'a job that waits' '' on_terminal 7
check 'has its place shown' grep -q 'waits at Slurm: 3 in the queue, Resources' "$work/terminal"
check 'and the names of jobs of others are not asked for' sh -c "! grep -q '%j' $work/questions"
echo R >"$work/state"
rm "$work/questions"
run 0 'a job that has begun' '' on_terminal 12
check 'is not looked for again' test "$(grep -vc -e --states=all "$work/questions")" = 1
# srun's status is 0 then, and says nothing of the command.
program srun <<<''
for end in 'NF NodeDown' 'CG NodeDown' 'NF None' 'PR None' 'TO TimeLimit'; do
    echo "12 $end" >"$work/end"
    run 69 "a job that was cut short ($end)" "job 12 did not end by itself.*${end% *}.*${end#* }" "$ctl" run --fleet arch=x86_64 --iommu -- true
done
for end in '12 CG None' '12 R None' '12 CA None' '12 CD NonZeroExitCode' ''; do
    echo "$end" >"$work/end"
    run 0 "a job that ended ($end)" '' "$ctl" run --fleet arch=x86_64 --iommu -- true
done
program squeue <<<'exec sleep 55'
began=$SECONDS
run 0 'a controller that does not answer' '' on_terminal 7
check "holds nobody up ($((SECONDS - began)) s)" test $((SECONDS - began)) -lt 40
finish

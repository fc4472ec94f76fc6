#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fleet-scale: the CPU time that Slurm's controller takes for a job with the constraints of a fleet,
# with many nodes that exist in its books only (State=CLOUD).  Run by "host fleet-scale", as root,
# in the host, with --add=slurmctld,slurmd,slurm-client,munge.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
jobs=300
host=$(hostname)

cpu_msec() {
    awk -v tick="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / tick }' "/proc/$(pidof slurmctld)/stat"
}

# What Slurm has given nodes to.
allocated() {
    [ "$(squeue --noheader --states=CF,R,CG | wc -l)" -ge "$jobs" ]
}

run 0 'Slurm is installed' '' dpkg -i /viommu-added/*.deb
useradd --create-home ci
ip address add 10.9.0.1/24 dev lo
echo "10.9.0.1 $host" >>/etc/hosts
# slurmctld asks for no program of a node that does not exist.
printf '#!/bin/sh\nexit 0\n' >/usr/local/bin/nothing
chmod +x /usr/local/bin/nothing
printf '#!/bin/sh\n' >/home/ci/job
chown ci /home/ci/job

# measure NODES: of two classes, each with a model.
measure() {
    systemctl stop slurmctld
    rm -rf /var/lib/slurm/slurmctld/*
    cat >/etc/slurm/slurm.conf <<CONF
ClusterName=scale
SlurmctldHost=$host(10.9.0.1)
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/slurmctld
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
GresTypes=pci_8086_1572
SuspendProgram=/usr/local/bin/nothing
ResumeProgram=/usr/local/bin/nothing
SuspendTime=600
ResumeTimeout=600
TreeWidth=65533
NodeName=a[1-$(($1 / 2))] CPUs=8 RealMemory=16000 State=CLOUD Feature=viommu,viommu_x86_64_intel,vf_a Gres=pci_8086_1572:2
NodeName=b[1-$(($1 / 2))] CPUs=8 RealMemory=16000 State=CLOUD Feature=viommu,viommu_x86_64_virtio,vf_b
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
    run 0 "the controller of $1 nodes starts" '' systemctl start slurmctld
    check 'and answers' until_true 30 sinfo
    local began
    began=$(cpu_msec)
    for _ in $(seq $jobs); do
        runuser -u ci -- sbatch --quiet --chdir=/home/ci -n1 -c2 --mem=512 --constraint='vf_a|vf_b' --prefer=vf_a /home/ci/job
    done
    check "$jobs jobs have nodes" until_true 300 allocated
    echo "# $1 nodes: $((($(cpu_msec) - began) / jobs)) ms of CPU a job, $(($(ps -o rss= -p "$(pidof slurmctld)") / 1024)) MiB"
}

measure 1000
measure 10000
finish

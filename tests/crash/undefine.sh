#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# undefine: what others have attached to a machine goes with it: a managed save, metadata of
# snapshots, the state of a TPM, the NVRAM.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/crash/lab.sh
. "$here/lab.sh"

# there WHAT DIRECTORY: libvirt has made a file below it.
there() {
    [ -n "$(find "$2" -type f)" ] || say_die "$1: libvirt made no file in $2"
}

lab_under_reaper "$@"
crash_prerequisites
crash_open
request=$(crash_request victim)

crash_launch "$request"
crash_virsh managedsave victim >"$lab_dir/virsh.log" || say_die "managedsave: $(cat "$lab_dir/virsh.log")"
there "managed save" "$lab_state/save"
there "NVRAM" "$lab_state/nvram"
lab_until 10 test "$(lab_property victim State)" = stopped || say_die "saved, the machine is '$(lab_property victim State)'"
lab_ctl stop victim
crash_nothing_left "managed save"

crash_launch "$request"
cat >"$lab_dir/snapshot.xml" <<END
<domainsnapshot>
  <name>one</name>
  <creationTime>1600000000</creationTime>
  <state>shutoff</state>
  $(crash_virsh dumpxml --inactive victim)
</domainsnapshot>
END
crash_virsh snapshot-create victim --redefine "$lab_dir/snapshot.xml" >"$lab_dir/virsh.log" ||
    say_die "snapshot: $(cat "$lab_dir/virsh.log")"
there "snapshot" "$lab_state/snapshot"
lab_ctl kill victim
crash_nothing_left "snapshot's metadata"

# An administrator adds a TPM and starts the machine again: libvirt keeps its state until the domain
# is undefined.
if command -v swtpm >/dev/null; then
    crash_launch "$request"
    crash_virsh destroy victim >"$lab_dir/virsh.log"
    lab_until 10 test "$(lab_property victim State)" = stopped || say_die "destroyed, the machine is '$(lab_property victim State)'"
    crash_virsh dumpxml --inactive victim |
        sed "s|</devices>|<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices>|" >"$lab_dir/tpm.xml"
    crash_virsh define "$lab_dir/tpm.xml" >"$lab_dir/virsh.log" || say_die "TPM: $(cat "$lab_dir/virsh.log")"
    crash_virsh start victim >"$lab_dir/virsh.log" || say_die "start with a TPM: $(cat "$lab_dir/virsh.log")"
    there "TPM" "$lab_state/swtpm"
    lab_ctl kill victim
    crash_nothing_left "TPM"
fi

say "managed save, snapshot's metadata, TPM's state and NVRAM went with the machine"

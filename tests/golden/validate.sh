#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Validates each golden XML with libvirt's own RELAX NG, and defines it through qemu:///embed.
# Takes XML for libvirt versions up to the installed one, whose schema and driver know all of it.
#   validate.sh schema|define VIOMMUCTL
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mode=$1 ctl=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() { echo "1..0 # SKIP $1"; exit 0; }

installed=$(pkg-config --modversion libvirt)
mkdir "$work/xml"
python3 "$here/run.py" "$ctl" --xml "$work/xml"

fitting=()
for file in "$work"/xml/*.xml; do
    version=$(basename "$file"); version=${version%%--*}
    if [ "$(printf '%s\n' "$version" "$installed" | sort -V | tail -n 1)" = "$installed" ]; then
        fitting+=("$file")
    fi
done
[ ${#fitting[@]} -gt 0 ] || { echo "Bail out! no golden XML fits libvirt $installed"; exit 1; }

report() {  # number, name, file with the errors (empty: passed)
    if [ -s "$3" ]; then echo "not ok $1 - $2"; sed 's/^/# /' "$3"; failed=1; else echo "ok $1 - $2"; fi
}

failed=0 number=0
case $mode in
schema)
    rng=$(ls /usr/share/libvirt/schemas/domain.rng 2>/dev/null) || skip "libvirt's schemas are not installed"
    echo "1..${#fitting[@]}"
    for file in "${fitting[@]}"; do
        number=$((number + 1))
        xmllint --noout --relaxng "$rng" "$file" >"$work/words" 2>&1 && : >"$work/words"
        report "$number" "$(basename "$file" .xml)" "$work/words"
    done
    ;;
define)
    for emulator in qemu-system-x86_64 qemu-system-aarch64; do
        command -v "$emulator" >/dev/null || skip "$emulator is not installed"
    done
    # Only XML for hosts of exactly the installed versions can be defined.  Accelerator and emulator
    # paths are replaced by this machine's; the rest stays as planned.
    same=()
    for file in "${fitting[@]}"; do
        case $(basename "$file") in "$installed"--*) same+=("$file") ;; esac
    done
    [ ${#same[@]} -gt 0 ] || skip "no recorded host has the installed libvirt $installed"
    for file in "${same[@]}"; do
        sed -i "s/<domain type='kvm'>/<domain type='qemu'>/; s/<cpu mode='host-passthrough'/<cpu mode='maximum'/" "$file"
        printf 'define --validate %s\n' "$file"
        uuid=$(sed -n 's,.*<uuid>\(.*\)</uuid>.*,\1,p' "$file")
        printf 'dumpxml %s\n' "$uuid"
        printf 'undefine --nvram %s\n' "$uuid"
    done >"$work/commands"
    # Not as root: where only root may open /dev/kvm, libvirt would repeat its probes at each call.
    drop=()
    if [ "$(id -u)" = 0 ]; then
        user=libvirt-qemu
        id "$user" >/dev/null 2>&1 || user=nobody
        chown -R "$user" "$work"
        drop=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups --inh-caps=-all env "HOME=$work" "XDG_RUNTIME_DIR=$work")
    fi
    "${drop[@]}" tini -s -- virsh -c "qemu:///embed?root=$work/root" <"$work/commands" >"$work/answers" 2>&1 || true
    echo "1..${#same[@]}"
    for file in "${same[@]}"; do
        number=$((number + 1))
        grep -F -A3 "from $file" "$work/answers" | grep -F -A3 "error:" >"$work/words" || : >"$work/words"
        if ! [ -s "$work/words" ] && ! grep -qF "defined from $file" "$work/answers"; then
            { echo "libvirt gave no answer:"; tail -n 5 "$work/answers"; } >"$work/words"
        fi
        # libvirt has placed the devices: as many root ports must be free as the request wants for
        # hot-plug.
        wanted=$(jq -r '."hotplug-ports" // 0' "$here/requests/$(basename "$file" .xml | awk -F-- '{ print $3 }' | tr + /).json")
        if ! [ -s "$work/words" ] && [ "$wanted" != 0 ] && grep -q pcie-root-port "$file"; then
            left=$(sed -n "\\,defined from $file,,/^<\\/domain>/p" "$work/answers" | python3 "$here/free-ports.py")
            [ "$left" = "$wanted" ] || echo "$left root ports are left free, not $wanted" >"$work/words"
        fi
        report "$number" "$(basename "$file" .xml)" "$work/words"
    done
    ;;
esac
exit "$failed"

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl image-add and images: what real images show, what is refused, and what requests get.
#   ctl-images VIOMMUCTL
set -u
# shellcheck source=tests/ctl/tap.sh
. "$(dirname "$0")/tap.sh"
ctl=$(realpath "$1") make=$(realpath "$(dirname "$0")/make-disk.py")
mkdir "$work/images" "$work/elsewhere" "$work/more"
cd "$work/images" || exit
printf '[files]\nimage-directories=%s/images;%s/more/\n' "$work" "$work" >"$work/viommud.conf"
export VIOMMU_CONFIG=$work/viommud.conf
cat >"$work/host.json" <<'END'
{"libvirt": "9.0.0", "emulators": [{"arch": "x86_64", "qemu": "7.2.22", "accelerators": ["tcg"], "firmware": ["bios", "efi"]}]}
END

# add STATUS NAME PATTERN FILE [OPTION...]: image-add FILE ends with STATUS and says PATTERN.
add() {
    run "$1" "$2" "$3" "$ctl" image-add --os=debian13-cloud "${@:4}"
}

# has NAME KEY[=VALUE]: NAME.image has that line.
has() {
    cat "$1.image"
    grep -qx -e "$2" "$1.image"
}

# lacks NAME KEY: NAME.image has no line of that key.
lacks() {
    cat "$1.image"
    ! grep -q -e "^$2=" "$1.image"
}

# disk NAME WORD...: NAME.raw, and as qcow2 plain, compressed, and with the smallest clusters.
disk() {
    "$make" "$1.raw" "${@:2}" && qemu-img convert -O qcow2 "$1.raw" "$1.qcow2" &&
        qemu-img convert -c -O qcow2 "$1.raw" "$1-packed.qcow2" &&
        qemu-img convert -O qcow2 -o cluster_size=512 "$1.raw" "$1-small.qcow2" &&
        qemu-img convert -c -O qcow2 -o cluster_size=2M "$1.raw" "$1-large.qcow2" &&
        qemu-img convert -O qcow2 -o compat=0.10 "$1.raw" "$1-old.qcow2"
}

check 'disks' disk efi efi x86_64
disk both efi bios aarch64
disk code efi code
disk mbr mbr-efi

# --- What images show ---

for kind in '' -packed -small -large -old; do
    add 0 "efi$kind is added" "^efi$kind\$" "efi$kind.qcow2"
    check "efi$kind needs UEFI" has "efi$kind" firmware=efi
    check "efi$kind is for x86_64" has "efi$kind" arch=x86_64
done
check 'the digest is that of the file' has efi "digest=sha256:$(sha256sum efi.qcow2 | sed 's/ .*//')"
check 'the file is named' has efi file=efi.qcow2
check 'the system is named' has efi os=debian13-cloud
check 'everybody may read it' test "$(stat -c %a efi.image)" = 644
add 0 'a raw image' '^efi-raw$' efi.raw --name=efi-raw
check 'is raw' has efi-raw format=raw
check 'needs UEFI, too' has efi-raw firmware=efi
for name in both code; do
    add 0 "an image that BIOS boots ($name)" "^$name\$" "$name-packed.qcow2" "--name=$name"
    check "leaves the firmware open ($name)" lacks "$name" firmware
done
check 'aarch64 shows' has both arch=aarch64
check 'no architecture shows' lacks code arch
add 0 'an MBR with an EFI system partition' '^mbr$' mbr.qcow2
check 'needs UEFI as well' has mbr firmware=efi
cp efi.qcow2 said.img
add 0 'options' '"seed" : "cloud-init"' said.img --firmware=bios --arch=aarch64 --login=debian --agent=no --seed=cloud-init \
    --format=qcow2 --json
for line in firmware=bios arch=aarch64 user=debian agent=no seed=cloud-init; do
    check "what the options say wins: $line" has said "$line"
done

# --- What is refused, and leaves no file ---

# refused NAME PATTERN FILE [OPTION...]: image-add refuses FILE, and makes none.
refused() {
    add 2 "$1" "$2" "${@:3}"
    check "$1 leaves nothing" nothing_new
}
before=$(ls)
nothing_new() { [ "$(ls)" = "$before" ]; }
run 64 'no system' 'image-add needs --os' "$ctl" image-add efi.qcow2
add 5 'a second time' 'efi.image. exists already' efi.qcow2
refused 'no file' 'No such file' nothing.qcow2
refused 'a wrong format' 'it is not a qcow2 image' efi.raw --format=qcow2 --name=new
refused 'a wrong format, too' 'it is a qcow2 image' efi.qcow2 --format=raw --name=new
refused 'a wrong user' 'user' efi.qcow2 --name=new '--login=a b'
refused 'a wrong name' 'not a valid name of an image' efi.qcow2 --name=a/b
"$make" "$work/elsewhere/x.raw" efi
refused 'another directory' 'not in one of the image directories' "$work/elsewhere/x.raw"
mkfifo fifo; ln -s efi.qcow2 link.qcow2; mkdir directory
qemu-img create -q -f qcow2 -b "$work/elsewhere/x.raw" -F raw based.qcow2
qemu-img create -q -f qcow2 -o data_file=data,data_file_raw=on data.qcow2 1M
qemu-img create -q --object secret,id=s,data=x -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s aes.qcow2 1M
qemu-img convert -O vmdk efi.raw efi.vmdk
qemu-img convert -O vdi efi.raw efi.vdi
qemu-img convert -O vhdx efi.raw efi.vhdx
gzip -k efi.raw
head -c 65536 /dev/zero >zero.raw
head -c 40 efi.qcow2 >short.qcow2
before=$(ls)
refused 'a FIFO' 'not a regular file' fifo
refused 'a link' 'symbolic link' link.qcow2
refused 'a directory' 'not a regular file' directory
refused 'data elsewhere' 'its data are in another file' data.qcow2
refused 'an encrypted image' 'it is encrypted' aes.qcow2
refused 'VMDK' 'it is a VMDK image; convert it' efi.vmdk
refused 'VDI' 'it is a VDI image' efi.vdi
refused 'VHDX' 'it is a VHDX image' efi.vhdx
refused 'gzip' 'compressed with gzip; unpack it' efi.raw.gz
refused 'a disk without partitions' 'give --format=raw' zero.raw
refused 'a header that is cut off' 'truncated' short.qcow2
add 4 'based on an image elsewhere' 'not in an image directory' based.qcow2 --system
add 0 'based on one elsewhere, for oneself' 'is that of .*based.qcow2. alone' based.qcow2 --user
add 0 'a raw disk by its name' '^zero$' zero.raw --format=raw

# Each byte of the tables that lead to the first cluster, broken: viommuctl ends, and well.
python3 - efi-packed.qcow2 broken.qcow2 "$ctl" >"$work/out" 2>"$work/err" <<'END'
import os, random, subprocess, sys
good, bad, ctl = sys.argv[1:]
data = open(good, "rb").read()
random.seed(1)
l1 = int.from_bytes(data[40:48], "big")
l2 = int.from_bytes(data[l1:l1 + 8], "big") & 0x00FFFFFFFFFFFE00
places = [*range(0, 112, 3), *range(l1, l1 + 8), *range(l2, l2 + 16)]
for at in places:
    broken = bytearray(data)
    broken[at] = random.choice([0, 0x7F, 0xFF, broken[at] ^ 1])
    open(bad, "wb").write(broken)
    status = subprocess.run([ctl, "image-add", "--os=x", "--name=broken", bad], capture_output=True, timeout=20).returncode
    if status not in (0, 2, 4):
        sys.exit(f"byte {at}: status {status}")
    if status == 0:
        os.unlink("broken.image")
print(len(places))
END
check 'broken headers and tables' test -s "$work/out"

# --- What requests get ---

list() {
    run 0 "$1" "$2" "$ctl" images --user --host "$work/host.json" "${@:3}"
}
list 'an image and its model' '^efi-packed +debian13-cloud +x86_64 +intel +efi-packed.qcow2$'
list 'one for another architecture' '^said +debian13-cloud +aarch64 +refused '
list 'why' '^said: this host has no emulator for aarch64'
printf '[image]\nfile=gone.qcow2\nformat=qcow2\n' >"$work/more/gone.image"
printf '[image]\nfiel=x\n' >"$work/more/wrong.image"
cp efi.image "$work/more/efi.image"
mkfifo "$work/more/fifo.image"
list 'a file that is gone' "^gone: .*gone.qcow2.: No such file"
list 'a wrong key' "^wrong: .*unknown key 'fiel'; did you mean 'file'"
list 'no regular file' '^fifo: .*fifo.image. is not a regular file'
list 'JSON' '"model" : "intel"' --json
check 'the first directory wins' json '[i["directory"] for i in j if i["name"] == "efi"] == [j[0]["directory"]] and j[0]["directory"].endswith("/images")'
check 'each has a model or a refusal' json 'all((i["model"] is None) != (i["refusal"] is None) for i in j)'
check 'what the image says' json '[i["image"]["arch"] for i in j if i["name"] == "both"] == ["aarch64"]'
run 0 'as the service reads it' '^efi: .*in a directory that users other than root can modify' \
    "$ctl" images --system --host "$work/host.json"
echo '{"arch": "x86_64", "image": "efi"}' >"$work/request.json"
run 0 'a relative --images' "$work/images/efi.qcow2' is only read" \
    "$ctl" plan --images=. --host "$work/host.json" "$work/request.json"
mkdir "$work/none"
run 2 'no such image' "no image directory has the file 'efi.image'; searched: '$work/none'; add it" \
    "$ctl" plan --images="$work/none" --host "$work/host.json" "$work/request.json"
printf '[files]\nimage-directories=%s/elsewhere\n' "$work" >"$work/empty.conf"
VIOMMU_CONFIG=$work/empty.conf list 'no images' '^IMAGE +OS'
finish

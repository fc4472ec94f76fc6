#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# boot-sector FILE [NAME]: makes FILE a raw disk of 1 MiB from which a PC boots: it prints "viommu
# boot sector" on its first serial port and copies the first sector to the second.  Read as qcow2,
# FILE is an image with the backing file NAME.
set -euo pipefail
file=$1 name=${2:-}

# put OFFSET BYTES: BYTES with printf's escapes.
put() {
    # shellcheck disable=SC2059  # it is a format
    printf "$2" | dd of="$file" bs=1 seek=$(($1)) conv=notrunc status=none
}

# A processor runs this header as a row of harmless additions, up to the jump, which stands where an
# extension has its type.
: >"$file"
truncate -s 1M "$file"
put 0 'QFI\xfb\x00\x00\x00\x02'
[ -z "$name" ] || put 14 '\x01\x00'
put 16 "\\x00\\x00\\x00\\x$(printf %02x ${#name})\\x00\\x00\\x00\\x10"
# The size, 1 MiB; one entry of the first table, at 192 KiB; the refcount table at 64 KiB, one
# cluster.
put 29 '\x10'
put 39 '\x01\x00\x00\x00\x00\x00\x03'
put 53 '\x01\x00\x00\x00\x00\x00\x01'
put 72 '\xeb\x16\x00\x00\x00\x00\x00\x08' # jmp 96
# xor ax, ax; mov ds, ax; mov es, ax; mov si, 0x7c90; mov dx, 0x3f8
put 96 '\x31\xc0\x8e\xd8\x8e\xc0\xbe\x90\x7c\xba\xf8\x03'
# next: lodsb; test al, al; jz write; out dx, al; jmp next
put 108 '\xac\x84\xc0\x74\x03\xee\xeb\xf8'
# write: mov ax, 0x301; mov bx, 0x7c00; mov cx, 2; mov dx, 0x80; int 0x13; halt: hlt; jmp halt
put 116 '\xb8\x01\x03\xbb\x00\x7c\xb9\x02\x00\xba\x80\x00\xcd\x13\xf4\xeb\xfd'
put 144 'viommu boot sector\r\n'
put 256 "$name"
put 510 '\x55\xaa'

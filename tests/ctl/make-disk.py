#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a raw disk of 1 MiB with a partition table: make-disk.py FILE [WORD...].
Words: efi, bios, x86_64, aarch64 (partitions of a GPT with these types), code (boot code in the
first sector), mbr-efi (an MBR instead of a GPT, with an EFI system partition)."""
import sys
import uuid

SECTOR = 512
TYPES = {"efi": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "bios": "21686148-6449-6e6f-744e-656564454649",
         "x86_64": "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "aarch64": "b921b045-1df0-41c3-af44-4c6f280d3fae"}

name, *words = sys.argv[1:]
disk = bytearray(1 << 20)
disk[510:512] = b"\x55\xaa"
if "code" in words:
    disk[0:2] = b"\xeb\x63"
if "mbr-efi" in words:
    disk[446 + 4] = 0xEF
else:
    disk[446 + 4] = 0xEE
    disk[SECTOR:SECTOR + 8] = b"EFI PART"
    disk[SECTOR + 72:SECTOR + 80] = (2).to_bytes(8, "little")
    disk[SECTOR + 80:SECTOR + 84] = (128).to_bytes(4, "little")
    disk[SECTOR + 84:SECTOR + 88] = (128).to_bytes(4, "little")
    partitions = [TYPES[word] for word in words if word in TYPES]
    # The last entries of the table, behind its first clusters of 512 bytes.
    for i, text in enumerate(partitions):
        at = 2 * SECTOR + (127 - i) * 128
        disk[at:at + 16] = uuid.UUID(text).bytes_le
with open(name, "wb") as file:
    file.write(disk)

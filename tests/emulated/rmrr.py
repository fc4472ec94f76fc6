#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rmrr SLOT: prints a DMAR table with which a host's firmware keeps memory (an RMRR) for the device
behind the root port in SLOT.  Linux takes it in place of QEMU's, whose revision is lower and which
has no such memory."""
import struct
import sys

UNIT = 0xFED90000  # QEMU's
MEMORY = 0xFED1C000, 0xFED1FFFF  # in the memory map of SeaBIOS, reserved
WIDTH = 48


def table(slot):
    unit = struct.pack("<HHBBHQ", 0, 16, 1, 0, 0, UNIT)  # for all devices
    device = struct.pack("<BBHBB", 1, 10, 0, 0, 0) + bytes([slot, 0, 0, 0])
    memory = struct.pack("<HHHHQQ", 1, 24 + len(device), 0, 0, *MEMORY) + device
    body = struct.pack("<BB10x", WIDTH - 1, 0) + unit + memory
    head = struct.pack("<4sIBB6s8sI4sI", b"DMAR", 36 + len(body), 1, 0, b"BOCHS ", b"BXPC    ", 2, b"BXPC", 1)
    whole = bytearray(head + body)
    whole[9] = -sum(whole) % 256
    return bytes(whole)


sys.stdout.buffer.write(table(int(sys.argv[1], 0)))

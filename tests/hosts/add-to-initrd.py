#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""add-to-initrd FILE NAME [plain]: prints an archive (cpio, newc) with FILE as NAME, executable, to
be appended to an initramfs; plain: not compressed, to be put before one."""
import gzip
import os
import sys


def entry(name, mode, data=b""):
    fields = [0, mode, 1, 0, 0, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


with open(sys.argv[1], "rb") as file:
    content = file.read()
out = entry(os.path.dirname(sys.argv[2]), 0o040755) + entry(sys.argv[2], 0o100755, content) + entry("TRAILER!!!", 0)
sys.stdout.buffer.write(out if sys.argv[3:] == ["plain"] else gzip.compress(out, 1))

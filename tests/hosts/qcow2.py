#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes qcow2 images without qemu-img, valid and forged.

  qcow2 make FILE [backing=PATH] [data=PATH]   an image of 4 MiB, based on the raw file PATH, or
with
                                               its data in PATH
  qcow2 flip FILE PATH                         names PATH as the data file and removes the name,
until
                                               it is killed"""
import os
import random
import struct
import sys
import time

CLUSTER = 1 << 16


def header(backing="", data=""):
    """The first cluster."""
    extensions = b""
    for magic, text in ((0xE2792ACA, "raw" if backing else ""), (0x44415441, data)):
        if text:
            extensions += struct.pack(">II", magic, len(text)) + text.encode() + bytes(-len(text) % 8)
    at = 104 + len(extensions) + 8
    fields = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, at if backing else 0, len(backing), 16, 4 << 20, 0, 1,
                         3 * CLUSTER, CLUSTER, 1, 0, 0, 4 if data else 0, 0, 0, 4, 104)
    return (fields + extensions + bytes(8) + backing.encode()).ljust(CLUSTER, b"\0")


def make(path, **names):
    blocks = struct.pack(">Q", 2 * CLUSTER).ljust(CLUSTER, b"\0") + struct.pack(">4H", 1, 1, 1, 1).ljust(CLUSTER, b"\0")
    with open(path, "wb") as file:
        file.write(header(**names) + blocks + bytes(CLUSTER))


def flip(path, target):
    clean, evil = header(), header(data=target)
    fd = os.open(path, os.O_RDWR)
    while True:
        for bytes_ in (clean, evil):
            os.pwrite(fd, bytes_, 0)
            time.sleep(random.uniform(0, 0.05))


if sys.argv[1] == "make":
    make(sys.argv[2], **dict(word.split("=", 1) for word in sys.argv[3:]))
else:
    flip(sys.argv[2], sys.argv[3])

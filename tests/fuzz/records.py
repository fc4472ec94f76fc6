#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recorded machines (tests/machines) as records: seeds for the target machine.

  records.py MAKE_MACHINE DIRECTORY   writes DIRECTORY/NAME for each of them
"""
import pathlib
import subprocess
import sys
import tempfile

POLICY = """conf [devices]
conf allow=*:*
conf take-from-driver=yes
asker member
"""


def encode(data):
    return "".join(chr(byte) if 0x20 <= byte < 0x7f and byte != 0x5c else "\\n" if byte == 0x0a else f"\\x{byte:02x}" for byte in data)


def record(path, name):
    if path.is_symlink():
        return f"link {name} {path.readlink()}\n"
    if "acpi/tables" in name:
        return f"table {path.name} {encode(path.read_bytes())}\n"
    return f"file {name} {encode(path.read_bytes())}\n"


def main():
    make, directory = sys.argv[1:3]
    for line in subprocess.run([make], capture_output=True, text=True, check=True).stdout.splitlines():
        name, base = line.split(" ")[:2]
        with tempfile.TemporaryDirectory() as root:
            subprocess.run([make, name, root], check=True)
            paths = [path for path in sorted(pathlib.Path(root).rglob("*")) if path.is_symlink() or path.is_file()]
            text = f"host {base}.json\n" + POLICY + "".join(record(path, str(path.relative_to(root))) for path in paths)
        (pathlib.Path(directory) / name).write_text(text)


if __name__ == "__main__":
    main()

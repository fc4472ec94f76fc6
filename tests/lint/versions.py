#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that no message has a minimum version of its own: each comes from lib/facts/facts.c,
through viommu_fact_needs() and its like."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
COMMENT = re.compile(r"/\*.*?\*/", re.S)
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
TYPED = re.compile(r"\b(QEMU|libvirt|Linux|kernel|before|since|version)\s+(?:version\s+)?v?\d+\.\d+", re.I)
# Messages whose version is in no row of facts.c, each with the reason.
ALLOWED = {
    "daemon/libvirt/device.c": "the libvirt that viommud was built with, not the host's",
}


def typed_versions(text):
    """(line, words) of each message."""
    code = COMMENT.sub(lambda comment: "\n" * comment.group().count("\n"), text)
    for number, line in enumerate(code.splitlines(), 1):
        for literal in [] if line.startswith("#include") else LITERAL.findall(line):
            match = TYPED.search(literal)
            if match:
                yield number, match.group()


def main():
    found, used = [], set()
    for folder in ("lib", "daemon", "tools"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            name = path.relative_to(ROOT).as_posix()
            hits = [] if name.startswith("lib/facts/") else list(typed_versions(path.read_text()))
            if hits and name in ALLOWED:
                used.add(name)
            else:
                found += [f"{name}:{line}: '{words}' is typed by hand; take it from lib/facts/facts.c" for line, words in hits]
    found += [f"tests/lint/versions.py: nothing to allow in {name}" for name in sorted(set(ALLOWED) - used)]
    print("\n".join(found) or "every version in a message is from the table of facts")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

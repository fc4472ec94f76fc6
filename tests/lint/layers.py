#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the order of the rooms, the table of docs/ARCHITECTURE.md, and which files may include
or call what belongs to few."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()

# What only some files may include or call: (name, pattern, the files that may).
RESERVED = [
    # A bench compares viommud with this bare engine.
    ("libvirt", r'#include <libvirt/', r"(daemon/libvirt/.*|tests/bench/engine|tests/qemu/no-conversion|tests/crash/frail)\.[ch]$"),
    ("sd-bus", r'#include <systemd/sd-bus', r"(daemon/(bus/.*|process/loop)|tools/(.*/)?client[-a-z]*|tools/client/remote|tests/.*)\.[ch]$"),
    ("the journal", r'#include <systemd/sd-journal', r"daemon/process/log\.c$"),
    ("threads", r'\b(g_thread_(new|pool)|pthread_create|g_mutex_|GMutex|GCond\b)',
     r"(daemon/(process/(worker|loop|held-files|relay)|libvirt/.*)|tools/ctl/exec|tests/.*)\.[ch]$"),
    ("libxml2", r'#include <libxml/', r"(lib/(base/xml-read|host/caps|domain/metadata)|tests/.*)\.[ch]$"),
    ("json-glib", r'#include <json-glib/', r"(tools/.*|tests/.*|daemon/libvirt/guest-(agent|command)|daemon/files/seed)\.[ch]$"),
    ("libarchive", r'#include <archive', r"(daemon/files/seed|tests/.*)\.[ch]$"),
    ("libyaml", r'#include <yaml', r"tools/client/yaml-read\.c$"),
    ("writing a field of a machine", r'\bmachine->\w+\s*([-+|&]?=|\+\+|--)(?!=)',
     r"(daemon/machines/machine|lib/.*|tools/.*)\.c$"),
    ("writing a field of a job", r'\b(job|stop)->(kind|queue|work|free_work|answered|ending|next)\b(\.\w+)?\s*=(?!=)',
     r"daemon/machines/job\.c$"),
    ("fork", r'\b(fork|vfork)\s*\(', r"(daemon/files/reader-main|tools/doctor/rights|tests/.*)\.c$"),
]

# What a pure library must not use.  Only sysroot.c reads files: those of the hardware, below a
# given directory.
READS_FILES = "lib/host/sysroot.c"
IMPURE = [
    ("a clock", r"\b(time|clock_gettime|gettimeofday|g_get_(real|monotonic)_time)\s*\("),
    ("the environment", r"\b(getenv|setenv|g_getenv|g_get_(user|home|host)_\w+)\s*\("),
    ("logging or printing", r"\b(printf|fprintf|puts|g_(message|warning|critical|debug|print|printerr|log))\s*\("),
    ("files", r"\b(fopen|open|openat2?|opendir|g_file_get_contents|g_file_test|f?stat|access|readlink(at)?|read)\s*\("),
    ("the bus or the daemon", r'#include ["<](systemd|libvirt|daemon|tools)/'),
    ("random numbers", r"\b(g_uuid_string_random|g_random_\w+|rand|random)\s*\("),
]


def rooms():
    """The rank of each room, from the ground up: lib/, then daemon/, then tools/, then the files
    above them."""
    order = []
    for top in ("lib", "daemon", "tools"):
        listed = re.search(top + r"_rooms = \[(.*?)\]", (ROOT / top / "meson.build").read_text(), re.S).group(1)
        order += [f"{top}/{room}" for room in re.findall(r"'([a-z]+)'", listed)] + [top]
    return {room: rank for rank, room in enumerate(order + ["tests"])}


def uses(files, ranks):
    """The rooms that each room includes, from the ground up."""
    found = {room: set() for room in ranks if "/" in room}
    for name in files:
        room = room_of(name, ranks)
        if room in found and (ROOT / name).exists():
            included = re.findall(r'^#include "((?:lib|daemon|tools)/[^"]*)"', (ROOT / name).read_text(), re.M)
            found[room] |= {room_of(other, ranks) for other in included} - {room}
    return {room: sorted(others, key=lambda other: ranks.get(other, 0)) for room, others in found.items()}


def table_faults(files, ranks):
    """Checks that docs/ARCHITECTURE.md has a row for each room, in order, whose last column has
    exactly the rooms that it includes."""
    rows = re.findall(r"^\| `([a-z]+/[a-z]+)` \| [^|]+ \| ([^|]*) ?\|$", (ROOT / "docs" / "ARCHITECTURE.md").read_text(), re.M)
    order = [room for room in ranks if "/" in room]
    if [room for room, _ in rows] != order:
        yield f"docs/ARCHITECTURE.md: its table of rooms is not the order of the meson.build files: {' '.join(order)}"
    told = {room: re.findall(r"`([^`]+)`", words) for room, words in rows}
    for room, others in uses(files, ranks).items():
        if told.get(room, others) != others:
            row = " ".join(f"`{other}`" for other in others)
            yield f"docs/ARCHITECTURE.md: {room} includes of other rooms than its row says; if that is wanted, write: {row}"


def room_of(name, ranks):
    folder = name.rsplit("/", 1)[0]
    return folder if folder in ranks else folder.split("/")[0]


def arrows_up(name, text, ranks):
    """Inclusions of a room that stands above the file's own room."""
    own = room_of(name, ranks)
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'#include "((?:lib|daemon|tools|tests)/[^"]*)"', line)
        other = room_of(match.group(1), ranks) if match else own
        if other not in ranks:
            yield f"{name}:{number}: '{other}' is no room of lib/, daemon/ or tools/meson.build"
        elif own in ranks and ranks[other] > ranks[own]:
            yield f"{name}:{number}: {own} stands below {other} and must not include of it: {line.strip()}"


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group().count("\n"), text, flags=re.S)
    return re.sub(r'"(\\.|[^"\\\n])*"', lambda match: match.group() if "/" in match.group() else '""', text)


def main():
    files = subprocess.run([ROOT / "tools/scripts/source-files.sh", ROOT], capture_output=True, text=True, check=True)
    files = [name for name in files.stdout.split("\0") if name.endswith((".c", ".h"))]
    ranks = rooms()
    found = list(table_faults(files, ranks))
    for name in files:
        path = ROOT / name
        if not path.exists():
            continue
        if name.startswith(("lib/", "daemon/", "tools/")):
            found += arrows_up(name, path.read_text(), ranks)
        for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
            for what, pattern, allowed in RESERVED:
                if re.search(pattern, line) and not re.match(allowed, name):
                    found.append(f"{name}:{number}: {what} belongs elsewhere: {line.strip()}")
            if name.startswith("lib/"):
                found += [f"{name}:{number}: lib/ is pure, this touches {what}: {line.strip()}"
                          for what, pattern in IMPURE
                          if re.search(pattern, line) and (what, name) != ("files", READS_FILES)]
            if name.startswith("daemon/") and re.search(r'#include "tools/', line):
                found.append(f"{name}:{number}: the daemon does not know its clients: {line.strip()}")
    if not files:
        sys.exit("no sources found")
    print("\n".join(found) or f"{len(files)} files keep to their layers")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

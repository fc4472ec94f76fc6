#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the map in README.md with the tree: each .c and .h file is in exactly one row, and
each name in a row exists.  Compares the suites that texts name with those that tests are in."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
ROOMS = ("lib", "daemon", "tools")
HEAD = "| where do I change | look in |"


def rows(text: str) -> list[tuple[str, list[str]]]:
    """The rows of the map: the subject, and the names in backticks."""
    lines = text.splitlines()
    found = []
    for line in lines[lines.index(HEAD) + 2:]:
        if not line.startswith("| "):
            break
        topic, places = line.strip("| ").split(" | ")
        found.append((topic, re.findall(r"`([^`]+)`", places)))
    return found


def suite_faults() -> list[str]:
    """The table of docs/HACKING.md has each suite once, and no text tells of one that is none."""
    builds = "".join(path.read_text() for path in sorted((ROOT / "tests").glob("*/meson.build")))
    suites = set(re.findall(r"suite: *'([a-z]+)'", builds))
    hacking = (ROOT / "docs" / "HACKING.md").read_text()
    table = hacking[hacking.index("| suite | what runs | needs |"):].split("\n\n")[0].splitlines()[2:]
    told = [line.split("|")[1].strip() for line in table]
    faults = []
    if sorted(told) != sorted(suites):
        faults.append(f"docs/HACKING.md: its table has the suites {sorted(told)}, and tests are in {sorted(suites)}")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "tests" / "meson.build",
                 *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs").glob("*.rst"))]:
        for words in re.findall(r"--suite[ =]([a-z|]+)", path.read_text()):
            faults += [f"{path.relative_to(ROOT)}: there is no suite '{word}'"
                       for word in words.split("|") if word not in suites]
    return faults


def main() -> int:
    faults = suite_faults()
    where: dict[str, list[str]] = {}
    for topic, patterns in rows((ROOT / "README.md").read_text()):
        for pattern in patterns:
            files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))
            if not files:
                faults.append(f"README.md: the row '{topic}' names {pattern}, which does not exist")
            for name in files:
                where.setdefault(name, []).append(topic)
    for room in ROOMS:
        for path in sorted((ROOT / room).glob("**/*.[ch]")):
            name = str(path.relative_to(ROOT))
            topics = where.get(name, [])
            if len(topics) != 1:
                faults.append(f"README.md: {len(topics)} rows of the map name {name}, not one: {topics}")
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())

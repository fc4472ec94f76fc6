#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the share of lines of lib/, daemon/ and tools/ that ran in a build with
-Db_coverage=true, by gcov alone.
    coverage.py BUILD [--files[=PERCENT]]
--files: also each file, or each file below PERCENT, the least first"""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREES = ("lib", "daemon", "tools")


def objects(build):
    """The notes of each object; an object that never ran has no counts, and is included."""
    for tree in TREES:
        yield from sorted((build / tree).rglob("*.gcno"))


def documents(build):
    notes = [str(path) for path in objects(build)]
    if not notes:
        sys.exit(f"coverage.py: no object of {build} was built with -Db_coverage=true")
    answer = subprocess.run(["gcov", "--json-format", "--stdout", *notes], cwd=build, check=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [json.loads(line) for line in answer.stdout.splitlines() if line.startswith(b"{")]


def name_of(build, path):
    """The path below the root, if it is in one of the trees; lines of a header run in many
    objects."""
    path = (build / path).resolve()
    if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in TREES:
        return str(path.relative_to(ROOT))
    return None


def lines_run(build):
    """File -> line -> how often it ran."""
    files = {}
    for document in documents(build):
        for file in document["files"]:
            name = name_of(build, file["file"])
            counts = files.setdefault(name, {}) if name else {}
            for line in file["lines"]:
                number = line["line_number"]
                counts[number] = counts.get(number, 0) + line["count"]
    return files


def percent(counts):
    run = sum(1 for count in counts if count)
    return 100 * run / len(counts) if counts else 100


def main():
    build = Path(sys.argv[1]).resolve()
    below = [float(word.partition("=")[2] or 101) for word in sys.argv[2:] if word.startswith("--files")]
    files = lines_run(build)
    shares = sorted((percent(lines.values()), name, len(lines)) for name, lines in files.items() if lines)
    for share, name, n in shares if below else []:
        if share < below[0]:
            print(f"{share:6.1f} %  of {n:4} lines  {name}")
    for tree in TREES:
        counts = [count for name, lines in files.items() if name.startswith(tree + "/") for count in lines.values()]
        print(f"{tree}/ {percent(counts):.1f} % of {len(counts)} lines")


if __name__ == "__main__":
    main()

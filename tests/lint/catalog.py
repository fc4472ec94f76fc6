#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that each MESSAGE_ID of daemon/journal*.h is used, has an entry in conf/viommu.catalog
and is in viommud(8), and the reverse; and that an entry names only fields that the daemon
writes.

    catalog.py ROOT"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
ENTRY = re.compile(r"^-- ([0-9a-f]{32})\nSubject: \S.*\nDefined-By: viommud\nDocumentation: man:.*\n\n(\S(?:.*\n)+?)(?=\n?-- |\Z)", re.M)


def main():
    trouble = []
    files = [ROOT / "daemon" / name for name in ("process/journal", "machines/journal-events")]
    code, declared = ("".join(path.with_suffix(suffix).read_text() for path in files) for suffix in (".c", ".h"))
    known = dict(re.findall(r'^#define (VIOMMU_MESSAGE_\w+)\s+"(\w+)"$', declared, re.M))
    fields = set(re.findall(r'"([A-Z_]+)="', (ROOT / "daemon" / "process" / "log.c").read_text()))
    catalog = (ROOT / "conf" / "viommu.catalog").read_text()
    entries = dict(ENTRY.findall(catalog))
    if len(entries) != len(re.findall(r"^-- ", catalog, re.M)):
        trouble.append("conf/viommu.catalog has an entry that is not complete, or two with one id")
    trouble += [f"{name}: '{id}' is no id of 32 lower case hexadecimal digits" for name, id in known.items()
                if not re.fullmatch("[0-9a-f]{32}", id)]
    trouble += [f"{name} is not used in daemon/journal*.c" for name in known if not re.search(rf"\b{name}\b", code)]
    trouble += [f"conf/viommu.catalog has no entry for {name}" for name, id in known.items() if id not in entries]
    trouble += [f"conf/viommu.catalog explains {id}, which is not in daemon/journal*.h" for id in set(entries) - set(known.values())]
    for id, text in entries.items():
        trouble += [f"the entry {id} names the field {field}, which is not written"
                    for field in re.findall(r"@(\w+)@", text) if field not in fields]
    manual = set(re.findall("``([0-9a-f]{32})``", (ROOT / "docs" / "viommud.8.rst").read_text()))
    trouble += [f"{id} is in only one of daemon/journal*.h and docs/viommud.8.rst" for id in manual ^ set(known.values())]
    if len(set(known.values())) != len(known):
        trouble.append("two events have one id")
    print("\n".join(trouble) or f"{len(known)} events are explained")
    return 1 if trouble or not known else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recorded machines: the output of `viommuctl host` for each, and the recorded hosts in
tests/golden/hosts that are made from them.

Makes each machine's files (recordings.c), reads them with --root, and joins them with the
libvirt and QEMU of a base host.
  run.py VIOMMUCTL MAKE_MACHINE               compare (prints TAP)
  run.py VIOMMUCTL MAKE_MACHINE --regenerate  write the present output; read the diff first"""
import difflib
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
HOSTS = HERE.parent / "golden" / "hosts"


def say(ctl, *words):
    done = subprocess.run([ctl, "host", *words], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def look(ctl, make, name, base, origin):
    """The files that are kept of a machine, and whether its recorded host gives the same as its
    files."""
    with tempfile.TemporaryDirectory() as root:
        subprocess.run([make, name, root], check=True)
        text = say(ctl, "--root", root)
        recorded = say(ctl, "--host", HOSTS / f"{base}.json", "--root", root, "--json")
        inventory = say(ctl, "--host", HOSTS / f"{base}.json", "--root", root, "--inventory")
        path = pathlib.Path(root) / "recorded.json"
        path.write_text(recorded)
        same = (say(ctl, "--host", path).endswith("\n" + text) and say(ctl, "--host", path, "--inventory") == inventory
                and say(ctl, "--host", path, "--json") == recorded)
    kept = {HERE / "expected" / f"{name}.txt": f"# {origin}\n\n{text}\n# --inventory, with the libvirt of {base}\n\n{inventory}",
            HOSTS / f"machine-{name}.json": json.dumps(json.loads(recorded), indent=2) + "\n"}
    return kept, same


def main():
    ctl, make = sys.argv[1:3]
    lines = subprocess.run([make], capture_output=True, text=True, check=True).stdout.splitlines()
    machines = [line.split(" ", 2) for line in lines]
    kept, failed, number = {}, 0, 0
    if "--regenerate" in sys.argv:
        (HERE / "expected").mkdir(exist_ok=True)
        for machine in machines:
            for path, text in look(ctl, make, *machine)[0].items():
                path.write_text(text)
        return 0
    print(f"1..{3 * len(machines) + 1}")
    for machine in machines:
        files, same = look(ctl, make, *machine)
        kept |= files
        results = [(f"{machine[0]}: recorded, it tells the same", [] if same else ["it does not"])]
        for path, text in files.items():
            wanted = path.read_text() if path.exists() else ""
            results.append((f"{machine[0]}: {path.name}", list(difflib.unified_diff(
                wanted.splitlines(), text.splitlines(), "expected", "now", lineterm=""))))
        for what, diff in results:
            number += 1
            failed += bool(diff)
            print(f"{'not ok' if diff else 'ok'} {number} - {what}")
            for line in diff:
                print("# " + line)
    strays = [path.name for path in [*(HERE / "expected").iterdir(), *HOSTS.glob("machine-*")] if path not in kept]
    print(f"{'not ok' if strays else 'ok'} {number + 1} - every file belongs to a machine {' '.join(strays)}")
    return 1 if failed or strays else 0


if __name__ == "__main__":
    sys.exit(main())

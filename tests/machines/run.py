#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recorded machines: the output of `viommuctl host` for each, and the recorded hosts in
tests/golden/hosts that are made from them.

Makes each machine's files (recordings.c), reads them with --root, and joins them with the
libvirt and QEMU of a base host.  An emulated host (tests/emulated) was recorded as it ran: its
recording must give the words that it said itself.
  run.py VIOMMUCTL MAKE_MACHINE               compare (prints TAP)
  run.py VIOMMUCTL MAKE_MACHINE --regenerate  write the present output; read the diff first"""
import difflib
import json
import pathlib
import re
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


def differ(path, text):
    wanted = path.read_text() if path.exists() else ""
    return list(difflib.unified_diff(wanted.splitlines(), text.splitlines(), "expected", "now", lineterm=""))


def emulated(ctl, recording):
    """(path, text) of what is kept of an emulated host's words, of which doctor's need the host
    itself.  The recording does not know how libvirt was reached."""
    path = HERE / "expected" / f"{recording.stem}.txt"
    said = dict(re.findall(r"(?ms)^# viommuctl ([^\n]+)\n\n(.*?)\n(?=# viommuctl |\Z)", path.read_text() if path.exists() else ""))
    for words in ("host", "host --inventory"):
        said[words] = re.sub(r"\A(libvirt \S+)\n", r"\1 at qemu:///system\n", say(ctl, *words.split()[1:], "--host", recording))
    return path, "".join(f"# viommuctl {words}\n\n{said.get(words, '')}\n" for words in ("host", "host --inventory", "doctor"))


def main():
    ctl, make = sys.argv[1:3]
    lines = subprocess.run([make], capture_output=True, text=True, check=True).stdout.splitlines()
    machines = [line.split(" ", 2) for line in lines]
    recordings = sorted(HOSTS.glob("emulated-*.json"))
    kept, failed, number = {}, 0, 0
    if "--regenerate" in sys.argv:
        (HERE / "expected").mkdir(exist_ok=True)
        for machine in machines:
            for path, text in look(ctl, make, *machine)[0].items():
                path.write_text(text)
        for recording in recordings:
            path, text = emulated(ctl, recording)
            path.write_text(text)
        return 0
    print(f"1..{3 * len(machines) + len(recordings) + 1}")
    results = []
    for machine in machines:
        files, same = look(ctl, make, *machine)
        kept |= files
        results.append((f"{machine[0]}: recorded, it tells the same", [] if same else ["it does not"]))
        results += [(f"{machine[0]}: {path.name}", differ(path, text)) for path, text in files.items()]
    for recording in recordings:
        path, text = emulated(ctl, recording)
        kept[path] = text
        results.append((f"{recording.stem}: its recording tells what it said", differ(path, text)))
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

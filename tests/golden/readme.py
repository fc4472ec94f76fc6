#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares README.md's examples with the programs: the plan must print what README shows; the
rows of tools/quickstart must be those of tests/qemu/lab.sh, which the suite qemu boots; each
verb in an example must exist.  Prints TAP.
  readme.py VIOMMUCTL"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LINES = (ROOT / "README.md").read_text().splitlines()


def outputs():
    """(command, lines below it) of each indented line that begins with "$ "."""
    command, words = None, []
    for line in LINES + [""]:
        if command and (not line.startswith("    ") or line.startswith("    $ ")):
            yield command, words
            command = None
        if line.startswith("    $ "):
            command, words = line[6:], []
        elif command:
            words.append(line[4:])


def complaints_of_run(command, words, work):
    done = subprocess.run(["bash", "-c", command], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)
    if done.stdout.splitlines() != words:
        yield "it prints now:\n" + done.stdout


def complaints_of_quickstart(command, words):
    """What the guests of these rows print, without seconds and the number of groups, which no
    row of the lab fixes."""
    lab = {fields[0]: fields for fields in map(str.split, re.search(r"^lab_rows='\n(.*?)^'", (ROOT / "tests/qemu/lab.sh").read_text(),
                                                                    re.M | re.S).group(1).splitlines())}
    names = command.split()[1:]
    if len(words) != len(names) + 1:
        yield f"{len(words) - 1} rows are shown of {len(names)}"
    for name, row in zip(names, words[1:]):
        _, arch, _, iommu, _, model, shown, groups = lab[name]
        asked = iommu.replace('"', "").strip("{}").replace(":", ": ")
        columns = re.split(r" {2,}", row)
        if [columns[0], columns[1], columns[2], columns[-1]] != [arch, asked, model, "ok"] or not re.search(shown, columns[3]):
            yield f"'{row}' is not the lab's row {name}"
        if (columns[4] == "0") != (groups == "0"):
            yield f"'{row}' has another number of groups than the lab's row {name}"


def unknown_verbs(ctl):
    known = set(re.findall(r"^  ([a-z-]+) ", subprocess.run([ctl, "help"], capture_output=True, text=True, check=True).stdout, re.M))
    used = {verb for line in LINES for verb in re.findall(r"(?:^    (?:.*/)?|`)viommuctl ([a-z][a-z-]*)", line)}
    if len(used) < 8:
        yield f"only {len(used)} verbs are used: where have the examples gone?"
    yield from (f"'viommuctl {verb}' is no verb" for verb in sorted(used - known))


def main():
    ctl = pathlib.Path(sys.argv[1]).resolve()
    results = [("the verbs", list(unknown_verbs(ctl)))]
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        (work / "build" / "tools").mkdir(parents=True)
        (work / "build" / "tools" / "viommuctl").symlink_to(ctl)
        (work / "tests").symlink_to(ROOT / "tests")
        for command, words in outputs():
            found = complaints_of_quickstart(command, words) if command.startswith("tools/quickstart") else \
                complaints_of_run(command, words, work)
            results.append((command, list(found)))
    if len(results) < 4:
        sys.exit("README.md has no example any more")
    print(f"1..{len(results)}")
    for number, (command, found) in enumerate(results, 1):
        print(f"{'not ok' if found else 'ok'} {number} - {command.replace('#', '')}")
        for line in "\n".join(found).splitlines():
            print("# " + line)
    return 1 if any(found for _, found in results) else 0


if __name__ == "__main__":
    sys.exit(main())

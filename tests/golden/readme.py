#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares README.md's examples with the programs: the plan must print what README shows; the
command that tools/quickstart runs in a guest is the shown one; each verb in an example must
exist.  Prints TAP.
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


def complaints_of_quickstart(words):
    """The command of the row "inside", and the guest's IOMMU groups, of which it has some."""
    command = re.search(r'^command="(.*)"$', (ROOT / "tools/quickstart").read_text(), re.M).group(1)
    if words[:1] != ["+ " + command]:
        yield "it runs now:\n+ " + command
    if len(words) != 2 or not re.fullmatch(r"0(, [1-9][0-9]*)+", words[1]):
        yield "it prints the command, and a line with the guest's groups"


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
            found = complaints_of_quickstart(words) if command == "tools/quickstart inside" else \
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

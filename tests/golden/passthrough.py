#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs each indented block of docs/passthrough.md that begins with "$ ", in order, and compares
the output with the lines below it.  "$ cat FILE" creates the file from the lines below it.
  passthrough.py VIOMMUCTL VIOMMUD MAKE_MACHINE               compare (prints TAP)
  passthrough.py VIOMMUCTL VIOMMUD MAKE_MACHINE --regenerate  write the present output; read the
diff
The machine is a recorded one, `machine` and `server.json`; its libvirt is that of a viommud with
libvirt's test driver, on a host with as much memory."""
import difflib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent / "docs" / "passthrough.md"
MACHINE = "server-two-sockets"
INDENT = "    "
NODE = """<node><cpu><mhz>2000</mhz><model>x86_64</model><active>64</active><nodes>2</nodes><sockets>1</sockets>
<cores>32</cores><threads>1</threads></cpu><memory>402653184</memory></node>"""


def blocks(lines):
    """(first line, line after the last) of each block: a command and its output."""
    i = 0
    while i < len(lines):
        first = i
        while i < len(lines) and (lines[i].startswith(INDENT) or (i > first and not lines[i] and i + 1 < len(lines)
                                                                  and lines[i + 1].startswith(INDENT))):
            i += 1
        if i > first and lines[first].startswith(INDENT + "$ "):
            yield first, i
        i = max(i, first + 1)


def commands(lines):
    """(command, first line of its output, line after it): a block may have several commands."""
    for first, after in blocks(lines):
        starts = [i for i in range(first, after) if lines[i].startswith(INDENT + "$ ")]
        for start, end in zip(starts, starts[1:] + [after]):
            yield lines[start][len(INDENT) + 2:], start + 1, end


def run(work, environment, command, shown):
    words = command.split()
    if words[0] == "cat" and len(words) == 2:
        (work / words[1]).write_text("\n".join(shown) + "\n")
        return shown
    done = subprocess.run(["bash", "-c", command], cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60)
    return [line.rstrip() for line in done.stdout.splitlines()]


def prepare(work, ctl, make):
    (work / "bin").mkdir()
    (work / "bin" / "viommuctl").symlink_to(pathlib.Path(ctl).resolve())
    (work / "machine").mkdir()
    subprocess.run([make, MACHINE, work / "machine"], check=True)
    shutil.copy(HERE / "hosts" / f"machine-{MACHINE}.json", work / "server.json")
    (work / "node.xml").write_text(NODE)
    (work / "viommud.conf").write_text("")
    return dict(os.environ, PATH=f"{work}/bin:{os.environ['PATH']}", XDG_RUNTIME_DIR=str(work), HOME=str(work), LC_ALL="C.UTF-8",
                VIOMMU_CONFIG=str(work / "viommud.conf"), NO_COLOR="1")


def wait_until_ready(environment, daemon):
    for _ in range(300):
        if subprocess.run(["viommuctl", "--user", "list"], env=environment, capture_output=True).returncode == 0:
            return
        if daemon.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit("viommud does not come up")


def main():
    ctl, viommud, make = sys.argv[1:4]
    if not os.environ.get("PASSTHROUGH_INSIDE"):
        if not shutil.which("dbus-run-session"):
            print("1..0 # SKIP dbus-run-session is not installed")
            return 0
        os.environ["PASSTHROUGH_INSIDE"] = "1"
        os.execvp("dbus-run-session", ["dbus-run-session", "--", sys.executable, __file__, *sys.argv[1:]])
    lines = DOCUMENT.read_text().splitlines()
    written, failed, kept = [], 0, 0
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        environment = prepare(work, ctl, make)
        with open(work / "log", "w") as log, subprocess.Popen(
                [viommud, "--user", f"--connect=test://{work}/node.xml", f"--root={work}/machine"], env=environment, stderr=log) as daemon:
            try:
                wait_until_ready(environment, daemon)
                found = [(command, first, after, run(work, environment, command, [line[len(INDENT):] for line in lines[first:after]]))
                         for command, first, after in commands(lines)]
            finally:
                daemon.terminate()
    if len(found) < 8:
        sys.exit(f"only {len(found)} commands in {DOCUMENT.name}: where have they gone?")
    print(f"1..{len(found)}")
    for number, (command, first, after, now) in enumerate(found, 1):
        now = [(INDENT + line).rstrip() for line in now]
        diff = list(difflib.unified_diff(lines[first:after], now, "document", "now", lineterm=""))
        failed += bool(diff)
        print(f"{'not ok' if diff else 'ok'} {number} - {command.replace('#', '')}")
        for line in diff:
            print("# " + line)
        written += lines[kept:first] + now
        kept = after
    if "--regenerate" in sys.argv:
        DOCUMENT.write_text("\n".join(written + lines[kept:]) + "\n")
        return 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

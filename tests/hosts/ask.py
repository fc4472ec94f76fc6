#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a user's command on a terminal of its own, with polkit's agent on it, and types a
password at its prompt; passes on the command's output and exit status.
  ask USER PASSWORD MEANWHILE COMMAND...
MEANWHILE is a shell command that runs during the prompt; "" for none."""
import os
import pty
import re
import select
import subprocess
import sys
import time

# The agent serves this process, which then becomes the command: polkit knows it by its number and
# its start time.
SCRIPT = 'pkttyagent --process $$ & sleep 1; exec "$@"'
PATIENCE = 60


def main():
    user, password, meanwhile, *command = sys.argv[1:]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("runuser", ["runuser", "-u", user, "--", "sh", "-c", SCRIPT, "sh", *command])
    text, asked, end = b"", False, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.2)[0]:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
            continue
        try:
            text += os.read(terminal, 4096)
        except OSError:
            break
        if not asked and re.search(rb"[Pp]assword: ?$", text):
            asked = True
            if meanwhile:
                subprocess.run(meanwhile, shell=True, check=True)
            time.sleep(0.5)  # the agent discards input until it has switched off the echo
            os.write(terminal, password.encode() + b"\n")
    sys.stdout.write(text.decode(errors="replace").replace("\r", ""))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if time.monotonic() < end else 99
    return status if asked else 98


sys.exit(main())

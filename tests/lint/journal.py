#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that each line to the journal asks for permission first, so that nobody can flood the
journal; names the few that need not."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()

# Events that no caller and no guest can cause again and again, and the ends of machines: FILE
# FUNCTION: reason.
FREE = {
    "journal.c tell_left_out": "once a minute, or with a line that may be written",
    "journal-events.c viommu_journal_launched": "what becomes of machines",
    "journal-events.c viommu_journal_lease_ended": "what becomes of machines",
    "journal-events.c viommu_journal_not_given_back": "what becomes of the host's devices: once for each end of a guest that had one",
    "journal-events.c viommu_journal_evicted": "evictions.c: at most one guest in twenty seconds, or the end of another",
    "journal-events.c viommu_journal_found": "once for each machine after a start",
    "journal-events.c viommu_journal_foreign": "once for each machine after a start",
    "journal-events.c viommu_journal_paused": "pauses.c asks",
    "journal-events.c viommu_journal_orphaned": "once for each machine",
    "journal-events.c viommu_journal_undone": "once for each domain that was left",
    "journal-events.c viommu_journal_left_alone": "once for each domain, and reconcile.c bounds them",
    "journal-events.c viommu_journal_agent_broke": "agent-trust.c: once for each machine, and twice for each user",
    "journal-events.c viommu_journal_kvm": "once for each change of the verdict: kvm-keeper.c retries after minutes",
    "verify.c settle_question": "the same",
    "bus.c go_on": "only without memory, and the loop ends",
    "endings.c on_stop": "what becomes of machines",
    "console-keeper.c viommu_console_keeper_end": "what becomes of machines; the guest's words are asked for",
    "console-keeper.c done_move": "once for each start",
    "evictions.c viommu_evictions_watch": "only without memory",
    "launch.c set_deadline": "only without memory",
    "leases.c set_timer": "only without memory",
    "adoption.c on_adoption_too_slow": "once for each start",
    "manager.c on_host_learnt": "once for each connection to libvirt",
    "manager.c set_look_again": "only without memory",
    "manager.c set_connected": "once for each connection to libvirt",
    "ready-socket.c viommu_ready_socket_listen": "once for each start",
    "service.c": "the start and the end",
}
CALL = re.compile(r"\bviommu_log(_error)?\(")
ASKED = re.compile(r"\bviommu_journal_may_tell(_of)?\(")
FUNCTION = re.compile(r"^[A-Za-z].*?\b(\w+)\(")
# The question may stand so many lines above the journal line.
NEAR = 7


def lines_of(path):
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group().count("\n"), path.read_text(), flags=re.S)
    function, above = "", []
    for number, line in enumerate(text.splitlines(), 1):
        if FUNCTION.match(line):
            function, above = FUNCTION.match(line).group(1), []
        above.append(line)
        if CALL.search(line) and line.startswith(" "):
            yield number, function, "\n".join(above[-NEAR:])


def main():
    failures, used, checked = [], set(), 0
    for path in sorted((ROOT / "daemon").rglob("*.c")):
        if path.name in ("log.c", "logcontrol.c"):
            continue
        for number, function, near in lines_of(path):
            checked += 1
            key = path.name if path.name in FREE else f"{path.name} {function}"
            if key in FREE:
                used.add(key)
            elif not ASKED.search(near):
                failures.append(f"{path.relative_to(ROOT)}:{number}: {function}() writes to the journal: ask viommu_journal_may_tell() "
                                "before, or say in tests/lint/journal.py why nobody can have it written without end")
    failures += [f"tests/lint/journal.py: '{key}' writes nothing" for key in FREE if key not in used]
    print("\n".join(failures) or f"{checked} lines: {len(used)} places need not ask, the others do")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

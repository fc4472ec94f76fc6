#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sums the logs of "meson test": prints each failure, and each skip with its reason, then the
totals alone on the last line.  Counts a program's test cases if it reports them (TAP, check),
else the program.
    summary.py [LABEL=]testlog.json..."""
import json
import re
import sys

OK = {"OK", "EXPECTEDFAIL"}
TAP = re.compile(r"^(ok|not ok)\b[ \d]*(?:- )?(.*?)(?:\s*# *(SKIP|TODO)\b *(.*))?$", re.M | re.I)
TAP_PLAN = re.compile(r"^1\.\.(\d+)(?:\s*# *SKIP *(.*))?", re.M | re.I)
CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)


def tap_cases(output):
    for word, name, directive, why in TAP.findall(output):
        if directive.upper() == "SKIP":
            yield "skipped", name, why
        else:
            yield "passed" if word == "ok" or directive else "failed", name, ""


def check_cases(output):
    for checks, failures, errors in CHECK.findall(output):
        bad = int(failures) + int(errors)
        yield from [("passed", "", "")] * (int(checks) - bad)
        yield from [("failed", "", "")] * bad


def cases(test):
    """(outcome, case, words) of all test cases of one program."""
    output, result = test.get("stdout") or "", test["result"]
    plan = TAP_PLAN.search(output)
    if result == "SKIP":
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return [("skipped", "", plan[2] if plan and plan[2] else lines[-1] if lines else "")]
    found = list(tap_cases(output) if plan else check_cases(output))
    if result not in OK and not any(outcome == "failed" for outcome, _, _ in found):
        found.append(("failed", "", result.lower()))
    return found or [("passed", "", "")]


def main():
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for argument in sys.argv[1:]:
        label, _, path = argument.rpartition("=")
        with open(path, encoding="utf-8") as log:
            tests = [json.loads(line) for line in log if line.strip()]
        for test in tests:
            for outcome, case, words in cases(test):
                count[outcome] += 1
                if outcome != "passed":
                    where = ": ".join(filter(None, [label, test["name"], case]))
                    words = words.removeprefix("SKIP: ") or ("no reason given" if outcome == "skipped" else "")
                    print(f"{outcome}: {where}" + (f": {words}" if words else ""))
    print(", ".join(f"{count[outcome]} {outcome}" for outcome in count))
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())

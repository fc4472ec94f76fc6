#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Golden suite: request + recorded host -> the exact plan and XML, or the exact error.

A case is one line of `cases`.  Its result is kept whole in expected/: exit status, the report of
`viommuctl plan --json`, and the domain XML.  A file that no case uses is a failure.
  run.py VIOMMUCTL               compare (prints TAP)
  run.py VIOMMUCTL --without-iommufd  of a build with -Diommufd=disabled: cases with hostdevs are the same, but none goes through iommufd
  run.py VIOMMUCTL --regenerate  write what is there now; read the diff before committing it
  run.py VIOMMUCTL --xml DIR     write the XML of every plan to DIR, for the suites that validate and define it
"""
import concurrent.futures
import difflib
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DISTRIBUTIONS = ["focal", "bullseye", "jammy", "bookworm", "noble", "plucky", "trixie", "questing", "resolute",
                 "stonking", "forky", "debian11", "debian12", "debian13", "testing"]


def read_cases():
    """(identifier, host, request, options) for each line, 'every' expanded."""
    for number, line in enumerate((HERE / "cases").read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) < 2:
            sys.exit(f"cases:{number}: a case is: host request [options]")
        for host in DISTRIBUTIONS if words[0] == "every" else [words[0]]:
            suffix = "".join("--" + re.sub(r"[^a-z]+", "-", option.strip("-")) for option in words[2:])
            yield f"{host}--{words[1]}{suffix}", host, words[1], words[2:]


def run_case(ctl, case):
    """The result of one case as text, and its XML (None for a refusal)."""
    _, host, request, options = case
    done = subprocess.run([ctl, "plan", "--json", *options, "--host", HERE / "hosts" / f"{host}.json",
                           HERE / "requests" / f"{request}.json"], capture_output=True, text=True, timeout=60)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        return f"exit {done.returncode}\nno JSON:\n{done.stdout}\n{done.stderr}", None
    xml = report.pop("domain-xml", None)
    # Messages name the files; where this checkout lies is no part of the decision.
    text = f"exit {done.returncode}\n{json.dumps(report, indent=2)}\n".replace(f"{HERE}/", "")
    return text + (f"--- domain-xml\n{xml}" if xml else ""), xml


def unused(cases):
    known = {"hosts": {f"{host}.json" for _, host, _, _ in cases},
             "requests": {f"{request}.json" for _, _, request, _ in cases},
             "expected": {f"{name}.txt" for name, _, _, _ in cases}}
    return [f"{folder}/{path.name}" for folder, names in known.items()
            for path in sorted((HERE / folder).iterdir()) if path.name not in names]


def compare(case, text):
    path = HERE / "expected" / f"{case[0]}.txt"
    wanted = path.read_text() if path.exists() else ""
    return list(difflib.unified_diff(wanted.splitlines(), text.splitlines(), "expected", "now", lineterm=""))


def compare_without_iommufd(case, text):
    """Like compare(), but where iommufd is asked for, or taken: there, that it is not, and that a demand is refused."""
    request = (HERE / "requests" / f"{case[2]}.json").read_text()
    expected = HERE / "expected" / f"{case[0]}.txt"
    wanted = expected.read_text() if expected.exists() else ""
    if '"InvalidRequest"' in wanted or not ('"iommufd"' in request or '"iommufd": true' in wanted):
        return compare(case, text)
    if '"iommufd": "yes"' in request and '"iommufd"' in wanted and "built without it (-Diommufd=enabled)" not in text:
        return ["'iommufd': 'yes' is not refused as impossible in this build"]
    return ["iommufd is taken"] if '"iommufd": true' in text or "iommufd='yes'" in text else []


def main():
    ctl, mode = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    cases = list(read_cases())
    if len({name for name, *_ in cases}) != len(cases):
        sys.exit("cases: the same case stands there twice")
    leftover = unused(cases)
    if mode == "--without-iommufd":
        cases = [case for case in cases if "hostdev" in case[2]]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda case: run_case(ctl, case), cases))
    if mode == "--regenerate":
        (HERE / "expected").mkdir(exist_ok=True)
        for case, (text, _) in zip(cases, results):
            (HERE / "expected" / f"{case[0]}.txt").write_text(text)
        return 0
    if mode == "--xml":
        for (name, host, _, _), (_, xml) in zip(cases, results):
            if xml:
                libvirt = json.loads((HERE / "hosts" / f"{host}.json").read_text())["libvirt"]
                (pathlib.Path(sys.argv[3]) / f"{libvirt}--{name}.xml").write_text(xml)
        return 0
    failed = 0
    print(f"1..{len(cases) + 1}")
    for number, (case, (text, _)) in enumerate(zip(cases, results), 1):
        diff = (compare_without_iommufd if mode == "--without-iommufd" else compare)(case, text)
        failed += bool(diff)
        print(f"{'not ok' if diff else 'ok'} {number} - {case[0]}")
        for line in diff:
            print("# " + line)
    print(f"{'not ok' if leftover else 'ok'} {len(cases) + 1} - every file belongs to a case")
    for name in leftover:
        print(f"# {name} belongs to no case")
    return 1 if failed or leftover else 0


if __name__ == "__main__":
    sys.exit(main())

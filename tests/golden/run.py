#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Golden suite: request + recorded host -> the exact plan and XML, or the exact error.

A case is one line of `cases`.  expected/ has the decisions in a file for each request: one line
for each host, and below them each different result once, with its exit status, the report of
`viommuctl plan --json` and the domain XML.  There a reason is its rule, and warnings, notes and
errors are counted.  All sentences are in expected/sentences.txt, with their cases, so that a
reworded message changes one line of one file.  A file that no case uses is a failure.
  run.py VIOMMUCTL               compare (prints TAP)
  run.py VIOMMUCTL --without-iommufd  for a build with -Diommufd=disabled: none uses iommufd
  run.py VIOMMUCTL --regenerate  write the present results; read the diff before committing it
  run.py VIOMMUCTL --xml DIR     write the XML of every plan to DIR, to be validated and defined"""
import collections
import concurrent.futures
import difflib
import hashlib
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SENTENCES = HERE / "expected" / "sentences.txt"
DISTRIBUTIONS = ["focal", "bullseye", "jammy", "bookworm", "noble", "plucky", "trixie", "questing", "resolute",
                 "stonking", "forky", "debian11", "debian12", "debian13", "testing"]
# So many cases of a sentence are named.
NAMED = 3

Case = collections.namedtuple("Case", "host request options")
# The result of a case: its decision as text, its sentences, and its XML (None for a refusal).
Result = collections.namedtuple("Result", "text sentences xml")


def label(case):
    return " ".join([case.host, *case.options])


def name(case):
    return f"{case.request} on {label(case)}"


def read_cases():
    """One case for each line, with 'every' expanded."""
    for number, line in enumerate((HERE / "cases").read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) < 2:
            sys.exit(f"cases:{number}: a case is: host request [options]")
        for host in DISTRIBUTIONS if words[0] == "every" else [words[0]]:
            yield Case(host, words[1], tuple(words[2:]))


def take_sentences(report, sentences):
    """Takes the sentences out of a report, and leaves the decision."""
    for key in ("warnings", "notes"):
        if key in report:
            sentences += report[key]
            report[key] = len(report[key])
    if "message" in report.get("error", {}):
        sentences.append(report["error"].pop("message"))
    for holder in [report.get("error", {}), *report.get("iommu", {}).get("candidates", [])]:
        reasons = holder.get("reasons", [])
        sentences += [reason["text"] for reason in reasons]
        if reasons:
            holder["reasons"] = [" ".join(word for word in (reason.get("model"), reason["rule"]) if word) for reason in reasons]


def run_case(ctl, case):
    options = [option.replace("--images=", f"--images={HERE}/") for option in case.options]
    done = subprocess.run([ctl, "plan", "--json", *options, "--host", HERE / "hosts" / f"{case.host}.json",
                           HERE / "requests" / f"{case.request}.json"], capture_output=True, text=True, timeout=60)
    # The place of this checkout is not part of a decision.
    stdout = done.stdout.replace(f"{HERE}/", "/golden/")
    try:
        report = json.loads(stdout)
    except json.JSONDecodeError:
        return Result(f"exit {done.returncode}\nno JSON:\n{stdout}\n{done.stderr}", [], None)
    xml, sentences = report.pop("domain-xml", None), []
    take_sentences(report, sentences)
    sentences = [sentence.replace("/golden/", "") for sentence in sentences]
    text = f"exit {done.returncode}\n{json.dumps(report, indent=2)}\n"
    return Result(text + (f"--- domain-xml\n{xml}" if xml else ""), sentences, xml)


def summary(text):
    """The decision in a few words."""
    try:
        report = json.loads(text.partition("\n")[2].partition("--- domain-xml")[0])
    except json.JSONDecodeError:
        return "no JSON"
    if "error" in report:
        return " ".join([report["error"]["name"], *sorted(set(report["error"].get("reasons", [])))])
    return f"{report['iommu']['model'] or 'no IOMMU'} on {report['machine']}, {report['accelerator']}, {report['firmware']}"


def write_expected(results):
    """The content of a request's file, from its results by case."""
    texts = list(dict.fromkeys(result.text for result in results.values()))
    width = max(len(label(case)) for case in results)
    table = "".join(f"{label(case):{width}}  {texts.index(result.text) + 1:2}  {summary(result.text)}\n"
                    for case, result in results.items())
    return table + "".join(f"\n=== {number}\n{text}" for number, text in enumerate(texts, 1))


def read_expected(path):
    """The decisions by the label of their case."""
    table, *texts = re.split(r"^=== \d+\n", path.read_text(), flags=re.M) if path.exists() else [""]
    texts = [text[:-1] if number < len(texts) else text for number, text in enumerate(texts, 1)]
    rows = re.findall(r"^(\S.*?) {2,}(\d+)  ", table, re.M)
    return {row: texts[int(number) - 1] for row, number in rows if int(number) <= len(texts)}


def write_sentences(results):
    cases = collections.defaultdict(list)
    for case, result in results.items():
        for sentence in dict.fromkeys(result.sentences):
            cases[sentence].append(name(case))
    lines = []
    for sentence in sorted(cases):
        names = cases[sentence]
        # Many cases are known by a digest.
        digest = "" if len(names) <= NAMED else f" ({hashlib.sha256(chr(10).join(names).encode()).hexdigest()[:8]})"
        lines.append(f"{sentence}\n    {len(names)}{digest}: {'; '.join(names[:NAMED])}{', ...' if digest else ''}\n")
    return "".join(lines)


def by_request(results):
    requests = collections.defaultdict(dict)
    for case, result in results.items():
        requests[case.request][case] = result
    return requests


def unused(cases):
    known = {"hosts": {f"{case.host}.json" for case in cases}, "requests": {f"{case.request}.json" for case in cases},
             "expected": {f"{case.request}.txt" for case in cases} | {SENTENCES.name}}
    return [f"{folder}/{path.relative_to(HERE / folder)}" for folder, names in known.items()
            for path in sorted((HERE / folder).rglob("*")) if path.is_file() and str(path.relative_to(HERE / folder)) not in names]


def differ(wanted, text):
    return list(difflib.unified_diff(wanted.splitlines(), text.splitlines(), "expected", "now", lineterm=""))


def compare_without_iommufd(case, wanted, text):
    """Like differ(), except where a case uses or demands iommufd: it must not be used, and a
    demand must be refused."""
    request = (HERE / "requests" / f"{case.request}.json").read_text()
    if '"InvalidRequest"' in wanted or not ('"iommufd"' in request or '"iommufd": true' in wanted):
        return differ(wanted, text)
    if '"iommufd": "yes"' in request and '"iommufd"' in wanted and '"error"' not in text:
        return ["'iommufd': 'yes' is not refused in this build"]
    return ["iommufd is taken"] if '"iommufd": true' in text or "iommufd='yes'" in text else []


def compare(results, without_iommufd):
    """(subject, difference) for each request and case."""
    for request, found in by_request(results).items():
        path = HERE / "expected" / f"{request}.txt"
        expected = read_expected(path)
        for case, result in found.items():
            wanted = expected.get(label(case), "")
            yield name(case), compare_without_iommufd(case, wanted, result.text) if without_iommufd else differ(wanted, result.text)
        if not without_iommufd:
            yield f"{request}: its file", differ(path.read_text() if path.exists() else "", write_expected(found))
    if not without_iommufd:
        yield "sentences", differ(SENTENCES.read_text() if SENTENCES.exists() else "", write_sentences(results))


def regenerate(results):
    SENTENCES.parent.mkdir(exist_ok=True)
    SENTENCES.write_text(write_sentences(results))
    for request, found in by_request(results).items():
        path = HERE / "expected" / f"{request}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(write_expected(found))


def write_xml(results, directory):
    """Writes LIBVIRT--HOST--REQUEST.xml, with '+' for the slash in REQUEST."""
    for case, result in results.items():
        if result.xml:
            libvirt = json.loads((HERE / "hosts" / f"{case.host}.json").read_text())["libvirt"]
            suffix = "".join("--" + re.sub(r"[^a-z]+", "-", option.strip("-")) for option in case.options)
            (directory / f"{libvirt}--{case.host}--{case.request.replace('/', '+')}{suffix}.xml").write_text(result.xml)


def main():
    ctl, mode = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    cases = list(read_cases())
    if len(set(cases)) != len(cases):
        sys.exit("cases: the same case stands there twice")
    leftover = unused(cases)
    if mode == "--without-iommufd":
        cases = [case for case in cases if "hostdev" in case.request]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = dict(zip(cases, pool.map(lambda case: run_case(ctl, case), cases)))
    if mode == "--regenerate":
        regenerate(results)
        return 0
    if mode == "--xml":
        write_xml(results, pathlib.Path(sys.argv[3]))
        return 0
    outcomes = list(compare(results, mode == "--without-iommufd"))
    outcomes.append(("every file belongs to a case", [f"{path} belongs to no case" for path in leftover]))
    print(f"1..{len(outcomes)}")
    for number, (what, diff) in enumerate(outcomes, 1):
        print(f"{'not ok' if diff else 'ok'} {number} - {what}")
        for line in diff:
            print("# " + line)
    return 1 if any(diff for _, diff in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())

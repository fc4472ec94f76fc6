#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains of others: XML + recorded host -> what viommuctl lint finds, and what --fix makes of it.

A case is one line of `domain-cases`.  domains/NAME.xml is the domain; domains/NAME.txt has, for
each host, the exit status, the findings without their sentences, and the changes of --fix with the
findings that are left.
  domains.py VIOMMUCTL LINT-PLANNED  compare, and lint each planned domain of expected/ (TAP)
  domains.py VIOMMUCTL --regenerate  write the present results; read the diff before committing it
  domains.py VIOMMUCTL --define      ask the installed libvirt and QEMU what they say (TAP)"""
import collections
import concurrent.futures
import difflib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import run

HERE = pathlib.Path(__file__).resolve().parent
DOMAINS = HERE / "domains"
# What a finding must not speak of: keys of requests, and places that the planner counts.
REQUEST_WORDS = re.compile(r"\b(iommu|boot|guest|memory-backing|verify|seed)\.[a-z]|\[[0-9]*\]|hostdevs")

Case = collections.namedtuple("Case", "host domain options opinion")


def read_cases():
    for line in (HERE / "domain-cases").read_text().splitlines():
        words, _, opinion = line.split("#")[0].partition(" = ")
        words = words.split()
        if words:
            yield Case(words[0], words[1], tuple(words[2:]), opinion.strip())


def lint(ctl, host, domain, *options):
    """The exit status and the report."""
    done = subprocess.run([ctl, "lint", "--json", *options, "--host", HERE / "hosts" / f"{host}.json", "-"], input=domain,
                          capture_output=True, timeout=60)
    return done.returncode, json.loads(done.stdout)


def show(finding):
    return " ".join([finding["severity"], finding.get("rule", "plan"), f"{finding['line']}:", finding["path"],
                     *(["fixable"] if finding["fixable"] else [])])


def run_case(ctl, case):
    """What is expected of the case, and what is wrong with its sentences."""
    domain = (DOMAINS / f"{case.domain}.xml").read_bytes()
    status, report = lint(ctl, case.host, domain, *case.options)
    _, fixed = lint(ctl, case.host, domain, "--fix", *case.options)
    lines = [f"exit {status}", *map(show, report["findings"])]
    # Not splitlines(): a carriage return belongs to its line.
    changes = list(difflib.unified_diff(domain.decode().split("\n"), fixed["domain-xml"].split("\n"), "", "", lineterm="", n=0))[2:]
    if changes:
        lines += ["--- fix"] + [line.replace("\r", "\\r") for line in changes if not line.startswith("@@")]
        lines += [f"--- {fixed['verdict']}", *map(show, fixed["findings"])]
    texts = [finding[key] for finding in report["findings"] for key in ("text", "remedy") if key in finding]
    wrong = [text for text in texts if REQUEST_WORDS.search(text)]
    return "\n".join(lines) + "\n", wrong


def write_expected(results):
    return "\n".join(f"=== {' '.join([case.host, *case.options])}\n{text}" for case, (text, _) in results.items())


def by_domain(results):
    domains = collections.defaultdict(dict)
    for case, result in results.items():
        domains[case.domain][case] = result
    return domains


def planned():
    """Each domain that the planner writes: host, request, XML."""
    for case in run.read_cases():
        text = run.read_expected(HERE / "expected" / f"{case.request}.txt")[run.label(case)]
        if "--- domain-xml\n" in text:
            yield case, text.partition("--- domain-xml\n")[2]


def lint_planned(helper):
    """(case, what is wrong) for each planned domain; the plan's own warnings aside, which have no
    rule."""
    plans, lines = {}, []
    with tempfile.TemporaryDirectory() as name:
        for number, (case, xml) in enumerate(planned()):
            path = pathlib.Path(name) / f"{number}.xml"
            path.write_text(xml)
            guest = json.loads((HERE / "requests" / f"{case.request}.json").read_text()).get("guest", {})
            plans[str(path)] = case
            lines.append(f"{HERE}/hosts/{case.host}.json\t{path}\t{guest.get('os', '-')}\n")
        done = subprocess.run([helper], input="".join(lines), capture_output=True, text=True, timeout=120)
    if done.returncode:
        yield None, [done.stderr]
    for line in done.stdout.splitlines():
        path, *findings = line.split("\t")
        case = plans.pop(path)
        request = json.loads((HERE / "requests" / f"{case.request}.json").read_text())
        yield case, [finding for finding in findings if not is_asked_for(request, finding)]
    if plans:
        yield None, [f"{len(plans)} planned domains were not judged"]


def is_asked_for(request, finding):
    """Whether the plan has it, too: because the request wants it so, or as a warning of its own,
    one of which names the rule 'guest' only as a reason."""
    severity, rule = finding.split()[:2]
    devices = [request.get("iommu", {}), *request.get("disks", []), *request.get("networks", []), *request.get("devices", [])]
    untranslated = any(device.get("translate") is False for device in devices)
    return severity == "warning" and (rule in ("plan", "guest") or (rule == "translate" and untranslated))


def compare(ctl, helper):
    cases = list(read_cases())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = dict(zip(cases, pool.map(lambda case: run_case(ctl, case), cases)))
    plans = list(lint_planned(helper))
    for case, (_, wrong) in results.items():
        yield f"{case.domain} on {case.host}: words", [f"speaks of a request: {text}" for text in wrong]
    for domain, found in by_domain(results).items():
        path = DOMAINS / f"{domain}.txt"
        yield f"{domain}", run.differ(path.read_text() if path.exists() else "", write_expected(found))
    for case, wrong in plans:
        if wrong:
            yield f"planned: {run.name(case) if case else 'all'}", wrong
    yield f"{len(plans)} planned domains are clean", [] if plans else ["there are none"]
    known = {f"{case.domain}.{end}" for case in cases for end in ("xml", "txt")}
    yield "every file belongs to a case", [path.name for path in DOMAINS.iterdir() if path.name not in known]


def regenerate(ctl):
    results = {case: run_case(ctl, case) for case in read_cases()}
    for domain, found in by_domain(results).items():
        (DOMAINS / f"{domain}.txt").write_text(write_expected(found))


# --- The second opinion ---

def ask_libvirt(work, files):
    """libvirt's words for each file: when it defines it, and, if it is to, when it starts it."""
    commands = []
    for path, starts in files.items():
        commands += [f"echo === {path.stem} define", f"define --validate {path}", f"undefine --nvram {path.stem}"]
        if starts:
            commands += [f"echo === {path.stem} create", f"create --paused --validate {path}", f"destroy {path.stem}"]
    drop = []
    if os.getuid() == 0:
        # As root, libvirt would repeat its probes where only root may open /dev/kvm.
        user = "libvirt-qemu" if subprocess.run(["id", "libvirt-qemu"], capture_output=True).returncode == 0 else "nobody"
        group = subprocess.run(["id", "-g", user], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run(["chown", "-R", user, work], check=True)
        drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--inh-caps=-all", "env", f"HOME={work}",
                f"XDG_RUNTIME_DIR={work}"]
    done = subprocess.run([*drop, "tini", "-s", "--", "virsh", "-c", f"qemu:///embed?root={work}/root"], input="\n".join(commands) + "\n",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
    answers = re.split(r"^=== (\S+ \S+)\n", done.stdout, flags=re.M)
    return dict(zip(answers[1::2], answers[2::2])), done.stdout


def judge_opinion(case, status, answers):
    defined = "defined from" in answers.get(f"{case.domain} define", "")
    started = "created from" in answers.get(f"{case.domain} create", "")
    wanted = {"starts": (True, True), "guest": (True, None), "defines": (True, None), "libvirt": (False, None), "qemu": (True, False)}[case.opinion]
    trouble = []
    if defined != wanted[0]:
        trouble.append("libvirt defines it" if defined else "libvirt refuses it")
    if wanted[1] is not None and started != wanted[1]:
        trouble.append("QEMU starts it" if started else "QEMU does not start it")
    if case.opinion in ("libvirt", "qemu") and status != 3:
        trouble.append(f"viommuctl lint ends with status {status} nevertheless")
    if case.opinion == "starts" and status == 3:
        trouble.append("viommuctl lint says that it would not work")
    return trouble


def define(ctl):
    host = json.loads((HERE / "hosts" / "bookworm.json").read_text())
    for program in ("qemu-system-x86_64", "qemu-system-aarch64", "virsh", "tini"):
        if not shutil.which(program):
            return f"{program} is not installed"
    libvirt = subprocess.run(["pkg-config", "--modversion", "libvirt"], capture_output=True, text=True).stdout.strip()
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True).stdout
    if libvirt != host["libvirt"] or f"version {host['emulators'][0]['qemu'].rpartition('.')[0]}." not in qemu:
        return f"the installed libvirt {libvirt} and QEMU are not those of the recorded host"
    cases = [case for case in read_cases() if case.opinion not in ("", "-")]
    outcomes = []
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        files = {}
        for domain in dict.fromkeys(case.domain for case in cases):
            # This machine may have no KVM.
            text = (DOMAINS / f"{domain}.xml").read_text().replace("<domain type='kvm'>", "<domain type='qemu'>")
            path = work / f"{domain}.xml"
            path.write_text(text)
            files[path] = any(case.domain == domain and case.opinion in ("starts", "qemu") for case in cases)
        answers, said = ask_libvirt(work, files)
        if not answers:
            outcomes.append(("libvirt answers", said.splitlines()))
        for case in cases:
            status, _ = lint(ctl, case.host, (DOMAINS / f"{case.domain}.xml").read_bytes(), *case.options)
            own = {key: text for key, text in answers.items() if key.split()[0] == case.domain}
            trouble = judge_opinion(case, status, own)
            outcomes.append((f"{case.domain} on {case.host}: {case.opinion}", trouble + ("\n".join(own.values()).splitlines() if trouble else [])))
    return outcomes


def main():
    ctl, mode = sys.argv[1], sys.argv[2]
    if mode == "--regenerate":
        regenerate(ctl)
        return 0
    outcomes = define(ctl) if mode == "--define" else list(compare(ctl, mode))
    if isinstance(outcomes, str):
        print(f"1..0 # SKIP {outcomes}")
        return 0
    print(f"1..{len(outcomes)}")
    for number, (what, trouble) in enumerate(outcomes, 1):
        print(f"{'not ok' if trouble else 'ok'} {number} - {what}")
        for line in trouble:
            print("# " + line)
    return 1 if any(trouble for _, trouble in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the documents with the programs: each example fits the schema and is planned; the
manual pages have each key, option, exit status, method, property and setting with its default,
and no other.
  ctl-docs VIOMMUCTL VIOMMUD ROOT"""
import json
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

CTL, DAEMON, ROOT = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
HOST = {"libvirt": "9.0.0", "emulators": [{"arch": "x86_64", "qemu": "7.2.22", "accelerators": ["kvm", "tcg"]},
                                          {"arch": "aarch64", "qemu": "7.2.22", "accelerators": ["tcg"]}]}
results = []


def result(name, trouble):
    results.append(not trouble)
    print(f"{'not ok' if trouble else 'ok'} {len(results)} - {name}")
    for line in str(trouble).splitlines() if trouble else []:
        print("#", line)


def plan(request):
    done = subprocess.run([CTL, "plan", "--json", "--host", "/dev/stdin", request], input=json.dumps(HOST), text=True,
                          capture_output=True, timeout=60)
    if done.returncode:
        return f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return None if json.loads(done.stdout)["domain-xml"].startswith("<domain") else "no XML"


def schema_keys(schema, prefix=""):
    for key, value in schema.get("properties", {}).items():
        yield prefix + key
        yield from schema_keys(value, f"{prefix}{key}.")
        yield from schema_keys(value.get("items", {}), f"{prefix}{key}[].")


def page(name):
    return (ROOT / "docs" / f"{name}.rst").read_text()


def documented_keys():
    """The keys that viommu-request(5) has as terms of its definition lists: ``key`` (type)."""
    return re.findall(r"^``([a-z0-9.\[\]-]+)`` \([a-z ]+\)$", page("viommu-request.5"), re.MULTILINE)


def rules():
    """The words of lib/base/reason.c."""
    words = re.search(r"VIOMMU_ENUM_DEFINE\(rule, (.*?)\);", (ROOT / "lib" / "base" / "reason.c").read_text(), re.S).group(1)
    return re.findall(r'"([a-z-]+)"', words)[1:]  # the first is the noun


def documented_rules():
    """The terms of RULES in viommu-request(5), each with its meaning and its advice."""
    section = page("viommu-request.5").split("RULES\n=====")[1].split("RECORDED HOSTS")[0]
    entries = re.findall(r"^``([a-z-]+)``\n((?:    \S.*\n)+)$", section, re.MULTILINE)
    return [rule for rule, text in entries if len(re.findall(r"\.$", text, re.MULTILINE)) >= 2]


def options(text):
    return set(re.findall(r"(--[a-z-]+)", text))


def help_options(program):
    """The first column of the lines that begin with an option."""
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return options("\n".join(re.findall(r"^ +((?:-[A-Za-z], +)?--[a-z-]+)", text, re.MULTILINE))) - {"--help"}


def verbs():
    """The words of the table in the help."""
    table = subprocess.run([CTL, "help"], capture_output=True, text=True, check=True).stdout.split("Verbs:\n")[1].split("\n\n")[0]
    return set(re.findall(r"^  ([a-z-]+) ", table, re.M))


def page_verbs():
    text = page("viommuctl.1").split("\nVERBS\n")[1].split("\nOPTIONS\n")[0]
    return set(re.findall(r"^([a-z-]+)(?: [^a-z ].*)?$", text, re.M))


def page_options(name):
    """The terms of the option list."""
    lines = [line for line in page(name).split("OPTIONS\n")[1].splitlines() if line.startswith("-")]
    return options("\n".join(lines)) - {"--help"}


def exit_statuses():
    """(status, word) of lib/base/error.c's table and of tools/client/error.c's."""
    numbers = {"EX_USAGE": 64, "EX_UNAVAILABLE": 69, "EX_OSERR": 71, "EX_IOERR": 74, "EX_TEMPFAIL": 75, "EX_PROTOCOL": 76, "EX_NOPERM": 77}
    rows = re.findall(r'ROW\([A-Z_]+, "(\w+)", (\d+)\)', (ROOT / "lib" / "base" / "error.c").read_text())
    found = {(int(status), word) for word, status in rows}
    return found | {(numbers[status], word) for word, status in
                    re.findall(r'= \{"(\w+)", (EX_\w+)\}', (ROOT / "tools" / "client" / "error.c").read_text())}


def page_exit_statuses():
    return {(int(status), word) for status, word in
            re.findall(r"^(\d+) \((\w+)\)$", page("viommuctl.1"), re.MULTILINE)}


def interface_members():
    members = set()
    for path in (ROOT / "schemas").glob("org.viommu1.*.xml"):
        tree = xml.etree.ElementTree.parse(path)
        members |= {node.get("name") for kind in ("method", "property") for node in tree.iter(kind)}
    return members


def page_members():
    text = page("viommud.8").split("THE BUS\n")[1].split("States are")[0]
    return set(re.findall(r"``([A-Z]\w+)", text))


def settings(text):
    """The (group, key=value) of a configuration file; "a=1, b=2" in the manual page are two."""
    found, group = set(), ""
    for line in text.splitlines():
        if re.match(r"\[[a-z]+\]$", line):
            group = line
        elif group and re.match(r"[a-z-]+=", line):
            found |= {(group, setting) for setting in line.split(", ")}
    return found


def default_settings():
    """The settings as viommud prints them when its only file is empty."""
    done = subprocess.run([DAEMON, "--system", "--config", "/dev/null", "--print-config"], capture_output=True,
                          text=True, check=True)
    return settings(done.stdout)


def polkit_operations():
    """The words of daemon/bus/polkit.c's table."""
    table = (ROOT / "daemon" / "bus" / "polkit.c").read_text().split("} operations[] = {")[1].split("};")[0]
    return set(re.findall(r'{"\w+", "([a-z A-Z]+)"}', table))


def page_operations():
    text = page("viommud.8").split("``operation`` (")[1].split(")")[0]
    return set(re.findall(r"``([^`]+)``", text))


def compare(name, known, said):
    result(name, "" if known == said else f"missing {known - said}, unknown {said - known}")


def main():
    schema = json.loads((ROOT / "schemas" / "request.schema.json").read_text())
    try:
        import jsonschema
        validator = jsonschema.validators.validator_for(schema)(schema)
    except ImportError:
        validator = None
    examples = sorted((ROOT / "docs" / "examples").glob("*.json"))
    result("there are examples", None if len(examples) >= 5 else "where have they gone?")
    for example in examples:
        result(f"plan {example.name}", plan(example))
        if validator:
            result(f"schema {example.name}",
                   "\n".join(error.message for error in validator.iter_errors(json.loads(example.read_text()))))
    if not validator:
        print(f"ok {len(results) + 1} - schema # SKIP python3-jsonschema is not installed")
        results.append(True)
    compare("viommu-request(5) has the keys of the schema", set(schema_keys(schema)), set(documented_keys()))
    compare("viommu-request(5) has the rules, each with its meaning and what to do", set(rules()), set(documented_rules()))
    result("each rule is documented once", sorted(set(x for x in documented_rules() if documented_rules().count(x) > 1)))
    compare("viommuctl(1) has its verbs", verbs(), page_verbs())
    compare("viommuctl(1) has its options", help_options(CTL), page_options("viommuctl.1"))
    compare("viommud(8) has its options", help_options(DAEMON), page_options("viommud.8"))
    compare("viommuctl(1) has the exit statuses", exit_statuses(), page_exit_statuses())
    compare("viommud(8) has the methods and properties", interface_members(), page_members())
    compare("viommud(8) has polkit's operations", polkit_operations(), page_operations())
    # Sections that a site names are left out: [device NAME] has no defaults.
    manual = page("viommud.conf.5").split("[device NAME]")
    compare("viommud.conf(5) has the settings and their defaults", default_settings(),
            settings(manual[0]) | settings(manual[1][manual[1].index("[networks]"):].split("EXAMPLES\n")[0]))
    compare("conf/viommud.conf has the settings and their defaults", default_settings(),
            settings((ROOT / "conf" / "viommud.conf").read_text()))
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

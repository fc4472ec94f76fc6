#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares what a program, a script or a site can rely on (docs/STABILITY.md) with the newest
release: names and types of the bus, states and results of machines, actions of polkit, settings,
verbs, options, exit statuses, keys of requests and recorded hosts, and which of them may be absent,
rules, metadata, and message IDs.  A promise of a release that is gone is an error; new ones are
not.

    promises.py ROOT                  compares ROOT with the recorded promises of the last release
    promises.py ROOT --print          prints the promises of ROOT, a line each: what
                                      tests/lint/promises/RELEASE keeps of a release

Where git has the commit of the newest recorded release, which tests/hosts/previous-release names,
the record must be what that tree promises."""
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree

RNG = "{http://relaxng.org/ns/structure/1.0}"
RECORDS = pathlib.Path("tests") / "lint" / "promises"
# Every source must yield at least one promise: a file that moved must not empty the comparison.
KINDS = ("bus", "config", "verb", "option", "exit", "request", "host", "rule", "metadata", "message", "word", "action")


def section(text, title):
    """The section of a manual page."""
    return re.search(rf"^{title}\n=+\n(.*?)(?=^[A-Z][A-Z ]+\n=+$|\Z)", text, re.M | re.S).group(1)


def bus(root):
    for path in sorted((root / "schemas").glob("org.viommu1.*.xml")):
        for interface in ElementTree.parse(path).iter("interface"):
            for member in interface:
                if member.tag == "property":
                    what = f"{member.get('type')} {member.get('access')}"
                elif member.tag in ("method", "signal"):
                    what = " ".join(f"{arg.get('direction', 'out')}:{arg.get('type')}" for arg in member.iter("arg"))
                else:
                    continue
                yield f"bus {interface.get('name')} {member.tag} {member.get('name')} {what}".rstrip()


def config(root):
    group = None
    for line in (root / "docs/viommud.conf.5.rst").read_text().splitlines():
        heading, key = re.match(r"(\[[a-z]+.*\])$", line), re.match(r"([a-z][a-z-]*)=", line)
        if heading:
            group = heading.group(1)
        elif key and group:
            yield f"config {group} {key.group(1)}"
        elif "Formerly called" in line:
            yield f"config {group} {line.split('``')[1]}"


def viommuctl(root):
    manual = (root / "docs/viommuctl.1.rst").read_text()
    for line in section(manual, "VERBS").splitlines():
        if re.match(r"[a-z]", line):
            yield from (f"verb {re.match('[a-z-]+', verb).group()}" for verb in line.split(", "))
    for line in section(manual, "OPTIONS").splitlines():
        if line.startswith("-"):
            yield from (f"option {option}" for option in re.findall(r"(?:^|, )(--?[A-Za-z][a-z-]*)", line))
    for status, error in re.findall(r"^(\d+)(?: \((\w+)\))?$", section(manual, "EXIT STATUS"), re.M):
        yield f"exit {status} {error}".rstrip()


def keys(kind, schema, place, at=""):
    """The keys below a place of a JSON schema, each with the types and words that it takes."""
    if "$ref" in place:
        place = schema["$defs"][place["$ref"].rpartition("/")[2]]
    for alternative in place.get("oneOf", []) + place.get("anyOf", []):
        yield from keys(kind, schema, alternative, at)
    types = place.get("type", [])
    for name in [types] if isinstance(types, str) else types:
        yield f"{kind} {at or '.'} takes {name}"
    for word in place.get("enum", []):
        yield f"{kind} {at} takes {json.dumps(word)}"
    for key, below in place.get("properties", {}).items():
        if key not in place.get("required", []):
            yield f"{kind} {at}.{key} may be absent".replace(" .", " ")
        yield from keys(kind, schema, below, f"{at}.{key}".lstrip("."))
    if isinstance(place.get("additionalProperties"), dict):
        yield from keys(kind, schema, place["additionalProperties"], f"{at}.*".lstrip("."))
    if "items" in place:
        yield from keys(kind, schema, place["items"], f"{at}[]")


def schemas(root):
    for kind in "request", "host":
        schema = json.loads((root / f"schemas/{kind}.schema.json").read_text())
        yield from keys(kind, schema, schema)


def rules(root):
    """Of the table; 0.1.0 had none, and named each rule where it judges."""
    table = root / "lib" / "base" / "reason.c"
    if table.exists():
        names = re.findall(r'"([a-z-]+)"', re.search(r"VIOMMU_RULE_LAST(.*?)\);", table.read_text(), re.S).group(1))
    else:
        text = "".join(path.read_text() for path in sorted((root / "lib").glob("*.c")))
        names = re.findall(r'(?<=\{)"[a-z-]+"(?=, judge_)|(?:refuse|reason_new)\([^";]*"[a-z-]+"(?=,)', text)
        names = [name.split('"')[1] for name in names]
    yield from (f"rule {name}" for name in names)


def metadata(root):
    def walk(node, at):
        for below in node:
            if below.tag in (f"{RNG}element", f"{RNG}attribute"):
                mark = "@" if below.tag == f"{RNG}attribute" else "/"
                place = f"{at}{mark}{below.get('name')}"
                yield f"metadata {place}"
                yield from walk(below, place)
            elif below.tag == f"{RNG}value":
                yield f"metadata {at}={below.text}"
            else:
                yield from walk(below, at)
    for path in sorted((root / "schemas").glob("metadata*.rng")):
        yield from walk(ElementTree.parse(path).getroot(), "")


def messages(root):
    yield from (f"message {id}" for id in re.findall(r"^-- ([0-9a-f]{32})$", (root / "conf/viommu.catalog").read_text(), re.M))


def words(root):
    """The states and results of machines, of their tables, which 0.1.0 had elsewhere."""
    table = next(path for path in (root / "lib/machine/lifecycle.c", root / "lib/enum.c") if path.exists()).read_text()
    for kind in "state", "result":
        row = re.search(rf"DEFINE(?:_ENUM)?\({kind}, (.*?)\);", table, re.S).group(1)
        yield from (f"word {kind} {word}" for word in re.findall(r'"([a-z-]+)"', row)[1:])


def actions(root):
    """Of polkit: rules of a site name them."""
    yield from (f"action {action.get('id')}" for action in ElementTree.parse(root / "conf/org.viommu1.policy").iter("action"))


def promises(root):
    sources = bus, config, viommuctl, schemas, rules, metadata, messages, words, actions
    lines = {line for source in sources for line in source(root)}
    silent = [kind for kind in KINDS if not any(line.startswith(f"{kind} ") for line in lines)]
    if silent:
        raise SystemExit(f"{root}: no promise found of: {', '.join(silent)}")
    return lines


def as_released(root, release):
    """The promises of the release's tree; None: git does not have it."""
    line = (root / "tests/hosts/previous-release").read_text().splitlines()[-1].split()
    if line[0] != f"v{release}":
        return None
    archive = subprocess.run(["git", "-C", root, "archive", line[1], "conf", "docs", "lib", "schemas"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if archive.returncode:
        return None
    with tempfile.TemporaryDirectory(prefix="viommu-promises.") as directory:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(directory)
        return promises(pathlib.Path(directory))


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    now = promises(root)
    if sys.argv[2:] == ["--print"]:
        print("\n".join(sorted(now)))
        return 0
    records = sorted((root / RECORDS).iterdir(), key=lambda path: [int(number) for number in path.name.split(".")])
    trouble = []
    for record in records:
        kept, released = set(record.read_text().splitlines()), as_released(root, record.name)
        trouble += [f"{record.name} promised '{line}', which is gone" for line in sorted(kept - now)]
        if released is not None and released != kept:
            trouble.append(f"tests/lint/promises/{record.name} is not what v{record.name} promises: "
                           f"{', '.join(sorted(released ^ kept)[:5])}")
    print("\n".join(trouble) or f"{len(now)} promises, among them all of {', '.join(path.name for path in records)}")
    return 1 if trouble or not records else 0


if __name__ == "__main__":
    sys.exit(main())

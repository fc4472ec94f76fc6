#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints domains that somebody has edited: edit-metadata DOMAIN.xml DIRECTORY.

DOMAIN.xml is the domain of a machine.  Each file of DIRECTORY is one edit of the metadata that
viommud keeps in it, in a domain with a name and a UUID of its own: each attribute and element is
removed, empty, doubled, huge, or has a value of another kind."""
import copy
import pathlib
import sys
import uuid
import xml.etree.ElementTree as ET

NS = "https://viommu.org/xmlns/domain/1"
PLACES = ["machine", "additions"]
HUGE = "A" * 1_000_000
VALUES = {
    "empty": "", "space": " ", "word": "x", "zero": "0", "minus": "-1", "root": "0", "large": str(2**64),
    "larger": "9" * 400, "exponent": "1e99", "hex": "0x10", "plus": "+1", "padded": " 1 ", "huge": HUGE,
    "path": "../../../etc/shadow", "format": "%s%n%s", "quotes": "'\"<&>", "order": "\u202etxt", "csi": "\u009b31m",
    "newline": "a\nb\r\tc", "version2": "2", "phase": "stopping",
}


def find(domain, place):
    name = {"machine": f"{{{NS}}}machine", "additions": f"{{{NS}/additions}}additions"}[place]
    return domain.find(f"metadata/{name}")


def deep(element):
    """As many elements inside each other as libxml2 allows."""
    at = element
    for _ in range(250):
        at = ET.SubElement(at, f"{{{NS}}}reason")


def crowd(element):
    for i in range(5000):
        element.set(f"attribute{i}", "x")


def children(element):
    for i in range(5000):
        ET.SubElement(element, f"{{{NS}}}warning").text = f"warning {i}"


def edits(domain):
    """(name, function of a copy) of each."""
    for place in PLACES:
        element = find(domain, place)
        if element is None:
            continue
        for attribute in element.attrib:
            yield f"{place}-{attribute}-none", lambda d, p=place, a=attribute: find(d, p).attrib.pop(a)
            for word, value in VALUES.items():
                yield f"{place}-{attribute}-{word}", lambda d, p=place, a=attribute, v=value: find(d, p).set(a, v)
        for i, child in enumerate(element):
            kind = child.tag.split("}")[1]
            yield f"{place}-{kind}{i}-none", lambda d, p=place, n=i: find(d, p).remove(find(d, p)[n])
            yield f"{place}-{kind}{i}-twice", lambda d, p=place, n=i: find(d, p).append(copy.deepcopy(find(d, p)[n]))
            yield f"{place}-{kind}{i}-huge", lambda d, p=place, n=i: setattr(find(d, p)[n], "text", HUGE)
            yield f"{place}-{kind}{i}-bare", lambda d, p=place, n=i: find(d, p)[n].clear()
        yield f"{place}-none", lambda d, p=place: d.find("metadata").remove(find(d, p))
        yield f"{place}-bare", lambda d, p=place: find(d, p).clear()
        yield f"{place}-text", lambda d, p=place: setattr(find(d, p), "text", HUGE)
        yield f"{place}-itself", lambda d, p=place: find(d, p).append(copy.deepcopy(find(d, p)))
        yield f"{place}-deep", lambda d, p=place: deep(find(d, p))
        yield f"{place}-crowd", lambda d, p=place: crowd(find(d, p))
        yield f"{place}-children", lambda d, p=place: children(find(d, p))


def main():
    domain = ET.parse(sys.argv[1]).getroot()
    directory = pathlib.Path(sys.argv[2])
    directory.mkdir()
    domain.attrib.pop("id", None)
    for n, (name, edit) in enumerate(edits(domain)):
        one = copy.deepcopy(domain)
        own = str(uuid.UUID(int=(0xED17 << 112) + n))
        one.find("name").text = f"viommu-edit{n}"
        one.find("uuid").text = own
        additions = find(one, "additions")
        # Else it is a copy of a machine, and none.
        if additions is not None and "uuid" in additions.attrib:
            additions.set("uuid", own)
            additions.set("name", f"edit{n}")
        edit(one)
        (directory / f"{n:03}-{name}.xml").write_text(ET.tostring(one, encoding="unicode"), encoding="utf-8")


main()

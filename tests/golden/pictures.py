#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether docs/pictures has what viommuctl draws of the host and the request of
docs/passthrough.md, and pictures made of that.

  pictures.py VIOMMUCTL               compares (prints TAP); graphviz reads it, if it is there
  pictures.py VIOMMUCTL --regenerate  writes all anew, with graphviz"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PICTURES = HERE.parent.parent / "docs" / "pictures"
HOST = HERE / "hosts" / "machine-server-two-sockets.json"
# name of a picture, which is the verb's: its words
DRAWN = {"host": [], "plan": ["-"]}


def request():
    document = (PICTURES.parent / "passthrough.md").read_text()
    return document.split("$ cat trainer.json\n")[1].split("\n\n")[0]


def draw(ctl, verb, words, host=HOST):
    with tempfile.NamedTemporaryFile() as config:  # not that of this machine
        return subprocess.run([ctl, verb, *words, f"--host={host}", "--dot"], check=True, stdout=subprocess.PIPE, text=True,
                              input=request(), env=dict(os.environ, VIOMMU_CONFIG=config.name)).stdout


def mark(text):
    return f"<!-- of {hashlib.sha256(text.encode()).hexdigest()} -->\n"


def write(name, text):
    svg = subprocess.run(["dot", "-Tsvg"], input=text, check=True, capture_output=True, text=True).stdout
    (PICTURES / f"{name}.dot").write_text(text)
    (PICTURES / f"{name}.svg").write_text(svg.replace("<svg", mark(text) + "<svg", 1))


def read_by_graphviz(text):
    return not shutil.which("dot") or subprocess.run(["dot", "-Tcanon"], input=text, stdout=subprocess.DEVNULL, text=True,
                                                     check=False).returncode == 0


def main():
    drawn = {name: draw(sys.argv[1], name, words) for name, words in DRAWN.items()}
    if sys.argv[2:] == ["--regenerate"]:
        for name, text in drawn.items():
            write(name, text)
        return 0
    checks = []
    for name, text in drawn.items():
        checks += [(f"{name}.dot is fresh", (PICTURES / f"{name}.dot").read_text() == text),
                   (f"{name}.svg is made of it", mark(text) in (PICTURES / f"{name}.svg").read_text()),
                   (f"graphviz reads {name}.dot", read_by_graphviz(text))]
    several = draw(sys.argv[1], "plan", [HERE / "requests/aarch64/smmuv3-count.json"], HERE / "hosts/forky-arm.json")
    checks += [("each root complex has the SMMU that is its own", several.count('[label="IOMMU smmuv3"]') == 3)]
    print(f"1..{len(checks)}")
    for i, (what, good) in enumerate(checks, 1):
        print(f"{'ok' if good else 'not ok'} {i} - {what}")
    return 0 if all(good for _, good in checks) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was seen on emulated hosts: docs/hardware.md.

  hardware [MACHINE...]   boots the hosts (all without a MACHINE), runs every cell, and writes their
                          sections, and what viommuctl says of them (tests/golden/hosts,
                          tests/machines/expected)
  hardware --record [MACHINE...]  boots the hosts, and only writes what viommuctl says of them
  hardware --lint         checks that docs/hardware.md has the rows of the scripts, and those that
                          lib/facts/facts.c names as sources; boots nothing

The scripts name their rows by "shows"; one that failed leaves no rows."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FACTS = HERE.parent.parent / "lib" / "facts" / "facts.c"
DOCUMENT = HERE.parent.parent / "docs" / "hardware.md"
# What is recorded of a host, by the end of the file's name.
RECORDINGS = {".json": HERE.parent / "golden" / "hosts", ".txt": HERE.parent / "machines" / "expected"}
TIME_LIMIT = 7200  # seconds, of a host
# machine: release, and scripts, each of which gets a host of its own, with the guest that it boots
HOSTS = {
    "x86_64-intel": ("debian13", {"assigned": "x86_64-devices", "attach": "x86_64-devices", "more": "x86_64-devices", "ready": "x86_64-debian13-agent",
                                  "networks": "x86_64-network"}),
    "x86_64-amd": ("testing", {"amd": "x86_64-devices"}),
    "x86_64-poor": ("debian13", {"poor": "x86_64-devices"}),
    "x86_64-rmrr": ("debian13", {"rmrr": "x86_64-devices"}),
    "aarch64-smmuv3": ("debian13", {"smmuv3": "aarch64-devices"}),
    "aarch64-smmuv3-two": ("testing", {"accelerated": "aarch64-devices"}),
    "x86_64-iommufd": ("testing", {"iommufd": "x86_64-devices"}),
}
ROW = re.compile(r"""^ *shows (\w+) '(.*)'$""", re.M)

HEADER = """<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->
<!-- Written by tests/emulated/hardware.py; do not edit. -->
# Seen on emulated hosts

Each host below is a whole Debian with its own kernel, libvirt and AppArmor, in a machine that QEMU emulates: with virtualization
(AMD's SVM, or EL2 of aarch64) and so a /dev/kvm, with an IOMMU, and with PCI devices. viommud runs there as a service, and guests
run under KVM. A row is what was done, and what was seen: guests prove their IOMMU, and use their devices.

What such a host cannot show: speed, and the faults of real hardware.
"""


def section(machine, facts, rows):
    text = (HERE / "machines" / machine).read_text()
    about = " ".join(line[2:] for line in re.split(r"(?m)^(?!# )", text)[0].splitlines())
    yield f"## {machine}"
    yield ""
    yield about
    yield ""
    yield facts
    yield ""
    yield "| the guest's IOMMU | seen |"
    yield "|---|---|"
    for model, what in rows:
        yield f"| {model} | {what} |"


def named(machine):
    """The rows that the machine's scripts name, in their order."""
    text = "".join((HERE / f"{script}.sh").read_text() for script in HOSTS[machine][1])
    return [(model, what.replace("'\"'\"'", "'")) for model, what in ROW.findall(text)]


def documented():
    """{machine: the text of its section}"""
    parts = re.split(r"(?m)^(?=## )", DOCUMENT.read_text() if DOCUMENT.exists() else "")
    return {part[3:].split("\n")[0]: part.strip() for part in parts if part.startswith("## ")}


def lint():
    trouble, sections = [], documented()
    if not DOCUMENT.read_text().startswith(HEADER):
        trouble.append("the head of docs/hardware.md is not what tests/emulated/hardware.py writes")
    for machine in sorted({*HOSTS, *sections}):
        has = re.findall(r"(?m)^\| (\w+) \| (.*) \|$", sections.get(machine, ""))
        wanted = named(machine) if machine in HOSTS else []
        trouble += [f"{machine}: docs/hardware.md lacks: {what}" for model, what in wanted if (model, what) not in has]
        trouble += [f"{machine}: no script shows: {what}" for model, what in has if (model, what) not in wanted]
    shown = [f"{model}, {what}" for machine in HOSTS for model, what in named(machine)]
    trouble += [f"lib/facts/facts.c: docs/hardware.md has no row that begins with '{cited}'"
                for cited in re.findall(r'emulated: ([^;"]+)', FACTS.read_text()) if not any(row.startswith(cited) for row in shown)]
    print("\n".join(trouble) or f"{len(sections)} hosts")
    return 1 if trouble else 0


def boot(machine, script, out):
    """Whether the script has passed; it leaves in the directory what viommuctl says of the host."""
    release, guests = HOSTS[machine]
    (out / "shown").unlink(missing_ok=True)
    done = subprocess.run([HERE.parent / "hosts" / "host.sh", f"--release={release}", f"--machine={machine}", f"--out={out}",
                           f"--time-limit={TIME_LIMIT}", *(f"--guest={guests[name]}" for name in guests if name == script),
                           script, "record"], check=False)
    if done.returncode or not (out / f"emulated-{machine}.json").exists():
        print(f"{machine}: {script} has not passed, so what is kept of {machine} stays as it is", file=sys.stderr)
        return False
    return True


def record(machine):
    """Keeps what viommuctl says of the host.  Whether it could."""
    with tempfile.TemporaryDirectory(prefix="viommu-hardware.") as out:
        return boot(machine, "record", pathlib.Path(out)) and keep(pathlib.Path(out))


def keep(out):
    for path in out.glob("emulated-*"):
        shutil.copyfile(path, RECORDINGS[path.suffix] / path.name)
    return True


def run(machine):
    """The section of the host, which is recorded, too; None: something failed."""
    release, scripts = HOSTS[machine]
    seen = []
    with tempfile.TemporaryDirectory(prefix="viommu-hardware.") as directory:
        out = pathlib.Path(directory)
        for script in scripts:
            if not boot(machine, script, out):
                return None
            seen += [tuple(line.split("|", 1)) for line in (out / "shown").read_text().splitlines()]
        keep(out)
        host = json.loads((out / f"emulated-{machine}.json").read_text())
    qemu = next(one["qemu"] for one in host["emulators"] if one["arch"] == host["arch"])
    iommufd = " and iommufd" if host["topology"].get("iommufd") else ""
    facts = (f"Debian {release.removeprefix('debian')}: libvirt {host['libvirt']}, QEMU {qemu}, "
             f"Linux {host['topology']['kernel']}; VFIO containers{iommufd}.")
    return "\n".join(section(machine, facts, seen))


def main():
    if sys.argv[1:] == ["--lint"]:
        return lint()
    recording = sys.argv[1:2] == ["--record"]
    machines = sys.argv[2 if recording else 1:]
    unknown = [name for name in machines if name not in HOSTS]
    if unknown:
        print(f"no machine named {unknown[0]}; there are: {' '.join(HOSTS)}", file=sys.stderr)
        return 2
    if recording:
        return 0 if all([record(machine) for machine in machines or HOSTS]) else 1
    sections, failed = documented(), 0
    for machine in machines or HOSTS:
        text = run(machine)
        failed += text is None
        if text:
            sections[machine] = text
    DOCUMENT.write_text(HEADER + "".join("\n" + sections[name] + "\n" for name in HOSTS if name in sections))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""cells: one host's column of the version matrix.  Run by "host cells [--quick] [KERNEL...]", as
root, in the host: builds and installs viommud there, requests each cell of table.py, boots what
is launched, and tries what is refused, to see it fail.  Prints TAP; leaves cells.json (the
cells) and host.json (the recorded host) in /viommu/out.  Knows no other host."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import uuid
import xml.etree.ElementTree as ET

import table

OUT = pathlib.Path("/viommu/out")
WORK = pathlib.Path("/var/tmp/cells")
BUILD = [
    "meson setup build-service --prefix=/usr --buildtype=release -Dtests=enabled -Dwerror=true",
    "ninja -C build-service",
    "meson test -C build-service --no-rebuild --suite unit",
    "meson install --no-rebuild -C build-service",
    # Some cells have more vCPUs than this host may have.
    "mkdir -p /etc/viommud/viommud.conf.d && printf '[limits]\\nvcpus=0\\n' >/etc/viommud/viommud.conf.d/cells.conf",
    "systemctl enable --now viommud",
]
# The time limit until a guest has printed its facts: emulated, two at a time.  When more run than
# there are processors, a second counts only in part.
BOOT_SECONDS = 300
MANY_CPUS_SECONDS = 1200


def call(*words, text=None):
    return subprocess.run(words, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                          check=False)


def ctl(*words, request=None):
    """The exit status and the JSON output of viommuctl."""
    done = call("viommuctl", "--json", *words, text=json.dumps(request) if request else None)
    try:
        return done.returncode, json.loads(done.stdout or "null")
    except json.JSONDecodeError:
        return done.returncode, {"error": {"name": "none", "message": done.stdout + done.stderr}}


def request_of(arch, row, kernel):
    parts = f"/viommu-guests/{table.guest_files(arch, row, kernel)}"
    request = json.loads(json.dumps(table.ROWS[row][1]))
    cpus = request.get("vcpus", 1)
    # On a busy machine the emulated timer may be late, and the kernel takes that for broken
    # interrupt remapping.
    cmdline = f"console={table.ARCHES[arch][1]} panic=-1 no_timer_check" + (f" maxcpus=1 viommu.cpu={cpus - 1}" if cpus > 1 else "")
    request.setdefault("boot", {}).update(kernel=f"{parts}/vmlinuz", initrd=f"{parts}/initrd", cmdline=cmdline)
    request.update(name="cell", arch=arch, memory="512 MiB" if cpus == 1 else "2 GiB",
                   guest=table.guest(arch, row, kernel))
    return request


def planned(request, order=None):
    return ctl("plan", *([f"--order={order}"] if order else []), "-", request=request)


def facts_of(console):
    """The output of the guest; None until it is complete."""
    try:
        text = console.read_bytes().decode(errors="replace").replace("\r", "")
    except FileNotFoundError:
        return None
    found = re.search(r"^=== viommu guest ===\n(.*?)^=== viommu end ===", text, re.S | re.M)
    return dict(line.split("=", 1) for line in found[1].splitlines() if "=" in line) if found else None


def wait_for_facts(console, request, running):
    """The facts, or None and the reason."""
    limit = MANY_CPUS_SECONDS if request.get("vcpus", 1) > 1 else BOOT_SECONDS
    left = limit
    while left > 0:
        alive = running()
        facts = facts_of(console)
        if facts:
            return facts, None
        if not alive:
            return None, "the guest ended without having printed what it sees"
        time.sleep(1)
        left -= min(1, os.cpu_count() / max(1, os.getloadavg()[0]))
    return None, f"the guest printed nothing within {limit} s"


def arguments(name):
    """QEMU's arguments, as libvirt logged them."""
    path = pathlib.Path(f"/var/log/libvirt/qemu/{name}.log")
    return path.read_text(errors="replace") if path.exists() else ""


# --- Launched by viommud ---

def launch(cell, request, model):
    """Boots the cell's guest; sets the verdict and the facts."""
    name = re.sub(r"[^a-z0-9]+", "-", "{arch}-{row}-{kernel}".format(**cell).lower())
    status, answer = ctl("launch", "--wait=started", "-", request={**request, "name": name})
    if status != 0:
        cell.update(verdict="wrong", text=f"not launched: {answer['error']['message']}")
        return

    def running():
        return ctl("show", name)[1].get("State") == "running"

    started = time.monotonic()
    facts, problem = wait_for_facts(pathlib.Path(answer["ConsoleLog"]), request, running)
    cell["seconds"] = int(time.monotonic() - started)
    if not problem and answer["IommuModel"] != ("" if model == "none" else model):
        problem = f"planned as '{model}', launched as '{answer['IommuModel']}'"
    problem = problem or table.shown(cell["row"], model, facts)
    domain = call("virsh", "domname", answer["UUID"]).stdout.strip()
    missing = ", ".join(table.not_given(cell["row"], arguments(domain)))
    if not problem and missing:
        problem = f"QEMU was not given {missing}"
    if not problem and cpus_missing(request, facts):
        problem = f"the guest has the CPUs {facts['cpus']}"
    cell.update(verdict="wrong" if problem else "works", text=problem or "", seen=facts or {})
    if problem:
        cell["console"] = pathlib.Path(answer["ConsoleLog"]).read_bytes().decode(errors="replace")[-3000:]
    ctl("kill", name)


# --- Forced on libvirt ---

# The attributes that libvirt requires of an IOMMU for more than 255 vCPUs.
MANY_CPUS = {"intel": {"intremap": "on", "eim": "on"}, "amd": {"intremap": "on", "xtsup": "on"}}


def add_iommu(tree, model, driver):
    element = ET.SubElement(tree.find("devices"), "iommu", model=model)
    attributes = {key: value for key, value in driver.items() if key != "granule"}
    if driver:
        inner = ET.SubElement(element, "driver", attributes)
        if "granule" in driver:
            ET.SubElement(inner, "granule", size=driver["granule"], unit="KiB")


def forced_xml(request, row, model):
    """The domain with this model: as planned for an unknown guest, or the domain without an
    IOMMU, to which one is added."""
    request = {key: value for key, value in request.items() if key != "guest"}
    many = request["arch"] == "x86_64" and request.get("vcpus", 1) > 255
    driver = {**(MANY_CPUS.get(model, {}) if many else {}), **table.ROWS[row][2].get("driver", {})}
    status, plan = planned({**request, "iommu": {"model": model}})
    if status == 0 and "driver" not in table.ROWS[row][2]:
        return ET.fromstring(plan["domain-xml"])
    plain = {**request, "iommu": {"is-supported": False}}
    if request.get("vcpus", 1) > 1:
        plain["vcpus"] = 100
    if model == "virtio" and request["arch"] == "aarch64":
        plain["boot"] = {"firmware": "efi", **request["boot"]}
    status, plan = planned(plain)
    if status != 0:
        return plan["error"]["message"]
    tree = ET.fromstring(plan["domain-xml"])
    tree.find("vcpu").text = str(request.get("vcpus", 1))
    if model != "none":
        add_iommu(tree, model, driver)
        if many or driver.get("intremap"):
            ET.SubElement(tree.find("features"), "ioapic", driver="qemu")
    return tree


def said(done):
    """The messages of libvirt and QEMU, on one line, without libvirt's words for QEMU's end: which
    of two it uses is a race."""
    line = " ".join(done.stderr.split())
    line = re.sub(r"^error: Failed to \w+ domain( from)?( '[^']*'| \S+)?:? ?(error: )?", "", line)
    line = re.sub(r"^internal error: (process exited while connecting to monitor|qemu unexpectedly closed the monitor): ", "", line)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z ", "", line)


def force(name, request, row, tree):
    """(proof, facts): how this domain ends on this libvirt and QEMU, and what its guest printed,
    unless QEMU was given other arguments."""
    console = WORK / f"{name}.log"
    tree.find("name").text = name
    tree.find("uuid").text = str(uuid.uuid4())
    serial = tree.find("devices/serial")
    serial.set("type", "file")
    ET.SubElement(serial, "source", path=str(console))
    done = call("virsh", "define", "/dev/stdin", text=ET.tostring(tree, encoding="unicode"))
    if done.returncode != 0:
        return f"libvirt: {said(done)}", None
    done = call("virsh", "start", name)
    if done.returncode != 0:
        proof, facts = f"at start: {said(done)}", None
    else:
        facts, problem = wait_for_facts(
            console, request, lambda: "running" in call("virsh", "domstate", name).stdout)
        proof = problem or f"booted: '{facts['iommu']}' in /sys/class/iommu, {facts['groups']} groups, CPUs {facts['cpus']}"
        call("virsh", "destroy", name)
        missing = ", ".join(table.not_given(row, arguments(name)))
        if missing:
            proof, facts = f"{proof}, but libvirt dropped {missing}", None
    call("virsh", "undefine", "--nvram", name)
    return proof, facts


def fails(request, row, model, facts):
    """Whether a guest that printed these facts lacks the requested IOMMU."""
    return facts is None or table.shown(row, model, facts) is not None or cpus_missing(request, facts)


def cpus_missing(request, facts):
    count = request.get("vcpus", 1)
    return count > 1 and facts["cpus"] != f"0,{count - 1}"


def prove(cell, model, proofs):
    """True when the model does not work here in any form; the cell keeps how that was seen."""
    request = cell["request"]
    row = cell["row"]
    known = json.dumps([request["arch"], request.get("machine"), request["boot"].get("firmware"), request.get("vcpus"), model,
                        table.ROWS[row][2].get("driver")])
    key = known if known in proofs else known + request["boot"]["kernel"]
    if key not in proofs:
        tree = forced_xml(request, row, model)
        if isinstance(tree, str):
            result = f"no such machine: {tree}", None
        else:
            result = force(f"forced-{cell['number']}-{model}", request, row, tree)
        # A refusal by libvirt and QEMU holds for each guest kernel.
        key = key if result[1] else known
        proofs[key] = result
    proof, facts = proofs[key]
    cell["proofs"][model] = proof
    return fails(request, row, model, facts)


# --- The cells ---

def rules(cell, error):
    """The names of the rules that refuse: those that all models of this architecture fail, if
    any, otherwise all.  Without a requested model, the key that the refusal names first."""
    models = {}
    for reason in error["reasons"]:
        model = reason.get("model") or "machine"
        # For a kernel that has the driver as a module, "guest" only notes that the initramfs must
        # have it.
        remark = reason["rule"] == "guest" and model == "virtio" and table.KERNELS[cell["kernel"]][1]
        if model in [*table.candidates(cell["row"]), "machine"] and reason["rule"] != "selection" and not remark:
            models.setdefault(model, set()).add(reason["rule"])
    models = {model: {"arch"} if "arch" in names else names for model, names in models.items()}
    if not models:
        return [error["message"].split()[0]]
    at_home = [names for names in models.values() if "arch" not in names] or list(models.values())
    return sorted(set.intersection(*at_home) or set.union(*at_home))


def plan(cell):
    """Sets the cell's request, and its model and domain, or its verdict."""
    cell["request"] = request_of(cell["arch"], cell["row"], cell["kernel"])
    status, answer = planned(cell["request"], table.ROWS[cell["row"]][2].get("order"))
    if status == 0:
        cell["model"] = answer["iommu"]["model"] or "none"
        cell["domain"] = re.sub("<uuid>.*</uuid>", "", answer["domain-xml"])
    elif answer["error"]["name"] == "NotSupported":
        cell.update(verdict="refused", proofs={}, rules=rules(cell, answer["error"]))
    else:
        cell.update(verdict="wrong", text=answer["error"]["message"])


def launch_job(cells):
    """Cells of the same domain.  A cell that only needs another order of the site is launched as
    the row that it equals."""
    first = next((cell for cell in cells if "order" not in table.ROWS[cell["row"]][2]), None)
    if not first:
        for cell in cells:
            cell.update(verdict="wrong", text="no row of the site's native order has this domain: nothing was launched")
        return
    launch(first, first["request"], first["model"])
    for cell in cells:
        if cell is not first:
            cell.update({key: first[key] for key in ("verdict", "text", "seen") if key in first}, same=first["row"])


def prove_job(cells):
    """All cells of one architecture: what holds for each kernel is proven once."""
    proofs = {}
    for cell in cells:
        for model in table.candidates(cell["row"]):
            if not prove(cell, model, proofs):
                cell.update(verdict="wrong", text=f"refused, but '{model}' works: {cell['proofs'][model]}")


def run(cells):
    for cell in cells:
        plan(cell)
    domains = {}
    for cell in cells:
        if "domain" in cell:
            domains.setdefault(cell["domain"], []).append(cell)
    refused = [cell for cell in cells if cell.get("verdict") == "refused"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(prove_job, [cell for cell in refused if cell["arch"] == arch]) for arch in table.ARCHES]
        jobs += [pool.submit(launch_job, same) for same in domains.values()]
        for job in jobs:
            job.result()


def describe():
    """The host, as recorded for the golden suite, and further facts about it."""
    recorded = json.loads(call("viommuctl", "host", "--json").stdout)
    (OUT / "host.json").write_text(json.dumps(recorded, indent=2) + "\n")
    (OUT / "capabilities.xml").write_text(call("virsh", "capabilities").stdout)
    for arch, machine in ("x86_64", "q35"), ("aarch64", "virt"):
        (OUT / f"domcapabilities-{arch}.xml").write_text(
            call("virsh", "domcapabilities", "--virttype", "qemu", "--arch", arch, "--machine", machine).stdout)
    return {"libvirt": recorded["libvirt"],
            "qemu": {emulator["arch"]: emulator["qemu"] for emulator in recorded["emulators"]},
            "systemd": call("systemctl", "--version").stdout.split()[1],
            "kernels": {path.parent.name: path.read_text().strip()
                        for path in sorted(pathlib.Path("/viommu-guests").glob("*/version"))}}


def contradicted():
    """The facts in which this host's libvirt contradicts lib/facts."""
    return [f"{fact['fact']} on {arch}" for fact in ctl("facts")[1]["facts"] for arch in table.ARCHES
            if fact.get(f"{arch}-contradicts")]


class Tap:
    """The output, line by line."""

    def __init__(self):
        self.count = self.failed = 0

    def say(self, good, what, *more):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}")
        for line in more:
            print("# " + line)
        sys.stdout.flush()
        return good


def main():
    tap, started = Tap(), time.monotonic()
    WORK.mkdir(mode=0o777)
    WORK.chmod(0o777)
    for command in BUILD:
        done = call("sh", "-c", command)
        if not tap.say(done.returncode == 0, command, *(() if done.returncode == 0 else done.stdout.splitlines()[-30:])):
            print(f"1..{tap.count}")
            return 1
    quick, kernels = "--quick" in sys.argv, [word for word in sys.argv[1:] if word in table.KERNELS] or table.KERNELS
    cells = [{"number": number, "arch": arch, "row": row, "kernel": kernel}
             for number, (arch, row, kernel) in enumerate(table.cells(quick)) if kernel in kernels]
    host = {**describe(), "contradicted": contradicted()}
    tap.say(not host["contradicted"], "libvirt contradicts none of the facts", *host["contradicted"])
    run(cells)
    for cell in cells:
        what = cell.get("model") or ", ".join(cell.get("rules", []))
        detail = [f"{model}: {proof}" for model, proof in cell.get("proofs", {}).items()]
        tap.say(cell["verdict"] != "wrong", "{arch}, {row}, guest {kernel}: {verdict} ({what})".format(what=what, **cell),
                *([cell["text"]] if cell.get("text") else []), *detail, *cell.get("console", "").splitlines())
    (OUT / "cells.json").write_text(json.dumps({"host": host, "seconds": int(time.monotonic() - started), "cells": cells}, indent=1))
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())

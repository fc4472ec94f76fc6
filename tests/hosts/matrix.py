#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The version matrix: the result of each model on each host, for each guest kernel, proven by
guests.

  matrix [RELEASE...]           boots the hosts (all without a RELEASE), and writes their sections
                                of docs/matrix.md
  matrix --check [...]          compares with docs/matrix.md instead
  matrix --check --quick [...]  without the cells that table.py calls slow
  matrix --kernel=NAME [...]    only the cells of this guest kernel; may be repeated; with --check
  matrix --tap [...]            reports in TAP
  matrix --lint                 checks that docs/matrix.md has the rows and columns of table.py, and
                                the rows that lib/facts/facts.c names as sources; boots nothing

"cells" runs each cell in the host; this joins the results.  A host that cannot be made is
skipped by name."""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import table

HERE = pathlib.Path(__file__).resolve().parent
FACTS = HERE.parent.parent / "lib" / "facts" / "facts.c"
DOCUMENT = HERE.parent.parent / "docs" / "matrix.md"
TIME_LIMIT = 7200  # seconds, of a host

HEADER = """<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->
<!-- Written by tests/hosts/matrix.py; do not edit. -->
# The version matrix

Each host below was really booted, with its own systemd, libvirt and QEMU and a viommud built on it, and asked for
each cell: a row is what is asked for, a column the Debian whose kernel the guest runs. `guest.os` says which that is.

- A model's name: the guest was launched with that IOMMU, booted, and showed it in `/sys/class/iommu` together with its IOMMU
  groups (below the table); `none`: it was launched without one and showed neither.
- *refused* and the rule that refuses (*libvirt-says*: libvirt did not take it when the host was probed): nothing was launched. That
  the refusal is true was seen by doing it all the same, by hand: what came of it stands below the table. Where libvirt or QEMU refuse,
  they do so with every guest kernel.
- `-`: not asked. With UEFI, attributes and 256 vCPUs one guest kernel is booted; the others would be told the same by libvirt and QEMU.
- *cloud kernel*: the guest has the kernel of that Debian's cloud images, and `guest.os` says so.
- Rows with an attribute: QEMU's arguments have it, too. Without DMA translation a guest shows neither IOMMU nor groups; with
  256 vCPUs the last of them starts only because its interrupts are remapped.

Not in the table, because a request cannot say it: the machine `pc` on aarch64, which has none; and x86_64 without ACPI, by whose
tables alone a guest learns of its IOMMU there, so that viommud always gives it. Without it, by hand on Debian 13, libvirt refuses
virtio, and a guest with intel boots and shows neither IOMMU nor groups.

Requests that come out as the same domain are booted once; the row *virtio order* is the site's setting, with a guest described by the
drivers in its initramfs. All guests are emulated (TCG): there was no KVM. Of 256 CPUs the guest starts the first and the last.
"""
LEGEND = {
    "is-supported": "`is-supported: true`", "none": "`is-supported: false`", "virtio order": "`is-supported: true`, virtio order",
    "pc": "`is-supported: true`, machine `pc`", "UEFI": "`is-supported: true`, UEFI", "256 vCPUs": "`is-supported: true`, 256 vCPUs",
    "without ACPI": "`is-supported: true`, without ACPI", "cloud": "`is-supported: true`, cloud kernel",
    "none, 256 vCPUs": "`is-supported: false`, 256 vCPUs"}


def title(release):
    return f"## {table.RELEASES[release]}"


def label(row):
    return LEGEND.get(row) or re.sub(r"^(\w+)", r"`\1`", row)


def short(kernel):
    return kernel.replace("debian", "Debian ").replace("-", " ")


# --- One host's section ---

def content(cell):
    if cell["verdict"] == "works":
        return cell["model"]
    return f"*refused*: {', '.join(cell['rules'])}" if cell["verdict"] == "refused" else f"**WRONG**: {cell['text']}"


def rows(cells):
    """{(arch, label): {kernel: content}}"""
    result = {}
    for cell in cells:
        result.setdefault((cell["arch"], label(cell["row"])), {})[cell["kernel"]] = content(cell)
    return result


def table_lines(arch, cells):
    yield f"| {arch} | " + " | ".join(map(short, table.KERNELS)) + " |"
    yield "|---" * (len(table.KERNELS) + 1) + "|"
    for (of, row), line in rows(cells).items():
        if of == arch:
            yield f"| {row} | " + " | ".join(line.get(kernel, "-") for kernel in table.KERNELS) + " |"


def shown_lines(arch, cells):
    """The output of the guests of each model, kernel by kernel."""
    seen = {}
    for cell in cells:
        facts = cell.get("seen")
        if cell["arch"] == arch and facts and cell["model"] != "none":
            what = f"`{facts['iommu']}`, {facts['groups']} groups" + (f", {facts['tables']}" if facts["tables"] else "")
            seen.setdefault((cell["model"], what), []).append(short(cell["kernel"]))
    for (model, what), kernels in sorted(seen.items()):
        yield f"- {model}: {what} ({', '.join(dict.fromkeys(kernels))})"


def proof_lines(arch, cells):
    """The result of each refused model when it is tried."""
    proofs = {}
    for cell in cells:
        for model, proof in cell.get("proofs", {}).items():
            if cell["arch"] == arch:
                proofs.setdefault((label(cell["row"]), model, proof), []).append(short(cell["kernel"]))
    for (row, model, proof), kernels in proofs.items():
        where = "" if len(kernels) == len(table.KERNELS) or not proof.startswith("booted") else f" ({', '.join(kernels)})"
        yield f"- {row}{'' if f'`{model}`' in row else ', as ' + model}{where}: {proof}"


def section(release, result):
    host, cells = result["host"], result["cells"]
    versions = ", ".join(f"{short(name.split('-', 1)[1])} {version}" for name, version in host["kernels"].items()
                         if name.startswith("x86_64"))
    yield title(release)
    yield ""
    yield f"libvirt {host['libvirt']}, QEMU {host['qemu']['x86_64']}, systemd {host['systemd']}. Guest kernels: {versions}."
    for arch in table.ARCHES:
        yield ""
        yield from table_lines(arch, cells)
        yield ""
        yield "The guests showed:"
        yield ""
        yield from shown_lines(arch, cells)
        yield ""
        yield "Refused, and done all the same:"
        yield ""
        yield from proof_lines(arch, cells)


# --- The document ---

def read_sections():
    """{release: text} of the document, in its order."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    parts = re.split(r"(?m)^(?=## )", text)
    return {release: part.strip() for release in table.RELEASES for part in parts if part.startswith(title(release) + "\n")}


def documented(text):
    """{(arch, label): {kernel: content}} of a section."""
    result, arch = {}, None
    for line in text.splitlines():
        words = [word.strip() for word in line.strip("|").split("|")] if line.startswith("|") else []
        if words and words[0] in table.ARCHES:
            arch = words[0]
        elif len(words) == len(table.KERNELS) + 1 and not words[0].startswith("---"):
            result[arch, words[0]] = dict(zip(table.KERNELS, words[1:]))
    return result


def write(results):
    sections = read_sections()
    sections.update({release: "\n".join(section(release, result)) for release, result in results.items()})
    text = HEADER + "".join("\n" + sections[release] + "\n" for release in table.RELEASES if release in sections)
    DOCUMENT.write_text(text)


def cited():
    """The rows that lib/facts/facts.c names as sources."""
    text = re.sub(r'"\s*"', "", FACTS.read_text())
    return set(re.findall(r'matrix: ([^;"]+)', text))


def lint():
    trouble, sections = [], read_sections()
    rows = {label(row) for row in table.ROWS}
    trouble += [f"lib/facts/facts.c: docs/matrix.md has no row '{row}'" for row in sorted(cited() - rows)]
    if not DOCUMENT.read_text().startswith(HEADER):
        trouble.append("the head of docs/matrix.md is not what tests/hosts/matrix.py writes")
    wanted = {}
    for arch, row, kernel in table.cells():
        wanted.setdefault((arch, label(row)), set()).add(kernel)
    for release in table.RELEASES:
        found = {key: {kernel for kernel, text in line.items() if text != "-"}
                 for key, line in documented(sections.get(release, "")).items()}
        trouble += [f"{release}: {arch}, {row}: has {sorted(found.get((arch, row), []))}, not {sorted(wanted.get((arch, row), []))}"
                    for arch, row in sorted({*wanted, *found}) if found.get((arch, row)) != wanted.get((arch, row))]
        if "WRONG" in sections.get(release, ""):
            trouble.append(f"{release}: has a wrong cell")
    print("\n".join(trouble) or f"{len(sections)} hosts, {len(list(table.cells()))} cells each")
    return 1 if trouble else 0


# --- Running it ---

def run_host(release, kernels, quick):
    """The result files of "cells", or None; and the host's output."""
    guests = {f"--guest={table.guest_files(arch, row, kernel)}" for arch, row, kernel in table.cells(quick) if kernel in kernels}
    with tempfile.TemporaryDirectory(prefix="viommu-matrix.") as out:
        done = subprocess.run([HERE / "host.sh", f"--release={release}", *sorted(guests), f"--out={out}", f"--time-limit={TIME_LIMIT}",
                               "cells", *(["--quick"] if quick else []), *kernels],
                              stdout=subprocess.PIPE, universal_newlines=True, check=False)
        path = pathlib.Path(out) / "cells.json"
        return json.loads(path.read_text()) if path.exists() else None, done.stdout


def differences(release, result):
    """Cells that differ from the document."""
    known = documented(read_sections().get(release, ""))
    for cell in result["cells"]:
        wanted = known.get((cell["arch"], label(cell["row"])), {}).get(cell["kernel"])
        if wanted != content(cell):
            yield f"{release}: {cell['arch']}, {cell['row']}, guest {cell['kernel']}: {content(cell)}, but docs/matrix.md has: {wanted}"


class Report:
    def __init__(self, tap):
        self.tap, self.count, self.failed, self.skipped = tap, 0, 0, []

    def say(self, good, what, more=()):
        self.count += 1
        self.failed += not good
        if self.tap:
            print(f"{'ok' if good else 'not ok'} {self.count} - {what}")
        elif not good:
            print(f"WRONG: {what}")
        for line in more:
            print(f"# {line}")

    def host(self, release, result, words):
        skip = re.match(r"1\.\.0 # SKIP (.*)", words)
        if skip:
            self.skipped.append(release)
            self.count += 1
            print(f"ok {self.count} - {release} # SKIP {skip[1]}" if self.tap else f"SKIPPED: {release}: {skip[1]}")
        elif not result:
            self.say(False, f"{release}: the cells were not run", words.splitlines())
        else:
            self.say(not result["host"]["contradicted"], f"{release}: libvirt contradicts none of the facts", result["host"]["contradicted"])
            for cell in result["cells"]:
                self.say(cell["verdict"] != "wrong", f"{release}: {cell['arch']}, {cell['row']}, guest {cell['kernel']}: {content(cell)}",
                         cell.get("console", "").splitlines() if cell["verdict"] == "wrong" else ())
            if not self.tap:
                print("\n".join(section(release, result)), end="\n\n")
        sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in "check", "quick", "tap", "lint":
        parser.add_argument(f"--{option}", action="store_true")
    parser.add_argument("--kernel", action="append", choices=table.KERNELS)
    parser.add_argument("release", nargs="*", metavar="RELEASE", help=" ".join(table.RELEASES))
    options = parser.parse_args()
    if options.lint:
        return lint()
    if (options.quick or options.kernel) and not options.check:
        parser.error("a part of the cells can be checked, not written: say --check")
    unknown = set(options.release) - set(table.RELEASES)
    if unknown:
        parser.error(f"no release named {unknown.pop()}")
    report, results = Report(options.tap), {}
    for release in options.release or table.RELEASES:
        result, words = run_host(release, options.kernel or list(table.KERNELS), options.quick)
        report.host(release, result, words)
        if result and options.check:
            for line in differences(release, result):
                report.say(False, line)
        elif result:
            results[release] = result
    if results:
        write(results)
    if options.tap:
        print(f"1..{report.count}")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())

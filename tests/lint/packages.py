#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the recipes of packages (tools/packaging) without building them: each installed file is in
a package, each pattern means a file, what Debian's needs is what tools/scripts/packages.txt names,
and all versions are that of meson.build.  tests/hosts/package.sh builds and installs them."""
import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
RECIPES = ROOT / "tools/packaging"
# Every Debian has these at a build, or debhelper brings them.
IMPLIED = {"gcc", "libc6-dev", "ninja-build", "build-essential"}
OTHER_NAMES = {"debhelper-compat": "debhelper", "dh-sequence-python3": "dh-python"}
# Of debhelper; and Debian 12's systemd says where units are, later ones need not.
NOT_LISTED = {"dh-sequence-installsysusers", "systemd"}
SPEC_MACROS = {"%{_bindir}": "/usr/bin", "%{_libexecdir}": "/usr/libexec", "%{_prefix}": "/usr", "%{_datadir}": "/usr/share",
               "%{_mandir}": "/usr/share/man", "%{_docdir}": "/usr/share/doc", "%{_unitdir}": "/usr/lib/systemd/system",
               "%{_sysusersdir}": "/usr/lib/sysusers.d", "%{_tmpfilesdir}": "/usr/lib/tmpfiles.d",
               "%{_journalcatalogdir}": "/usr/lib/systemd/catalog"}
# What only the recipe itself makes or leaves out.
SPEC_MAKES = {"/usr/lib/systemd/system/viommud.service.d", "/usr/share/doc/viommu-doc"}
SPEC_LEAVES = {"/etc/apparmor.d/viommud"}


def installed():
    """What "meson install" installs on Debian 12; hosts/service compares this list."""
    return (ROOT / "tests/hosts/installed").read_text().split() + ["/usr/share/doc/viommud/examples/any.json"]


def covers(pattern, name):
    return fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(name, f"{pattern}/*")


def compare(recipe, patterns, files):
    for name in files:
        if not any(covers(pattern, name) for pattern in patterns):
            yield f"{recipe}: no package has {name}"
    for pattern in patterns:
        if not any(covers(pattern, name) for name in files):
            yield f"{recipe}: '{pattern}' means no file"


def debian_files():
    patterns = []
    for path in sorted((RECIPES / "debian").glob("*.install")):
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) == 1:
                patterns.append(f"/{words[0]}")
            elif not list(ROOT.glob(words[0])):
                yield f"{path.relative_to(ROOT)}: '{words[0]}' means no file"
    rules = (RECIPES / "debian/rules").read_text()
    patterns += [f"/{name}" for name in re.findall(r"dh_install -pviommud (\S+)", rules)]
    yield from compare("tools/packaging/debian", patterns, installed())


def spec_files(spec):
    patterns = []
    for line in re.findall(r"^(%\{_\S+)$", spec, re.M):
        for macro, directory in SPEC_MACROS.items():
            line = line.replace(macro, directory)
        patterns.append(line)
    moved = {"/lib/systemd/": "/usr/lib/systemd/", "/usr/share/zsh/vendor-completions/": "/usr/share/zsh/site-functions/"}
    files = set(SPEC_MAKES)
    for name in set(installed()) - SPEC_LEAVES:
        for before, after in moved.items():
            name = after + name.removeprefix(before) if name.startswith(before) else name
        files.add(name)
    yield from compare("viommud.spec", patterns, sorted(files))


def needs():
    rows = [line.split()[:2] for line in (ROOT / "tools/scripts/packages.txt").read_text().splitlines()
            if line and not line.startswith("#")]
    listed = {name for name, purpose in rows if purpose in ("build", "deb")} - IMPLIED
    control = (RECIPES / "debian/control").read_text()
    words = re.search(r"^Build-Depends: (.*?)^[A-Z]", control, re.M | re.S).group(1)
    wanted = {word.split("|")[0].split("(")[0].strip() for word in words.split(",")}
    wanted = {OTHER_NAMES.get(name, name) for name in wanted} - NOT_LISTED
    yield from (f"tools/packaging/debian/control: Build-Depends lacks {name} of packages.txt" for name in sorted(listed - wanted))
    yield from (f"tools/scripts/packages.txt: has no row of {name}, which debian/control needs" for name in sorted(wanted - listed))


def versions(spec):
    meson = (ROOT / "meson.build").read_text()
    version = re.search(r"^  version: '(.*)',$", meson, re.M).group(1)
    others = {
        "tools/packaging/viommud.spec": re.search(r"^Version: +(\S+)$", spec, re.M),
        "tools/tmt/pyproject.toml": re.search(r'^version = "(.*)"$', (ROOT / "tools/tmt/pyproject.toml").read_text(), re.M),
        "NEWS": re.search(r"^## (\S+)", (ROOT / "NEWS").read_text(), re.M),
    }
    for name, match in others.items():
        if match is None or match.group(1) != version:
            yield f"{name}: its version is {match and match.group(1)}, and that of meson.build is {version}"
    for package, least in re.findall(r"'([a-z0-9.-]+)'(?:, required: [^)]*\))?, version: '>= ([0-9.]+)'", meson):
        if f"pkgconfig({package}) >= {least}\n" not in spec:
            yield f"tools/packaging/viommud.spec: needs no {package} >= {least}, as meson.build does"


def main():
    spec = (RECIPES / "viommud.spec").read_text()
    faults = [*debian_files(), *spec_files(spec), *needs(), *versions(spec)]
    print("\n".join(faults) or "the recipes of packages agree with what is built")
    return 1 if faults else 0


sys.exit(main())

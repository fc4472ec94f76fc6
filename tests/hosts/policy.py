#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the bus policy with the daemon's table of members: the policy names each of them and
nothing else, and each method of the interfaces.  The daemon decides which users may call them.
  policy ROOT"""
import pathlib
import re
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(sys.argv[1])
# What only viommud itself may do.
OWN = [("allow", {"own": "org.viommu1"}), ("deny", {"receive_type": "signal"}),
       ("allow", {"receive_type": "signal", "receive_sender": "org.freedesktop.DBus"})]
ROW = re.compile(r'\{(?:DBUS\("(\w+)"\)|VIOMMU_IFACE_(\w+)), "(\w+)", VIOMMU_ACTION_\w+\}')


def table():
    """(interface, member), of daemon/bus/auth.c"""
    return {("org.freedesktop.DBus." + standard if standard else "org.viommu1." + own.capitalize(), member)
            for standard, own, member in ROW.findall((ROOT / "daemon" / "bus" / "auth.c").read_text())}


def methods():
    for path in (ROOT / "schemas").glob("org.viommu1.*.xml"):
        for interface in xml.etree.ElementTree.parse(path).iter("interface"):
            yield from ((interface.get("name"), method.get("name")) for method in interface.iter("method"))


def policies():
    """user -> rules, without viommud's own"""
    for policy in xml.etree.ElementTree.parse(ROOT / "conf" / "org.viommu1.conf").iter("policy"):
        (who,) = policy.attrib.values()
        rules = list(policy)
        yield who, [] if who == "viommu" and [(rule.tag, rule.attrib) for rule in rules] == OWN else rules


def named(who, rules, trouble):
    for rule in rules:
        if rule.tag != "allow" or set(rule.attrib) != {"send_destination", "send_interface", "send_member"}:
            trouble.append(f"{who}: a rule that does not allow one named member: {rule.tag} {rule.attrib}")
    return {(rule.get("send_interface"), rule.get("send_member")) for rule in rules}


def compare(what, said, known, trouble):
    trouble += [f"{what} has no {member}" for member in sorted(known - said)]
    trouble += [f"{what} has {member}" for member in sorted(said - known)]


def main():
    trouble, rules, known = [], {}, table()
    for who, some in policies():
        rules.setdefault(who, []).extend(some)
    first, *everybody = rules.pop("default")
    if first.tag != "deny" or first.attrib != {"send_destination": "org.viommu1"}:
        trouble.append("the default does not begin with denying everything")
    compare("everybody", named("everybody", everybody, trouble), set(known), trouble)
    trouble += [f"{who} has rules of its own" for who, some in rules.items() if some]
    compare("daemon/bus/auth.c", {member for member in known if member[0].startswith("org.viommu1.")}, set(methods()), trouble)
    print("\n".join(trouble) or f"{len(known)} members are named")
    return 1 if trouble or not known else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the root ports without a device in domain XML from libvirt (standard input; text around
the XML is skipped)."""
import re
import sys
from xml.etree import ElementTree

devices = ElementTree.fromstring(re.search(r"<domain.*?</domain>", sys.stdin.read(), re.S).group()).find("devices")
ports = {int(port.get("index")) for port in devices.findall("controller[@model='pcie-root-port']")}
print(len(ports - {int(address.get("bus"), 16) for address in devices.iter("address") if address.get("type") == "pci"}))

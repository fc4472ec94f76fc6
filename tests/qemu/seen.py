#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""seen: compares a planned topology with what its guest saw.  The devices of one host IOMMU
share a root bus of the guest, which no other IOMMU uses; each device is where it was planned, on
its node, in a group of its own and behind the guest's IOMMU.  Where each expander bus has an
IOMMU of its own, no two buses share one.
  seen PLANNED.xml BOOTED.xml HOST.json HARDWARE
HARDWARE: the guest's own files, as "viommuctl host --root" reads them ($VIOMMUCTL)"""
import collections
import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET

NIC = (0x8086, 0x10d3)  # the device that tests/qemu/emulate.py adds


def number(text):
    return int(text, 0)


def address_of(source):
    return '{:04x}:{:02x}:{:02x}.{:x}'.format(*(number(source.get(part)) for part in ('domain', 'bus', 'slot', 'function')))


class Planned:
    """The buses of a domain by libvirt's numbers, the index of their controllers."""

    def __init__(self, domain):
        self.domain = domain
        self.controllers = {controller.get('index'): controller for controller in domain.findall("devices/controller[@type='pci']")}
        self.hostdevs = domain.findall('devices/hostdev')

    def root(self, device):
        """The guest's number for the device's root bus, and the node that the guest shows for
        it."""
        address = device.find('address')
        index = str(number(address.get('bus'))) if address is not None else '0'
        controller = self.controllers.get(index)
        if controller is None or controller.get('model') == 'pcie-root':
            return 0, None
        if controller.get('model') == 'pcie-expander-bus':
            target = controller.find('target')
            return number(target.get('busNr')), target.findtext('node')
        return self.root(controller)


def guest_topology(hardware):
    answer = subprocess.run([os.environ['VIOMMUCTL'], 'host', f'--root={hardware}', '--json'], stdout=subprocess.PIPE, check=True)
    return json.loads(answer.stdout)['topology']


def guest_devices(topology, hardware):
    for device in topology['devices']:
        if (device['vendor'], device['device']) != NIC:
            continue
        # ../../../devices/pci0000:f8/0000:f8:00.0/0000:f9:00.0
        link = os.readlink(hardware / 'sys/bus/pci/devices' / device['address'])
        yield number('0x' + link.split('/devices/pci')[1].split('/')[0].split(':')[1]), device


def compare(planned, host, devices):
    physical = {device['address']: device['iommu'] for device in host['topology']['devices'] if device.get('iommu')}
    roots = collections.defaultdict(set)
    wanted = collections.Counter()
    for hostdev in planned.hostdevs:
        root, node = planned.root(hostdev)
        roots[physical[address_of(hostdev.find('source/address'))]].add((root, node))
        wanted[(root, node)] += 1
    for name, places in roots.items():
        if len(places) != 1:
            yield f'the devices behind {name} are on several root buses: {sorted(places)}'
    used = [root for places in roots.values() for root, _ in places]
    if len(set(used)) != len(used):
        yield f'devices behind different IOMMUs share a root bus: {dict(roots)}'
    there = collections.Counter(root for root, _ in devices)
    if there != collections.Counter(root for root, _ in wanted.elements()):
        yield f'the plan has {dict(wanted)} NICs on the root buses, the guest {dict(there)}'
    for root, device in devices:
        if device.get('iommu') is None or device.get('group') is None:
            yield f'{device["address"]} has no group or no IOMMU in the guest'
    if len({device.get('group') for _, device in devices}) != len(devices):
        yield 'devices share a group'


def compare_nodes(planned, topology, devices):
    cells = len(planned.domain.findall('cpu/numa/cell'))
    # Linux 6.12 on arm64 drops the whole SRAT when a 64 MiB flash of older firmware, which it takes
    # for memory, is in no cell.
    if planned.domain.find('os/type').get('arch') == 'aarch64' and len(topology['nodes']) < cells:
        print(f'nodes not compared: this kernel makes {len(topology["nodes"])} of the {cells} that the firmware tells')
        return
    if len(topology['nodes']) != max(cells, 1):
        yield f'the guest has {len(topology["nodes"])} nodes, not {cells}'
    nodes = dict(planned.root(hostdev) for hostdev in planned.hostdevs)
    for root, device in devices:
        if nodes.get(root) is not None and device.get('node') != number(nodes[root]):
            yield f'{device["address"]} is on node {device.get("node")}, not {nodes[root]}'


def compare_iommus(booted, devices):
    behind = collections.defaultdict(set)
    for root, device in devices:
        behind[root].add(device.get('iommu'))
    if any(len(names) != 1 for names in behind.values()):
        yield f'devices of one root bus are behind several IOMMUs: {dict(behind)}'
    several = len(booted.findall('devices/iommu')) > 1
    apart = len(set.union(*behind.values())) == len(behind) if behind else False
    if several and not apart:
        yield f'root buses with IOMMUs of their own share one: {dict(behind)}'


def main():
    planned, booted, host, hardware = (pathlib.Path(word) for word in sys.argv[1:])
    topology = guest_topology(hardware)
    devices = list(guest_devices(topology, hardware))
    for root, device in devices:
        print(f'{device["address"]}: root bus {root:#04x}, node {device.get("node")}, group {device.get("group")}, behind {device.get("iommu")}')
    plan = Planned(ET.parse(planned).getroot())
    wrong = [*compare(plan, json.loads(host.read_text()), devices), *compare_nodes(plan, topology, devices),
             *compare_iommus(ET.parse(booted).getroot(), devices)]
    if wrong:
        sys.exit('\n'.join(wrong))


main()

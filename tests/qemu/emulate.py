#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""emulate: turns a domain that was planned for assigned devices into one that any machine can
boot. An emulated NIC replaces each hostdev, at the same guest address; KVM, IOMMUFD and the
host's own nodes are removed.  Buses, ports, cells and the IOMMUs stay as planned.  Reports its
changes on standard error.
  emulate CONSOLE_LOG [one-iommu] <PLANNED >DOMAIN
one-iommu: QEMU or libvirt here support only one SMMU for all buses"""
import sys
import xml.etree.ElementTree as ET

# What is removed: element, attribute ('' is the whole element), reason.
TAKEN = (
    ('./os/loader', '', 'the firmware is this machine\'s own'),
    ('./os/nvram', '', 'the firmware is this machine\'s own'),
    ('./iommufd', '', 'nothing is assigned'),
    ('./memtune', '', 'nothing is locked for emulated devices'),
    ('./memoryBacking', '', 'this machine may have no huge pages'),
    ('./numatune', '', 'the nodes are another host\'s'),
    ('./cputune', '', 'the CPUs are another host\'s'),
    ('./vcpu', 'cpuset', 'the CPUs are another host\'s'),
    ('./features/gic', '', 'the emulated one is QEMU\'s choice'),
    ('./devices/iommu/driver', 'eim', 'takes KVM before QEMU 8.2'),
    ('./devices/iommu/driver', 'accel', 'takes an SMMU of the host'),
    ('./devices/iommu/driver', 'ats', 'takes accel'),
    ('./devices/iommu/driver', 'ril', 'takes accel'),
    ('./devices/iommu/driver', 'ssidsize', 'takes accel'),
    ('./devices/iommu/driver', 'oas', 'takes accel'),
    ('./devices/iommu/driver', 'cmdqv', 'takes accel'),
)


def say(words):
    print(f'emulate: {words}', file=sys.stderr)


def take_off(domain, place, attribute, why):
    parent, _, name = place.rpartition('/')
    for holder in domain.findall(parent):
        for element in holder.findall(name):
            if not attribute:
                holder.remove(element)
                say(f'no <{name}>: {why}')
            elif element.attrib.pop(attribute, None) is not None:
                say(f'no {attribute} of <{name}>: {why}')


def place_of(address):
    return '{domain}:{bus}:{slot}.{function}'.format(**address.attrib).replace('0x', '') if address is not None else 'any address'


def nic(hostdev):
    """A PCI Express endpoint, like an assigned device; each kernel has its driver, and its ROM
    would only try to boot."""
    address = hostdev.find('address')
    say(f'hostdev {place_of(hostdev.find("source/address"))}: an e1000e at {place_of(address)}')
    interface = ET.Element('interface', type='user')
    ET.SubElement(interface, 'model', type='e1000e')
    ET.SubElement(interface, 'rom', enabled='no')
    if address is not None:
        interface.append(address)
    return interface


def keep_one_iommu(domain):
    devices = domain.find('devices')
    first, *rest = devices.findall('iommu')
    for driver in first.findall('driver'):
        driver.attrib.pop('pciBus', None)
    for iommu in rest:
        devices.remove(iommu)
    if rest:
        say(f'one IOMMU for all buses in the place of {len(rest) + 1}: no more in this libvirt or QEMU')


def settle(domain, console_log):
    say(f'type {domain.get("type")}: qemu')
    domain.set('type', 'qemu')
    cpu = domain.find('cpu')
    if cpu is not None and cpu.get('mode') == 'host-passthrough':
        cpu.attrib.clear()
        cpu.set('mode', 'maximum')
        say('CPU host-passthrough: maximum')
    devices = domain.find('devices')
    for console in devices.findall('serial'):
        console.set('type', 'file')
        console[:] = [ET.Element('source', path=console_log)]
    for index, device in enumerate(list(devices)):
        if device.tag == 'hostdev':
            devices[index] = nic(device)


def main():
    console_log, *words = sys.argv[1:]
    domain = ET.fromstring(sys.stdin.read())
    if not domain.findall('devices/hostdev'):
        sys.exit('emulate: the plan assigns no device: nothing would be shown')
    for row in TAKEN:
        take_off(domain, *row)
    if 'one-iommu' in words:
        keep_one_iommu(domain)
    settle(domain, console_log)
    ET.indent(domain)
    print(ET.tostring(domain, encoding='unicode'))


main()

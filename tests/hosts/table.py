# SPDX-License-Identifier: LGPL-2.1-or-later
"""table: the requests of the matrix, by host and guest; and what a guest must show for each
model. Knows no host, runs nothing: cells (in a host) and matrix (outside) read it."""
import re

# Hosts of tests/hosts/host.sh, and their names.
RELEASES = {"debian11": "Debian 11 (bullseye)", "debian12": "Debian 12 (bookworm)", "debian13": "Debian 13 (trixie)",
            "testing": "Debian testing (forky)"}

# Kernels of the guests: their guest.os, and whether tests/qemu/guests.sh puts virtio-iommu into the
# initramfs (if the kernel has it).
KERNELS = {"debian11": ("debian11", False), "debian12": ("debian12", False), "debian13": ("debian13", True),
           "testing": ("debiantesting", True)}

# arch: the drivers of its kernels besides virtio, and the serial console
ARCHES = {"x86_64": ("intel", "ttyS0"), "aarch64": ("smmuv3", "ttyAMA0")}

MODELS = ["intel", "smmuv3", "virtio", "amd"]

# What /sys/class/iommu shows in a guest that drives the model.
CLASSES = {"intel": r"dmar\d", "smmuv3": r"smmu3\.", "virtio": r"0000:00:", "amd": r"ivhd\d", "none": r"$"}

BOTH = tuple(ARCHES)
SUPPORTED = {"iommu": {"is-supported": True}}


def named(model, **more):
    return {"iommu": {"model": model}, **more}


def attributes(model, vcpus=1, **keys):
    return {"iommu": {"model": model, **keys}, "vcpus": vcpus}


# libvirt's attributes of an IOMMU's <driver>, and QEMU's names for them.
PROPERTIES = {"intremap": "intremap", "eim": "eim", "iotlb": "device-iotlb", "aw_bits": "aw-bits",
              "dma_translation": "dma-translation", "xtsup": "xtsup", "granule": "granule"}

# Where the guest kernel makes no difference, one is enough.
ONE = ["debian13"]
REMAPPED = {"intremap": "on", "eim": "on", "dma_translation": "off"}

# name: architectures, the request without its guest, and options:
#   order    the site's order, when it is not native
#   drivers  the guest is described by the drivers of its initramfs, not by its name
#   cloud    the guest has its release's kernel for clouds
#   kernels  the only kernels: others make no difference, and such guests start slowly
#   slow     the architectures on which --quick leaves it out: it takes minutes, needs files that
#            nothing else needs, or is decided as on the other architecture
#   driver   PROPERTIES that QEMU must have been given; of a granule, KiB
#   shows    what the guest must show, when it is not the model
ROWS = {
    "is-supported": (BOTH, SUPPORTED, {}),
    "intel": (BOTH, named("intel"), {}),
    "smmuv3": (BOTH, named("smmuv3"), {}),
    "virtio": (BOTH, named("virtio"), {}),
    "amd": (BOTH, named("amd"), {}),
    "none": (BOTH, {"iommu": {"is-supported": False}}, {}),
    "virtio order": (BOTH, SUPPORTED, {"order": "virtio", "drivers": True, "slow": ["aarch64"]}),
    "cloud": (BOTH, SUPPORTED, {"cloud": True, "slow": BOTH}),
    "virtio, cloud kernel": (BOTH, named("virtio"), {"cloud": True, "slow": BOTH}),
    "amd, cloud kernel": (("x86_64",), named("amd"), {"cloud": True, "slow": BOTH}),
    "without ACPI": (("aarch64",), {**SUPPORTED, "boot": {"firmware": "bios"}}, {}),
    "virtio, without ACPI": (("aarch64",), named("virtio", boot={"firmware": "bios"}), {"slow": ["aarch64"]}),
    "UEFI": (BOTH, {**SUPPORTED, "boot": {"firmware": "efi"}}, {"kernels": ONE}),
    "pc": (("x86_64",), {**SUPPORTED, "machine": "pc"}, {}),
    "intel, EIM": (("x86_64",), attributes("intel", eim=True), {"kernels": ONE, "driver": {"intremap": "on", "eim": "on"}}),
    "intel, without DMA translation": (("x86_64",), attributes("intel", **{"dma-translation": False}),
                                       {"kernels": ONE, "driver": {"dma_translation": "off"}, "shows": "none"}),
    "virtio, 48 address bits": (BOTH, attributes("virtio", **{"aw-bits": 48}),
                                {"kernels": ONE, "slow": ["aarch64"], "driver": {"aw_bits": "48"}}),
    "virtio, granule of 4 KiB": (BOTH, attributes("virtio", granule="4 KiB"),
                                 {"kernels": ONE, "slow": ["aarch64"], "driver": {"granule": "4"}}),
    "amd, interrupt remapping and IOTLB": (("x86_64",), attributes("amd", intremap=True, iotlb=True),
                                           {"kernels": ONE, "driver": {"intremap": "on", "iotlb": "on"}}),
    "256 vCPUs": (BOTH, {**SUPPORTED, "vcpus": 256}, {"kernels": ONE, "slow": ["aarch64"]}),
    "none, 256 vCPUs": (("x86_64",), {"iommu": {"is-supported": False}, "vcpus": 256}, {"kernels": ONE, "slow": ["x86_64"]}),
    "virtio, 256 vCPUs": (("x86_64",), named("virtio", vcpus=256), {"kernels": ONE, "slow": ["x86_64"]}),
    "amd, 256 vCPUs": (("x86_64",), named("amd", vcpus=256), {"kernels": ONE, "driver": {"xtsup": "on"}}),
    "intel, without DMA translation, 256 vCPUs": (("x86_64",), attributes("intel", vcpus=256, **{"dma-translation": False}),
                                                  {"kernels": ONE, "slow": ["x86_64"], "driver": REMAPPED, "shows": "none"}),
}


def cells(quick=False):
    """(arch, row, kernel) of each cell, in the order of the tables."""
    for arch in ARCHES:
        for row, (arches, _, how) in ROWS.items():
            for kernel in KERNELS:
                if arch in arches and kernel in how.get("kernels", KERNELS) and not (quick and arch in how.get("slow", [])):
                    yield arch, row, kernel


def flavour(row):
    return "-cloud" if ROWS[row][2].get("cloud") else ""


def guest_files(arch, row, kernel):
    """The guest's name in tests/qemu/guests.sh."""
    return f"{arch}-{kernel}{flavour(row)}"


def guest(arch, row, kernel):
    """The guest key of a cell's request."""
    system, has_virtio = KERNELS[kernel]
    if not ROWS[row][2].get("drivers"):
        return {"os": system + flavour(row)}
    return {"drivers": [ARCHES[arch][0]] + (["virtio"] if has_virtio else [])}


def candidates(row):
    """The models that may answer a row's request."""
    iommu = ROWS[row][1]["iommu"]
    return [iommu["model"]] if "model" in iommu else MODELS if iommu["is-supported"] else ["none"]


def shown(row, model, facts):
    """What is wrong with the facts that a guest printed, for a row's plan of this model; None
    when they are right."""
    groups, shows = int(facts.get("groups") or 0), ROWS[row][2].get("shows", model)
    if not re.match(CLASSES[shows], facts.get("iommu", "")):
        return f"the guest of a plan with '{model}' has '{facts.get('iommu', '')}' in /sys/class/iommu"
    if (groups > 0) != (shows != "none"):
        return f"the guest of a plan with '{model}' has {groups} IOMMU groups"
    return None


def not_given(row, arguments):
    """The row's properties that QEMU's arguments lack; libvirt drops unknown ones silently."""
    for attribute, value in ROWS[row][2].get("driver", {}).items():
        words = {"on": "(on|true)", "off": "(off|false)"}.get(value, value + ("k" if attribute == "granule" else ""))
        if not re.search(rf'\b{PROPERTIES[attribute]}"?[=:]"?{words}\b', arguments):
            yield f"{PROPERTIES[attribute]}={value}"

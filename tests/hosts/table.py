# SPDX-License-Identifier: LGPL-2.1-or-later
"""table: what the matrix asks for, on which host and of which guest; and what a guest must show for each model.
Knows no host, runs nothing: cells (in a host) and matrix (outside) read it."""
import re

# Hosts of tests/hosts/host, and how they are called.
RELEASES = {"debian11": "Debian 11 (bullseye)", "debian12": "Debian 12 (bookworm)", "debian13": "Debian 13 (trixie)",
            "testing": "Debian testing (forky)"}

# Kernels of the guests: what guest.os says of them, and whether tests/qemu/guests puts virtio-iommu into the initramfs
# (where the kernel has it).
KERNELS = {"debian11": ("debian11", False), "debian12": ("debian12", False), "debian13": ("debian13", True),
           "testing": ("debiantesting", True)}

# arch: the driver beside virtio that its kernels have, the serial console
ARCHES = {"x86_64": ("intel", "ttyS0"), "aarch64": ("smmuv3", "ttyAMA0")}

MODELS = ["intel", "smmuv3", "virtio", "amd"]

# /sys/class/iommu of a guest that drives the model.
CLASSES = {"intel": r"dmar\d", "smmuv3": r"smmu3\.", "virtio": r"0000:00:", "amd": r"ivhd\d", "none": r"$"}

BOTH = tuple(ARCHES)
SUPPORTED = {"iommu": {"is-supported": True}}


def named(model, **more):
    return {"iommu": {"model": model}, **more}


# name: architectures, the request beside its guest, and how it is asked:
#   order    the site's order, when it is not native
#   drivers  the guest is described by what its initramfs has, not by its name
#   kernels  the only kernels: another one changes nothing there, and such guests start slowly
#   slow     the architectures on which it takes minutes
ROWS = {
    "is-supported": (BOTH, SUPPORTED, {}),
    "intel": (BOTH, named("intel"), {}),
    "smmuv3": (BOTH, named("smmuv3"), {}),
    "virtio": (BOTH, named("virtio"), {}),
    "amd": (BOTH, named("amd"), {}),
    "none": (BOTH, {"iommu": {"is-supported": False}}, {}),
    "virtio order": (BOTH, SUPPORTED, {"order": "virtio", "drivers": True}),
    "without ACPI": (("aarch64",), {**SUPPORTED, "boot": {"firmware": "bios"}}, {}),
    "virtio, without ACPI": (("aarch64",), named("virtio", boot={"firmware": "bios"}), {}),
    "UEFI": (BOTH, {**SUPPORTED, "boot": {"firmware": "efi"}}, {"kernels": ["debian13"]}),
    "pc": (("x86_64",), {**SUPPORTED, "machine": "pc"}, {}),
    "256 vCPUs": (BOTH, {**SUPPORTED, "vcpus": 256}, {"kernels": ["debian13"], "slow": ["aarch64"]}),
    "virtio, 256 vCPUs": (("x86_64",), named("virtio", vcpus=256), {"kernels": ["debian13"]}),
    "amd, 256 vCPUs": (("x86_64",), named("amd", vcpus=256), {"kernels": ["debian13"]}),
}


def cells(quick=False):
    """(arch, row, kernel) of every cell, in the order of the tables."""
    for arch in ARCHES:
        for row, (arches, _, how) in ROWS.items():
            for kernel in KERNELS:
                if arch in arches and kernel in how.get("kernels", KERNELS) and not (quick and arch in how.get("slow", [])):
                    yield arch, row, kernel


def guest(arch, row, kernel):
    """The guest key of a cell's request."""
    system, has_virtio = KERNELS[kernel]
    if not ROWS[row][2].get("drivers"):
        return {"os": system}
    return {"drivers": [ARCHES[arch][0]] + (["virtio"] if has_virtio else [])}


def candidates(row):
    """The models that a row's request can be answered with."""
    model = ROWS[row][1]["iommu"].get("model")
    return [model] if model else MODELS


def shown(model, facts):
    """What is wrong with the facts that a guest printed, for a plan of this model; None when nothing is."""
    groups = int(facts.get("groups") or 0)
    if not re.match(CLASSES[model], facts.get("iommu", "")):
        return f"the guest of a plan with '{model}' has '{facts.get('iommu', '')}' in /sys/class/iommu"
    if (groups > 0) != (model != "none"):
        return f"the guest of a plan with '{model}' has {groups} IOMMU groups"
    return None

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/facts/facts.h"

#include <glib.h>
#include <string.h>

#define V(major, minor, micro) VIOMMU_VERSION_OF(major, minor, micro)

/* Sources, in the form that facts.h describes.  "measured" names the libvirt/QEMU pairs between
 * which real binaries changed their answer: those of tests/golden/hosts. */
static const ViommuFact facts[VIOMMU_FACT_LAST] = {
    [VIOMMU_FACT_INTEL] =
        {"model intel", V(2, 1, 0), V(2, 7, 0), V(2, 6, 24),
         "libvirt 7.0 src/qemu/qemu_validate.c (qemuValidateDomainDeviceDefIOMMU); QEMU 621d983a1f (-device, after 2.6); Linux 2.6.24 drivers/pci/intel-iommu.c; matrix: `intel`"},
    [VIOMMU_FACT_SMMUV3] =
        {"model smmuv3", V(5, 5, 0), V(3, 0, 0), V(4, 9, 0),
         "libvirt NEWS 5.5.0; libvirt 7.0 src/qemu/qemu_validate.c (qemuValidateDomainDeviceDefIOMMU); QEMU e24e345482; Linux 48ec83bcbcf5 (with the generic binding of 4.9); matrix: `smmuv3`"},
    [VIOMMU_FACT_VIRTIO_X86_64] =
        {"model virtio on x86_64", V(8, 3, 0), V(7, 0, 0), V(5, 14, 0),
         "libvirt NEWS 8.3.0; libvirt 9.0 src/qemu/qemu_validate.c (asks for boot-bypass, QEMU 7.0); measured: 8.0/6.2 refused, 9.0/7.2 accepted; Linux 5.14 drivers/acpi/viot.c; matrix: `virtio`"},
    [VIOMMU_FACT_VIRTIO_AARCH64] =
        {"model virtio on aarch64", V(8, 3, 0), V(7, 0, 0), V(5, 14, 0),
         "libvirt NEWS 8.3.0; libvirt 9.0 src/qemu/qemu_validate.c (asks for boot-bypass and ACPI); QEMU cf1a5cc935 (VIOT on virt); Linux 5.14 drivers/acpi/viot.c; matrix: `virtio`"},
    [VIOMMU_FACT_AMD] =
        {"model amd", V(11, 5, 0), V(10, 1, 0), V(2, 6, 27),
         "libvirt NEWS 11.5.0; measured: 11.3/10.0 refused, 11.6/10.1 accepted (amd-iommu.pci-id); Linux 2.6.27 arch/x86/kernel/amd_iommu.c; matrix: `amd`"},
    [VIOMMU_FACT_INTEL_INTREMAP] =
        {"intel intremap", V(3, 4, 0), V(2, 7, 0), 0,
         "libvirt 7.0 docs/formatdomain.rst (since 3.4.0); QEMU 621d983a1f; QEMU 5.2 hw/i386/x86-iommu.c (intremap)"},
    [VIOMMU_FACT_INTEL_EIM] =
        {"intel eim under KVM", V(3, 4, 0), V(2, 8, 0), 0,
         "libvirt 7.0 docs/formatdomain.rst (since 3.4.0); QEMU 5.2 hw/i386/intel_iommu.c (eim, property since 2.8)"},
    [VIOMMU_FACT_INTEL_EIM_TCG] =
        {"intel eim under TCG", V(3, 4, 0), V(9, 0, 0), 0,
         "QEMU 2cf1620529 (after 8.2, in 9.0); measured: 10.0/8.2 dies at start, 11.0/9.2 starts; matrix: `intel`, EIM"},
    [VIOMMU_FACT_INTEL_CACHING_MODE] =
        {"intel caching-mode", V(3, 4, 0), V(2, 9, 0), 0,
         "libvirt 7.0 docs/formatdomain.rst (since 3.4.0); QEMU 5.2 hw/i386/intel_iommu.c (caching-mode, property since 2.9); emulated: intel, without caching mode QEMU refuses the NIC"},
    [VIOMMU_FACT_INTEL_IOTLB] =
        {"intel iotlb", V(3, 5, 0), V(2, 9, 0), 0,
         "libvirt 7.0 docs/formatdomain.rst (since 3.5.0); QEMU 5.2 hw/i386/x86-iommu.c (device-iotlb, property since 2.9)"},
    [VIOMMU_FACT_INTEL_AW_BITS] =
        {"intel aw-bits", V(6, 5, 0), V(4, 0, 0), 0,
         "libvirt 7.0 docs/formatdomain.rst (since 6.5.0); QEMU 5.2 hw/i386/intel_iommu.c (aw-bits, property since 4.0)"},
    [VIOMMU_FACT_INTEL_DMA_TRANSLATION] =
        {"intel dma-translation", V(10, 7, 0), V(7, 1, 0), 0,
         "libvirt NEWS 10.7.0; libvirt 11.3 src/qemu/qemu_validate.c (dma_translation); QEMU 7.2 hw/i386/intel_iommu.c (dma-translation); measured: 10.0/8.2 dropped, 11.0/9.2 sent; matrix: `intel`, without DMA translation"},
    [VIOMMU_FACT_VIRTIO_AW_BITS] =
        {"virtio aw-bits", V(12, 1, 0), V(9, 0, 0), 0,
         "measured: 12.0/10.2 refused, 12.6/11.0 sent; libvirt 11.3 src/conf/domain_validate.c (refuses); QEMU 10.0 hw/virtio/virtio-iommu.c (aw-bits); matrix: `virtio`, 48 address bits"},
    [VIOMMU_FACT_VIRTIO_GRANULE] =
        {"virtio granule", V(12, 1, 0), V(9, 0, 0), 0,
         "libvirt NEWS 12.1.0; measured: 12.0/10.2 dropped, 12.6/11.0 sent; QEMU 10.0 hw/virtio/virtio-iommu.c (granule); matrix: `virtio`, granule of 4 KiB"},
    [VIOMMU_FACT_AMD_INTREMAP] =
        {"amd intremap", V(11, 5, 0), V(10, 1, 0), 0,
         "libvirt NEWS 11.5.0; measured: 11.6/10.1 sent; matrix: `amd`, interrupt remapping and IOTLB"},
    [VIOMMU_FACT_AMD_IOTLB] =
        {"amd iotlb", V(11, 5, 0), V(10, 1, 0), 0,
         "libvirt NEWS 11.5.0; measured: 11.6/10.1 sent; matrix: `amd`, interrupt remapping and IOTLB"},
    [VIOMMU_FACT_AMD_XTSUP] =
        {"amd xtsup", V(11, 5, 0), V(10, 1, 0), 0,
         "libvirt NEWS 11.5.0; measured: 11.6/10.1 sent; QEMU 10.0 hw/i386/amd_iommu.c (xtsup, property since 9.2); matrix: `amd`, 256 vCPUs"},
    [VIOMMU_FACT_AMD_MANY_VCPUS] =
        {"amd with more than 255 vCPUs", V(12, 2, 0), V(10, 1, 0), 0,
         "libvirt NEWS 12.2.0; measured: 11.6/10.1 refused, 12.6/11.0 accepted; matrix: `amd`, 256 vCPUs"},
    [VIOMMU_FACT_DEVICE_TRANSLATION] =
        {"virtio devices behind the IOMMU", V(3, 5, 0), V(2, 9, 0), 0,
         "libvirt 7.0 docs/formatdomain.rst (virtio driver iommu, since 3.5.0); QEMU 5.2 include/hw/virtio/virtio.h (iommu_platform); measured: 6.0/4.2 accepted"},
    [VIOMMU_FACT_FIRMWARE_EFI] =
        {"automatic choice of UEFI firmware", V(5, 2, 0), 0, 0,
         "libvirt NEWS 5.2.0; libvirt 7.0 src/qemu/qemu_firmware.c (qemuFirmwareFillDomain); matrix: `is-supported: true`, UEFI"},
    [VIOMMU_FACT_FIRMWARE_FEATURE] =
        {"firmware features", V(7, 2, 0), 0, 0,
         "libvirt NEWS 7.2.0; libvirt 9.0 src/conf/domain_conf.c (virDomainOsDefFirmwareFeature, not in 7.0); matrix: `is-supported: true`, UEFI"},
    [VIOMMU_FACT_FIRMWARE_STATEFUL] =
        {"firmware with a variable store", V(8, 6, 0), 0, 0,
         "libvirt 9.0 docs/formatdomain.rst (loader stateless, since 8.6.0); measured: 9.0, 11.3, 12.8 (with 12.8 and Debian testing's ovmf the automatic choice is else OVMF.amdsev.fd, which starts no kernel); matrix: `is-supported: true`, UEFI"},
    [VIOMMU_FACT_NVRAM_PATH] =
        {"UEFI variables in a file of a given name", V(9, 0, 0), 0, 0,
         "measured: 9.0, 11.3, 12.8 (made, used and removed with the domain); measured: 7.0 makes and uses it, and removes the one that has the domain's name instead"},
    [VIOMMU_FACT_SMMUV3_ACPI_TCG] =
        {"model smmuv3 with UEFI under TCG", V(5, 5, 0), V(6, 2, 0), 0,
         "QEMU 5.2 hw/arm/virt-acpi-build.c (no IORT without an ITS); QEMU 18f6290a6a (TCG's ITS, in 6.2); matrix: `is-supported: true`, UEFI"},
    [VIOMMU_FACT_VIRT_MANY_VCPUS_TCG] =
        {"virt with more than 123 vCPUs under TCG", V(1, 2, 16), V(6, 2, 0), 0,
         "libvirt 7.0 docs/formatdomain.rst (gic, since 1.2.16); QEMU e5cba10ee1 (several regions of redistributors, in 6.2); QEMU 5.2 hw/arm/virt.c (123 in one); matrix: `is-supported: true`, 256 vCPUs"},
    [VIOMMU_FACT_CPU_MAXIMUM] = {"cpu mode maximum", V(7, 1, 0), 0, 0,
                                 "libvirt NEWS 7.1.0; libvirt 9.0 src/conf/cpu_conf.c (maximum, not in 7.0)"},
    [VIOMMU_FACT_OPEN_DISK] =
        {"disks handed over open", V(9, 0, 0), 0, 0,
         "libvirt NEWS 9.0.0; libvirt 9.0 src/qemu/qemu_driver.c (qemuDomainFDAssociate); measured: 9.0/7.2 accepted"},
    [VIOMMU_FACT_OPEN_DISK_ATTACHED] =
        {"disks handed over open to a machine that runs", V(11, 3, 0), 0, 0,
         "measured: 11.3/10.0 accepted; measured: 9.0/7.2 does not pass the file on (QEMU: Could not dup FD for /dev/fdset/0)"},
    [VIOMMU_FACT_AGENT_NESTING] =
        {"a bound on how deep an agent's words are nested", V(10, 8, 0), 0, 0,
         "libvirt NEWS 10.8.0; measured: 9.0/7.2 dies of a million levels, asked or not, 11.3/10.0 refuses them (json-c has a bound, YAJL had none)"},
    [VIOMMU_FACT_INTEL_HOSTDEV] = {"intel before assigned devices",
                                   V(3, 4, 0), V(2, 10, 0), 0, "libvirt 7.0 docs/formatdomain.rst (caching_mode, since 3.4.0); QEMU 28cf553afe (asks for caching-mode); QEMU 5.2 hw/i386/intel_iommu.c (vtd_switch_address_space, since 2.10); emulated: intel, two NICs of two root complexes and an NVMe disk"},
    [VIOMMU_FACT_VIRTIO_HOSTDEV] =
        {"virtio before assigned devices", V(8, 3, 0), V(7, 1, 0), 0,
         "QEMU 90519b9053 (devices in bypass, after 7.0); libvirt 9.0 src/qemu/qemu_validate.c (as for model virtio); emulated: virtio, a NIC, pinged; emulated: virtio, two NICs and an NVMe disk: pinged; emulated: virtio, a NIC and an NVMe disk through iommufd"},
    [VIOMMU_FACT_SMMUV3_ACCEL] =
        {"smmuv3 before assigned devices (accel)", V(12, 7, 0), V(11, 0, 0), 0,
         "libvirt NEWS 12.7.0; measured: 12.0/10.2 dropped, 12.8/11.1 sent; QEMU 11.0 hw/arm/smmuv3-accel.c; QEMU 0d1ac82ece (every QEMU refuses without it); emulated: smmuv3, not accelerated: QEMU refuses the NIC; emulated: smmuv3, chosen, and accelerated: two NICs; Linux 6.13 drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c",
         V(6, 13, 0)},
    [VIOMMU_FACT_IOMMUFD] =
        {"assigned devices through iommufd", V(12, 1, 0), V(9, 0, 0), 0,
         "libvirt NEWS 12.1.0; QEMU 6e6d8ac62b (after 8.2, in 9.0); measured: 10.0/8.2 has no such object; emulated: none, two NICs behind two SMMUs of the host and an NVMe disk, through iommufd; emulated: intel, two NICs and an NVMe disk through iommufd; Linux 6.2 drivers/iommu/iommufd/main.c",
         V(6, 2, 0)},
    [VIOMMU_FACT_IOMMUFD_CDEV] =
        {"nodes of assigned devices in /dev/vfio/devices", V(12, 1, 0), V(9, 0, 0), 0,
         "libvirt NEWS 12.1.0; QEMU 6e6d8ac62b (after 8.2, in 9.0); Linux 6.6 drivers/vfio/device_cdev.c",
         V(6, 6, 0)},
    [VIOMMU_FACT_HOSTDEV_DRIVER] =
        {"choice of a device's VFIO driver", V(10, 0, 0), 0, 0,
         "libvirt NEWS 10.0.0; libvirt 11.3 src/util/virpci.c (virPCIDeviceFindBestVFIOVariant, not in 9.0)"},
    [VIOMMU_FACT_MEMLOCK_PER_DEVICE] =
        {"locked memory counted per device behind an IOMMU", V(8, 7, 0), 0, 0,
         "libvirt NEWS 8.7.0; libvirt 9.0 src/qemu/qemu_domain.c (qemuDomainGetMemLockLimitBytes, counts once in 7.0); emulated: intel, QEMU locks the guest's memory once for each of three devices until the guest translates"},
    [VIOMMU_FACT_KEPT_SOURCE] =
        {"images that keep their owners and labels", V(7, 0, 0), 0, 0,
         "libvirt 7.0 src/security/security_dac.c (virSecurityDACSetImageLabelInternal, relabel of each source); measured: 7.0/5.2, 9.0/7.2 (backing files, too)"},
    [VIOMMU_FACT_SMMUV3_RIL] =
        {"smmuv3 without range invalidation", V(12, 7, 0), V(11, 0, 0), 0,
         "libvirt NEWS 12.7.0; QEMU 11.0 hw/arm/smmuv3-accel.c (ril); measured: 12.8/11.1 the word off, which QEMU 11.0.3 takes"},
    [VIOMMU_FACT_SMMUV3_ACPI_NO_ITS] =
        {"model smmuv3 with UEFI on a virt machine without ITS", V(5, 5, 0), V(10, 2, 0), 0,
         "QEMU 5.2 hw/arm/virt-acpi-build.c (no IORT without an ITS); measured: 9.0/7.2 virt-2.7 has no IORT, virt-2.8 has one"},
    [VIOMMU_FACT_FW_CFG] = {"files in QEMU's fw_cfg", V(6, 5, 0), 0, 0,
                            "libvirt NEWS 6.5.0; measured: 9.0/7.2, 11.3/10.0 accepted"},
    [VIOMMU_FACT_VSOCK_TRANSLATION] =
        {"vsock behind the IOMMU", V(7, 1, 0), 0, 0,
         "libvirt 9.0 docs/formatdomain.rst (vsock, driver, since 7.1.0); Linux e13a6915a0 (vhost's IOTLB, in 5.11); measured: 9.0/7.2, 11.3/10.0 accepted; emulated: intel, systemd 257 in a guest without an agent tells over vsock",
         V(5, 11, 0)},
    [VIOMMU_FACT_VIRTIOFS] =
        {"virtiofs", V(7, 0, 0), 0, 0,
         "libvirt NEWS 6.2.0; measured: 6.0/4.2 no such driver, 7.0/5.2, 9.0/7.2 accepted (not tried between them, where libvirt needs NUMA cells)"},
    [VIOMMU_FACT_VIRTIOFS_USER] = {"virtiofs of a user's own libvirt", V(10, 0, 0), 0, 0,
                                   "libvirt NEWS 10.0.0; measured: 9.0/7.2 refused, 11.3/10.0 started"},
    [VIOMMU_FACT_VIRTIOFS_READ_ONLY] =
        {"virtiofs that the guest may only read", V(11, 3, 0), 0, 0,
         "measured: 9.0/7.2 refused, 11.3/10.0 accepted (nothing between them was tried)"},
    [VIOMMU_FACT_NETWORK_IGB] =
        {"networks of model igb", V(9, 3, 0), V(8, 0, 0), 0,
         "libvirt NEWS 9.3.0; QEMU 8.0 hw/net/igb.c; measured: 9.0/7.2 refused by QEMU, 11.3/10.0 and 12.8/11.1 started"},
    [VIOMMU_FACT_DISK_NVME] = {"disks on nvme", V(11, 5, 0), 0, 0,
                               "libvirt NEWS 11.5.0; measured: 11.3/10.0 refused, 12.8/11.1 started"},
    [VIOMMU_FACT_SEV] =
        {"launch security sev", V(8, 6, 0), V(6, 2, 0), 0,
         "libvirt 9.0 docs/formatdomain.rst (loader stateless, since 8.6.0); QEMU 6.2 target/i386/sev.c (sev-guest, kernel-hashes); measured: 12.8/11.1 converted, with the capabilities of such a host"},
    [VIOMMU_FACT_SEV_SNP] =
        {"launch security sev-snp", V(11, 8, 0), V(9, 1, 0), 0,
         "libvirt NEWS 11.8.0; QEMU 9.1 target/i386/sev.c (sev-snp-guest); measured: 9.0/7.2 no such type, 12.8/11.1 converted, with the capabilities of such a host"},
    [VIOMMU_FACT_TDX] =
        {"launch security tdx", V(11, 10, 0), V(10, 1, 0), 0,
         "libvirt NEWS 11.10.0; QEMU 10.1 target/i386/kvm/tdx.c (tdx-guest); measured: 11.3/10.0 no such type, 12.8/11.1 converted, with the capabilities of such a host (before 11.10, libvirt lists tdx for each QEMU that has it)"},
    [VIOMMU_FACT_VIRTIO_MEM] =
        {"memory by virtio-mem", V(9, 0, 0), V(7, 2, 0), 0,
         "libvirt NEWS 7.9.0; measured: 9.0/7.2, 11.3/10.0, 12.8/11.1 converted (nothing older was tried)"},
    [VIOMMU_FACT_VIRTIO_MEM_HOSTDEV] = {"memory by virtio-mem beside assigned devices", V(9, 0, 0),
                                        V(7, 2, 0), 0,
                                        "QEMU 7.2 hw/vfio/common.c (vfio_register_ram_discard_listener)"},
    [VIOMMU_FACT_VIRTIO_MEM_TRANSLATION] =
        {"virtio-mem behind the IOMMU", V(11, 9, 0), V(7, 2, 0), 0,
         "libvirt NEWS 11.9.0; measured: 11.3/10.0 refused, 12.8/11.1 converted"},
    [VIOMMU_FACT_CPU_ADDRESS_BITS] =
        {"physical address bits of the guest's CPU", V(8, 7, 0), 0, 0,
         "libvirt NEWS 8.7.0; libvirt 9.0 src/conf/schemas/cputypes.rng (cpuMaxPhysAddr); measured: 9.0/7.2, 12.8/11.1 converted"},
    [VIOMMU_FACT_CPU_ADDRESS_LIMIT] =
        {"a limit of the CPU's physical address bits", V(9, 3, 0), 0, 0,
         "libvirt NEWS 9.3.0; libvirt 11.3 src/conf/schemas/cputypes.rng (cpuMaxPhysAddr, limit, not in 9.0)"},
    [VIOMMU_FACT_SMMUV3_CMDQV] =
        {"command queues of accelerated smmuv3 (cmdqv)", V(12, 7, 0), V(11, 1, 0), 0,
         "libvirt NEWS 12.7.0; measured: 12.6/11.0 no such attribute, 12.8/11.1 defined"},
    [VIOMMU_FACT_DISK_NVME_STATE] =
        {"saving and migrating a guest with an nvme disk", V(11, 5, 0), V(11, 1, 0), 0,
         "QEMU 9d378cab53 (in 11.1); measured: 7.0/5.2, 9.0/7.2, 11.3/10.0 refused, 12.8/11.1 saved"},
    [VIOMMU_FACT_NETWORK_VHOSTUSER] =
        {"networks of type vhostuser", V(7, 0, 0), V(2, 10, 0), 0,
         "QEMU 6dcdd06e3b (the program's IOTLB, in 2.10); measured: 9.0/7.2 defined (as for virtiofs, memory is shared without NUMA cells from 7.0 on)"},
    [VIOMMU_FACT_NETWORK_VDPA] = {"networks of type vdpa", V(9, 0, 0), V(7, 2, 0), 0,
                                  "libvirt NEWS 6.9.0; measured: 9.0/7.2 defined (nothing older was tried)"},
    [VIOMMU_FACT_NETWORK_VDPA_TRANSLATION] =
        {"networks of type vdpa behind the IOMMU", V(9, 0, 0), V(8, 1, 0), 0,
         "QEMU bc7b0cac7b (in 8.1); measured: 9.0/7.2 defined, without a device"},
    [VIOMMU_FACT_SMMUV3_SEVERAL] =
        {"several smmuv3 (pciBus)", V(11, 10, 0), V(10, 2, 0), 0,
         "libvirt NEWS 11.10.0; measured: 11.6/10.1 dropped, 12.0/10.2 converted, 12.8/11.1 defined (QEMU 11.1 alone booted it)"},
};

static const char *const words[] = {
    "intel",
    "smmuv3",
    "virtio-x86_64",
    "virtio-aarch64",
    "amd",
    "intel-intremap",
    "intel-eim",
    "intel-eim-tcg",
    "intel-caching-mode",
    "intel-iotlb",
    "intel-aw-bits",
    "intel-dma-translation",
    "virtio-aw-bits",
    "virtio-granule",
    "amd-intremap",
    "amd-iotlb",
    "amd-xtsup",
    "amd-many-vcpus",
    "device-translation",
    "firmware-efi",
    "firmware-feature",
    "firmware-stateful",
    "nvram-path",
    "smmuv3-acpi-tcg",
    "virt-many-vcpus-tcg",
    "cpu-maximum",
    "open-disk",
    "open-disk-attached",
    "agent-nesting",
    "intel-hostdev",
    "virtio-hostdev",
    "smmuv3-accel",
    "iommufd",
    "iommufd-cdev",
    "hostdev-driver",
    "memlock-per-device",
    "kept-source",
    "smmuv3-ril",
    "smmuv3-acpi-no-its",
    "fw-cfg",
    "vsock-translation",
    "virtiofs",
    "virtiofs-user",
    "virtiofs-read-only",
    "network-igb",
    "disk-nvme",
    "sev",
    "sev-snp",
    "tdx",
    "virtio-mem",
    "virtio-mem-hostdev",
    "virtio-mem-translation",
    "cpu-address-bits",
    "cpu-address-limit",
    "smmuv3-cmdqv",
    "disk-nvme-state",
    "network-vhostuser",
    "network-vdpa",
    "network-vdpa-translation",
    "smmuv3-several",
};
G_STATIC_ASSERT(G_N_ELEMENTS(words) == VIOMMU_FACT_LAST);
/* ViommuEmulator keeps a bit for each. */
G_STATIC_ASSERT(VIOMMU_FACT_LAST <= 64);
const ViommuEnum viommu_enum_fact = {.noun = "fact", .words = words, .last = VIOMMU_FACT_LAST};

const ViommuFact *viommu_fact(ViommuFactId id)
{
    return &facts[id];
}

char *viommu_fact_needs(ViommuFactId id)
{
    g_autofree char *libvirt = viommu_version_format_short(facts[id].libvirt);
    g_autofree char *qemu = facts[id].qemu ? viommu_version_format_short(facts[id].qemu) : NULL;

    return g_strconcat("libvirt ", libvirt, qemu ? " and QEMU " : "", qemu ? qemu : "", " or newer", NULL);
}

char *viommu_fact_had(ViommuFactId id, ViommuVersion libvirt, ViommuVersion qemu)
{
    g_autofree char *has_libvirt = viommu_version_format(libvirt), *has_qemu = viommu_version_format(qemu);
    bool both = facts[id].qemu != 0;

    return g_strconcat("this host has libvirt ", has_libvirt, both ? " and QEMU " : "", both ? has_qemu : "",
                       NULL);
}

char *viommu_fact_kernel(ViommuFactId id, bool of_host)
{
    g_autofree char *version =
        viommu_version_format_short(of_host ? facts[id].host_kernel : facts[id].guest_kernel);

    return g_strconcat("Linux ", version, NULL);
}

bool viommu_fact_holds(ViommuFactId id, ViommuVersion libvirt, ViommuVersion qemu)
{
    return libvirt >= facts[id].libvirt && qemu >= facts[id].qemu;
}

/* libvirt source 7.0, 9.0, 11.3 (qemu_capabilities.c) and NEWS 10.6, 12.4. */
static const struct {
    ViommuVersion libvirt, qemu;
} floors[] = {
    {V(12, 4, 0), V(7, 2, 0)}, {V(11, 3, 0), V(6, 2, 0)}, {V(10, 6, 0), V(5, 2, 0)},
    {V(9, 0, 0), V(4, 2, 0)},  {0, V(1, 5, 0)},
};

ViommuVersion viommu_fact_qemu_floor(ViommuVersion libvirt)
{
    for (size_t i = 0; i < G_N_ELEMENTS(floors); i++)
        if (libvirt >= floors[i].libvirt)
            return floors[i].qemu;
    return 0;
}

static const ViommuFlaw flaws[] = {
    [VIOMMU_FLAW_VHOST_UNMAP] =
        {"vhost does not hear of what the guest unmaps behind intel",
         {{V(6, 0, 0), V(7, 2, 1)}},
         "QEMU b68ba1ca57 (in 6.0); QEMU 09adb0e021 (in 8.0 and 7.2.1); measured: 8.0/6.2 0 of 118 delivered, 9.0/7.2 all"},
    [VIOMMU_FLAW_VHOST_DEVICE_IOTLB] =
        {"vhost does not hear of what the guest unmaps behind intel with a device IOTLB",
         {{V(6, 0, 0), V(7, 2, 5)}, {V(8, 0, 0), V(8, 1, 0)}},
         "QEMU ee071f67f7 (in 8.1 and 7.2.5); measured: 8.0/6.2 54 of 134 sent and 0 delivered"},
    [VIOMMU_FLAW_SMMUV3_RIL] = {"accelerated smmuv3 needs range invalidation of the host's SMMU",
                                {{V(11, 0, 0), V(11, 1, 0)}},
                                "QEMU 11.0 hw/arm/smmuv3-accel.c (ril is on, and auto in 11.1)"},
    [VIOMMU_FLAW_VHOSTUSER_TCG] =
        {"a guest that uses MSI of a vhost-user device ends QEMU under TCG",
         {{V(7, 2, 0), V(10, 0, 0)}},
         "measured: 9.0/7.2 ends, 11.3/10.0 answers pings (nothing else was tried)"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(flaws) == VIOMMU_FLAW_LAST);

const ViommuFlaw *viommu_flaw(ViommuFlawId id)
{
    return &flaws[id];
}

/* The index of the range that contains @qemu, or the number of ranges. */
static size_t range_of(ViommuFlawId id, ViommuVersion qemu)
{
    size_t i = 0;

    while (i < G_N_ELEMENTS(flaws[id].qemu) &&
           (qemu < flaws[id].qemu[i].from || qemu >= flaws[id].qemu[i].before))
        i++;
    return i;
}

bool viommu_flaw_is_in(ViommuFlawId id, ViommuVersion qemu)
{
    return range_of(id, qemu) < G_N_ELEMENTS(flaws[id].qemu);
}

char *viommu_flaw_range(ViommuFlawId id, ViommuVersion qemu)
{
    size_t i = range_of(id, qemu);
    g_autofree char *from = viommu_version_format_short(flaws[id].qemu[i].from);
    g_autofree char *before = viommu_version_format_short(flaws[id].qemu[i].before);

    return g_strdup_printf("QEMU from %s on and before %s", from, before);
}

/* QEMU e0001297eb (1024, machine 8.1), e4e98c7eeb (4096, machine 9.0), 00d0f9fd66 (288, machine
 * 2.8), hw/arm/virt.c (512 from 3.0 on, with GICv3), hw/i386/pc.c (255); tried on 9.0/7.2. */
static const struct {
    ViommuFamily family;
    ViommuVersion machine;
    uint64_t max_vcpus;
} vcpu_limits[] = {
    {VIOMMU_FAMILY_Q35, V(9, 0, 0), 4096}, {VIOMMU_FAMILY_Q35, V(8, 1, 0), 1024},
    {VIOMMU_FAMILY_Q35, V(2, 8, 0), 288},  {VIOMMU_FAMILY_Q35, 0, 255},
    {VIOMMU_FAMILY_VIRT, V(3, 0, 0), 512}, {VIOMMU_FAMILY_VIRT, 0, 255},
    {VIOMMU_FAMILY_I440FX, 0, 255},
};

uint64_t viommu_fact_max_vcpus(ViommuFamily family, ViommuVersion machine)
{
    for (size_t i = 0; i < G_N_ELEMENTS(vcpu_limits); i++)
        if (vcpu_limits[i].family == family && machine >= vcpu_limits[i].machine)
            return vcpu_limits[i].max_vcpus;
    return 0;
}

/* A release candidate (11.0.91) has the machines of the next release. */
#define CANDIDATE 50
/* QEMU 3dfa5a5c71 (in 10.1): a major release is a year, and a machine version lives for six. */
#define YEARS 6

bool viommu_fact_machine_is_later(ViommuVersion machine, ViommuVersion qemu)
{
    return machine / 1000 > qemu / 1000 && qemu % 1000 < CANDIDATE;
}

bool viommu_fact_machine_is_removed(ViommuVersion machine, ViommuVersion qemu)
{
    return machine && qemu >= V(10, 1, 0) && machine / 1000 <= (qemu - V(YEARS, 0, 0)) / 1000;
}

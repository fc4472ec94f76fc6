/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* address-space: how far the guest's physical addresses reach, and whether the windows of its
 * assigned devices fit: a firmware puts large ones as high as the CPU allows, where a narrow IOMMU
 * of the host cannot map them. */
#include "lib/base/quantity.h"
#include "lib/facts/facts.h"
#include "lib/plan/build.h"

/* What OVMF keeps for 64-bit windows; since edk2-stable202211 an eighth of what the CPU's address
 * bits reach, where that is more: edk2 OvmfPkg/Library/PlatformInitLib/MemDetect.c
 * (PlatformDynamicMmioWindow). */
#define USUAL_WINDOW   (32 * VIOMMU_GIB)
#define FIRMWARE_SHARE 8
/* More than any host's devices have. */
#define MOST_WINDOW (UINT64_C(16) << 40)
/* OVMF uses no more address bits than this, since the guest's page tables have four levels. */
#define MOST_FIRMWARE_BITS 48

static bool has_x86_firmware(const ViommuPlan *plan)
{
    return plan->arch == VIOMMU_ARCH_X86_64 && plan->firmware == VIOMMU_FIRMWARE_EFI;
}

/* The address bits that the host's IOMMUs of the assigned devices, its CPU and the guest's have;
 * VIOMMU_UNSET_NUMBER: not known. */
static uint64_t usable_bits(const ViommuPlanBuild *build)
{
    uint64_t host = MIN(build->plan->placement.width_bits, build->input->host->topology.cpu_address_bits);

    return MIN(host, build->plan->address_bits);
}

/* Of the assigned devices together. */
static uint64_t large_windows(const ViommuPlanBuild *build)
{
    const ViommuPlacement *placement = &build->plan->placement;
    uint64_t sum = 0;

    for (guint i = 0; i < placement->devices->len; i++) {
        const ViommuPlacedDevice *placed = g_ptr_array_index(placement->devices, i);
        const ViommuPciDevice *device =
            viommu_topology_device(&build->input->host->topology, placed->address);

        if (device && device->large_bar_bytes != VIOMMU_UNSET_NUMBER)
            sum = MIN(sum + device->large_bar_bytes, MOST_WINDOW);
    }
    return sum;
}

/* Each window is aligned to its own size, which is a power of two, so twice the sum is enough. */
static uint64_t window_for(uint64_t bytes)
{
    uint64_t window = USUAL_WINDOW;

    while (window < 2 * bytes && window < MOST_WINDOW)
        window *= 2;
    return window;
}

static uint64_t reach_of(uint64_t bits)
{
    return bits < 63 ? UINT64_C(1) << bits : UINT64_MAX;
}

static bool settle_window(ViommuPlanBuild *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    uint64_t bytes = large_windows(build), window = window_for(bytes), bits = usable_bits(build);
    uint64_t room = reach_of(bits);
    g_autofree char *size = viommu_quantity_format(bytes), *given = viommu_quantity_format(window);

    if (bytes == 0)
        return true;
    if (room / 2 < window || room / 2 < plan->memory_max_bytes)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_WINDOW, error,
            "the assigned devices have windows (BARs) of %s, for which the guest needs %s of addresses beside its memory, but this host's IOMMU, its CPU or the guest's has %" G_GUINT64_FORMAT
            " address bits; assign fewer devices, or make the windows smaller (for many GPUs: resizable BAR, in the host's firmware)",
            size, given, bits);
    if (!has_x86_firmware(plan) || window == USUAL_WINDOW)
        return true;
    /* libvirt keeps the names below opt/ovmf/ of fw_cfg for itself: src/qemu/qemu_validate.c. */
    viommu_plan_note(
        build,
        "the assigned devices have windows (BARs) of %s: UEFI firmware since edk2-stable202211 has room for them, and an older one has 32 GiB, of which libvirt cannot make it give more; if the guest does not see them, upgrade the host's firmware, or use boot.firmware 'bios'",
        size);
    return true;
}

static void settle_limit(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    uint64_t width = plan->placement.width_bits, cpu = build->input->host->topology.cpu_address_bits;
    bool said = plan->address_bits != VIOMMU_UNSET_NUMBER;
    bool narrow = width < MOST_FIRMWARE_BITS && (cpu == VIOMMU_UNSET_NUMBER || cpu > width);

    if (!has_x86_firmware(plan) || plan->accelerator != VIOMMU_ACCELERATOR_KVM || !narrow)
        return;
    if (said && plan->address_bits > width)
        viommu_plan_warn(
            build,
            "cpu.address-bits is %" G_GUINT64_FORMAT ", but the host's IOMMU translates %" G_GUINT64_FORMAT
            " bits, and UEFI firmware may put a device's window (BAR) above that, where another device cannot reach it; ask for %" G_GUINT64_FORMAT,
            plan->address_bits, width, width);
    if (said)
        return;
    if (!viommu_emulator_has(build->emulator, build->input->host->libvirt, VIOMMU_FACT_CPU_ADDRESS_LIMIT)) {
        g_autofree char *needs = viommu_fact_needs(VIOMMU_FACT_CPU_ADDRESS_LIMIT);

        viommu_plan_warn(
            build,
            "the host's IOMMU translates %" G_GUINT64_FORMAT
            " bits, and UEFI firmware may put a device's window (BAR) above that, where another device cannot reach it; the guest's CPU can be limited only with %s",
            width, needs);
        return;
    }
    plan->address_limit = width;
    viommu_plan_note(
        build,
        "the guest's CPU has at most %" G_GUINT64_FORMAT
        " physical address bits, as the host's IOMMU translates, so that the firmware puts no device's window (BAR) above that",
        width);
}

/* Once the limit is settled: the firmware goes by what the guest's CPU says. */
static bool check_firmware(ViommuPlanBuild *build, GError **error)
{
    const ViommuPlan *plan = build->plan;
    uint64_t cpu = MIN(build->input->host->topology.cpu_address_bits, plan->address_limit);
    uint64_t bits = MIN(cpu, plan->address_bits), bytes = large_windows(build);
    uint64_t most = MAX(USUAL_WINDOW, reach_of(bits) / FIRMWARE_SHARE);
    g_autofree char *size = viommu_quantity_format(bytes), *kept = viommu_quantity_format(most);

    return !has_x86_firmware(plan) || bytes <= most ||
           viommu_plan_refuse(
               build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_WINDOW, error,
               "the assigned devices have windows (BARs) of %s, but UEFI firmware keeps at most %s for them, an eighth of what %" G_GUINT64_FORMAT
               " address bits reach; set boot.firmware to 'bios', or assign fewer devices",
               size, kept, bits);
}

bool viommu_plan_settle_address_space(ViommuPlanBuild *build, GError **error)
{
    build->plan->address_bits = build->request->cpu.address_bits;
    build->plan->address_limit = VIOMMU_UNSET_NUMBER;
    if (build->plan->placement.devices->len == 0)
        return true;
    if (!settle_window(build, error))
        return false;
    settle_limit(build);
    return check_firmware(build, error);
}

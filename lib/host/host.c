/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/host/host.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/fields.h"
#include "lib/base/pci-address.h"

static const ViommuField limit_fields[] = {
    {"max-vcpus", VIOMMU_FIELD_NUMBER, offsetof(ViommuMachineLimit, max_vcpus), .min = 1, .required = true},
    {"machines", VIOMMU_FIELD_WORDS, offsetof(ViommuMachineLimit, machines), .required = true},
};
static const ViommuFields limit_table = {limit_fields, G_N_ELEMENTS(limit_fields), sizeof(ViommuMachineLimit),
                                         -1};

static const ViommuField emulator_fields[] = {
    {"arch", VIOMMU_FIELD_STRING, offsetof(ViommuEmulator, arch_name), .required = true},
    {"qemu", VIOMMU_FIELD_VERSION, offsetof(ViommuEmulator, qemu), .required = true},
    {"accelerators", VIOMMU_FIELD_SET, offsetof(ViommuEmulator, accelerators),
     .words = &viommu_enum_accelerator, .required = true},
    {"path", VIOMMU_FIELD_STRING, offsetof(ViommuEmulator, path)},
    /* Release 0.1.0 wrote an empty list for an emulator without listed machines. */
    {"machines", VIOMMU_FIELD_WORDS, offsetof(ViommuEmulator, machines), .may_be_empty = true},
    {"firmware", VIOMMU_FIELD_SET, offsetof(ViommuEmulator, firmware), .words = &viommu_enum_firmware},
    {"accepts", VIOMMU_FIELD_SET, offsetof(ViommuEmulator, accepts), .words = &viommu_enum_fact},
    {"refuses", VIOMMU_FIELD_SET, offsetof(ViommuEmulator, refuses), .words = &viommu_enum_fact},
    {"max-vcpus", VIOMMU_FIELD_NUMBER, offsetof(ViommuEmulator, max_vcpus), .min = 1},
    {"machine-limits", VIOMMU_FIELD_LIST, offsetof(ViommuEmulator, machine_limits), .fields = &limit_table,
     .max = 64},
    {"vfio", VIOMMU_FIELD_FLAG, offsetof(ViommuEmulator, vfio)},
    {"iommufd", VIOMMU_FIELD_FLAG, offsetof(ViommuEmulator, iommufd)},
    {"user-network", VIOMMU_FIELD_FLAG, offsetof(ViommuEmulator, user_network)},
    {"passt", VIOMMU_FIELD_FLAG, offsetof(ViommuEmulator, passt)},
    {"gic-versions", VIOMMU_FIELD_WORDS, offsetof(ViommuEmulator, gic_versions)},
    {"sev", VIOMMU_FIELD_FLAG, offsetof(ViommuEmulator, launch_security[VIOMMU_LAUNCH_SECURITY_SEV])},
    {"sev-snp", VIOMMU_FIELD_FLAG, offsetof(ViommuEmulator, launch_security[VIOMMU_LAUNCH_SECURITY_SEV_SNP])},
    {"tdx", VIOMMU_FIELD_FLAG, offsetof(ViommuEmulator, launch_security[VIOMMU_LAUNCH_SECURITY_TDX])},
};
static const ViommuFields emulator_table = {emulator_fields, G_N_ELEMENTS(emulator_fields),
                                            sizeof(ViommuEmulator), -1};

static const ViommuField secmodel_fields[] = {
    {"model", VIOMMU_FIELD_STRING, offsetof(ViommuSecmodel, model), .required = true},
    {"label", VIOMMU_FIELD_STRING, offsetof(ViommuSecmodel, label)},
};
static const ViommuFields secmodel_table = {secmodel_fields, G_N_ELEMENTS(secmodel_fields),
                                            sizeof(ViommuSecmodel), -1};

static const ViommuField host_fields[] = {
    {"libvirt", VIOMMU_FIELD_VERSION, offsetof(ViommuHost, libvirt), .required = true},
    {"arch", VIOMMU_FIELD_STRING, offsetof(ViommuHost, arch_name)},
    {"emulators", VIOMMU_FIELD_LIST, offsetof(ViommuHost, emulators), .fields = &emulator_table, .max = 64,
     .required = true},
    {"host-iommu", VIOMMU_FIELD_FLAG, offsetof(ViommuHost, has_iommu)},
    {"memory", VIOMMU_FIELD_SIZE, offsetof(ViommuHost, memory_bytes)},
    {"page-size", VIOMMU_FIELD_SIZE, offsetof(ViommuHost, page_bytes), .min = 4096},
    {"unprivileged", VIOMMU_FIELD_FLAG, offsetof(ViommuHost, unprivileged)},
    {"locked-memory-limit", VIOMMU_FIELD_SIZE, offsetof(ViommuHost, locked_memory_bytes)},
    {"secmodels", VIOMMU_FIELD_LIST, offsetof(ViommuHost, secmodels), .fields = &secmodel_table, .max = 16},
    {"kvm", VIOMMU_FIELD_ENUM, offsetof(ViommuHost, kvm), .words = &viommu_enum_kvm},
    {"kvm-reason", VIOMMU_FIELD_STRING, offsetof(ViommuHost, kvm_reason)},
    {"topology", VIOMMU_FIELD_DICT, offsetof(ViommuHost, topology), .fields = &viommu_topology_fields},
    {"site", VIOMMU_FIELD_DICT, offsetof(ViommuHost, site), .fields = &viommu_site_record_fields},
};
static const ViommuFields host_table = {host_fields, G_N_ELEMENTS(host_fields), sizeof(ViommuHost), -1};

static void limit_free(void *data)
{
    viommu_fields_clear(&limit_table, data);
    g_free(data);
}

static void emulator_free(void *data)
{
    viommu_fields_clear(&emulator_table, data);
    g_free(data);
}

static void secmodel_free(void *data)
{
    viommu_fields_clear(&secmodel_table, data);
    g_free(data);
}

ViommuHost *viommu_host_new(void)
{
    ViommuHost *host = g_new0(ViommuHost, 1);

    viommu_fields_init(&host_table, host);
    return host;
}

void viommu_host_free(ViommuHost *host)
{
    if (!host)
        return;
    viommu_fields_clear(&host_table, host);
    g_free(host);
}

ViommuEmulator *viommu_host_add_emulator(ViommuHost *host)
{
    ViommuEmulator *emulator = g_new0(ViommuEmulator, 1);

    viommu_fields_init(&emulator_table, emulator);
    emulator->arch = VIOMMU_UNSET;
    if (!host->emulators)
        host->emulators = g_ptr_array_new_with_free_func(emulator_free);
    g_ptr_array_add(host->emulators, emulator);
    return emulator;
}

void viommu_host_add_secmodel(ViommuHost *host, const char *model, const char *label)
{
    ViommuSecmodel *added = g_new0(ViommuSecmodel, 1);

    added->model = g_strdup(model);
    added->label = g_strdup(label);
    if (!host->secmodels)
        host->secmodels = g_ptr_array_new_with_free_func(secmodel_free);
    g_ptr_array_add(host->secmodels, added);
}

void viommu_host_set_kvm(ViommuHost *host, const ViommuKvmVerdict *verdict)
{
    host->kvm = verdict ? (int)verdict->kvm : VIOMMU_UNSET;
    g_free(host->kvm_reason);
    host->kvm_reason = verdict ? g_strdup(verdict->reason) : NULL;
}

/* "auto" belongs in requests; a recording has real accelerators. */
static bool check_emulator(const ViommuEmulator *emulator, GError **error)
{
    if (!(emulator->accelerators & VIOMMU_BIT(VIOMMU_ACCELERATOR_AUTO)) &&
        !(emulator->firmware & VIOMMU_BIT(VIOMMU_FIRMWARE_AUTO)))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "recorded host: the emulator for '%s' lists 'auto' as an accelerator or firmware; list those that it has",
        emulator->arch_name);
}

static bool check_device(const ViommuPciDevice *device, GError **error)
{
    ViommuPciAddress address;

    if (viommu_pci_address_parse(device->address, &address))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "recorded host: '%s' is not a PCI address; write it as lspci -D shows it: 0000:65:00.0",
        device->address);
}

ViommuHost *viommu_host_from_variant(GVariant *tree, GError **error)
{
    g_autoptr(ViommuHost) host = viommu_host_new();

    if (!viommu_fields_read(&host_table, tree, "", host, error)) {
        g_prefix_error(error, "recorded host: ");
        return NULL;
    }
    for (guint i = 0; i < host->emulators->len; i++) {
        ViommuEmulator *emulator = g_ptr_array_index(host->emulators, i);

        emulator->arch = viommu_enum_from_string(&viommu_enum_arch, emulator->arch_name);
        if (!check_emulator(emulator, error))
            return NULL;
    }
    for (guint i = 0; host->topology.devices && i < host->topology.devices->len; i++)
        if (!check_device(g_ptr_array_index(host->topology.devices, i), error))
            return NULL;
    return g_steal_pointer(&host);
}

GVariant *viommu_host_to_variant(const ViommuHost *host)
{
    return viommu_fields_write(&host_table, host);
}

GVariant *viommu_host_software_to_variant(const ViommuHost *host)
{
    ViommuHost software = *host;

    software.topology.present = false;
    return viommu_host_to_variant(&software);
}

const ViommuEmulator *viommu_host_emulator(const ViommuHost *host, ViommuArch arch)
{
    for (guint i = 0; host->emulators && i < host->emulators->len; i++) {
        const ViommuEmulator *emulator = g_ptr_array_index(host->emulators, i);

        if (emulator->arch == (int)arch)
            return emulator;
    }
    return NULL;
}

bool viommu_host_offers_kvm(const ViommuHost *host)
{
    int arch = viommu_host_arch(host);
    const ViommuEmulator *own = arch == VIOMMU_UNSET ? NULL : viommu_host_emulator(host, (ViommuArch)arch);

    return own && own->accelerators & VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM);
}

const ViommuSecmodel *viommu_host_secmodel(const ViommuHost *host, const char *model)
{
    for (guint i = 0; host->secmodels && i < host->secmodels->len; i++) {
        const ViommuSecmodel *secmodel = g_ptr_array_index(host->secmodels, i);

        if (g_str_equal(secmodel->model, model))
            return secmodel;
    }
    return NULL;
}

bool viommu_host_confines(const ViommuHost *host)
{
    return viommu_host_secmodel(host, "apparmor") || viommu_host_secmodel(host, "selinux");
}

/* libvirt writes numbers with a "+" before them. */
uint64_t viommu_host_qemu_group(const ViommuHost *host)
{
    const ViommuSecmodel *dac = viommu_host_secmodel(host, "dac");
    const char *colon = dac && dac->label ? strchr(dac->label, ':') : NULL;
    guint64 gid;

    if (colon &&
        g_ascii_string_to_unsigned(colon + (colon[1] == '+' ? 2 : 1), 10, 0, UINT32_MAX - 1, &gid, NULL))
        return gid;
    return VIOMMU_UNSET_NUMBER;
}

int viommu_host_arch(const ViommuHost *host)
{
    if (host->arch_name)
        return viommu_enum_from_string(&viommu_enum_arch, host->arch_name);
    if (host->emulators && host->emulators->len > 0)
        return ((const ViommuEmulator *)g_ptr_array_index(host->emulators, 0))->arch;
    return VIOMMU_UNSET;
}

ViommuMachineLimit *viommu_emulator_add_limit(ViommuEmulator *emulator)
{
    ViommuMachineLimit *limit = g_new0(ViommuMachineLimit, 1);

    if (!emulator->machine_limits)
        emulator->machine_limits = g_ptr_array_new_with_free_func(limit_free);
    g_ptr_array_add(emulator->machine_limits, limit);
    return limit;
}

uint64_t viommu_emulator_machine_vcpus(const ViommuEmulator *emulator, const char *machine)
{
    for (guint i = 0; emulator->machine_limits && i < emulator->machine_limits->len; i++) {
        const ViommuMachineLimit *limit = g_ptr_array_index(emulator->machine_limits, i);

        if (g_strv_contains((const char *const *)limit->machines, machine))
            return limit->max_vcpus;
    }
    return VIOMMU_UNSET_NUMBER;
}

uint64_t viommu_host_page_bytes(const ViommuHost *host)
{
    if (viommu_host_arch(host) == VIOMMU_ARCH_X86_64)
        return VIOMMU_X86_PAGE_BYTES;
    return host->page_bytes != VIOMMU_UNSET_NUMBER ? host->page_bytes : host->topology.page_bytes;
}

uint64_t viommu_host_likely_page_bytes(const ViommuHost *host)
{
    uint64_t bytes = viommu_host_page_bytes(host);

    return bytes == VIOMMU_UNSET_NUMBER ? VIOMMU_X86_PAGE_BYTES : bytes;
}

bool viommu_emulator_has(const ViommuEmulator *emulator, ViommuVersion libvirt, ViommuFactId id)
{
    uint64_t bit = VIOMMU_BIT(id);

    if ((emulator->accepts | emulator->refuses) & bit)
        return emulator->accepts & bit;
    return viommu_fact_holds(id, libvirt, emulator->qemu);
}

bool viommu_emulator_has_firmware(const ViommuEmulator *emulator, ViommuFirmware firmware)
{
    /* On aarch64 "bios" means no firmware, which needs nothing on the host. */
    if (!emulator->firmware || (emulator->arch == VIOMMU_ARCH_AARCH64 && firmware == VIOMMU_FIRMWARE_BIOS))
        return true;
    return emulator->firmware & VIOMMU_BIT(firmware);
}

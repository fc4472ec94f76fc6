/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/request.h"

#include "lib/base/quantity.h"
#include "lib/request/request-check.h"
#include "lib/request/seed-check.h"

VIOMMU_ENUM_DEFINE(wait, "phase to wait for", VIOMMU_WAIT_LAST, "planned", "started", "ready", "verified");
VIOMMU_ENUM_DEFINE(level, "level of a proof", VIOMMU_LEVEL_LAST, "present", "translating", "isolating");
VIOMMU_ENUM_DEFINE(bind, "bond", VIOMMU_BIND_LAST, "none", "client");
VIOMMU_ENUM_DEFINE(disk_format, "disk format", VIOMMU_DISK_FORMAT_LAST, "raw", "qcow2");
VIOMMU_ENUM_DEFINE(disk_bus, "disk bus", VIOMMU_DISK_BUS_LAST, "virtio", "scsi", "sata", "nvme");
VIOMMU_ENUM_DEFINE(network_type, "network type", VIOMMU_NETWORK_TYPE_LAST, "user", "network", "bridge",
                   "vhostuser", "vdpa");
VIOMMU_ENUM_DEFINE(network_model, "network model", VIOMMU_NETWORK_MODEL_LAST, "virtio", "e1000e", "igb");
VIOMMU_ENUM_DEFINE(device, "kind of device", VIOMMU_DEVICE_LAST, "rng", "balloon", "gpu", "keyboard", "mouse",
                   "tablet", "scsi");
VIOMMU_ENUM_DEFINE(seed_by, "kind of seed", VIOMMU_SEED_BY_LAST, "cloud-init", "credentials", "ignition");
VIOMMU_ENUM_DEFINE(share_type, "kind of share", VIOMMU_SHARE_TYPE_LAST, "virtiofs", "9p");
VIOMMU_ENUM_DEFINE(memory_hotplug, "way of plugging in memory", VIOMMU_MEMORY_HOTPLUG_LAST, "dimm",
                   "virtio-mem");
VIOMMU_ENUM_DEFINE(iommufd, "use of iommufd", VIOMMU_IOMMUFD_LAST, "auto", "yes", "no");

#define IN(dict, member) (offsetof(ViommuRequest, dict.member) - offsetof(ViommuRequest, dict))

/* Far above any machine, and small enough that the sum of several sizes fits 64 bits. */
#define SIZE_LIMIT (UINT64_C(1) << 56)

static const ViommuField cpu_fields[] = {
    {"vendor", VIOMMU_FIELD_ENUM, IN(cpu, vendor), .words = &viommu_enum_cpu_vendor},
    {"virtualization", VIOMMU_FIELD_FLAG, IN(cpu, virtualization)},
    {"address-bits", VIOMMU_FIELD_NUMBER, IN(cpu, address_bits), .min = 36, .max = 52},
};
static const ViommuFields cpu_table = {cpu_fields, G_N_ELEMENTS(cpu_fields), 0, -1};

static const ViommuField launch_fields[] = {
    {"type", VIOMMU_FIELD_ENUM, IN(launch_security, type), .words = &viommu_enum_launch_security,
     .required = true},
    {"policy", VIOMMU_FIELD_NUMBER, IN(launch_security, policy), .max = UINT32_MAX},
};
static const ViommuFields launch_table = {launch_fields, G_N_ELEMENTS(launch_fields), 0, -1};

static const ViommuField backing_fields[] = {
    {"page-size", VIOMMU_FIELD_SIZE, IN(memory_backing, page_size_bytes), .min = 4096, .max = SIZE_LIMIT},
    {"locked", VIOMMU_FIELD_FLAG, IN(memory_backing, locked)},
};
static const ViommuFields backing_table = {backing_fields, G_N_ELEMENTS(backing_fields), 0, -1};

#define MODEL_HINT "use \"intel\", \"smmuv3\", \"virtio\", \"amd\", \"auto\", \"any\" or \"none\""

static const ViommuField iommu_fields[] = {
    {"is-supported", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, is_supported), .conditions = true},
    {"model", VIOMMU_FIELD_WORDS, offsetof(ViommuRequestIommu, model), .hint = MODEL_HINT},
    {"model-name", VIOMMU_FIELD_WORDS, offsetof(ViommuRequestIommu, model_name), .hint = MODEL_HINT},
    {"required", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, required)},
    {"translate", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, translate)},
    {"intremap", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, intremap)},
    {"eim", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, eim)},
    {"caching-mode", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, caching_mode)},
    {"iotlb", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, iotlb)},
    {"aw-bits", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestIommu, aw_bits), .min = 32, .max = 64},
    {"dma-translation", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, dma_translation)},
    {"granule", VIOMMU_FIELD_STRING, offsetof(ViommuRequestIommu, granule),
     .hint = "use \"host\", \"4 KiB\", \"8 KiB\", \"16 KiB\" or \"64 KiB\""},
    {"count", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestIommu, count), .min = 1, .max = VIOMMU_IOMMUS_MAX},
    {"ats", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, ats)},
    {"ril", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, ril)},
    {"cmdqv", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestIommu, cmdqv)},
    {"ssidsize", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestIommu, ssidsize), .max = 20},
    {"oas", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestIommu, oas), .min = 44, .max = 48},
};
static const ViommuFields iommu_table = {iommu_fields, G_N_ELEMENTS(iommu_fields), 0,
                                         offsetof(ViommuRequestIommu, present)};

static const ViommuField guest_fields[] = {
    {"os", VIOMMU_FIELD_STRING, IN(guest, os),
     .hint = "use a name such as \"debian12\", see viommuctl facts"},
    {"kernel", VIOMMU_FIELD_VERSION, IN(guest, kernel)},
    {"drivers", VIOMMU_FIELD_WORDS, IN(guest, drivers),
     .hint = "use \"intel\", \"smmuv3\", \"virtio\" or \"amd\""},
    {"agent", VIOMMU_FIELD_FLAG, IN(guest, agent)},
    {"vsock", VIOMMU_FIELD_FLAG, IN(guest, vsock)},
};
static const ViommuFields guest_table = {guest_fields, G_N_ELEMENTS(guest_fields), 0, -1};

static const ViommuField boot_fields[] = {
    {"kernel", VIOMMU_FIELD_FILE, IN(boot, kernel)},
    {"initrd", VIOMMU_FIELD_FILE, IN(boot, initrd)},
    {"cmdline", VIOMMU_FIELD_STRING, IN(boot, cmdline)},
    {"extend-cmdline", VIOMMU_FIELD_FLAG, IN(boot, extend_cmdline)},
    {"firmware", VIOMMU_FIELD_ENUM, IN(boot, firmware), .words = &viommu_enum_firmware},
    {"secure-boot", VIOMMU_FIELD_FLAG, IN(boot, secure_boot)},
};
static const ViommuFields boot_table = {boot_fields, G_N_ELEMENTS(boot_fields), 0, -1};

static const ViommuField seed_fields[] = {
    {"by", VIOMMU_FIELD_ENUM, offsetof(ViommuRequestSeed, by), .words = &viommu_enum_seed_by},
    {"ssh-keys", VIOMMU_FIELD_WORDS, offsetof(ViommuRequestSeed, ssh_keys), .max = VIOMMU_SEED_KEYS_MAX,
     .hint = "give public keys, as in a file that ends in .pub", .refuse = viommu_seed_refuse_private},
    {"user", VIOMMU_FIELD_STRING, offsetof(ViommuRequestSeed, user)},
    {"user-data", VIOMMU_FIELD_FILE, offsetof(ViommuRequestSeed, user_data)},
    {"hostname", VIOMMU_FIELD_STRING, offsetof(ViommuRequestSeed, hostname)},
};
static const ViommuFields seed_table = {seed_fields, G_N_ELEMENTS(seed_fields), 0,
                                        offsetof(ViommuRequestSeed, present)};

/* Each disk but that of an image needs a path and a format: request-check.c. */
static const ViommuField disk_fields[] = {
    {"path", VIOMMU_FIELD_FILE, offsetof(ViommuRequestDisk, file)},
    {"format", VIOMMU_FIELD_ENUM, offsetof(ViommuRequestDisk, format), .words = &viommu_enum_disk_format},
    {"bus", VIOMMU_FIELD_ENUM, offsetof(ViommuRequestDisk, bus), .words = &viommu_enum_disk_bus},
    {"read-only", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestDisk, read_only)},
    {"translate", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestDisk, translate)},
    {"ats", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestDisk, ats)},
    {"overlay", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestDisk, overlay)},
    {"size", VIOMMU_FIELD_SIZE, offsetof(ViommuRequestDisk, size_bytes), .min = VIOMMU_MIB,
     .max = SIZE_LIMIT},
    {"size-min", VIOMMU_FIELD_SIZE, offsetof(ViommuRequestDisk, size_min_bytes), .min = VIOMMU_MIB,
     .max = SIZE_LIMIT},
    {"size-max", VIOMMU_FIELD_SIZE, offsetof(ViommuRequestDisk, size_max_bytes), .min = VIOMMU_MIB,
     .max = SIZE_LIMIT},
    {"boot-order", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestDisk, boot_order), .min = 1,
     .max = VIOMMU_BOOT_ORDER_MAX},
    {"digest", VIOMMU_FIELD_STRING, offsetof(ViommuRequestDisk, digest),
     .hint = "use \"sha256:\" and the 64 hexadecimal digits that sha256sum prints"},
};
static const ViommuFields disk_table = {disk_fields, G_N_ELEMENTS(disk_fields), sizeof(ViommuRequestDisk),
                                        -1};

static const ViommuField network_fields[] = {
    {"type", VIOMMU_FIELD_ENUM, offsetof(ViommuRequestNetwork, type), .words = &viommu_enum_network_type,
     .required = true},
    {"source", VIOMMU_FIELD_STRING, offsetof(ViommuRequestNetwork, source)},
    {"model", VIOMMU_FIELD_ENUM, offsetof(ViommuRequestNetwork, model), .words = &viommu_enum_network_model},
    {"translate", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestNetwork, translate)},
    {"ats", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestNetwork, ats)},
    {"boot-order", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestNetwork, boot_order), .min = 1,
     .max = VIOMMU_BOOT_ORDER_MAX},
    {"forward", VIOMMU_FIELD_NUMBERS, offsetof(ViommuRequestNetwork, forward), .min = 1, .max = UINT16_MAX,
     .max_entries = VIOMMU_FORWARDS_MAX, .hint = "give TCP ports of the guest"},
};
static const ViommuFields network_table = {network_fields, G_N_ELEMENTS(network_fields),
                                           sizeof(ViommuRequestNetwork), -1};

static const ViommuField device_fields[] = {
    {"kind", VIOMMU_FIELD_ENUM, offsetof(ViommuRequestDevice, kind), .words = &viommu_enum_device,
     .required = true},
    {"translate", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestDevice, translate)},
    {"ats", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestDevice, ats)},
};
static const ViommuFields device_table = {device_fields, G_N_ELEMENTS(device_fields),
                                          sizeof(ViommuRequestDevice), -1};

static const ViommuField hostdev_fields[] = {
    {"address", VIOMMU_FIELD_STRING, offsetof(ViommuRequestHostdev, address)},
    {"name", VIOMMU_FIELD_STRING, offsetof(ViommuRequestHostdev, name)},
    {"vendor", VIOMMU_FIELD_STRING, offsetof(ViommuRequestHostdev, vendor),
     .hint = "four hexadecimal digits as text, such as \"8086\""},
    {"device", VIOMMU_FIELD_STRING, offsetof(ViommuRequestHostdev, device),
     .hint = "four hexadecimal digits as text, such as \"1572\""},
    {"count", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestHostdev, count), .min = 1,
     .max = VIOMMU_HOSTDEVS_MAX},
    {"iommufd", VIOMMU_FIELD_ENUM, offsetof(ViommuRequestHostdev, iommufd), .words = &viommu_enum_iommufd},
    {"driver", VIOMMU_FIELD_STRING, offsetof(ViommuRequestHostdev, driver),
     .hint = "use the name of a kernel driver, such as \"mlx5_vfio_pci\""},
    {"boot-order", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestHostdev, boot_order), .min = 1,
     .max = VIOMMU_BOOT_ORDER_MAX},
    {"rombar", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestHostdev, rombar)},
    {"mac", VIOMMU_FIELD_STRING, offsetof(ViommuRequestHostdev, mac),
     .hint = "write it like \"52:54:00:12:34:56\""},
    {"vlan", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequestHostdev, vlan), .min = 1, .max = VIOMMU_VLAN_MAX},
};
static const ViommuFields hostdev_table = {hostdev_fields, G_N_ELEMENTS(hostdev_fields),
                                           sizeof(ViommuRequestHostdev), -1};

static const ViommuField share_fields[] = {
    {"path", VIOMMU_FIELD_STRING, offsetof(ViommuRequestShare, path), .required = true},
    {"tag", VIOMMU_FIELD_STRING, offsetof(ViommuRequestShare, tag), .required = true},
    {"read-only", VIOMMU_FIELD_FLAG, offsetof(ViommuRequestShare, read_only)},
    {"type", VIOMMU_FIELD_ENUM, offsetof(ViommuRequestShare, type), .words = &viommu_enum_share_type},
};
static const ViommuFields share_table = {share_fields, G_N_ELEMENTS(share_fields), sizeof(ViommuRequestShare),
                                         -1};

static const ViommuField lease_fields[] = {
    {"seconds", VIOMMU_FIELD_NUMBER, IN(lease, seconds), .min = 1, .max = VIOMMU_LEASE_SECONDS_MAX},
    {"bind", VIOMMU_FIELD_ENUM, IN(lease, bind), .words = &viommu_enum_bind},
};
static const ViommuFields lease_table = {lease_fields, G_N_ELEMENTS(lease_fields), 0, -1};

static const ViommuField verify_fields[] = {
    {"level", VIOMMU_FIELD_ENUM, IN(verify, level), .words = &viommu_enum_level},
};
static const ViommuFields verify_table = {verify_fields, G_N_ELEMENTS(verify_fields), 0, -1};

static const ViommuField request_fields[] = {
    {"name", VIOMMU_FIELD_STRING, offsetof(ViommuRequest, name)},
    {"image", VIOMMU_FIELD_STRING, offsetof(ViommuRequest, image)},
    {"arch", VIOMMU_FIELD_STRING, offsetof(ViommuRequest, arch), .hint = "use \"x86_64\" or \"aarch64\""},
    {"machine", VIOMMU_FIELD_STRING, offsetof(ViommuRequest, machine),
     .hint = "use \"q35\", \"virt\" or the like"},
    {"accelerator", VIOMMU_FIELD_ENUM, offsetof(ViommuRequest, accelerator),
     .words = &viommu_enum_accelerator},
    {"vcpus", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequest, vcpus), .min = 1, .max = UINT32_MAX},
    {"vcpus-present", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequest, vcpus_present), .min = 1,
     .max = UINT32_MAX},
    {"cpu", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, cpu), .fields = &cpu_table},
    {"launch-security", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, launch_security), .fields = &launch_table},
    {"memory", VIOMMU_FIELD_SIZE, offsetof(ViommuRequest, memory_bytes), .min = VIOMMU_MIB,
     .max = SIZE_LIMIT},
    {"memory-max", VIOMMU_FIELD_SIZE, offsetof(ViommuRequest, memory_max_bytes), .min = VIOMMU_MIB,
     .max = SIZE_LIMIT},
    {"memory-hotplug", VIOMMU_FIELD_ENUM, offsetof(ViommuRequest, memory_hotplug),
     .words = &viommu_enum_memory_hotplug},
    {"memory-backing", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, memory_backing), .fields = &backing_table},
    {"iommu", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, iommu), .fields = &iommu_table,
     .hint = "a machine has at most one IOMMU"},
    {"guest", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, guest), .fields = &guest_table},
    {"boot", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, boot), .fields = &boot_table},
    {"seed", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, seed), .fields = &seed_table},
    {"disks", VIOMMU_FIELD_LIST, offsetof(ViommuRequest, disks), .fields = &disk_table, .max = 16},
    {"networks", VIOMMU_FIELD_LIST, offsetof(ViommuRequest, networks), .fields = &network_table, .max = 8},
    {"devices", VIOMMU_FIELD_LIST, offsetof(ViommuRequest, devices), .fields = &device_table,
     .max = VIOMMU_DEVICE_LAST},
    {"hostdevs", VIOMMU_FIELD_LIST, offsetof(ViommuRequest, hostdevs), .fields = &hostdev_table,
     .max = VIOMMU_HOSTDEVS_MAX},
    {"shares", VIOMMU_FIELD_LIST, offsetof(ViommuRequest, shares), .fields = &share_table,
     .max = VIOMMU_SHARES_MAX},
    {"hotplug-ports", VIOMMU_FIELD_NUMBER, offsetof(ViommuRequest, hotplug_ports), .max = 16},
    {"lease", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, lease), .fields = &lease_table},
    {"wait", VIOMMU_FIELD_ENUM, offsetof(ViommuRequest, wait), .words = &viommu_enum_wait},
    {"verify", VIOMMU_FIELD_DICT, offsetof(ViommuRequest, verify), .fields = &verify_table},
    {"request-id", VIOMMU_FIELD_STRING, offsetof(ViommuRequest, request_id)},
};
const ViommuFields viommu_request_fields = {request_fields, G_N_ELEMENTS(request_fields),
                                            sizeof(ViommuRequest), -1};

static char *take_fingerprint(const ViommuRequest *request)
{
    ViommuRequest anonymous = *request; /* borrows everything */
    g_autofree char *text = NULL;

    anonymous.request_id = NULL;
    text = viommu_request_text(&anonymous);
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
}

ViommuRequest *viommu_request_parse(GVariant *tree, GError **error)
{
    g_autoptr(ViommuRequest) request = g_new0(ViommuRequest, 1);

    viommu_fields_init(&viommu_request_fields, request);
    if (!viommu_fields_read(&viommu_request_fields, tree, "", request, error) ||
        !viommu_request_check(request, error))
        return NULL;
    request->fingerprint = take_fingerprint(request);
    return g_steal_pointer(&request);
}

void viommu_request_free(ViommuRequest *request)
{
    if (!request)
        return;
    viommu_fields_clear(&viommu_request_fields, request);
    g_free(request->fingerprint);
    g_free(request->text);
    g_clear_pointer(&request->fds, g_array_unref);
    g_free(request);
}

ViommuRequestDisk *viommu_request_disk_new(void)
{
    ViommuRequestDisk *disk = g_new0(ViommuRequestDisk, 1);

    viommu_fields_init(&disk_table, disk);
    return disk;
}

const char *viommu_request_seed_user(const ViommuRequestSeed *seed)
{
    return seed->user ? seed->user : "root";
}

char *viommu_request_text(const ViommuRequest *request)
{
    return request->text ? g_strdup(request->text) : viommu_fields_text(&viommu_request_fields, request);
}

char *viommu_request_fingerprint(const ViommuRequest *request)
{
    return g_strdup(request->fingerprint);
}

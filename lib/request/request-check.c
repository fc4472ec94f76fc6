/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/request-check.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/facts/guest-os.h"
#include "lib/base/names.h"
#include "lib/base/did-you-mean.h"
#include "lib/base/pci-address.h"
#include "lib/base/quantity.h"
#include "lib/request/boot-order.h"
#include "lib/request/hostdev-network.h"
#include "lib/request/network-check.h"
#include "lib/request/seed-check.h"
#include "lib/request/translate.h"
#include "lib/request/selector.h"
#include "lib/host/site.h"

/* Known architectures without an IOMMU, and the reason. */
static const struct {
    const char *name, *why;
} other_archs[] = {
    {"riscv64", "QEMU has a riscv-iommu, but no libvirt release has a model for it"},
    {"riscv32", "no libvirt release has an IOMMU model for it"},
    {"s390x", "it uses channel I/O, for which libvirt has no IOMMU model"},
    {"ppc64", "the hypervisor itself translates DMA there, and libvirt has no IOMMU model for it"},
    {"ppc64le", "the hypervisor itself translates DMA there, and libvirt has no IOMMU model for it"},
    {"ppc", "no libvirt release has an IOMMU model for it"},
    {"i686", "use x86_64, which also runs 32-bit guests"},
    {"i386", "use x86_64, which also runs 32-bit guests"},
    {"armv7l", "use aarch64: the IOMMU models need its firmware and PCI bus"},
    {"armv6l", "use aarch64: the IOMMU models need its firmware and PCI bus"},
    {"arm", "use aarch64: the IOMMU models need its firmware and PCI bus"},
    {"loongarch64", "no libvirt release has an IOMMU model for it"},
    {"mips64el", "no libvirt release has an IOMMU model for it"},
    {"sparc64", "no libvirt release has an IOMMU model for it"},
    {"m68k", "no libvirt release has an IOMMU model for it"},
};

bool viommu_request_name_is_valid(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= VIOMMU_NAME_MAX && name[0] != '-' && name[length - 1] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static bool check_name(const ViommuRequest *request, GError **error)
{
    if (!request->name || viommu_request_name_is_valid(request->name))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "name '%.64s' is not valid; use lower-case letters, digits and hyphens, no hyphen at either end, at most %u characters",
        request->name, VIOMMU_NAME_MAX);
}

static bool check_arch(const ViommuRequest *request, GError **error)
{
    const char *near;

    if (!request->arch || viommu_enum_from_string(&viommu_enum_arch, request->arch) != VIOMMU_UNSET)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(other_archs); i++)
        if (g_str_equal(other_archs[i].name, request->arch))
            return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                               "arch '%s' is not supported: %s; viommud supports x86_64 and aarch64",
                               request->arch, other_archs[i].why);
    near = viommu_nearest(request->arch, viommu_enum_arch.words, VIOMMU_ARCH_LAST);
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "arch '%s' is not known; %s%s%s", request->arch,
                       near ? "did you mean '" : "use x86_64 or aarch64", near ? near : "", near ? "'?" : "");
}

static bool check_request_id(const ViommuRequest *request, GError **error)
{
    if (!request->request_id || strlen(request->request_id) <= 128)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                       "request-id has %zu characters; at most 128 are allowed", strlen(request->request_id));
}

/* The name of an open file is not the caller's choice. */
static bool check_file(const char *key, const ViommuFile *file, GError **error)
{
    if (!file->path || file->path[0] == '/' || file->handle != VIOMMU_UNSET)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s '%s' is not an absolute path", key,
                       file->path);
}

static bool check_boot(const ViommuRequest *request, GError **error)
{
    if (!check_file("boot.kernel", &request->boot.kernel, error) ||
        !check_file("boot.initrd", &request->boot.initrd, error))
        return false;
    if (!request->boot.kernel.path && (request->boot.initrd.path || request->boot.cmdline))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "boot.%s applies to a direct kernel boot only; give boot.kernel, too",
                           request->boot.initrd.path ? "initrd" : "cmdline");
    if (!request->boot.kernel.path && request->boot.extend_cmdline == 1)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "boot.extend-cmdline applies to a direct kernel boot only; give boot.kernel, too");
    if (request->boot.secure_boot == 1 && request->boot.firmware == VIOMMU_FIRMWARE_BIOS)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "boot.secure-boot is true, but boot.firmware is 'bios'; set boot.firmware to 'efi'");
    return true;
}

static bool check_launch_security(const ViommuRequest *request, GError **error)
{
    const char *odd = request->boot.firmware == VIOMMU_FIRMWARE_BIOS ? "boot.firmware is 'bios'"
                      : request->boot.secure_boot == 1               ? "boot.secure-boot is true"
                                                                     : NULL;

    if (request->launch_security.type == VIOMMU_UNSET || !odd)
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "launch-security needs a UEFI firmware that is made for it and stores nothing, but %s; omit one of the two",
        odd);
}

bool viommu_request_image_is_valid(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= VIOMMU_IMAGE_NAME_MAX && name[0] != '.' && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == length;
}

bool viommu_request_digest_is_valid(const char *digest)
{
    return g_str_has_prefix(digest, VIOMMU_DIGEST_PREFIX) &&
           strlen(digest) == strlen(VIOMMU_DIGEST_PREFIX) + 64 &&
           strspn(digest + strlen(VIOMMU_DIGEST_PREFIX), "0123456789abcdef") == 64;
}

static bool check_digest(const ViommuRequestDisk *disk, guint i, GError **error)
{
    if (!disk->digest || viommu_request_digest_is_valid(disk->digest))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "disks[%u].digest '%.80s' is not valid; write 'sha256:' and the 64 hexadecimal digits that sha256sum prints, in lower case",
        i, disk->digest);
}

/* The file of an image's disk is the image's. */
static bool check_image_disk(const ViommuRequest *request, const ViommuRequestDisk *disk, GError **error)
{
    const char *odd = disk->file.path                   ? "path"
                      : disk->format != VIOMMU_UNSET    ? "format"
                      : disk->overlay != VIOMMU_UNSET   ? "overlay"
                      : disk->read_only != VIOMMU_UNSET ? "read-only"
                                                        : NULL;

    if (!odd)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                       "disks[0].%s contradicts image '%s', whose disk is the first one; omit one of the two",
                       odd, request->image);
}

static bool check_size(const ViommuRequestDisk *disk, guint i, GError **error)
{
    bool is_min = disk->size_min_bytes != VIOMMU_UNSET_NUMBER,
         is_max = disk->size_max_bytes != VIOMMU_UNSET_NUMBER;

    if (disk->size_bytes != VIOMMU_UNSET_NUMBER && (is_min || is_max))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "disks[%u].size is exact, so disks[%u].size-%s means nothing; omit one of the two",
                           i, i, is_min ? "min" : "max");
    if (is_min && is_max && disk->size_min_bytes > disk->size_max_bytes)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "disks[%u].size-min is larger than disks[%u].size-max", i, i);
    return true;
}

static bool check_plain_disk(const ViommuRequestDisk *disk, guint i, GError **error)
{
    const struct {
        const char *key;
        uint64_t bytes;
    } sizes[] = {
        {"size", disk->size_bytes}, {"size-min", disk->size_min_bytes}, {"size-max", disk->size_max_bytes}};
    g_autofree char *key = g_strdup_printf("disks[%u].path", i);

    if (!disk->file.path)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s is missing; it must be a string%s", key,
                           i == 0 ? ", unless 'image' names the image whose disk this is" : "");
    if (disk->format == VIOMMU_UNSET)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "disks[%u].format is missing; it must be one of raw, qcow2", i);
    if (!check_file(key, &disk->file, error))
        return false;
    if (disk->overlay == 1 && disk->read_only == 1)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "disks[%u].overlay is for what the guest writes, but disks[%u].read-only is true; omit one of the two",
            i, i);
    for (size_t k = 0; disk->overlay != 1 && k < G_N_ELEMENTS(sizes); k++)
        if (sizes[k].bytes != VIOMMU_UNSET_NUMBER)
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "disks[%u].%s is the size of an overlay, but disks[%u].overlay is not true; set it, or omit the size",
                i, sizes[k].key, i);
    return true;
}

static bool check_disks(const ViommuRequest *request, GError **error)
{
    if (request->image && !viommu_request_image_is_valid(request->image))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "image '%.64s' is not valid; use letters, digits, '.', '_', '+' and '-', at most %u characters, the first one neither '.' nor '-'",
            request->image, VIOMMU_IMAGE_NAME_MAX);
    for (guint i = 0; request->disks && i < request->disks->len; i++) {
        const ViommuRequestDisk *disk = g_ptr_array_index(request->disks, i);
        bool of_image = request->image && i == 0;

        if (!check_digest(disk, i, error) || !check_size(disk, i, error) ||
            (!of_image && !check_plain_disk(disk, i, error)))
            return false;
        if (of_image && !request->image_is_known && !check_image_disk(request, disk, error))
            return false;
    }
    return true;
}

static bool check_share(const ViommuRequestShare *share, guint i, GError **error)
{
    size_t length = strlen(share->tag);

    if (share->path[0] != '/')
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "shares[%u].path '%s' is not an absolute path", i, share->path);
    if (length <= VIOMMU_SHARE_TAG_MAX && g_ascii_isalnum(share->tag[0]) &&
        strspn(share->tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length)
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "shares[%u].tag '%.64s' is not valid; use letters, digits, '.', '_' and '-', first a letter or a digit, at most %u characters",
        i, share->tag, VIOMMU_SHARE_TAG_MAX);
}

static bool check_shares(const ViommuRequest *request, GError **error)
{
    for (guint i = 0; request->shares && i < request->shares->len; i++) {
        const ViommuRequestShare *share = g_ptr_array_index(request->shares, i);

        if (!check_share(share, i, error))
            return false;
        for (guint j = 0; j < i; j++)
            if (g_str_equal(((const ViommuRequestShare *)g_ptr_array_index(request->shares, j))->tag,
                            share->tag))
                return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                                   "shares[%u] and shares[%u] have the same tag '%s'; rename one", j, i,
                                   share->tag);
    }
    return true;
}

static bool is_identity(const char *text)
{
    return strlen(text) == 4 && strspn(text, "0123456789abcdef") == 4;
}

static bool check_hostdev_name(const ViommuRequestHostdev *hostdev, guint i, GError **error)
{
    if (hostdev->vendor || hostdev->device)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "hostdevs[%u] has a name and a %s; give either a name, or a vendor and a device", i,
                    hostdev->vendor ? "vendor" : "device");
    else if (!viommu_site_name_is_valid(hostdev->name))
        viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "hostdevs[%u].name '%.64s' is not valid; use a letter, then letters, digits, - and _, at most %u characters",
            i, hostdev->name, VIOMMU_SITE_NAME_MAX);
    else
        return true;
    return false;
}

static bool check_hostdev_form(const ViommuRequestHostdev *hostdev, guint i, GError **error)
{
    const char *odd = NULL;
    ViommuPciAddress address;

    if (hostdev->address) {
        odd = hostdev->name                           ? "name"
              : hostdev->vendor                       ? "vendor"
              : hostdev->device                       ? "device"
              : hostdev->count != VIOMMU_UNSET_NUMBER ? "count"
                                                      : NULL;
        if (odd)
            viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                        "hostdevs[%u] has an address and a %s; remove one of the two", i, odd);
        else if (!viommu_pci_address_parse(hostdev->address, &address))
            viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "hostdevs[%u].address '%s' is not valid; write it like 0000:65:00.0, in lower case (see lspci -D)",
                i, hostdev->address);
        else
            return true;
        return false;
    }
    if (hostdev->name)
        return check_hostdev_name(hostdev, i, error);
    if (!hostdev->vendor || !hostdev->device)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "hostdevs[%u] needs an address, or a vendor and a device, or a name", i);
    odd = !is_identity(hostdev->vendor)   ? hostdev->vendor
          : !is_identity(hostdev->device) ? hostdev->device
                                          : NULL;
    if (odd)
        viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "hostdevs[%u].%s '%s' is not valid; write four hexadecimal digits in lower case (see lspci -n)",
            i, odd == hostdev->vendor ? "vendor" : "device", odd);
    return !odd;
}

static bool same_hostdev(const ViommuRequestHostdev *a, const ViommuRequestHostdev *b)
{
    return g_strcmp0(a->address, b->address) == 0 && g_strcmp0(a->name, b->name) == 0 &&
           g_strcmp0(a->vendor, b->vendor) == 0 && g_strcmp0(a->device, b->device) == 0;
}

static bool check_hostdev_driver(const char *driver, guint i, GError **error)
{
    if (!driver || (strlen(driver) < 64 &&
                    strspn(driver, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
                        strlen(driver)))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "hostdevs[%u].driver '%.64s' is not valid; give the name of a kernel driver, such as mlx5_vfio_pci",
        i, driver);
}

static bool check_hostdevs(const ViommuRequest *request, GError **error)
{
    uint64_t n = 0;

    for (guint i = 0; request->hostdevs && i < request->hostdevs->len; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(request->hostdevs, i);

        if (!check_hostdev_form(hostdev, i, error) || !check_hostdev_driver(hostdev->driver, i, error))
            return false;
        for (guint j = 0; j < i; j++)
            if (same_hostdev(g_ptr_array_index(request->hostdevs, j), hostdev))
                return viommu_fail(
                    error, VIOMMU_ERROR_INVALID_REQUEST, "hostdevs[%u] and hostdevs[%u] name the same %s", j,
                    i, hostdev->address ? "device; remove one" : "kind of device; use count instead");
        n += hostdev->count == VIOMMU_UNSET_NUMBER ? 1 : hostdev->count;
    }
    if (n > VIOMMU_HOSTDEVS_MAX)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "hostdevs has %" G_GUINT64_FORMAT " devices; at most %u are allowed", n,
                           VIOMMU_HOSTDEVS_MAX);
    return true;
}

static bool check_guest(const ViommuRequest *request, GError **error)
{
    for (char **word = request->guest.drivers; word && *word; word++) {
        const char *near;

        if (viommu_guest_os_driver_model(*word) != VIOMMU_UNSET)
            continue;
        near = viommu_nearest(*word, viommu_enum_model.words, VIOMMU_MODEL_LAST);
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST, "guest.drivers: '%s' is not an IOMMU driver; %s%s%s", *word,
            near ? "did you mean '" : "use intel, smmuv3, virtio or amd", near ? near : "", near ? "'?" : "");
    }
    if (request->wait == VIOMMU_WAIT_READY && request->guest.agent == 0 && request->guest.vsock != 1)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "wait 'ready' needs the guest's agent, but guest.agent is false; set it to true, set guest.vsock to true for a guest with systemd, or wait for 'started'");
    if (request->wait == VIOMMU_WAIT_VERIFIED && request->guest.agent == 0 && !request->boot.kernel.path)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "wait 'verified' needs the guest's agent, but guest.agent is false; set it to true, or boot by boot.kernel, which lets viommud read the guest's console instead");
    if (request->wait == VIOMMU_WAIT_VERIFIED && request->iommu.dma_translation == 0)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "wait 'verified' needs DMA translation, but iommu.dma-translation is false: such an IOMMU only remaps interrupts, and the guest has no IOMMU groups to show");
    return true;
}

static bool check_vcpus(const ViommuRequest *request, GError **error)
{
    if (request->vcpus_present == VIOMMU_UNSET_NUMBER)
        return true;
    if (request->vcpus == VIOMMU_UNSET_NUMBER)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "vcpus-present needs vcpus, the number that the guest can have; set vcpus, too");
    if (request->vcpus_present > request->vcpus)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "vcpus-present %" G_GUINT64_FORMAT " is more than vcpus %" G_GUINT64_FORMAT
                           ", the number that the guest can have; change one of the two",
                           request->vcpus_present, request->vcpus);
    return true;
}

static bool check_memory_backing(const ViommuRequest *request, GError **error)
{
    uint64_t page = request->memory_backing.page_size_bytes;

    if (request->memory_hotplug != VIOMMU_UNSET && request->memory_max_bytes == VIOMMU_UNSET_NUMBER)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "memory-hotplug needs memory-max, the most memory that the guest can have; set memory-max, too");
    if (page != VIOMMU_UNSET_NUMBER && (page & (page - 1)) != 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "memory-backing.page-size %" G_GUINT64_FORMAT " is not a power of two", page);
    if (request->memory_backing.locked == 1 && page == VIOMMU_UNSET_NUMBER)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "memory-backing.locked needs memory-backing.page-size, because locked pages are counted by size; for ordinary pages set it to their size, on most hosts \"4 KiB\"");
    return true;
}

/* Keys that set a property of the IOMMU, in the order of the messages. */
static const char *first_iommu_property(const ViommuRequestIommu *iommu)
{
    const struct {
        const char *key;
        bool set;
    } properties[] = {
        {"intremap", iommu->intremap != VIOMMU_UNSET},
        {"eim", iommu->eim != VIOMMU_UNSET},
        {"caching-mode", iommu->caching_mode != VIOMMU_UNSET},
        {"iotlb", iommu->iotlb != VIOMMU_UNSET},
        {"aw-bits", iommu->aw_bits != VIOMMU_UNSET_NUMBER},
        {"dma-translation", iommu->dma_translation != VIOMMU_UNSET},
        {"granule", iommu->granule != NULL},
        {"count", iommu->count != VIOMMU_UNSET_NUMBER},
        {"ats", iommu->ats != VIOMMU_UNSET},
        {"ril", iommu->ril != VIOMMU_UNSET},
        {"cmdqv", iommu->cmdqv != VIOMMU_UNSET},
        {"ssidsize", iommu->ssidsize != VIOMMU_UNSET_NUMBER},
        {"oas", iommu->oas != VIOMMU_UNSET_NUMBER},
        {"translate", iommu->translate == 1},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
        if (properties[i].set)
            return properties[i].key;
    return NULL;
}

static bool check_granule(const char *granule, GError **error)
{
    g_autoptr(GError) local = NULL;
    uint64_t bytes = 0;

    if (!granule || g_str_equal(granule, "host"))
        return true;
    if (!viommu_quantity_parse(granule, &bytes, &local) ||
        (bytes != 4 * VIOMMU_KIB && bytes != 8 * VIOMMU_KIB && bytes != 16 * VIOMMU_KIB &&
         bytes != 64 * VIOMMU_KIB))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "iommu.granule '%s' is not known; use 'host', '4 KiB', '8 KiB', '16 KiB' or '64 KiB'", granule);
    return true;
}

static bool check_iommu(const ViommuRequest *request, GError **error)
{
    const ViommuRequestIommu *iommu = &request->iommu;
    const char *property = first_iommu_property(iommu);
    ViommuSelector selector;

    if (!iommu->present)
        return true;
    if (!viommu_selector_read(iommu, &selector, error))
        return false;
    if (selector.kind == VIOMMU_SELECTOR_UNSAID) {
        if (property)
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "iommu.%s needs an IOMMU, but neither iommu.is-supported nor iommu.model requests one",
                property);
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "iommu does not say whether the machine has an IOMMU; set iommu.is-supported or iommu.model, or omit iommu");
    }
    if (selector.kind == VIOMMU_SELECTOR_NONE && property)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "iommu.%s needs an IOMMU, but %s", property,
                           iommu->is_supported == 0 ? "iommu.is-supported is false"
                                                    : "iommu.model is 'none'");
    if (iommu->eim == 1 && iommu->intremap == 0)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "iommu.eim needs interrupt remapping, but iommu.intremap is false; change one of the two");
    if (iommu->translate == 1 && iommu->dma_translation == 0)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "iommu.translate needs DMA translation, but iommu.dma-translation is false; change one of the two");
    return check_granule(iommu->granule, error);
}

static bool refuse_level(const ViommuRequest *request, GError **error, const char *why)
{
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "verify.level '%s' needs %s",
                       viommu_enum_to_string(&viommu_enum_level, request->verify.level), why);
}

static bool check_level_of_networks(const ViommuRequest *request, GError **error)
{
    for (guint i = 0; request->networks && i < request->networks->len; i++) {
        const ViommuRequestNetwork *network = g_ptr_array_index(request->networks, i);
        g_autofree char *why = NULL;

        if (!viommu_request_network_is_offloaded(network) || network->translate == 1)
            continue;
        why = g_strdup_printf(
            "all devices behind the IOMMU, but networks[%u] of type '%s' is outside it unless networks[%u].translate is true; set that, or use another type",
            i, viommu_enum_to_string(&viommu_enum_network_type, network->type), i);
        return refuse_level(request, error, why);
    }
    return true;
}

/* What stands against a level in the request itself. */
static bool check_verify(const ViommuRequest *request, GError **error)
{
    const ViommuRequestIommu *iommu = &request->iommu;
    ViommuSelector selector;

    if (request->verify.level <= (int)VIOMMU_LEVEL_PRESENT)
        return true;
    if (!iommu->present || !viommu_selector_read(iommu, &selector, NULL) ||
        selector.kind == VIOMMU_SELECTOR_NONE)
        return refuse_level(request, error, "an IOMMU, but the request asks for none; add iommu");
    if (iommu->translate == 0)
        return refuse_level(
            request, error,
            "all virtio devices behind the IOMMU, but iommu.translate is false; change one of the two");
    if (iommu->dma_translation == 0)
        return refuse_level(request, error,
                            "DMA translation, but iommu.dma-translation is false; change one of the two");
    for (guint i = 0; request->shares && i < request->shares->len; i++)
        if (((const ViommuRequestShare *)g_ptr_array_index(request->shares, i))->type !=
            (int)VIOMMU_SHARE_TYPE_9P)
            return refuse_level(
                request, error,
                "all devices behind the IOMMU, where virtiofs never is; set the type of the shares to '9p'");
    return check_level_of_networks(request, error);
}

bool viommu_request_check(const ViommuRequest *request, GError **error)
{
    return check_name(request, error) && check_arch(request, error) && check_iommu(request, error) &&
           check_boot(request, error) && check_launch_security(request, error) &&
           check_vcpus(request, error) && check_memory_backing(request, error) &&
           check_disks(request, error) && viommu_request_check_networks(request, error) &&
           check_hostdevs(request, error) && check_shares(request, error) && check_guest(request, error) &&
           check_verify(request, error) && viommu_request_check_translate(request, error) &&
           viommu_request_check_boot_order(request, error) &&
           viommu_request_check_hostdev_network(request, error) && viommu_seed_check(&request->seed, error) &&
           check_request_id(request, error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-look: signatures, the first clusters of a qcow2 image, and the partition table in them. */
#include "tools/ctl/image-look.h"

#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/platform.h"
#include "lib/domain/qcow2-header.h"
#include "lib/request/request.h"

/* The guest's first sectors: the MBR, the header of a GPT, and its 128 entries. */
#define SECTOR      512u
#define TABLE_BYTES (34 * SECTOR)

#define HEADER_BYTES VIOMMU_IMAGE_HEADER_BYTES

/* Fields of a qcow2 header (docs/interop/qcow2.txt), big endian. */
#define AT_CLUSTER_BITS     20
#define AT_ENCRYPTION       32
#define AT_L1_TABLE         40
#define AT_INCOMPATIBLE     72
#define AT_COMPRESSION      104
#define EXTENDED_L2_ENTRIES (UINT64_C(1) << 4)
#define OTHER_COMPRESSION   (UINT64_C(1) << 3)
#define OFFSET_MASK         UINT64_C(0x00fffffffffffe00)
#define IS_COMPRESSED       (UINT64_C(1) << 62)
#define IS_ZERO             UINT64_C(1)

static uint64_t big_endian(const uint8_t *at, unsigned n)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < n; i++)
        number = number << 8 | at[i];
    return number;
}

static uint64_t little_endian(const uint8_t *at, unsigned n)
{
    uint64_t number = 0;

    while (n-- > 0)
        number = number << 8 | at[n];
    return number;
}

/* Reads all of @size, or as much as the file has; the rest becomes zero. */
static size_t read_at(int fd, uint64_t at, void *bytes, size_t size)
{
    size_t done = 0;

    memset(bytes, 0, size);
    while (done < size && at + done <= G_MAXINT64) {
        ssize_t n = pread(fd, (uint8_t *)bytes + done, size - done, (off_t)(at + done));

        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* --- The format --- */

#define CONVERT "; convert it with \"qemu-img convert -O qcow2\""
#define UNPACK  "; unpack it first"

static const struct {
    size_t at, size;
    const char *bytes, *what;
} others[] = {
    {0, 4, "KDMV", "it is a VMDK image" CONVERT},
    {0, 4, "COWD", "it is a VMDK image" CONVERT},
    {0, 4, "QED\0", "it is a QED image" CONVERT},
    {0, 8, "vhdxfile", "it is a VHDX image" CONVERT},
    {0, 8, "conectix", "it is a VHD image" CONVERT},
    {64, 4, "\x7f\x10\xda\xbe", "it is a VDI image" CONVERT},
    {0, 6, "LUKS\xba\xbe", "it is encrypted (LUKS), and viommud has no keys; decrypt it first"},
    {0, 2, "\x1f\x8b", "it is compressed with gzip" UNPACK},
    {0, 6, "\3757zXZ\0", "it is compressed with xz" UNPACK},
    {0, 4, "\x28\xb5\x2f\xfd", "it is compressed with zstd" UNPACK},
    {0, 3, "BZh", "it is compressed with bzip2" UNPACK},
    {0, 4, "PK\3\4", "it is a zip archive" UNPACK},
};

static bool check_signature(const uint8_t *header, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (memcmp(header + others[i].at, others[i].bytes, others[i].size) == 0)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s", others[i].what);
    return true;
}

static bool is_qcow2(const uint8_t *header)
{
    return memcmp(header, "QFI\xfb", 4) == 0;
}

static bool has_boot_sector(const uint8_t *sector)
{
    return sector[510] == 0x55 && sector[511] == 0xaa;
}

static bool settle_format(const uint8_t *header, int wanted, int *ret_format, GError **error)
{
    *ret_format = is_qcow2(header) ? VIOMMU_DISK_FORMAT_QCOW2 : VIOMMU_DISK_FORMAT_RAW;
    if (wanted == VIOMMU_UNSET && *ret_format == VIOMMU_DISK_FORMAT_RAW && !check_signature(header, error))
        return false;
    if (wanted == VIOMMU_UNSET && *ret_format == VIOMMU_DISK_FORMAT_RAW && !has_boot_sector(header))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "it is neither a qcow2 image, nor does it begin with a partition table; give --format=raw if it is a raw image even so");
    if (wanted == VIOMMU_UNSET || wanted == *ret_format)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is %s qcow2 image; omit --format",
                       *ret_format == VIOMMU_DISK_FORMAT_QCOW2 ? "a" : "not a");
}

static bool check_qcow2(const uint8_t *header, size_t size, char **ret_backing, GError **error)
{
    g_auto(ViommuImage) image = {NULL, NULL, false, NULL};

    if (!viommu_image_read_qcow2(header, size, &image, error))
        return false;
    if (image.has_data_file)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "its data are in another file; convert it with \"qemu-img convert -O qcow2\"");
    if (big_endian(header + AT_ENCRYPTION, 4) != 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "it is encrypted, and viommud has no keys; decrypt it first");
    *ret_backing = g_steal_pointer(&image.backing);
    return true;
}

/* --- The guest's first sectors --- */

typedef struct Clusters {
    int fd;
    const uint8_t *header;
    unsigned bits;
    bool is_based; /* clusters that it does not have are those of another image */
} Clusters;

/* Inflates the one cluster that begins at @at. */
static bool inflate(const Clusters *clusters, uint64_t entry, uint8_t *cluster)
{
    unsigned bits = 62 - (clusters->bits - 8);
    uint64_t at = entry & ((UINT64_C(1) << bits) - 1);
    size_t sectors = (size_t)((entry & (IS_COMPRESSED - 1)) >> bits) + 1;
    size_t size = sectors * SECTOR - (size_t)(at % SECTOR), whole = (size_t)1 << clusters->bits, done = 0;
    g_autofree uint8_t *packed = g_malloc(size);
    GConverter *converter;
    GConverterResult result = G_CONVERTER_CONVERTED;

    size = read_at(clusters->fd, at, packed, size);
    converter = G_CONVERTER(g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_RAW));
    for (size_t taken = 0; done < whole && result == G_CONVERTER_CONVERTED;) {
        gsize n_read = 0, n_written = 0;

        result = g_converter_convert(converter, packed + taken, size - taken, cluster + done, whole - done,
                                     G_CONVERTER_NO_FLAGS, &n_read, &n_written, NULL);
        taken += n_read;
        done += n_written;
    }
    g_object_unref(converter);
    return done == whole;
}

/* Cluster @index of the guest.  False: it is not known, as it is in another image, say. */
static bool read_cluster(const Clusters *clusters, uint64_t index, uint8_t *cluster)
{
    unsigned l2_bits = clusters->bits - 3;
    size_t size = (size_t)1 << clusters->bits;
    uint8_t bytes[8];
    uint64_t table, entry = 0;

    read_at(clusters->fd, big_endian(clusters->header + AT_L1_TABLE, 8) + (index >> l2_bits) * 8, bytes, 8);
    table = big_endian(bytes, 8) & OFFSET_MASK;
    if (table) {
        read_at(clusters->fd, table + (index & ((UINT64_C(1) << l2_bits) - 1)) * 8, bytes, 8);
        entry = big_endian(bytes, 8);
    }
    if (entry & IS_COMPRESSED)
        return inflate(clusters, entry, cluster);
    memset(cluster, 0, size);
    if (entry & IS_ZERO)
        return true;
    if (!(entry & OFFSET_MASK))
        return !clusters->is_based;
    return read_at(clusters->fd, entry & OFFSET_MASK, cluster, size) > 0;
}

/* False: they cannot be read without QEMU. */
static bool read_qcow2(int fd, const uint8_t *header, bool is_based, uint8_t *sectors)
{
    Clusters clusters = {fd, header, (unsigned)big_endian(header + AT_CLUSTER_BITS, 4), is_based};
    bool is_new = big_endian(header + 4, 4) > 2;
    uint64_t features = is_new ? big_endian(header + AT_INCOMPATIBLE, 8) : 0;
    size_t size = (size_t)1 << clusters.bits;
    g_autofree uint8_t *cluster = NULL;

    if (features & EXTENDED_L2_ENTRIES || (features & OTHER_COMPRESSION && header[AT_COMPRESSION] != 0))
        return false;
    cluster = g_malloc(size);
    for (size_t at = 0; at < TABLE_BYTES; at += size) {
        if (!read_cluster(&clusters, at >> clusters.bits, cluster))
            return false;
        memcpy(sectors + at, cluster, MIN(size, TABLE_BYTES - at));
    }
    return true;
}

/* --- The partition table --- */

#define MBR_PARTITIONS 446
#define MBR_EFI        0xef
#define GPT_ENTRY      128u

typedef struct Table {
    bool has_efi, has_bios;
    bool roots[VIOMMU_ARCH_LAST];
} Table;

/* As they stand in a GPT: the first three fields are little endian. */
static const struct {
    uint8_t type[16];
    size_t member;
} types[] = {
    /* C12A7328-F81F-11D2-BA4B-00A0C93EC93B, the EFI system partition */
    {{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b},
     offsetof(Table, has_efi)},
    /* 21686148-6449-6E6F-744E-656564454649, GRUB's for BIOS */
    {{0x48, 0x61, 0x68, 0x21, 0x49, 0x64, 0x6f, 0x6e, 0x74, 0x4e, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49},
     offsetof(Table, has_bios)},
    /* 4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, a root partition of x86_64 */
    {{0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09},
     offsetof(Table, roots[VIOMMU_ARCH_X86_64])},
    /* B921B045-1DF0-41C3-AF44-4C6F280D3FAE, a root partition of aarch64 */
    {{0x45, 0xb0, 0x21, 0xb9, 0xf0, 0x1d, 0xc3, 0x41, 0xaf, 0x44, 0x4c, 0x6f, 0x28, 0x0d, 0x3f, 0xae},
     offsetof(Table, roots[VIOMMU_ARCH_AARCH64])},
};

static void read_gpt(const uint8_t *sectors, Table *table)
{
    const uint8_t *header = sectors + SECTOR;
    uint64_t at = little_endian(header + 72, 8), n = little_endian(header + 80, 4);

    if (memcmp(header, "EFI PART", 8) != 0 || little_endian(header + 84, 4) != GPT_ENTRY ||
        at >= TABLE_BYTES / SECTOR)
        return;
    n = MIN(n, (TABLE_BYTES - at * SECTOR) / GPT_ENTRY);
    for (uint64_t i = 0; i < n; i++)
        for (size_t k = 0; k < G_N_ELEMENTS(types); k++)
            if (memcmp(sectors + at * SECTOR + i * GPT_ENTRY, types[k].type, sizeof(types[k].type)) == 0)
                *(bool *)((uint8_t *)table + types[k].member) = true;
}

/* Boot code in the first sector is for BIOS. */
static void read_mbr(const uint8_t *sector, Table *table)
{
    for (size_t i = 0; i < MBR_PARTITIONS - 6; i++)
        table->has_bios |= sector[i] != 0;
    for (size_t i = 0; i < 4; i++)
        table->has_efi |= sector[MBR_PARTITIONS + 16 * i + 4] == MBR_EFI;
}

static void settle_table(const uint8_t *sectors, ViommuImageLook *look)
{
    Table table = {false, false, {false, false}};

    if (!has_boot_sector(sectors))
        return;
    read_mbr(sectors, &table);
    read_gpt(sectors, &table);
    if (table.has_efi && !table.has_bios)
        look->firmware = VIOMMU_FIRMWARE_EFI;
    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++)
        if (table.roots[arch])
            look->arch = look->arch == VIOMMU_UNSET ? arch : VIOMMU_ARCH_LAST;
    if (look->arch == VIOMMU_ARCH_LAST)
        look->arch = VIOMMU_UNSET;
}

bool viommu_image_look(int fd, int format, ViommuImageLook *ret_look, GError **error)
{
    g_autofree uint8_t *header = g_malloc(HEADER_BYTES), *sectors = g_malloc0(TABLE_BYTES);
    size_t size = read_at(fd, 0, header, HEADER_BYTES);
    bool known = true;

    *ret_look = (ViommuImageLook){VIOMMU_UNSET, NULL, VIOMMU_UNSET, VIOMMU_UNSET};
    if (!settle_format(header, format, &ret_look->format, error))
        return false;
    if (ret_look->format == VIOMMU_DISK_FORMAT_RAW)
        memcpy(sectors, header, TABLE_BYTES);
    else if (!check_qcow2(header, size, &ret_look->backing, error))
        return false;
    else
        known = read_qcow2(fd, header, ret_look->backing, sectors);
    if (known)
        settle_table(sectors, ret_look);
    return true;
}

bool viommu_image_look_check_backing(const ViommuImageLook *look, const char *path, char **directories,
                                     GError **error)
{
    g_autofree char *backing = look->backing ? viommu_image_resolve(path, look->backing, error) : NULL;

    if (!look->backing)
        return true;
    return backing &&
           ((directories && viommu_image_is_inside(backing, (const char *const *)directories)) ||
            viommu_fail(
                error, VIOMMU_ERROR_POLICY_REFUSED,
                "it is based on '%s', which is not in an image directory; make it independent with \"qemu-img convert -O qcow2\"",
                backing));
}

void viommu_image_look_clear(ViommuImageLook *look)
{
    g_clear_pointer(&look->backing, g_free);
}

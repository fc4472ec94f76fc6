/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow2-header: reads the header as QEMU does (docs/interop/qcow2.txt, block/qcow2.c).  Where QEMU
 * ignores a name, this may ignore it; where QEMU uses one, this must see it. */
#include "lib/domain/qcow2-header.h"

#include <string.h>
#include "lib/base/error.h"
#include "lib/base/printable.h"

#define MAGIC 0x514649fbu /* "QFI\xfb" */

/* Offsets in the header. */
#define AT_VERSION       4
#define AT_BACKING       8
#define AT_BACKING_SIZE  16
#define AT_CLUSTER_BITS  20
#define AT_SIZE          24
#define AT_INCOMPATIBLE  72 /* from here on, only in version 3 */
#define AT_HEADER_LENGTH 100
#define VERSION_2_BYTES  72
#define VERSION_3_BYTES  104

#define INCOMPATIBLE_DATA_FILE (UINT64_C(1) << 2)

#define EXTENSION_END            0u
#define EXTENSION_BACKING_FORMAT 0xe2792acau
#define EXTENSION_DATA_FILE      0x44415441u

/* QEMU's bound. */
#define NAME_MAX_BYTES 1023u

typedef struct Header {
    const uint8_t *bytes;
    size_t size;
} Header;

static uint32_t get32(const Header *header, size_t at)
{
    const uint8_t *bytes = header->bytes + at;

    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint64_t get64(const Header *header, size_t at)
{
    return (uint64_t)get32(header, at) << 32 | get32(header, at + 4);
}

/* Names go into messages, XML and system calls. */
static bool take_name(const Header *header, uint64_t at, uint64_t length, char **ret_name, GError **error)
{
    g_autofree char *name = NULL;

    if (at > header->size || length > header->size - at)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "its header has a file name beyond its first 64 KiB");
    if (length > NAME_MAX_BYTES)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "a file name in its header is longer than 1023 bytes");
    if (!g_utf8_validate_len((const char *)header->bytes + at, length, NULL))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "a file name in its header is not UTF-8");
    name = g_strndup((const char *)header->bytes + at, length);
    for (const char *c = name; c < name + length; c = g_utf8_next_char(c))
        if (viommu_printable_is_control(c))
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "a file name in its header has control characters");
    g_free(*ret_name);
    *ret_name = length > 0 ? g_steal_pointer(&name) : NULL;
    return true;
}

static bool read_backing(const Header *header, ViommuImage *image, GError **error)
{
    uint64_t at = get64(header, AT_BACKING);

    return at == 0 || take_name(header, at, get32(header, AT_BACKING_SIZE), &image->backing, error);
}

/* The extensions end at the backing file's name, or else at the first cluster. */
static bool read_extensions(const Header *header, size_t at, ViommuImage *image, GError **error)
{
    uint64_t backing = get64(header, AT_BACKING);
    uint64_t end = backing ? backing : UINT64_C(1) << get32(header, AT_CLUSTER_BITS);

    while (at < end) {
        if (at + 8 > header->size)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "its header is truncated");
        uint32_t kind = get32(header, at), length = get32(header, at + 4);

        at += 8;
        if (kind == EXTENSION_END)
            break;
        if (length > header->size - at)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "its header has an extension that reaches beyond its first 64 KiB");
        if (kind == EXTENSION_BACKING_FORMAT && !take_name(header, at, length, &image->backing_format, error))
            return false;
        if (kind == EXTENSION_DATA_FILE && !take_name(header, at, length, &image->data_file, error))
            return false;
        at += ((size_t)length + 7) & ~(size_t)7;
    }
    image->has_data_file = image->has_data_file || image->data_file;
    return true;
}

static bool read_header(const Header *header, ViommuImage *image, GError **error)
{
    uint32_t version, cluster_bits;
    size_t length = VERSION_2_BYTES;

    if (header->size < 4 || get32(header, 0) != MAGIC)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is not a qcow2 image");
    if (header->size < VERSION_2_BYTES)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "its header is truncated");
    version = get32(header, AT_VERSION);
    cluster_bits = get32(header, AT_CLUSTER_BITS);
    if (version != 2 && version != 3)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is not a qcow2 image of version 2 or 3");
    if (cluster_bits < 9 || cluster_bits > 21)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "its header has a cluster size that QEMU does not accept");
    if (version == 3) {
        if (header->size < VERSION_3_BYTES)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "its header is truncated");
        image->has_data_file = get64(header, AT_INCOMPATIBLE) & INCOMPATIBLE_DATA_FILE;
        length = get32(header, AT_HEADER_LENGTH);
        if (length < VERSION_3_BYTES)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "its header gives an impossible header length");
    }
    image->bytes = get64(header, AT_SIZE);
    return read_backing(header, image, error) && read_extensions(header, length, image, error);
}

bool viommu_image_read_qcow2(const uint8_t *bytes, size_t size, ViommuImage *ret_image, GError **error)
{
    const Header header = {bytes, size};
    g_auto(ViommuImage) image = {NULL, NULL, false, NULL};

    if (!read_header(&header, &image, error))
        return false;
    *ret_image = image;
    memset(&image, 0, sizeof(image));
    return true;
}

void viommu_image_clear(ViommuImage *image)
{
    g_clear_pointer(&image->backing, g_free);
    g_clear_pointer(&image->backing_format, g_free);
    g_clear_pointer(&image->data_file, g_free);
    image->has_data_file = false;
}

bool viommu_image_goes_up(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
            return true;
    return false;
}

/* QEMU's rule for a protocol: a colon before the first slash. */
static bool has_protocol(const char *name)
{
    size_t length = strcspn(name, ":/");

    return name[length] == ':';
}

char *viommu_image_resolve(const char *path, const char *name, GError **error)
{
    g_autofree char *directory = NULL;

    if (has_protocol(name) || viommu_image_goes_up(name)) {
        viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED, "'%s' is not a plain path%s", name,
                    has_protocol(name) ? "" : ": it has '..'");
        return NULL;
    }
    if (name[0] == '/')
        return g_strdup(name);
    directory = g_path_get_dirname(path);
    return g_build_filename(directory, name, NULL);
}

bool viommu_image_is_inside(const char *path, const char *const *directories)
{
    if (viommu_image_goes_up(path))
        return false;
    for (size_t i = 0; directories[i]; i++) {
        size_t length = strlen(directories[i]);

        while (length > 0 && directories[i][length - 1] == '/')
            length--;
        if (strncmp(path, directories[i], length) == 0 && path[length] == '/')
            return true;
    }
    return false;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-qcow2-header: headers as QEMU writes them, and invalid ones. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/domain/qcow2-header.h"

#define VERSION_3_BYTES 104

/* A header under construction; numbers are big-endian. */
typedef struct Header {
    uint8_t bytes[4096];
    size_t size;
} Header;

static void put32(Header *header, size_t at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        header->bytes[at + i] = (uint8_t)(value >> (24 - 8 * i));
}

static Header new_header(uint32_t version)
{
    Header header = {.size = sizeof(header.bytes)};

    memcpy(header.bytes, "QFI\xfb", 4);
    put32(&header, 4, version);
    put32(&header, 20, 16);
    if (version == 3)
        put32(&header, 100, VERSION_3_BYTES);
    return header;
}

static void put_backing(Header *header, uint32_t at, const char *name)
{
    put32(header, 12, at);
    put32(header, 16, (uint32_t)strlen(name));
    memcpy(header->bytes + at, name, strlen(name));
}

/* Returns the offset of the next extension. */
static size_t put_extension(Header *header, size_t at, uint32_t kind, const char *text)
{
    put32(header, at, kind);
    put32(header, at + 4, (uint32_t)strlen(text));
    memcpy(header->bytes + at + 8, text, strlen(text));
    return at + 8 + (strlen(text) + 7) / 8 * 8;
}

static void assert_reads(const Header *header, const char *backing, const char *format, const char *data)
{
    g_auto(ViommuImage) image = {NULL, NULL, false, NULL};
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_image_read_qcow2(header->bytes, header->size, &image, &error), error);
    ck_assert_pstr_eq(image.backing, backing);
    ck_assert_pstr_eq(image.backing_format, format);
    ck_assert_pstr_eq(image.data_file, data);
}

static void assert_refused(const Header *header, const char *words)
{
    g_auto(ViommuImage) image = {NULL, NULL, false, NULL};
    g_autoptr(GError) error = NULL;

    ck_assert(!viommu_image_read_qcow2(header->bytes, header->size, &image, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, words);
}

START_TEST(plain)
{
    Header two = new_header(2), three = new_header(3);

    assert_reads(&two, NULL, NULL, NULL);
    assert_reads(&three, NULL, NULL, NULL);
}
END_TEST

START_TEST(names)
{
    for (uint32_t version = 2; version <= 3; version++) {
        Header header = new_header(version);
        size_t at = version == 2 ? 72 : VERSION_3_BYTES;

        at = put_extension(&header, at, 0xe2792aca, "qcow2");
        at = put_extension(&header, at, 0x6803f857, "some feature's name");
        at = put_extension(&header, at, 0x44415441, "data.raw");
        put_backing(&header, (uint32_t)at + 8, "base.qcow2");
        assert_reads(&header, "base.qcow2", "qcow2", "data.raw");
    }
}
END_TEST

START_TEST(a_size)
{
    Header header = new_header(3);
    g_auto(ViommuImage) image = {NULL};

    put32(&header, 24, 2);
    put32(&header, 28, 512);
    ck_assert(viommu_image_read_qcow2(header.bytes, header.size, &image, NULL));
    ck_assert_uint_eq(image.bytes, ((uint64_t)2 << 32) + 512);
}
END_TEST

/* What follows the end of the extensions is ignored. */
START_TEST(after_the_end)
{
    Header header = new_header(3);
    size_t at = put_extension(&header, VERSION_3_BYTES, 0, "");

    put_extension(&header, at, 0x44415441, "data.raw");
    assert_reads(&header, NULL, NULL, NULL);
}
END_TEST

START_TEST(data_file_without_a_name)
{
    Header header = new_header(3);
    g_auto(ViommuImage) image = {NULL, NULL, false, NULL};

    put32(&header, 76, 4);
    ck_assert(viommu_image_read_qcow2(header.bytes, header.size, &image, NULL));
    ck_assert(image.has_data_file);
    ck_assert_ptr_null(image.data_file);
}
END_TEST

START_TEST(forged)
{
    Header raw = {.size = 512}, empty = {.size = 0}, old = new_header(1), cut = new_header(3);
    Header cluster = new_header(3), length = new_header(3), far = new_header(2), newline = new_header(2);
    Header sequence = new_header(2);
    Header long_name = new_header(2), endless = new_header(3), binary = new_header(2);

    assert_refused(&raw, "it is not a qcow2 image");
    assert_refused(&empty, "it is not a qcow2 image");
    assert_refused(&old, "it is not a qcow2 image of version 2 or 3");
    cut.size = 80;
    assert_refused(&cut, "its header is truncated");
    put32(&cluster, 20, 63);
    assert_refused(&cluster, "its header has a cluster size that QEMU does not accept");
    put32(&length, 100, 8);
    assert_refused(&length, "its header gives an impossible header length");
    put32(&far, 8, 1);
    put32(&far, 16, 5);
    assert_refused(&far, "its header has a file name beyond its first 64 KiB");
    put_backing(&newline, 1024, "a\nb");
    assert_refused(&newline, "a file name in its header has control characters");
    put_backing(&sequence, 1024,
                "a\xc2\x9b"
                "31m");
    assert_refused(&sequence, "a file name in its header has control characters");
    put32(&long_name, 12, 1024);
    put32(&long_name, 16, 1024);
    assert_refused(&long_name, "a file name in its header is longer than 1023 bytes");
    put32(&endless, VERSION_3_BYTES, 0x12345678);
    put32(&endless, VERSION_3_BYTES + 4, UINT32_MAX);
    assert_refused(&endless, "its header has an extension that reaches beyond its first 64 KiB");
    put_backing(&binary, 1024, "\xff\xfe");
    assert_refused(&binary, "a file name in its header is not UTF-8");
}
END_TEST

/* A valid header truncated at each length is read or refused, without reading beyond it. */
START_TEST(cut_anywhere)
{
    Header header = new_header(3);
    size_t at = put_extension(&header, VERSION_3_BYTES, 0xe2792aca, "raw");

    at = put_extension(&header, at, 0x44415441, "data.raw");
    put_backing(&header, (uint32_t)at, "base");
    for (size_t size = 0; size < at + 8; size++) {
        g_autofree uint8_t *bytes = g_malloc(size ? size : 1);
        g_auto(ViommuImage) image = {NULL, NULL, false, NULL};
        g_autoptr(GError) error = NULL;

        memcpy(bytes, header.bytes, size);
        ck_assert_int_eq(viommu_image_read_qcow2(bytes, size, &image, &error), error == NULL);
        ck_assert_int_eq(error == NULL, size >= at + 4);
    }
}
END_TEST

static const struct {
    const char *name;
    const char *path; /* NULL: refused */
} resolved[] = {
    {"/images/base.qcow2", "/images/base.qcow2"},
    {"base.qcow2", "/images/base.qcow2"},
    {"sub/base:1.qcow2", "/images/sub/base:1.qcow2"},
    {"../etc/shadow", NULL},
    {"/images/../etc/shadow", NULL},
    {"json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}", NULL},
    {"nbd://host/x", NULL},
    {"file:/etc/shadow", NULL},
    {"fat:rw:/etc", NULL},
};

START_TEST(resolve)
{
    for (size_t i = 0; i < G_N_ELEMENTS(resolved); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path = viommu_image_resolve("/images/over.qcow2", resolved[i].name, &error);

        ck_assert_pstr_eq(path, resolved[i].path);
        ck_assert_int_eq(error == NULL, path != NULL);
        ck_assert(!error || g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED));
    }
}
END_TEST

START_TEST(inside)
{
    static const char *const directories[] = {"/var/images", "/srv/", NULL};
    static const char *const in[] = {"/var/images/a", "/var/images/b/c", "/srv/a"};
    static const char *const out[] = {"/var/images", "/var/images2/a", "/var/images/../a", "/a", "/srv"};

    for (size_t i = 0; i < G_N_ELEMENTS(in); i++)
        ck_assert_msg(viommu_image_is_inside(in[i], directories), "%s", in[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(out); i++)
        ck_assert_msg(!viommu_image_is_inside(out[i], directories), "%s", out[i]);
    ck_assert(viommu_image_goes_up("..") && viommu_image_goes_up("/a/..") && viommu_image_goes_up("../a"));
    ck_assert(!viommu_image_goes_up("/a..b/...") && !viommu_image_goes_up("/..a"));
}
END_TEST

UNIT_MAIN("image", plain, names, a_size, after_the_end, data_file_without_a_name, forged, cut_anywhere,
          resolve, inside)

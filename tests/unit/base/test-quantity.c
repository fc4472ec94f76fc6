/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-quantity: sizes and versions, as text and as numbers. */
#include "tests/unit/unit.h"

#include "lib/base/quantity.h"
#include "lib/base/version.h"

START_TEST(sizes_that_are_read)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"1", 1},
        {"1048576 B", VIOMMU_MIB},
        {"512 MiB", 512 * VIOMMU_MIB},
        {"2GiB", 2 * VIOMMU_GIB},
        {"2  GiB", 2 * VIOMMU_GIB},
        {"4k", 4096},
        {"4K", 4096},
        {"4 KiB", 4096},
        {"3 T", 3 * 1024 * VIOMMU_GIB},
        {"1 KB", 1000},
        {"1 MB", 1000000},
        {"1GB", 1000000000},
        {"1 TB", 1000000000000},
        {"1gib", VIOMMU_GIB},
        {"007 M", 7 * VIOMMU_MIB},
        {"18446744073709551615", UINT64_MAX},
        {"16777215 TiB", (uint64_t)16777215 * 1024 * VIOMMU_GIB},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        uint64_t bytes = 12345;

        unit_assert_ok(viommu_quantity_parse(cases[i].text, &bytes, &error), error);
        ck_assert_msg(bytes == cases[i].bytes, "'%s' is %" G_GUINT64_FORMAT, cases[i].text, bytes);
    }
}
END_TEST

START_TEST(sizes_that_are_refused)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "is not valid; write a whole number, with a unit if needed, such as '512 MiB'"},
        {"MiB", "is not valid; write a whole number, with a unit if needed, such as '512 MiB'"},
        {"-1", "is not valid; write a whole number, with a unit if needed, such as '512 MiB'"},
        {"+1", "is not valid; write a whole number, with a unit if needed, such as '512 MiB'"},
        {" 1", "is not valid; write a whole number, with a unit if needed, such as '512 MiB'"},
        {"0x10", "has an unknown unit; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB"},
        {"1.5 GiB", "is not a whole number; write it in a smaller unit, such as '1536 MiB' for 1.5 GiB"},
        {"1,024 MiB", "is not a whole number; write it in a smaller unit, such as '1536 MiB' for 1.5 GiB"},
        {"1. GiB", "has an unknown unit; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB"},
        {"1 ", "has an unknown unit; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB"},
        {"1 MiB ", "has an unknown unit; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB"},
        {"1 Mi", "has an unknown unit; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB"},
        {"1 PiB", "has an unknown unit; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB"},
        {"1\tMiB", "has an unknown unit; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB"},
        {"18446744073709551616", "does not fit 64 bits"},
        {"99999999999999999999999999", "does not fit 64 bits"},
        {"16777216 TiB", "does not fit 64 bits"},
        {"18446744073709551615 KB", "does not fit 64 bits"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *message = g_strdup_printf("size '%s' %s", cases[i].text, cases[i].why);
        uint64_t bytes = 12345;

        ck_assert(!viommu_quantity_parse(cases[i].text, &bytes, &error));
        unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, message);
        ck_assert_uint_eq(bytes, 12345);
    }
}
END_TEST

START_TEST(sizes_as_text)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1, "1 B"},
        {1000, "1000 B"},
        {1024, "1 KiB"},
        {512 * VIOMMU_MIB, "512 MiB"},
        {1536 * VIOMMU_MIB, "1536 MiB"},
        {VIOMMU_GIB + 1, "1073741825 B"},
        {2 * VIOMMU_GIB, "2 GiB"},
        {1024 * VIOMMU_GIB, "1 TiB"},
        {UINT64_MAX, "18446744073709551615 B"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = viommu_quantity_format(cases[i].bytes);
        uint64_t back = 12345;

        ck_assert_str_eq(text, cases[i].text);
        ck_assert(viommu_quantity_parse(text, &back, NULL));
        ck_assert_uint_eq(back, cases[i].bytes);
    }
}
END_TEST

START_TEST(arithmetic)
{
    uint64_t result = 7;

    ck_assert_uint_eq(viommu_quantity_kib(0), 0);
    ck_assert_uint_eq(viommu_quantity_kib(1), 1);
    ck_assert_uint_eq(viommu_quantity_kib(1024), 1);
    ck_assert_uint_eq(viommu_quantity_kib(1025), 2);
    ck_assert_uint_eq(viommu_quantity_kib(UINT64_MAX), UINT64_C(1) << 54);

    ck_assert(viommu_quantity_mul_add(UINT64_MAX, 1, 0, &result));
    ck_assert_uint_eq(result, UINT64_MAX);
    ck_assert(viommu_quantity_mul_add(UINT32_MAX, UINT32_MAX, 5, &result));
    ck_assert_uint_eq(result, (uint64_t)UINT32_MAX * UINT32_MAX + 5);
    result = 7;
    ck_assert(!viommu_quantity_mul_add(UINT64_MAX, 2, 0, &result));
    ck_assert(!viommu_quantity_mul_add(UINT64_MAX, 1, 1, &result));
    ck_assert_uint_eq(result, 7);
}
END_TEST

START_TEST(versions_that_are_read)
{
    static const struct {
        const char *text;
        ViommuVersion version;
        const char *full, *brief;
    } cases[] = {
        {"7.2", VIOMMU_VERSION_OF(7, 2, 0), "7.2.0", "7.2"},
        {"9.0.0", VIOMMU_VERSION_OF(9, 0, 0), "9.0.0", "9.0"},
        {"7.2.22", VIOMMU_VERSION_OF(7, 2, 22), "7.2.22", "7.2.22"},
        {"6.12.43+deb13-amd64", VIOMMU_VERSION_OF(6, 12, 43), "6.12.43", "6.12.43"},
        {"6.1.0-37-cloud-amd64", VIOMMU_VERSION_OF(6, 1, 0), "6.1.0", "6.1"},
        {"5.10-rc", VIOMMU_VERSION_OF(5, 10, 0), "5.10.0", "5.10"},
        {"7.2.22 (Debian 1:7.2)", VIOMMU_VERSION_OF(7, 2, 22), "7.2.22", "7.2.22"},
        {"2.6.32.5", VIOMMU_VERSION_OF(2, 6, 32), "2.6.32", "2.6.32"},
        {"0.1", VIOMMU_VERSION_OF(0, 1, 0), "0.1.0", "0.1"},
        {"999999.999.999", VIOMMU_VERSION_OF(999999, 999, 999), "999999.999.999", "999999.999.999"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *full = viommu_version_format(cases[i].version);
        g_autofree char *brief = viommu_version_format_short(cases[i].version);
        ViommuVersion version = 0;

        ck_assert_msg(viommu_version_parse(cases[i].text, &version), "'%s' was refused", cases[i].text);
        ck_assert_uint_eq(version, cases[i].version);
        ck_assert_str_eq(full, cases[i].full);
        ck_assert_str_eq(brief, cases[i].brief);
        ck_assert(viommu_version_parse(brief, &version));
        ck_assert_uint_eq(version, cases[i].version);
    }
    ck_assert_uint_lt(VIOMMU_VERSION_OF(9, 2, 1), VIOMMU_VERSION_OF(10, 0, 0));
}
END_TEST

START_TEST(versions_that_are_refused)
{
    static const char *const cases[] = {
        "",
        "7",
        "7.",
        ".2",
        "7.x",
        "v7.2",
        "7.2rc1",
        "7.2.0rc1",
        "7.1000",
        "7.2.1000",
        "1000000.0",
        "-7.2",
        " 7.2",
        "7 .2",
        "0.0",
        "0.0.0",
        "99999999999999999999.1",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ViommuVersion version = 5;

        ck_assert_msg(!viommu_version_parse(cases[i], &version), "'%s' was read", cases[i]);
        ck_assert_uint_eq(version, 5);
    }
}
END_TEST

UNIT_MAIN("quantity", sizes_that_are_read, sizes_that_are_refused, sizes_as_text, arithmetic,
          versions_that_are_read, versions_that_are_refused)

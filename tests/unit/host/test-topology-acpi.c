/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-topology-acpi: each check of the firmware's IOMMU tables, on tables built for the
 * purpose. */
#include <string.h>

#include "lib/host/topology-internal.h"
#include "tests/machines/machine.h"
#include "tests/unit/unit.h"

typedef GByteArray *(*Change)(GByteArray *table);

static GByteArray *nothing(GByteArray *table)
{
    table_seal(table);
    return table;
}

static GByteArray *bad_sum(GByteArray *table)
{
    table_seal(table);
    table->data[20] ^= 1;
    return table;
}

static GByteArray *bad_length(GByteArray *table)
{
    table_seal(table);
    return g_byte_array_set_size(table, table->len - 4);
}

static GByteArray *cut(GByteArray *table)
{
    g_byte_array_set_size(table, 56);
    table_seal(table);
    return table;
}

static GByteArray *only_header(GByteArray *table)
{
    g_byte_array_set_size(table, 20);
    return table;
}

static GByteArray *other_name(GByteArray *table)
{
    memcpy(table->data, "XXXX", 4);
    table_seal(table);
    return table;
}

static GByteArray *zero_length(GByteArray *table)
{
    table->data[50] = 0;
    table_seal(table);
    return table;
}

static const uint64_t good_base[] = {0xfed90000}, zero_base[] = {0}, ones_base[] = {UINT64_MAX},
                      mixed_bases[] = {UINT64_MAX, 0xfed90000, 0};
static const HostSmmu its_only[] = {{0, 0}, {2, 0}}, smmus[] = {{0, 0}, {4, 0x9050000}, {3, 0x9060000}},
                      odd_smmu[] = {{4, 0}};

static GByteArray *make_table(const char *name, const uint64_t *bases, size_t n)
{
    if (g_str_equal(name, "DMAR"))
        return table_dmar(bases, n);
    return table_ivrs(bases, n);
}

static void expect(const char *name, GByteArray *table, uint64_t units, const char *problem)
{
    g_autofree char *found = NULL;
    uint64_t count = viommu_acpi_count_units(name, table->data, table->len, &found);

    ck_assert_msg(count == units, "%s: %d units, %s", name, (int)count, found);
    if (problem)
        ck_assert_str_eq(found, problem);
    else
        ck_assert_ptr_null(found);
    g_byte_array_unref(table);
}

START_TEST(tables_of_bases)
{
    static const struct {
        const char *name;
        const uint64_t *bases;
        size_t n;
        Change change;
        uint64_t units;
        const char *problem;
    } rows[] = {
        {"DMAR", good_base, 1, nothing, 1, NULL},
        {"DMAR", mixed_bases, 3, nothing, 1, NULL},
        {"DMAR", NULL, 0, nothing, 0, "it has no hardware unit (DRHD)"},
        {"DMAR", zero_base, 1, nothing, 0,
         "the address of each hardware unit (DRHD) in it is zero or all ones"},
        {"DMAR", ones_base, 1, nothing, 0,
         "the address of each hardware unit (DRHD) in it is zero or all ones"},
        {"DMAR", good_base, 1, bad_sum, 0, "its checksum is wrong"},
        {"DMAR", good_base, 1, bad_length, 0, "its header says 96 bytes, but it has 92"},
        {"DMAR", good_base, 1, cut, 0, "its structure at byte 48 claims to have 24 bytes"},
        {"DMAR", good_base, 1, only_header, 0, "it has 20 bytes, too few for its header"},
        {"DMAR", good_base, 1, other_name, 0, "it has another table's signature"},
        {"DMAR", good_base, 1, zero_length, 0, "its structure at byte 48 claims to have 0 bytes"},
        {"IVRS", good_base, 1, nothing, 1, NULL},
        {"IVRS", mixed_bases, 3, nothing, 1, NULL},
        {"IVRS", NULL, 0, nothing, 0, "it has no hardware definition (IVHD)"},
        {"IVRS", ones_base, 1, nothing, 0,
         "the address of each hardware definition (IVHD) in it is zero or all ones"},
        {"IVRS", good_base, 1, cut, 0, "its structure at byte 48 claims to have 44 bytes"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        expect(rows[i].name, rows[i].change(make_table(rows[i].name, rows[i].bases, rows[i].n)),
               rows[i].units, rows[i].problem);
}
END_TEST

static GByteArray *with_bytes(GByteArray *table, size_t offset, const char *bytes, size_t n)
{
    memcpy(table->data + offset, bytes, n);
    table_seal(table);
    return table;
}

/* QEMU and real boards describe each unit by blocks of several types. */
START_TEST(one_unit_in_several_blocks)
{
    static const uint64_t bases[] = {0xfed80000, 0xfed80000, 0xfed80000, 0xb1100000, 0xb1100000};

    expect("IVRS", with_bytes(with_bytes(table_ivrs(bases, 3), 48, "\x10", 1), 48 + 88, "\x40", 1), 1, NULL);
    expect("IVRS", with_bytes(table_ivrs(bases, 5), 48 + 88, "\x40", 1), 2, NULL);
}
END_TEST

START_TEST(tables_with_counts)
{
    expect("IORT", nothing(table_iort(smmus, 3)), 2, NULL);
    expect("IORT", nothing(table_iort(its_only, 2)), 0, "it has no SMMU node");
    expect("IORT", nothing(table_iort(NULL, 0)), 0, "it has no SMMU node");
    expect("IORT", nothing(table_iort(odd_smmu, 1)), 0,
           "the address of each SMMU node in it is zero or all ones");
    expect("VIOT", nothing(table_viot(0x10)), 1, NULL);
    /* More nodes than fit, and a first node far away or in the header. */
    expect("IORT", with_bytes(table_iort(its_only, 2), 36, "\xff\xff\xff\xff", 4), 0,
           "it ends inside a structure, at byte 96");
    expect("IORT", with_bytes(table_iort(smmus, 3), 40, "\xff\xff\xff\xff", 4), 0,
           "it ends inside a structure, at byte 224");
    expect("IORT", with_bytes(table_iort(smmus, 3), 40, "\0\0\0\0", 4), 0,
           "its first structure begins at byte 0, inside its header");
    /* An SMMU node too short for an address. */
    expect("IORT", with_bytes(table_iort(odd_smmu, 1), 49, "\x14\0", 2), 0,
           "its SMMU node at byte 48 has 20 bytes, too few");
    expect("VIOT", with_bytes(table_viot(0x10), 38, "\xff\xff", 2), 0,
           "it ends inside a structure, at byte 88");
}
END_TEST

UNIT_MAIN("acpi", tables_of_bases, one_unit_in_several_blocks, tables_with_counts)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-acpi: checks the firmware's tables of IOMMUs for an inventory: that a table exists
 * proves nothing.  Layouts: VT-d 4.1 chapter 8 (DMAR), AMD 48882 chapter 5 (IVRS), Arm DEN 0049
 * (IORT), ACPI 6.4 section 5.2.30 (VIOT). */
#include "lib/host/topology-internal.h"

#include <errno.h>
#include <string.h>

/* A large server's IORT has some ten thousand bytes. */
#define TABLE_MAX   (1024 * 1024)
#define HEADER_SIZE 36
/* VT-d 4.1, 8.1 */
#define DMAR_FLAGS      37
#define DMAR_INTR_REMAP 1

typedef struct Table {
    const uint8_t *data;
    size_t size;
} Table;

/* How the structures of a table follow each other, and which of them are IOMMUs. */
typedef struct Layout {
    const char *name;
    const char *unit; /* its name in messages */
    size_t fixed;     /* bytes before the first structure, if no offset tells its place */
    /* of the number of structures, and of the offset of the first; 0: none */
    size_t count_offset, offset_offset;
    size_t place_bytes;               /* of these two numbers */
    size_t length_offset, type_bytes; /* in a structure */
    size_t minimum;                   /* length of a structure */
    const struct Unit *units;
} Layout;

typedef struct Unit {
    unsigned type;
    size_t minimum;     /* length of such a structure */
    size_t base_offset; /* of the address of its registers, 8 bytes; 0: it has none */
} Unit;

static const Unit dmar_units[] = {{0, 16, 8}, {0}};                                  /* DRHD */
static const Unit ivrs_units[] = {{0x10, 24, 8}, {0x11, 40, 8}, {0x40, 40, 8}, {0}}; /* IVHD */
/* SMMU version 1 or 2, version 3 */
static const Unit iort_units[] = {{3, 60, 16}, {4, 60, 16}, {0}};
static const Unit viot_units[] = {{3, 16, 0}, {4, 16, 8}, {0}}; /* virtio-iommu on PCI, by MMIO */

static const Layout layouts[] = {
    {"DMAR", "hardware unit (DRHD)", 48, 0, 0, 0, 2, 2, 4, dmar_units},
    {"IVRS", "hardware definition (IVHD)", 48, 0, 0, 0, 2, 1, 4, ivrs_units},
    {"IORT", "SMMU node", 48, 36, 40, 4, 1, 1, 16, iort_units},
    {"VIOT", "virtio-iommu node", 48, 36, 38, 2, 2, 1, 4, viot_units},
};

const char *const viommu_acpi_names[] = {"DMAR", "IVRS", "IORT", "VIOT", NULL};
G_STATIC_ASSERT(G_N_ELEMENTS(layouts) + 1 == G_N_ELEMENTS(viommu_acpi_names));

/* Little-endian; the caller has checked the bounds. */
static uint64_t number_at(const Table *table, size_t offset, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = bytes; i > 0; i--)
        number = number << 8 | table->data[offset + i - 1];
    return number;
}

/* NULL: the header is valid. */
static char *check_header(const Layout *layout, const Table *table)
{
    uint8_t sum = 0;

    if (table->size < layout->fixed)
        return g_strdup_printf("it has %zu bytes, too few for its header", table->size);
    if (memcmp(table->data, layout->name, 4) != 0)
        return g_strdup("it has another table's signature");
    if (number_at(table, 4, 4) != table->size)
        return g_strdup_printf("its header says %" G_GUINT64_FORMAT " bytes, but it has %zu",
                               number_at(table, 4, 4), table->size);
    for (size_t i = 0; i < table->size; i++)
        sum = (uint8_t)(sum + table->data[i]);
    return sum == 0 ? NULL : g_strdup("its checksum is wrong");
}

static const Unit *unit_of_type(const Layout *layout, uint64_t type)
{
    /* A unit's minimum is never 0, but DRHD's type is. */
    for (const Unit *unit = layout->units; unit->minimum; unit++)
        if (unit->type == type)
            return unit;
    return NULL;
}

typedef struct Count {
    uint64_t described; /* structures that describe a unit */
    uint64_t units;     /* units with a possible address */
    GHashTable *bases;  /* the addresses that were counted: uint64_t */
} Count;

static bool base_is_possible(uint64_t base)
{
    return base != 0 && base != UINT64_MAX && base != UINT32_MAX;
}

/* Firmware describes one AMD IOMMU by up to three blocks (types 10h, 11h and 40h, for older and
 * newer kernels), all with the address of its registers. */
static void count_base(Count *count, uint64_t base)
{
    uint64_t *key;

    if (!base_is_possible(base) || g_hash_table_contains(count->bases, &base))
        return;
    key = g_new(uint64_t, 1);
    *key = base;
    g_hash_table_add(count->bases, key);
    count->units++;
}

/* Counts a structure, which is inside the table; NULL, or what is wrong with it. */
static char *count_structure(const Layout *layout, const Table *table, size_t offset, Count *count)
{
    size_t length = (size_t)number_at(table, offset + layout->length_offset, 2);
    const Unit *unit = unit_of_type(layout, number_at(table, offset, layout->type_bytes));

    if (!unit)
        return NULL;
    if (length < unit->minimum)
        return g_strdup_printf("its %s at byte %zu has %zu bytes, too few", layout->unit, offset, length);
    count->described++;
    if (unit->base_offset == 0)
        count->units++;
    else
        count_base(count, number_at(table, offset + unit->base_offset, 8));
    return NULL;
}

static char *walk(const Layout *layout, const Table *table, Count *count)
{
    size_t offset = layout->offset_offset
                        ? (size_t)number_at(table, layout->offset_offset, layout->place_bytes)
                        : layout->fixed;
    uint64_t left =
        layout->count_offset ? number_at(table, layout->count_offset, layout->place_bytes) : UINT64_MAX;
    char *problem = NULL;

    if (left > 0 && offset < layout->fixed)
        return g_strdup_printf("its first structure begins at byte %zu, inside its header", offset);
    for (; left > 0 && !problem; left--) {
        size_t length;

        if (offset == table->size && layout->count_offset == 0)
            return NULL;
        if (offset > table->size || table->size - offset < layout->minimum)
            return g_strdup_printf("it ends inside a structure, at byte %zu", table->size);
        length = (size_t)number_at(table, offset + layout->length_offset, 2);
        if (length < layout->minimum || length > table->size - offset)
            return g_strdup_printf("its structure at byte %zu claims to have %zu bytes", offset, length);
        problem = count_structure(layout, table, offset, count);
        offset += length;
    }
    return problem;
}

uint64_t viommu_acpi_count_units(const char *name, const uint8_t *data, size_t size, char **ret_problem)
{
    const Layout *layout = NULL;
    Table table = {data, size};
    g_autoptr(GHashTable) bases = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    Count count = {.bases = bases};
    char *problem;

    for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++)
        if (g_str_equal(layouts[i].name, name))
            layout = &layouts[i];
    g_return_val_if_fail(layout, 0);
    problem = check_header(layout, &table);
    if (!problem)
        problem = walk(layout, &table, &count);
    if (!problem && count.described == 0)
        problem = g_strdup_printf("it has no %s", layout->unit);
    else if (!problem && count.units == 0)
        problem = g_strdup_printf("the address of each %s in it is zero or all ones", layout->unit);
    if (!problem)
        return count.units;
    *ret_problem = problem;
    return 0;
}

static void read_table(const ViommuRoot *root, const char *name, ViommuTopology *topology)
{
    g_autofree char *path = g_strdup_printf("sys/firmware/acpi/tables/%s", name);
    ViommuAcpiTable *table;
    int reason = 0;
    g_autoptr(GBytes) bytes = viommu_root_bytes(root, path, TABLE_MAX, &reason);
    size_t size = 0;
    const uint8_t *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;

    if (!bytes && (reason == ENOENT || reason == ENOTDIR))
        return;
    table = viommu_topology_add(&topology->tables, &viommu_topology_table_fields);
    table->name = g_strdup(name);
    if (!bytes && reason != EFBIG) {
        table->state = VIOMMU_TABLE_STATE_UNREAD;
        return;
    }
    table->units = 0;
    if (bytes)
        table->units = viommu_acpi_count_units(name, data, size, &table->problem);
    else
        table->problem = g_strdup_printf("it is longer than %d bytes", TABLE_MAX);
    table->state = table->units > 0 ? VIOMMU_TABLE_STATE_GOOD : VIOMMU_TABLE_STATE_BROKEN;
    if (table->units > 0 && g_str_equal(name, "DMAR"))
        table->interrupt_remapping = data[DMAR_FLAGS] & DMAR_INTR_REMAP;
}

void viommu_topology_read_tables(const ViommuRoot *root, ViommuTopology *topology)
{
    bool sysfs = viommu_root_exists(root, "sys/firmware");

    topology->acpi = sysfs ? viommu_root_exists(root, "sys/firmware/acpi/tables") : VIOMMU_UNSET;
    for (size_t i = 0; viommu_acpi_names[i]; i++)
        read_table(root, viommu_acpi_names[i], topology);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* acpi: reads any bytes as each of the firmware's tables, first as they are, then with length and
 * checksum corrected; a table without a usable unit has a problem that can be recorded. */
#include <string.h>

#include "lib/host/topology-internal.h"
#include "tests/fuzz/fuzz.h"

static void count(const char *name, const uint8_t *data, size_t size)
{
    char *problem = NULL;
    uint64_t units = viommu_acpi_count_units(name, data, size, &problem);

    fuzz_check((units == 0) == (problem != NULL));
    fuzz_check(units <= size);
    fuzz_check(!problem || g_utf8_validate(problem, -1, NULL));
    g_free(problem);
}

static void seal(uint8_t *table, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < 4; i++)
        table[4 + i] = (uint8_t)(size >> (8 * i));
    table[9] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; viommu_acpi_names[i]; i++) {
        /* Exactly as large, so that a sanitizer sees reads beyond it. */
        g_autofree uint8_t *table = g_malloc(size + (size == 0));

        memcpy(table, data, size);
        count(viommu_acpi_names[i], table, size);
        if (size < 10)
            continue;
        memcpy(table, viommu_acpi_names[i], 4);
        seal(table, size);
        count(viommu_acpi_names[i], table, size);
    }
    return 0;
}

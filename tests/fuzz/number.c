/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* number: sizes and versions; what was read can be written, and reads the same. */
#include "lib/host/caps.h"
#include "lib/base/quantity.h"
#include "tests/fuzz/fuzz.h"

static void check_size(const char *text)
{
    g_autoptr(GError) error = NULL;
    uint64_t bytes = 42, again;
    bool accepted = viommu_quantity_parse(text, &bytes, &error);

    fuzz_check_outcome(accepted, error);
    fuzz_check(accepted || bytes == 42);
    g_autofree char *written = viommu_quantity_format(bytes);
    fuzz_check(viommu_quantity_parse(written, &again, NULL) && again == bytes);
    fuzz_check(viommu_quantity_kib(bytes) >= bytes / VIOMMU_KIB);
}

static void check_version(const char *text)
{
    ViommuVersion version = 42, again;

    if (!viommu_version_parse(text, &version)) {
        fuzz_check(version == 42);
        return;
    }
    fuzz_check(version != 0);
    g_autofree char *written = viommu_version_format(version);
    g_autofree char *brief = viommu_version_format_short(version);
    fuzz_check(viommu_version_parse(written, &again) && again == version);
    fuzz_check(viommu_version_parse(brief, &again) && again == version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);

    /* The readers of the bus and of files refuse bytes that are not UTF-8. */
    if (!g_utf8_validate(text, -1, NULL))
        return 0;
    check_size(text);
    check_version(text);
    viommu_caps_machine_version(text);
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* forwards: reads QEMU's list of forwarded ports, parts of which a guest chooses. */
#include "tests/fuzz/fuzz.h"

#include "lib/machine/forwards.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) forwards = viommu_forwards_read(text, &error);

    fuzz_check_outcome(forwards != NULL, error);
    fuzz_check(!forwards || forwards->len <= VIOMMU_FORWARDS_READ_MAX);
    for (guint i = 0; forwards && i < forwards->len; i++) {
        const ViommuForward *forward = &g_array_index(forwards, ViommuForward, i);

        fuzz_check(forward->host_port > 0 && forward->guest_port > 0);
    }
    fuzz_check(!forwards || viommu_forwards_equal(forwards, forwards));
    return 0;
}

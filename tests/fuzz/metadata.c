/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata: what stands in a domain that anybody may have edited. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuMetadata) metadata = viommu_metadata_from_xml(text, &error);

    fuzz_check_outcome(metadata != NULL, error);
    if (metadata)
        fuzz_metadata(metadata);
    return 0;
}

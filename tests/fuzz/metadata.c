/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata: what stands in a domain that anybody may have edited: ours, and the devices that it has. */
#include <string.h>

#include "lib/domain-hostdevs.h"
#include "tests/fuzz/fuzz.h"

static void read_hostdevs(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) hostdevs = viommu_domain_hostdevs(text, &error);

    fuzz_check_outcome(hostdevs != NULL, error);
    for (char **address = hostdevs; address && *address; address++)
        fuzz_check(strlen(*address) >= strlen("0000:00:00.0"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuMetadata) metadata = viommu_metadata_from_xml(text, &error);

    fuzz_check_outcome(metadata != NULL, error);
    if (metadata)
        fuzz_metadata(metadata);
    read_hostdevs(text);
    return 0;
}

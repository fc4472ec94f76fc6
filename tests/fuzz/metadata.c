/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata: reads a domain that anybody may have edited: viommud's metadata, and the domain's
 * devices. */
#include <string.h>

#include "lib/domain/held-devices.h"
#include "tests/fuzz/fuzz.h"

static void read_hostdevs(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) hostdevs = viommu_domain_hostdevs(text, &error);

    fuzz_check_outcome(hostdevs != NULL, error);
    for (char **address = hostdevs; address && *address; address++)
        fuzz_check(strlen(*address) >= strlen("0000:00:00.0"));
}

/* A change keeps everything else. */
static void change(const char *text, const ViommuMetadata *metadata)
{
    const ViommuMetadataChange stopping = {.phase = VIOMMU_STATE_STOPPING};
    g_autofree char *after = viommu_metadata_change(text, &stopping, NULL);
    g_autofree char *again = after ? viommu_metadata_change(after, &stopping, NULL) : NULL;
    g_autoptr(ViommuMetadata) read = after ? viommu_metadata_from_xml(after, NULL, NULL) : NULL;

    if (!after)
        return;
    fuzz_check(read && again);
    fuzz_check_same(after, again);
    fuzz_check(read->owner_uid == metadata->owner_uid && read->lease_end_usec == metadata->lease_end_usec &&
               read->phase == VIOMMU_STATE_STOPPING && read->foreign == metadata->foreign);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuMetadata) metadata = viommu_metadata_from_xml(text, NULL, &error);

    fuzz_check_outcome(metadata != NULL, error);
    if (metadata && !metadata->foreign)
        fuzz_metadata(metadata);
    if (metadata)
        change(text, metadata);
    read_hostdevs(text);
    return 0;
}

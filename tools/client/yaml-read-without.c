/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* yaml-read-without: in place of yaml-read.c where libyaml is missing.  JSON is YAML, too. */
#include "tools/client/request-file.h"
#include "tools/client/yaml-read.h"

GVariant *viommu_yaml_read(const GString *text, GError **error)
{
    GVariant *tree = viommu_request_file_parse(text, error);

    if (!tree)
        g_prefix_error(error, "viommuctl was built without libyaml, and reads JSON only: ");
    return tree;
}

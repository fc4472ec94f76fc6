/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parse-request: a request out of the text of its a{sv}, for tests. */
#pragma once

#include "lib/request/request.h"
#include "tests/unit/unit.h"

/** The request in @text, which must be valid.  Owned. */
static inline ViommuRequest *unit_request(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    ViommuRequest *request = tree ? viommu_request_parse(tree, &error) : NULL;

    ck_assert_msg(request != NULL, "%s: %s", text, error ? error->message : "");
    return request;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* selector: what iommu.is-supported, model and model-name together request.  Knows no host. */
#pragma once

#include <glib.h>
#include "lib/request/request.h"

typedef enum ViommuSelectorKind {
    VIOMMU_SELECTOR_UNSAID, /* the request does not mention an IOMMU */
    VIOMMU_SELECTOR_NONE,   /* the guest must have none */
    VIOMMU_SELECTOR_ANY,    /* the best one by the site's order */
    VIOMMU_SELECTOR_NAMED,  /* one of models[] */
    VIOMMU_SELECTOR_LAST,
} ViommuSelectorKind;

typedef struct ViommuSelector {
    ViommuSelectorKind kind;
    ViommuModel models[VIOMMU_MODEL_LAST];
    unsigned n_models;
    const char *idle; /* a condition of the request that excludes no model; NULL: none */
    /* models[] is in the order of the request; false: the site's order applies */
    bool ordered;
} ViommuSelector;

/** Fails: INVALID_REQUEST naming the key and the word. */
bool viommu_selector_read(const ViommuRequestIommu *iommu, ViommuSelector *ret_selector, GError **error);
/** Whether @model is among the named ones. */
bool viommu_selector_names(const ViommuSelector *selector, ViommuModel model);

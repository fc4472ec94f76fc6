/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics: what viommud has and has counted, as OpenMetrics text.  No name of a machine, a user or
 * a file is in it, because whoever can connect reads it. */
#pragma once

#include "daemon/manager/manager.h"

/** Owned, g_free().  Loop thread. */
char *viommu_metrics_text(ViommuManager *manager);

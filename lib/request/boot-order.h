/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boot-order: the order in which the firmware tries the devices of a request. */
#pragma once

#include "lib/request/request.h"

/** The key of the first device with a place in the order; NULL: none has one.  Owned, g_free(). */
char *viommu_request_boot_order_key(const ViommuRequest *request);
/** Whether the places do not contradict each other or the rest of the request.  Fails:
 *  INVALID_REQUEST. */
bool viommu_request_check_boot_order(const ViommuRequest *request, GError **error);

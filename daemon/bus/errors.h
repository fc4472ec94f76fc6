/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* errors: the only place that turns a GError into an error on the bus. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/** Makes the reply that viommu_bus_reply_error() sends.  @ret_reply owned.  Negative: an error of
 *  sd-bus. */
int viommu_bus_new_error(sd_bus_message *call, const GError *error, const GPtrArray *reasons,
                         sd_bus_message **ret_reply);
/** Replies to @call with the name of @error.  NotSupported has a second value a(sss) besides the
 *  message: for each of @reasons (of ViommuReason, may be NULL) the model or "", the rule, the
 *  text. Returns 1, or a negative error of sd-bus. */
int viommu_bus_reply_error(sd_bus_message *call, const GError *error, const GPtrArray *reasons);

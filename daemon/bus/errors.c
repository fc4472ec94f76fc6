/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* errors: names and messages of errors. */
#include "daemon/bus/errors.h"

#include "lib/base/error.h"
#include "lib/plan/iommu.h"

static int append_reasons(sd_bus_message *reply, const GPtrArray *reasons)
{
    int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(sss)");

    for (guint i = 0; r >= 0 && reasons && i < reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(reasons, i);
        const char *model = viommu_model_to_string((ViommuModel)reason->model);
        g_autofree char *text = g_utf8_make_valid(reason->text, -1);
        r = sd_bus_message_append(reply, "(sss)", model ? model : "", viommu_rule_to_string(reason->rule),
                                  text);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

int viommu_bus_new_error(sd_bus_message *call, const GError *error, const GPtrArray *reasons,
                         sd_bus_message **ret_reply)
{
    const ViommuErrorInfo *info = viommu_error_info(error);
    /* Messages of libvirt and QEMU may contain any bytes; the bus disconnects a sender of invalid
     * UTF-8. */
    g_autofree char *text = g_utf8_make_valid(error->message, -1);
    sd_bus_error bus_error = SD_BUS_ERROR_MAKE_CONST(info->bus_name, text);
    sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_error(call, &reply, &bus_error);

    if (r >= 0 && g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED))
        r = append_reasons(reply, reasons);
    if (r < 0)
        sd_bus_message_unref(reply);
    else
        *ret_reply = reply;
    return r;
}

int viommu_bus_reply_error(sd_bus_message *call, const GError *error, const GPtrArray *reasons)
{
    sd_bus_message *reply = NULL;
    int r = viommu_bus_new_error(call, error, reasons, &reply);

    if (r >= 0)
        r = sd_bus_send(sd_bus_message_get_bus(reply), reply, NULL);
    sd_bus_message_unref(reply);
    return r < 0 ? r : 1;
}

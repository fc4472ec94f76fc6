/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine-values: the signature of each kind, and a function for each that is no basic type. */
#include "daemon/bus/machine-values.h"

#include <errno.h>

static const char *const types[] = {
    [VIOMMU_PROPERTY_TEXT] = "s",          [VIOMMU_PROPERTY_UUID] = "s",
    [VIOMMU_PROPERTY_NUMBER32] = "u",      [VIOMMU_PROPERTY_NUMBER64] = "t",
    [VIOMMU_PROPERTY_FLAG] = "b",          [VIOMMU_PROPERTY_WORD] = "s",
    [VIOMMU_PROPERTY_TEXTS] = "as",        [VIOMMU_PROPERTY_STATE] = "s",
    [VIOMMU_PROPERTY_FAILURE] = "(ss)",    [VIOMMU_PROPERTY_QUEUE] = "u",
    [VIOMMU_PROPERTY_CONSOLE] = "s",       [VIOMMU_PROPERTY_FORWARDS] = "a(qsq)",
    [VIOMMU_PROPERTY_ATTACHED] = "a(sss)",
};
G_STATIC_ASSERT(G_N_ELEMENTS(types) == VIOMMU_PROPERTY_LAST);

const char *viommu_machine_value_type(const ViommuProperty *property)
{
    return types[property->kind];
}

static int append_string(sd_bus_message *reply, const char *text)
{
    return sd_bus_message_append(reply, "s", text ? text : "");
}

static int append_texts(sd_bus_message *reply, char *const *text)
{
    int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "s");

    for (; r >= 0 && text && *text; text++) {
        g_autofree char *valid = g_utf8_make_valid(*text, -1);
        r = sd_bus_message_append(reply, "s", valid);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_failure(sd_bus_message *reply, const ViommuMachine *machine)
{
    g_autofree char *text =
        machine->failure_text ? g_utf8_make_valid(machine->failure_text, -1) : g_strdup("");

    return sd_bus_message_append(reply, "(ss)", machine->failure_name ? machine->failure_name : "", text);
}

static int append_console_problem(sd_bus_message *reply, const ViommuMachine *machine)
{
    const char *problem = machine->console ? viommu_console_problem(machine->console) : "";
    g_autofree char *valid = g_utf8_make_valid(problem, -1);

    return append_string(reply, valid);
}

static int append_forwards(sd_bus_message *reply, const GArray *forwards)
{
    int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(qsq)");

    for (guint i = 0; r >= 0 && forwards && i < forwards->len; i++) {
        const ViommuForward *forward = &g_array_index(forwards, ViommuForward, i);

        r = sd_bus_message_append(reply, "(qsq)", forward->guest_port, VIOMMU_FORWARD_ADDRESS,
                                  forward->host_port);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_attached(sd_bus_message *reply, const GPtrArray *attached)
{
    int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(sss)");

    for (guint i = 0; r >= 0 && attached && i < attached->len; i++) {
        const ViommuAttached *one = g_ptr_array_index(attached, i);
        g_autofree char *what = g_utf8_make_valid(one->what, -1);

        r = sd_bus_message_append(reply, "(sss)", one->id,
                                  viommu_enum_to_string(&viommu_enum_attached, (int)one->kind), what);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

int viommu_machine_value_append(sd_bus_message *reply, const ViommuProperty *property,
                                const ViommuMachine *machine)
{
    const void *value = viommu_machine_property_at(property, machine);

    switch (property->kind) {
    case VIOMMU_PROPERTY_TEXT:
        return append_string(reply, *(char *const *)value);
    case VIOMMU_PROPERTY_UUID:
        return append_string(reply, value);
    case VIOMMU_PROPERTY_NUMBER32:
    case VIOMMU_PROPERTY_NUMBER64:
    case VIOMMU_PROPERTY_FLAG:
        return sd_bus_message_append_basic(reply, types[property->kind][0], value);
    case VIOMMU_PROPERTY_WORD:
        return append_string(reply, viommu_enum_to_string(property->words, *(const int *)value));
    case VIOMMU_PROPERTY_TEXTS:
        return append_texts(reply, *(char **const *)value);
    case VIOMMU_PROPERTY_STATE:
        return append_string(reply, viommu_machine_state_word(machine));
    case VIOMMU_PROPERTY_FAILURE:
        return append_failure(reply, machine);
    case VIOMMU_PROPERTY_QUEUE:
        return sd_bus_message_append(reply, "u", viommu_machine_queue_position(machine));
    case VIOMMU_PROPERTY_FORWARDS:
        return append_forwards(reply, *(GArray *const *)value);
    case VIOMMU_PROPERTY_ATTACHED:
        return append_attached(reply, *(GPtrArray *const *)value);
    case VIOMMU_PROPERTY_CONSOLE:
        return append_console_problem(reply, machine);
    case VIOMMU_PROPERTY_LAST:
        break;
    }
    return -EINVAL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager/metrics.h"

#include <inttypes.h>

#include "daemon/machines/job.h"
#include "daemon/process/tally.h"

static void begin_family(GString *text, const char *name, const char *type, const char *help)
{
    g_string_append_printf(text, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void write_gauge(GString *text, const char *name, const char *help, uint64_t value)
{
    begin_family(text, name, "gauge", help);
    g_string_append_printf(text, "%s %" PRIu64 "\n", name, value);
}

/* --- Machines --- */

/* The machines with a model and a state; both words are static. */
typedef struct Kind {
    const char *model, *state;
    unsigned n;
} Kind;

static void count_machine(GArray *kinds, const ViommuMachine *machine)
{
    const char *model = viommu_model_to_string(machine->model);
    Kind fresh = {model ? model : "none", viommu_machine_state_word(machine), 1};

    for (guint i = 0; i < kinds->len; i++) {
        Kind *kind = &g_array_index(kinds, Kind, i);

        if (g_str_equal(kind->model, fresh.model) && g_str_equal(kind->state, fresh.state)) {
            kind->n++;
            return;
        }
    }
    g_array_append_val(kinds, fresh);
}

static void write_machines(GString *text, ViommuRegistry *registry)
{
    g_autoptr(GArray) kinds = g_array_new(FALSE, FALSE, sizeof(Kind));
    ViommuRegistryIterator machines = viommu_registry_iterate(registry);
    unsigned waiting = 0;

    for (const ViommuMachine *machine; (machine = viommu_registry_next(&machines));) {
        count_machine(kinds, machine);
        waiting += machine->job && machine->job->queue;
    }
    begin_family(text, "viommud_machines", "gauge", "Machines by the model of their IOMMU and their state.");
    for (guint i = 0; i < kinds->len; i++) {
        const Kind *kind = &g_array_index(kinds, Kind, i);

        g_string_append_printf(text, "viommud_machines{model=\"%s\",state=\"%s\"} %u\n", kind->model,
                               kind->state, kind->n);
    }
    write_gauge(text, "viommud_launches_waiting", "Launches that wait for their turn.", waiting);
}

/* --- The host --- */

/* a{sv} of numbers, by the keys of [limits]. */
static void write_amounts(GString *text, const char *name, const char *help, GVariant *floating)
{
    g_autoptr(GVariant) amounts = g_variant_ref_sink(floating);
    GVariantIter iterator;
    const char *key;
    GVariant *value;

    begin_family(text, name, "gauge", help);
    g_variant_iter_init(&iterator, amounts);
    while (g_variant_iter_loop(&iterator, "{&sv}", &key, &value))
        g_string_append_printf(text, "%s{resource=\"%s\"} %" PRIu64 "\n", name, key,
                               g_variant_get_uint64(value));
}

char *viommu_metrics_text(ViommuManager *manager)
{
    GString *text = g_string_new(NULL);

    begin_family(text, "viommud_build", "info", "The version of viommud.");
    g_string_append(text, "viommud_build_info{version=\"" VIOMMU_VERSION "\"} 1\n");
    write_gauge(text, "viommud_connected", "Whether viommud is connected to libvirt.",
                viommu_manager_is_connected(manager));
    write_machines(text, viommu_manager_registry(manager));
    viommu_tally_write(VIOMMU_TALLY_LAUNCHES, "viommud_launches", "result",
                       "Launches since the start of viommud, by their results.", text);
    viommu_tally_write(VIOMMU_TALLY_RULES, "viommud_refusals", "rule",
                       "Launches that were refused, by the rules against them; one can count for several.",
                       text);
    viommu_tally_write(VIOMMU_TALLY_STEPS, "viommud_launch_step_seconds", "step",
                       "How long the steps of launches took.", text);
    write_amounts(text, "viommud_used",
                  "What all machines have, by the keys of [limits], in bytes or numbers.",
                  viommu_manager_used(manager));
    write_amounts(text, "viommud_limit", "The settings of [limits] in viommud.conf; 0: no limit.",
                  viommu_config_limits(viommu_manager_config(manager)));
    g_string_append(text, "# EOF\n");
    return g_string_free(text, FALSE);
}

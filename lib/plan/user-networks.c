/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* user-networks: decides whether QEMU itself or passt serves the networks of type user.  passt
 * starts with the rights of QEMU and is told its ports of the host before it starts, whereas QEMU
 * lets the kernel choose them. */
#include "lib/plan/build.h"

/* Above those that Linux gives to connections. */
#define PORT_FIRST 61000u
#define PORT_COUNT (UINT16_MAX + 1u - PORT_FIRST)

static const ViommuRequestNetwork *asked_network(const ViommuPlanBuild *build, guint i)
{
    return g_ptr_array_index(build->request->networks, i);
}

static guint n_networks(const ViommuPlanBuild *build)
{
    return build->request->networks ? build->request->networks->len : 0;
}

static bool check_network(ViommuPlanBuild *build, guint i, GError **error)
{
    if (asked_network(build, i)->type != VIOMMU_NETWORK_TYPE_USER || build->emulator->user_network != 0)
        return true;
    if (build->emulator->passt != 1)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_NETWORK, error,
            "networks[%u].type 'user' needs a network of QEMU's own (slirp), which this QEMU was built without, or passt, which libvirt does not find; install passt, or use another type",
            i);
    if (viommu_asker_is_bound(build->input->asker))
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_NETWORK, error,
            "networks[%u].type 'user' needs a network of QEMU's own (slirp), which this QEMU was built without; passt is no substitute here, because it has the rights of the launching user, who may not make its socket in the directory of the system's libvirt; use another type, or your own viommud (viommuctl --user)",
            i);
    return true;
}

bool viommu_plan_check_user_networks(ViommuPlanBuild *build, GError **error)
{
    for (guint i = 0; i < n_networks(build); i++)
        if (!check_network(build, i, error))
            return false;
    return true;
}

static char *list_ports(const GArray *forward)
{
    GString *ports = g_string_new(NULL);

    for (guint j = 0; j < forward->len; j++)
        g_string_append_printf(ports, "%s%" G_GUINT64_FORMAT, j ? ", " : "",
                               g_array_index(forward, uint64_t, j));
    return g_string_free(ports, FALSE);
}

static void note_forward(ViommuPlanBuild *build, guint i, const GArray *forward, bool passt)
{
    g_autofree char *ports = list_ports(forward);

    viommu_plan_note(
        build,
        "networks[%u]: %s a port of 127.0.0.1 when the guest starts, for each of the guest's TCP ports: %s; every user of the host can connect to it",
        i, passt ? "viommud chooses" : "QEMU chooses", ports);
}

static GArray *ports_of(const GArray *forward)
{
    GArray *ports = g_array_new(FALSE, FALSE, sizeof(ViommuPlanPort));

    for (guint j = 0; forward && j < forward->len; j++) {
        const ViommuPlanPort port = {.guest = (uint16_t)g_array_index(forward, uint64_t, j)};

        g_array_append_val(ports, port);
    }
    return ports;
}

void viommu_plan_settle_user_networks(ViommuPlanBuild *build)
{
    bool passt = build->emulator->user_network == 0, used = false;

    for (guint i = 0; i < n_networks(build); i++) {
        const ViommuRequestNetwork *asked = asked_network(build, i);
        ViommuPlanNetwork *network = g_ptr_array_index(build->plan->networks, i);

        if (passt && asked->type == VIOMMU_NETWORK_TYPE_USER) {
            network->passt_ports = ports_of(asked->forward);
            used = true;
        }
        if (asked->forward)
            note_forward(build, i, asked->forward, network->passt_ports != NULL);
    }
    if (!used)
        return;
    viommu_plan_draw_ports(build->plan, 0);
    viommu_plan_note(
        build,
        "passt serves the networks of type 'user', because this QEMU was built without one of its own; the guest has an address of the host there");
    /* A dry run does not know its user. */
    if (!build->input->asker && viommu_host_secmodel(build->input->host, "dac"))
        viommu_plan_warn(
            build,
            "only root may have networks of type 'user' by the system's viommud, because passt serves them");
}

bool viommu_plan_draw_ports(ViommuPlan *plan, unsigned turn)
{
    g_autofree char *text = g_strdup_printf("%s %u", plan->uuid, turn);
    unsigned next = g_str_hash(text) % PORT_COUNT;
    bool drawn = false;

    for (guint i = 0; i < plan->networks->len; i++) {
        const ViommuPlanNetwork *network = g_ptr_array_index(plan->networks, i);

        for (guint j = 0; network->passt_ports && j < network->passt_ports->len; j++) {
            g_array_index(network->passt_ports, ViommuPlanPort, j).host =
                (uint16_t)(PORT_FIRST + next++ % PORT_COUNT);
            drawn = true;
        }
    }
    return drawn;
}

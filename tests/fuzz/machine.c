/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: reads a host's hardware from files with any content, and plans guests with its devices
 * for several users, under any policy of the site.  A planned device must be permitted to the user;
 * a refusal must not reveal a device that is not. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "lib/plan/memory.h"
#include "lib/policy/network-policy.h"
#include "tests/fuzz/records.h"

/* The parts of one input; they live as long as what borrows them. */
typedef struct Machine {
    FuzzRecords records;
    ViommuHost *host;
    ViommuConfig *config;
} Machine;

static const ViommuPciDevice *device_at(const Machine *machine, guint i)
{
    const GPtrArray *devices = machine->host->topology.devices;

    return devices && i < devices->len ? g_ptr_array_index(devices, i) : NULL;
}

/* --- Reading --- */

static ViommuConfig *read_conf(const GString *text)
{
    int file;
    g_autofree char *path = fuzz_file((const uint8_t *)text->str, text->len, &file);
    g_autoptr(ViommuConfig) config = viommu_config_new();
    bool read = viommu_config_load_file(config, path, NULL);

    close(file);
    return read ? g_steal_pointer(&config) : viommu_config_new();
}

static ViommuHost *read_host(const FuzzRecords *records)
{
    static const char *const bases[] = {
        "forky.json",      "bookworm.json", "trixie.json",         "forky-arm.json",
        "arm-server.json", "bullseye.json", "session-raised.json", NULL};
    bool known = records->host && g_strv_contains(bases, records->host);
    ViommuHost *host = fuzz_recorded_host(known ? records->host : bases[0]);

    if (records->memory_bytes != VIOMMU_UNSET_NUMBER)
        host->memory_bytes = records->memory_bytes;
    if (records->locked_bytes != VIOMMU_UNSET_NUMBER)
        host->locked_memory_bytes = records->locked_bytes;
    fuzz_check(viommu_topology_read(records->files.path, &host->topology, NULL));
    return host;
}

static void check_hardware(const Machine *machine)
{
    const ViommuPciDevice *device;
    g_autofree char *reason = NULL;
    bool used = viommu_topology_judge(&machine->host->topology, &reason) == VIOMMU_IOMMU_USE_USED;
    bool grouped = false;

    fuzz_check(*reason && g_utf8_validate(reason, -1, NULL));
    for (guint i = 0; (device = device_at(machine, i)); i++) {
        fuzz_check(*viommu_pci_device_noun(device));
        grouped = grouped || (device->group != VIOMMU_UNSET_NUMBER && !viommu_pci_device_is_bridge(device));
        for (char **use = device->uses; use && *use; use++)
            fuzz_check(g_str_is_ascii(*use) && !strpbrk(*use, "\n\r\033"));
    }
    fuzz_check(used == grouped);
    fuzz_host(machine->host);
}

/* An administrator's permission is for this device as it is, and ends with a change. */
static void check_leave(const Machine *machine, const ViommuAsker *member)
{
    const ViommuPciDevice *device;

    for (guint i = 0; (device = device_at(machine, i)); i++) {
        char *granted[] = {viommu_device_policy_grant(device), NULL};
        ViommuAsker asker = {.kind = VIOMMU_ASKER_MEMBER, .names = member->names, .granted = granted};
        ViommuPciDevice other = *device;

        fuzz_check(viommu_device_policy_is_granted(&asker, device));
        fuzz_check(viommu_device_policy_allows(NULL, &asker, device));
        fuzz_check(!viommu_device_policy_is_beyond(&machine->config->site, &asker, device));
        other.vendor ^= 1;
        fuzz_check(!viommu_device_policy_is_granted(&asker, &other));
        g_free(granted[0]);
    }
}

/* --- Planning --- */

static bool is_claimed(const Machine *machine, const char *address)
{
    for (guint i = 0; i < machine->records.claims->len; i++)
        if (g_str_equal(g_array_index(machine->records.claims, ViommuClaim, i).address, address))
            return true;
    return false;
}

static void check_placed(const Machine *machine, const ViommuAsker *asker, const ViommuPlacedDevice *placed)
{
    const ViommuSite *site = &machine->config->site;
    const ViommuPciDevice *device = viommu_topology_device(&machine->host->topology, placed->address);
    bool bound = viommu_asker_is_bound(asker);

    fuzz_check(device && !viommu_pci_device_is_bridge(device) && device->group != VIOMMU_UNSET_NUMBER);
    fuzz_check(!is_claimed(machine, device->address));
    fuzz_check(viommu_device_policy_allows(site, asker, device));
    fuzz_check(!device->uses || (site->root_takes_used && !bound));
    fuzz_check(!bound || !placed->taken || site->take_from_driver ||
               viommu_device_policy_is_granted(asker, device));
}

static void check_memory(const Machine *machine, const ViommuPlan *plan)
{
    ViommuPinned pinned =
        viommu_memory_pinned(plan->memory_bytes, plan->page_size_bytes, plan->memlock_bytes);
    g_autofree char *enough = viommu_memory_compare_limit(plan, UINT64_MAX);
    g_autofree char *little = viommu_memory_compare_limit(plan, 0);
    g_autoptr(GError) error = NULL, other = NULL;
    bool is_free = viommu_memory_check_free(machine->host, &pinned, machine->records.claims->len, &error);
    bool has_room =
        viommu_memory_check_room(machine->host, &machine->config->policy, &pinned, &pinned, &other);

    fuzz_check(!enough && !little == (plan->memlock_bytes == 0));
    fuzz_check_outcome(is_free, error);
    fuzz_check_outcome(has_room, other);
}

static void check_plan(const Machine *machine, const ViommuPlanInput *input, const ViommuPlan *plan)
{
    ViommuPlacementInput placing = {.request = input->request,
                                    .topology = &machine->host->topology,
                                    .asker = input->asker,
                                    .site = &machine->config->site};
    const GPtrArray *devices = plan->placement.devices;
    g_autoptr(GError) error = NULL;

    check_memory(machine, plan);
    if (plan->placement.unseen) {
        fuzz_check(!input->asker || input->asker->kind == VIOMMU_ASKER_OWN);
        return;
    }
    for (guint i = 0; i < devices->len; i++)
        check_placed(machine, input->asker, g_ptr_array_index(devices, i));
    if (!viommu_placement_check_again(&placing, &plan->placement, &error))
        g_error("it was planned, and cannot be had: %s", error->message);
}

/* Whether @text is about a device that the user may know of. */
static bool is_told(const Machine *machine, const ViommuAsker *asker, const char *text)
{
    const ViommuPciDevice *device;

    for (guint i = 0; (device = device_at(machine, i)); i++)
        for (char **use = device->uses; use && *use; use++)
            if (viommu_device_policy_allows(&machine->config->site, asker, device) && strstr(*use, text))
                return true;
    return false;
}

static void check_refusal(const Machine *machine, const ViommuPlanInput *input, const char *refusal)
{
    g_autofree char *asked = viommu_request_text(input->request);
    g_autofree char *names =
        input->asker && input->asker->names ? g_strjoinv(" ", input->asker->names) : g_strdup("");
    const ViommuPciDevice *device;

    for (guint i = 0; viommu_asker_is_bound(input->asker) && (device = device_at(machine, i)); i++)
        /* A text that is no address may occur for other reasons. */
        if (strlen(device->address) == strlen("0000:00:00.0") && strstr(refusal, device->address) &&
            !viommu_device_policy_allows(&machine->config->site, input->asker, device) &&
            !strstr(asked, device->address) && !strstr(names, device->address) &&
            !is_told(machine, input->asker, device->address))
            g_error("it tells of '%s', which is not for the asker: %s", device->address, refusal);
}

/* The mode of each network of the request.  Owned. */
static char **forward_modes(const Machine *machine, const ViommuRequest *request)
{
    guint n = request->networks ? request->networks->len : 0;
    char **given = machine->records.modes, **modes = g_new0(char *, n + 1);
    guint n_given = given ? g_strv_length(given) : 0;

    for (guint i = 0; i < n; i++)
        modes[i] = g_strdup(i < n_given ? given[i] : "");
    return modes;
}

static void plan_for(const Machine *machine, const ViommuRequest *request, const ViommuAsker *asker)
{
    g_auto(GStrv) modes = forward_modes(machine, request);
    const GArray *claims = machine->records.claims;
    ViommuPlanInput input = {.request = request,
                             .host = machine->host,
                             .policy = &machine->config->policy,
                             .claims = (const ViommuClaim *)(const void *)claims->data,
                             .n_claims = claims->len,
                             .forward_modes = machine->records.modes ? modes : NULL,
                             .asker = asker};
    g_autofree char *refusal = NULL;
    g_autoptr(ViommuPlan) plan = fuzz_plan_once(&input, &refusal);

    if (plan)
        check_plan(machine, &input, plan);
    else
        check_refusal(machine, &input, refusal);
}

/* --- Requests of users --- */

static void plan_text(const Machine *machine, const char *text, const ViommuAsker *asker)
{
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = tree ? fuzz_request(tree) : NULL;

    if (request)
        plan_for(machine, request, asker);
}

/* A user without a request of its own requests each device. */
static void plan_each(const Machine *machine, const ViommuAsker *asker)
{
    const ViommuPciDevice *device;

    for (guint i = 0; i < 4 && (device = device_at(machine, i)); i++) {
        g_autofree char *text =
            strchr(device->address, '\'')
                ? g_strdup("{}")
                : g_strdup_printf("{'hostdevs': <[{'address': <'%s'>}]>}", device->address);

        plan_text(machine, text, asker);
    }
}

static void ask(const Machine *machine, ViommuAsker *asker)
{
    const FuzzRecords *records = &machine->records;
    g_autoptr(GPtrArray) granted = g_ptr_array_new();

    for (guint i = 0; asker && asker->kind == VIOMMU_ASKER_MEMBER && i < records->leaves->len; i++) {
        const ViommuPciDevice *device =
            viommu_topology_device(&machine->host->topology, g_ptr_array_index(records->leaves, i));

        if (device)
            g_ptr_array_add(granted, viommu_device_policy_grant(device));
    }
    g_ptr_array_add(granted, NULL);
    if (granted->len > 1)
        asker->granted = (char **)g_ptr_array_free(g_steal_pointer(&granted), FALSE);
    if (records->requests->len == 0)
        plan_each(machine, asker);
    for (guint i = 0; i < records->requests->len; i++)
        plan_text(machine, g_ptr_array_index(records->requests, i), asker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    ViommuAsker root = {.kind = VIOMMU_ASKER_ROOT};
    Machine machine;

    fuzz_records_read(&machine.records, text);
    machine.host = read_host(&machine.records);
    machine.config = read_conf(machine.records.conf);
    check_hardware(&machine);
    ask(&machine, &root);
    for (guint i = 0; i < machine.records.askers->len; i++) {
        ViommuAsker *asker = g_ptr_array_index(machine.records.askers, i);

        check_leave(&machine, asker);
        ask(&machine, asker);
    }
    viommu_config_free(machine.config);
    viommu_host_free(machine.host);
    fuzz_records_clear(&machine.records);
    return 0;
}

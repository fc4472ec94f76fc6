/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listing: the machines in the order of the answer, and what has happened to those in it. */
#include "daemon/bus/listing.h"

#include "daemon/bus/machine-signals.h"
#include "daemon/bus/slices.h"
#include "lib/base/names.h"

typedef struct Kind {
    const char *element; /* its type */
    int (*append)(sd_bus_message *reply, const ViommuBusListing *listing, const ViommuMachine *machine);
} Kind;

struct ViommuBusListing {
    ViommuBus *bus;
    sd_bus_message *call;
    const Kind *kind;
    GHashTable *usage; /* of the outcome */
    uint32_t uid;
    bool sees_all;
    /* by name, and behind them those that have come; the caller may know of all before @next.
     * NULL: the machine is gone, or the caller may not know of it */
    GPtrArray *machines;
    guint next;          /* the first that is not in the answer */
    bool following;      /* the answer has been sent */
    GHashTable *changed; /* a machine in the answer -> what has changed since */
    GPtrArray *gone;     /* of paths, owned: were in the answer */
};

/* --- The rows --- */

/* Whether the caller may read all of the machine. */
static bool owns(const ViommuBusListing *listing, const ViommuMachine *machine)
{
    return listing->sees_all || machine->owner_uid == listing->uid;
}

static int append_object(sd_bus_message *reply, const ViommuBusListing *listing, const ViommuMachine *machine)
{
    int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_DICT_ENTRY, "oa{sa{sv}}");

    if (r >= 0)
        r = viommu_bus_append_machine(reply, machine, owns(listing, machine));
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_row(sd_bus_message *reply, const ViommuBusListing *listing, const ViommuMachine *machine)
{
    const char *model = owns(listing, machine) ? viommu_model_to_string(machine->model) : NULL;
    g_autofree char *path = viommu_bus_machine_path(machine);

    return sd_bus_message_append(reply, "(ssso)", machine->name, viommu_machine_state_word(machine),
                                 model ? model : "", path);
}

static int append_usage(sd_bus_message *reply, const ViommuBusListing *listing, const ViommuMachine *machine)
{
    const ViommuGuestUsage *row =
        owns(listing, machine) ? g_hash_table_lookup(listing->usage, machine->uuid) : NULL;

    return row ? sd_bus_message_append(reply, "(sttt)", machine->name, row->cpu_nsec, row->memory_bytes,
                                       row->asked_usec)
               : 0;
}

static const Kind kinds[] = {
    [VIOMMU_BUS_LIST_OBJECTS] = {"{oa{sa{sv}}}", append_object},
    [VIOMMU_BUS_LIST_MACHINES] = {"(ssso)", append_row},
    [VIOMMU_BUS_LIST_USAGE] = {"(sttt)", append_usage},
};
G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == VIOMMU_BUS_LIST_LAST);

/* --- The answer --- */

static bool shows(const ViommuBusListing *listing, const ViommuMachine *machine)
{
    return machine->announced && (machine->shown || owns(listing, machine));
}

static int begin(sd_bus_message *reply, void *data)
{
    ViommuBusListing *listing = data;

    listing->machines = viommu_registry_list(viommu_manager_registry(listing->bus->manager), true);
    listing->changed = g_hash_table_new(NULL, NULL);
    listing->gone = g_ptr_array_new_with_free_func(g_free);
    listing->bus->listing = listing;
    return sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, listing->kind->element);
}

static int append(sd_bus_message *reply, void *data)
{
    ViommuBusListing *listing = data;
    const ViommuMachine *machine;
    int r;

    if (listing->next == listing->machines->len) {
        r = sd_bus_message_close_container(reply);
        return r < 0 ? r : 0;
    }
    machine = g_ptr_array_index(listing->machines, listing->next);
    if (machine && !shows(listing, machine))
        machine = g_ptr_array_index(listing->machines, listing->next) = NULL;
    listing->next++;
    r = machine ? listing->kind->append(reply, listing, machine) : 0;
    return r < 0 ? r : 1;
}

/* False: none is left. */
static bool tell_change(ViommuBusListing *listing, const char *to)
{
    GHashTableIter iterator;
    void *machine, *changes;

    g_hash_table_iter_init(&iterator, listing->changed);
    if (!g_hash_table_iter_next(&iterator, &machine, &changes))
        return false;
    viommu_bus_tell_changed(listing->bus, machine, GPOINTER_TO_UINT(changes), to);
    g_hash_table_iter_remove(&iterator);
    return true;
}

static int follow(void *data)
{
    ViommuBusListing *listing = data;
    const char *to = sd_bus_message_get_sender(listing->call);
    const ViommuMachine *machine;

    listing->following = true;
    if (listing->gone->len > 0) {
        viommu_bus_tell_removed(listing->bus, g_ptr_array_index(listing->gone, listing->gone->len - 1), to);
        g_ptr_array_set_size(listing->gone, (int)listing->gone->len - 1);
        return 1;
    }
    if (listing->next < listing->machines->len) {
        machine = g_ptr_array_index(listing->machines, listing->next++);
        if (machine && shows(listing, machine))
            viommu_bus_tell_added(listing->bus, machine, to);
        return 1;
    }
    return tell_change(listing, to);
}

static void free_listing(void *data)
{
    ViommuBusListing *listing = data;

    if (listing->bus->listing == listing)
        listing->bus->listing = NULL;
    g_clear_pointer(&listing->machines, g_ptr_array_unref);
    g_clear_pointer(&listing->changed, g_hash_table_unref);
    g_clear_pointer(&listing->gone, g_ptr_array_unref);
    g_clear_pointer(&listing->usage, g_hash_table_unref);
    sd_bus_message_unref(listing->call);
    g_free(listing);
}

static ViommuBusListing *new_listing(ViommuBus *bus, sd_bus_message *call, ViommuBusListKind kind)
{
    ViommuBusListing *listing = g_new0(ViommuBusListing, 1);

    *listing = (ViommuBusListing){.bus = bus, .call = sd_bus_message_ref(call), .kind = &kinds[kind]};
    listing->sees_all = viommu_auth_uid(bus->auth, call, &listing->uid, NULL) &&
                        viommu_auth_is_trusted(bus->auth, listing->uid);
    return listing;
}

int viommu_bus_list(ViommuBus *bus, sd_bus_message *call, ViommuBusListKind kind)
{
    static const ViommuBusParts parts = {begin, append, follow, free_listing};

    return viommu_bus_slices_answer(bus->slices, call, &parts, new_listing(bus, call, kind));
}

void viommu_bus_list_usage(ViommuBus *bus, sd_bus_message *call, const ViommuOutcome *outcome)
{
    /* No signal tells of it, so nothing follows. */
    static const ViommuBusParts parts = {begin, append, NULL, free_listing};
    ViommuBusListing *listing = new_listing(bus, call, VIOMMU_BUS_LIST_USAGE);

    listing->usage = g_hash_table_ref(outcome->usage);
    (void)viommu_bus_slices_answer(bus->slices, call, &parts, listing);
}

/* --- What happens meanwhile --- */

/* Whether @machine is in the list, and where. */
static bool find(const ViommuBusListing *listing, const ViommuMachine *machine, guint *ret_at)
{
    return listing && g_ptr_array_find(listing->machines, machine, ret_at);
}

/* It may be in the list since earlier, when only its owner could know of it. */
void viommu_bus_listing_added(ViommuBusListing *listing, const ViommuMachine *machine)
{
    if (listing && !listing->following && !find(listing, machine, NULL))
        g_ptr_array_add(listing->machines, (void *)machine);
}

void viommu_bus_listing_changed(ViommuBusListing *listing, const ViommuMachine *machine, unsigned changes)
{
    guint at;

    if (!find(listing, machine, &at) || at >= listing->next || listing->following)
        return;
    changes |= GPOINTER_TO_UINT(g_hash_table_lookup(listing->changed, machine));
    g_hash_table_insert(listing->changed, (void *)machine, GUINT_TO_POINTER(changes));
}

void viommu_bus_listing_removed(ViommuBusListing *listing, const ViommuMachine *machine, const char *path)
{
    guint at;

    if (!find(listing, machine, &at))
        return;
    if (at < listing->next && !listing->following)
        g_ptr_array_add(listing->gone, g_strdup(path));
    g_ptr_array_index(listing->machines, at) = NULL;
    g_hash_table_remove(listing->changed, machine);
}

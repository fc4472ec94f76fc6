/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-properties: each change signals a property, each property that changes has a change, and
 * nothing is signalled without a change. */
#include "tests/unit/unit.h"

#include "daemon/machines/properties.h"
#include "daemon/machines/registry.h"

#define ALL_CHANGES ((VIOMMU_MACHINE_CHANGE_ATTACHED << 1) - 1)

START_TEST(rows)
{
    unsigned told = 0, open = 0;

    for (size_t i = 0; i < VIOMMU_MACHINE_PROPERTIES; i++) {
        const ViommuProperty *row = &viommu_machine_properties[i];

        ck_assert_msg(row->name != NULL, "row %zu is empty", i);
        ck_assert_ptr_eq(viommu_machine_property(row->name), row);
        ck_assert_int_eq(row->kind == VIOMMU_PROPERTY_WORD, row->words != NULL);
        open += row->open;
        if (row->changes == VIOMMU_PROPERTY_UNTOLD)
            continue;
        ck_assert_msg(!(row->changes & ~ALL_CHANGES), "%s: no such change", row->name);
        told |= row->changes;
    }
    ck_assert_uint_eq(told, ALL_CHANGES);
    /* Other users see these: Name, State, Result. */
    ck_assert_uint_eq(open, 3);
    ck_assert_ptr_null(viommu_machine_property("name"));
}
END_TEST

/* The last change, and the number of changes. */
typedef struct Told {
    unsigned changes, times;
} Told;

static void on_seen(const ViommuMachine *machine, void *userdata)
{
}

static void on_changed(const ViommuMachine *machine, unsigned changes, void *userdata)
{
    Told *told = userdata;

    told->changes = changes;
    told->times++;
}

static void assert_told(const Told *told, unsigned changes, unsigned times)
{
    ck_assert_uint_eq(told->changes, changes);
    ck_assert_uint_eq(told->times, times);
}

START_TEST(told_once)
{
    static const ViommuRegistryWatcher watcher = {
        .added = on_seen, .bound = on_seen, .changed = on_changed, .removed = on_seen};
    ViommuRegistry *registry = viommu_registry_new();
    ViommuMachine *machine = viommu_machine_new("one", "5b0a2f5e-0000-4000-8000-000000000001", 1000);
    Told told = {0, 0};

    viommu_registry_watch(registry, &watcher, &told);
    viommu_registry_add(registry, machine);
    /* No client knows it yet. */
    viommu_registry_move(registry, machine, 3);
    viommu_registry_announce(registry, machine);
    viommu_registry_move(registry, machine, 3);
    assert_told(&told, 0, 0);
    viommu_registry_move(registry, machine, 2);
    assert_told(&told, VIOMMU_MACHINE_CHANGE_QUEUE, 1);
    viommu_registry_move(registry, machine, 0);
    assert_told(&told, VIOMMU_MACHINE_CHANGE_QUEUE, 2);
    viommu_registry_prove(registry, machine);
    assert_told(&told, VIOMMU_MACHINE_CHANGE_VERIFIED, 3);
    viommu_registry_prove(registry, machine);
    assert_told(&told, VIOMMU_MACHINE_CHANGE_VERIFIED, 3);
    ck_assert_int_eq(*(const int *)viommu_machine_property_at(viommu_machine_property("Verified"), machine),
                     1);
    viommu_registry_free(registry);
}
END_TEST

static void on_bound(const ViommuMachine *machine, void *userdata)
{
    ck_assert_str_eq(machine->client, "bus:1.7");
    ++*(unsigned *)userdata;
}

/* The watcher is told of the client of a bound machine only, whichever client launched it. */
START_TEST(bound)
{
    static const ViommuRegistryWatcher watcher = {
        .added = on_seen, .bound = on_bound, .changed = on_changed, .removed = on_seen};
    ViommuRegistry *registry = viommu_registry_new();
    ViommuMachine *machines[2];
    unsigned times = 0;

    viommu_registry_watch(registry, &watcher, &times);
    for (unsigned i = 0; i < G_N_ELEMENTS(machines); i++) {
        const ViommuMachineOrigin origin = {.client = i ? "bus:1.7" : NULL, .launcher = "bus:1.7"};
        g_autofree char *name = g_strdup_printf("m%u", i);
        g_autofree char *uuid = g_strdup_printf("5b0a2f5e-0000-4000-8000-00000000000%u", i);

        machines[i] = viommu_machine_new(name, uuid, 1000);
        viommu_machine_set_origin(machines[i], &origin);
        viommu_registry_add(registry, machines[i]);
    }
    viommu_registry_bind(registry, machines[0]);
    ck_assert_uint_eq(times, 0);
    viommu_registry_bind(registry, machines[1]);
    ck_assert_uint_eq(times, 1);
    viommu_registry_free(registry);
}
END_TEST

UNIT_MAIN("properties", rows, told_once, bound)

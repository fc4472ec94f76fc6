/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry: finds all machines by UUID, name and request-id, and tells one watcher when a machine
 * changes.  Knows no bus and no libvirt, and does not know why a machine changes. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/machines/machine.h"

typedef struct ViommuRegistry ViommuRegistry;

/* Who is told; only of machines that were announced. */
typedef struct ViommuRegistryWatcher {
    /* again when it is shown to everybody */
    void (*added)(const ViommuMachine *machine, void *userdata);
    void (*bound)(const ViommuMachine *machine,
                  void *userdata); /* to its client, also before it is announced */
    void (*changed)(const ViommuMachine *machine, unsigned changes, void *userdata);
    void (*removed)(const ViommuMachine *machine, void *userdata); /* can still be found */
} ViommuRegistryWatcher;

ViommuRegistry *viommu_registry_new(void);
void viommu_registry_free(ViommuRegistry *registry);
/** One watcher; @watcher is borrowed. */
void viommu_registry_watch(ViommuRegistry *registry, const ViommuRegistryWatcher *watcher, void *userdata);

/** Takes @machine; its name must be free. */
void viommu_registry_add(ViommuRegistry *registry, ViommuMachine *machine);
/** Everybody sees machines from the beginning, not only when they have run. */
void viommu_registry_show_all(ViommuRegistry *registry);
/** From now on clients see it: its owner's, or, when it has run, all. */
void viommu_registry_announce(ViommuRegistry *registry, ViommuMachine *machine);
/** Tells that @machine is to end when its client leaves, if it is bound to one.  A client that has
 *  left ends the machine, which may be gone when this returns. */
void viommu_registry_bind(ViommuRegistry *registry, ViommuMachine *machine);
/** Applies @event and tells.  Returns true when the machine is gone, and freed. */
bool viommu_registry_feed(ViommuRegistry *registry, ViommuMachine *machine, ViommuEvent event);
/** Takes over a plan that was made again and tells. */
void viommu_registry_replan(ViommuRegistry *registry, ViommuMachine *machine, const ViommuMetadata *metadata);
/** Notes one more warning and tells. */
void viommu_registry_warn(ViommuRegistry *registry, ViommuMachine *machine, const char *text);
/** Moves the end of its lease and tells. */
void viommu_registry_extend(ViommuRegistry *registry, ViommuMachine *machine, uint64_t end_usec);
/** Notes that its IOMMU is proven and tells. */
void viommu_registry_prove(ViommuRegistry *registry, ViommuMachine *machine);
/** Notes its place in the queue, 0: none, and tells when it is another one. */
void viommu_registry_move(ViommuRegistry *registry, ViommuMachine *machine, unsigned position);
/** Notes why its launch failed and tells. */
void viommu_registry_fail(ViommuRegistry *registry, ViommuMachine *machine, const GError *error);

/* Borrowed; NULL when there is none. */
ViommuMachine *viommu_registry_by_uuid(const ViommuRegistry *registry, const char *uuid);
ViommuMachine *viommu_registry_by_name(const ViommuRegistry *registry, const char *name);
ViommuMachine *viommu_registry_by_request(const ViommuRegistry *registry, uint32_t uid,
                                          const char *request_id);
/** An announced one, by name or UUID. */
ViommuMachine *viommu_registry_find(const ViommuRegistry *registry, const char *name_or_uuid);
/** Sorted by name.  @announced: only those that clients see.  Owned array of borrowed
 *  ViommuMachine. */
GPtrArray *viommu_registry_list(const ViommuRegistry *registry, bool announced);
/* All of them in no order; nothing may come or go meanwhile. */
typedef struct ViommuRegistryIterator {
    GHashTableIter machines;
} ViommuRegistryIterator;
ViommuRegistryIterator viommu_registry_iterate(const ViommuRegistry *registry);
/** NULL after the last. Borrowed. */
ViommuMachine *viommu_registry_next(ViommuRegistryIterator *iterator);
unsigned viommu_registry_count(const ViommuRegistry *registry);

/* Epochs: a listing of libvirt's domains may be older than what happened here while it was made. */

/** Begins an epoch, with the listing. */
void viommu_registry_begin_epoch(ViommuRegistry *registry);
/** The listing was settled. */
void viommu_registry_end_epoch(ViommuRegistry *registry);
/** Nothing happened to @machine in this epoch, so what was listed in it holds. */
bool viommu_registry_is_settled(const ViommuRegistry *registry, const ViommuMachine *machine);
/** A machine with this UUID ended in this epoch. */
bool viommu_registry_has_ended(const ViommuRegistry *registry, const char *uuid);

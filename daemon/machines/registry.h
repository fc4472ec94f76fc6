/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry: finds all machines by UUID, name and request-id, and notifies one watcher when a
 * machine changes.  Knows no bus and no libvirt, and does not know why a machine changes. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/machines/machine.h"

typedef struct ViommuRegistry ViommuRegistry;

/* The watcher's functions, called only for announced machines, unless noted. */
typedef struct ViommuRegistryWatcher {
    /* called again when the machine becomes visible to all users */
    void (*added)(const ViommuMachine *machine, void *userdata);
    void (*bound)(const ViommuMachine *machine,
                  /* the machine is bound to its client; also called before it is announced */
                  void *userdata);
    void (*changed)(const ViommuMachine *machine, unsigned changes, void *userdata);
    /* the machine can still be found */
    void (*removed)(const ViommuMachine *machine, void *userdata);
} ViommuRegistryWatcher;

ViommuRegistry *viommu_registry_new(void);
void viommu_registry_free(ViommuRegistry *registry);
/** One watcher; @watcher is borrowed. */
void viommu_registry_watch(ViommuRegistry *registry, const ViommuRegistryWatcher *watcher, void *userdata);

/** Takes @machine; its name must be free. */
void viommu_registry_add(ViommuRegistry *registry, ViommuMachine *machine);
/** Makes machines visible to all users from the beginning, not only after they have run. */
void viommu_registry_show_all(ViommuRegistry *registry);
/** Makes it visible: to its owner and root or, when it has run, to all users. */
void viommu_registry_announce(ViommuRegistry *registry, ViommuMachine *machine);
/** Tells the watcher that @machine ends when its client disconnects, if it is bound to one.  If the
 *  client has already disconnected, the machine may be gone when this returns. */
void viommu_registry_bind(ViommuRegistry *registry, ViommuMachine *machine);
/** Applies @event and notifies.  True: the machine is gone, and freed. */
bool viommu_registry_feed(ViommuRegistry *registry, ViommuMachine *machine, ViommuEvent event);
/** Takes over a new plan and notifies. */
void viommu_registry_replan(ViommuRegistry *registry, ViommuMachine *machine, const ViommuMetadata *metadata);
/** Adds a warning and notifies. */
void viommu_registry_warn(ViommuRegistry *registry, ViommuMachine *machine, const char *text);
/** Records that its guest is paused, or runs again, and notifies.  False: it was so before. */
bool viommu_registry_pause(ViommuRegistry *registry, ViommuMachine *machine, ViommuPause pause);
/** As viommu_machine_attach(), and notifies. */
void viommu_registry_attach(ViommuRegistry *registry, ViommuMachine *machine, const ViommuAttached *attached);
/** As viommu_machine_detach(), and notifies.  False: it had no such device. */
bool viommu_registry_detach(ViommuRegistry *registry, ViommuMachine *machine, const char *id);
/** Moves the end of its lease and notifies. */
void viommu_registry_extend(ViommuRegistry *registry, ViommuMachine *machine, uint64_t end_usec);
/** Records that its IOMMU was verified and notifies. */
void viommu_registry_prove(ViommuRegistry *registry, ViommuMachine *machine);
/** Records that its agent has answered and notifies. */
void viommu_registry_ready(ViommuRegistry *registry, ViommuMachine *machine);
/** As viommu_machine_tell_ready(). */
void viommu_registry_tell_ready(ViommuRegistry *registry, ViommuMachine *machine, bool ready);
/** Takes how it is reached, which is empty then, and notifies if it has changed. */
void viommu_registry_reach(ViommuRegistry *registry, ViommuMachine *machine, ViommuReach *reach);
/** Records its place in the queue, 0: none, and notifies if it has changed. */
void viommu_registry_move(ViommuRegistry *registry, ViommuMachine *machine, unsigned position);
/** Records why its launch, or its guest, failed and notifies. */
void viommu_registry_fail(ViommuRegistry *registry, ViommuMachine *machine, const GError *error);

/* Borrowed; NULL: not found. */
ViommuMachine *viommu_registry_by_uuid(const ViommuRegistry *registry, const char *uuid);
ViommuMachine *viommu_registry_by_name(const ViommuRegistry *registry, const char *name);
ViommuMachine *viommu_registry_by_request(const ViommuRegistry *registry, uint32_t uid,
                                          const char *request_id);
/** An announced machine, by name or UUID. */
ViommuMachine *viommu_registry_find(const ViommuRegistry *registry, const char *name_or_uuid);
/** Sorted by name.  @announced: only machines that clients see.  Owned array of borrowed
 *  ViommuMachine. */
GPtrArray *viommu_registry_list(const ViommuRegistry *registry, bool announced);
/* All machines, in no order; none may be added or removed meanwhile. */
typedef struct ViommuRegistryIterator {
    GHashTableIter machines;
} ViommuRegistryIterator;
ViommuRegistryIterator viommu_registry_iterate(const ViommuRegistry *registry);
/** NULL after the last. Borrowed. */
ViommuMachine *viommu_registry_next(ViommuRegistryIterator *iterator);
unsigned viommu_registry_count(const ViommuRegistry *registry);

/* Epochs: a listing of libvirt's domains may be older than events during the listing. */

/** Begins an epoch; call it when the listing begins. */
void viommu_registry_begin_epoch(ViommuRegistry *registry);
/** Ends the epoch: the listing has been applied. */
void viommu_registry_end_epoch(ViommuRegistry *registry);
/** Whether @machine has not changed in this epoch, so that the listing is right about it. */
bool viommu_registry_is_settled(const ViommuRegistry *registry, const ViommuMachine *machine);
/** Whether a machine with this UUID ended in this epoch. */
bool viommu_registry_has_ended(const ViommuRegistry *registry, const char *uuid);

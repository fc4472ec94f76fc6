/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bus: the connection, the name, and the common part of all methods.  Knows the manager; knows no
 * libvirt.  manager-object.c: org.viommu1.Manager; machine-object.c: org.viommu1.Machine, one table
 * for all machines, so that each costs the bus little; logcontrol.c:
 * org.freedesktop.LogControl1. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include "daemon/bus/auth.h"
#include "daemon/bus/clients.h"
#include "daemon/bus/peers.h"
#include "daemon/bus/slices.h"
#include "daemon/bus/turns.h"
#include "daemon/process/loop.h"
#include "daemon/manager/manager.h"

/** viommud has its name: @error is NULL; or not: EXISTS when another viommud has the name,
 *  BACKEND. */
typedef void (*ViommuBusNamedFunc)(const GError *error, void *userdata);

/* An answer about all machines that is being made; see listing.h. */
typedef struct ViommuBusListing ViommuBusListing;

struct ViommuBus {
    sd_bus *bus;
    bool is_system;
    bool telling; /* a signal is being made, for any receiver */
    /* For questions to the bus itself, whose answers do not come behind the messages of users. */
    sd_bus *asking;
    ViommuBusPeers *peers;
    /* a message waits until the bus has told who sent it, and all that came behind it wait with
     * it; NULL: none */
    sd_event_source *held;
    ViommuLoop *loop;
    ViommuBusNamedFunc named;
    void *named_userdata;
    ViommuManager *manager;
    ViommuAuth *auth;
    ViommuBusClients *clients;
    ViommuBusTurns *turns;
    ViommuBusSlices *slices;
    ViommuBusListing *listing; /* NULL: none */
    GHashTable *waiting;       /* uid -> how many calls of that user wait for their replies */
};

/* Each waiting call keeps its message, and the files that came with it. */
#define VIOMMU_BUS_WAITING_MAX_PER_USER 1024u

/* What the bus uses; all borrowed. */
typedef struct ViommuBusContext {
    ViommuLoop *loop;
    ViommuManager *manager;
    ViommuWorker *accounts; /* see auth.h */
    const char *group;      /* members may launch; NULL: the user's own bus */
} ViommuBusContext;

/** Connects to the system's or the user's bus and adds the objects.  When the bus is lost the loop
 *  ends.  Fails: BACKEND when there is no bus; INTERNAL. */
bool viommu_bus_new(const ViommuBusContext *context, ViommuBus **ret_bus, GError **error);
/** Sends pending messages, and disconnects. */
void viommu_bus_free(ViommuBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuBus, viommu_bus_free)
/** Takes the name, so that clients find viommud; calls @func once, now or later. */
void viommu_bus_take_name(ViommuBus *bus, ViommuBusNamedFunc func, void *userdata);

/* For manager-object, machine-object and logcontrol. */

/** Add the objects to the bus.  Negative: an error of sd-bus. */
int viommu_bus_add_manager(ViommuBus *bus);
int viommu_bus_add_machines(ViommuBus *bus);
int viommu_bus_add_log(ViommuBus *bus);

/** Exec of @machine: takes the words and descriptors of @call, and replies.  Negative: an error of
 *  sd-bus. */
int viommu_bus_exec(ViommuBus *bus, sd_bus_message *call, const ViommuMachine *machine);

/** AttachDevice and DetachDevice of @machine, likewise. */
int viommu_bus_attach_device(ViommuBus *bus, sd_bus_message *call, ViommuMachine *machine);
int viommu_bus_detach_device(ViommuBus *bus, sd_bus_message *call, ViommuMachine *machine);

/** The object path of @machine. Owned, g_free(). */
char *viommu_bus_machine_path(const ViommuMachine *machine);

/** The machine at @path; NULL: there is none. */
ViommuMachine *viommu_bus_find_machine(const ViommuBus *bus, const char *path);
/** Whether the sender of @call may know of @machine: all users when it has run, before that its
 *  owner and root. */
bool viommu_bus_shows(const ViommuBus *bus, sd_bus_message *call, const ViommuMachine *machine);
/** The machine that @call is for; NULL: there is none, or the sender may not know of it. */
ViommuMachine *viommu_bus_find_machine_for(const ViommuBus *bus, sd_bus_message *call);

/** Appends the values of @outcome to @reply.  Negative: an error of sd-bus. */
typedef int (*ViommuBusFillFunc)(sd_bus_message *reply, const ViommuOutcome *outcome);
/** A waiter that replies to @call: with its error, or with what @fill appends.  It must be answered
 *  once.  False: too many calls of that user wait already, or too many files are open, and @call
 *  has been refused.  Launches have limits of their own instead of the first; root and viommud's
 *  own user have none. */
bool viommu_bus_reply_later(ViommuBus *bus, sd_bus_message *call, ViommuBusFillFunc fill,
                            ViommuWaiter *ret_waiter);
/** Begins an answer that is made by slices: @bus, @call, @outcome. */
typedef void (*ViommuBusStartFunc)(ViommuBus *bus, sd_bus_message *call, const ViommuOutcome *outcome);
/** The same for such an answer; @start is called if the outcome is no error. */
bool viommu_bus_reply_by_slices(ViommuBus *bus, sd_bus_message *call, ViommuBusStartFunc start,
                                ViommuWaiter *ret_waiter);
/** Whether one more @call of user @uid may wait; root's and those of viommud's own user may.
 *  Fails: BUSY. */
bool viommu_bus_may_wait(ViommuBus *bus, sd_bus_message *call, uint32_t uid, GError **error);
/** Counts a call of user @uid that waits (1), or no longer waits (-1), in @waiting of the bus. */
void viommu_bus_count_waiting(GHashTable *waiting, uint32_t uid, int change);
/** For a method that returns nothing. */
int viommu_bus_fill_nothing(sd_bus_message *reply, const ViommuOutcome *outcome);
/** For a method that returns the report of the outcome. */
int viommu_bus_fill_report(sd_bus_message *reply, const ViommuOutcome *outcome);

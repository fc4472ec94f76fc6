/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties: one row for each property of a machine that clients can read: its name, its member,
 * the change that signals it, and whether every user may read it.  Knows no bus; daemon/bus makes a
 * property of the bus from each row. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include "daemon/machines/machine.h"
#include "lib/base/enum.h"

/* The type of the member, or what is derived from the whole machine. */
typedef enum ViommuPropertyKind {
    VIOMMU_PROPERTY_TEXT,     /* char *; NULL reads as "" */
    VIOMMU_PROPERTY_UUID,     /* char[], in the machine itself */
    VIOMMU_PROPERTY_NUMBER32, /* uint32_t */
    VIOMMU_PROPERTY_NUMBER64, /* uint64_t */
    VIOMMU_PROPERTY_FLAG,     /* int */
    /* an enum, written by the words of the row; VIOMMU_UNSET reads as "" */
    VIOMMU_PROPERTY_WORD,
    VIOMMU_PROPERTY_TEXTS,    /* char **; NULL reads as an empty list */
    VIOMMU_PROPERTY_STATE,    /* of the machine: viommu_machine_state_word() */
    VIOMMU_PROPERTY_FAILURE,  /* of the machine: name and message */
    VIOMMU_PROPERTY_QUEUE,    /* of the machine: viommu_machine_queue_position() */
    VIOMMU_PROPERTY_FORWARDS, /* GArray of ViommuForward; NULL reads as an empty list */
    VIOMMU_PROPERTY_ATTACHED, /* GPtrArray of ViommuAttached; NULL reads as an empty list */
    VIOMMU_PROPERTY_CONSOLE,  /* of its console: viommu_console_problem() */
    VIOMMU_PROPERTY_LAST,
} ViommuPropertyKind;

typedef struct ViommuProperty {
    const char *name; /* on the bus */
    ViommuPropertyKind kind;
    size_t offset;           /* in ViommuMachine; 0: the whole machine */
    const ViommuEnum *words; /* VIOMMU_PROPERTY_WORD */
    /* of ViommuMachineChange: the changes that signal it; 0: it never changes */
    unsigned changes;
    bool open; /* every user may read it; all others only the owner and root */
} ViommuProperty;

/* For a property that changes without a signal; only a client that waits for it reads it. */
#define VIOMMU_PROPERTY_UNTOLD (1U << 31)

#define VIOMMU_MACHINE_PROPERTIES 30
/** In the order in which the bus lists them. */
extern const ViommuProperty viommu_machine_properties[VIOMMU_MACHINE_PROPERTIES];

/** NULL when no property has this name. */
const ViommuProperty *viommu_machine_property(const char *name);
/** The member of @machine that @property shows.  Borrowed. */
const void *viommu_machine_property_at(const ViommuProperty *property, const ViommuMachine *machine);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal-events: writes the events that operators look for, each with its MESSAGE_ID, all its
 * fields, and an entry in conf/viommu.catalog.  No other module writes them.  Does not know what
 * leads to them. */
#pragma once

#include "daemon/machines/machine.h"

#define VIOMMU_MESSAGE_LAUNCHED       "33c12322753248a1a08fbec2fd29db07"
#define VIOMMU_MESSAGE_REFUSED        "ed83638a56eb41938925e7a0170fb08e"
#define VIOMMU_MESSAGE_FAILED         "2f2d0888832c445d896106c2ff26939b"
#define VIOMMU_MESSAGE_NOT_VERIFIED   "5cfa51bb159c4c59b63ff04cd9f0e493"
#define VIOMMU_MESSAGE_AGENT_BROKE    "30019c3fe44442a0b574d5459570acd8"
#define VIOMMU_MESSAGE_ORPHANED       "f0fae54e1f114a41b26761c7b2d5c7ef"
#define VIOMMU_MESSAGE_LEASE_ENDED    "167617f2ba1042aeb666b6e07bd1ea1c"
#define VIOMMU_MESSAGE_FOUND          "ebbf8d22c7514dabaee1bc7fa8a8372e"
#define VIOMMU_MESSAGE_UNDONE         "b3ec946e51cf49e88bbe90c8277c107e"
#define VIOMMU_MESSAGE_FOREIGN        "8b2bcd6412704ce59df6384e60bb6ee0"
#define VIOMMU_MESSAGE_NOT_GIVEN_BACK "30fac088c04719a4a64a5121a5ae6f29"
#define VIOMMU_MESSAGE_LEFT_ALONE     "fe516a4fa16d468ca2dba4cf0d8b5bd9"

/* Whom an entry is about; NULL where it is not known. */
typedef struct ViommuJournalSubject {
    const char *name, *uuid;
    const uint32_t *owner_uid;
} ViommuJournalSubject;

/* Loop thread, all of this. */

void viommu_journal_launched(const ViommuMachine *machine);
/** A launch came to nothing: refused, or failed when libvirt, QEMU or we are to blame.  @reasons of
 *  ViommuReason; may be NULL. */
void viommu_journal_not_launched(const ViommuJournalSubject *subject, const GError *error,
                                 const GPtrArray *reasons);
/** User @uid, who may not launch, has asked for it.  All such users share a bound. */
void viommu_journal_outsider_refused(uint32_t uid, const GError *error);
/** Its IOMMU could not be proven from inside. */
void viommu_journal_not_verified(const ViommuMachine *machine, const GError *error);
/** The connection to libvirt broke, as @error has it, when its agent was asked. */
void viommu_journal_agent_broke(const ViommuMachine *machine, const GError *error);
/** @strays, in words: devices of a guest that has ended, which the host has not got back. */
void viommu_journal_not_given_back(const ViommuJournalSubject *subject, const char *strays);
/** @why: "its lease has ended". */
void viommu_journal_lease_ended(const ViommuMachine *machine, const char *why);

/* What became of a domain of ours that was there before us. */

void viommu_journal_found(const ViommuMachine *machine);
/** By another version of viommud. */
void viommu_journal_foreign(const ViommuMachine *machine);
/** libvirt has forgotten it, and its guest runs on as process @pid. */
void viommu_journal_orphaned(const ViommuJournalSubject *subject, uint64_t pid);
void viommu_journal_undone(const ViommuJournalSubject *subject);
void viommu_journal_left_alone(const ViommuJournalSubject *subject, const GError *error);

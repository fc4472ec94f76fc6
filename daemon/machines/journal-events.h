/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal-events: writes the events that administrators look for, each with its MESSAGE_ID, all its
 * fields, and an entry in conf/viommu.catalog.  No other module writes them.  Does not know their
 * causes. */
#pragma once

#include "daemon/machines/machine.h"
#include "lib/host/kvm-verdict.h"

#define VIOMMU_MESSAGE_LAUNCHED       "33c12322753248a1a08fbec2fd29db07"
#define VIOMMU_MESSAGE_REFUSED        "ed83638a56eb41938925e7a0170fb08e"
#define VIOMMU_MESSAGE_FAILED         "2f2d0888832c445d896106c2ff26939b"
#define VIOMMU_MESSAGE_NOT_VERIFIED   "5cfa51bb159c4c59b63ff04cd9f0e493"
#define VIOMMU_MESSAGE_AGENT_BROKE    "30019c3fe44442a0b574d5459570acd8"
#define VIOMMU_MESSAGE_ORPHANED       "f0fae54e1f114a41b26761c7b2d5c7ef"
#define VIOMMU_MESSAGE_LEASE_ENDED    "167617f2ba1042aeb666b6e07bd1ea1c"
#define VIOMMU_MESSAGE_EVICTED        "a94e1e0f4c0b4b7e8f4f7d0b7c8a2d19"
#define VIOMMU_MESSAGE_FOUND          "ebbf8d22c7514dabaee1bc7fa8a8372e"
#define VIOMMU_MESSAGE_UNDONE         "b3ec946e51cf49e88bbe90c8277c107e"
#define VIOMMU_MESSAGE_PAUSED         "7c0e5a0d1f6b4e3a9b8d2c4f6a1e3d57"
#define VIOMMU_MESSAGE_FOREIGN        "8b2bcd6412704ce59df6384e60bb6ee0"
#define VIOMMU_MESSAGE_NOT_GIVEN_BACK "30fac088c04719a4a64a5121a5ae6f29"
#define VIOMMU_MESSAGE_LEFT_ALONE     "fe516a4fa16d468ca2dba4cf0d8b5bd9"
#define VIOMMU_MESSAGE_KVM            "9c1f0c4a5a2d4e0c8e7b3f6d2a9051be"

/* The subject of an entry; NULL where it is not known. */
typedef struct ViommuJournalSubject {
    const char *name, *uuid;
    const uint32_t *owner_uid;
} ViommuJournalSubject;

/* All of this on the loop thread. */

void viommu_journal_launched(const ViommuMachine *machine);
/** A launch was refused, or failed because of libvirt, QEMU or viommud.  @reasons of ViommuReason;
 *  may be NULL. */
void viommu_journal_not_launched(const ViommuJournalSubject *subject, const GError *error,
                                 const GPtrArray *reasons);
/** User @uid, who may not launch, tried to.  All such users share one limit. */
void viommu_journal_outsider_refused(uint32_t uid, const GError *error);
/** The guest did not become ready, or its IOMMU could not be proven.  @verb: what was tried. */
void viommu_journal_not_verified(const ViommuMachine *machine, const char *verb, const GError *error);
/** The connection to libvirt broke, with @error, while its agent was asked. */
void viommu_journal_agent_broke(const ViommuMachine *machine, const GError *error);
/** @strays, as text: devices of an ended guest that the host has not got back. */
void viommu_journal_not_given_back(const ViommuJournalSubject *subject, const char *strays);
/** @why: "its lease has ended". */
void viommu_journal_lease_ended(const ViommuMachine *machine, const char *why);
/** Its guest is ended, because overlays leave too little room; @why is a sentence. */
void viommu_journal_evicted(const ViommuMachine *machine, const char *why);
/** Its guest was paused, or runs again. */
void viommu_journal_paused(const ViommuMachine *machine);

/* What happened to a domain of viommud that existed before. */

void viommu_journal_found(const ViommuMachine *machine);
/** Of another version of viommud. */
void viommu_journal_foreign(const ViommuMachine *machine);
/** libvirt has forgotten the machine, but its guest runs on as process @pid. */
void viommu_journal_orphaned(const ViommuJournalSubject *subject, uint64_t pid);
void viommu_journal_undone(const ViommuJournalSubject *subject);
void viommu_journal_left_alone(const ViommuJournalSubject *subject, const GError *error);

/* About the host. */

/** Whether KVM runs guests is known now, or has changed. */
void viommu_journal_kvm(const ViommuKvmVerdict *verdict);

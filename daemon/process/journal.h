/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal: decides which lines are written of those that users can cause.  Events of machines are
 * always written.  Other lines are limited for each user (throttle.h), so that nobody can hide the
 * rest; lines beyond the limit are counted. */
#pragma once

#include "daemon/process/loop.h"
#include "daemon/process/throttle.h"

#define VIOMMU_MESSAGE_LEFT_OUT "2b6e2c2f1f0b4c3c8f6d5f0c6a7e9d14"

/* All of this on the loop thread. */

/** From now on a line each minute says how many lines were left out.  @loop borrowed. */
void viommu_journal_open(ViommuLoop *loop);
/** Writes the counts that were not written yet.  Call it before the loop is freed. */
void viommu_journal_close(void);
/** Whether another line that user @uid caused may be written; UINT32_MAX: an unknown user.  Ask
 *  before each line that a caller or a guest can cause, except for the events of
 *  journal-events.h. */
bool viommu_journal_may_tell(uint32_t uid);
/** The same for a line of @flow.  If the line may be written, the count of lines left out is
 *  written first. */
bool viommu_journal_may_tell_of(ViommuFlow flow, uint32_t uid);

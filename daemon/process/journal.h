/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal: decides which lines that users can cause are written.  What happens to machines is
 * always written.  Other lines are limited for each user (throttle.h), so that nobody hides the
 * rest; lines beyond the limit are counted. */
#pragma once

#include "daemon/process/loop.h"
#include "daemon/process/throttle.h"

#define VIOMMU_MESSAGE_LEFT_OUT "2b6e2c2f1f0b4c3c8f6d5f0c6a7e9d14"

/* Loop thread, all of this. */

/** From now on a line every minute says what was left out.  @loop borrowed. */
void viommu_journal_open(ViommuLoop *loop);
/** Writes what was left out and not told yet.  Before the loop is freed. */
void viommu_journal_close(void);
/** Whether one more line that user @uid caused may be written; UINT32_MAX: some user.  Ask before
 *  each line that a caller or a guest can cause, except the events of journal-events.h. */
bool viommu_journal_may_tell(uint32_t uid);
/** The same for a line of @flow.  If the line may be written, the lines left out before are told
 *  first. */
bool viommu_journal_may_tell_of(ViommuFlow flow, uint32_t uid);

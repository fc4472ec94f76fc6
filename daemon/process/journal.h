/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal: which lines that users can bring about are written.  What becomes of machines is always written; what users can have
 * written without end is bounded for each of them (throttle.h), so that nobody hides the rest, and is counted beyond that. */
#pragma once

#include "daemon/process/loop.h"
#include "daemon/process/throttle.h"

#define VIOMMU_MESSAGE_LEFT_OUT "2b6e2c2f1f0b4c3c8f6d5f0c6a7e9d14"

/* Loop thread, all of this. */

/** From now on @loop, borrowed, tells every minute what was left out. */
void viommu_journal_open(ViommuLoop *loop);
/** Tells what is left to be told.  Before the loop goes. */
void viommu_journal_close(void);
/** Whether one more line may be written that user @uid is the cause of; UINT32_MAX: somebody.  To be asked before each line that is no
 *  event of journal-events.h, and that a caller or a guest can bring about. */
bool viommu_journal_may_tell(uint32_t uid);
/** The same of one of @flow; when it may, what of it was left out before is told first. */
bool viommu_journal_may_tell_of(ViommuFlow flow, uint32_t uid);

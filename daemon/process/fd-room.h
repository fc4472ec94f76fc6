/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fd-room: whether viommud can open more files. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** Whether a call may wait with the files that came with it.  When viommud has no free descriptor,
 *  the next message with a file ends the connection to the bus.  Fails: BUSY. */
bool viommu_room_check(GError **error);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fd-room: how many more files may be opened.  Does not know what for. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** Whether a call may be left waiting, with the files that came with it: when no more can be opened, the next message that brings one
 *  ends the connection.  Fails: BUSY. */
bool viommu_room_check(GError **error);

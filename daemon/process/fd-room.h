/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fd-room: how many more files may be opened.  Does not know what for. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** Whether a call may wait, together with the files that came with it.  When viommud can open no
 *  more files, the next message that brings a file ends the connection.  Fails: BUSY. */
bool viommu_room_check(GError **error);

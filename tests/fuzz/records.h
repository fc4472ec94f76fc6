/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* records: a machine as lines, for the target machine: its files, its software, the site's
 * settings, users and requests.  A line is a word and its arguments; invalid lines are skipped.
 * The words:
 * file PATH TEXT: TEXT to the end of the line, with \n, \\ and \xHH
 * link PATH TARGET: a symbolic link
 * pipe PATH: a named pipe
 * table NAME TEXT: a table of the firmware; length and checksum are corrected
 * device ADDRESS VENDOR DEVICE CLASS DRIVER GROUP IOMMU NODE: the files of a PCI device; "-": none
 * times N LINE: the line N times, with each "#" replaced by a number of two digits
 * host NAME: the recorded host whose libvirt and QEMU are here
 * memory BYTES LOCKED: of the host, and the most that a guest may lock
 * conf LINE: a line of viommud.conf
 * asker KIND NAMES: own, root, member or outsider; the site's names for it, separated by ";"
 * leave ADDRESS: an administrator permits the device to the member
 * claim ADDRESS MACHINE: has the device; "-": a foreign guest; "own...": a machine of the asker
 * modes MODES: forward modes of a request's networks, separated by ";"
 * request TREE: as GVariant text */
#pragma once

#include "daemon/process/config.h"
#include "lib/plan/placement.h"
#include "tests/fuzz/files.h"

typedef struct FuzzRecords {
    FuzzFiles files;
    GString *conf;
    char *host; /* NULL: no host is named */
    uint64_t memory_bytes, locked_bytes;
    GPtrArray *askers;   /* of ViommuAsker */
    GPtrArray *leaves;   /* of char * */
    GArray *claims;      /* of ViommuClaim, which own their texts */
    GPtrArray *requests; /* of char * */
    char **modes;        /* NULL: none is known */
} FuzzRecords;

/** Reads @text and makes the files. */
void fuzz_records_read(FuzzRecords *records, const char *text);
/** Removes the files. */
void fuzz_records_clear(FuzzRecords *records);

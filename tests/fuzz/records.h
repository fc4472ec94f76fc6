/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* records: a machine in lines, for the target machine: its files, the software on it, the site's settings, who asks, and for what.
 * A line is a word and what belongs to it; one that makes no sense is passed over.  The words:
 *   file PATH TEXT             TEXT to the end of the line, with \n, \\ and \xHH
 *   link PATH TARGET           a symbolic link
 *   pipe PATH                  a named pipe
 *   table NAME TEXT            a table of the firmware, whose length and checksum are put right
 *   device ADDRESS VENDOR DEVICE CLASS DRIVER GROUP IOMMU NODE   a PCI device's files; "-": not this one
 *   times N LINE               the line N times, with each "#" a number in two digits
 *   host NAME                  recorded host whose libvirt and QEMU are here
 *   memory BYTES LOCKED        of the host, and the most of it that a guest may lock
 *   conf LINE                  a line of viommud.conf
 *   asker KIND NAMES           own, root, member or outsider; names of the site's that are for him, with ";" between
 *   leave ADDRESS              the member has an administrator's leave to have it
 *   claim ADDRESS MACHINE      who has it; "-": no machine of viommud's; beginning with "own": one of the asker's
 *   modes MODES                forward modes of a request's networks, with ";" between
 *   request TREE               as GVariant text */
#pragma once

#include "daemon/process/config.h"
#include "lib/plan/placement.h"
#include "tests/fuzz/files.h"

typedef struct FuzzRecords {
    FuzzFiles files;
    GString *conf;
    char *host; /* NULL: none is named */
    uint64_t memory_bytes, locked_bytes;
    GPtrArray *askers;   /* of ViommuAsker */
    GPtrArray *leaves;   /* of char * */
    GArray *claims;      /* of ViommuClaim, whose texts are its own */
    GPtrArray *requests; /* of char * */
    char **modes;        /* NULL: none is known */
} FuzzRecords;

/** Reads @text, and makes the files. */
void fuzz_records_read(FuzzRecords *records, const char *text);
/** Removes them. */
void fuzz_records_clear(FuzzRecords *records);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* world: a system's viommud whose image directory is root's, and a member who launches machines
 * with files there and elsewhere. */
#pragma once

#include "tests/bus/people.h"

/* A system's viommud, a member who calls it, and two directories: in one only root can create
 * files, the other is the member's. */
typedef struct World {
    Harness *harness;
    sd_bus *member;
    char *fixed, *own;
} World;

World world_new(void);
void world_clear(World *world);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

/* A file of @bytes; its path, owned. */
char *world_file(const char *directory, const char *name, const char *bytes, size_t size, uid_t uid,
                 mode_t mode);
/* The domain XML of the machine at @path.  Owned. */
char *world_xml(World *world, const char *path);
/* The member's launch of a request is refused so, and leaves nothing. */
void world_refused(World *world, const char *name, const char *words, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* The machine's XML, owned; *ret_path is the machine's, owned; NULL: the machine is killed. */
char *world_launched(World *world, char **ret_path, const char *format, ...) G_GNUC_PRINTF(3, 4);
void world_assert_has(const char *xml, const char *format, ...) G_GNUC_PRINTF(2, 3);

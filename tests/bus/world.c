/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/world.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

World world_new(void)
{
    World world = {.fixed = g_strdup("/run/viommu-test-XXXXXX")};
    g_autofree char *group = people_group(), *config = NULL, *console = NULL;

    ck_assert_msg(g_mkdtemp_full(world.fixed, 0755), "/run: %s", g_strerror(errno));
    world.harness = harness_new(false);
    console = g_strdup_printf("--console-directory=%s/console", world.harness->directory);
    config = g_strdup_printf("[daemon]\ngroup=%s\n[files]\nimage-directories=%s\n", group, world.fixed);
    harness_configure(world.harness, config);
    harness_start(world.harness,
                  (const char *const[]){"--system", "--connect=test:///default", console, NULL});
    world.member = harness_connect_as(world.harness, PEOPLE_MEMBER);
    world.own = g_build_filename(world.harness->directory, "own", NULL);
    ck_assert_int_eq(g_mkdir(world.own, 0755), 0);
    ck_assert_int_eq(chown(world.own, PEOPLE_MEMBER, PEOPLE_MEMBER), 0);
    return world;
}

void world_clear(World *world)
{
    sd_bus_flush_close_unref(world->member);
    harness_free(world->harness);
    harness_remove_tree(world->fixed);
    g_free(world->fixed);
    g_free(world->own);
}

char *world_file(const char *directory, const char *name, const char *bytes, size_t size, uid_t uid,
                 mode_t mode)
{
    char *path = g_build_filename(directory, name, NULL);

    ck_assert(g_file_set_contents(path, bytes, (gssize)size, NULL));
    ck_assert_int_eq(chown(path, uid, uid), 0);
    ck_assert_int_eq(g_chmod(path, mode), 0);
    return path;
}

static sd_bus_message *asking(World *world, const char *format, va_list arguments)
{
    g_autofree char *text = g_strdup_vprintf(format, arguments);

    return harness_request(world->member, "Launch", text);
}

void world_refused(World *world, const char *name, const char *words, const char *format, ...)
{
    g_autoptr(sd_bus_message) answer = NULL;
    va_list arguments;

    va_start(arguments, format);
    answer = people_exchange(world->member, asking(world, format, arguments));
    va_end(arguments);
    people_assert_error(answer, name, words);
    ck_assert_uint_eq(harness_count(world->harness), 0);
}

char *world_xml(World *world, const char *path)
{
    g_autoptr(sd_bus_message) answer =
        people_assert_allowed(world->member, people_on_machine(world->member, path, "GetDomainXML"));
    const char *xml;

    ck_assert_int_gt(sd_bus_message_read(answer, "s", &xml), 0);
    return g_strdup(xml);
}

char *world_launched(World *world, char **ret_path, const char *format, ...)
{
    g_autoptr(sd_bus_message) answer = NULL;
    const char *path;
    va_list arguments;
    char *xml;

    va_start(arguments, format);
    answer = people_assert_allowed(world->member, asking(world, format, arguments));
    va_end(arguments);
    ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
    xml = world_xml(world, path);
    if (ret_path)
        *ret_path = g_strdup(path);
    else
        people_allow(world->member, people_on_machine(world->member, path, "Kill"));
    return xml;
}

void world_assert_has(const char *xml, const char *format, ...)
{
    g_autofree char *words = NULL;
    va_list arguments;

    va_start(arguments, format);
    words = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    ck_assert_msg(strstr(xml, words), "%s is not in %s", words, xml);
}

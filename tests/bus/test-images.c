/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-images: images by their names: what the site says of them is taken, and what others could
 * have written is refused. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/bus/variant.h"
#include "tests/bus/world.h"

#define IMAGE      "{'arch': <'x86_64'>, 'image': <'%s'>}"
#define SEEDED     "{'arch': <'x86_64'>, 'image': <'%s'>, 'seed': <{'ssh-keys': <'" KEY "'>}>}"
#define IMAGE_FILE "[image]\nfile=base.raw\nformat=raw\nos=debian13\nuser=debian\n"
#define KEY        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPPwIjxPguknB6ZNHw1vPInUHWkUOZV3BT5Vx48w5KWA"

static char *make_image(const char *directory, const char *name, const char *text, uid_t uid, mode_t mode)
{
    g_autofree char *file = g_strconcat(name, ".image", NULL);

    return world_file(directory, file, text, strlen(text), uid, mode);
}

/* What a dry run says, as text; owned. */
static char *planned(World *world, const char *image)
{
    g_autofree char *text = g_strdup_printf(IMAGE, image);
    g_autoptr(sd_bus_message) answer =
        people_assert_allowed(world->member, harness_request(world->member, "Plan", text));
    g_autoptr(GVariant) report = NULL;

    ck_assert(viommu_bus_variant_read(answer, &report, NULL));
    return g_variant_print(report, FALSE);
}

START_TEST(by_image)
{
    g_auto(World) world = world_new();
    g_autofree char *base = world_file(world.fixed, "base.raw", "a disk", 6, 0, 0644);
    g_autofree char *image = make_image(world.fixed, "debian13", IMAGE_FILE, 0, 0644);
    g_autofree char *report = planned(&world, "debian13"), *path = NULL, *seeded = NULL;
    g_autofree char *xml = world_launched(&world, &path, IMAGE, "debian13");

    world_assert_has(report, "image 'debian13' is '%s', as '%s' says", base, image);
    world_assert_has(xml, "<source file='%s'/>", base);
    world_assert_has(xml, "/state/boot/");
    /* The metadata has what the caller said. */
    world_assert_has(xml, ">{'image': &lt;'debian13'&gt;, 'arch': &lt;'x86_64'&gt;}<");
    people_allow(world.member, people_on_machine(world.member, path, "Kill"));
    seeded = world_launched(&world, NULL, SEEDED, "debian13");
    world_assert_has(seeded, "seed-user=\"debian\"");
    /* The image is read anew, and its file with the rights of the caller. */
    ck_assert_int_eq(g_chmod(base, 0600), 0);
    world_refused(&world, "PolicyRefused", "user 65534 may not read '", IMAGE, "debian13");
}
END_TEST

START_TEST(forged_images)
{
    g_auto(World) world = world_new();
    g_autofree char *base = world_file(world.fixed, "base.raw", "a disk", 6, 0, 0644);
    g_autofree char *mine = make_image(world.own, "mine", IMAGE_FILE, PEOPLE_MEMBER, 0644);
    g_autofree char *given = make_image(world.fixed, "given", IMAGE_FILE, PEOPLE_MEMBER, 0644);
    g_autofree char *open_to_all = make_image(world.fixed, "open", IMAGE_FILE, 0, 0666);
    g_autofree char *typo = make_image(world.fixed, "typo", "[image]\nfiel=base.raw\n", 0, 0644);
    g_autofree char *away = make_image(world.fixed, "away", "[image]\nfile=../x\nformat=raw\n", 0, 0644);
    g_autofree char *link = g_build_filename(world.fixed, "link.image", NULL);
    g_autofree char *fifo = g_build_filename(world.fixed, "fifo.image", NULL);

    ck_assert_int_eq(symlink(mine, link), 0);
    ck_assert_int_eq(mkfifo(fifo, 0644), 0);
    world_refused(&world, "InvalidRequest", "image 'mine': no image directory has the file 'mine.image'",
                  IMAGE, "mine");
    world_refused(&world, "PolicyRefused", "users other than root can write to '", IMAGE, "given");
    world_refused(&world, "PolicyRefused", "users other than root can write to '", IMAGE, "open");
    world_refused(&world, "PolicyRefused", "/link.image' is a symbolic link", IMAGE, "link");
    world_refused(&world, "InvalidRequest", "/fifo.image' is not a regular file", IMAGE, "fifo");
    world_refused(&world, "InvalidRequest", "/typo.image': unknown key 'fiel'; did you mean 'file'?", IMAGE,
                  "typo");
    world_refused(&world, "InvalidRequest", "/away.image': file '../x' is not the name of a file", IMAGE,
                  "away");
    world_refused(&world, "InvalidRequest", "image '../x' is not valid", IMAGE, "../x");
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"images-by-name", &by_image},
    {"images-forged", &forged_images},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}

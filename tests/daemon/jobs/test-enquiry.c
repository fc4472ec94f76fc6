/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-enquiry: dry runs, a domain's XML and a reset: success, refusal and failure of each. */
#include "tests/daemon/fixture.h"

#include <string.h>

#define ONE "{'name': <'one'>, 'iommu': <{'is-supported': <true>}>}"

static void plan(Fixture *fixture, const char *request, bool brief, Answer *ret_answer)
{
    const ViommuEnquiry enquiry = {unit_request(request), {.kind = VIOMMU_ASKER_MEMBER, .uid = 1000}, brief};
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    *ret_answer = (Answer){0};
    viommu_manager_plan(fixture->manager, &enquiry, &waiter);
    fixture_await(fixture, ret_answer->n);
}

START_TEST(plans)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) whole = {0}, brief = {0}, refused = {0}, network = {0};

    fixture_start(&fixture);
    plan(&fixture, ONE, false, &whole);
    assert_went_well(&whole);
    ck_assert(whole.report && whole.model == VIOMMU_MODEL_INTEL);
    plan(&fixture, ONE, true, &brief);
    assert_went_well(&brief);
    ck_assert(!brief.report && brief.model == VIOMMU_MODEL_INTEL);
    plan(&fixture, "{'arch': <'x86_64'>, 'iommu': <{'model': <'smmuv3'>}>}", false, &refused);
    assert_fails(&refused, VIOMMU_ERROR_NOT_SUPPORTED, "smmuv3");
    /* A member's network must be one of the site's. */
    plan(&fixture, "{'networks': <[{'type': <'network'>, 'source': <'default'>}]>}", false, &network);
    assert_fails(&network, VIOMMU_ERROR_POLICY_REFUSED, "default");
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
}
END_TEST

/* The image's architecture and distribution count; its file is not opened. */
START_TEST(images)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) good = {0}, other = {0}, none = {0};
    g_autofree char *file = NULL, *text = NULL;
    const char *directories[2] = {NULL, NULL};

    fixture_start(&fixture);
    directories[0] = fixture.directory;
    fixture.files.image_directories = directories;
    file = g_build_filename(fixture.directory, "small.image", NULL);
    ck_assert(g_file_set_contents(file, "[image]\nfile=f\nformat=raw\nos=debian12\n", -1, NULL));
    plan(&fixture, "{'image': <'small'>, 'iommu': <{'model': <'intel'>}>}", false, &good);
    assert_went_well(&good);
    text = g_variant_print(good.report, FALSE);
    ck_assert_msg(strstr(text, "small.image' says"), "%s", text);
    plan(&fixture, "{'image': <'small'>, 'iommu': <{'model': <'virtio'>}>}", true, &other);
    assert_fails(&other, VIOMMU_ERROR_NOT_SUPPORTED, "debian12");
    plan(&fixture, "{'image': <'none'>}", true, &none);
    assert_fails(&none, VIOMMU_ERROR_INVALID_REQUEST, "no image directory has the file 'none.image'");
}
END_TEST

/* osinfo-db is read where the hardware is. */
START_TEST(suggests)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    g_autofree char *folder = NULL, *path = NULL, *text = NULL;

    fixture_start(&fixture);
    folder = g_build_filename(fixture.directory, "usr/share/osinfo/os/haiku-os.org", NULL);
    path = g_build_filename(folder, "haiku-r1.xml", NULL);
    ck_assert_int_eq(g_mkdir_with_parents(folder, 0755), 0);
    ck_assert(g_file_set_contents(path,
                                  "<libosinfo><os id='x'><short-id>haiku-r1</short-id><name>Haiku "
                                  "R1</name><family>beos</family></os></libosinfo>",
                                  -1, NULL));
    viommu_backend_set_root(fixture.backend, fixture.directory);
    plan(&fixture, "{'guest': <{'os': <'haiku-r1'>}>}", false, &answer);
    assert_went_well(&answer);
    text = g_variant_print(answer.report, false);
    ck_assert_ptr_nonnull(strstr(text, "osinfo-db knows guest.os 'haiku-r1' as 'Haiku R1'"));
}
END_TEST

START_TEST(xml_and_reset)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) xml = {0}, no_xml = {0}, reset = {0}, no_reset = {0}, ended = {0};
    Answer *const answers[] = {&xml, &no_xml, &reset, &no_reset, &ended};
    ViommuWaiter waiters[G_N_ELEMENTS(answers)];
    const ViommuMachine *machine;

    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++)
        waiters[i] = answer_waiter(answers[i]);
    fixture_start(&fixture);
    machine = fixture_machine(&fixture, ONE);
    viommu_manager_get_xml(fixture.manager, machine, &waiters[0]);
    viommu_manager_reset(fixture.manager, machine, &waiters[2]);
    fixture_await(&fixture, xml.n && reset.n);
    assert_went_well(&reset);
    ck_assert_ptr_nonnull(strstr(xml.xml, "<domain>"));
    fake_fail(FAKE_XML, 1, VIOMMU_ERROR_BACKEND, "libvirt: no");
    fake_fail(FAKE_RESET, 1, VIOMMU_ERROR_BACKEND, "QEMU: no");
    viommu_manager_get_xml(fixture.manager, machine, &waiters[1]);
    viommu_manager_reset(fixture.manager, machine, &waiters[3]);
    fixture_await(&fixture, no_xml.n && no_reset.n);
    assert_fails(&no_xml, VIOMMU_ERROR_BACKEND, "libvirt: no");
    assert_fails(&no_reset, VIOMMU_ERROR_BACKEND, "QEMU: no");
    fake_end(machine->uuid, VIOMMU_NEWS_SHUTDOWN, NULL);
    fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
    viommu_manager_reset(fixture.manager, machine, &waiters[4]);
    assert_fails(&ended, VIOMMU_ERROR_BUSY, "");
}
END_TEST

UNIT_MAIN("enquiry", plans, images, suggests, xml_and_reset)

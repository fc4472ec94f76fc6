/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-facts: each row of the table of facts at its boundary, the limits of machines, and
 * selectors. */
#include "tests/unit/parse-request.h"

#include <string.h>
#include "lib/facts/facts.h"
#include "lib/request/selector.h"

#define V(major, minor, micro) VIOMMU_VERSION_OF(major, minor, micro)

/* The newest versions that the facts were collected from: no row can need more. */
#define NEWEST_LIBVIRT V(12, 8, 0)
#define NEWEST_QEMU    V(11, 1, 3)

START_TEST(every_fact_at_its_boundary)
{
    for (int i = 0; i < VIOMMU_FACT_LAST; i++) {
        ViommuFactId id = (ViommuFactId)i;
        const ViommuFact *fact = viommu_fact(id);

        ck_assert_msg(fact->what && *fact->what, "row %d says nothing", i);
        ck_assert_msg(fact->source && *fact->source, "'%s' has no source", fact->what);
        for (int other = 0; other < i; other++)
            ck_assert_str_ne(viommu_fact((ViommuFactId)other)->what, fact->what);
        ck_assert_uint_gt(fact->libvirt, 0);
        ck_assert_msg(viommu_fact_holds(id, NEWEST_LIBVIRT, NEWEST_QEMU), "'%s' is nowhere", fact->what);
        ck_assert(viommu_fact_holds(id, fact->libvirt, fact->qemu));
        ck_assert(!viommu_fact_holds(id, fact->libvirt - 1, NEWEST_QEMU));
        if (fact->qemu)
            ck_assert(!viommu_fact_holds(id, NEWEST_LIBVIRT, fact->qemu - 1));
    }
}
END_TEST

/* The kinds of sources that facts.h lists; release notes alone are not enough. */
START_TEST(every_source)
{
    static const char proof[] =
        "^(matrix: .+|emulated: .+|(libvirt|QEMU|Linux) \\d+(\\.\\d+)+ [\\w./-]+\\.(c|h|rst|rng)( \\(.+\\))?|"
        "(QEMU|Linux) [0-9a-f]{10,40}( \\(.+\\))?|"
        "measured: \\d+\\.\\d+(/\\d+\\.\\d+)?,? .+)$";

    for (int i = 0; i < VIOMMU_FACT_LAST + VIOMMU_FLAW_LAST; i++) {
        bool is_fact = i < VIOMMU_FACT_LAST;
        const ViommuFlaw *flaw = is_fact ? NULL : viommu_flaw((ViommuFlawId)(i - VIOMMU_FACT_LAST));
        const char *what = is_fact ? viommu_fact((ViommuFactId)i)->what : flaw->what;
        g_auto(GStrv) sources =
            g_strsplit(is_fact ? viommu_fact((ViommuFactId)i)->source : flaw->source, "; ", -1);
        unsigned proofs = 0;

        for (char **source = sources; *source; source++)
            if (g_regex_match_simple(proof, *source, 0, 0))
                proofs++;
            else
                ck_assert_msg(g_regex_match_simple("^libvirt NEWS \\d+\\.\\d+\\.0$", *source, 0, 0),
                              "'%s' has a source of no kind: '%s'", what, *source);
        ck_assert_msg(proofs > 0, "'%s' is known by release notes alone", what);
    }
}
END_TEST

/* Each range on both of its sides. */
START_TEST(every_flaw_at_its_boundaries)
{
    g_autofree char *first = viommu_flaw_range(VIOMMU_FLAW_VHOST_DEVICE_IOTLB, V(7, 2, 4));
    g_autofree char *second = viommu_flaw_range(VIOMMU_FLAW_VHOST_DEVICE_IOTLB, V(8, 0, 5));

    for (int i = 0; i < VIOMMU_FLAW_LAST; i++) {
        const ViommuFlaw *flaw = viommu_flaw((ViommuFlawId)i);

        ck_assert_uint_gt(flaw->qemu[0].from, 0);
        for (size_t j = 0; j < G_N_ELEMENTS(flaw->qemu) && flaw->qemu[j].from; j++) {
            ck_assert(!viommu_flaw_is_in((ViommuFlawId)i, flaw->qemu[j].from - 1));
            ck_assert(viommu_flaw_is_in((ViommuFlawId)i, flaw->qemu[j].from));
            ck_assert(viommu_flaw_is_in((ViommuFlawId)i, flaw->qemu[j].before - 1));
            ck_assert(!viommu_flaw_is_in((ViommuFlawId)i, flaw->qemu[j].before));
        }
        ck_assert(!viommu_flaw_is_in((ViommuFlawId)i, 0));
    }
    ck_assert(!viommu_flaw_is_in(VIOMMU_FLAW_VHOST_UNMAP, V(7, 2, 22)));
    ck_assert_str_eq(first, "QEMU from 6.0 on and before 7.2.5");
    ck_assert_str_eq(second, "QEMU from 8.0 on and before 8.1");
}
END_TEST

/* Minimum versions that are commonly repeated wrongly. */
START_TEST(what_others_get_wrong)
{
    ck_assert(!viommu_fact_holds(VIOMMU_FACT_VIRTIO_X86_64, V(8, 2, 0), NEWEST_QEMU));
    ck_assert(viommu_fact_holds(VIOMMU_FACT_VIRTIO_X86_64, V(8, 3, 0), V(7, 0, 0)));
    ck_assert(!viommu_fact_holds(VIOMMU_FACT_VIRTIO_AARCH64, NEWEST_LIBVIRT, V(6, 2, 0)));
    ck_assert(!viommu_fact_holds(VIOMMU_FACT_AMD, V(11, 5, 0), V(10, 0, 13)));
    ck_assert(viommu_fact_holds(VIOMMU_FACT_INTEL_EIM_TCG, V(7, 0, 0), V(9, 0, 0)));
    ck_assert(!viommu_fact_holds(VIOMMU_FACT_INTEL_EIM_TCG, V(7, 0, 0), V(8, 2, 2)));
    ck_assert(!viommu_fact_holds(VIOMMU_FACT_VIRTIO_AW_BITS, V(12, 0, 0), NEWEST_QEMU));
    ck_assert_uint_eq(viommu_fact(VIOMMU_FACT_VIRTIO_X86_64)->guest_kernel, V(5, 14, 0));
}
END_TEST

/* The words of a row in messages. */
START_TEST(words_of_a_row)
{
    g_autofree char *both = viommu_fact_needs(VIOMMU_FACT_IOMMUFD);
    g_autofree char *one = viommu_fact_needs(VIOMMU_FACT_HOSTDEV_DRIVER);
    g_autofree char *had_both = viommu_fact_had(VIOMMU_FACT_IOMMUFD, V(9, 0, 0), V(7, 2, 22));
    g_autofree char *had_one = viommu_fact_had(VIOMMU_FACT_HOSTDEV_DRIVER, V(9, 0, 0), V(7, 2, 22));
    g_autofree char *host = viommu_fact_kernel(VIOMMU_FACT_SMMUV3_ACCEL, true);
    g_autofree char *guest = viommu_fact_kernel(VIOMMU_FACT_VIRTIO_X86_64, false);

    ck_assert_str_eq(both, "libvirt 12.1 and QEMU 9.0 or newer");
    ck_assert_str_eq(one, "libvirt 10.0 or newer");
    ck_assert_str_eq(had_both, "this host has libvirt 9.0.0 and QEMU 7.2.22");
    ck_assert_str_eq(had_one, "this host has libvirt 9.0.0");
    ck_assert_str_eq(host, "Linux 6.13");
    ck_assert_str_eq(guest, "Linux 5.14");
}
END_TEST

START_TEST(floors)
{
    static const struct {
        ViommuVersion libvirt, qemu;
    } cases[] = {
        {V(7, 0, 0), V(1, 5, 0)},  {V(9, 0, 0), V(4, 2, 0)},  {V(10, 5, 0), V(4, 2, 0)},
        {V(10, 6, 0), V(5, 2, 0)}, {V(11, 3, 0), V(6, 2, 0)}, {V(12, 3, 0), V(6, 2, 0)},
        {V(12, 4, 0), V(7, 2, 0)}, {V(12, 8, 0), V(7, 2, 0)},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_assert_uint_eq(viommu_fact_qemu_floor(cases[i].libvirt), cases[i].qemu);
}
END_TEST

START_TEST(most_vcpus)
{
    static const struct {
        ViommuFamily family;
        ViommuVersion machine;
        uint64_t most;
    } cases[] = {
        {VIOMMU_FAMILY_Q35, V(2, 7, 0), 255},   {VIOMMU_FAMILY_Q35, V(2, 8, 0), 288},
        {VIOMMU_FAMILY_Q35, V(8, 0, 0), 288},   {VIOMMU_FAMILY_Q35, V(8, 1, 0), 1024},
        {VIOMMU_FAMILY_Q35, V(8, 2, 2), 1024},  {VIOMMU_FAMILY_Q35, V(9, 0, 0), 4096},
        {VIOMMU_FAMILY_VIRT, V(2, 12, 0), 255}, {VIOMMU_FAMILY_VIRT, V(3, 0, 0), 512},
        {VIOMMU_FAMILY_VIRT, V(9, 0, 0), 512},  {VIOMMU_FAMILY_I440FX, V(9, 0, 0), 255},
        {VIOMMU_FAMILY_I440FX, 0, 255},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_assert_uint_eq(viommu_fact_max_vcpus(cases[i].family, cases[i].machine), cases[i].most);
}
END_TEST

START_TEST(lives_of_machines)
{
    static const struct {
        ViommuVersion machine, qemu;
        bool later, removed;
    } cases[] = {
        {V(7, 2, 0), V(7, 2, 22), false, false},
        {V(8, 0, 0), V(7, 2, 22), true, false},
        {V(4, 0, 1), V(4, 0, 0), false, false},
        {V(11, 1, 0), V(11, 0, 3), true, false},
        {V(11, 1, 0), V(11, 0, 91), false, false},
        {V(2, 4, 0), V(10, 0, 0), false, false},
        {V(4, 1, 0), V(10, 1, 0), false, true},
        {V(4, 2, 0), V(10, 1, 0), false, false},
        {V(5, 1, 0), V(11, 1, 2), false, true},
        {V(5, 2, 0), V(11, 1, 2), false, false},
        {0, V(11, 1, 2), false, false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert(viommu_fact_machine_is_later(cases[i].machine, cases[i].qemu) == cases[i].later);
        ck_assert(viommu_fact_machine_is_removed(cases[i].machine, cases[i].qemu) == cases[i].removed);
    }
}
END_TEST

START_TEST(selectors)
{
    static const struct {
        const char *request;
        ViommuSelectorKind kind;
        bool ordered;
        const char *models;
    } cases[] = {
        {"@a{sv} {}", VIOMMU_SELECTOR_UNSAID, false, ""},
        {"{'iommu': <{'is-supported': <true>}>}", VIOMMU_SELECTOR_ANY, false, ""},
        {"{'iommu': <{'is-supported': <false>}>}", VIOMMU_SELECTOR_NONE, false, ""},
        {"{'iommu': <{'model': <'none'>}>}", VIOMMU_SELECTOR_NONE, false, ""},
        {"{'iommu': <{'model': <'auto'>}>}", VIOMMU_SELECTOR_ANY, false, ""},
        {"{'iommu': <{'model': <'any'>}>}", VIOMMU_SELECTOR_ANY, false, ""},
        {"{'iommu': <{'model-name': <'.*'>}>}", VIOMMU_SELECTOR_ANY, false, ""},
        {"{'iommu': <{'model': <'.+'>}>}", VIOMMU_SELECTOR_ANY, false, ""},
        {"{'iommu': <{'model': <'virtio'>}>}", VIOMMU_SELECTOR_NAMED, true, "virtio"},
        {"{'iommu': <{'model': <['virtio', 'intel']>}>}", VIOMMU_SELECTOR_NAMED, true, "virtio intel"},
        {"{'iommu': <{'model-name': <'intel|virtio'>}>}", VIOMMU_SELECTOR_NAMED, false, "intel virtio"},
        {"{'iommu': <{'model': <'(?!amd).*'>}>}", VIOMMU_SELECTOR_NAMED, false, "intel smmuv3 virtio"},
        /* the whole name must match */
        {"{'iommu': <{'model': <'smmu.*'>}>}", VIOMMU_SELECTOR_NAMED, false, "smmuv3"},
        {"{'iommu': <{'model': <'i.*|v.*'>}>}", VIOMMU_SELECTOR_NAMED, false, "intel virtio"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ViommuRequest) request = unit_request(cases[i].request);
        g_autoptr(GString) models = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        ViommuSelector selector;

        unit_assert_ok(viommu_selector_read(&request->iommu, &selector, &error), error);
        ck_assert_msg(selector.kind == cases[i].kind, "%s", cases[i].request);
        for (unsigned m = 0; m < selector.n_models; m++)
            g_string_append_printf(models, "%s%s", m ? " " : "", viommu_model_to_string(selector.models[m]));
        ck_assert_str_eq(models->str, cases[i].models);
        ck_assert_int_eq(selector.ordered, cases[i].ordered);
        for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
            ck_assert_int_eq(viommu_selector_names(&selector, (ViommuModel)model),
                             strstr(cases[i].models, viommu_model_to_string((ViommuModel)model)) != NULL);
    }
}
END_TEST

UNIT_MAIN("facts", every_fact_at_its_boundary, every_source, every_flaw_at_its_boundaries,
          what_others_get_wrong, words_of_a_row, floors, most_vcpus, lives_of_machines, selectors)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-placing: the classes that a job asks for, and what Slurm is told to count. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/fleet/node.h"
#include "lib/fleet/placing.h"
#include "lib/host/host-class.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* An old host that emulates, one with KVM, and one with nothing for x86_64. */
static const char *const records[] = {
    "{'libvirt': <'7.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'5.2.0'>, 'accelerators': <['tcg']>}]>}",
    "{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, 'accelerators': <['kvm', 'tcg']>}]>}",
    "{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'aarch64'>, 'qemu': <'7.2.22'>, 'accelerators': <['tcg']>}]>}",
};
enum {
    OLD,
    KVM,
    ARM
};

typedef struct Placed {
    GPtrArray *classes;
    ViommuRequest *request;
    ViommuPolicy policy;
    ViommuFleetPlacing *placing;
    char *line; /* the words of srun */
} Placed;

static void placed_clear(Placed *placed)
{
    viommu_fleet_placing_free(placed->placing);
    viommu_request_free(placed->request);
    g_ptr_array_unref(placed->classes);
    g_free(placed->line);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Placed, placed_clear)

static GVariant *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);

    ck_assert_msg(tree != NULL, "%s: %s", error ? error->message : "", text);
    return tree;
}

static void place(Placed *placed, const char *text, const ViommuFleetDemand *demand)
{
    g_autoptr(GVariant) tree = parse(text);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) words = NULL;

    viommu_policy_init(&placed->policy);
    placed->classes = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_fleet_class_free);
    for (size_t i = 0; i < G_N_ELEMENTS(records); i++) {
        g_autoptr(GVariant) record = parse(records[i]);
        g_autoptr(ViommuHost) host = viommu_host_from_variant(record, NULL);

        g_ptr_array_add(placed->classes, viommu_fleet_class_new("record", host, NULL));
    }
    placed->request = viommu_request_parse(tree, &error);
    ck_assert_msg(placed->request != NULL, "%s", error ? error->message : "");
    placed->placing = viommu_fleet_place(placed->request, &placed->policy, placed->classes, demand);
    if (!viommu_fleet_placing_check(placed->placing, placed->request, NULL))
        return;
    words = viommu_fleet_srun_words(placed->placing, placed->request, 90);
    placed->line = g_strjoinv(" ", words);
}

static const char *class_at(const Placed *placed, guint i)
{
    return ((const ViommuFleetClass *)g_ptr_array_index(placed->classes, i))->name;
}

static void assert_line(const Placed *placed, const char *format, ...)
{
    g_autofree char *expected = NULL;
    va_list arguments;

    va_start(arguments, format);
    expected = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    ck_assert_msg(strstr(placed->line, expected), "'%s' is not in: %s", expected, placed->line);
}

START_TEST(classes_that_can)
{
    g_auto(Placed) placed = {0};

    place(
        &placed,
        "{'arch': <'x86_64'>, 'vcpus': <uint32 2>, 'memory': <'512 MiB'>, 'iommu': <{'is-supported': <true>}>}",
        NULL);
    ck_assert_uint_eq(placed.placing->n_possible, 2);
    /* KVM is the first choice. */
    assert_line(&placed, "--cpus-per-task=2 --mem=512 --constraint=%s|%s --prefer=%s --time=2",
                class_at(&placed, OLD), class_at(&placed, KVM), class_at(&placed, KVM));
    ck_assert(!strstr(placed.line, "--gres"));
}
END_TEST

START_TEST(first_choice_of_the_request)
{
    static const ViommuFleetDemand anything = {NULL, false};
    g_auto(Placed) placed = {0};

    place(
        &placed,
        "{'arch': <'x86_64'>, 'accelerator': <'tcg'>, 'iommu': <{'model': <['virtio', 'intel']>}>, 'guest': "
        "<{'os': <'debian13'>}>}",
        &anything);
    /* The old one has no virtio. */
    assert_line(&placed, "--constraint=%s|%s --prefer=%s", class_at(&placed, OLD), class_at(&placed, KVM),
                class_at(&placed, KVM));
}
END_TEST

START_TEST(one_class)
{
    g_auto(Placed) placed = {0};

    place(&placed, "{'arch': <'x86_64'>, 'accelerator': <'kvm'>, 'iommu': <{'is-supported': <true>}>}", NULL);
    assert_line(&placed, "--constraint=%s", class_at(&placed, KVM));
    ck_assert(!strchr(placed.line, '|') && !strstr(placed.line, "--prefer"));
}
END_TEST

START_TEST(no_class)
{
    g_auto(Placed) placed = {0};
    g_autoptr(GError) error = NULL;

    place(&placed, "{'arch': <'x86_64'>, 'iommu': <{'model': <'smmuv3'>}>}", NULL);
    ck_assert(!viommu_fleet_placing_check(placed.placing, placed.request, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED));
    for (guint i = 0; i < placed.classes->len; i++)
        ck_assert_msg(strstr(error->message, class_at(&placed, i)), "%s", error->message);
}
END_TEST

START_TEST(devices_of_one_host)
{
    g_auto(Placed) placed = {0};
    g_autoptr(GError) error = NULL;

    place(&placed, "{'arch': <'x86_64'>, 'hostdevs': <[{'address': <'0000:01:00.0'>}]>}", NULL);
    ck_assert(!viommu_fleet_placing_check(placed.placing, placed.request, &error));
    ck_assert_msg(strstr(error->message, "hostdevs[0] names a device of one host"), "%s", error->message);
}
END_TEST

/* Huge pages are not memory of the node, but QEMU needs some. */
START_TEST(pages)
{
    g_auto(Placed) placed = {0};

    place(&placed, "{'arch': <'x86_64'>, 'memory': <'1 GiB'>, 'memory-backing': <{'page-size': <'2 MiB'>}>}",
          NULL);
    assert_line(&placed, "--mem=256 ");
    assert_line(&placed, "--gres=hugepages_2m:512 ");
}
END_TEST

START_TEST(locked_memory)
{
    g_auto(Placed) placed = {0};

    place(
        &placed,
        "{'arch': <'x86_64'>, 'memory': <'1 GiB'>, 'memory-backing': <{'page-size': <'4 KiB'>, 'locked': <true>}>}",
        NULL);
    assert_line(&placed, "--mem=2048 ");
}
END_TEST

/* Nodes with the features in @each, a line for each class of @placed. */
static GPtrArray *nodes_with(const Placed *placed, const char *const *each)
{
    GPtrArray *nodes = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

    for (guint i = 0; i < placed->classes->len; i++) {
        g_autofree char *line = g_strconcat("viommu,", each[i], ",", class_at(placed, i), NULL);

        g_ptr_array_add(nodes, g_strsplit(line, ",", -1));
    }
    return nodes;
}

static const char *const intel_text = "{'arch': <'x86_64'>, 'iommu': <{'model': <'intel'>}>}";

/* A class whose nodes have not proven the model is left out; so is one that no node has. */
START_TEST(features_that_nodes_have)
{
    static const char *const one[] = {"", "viommu_proven_kvm_x86_64_intel", ""};
    static const char *const both[] = {"viommu_proven_x86_64_intel", "viommu_proven_kvm_x86_64_intel", ""};
    g_auto(Placed) plain = {0}, proven = {0}, all = {0}, none = {0};
    g_autoptr(GPtrArray) some = NULL, more = NULL, empty = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    place(&plain, intel_text, NULL);
    some = nodes_with(&plain, one);
    more = nodes_with(&plain, both);
    place(&proven, intel_text, &(ViommuFleetDemand){some, true});
    assert_line(&proven, "--constraint=%s&viommu_proven_kvm_x86_64_intel", class_at(&plain, KVM));
    ck_assert(!strstr(proven.line, class_at(&plain, OLD)));
    place(&all, intel_text, &(ViommuFleetDemand){more, true});
    assert_line(&all, "--constraint=(%s&viommu_proven_x86_64_intel)|(%s&viommu_proven_kvm_x86_64_intel) ",
                class_at(&plain, OLD), class_at(&plain, KVM));
    assert_line(&all, "--prefer=%s&viommu_proven_kvm_x86_64_intel", class_at(&plain, KVM));
    place(&none, intel_text, &(ViommuFleetDemand){empty, false});
    ck_assert(!viommu_fleet_placing_check(none.placing, none.request, &error));
    ck_assert_msg(strstr(error->message, "no node of Slurm has the feature vf_"), "%s", error->message);
}
END_TEST

/* Each feature is some node's, but no node has its class and the proof. */
START_TEST(features_of_different_nodes)
{
    static const char *const crossed[] = {"viommu_proven_kvm_x86_64_intel", "viommu_proven_x86_64_intel", ""};
    static const char *const old[] = {"viommu_proven_x86_64_intel,viommu_proven_kvm_x86_64_intel", "", ""};
    g_auto(Placed) plain = {0}, proven = {0}, any = {0}, one = {0};
    g_autoptr(GPtrArray) nodes = NULL, of_old = NULL;
    g_autoptr(GError) error = NULL;

    place(&plain, intel_text, NULL);
    nodes = nodes_with(&plain, crossed);
    place(&proven, intel_text, &(ViommuFleetDemand){nodes, true});
    ck_assert(!viommu_fleet_placing_check(proven.placing, proven.request, &error));
    ck_assert_msg(
        strstr(error->message,
               "no node of this class has the feature viommu_proven_kvm_x86_64_intel: no guest has shown"),
        "%s", error->message);
    /* Without the demand, the same nodes take it. */
    place(&any, intel_text, &(ViommuFleetDemand){nodes, false});
    ck_assert_uint_eq(any.placing->n_possible, 2);
    /* Slurm refuses a job that prefers what no node has. */
    of_old = nodes_with(&plain, old);
    place(&one, intel_text, &(ViommuFleetDemand){of_old, true});
    assert_line(&one, "--constraint=%s&viommu_proven_x86_64_intel --time", class_at(&plain, OLD));
}
END_TEST

/* A node without the image is left out before the claim. */
START_TEST(images_by_digest)
{
    static const char *const text =
        "[image]\nfile=disk.qcow2\nformat=qcow2\nos=debian13\narch=x86_64\ndigest=" DIGEST "\n";
    g_autoptr(ViommuSiteImage) image = viommu_site_image_parse(text, strlen(text), NULL);
    g_autoptr(GVariant) tree = parse("{'image': <'debian13'>, 'iommu': <{'is-supported': <true>}>}");
    g_auto(Placed) placed = {0};
    g_autofree char *feature = viommu_fleet_image_feature(DIGEST);
    g_auto(GStrv) words = NULL;

    ck_assert_str_eq(feature, "vi_0123456789ab");
    place(&placed, "{'arch': <'x86_64'>}", NULL);
    viommu_fleet_placing_free(placed.placing);
    viommu_request_free(placed.request);
    placed.request = viommu_request_parse(tree, NULL);
    ck_assert(viommu_site_image_merge(image, "/srv", placed.request, NULL));
    placed.placing = viommu_fleet_place(placed.request, &placed.policy, placed.classes, NULL);
    words = viommu_fleet_srun_words(placed.placing, placed.request, 0);
    g_free(placed.line);
    placed.line = g_strjoinv(" ", words);
    assert_line(&placed, "&vi_0123456789ab");
    ck_assert(!strstr(placed.line, "--time"));
}
END_TEST

UNIT_MAIN("placing", classes_that_can, first_choice_of_the_request, one_class, no_class, devices_of_one_host,
          pages, locked_memory, features_that_nodes_have, features_of_different_nodes, images_by_digest)

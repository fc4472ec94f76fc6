/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-hostile: random bytes, through everything that reads text, with a fixed seed.  A sanitizer
 * must stay silent, outputs must stay untouched after a failure, and messages must be UTF-8 for the
 * bus. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/host/caps.h"
#include "lib/domain/metadata.h"
#include "lib/base/did-you-mean.h"
#include "lib/base/quantity.h"
#include "lib/request/request.h"
#include "lib/base/version.h"

#define ROUNDS 4000

/* Random bytes, among them many that the readers look for. */
static char *random_text(GRand *random, int max)
{
    static const char liked[] = "0123456789.kKMGTiB <>/='\"&;-:#![]xmachine\n\t\xc3\xa4\xff\x01";
    int length = g_rand_int_range(random, 0, max);
    char *text = g_malloc0((size_t)length + 1);

    for (int i = 0; i < length; i++)
        text[i] = g_rand_boolean(random) ? liked[g_rand_int_range(random, 0, sizeof liked - 1)]
                                         : (char)g_rand_int_range(random, 1, 256);
    return text;
}

/* A valid text with a few bytes changed, removed or doubled. */
static char *damaged(GRand *random, const char *good)
{
    g_autoptr(GString) text = g_string_new(good);

    for (int n = g_rand_int_range(random, 1, 6); n > 0 && text->len > 1; n--) {
        gsize at = (gsize)g_rand_int_range(random, 0, (gint32)text->len - 1);
        g_autofree char *piece = g_strndup(text->str + at, (gsize)g_rand_int_range(random, 1, 20));

        switch (g_rand_int_range(random, 0, 3)) {
        case 0:
            text->str[at] = (char)g_rand_int_range(random, 1, 256);
            break;
        case 1:
            g_string_erase(text, (gssize)at, (gssize)strlen(piece));
            break;
        default:
            g_string_insert(text, g_rand_int_range(random, 0, (gint32)text->len), piece);
            break;
        }
    }
    return g_strdup(text->str);
}

static void read_as_number(const char *text)
{
    g_autoptr(GError) error = NULL;
    uint64_t bytes = 42;
    ViommuVersion version = 42;

    if (!viommu_quantity_parse(text, &bytes, &error)) {
        ck_assert(error->domain == VIOMMU_ERROR);
        ck_assert_uint_eq(bytes, 42);
    }
    if (!viommu_version_parse(text, &version))
        ck_assert_uint_eq(version, 42);
    viommu_caps_machine_version(text);
}

static void read_as_documents(const char *text)
{
    g_autoptr(ViommuHost) host = viommu_host_new();
    ViommuEmulator *emulator = viommu_host_add_emulator(host);
    g_autoptr(ViommuMetadata) metadata = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *machine = NULL;

    metadata = viommu_metadata_from_xml(text, NULL, &error);
    ck_assert((metadata == NULL) == (error != NULL));
    ck_assert(!error || g_utf8_validate(error->message, -1, NULL));
    if (metadata) {
        /* what was read can be written, and then reads the same */
        g_autofree char *xml = viommu_metadata_to_xml(metadata), *again = NULL;
        g_autoptr(ViommuMetadata) back = viommu_metadata_from_xml(xml, NULL, NULL);

        ck_assert_ptr_nonnull(back);
        again = viommu_metadata_to_xml(back);
        ck_assert_str_eq(again, xml);
    }
    g_clear_error(&error);
    ck_assert(viommu_caps_read(host, text, &error) == (error == NULL));
    ck_assert(!error || g_utf8_validate(error->message, -1, NULL));
    g_clear_error(&error);
    emulator->arch_name = emulator->arch_name ? emulator->arch_name : g_strdup("x86_64");
    ck_assert(viommu_caps_read_domain(emulator, text, &machine, &error) == (error == NULL));
    ck_assert(!error || g_utf8_validate(error->message, -1, NULL));
}

START_TEST(random_bytes)
{
    GRand *random = g_rand_new_with_seed(20261121);
    static const char *const words[] = {"intel", "virtio", "smmuv3"};

    for (int i = 0; i < ROUNDS; i++) {
        g_autofree char *brief = random_text(random, 24), *text = random_text(random, 300);

        read_as_number(brief);
        viommu_nearest(brief, words, G_N_ELEMENTS(words));
        viommu_nearest(text, words, G_N_ELEMENTS(words));
        read_as_documents(text);
    }
    g_rand_free(random);
}
END_TEST

START_TEST(damaged_documents)
{
    static const char *const metadata = "<viommu:machine xmlns:viommu='https://viommu.org/xmlns/domain/1' "
                                        "version='1' owner='1' phase='running' "
                                        "created='1' fingerprint='f' arch='x86_64' type='q35' "
                                        "accelerator='kvm' model='intel' vcpus='1' memory='2' "
                                        "memlock='3'><viommu:request>{}</viommu:request><viommu:reason>a "
                                        "&amp; b</viommu:reason></viommu:machine>";
    g_autofree char *caps = unit_read_data("capabilities-9.0.0.xml");
    g_autofree char *domain_caps = unit_read_data("domcapabilities-9.0.0-x86_64.xml");
    const struct {
        const char *good;
        int rounds;
    } documents[] = {{metadata, ROUNDS}, {caps, 300}, {domain_caps, 300}};
    GRand *random = g_rand_new_with_seed(20261122);

    for (size_t document = 0; document < G_N_ELEMENTS(documents); document++) {
        for (int i = 0; i < documents[document].rounds; i++) {
            g_autofree char *text = damaged(random, documents[document].good);

            read_as_documents(text);
        }
    }
    g_rand_free(random);
}
END_TEST

/* A random value of a random type, with some nesting. */
static GVariant *random_value(GRand *random, int depth)
{
    static const char *const texts[] = {"",      "x",  "kvm", "512 MiB", "6.1",         "/a",
                                        "intel", ".*", "(",   "\t",      "virtio|intel"};
    GVariantBuilder builder;

    switch (g_rand_int_range(random, 0, depth > 2 ? 5 : 8)) {
    case 0:
        return g_variant_new_boolean(g_rand_boolean(random));
    case 1:
        return g_variant_new_int64((gint64)g_rand_int(random) - (gint64)g_rand_int(random));
    case 2:
        return g_variant_new_uint32(g_rand_int_range(random, 0, 300));
    case 3:
        return g_variant_new_double(g_rand_double(random));
    case 4:
        return g_variant_new_string(texts[g_rand_int_range(random, 0, G_N_ELEMENTS(texts))]);
    case 5:
        return g_variant_new_variant(random_value(random, depth + 1));
    default:
        g_variant_builder_init(&builder, G_VARIANT_TYPE("av"));
        for (int n = g_rand_int_range(random, 0, 3); n > 0; n--)
            g_variant_builder_add(&builder, "v", random_value(random, depth + 1));
        return g_variant_builder_end(&builder);
    }
}

static GVariant *random_dict(GRand *random, const ViommuFields *table, int depth)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    for (int n = g_rand_int_range(random, 0, 4); n > 0; n--) {
        const ViommuField *field = &table->fields[g_rand_int_range(random, 0, (gint32)table->n_fields)];
        bool proper = field->fields && g_rand_int_range(random, 0, 4) > 0;
        GVariant *value =
            proper ? random_dict(random, field->fields, depth + 1) : random_value(random, depth);

        if (proper && field->kind == VIOMMU_FIELD_LIST)
            value = g_variant_new_array(G_VARIANT_TYPE_VARDICT, &value, 1);
        g_variant_builder_add(&builder, "{sv}", field->key, value);
    }
    return g_variant_builder_end(&builder);
}

/* Requests of real keys and wrong values: each is refused with a named error, or read and written
 * to the same text. */
START_TEST(random_requests)
{
    GRand *random = g_rand_new_with_seed(20261123);
    int good = 0;

    for (int i = 0; i < ROUNDS; i++) {
        g_autoptr(GVariant) tree = g_variant_ref_sink(random_dict(random, &viommu_request_fields, 0));
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuRequest) request = viommu_request_parse(tree, &error);

        ck_assert((request == NULL) == (error != NULL));
        if (error) {
            ck_assert(error->domain == VIOMMU_ERROR);
            ck_assert(g_utf8_validate(error->message, -1, NULL));
            continue;
        }
        good++;
        g_autofree char *text = viommu_request_text(request), *again = NULL;
        g_autoptr(GVariant) written =
            g_variant_ref_sink(viommu_fields_write(&viommu_request_fields, request));
        g_autofree char *printed = g_variant_print(written, FALSE);
        g_autoptr(GVariant) back = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
        g_autoptr(ViommuRequest) second = viommu_request_parse(back, NULL);

        ck_assert_str_eq(text, printed);
        ck_assert_ptr_nonnull(second);
        again = viommu_request_text(second);
        ck_assert_str_eq(again, text);
    }
    /* otherwise the generator would test only refusals */
    ck_assert_int_gt(good, 100);
    g_rand_free(random);
}
END_TEST

UNIT_MAIN("hostile", random_bytes, damaged_documents, random_requests)

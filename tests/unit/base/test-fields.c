/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-fields: each kind of field: unset, read, refused, written. */
#include "tests/unit/unit.h"

#include <json-glib/json-glib.h>
#include <string.h>
#include "lib/base/fields.h"
#include "lib/request/request.h"
#include "lib/base/quantity.h"
#include "lib/base/version.h"

typedef struct Child {
    bool present;
    int flag;
    uint64_t number;
} Child;

typedef struct Quiet {
    char *text;
} Quiet;

typedef struct Entry {
    char *path;
    int format;
} Entry;

typedef struct Parent {
    char *name;
    int flag;
    uint64_t number, size;
    ViommuVersion version;
    char **words;
    int accelerator;
    uint64_t set;
    Child child;
    Quiet quiet;
    GPtrArray *entries;
    GArray *ports;
} Parent;

static const ViommuField child_fields[] = {
    {"flag", VIOMMU_FIELD_FLAG, offsetof(Child, flag)},
    {"aw-bits", VIOMMU_FIELD_NUMBER, offsetof(Child, number), .min = 32, .max = 64},
};
static const ViommuFields child_table = {child_fields, G_N_ELEMENTS(child_fields), 0,
                                         offsetof(Child, present)};

static const ViommuField quiet_fields[] = {{"text", VIOMMU_FIELD_STRING, offsetof(Quiet, text)}};
static const ViommuFields quiet_table = {quiet_fields, G_N_ELEMENTS(quiet_fields), 0, -1};

static const ViommuField entry_fields[] = {
    {"path", VIOMMU_FIELD_STRING, offsetof(Entry, path), .required = true},
    {"format", VIOMMU_FIELD_ENUM, offsetof(Entry, format), .words = &viommu_enum_disk_format},
};
static const ViommuFields entry_table = {entry_fields, G_N_ELEMENTS(entry_fields), sizeof(Entry), -1};

static const ViommuField parent_fields[] = {
    {"name", VIOMMU_FIELD_STRING, offsetof(Parent, name)},
    {"flag", VIOMMU_FIELD_FLAG, offsetof(Parent, flag)},
    {"vcpus", VIOMMU_FIELD_NUMBER, offsetof(Parent, number), .min = 1, .max = UINT32_MAX},
    {"memory", VIOMMU_FIELD_SIZE, offsetof(Parent, size), .min = VIOMMU_MIB},
    {"kernel", VIOMMU_FIELD_VERSION, offsetof(Parent, version)},
    {"drivers", VIOMMU_FIELD_WORDS, offsetof(Parent, words)},
    {"accelerator", VIOMMU_FIELD_ENUM, offsetof(Parent, accelerator), .words = &viommu_enum_accelerator},
    {"firmware", VIOMMU_FIELD_SET, offsetof(Parent, set), .words = &viommu_enum_firmware},
    {"iommu", VIOMMU_FIELD_DICT, offsetof(Parent, child), .fields = &child_table,
     .hint = "a machine has at most one IOMMU"},
    {"quiet", VIOMMU_FIELD_DICT, offsetof(Parent, quiet), .fields = &quiet_table},
    {"disks", VIOMMU_FIELD_LIST, offsetof(Parent, entries), .fields = &entry_table, .max = 3},
    {"ports", VIOMMU_FIELD_NUMBERS, offsetof(Parent, ports), .min = 1, .max = 65535, .max_entries = 2},
};
static const ViommuFields parent_table = {parent_fields, G_N_ELEMENTS(parent_fields), sizeof(Parent), -1};

static GVariant *tree(const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *variant = g_variant_parse(NULL, text, NULL, NULL, &error);

    ck_assert_msg(variant != NULL, "%s: %s", text, error ? error->message : "");
    return variant;
}

static bool read_text(const char *text, Parent *parent, GError **error)
{
    g_autoptr(GVariant) variant = tree(text);

    memset(parent, 0xff, sizeof *parent);
    viommu_fields_init(&parent_table, parent);
    return viommu_fields_read(&parent_table, variant, "", parent, error);
}

static char *written(const Parent *parent)
{
    g_autoptr(GVariant) variant = g_variant_ref_sink(viommu_fields_write(&parent_table, parent));
    g_autofree char *text = viommu_fields_text(&parent_table, parent);
    char *printed = g_variant_print(variant, FALSE);

    ck_assert_str_eq(text, printed);
    return printed;
}

START_TEST(nothing_is_unset)
{
    Parent parent;
    g_autofree char *text = NULL;

    ck_assert(read_text("@a{sv} {}", &parent, NULL));
    ck_assert_ptr_null(parent.name);
    ck_assert_int_eq(parent.flag, VIOMMU_UNSET);
    ck_assert_uint_eq(parent.number, VIOMMU_UNSET_NUMBER);
    ck_assert_uint_eq(parent.size, VIOMMU_UNSET_NUMBER);
    ck_assert_uint_eq(parent.version, 0);
    ck_assert_ptr_null(parent.words);
    ck_assert_int_eq(parent.accelerator, VIOMMU_UNSET);
    ck_assert_uint_eq(parent.set, 0);
    ck_assert(!parent.child.present);
    ck_assert_int_eq(parent.child.flag, VIOMMU_UNSET);
    ck_assert_ptr_null(parent.entries);
    ck_assert_ptr_null(parent.ports);
    text = written(&parent);
    ck_assert_str_eq(text, "{}");
}
END_TEST

START_TEST(everything_there_and_back)
{
    static const char *const full =
        "{'name': <'a'>, 'flag': <false>, 'vcpus': <uint64 4>, 'memory': <uint64 536870912>, 'kernel': "
        "<'6.12.43'>, "
        "'drivers': <['x', 'y']>, 'accelerator': <'kvm'>, 'firmware': <['bios', 'efi']>, "
        "'iommu': <{'flag': <true>, 'aw-bits': <uint64 48>}>, 'quiet': <{'text': <'t'>}>, "
        "'disks': <[{'path': <'/a'>, 'format': <'qcow2'>}, {'path': <'/b'>}]>, 'ports': <[uint64 22, 80]>}";
    Parent parent;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    unit_assert_ok(read_text(full, &parent, &error), error);
    ck_assert_int_eq(parent.flag, 0);
    ck_assert_uint_eq(parent.number, 4);
    ck_assert_uint_eq(parent.size, 512 * VIOMMU_MIB);
    ck_assert_uint_eq(parent.version, VIOMMU_VERSION_OF(6, 12, 43));
    ck_assert_str_eq(parent.words[1], "y");
    ck_assert_int_eq(parent.accelerator, VIOMMU_ACCELERATOR_KVM);
    ck_assert_uint_eq(parent.set, 1u << VIOMMU_FIRMWARE_BIOS | 1u << VIOMMU_FIRMWARE_EFI);
    ck_assert(parent.child.present);
    ck_assert_uint_eq(parent.child.number, 48);
    ck_assert_str_eq(parent.quiet.text, "t");
    ck_assert_uint_eq(parent.entries->len, 2);
    ck_assert_int_eq(((Entry *)parent.entries->pdata[0])->format, VIOMMU_DISK_FORMAT_QCOW2);
    ck_assert_int_eq(((Entry *)parent.entries->pdata[1])->format, VIOMMU_UNSET);
    ck_assert_uint_eq(parent.ports->len, 2);
    ck_assert_uint_eq(g_array_index(parent.ports, uint64_t, 1), 80);
    text = written(&parent);
    ck_assert_str_eq(text, full);
    viommu_fields_clear(&parent_table, &parent);
    ck_assert_ptr_null(parent.name);
    ck_assert_ptr_null(parent.entries);
    ck_assert_ptr_null(parent.ports);
    ck_assert(!parent.child.present);
    viommu_fields_clear(&parent_table, &parent);
}
END_TEST

/* What GVariant's text says otherwise than with plain words: quotes, characters, empty lists. */
START_TEST(odd_texts)
{
    static const char *const odd[] = {
        "{'name': <\"it's\">}",   "{'name': <'say \"so\"'>}", "{'name': <\"it's \\\"so\\\"\">}",
        "{'name': <'a\\\\b'>}",   "{'name': <'grüße 你'>}",   "{'name': <'\\u00ad\\u202e'>}",
        "{'iommu': <@a{sv} {}>}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
        Parent parent;
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;

        unit_assert_ok(read_text(odd[i], &parent, &error), error);
        text = written(&parent);
        ck_assert_str_eq(text, odd[i]);
        viommu_fields_clear(&parent_table, &parent);
    }
}
END_TEST

/* Lists that nobody can read, but a program can write. */
START_TEST(empty_lists)
{
    Entry nothing = {NULL, VIOMMU_UNSET}, something = {(char *)"/a", VIOMMU_UNSET};
    char *none[] = {NULL};
    void *entries[] = {&nothing, &nothing, &something};
    GPtrArray list = {entries, G_N_ELEMENTS(entries)};
    g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    g_autofree char *text = NULL;
    Parent parent;

    viommu_fields_init(&parent_table, &parent);
    parent.words = none;
    parent.entries = &list;
    parent.ports = ports;
    text = written(&parent);
    ck_assert_str_eq(
        text, "{'drivers': <@as []>, 'disks': <[@a{sv} {}, {}, {'path': <'/a'>}]>, 'ports': <@at []>}");
}
END_TEST

/* The forms that a client may send, and the one form in which viommud writes them back. */
START_TEST(forms_that_mean_the_same)
{
    static const struct {
        const char *sent, *written;
    } cases[] = {
        {"{'vcpus': <byte 4>}", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': <int16 4>}", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': <uint16 4>}", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': <4>}", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': <uint32 4>}", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': <int64 4>}", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': <<<4>>>}", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': <@mi 4>}", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': <uint64 4294967295>}", "{'vcpus': <uint64 4294967295>}"},
        {"<{'vcpus': <4>}>", "{'vcpus': <uint64 4>}"},
        {"{'vcpus': 4}", "{'vcpus': <uint64 4>}"},
        {"{'memory': <'1 MiB'>}", "{'memory': <uint64 1048576>}"},
        {"{'memory': <int64 1048576>}", "{'memory': <uint64 1048576>}"},
        {"{'kernel': <'6.12.43+deb13-amd64'>}", "{'kernel': <'6.12.43'>}"},
        {"{'drivers': <'x'>}", "{'drivers': <['x']>}"},
        {"{'drivers': <[<'x'>, <'y'>]>}", "{'drivers': <['x', 'y']>}"},
        {"{'firmware': <[<'efi'>, <'bios'>, <'efi'>]>}", "{'firmware': <['bios', 'efi']>}"},
        {"{'iommu': <@a{sv} {}>}", "{'iommu': <@a{sv} {}>}"},
        {"{'iommu': <{'flag': true}>}", "{'iommu': <{'flag': <true>}>}"},
        {"{'quiet': <@a{sv} {}>}", "@a{sv} {}"},
        {"{'ports': <22>}", "{'ports': <[uint64 22]>}"},
        {"{'ports': <[uint16 22, 80]>}", "{'ports': <[uint64 22, 80]>}"},
        {"{'ports': <[<22>, <byte 80>]>}", "{'ports': <[uint64 22, 80]>}"},
        {"{'disks': <@aa{sv} []>}", "@a{sv} {}"},
        {"{'disks': <@av []>}", "@a{sv} {}"},
        {"{'disks': <[<{'path': <'/a'>}>]>}", "{'disks': <[{'path': <'/a'>}]>}"},
        {"{'name': <'\u00e4 \\'\"<&>'>}", "{'name': <'\u00e4 \\'\"<&>'>}"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) expected = g_variant_parse(NULL, cases[i].written, NULL, NULL, NULL);
        g_autofree char *text = NULL, *expected_text = g_variant_print(expected, FALSE);
        Parent parent;

        unit_assert_ok(read_text(cases[i].sent, &parent, &error), error);
        text = written(&parent);
        ck_assert_str_eq(text, expected_text);
        viommu_fields_clear(&parent_table, &parent);
    }
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *sent, *message;
    } cases[] = {
        /* keys */
        {"{'iommu': <{'flga': <true>}>}", "unknown key 'iommu.flga'; did you mean 'iommu.flag'?"},
        {"{'accellerator': <'kvm'>}", "unknown key 'accellerator'; did you mean 'accelerator'?"},
        {"{'disks': <[{'path': <'/a'>}, {'path': <'/b'>, 'fromat': <'raw'>}]>}",
         "unknown key 'disks[1].fromat'; did you mean 'disks[1].format'?"},
        {"{'zzz': <1>}", "unknown key 'zzz'; the known keys are name, flag, vcpus, memory, kernel, drivers, "
                         "accelerator, firmware, iommu, quiet, disks, ports"},
        {"{'iommu': <{'zzz': <1>}>}", "unknown key 'iommu.zzz'; the known keys are flag, aw-bits"},
        {"{'': <1>}", "unknown key ''; the known keys are name, flag, vcpus, memory, kernel, drivers, "
                      "accelerator, firmware, iommu, quiet, disks, ports"},
        {"{'iommu': <{'a\\n\\u007f': <1>}>}", "unknown key 'iommu.a\?\?'; the known keys are flag, aw-bits"},
        {"{'iommu': <{'0123456789012345678901234567890123456789012345678901234567890123456789': <1>}>}",
         "unknown key 'iommu.0123456789012345678901234567890123456789012345678901234567890123...'; the known keys are flag, aw-bits"},
        {"{'disks': <[{'format': <'raw'>}]>}", "disks[0].path is missing; it must be a string"},
        /* types */
        {"{'iommu': <{'aw-bits': <'48'>}>}", "iommu.aw-bits must be a whole number, but is a string"},
        {"{'vcpus': <1.0>}", "vcpus must be a whole number, but is a number with a fraction"},
        {"{'vcpus': <true>}", "vcpus must be a whole number, but is true or false"},
        {"{'vcpus': <'4'>}", "vcpus must be a whole number, but is a string"},
        {"{'vcpus': <@mv nothing>}", "vcpus must be a whole number, but is null (omit the key instead)"},
        {"{'vcpus': <handle 1>}", "vcpus must be a whole number, but is a file descriptor"},
        {"{'vcpus': <(1, 2)>}", "vcpus must be a whole number, but is a structure"},
        {"{'flag': <1>}", "flag must be true or false, but is a whole number"},
        {"{'flag': <'true'>}", "flag must be true or false, but is a string"},
        {"{'name': <1>}", "name must be a string, but is a whole number"},
        {"{'name': <objectpath '/a'>}", "name must be a string, but is an object path"},
        {"{'name': <signature 'i'>}", "name must be a string, but is a signature"},
        {"{'memory': <1.5>}", "memory must be a whole number of bytes or a string such as '512 MiB', but is "
                              "a number with a fraction"},
        {"{'kernel': <6.12>}", "kernel must be a string such as '7.2.0', but is a number with a fraction"},
        {"{'drivers': <1>}", "drivers must be a string or a list of strings, but is a whole number"},
        {"{'drivers': <[<'x'>, <1>]>}", "drivers[1] must be a string, but is a whole number"},
        {"{'drivers': <b'bytes'>}", "drivers[0] must be a string, but is a whole number"},
        {"{'accelerator': <1>}", "accelerator must be one of auto, kvm, tcg, but is a whole number"},
        {"{'accelerator': <true>}", "accelerator must be one of auto, kvm, tcg, but is true or false"},
        {"{'accelerator': <['kvm']>}", "accelerator must be one of auto, kvm, tcg, but is a list"},
        {"{'firmware': <'efi'>}", "firmware must be a list of auto, bios, efi, but is a string"},
        {"{'firmware': <[<1>]>}", "firmware[0] must be one of auto, bios, efi, but is a whole number"},
        {"{'iommu': <[{'flag': <true>}]>}",
         "iommu must be one dictionary, but is a list: a machine has at most one IOMMU"},
        {"{'iommu': <'intel'>}",
         "iommu must be one dictionary, but is a string: a machine has at most one IOMMU"},
        {"{'iommu': <@mv nothing>}", "iommu must be one dictionary, but is null (omit the key instead): "
                                     "a machine has at most one IOMMU"},
        {"{'quiet': <@av []>}", "quiet must be one dictionary, but is a list"},
        {"{'disks': <{'path': <'/a'>}>}", "disks must be a list of dictionaries, but is a dictionary"},
        {"{'disks': <['/a']>}", "disks[0] must be a dictionary, but is a string"},
        {"[1]", "the top level must be a dictionary, but is a list"},
        {"'x'", "the top level must be a dictionary, but is a string"},
        {"@a{iv} {}", "the top level must be a dictionary, but is a dictionary whose keys are not strings"},
        /* numbers */
        {"{'vcpus': <0>}", "vcpus 0 is too small; the minimum is 1"},
        {"{'vcpus': <-3>}", "vcpus -3 is too small; the minimum is 1"},
        {"{'vcpus': <int64 -9223372036854775808>}",
         "vcpus -9223372036854775808 is too small; the minimum is 1"},
        {"{'vcpus': <uint64 4294967296>}", "vcpus 4294967296 is too large; the maximum is 4294967295"},
        {"{'iommu': <{'aw-bits': <65>}>}", "iommu.aw-bits 65 is too large; the maximum is 64"},
        {"{'memory': <uint64 18446744073709551615>}",
         "memory 18446744073709551615 B is too large; the maximum is 18446744073709551614 B"},
        {"{'memory': <'512 KiB'>}", "memory 512 KiB is too small; the minimum is 1 MiB"},
        {"{'memory': <-1>}", "memory -1 is too small; the minimum is 1 MiB"},
        {"{'memory': <'lots'>}",
         "memory: size 'lots' is not valid; write a whole number, with a unit if needed, such as '512 MiB'"},
        {"{'memory': <'18446744073709551616'>}", "memory: size '18446744073709551616' does not fit 64 bits"},
        {"{'kernel': <'six'>}", "kernel 'six' is not a version such as '9.0.0' or '6.12'"},
        {"{'ports': <'22'>}", "ports must be a whole number or a list of whole numbers, but is a string"},
        {"{'ports': <{'a': <1>}>}",
         "ports must be a whole number or a list of whole numbers, but is a dictionary"},
        {"{'ports': <[<22>, <'x'>]>}", "ports[1] must be a whole number, but is a string"},
        {"{'ports': <0>}", "ports 0 is too small; the minimum is 1"},
        {"{'ports': <[1, 65536]>}", "ports[1] 65536 is too large; the maximum is 65535"},
        {"{'ports': <[1, 2, 3]>}", "ports has 3 entries; at most 2 are allowed"},
        {"{'ports': <@ai []>}", "ports must not be an empty list; omit the key instead"},
        /* words */
        {"{'accelerator': <'kvmm'>}", "accelerator 'kvmm' is not known; did you mean 'kvm'?"},
        {"{'accelerator': <'KVM'>}", "accelerator 'KVM' is not known; did you mean 'kvm'?"},
        {"{'accelerator': <'hvf9x'>}", "accelerator 'hvf9x' is not known; use one of auto, kvm, tcg"},
        {"{'firmware': <['efi', 'uefi']>}", "firmware[1] 'uefi' is not known; did you mean 'efi'?"},
        /* strings and lists */
        {"{'name': <''>}", "name must not be empty; omit the key instead"},
        {"{'memory': <''>}", "memory must not be empty; omit the key instead"},
        {"{'name': <'a\\tb'>}", "name must not contain control characters, but has 0x09 at byte 1"},
        {"{'name': <'a\\n'>}", "name must not contain control characters, but has 0x0a at byte 1"},
        {"{'name': <'\\u007f'>}", "name must not contain control characters, but has 0x7f at byte 0"},
        {"{'name': <'a\\u009b31m'>}", "name must not contain control characters, but has 0x9b at byte 1"},
        {"{'name': <'\\u0080'>}", "name must not contain control characters, but has 0x80 at byte 0"},
        {"{'name': <'a\\uffff'>}", "name must not contain U+FFFE or U+FFFF"},
        {"{'drivers': <['x', 'a\\u0001']>}",
         "drivers[1] must not contain control characters, but has 0x01 at byte 1"},
        {"{'accelerator': <'\\u0001'>}",
         "accelerator must not contain control characters, but has 0x01 at byte 0"},
        {"{'drivers': <@as []>}", "drivers must not be an empty list; omit the key instead"},
        {"{'firmware': <@as []>}", "firmware must not be an empty list; omit the key instead"},
        {"{'disks': <[{'path': <'/a'>}, {'path': <'/b'>}, {'path': <'/c'>}, {'path': <'/d'>}]>}",
         "disks has 4 entries; at most 3 are allowed"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Parent parent;

        ck_assert_msg(!read_text(cases[i].sent, &parent, &error), "%s was read", cases[i].sent);
        unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, cases[i].message);
        viommu_fields_clear(&parent_table, &parent);
    }
}
END_TEST

START_TEST(long_strings_and_lists_are_refused)
{
    g_autofree char *longest = g_strnfill(VIOMMU_FIELDS_TEXT_MAX, 'x');
    g_autofree char *fits = g_strdup_printf("{'name': <'%s'>}", longest);
    g_autofree char *too_long = g_strdup_printf("{'name': <'%sx'>}", longest);
    GVariantBuilder many;
    g_autoptr(GVariant) list = NULL;
    g_autoptr(GError) error = NULL;
    Parent parent;

    ck_assert(read_text(fits, &parent, NULL));
    viommu_fields_clear(&parent_table, &parent);
    ck_assert(!read_text(too_long, &parent, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST,
                      "name is 4097 bytes long; at most 4096 are allowed");

    g_variant_builder_init(&many, G_VARIANT_TYPE_STRING_ARRAY);
    for (int i = 0; i <= VIOMMU_FIELDS_WORDS_MAX; i++)
        g_variant_builder_add(&many, "s", "x");
    list = g_variant_ref_sink(g_variant_new_parsed("{'drivers': <%v>}", g_variant_builder_end(&many)));
    ck_assert(!viommu_fields_read(&parent_table, list, "", &parent, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST,
                      "drivers has 257 entries; at most 256 are allowed");
    viommu_fields_clear(&parent_table, &parent);
}
END_TEST

/* A dictionary with a repeated key cannot be written as text, but can arrive over the bus. */
START_TEST(doubled_keys_are_refused)
{
    GVariantBuilder builder;
    g_autoptr(GVariant) dict = NULL;
    g_autoptr(GError) error = NULL;
    Parent parent;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "name", g_variant_new_string("a"));
    g_variant_builder_add(&builder, "{sv}", "name", g_variant_new_string("b"));
    dict = g_variant_ref_sink(g_variant_builder_end(&builder));
    viommu_fields_init(&parent_table, &parent);
    ck_assert(!viommu_fields_read(&parent_table, dict, "", &parent, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, "name is given twice");
    viommu_fields_clear(&parent_table, &parent);
}
END_TEST

START_TEST(the_path_stands_before_keys)
{
    g_autoptr(GVariant) dict = tree("{'name': <1>}");
    g_autoptr(GError) error = NULL;
    Parent parent;

    viommu_fields_init(&parent_table, &parent);
    ck_assert(!viommu_fields_read(&parent_table, dict, "hosts.first", &parent, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST,
                      "hosts.first.name must be a string, but is a whole number");
    viommu_fields_clear(&parent_table, &parent);
}
END_TEST

/* The tree that json-glib makes of a request file: int64 numbers, lists of variants, null as an
 * empty maybe. */
START_TEST(trees_from_json)
{
    static const char *const json =
        "{\"name\": \"a\", \"vcpus\": 4, \"memory\": \"1 GiB\", \"drivers\": [\"x\", \"y\"], \"iommu\": "
        "{\"flag\": true}, "
        "\"firmware\": [\"efi\"], \"disks\": [{\"path\": \"/a\", \"format\": \"raw\"}]}";
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) dict = json_gvariant_deserialize_data(json, -1, NULL, &error);
    g_autoptr(GVariant) null = NULL;
    g_autofree char *text = NULL;
    Parent parent;

    ck_assert_ptr_nonnull(dict);
    g_variant_ref_sink(dict);
    viommu_fields_init(&parent_table, &parent);
    unit_assert_ok(viommu_fields_read(&parent_table, dict, "", &parent, &error), error);
    text = written(&parent);
    ck_assert_str_eq(
        text, "{'name': <'a'>, 'vcpus': <uint64 4>, 'memory': <uint64 1073741824>, 'drivers': <['x', 'y']>, "
              "'firmware': <['efi']>, 'iommu': <{'flag': <true>}>, 'disks': <[{'path': <'/a'>, 'format': "
              "<'raw'>}]>}");
    viommu_fields_clear(&parent_table, &parent);

    null = g_variant_ref_sink(json_gvariant_deserialize_data("{\"name\": null}", -1, NULL, NULL));
    ck_assert(!viommu_fields_read(&parent_table, null, "", &parent, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST,
                      "name must be a string, but is null (omit the key instead)");
    viommu_fields_clear(&parent_table, &parent);
}
END_TEST

UNIT_MAIN("fields", nothing_is_unset, everything_there_and_back, odd_texts, empty_lists,
          forms_that_mean_the_same, refusals, long_strings_and_lists_are_refused, doubled_keys_are_refused,
          the_path_stands_before_keys, trees_from_json)

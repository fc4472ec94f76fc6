/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-request: compares the table of a request with its schema; tests contradictions, the
 * canonical text, and recorded hosts. */
#include "tests/unit/unit.h"

#include <json-glib/json-glib.h>
#include <string.h>
#include "lib/host/host.h"
#include "lib/request/request-check.h"
#include "lib/request/request.h"

static ViommuRequest *parse(const char *text, GError **error)
{
    g_autoptr(GError) syntax = NULL;
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &syntax);

    ck_assert_msg(tree != NULL, "%s: %s", text, syntax ? syntax->message : "");
    return viommu_request_parse(tree, error);
}

static void check_words(const char *key, const ViommuEnum *words, JsonArray *listed)
{
    ck_assert_msg((int)json_array_get_length(listed) == words->last, "%s: the schema lists %u words", key,
                  json_array_get_length(listed));
    for (guint i = 0; i < json_array_get_length(listed); i++)
        ck_assert_int_ne(viommu_enum_from_string(words, json_array_get_string_element(listed, i)),
                         VIOMMU_UNSET);
}

/* The number or the boolean among the forms of a value; for a value of one form the property. */
static JsonObject *plain_form(JsonObject *property)
{
    if (!json_object_has_member(property, "oneOf"))
        return property;
    return json_array_get_object_element(json_object_get_array_member(property, "oneOf"), 0);
}

static void check_bounds(const ViommuField *field, JsonObject *property)
{
    JsonObject *number = plain_form(property);

    if (field->kind == VIOMMU_FIELD_NUMBERS)
        ck_assert_int_eq(json_object_get_int_member(json_array_get_object_element(
                                                        json_object_get_array_member(property, "oneOf"), 1),
                                                    "maxItems"),
                         (gint64)field->max_entries);
    if (field->min > 0)
        ck_assert_int_eq(json_object_get_int_member(number, "minimum"), (gint64)field->min);
    if (field->max > 0)
        ck_assert_int_eq(json_object_get_int_member(number, "maximum"), (gint64)field->max);
}

static bool is_required(JsonObject *schema, const char *key)
{
    JsonArray *required =
        json_object_has_member(schema, "required") ? json_object_get_array_member(schema, "required") : NULL;

    for (guint i = 0; required && i < json_array_get_length(required); i++)
        if (g_str_equal(json_array_get_string_element(required, i), key))
            return true;
    return false;
}

/* Each key of @table is in the schema, with the same kind and bounds, and no other key is. */
static size_t check_table(const ViommuFields *table, JsonObject *schema)
{
    JsonObject *properties = json_object_get_object_member(schema, "properties");
    size_t checked = 0;

    ck_assert(!json_object_get_boolean_member(schema, "additionalProperties"));
    ck_assert_uint_eq(json_object_get_size(properties), table->n_fields);
    for (size_t i = 0; i < table->n_fields; i++, checked++) {
        const ViommuField *field = &table->fields[i];
        JsonObject *property;

        ck_assert_msg(json_object_has_member(properties, field->key), "'%s' is not in the schema",
                      field->key);
        property = json_object_get_object_member(properties, field->key);
        ck_assert_int_eq(is_required(schema, field->key), field->required);
        if (field->kind == VIOMMU_FIELD_ENUM)
            check_words(field->key, field->words, json_object_get_array_member(property, "enum"));
        else if (field->kind == VIOMMU_FIELD_FLAG)
            ck_assert_str_eq(json_object_get_string_member(plain_form(property), "type"), "boolean");
        else if (field->kind == VIOMMU_FIELD_NUMBER || field->kind == VIOMMU_FIELD_SIZE ||
                 field->kind == VIOMMU_FIELD_NUMBERS)
            check_bounds(field, property);
        else if (field->kind == VIOMMU_FIELD_DICT)
            checked += check_table(field->fields, property);
        else if (field->kind == VIOMMU_FIELD_LIST) {
            ck_assert_int_eq(json_object_get_int_member(property, "maxItems"), (gint64)field->max);
            checked += check_table(field->fields, json_object_get_object_member(property, "items"));
        }
    }
    return checked;
}

START_TEST(table_and_schema_agree)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;

    unit_assert_ok(json_parser_load_from_file(parser, UNIT_SCHEMAS "/request.schema.json", &error), error);
    ck_assert_uint_gt(check_table(&viommu_request_fields, json_node_get_object(json_parser_get_root(parser))),
                      40);
}
END_TEST

/* Each field: its key with one letter too many is refused, and the key is suggested. */
static void check_misspelling(const ViommuFields *table, const char *path, const char *before,
                              const char *after)
{
    for (size_t i = 0; i < table->n_fields; i++) {
        const ViommuField *field = &table->fields[i];
        g_autofree char *text = g_strdup_printf("%s{'%sx': <true>}%s", before, field->key, after);
        g_autofree char *message =
            g_strdup_printf("unknown key '%s%sx'; did you mean '%s%s'?", path, field->key, path, field->key);
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(parse(text, &error));
        unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, message);
        if (field->kind == VIOMMU_FIELD_DICT) {
            g_autofree char *deeper = g_strdup_printf("{'%s': <", field->key);
            g_autofree char *place = g_strdup_printf("%s.", field->key);

            check_misspelling(field->fields, place, deeper, ">}");
        } else if (field->kind == VIOMMU_FIELD_LIST) {
            g_autofree char *deeper = g_strdup_printf("{'%s': <[", field->key);
            g_autofree char *place = g_strdup_printf("%s[0].", field->key);

            check_misspelling(field->fields, place, deeper, "]>}");
        }
    }
}

START_TEST(every_misspelt_key_is_recognised)
{
    check_misspelling(&viommu_request_fields, "", "", "");
}
END_TEST

START_TEST(consistent_requests)
{
    static const char *const cases[] = {
        "@a{sv} {}",
        "{'name': <'a'>}",
        "{'name': <'0-9'>, 'request-id': <'any word: it is the caller\\'s'>}",
        "{'arch': <'x86_64'>, 'iommu': <{'is-supported': <true>}>}",
        "{'iommu': <{'is-supported': <false>}>}",
        "{'iommu': <{'is-supported': <false>, 'model': <'none'>}>}",
        "{'iommu': <{'is-supported': <true>, 'model': <'virtio'>, 'aw-bits': <48>}>}",
        "{'iommu': <{'model-name': <'intel'>, 'intremap': <true>, 'eim': <true>}>}",
        "{'iommu': <{'model': <['virtio', 'intel']>, 'required': <false>}>}",
        "{'iommu': <{'model': <'(intel|smmuv3)'>}>}",
        "{'iommu': <{'model': <'virtio'>, 'granule': <'host'>}>}",
        "{'iommu': <{'model': <'virtio'>, 'granule': <'64 KiB'>}>}",
        "{'memory': <'2 MiB'>, 'memory-backing': <{'page-size': <'2 MiB'>, 'locked': <true>}>}",
        "{'boot': <{'kernel': <'/k'>, 'initrd': <'/i'>, 'cmdline': <'quiet'>}>}",
        "{'boot': <{'firmware': <'efi'>, 'secure-boot': <true>}>}",
        "{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'bus': <'scsi'>, 'read-only': <true>}]>}",
        "{'networks': <[{'type': <'user'>}, {'type': <'bridge'>, 'source': <'br0'>}]>}",
        "{'guest': <{'os': <'debian12'>, 'kernel': <'6.1'>, 'drivers': <['intel', 'virtio-iommu']>}>}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuRequest) request = parse(cases[i], &error);

        ck_assert_msg(request != NULL, "%s: %s", cases[i], error ? error->message : "");
    }
}
END_TEST

START_TEST(inconsistent_requests)
{
    static const struct {
        const char *request;
        ViommuError code;
        const char *words; /* all of these, separated by | */
    } cases[] = {
        {"{'name': <'Upper'>}", VIOMMU_ERROR_INVALID_REQUEST, "name 'Upper'|lower-case"},
        {"{'name': <'-a'>}", VIOMMU_ERROR_INVALID_REQUEST, "name '-a'"},
        {"{'arch': <'riscv64'>}", VIOMMU_ERROR_NOT_SUPPORTED, "arch 'riscv64'|x86_64 and aarch64"},
        {"{'arch': <'s390x'>}", VIOMMU_ERROR_NOT_SUPPORTED, "arch 's390x'"},
        {"{'arch': <'x86-64'>}", VIOMMU_ERROR_INVALID_REQUEST, "arch 'x86-64'|did you mean 'x86_64'?"},
        {"{'arch': <'pdp11'>}", VIOMMU_ERROR_INVALID_REQUEST, "arch 'pdp11'|use x86_64"},
        {"{'disks': <[{'path': <'/a'>, 'format': <'raw'>, 'boot-order': <2>}]>, 'hostdevs': <[{'address': "
         "<'0000:01:00.0'>, 'boot-order': <2>}]>}",
         VIOMMU_ERROR_INVALID_REQUEST, "disks[0].boot-order|hostdevs[0].boot-order|both 2"},
        {"{'boot': <{'kernel': <'/v'>}>, 'networks': <[{'type': <'user'>, 'boot-order': <1>}]>}",
         VIOMMU_ERROR_INVALID_REQUEST, "networks[0].boot-order|boot.kernel"},
        {"{'hostdevs': <[{'vendor': <'8086'>, 'device': <'1572'>, 'count': <2>, 'boot-order': <1>}]>}",
         VIOMMU_ERROR_INVALID_REQUEST, "hostdevs[0].boot-order|count is 2"},
        {"{'memory': <'1 GiB'>, 'memory-hotplug': <'dimm'>}", VIOMMU_ERROR_INVALID_REQUEST,
         "memory-hotplug|memory-max"},
        {"{'hostdevs': <[{'address': <'0000:01:00.1'>, 'mac': <'01:00:5e:00:00:01'>}]>}",
         VIOMMU_ERROR_INVALID_REQUEST, "hostdevs[0].mac '01:00:5e:00:00:01'"},
        {"{'hostdevs': <[{'address': <'0000:01:00.1'>, 'vlan': <4095>}]>}", VIOMMU_ERROR_INVALID_REQUEST,
         "hostdevs[0].vlan 4095"},
        {"{'networks': <[{'type': <'user'>, 'boot-order': <65>}]>}", VIOMMU_ERROR_INVALID_REQUEST,
         "networks[0].boot-order 65"},
        {"{'vcpus': <0>}", VIOMMU_ERROR_INVALID_REQUEST, "vcpus 0 is too small"},
        {"{'memory': <'18446744073709551616'>}", VIOMMU_ERROR_INVALID_REQUEST, "memory|does not fit"},
        {"{'iommu': <@a{sv} {}>}", VIOMMU_ERROR_INVALID_REQUEST, "iommu|iommu.is-supported|iommu.model"},
        {"{'iommu': <{'required': <true>}>}", VIOMMU_ERROR_INVALID_REQUEST, "iommu.is-supported|iommu.model"},
        {"{'iommu': <[{'model': <'intel'>}]>}", VIOMMU_ERROR_INVALID_REQUEST, "iommu must be one dictionary"},
        {"{'iommu': <{'model': <'Intel'>}>}", VIOMMU_ERROR_INVALID_REQUEST, "iommu.model 'Intel'|'intel'"},
        {"{'iommu': <{'model': <'nested'>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "iommu.model 'nested'|use intel"},
        {"{'iommu': <{'model': <'('>}>}", VIOMMU_ERROR_INVALID_REQUEST, "iommu.model '('|regular expression"},
        {"{'iommu': <{'model': <'x.*'>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "iommu.model 'x.*'|matches no model"},
        {"{'iommu': <{'model': <['intel', 'intel']>}>}", VIOMMU_ERROR_INVALID_REQUEST, "iommu.model|twice"},
        {"{'iommu': <{'model': <['intel', 'none']>}>}", VIOMMU_ERROR_INVALID_REQUEST, "'none'|list"},
        {"{'iommu': <{'model': <['intel', 'virtoi']>}>}", VIOMMU_ERROR_INVALID_REQUEST, "'virtoi'|'virtio'"},
        {"{'iommu': <{'model': <'intel'>, 'model-name': <'intel'>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "iommu.model|iommu.model-name"},
        {"{'iommu': <{'is-supported': <false>, 'model': <'intel'>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "iommu.is-supported|iommu.model 'intel'"},
        {"{'iommu': <{'is-supported': <true>, 'model-name': <'none'>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "iommu.is-supported|iommu.model-name"},
        {"{'iommu': <{'aw-bits': <48>}>}", VIOMMU_ERROR_INVALID_REQUEST, "iommu.aw-bits"},
        {"{'iommu': <{'is-supported': <false>, 'aw-bits': <48>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "iommu.aw-bits|iommu.is-supported is false"},
        {"{'iommu': <{'model': <'intel'>, 'intremap': <false>, 'eim': <true>}>}",
         VIOMMU_ERROR_INVALID_REQUEST, "iommu.eim|iommu.intremap"},
        {"{'iommu': <{'model': <'intel'>, 'translate': <true>, 'dma-translation': <false>}>}",
         VIOMMU_ERROR_INVALID_REQUEST, "iommu.translate|iommu.dma-translation"},
        {"{'iommu': <{'model': <'virtio'>, 'granule': <'5 KiB'>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "iommu.granule '5 KiB'"},
        {"{'boot': <{'kernel': <'vmlinuz'>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "boot.kernel 'vmlinuz'|absolute"},
        {"{'boot': <{'initrd': <'/i'>}>}", VIOMMU_ERROR_INVALID_REQUEST, "boot.initrd|boot.kernel"},
        {"{'boot': <{'cmdline': <'quiet'>}>}", VIOMMU_ERROR_INVALID_REQUEST, "boot.cmdline|boot.kernel"},
        {"{'boot': <{'firmware': <'bios'>, 'secure-boot': <true>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "boot.secure-boot|boot.firmware"},
        {"{'memory-backing': <{'locked': <true>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "memory-backing.locked|memory-backing.page-size"},
        {"{'memory-backing': <{'page-size': <5000>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "memory-backing.page-size|power of two"},
        {"{'disks': <[{'path': <'/a'>, 'format': <'raw'>}, {'path': <'b'>, 'format': <'raw'>}]>}",
         VIOMMU_ERROR_INVALID_REQUEST, "disks[1].path 'b'|absolute"},
        {"{'disks': <[{'path': <'/a'>}]>}", VIOMMU_ERROR_INVALID_REQUEST, "disks[0].format is missing"},
        {"{'disks': <[{'path': <'/a'>, 'format': <'vmdk'>}]>}", VIOMMU_ERROR_INVALID_REQUEST,
         "disks[0].format 'vmdk'|raw, qcow2"},
        {"{'networks': <[{'type': <'bridge'>}]>}", VIOMMU_ERROR_INVALID_REQUEST, "networks[0]|source"},
        {"{'networks': <[{'type': <'user'>, 'source': <'x'>}]>}", VIOMMU_ERROR_INVALID_REQUEST,
         "networks[0]|source"},
        {"{'guest': <{'drivers': <['virtoi']>}>}", VIOMMU_ERROR_INVALID_REQUEST,
         "guest.drivers|'virtoi'|'virtio'"},
        {"{'guest': <{'kernel': <'new'>}>}", VIOMMU_ERROR_INVALID_REQUEST, "guest.kernel 'new'"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuRequest) request = parse(cases[i].request, &error);
        g_auto(GStrv) words = g_strsplit(cases[i].words, "|", -1);

        ck_assert_msg(request == NULL, "%s was taken", cases[i].request);
        ck_assert_msg(g_error_matches(error, VIOMMU_ERROR, (int)cases[i].code), "%s: %s", cases[i].request,
                      error->message);
        for (char **word = words; *word; word++)
            ck_assert_msg(strstr(error->message, *word), "%s: '%s' is not in: %s", cases[i].request, *word,
                          error->message);
    }
}
END_TEST

#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPPwIjxPguknB6ZNHw1vPInUHWkUOZV3BT5Vx48w5KWA"
#define DIGEST  "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Whether each is taken (NULL), or what the refusal says. */
static void check_each(const char *const (*cases)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuRequest) request = parse(cases[i][0], &error);

        if (!cases[i][1]) {
            ck_assert_msg(request != NULL, "%s: %s", cases[i][0], error ? error->message : "");
            continue;
        }
        ck_assert_msg(request == NULL, "%s was taken", cases[i][0]);
        ck_assert_msg(strstr(error->message, cases[i][1]), "%s: '%s' is not in: %s", cases[i][0], cases[i][1],
                      error->message);
        ck_assert_msg(!strstr(error->message, "AAAA"), "a key is quoted: %s", error->message);
    }
}

START_TEST(overlays_and_images)
{
    static const char *const cases[][2] = {
        {"{'disks': <[{'path': <'/d'>, 'format': <'qcow2'>, 'overlay': <true>, 'size': <'20 GiB'>}]>}", NULL},
        {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'read-only': <true>, 'digest': <'" DIGEST "'>}]>}",
         NULL},
        {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'overlay': <true>, 'read-only': <true>}]>}",
         "disks[0].overlay is for what the guest writes, but disks[0].read-only is true"},
        {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'size': <'2 GiB'>}]>}",
         "disks[0].size is the size of an overlay, but disks[0].overlay is not true"},
        {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'size-min': <'2 GiB'>}]>}",
         "disks[0].size-min is the size of an overlay, but disks[0].overlay is not true"},
        {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'overlay': <true>, 'size': <'2 GiB'>, 'size-max': <'2 GiB'>}]>}",
         "disks[0].size is exact, so disks[0].size-max means nothing"},
        {"{'image': <'i'>, 'disks': <[{'size-min': <'2 GiB'>, 'size-max': <'1 GiB'>}]>}",
         "disks[0].size-min is larger than disks[0].size-max"},
        {"{'image': <'i'>, 'disks': <[{'size-min': <'1 GiB'>, 'size-max': <'1 GiB'>}]>}", NULL},
        {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'overlay': <true>, 'size': <'1 KiB'>}]>}",
         "disks[0].size 1 KiB is too small; the minimum is 1 MiB"},
        {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'digest': <'sha256:0'>}]>}",
         "disks[0].digest 'sha256:0' is not valid"},
        {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>, 'digest': <'md5:" DIGEST "'>}]>}",
         "disks[0].digest 'md5:sha256:"},
        {"{'disks': <[{'overlay': <true>}]>}",
         "disks[0].path is missing; it must be a string, unless 'image' names the image whose disk this is"},
        {"{'image': <'i'>, 'disks': <[{'bus': <'scsi'>}, {'bus': <'scsi'>}]>}",
         "disks[1].path is missing; it must be a string"},
        {"{'image': <'debian13'>}", NULL},
        {"{'image': <'debian13'>, 'disks': <[{'size': <'20G'>, 'bus': <'scsi'>, 'digest': <'" DIGEST
         "'>}, {'path': <'/d'>, 'format': <'raw'>}]>}",
         NULL},
        {"{'image': <'debian13'>, 'disks': <[{'path': <'/d'>}]>}",
         "disks[0].path contradicts image 'debian13'"},
        {"{'image': <'debian13'>, 'disks': <[{'format': <'raw'>}]>}",
         "disks[0].format contradicts image 'debian13'"},
        {"{'image': <'debian13'>, 'disks': <[{'overlay': <false>}]>}",
         "disks[0].overlay contradicts image 'debian13'"},
        {"{'image': <'debian13'>, 'disks': <[{'read-only': <true>}]>}",
         "disks[0].read-only contradicts image 'debian13'"},
        {"{'image': <'debian13'>, 'disks': <[@a{sv} {}, {'size': <'2G'>}]>}", "disks[1].path is missing"},
        {"{'image': <'../x'>}", "image '../x' is not valid"},
        {"{'image': <'.x'>}", "image '.x' is not valid"},
        {"{'image': <'a/b'>}", "image 'a/b' is not valid"},
    };

    check_each(cases, G_N_ELEMENTS(cases));
}
END_TEST

START_TEST(seeds)
{
    static const char *const cases[][2] = {
        {"{'seed': <{'ssh-keys': <'" ED25519 " ci@example.org'>}>}", NULL},
        {"{'seed': <{'ssh-keys': <['" ED25519 "', '" ED25519 "']>, 'user': <'debian'>, 'hostname': "
         "<'a.b'>}>}",
         NULL},
        {"{'seed': <{'by': <'ignition'>, 'user-data': <'/u'>}>}", NULL},
        {"{'seed': <{'user-data': <'/u'>, 'hostname': <'a'>}>}", NULL},
        {"{'seed': <{'by': <'credentials'>, 'ssh-keys': <'" ED25519 "'>, 'user': <'root'>}>}", NULL},
        {"{'seed': <@a{sv} {}>}", "seed has nothing to tell the guest"},
        {"{'seed': <{'by': <'cloud-init'>}>}", "seed has nothing to tell the guest"},
        {"{'seed': <{'ssh-keys': <'-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEAAAAA\\n'>}>}",
         "seed.ssh-keys is a private key, which must not leave its owner"},
        {"{'seed': <{'ssh-keys': <['" ED25519 "', 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmU']>}>}",
         "seed.ssh-keys[1] is a private key"},
        {"{'seed': <{'ssh-keys': <'" ED25519 "\\n'>}>}",
         "seed.ssh-keys must not contain control characters, but has 0x0a"},
        {"{'seed': <{'ssh-keys': <'command=\"x\" " ED25519 "'>}>}",
         "seed.ssh-keys[0] is not a public key of SSH"},
        {"{'seed': <{'ssh-keys': <'ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIPPwIjxPguknB6ZNHw1vPInUHWkUOZV3BT5Vx48w5KWA'>}>}",
         "seed.ssh-keys[0] is not a public key of SSH"},
        {"{'seed': <{'ssh-keys': <'ssh-dss AAAA'>}>}", "seed.ssh-keys[0] is not a public key of SSH"},
        {"{'seed': <{'ssh-keys': <'ssh-ed25519'>}>}", "seed.ssh-keys[0] is not a public key of SSH"},
        {"{'seed': <{'ssh-keys': <'" ED25519 "'>, 'user-data': <'/u'>}>}",
         "seed.ssh-keys contradicts seed.user-data"},
        {"{'seed': <{'user': <'a'>, 'user-data': <'/u'>}>}", "seed.user contradicts seed.user-data"},
        {"{'seed': <{'by': <'ignition'>, 'hostname': <'a'>, 'user-data': <'/u'>}>}",
         "seed.hostname contradicts seed.user-data"},
        {"{'seed': <{'by': <'credentials'>, 'user-data': <'/u'>}>}",
         "seed.user-data is not possible with seed.by 'credentials'"},
        {"{'seed': <{'user-data': <'u'>}>}", "seed.user-data 'u' is not an absolute path"},
        {"{'seed': <{'user': <'a'>}>}", "seed.user is the user of seed.ssh-keys, but there are no keys"},
        {"{'seed': <{'ssh-keys': <'" ED25519 "'>, 'user': <'Root'>}>}", "seed.user 'Root' is not valid"},
        {"{'seed': <{'ssh-keys': <'" ED25519 "'>, 'user': <'a:b'>}>}", "seed.user 'a:b' is not valid"},
        {"{'seed': <{'by': <'credentials'>, 'ssh-keys': <'" ED25519 "'>, 'user': <'ci'>}>}",
         "seed.user 'ci' is not possible with seed.by 'credentials'"},
        {"{'seed': <{'hostname': <'-a'>}>}", "seed.hostname '-a' is not valid"},
        {"{'seed': <{'hostname': <'a..b'>}>}", "seed.hostname 'a..b' is not valid"},
    };

    check_each(cases, G_N_ELEMENTS(cases));
}
END_TEST

#define BYTES_10  "0123456789"
#define BYTES_50  BYTES_10 BYTES_10 BYTES_10 BYTES_10 BYTES_10
#define BYTES_107 BYTES_50 BYTES_50 "0123456"

START_TEST(forwards_and_shares)
{
    static const char *const cases[][2] = {
        {"{'networks': <[{'type': <'user'>, 'forward': <22>}]>}", NULL},
        {"{'networks': <[{'type': <'user'>, 'forward': <[uint16 22, 65535]>}, {'type': <'user'>, 'forward': "
         "<[<80>]>}]>}",
         NULL},
        {"{'networks': <[{'type': <'user'>, 'forward': <0>}]>}",
         "networks[0].forward 0 is too small; the minimum is 1"},
        {"{'networks': <[{'type': <'user'>, 'forward': <[22, 65536]>}]>}",
         "networks[0].forward[1] 65536 is too large; the maximum is 65535"},
        {"{'networks': <[{'type': <'user'>, 'forward': <'22'>}]>}",
         "networks[0].forward must be a whole number or a list of whole numbers, but is a string"},
        {"{'networks': <[{'type': <'user'>, 'forward': <@ai []>}]>}",
         "networks[0].forward must not be an empty list"},
        {"{'networks': <[{'type': <'user'>, 'forward': <[22, 22]>}]>}",
         "networks[0].forward has port 22, which is given twice"},
        {"{'networks': <[{'type': <'user'>, 'forward': <22>}, {'type': <'user'>, 'forward': <22>}]>}",
         "networks[1].forward has port 22, which is given twice"},
        {"{'networks': <[{'type': <'bridge'>, 'source': <'b'>, 'forward': <22>}]>}",
         "networks[0].forward is possible with type 'user' only, but the type is 'bridge'"},
        {"{'networks': <[{'type': <'vhostuser'>, 'source': <'/run/s'>}]>}", NULL},
        {"{'networks': <[{'type': <'vhostuser'>}]>}",
         "networks[0] of type 'vhostuser' needs a source: the absolute path of a socket"},
        {"{'networks': <[{'type': <'vhostuser'>, 'source': <'s'>}]>}", "networks[0].source 's' is not valid"},
        {"{'networks': <[{'type': <'vhostuser'>, 'source': <'/" BYTES_107 "'>}]>}",
         "networks[0].source has 108 bytes, but the path of a socket has at most 107"},
        {"{'networks': <[{'type': <'vhostuser'>, 'source': <'/s'>, 'model': <'e1000e'>}]>}",
         "networks[0].model is 'e1000e', but networks of type 'vhostuser' serve virtio devices only"},
        {"{'networks': <[{'type': <'vhostuser'>, 'source': <'/s'>, 'forward': <22>}]>}",
         "networks[0].forward is possible with type 'user' only"},
        {"{'iommu': <{'model': <'intel'>}>, 'verify': <{'level': <'translating'>}>, 'networks': <[{'type': "
         "<'vhostuser'>, 'source': <'/s'>}]>}",
         "networks[0] of type 'vhostuser' is outside it unless networks[0].translate is true"},
        {"{'iommu': <{'model': <'intel'>}>, 'verify': <{'level': <'translating'>}>, 'networks': <[{'type': "
         "<'vhostuser'>, 'source': <'/s'>, 'translate': <true>}]>}",
         NULL},
        {"{'iommu': <{'model': <'intel'>, 'iotlb': <true>}>, 'networks': <[{'type': <'vhostuser'>, 'source': "
         "<'/s'>, 'ats': <true>}]>}",
         "networks[0].ats needs the device behind the IOMMU, where a network of this type is only with "
         "networks[0].translate"},
        {"{'networks': <[{'type': <'vdpa'>, 'source': <'/dev/vhost-vdpa-12'>}]>}", NULL},
        {"{'networks': <[{'type': <'vdpa'>, 'source': <'/dev/vhost-vdpa-'>}]>}",
         "networks[0].source '/dev/vhost-vdpa-' is not valid; type 'vdpa' needs a device such as"},
        {"{'networks': <[{'type': <'vdpa'>, 'source': <'/dev/vhost-vdpa-0/../sda'>}]>}", "is not valid"},
        {"{'networks': <[{'type': <'vdpa'>, 'source': <'/dev/sda'>}]>}", "is not valid"},
        {"{'shares': <[{'path': <'/s'>, 'tag': <'src'>, 'read-only': <true>, 'type': <'9p'>}]>}", NULL},
        {"{'shares': <[{'path': <'s'>, 'tag': <'src'>}]>}", "shares[0].path 's' is not an absolute path"},
        {"{'shares': <[{'path': <'/s'>, 'tag': <'a b'>}]>}", "shares[0].tag 'a b' is not valid"},
        {"{'shares': <[{'path': <'/s'>, 'tag': <'a'>}, {'path': <'/t'>, 'tag': <'a'>}]>}",
         "shares[0] and shares[1] have the same tag 'a'"},
        {"{'shares': <[{'path': <'/s'>}]>}", "shares[0].tag is missing; it must be a string"},
        {"{'guest': <{'vsock': <true>}>}", NULL},
        {"{'wait': <'ready'>}", NULL},
        {"{'wait': <'ready'>, 'guest': <{'agent': <false>}>}", "wait 'ready' needs the guest's agent"},
    };

    check_each(cases, G_N_ELEMENTS(cases));
}
END_TEST

START_TEST(many_forwards_and_keys)
{
    g_autoptr(GString) ports = g_string_new("{'networks': <[");
    g_autoptr(GString) keys = g_string_new("{'seed': <{'ssh-keys': <[");
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < 33; i++) {
        g_string_append_printf(ports, "%s%u",
                               i == 0    ? "{'type': <'user'>, 'forward': <["
                               : i == 20 ? "]>}, {'type': <'user'>, 'forward': <["
                                         : ", ",
                               1000 + i);
        g_string_append_printf(keys, "%s'" ED25519 "'", i ? ", " : "");
    }
    g_string_append(ports, "]>}]>}");
    g_string_append(keys, "]>}>}");
    ck_assert_ptr_null(parse(ports->str, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST,
                      "the networks forward 33 ports; at most 32 are allowed");
    ck_assert_ptr_null(parse(keys->str, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST,
                      "seed.ssh-keys has 33 entries; at most 32 are allowed");
}
END_TEST

START_TEST(names)
{
    static const char *const good[] = {"a", "0", "vm-1", "a--b",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    static const char *const bad[] = {
        "",    "-",        "a-",  "-a",
        "A",   "a_b",      "a.b", "a b",
        "a/b", "\xc3\xa4", "a\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
        ck_assert_msg(viommu_request_name_is_valid(good[i]), "'%s'", good[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        ck_assert_msg(!viommu_request_name_is_valid(bad[i]), "'%s'", bad[i]);
}
END_TEST

static void compare(const char *first, const char *second, bool same_text, bool same_fingerprint)
{
    g_autoptr(ViommuRequest) a = parse(first, NULL), b = parse(second, NULL);
    g_autofree char *a_text = viommu_request_text(a), *b_text = viommu_request_text(b);
    g_autofree char *a_print = viommu_request_fingerprint(a), *b_print = viommu_request_fingerprint(b);

    ck_assert_int_eq(g_str_equal(a_text, b_text), same_text);
    ck_assert_int_eq(g_str_equal(a_print, b_print), same_fingerprint);
    ck_assert_uint_eq(strlen(a_print), 64);
    ck_assert_uint_eq(strspn(a_print, "0123456789abcdef"), 64);
}

START_TEST(canonical_text)
{
    /* other order, other types, another unit, a list of one entry */
    compare("{'memory': <'1 GiB'>, 'vcpus': <2>, 'iommu': <{'model': <'intel'>}>}",
            "{'iommu': <{'model': <['intel']>}>, 'vcpus': <uint64 2>, 'memory': <int64 1073741824>}", true,
            true);
    compare("{'vcpus': <1>, 'disks': <@aa{sv} []>, 'boot': <@a{sv} {}>}", "{'vcpus': <1>}", true, true);
    compare("{'request-id': <'a'>}", "{'request-id': <'b'>}", false, true);
    compare("{'name': <'a'>}", "{'name': <'b'>}", false, false);
    compare("{'vcpus': <1>}", "@a{sv} {}", false, false);
    compare("{'iommu': <{'model': <['intel', 'virtio']>}>}", "{'iommu': <{'model': <['virtio', 'intel']>}>}",
            false, false);
}
END_TEST

START_TEST(recorded_hosts)
{
    static const char *const text =
        "{'libvirt': <'9.0.0'>, 'arch': <'x86_64'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, "
        "'accelerators': <['kvm', 'tcg']>, 'path': <'/q'>, 'machines': <['pc', 'q35']>, 'firmware': "
        "<['efi']>, "
        "'max-vcpus': <uint64 288>}, {'arch': <'riscv64'>, 'qemu': <'7.2.22'>, 'accelerators': <['tcg']>}]>, "
        "'memory': <uint64 1073741824>, 'locked-memory-limit': <uint64 67108864>, "
        "'topology': <{'acpi': <true>, 'tables': <[{'name': <'DMAR'>, 'state': <'good'>, 'units': <uint64 "
        "1>}]>, "
        "'kernel-options': <['intel_iommu=on']>, 'iommus': <[{'name': <'dmar0'>, 'kind': <'intel'>, 'width': "
        "<uint64 39>}]>, 'devices': <[{'address': <'0000:01:00.0'>, 'vendor': <uint64 32902>, 'device': "
        "<uint64 "
        "5490>, 'class': <uint64 131072>, 'driver': <'vfio-pci'>, 'node': <uint64 0>, 'group': <uint64 1>, "
        "'iommu': <'dmar0'>, 'cdev': <'vfio0'>}]>, 'nodes': <[{'node': <uint64 0>, 'memory': <uint64 "
        "1073741824>, 'huge-pages': <[{'size': <uint64 2097152>, 'total': <uint64 8>, 'free': <uint64 "
        "3>}]>}]>, "
        "'vfio': <true>, 'iommufd': <false>}>, "
        "'site': <{'devices': <{'allow': <['8086:1572', 'gpus']>, 'take-from-driver': <false>, 'drivers': "
        "<['auto']>, 'in-use': <'refuse'>, 'listed': <['0000:01:00.0']>, 'named': <[{'name': <'gpus'>, "
        "'match': "
        "<['10de:*']>, 'group': <'ml'>, 'per-user': <uint64 2>}]>}>, 'networks': <{'user': <true>, "
        "'networks': "
        "<['lab!']>, 'bridges': <['br0']>}>}>}";
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuHost) host = viommu_host_from_variant(tree, &error);
    g_autoptr(GVariant) back = NULL;
    g_autofree char *back_text = NULL;

    unit_assert_ok(host != NULL, error);
    ck_assert_int_eq(viommu_host_arch(host), VIOMMU_ARCH_X86_64);
    ck_assert_str_eq(viommu_host_emulator(host, VIOMMU_ARCH_X86_64)->path, "/q");
    ck_assert_ptr_null(viommu_host_emulator(host, VIOMMU_ARCH_AARCH64));
    ck_assert(
        viommu_emulator_has_firmware(viommu_host_emulator(host, VIOMMU_ARCH_X86_64), VIOMMU_FIRMWARE_EFI));
    ck_assert(
        !viommu_emulator_has_firmware(viommu_host_emulator(host, VIOMMU_ARCH_X86_64), VIOMMU_FIRMWARE_BIOS));
    back = g_variant_ref_sink(viommu_host_to_variant(host));
    back_text = g_variant_print(back, FALSE);
    ck_assert_str_eq(back_text, text);
}
END_TEST

START_TEST(refused_hosts)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"@a{sv} {}", "recorded host: libvirt is missing; it must be a string such as '7.2.0'"},
        {"{'libvirt': <'9.0.0'>}", "recorded host: emulators is missing; it must be a list of dictionaries"},
        {"{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2'>}]>}",
         "recorded host: emulators[0].accelerators is missing; it must be a list of auto, kvm, tcg"},
        {"{'site': <{'devices': <{'in-use': <'all'>}>}>}",
         "recorded host: site.devices.in-use 'all' is not known; use one of refuse, root"},
        {"{'site': <{'device': <'gpus'>}>}",
         "recorded host: unknown key 'site.device'; did you mean 'site.devices'?"},
        {"{'libvirt': <'new'>}", "recorded host: libvirt 'new' is not a version such as '9.0.0' or '6.12'"},
        {"{'libvirt': <'9.0.0'>, 'emulators': <@aa{sv} []>, 'topology': <{'devices': <[{'address': "
         "<'0000:1:0.0'>, 'vendor': <1>, 'device': <1>, 'class': <1>}]>}>}",
         "recorded host: '0000:1:0.0' is not a PCI address; write it as lspci -D shows it: 0000:65:00.0"},
        {"{'libvirts': <'9.0.0'>}", "recorded host: unknown key 'libvirts'; did you mean 'libvirt'?"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, cases[i].text, NULL, NULL, NULL);
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(viommu_host_from_variant(tree, &error));
        unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, cases[i].message);
    }
}
END_TEST

UNIT_MAIN("request", table_and_schema_agree, every_misspelt_key_is_recognised, consistent_requests,
          inconsistent_requests, overlays_and_images, seeds, forwards_and_shares, many_forwards_and_keys,
          names, canonical_text, recorded_hosts, refused_hosts)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fields-read: the strict half of fields: reads a{sv} into a struct, or names the place of the
 * fault. Knows kinds of values, not keys. */
#include "lib/base/fields.h"

#include <stdarg.h>
#include <string.h>

#include "lib/base/condition.h"
#include "lib/base/error.h"
#include "lib/base/did-you-mean.h"
#include "lib/base/quantity.h"
#include "lib/base/version.h"
#include "lib/base/printable.h"

/* The place of a value, as a chain on the stack: its text is built only for an error message. */
typedef struct Place {
    const struct Place *above;
    const char *key;
    gssize index; /* index in a list; -1: the list itself, or not in a list */
} Place;

/* The text for "... must be %s, but is ..."; the words of the field follow. */
static const char *const expectations[] = {
    [VIOMMU_FIELD_STRING] = "a string",
    [VIOMMU_FIELD_FILE] = "a string",
    [VIOMMU_FIELD_FLAG] = "true or false",
    [VIOMMU_FIELD_NUMBER] = "a whole number",
    [VIOMMU_FIELD_SIZE] = "a whole number of bytes or a string such as '512 MiB'",
    [VIOMMU_FIELD_VERSION] = "a string such as '7.2.0'",
    [VIOMMU_FIELD_WORDS] = "a string or a list of strings",
    [VIOMMU_FIELD_NUMBERS] = "a whole number or a list of whole numbers",
    [VIOMMU_FIELD_ENUM] = "one of",
    [VIOMMU_FIELD_SET] = "a list of",
    [VIOMMU_FIELD_DICT] = "one dictionary",
    [VIOMMU_FIELD_LIST] = "a list of dictionaries",
};
G_STATIC_ASSERT(G_N_ELEMENTS(expectations) == VIOMMU_FIELD_LAST);

static bool read_fields(const ViommuFields *table, GVariant *dict, const Place *place, void *target,
                        GError **error);

/* Keys come from outside: unprintable characters are replaced, and a long key is cut. */
static void append_shown(GString *string, const char *key)
{
    for (glong n = 0; *key; key = g_utf8_next_char(key), n++) {
        if (n == 64) {
            g_string_append(string, "...");
            return;
        }
        if (viommu_printable_is_control(key))
            g_string_append_c(string, '?');
        else
            g_string_append_len(string, key, g_utf8_next_char(key) - key);
    }
}

static void append_place(GString *string, const Place *place)
{
    if (place->above)
        append_place(string, place->above);
    if (*place->key && string->len > 0)
        g_string_append_c(string, '.');
    append_shown(string, place->key);
    if (place->index >= 0)
        g_string_append_printf(string, "[%" G_GSSIZE_FORMAT "]", place->index);
}

static char *place_name(const Place *place)
{
    GString *string = g_string_new(NULL);

    append_place(string, place);
    return g_string_free(string, FALSE);
}

static bool fail(const Place *place, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Sets "<place> <message>" and returns false. */
static bool fail(const Place *place, GError **error, const char *format, ...)
{
    g_autofree char *name = place_name(place), *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s%s%s", *name ? name : "the top level", " ",
                       message);
}

static bool is_dict(GVariant *value)
{
    return g_variant_is_of_type(value, G_VARIANT_TYPE("a{s*}"));
}

static bool is_list(GVariant *value)
{
    return g_variant_is_of_type(value, G_VARIANT_TYPE_ARRAY) &&
           !g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY);
}

static bool is_open_file(GVariant *value)
{
    return g_variant_is_of_type(value, G_VARIANT_TYPE("(sh)"));
}

static const char *type_shown(GVariant *value)
{
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_BOOLEAN:
        return "true or false";
    case G_VARIANT_CLASS_BYTE:
    case G_VARIANT_CLASS_INT16:
    case G_VARIANT_CLASS_UINT16:
    case G_VARIANT_CLASS_INT32:
    case G_VARIANT_CLASS_UINT32:
    case G_VARIANT_CLASS_INT64:
    case G_VARIANT_CLASS_UINT64:
        return "a whole number";
    case G_VARIANT_CLASS_DOUBLE:
        return "a number with a fraction";
    case G_VARIANT_CLASS_STRING:
        return "a string";
    case G_VARIANT_CLASS_OBJECT_PATH:
        return "an object path";
    case G_VARIANT_CLASS_SIGNATURE:
        return "a signature";
    case G_VARIANT_CLASS_HANDLE:
        return "a file descriptor";
    case G_VARIANT_CLASS_MAYBE:
        return "null (omit the key instead)";
    case G_VARIANT_CLASS_ARRAY:
        if (is_list(value))
            return "a list";
        return is_dict(value) ? "a dictionary" : "a dictionary whose keys are not strings";
    default:
        return is_open_file(value) ? "a file descriptor" : "a structure";
    }
}

/* Owned. */
static char *expectation(const ViommuField *field)
{
    g_autofree char *list = field->words ? viommu_enum_list(field->words) : NULL;

    return g_strconcat(expectations[field->kind], list ? " " : "", list, NULL);
}

static bool fail_type(const ViommuField *field, GVariant *value, const Place *place, GError **error)
{
    const char *hint = field->hint;
    g_autofree char *expected = expectation(field);

    return fail(place, error, "must be %s, but is %s%s%s", expected, type_shown(value), hint ? ": " : "",
                hint ? hint : "");
}

/* Unwraps variants, and maybes that hold a value. */
static GVariant *unwrap(GVariant *value)
{
    GVariant *inner = g_variant_ref(value);

    for (;;) {
        GVariant *next = NULL;

        if (g_variant_is_of_type(inner, G_VARIANT_TYPE_VARIANT))
            next = g_variant_get_variant(inner);
        else if (g_variant_is_of_type(inner, G_VARIANT_TYPE_MAYBE))
            next = g_variant_get_maybe(inner);
        if (!next)
            return inner;
        g_variant_unref(inner);
        inner = next;
    }
}

bool viommu_fields_is_text(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= VIOMMU_FIELDS_TEXT_MAX && g_utf8_validate(text, (gssize)length, NULL) &&
           viommu_printable_control_at(text) == length && !viommu_printable_has_noncharacters(text);
}

/* A string that may stand in XML, in a log and in a message; NULL and an error otherwise. */
static const char *read_text(const ViommuField *field, GVariant *value, const Place *place, GError **error)
{
    const char *text;
    size_t length;

    if (!g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        fail_type(field, value, place, error);
        return NULL;
    }
    text = g_variant_get_string(value, &length);
    if (field->refuse && field->refuse(text)) {
        fail(place, error, "%s", field->refuse(text));
        return NULL;
    }
    if (length == 0) {
        fail(place, error, "must not be empty; omit the key instead");
        return NULL;
    }
    if (length > VIOMMU_FIELDS_TEXT_MAX) {
        fail(place, error, "is %zu bytes long; at most %d are allowed", length, VIOMMU_FIELDS_TEXT_MAX);
        return NULL;
    }
    if (viommu_printable_control_at(text) < length) {
        fail(place, error, "must not contain control characters, but has 0x%02x at byte %zu",
             g_utf8_get_char(text + viommu_printable_control_at(text)), viommu_printable_control_at(text));
        return NULL;
    }
    if (viommu_printable_has_noncharacters(text)) {
        fail(place, error, "must not contain U+FFFE or U+FFFF");
        return NULL;
    }
    return text;
}

/* Reads any integer type; false when @value has another type. */
static bool get_integer(GVariant *value, bool *ret_negative, uint64_t *ret_magnitude)
{
    int64_t number;

    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_BYTE:
        number = g_variant_get_byte(value);
        break;
    case G_VARIANT_CLASS_INT16:
        number = g_variant_get_int16(value);
        break;
    case G_VARIANT_CLASS_UINT16:
        number = g_variant_get_uint16(value);
        break;
    case G_VARIANT_CLASS_INT32:
        number = g_variant_get_int32(value);
        break;
    case G_VARIANT_CLASS_UINT32:
        number = g_variant_get_uint32(value);
        break;
    case G_VARIANT_CLASS_INT64:
        number = g_variant_get_int64(value);
        break;
    case G_VARIANT_CLASS_UINT64:
        *ret_negative = false;
        *ret_magnitude = g_variant_get_uint64(value);
        return true;
    default:
        return false;
    }
    *ret_negative = number < 0;
    *ret_magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;
    return true;
}

static char *number_shown(const ViommuField *field, bool negative, uint64_t magnitude)
{
    if (field->kind == VIOMMU_FIELD_SIZE && !negative)
        return viommu_quantity_format(magnitude);
    return g_strdup_printf("%s%" G_GUINT64_FORMAT, negative ? "-" : "", magnitude);
}

static bool read_number(const ViommuField *field, GVariant *value, const Place *place, uint64_t *member,
                        GError **error)
{
    /* The highest number stands for "unset", so no value may be it. */
    uint64_t max = field->max ? field->max : VIOMMU_UNSET_NUMBER - 1, number;
    bool negative = false;

    if (field->kind == VIOMMU_FIELD_SIZE && g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        const char *text = read_text(field, value, place, error);

        if (!text)
            return false;
        if (!viommu_quantity_parse(text, &number, error)) {
            g_autofree char *name = place_name(place);

            g_prefix_error(error, "%s: ", name);
            return false;
        }
    } else if (!get_integer(value, &negative, &number)) {
        return fail_type(field, value, place, error);
    }
    if (negative || number < field->min || number > max) {
        bool small = negative || number < field->min;
        g_autofree char *given = number_shown(field, negative, number);
        g_autofree char *bound = number_shown(field, false, small ? field->min : max);

        return fail(place, error, "%s is too %s; the %s is %s", given, small ? "small" : "large",
                    small ? "minimum" : "maximum", bound);
    }
    *member = number;
    return true;
}

static bool read_version(const ViommuField *field, GVariant *value, const Place *place, ViommuVersion *member,
                         GError **error)
{
    const char *text = read_text(field, value, place, error);

    if (!text)
        return false;
    if (!viommu_version_parse(text, member))
        return fail(place, error, "'%s' is not a version such as '9.0.0' or '6.12'", text);
    return true;
}

static bool read_word(const ViommuField *field, GVariant *value, const Place *place, int *ret_word,
                      GError **error)
{
    const char *text = read_text(field, value, place, error), *nearest;
    g_autofree char *list = NULL;
    int word;

    if (!text)
        return false;
    word = viommu_enum_from_string(field->words, text);
    if (word >= 0) {
        *ret_word = word;
        return true;
    }
    nearest = viommu_nearest(text, field->words->words, (size_t)field->words->last);
    if (nearest)
        return fail(place, error, "'%s' is not known; did you mean '%s'?", text, nearest);
    list = viommu_enum_list(field->words);
    return fail(place, error, "'%s' is not known; use one of %s", text, list);
}

/* Checks that there are 1 to @max entries. */
static bool check_count(size_t n, size_t max, const Place *place, GError **error)
{
    if (n == 0)
        return fail(place, error, "must not be an empty list; omit the key instead");
    if (n > max)
        return fail(place, error, "has %zu entries; at most %zu are allowed", n, max);
    return true;
}

static bool read_set(const ViommuField *field, GVariant *value, const Place *place, uint64_t *member,
                     GError **error)
{
    size_t n;
    uint64_t set = 0;

    if (!is_list(value))
        return fail_type(field, value, place, error);
    n = g_variant_n_children(value);
    if (!check_count(n, VIOMMU_FIELDS_WORDS_MAX, place, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(value, i), entry = unwrap(child);
        Place inside = {place->above, place->key, (gssize)i};
        ViommuField one = {.kind = VIOMMU_FIELD_ENUM, .words = field->words};
        int word;

        if (!read_word(&one, entry, &inside, &word, error))
            return false;
        set |= VIOMMU_BIT(word);
    }
    *member = set;
    return true;
}

static bool read_words(const ViommuField *field, GVariant *value, const Place *place, char ***member,
                       GError **error)
{
    bool alone = g_variant_is_of_type(value, G_VARIANT_TYPE_STRING);
    size_t n, max = field->max ? field->max : VIOMMU_FIELDS_WORDS_MAX;
    g_auto(GStrv) words = NULL;

    if (!alone && !is_list(value))
        return fail_type(field, value, place, error);
    n = alone ? 1 : g_variant_n_children(value);
    if (n == 0 && field->may_be_empty)
        return true;
    if (!check_count(n, max, place, error))
        return false;
    words = g_new0(char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GVariant) child = alone ? g_variant_ref(value) : g_variant_get_child_value(value, i);
        g_autoptr(GVariant) entry = unwrap(child);
        Place inside = {place->above, place->key, alone ? -1 : (gssize)i};
        ViommuField one = {.kind = VIOMMU_FIELD_STRING, .hint = field->hint, .refuse = field->refuse};
        const char *text = read_text(&one, entry, &inside, error);

        if (!text)
            return false;
        words[i] = g_strdup(text);
    }
    *member = g_steal_pointer(&words);
    return true;
}

static bool read_numbers(const ViommuField *field, GVariant *value, const Place *place, GArray **member,
                         GError **error)
{
    ViommuField one = {
        .kind = VIOMMU_FIELD_NUMBER, .min = field->min, .max = field->max, .hint = field->hint};
    bool alone = !is_list(value), negative;
    size_t n = alone ? 1 : g_variant_n_children(value);
    g_autoptr(GArray) numbers = NULL;
    uint64_t number;

    if (alone && !get_integer(value, &negative, &number))
        return fail_type(field, value, place, error);
    if (!check_count(n, field->max_entries ? field->max_entries : VIOMMU_FIELDS_WORDS_MAX, place, error))
        return false;
    numbers = g_array_sized_new(FALSE, FALSE, sizeof(uint64_t), (guint)n);
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GVariant) child = alone ? g_variant_ref(value) : g_variant_get_child_value(value, i);
        g_autoptr(GVariant) entry = unwrap(child);
        Place inside = {place->above, place->key, alone ? -1 : (gssize)i};

        if (!read_number(&one, entry, &inside, &number, error))
            return false;
        g_array_append_val(numbers, number);
    }
    *member = g_steal_pointer(&numbers);
    return true;
}

static bool read_list(const ViommuField *field, GVariant *value, const Place *place, GPtrArray **member,
                      GError **error)
{
    size_t n, max = field->max ? field->max : VIOMMU_FIELDS_WORDS_MAX;

    if (!is_list(value))
        return fail_type(field, value, place, error);
    n = g_variant_n_children(value);
    if (n > max)
        return check_count(n, max, place, error);
    /* The target owns the array from here on, so an error clears what was read so far. */
    *member = g_ptr_array_new();
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(value, i), entry = unwrap(child);
        Place inside = {place->above, place->key, (gssize)i};
        void *target = g_malloc0(field->fields->struct_size);

        viommu_fields_init(field->fields, target);
        g_ptr_array_add(*member, target);
        if (!read_fields(field->fields, entry, &inside, target, error))
            return false;
    }
    return true;
}

static bool read_file(const ViommuField *field, GVariant *value, const Place *place, ViommuFile *member,
                      GError **error)
{
    bool is_open = is_open_file(value);
    g_autoptr(GVariant) name = is_open ? g_variant_get_child_value(value, 0) : g_variant_ref(value);
    const char *text = read_text(field, name, place, error);

    if (!text)
        return false;
    member->path = g_strdup(text);
    if (is_open)
        g_variant_get_child(value, 1, "h", &member->handle);
    return true;
}

static bool read_flag(const ViommuField *field, GVariant *value, const Place *place, int *member,
                      GError **error)
{
    g_autofree char *name = NULL;
    const char *text;

    if (field->conditions && g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        text = read_text(field, value, place, error);
        name = place_name(place);
        return text && viommu_condition_read_flag(name, text, member, error);
    }
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        return fail_type(field, value, place, error);
    *member = g_variant_get_boolean(value) ? 1 : 0;
    return true;
}

static bool read_value(const ViommuField *field, GVariant *value, const Place *place, void *member,
                       GError **error)
{
    const char *text;

    switch (field->kind) {
    case VIOMMU_FIELD_STRING:
        text = read_text(field, value, place, error);
        *(char **)member = g_strdup(text);
        return text != NULL;
    case VIOMMU_FIELD_FILE:
        return read_file(field, value, place, member, error);
    case VIOMMU_FIELD_FLAG:
        return read_flag(field, value, place, member, error);
    case VIOMMU_FIELD_NUMBER:
    case VIOMMU_FIELD_SIZE:
        return read_number(field, value, place, member, error);
    case VIOMMU_FIELD_VERSION:
        return read_version(field, value, place, member, error);
    case VIOMMU_FIELD_WORDS:
        return read_words(field, value, place, member, error);
    case VIOMMU_FIELD_NUMBERS:
        return read_numbers(field, value, place, member, error);
    case VIOMMU_FIELD_ENUM:
        return read_word(field, value, place, member, error);
    case VIOMMU_FIELD_SET:
        return read_set(field, value, place, member, error);
    case VIOMMU_FIELD_DICT:
        if (!is_dict(value))
            return fail_type(field, value, place, error);
        return read_fields(field->fields, value, place, member, error);
    case VIOMMU_FIELD_LIST:
        return read_list(field, value, place, member, error);
    case VIOMMU_FIELD_LAST:
        break;
    }
    return false;
}

static bool fail_unknown(const ViommuFields *table, const Place *place, const char *key, GError **error)
{
    const char *keys[VIOMMU_FIELDS_MAX + 1] = {NULL}, *nearest;
    Place unknown = {place, key, -1};
    g_autofree char *name = place_name(&unknown), *known = NULL;

    for (size_t i = 0; i < table->n_fields; i++)
        keys[i] = table->fields[i].key;
    nearest = viommu_nearest(key, keys, table->n_fields);
    if (nearest) {
        Place meant = {place, nearest, -1};

        known = place_name(&meant);
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "unknown key '%s'; did you mean '%s'?", name, known);
    } else {
        known = g_strjoinv(", ", (char **)keys);
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "unknown key '%s'; the known keys are %s", name,
                    known);
    }
    return false;
}

static bool find_field(const ViommuFields *table, const char *key, size_t *ret_index)
{
    for (size_t i = 0; i < table->n_fields; i++) {
        if (g_str_equal(table->fields[i].key, key)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool read_fields(const ViommuFields *table, GVariant *dict, const Place *place, void *target,
                        GError **error)
{
    uint64_t seen = 0;
    size_t n, index;

    if (!is_dict(dict))
        return fail(place, error, "must be a dictionary, but is %s", type_shown(dict));
    if (table->present_offset >= 0)
        *(bool *)G_STRUCT_MEMBER_P(target, (size_t)table->present_offset) = true;
    n = g_variant_n_children(dict);
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(dict, i);
        g_autoptr(GVariant) name = g_variant_get_child_value(entry, 0), value = NULL, inner = NULL;
        const char *key = g_variant_get_string(name, NULL);
        Place inside = {place, key, -1};
        if (!find_field(table, key, &index))
            return fail_unknown(table, place, key, error);
        if (seen & (UINT64_C(1) << index))
            return fail(&inside, error, "is given twice");
        seen |= UINT64_C(1) << index;
        value = g_variant_get_child_value(entry, 1);
        inner = unwrap(value);
        if (!read_value(&table->fields[index], inner, &inside,
                        G_STRUCT_MEMBER_P(target, table->fields[index].offset), error))
            return false;
    }
    for (size_t i = 0; i < table->n_fields; i++) {
        if (table->fields[i].required && !(seen & (UINT64_C(1) << i))) {
            Place missing = {place, table->fields[i].key, -1};
            g_autofree char *expected = expectation(&table->fields[i]);

            return fail(&missing, error, "is missing; it must be %s", expected);
        }
    }
    return true;
}

bool viommu_fields_read(const ViommuFields *table, GVariant *dict, const char *path, void *target,
                        GError **error)
{
    g_autoptr(GVariant) inner = unwrap(dict);
    Place place = {NULL, path, -1};

    g_assert(table->n_fields <= VIOMMU_FIELDS_MAX);
    return read_fields(table, inner, &place, target, error);
}

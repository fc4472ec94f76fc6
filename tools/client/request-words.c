/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/request-words.h"

#include <string.h>

#include "lib/base/did-you-mean.h"
#include "lib/base/error.h"

/* What stands for the index of a list in the names of keys. */
#define INDEX "N"

typedef struct Word {
    const char *text;
    char **parts; /* the path, at least one */
    const char *value;
    bool again; /* an earlier word has the same key */
} Word;

bool viommu_request_words_is(const char *word)
{
    const char *equals = strchr(word, '=');

    return equals && !memchr(word, '/', (size_t)(equals - word));
}

static GVariant *refuse(const Word *word, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Sets "'<word>': <message>" and returns NULL. */
static GVariant *refuse(const Word *word, GError **error, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s': %s", word->text, message);
    return NULL;
}

/* --- The names of all keys --- */

typedef struct Key {
    char *path; /* "disks.N.format" */
    const ViommuField *field;
} Key;

static void key_clear(void *key)
{
    g_free(((Key *)key)->path);
}

static void collect(const ViommuFields *table, const char *prefix, GArray *keys)
{
    for (size_t i = 0; i < table->n_fields; i++) {
        const ViommuField *field = &table->fields[i];
        const Key key = {g_strconcat(prefix, field->key, NULL), field};

        if (field->fields) {
            g_autofree char *inner =
                g_strconcat(key.path, field->kind == VIOMMU_FIELD_LIST ? "." INDEX "." : ".", NULL);

            collect(field->fields, inner, keys);
            g_free(key.path);
        } else {
            g_array_append_val(keys, key);
        }
    }
}

static GArray *all_keys(const ViommuFields *table)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(Key));

    g_array_set_clear_func(keys, key_clear);
    collect(table, "", keys);
    return keys;
}

/* The words after the '=' of each kind of value; NULL: the words of its enum. */
static const char *const placeholders[] = {
    [VIOMMU_FIELD_STRING] = "TEXT",     [VIOMMU_FIELD_FILE] = "FILE",
    [VIOMMU_FIELD_FLAG] = "true|false", [VIOMMU_FIELD_NUMBER] = "NUMBER",
    [VIOMMU_FIELD_SIZE] = "SIZE",       [VIOMMU_FIELD_VERSION] = "VERSION",
    [VIOMMU_FIELD_WORDS] = "TEXT,...",  [VIOMMU_FIELD_NUMBERS] = "NUMBER,...",
    [VIOMMU_FIELD_ENUM] = NULL,         [VIOMMU_FIELD_SET] = NULL,
    [VIOMMU_FIELD_DICT] = "",           [VIOMMU_FIELD_LIST] = "",
};
G_STATIC_ASSERT(G_N_ELEMENTS(placeholders) == VIOMMU_FIELD_LAST);

char *viommu_request_words_help(const ViommuFields *table)
{
    g_autoptr(GArray) keys = all_keys(table);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < keys->len; i++) {
        const Key *key = &g_array_index(keys, Key, i);
        const char *placeholder = placeholders[key->field->kind];

        g_string_append_printf(text, "%s=%s", key->path, placeholder ? placeholder : "");
        for (int word = 0; !placeholder && word < key->field->words->last; word++)
            g_string_append_printf(text, "%s%s", word ? "|" : "", key->field->words->words[word]);
        g_string_append_c(text, '\n');
    }
    return g_string_free(text, FALSE);
}

/* The first @depth parts of the path and a dot; empty at the top. */
static char *path_above(const Word *word, guint depth)
{
    GString *path = g_string_new(NULL);

    for (guint i = 0; i < depth; i++)
        g_string_append_printf(path, "%s.", word->parts[i]);
    return g_string_free(path, FALSE);
}

/* "model" is meant to be "iommu.model", and "disks.0.path2" to be "disks.0.path".  Owned; may be
 * NULL. */
static char *meant(const ViommuFields *top, const ViommuFields *table, const Word *word, guint depth)
{
    g_autoptr(GArray) keys = all_keys(top);
    g_autofree char *above = path_above(word, depth), *ending = g_strconcat(".", word->parts[depth], NULL);
    const char *names[VIOMMU_FIELDS_MAX] = {NULL};
    const char *near;

    for (guint i = 0; depth == 0 && i < keys->len; i++) {
        const char *path = g_array_index(keys, Key, i).path;

        if (g_str_has_suffix(path, ending))
            return g_strdup(path);
    }
    for (size_t i = 0; i < table->n_fields; i++)
        names[i] = table->fields[i].key;
    near = viommu_nearest(word->parts[depth], names, table->n_fields);
    return near ? g_strconcat(above, near, NULL) : NULL;
}

/* --- Values --- */

static GVariant *number_value(const Word *word, const char *text, GError **error)
{
    gint64 number;

    if (!g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &number, NULL))
        return refuse(word, error, "'%s' is not a whole number", text);
    return g_variant_new_int64(number);
}

/* A value with a space, such as an ssh key or a condition, is one entry whatever commas it has. */
static GVariant *list_value(const ViommuField *field, GVariant *before, const Word *word, GError **error)
{
    g_auto(GStrv) entries = g_strsplit(word->value, strchr(word->value, ' ') ? "\n" : ",", -1);
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("av"));

    for (gsize i = 0; word->again && before && i < g_variant_n_children(before); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(before, i);

        g_variant_builder_add_value(&list, entry);
    }
    for (char **entry = entries; *entry; entry++) {
        GVariant *value = field->kind == VIOMMU_FIELD_NUMBERS ? number_value(word, *entry, error)
                                                              : g_variant_new_string(*entry);

        if (!value)
            return NULL;
        g_variant_builder_add(&list, "v", value);
    }
    return g_variant_builder_end(&list);
}

/* A condition of tmt, such as "!= true", stays text. */
static GVariant *flag_value(const ViommuField *field, const Word *word, GError **error)
{
    bool is_true = g_str_equal(word->value, "true");

    if (is_true || g_str_equal(word->value, "false"))
        return g_variant_new_boolean(is_true);
    return field->conditions ? g_variant_new_string(word->value)
                             : refuse(word, error, "the value must be true or false");
}

/* --- The tree --- */

/* The tables above a value, for messages. */
typedef struct Walk {
    const ViommuFields *top;
    const Word *word;
} Walk;

static GVariant *set_in(const Walk *walk, const ViommuFields *table, GVariant *dict, guint depth,
                        GError **error);

/* A table that @walk passes through must be one in the file, too. */
static bool fits(const Walk *walk, GVariant *before, const char *type, guint depth, GError **error)
{
    g_autofree char *above = NULL;

    if (!before || g_variant_is_of_type(before, G_VARIANT_TYPE(type)))
        return true;
    above = path_above(walk->word, depth);
    above[strlen(above) - 1] = 0;
    return refuse(walk->word, error, "'%s' of the file is not %s", above,
                  g_str_equal(type, "av") ? "a list" : "an object");
}

/* The value for @list[@index], whose path goes on. */
static GVariant *set_in_list(const Walk *walk, const ViommuField *field, GVariant *list, guint depth,
                             GError **error)
{
    gsize n = list ? g_variant_n_children(list) : 0;
    const char *part = walk->word->parts[depth];
    g_autoptr(GVariant) before = NULL;
    g_auto(GVariantBuilder) result = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("av"));
    GVariant *entry;
    guint64 index;

    if (!part || !g_ascii_string_to_unsigned(part, 10, 0, n, &index, NULL) || !walk->word->parts[depth + 1])
        return refuse(
            walk->word, error,
            "'%s' is a list: write %s.0.%s for its first entry; the next new one is %" G_GSIZE_FORMAT,
            field->key, field->key, field->fields->fields[0].key, n);
    if (index < n) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(list, index);

        before = g_variant_get_variant(boxed);
    }
    if (!fits(walk, before, "a{sv}", depth + 1, error))
        return NULL;
    entry = set_in(walk, field->fields, before, depth + 1, error);
    if (!entry)
        return NULL;
    for (gsize i = 0; i < MAX(n, index + 1); i++)
        if (i == index) {
            g_variant_builder_add(&result, "v", entry);
        } else {
            g_autoptr(GVariant) other = g_variant_get_child_value(list, i);

            g_variant_builder_add_value(&result, other);
        }
    return g_variant_builder_end(&result);
}

static GVariant *set_leaf(const Walk *walk, const ViommuField *field, GVariant *before, guint depth,
                          GError **error)
{
    if (walk->word->parts[depth])
        return refuse(walk->word, error, "'%s' has no keys of its own", field->key);
    switch (field->kind) {
    case VIOMMU_FIELD_WORDS:
    case VIOMMU_FIELD_NUMBERS:
    case VIOMMU_FIELD_SET:
        return list_value(field, before, walk->word, error);
    case VIOMMU_FIELD_NUMBER:
        return number_value(walk->word, walk->word->value, error);
    case VIOMMU_FIELD_FLAG:
        return flag_value(field, walk->word, error);
    case VIOMMU_FIELD_STRING:
    case VIOMMU_FIELD_FILE:
    case VIOMMU_FIELD_SIZE:
    case VIOMMU_FIELD_VERSION:
    case VIOMMU_FIELD_ENUM:
    case VIOMMU_FIELD_DICT:
    case VIOMMU_FIELD_LIST:
    case VIOMMU_FIELD_LAST:
        break;
    }
    return g_variant_new_string(walk->word->value);
}

/* The new value of @field, which was @before (may be NULL).  Floating. */
static GVariant *set_field(const Walk *walk, const ViommuField *field, GVariant *before, guint depth,
                           GError **error)
{
    if (field->kind == VIOMMU_FIELD_LIST)
        return fits(walk, before, "av", depth, error) ? set_in_list(walk, field, before, depth, error) : NULL;
    if (field->kind != VIOMMU_FIELD_DICT)
        return set_leaf(walk, field, before, depth, error);
    if (!walk->word->parts[depth])
        return refuse(walk->word, error, "'%s' has keys of its own, such as %s.%s", field->key, field->key,
                      field->fields->fields[0].key);
    return fits(walk, before, "a{sv}", depth, error) ? set_in(walk, field->fields, before, depth, error)
                                                     : NULL;
}

static const ViommuField *find(const ViommuFields *table, const char *key)
{
    for (size_t i = 0; i < table->n_fields; i++)
        if (g_str_equal(table->fields[i].key, key))
            return &table->fields[i];
    return NULL;
}

/* @dict (may be NULL) with the key of the word.  Floating. */
static GVariant *set_in(const Walk *walk, const ViommuFields *table, GVariant *dict, guint depth,
                        GError **error)
{
    const Word *word = walk->word;
    const ViommuField *field = find(table, word->parts[depth]);
    g_autoptr(GVariant) before = NULL;
    GVariantDict result;
    GVariant *value;

    if (!field) {
        g_autofree char *near = meant(walk->top, table, word, depth);

        return refuse(word, error, "unknown key '%s'%s%s%s", word->parts[depth],
                      near ? "; did you mean '" : "; \"viommuctl help keys\" lists them", near ? near : "",
                      near ? "'?" : "");
    }
    g_variant_dict_init(&result, dict);
    before = g_variant_dict_lookup_value(&result, field->key, NULL);
    value = set_field(walk, field, before, depth + 1, error);
    if (!value) {
        g_variant_dict_clear(&result);
        return NULL;
    }
    g_variant_dict_insert_value(&result, field->key, value);
    return g_variant_dict_end(&result);
}

static GVariant *apply(const ViommuFields *table, GVariant *tree, const char *text, GHashTable *seen,
                       GError **error)
{
    const char *equals = strchr(text, '=');
    g_autofree char *key = g_strndup(text, equals ? (gsize)(equals - text) : strlen(text));
    g_auto(GStrv) parts = g_strsplit(key, ".", -1);
    const Word word = {text, parts, equals ? equals + 1 : "", g_hash_table_contains(seen, key)};

    if (!g_utf8_validate(text, -1, NULL)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "an argument is not UTF-8");
        return NULL;
    }
    if (!*key)
        return refuse(&word, error, "there is no key before the '='");
    if (!*word.value)
        return refuse(&word, error, "the key has no value");
    g_hash_table_add(seen, g_steal_pointer(&key));
    return set_in(&(Walk){table, &word}, table, tree, 0, error);
}

GVariant *viommu_request_words_apply(const ViommuFields *table, GVariant *tree, const char *const *words,
                                     GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GVariant) result =
        tree ? g_variant_ref(tree) : g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));

    for (; *words; words++) {
        GVariant *next = apply(table, result, *words, seen, error);

        if (!next)
            return NULL;
        g_variant_unref(result);
        result = g_variant_ref_sink(next);
    }
    return g_steal_pointer(&result);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/beaker.h"

#include <string.h>

#include "lib/base/fields.h"
#include "lib/base/xml-read.h"
#include "lib/request/beaker-internal.h"
#include "lib/request/tmt-internal.h"

#define KEY_LENGTH_MAX 64u

typedef struct Reader {
    GPtrArray *unknown; /* names */
} Reader;

/* What becomes of a value. */
typedef enum Form {
    FORM_TEXT,
    FORM_MIB,        /* Beaker's memory has no unit */
    FORM_SIZE,       /* with an attribute "units" */
    FORM_HYPERVISOR, /* empty: not a virtual machine */
    FORM_FLAG,       /* 0 or 1 */
    FORM_DISKS,      /* their number */
} Form;

static const struct {
    const char *element; /* or "key_value KEY" */
    const char *name;    /* tmt's */
    Form form;
} elements[] = {
    {"arch", "arch", FORM_TEXT},
    {"system/arch", "arch", FORM_TEXT},
    {"memory", "memory", FORM_MIB},
    {"system/memory", "memory", FORM_MIB},
    {"cpu_count", "cpu.processors", FORM_TEXT},
    {"cpu/processors", "cpu.processors", FORM_TEXT},
    {"cpu/cores", "cpu.cores", FORM_TEXT},
    {"cpu/family", "cpu.family", FORM_TEXT},
    {"cpu/flag", "cpu.flag", FORM_TEXT},
    {"cpu/model", "cpu.model", FORM_TEXT},
    {"cpu/model_name", "cpu.model-name", FORM_TEXT},
    {"cpu/sockets", "cpu.sockets", FORM_TEXT},
    {"cpu/stepping", "cpu.stepping", FORM_TEXT},
    {"cpu/vendor", "cpu.vendor-name", FORM_TEXT},
    {"disk/size", "disk[0].size", FORM_SIZE},
    {"hypervisor", "virtualization.hypervisor", FORM_HYPERVISOR},
    {"system/hypervisor", "virtualization.hypervisor", FORM_HYPERVISOR},
    {"key_value NR_DISKS", NULL, FORM_DISKS},
    {"key_value VIRT_IOMMU", "iommu.is-supported", FORM_FLAG},
};

/* Each with its opposite. */
static const struct {
    const char *beaker, *operator_, *opposite;
} operators[] = {
    {"==", "=", "!="}, {"=", "=", "!="}, {"!=", "!=", "="}, {"<", "<", ">="},
    {"<=", "<=", ">"}, {">", ">", "<="}, {">=", ">=", "<"},
};

static GPtrArray *nothing(void)
{
    GPtrArray *alternatives = viommu_tmt_alternatives_new();

    g_ptr_array_add(alternatives, viommu_tmt_alternative_new());
    return alternatives;
}

static GPtrArray *one_condition(const ViommuTmtCondition *condition, GError **error)
{
    g_autoptr(GPtrArray) alternatives = nothing();

    return viommu_tmt_add((GPtrArray *)alternatives->pdata[0], condition, error)
               ? g_steal_pointer(&alternatives)
               : NULL;
}

static GPtrArray *one(const char *name, const char *operator_, const char *value, GError **error)
{
    g_autofree char *text = g_strdup_printf("%s %s", operator_, value);

    if (!*value || !viommu_fields_is_text(text)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "a value of hostRequires is missing, too long, or has control characters");
        return NULL;
    }
    return one_condition(&(ViommuTmtCondition){.name = (char *)name, .text = text}, error);
}

static GPtrArray *not_judged(Reader *reader, const char *name, GError **error)
{
    const ViommuTmtCondition condition = {(char *)name, (char *)"", VIOMMU_TMT_VERDICT_NONE, NULL};
    bool is_known = false;

    for (guint i = 0; i < reader->unknown->len; i++)
        is_known = is_known || g_str_equal(reader->unknown->pdata[i], name);
    if (!is_known)
        g_ptr_array_add(reader->unknown, g_strdup(name));
    return one_condition(&condition, error);
}

/* A guest is a virtual machine, and Beaker calls KVM so. */
static GPtrArray *read_hypervisor(const char *name, const char *operator_, const char *value, GError **error)
{
    g_autofree char *lower = g_ascii_strdown(value, -1);

    if (!*value)
        return one("virtualization.is-virtualized", operator_, "false", error);
    return one(name, operator_, lower, error);
}

/* A guest has one disk. */
static GPtrArray *read_disks(const char *name, const char *operator_, const char *value, GError **error)
{
    g_autofree char *text = g_strdup_printf("%s %s", operator_, value);
    const ViommuTmtCondition refused = {(char *)name, text, VIOMMU_TMT_VERDICT_IMPOSSIBLE,
                                        viommu_tmt_why_one_disk};
    guint64 number;
    bool holds;

    if (!g_ascii_string_to_unsigned(value, 10, 0, UINT16_MAX, &number, NULL)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "NR_DISKS of hostRequires is not a number");
        return NULL;
    }
    holds = g_str_equal(operator_, "=")    ? number == 1
            : g_str_equal(operator_, "!=") ? number != 1
            : g_str_equal(operator_, "<")  ? number > 1
            : g_str_equal(operator_, "<=") ? number >= 1
            : g_str_equal(operator_, ">")  ? number < 1
                                           : number <= 1;
    return holds ? nothing() : one_condition(&refused, error);
}

static GPtrArray *translate(size_t row, const char *operator_, const char *value, const char *unit,
                            GError **error)
{
    const char *name = elements[row].name;
    g_autofree char *text = NULL;

    switch (elements[row].form) {
    case FORM_TEXT:
        return one(name, operator_, value, error);
    case FORM_MIB:
        text = g_strdup_printf("%s MiB", value);
        return one(name, operator_, text, error);
    case FORM_SIZE:
        text = g_strdup_printf("%s %s", value,
                               g_str_equal(unit, "bytes") || !*unit ? "B"
                               : g_str_equal(unit, "KB")            ? "kB"
                                                                    : unit);
        return one(name, operator_, text, error);
    case FORM_HYPERVISOR:
        return read_hypervisor(name, operator_, value, error);
    case FORM_FLAG:
        return one(name, operator_,
                   g_str_equal(value, "1")   ? "true"
                   : g_str_equal(value, "0") ? "false"
                                             : value,
                   error);
    case FORM_DISKS:
        return read_disks(elements[row].element, operator_, value, error);
    }
    g_assert_not_reached();
}

char *viommu_beaker_element_name(const xmlNode *node, const char *above)
{
    g_autofree char *key = viommu_xml_get(node, "key");

    /* The name is printed. */
    if (key && g_str_equal(node->name, "key_value") && viommu_fields_is_text(key) &&
        strlen(key) <= KEY_LENGTH_MAX)
        return g_strconcat("key_value ", key, NULL);
    return g_strconcat(above, *above ? "/" : "", (const char *)node->name, NULL);
}

static GPtrArray *read_condition(Reader *reader, const xmlNode *node, const char *above, bool negated,
                                 GError **error)
{
    g_autofree char *name = viommu_beaker_element_name(node, above), *said = viommu_xml_get(node, "op");
    g_autofree char *value = viommu_xml_get(node, "value"), *unit = viommu_xml_get(node, "units");
    const char *operator_ = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(operators); i++)
        if (g_str_equal(said ? said : "==", operators[i].beaker))
            operator_ = negated ? operators[i].opposite : operators[i].operator_;
    if (!value)
        value = g_strdup("");
    for (size_t i = 0; operator_ && i < G_N_ELEMENTS(elements); i++)
        if (g_str_equal(name, elements[i].element))
            return translate(i, operator_, g_strstrip(value), unit ? unit : "", error);
    return not_judged(reader, name, error);
}

static GPtrArray *read_children(Reader *reader, const xmlNode *parent, const char *above, bool all,
                                bool negated, unsigned depth, GError **error);

int viommu_beaker_group(const char *name, const char *above, bool *negated)
{
    static const char *const groups[] = {"cpu", "disk", "system"};

    /* "not" of all is one of the opposites. */
    if (g_str_equal(name, "and"))
        return !*negated;
    if (g_str_equal(name, "or"))
        return *negated;
    if (g_str_equal(name, "not")) {
        *negated = !*negated;
        return !*negated;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
        if (!*above && g_str_equal(name, groups[i]))
            return !*negated;
    return -1;
}

static GPtrArray *read_element(Reader *reader, const xmlNode *node, const char *above, bool negated,
                               unsigned depth, GError **error)
{
    const char *name = (const char *)node->name;
    bool is_logic = g_str_equal(name, "and") || g_str_equal(name, "or") || g_str_equal(name, "not");
    int all;

    if (depth > VIOMMU_BEAKER_DEPTH_MAX) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "hostRequires is nested too deeply");
        return NULL;
    }
    all = viommu_beaker_group(name, above, &negated);
    return all < 0 ? read_condition(reader, node, above, negated, error)
                   : read_children(reader, node, is_logic ? above : name, all, negated, depth, error);
}

/* @all: all children must hold; else one. */
static GPtrArray *read_children(Reader *reader, const xmlNode *parent, const char *above, bool all,
                                bool negated, unsigned depth, GError **error)
{
    g_autoptr(GPtrArray) result = all ? nothing() : viommu_tmt_alternatives_new();

    for (const xmlNode *node = viommu_xml_child(parent, NULL); node; node = viommu_xml_next(node, NULL)) {
        g_autoptr(GPtrArray) more = read_element(reader, node, above, negated, depth + 1, error);
        GPtrArray *combined;

        if (!more || (!all && !viommu_tmt_append(result, more, error)))
            return NULL;
        if (!all)
            continue;
        combined = viommu_tmt_combine(result, more, error);
        if (!combined)
            return NULL;
        g_ptr_array_unref(result);
        result = combined;
    }
    if (result->len == 0)
        g_ptr_array_add(result, viommu_tmt_alternative_new());
    return g_steal_pointer(&result);
}

/* *ret_found is unchanged where there is none.  Fails: there is more than one. */
static bool find(const xmlNode *node, unsigned depth, const xmlNode **ret_found, GError **error)
{
    if (g_str_equal(node->name, "hostRequires")) {
        if (*ret_found)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "the job has several hostRequires; give one recipe by itself");
        *ret_found = node;
        return true;
    }
    for (const xmlNode *child = viommu_xml_child(node, NULL); child && depth < VIOMMU_BEAKER_DEPTH_MAX;
         child = viommu_xml_next(child, NULL))
        if (!find(child, depth + 1, ret_found, error))
            return false;
    return true;
}

xmlDoc *viommu_beaker_parse(const char *xml, const xmlNode **ret_requires, GError **error)
{
    static const char *const roots[] = {"recipeSet", "recipe", "hostRequires"};
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "job", VIOMMU_ERROR_INVALID_REQUEST, error);
    const xmlNode *requires = NULL;

    for (size_t i = 0; !document && i < G_N_ELEMENTS(roots); i++)
        document = viommu_xml_parse(xml, roots[i], VIOMMU_ERROR_INVALID_REQUEST, NULL);
    if (!document)
        return NULL;
    g_clear_error(error);
    if (!find(xmlDocGetRootElement(document), 0, &requires, error))
        return NULL;
    *ret_requires = requires;
    return g_steal_pointer(&document);
}

static guint count_not_judged(const GPtrArray *alternative)
{
    guint n = 0;

    for (guint i = 0; i < alternative->len; i++)
        n += ((const ViommuTmtCondition *)alternative->pdata[i])->verdict == VIOMMU_TMT_VERDICT_NONE;
    return n;
}

/* What is judged comes before what may not hold. */
static gint compare_judged(gconstpointer a, gconstpointer b)
{
    guint one = count_not_judged(*(const GPtrArray *const *)a),
          other = count_not_judged(*(const GPtrArray *const *)b);

    return one == other ? 0 : one < other ? -1 : 1;
}

GPtrArray *viommu_beaker_read(const char *xml, char **ret_unknown, GError **error)
{
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(xmlDoc) document = NULL;
    Reader reader = {unknown};
    const xmlNode *requires = NULL;
    GPtrArray *alternatives;

    document = viommu_beaker_parse(xml, &requires, error);
    if (!document)
        return NULL;
    alternatives = requires ? read_children(&reader, requires, "", true, false, 0, error) : nothing();
    if (!alternatives)
        return NULL;
    g_ptr_array_sort(alternatives, compare_judged);
    g_ptr_array_add(unknown, NULL);
    *ret_unknown = unknown->len > 1 ? g_strjoinv(", ", (char **)unknown->pdata) : NULL;
    return alternatives;
}

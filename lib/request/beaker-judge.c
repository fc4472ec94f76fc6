/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/beaker-judge.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/fields.h"
#include "lib/base/quantity.h"
#include "lib/base/xml-read.h"
#include "lib/request/beaker-internal.h"

#define AGAINST_MAX 1000u /* bytes; the rest of what does not hold is left out */

/* In this order: "and" is the least of its children, "or" the greatest. */
typedef enum Verdict {
    VERDICT_NO,
    VERDICT_UNKNOWN,
    VERDICT_YES,
} Verdict;

typedef struct Judge {
    const GPtrArray *facts;
    GString *against;   /* conditions that do not hold */
    GPtrArray *unknown; /* names */
} Judge;

typedef enum Form {
    FORM_WORD, /* its case does not matter, as in Beaker's database */
    FORM_NUMBER,
    FORM_FLAG, /* a word; "true" is 1 */
    FORM_SIZE, /* with an attribute "units" */
} Form;

static const struct {
    const char *element, *fact;
    Form form;
} elements[] = {
    {"arch", "arch", FORM_WORD},
    {"system/arch", "arch", FORM_WORD},
    {"memory", "memory", FORM_NUMBER},
    {"system/memory", "memory", FORM_NUMBER},
    {"cpu_count", "cpu/processors", FORM_NUMBER},
    {"cpu/processors", "cpu/processors", FORM_NUMBER},
    {"cpu/cores", "cpu/cores", FORM_NUMBER},
    {"cpu/sockets", "cpu/sockets", FORM_NUMBER},
    {"cpu/family", "cpu/family", FORM_NUMBER},
    {"cpu/model", "cpu/model", FORM_NUMBER},
    {"cpu/stepping", "cpu/stepping", FORM_NUMBER},
    {"cpu/vendor", "cpu/vendor", FORM_WORD},
    {"cpu/model_name", "cpu/model_name", FORM_WORD},
    {"cpu/flag", "cpu/flag", FORM_WORD},
    {"disk/size", "disk/size", FORM_SIZE},
    {"hypervisor", "hypervisor", FORM_WORD},
    {"system/hypervisor", "hypervisor", FORM_WORD},
    {"numa_node_count", "numa_node_count", FORM_NUMBER},
    {"system/numanodes", "numa_node_count", FORM_NUMBER},
    {"key_value NR_DISKS", "key_value NR_DISKS", FORM_NUMBER},
    {"key_value VIRT_IOMMU", "key_value VIRT_IOMMU", FORM_FLAG},
};

/* Beaker's units are those of disks. */
static const struct {
    const char *name;
    double bytes;
} units[] = {
    {"bytes", 1},
    {"B", 1},
    {"kB", 1e3},
    {"KB", 1e3},
    {"KiB", (double)VIOMMU_KIB},
    {"MB", 1e6},
    {"MiB", (double)VIOMMU_MIB},
    {"GB", 1e9},
    {"GiB", (double)VIOMMU_GIB},
    {"TB", 1e12},
    {"TiB", 1024.0 * (double)VIOMMU_GIB},
};

typedef enum Operator {
    OPERATOR_EQUAL,
    OPERATOR_NOT_EQUAL,
    OPERATOR_LESS,
    OPERATOR_AT_MOST,
    OPERATOR_GREATER,
    OPERATOR_AT_LEAST,
    OPERATOR_LIKE,
    OPERATOR_LAST,
} Operator;

static const char *const operator_words[OPERATOR_LAST] = {"==", "!=", "<", "<=", ">", ">=", "like"};

static void fact_free(gpointer data)
{
    ViommuBeakerFact *fact = data;

    g_free(fact->element);
    g_free(fact->value);
    g_free(fact);
}

GPtrArray *viommu_beaker_facts_new(void)
{
    return g_ptr_array_new_with_free_func(fact_free);
}

void viommu_beaker_facts_add(GPtrArray *facts, const char *element, const char *value)
{
    ViommuBeakerFact *fact;

    if (!value)
        return;
    fact = g_new(ViommuBeakerFact, 1);
    *fact = (ViommuBeakerFact){g_strdup(element), g_strdup(value)};
    g_ptr_array_add(facts, fact);
}

/* The next value of @element after the fact *index; NULL: there is none. */
static const char *next_value(const GPtrArray *facts, const char *element, guint *index)
{
    while (*index < facts->len) {
        const ViommuBeakerFact *fact = (const ViommuBeakerFact *)facts->pdata[(*index)++];

        if (g_str_equal(fact->element, element))
            return fact->value;
    }
    return NULL;
}

bool viommu_beaker_facts_has(const GPtrArray *facts, const char *element)
{
    guint index = 0;

    return next_value(facts, element, &index) != NULL;
}

/* --- A condition --- */

typedef struct Condition {
    Form form;
    Operator operator_;
    const char *word;
    double number;
} Condition;

/* "%" is any text, and "_" one character.  Goes back to the last "%" only, as that is enough. */
static bool is_like(const char *text, const char *pattern)
{
    const char *star = NULL, *again = NULL;

    while (*text) {
        if (*pattern == '%') {
            star = ++pattern;
            again = text;
        } else if (*pattern == '_' || g_ascii_tolower(*pattern) == g_ascii_tolower(*text)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++again;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "%")] == '\0';
}

static bool read_number(const char *text, double *ret_number)
{
    char *end;

    if (!g_ascii_isdigit(*text))
        return false;
    *ret_number = g_ascii_strtod(text, &end);
    return *end == '\0';
}

static bool compares(Operator operator_, double difference)
{
    switch (operator_) {
    case OPERATOR_EQUAL:
    case OPERATOR_NOT_EQUAL: /* the caller turns it round */
        return difference == 0;
    case OPERATOR_LESS:
        return difference < 0;
    case OPERATOR_AT_MOST:
        return difference <= 0;
    case OPERATOR_GREATER:
        return difference > 0;
    case OPERATOR_AT_LEAST:
        return difference >= 0;
    case OPERATOR_LIKE:
    case OPERATOR_LAST:
        break;
    }
    g_assert_not_reached();
}

static bool value_holds(const Condition *condition, const char *value)
{
    double number;

    if (condition->operator_ == OPERATOR_LIKE)
        return is_like(value, condition->word);
    if (condition->form == FORM_WORD || condition->form == FORM_FLAG)
        return compares(condition->operator_, g_ascii_strcasecmp(value, condition->word));
    return read_number(value, &number) && compares(condition->operator_, number - condition->number);
}

/* One value must hold; with "!=", none may be equal. */
static Verdict holds(const Judge *judge, const char *element, const Condition *condition)
{
    bool found = false, known = false;
    const char *value;

    for (guint index = 0; (value = next_value(judge->facts, element, &index));) {
        known = true;
        found = found || value_holds(condition, value);
    }
    if (!known)
        return VERDICT_UNKNOWN;
    return found != (condition->operator_ == OPERATOR_NOT_EQUAL) ? VERDICT_YES : VERDICT_NO;
}

static bool read_operator(const xmlNode *node, Operator *ret_operator)
{
    g_autofree char *said = viommu_xml_get(node, "op");

    if (!said || g_str_equal(said, "=")) {
        *ret_operator = OPERATOR_EQUAL;
        return true;
    }
    for (int i = 0; i < OPERATOR_LAST; i++)
        if (g_str_equal(said, operator_words[i])) {
            *ret_operator = (Operator)i;
            return true;
        }
    return false;
}

/* A number for a form that needs one. */
static bool read_amount(const xmlNode *node, Condition *condition)
{
    g_autofree char *said = viommu_xml_get(node, "units");

    if (condition->form != FORM_NUMBER && condition->form != FORM_SIZE)
        return true;
    if (!read_number(condition->word, &condition->number))
        return condition->operator_ == OPERATOR_LIKE;
    if (condition->form == FORM_NUMBER)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
        if (g_str_equal(said && *said ? said : "bytes", units[i].name)) {
            condition->number *= units[i].bytes;
            return true;
        }
    return false;
}

/* The row of elements; false: the condition is not judged.  @value: its text, to keep. */
static bool read_condition(const xmlNode *node, const char *name, char **value, Condition *ret_condition,
                           const char **ret_fact)
{
    *value = viommu_xml_get(node, "value");
    *value = *value ? g_strstrip(*value) : g_strdup("");
    if ((**value && !viommu_fields_is_text(*value)) || !read_operator(node, &ret_condition->operator_))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(elements); i++) {
        if (!g_str_equal(name, elements[i].element))
            continue;
        ret_condition->form = elements[i].form;
        ret_condition->word = *value;
        if (elements[i].form == FORM_FLAG && g_ascii_strcasecmp(*value, "true") == 0)
            ret_condition->word = "1";
        if (elements[i].form == FORM_FLAG && g_ascii_strcasecmp(*value, "false") == 0)
            ret_condition->word = "0";
        *ret_fact = elements[i].fact;
        /* Beaker ignores a condition without a value, but for the hypervisor of a real machine. */
        return (**value || g_str_equal(*ret_fact, "hypervisor")) && read_amount(node, ret_condition);
    }
    return false;
}

static void add_unknown(const Judge *judge, const char *name)
{
    for (guint i = 0; i < judge->unknown->len; i++)
        if (g_str_equal(judge->unknown->pdata[i], name))
            return;
    g_ptr_array_add(judge->unknown, g_strdup(name));
}

static void add_against(const Judge *judge, const char *name, const Condition *condition, bool negated,
                        const char *fact)
{
    guint index = 0;
    const char *value = next_value(judge->facts, fact, &index);
    bool only = value && !next_value(judge->facts, fact, &index);

    if (judge->against->len > AGAINST_MAX)
        return;
    g_string_append_printf(judge->against, "%s%s%s %s '%s'", judge->against->len ? ", " : "",
                           negated ? "not " : "", name, operator_words[condition->operator_],
                           condition->word);
    if (only)
        g_string_append_printf(judge->against, " (it is '%s')", value);
}

static Verdict judge_condition(const Judge *judge, const xmlNode *node, const char *above, bool negated)
{
    g_autofree char *name = viommu_beaker_element_name(node, above), *value = NULL;
    const char *fact = NULL;
    Condition condition = {0};
    Verdict verdict = read_condition(node, name, &value, &condition, &fact) ? holds(judge, fact, &condition)
                                                                            : VERDICT_UNKNOWN;

    if (verdict == VERDICT_UNKNOWN)
        add_unknown(judge, name);
    else if (negated)
        verdict = verdict == VERDICT_YES ? VERDICT_NO : VERDICT_YES;
    if (verdict == VERDICT_NO)
        add_against(judge, name, &condition, negated, fact);
    return verdict;
}

/* --- A disk, which must satisfy all of its element --- */

static Verdict judge_one_disk(const Judge *judge, const xmlNode *disk, const char *bytes)
{
    Verdict verdict = VERDICT_YES;

    for (const xmlNode *node = viommu_xml_child(disk, NULL); node; node = viommu_xml_next(node, NULL)) {
        g_autofree char *name = viommu_beaker_element_name(node, "disk"), *value = NULL;
        const char *fact = NULL;
        Condition condition = {0};
        Verdict one = VERDICT_UNKNOWN;

        if (read_condition(node, name, &value, &condition, &fact) && g_str_equal(fact, "disk/size"))
            one = value_holds(&condition, bytes) == (condition.operator_ != OPERATOR_NOT_EQUAL) ? VERDICT_YES
                                                                                                : VERDICT_NO;
        else
            add_unknown(judge, name);
        verdict = MIN(verdict, one);
    }
    return verdict;
}

static Verdict judge_disk(const Judge *judge, const xmlNode *disk, bool negated)
{
    guint n_unknown = judge->unknown->len;
    Verdict verdict = VERDICT_NO;
    const char *bytes;

    if (!viommu_beaker_facts_has(judge->facts, "disk/size")) {
        add_unknown(judge, "disk");
        return VERDICT_UNKNOWN;
    }
    for (guint index = 0; (bytes = next_value(judge->facts, "disk/size", &index));)
        verdict = MAX(verdict, judge_one_disk(judge, disk, bytes));
    if (verdict != VERDICT_UNKNOWN) {
        g_ptr_array_set_size(judge->unknown, (int)n_unknown);
        verdict = negated == (verdict == VERDICT_NO) ? VERDICT_YES : VERDICT_NO;
    }
    if (verdict == VERDICT_NO && judge->against->len <= AGAINST_MAX)
        g_string_append_printf(judge->against, "%s%s", judge->against->len ? ", " : "",
                               negated ? "not disk" : "disk (no disk is so)");
    return verdict;
}

/* --- The whole --- */

static Verdict judge_children(const Judge *judge, const xmlNode *parent, const char *above, bool all,
                              bool negated, unsigned depth)
{
    Verdict result = all ? VERDICT_YES : VERDICT_NO;
    gsize against = judge->against->len;
    guint n_unknown = judge->unknown->len, n = 0;

    for (const xmlNode *node = viommu_xml_child(parent, NULL); node;
         node = viommu_xml_next(node, NULL), n++) {
        const char *name = (const char *)node->name;
        bool opposite = negated;
        int group = depth < VIOMMU_BEAKER_DEPTH_MAX ? viommu_beaker_group(name, above, &opposite) : -1;
        bool is_place = !*above && (g_str_equal(name, "cpu") || g_str_equal(name, "system"));
        Verdict one;

        if (!*above && g_str_equal(name, "disk"))
            one = judge_disk(judge, node, negated);
        else if (group < 0)
            one = judge_condition(judge, node, above, negated);
        else
            one = judge_children(judge, node, is_place ? name : above, group, opposite, depth + 1);
        result = all ? MIN(result, one) : MAX(result, one);
    }
    /* Beaker ignores an empty one. */
    if (n == 0)
        result = VERDICT_YES;
    if (result != VERDICT_NO)
        g_string_truncate(judge->against, against);
    if (result != VERDICT_UNKNOWN)
        g_ptr_array_set_size(judge->unknown, (int)n_unknown);
    return result;
}

static char *sentence(Verdict verdict, const Judge *judge)
{
    g_autofree char *names = NULL;

    switch (verdict) {
    case VERDICT_YES:
        return g_strdup("this host itself satisfies hostRequires");
    case VERDICT_NO:
        return g_strdup_printf("this host itself does not satisfy hostRequires: %s", judge->against->str);
    case VERDICT_UNKNOWN:
        g_ptr_array_add(judge->unknown, NULL);
        names = g_strjoinv(", ", (char **)judge->unknown->pdata);
        return g_strdup_printf("this host itself may satisfy hostRequires: not judged of it: %s", names);
    }
    g_assert_not_reached();
}

char *viommu_beaker_judge(const char *xml, const GPtrArray *facts, GError **error)
{
    g_autoptr(GString) against = g_string_new(NULL);
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    const Judge judge = {facts, against, unknown};
    const xmlNode *requires = NULL;
    g_autoptr(xmlDoc) document = viommu_beaker_parse(xml, &requires, error);

    if (!document)
        return NULL;
    return sentence(requires ? judge_children(&judge, requires, "", true, false, 0) : VERDICT_YES, &judge);
}

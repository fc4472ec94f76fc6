/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmt-keys: from conditions to words of a request, by a table of tmt's names. */
#include <string.h>

#include "lib/base/condition.h"
#include "lib/base/did-you-mean.h"
#include "lib/base/enum.h"
#include "lib/base/error.h"
#include "lib/base/quantity.h"
#include "lib/request/pattern.h"
#include "lib/request/tmt-internal.h"
#include "lib/request/tmt-range.h"

/* The devices that tmt names by their ids; one of each. */
enum {
    DEVICE,
    GPU,
    N_DEVICES
};
enum {
    VENDOR_ID,
    DEVICE_ID,
    N_IDS
};

typedef struct Translation {
    GPtrArray *words;
    GString *reasons; /* why not; empty: none */
    int ids[N_DEVICES][N_IDS];
} Translation;

/* All conditions of one name. */
typedef struct Group {
    const char *name;
    const char *texts[VIOMMU_TMT_CONDITIONS_MAX];
    guint n;
} Group;

typedef struct Key Key;
struct Key {
    const char *name; /* "disk[].size" */
    /** Adds a word or a reason.  Fails: INVALID_REQUEST. */
    bool (*translate)(const Key *key, const Group *group, Translation *translation, GError **error);
    const char *target; /* of the request */
    const char *why;    /* the reason of a refusal */
    union {
        struct {
            uint64_t unit;     /* of a number without one; 0: the number has none */
            uint64_t step;     /* to round to */
            uint64_t default_; /* without a lower bound; 0: the upper bound */
            /* of the request: for what may be larger, too; NULL: none */
            const char *min_target, *max_target;
        } range;
        struct {
            const char *words[2], *values[2]; /* tmt's, and the request's */
            bool exact;                       /* tmt takes no regular expression there */
            const char *aliases[2];           /* of the words */
        } choice;
        bool must;
        struct {
            int device, id;
        } id;
    };
};

static bool refuse(const Group *group, Translation *translation, const char *why)
{
    g_string_append_printf(translation->reasons, "%s'%s: %s' is not possible: %s",
                           translation->reasons->len ? "; " : "", group->name, group->texts[0], why);
    return true;
}

static bool refused(const Key *key, const Group *group, Translation *translation, GError **error)
{
    return refuse(group, translation, key->why);
}

static void G_GNUC_PRINTF(2, 3) add_word(Translation *translation, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(translation->words, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

/* A value without an operator is compared by "=". */
static bool split_text(const Group *group, guint i, ViommuCondition *ret_condition, GError **error)
{
    const char *text = group->texts[i];

    if (viommu_condition_is(text))
        return viommu_condition_split(group->name, text, ret_condition, error);
    *ret_condition = (ViommuCondition){VIOMMU_COMPARISON_EQUAL, text};
    return true;
}

/* --- Numbers --- */

static void add_number(const Key *key, const ViommuTmtRange *range, uint64_t picked, Translation *translation)
{
    uint64_t most = viommu_tmt_range_reach(range, picked);

    if (!key->range.min_target || range->low == 0 || most == picked) {
        add_word(translation, "%s=%" G_GUINT64_FORMAT, key->target, picked);
        return;
    }
    add_word(translation, "%s=%" G_GUINT64_FORMAT, key->range.min_target, picked);
    if (most < VIOMMU_TMT_NUMBER_MAX)
        add_word(translation, "%s=%" G_GUINT64_FORMAT, key->range.max_target, most);
}

static bool number(const Key *key, const Group *group, Translation *translation, GError **error)
{
    ViommuTmtRange range = {.high = VIOMMU_TMT_NUMBER_MAX};
    uint64_t picked;

    for (guint i = 0; i < group->n; i++)
        if (!viommu_tmt_range_narrow(&range, group->name, group->texts[i], key->range.unit, error))
            return false;
    picked = viommu_tmt_range_pick(&range, key->range.step, key->range.default_);
    if (range.empty || picked > range.high)
        return refuse(group, translation, "no number satisfies all of its conditions");
    if (picked >= VIOMMU_TMT_NUMBER_MAX)
        return refuse(group, translation, "it bounds nothing; use =, >= or <=");
    add_number(key, &range, picked, translation);
    return true;
}

/* --- Words --- */

static bool holds(const Key *key, const Group *group, guint i, size_t which, bool *ret_holds, GError **error)
{
    const char *word = key->choice.words[which], *alias = key->choice.aliases[which];
    g_autoptr(GRegex) regex = NULL;
    g_autofree char *value = NULL;
    ViommuCondition condition;
    bool negative, matches;

    if (!split_text(group, i, &condition, error))
        return false;
    negative = condition.comparison == VIOMMU_COMPARISON_NOT_EQUAL ||
               condition.comparison == VIOMMU_COMPARISON_NOT_MATCH;
    value = g_strstrip(g_strdup(condition.value));
    matches = g_str_equal(word, value) || g_strcmp0(alias, value) == 0;
    if (condition.comparison == VIOMMU_COMPARISON_MATCH ||
        condition.comparison == VIOMMU_COMPARISON_NOT_MATCH) {
        if (key->choice.exact)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "%s '%s' has a regular expression, which tmt does not take there; use = or !=",
                               group->name, group->texts[i]);
        regex = viommu_pattern_compile(group->name, value, false, error);
        if (!regex || !viommu_pattern_try(regex, group->name, word, &matches, error))
            return false;
    }
    *ret_holds = matches != negative;
    return true;
}

/* Where every word is as good, the request leaves it to viommud. */
static bool choice(const Key *key, const Group *group, Translation *translation, GError **error)
{
    const char *value = NULL;
    guint n_kept = 0;

    for (size_t word = 0; word < G_N_ELEMENTS(key->choice.words); word++) {
        bool kept = true;

        for (guint i = 0; i < group->n; i++) {
            bool one = false;

            if (!holds(key, group, i, word, &one, error))
                return false;
            kept = kept && one;
        }
        if (kept && n_kept++ == 0)
            value = key->choice.values[word];
    }
    if (n_kept == 0)
        return refuse(group, translation, key->why);
    if (n_kept < G_N_ELEMENTS(key->choice.words))
        add_word(translation, "%s=%s", key->target, value);
    return true;
}

/* VIOMMU_UNSET: the conditions contradict each other. */
static bool read_flags(const Group *group, int *ret_flag, GError **error)
{
    int all = VIOMMU_UNSET, flag;

    for (guint i = 0; i < group->n; i++) {
        if (!viommu_condition_read_flag(group->name, group->texts[i], &flag, error))
            return false;
        all = i == 0 || all == flag ? flag : VIOMMU_UNSET;
        if (all == VIOMMU_UNSET)
            break;
    }
    *ret_flag = all;
    return true;
}

static bool must(const Key *key, const Group *group, Translation *translation, GError **error)
{
    int flag;

    if (!read_flags(group, &flag, error))
        return false;
    return flag == key->must || refuse(group, translation, key->why);
}

static bool yes_or_no(const Key *key, const Group *group, Translation *translation, GError **error)
{
    int said;

    if (!read_flags(group, &said, error))
        return false;
    if (said == VIOMMU_UNSET)
        return refuse(group, translation, "its conditions contradict each other");
    add_word(translation, "%s=%s", key->target, said ? "true" : "false");
    return true;
}

/* The request knows the same operators; a word with a space is one entry of a list. */
static bool model_name(const Key *key, const Group *group, Translation *translation, GError **error)
{
    for (guint i = 0; i < group->n; i++) {
        const char *text = group->texts[i];
        size_t length = viommu_condition_is(text) ? strspn(text, "=!~") : 0;
        ViommuCondition condition;

        if (!split_text(group, i, &condition, error))
            return false;
        add_word(translation, "%s=%.*s %s", key->target, length ? (int)length : 1, length ? text : "=",
                 condition.value);
    }
    return true;
}

static bool is_equal(const Group *group, guint i, ViommuCondition *ret_condition, GError **error)
{
    return split_text(group, i, ret_condition, error) &&
           (ret_condition->comparison == VIOMMU_COMPARISON_EQUAL ||
            viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                        "hardware requirement '%s: %s' is not possible: it needs the operator =", group->name,
                        group->texts[i]));
}

static bool host_name(const Key *key, const Group *group, Translation *translation, GError **error)
{
    ViommuCondition condition;

    if (group->n > 1)
        return refuse(group, translation, "its conditions contradict each other");
    if (!is_equal(group, 0, &condition, error))
        return false;
    add_word(translation, "%s=%s", key->target, condition.value);
    return true;
}

/* Of a device of the host: "0x10de", or decimal. */
static bool pci_id(const Key *key, const Group *group, Translation *translation, GError **error)
{
    ViommuCondition condition;
    guint64 id;
    bool hex;

    if (group->n > 1)
        return refuse(group, translation, "its conditions contradict each other");
    if (!is_equal(group, 0, &condition, error))
        return false;
    hex = g_str_has_prefix(condition.value, "0x");
    if (!g_ascii_string_to_unsigned(condition.value + (hex ? 2 : 0), hex ? 16 : 10, 0, UINT16_MAX, &id, NULL))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s '%s' is not an id such as 0x10de",
                           group->name, group->texts[0]);
    translation->ids[key->id.device][key->id.id] = (int)id;
    return true;
}

/* --- The table --- */

static const char why_beaker[] = "it is for Beaker";
static const char why_card[] = "the guest has one network card, for ssh";
static const char why_cpu[] =
    "viommud gives the host's CPU or QEMU's, and knows its vendor and whether it can run guests";
static const char why_device[] = "viommud finds devices by vendor and device, as ids";
static const char why_disk[] = "viommud chooses the size of a disk only";
const char viommu_tmt_why_one_disk[] = "the guest has the disk of its image, and no other";
static const char why_system[] =
    "it names the machine itself, which is a virtual one; 'device' and 'gpu' name devices of the host";
static const char why_virtual[] = "a machine of viommud is a virtual one";
static const char why_zcrypt[] = "viommud has no machines of s390x";

#define NO(name_, why_)             \
    {                               \
        name_, refused, NULL, why_, \
        {                           \
            {                       \
                0                   \
            }                       \
        }                           \
    }

/* tmt's names in the order of its own table. */
static const Key keys[] = {
    {"arch",
     choice,
     "arch",
     "viommud knows x86_64 and aarch64",
     {.choice = {{"x86_64", "aarch64"}, {"x86_64", "aarch64"}, false}}},
    NO("beaker.panic-watchdog", why_beaker),
    NO("beaker.pool", why_beaker),
    {"boot.method",
     choice,
     "boot.firmware",
     "viommud knows bios and uefi",
     {.choice = {{"bios", "uefi"}, {"bios", "efi"}, true}}},
    NO("compatible.distro", "the image says which system the guest has"),
    NO("cpu.cores", why_cpu),
    NO("cpu.cores-per-socket", why_cpu),
    NO("cpu.family", why_cpu),
    NO("cpu.family-name", why_cpu),
    NO("cpu.flag", why_cpu),
    NO("cpu.frequency", why_cpu),
    NO("cpu.hyper-threading", why_cpu),
    NO("cpu.model", why_cpu),
    NO("cpu.model-name", why_cpu),
    {"cpu.processors", number, "vcpus", NULL, {.range = {0, 1, 1, NULL, NULL}}},
    NO("cpu.sockets", why_cpu),
    NO("cpu.stepping", why_cpu),
    NO("cpu.threads", why_cpu),
    NO("cpu.threads-per-core", why_cpu),
    NO("cpu.vendor", why_cpu),
    {"cpu.vendor-name",
     choice,
     "cpu.vendor",
     "viommud knows GenuineIntel (Intel) and AuthenticAMD (AMD)",
     {.choice = {{"GenuineIntel", "AuthenticAMD"}, {"intel", "amd"}, false, {"Intel", "AMD"}}}},
    {"device.device", pci_id, NULL, NULL, {.id = {DEVICE, DEVICE_ID}}},
    NO("device.device-name", why_device),
    NO("device.driver", why_device),
    {"device.vendor", pci_id, NULL, NULL, {.id = {DEVICE, VENDOR_ID}}},
    NO("device.vendor-name", why_device),
    NO("disk[].driver", why_disk),
    NO("disk[].logical-sector-size", why_disk),
    NO("disk[].model-name", why_disk),
    NO("disk[].physical-sector-size", why_disk),
    {"disk[].size",
     number,
     "disks.0.size",
     NULL,
     {.range = {1, VIOMMU_MIB, 0, "disks.0.size-min", "disks.0.size-max"}}},
    {"gpu.device", pci_id, NULL, NULL, {.id = {GPU, DEVICE_ID}}},
    NO("gpu.device-name", why_device),
    NO("gpu.driver", why_device),
    {"gpu.vendor", pci_id, NULL, NULL, {.id = {GPU, VENDOR_ID}}},
    NO("gpu.vendor-name", why_device),
    {"hostname", host_name, "seed.hostname", NULL, {{0}}},
    {"iommu.is-supported", yes_or_no, "iommu.is-supported", NULL, {{0}}},
    {"iommu.model-name", model_name, "iommu.model-name", NULL, {{0}}},
    NO("location.lab-controller", why_beaker),
    {"memory", number, "memory", NULL, {.range = {VIOMMU_MIB, VIOMMU_MIB, VIOMMU_GIB, NULL, NULL}}},
    NO("network[].device", why_card),
    NO("network[].device-name", why_card),
    NO("network[].driver", why_card),
    NO("network[].type", why_card),
    NO("network[].vendor", why_card),
    NO("network[].vendor-name", why_card),
    NO("system.management-controller.device", why_system),
    NO("system.management-controller.device-name", why_system),
    NO("system.management-controller.driver", why_system),
    NO("system.management-controller.protocol", why_system),
    NO("system.management-controller.vendor", why_system),
    NO("system.management-controller.vendor-name", why_system),
    NO("system.model", why_system),
    NO("system.model-name", why_system),
    NO("system.numa-nodes", why_system),
    NO("system.type", why_system),
    NO("system.vendor", why_system),
    NO("system.vendor-name", why_system),
    NO("tpm.version", "viommud gives no TPM"),
    {"virtualization.confidential", must, NULL, "viommud gives no confidential machine", {.must = false}},
    {"virtualization.hypervisor",
     choice,
     "accelerator",
     "viommud knows kvm and, for emulation, qemu",
     {.choice = {{"kvm", "qemu"}, {"kvm", "tcg"}, false}}},
    {"virtualization.is-supported", yes_or_no, "cpu.virtualization", NULL, {{0}}},
    {"virtualization.is-virtualized", must, NULL, why_virtual, {.must = true}},
    NO("zcrypt.adapter", why_zcrypt),
    NO("zcrypt.mode", why_zcrypt),
};

/* @ret_index: of "disk[1].size"; 0 without one.  NULL: tmt has no such name. */
static const Key *find(const char *name, guint64 *ret_index, GError **error)
{
    const char *names[G_N_ELEMENTS(keys)], *open = strchr(name, '['),
                                           *close = open ? strchr(open, ']') : NULL;
    g_autofree char *index = close ? g_strndup(open + 1, (gsize)(close - open - 1)) : NULL;
    g_autofree char *bare =
        close ? g_strdup_printf("%.*s[]%s", (int)(open - name), name, close + 1) : g_strdup(name);
    const char *near;

    *ret_index = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        names[i] = keys[i].name;
        if (g_str_equal(bare, keys[i].name) &&
            (!index || g_ascii_string_to_unsigned(index, 10, 0, G_MAXUINT32, ret_index, NULL)))
            return &keys[i];
    }
    near = viommu_nearest(bare, names, G_N_ELEMENTS(names));
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "tmt has no hardware requirement '%.64s'%s%s%s", name,
                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

/* The open conditions that have the name of the one at @from, if it is the first of these. */
static bool collect(const GPtrArray *alternative, guint from, Group *group)
{
    group->name = ((const ViommuTmtCondition *)alternative->pdata[from])->name;
    group->n = 0;
    for (guint i = 0; i < alternative->len && group->n < G_N_ELEMENTS(group->texts); i++) {
        const ViommuTmtCondition *condition = (const ViommuTmtCondition *)alternative->pdata[i];

        if (condition->verdict != VIOMMU_TMT_VERDICT_OPEN || !g_str_equal(condition->name, group->name))
            continue;
        if (i < from)
            return false;
        group->texts[group->n++] = condition->text;
    }
    return true;
}

/* Each of tmt's devices is one of the host's. */
static void add_devices(Translation *translation)
{
    static const char *const names[] = {[DEVICE] = "device", [GPU] = "gpu"};
    unsigned n = 0;

    for (int device = 0; device < N_DEVICES; device++) {
        const int *ids = translation->ids[device];

        if (ids[VENDOR_ID] == VIOMMU_UNSET && ids[DEVICE_ID] == VIOMMU_UNSET)
            continue;
        if (ids[VENDOR_ID] == VIOMMU_UNSET || ids[DEVICE_ID] == VIOMMU_UNSET) {
            g_string_append_printf(translation->reasons, "%s'%s' is not possible: %s",
                                   translation->reasons->len ? "; " : "", names[device], why_device);
            continue;
        }
        add_word(translation, "hostdevs.%u.vendor=%04x", n, (unsigned)ids[VENDOR_ID]);
        add_word(translation, "hostdevs.%u.device=%04x", n++, (unsigned)ids[DEVICE_ID]);
    }
}

static bool translate(const GPtrArray *alternative, Translation *translation, GError **error)
{
    Group group;

    for (guint i = 0; i < alternative->len; i++) {
        const ViommuTmtCondition *condition = (const ViommuTmtCondition *)alternative->pdata[i];
        const Key *key;
        guint64 index;

        if (condition->verdict == VIOMMU_TMT_VERDICT_IMPOSSIBLE)
            refuse(&(Group){condition->name, {condition->text}, 1}, translation, condition->why);
        if (condition->verdict != VIOMMU_TMT_VERDICT_OPEN || !collect(alternative, i, &group))
            continue;
        key = find(group.name, &index, error);
        if (!key)
            return false;
        if (index > 0 && key->translate != refused)
            refuse(&group, translation, viommu_tmt_why_one_disk);
        else if (!key->translate(key, &group, translation, error))
            return false;
    }
    add_devices(translation);
    return true;
}

char **viommu_tmt_words(const GPtrArray *alternative, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) reasons = g_string_new(NULL);
    Translation translation = {words, reasons, {{VIOMMU_UNSET, VIOMMU_UNSET}, {VIOMMU_UNSET, VIOMMU_UNSET}}};

    if (!translate(alternative, &translation, error))
        return NULL;
    if (reasons->len) {
        viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED, "hardware requirement %s", reasons->str);
        return NULL;
    }
    g_ptr_array_add(words, NULL);
    g_ptr_array_set_free_func(words, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

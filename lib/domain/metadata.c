/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata: a table of the attributes of both elements, the request, and a table of lists.  Knows
 * nothing of the rest of a domain's XML. */
#include "lib/domain/metadata.h"

#include <stdarg.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/domain/lease-boot.h"
#include "lib/machine/reach.h"
#include "lib/plan/report.h"
#include "lib/request/request-check.h"
#include "lib/base/xml-read.h"

#define ROOT      "machine"
#define ADDITIONS "additions"

typedef enum AttributeKind {
    ATTRIBUTE_WORD,     /* an enum; VIOMMU_UNSET when left out */
    ATTRIBUTE_NUMBER32, /* uint32_t */
    ATTRIBUTE_NUMBER64, /* uint64_t; 0 when left out */
    ATTRIBUTE_TEXT,     /* char *; NULL when left out */
} AttributeKind;

typedef struct Attribute {
    const char *name;
    AttributeKind kind;
    size_t offset;
    const ViommuEnum *words;
    bool optional;
    bool core;     /* each version may have it, with the same meaning */
    bool addition; /* written in <additions> */
} Attribute;

#define AT(member) offsetof(ViommuMetadata, member)

static const Attribute attributes[] = {
    {"owner", ATTRIBUTE_NUMBER32, AT(owner_uid), .core = true},
    {"phase", ATTRIBUTE_WORD, AT(phase), .words = &viommu_enum_state, .core = true},
    {"created", ATTRIBUTE_NUMBER64, AT(created_usec)},
    {"request-id", ATTRIBUTE_TEXT, AT(request_id), .optional = true},
    {"fingerprint", ATTRIBUTE_TEXT, AT(fingerprint)},
    {"arch", ATTRIBUTE_WORD, AT(arch), .words = &viommu_enum_arch},
    {"type", ATTRIBUTE_TEXT, AT(machine)},
    {"accelerator", ATTRIBUTE_WORD, AT(accelerator), .words = &viommu_enum_accelerator},
    {"model", ATTRIBUTE_WORD, AT(model), .words = &viommu_enum_model, .optional = true},
    {"vcpus", ATTRIBUTE_NUMBER64, AT(vcpus)},
    {"memory", ATTRIBUTE_NUMBER64, AT(memory_bytes)},
    {"memlock", ATTRIBUTE_NUMBER64, AT(memlock_bytes)},
    {"page-size", ATTRIBUTE_NUMBER64, AT(page_size_bytes), .optional = true},
    {"lease-end", ATTRIBUTE_NUMBER64, AT(lease_end_usec), .optional = true, .core = true},
    {"boot", ATTRIBUTE_TEXT, AT(boot), .optional = true, .core = true},
    {"client", ATTRIBUTE_TEXT, AT(client), .optional = true, .core = true},
    {"host-drivers", ATTRIBUTE_TEXT, AT(host_drivers), .optional = true, .addition = true},
    {"reach", ATTRIBUTE_TEXT, AT(reach), .optional = true, .addition = true},
    {"seed-user", ATTRIBUTE_TEXT, AT(seed_user), .optional = true, .addition = true},
    {"proof", ATTRIBUTE_TEXT, AT(proof), .optional = true, .addition = true},
    {"host-boot", ATTRIBUTE_TEXT, AT(host_boot), .optional = true, .core = true, .addition = true},
    {"name", ATTRIBUTE_TEXT, AT(name), .optional = true, .core = true, .addition = true},
    {"uuid", ATTRIBUTE_TEXT, AT(uuid), .optional = true, .core = true, .addition = true},
};
/* Words are read and written as int. */
G_STATIC_ASSERT(sizeof(ViommuState) == sizeof(int) && sizeof(ViommuModel) == sizeof(int));
G_STATIC_ASSERT(sizeof(ViommuArch) == sizeof(int) && sizeof(ViommuAccelerator) == sizeof(int));

/* Names of an element, without viommud's prefix and with it. */
typedef enum Spelling {
    SPELLING_PLAIN,
    SPELLING_PREFIXED,
    SPELLING_LAST,
} Spelling;
#define NAMES(name)                           \
    {                                         \
        name, VIOMMU_METADATA_PREFIX ":" name \
    }
static const char *const root_names[SPELLING_LAST] = NAMES(ROOT);
static const char *const request_names[SPELLING_LAST] = NAMES("request");

/* Elements that hold a text and may be repeated: char **. */
static const struct {
    const char *names[SPELLING_LAST];
    size_t offset;
} lists[] = {
    {NAMES("reason"), AT(reasons)},
    {NAMES("warning"), AT(warnings)},
    {NAMES("hostdev"), AT(hostdevs)},
};

static void *member_of(const ViommuMetadata *metadata, const Attribute *attribute)
{
    return G_STRUCT_MEMBER_P(metadata, attribute->offset);
}

static char ***list_of(const ViommuMetadata *metadata, size_t i)
{
    return (char ***)G_STRUCT_MEMBER_P(metadata, lists[i].offset);
}

static char **take_strings(GPtrArray *array)
{
    g_ptr_array_add(array, NULL);
    return (char **)g_ptr_array_free(array, FALSE);
}

static void add_reasons(GPtrArray *texts, const ViommuCandidate *candidate)
{
    for (guint i = 0; candidate->reasons && i < candidate->reasons->len; i++) {
        const ViommuReason *reason = g_ptr_array_index(candidate->reasons, i);
        guint before;

        /* One reason may exclude several candidates. */
        if (g_ptr_array_find_with_equal_func(texts, reason->text, g_str_equal, &before))
            continue;

        g_ptr_array_add(texts, g_strdup(reason->text));
    }
}

/* Why this model was chosen; without a model, why each one was excluded. */
static char **reasons_of(const ViommuIommuChoice *choice)
{
    GPtrArray *texts = g_ptr_array_new();

    if (choice->model != VIOMMU_MODEL_NONE) {
        add_reasons(texts, &choice->candidates[choice->model]);
        return take_strings(texts);
    }
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        add_reasons(texts, &choice->candidates[model]);
    return take_strings(texts);
}

/* "0000:3b:00.1=i40e ...": the driver that gets each device back.  NULL: no driver.  Owned. */
static char *host_drivers_of(const ViommuPlacement *placement)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; placement->devices && i < placement->devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(placement->devices, i);

        if (device->taken)
            g_string_append_printf(text, "%s%s=%s", text->len ? " " : "", device->address,
                                   device->host_driver);
    }
    return g_string_free(text, text->len == 0);
}

static uint64_t reach_by_network(const ViommuRequestNetwork *network)
{
    if (network->type != VIOMMU_NETWORK_TYPE_USER)
        return VIOMMU_BIT(VIOMMU_REACH_ADDRESSES);
    return network->forward ? VIOMMU_BIT(VIOMMU_REACH_FORWARDS) : 0;
}

static char *reach_of(const ViommuRequest *request)
{
    uint64_t kinds = request->guest.vsock == 1 ? VIOMMU_BIT(VIOMMU_REACH_VSOCK) : 0;

    for (guint i = 0; request->networks && i < request->networks->len; i++)
        kinds |= reach_by_network(g_ptr_array_index(request->networks, i));
    return viommu_reach_kinds_to_text(kinds);
}

ViommuMetadata *viommu_metadata_new(const ViommuPlan *plan, const ViommuRequest *request, uint32_t owner_uid,
                                    uint64_t created_usec)
{
    ViommuMetadata *metadata = g_new0(ViommuMetadata, 1);
    GPtrArray *warnings = g_ptr_array_new(), *hostdevs = g_ptr_array_new();

    *metadata = (ViommuMetadata){
        .owner_uid = owner_uid,
        .name = g_strcmp0(plan->name, plan->domain) == 0 ? NULL : g_strdup(plan->name),
        .uuid = g_strdup(plan->uuid),
        .phase = VIOMMU_STATE_DEFINING,
        .request_id = g_strdup(request->request_id),
        .fingerprint = viommu_request_fingerprint(request),
        .request = viommu_request_text(request),
        .arch = plan->arch,
        .machine = g_strdup(plan->machine),
        .accelerator = plan->accelerator,
        .model = plan->iommu.model,
        .vcpus = plan->vcpus,
        .memory_bytes = plan->memory_max_bytes,
        .memlock_bytes = plan->memlock_bytes,
        .page_size_bytes = plan->page_size_bytes,
        .host_drivers = host_drivers_of(&plan->placement),
        .reach = reach_of(request),
        .seed_user = request->seed.ssh_keys ? g_strdup(viommu_request_seed_user(&request->seed)) : NULL,
        .proof = viommu_plan_report_proof(plan),
        .reasons = reasons_of(&plan->iommu),
        .created_usec = created_usec,
    };
    for (guint i = 0; plan->warnings && i < plan->warnings->len; i++)
        g_ptr_array_add(warnings, g_strdup(g_ptr_array_index(plan->warnings, i)));
    metadata->warnings = take_strings(warnings);
    for (guint i = 0; plan->placement.devices && i < plan->placement.devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(plan->placement.devices, i);

        g_ptr_array_add(hostdevs, g_strdup(device->address));
    }
    metadata->hostdevs = take_strings(hostdevs);
    return metadata;
}

void viommu_metadata_add_warning(ViommuMetadata *metadata, const char *text)
{
    guint n = metadata->warnings ? g_strv_length(metadata->warnings) : 0;

    metadata->warnings = g_renew(char *, metadata->warnings, n + 2);
    metadata->warnings[n] = g_strdup(text);
    metadata->warnings[n + 1] = NULL;
}

void viommu_metadata_free(ViommuMetadata *metadata)
{
    if (!metadata)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (attributes[i].kind == ATTRIBUTE_TEXT)
            g_free(*(char **)member_of(metadata, &attributes[i]));
    g_free(metadata->request);
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        g_strfreev(*list_of(metadata, i));
    g_free(metadata);
}

static void write_attribute(const Attribute *attribute, const void *member, ViommuXmlWriter *writer)
{
    switch (attribute->kind) {
    case ATTRIBUTE_WORD:
        viommu_xml_attribute(writer, attribute->name,
                             viommu_enum_to_string(attribute->words, *(const int *)member));
        break;
    case ATTRIBUTE_NUMBER32:
        viommu_xml_attribute_number(writer, attribute->name, *(const uint32_t *)member);
        break;
    case ATTRIBUTE_NUMBER64:
        if (!attribute->optional || *(const uint64_t *)member)
            viommu_xml_attribute_number(writer, attribute->name, *(const uint64_t *)member);
        break;
    case ATTRIBUTE_TEXT:
        viommu_xml_attribute(writer, attribute->name, *(char *const *)member);
        break;
    }
}

static void write_attributes(const ViommuMetadata *metadata, bool additions, ViommuXmlWriter *writer)
{
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (attributes[i].addition == additions)
            write_attribute(&attributes[i], member_of(metadata, &attributes[i]), writer);
}

static void write_element(const ViommuMetadata *metadata, Spelling spelling, ViommuXmlWriter *writer)
{
    viommu_xml_open(writer, root_names[spelling]);
    if (spelling == SPELLING_PREFIXED)
        viommu_xml_attribute(writer, "xmlns:" VIOMMU_METADATA_PREFIX, VIOMMU_METADATA_URI);
    viommu_xml_attribute_number(writer, "version", VIOMMU_METADATA_VERSION);
    write_attributes(metadata, false, writer);
    viommu_xml_leaf(writer, request_names[spelling], metadata->request);
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        for (char **text = *list_of(metadata, i); text && *text; text++)
            viommu_xml_leaf(writer, lists[i].names[spelling], *text);
    viommu_xml_close(writer);
}

/* All of them hold text. */
static bool has_additions(const ViommuMetadata *metadata)
{
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (attributes[i].addition && *(char *const *)member_of(metadata, &attributes[i]))
            return true;
    return false;
}

void viommu_metadata_write(const ViommuMetadata *metadata, ViommuXmlWriter *writer)
{
    write_element(metadata, SPELLING_PREFIXED, writer);
}

void viommu_metadata_write_additions(const ViommuMetadata *metadata, ViommuXmlWriter *writer)
{
    if (!has_additions(metadata))
        return;
    viommu_xml_open(writer, VIOMMU_ADDITIONS_PREFIX ":" ADDITIONS);
    viommu_xml_attribute(writer, "xmlns:" VIOMMU_ADDITIONS_PREFIX, VIOMMU_ADDITIONS_URI);
    write_attributes(metadata, true, writer);
    viommu_xml_close(writer);
}

char *viommu_metadata_to_xml(const ViommuMetadata *metadata)
{
    g_autoptr(ViommuXmlWriter) writer = viommu_xml_writer_new();

    /* libvirt adds the prefix itself, and fails when it is already declared. */
    write_element(metadata, SPELLING_PLAIN, writer);
    return viommu_xml_finish(writer);
}

static bool fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool fail(GError **error, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "metadata: %s", message);
}

static bool read_attribute(const Attribute *attribute, const char *value, void *member, GError **error)
{
    bool small = attribute->kind == ATTRIBUTE_NUMBER32;
    guint64 number;
    int word;

    switch (attribute->kind) {
    case ATTRIBUTE_WORD:
        word = viommu_enum_from_string(attribute->words, value);
        if (word == VIOMMU_UNSET)
            return fail(error, "%s '%s' is not known", attribute->name, value);
        *(int *)member = word;
        break;
    case ATTRIBUTE_NUMBER32:
    case ATTRIBUTE_NUMBER64:
        if (!g_ascii_string_to_unsigned(value, 10, 0, small ? UINT32_MAX : UINT64_MAX, &number, NULL))
            return fail(error, "%s '%s' is not a %d-bit number", attribute->name, value, small ? 32 : 64);
        if (small)
            *(uint32_t *)member = (uint32_t)number;
        else
            *(uint64_t *)member = number;
        break;
    case ATTRIBUTE_TEXT:
        g_free(*(char **)member);
        *(char **)member = g_strdup(value);
        break;
    }
    return true;
}

static bool read_version(const xmlNode *root, ViommuMetadata *metadata, GError **error)
{
    g_autofree char *version = viommu_xml_get(root, "version");
    guint64 number;

    if (!version || !g_ascii_string_to_unsigned(version, 10, 0, UINT32_MAX, &number, NULL))
        return fail(error, "version '%s' is not a number", version ? version : "");
    metadata->version = (uint32_t)number;
    metadata->foreign = number != VIOMMU_METADATA_VERSION;
    return true;
}

/* A phase outside the core means that nothing has to be undone. */
static bool read_foreign_phase(const char *value, ViommuMetadata *metadata)
{
    static const ViommuState core[] = {VIOMMU_STATE_DEFINING, VIOMMU_STATE_STARTING, VIOMMU_STATE_RUNNING,
                                       VIOMMU_STATE_STOPPING, VIOMMU_STATE_STOPPED};
    int phase = value ? viommu_enum_from_string(&viommu_enum_state, value) : VIOMMU_UNSET;

    metadata->phase = VIOMMU_STATE_RUNNING;
    for (size_t i = 0; i < G_N_ELEMENTS(core); i++)
        if (phase == (int)core[i])
            metadata->phase = core[i];
    return true;
}

static bool read_one(const Attribute *attribute, const char *value, ViommuMetadata *metadata, GError **error)
{
    if (metadata->foreign && !attribute->core)
        return true;
    if (metadata->foreign && attribute->words)
        return read_foreign_phase(value, metadata);
    if (!value)
        return attribute->optional || fail(error, "attribute '%s' is missing", attribute->name);
    return read_attribute(attribute, value, member_of(metadata, attribute), error);
}

/* Attributes that are not in the table belong to a later viommud: skip them. */
static bool read_attributes(const xmlNode *root, bool additions, ViommuMetadata *metadata, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
        g_autofree char *value = viommu_xml_get(root, attributes[i].name);

        if (additions && (!value || !attributes[i].addition))
            continue;
        if (!read_one(&attributes[i], value, metadata, error))
            return false;
    }
    /* The name becomes part of a file's name, and of messages. */
    return !metadata->name || viommu_request_name_is_valid(metadata->name) ||
           fail(error, "name '%s' is not a valid machine name", metadata->name);
}

/* In namespace @uri, or in none: libvirt strips the prefixes from an element that it returns. */
static bool is_in(const xmlNode *node, const char *uri)
{
    return !node->ns || g_strcmp0((const char *)node->ns->href, uri) == 0;
}

/* The index of the row; VIOMMU_UNSET: there is no row of this name. */
static int find_list(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        if (g_str_equal(name, lists[i].names[SPELLING_PLAIN]))
            return (int)i;
    return VIOMMU_UNSET;
}

static bool read_text_element(const xmlNode *node, ViommuMetadata *metadata, GPtrArray **texts,
                              GError **error)
{
    const char *name = (const char *)node->name;
    int list = find_list(name);

    if ((list == VIOMMU_UNSET && !g_str_equal(name, request_names[SPELLING_PLAIN])) ||
        !is_in(node, VIOMMU_METADATA_URI))
        return true;
    if (viommu_xml_child(node, NULL))
        return fail(error, "<%s> must contain only text", name);
    if (list != VIOMMU_UNSET)
        g_ptr_array_add(texts[list], viommu_xml_content(node));
    else if (metadata->request)
        return fail(error, "<request> appears twice");
    else
        metadata->request = viommu_xml_content(node);
    return true;
}

/* Unknown elements are skipped, and stay in the domain. */
static bool read_elements(const xmlNode *root, ViommuMetadata *metadata, GError **error)
{
    GPtrArray *texts[G_N_ELEMENTS(lists)];
    bool ok = true;

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        texts[i] = g_ptr_array_new();
    for (xmlNode *node = root->children; ok && node && !metadata->foreign; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            ok = read_text_element(node, metadata, texts, error);
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        *list_of(metadata, i) = take_strings(texts[i]);
    return ok && (metadata->request || metadata->foreign || fail(error, "<request> is missing"));
}

/* The document of the element @name of namespace @uri.  NULL: it is another element. */
static xmlDoc *parse(const char *xml, const char *name, const char *uri, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, name, VIOMMU_ERROR_INTERNAL, error);
    const xmlNode *root = document ? xmlDocGetRootElement(document) : NULL;

    if (!document) {
        g_prefix_error(error, "metadata: ");
        return NULL;
    }
    if (is_in(root, uri))
        return g_steal_pointer(&document);
    fail(error, "<%s> is in the foreign namespace '%s'", name, (const char *)root->ns->href);
    return NULL;
}

static ViommuMetadata *read_document(xmlDoc *document, GError **error)
{
    g_autoptr(ViommuMetadata) metadata = g_new0(ViommuMetadata, 1);
    const xmlNode *root = xmlDocGetRootElement(document);

    metadata->model = VIOMMU_MODEL_NONE;
    if (!read_version(root, metadata, error) || !read_attributes(root, false, metadata, error) ||
        !read_elements(root, metadata, error))
        return NULL;
    return g_steal_pointer(&metadata);
}

static bool read_additions(const char *xml, ViommuMetadata *metadata, GError **error)
{
    g_autoptr(xmlDoc) document = parse(xml, ADDITIONS, VIOMMU_ADDITIONS_URI, error);

    return document && read_attributes(xmlDocGetRootElement(document), true, metadata, error);
}

ViommuMetadata *viommu_metadata_from_xml(const char *xml, const char *additions, GError **error)
{
    g_autoptr(xmlDoc) document = parse(xml, ROOT, VIOMMU_METADATA_URI, error);
    g_autoptr(ViommuMetadata) metadata = document ? read_document(document, error) : NULL;

    if (!metadata || (additions && !read_additions(additions, metadata, error)))
        return NULL;
    return g_steal_pointer(&metadata);
}

/* --- Changing a part --- */

static bool is_ours_ns(const xmlNs *ns)
{
    return ns && g_strcmp0((const char *)ns->href, VIOMMU_METADATA_URI) == 0;
}

/* Whether the declaration is still needed: viommud never writes attributes with its prefix, but
 * somebody else may have. */
static bool has_prefixed(const xmlNode *node)
{
    for (const xmlAttr *attr = node->properties; attr; attr = attr->next)
        if (is_ours_ns(attr->ns))
            return true;
    for (const xmlNode *child = node->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE && has_prefixed(child))
            return true;
    return false;
}

static void forget_declarations(xmlNode *node)
{
    for (xmlNs **ns = &node->nsDef; *ns;) {
        xmlNs *gone = *ns;

        if (!is_ours_ns(gone)) {
            ns = &gone->next;
            continue;
        }
        *ns = gone->next;
        xmlFreeNs(gone);
    }
}

/* libvirt declares viommud's namespace itself. */
static void strip(xmlNode *node)
{
    if (is_ours_ns(node->ns))
        node->ns = NULL;
    for (xmlNode *child = node->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            strip(child);
    forget_declarations(node);
}

static void set_number(xmlNode *root, const char *name, uint64_t number)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

    xmlSetProp(root, (const xmlChar *)name, (const xmlChar *)text);
}

static void apply(xmlNode *root, const ViommuMetadataChange *change)
{
    const char *phase = viommu_enum_to_string(&viommu_enum_state, (int)change->phase);
    g_autofree char *boot = viommu_xml_get(root, "boot");

    if (phase)
        xmlSetProp(root, (const xmlChar *)"phase", (const xmlChar *)phase);
    if (change->lease_end_usec == 0)
        return;
    set_number(root, "lease-end", change->lease_end_usec);
    if (!boot || viommu_lease_boot_is_known(boot))
        xmlSetProp(root, (const xmlChar *)"boot", (const xmlChar *)change->boot);
}

char *viommu_metadata_change(const char *xml, const ViommuMetadataChange *change, GError **error)
{
    g_autoptr(xmlDoc) document = parse(xml, ROOT, VIOMMU_METADATA_URI, error);
    g_autoptr(ViommuMetadata) metadata = document ? read_document(document, error) : NULL;
    xmlNode *root = metadata ? xmlDocGetRootElement(document) : NULL;
    xmlBuffer *buffer;
    char *text;

    if (!metadata)
        return NULL;
    if (has_prefixed(root)) {
        fail(error, "an attribute has a namespace prefix");
        return NULL;
    }
    strip(root);
    apply(root, change);
    buffer = xmlBufferCreate();
    xmlNodeDump(buffer, document, root, 0, 0);
    text = g_strdup((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    return text;
}

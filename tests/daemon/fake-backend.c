/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-backend: one table under one lock; news is reported without the lock. */
#include "tests/daemon/fake-backend.h"

#include <string.h>
#include "lib/base/names.h"

#define DEBIAN12                                                                                                 \
    "{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, 'accelerators': <['tcg']>}," \
    " {'arch': <'aarch64'>, 'qemu': <'7.2.22'>, 'accelerators': <['tcg']>}]>}"

struct ViommuBackend {
    ViommuNewsFunc news;
    void *news_data;
    const char *root; /* NULL: "/" */
};

static ViommuBackend *the_backend;
static GHashTable *domains; /* UUID -> FakeDomain, owned */
static unsigned refusals;
static char *host_text, *refusal;
static const char *network_mode = "nat";

static void free_domain(void *data)
{
    FakeDomain *domain = data;

    g_free(domain->name);
    g_free(domain->xml);
    g_free(domain->metadata);
    g_free(domain->additions);
    g_free(domain->attached);
    g_clear_pointer(&domain->devices, g_ptr_array_unref);
    g_free(domain->agent_output);
    g_free(domain->hostdev);
    fake_command_clear(&domain->command);
    g_clear_pointer(&domain->forwards, g_array_unref);
    g_free(domain->console_refusal);
    viommu_console_news_free(domain->news);
    if (domain->input)
        g_string_free(domain->input, TRUE);
    g_free(domain);
}

static GHashTable *table(void)
{
    if (!domains)
        domains = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_domain);
    return domains;
}

/* --- Set by a test --- */

void fake_refuse(unsigned times, const char *words)
{
    g_mutex_lock(&fake_lock);
    refusals = times;
    g_free(refusal);
    refusal = g_strdup(words);
    g_mutex_unlock(&fake_lock);
}

static FakeDomain *add(const char *name, const char *uuid, const char *metadata, const char *additions,
                       bool active)
{
    FakeDomain *domain = g_new0(FakeDomain, 1);

    domain->name = g_strdup(name);
    g_strlcpy(domain->uuid, uuid, sizeof(domain->uuid));
    domain->metadata = g_strdup(metadata);
    domain->additions = g_strdup(additions);
    domain->xml = g_strdup_printf("<domain><name>%s</name></domain>", name);
    domain->active = active;
    domain->input = g_string_new(NULL);
    g_mutex_lock(&fake_lock);
    g_hash_table_replace(table(), domain->uuid, domain);
    g_mutex_unlock(&fake_lock);
    return domain;
}

FakeDomain *fake_add(const char *name, const char *uuid, const char *metadata, bool active)
{
    return add(name, uuid, metadata, NULL, active);
}

FakeDomain *fake_find_held(const char *uuid)
{
    return g_hash_table_lookup(table(), uuid);
}

GArray *fake_usage_held(void)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(ViommuUsage));
    GHashTableIter iterator;
    void *value;

    g_hash_table_iter_init(&iterator, table());
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        const FakeDomain *domain = value;
        ViommuUsage usage = {.cpu_nsec = domain->cpu_nsec, .memory_bytes = VIOMMU_USAGE_UNKNOWN};

        g_strlcpy(usage.uuid, domain->uuid, sizeof(usage.uuid));
        if (domain->active)
            g_array_append_val(found, usage);
    }
    return found;
}

FakeDomain *fake_find(const char *uuid)
{
    FakeDomain *domain;

    g_mutex_lock(&fake_lock);
    domain = fake_find_held(uuid);
    g_mutex_unlock(&fake_lock);
    return domain;
}

void fake_forget(const char *uuid)
{
    g_mutex_lock(&fake_lock);
    g_hash_table_remove(table(), uuid);
    g_mutex_unlock(&fake_lock);
}

void fake_set_host(const char *text)
{
    g_mutex_lock(&fake_lock);
    g_free(host_text);
    host_text = g_strdup(text);
    g_mutex_unlock(&fake_lock);
}

void fake_set_network_mode(const char *mode)
{
    g_mutex_lock(&fake_lock);
    network_mode = mode;
    g_mutex_unlock(&fake_lock);
}

/* --- News --- */

void fake_tell(ViommuNewsKind kind, const char *uuid, const char *detail)
{
    ViommuNews news = {.kind = kind, .detail = (char *)detail};

    g_strlcpy(news.uuid, uuid, sizeof(news.uuid));
    if (the_backend && the_backend->news)
        the_backend->news(&news, the_backend->news_data);
}

void fake_end(const char *uuid, ViommuNewsKind kind, const char *detail)
{
    FakeDomain *domain;
    bool closes;

    g_mutex_lock(&fake_lock);
    domain = fake_find_held(uuid);
    closes = domain && domain->console_open;
    if (domain)
        domain->active = false;
    if (closes)
        fake_close_console(domain, NULL);
    g_mutex_unlock(&fake_lock);
    if (closes)
        fake_tell_console(uuid);
    fake_tell(kind, uuid, detail);
}

/* --- The backend itself --- */

bool viommu_backend_new(const char *uri, unsigned n_connections, ViommuBackend **ret_backend, GError **error)
{
    the_backend = *ret_backend = g_new0(ViommuBackend, 1);
    return true;
}

void viommu_backend_set_timeout(ViommuBackend *backend, unsigned seconds)
{
}

void viommu_backend_set_root(ViommuBackend *backend, const char *root)
{
    backend->root = root;
}

const char *viommu_backend_root(const ViommuBackend *backend)
{
    return backend->root ? backend->root : "/";
}

bool viommu_backend_watch(ViommuBackend *backend, ViommuNewsFunc func, void *userdata, GError **error)
{
    backend->news = func;
    backend->news_data = userdata;
    return true;
}

bool viommu_backend_hangs(ViommuBackend *backend)
{
    return false;
}

/* The next backend begins empty. */
void viommu_backend_free(ViommuBackend *backend)
{
    g_clear_pointer(&domains, g_hash_table_unref);
    fake_script_clear();
    network_mode = "nat";
    g_clear_pointer(&host_text, g_free);
    g_clear_pointer(&refusal, g_free);
    refusals = 0;
    fake_consoles_clear();
    the_backend = NULL;
    g_free(backend);
}

const char *viommu_backend_uri(const ViommuBackend *backend)
{
    return "fake:///";
}

bool viommu_backend_is_local(const ViommuBackend *backend)
{
    return true;
}

void viommu_domain_free(ViommuDomain *domain)
{
    g_free(domain->additions);
    g_free(domain->attached);
    g_free(domain->name);
    g_free(domain->metadata);
    g_free(domain);
}

void viommu_holder_free(ViommuHolder *holder)
{
    g_strfreev(holder->hostdevs);
    g_free(holder);
}

/* --- Calls --- */

FakeDomain *fake_begin_domain_call(FakeCall call, const char *uuid, GError **error)
{
    FakeDomain *domain;

    if (!fake_script_begin(call, error))
        return NULL;
    domain = fake_find_held(uuid);
    if (domain)
        return domain;
    g_mutex_unlock(&fake_lock);
    g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND, "there is no domain %s", uuid);
    return NULL;
}

ViommuHost *viommu_backend_probe(ViommuBackend *backend, GError **error)
{
    g_autoptr(GVariant) tree = NULL;
    ViommuHost *host;

    g_mutex_lock(&fake_lock);
    tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, host_text ? host_text : DEBIAN12, NULL, NULL, NULL);
    g_mutex_unlock(&fake_lock);
    if (!fake_script_begin(FAKE_PROBE, error))
        return NULL;
    host = viommu_host_from_variant(tree, NULL);
    g_assert(host);
    (void)fake_script_end(FAKE_PROBE, NULL);
    return host;
}

GPtrArray *viommu_backend_list(ViommuBackend *backend, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_domain_free);
    GHashTableIter iterator;
    FakeDomain *domain;

    if (!fake_script_begin(FAKE_LIST, error))
        return NULL;
    g_hash_table_iter_init(&iterator, table());
    while (g_hash_table_iter_next(&iterator, NULL, (void **)&domain)) {
        ViommuDomain *copy = domain->metadata ? g_new0(ViommuDomain, 1) : NULL;

        if (!copy)
            continue;
        *copy = (ViommuDomain){.name = g_strdup(domain->name),
                               .active = domain->active,
                               .saved = domain->saved,
                               .pause = domain->pause == VIOMMU_PAUSE_DISK_FULL ? VIOMMU_PAUSE_IO_ERROR
                                                                                : domain->pause,
                               .metadata = g_strdup(domain->metadata),
                               .additions = g_strdup(domain->additions),
                               .attached = g_strdup(domain->attached)};
        g_strlcpy(copy->uuid, domain->uuid, sizeof(copy->uuid));
        g_ptr_array_add(list, copy);
    }
    return fake_script_end(FAKE_LIST, error) ? g_steal_pointer(&list) : NULL;
}

/* That of the recorded host. */
bool viommu_backend_read_topology(ViommuBackend *backend, ViommuTopology *topology, GError **error)
{
    g_autoptr(GVariant) tree = NULL, recorded = NULL;

    g_mutex_lock(&fake_lock);
    tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, host_text ? host_text : DEBIAN12, NULL, NULL, NULL);
    g_mutex_unlock(&fake_lock);
    if (!fake_script_begin(FAKE_TOPOLOGY, error))
        return false;
    recorded = g_variant_lookup_value(tree, "topology", G_VARIANT_TYPE_VARDICT);
    g_assert(!recorded || viommu_fields_read(&viommu_topology_fields, recorded, "", topology, NULL));
    return fake_script_end(FAKE_TOPOLOGY, error);
}

char *viommu_backend_network_mode(ViommuBackend *backend, const char *name, GError **error)
{
    g_autofree char *mode = NULL;

    if (!fake_script_begin(FAKE_NETWORK, error))
        return NULL;
    mode = g_strdup(network_mode);
    return fake_script_end(FAKE_NETWORK, error) ? g_steal_pointer(&mode) : NULL;
}

bool viommu_backend_read_size(ViommuBackend *backend, ViommuDomain *domain, GError **error)
{
    domain->vcpus = 3;
    domain->memory_bytes = (uint64_t)3 << 30;
    return true;
}

GPtrArray *viommu_backend_list_holders(ViommuBackend *backend, GError **error)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_holder_free);
    GHashTableIter iterator;
    FakeDomain *domain;

    g_mutex_lock(&fake_lock);
    g_hash_table_iter_init(&iterator, table());
    while (g_hash_table_iter_next(&iterator, NULL, (void **)&domain)) {
        ViommuHolder *holder = domain->active && domain->hostdev ? g_new0(ViommuHolder, 1) : NULL;

        if (!holder)
            continue;
        g_strlcpy(holder->uuid, domain->uuid, sizeof(holder->uuid));
        holder->hostdevs = g_strsplit(domain->hostdev, " ", -1);
        g_ptr_array_add(list, holder);
    }
    g_mutex_unlock(&fake_lock);
    return list;
}

/* The part of @text from @begin to @end, with both when @whole.  Owned. */
static char *part_of(const char *text, const char *begin, const char *end, bool whole)
{
    const char *first = strstr(text, begin), *last = first ? strstr(first, end) : NULL;

    g_assert(last);
    return whole ? g_strndup(first, (gsize)(last - first) + strlen(end))
                 : g_strndup(first + strlen(begin), (gsize)(last - first) - strlen(begin));
}

bool viommu_backend_define(ViommuBackend *backend, const char *xml, bool *ret_unsupported, GError **error)
{
    g_autofree char *name = part_of(xml, "<name>", "</name>", false);
    g_autofree char *uuid = part_of(xml, "<uuid>", "</uuid>", false);
    g_autofree char *metadata =
        part_of(xml, "<" VIOMMU_METADATA_PREFIX ":machine", "</" VIOMMU_METADATA_PREFIX ":machine>", true);
    g_autofree char *additions = part_of(xml, "<" VIOMMU_ADDITIONS_PREFIX ":additions", "/>", true);
    bool answered;

    *ret_unsupported = false;
    if (!fake_script_begin(FAKE_DEFINE, error))
        return false;
    if (refusals > 0) {
        refusals--;
        *ret_unsupported = true;
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "%s", refusal);
        g_mutex_unlock(&fake_lock);
        return false;
    }
    answered = fake_script_end(FAKE_DEFINE, error);
    (void)add(name, uuid, metadata, additions, false);
    fake_tell(VIOMMU_NEWS_DEFINED, uuid, NULL);
    return answered;
}

char *viommu_backend_get_metadata(ViommuBackend *backend, const char *uuid, GError **error)
{
    FakeDomain *domain = fake_begin_domain_call(FAKE_GET_METADATA, uuid, error);
    g_autofree char *metadata = domain ? g_strdup(domain->metadata) : NULL;

    return domain && fake_script_end(FAKE_GET_METADATA, error) ? g_steal_pointer(&metadata) : NULL;
}

char *viommu_backend_get_additions(ViommuBackend *backend, const char *uuid)
{
    FakeDomain *domain = fake_begin_domain_call(FAKE_GET_METADATA, uuid, NULL);
    g_autofree char *additions = domain ? g_strdup(domain->additions) : NULL;

    return domain && fake_script_end(FAKE_GET_METADATA, NULL) ? g_steal_pointer(&additions) : NULL;
}

bool viommu_backend_set_metadata(ViommuBackend *backend, const char *uuid, const char *metadata,
                                 GError **error)
{
    FakeDomain *domain = fake_begin_domain_call(FAKE_SET_METADATA, uuid, error);

    if (!domain)
        return false;
    g_free(domain->metadata);
    domain->metadata = g_strdup(metadata);
    return fake_script_end(FAKE_SET_METADATA, error);
}

/* The ports of the host are those of the guest, and 40000, or known before. */
static void open_ports(FakeDomain *domain, GArray *forwards)
{
    for (ViommuForward *at = (void *)forwards->data;
         at != (void *)(forwards->data + forwards->len * sizeof(*at)); at++)
        if (at->host_port == 0)
            at->host_port = at->guest_port + 40000;
    domain->forwards = g_array_copy(forwards);
}

bool viommu_backend_start(ViommuBackend *backend, const char *uuid, const ViommuBackendStart *start,
                          GError **error)
{
    FakeDomain *domain = fake_begin_domain_call(FAKE_START, uuid, error);
    bool answered;

    if (!domain)
        return false;
    domain->active = true;
    if (start->forwards)
        open_ports(domain, start->forwards);
    answered = fake_script_end(FAKE_START, error);
    viommu_backend_open_console(backend, uuid, start->lane);
    fake_tell(VIOMMU_NEWS_STARTED, uuid, NULL);
    return answered;
}

bool viommu_backend_shutdown(ViommuBackend *backend, const char *uuid, GError **error)
{
    const FakeDomain *domain = fake_begin_domain_call(FAKE_SHUTDOWN, uuid, error);
    bool obeys = domain && domain->obeys, answered = domain && fake_script_end(FAKE_SHUTDOWN, error);

    if (obeys)
        fake_end(uuid, VIOMMU_NEWS_SHUTDOWN, NULL);
    return answered;
}

bool viommu_backend_destroy(ViommuBackend *backend, const char *uuid, GError **error)
{
    const FakeDomain *domain;
    bool active, answered;

    if (!fake_script_begin(FAKE_DESTROY, error))
        return false;
    domain = fake_find_held(uuid);
    active = domain && domain->active;
    answered = fake_script_end(FAKE_DESTROY, error);
    if (active)
        fake_end(uuid, VIOMMU_NEWS_DESTROYED, "destroyed");
    return answered;
}

bool viommu_backend_reset(ViommuBackend *backend, const char *uuid, GError **error)
{
    return fake_begin_domain_call(FAKE_RESET, uuid, error) && fake_script_end(FAKE_RESET, error);
}

static bool set_pause(FakeCall call, const char *uuid, ViommuPause pause, ViommuNewsKind kind, GError **error)
{
    FakeDomain *domain = fake_begin_domain_call(call, uuid, error);
    bool answered;

    if (!domain)
        return false;
    domain->pause = pause;
    answered = fake_script_end(call, error);
    fake_tell(kind, uuid, NULL);
    return answered;
}

bool viommu_backend_suspend(ViommuBackend *backend, const char *uuid, GError **error)
{
    return set_pause(FAKE_SUSPEND, uuid, VIOMMU_PAUSE_SUSPENDED, VIOMMU_NEWS_SUSPENDED, error);
}

bool viommu_backend_resume(ViommuBackend *backend, const char *uuid, GError **error)
{
    return set_pause(FAKE_RESUME, uuid, VIOMMU_PAUSE_NONE, VIOMMU_NEWS_RESUMED, error);
}

bool viommu_backend_undefine(ViommuBackend *backend, const char *uuid, GError **error)
{
    bool there, answered;

    if (!fake_script_begin(FAKE_UNDEFINE, error))
        return false;
    there = g_hash_table_remove(table(), uuid);
    answered = fake_script_end(FAKE_UNDEFINE, error);
    if (there)
        fake_tell(VIOMMU_NEWS_UNDEFINED, uuid, NULL);
    return answered;
}

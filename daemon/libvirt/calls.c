/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* calls: the calls of daemon/libvirt/backend.h, each one question or one order to libvirt.  Knows
 * neither machines nor plans; does not log. */
#include "daemon/libvirt/internal.h"

#include <string.h>
#include "lib/base/names.h"

struct ViommuBackend {
    ViommuPool *pool;
    ViommuPool *agents; /* for calls that a guest can delay */
    ViommuProbe *probe;
    ViommuWatch *watch;
    ViommuConsoles *consoles; /* NULL: consoles are not watched */
};

typedef virDomainPtr Domain;
static void domain_clear(Domain *domain)
{
    if (*domain)
        virDomainFree(*domain);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Domain, domain_clear)

static void ignore_error(void *data, virErrorPtr error)
{
}

bool viommu_backend_new(const char *uri, unsigned n_connections, ViommuBackend **ret_backend, GError **error)
{
    ViommuBackend *backend;

    /* libvirt would print each error to stderr; errors are returned as a GError. */
    virSetErrorFunc(NULL, ignore_error);
    if (virInitialize() < 0)
        return viommu_libvirt_fail(error, "cannot initialise libvirt");
    if (!viommu_event_thread_start(error))
        return false;
    backend = g_new0(ViommuBackend, 1);
    backend->pool = viommu_pool_new(uri, n_connections);
    backend->agents = viommu_pool_new(uri, VIOMMU_BACKEND_AGENTS);
    backend->probe = viommu_probe_new(backend->pool);
    *ret_backend = backend;
    return true;
}

void viommu_backend_set_timeout(ViommuBackend *backend, unsigned seconds)
{
    viommu_pool_set_timeout(backend->pool, seconds);
    viommu_pool_set_timeout(backend->agents, seconds);
}

void viommu_backend_set_root(ViommuBackend *backend, const char *root)
{
    viommu_probe_set_root(backend->probe, root);
}

const char *viommu_backend_root(const ViommuBackend *backend)
{
    return viommu_probe_root(backend->probe);
}

bool viommu_backend_watch(ViommuBackend *backend, ViommuNewsFunc func, void *userdata, GError **error)
{
    g_return_val_if_fail(!backend->watch, false);
    backend->watch = viommu_watch_new(backend->pool, func, userdata, error);
    return backend->watch;
}

bool viommu_backend_hangs(ViommuBackend *backend)
{
    return backend->watch && viommu_watch_is_opening(backend->watch);
}

void viommu_backend_free(ViommuBackend *backend)
{
    if (!backend)
        return;
    viommu_watch_stop(backend->watch);
    viommu_consoles_stop(backend->consoles);
    viommu_probe_free(backend->probe);
    viommu_pool_free(backend->agents);
    viommu_pool_free(backend->pool);
    /* Last, because closing a connection leaves work for the event loop. */
    viommu_event_thread_stop();
    viommu_watch_free(backend->watch);
    viommu_consoles_free(backend->consoles);
    g_free(backend);
}

const char *viommu_backend_uri(const ViommuBackend *backend)
{
    return viommu_pool_uri(backend->pool);
}

bool viommu_backend_is_local(const ViommuBackend *backend)
{
    return viommu_pool_is_local(backend->pool);
}

ViommuHost *viommu_backend_probe(ViommuBackend *backend, GError **error)
{
    return viommu_probe_host(backend->probe, error);
}

GPtrArray *viommu_backend_list(ViommuBackend *backend, GError **error)
{
    return viommu_list_domains(backend->pool, error);
}

GPtrArray *viommu_backend_list_unmarked(ViommuBackend *backend, const char *prefix, GError **error)
{
    return viommu_list_unmarked(backend->pool, prefix, error);
}

GPtrArray *viommu_backend_list_holders(ViommuBackend *backend, GError **error)
{
    return viommu_list_holders(backend->pool, error);
}

char *viommu_backend_find_xml(ViommuBackend *backend, const char *name, GError **error)
{
    return viommu_list_find_xml(backend->pool, name, error);
}

bool viommu_backend_read_topology(ViommuBackend *backend, ViommuTopology *topology, GError **error)
{
    return viommu_probe_topology(backend->probe, topology, error);
}

GArray *viommu_backend_read_usage(ViommuBackend *backend, GError **error)
{
    return viommu_usage_read(backend->pool, error);
}

char *viommu_backend_network_mode(ViommuBackend *backend, const char *name, GError **error)
{
    return viommu_network_mode(backend->pool, name, error);
}

GArray *viommu_backend_read_forwards(ViommuBackend *backend, const char *uuid, GError **error)
{
    return viommu_forward_list(backend->pool, uuid, error);
}

char **viommu_backend_read_addresses(ViommuBackend *backend, const char *uuid, GError **error)
{
    return viommu_addresses_read(backend->pool, uuid, error);
}

ViommuPool *viommu_backend_agents(ViommuBackend *backend)
{
    return backend->agents;
}

ViommuPool *viommu_backend_pool(ViommuBackend *backend)
{
    return backend->pool;
}

/* --- Arguments and results of the calls below --- */

typedef struct Call {
    const char *uuid;
    const char *text; /* XML in */
    char *ret_text;
    bool ret_flag;
} Call;

static bool find_domain(virConnectPtr connection, const char *uuid, Domain *ret_domain, GError **error)
{
    *ret_domain = virDomainLookupByUUIDString(connection, uuid);
    return *ret_domain || viommu_libvirt_fail(error, "cannot find domain '%s'", uuid);
}

/* --- Define --- */

/* The text of the first <element> of a document that viommud wrote: names and UUIDs need no
 * unescaping. */
static char *leaf_text(const char *xml, const char *element)
{
    g_autofree char *open = g_strdup_printf("<%s>", element);
    const char *start = strstr(xml, open);

    if (!start)
        return NULL;
    start += strlen(open);
    return g_strndup(start, strcspn(start, "<"));
}

/* For a taken name libvirt only reports "operation failed", with an English text; so look which
 * domain has the name. */
static bool name_is_taken(virConnectPtr connection, const char *name, const char *uuid)
{
    g_auto(Domain) other = name ? virDomainLookupByName(connection, name) : NULL;
    char other_uuid[VIR_UUID_STRING_BUFLEN];

    return other && virDomainGetUUIDString(other, other_uuid) == 0 && g_strcmp0(uuid, other_uuid) != 0;
}

static bool define_domain(virConnectPtr connection, void *data, GError **error)
{
    Call *call = data;
    g_auto(Domain) domain = virDomainDefineXMLFlags(connection, call->text, VIR_DOMAIN_DEFINE_VALIDATE);
    g_autofree char *name = leaf_text(call->text, "name"), *uuid = leaf_text(call->text, "uuid");
    g_autoptr(GError) cause = NULL;

    /* libvirt 12 may leave an error behind although it defined the domain: only the return value
     * counts. */
    if (domain)
        return true;
    call->ret_flag = viommu_libvirt_last_unsupported();
    viommu_libvirt_fail(&cause, "cannot define domain '%s'", name);
    if (!call->ret_flag && name_is_taken(connection, name, uuid))
        viommu_fail(error, VIOMMU_ERROR_EXISTS,
                    "cannot define domain '%s': another domain already has this name; choose another name",
                    name);
    else
        g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

bool viommu_backend_define(ViommuBackend *backend, const char *xml, bool *ret_unsupported, GError **error)
{
    Call call = {.text = xml};
    bool ok = viommu_pool_call(backend->pool, define_domain, &call, true, error);

    *ret_unsupported = call.ret_flag;
    return ok;
}

/* --- Metadata --- */

static bool get_metadata(virConnectPtr connection, void *data, GError **error)
{
    Call *call = data;
    g_auto(Domain) domain = NULL;

    if (!find_domain(connection, call->uuid, &domain, error))
        return false;
    call->ret_text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, call->text, 0);
    return call->ret_text ||
           viommu_libvirt_fail(error, "cannot read the metadata of domain '%s'", call->uuid);
}

char *viommu_backend_get_metadata(ViommuBackend *backend, const char *uuid, GError **error)
{
    Call call = {.uuid = uuid, .text = VIOMMU_METADATA_URI};

    return viommu_pool_call(backend->pool, get_metadata, &call, true, error) ? call.ret_text : NULL;
}

char *viommu_backend_get_additions(ViommuBackend *backend, const char *uuid)
{
    Call call = {.uuid = uuid, .text = VIOMMU_ADDITIONS_URI};

    return viommu_pool_call(backend->pool, get_metadata, &call, true, NULL) ? call.ret_text : NULL;
}

static bool set_metadata(virConnectPtr connection, void *data, GError **error)
{
    const Call *call = data;
    g_auto(Domain) domain = NULL;
    unsigned flags = VIR_DOMAIN_AFFECT_CONFIG;

    if (!find_domain(connection, call->uuid, &domain, error))
        return false;
    if (virDomainIsActive(domain) == 1)
        flags |= VIR_DOMAIN_AFFECT_LIVE;
    for (;; flags = VIR_DOMAIN_AFFECT_CONFIG) {
        if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, call->text, VIOMMU_METADATA_PREFIX,
                                 VIOMMU_METADATA_URI, flags) == 0)
            return true;
        /* The guest may have ended meanwhile. */
        if (!(flags & VIR_DOMAIN_AFFECT_LIVE) || viommu_libvirt_last_code() != VIR_ERR_OPERATION_INVALID)
            return viommu_libvirt_fail(error, "cannot store the metadata of domain '%s'", call->uuid);
    }
}

bool viommu_backend_set_metadata(ViommuBackend *backend, const char *uuid, const char *metadata,
                                 GError **error)
{
    Call call = {.uuid = uuid, .text = metadata};

    return viommu_pool_call(backend->pool, set_metadata, &call, true, error);
}

/* --- Orders --- */

typedef struct Start {
    ViommuConsoles *consoles; /* NULL: no console is opened */
    const char *uuid;
    const ViommuBackendStart *with;
} Start;

/* A domain that already runs is left alone: an earlier call may have started it. */
static bool run_paused(virDomainPtr domain, const char *uuid, GError **error)
{
    g_autoptr(GError) cause = NULL;
    int state;

    if (virDomainResume(domain) == 0)
        return true;
    viommu_libvirt_fail(&cause, "cannot run domain '%s'", uuid);
    if (virDomainGetState(domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_RUNNING)
        return true;
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

/* QEMU runs with the rights of the launching user, but libvirt reports what its own user may
 * use. */
static void advise_kvm(GError **error)
{
    char *words;

    if (!strstr((*error)->message, "Could not access KVM kernel module: Permission denied"))
        return;
    words = g_strconcat(
        (*error)->message,
        "; QEMU runs with the rights of the launching user, which do not include /dev/kvm: have root add the user to its group (usermod -aG kvm USER), or request accelerator 'tcg'",
        NULL);
    g_free((*error)->message);
    (*error)->message = words;
}

static bool create(virDomainPtr domain, const Start *start, unsigned flags, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (virDomainCreateWithFlags(domain, flags) == 0)
        return true;
    viommu_libvirt_fail(&cause, "cannot start domain '%s'", start->uuid);
    advise_kvm(&cause);
    if (virDomainIsActive(domain) == 1)
        return true;
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

/* QEMU drops output while the console is not open, so the guest is resumed after it was opened; and
 * a caller that sees the guest run can read its ports. */
static bool start_domain(virConnectPtr connection, void *data, GError **error)
{
    const Start *start = data;
    bool pauses = start->consoles || start->with->forwards;
    g_auto(Domain) domain = NULL;

    if (!find_domain(connection, start->uuid, &domain, error) ||
        !viommu_device_give_files(domain, start->with->files, error) ||
        !create(domain, start, pauses ? VIR_DOMAIN_START_PAUSED : 0, error))
        return false;
    if (start->with->forwards && !viommu_forward_open(domain, start->with->forwards, error))
        return false;
    if (start->consoles)
        viommu_consoles_open_now(start->consoles, start->uuid, start->with->lane);
    return !pauses || run_paused(domain, start->uuid, error);
}

bool viommu_backend_start(ViommuBackend *backend, const char *uuid, const ViommuBackendStart *with,
                          GError **error)
{
    Start start = {backend->consoles, uuid, with};

    return viommu_pool_call(backend->pool, start_domain, &start, true, error);
}

static bool shutdown_domain(virConnectPtr connection, void *data, GError **error)
{
    const Call *call = data;
    g_auto(Domain) domain = NULL;

    if (!find_domain(connection, call->uuid, &domain, error))
        return false;
    return virDomainShutdown(domain) == 0 ||
           viommu_libvirt_fail(error, "cannot shut down domain '%s'", call->uuid);
}

bool viommu_backend_shutdown(ViommuBackend *backend, const char *uuid, GError **error)
{
    Call call = {.uuid = uuid};

    return viommu_pool_call(backend->pool, shutdown_domain, &call, true, error);
}

static bool destroy_domain(virConnectPtr connection, void *data, GError **error)
{
    const Call *call = data;
    g_auto(Domain) domain = NULL;
    g_autoptr(GError) cause = NULL;

    if (!find_domain(connection, call->uuid, &domain, error))
        return false;
    if (virDomainDestroy(domain) == 0)
        return true;
    viommu_libvirt_fail(&cause, "cannot destroy domain '%s'", call->uuid);
    if (virDomainIsActive(domain) == 0)
        return true;
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

/* A domain that does not exist neither runs nor is defined. */
static bool call_unless_gone(ViommuBackend *backend, ViommuPoolFunc func, const char *uuid, GError **error)
{
    Call call = {.uuid = uuid};
    g_autoptr(GError) cause = NULL;

    if (viommu_pool_call(backend->pool, func, &call, true, &cause) ||
        g_error_matches(cause, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

bool viommu_backend_destroy(ViommuBackend *backend, const char *uuid, GError **error)
{
    return call_unless_gone(backend, destroy_domain, uuid, error);
}

static bool reset_domain(virConnectPtr connection, void *data, GError **error)
{
    const Call *call = data;
    g_auto(Domain) domain = NULL;

    if (!find_domain(connection, call->uuid, &domain, error))
        return false;
    return virDomainReset(domain, 0) == 0 ||
           viommu_libvirt_fail(error, "cannot reset domain '%s'", call->uuid);
}

bool viommu_backend_reset(ViommuBackend *backend, const char *uuid, GError **error)
{
    return viommu_pool_call(backend->pool, reset_domain, &(Call){.uuid = uuid}, false, error);
}

bool viommu_backend_suspend(ViommuBackend *backend, const char *uuid, GError **error)
{
    return viommu_pause_begin(backend->pool, uuid, error);
}

bool viommu_backend_resume(ViommuBackend *backend, const char *uuid, GError **error)
{
    return viommu_pause_end(backend->pool, uuid, error);
}

bool viommu_backend_find_pause(ViommuBackend *backend, const char *uuid, ViommuPause *ret_pause,
                               GError **error)
{
    return viommu_pause_find(backend->pool, uuid, ret_pause, error);
}

/* --- Undefine --- */

/* What to remove with a domain, most first.  A libvirt or driver that does not know a flag refuses
 * the call before it does anything, and the next row is tried. */
static const unsigned undefine_flags[] = {
#if LIBVIR_CHECK_VERSION(8, 9, 0)
    VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
        VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_TPM,
#endif
    VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
        VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM,
    VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM,
    VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA, /* the test driver */
};

static bool flags_were_refused(void)
{
    int code = viommu_libvirt_last_code();

    return code == VIR_ERR_INVALID_ARG || code == VIR_ERR_ARGUMENT_UNSUPPORTED;
}

static bool undefine_domain(virConnectPtr connection, void *data, GError **error)
{
    const Call *call = data;
    g_auto(Domain) domain = NULL;

    if (!find_domain(connection, call->uuid, &domain, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(undefine_flags); i++) {
        if (virDomainUndefineFlags(domain, undefine_flags[i]) == 0)
            return true;
        if (!flags_were_refused())
            break;
    }
    return viommu_libvirt_fail(error, "cannot undefine domain '%s'", call->uuid);
}

bool viommu_backend_undefine(ViommuBackend *backend, const char *uuid, GError **error)
{
    return call_unless_gone(backend, undefine_domain, uuid, error);
}

/* --- Questions --- */

static bool read_xml(virConnectPtr connection, void *data, GError **error)
{
    Call *call = data;
    g_auto(Domain) domain = NULL;

    if (!find_domain(connection, call->uuid, &domain, error))
        return false;
    call->ret_text = virDomainGetXMLDesc(domain, 0);
    return call->ret_text || viommu_libvirt_fail(error, "cannot read the XML of domain '%s'", call->uuid);
}

char *viommu_backend_get_xml(ViommuBackend *backend, const char *uuid, GError **error)
{
    Call call = {.uuid = uuid};

    return viommu_pool_call(backend->pool, read_xml, &call, true, error) ? call.ret_text : NULL;
}

static bool read_active(virConnectPtr connection, void *data, GError **error)
{
    Call *call = data;
    g_auto(Domain) domain = NULL;
    int active;

    if (!find_domain(connection, call->uuid, &domain, error))
        return false;
    active = virDomainIsActive(domain);
    if (active < 0)
        return viommu_libvirt_fail(error, "cannot read the state of domain '%s'", call->uuid);
    call->ret_flag = active;
    return true;
}

bool viommu_backend_is_active(ViommuBackend *backend, const char *uuid, bool *ret_active, GError **error)
{
    Call call = {.uuid = uuid};

    if (!viommu_pool_call(backend->pool, read_active, &call, true, error))
        return false;
    *ret_active = call.ret_flag;
    return true;
}

bool viommu_backend_read_size(ViommuBackend *backend, ViommuDomain *domain, GError **error)
{
    return viommu_size_read(backend->pool, domain, error);
}

/* --- Consoles --- */

bool viommu_backend_watch_consoles(ViommuBackend *backend, ViommuConsoleFunc func, void *userdata)
{
    g_return_val_if_fail(!backend->consoles, false);
    /* libvirt's test driver has no consoles, in this process (test:) or in another (test+unix:). */
    if (!g_str_has_prefix(viommu_backend_uri(backend), "test"))
        backend->consoles = viommu_consoles_new(backend->pool, func, userdata);
    return backend->consoles;
}

void viommu_backend_open_console(ViommuBackend *backend, const char *uuid, uint32_t lane)
{
    if (backend->consoles)
        viommu_consoles_open(backend->consoles, uuid, lane);
}

ViommuConsoleNews *viommu_backend_take_console(ViommuBackend *backend, const char *uuid)
{
    return backend->consoles ? viommu_consoles_take(backend->consoles, uuid) : NULL;
}

void viommu_backend_send_console(ViommuBackend *backend, const char *uuid, GBytes *bytes)
{
    if (backend->consoles)
        viommu_consoles_send(backend->consoles, uuid, bytes);
    else
        g_bytes_unref(bytes);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-backend: the backend with a real libvirt, by default test:///default; $VIOMMU_TEST_URI names
 * another.  The guests have no disk and no kernel: the test driver only keeps records, and QEMU
 * stays in its firmware. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/libvirt/backend.h"
#include "lib/domain/domain-xml.h"
#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/plan/plan.h"
#include "tests/unit/unit.h"

#define NEWS_WAIT_USEC    (60 * G_TIME_SPAN_SECOND)
#define UNKNOWN_UUID      "99999999-2222-4333-8444-555555555555"
#define N_THREADS         8
#define ROUNDS_PER_THREAD 5

static ViommuBackend *backend;
static GAsyncQueue *news_queue; /* of ViommuNews */
static const ViommuBackendStart plain;

static const char *test_uri(void)
{
    const char *uri = g_getenv("VIOMMU_TEST_URI");

    return uri ? uri : "test:///default";
}

static bool is_test_driver(void)
{
    return g_str_has_prefix(test_uri(), "test:");
}

static void news_free(void *data)
{
    ViommuNews *news = data;

    g_free(news->detail);
    g_free(news);
}

static void on_news(const ViommuNews *news, void *userdata)
{
    ViommuNews *copy = g_new(ViommuNews, 1);

    *copy = *news;
    copy->detail = g_strdup(news->detail);
    g_async_queue_push(userdata, copy);
}

/* Waits for news of @kind about @uuid, and drops earlier news. */
static void expect_news(ViommuNewsKind kind, const char *uuid)
{
    gint64 end = g_get_monotonic_time() + NEWS_WAIT_USEC;
    bool found = false;

    while (!found) {
        gint64 left = end - g_get_monotonic_time();
        ViommuNews *news = left > 0 ? g_async_queue_timeout_pop(news_queue, (guint64)left) : NULL;
        ck_assert_msg(news, "no news of kind %d about '%s'", kind, uuid);
        found = news->kind == kind && g_str_equal(news->uuid, uuid);
        news_free(news);
    }
}

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    news_queue = g_async_queue_new_full(news_free);
    ck_assert_msg(viommu_backend_new(test_uri(), 3, &backend, &error), "%s", error ? error->message : "");
    ck_assert_msg(viommu_backend_watch(backend, on_news, news_queue, &error), "%s",
                  error ? error->message : "");
    expect_news(VIOMMU_NEWS_CONNECTED, "");
}

static void teardown(void)
{
    viommu_backend_free(g_steal_pointer(&backend));
    g_async_queue_unref(news_queue);
}

/* --- A guest as viommud makes one --- */

typedef struct Guest {
    ViommuMetadata *metadata;
    char *xml;
    char *uuid;
    char *name;
} Guest;

static void guest_clear(Guest *guest)
{
    viommu_metadata_free(guest->metadata);
    g_free(guest->xml);
    g_free(guest->uuid);
    g_free(guest->name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Guest, guest_clear)

/* @keys: further keys of the request, as GVariant text. */
static void make_guest(Guest *guest, const char *name, const char *keys)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuHost) host = viommu_backend_probe(backend, &error);
    g_autofree char *text =
        g_strdup_printf("{'name': <'%s'>, 'accelerator': <'tcg'>, 'memory': <'128 MiB'>%s}", name, keys);
    ck_assert_msg(host, "%s", error ? error->message : "");
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    ck_assert_msg(tree, "%s", error ? error->message : "");
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, &error);
    ck_assert_msg(request, "%s", error ? error->message : "");
    ViommuPolicy policy;
    viommu_policy_init(&policy);
    g_autofree char *uuid = g_uuid_string_random();
    ViommuPlanInput input = {.request = request, .host = host, .policy = &policy, .uuid = uuid};
    g_autoptr(ViommuPlan) plan = NULL;
    ck_assert_msg(viommu_plan_build(&input, &plan, NULL, &error), "%s", error ? error->message : "");
    guest->metadata = viommu_metadata_new(plan, request, 1000, 1700000000000000);
    guest->xml = viommu_domain_xml(plan, guest->metadata);
    guest->uuid = g_strdup(plan->uuid);
    guest->name = g_strdup(plan->name);
}

static void define(const Guest *guest)
{
    g_autoptr(GError) error = NULL;
    bool unsupported;

    ck_assert_msg(viommu_backend_define(backend, guest->xml, &unsupported, &error), "%s\n%s",
                  error ? error->message : "", guest->xml);
    ck_assert(!unsupported);
}

#define ok(call) ck_assert_msg((call), #call ": %s", error ? error->message : "")

#define fails(call, expected_code)                                                                \
    do {                                                                                          \
        ck_assert(!(call));                                                                       \
        ck_assert_msg(g_error_matches(error, VIOMMU_ERROR, expected_code), "%s", error->message); \
        g_clear_error(&error);                                                                    \
    } while (0)

static const ViommuDomain *find_listed(const GPtrArray *domains, const char *uuid)
{
    for (unsigned i = 0; i < domains->len; i++) {
        const ViommuDomain *domain = domains->pdata[i];
        if (g_str_equal(domain->uuid, uuid))
            return domain;
    }
    return NULL;
}

/* Of a QEMU that really runs; libvirt's test driver knows no memory. */
static void expect_usage(const char *uuid)
{
    bool is_test = g_str_has_prefix(viommu_backend_uri(backend), "test:");
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) usage = viommu_backend_read_usage(backend, &error);
    bool found = false;

    ok(usage);
    for (guint i = 0; i < usage->len; i++) {
        const ViommuUsage *one = &g_array_index(usage, ViommuUsage, i);

        if (!g_str_equal(one->uuid, uuid))
            continue;
        found = true;
        ck_assert(one->cpu_nsec > 0 && one->cpu_nsec != VIOMMU_USAGE_UNKNOWN);
        ck_assert(is_test ? one->memory_bytes == VIOMMU_USAGE_UNKNOWN
                          : one->memory_bytes > 1 << 20 && one->memory_bytes < (uint64_t)1 << 40);
    }
    ck_assert(found);
}

static void expect_active(const char *uuid, bool expected)
{
    g_autoptr(GError) error = NULL;
    bool active = !expected;

    ok(viommu_backend_is_active(backend, uuid, &active, &error));
    ck_assert_int_eq(active, expected);
}

/* list() returns the stored phase. */
static void expect_stored_phase(const char *uuid, ViommuState phase, bool active)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) domains = viommu_backend_list(backend, &error);

    ok(domains);
    const ViommuDomain *domain = find_listed(domains, uuid);
    ck_assert_ptr_nonnull(domain);
    ck_assert_int_eq(domain->active, active);
    g_autoptr(ViommuMetadata) metadata = viommu_metadata_from_xml(domain->metadata, NULL, &error);
    ok(metadata);
    ck_assert_int_eq((int)metadata->phase, (int)phase);
    ck_assert_uint_eq(metadata->owner_uid, 1000);
}

static void store_phase(const Guest *guest, ViommuState phase)
{
    g_autoptr(GError) error = NULL;

    guest->metadata->phase = phase;
    g_autofree char *xml = viommu_metadata_to_xml(guest->metadata);
    ok(viommu_backend_set_metadata(backend, guest->uuid, xml, &error));
}

static void undefine(const Guest *guest)
{
    g_autoptr(GError) error = NULL;

    ok(viommu_backend_undefine(backend, guest->uuid, &error));
    expect_news(VIOMMU_NEWS_UNDEFINED, guest->uuid);
}

/* --- Tests --- */

START_TEST(a_guest_lives_and_ends)
{
    g_autoptr(GError) error = NULL;
    g_auto(Guest) guest = {0};

    make_guest(&guest, "backend-life", ", 'iommu': <{'is-supported': <true>}>");
    define(&guest);
    expect_active(guest.uuid, false);
    expect_stored_phase(guest.uuid, VIOMMU_STATE_DEFINING, false);
    store_phase(&guest, VIOMMU_STATE_STARTING);
    expect_stored_phase(guest.uuid, VIOMMU_STATE_STARTING, false);

    ok(viommu_backend_start(backend, guest.uuid, &plain, &error));
    expect_news(VIOMMU_NEWS_STARTED, guest.uuid);
    expect_active(guest.uuid, true);
    /* As after a lost reply. */
    ok(viommu_backend_start(backend, guest.uuid, &plain, &error));
    store_phase(&guest, VIOMMU_STATE_RUNNING);
    expect_stored_phase(guest.uuid, VIOMMU_STATE_RUNNING, true);
    expect_usage(guest.uuid);

    g_autofree char *xml = viommu_backend_get_xml(backend, guest.uuid, &error);
    ok(xml);
    ck_assert_ptr_nonnull(strstr(xml, guest.uuid));
    ck_assert_ptr_nonnull(strstr(xml, "<iommu model="));

    ok(viommu_backend_destroy(backend, guest.uuid, &error));
    expect_news(VIOMMU_NEWS_DESTROYED, guest.uuid);
    ok(viommu_backend_destroy(backend, guest.uuid, &error));
    expect_active(guest.uuid, false);
    /* What was stored while it ran stays when it has ended. */
    expect_stored_phase(guest.uuid, VIOMMU_STATE_RUNNING, false);
    undefine(&guest);
    ok(viommu_backend_undefine(backend, guest.uuid, &error));
    ok(viommu_backend_destroy(backend, guest.uuid, &error));
    g_autoptr(GPtrArray) domains = viommu_backend_list(backend, &error);
    ok(domains);
    ck_assert_ptr_null(find_listed(domains, guest.uuid));
}
END_TEST

START_TEST(a_guest_powers_off)
{
    g_autoptr(GError) error = NULL;
    g_auto(Guest) guest = {0};

    make_guest(&guest, "backend-shutdown", "");
    define(&guest);
    ok(viommu_backend_start(backend, guest.uuid, &plain, &error));
    expect_news(VIOMMU_NEWS_STARTED, guest.uuid);
    ok(viommu_backend_shutdown(backend, guest.uuid, &error));
    /* The guest under QEMU ignores the request, and stays. */
    if (is_test_driver())
        expect_news(VIOMMU_NEWS_SHUTDOWN, guest.uuid);
    else
        ok(viommu_backend_reset(backend, guest.uuid, &error) &&
           viommu_backend_destroy(backend, guest.uuid, &error));
    undefine(&guest);
}
END_TEST

START_TEST(a_guest_that_runs)
{
    g_autoptr(GError) error = NULL;
    g_auto(Guest) guest = {0};
    ViommuPause pause = VIOMMU_PAUSE_LAST;

    make_guest(&guest, "backend-runs", "");
    define(&guest);
    ok(viommu_backend_start(backend, guest.uuid, &plain, &error));
    expect_news(VIOMMU_NEWS_STARTED, guest.uuid);
    ok(viommu_backend_find_pause(backend, guest.uuid, &pause, &error));
    ck_assert_int_eq(pause, VIOMMU_PAUSE_NONE);
    /* One that runs runs on, and one that is paused stays so. */
    ok(viommu_backend_resume(backend, guest.uuid, &error));
    for (unsigned i = 0; i < 2; i++) {
        ok(viommu_backend_suspend(backend, guest.uuid, &error));
        ok(viommu_backend_find_pause(backend, guest.uuid, &pause, &error));
        ck_assert_int_eq(pause, VIOMMU_PAUSE_SUSPENDED);
    }
    expect_news(VIOMMU_NEWS_SUSPENDED, guest.uuid);
    ok(viommu_backend_resume(backend, guest.uuid, &error));
    ok(viommu_backend_find_pause(backend, guest.uuid, &pause, &error));
    ck_assert_int_eq(pause, VIOMMU_PAUSE_NONE);
    expect_news(VIOMMU_NEWS_RESUMED, guest.uuid);
    ok(viommu_backend_destroy(backend, guest.uuid, &error));
    expect_news(VIOMMU_NEWS_DESTROYED, guest.uuid);
    undefine(&guest);
}
END_TEST

/* The planner's XML is defined; arch and model come from the table below. */
static const char *const planned[] = {
    ", 'iommu': <{'is-supported': <true>}>",
    ", 'iommu': <{'model': <'virtio'>}>",
    ", 'iommu': <{'is-supported': <false>}>",
    ", 'arch': <'aarch64'>, 'iommu': <{'is-supported': <true>}>",
    ", 'arch': <'aarch64'>, 'iommu': <{'model': <'virtio'>}>",
};

START_TEST(libvirt_takes_what_is_planned)
{
    g_autofree char *name = g_strdup_printf("backend-planned-%d", _i);
    g_auto(Guest) guest = {0};

    make_guest(&guest, name, planned[_i]);
    define(&guest);
    /* A repetition is no error: a reply may have been lost. */
    define(&guest);
    undefine(&guest);
}
END_TEST

START_TEST(a_taken_name_is_named)
{
    g_autoptr(GError) error = NULL;
    g_auto(Guest) guest = {0}, other = {0};
    bool unsupported = true;

    make_guest(&guest, "backend-taken", "");
    make_guest(&other, "backend-taken", "");
    define(&guest);
    fails(viommu_backend_define(backend, other.xml, &unsupported, &error), VIOMMU_ERROR_EXISTS);
    ck_assert(!unsupported);
    undefine(&guest);
}
END_TEST

START_TEST(libvirt_refuses_what_cannot_be)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) xml = NULL;
    g_auto(Guest) guest = {0};
    bool unsupported = false;

    make_guest(&guest, "backend-refused", ", 'iommu': <{'is-supported': <true>}>");
    xml = g_string_new(guest.xml);
    char *model = strstr(xml->str, "<iommu model=");
    ck_assert_ptr_nonnull(model);
    g_string_insert(xml, model + strlen("<iommu model='") - xml->str, "no-such-");
    fails(viommu_backend_define(backend, xml->str, &unsupported, &error), VIOMMU_ERROR_BACKEND);
    ck_assert(unsupported);
    fails(viommu_backend_start(backend, guest.uuid, &plain, &error), VIOMMU_ERROR_NOT_FOUND);
}
END_TEST

START_TEST(an_unknown_guest_is_not_found)
{
    g_autoptr(GError) error = NULL;
    ViommuPause pause;
    bool active;

    fails(viommu_backend_start(backend, UNKNOWN_UUID, &plain, &error), VIOMMU_ERROR_NOT_FOUND);
    fails(viommu_backend_shutdown(backend, UNKNOWN_UUID, &error), VIOMMU_ERROR_NOT_FOUND);
    fails(viommu_backend_reset(backend, UNKNOWN_UUID, &error), VIOMMU_ERROR_NOT_FOUND);
    fails(viommu_backend_suspend(backend, UNKNOWN_UUID, &error), VIOMMU_ERROR_NOT_FOUND);
    fails(viommu_backend_resume(backend, UNKNOWN_UUID, &error), VIOMMU_ERROR_NOT_FOUND);
    fails(viommu_backend_find_pause(backend, UNKNOWN_UUID, &pause, &error), VIOMMU_ERROR_NOT_FOUND);
    fails(viommu_backend_is_active(backend, UNKNOWN_UUID, &active, &error), VIOMMU_ERROR_NOT_FOUND);
    fails(viommu_backend_get_xml(backend, UNKNOWN_UUID, &error), VIOMMU_ERROR_NOT_FOUND);
    fails(viommu_backend_set_metadata(backend, UNKNOWN_UUID, "<machine/>", &error), VIOMMU_ERROR_NOT_FOUND);
}
END_TEST

/* test:///default has a domain of its own, which is not viommud's. */
START_TEST(foreign_domains_are_not_listed)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) domains = viommu_backend_list(backend, &error);

    ok(domains);
    ck_assert_uint_eq(domains->len, 0);
}
END_TEST

START_TEST(a_second_backend_is_refused)
{
    g_autoptr(GError) error = NULL;
    ViommuBackend *second = NULL;

    fails(viommu_backend_new(test_uri(), 1, &second, &error), VIOMMU_ERROR_INTERNAL);
    ck_assert_ptr_null(second);
}
END_TEST

START_TEST(the_host_is_probed_once)
{
    g_autoptr(GError) error = NULL;
    gint64 begin = g_get_monotonic_time();
    g_autoptr(ViommuHost) first = viommu_backend_probe(backend, &error);
    gint64 middle = g_get_monotonic_time();
    g_autoptr(ViommuHost) second = viommu_backend_probe(backend, &error);
    gint64 end = g_get_monotonic_time();

    ok(first && second);
    g_autoptr(GVariant) one = g_variant_ref_sink(viommu_host_to_variant(first));
    g_autoptr(GVariant) two = g_variant_ref_sink(viommu_host_to_variant(second));
    ck_assert(g_variant_equal(one, two));
    ck_assert_uint_gt(first->libvirt, VIOMMU_VERSION_OF(6, 0, 0));
    ck_assert_ptr_nonnull(viommu_host_emulator(first, VIOMMU_ARCH_X86_64));
    for (unsigned i = 0; i < first->emulators->len; i++) {
        const ViommuEmulator *emulator = first->emulators->pdata[i];
        if (emulator->arch != VIOMMU_UNSET)
            ck_assert_uint_gt(emulator->qemu, VIOMMU_VERSION_OF(4, 0, 0));
    }
    g_print("first probe %" G_GINT64_FORMAT " us, cached %" G_GINT64_FORMAT " us\n", middle - begin,
            end - middle);
}
END_TEST

static void *live_often(void *data)
{
    for (int i = 0; i < ROUNDS_PER_THREAD; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *name = g_strdup_printf("backend-many-%d-%d", GPOINTER_TO_INT(data), i);
        g_auto(Guest) guest = {0};
        make_guest(&guest, name, "");
        define(&guest);
        if (is_test_driver())
            ok(viommu_backend_start(backend, guest.uuid, &plain, &error));
        store_phase(&guest, VIOMMU_STATE_RUNNING);
        ok(viommu_backend_destroy(backend, guest.uuid, &error));
        ok(viommu_backend_undefine(backend, guest.uuid, &error));
    }
    return NULL;
}

START_TEST(more_callers_than_connections)
{
    GThread *threads[N_THREADS];
    g_autoptr(GError) error = NULL;

    for (int i = 0; i < N_THREADS; i++)
        threads[i] = g_thread_new("caller", live_often, GINT_TO_POINTER(i));
    for (int i = 0; i < N_THREADS; i++)
        g_thread_join(threads[i]);
    g_autoptr(GPtrArray) domains = viommu_backend_list(backend, &error);
    ok(domains);
    ck_assert_uint_eq(domains->len, 0);
}
END_TEST

/* The session daemon that libvirt started for this process.  0: none. */
static pid_t session_daemon(void)
{
    g_autofree char *path = g_build_filename(g_get_user_runtime_dir(), "libvirt", "libvirtd.pid", NULL);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? atoi(text) : 0;
}

START_TEST(a_dead_daemon_is_news_and_is_replaced)
{
    g_autoptr(GError) error = NULL;
    g_auto(Guest) guest = {0};

    make_guest(&guest, "backend-kill", "");
    define(&guest);
    pid_t before = session_daemon();
    ck_assert_int_gt(before, 0);
    ck_assert_int_eq(kill(before, SIGKILL), 0);
    expect_news(VIOMMU_NEWS_DISCONNECTED, "");
    expect_news(VIOMMU_NEWS_CONNECTED, "");
    ck_assert_int_ne(session_daemon(), before);
    expect_active(guest.uuid, false);
    g_autoptr(ViommuHost) host = viommu_backend_probe(backend, &error);
    ok(host);

    /* And before the pool has noticed. */
    ck_assert_int_eq(kill(session_daemon(), SIGKILL), 0);
    expect_stored_phase(guest.uuid, VIOMMU_STATE_DEFINING, false);
    expect_news(VIOMMU_NEWS_CONNECTED, "");
    undefine(&guest);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create(test_uri());

    /* As viommud does: libvirt may end while its client writes. */
    signal(SIGPIPE, SIG_IGN);
    /* Once: libvirt's embedded engine does not start a second time in one process. */
    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, the_host_is_probed_once);
    tcase_add_test(tcase, a_guest_lives_and_ends);
    tcase_add_test(tcase, a_guest_powers_off);
    tcase_add_test(tcase, a_guest_that_runs);
    tcase_add_loop_test(tcase, libvirt_takes_what_is_planned, 0, G_N_ELEMENTS(planned));
    tcase_add_test(tcase, a_taken_name_is_named);
    tcase_add_test(tcase, libvirt_refuses_what_cannot_be);
    tcase_add_test(tcase, an_unknown_guest_is_not_found);
    tcase_add_test(tcase, foreign_domains_are_not_listed);
    tcase_add_test(tcase, a_second_backend_is_refused);
    tcase_add_test(tcase, more_callers_than_connections);
    if (strstr(test_uri(), "///session"))
        tcase_add_test(tcase, a_dead_daemon_is_news_and_is_replaced);
    return unit_run_case("backend", tcase);
}

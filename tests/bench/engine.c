/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine: the fewest possible calls.  Knows neither the bus nor viommud. */
#include "tests/bench/engine.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include "lib/base/names.h"
#include "tests/bench/bench.h"

struct BenchEngine {
    virConnectPtr connection;
};

static void say_nothing(void *data, virErrorPtr error)
{
}

static void *run_events(void *unused)
{
    for (;;)
        virEventRunDefaultImpl();
    return NULL;
}

static void fail(const char *what)
{
    bench_die("%s: %s", what, virGetLastErrorMessage());
}

BenchEngine *bench_engine_open(const char *uri)
{
    BenchEngine *engine = g_new0(BenchEngine, 1);

    virSetErrorFunc(NULL, say_nothing);
    if (virEventRegisterDefaultImpl() < 0)
        fail("registering the event loop");
    g_thread_unref(g_thread_new("events", run_events, NULL));
    engine->connection = virConnectOpen(uri);
    if (!engine->connection)
        fail(uri);
    return engine;
}

void bench_engine_launch(BenchEngine *engine, const char *xml, bool validate)
{
    virDomainPtr domain =
        virDomainDefineXMLFlags(engine->connection, xml, validate ? VIR_DOMAIN_DEFINE_VALIDATE : 0);

    if (!domain)
        fail("define");
    if (virDomainCreate(domain) < 0)
        fail("start");
    virDomainFree(domain);
}

void bench_engine_set_metadata(BenchEngine *engine, const char *name, const char *metadata)
{
    virDomainPtr domain = virDomainLookupByName(engine->connection, name);

    if (!domain ||
        virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, metadata, VIOMMU_METADATA_PREFIX,
                             VIOMMU_METADATA_URI, VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_AFFECT_LIVE) < 0)
        fail("storing metadata");
    virDomainFree(domain);
}

void bench_engine_remove(BenchEngine *engine, const char *name)
{
    virDomainPtr domain = virDomainLookupByName(engine->connection, name);

    if (!domain)
        return;
    if (virDomainIsActive(domain) == 1)
        (void)virDomainDestroy(domain);
    if (virDomainIsPersistent(domain) == 1 && virDomainUndefine(domain) < 0)
        fail("undefine");
    virDomainFree(domain);
}

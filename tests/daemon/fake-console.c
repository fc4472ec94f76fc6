/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-console: the fake backend's consoles.  A worker opens and ends them, while the loop takes
 * their news. */
#include "tests/daemon/fake-backend.h"

#include <string.h>

static struct {
    ViommuConsoleFunc watch; /* NULL: nobody watches them */
    void *watch_data;
    bool none;
    unsigned openings; /* under fake_lock */
} consoles;

/* --- Set by a test --- */

void fake_set_consoles(bool has)
{
    consoles.none = !has;
}

unsigned fake_console_openings(void)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&fake_lock);

    return consoles.openings;
}

void fake_consoles_clear(void)
{
    memset(&consoles, 0, sizeof(consoles));
}

/* With the lock held. */
static ViommuConsoleNews *news_of(FakeDomain *domain)
{
    if (!domain->news) {
        domain->news = g_new0(ViommuConsoleNews, 1);
        domain->news->output = g_byte_array_new();
    }
    return domain->news;
}

void fake_close_console(FakeDomain *domain, const char *error)
{
    domain->console_open = false;
    news_of(domain)->ended = true;
    g_free(news_of(domain)->error);
    news_of(domain)->error = g_strdup(error);
}

void fake_tell_console(const char *uuid)
{
    if (consoles.watch)
        consoles.watch(uuid, consoles.watch_data);
}

void fake_print(const char *uuid, const char *text, uint64_t lost)
{
    ViommuConsoleNews *news;

    g_mutex_lock(&fake_lock);
    news = news_of(fake_find_held(uuid));
    g_byte_array_append(news->output, (const guint8 *)text, (guint)strlen(text));
    news->lost += lost;
    g_mutex_unlock(&fake_lock);
    fake_tell_console(uuid);
}

void fake_listen(const char *uuid)
{
    FakeDomain *domain;

    g_mutex_lock(&fake_lock);
    domain = fake_find_held(uuid);
    domain->deaf = false;
    news_of(domain)->sent = true;
    g_mutex_unlock(&fake_lock);
    fake_tell_console(uuid);
}

void fake_break_console(const char *uuid, const char *error)
{
    g_mutex_lock(&fake_lock);
    fake_close_console(fake_find_held(uuid), error);
    g_mutex_unlock(&fake_lock);
    fake_tell_console(uuid);
}

/* --- The backend itself --- */

void viommu_console_news_free(ViommuConsoleNews *news)
{
    if (!news)
        return;
    g_byte_array_unref(news->output);
    g_free(news->error);
    g_free(news);
}

bool viommu_backend_watch_consoles(ViommuBackend *backend, ViommuConsoleFunc func, void *userdata)
{
    if (consoles.none)
        return false;
    consoles.watch = func;
    consoles.watch_data = userdata;
    return true;
}

void viommu_backend_open_console(ViommuBackend *backend, const char *uuid, uint32_t lane)
{
    FakeDomain *domain;

    if (!consoles.watch)
        return;
    g_mutex_lock(&fake_lock);
    consoles.openings++;
    domain = fake_find_held(uuid);
    if (domain && domain->console_refusal) {
        fake_close_console(domain, domain->console_refusal);
    } else if (domain && !domain->console_open) {
        domain->console_open = true;
        news_of(domain)->opened = true;
    }
    g_mutex_unlock(&fake_lock);
    fake_tell_console(uuid);
}

/* On the loop's thread, while a worker may end the domain. */
ViommuConsoleNews *viommu_backend_take_console(ViommuBackend *backend, const char *uuid)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&fake_lock);
    FakeDomain *domain = fake_find_held(uuid);

    return domain ? g_steal_pointer(&domain->news) : NULL;
}

void viommu_backend_send_console(ViommuBackend *backend, const char *uuid, GBytes *bytes)
{
    FakeDomain *domain;
    bool listens;

    g_mutex_lock(&fake_lock);
    domain = fake_find_held(uuid);
    listens = domain && !domain->deaf;
    if (domain)
        g_string_append_len(domain->input, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes));
    if (listens)
        news_of(domain)->sent = true;
    g_mutex_unlock(&fake_lock);
    g_bytes_unref(bytes);
    if (listens)
        fake_tell_console(uuid);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-script: a row for each call. */
#include "tests/daemon/fake-script.h"

/* How the next calls of a kind go. */
typedef struct Script {
    unsigned calls, failures, hanging;
    bool held, lost;
    int code;
    char *words;
} Script;

GMutex fake_lock;
static GCond changed;
static Script scripts[FAKE_CALL_LAST];

void fake_fail(FakeCall call, unsigned times, ViommuError code, const char *words)
{
    g_mutex_lock(&fake_lock);
    scripts[call].failures = times;
    scripts[call].code = (int)code;
    g_free(scripts[call].words);
    scripts[call].words = g_strdup(words);
    g_mutex_unlock(&fake_lock);
}

void fake_lose(FakeCall call, bool lose)
{
    g_mutex_lock(&fake_lock);
    scripts[call].lost = lose;
    g_mutex_unlock(&fake_lock);
}

static void set_held(FakeCall call, bool held)
{
    g_mutex_lock(&fake_lock);
    scripts[call].held = held;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&fake_lock);
}

void fake_hold(FakeCall call)
{
    set_held(call, true);
}

void fake_release(FakeCall call)
{
    set_held(call, false);
}

static unsigned read_count(const unsigned *count)
{
    unsigned n;

    g_mutex_lock(&fake_lock);
    n = *count;
    g_mutex_unlock(&fake_lock);
    return n;
}

unsigned fake_hanging(FakeCall call)
{
    return read_count(&scripts[call].hanging);
}

unsigned fake_calls(FakeCall call)
{
    return read_count(&scripts[call].calls);
}

bool fake_script_begin(FakeCall call, GError **error)
{
    Script *script = &scripts[call];

    g_mutex_lock(&fake_lock);
    script->calls++;
    script->hanging++;
    while (script->held)
        g_cond_wait(&changed, &fake_lock);
    script->hanging--;
    if (script->failures == 0 || script->lost)
        return true;
    script->failures--;
    g_set_error(error, VIOMMU_ERROR, script->code, "%s", script->words);
    g_mutex_unlock(&fake_lock);
    return false;
}

bool fake_script_end(FakeCall call, GError **error)
{
    Script *script = &scripts[call];
    bool lost = script->lost && script->failures > 0;

    if (lost) {
        script->failures--;
        g_set_error(error, VIOMMU_ERROR, script->code, "%s", script->words);
    }
    g_mutex_unlock(&fake_lock);
    return !lost;
}

void fake_script_clear(void)
{
    for (int i = 0; i < FAKE_CALL_LAST; i++) {
        g_free(scripts[i].words);
        scripts[i] = (Script){0};
    }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-command: the fake backend's commands in guests.  Those of a domain share one record. */
#include "tests/daemon/fake-backend.h"

void fake_command_clear(FakeCommand *command)
{
    g_free(command->words);
    if (command->input)
        g_string_free(command->input, TRUE);
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS; i++)
        if (command->printed[i])
            g_string_free(command->printed[i], TRUE);
}

/* NULL: the call fails; else the lock is held. */
static FakeCommand *begin(FakeCall call, const char *uuid, bool *ret_broke, GError **error)
{
    FakeDomain *domain = fake_begin_domain_call(call, uuid, error);

    *ret_broke = false;
    if (!domain)
        return NULL;
    if (domain->agent_output && !domain->agent_breaks)
        return &domain->command;
    *ret_broke = domain->agent_breaks;
    g_mutex_unlock(&fake_lock);
    if (*ret_broke)
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "the connection broke");
    else
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND, "it has no agent");
    return NULL;
}

bool viommu_backend_start_in_guest(ViommuBackend *backend, const char *uuid, const char *const *argv,
                                   ViommuGuestCommand *command, bool *ret_broke, GError **error)
{
    FakeCommand *fake = begin(FAKE_COMMAND_START, uuid, ret_broke, error);

    if (!fake)
        return false;
    g_free(fake->words);
    fake->words = g_strjoinv(" ", (char **)argv);
    fake->n_starts++;
    command->directory = g_strdup("/tmp/viommu-exec.fake");
    command->pid = 7;
    return fake_script_end(FAKE_COMMAND_START, error);
}

static GBytes *read_piece(FakeCommand *fake, size_t i)
{
    const GString *printed = fake->printed[i];
    gsize n = printed ? MIN(printed->len - fake->n_read[i], VIOMMU_GUEST_PIECE) : 0;
    GBytes *piece = g_bytes_new(n > 0 ? printed->str + fake->n_read[i] : NULL, n);

    fake->n_read[i] += n;
    return piece;
}

static void take_input(FakeCommand *fake, ViommuGuestStep *step)
{
    if (!fake->input)
        fake->input = g_string_new(NULL);
    if (step->input)
        g_string_append_len(fake->input, g_bytes_get_data(step->input, NULL),
                            (gssize)g_bytes_get_size(step->input));
    g_clear_pointer(&step->input, g_bytes_unref);
    fake->is_whole |= step->input_ends;
    step->input_ends = false;
}

bool viommu_backend_step_in_guest(ViommuBackend *backend, const char *uuid, ViommuGuestCommand *command,
                                  ViommuGuestStep *step, bool *ret_broke, GError **error)
{
    FakeCommand *fake = begin(FAKE_COMMAND_STEP, uuid, ret_broke, error);

    if (!fake)
        return false;
    take_input(fake, step);
    command->exited |= fake->exits;
    command->status = fake->status;
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS; i++)
        if (step->wants[i]) {
            step->output[i] = read_piece(fake, i);
            step->ends[i] = !fake->printed[i] || fake->n_read[i] == fake->printed[i]->len;
        }
    return fake_script_end(FAKE_COMMAND_STEP, error);
}

bool viommu_backend_end_in_guest(ViommuBackend *backend, const char *uuid, ViommuGuestCommand *command,
                                 bool kills, bool *ret_broke, GError **error)
{
    FakeCommand *fake = begin(FAKE_COMMAND_END, uuid, ret_broke, error);

    if (!fake)
        return false;
    fake->n_ends++;
    fake->n_kills += kills && !command->exited;
    return fake_script_end(FAKE_COMMAND_END, error);
}

/* --- For tests --- */

static FakeCommand *lock(const char *uuid)
{
    FakeDomain *domain;

    g_mutex_lock(&fake_lock);
    domain = fake_find_held(uuid);
    g_assert(domain);
    return &domain->command;
}

void fake_command_print(const char *uuid, size_t i, const char *text, gsize size)
{
    FakeCommand *fake = lock(uuid);

    if (!fake->printed[i])
        fake->printed[i] = g_string_new(NULL);
    g_string_append_len(fake->printed[i], text, (gssize)size);
    g_mutex_unlock(&fake_lock);
}

void fake_command_exit(const char *uuid, int status)
{
    FakeCommand *fake = lock(uuid);

    fake->exits = true;
    fake->status = status;
    g_mutex_unlock(&fake_lock);
}

gsize fake_command_read(const char *uuid, size_t i)
{
    gsize n = lock(uuid)->n_read[i];

    g_mutex_unlock(&fake_lock);
    return n;
}

unsigned fake_command_starts(const char *uuid)
{
    unsigned n = lock(uuid)->n_starts;

    g_mutex_unlock(&fake_lock);
    return n;
}

unsigned fake_command_ends(const char *uuid)
{
    unsigned n = lock(uuid)->n_ends;

    g_mutex_unlock(&fake_lock);
    return n;
}

unsigned fake_command_kills(const char *uuid)
{
    unsigned n = lock(uuid)->n_kills;

    g_mutex_unlock(&fake_lock);
    return n;
}

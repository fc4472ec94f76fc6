/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture: a manager with its real loop and workers, over the fake backend: a viommud without a
 * bus. A test begins and ends it; there is one at a time. */
#pragma once

#include "daemon/manager/manager.h"
#include "tests/daemon/fake-backend.h"
#include "tests/unit/parse-request.h"

#define FIXTURE_SECONDS 20

/* The outcome of a call. */
typedef struct Answer {
    unsigned n; /* how often it was answered */
    int code;   /* of the error; -1: success */
    char *message;
    char uuid[37]; /* of the machine; "": none */
    GVariant *report;
    char *xml;
    ViommuModel model;
    int status;
    GHashTable *usage;
} Answer;
void answer_clear(Answer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)
/** Stores the outcome in @answer, which must be zeroed. */
ViommuWaiter answer_waiter(Answer *answer);

typedef struct Fixture {
    ViommuLoop *loop;
    ViommuWorkers workers;
    ViommuBackend *backend;
    ViommuReaders *readers;
    ViommuConfig *config; /* change it before the manager is made */
    ViommuFilesSite files;
    char *directory, *copies;
    char *former_consoles;  /* to be set before the manager is made; NULL: none */
    ViommuManager *manager; /* NULL: not made yet */
    unsigned proof_seconds; /* for a proof of KVM; to be set before the manager is made */
    int ready_file;         /* to be set, with has_ready_file, before the manager is made */
    bool has_ready_file;
    bool ended, adopted;
} Fixture;

/** Makes everything but the manager. */
void fixture_begin(Fixture *fixture);
/** Makes the manager, too, connected and with the domains of the backend. */
void fixture_manage(Fixture *fixture);
/** Both. */
void fixture_start(Fixture *fixture);
void fixture_end(Fixture *fixture);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, fixture_end)

/** Runs the loop once, for a moment at most. */
void fixture_turn(Fixture *fixture);
/** Runs the loop until @condition; fails when that takes long. */
#define fixture_await(fixture, condition)                                                 \
    do {                                                                                  \
        gint64 end_ = g_get_monotonic_time() + FIXTURE_SECONDS * G_USEC_PER_SEC;          \
                                                                                          \
        while (!(condition)) {                                                            \
            ck_assert_msg(g_get_monotonic_time() < end_, "not within time: " #condition); \
            fixture_turn(fixture);                                                        \
        }                                                                                 \
    } while (0)
/** Runs the loop until no worker has work. */
void fixture_settle(Fixture *fixture);

/** Launches it as user 1000, for client "1:1", and waits for the reply. */
void fixture_launch(Fixture *fixture, const char *request, Answer *ret_answer);
/** The same, without waiting. */
void fixture_begin_launch(Fixture *fixture, const char *request, Answer *ret_answer);
/** Launches the request; the machine must run.  Borrowed. */
ViommuMachine *fixture_machine(Fixture *fixture, const char *request);
ViommuMachine *fixture_find(Fixture *fixture, const char *name_or_uuid);
/** Stops the machine, and waits. */
void fixture_stop(Fixture *fixture, const char *name, uint32_t seconds, Answer *ret_answer);
/** The same, without waiting. */
void fixture_begin_stop(Fixture *fixture, const char *name, uint32_t seconds, Answer *ret_answer);
/** Moves the end of the lease of machine "one"; @bound: the site's longest lease applies. */
void fixture_extend(Fixture *fixture, uint64_t seconds, bool bound, Answer *ret_answer);
/** For viommu_manager_end(): stores @finished in the int at @ret_finished. */
void fixture_note_end(bool finished, void *ret_finished);

/** The metadata of user 1000's machine @name in phase @phase.  Owned. */
char *fixture_metadata(ViommuState phase);
/** The element <additions> for it.  Owned. */
char *fixture_additions(const char *name, const char *uuid);

#define assert_fails(answer, wanted, words)                                                          \
    do {                                                                                             \
        ck_assert_uint_eq((answer)->n, 1);                                                           \
        ck_assert_msg((answer)->code == (int)(wanted) && strstr((answer)->message, words), "%d: %s", \
                      (answer)->code, (answer)->message ? (answer)->message : "no error");           \
    } while (0)
#define assert_went_well(answer)                                      \
    do {                                                              \
        ck_assert_uint_eq((answer)->n, 1);                            \
        ck_assert_msg((answer)->code == -1, "%s", (answer)->message); \
    } while (0)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client: a connection to viommud; calls with values in and out.  The only user of sd-bus in
 * tools/.  Knows no method. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuClient ViommuClient;

typedef enum ViommuClientBus {
    /* the session bus if viommud runs or can be started there, else the system bus */
    VIOMMU_CLIENT_BUS_AUTO,
    VIOMMU_CLIENT_BUS_USER,
    VIOMMU_CLIENT_BUS_SYSTEM,
} ViommuClientBus;

typedef struct ViommuClientTarget {
    ViommuClientBus bus;
    /* [USER@]HOST: its system bus, over ssh, whatever @bus says; NULL: this host */
    const char *host;
    bool ask_password; /* polkit may ask for a password on the terminal */
} ViommuClientTarget;

/** Called about five times a second while a reply is pending. */
typedef void (*ViommuClientTick)(uint64_t waited_usec, void *userdata);

typedef struct ViommuClientCall {
    const char *path, *interface, *method;
    /* a tuple, whose handles are descriptors; NULL: none; consumed if floating */
    GVariant *arguments;
    uint64_t timeout_usec; /* 0: 25 seconds */
    ViommuClientTick tick; /* may be NULL */
    void *userdata;
} ViommuClientCall;

/** Fails: UNAVAILABLE, naming what to start. */
bool viommu_client_connect(const ViommuClientTarget *target, ViommuClient **ret_client, GError **error);
void viommu_client_free(ViommuClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuClient, viommu_client_free)

/** Whether to send open files: to the system's viommud, over a bus that passes descriptors. */
bool viommu_client_takes_files(ViommuClient *client);
/** Whether it is this machine's system bus. */
bool viommu_client_is_system(const ViommuClient *client);
/** Whether @name has an owner on the bus, or can be started there. */
bool viommu_client_bus_has(ViommuClient *client, const char *name);
/** Whether viommud has an object at @path; true if it does not reply. */
bool viommu_client_has(ViommuClient *client, const char *path);

/* Watches one object of viommud until it disappears. */
typedef struct ViommuClientWatch ViommuClientWatch;

/** @client is borrowed. Owned.  Fails: UNAVAILABLE if the bus is lost. */
ViommuClientWatch *viommu_client_watch(ViommuClient *client, const char *path, GError **error);
void viommu_client_watch_free(ViommuClientWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuClientWatch, viommu_client_watch_free)
/** Waits until the object disappears (*ret_gone is true), its machine is paused, or @fd is
 *  readable.  Fails: UNAVAILABLE if the bus is lost. */
bool viommu_client_watch_wait(ViommuClientWatch *watch, int fd, bool *ret_gone, GError **error);
/** Whether the machine was paused since the last call.  *ret_reason: the property PauseReason,
 *  owned, g_free(); NULL: it cannot be read. */
bool viommu_client_watch_pause(ViommuClientWatch *watch, char **ret_reason);
/** The last signalled value of its property Result; "none" before. Borrowed, until the next
 *  wait. */
const char *viommu_client_watch_result(const ViommuClientWatch *watch);

/* The signals of viommud, and of the bus when viommud starts or ends (NameOwnerChanged). */
typedef struct ViommuClientSignals ViommuClientSignals;

typedef struct ViommuClientSignal {
    char *path, *member;
    GVariant *arguments; /* a tuple */
} ViommuClientSignal;
void viommu_client_signal_clear(ViommuClientSignal *signal);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuClientSignal, viommu_client_signal_clear)

/** @client is borrowed.  Owned.  Fails: UNAVAILABLE if the bus is lost. */
ViommuClientSignals *viommu_client_signals_new(ViommuClient *client, GError **error);
void viommu_client_signals_free(ViommuClientSignals *signals);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuClientSignals, viommu_client_signals_free)
/** Waits for the next signal, at most @timeout_usec (UINT64_MAX: for ever).  *ret_signal: owned,
 *  untouched if none came.  Fails: UNAVAILABLE if the bus is lost. */
bool viommu_client_signals_next(ViommuClientSignals *signals, uint64_t timeout_usec,
                                ViommuClientSignal *ret_signal, GError **error);

/** *ret_reply: the only value of the reply, owned; NULL if it has none; may be NULL.
 *  *ret_reasons: aa{sv} (model, rule, text) of an error, owned; otherwise untouched; may be NULL.
 *  Fails: by the name of the error reply (error.h). */
bool viommu_client_call(ViommuClient *client, const ViommuClientCall *call, GVariant **ret_reply,
                        GVariant **ret_reasons, GError **error);
/** Calls a method that replies with a file descriptor: *ret_fd, owned.  Fails like the above, and
 *  without a call with NOT_SUPPORTED where the bus is another host's. */
bool viommu_client_call_fd(ViommuClient *client, const ViommuClientCall *call, int *ret_fd, GError **error);

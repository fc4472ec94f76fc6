/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client: a connection to viommud; calls with values in and out.  The only user of sd-bus in tools/.
 * Knows no method. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuClient ViommuClient;

typedef enum ViommuClientBus {
    VIOMMU_CLIENT_BUS_AUTO, /* the session bus when viommud is or can be started there, else the system bus */
    VIOMMU_CLIENT_BUS_USER,
    VIOMMU_CLIENT_BUS_SYSTEM,
} ViommuClientBus;

typedef struct ViommuClientTarget {
    ViommuClientBus bus;
    const char
        *host; /* [USER@]HOST whose system bus is reached over ssh, whatever @bus says; NULL: this one */
    bool ask_password; /* polkit may ask the person at the terminal */
} ViommuClientTarget;

/** Called some five times a second while an answer is awaited. */
typedef void (*ViommuClientTick)(uint64_t waited_usec, void *userdata);

typedef struct ViommuClientCall {
    const char *path, *interface, *method;
    GVariant *arguments;   /* a tuple, whose handles are descriptors; or NULL: none; consumed when floating */
    uint64_t timeout_usec; /* 0: 25 seconds */
    ViommuClientTick tick; /* may be NULL */
    void *userdata;
} ViommuClientCall;

/** Fails: UNAVAILABLE saying what to start. */
bool viommu_client_connect(const ViommuClientTarget *target, ViommuClient **ret_client, GError **error);
void viommu_client_free(ViommuClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuClient, viommu_client_free)

/** Whether files are to be sent open: to a viommud that is not the caller's own, over a bus that lets them through. */
bool viommu_client_takes_files(ViommuClient *client);
/** Whether it is this machine's system bus. */
bool viommu_client_is_system(const ViommuClient *client);
/** Whether @name has an owner on the bus, or can be started there. */
bool viommu_client_bus_has(ViommuClient *client, const char *name);
/** Whether viommud has an object at @path; true when it does not answer. */
bool viommu_client_has(ViommuClient *client, const char *path);

/* One object of viommud's, for as long as it is there. */
typedef struct ViommuClientWatch ViommuClientWatch;

/** @client is borrowed. Owned.  Fails: UNAVAILABLE when the bus is lost. */
ViommuClientWatch *viommu_client_watch(ViommuClient *client, const char *path, GError **error);
void viommu_client_watch_free(ViommuClientWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuClientWatch, viommu_client_watch_free)
/** Waits until it is gone, or @fd can be read: *ret_gone tells which.  Fails: UNAVAILABLE when the bus is lost. */
bool viommu_client_watch_wait(ViommuClientWatch *watch, int fd, bool *ret_gone, GError **error);
/** Its property Result, as was last told; "none" before. Borrowed, until the next wait. */
const char *viommu_client_watch_result(const ViommuClientWatch *watch);

/** *ret_reply: the reply's one value, owned; NULL when it has none; may be NULL.
 *  *ret_reasons: aa{sv} (model, rule, text) that came with an error, owned; untouched without; may be NULL.
 *  Fails: what the error reply's name means (error.h). */
bool viommu_client_call(ViommuClient *client, const ViommuClientCall *call, GVariant **ret_reply,
                        GVariant **ret_reasons, GError **error);
/** The same for a method that replies with a file descriptor: *ret_fd, owned. */
bool viommu_client_call_fd(ViommuClient *client, const ViommuClientCall *call, int *ret_fd, GError **error);

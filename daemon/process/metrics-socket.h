/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics-socket: answers "GET /metrics" of HTTP/1 on a socket that systemd has opened, as
 * Prometheus asks for it, and refuses all else.  Whoever can connect is a stranger: nothing is
 * believed, and all is bounded.  Does not know what is told.  Runs on the loop. */
#pragma once

#include <glib.h>
#include "daemon/process/loop.h"

/* Limits of what clients can take.  One connection more takes the place of the oldest. */
#define VIOMMU_METRICS_CONNECTIONS 8u
#define VIOMMU_METRICS_BYTES       4096u /* of a request */
#define VIOMMU_METRICS_SECONDS     5u    /* of a connection */
/* How long a text serves all clients. */
#define VIOMMU_METRICS_AGE_USEC (G_USEC_PER_SEC / 2)

typedef struct ViommuMetricsSocket ViommuMetricsSocket;

/** The present metrics as OpenMetrics text; owned, g_free(). */
typedef char *(*ViommuMetricsFunc)(void *userdata);

/** Takes @listener, which listens.  Owned.  Fails: INTERNAL. */
ViommuMetricsSocket *viommu_metrics_socket_new(ViommuLoop *loop, int listener, ViommuMetricsFunc func,
                                               void *userdata, GError **error);
void viommu_metrics_socket_free(ViommuMetricsSocket *socket);

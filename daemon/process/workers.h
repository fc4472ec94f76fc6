/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers: one for each kind of waiting.  Plain data. */
#pragma once

#include "daemon/process/worker.h"

/* Threads of their own for each kind of work, so that none waits for another kind. */
typedef struct ViommuWorkers {
    ViommuWorker *launches; /* the steps of launches, which wait for libvirt, QEMU and files */
    ViommuWorker *ends;     /* what ends machines, and what is written into their records */
    ViommuWorker *calls;    /* what a running QEMU can make wait */
    ViommuWorker *agents;   /* what a guest can make wait */
    ViommuWorker *host;     /* what is asked of the host, for everybody */
    ViommuWorker *accounts; /* the system's user database, which may be on another host */
} ViommuWorkers;

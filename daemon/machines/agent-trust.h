/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent-trust: decides which guests' agents may be asked.  An agent's answer goes through libvirt's
 * daemon, which may die of it; then everybody waits until it is back.  So viommud never asks a
 * guest again whose answer killed the daemon.  When guests of one user have done so twice, viommud
 * asks no guest of that user as long as it runs.  Runs on the loop thread; knows neither libvirt
 * nor the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuAgents ViommuAgents;

/* A guest and whose it is. */
typedef struct ViommuAgentsGuest {
    const char *uuid;
    uint32_t owner_uid;
} ViommuAgentsGuest;

/** @allowed: the site lets agents be asked at all.  Owned; counted, as a question may outlive who
 *  began it. */
ViommuAgents *viommu_agents_new(bool allowed);
ViommuAgents *viommu_agents_ref(ViommuAgents *agents);
void viommu_agents_unref(ViommuAgents *agents);

/** Why the agent of @guest is not asked, and what to do; NULL: it may be.  Static. */
const char *viommu_agents_refusal(const ViommuAgents *agents, const ViommuAgentsGuest *guest);
/** A question begins.  False: not now, as another guest of that owner is being asked; one at a
 *  time, so that nobody takes all the threads. */
bool viommu_agents_begin(ViommuAgents *agents, const ViommuAgentsGuest *guest);
/** It has ended.  @broke: the connection to libvirt did while libvirt asked.  Returns the same. */
bool viommu_agents_end(ViommuAgents *agents, const ViommuAgentsGuest *guest, bool broke);

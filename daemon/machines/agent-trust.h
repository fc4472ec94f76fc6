/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent-trust: decides which guests' agents may be asked.  An agent's reply passes through
 * libvirt's daemon, which it may crash; then all users wait until it is back.  So viommud never
 * again asks a guest during whose question the connection broke.  When this happened twice with
 * guests of one user, viommud asks no guest of that user while it runs.  Runs on the loop thread;
 * knows neither libvirt nor the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuAgents ViommuAgents;

/* A guest and its owner. */
typedef struct ViommuAgentsGuest {
    const char *uuid;
    uint32_t owner_uid;
} ViommuAgentsGuest;

/** @allowed: the site lets agents be asked at all.  Owned; counted, because a question may outlive
 *  its caller. */
ViommuAgents *viommu_agents_new(bool allowed);
ViommuAgents *viommu_agents_ref(ViommuAgents *agents);
void viommu_agents_unref(ViommuAgents *agents);

/** Why the agent of @guest is not asked, and what to do; NULL: it may be asked.  Static. */
const char *viommu_agents_refusal(const ViommuAgents *agents, const ViommuAgentsGuest *guest);
/** A question begins.  False: not now, because another guest of that owner is being asked; one at a
 *  time, so that no user occupies all threads. */
bool viommu_agents_begin(ViommuAgents *agents, const ViommuAgentsGuest *guest);
/** The question has ended.  @broke: the connection to libvirt broke meanwhile.  Returns @broke. */
bool viommu_agents_end(ViommuAgents *agents, const ViommuAgentsGuest *guest, bool broke);

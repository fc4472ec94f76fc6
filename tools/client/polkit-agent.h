/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit-agent: runs polkit's own agent on the terminal, which asks for passwords.  Does not know
 * the bus or the action. */
#pragma once

#include <glib.h>

typedef struct ViommuAgent ViommuAgent;

/** Starts pkttyagent and waits until it is registered.  NULL if standard input is not a terminal or
 *  the agent cannot be started.  Owned. */
ViommuAgent *viommu_agent_start(void);
/** Ends the agent. */
void viommu_agent_stop(ViommuAgent *agent);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuAgent, viommu_agent_stop)

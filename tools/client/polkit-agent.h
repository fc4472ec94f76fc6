/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit-agent: polkit's own agent on our terminal, which asks for a password when polkit wants one.  Knows neither bus nor question. */
#pragma once

#include <glib.h>

typedef struct ViommuAgent ViommuAgent;

/** Starts pkttyagent and waits until polkit knows it.  NULL when standard input is no terminal, or it cannot be started. Owned. */
ViommuAgent *viommu_agent_start(void);
/** Ends it. */
void viommu_agent_stop(ViommuAgent *agent);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuAgent, viommu_agent_stop)

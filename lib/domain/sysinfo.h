/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysinfo: what a guest's firmware tells it: systemd's credentials in the SMBIOS tables, and
 * Ignition's configuration in fw_cfg. */
#pragma once

#include <stdbool.h>
#include "lib/base/xml-write.h"
#include "lib/plan/plan.h"

/** Whether there are credentials, for which <os> needs <smbios mode='sysinfo'/>. */
bool viommu_sysinfo_has_smbios(const ViommuPlan *plan);
/** Writes the elements <sysinfo>, if there are any. */
void viommu_sysinfo_write(ViommuXmlWriter *xml, const ViommuPlan *plan);

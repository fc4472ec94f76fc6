/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caps: text of libvirt's capabilities and domain capabilities XML -> ViommuHost. */
#pragma once

#include "lib/host/host.h"

/** Adds the data of virConnectGetCapabilities() to @host: the host's arch, its security models, and
 *  one emulator for each guest architecture that viommud knows (path, machine names, accelerators
 *  from the <domain type=''> elements, max vCPUs of q35 or virt).  It has no QEMU version.  Fails:
 *  BACKEND when it is not such a document. */
bool viommu_caps_read(ViommuHost *host, const char *xml, GError **error);
/** Adds the data of virConnectGetDomainCapabilities() for the default machine to @emulator:
 *  firmware kinds, max vCPUs (the <vcpu max=''> element), and, in *ret_machine (owned; NULL when
 *  not reported), the canonical machine name. */
bool viommu_caps_read_domain(ViommuEmulator *emulator, const char *xml, char **ret_machine, GError **error);
/** The QEMU version in the name of a machine: "pc-q35-7.2" -> 7.2.0; 0 when there is none. */
ViommuVersion viommu_caps_machine_version(const char *machine);

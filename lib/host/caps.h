/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caps: text of libvirt's capabilities and domain capabilities XML -> ViommuHost.  Asks nobody. */
#pragma once

#include "lib/host/host.h"

/** Adds to @host what virConnectGetCapabilities said: the host's arch, its security models, and
 *  one emulator for each guest architecture that viommud knows (path, machine names, accelerators
 *  from the <domain type=''> elements, max vCPUs of q35 or virt). The QEMU version is not in
 *  there.  Fails: BACKEND when it is not such a document. */
bool viommu_caps_read(ViommuHost *host, const char *xml, GError **error);
/** Adds to @emulator what virConnectGetDomainCapabilities said of its default machine: firmware
 *  kinds, max vCPUs (the <vcpu max=''> element), and, in *ret_machine (owned; NULL when not told),
 *  the canonical machine name. */
bool viommu_caps_read_domain(ViommuEmulator *emulator, const char *xml, char **ret_machine, GError **error);
/** The QEMU version that an unversioned build's machine name gives away: "pc-q35-7.2" -> 7.2.0; 0
 *  when none. */
ViommuVersion viommu_caps_machine_version(const char *machine);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names: each name that other programs see: bus, paths, interfaces, environment, metadata
 * namespace. */
#pragma once

#define VIOMMU_BUS_NAME       "org.viommu1"
#define VIOMMU_BUS_PATH       "/org/viommu1"
#define VIOMMU_MACHINE_PREFIX "/org/viommu1/machine"
#define VIOMMU_IFACE_MANAGER  "org.viommu1.Manager"
#define VIOMMU_IFACE_MACHINE  "org.viommu1.Machine"
#define VIOMMU_ERROR_PREFIX   "org.viommu1.Error."

/* systemd's own interface. */
#define VIOMMU_IFACE_LOG "org.freedesktop.LogControl1"
#define VIOMMU_LOG_PATH  "/org/freedesktop/LogControl1"

/* viommud's element in the <metadata> of each domain that it owns. */
#define VIOMMU_METADATA_URI     "https://viommu.org/xmlns/domain/1"
#define VIOMMU_METADATA_PREFIX  "viommu"
#define VIOMMU_METADATA_VERSION 1
/* A second element beside it, which viommud 0.1.0 ignores; see docs/metadata.md. */
#define VIOMMU_ADDITIONS_URI    "https://viommu.org/xmlns/domain/1/additions"
#define VIOMMU_ADDITIONS_PREFIX "viommu-additions"
/* A third one: the devices that were attached while the machine runs. */
#define VIOMMU_ATTACHED_URI    "https://viommu.org/xmlns/domain/1/attached"
#define VIOMMU_ATTACHED_PREFIX "viommu-attached"

#define VIOMMU_ENV_CONNECT "VIOMMU_CONNECT" /* libvirt URI, like --connect */
#define VIOMMU_ENV_CONFIG  "VIOMMU_CONFIG"  /* path of the only configuration file to read */
/* fault point at which a test build dies: daemon/process/fault.h */
#define VIOMMU_ENV_FAULT "VIOMMU_FAULT"

#define VIOMMU_NAME_MAX 63u /* characters in a machine's name */

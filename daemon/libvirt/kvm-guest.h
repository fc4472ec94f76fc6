/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm-guest: the guest that proves KVM, a firmware.  Knows the processor, not libvirt. */
#pragma once

#include <stdint.h>
#include "lib/base/platform.h"

/* Its watchdog (ib700) expires when everything was right; kvm-guest.S has it. */
#if defined(__x86_64__)
#define VIOMMU_KVM_GUEST_ARCH VIOMMU_ARCH_X86_64
#else
#define VIOMMU_KVM_GUEST_ARCH (-2) /* there is none */
#endif
extern const uint8_t viommu_kvm_guest[], viommu_kvm_guest_end[];

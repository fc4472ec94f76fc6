/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm-proof: starts a guest of viommud's own under KVM, through libvirt, as guests are started, and
 * sees whether its code runs (kvm-guest.S).  Does not know who waits for the verdict, or what
 * follows from it.
 *
 * The guest is a transient domain of a fixed name and UUID, so one that a killed process has left
 * is recognised; libvirt's daemon ends it with the connection.  If the guest does not run, the same
 * guest is started without KVM: only if it runs then, KVM is broken.  Like backend.h, the fake
 * backend of the tests replaces these functions. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "lib/host/kvm-verdict.h"

/* How long a guest may take to start and to run.  It takes less than a second where KVM works, and
 * more than a minute in a busy emulated host. */
#define VIOMMU_KVM_GUEST_SEC 120u
/* When a proof has taken longer than this, whoever waits for its verdict gives up.  A guest that
 * cannot be killed takes less. */
#define VIOMMU_KVM_PROOF_SEC 180u

typedef struct ViommuKvmProof {
    const char *emulator;  /* its path */
    const char *directory; /* where the guest's firmware is put meanwhile; QEMU must pass it */
    int *cancelled;        /* atomic: set, the proof ends soon, as UNKNOWN; may be NULL */
} ViommuKvmProof;

/** What a proof of KVM on @host depends on, as a text: the boot, the kernel, the processor and its
 *  microcode, KVM's device, libvirt, QEMU.  NULL: there is nothing to prove, because libvirt offers
 *  no KVM, is on another host, or viommud has no guest for this architecture.  Reads files of the
 *  host.  Owned, g_free(). */
char *viommu_backend_kvm_stamp(ViommuBackend *backend, const ViommuHost *host);
/** Proves KVM.  Blocks for VIOMMU_KVM_GUEST_SEC and longer, and as long as libvirt's daemon does
 *  not answer.  Owned. */
ViommuKvmVerdict *viommu_backend_prove_kvm(ViommuBackend *backend, const ViommuKvmProof *proof);

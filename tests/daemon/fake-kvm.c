/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-kvm: the functions of daemon/libvirt/kvm-proof.h, whose guest does what a test says. */
#include "tests/daemon/fake-backend.h"

static struct {
    const char *stamp, *reason; /* under fake_lock */
    ViommuKvm kvm;
} fake_kvm;

void fake_set_kvm(const char *stamp, ViommuKvm kvm, const char *reason)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&fake_lock);

    fake_kvm.stamp = stamp;
    fake_kvm.kvm = kvm;
    fake_kvm.reason = reason;
}

char *viommu_backend_kvm_stamp(ViommuBackend *backend, const ViommuHost *host)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&fake_lock);

    return viommu_host_offers_kvm(host) ? g_strdup(fake_kvm.stamp) : NULL;
}

ViommuKvmVerdict *viommu_backend_prove_kvm(ViommuBackend *backend, const ViommuKvmProof *proof)
{
    ViommuKvmVerdict *verdict;

    if (!fake_script_begin(FAKE_PROVE, NULL))
        return viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, "it fails");
    verdict = g_atomic_int_get(proof->cancelled)
                  ? viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, "it is cancelled")
                  : viommu_kvm_verdict_new(fake_kvm.kvm, fake_kvm.reason);
    (void)fake_script_end(FAKE_PROVE, NULL);
    return verdict;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm-proof: a trial is one start of the guest.  A thread of its own makes the calls for it, which
 * may hang in QEMU's start; the proof waits for it within a time, then has the guest destroyed, and
 * at last leaves the thread alone. */
#include "daemon/libvirt/kvm-proof.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/libvirt/internal.h"
#include "daemon/libvirt/kvm-guest.h"
#include "lib/base/xml-write.h"

/* No machine of viommud has such a name, nor one that begins with the prefix of its domains. */
#define DOMAIN_NAME "kvm-proof-of-viommud"
#define DOMAIN_UUID "5b1c9ad3-5d0a-4d0e-9a35-7c0f2a1e6b42"
#define FIRMWARE    "kvm-guest.rom"

#define LOOK_USEC  (50 * 1000)
#define GUEST_USEC (VIOMMU_KVM_GUEST_SEC * G_USEC_PER_SEC)
/* libvirt needs so long for a QEMU that no signal ends; and a little more for the thread. */
#define DESTROY_USEC (20 * G_USEC_PER_SEC)
/* libvirt may learn that a guest is paused before it learns why. */
#define PAUSE_USEC (3 * G_USEC_PER_SEC)
#define LATE_USEC  (2 * G_USEC_PER_SEC)
/* As many threads that hang in libvirt are left alone; then nothing is tried any more. */
#define THREADS_MAX 4

/* Of trials, in this process; atomic. */
static int n_threads;

typedef enum End {
    END_RAN,      /* all of its code */
    END_NO_START, /* libvirt's message says why */
    END_STOPPED,  /* paused by QEMU */
    END_GONE,     /* it reset itself, or QEMU ended */
    END_LATE,     /* it runs, and does not finish */
    END_HUNG,     /* the start did not return before its QEMU was killed */
    END_STUCK,    /* and not even then */
    END_LOST,     /* nothing is known: the connection broke, or a former guest is in the way */
    END_CANCELLED,
} End;

typedef struct Trial {
    int references; /* atomic: the thread, the proof */
    virConnectPtr connection;
    char *emulator, *xml;
    unsigned flags;
    int given_up; /* atomic */
    GMutex lock;
    GCond done;
    /* Under lock: */
    gint64 begun_usec; /* when the start was called; 0: not yet */
    bool ended;
    End end;
    char *message; /* of libvirt; NULL: none */
} Trial;

static void trial_unref(Trial *trial)
{
    if (!g_atomic_int_dec_and_test(&trial->references))
        return;
    if (trial->connection)
        virConnectClose(trial->connection);
    g_mutex_clear(&trial->lock);
    g_cond_clear(&trial->done);
    g_free(trial->emulator);
    g_free(trial->xml);
    g_free(trial->message);
    g_free(trial);
}

/* --- The thread of a trial --- */

static char *last_message(void)
{
    virErrorPtr last = virGetLastError();

    return g_strdup(last && last->message ? last->message : "libvirt gave no reason");
}

/* libvirt knows a transient domain as long as its QEMU runs. */
static End end_of_failure(Trial *trial, char **ret_message)
{
    bool gone = viommu_libvirt_last_code() == VIR_ERR_NO_DOMAIN;

    *ret_message = last_message();
    return gone ? END_GONE : END_LOST;
}

/* Looks until it has ended, or is given up. */
static End watch(Trial *trial, virDomainPtr domain, gint64 end_usec, char **ret_message)
{
    gint64 paused_usec = 0;

    for (;;) {
        gint64 now = g_get_monotonic_time();
        int state = VIR_DOMAIN_NOSTATE, reason = 0;

        if (virDomainGetState(domain, &state, &reason, 0) < 0)
            return end_of_failure(trial, ret_message);
        if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_WATCHDOG)
            return END_RAN;
        if (state == VIR_DOMAIN_SHUTDOWN || state == VIR_DOMAIN_SHUTOFF || state == VIR_DOMAIN_CRASHED)
            return END_GONE;
        if (state != VIR_DOMAIN_PAUSED)
            paused_usec = 0;
        else if (paused_usec == 0)
            paused_usec = now;
        else if (now - paused_usec > PAUSE_USEC)
            return END_STOPPED;
        if (now > end_usec)
            return END_LATE;
        if (g_atomic_int_get(&trial->given_up))
            return END_CANCELLED;
        g_usleep(LOOK_USEC);
    }
}

/* One that another proof, or a process that was killed, has left.  Another proof may be under way,
 * so the guest has its time. */
static bool remove_former(Trial *trial, gint64 end_usec)
{
    virDomainPtr former;

    while ((former = virDomainLookupByUUIDString(trial->connection, DOMAIN_UUID))) {
        bool late = g_get_monotonic_time() > end_usec;
        bool stays = late && virDomainDestroy(former) < 0 && virDomainIsActive(former) != 0;

        virDomainFree(former);
        if (stays || g_atomic_int_get(&trial->given_up))
            return false;
        g_usleep(LOOK_USEC);
    }
    return viommu_libvirt_last_code() == VIR_ERR_NO_DOMAIN;
}

static gint64 begin(Trial *trial)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&trial->lock);

    trial->begun_usec = g_get_monotonic_time();
    return trial->begun_usec + GUEST_USEC;
}

static End start_and_watch(Trial *trial, char **ret_message)
{
    gint64 end_usec = begin(trial);
    virDomainPtr domain = virDomainCreateXML(trial->connection, trial->xml, trial->flags);
    End end;

    if (!domain) {
        *ret_message = last_message();
        return virConnectIsAlive(trial->connection) == 1 ? END_NO_START : END_LOST;
    }
    end = watch(trial, domain, end_usec, ret_message);
    (void)virDomainDestroy(domain);
    virDomainFree(domain);
    return end;
}

/* After a change of KVM libvirt looks at QEMU once more, which is no part of a guest's time. */
static void let_look(Trial *trial)
{
    char *unused = virConnectGetDomainCapabilities(trial->connection, trial->emulator, NULL, NULL, NULL, 0);

    free(unused);
}

static void *run_trial(void *data)
{
    Trial *trial = data;
    g_autofree char *message = NULL;
    End end = END_LOST;

    let_look(trial);
    if (remove_former(trial, g_get_monotonic_time() + GUEST_USEC))
        end = start_and_watch(trial, &message);
    else
        message = g_strdup("a former guest of this kind, domain '" DOMAIN_NAME "', cannot be ended");
    g_mutex_lock(&trial->lock);
    trial->ended = true;
    trial->end = end;
    trial->message = g_steal_pointer(&message);
    g_cond_signal(&trial->done);
    g_mutex_unlock(&trial->lock);
    trial_unref(trial);
    (void)g_atomic_int_add(&n_threads, -1);
    return NULL;
}

static bool begin_thread(Trial *trial, GError **error)
{
    GThread *thread;

    if (g_atomic_int_add(&n_threads, 1) >= THREADS_MAX) {
        (void)g_atomic_int_add(&n_threads, -1);
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "%d former starts of it hang in libvirt",
                           THREADS_MAX);
    }
    thread = viommu_thread_start("kvm-proof", run_trial, trial, error);
    if (!thread) {
        (void)g_atomic_int_add(&n_threads, -1);
        return false;
    }
    g_thread_unref(thread);
    return true;
}

/* --- The proof, which waits for the thread --- */

static char *make_xml(const ViommuKvmProof *proof, const char *firmware, bool kvm)
{
    g_autoptr(ViommuXmlWriter) xml = viommu_xml_writer_new();

    viommu_xml_open(xml, "domain");
    viommu_xml_attribute(xml, "type", kvm ? "kvm" : "qemu");
    viommu_xml_leaf(xml, "name", DOMAIN_NAME);
    viommu_xml_leaf(xml, "uuid", DOMAIN_UUID);
    viommu_xml_leaf(xml, "description", "viommud sees whether KVM works; it ends within a minute");
    viommu_xml_leaf_number(xml, "memory", 16 * 1024);
    viommu_xml_leaf(xml, "vcpu", "1");
    viommu_xml_open(xml, "os");
    viommu_xml_open(xml, "type");
    viommu_xml_attribute(xml, "arch", viommu_arch_to_string(VIOMMU_ARCH_X86_64));
    /* Newer versions of libvirt refuse the watchdog on q35. */
    viommu_xml_attribute(xml, "machine", "pc");
    viommu_xml_text(xml, "hvm");
    viommu_xml_close(xml);
    viommu_xml_open(xml, "loader");
    viommu_xml_attribute(xml, "readonly", "yes");
    viommu_xml_attribute(xml, "type", "rom");
    viommu_xml_text(xml, firmware);
    viommu_xml_close(xml);
    viommu_xml_close(xml);
    /* As in a plan (machine.c). */
    if (kvm)
        viommu_xml_empty(xml, "cpu", "mode", "host-passthrough", NULL);
    viommu_xml_leaf(xml, "on_poweroff", "destroy");
    viommu_xml_leaf(xml, "on_reboot", "destroy");
    viommu_xml_leaf(xml, "on_crash", "destroy");
    viommu_xml_open(xml, "devices");
    viommu_xml_leaf(xml, "emulator", proof->emulator);
    viommu_xml_empty(xml, "controller", "type", "usb", "model", "none", NULL);
    viommu_xml_empty(xml, "memballoon", "model", "none", NULL);
    /* Its pause is a state with a reason, which libvirt keeps, and which nothing else causes. */
    viommu_xml_empty(xml, "watchdog", "model", "ib700", "action", "pause", NULL);
    viommu_xml_close(xml);
    viommu_xml_close(xml);
    return viommu_xml_finish(xml);
}

static bool is_cancelled(const ViommuKvmProof *proof)
{
    return proof->cancelled && g_atomic_int_get(proof->cancelled);
}

/* Until the trial has ended, the proof is cancelled, or @usec have passed since the start was
 * called.  Holds the lock. */
static void await(Trial *trial, const ViommuKvmProof *proof, gint64 usec)
{
    gint64 from = g_get_monotonic_time();

    while (!trial->ended && !is_cancelled(proof)) {
        gint64 now = g_get_monotonic_time();

        /* A former guest has its time first. */
        if (now - MAX(from, trial->begun_usec) > usec && (trial->begun_usec || now - from > 2 * usec))
            return;
        (void)g_cond_wait_until(&trial->done, &trial->lock, now + LOOK_USEC);
    }
}

/* The start hangs: libvirt kills its QEMU, which makes it return.  False: libvirt does not respond,
 * or does not know the guest. */
static bool destroy_beside(ViommuPool *pool)
{
    virConnectPtr connection = viommu_pool_open(pool, NULL);
    virDomainPtr domain = connection ? virDomainLookupByUUIDString(connection, DOMAIN_UUID) : NULL;

    if (domain) {
        (void)virDomainDestroy(domain);
        virDomainFree(domain);
    }
    if (connection)
        virConnectClose(connection);
    return domain;
}

static End settle(Trial *trial, const ViommuKvmProof *proof, ViommuPool *pool, char **ret_message)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&trial->lock);

    await(trial, proof, GUEST_USEC + LATE_USEC);
    g_atomic_int_set(&trial->given_up, 1);
    if (is_cancelled(proof)) {
        if (!trial->ended)
            (void)g_cond_wait_until(&trial->done, &trial->lock, g_get_monotonic_time() + LATE_USEC / 2);
        return END_CANCELLED;
    }
    if (!trial->ended) {
        bool begun = trial->begun_usec, known;

        g_mutex_unlock(&trial->lock);
        known = destroy_beside(pool);
        g_mutex_lock(&trial->lock);
        trial->begun_usec = g_get_monotonic_time();
        await(trial, proof, DESTROY_USEC);
        if (is_cancelled(proof))
            return END_CANCELLED;
        if (!begun || !known)
            return END_LOST;
        return trial->ended ? END_HUNG : END_STUCK;
    }
    *ret_message = g_strdup(trial->message);
    return trial->end;
}

static End try_guest(ViommuBackend *backend, const ViommuKvmProof *proof, const char *firmware, bool kvm,
                     char **ret_message)
{
    ViommuPool *pool = viommu_backend_agents(backend);
    g_autoptr(GError) error = NULL;
    Trial *trial;
    End end = END_LOST;

    if (is_cancelled(proof))
        return END_CANCELLED;
    trial = g_new0(Trial, 1);
    trial->references = 2;
    g_mutex_init(&trial->lock);
    g_cond_init(&trial->done);
    trial->emulator = g_strdup(proof->emulator);
    trial->xml = make_xml(proof, firmware, kvm);
    /* The driver in this process has no such flag. */
    trial->flags = strstr(viommu_pool_uri(pool), ":///embed") ? 0 : VIR_DOMAIN_START_AUTODESTROY;
    trial->connection = viommu_pool_open(pool, &error);
    if (trial->connection && begin_thread(trial, &error)) {
        end = settle(trial, proof, pool, ret_message);
    } else {
        *ret_message = g_strdup(error->message);
        trial_unref(trial);
    }
    trial_unref(trial);
    return end;
}

/* --- The verdict --- */

/* What libvirt and QEMU say of a user who may not open /dev/kvm. */
static bool is_about_rights(const char *message)
{
    static const char *const words[] = {"Could not access KVM kernel module", "does not support virt type"};

    for (size_t i = 0; message && i < G_N_ELEMENTS(words); i++)
        if (strstr(message, words[i]))
            return true;
    return false;
}

static char *reason_of(End end, const char *message)
{
    switch (end) {
    case END_NO_START:
        return g_strdup_printf("QEMU did not start viommud's guest: %s", message);
    case END_STOPPED:
        return g_strdup("KVM stopped viommud's guest with an error");
    case END_GONE:
        return g_strdup("viommud's guest ended before its time: an instruction failed");
    case END_LATE:
        return g_strdup_printf("viommud's guest did not finish within %u s", VIOMMU_KVM_GUEST_SEC);
    case END_HUNG:
        return g_strdup_printf("QEMU did not start viommud's guest within %u s", VIOMMU_KVM_GUEST_SEC);
    case END_STUCK:
        return g_strdup_printf("QEMU did not start viommud's guest within %u s, and could not be killed",
                               VIOMMU_KVM_GUEST_SEC);
    case END_LOST:
        return g_strdup_printf("viommud's guest could not be watched: %s",
                               message ? message : "libvirt did not respond");
    case END_CANCELLED:
        return g_strdup("viommud was ending");
    case END_RAN:
        break;
    }
    return NULL;
}

/* Without KVM it must run, or nothing is known. */
static ViommuKvmVerdict *compare(ViommuBackend *backend, const ViommuKvmProof *proof, const char *firmware,
                                 End end, const char *reason)
{
    gint64 began = g_get_monotonic_time();
    g_autofree char *message = NULL, *again_message = NULL, *text = NULL, *why = NULL;
    End control = try_guest(backend, proof, firmware, false, &message);
    bool late = end == END_LATE || end == END_HUNG;

    if (control == END_CANCELLED)
        return viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, "viommud was ending");
    if (control != END_RAN) {
        why = reason_of(control, message);
        text = g_strdup_printf("without KVM it is no better (%s); with KVM: %s", why, reason);
        return viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, text);
    }
    /* The host may only be busy. */
    if (late && g_get_monotonic_time() - began > GUEST_USEC / 3) {
        text = g_strdup_printf("%s, but this host is slow without KVM, too", reason);
        return viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, text);
    }
    /* Somebody may have destroyed the first. */
    if (!late && try_guest(backend, proof, firmware, true, &again_message) == END_RAN)
        return viommu_kvm_verdict_new(VIOMMU_KVM_WORKS, NULL);
    if (is_cancelled(proof))
        return viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, "viommud was ending");
    return viommu_kvm_verdict_new(VIOMMU_KVM_BROKEN, reason);
}

static ViommuKvmVerdict *prove(ViommuBackend *backend, const ViommuKvmProof *proof, const char *firmware)
{
    g_autofree char *message = NULL, *reason = NULL;
    End end = try_guest(backend, proof, firmware, true, &message);

    if (end == END_RAN)
        return viommu_kvm_verdict_new(VIOMMU_KVM_WORKS, NULL);
    reason = reason_of(end, message);
    if (end == END_LOST || end == END_CANCELLED || (end == END_NO_START && is_about_rights(message)))
        return viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, reason);
    /* Its thread may yet end the next guest; and only the kernel keeps a process that is killed. */
    if (end == END_STUCK)
        return viommu_kvm_verdict_new(VIOMMU_KVM_BROKEN, reason);
    return compare(backend, proof, firmware, end, reason);
}

static bool write_firmware(const char *directory, const char *path, GError **error)
{
    gsize size = (gsize)(viommu_kvm_guest_end - viommu_kvm_guest);

    if (g_mkdir_with_parents(directory, 0711) < 0)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot create the directory '%s': %s", directory,
                           g_strerror(errno));
    /* QEMU may have any user. */
    return g_file_set_contents(path, (const char *)viommu_kvm_guest, (gssize)size, error) &&
           (g_chmod(path, 0644) == 0 || viommu_fail(error, VIOMMU_ERROR_BACKEND,
                                                    "cannot open '%s' to QEMU: %s", path, g_strerror(errno)));
}

ViommuKvmVerdict *viommu_backend_prove_kvm(ViommuBackend *backend, const ViommuKvmProof *proof)
{
    g_autofree char *firmware = g_build_filename(proof->directory, FIRMWARE, NULL);
    g_autoptr(GError) error = NULL;
    ViommuKvmVerdict *verdict;

    if (!write_firmware(proof->directory, firmware, &error))
        return viommu_kvm_verdict_new(VIOMMU_KVM_UNKNOWN, error->message);
    verdict = prove(backend, proof, firmware);
    (void)g_unlink(firmware);
    return verdict;
}

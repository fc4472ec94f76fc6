/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal: for the files of doctor only.
 *   doctor.c   the table of checks; viommud, libvirt and their settings
 *   site.c     what users other than root may have
 *   leftovers.c   machines that viommud does not count, and what is left of those that are gone
 *   rights.c   what a user may open
 *   devices.c  what the kernel offers: /dev/kvm, VFIO, the host's own IOMMU */
#pragma once

#include <pwd.h>
#include "tools/doctor/doctor.h"

typedef struct ViommuExamination {
    const char *check; /* the current one */
    GPtrArray *findings;
} ViommuExamination;

/** Adds a finding.  Takes @advice; NULL: there is nothing to do. */
void viommu_examination_tell(ViommuExamination *examination, ViommuHealth health, char *advice,
                             const char *format, ...) G_GNUC_PRINTF(4, 5);
#define TELL(health, ...) viommu_examination_tell(examination, VIOMMU_HEALTH_##health, __VA_ARGS__)

/** Whether the kernel refuses @user, with all their groups, to read and write the file.  Only root
 *  can ask; false, too, when that is not known. */
bool viommu_doctor_is_closed(const struct passwd *user, const char *path);

void viommu_doctor_check_site(ViommuExamination *examination, const ViommuPatient *patient);
void viommu_doctor_check_leftovers(ViommuExamination *examination, const ViommuPatient *patient);
void viommu_doctor_check_kvm(ViommuExamination *examination, const ViommuPatient *patient);
void viommu_doctor_check_iommu(ViommuExamination *examination, const ViommuPatient *patient);
void viommu_doctor_check_vfio(ViommuExamination *examination, const ViommuPatient *patient);
void viommu_doctor_check_iommufd(ViommuExamination *examination, const ViommuPatient *patient);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-site-image: the text of NAME.image, read, refused and printed, and what it does to a
 * request. */
#include "lib/request/site-image.h"

#include <string.h>

#include "tests/unit/unit.h"

#define KEY    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPPwIjxPguknB6ZNHw1vPInUHWkUOZV3BT5Vx48w5KWA"
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER  "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static const char full[] = "[image]\nfile=debian13.qcow2\nformat=qcow2\nos=debian13-cloud\narch=x86_64\n"
                           "firmware=efi\nuser=debian\nagent=yes\nseed=cloud-init\ndigest=" DIGEST "\n";

static ViommuSiteImage *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    ViommuSiteImage *image = viommu_site_image_parse(text, strlen(text), &error);

    unit_assert_ok(image != NULL, error);
    return image;
}

START_TEST(text_there_and_back)
{
    g_autoptr(ViommuSiteImage) image = parse(full), least = NULL, again = NULL, sent = NULL;
    g_autofree char *text = viommu_site_image_print(image), *odd = NULL;
    g_autoptr(GVariant) tree = g_variant_ref_sink(viommu_site_image_to_variant(image));

    ck_assert_str_eq(image->file, "debian13.qcow2");
    ck_assert_int_eq(image->format, VIOMMU_DISK_FORMAT_QCOW2);
    ck_assert_int_eq(image->arch, VIOMMU_ARCH_X86_64);
    ck_assert_int_eq(image->agent, 1);
    ck_assert_str_eq(text, full);
    sent = viommu_site_image_from_variant(tree, NULL);
    ck_assert_str_eq(sent->digest, DIGEST);
    least = parse("# what the site has\n\n [image]\nfile = a b;c\\\\d.raw\nformat=raw\n");
    ck_assert_str_eq(least->file, "a b;c\\d.raw");
    ck_assert_int_eq(least->agent, VIOMMU_UNSET);
    ck_assert_int_eq(least->seed, VIOMMU_UNSET);
    ck_assert_ptr_null(least->digest);
    odd = viommu_site_image_print(least);
    again = parse(odd);
    ck_assert_str_eq(again->file, least->file);
}
END_TEST

START_TEST(refusals)
{
    static const char *const cases[][2] = {
        {"", "there is no group [image]"},
        {"file=x\n", "Key file does not start with a group"},
        {"[Image]\nfile=x\n", "group [Image] is not known; the only group is [image]"},
        {"[image]\nfile=x\nformat=raw\n[more]\n", "group [more] is not known; the only group is [image]"},
        {"[image]\nformat=raw\n", "file is missing; it must be a string"},
        {"[image]\nfile=x\n", "format is missing; it must be one of raw, qcow2"},
        {"[image]\nfile=x\nformat=vmdk\n", "format 'vmdk' is not known; use one of raw, qcow2"},
        {"[image]\nfile=x\nformat=raw\nfiel=y\n", "unknown key 'fiel'; did you mean 'file'?"},
        {"[image]\nfile=x\nfile=y\nformat=raw\n", "file is given twice"},
        {"[image]\nfile=x\nformat=raw\n[image]\nfile=y\n", "file is given twice"},
        {"[image]\nfile=../x\nformat=raw\n",
         "file '../x' is not the name of a file in the same directory; write the name alone, without '/'"},
        {"[image]\nfile=..\nformat=raw\n",
         "file '..' is not the name of a file in the same directory; write the name alone, without '/'"},
        {"[image]\nfile=\nformat=raw\n", "file must not be empty; omit the key instead"},
        {"[image]\nfile=a\\nb\nformat=raw\n",
         "file must not contain control characters, but has 0x0a at byte 1"},
        {"[image]\nfile=x\nformat=raw\nagent=true\n", "agent 'true' is not known; use yes or no"},
        {"[image]\nfile=x\nformat=raw\nuser=a b\n", "user 'a b' is not a valid name of a user"},
        {"[image]\nfile=x\nformat=raw\ndigest=sha256:1\n",
         "digest 'sha256:1' is not valid; write 'sha256:' and the 64 hexadecimal digits that sha256sum prints, in lower case"},
        {"[image]\nfile=x\nformat=raw\nos[de]=x\n",
         "unknown key 'os[de]'; the known keys are file, format, os, arch, firmware, user, agent, seed, digest"},
        {"[image]\nfile=\xff\nformat=raw\n", "it is not text in UTF-8"},
    };
    g_autofree char *large = g_strnfill(VIOMMU_SITE_IMAGE_TEXT_MAX + 1, '\n');
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert_msg(!viommu_site_image_parse(cases[i][0], strlen(cases[i][0]), &error), "%s", cases[i][0]);
        unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, cases[i][1]);
    }
    ck_assert_ptr_null(viommu_site_image_parse("[image]\n\0", 9, &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, "it is not text in UTF-8");
    ck_assert_ptr_null(viommu_site_image_parse(large, strlen(large), &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, "it has more than 65536 bytes");
}
END_TEST

static ViommuRequest *request_of(const char *text)
{
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    ViommuRequest *request = viommu_request_parse(tree, &error);

    unit_assert_ok(request != NULL, error);
    return request;
}

/* @text after the image's values; NULL and an error. */
static ViommuRequest *merged(const char *text, const char *image_text, GError **error)
{
    g_autoptr(ViommuSiteImage) image = parse(image_text);
    g_autoptr(ViommuRequest) request = request_of(text);

    return viommu_site_image_merge(image, "/images", request, error) ? g_steal_pointer(&request) : NULL;
}

START_TEST(the_image_gives_defaults)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuRequest) request =
        merged("{'image': <'d'>, 'seed': <{'ssh-keys': <'" KEY "'>}>}", full, &error);
    const ViommuRequestDisk *disk;

    unit_assert_ok(request != NULL, error);
    ck_assert(request->image_is_known);
    ck_assert_uint_eq(request->disks->len, 1);
    disk = g_ptr_array_index(request->disks, 0);
    ck_assert_str_eq(disk->file.path, "/images/debian13.qcow2");
    ck_assert_int_eq(disk->file.handle, VIOMMU_UNSET);
    ck_assert_int_eq(disk->format, VIOMMU_DISK_FORMAT_QCOW2);
    ck_assert_int_eq(disk->overlay, 1);
    ck_assert_uint_eq(disk->size_bytes, VIOMMU_UNSET_NUMBER);
    ck_assert_str_eq(disk->digest, DIGEST);
    ck_assert_str_eq(request->arch, "x86_64");
    ck_assert_str_eq(request->guest.os, "debian13-cloud");
    ck_assert_int_eq(request->guest.agent, VIOMMU_UNSET);
    ck_assert(request->guest.agent_offered);
    ck_assert_int_eq(request->boot.firmware, VIOMMU_FIRMWARE_EFI);
    ck_assert_int_eq(request->seed.by, VIOMMU_SEED_BY_CLOUD_INIT);
    ck_assert_str_eq(request->seed.user, "debian");
}
END_TEST

START_TEST(the_request_wins)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuRequest) request = merged(
        "{'image': <'d'>, 'arch': <'x86_64'>, 'guest': <{'os': <'debian12'>, 'agent': <false>}>, "
        "'boot': <{'firmware': <'bios'>}>, 'disks': <[{'size': <'20 GiB'>, 'bus': <'scsi'>}, {'path': "
        "<'/e'>, 'format': <'raw'>}]>, 'seed': <{'by': <'ignition'>, 'user': <'core'>, 'ssh-keys': <'" KEY
        "'>}>}",
        full, &error);
    const ViommuRequestDisk *disk;

    unit_assert_ok(request != NULL, error);
    disk = g_ptr_array_index(request->disks, 0);
    ck_assert_uint_eq(request->disks->len, 2);
    ck_assert_uint_eq(disk->size_bytes, UINT64_C(20) << 30);
    ck_assert_int_eq(disk->bus, VIOMMU_DISK_BUS_SCSI);
    ck_assert_str_eq(request->guest.os, "debian12");
    ck_assert_int_eq(request->guest.agent, 0);
    ck_assert(!request->guest.agent_offered);
    ck_assert_int_eq(request->boot.firmware, VIOMMU_FIRMWARE_BIOS);
    ck_assert_int_eq(request->seed.by, VIOMMU_SEED_BY_IGNITION);
    ck_assert_str_eq(request->seed.user, "core");
}
END_TEST

/* What is stored and compared is what the caller said. */
START_TEST(the_text_stays)
{
    static const char text[] = "{'image': <'d'>, 'vcpus': <uint64 2>}";
    g_autoptr(ViommuRequest) before = request_of(text), after = merged(text, full, NULL);
    g_autofree char *said = viommu_request_text(after), *print = viommu_request_fingerprint(before),
                    *print_after = viommu_request_fingerprint(after);

    ck_assert_str_eq(said, text);
    ck_assert_str_eq(print, print_after);
}
END_TEST

START_TEST(contradictions)
{
    static const char bios[] = "[image]\nfile=x\nformat=raw\nfirmware=bios\n";
    static const char without_agent[] = "[image]\nfile=x\nformat=raw\nagent=no\nseed=credentials\n";
    static const struct {
        const char *request, *image, *message;
    } cases[] = {
        {"{'image': <'d'>, 'arch': <'aarch64'>}", full,
         "arch 'aarch64' contradicts image 'd', which is for x86_64; omit one of the two"},
        {"{'image': <'d'>, 'disks': <[{'digest': <'" OTHER "'>}]>}", full,
         "disks[0].digest contradicts image 'd', whose digest is " DIGEST "; omit it, or use another image"},
        {"{'image': <'d'>, 'wait': <'ready'>}", without_agent,
         "with the defaults of image 'd': wait 'ready' needs the guest's agent, but guest.agent is false; set it to true, set guest.vsock to true for a guest with systemd, or wait for 'started'"},
        {"{'image': <'d'>, 'wait': <'verified'>}", without_agent,
         "with the defaults of image 'd': wait 'verified' needs the guest's agent, but guest.agent is false; set it to true, or boot by boot.kernel, which lets viommud read the guest's console instead"},
        {"{'image': <'d'>, 'boot': <{'secure-boot': <true>}>}", bios,
         "with the defaults of image 'd': boot.secure-boot is true, but boot.firmware is 'bios'; set boot.firmware to 'efi'"},
        {"{'image': <'d'>, 'seed': <{'user-data': <'/u'>}>}", without_agent,
         "with the defaults of image 'd': seed.user-data is not possible with seed.by 'credentials', which every user of the host can read; use 'cloud-init' or 'ignition'"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_msg(!merged(cases[i].request, cases[i].image, &error), "%s", cases[i].request);
        unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, cases[i].message);
    }
}
END_TEST

UNIT_MAIN("site-image", text_there_and_back, refusals, the_image_gives_defaults, the_request_wins,
          the_text_stays, contradictions)

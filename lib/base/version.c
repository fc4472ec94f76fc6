/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* version: text to a comparable number and back. */
#include "lib/base/version.h"

/* Reads the digits at *text; false when there are none, or when their value is @limit or more. */
static bool read_number(const char **text, uint64_t limit, uint64_t *ret)
{
    const char *next = *text;
    uint64_t value = 0;

    if (!g_ascii_isdigit(*next))
        return false;
    for (; g_ascii_isdigit(*next); next++) {
        value = value * 10 + (uint64_t)(*next - '0');
        if (value >= limit)
            return false;
    }
    *text = next;
    *ret = value;
    return true;
}

bool viommu_version_parse(const char *text, ViommuVersion *ret)
{
    uint64_t major, minor, micro = 0;

    if (!read_number(&text, 1000000, &major) || *text++ != '.' || !read_number(&text, 1000, &minor))
        return false;
    if (text[0] == '.' && g_ascii_isdigit(text[1])) {
        text++;
        if (!read_number(&text, 1000, &micro))
            return false;
    }
    /* 0 stands for "not known", so no version may have that value. */
    if (g_ascii_isalnum(*text) || major + minor + micro == 0)
        return false;
    *ret = VIOMMU_VERSION_OF(major, minor, micro);
    return true;
}

char *viommu_version_format(ViommuVersion version)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT ".%u.%u", version / 1000000,
                           (unsigned)(version / 1000 % 1000), (unsigned)(version % 1000));
}

char *viommu_version_format_short(ViommuVersion version)
{
    if (version % 1000 != 0)
        return viommu_version_format(version);
    return g_strdup_printf("%" G_GUINT64_FORMAT ".%u", version / 1000000, (unsigned)(version / 1000 % 1000));
}

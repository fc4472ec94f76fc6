/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build: how the parts of a plan refuse, note and warn. */
#include "lib/plan/build.h"

static void add(GPtrArray *texts, const char *format, va_list arguments)
{
    g_ptr_array_add(texts, g_strdup_vprintf(format, arguments));
}

bool viommu_plan_refuse(ViommuPlanBuild *build, ViommuError code, ViommuRule rule, GError **error,
                        const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    build->rule = rule;
    return viommu_fail(error, code, "%s", text);
}

void viommu_plan_note(ViommuPlanBuild *build, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(build->plan->notes, format, arguments);
    va_end(arguments);
}

void viommu_plan_warn(ViommuPlanBuild *build, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(build->plan->warnings, format, arguments);
    va_end(arguments);
}

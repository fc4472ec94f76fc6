/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-news: what each kind of news means, and rules that hold for the whole table. */
#include "tests/unit/unit.h"

#include "lib/machine/news.h"

static const struct {
    ViommuNewsKind kind;
    const char *event;
    const char *flags; /* connection, ends, failure, by itself, keeps: their first letters */
    const char *pause;
} expected[] = {
    {VIOMMU_NEWS_CONNECTED, NULL, "c"},
    {VIOMMU_NEWS_DISCONNECTED, NULL, "c"},
    {VIOMMU_NEWS_DEFINED, NULL, ""},
    {VIOMMU_NEWS_STARTED, "started", ""},
    {VIOMMU_NEWS_SHUTDOWN, "guest-ended", "eb"},
    {VIOMMU_NEWS_DESTROYED, "guest-crashed", "ef"},
    {VIOMMU_NEWS_CRASHED, "guest-crashed", "efb"},
    {VIOMMU_NEWS_PANICKED, "guest-panicked", "efb"},
    {VIOMMU_NEWS_UNDEFINED, "vanished", ""},
    {VIOMMU_NEWS_SUSPENDED, NULL, "", "suspended"},
    {VIOMMU_NEWS_IO_ERROR, NULL, "", "io-error"},
    {VIOMMU_NEWS_HALTED, NULL, "", "other"},
    {VIOMMU_NEWS_RESUMED, NULL, "", "none"},
    {VIOMMU_NEWS_REBOOTED, NULL, ""},
    {VIOMMU_NEWS_DEVICE_REMOVED, NULL, ""},
    {VIOMMU_NEWS_DEVICE_KEPT, NULL, ""},
    {VIOMMU_NEWS_SAVED, "guest-saved", "ebk"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(expected) == VIOMMU_NEWS_LAST);

START_TEST(rows)
{
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        const ViommuNewsMeaning *meaning = viommu_news_meaning(expected[i].kind);
        g_autofree char *flags =
            g_strconcat(meaning->connection ? "c" : "", meaning->ends ? "e" : "", meaning->failure ? "f" : "",
                        meaning->by_itself ? "b" : "", meaning->keeps ? "k" : "", NULL);

        ck_assert_int_eq(expected[i].kind, i);
        ck_assert_pstr_eq(viommu_enum_to_string(&viommu_enum_event, (int)meaning->event), expected[i].event);
        ck_assert_str_eq(flags, expected[i].flags);
        ck_assert_pstr_eq(viommu_enum_to_string(&viommu_enum_pause, (int)meaning->pause), expected[i].pause);
    }
}
END_TEST

/* The table agrees with the lifecycle: news ends a guest exactly when its event stops a running
 * machine. */
START_TEST(ends_as_the_lifecycle)
{
    for (int kind = 0; kind < VIOMMU_NEWS_LAST; kind++) {
        const ViommuNewsMeaning *meaning = viommu_news_meaning((ViommuNewsKind)kind);
        ViommuTransition next = {VIOMMU_STATE_RUNNING, VIOMMU_RESULT_NONE, false};
        bool ends = meaning->event != VIOMMU_EVENT_LAST &&
                    viommu_lifecycle_step(VIOMMU_STATE_RUNNING, meaning->event, &next) && !next.gone;

        ck_assert_int_eq(meaning->ends, ends);
        ck_assert(meaning->ends || (!meaning->failure && !meaning->by_itself && !meaning->keeps));
        ck_assert_int_eq(meaning->keeps, ends && next.result == VIOMMU_RESULT_SAVED);
        ck_assert_int_eq(meaning->failure, ends && next.result != VIOMMU_RESULT_SHUTDOWN && !meaning->keeps);
        ck_assert(!meaning->connection || meaning->event == VIOMMU_EVENT_LAST);
    }
}
END_TEST

UNIT_MAIN("news", rows, ends_as_the_lifecycle)

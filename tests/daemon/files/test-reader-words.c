/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-reader-words: what a process that has read strangers' files may report, and what viommud
 * does not believe. */
#include "daemon/files/reader-words.h"

#include <fcntl.h>
#include <unistd.h>
#include "tests/unit/unit.h"

#define SENSELESS "viommud's process for files sent an invalid reply"

static void clear_fd(void *fd)
{
    if (*(int *)fd >= 0)
        close(*(int *)fd);
}

static GArray *new_fds(guint n)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_set_clear_func(fds, clear_fd);
    for (guint i = 0; i < n; i++) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        g_array_append_val(fds, fd);
    }
    return fds;
}

static GVariant *parse(const char *type, const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *value = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);

    unit_assert_ok(value != NULL, error);
    return value;
}

/* --- Opened files --- */

#define NONE                                "(nothing, (false, false, false, false), nothing, nothing, 0)"
#define DISK(open)                          "('/d', (true, " open ", false, false), nothing, nothing, 0)"
#define BASED(chain)                        "('/d', (true, true, false, false), [" chain "], nothing, 0)"
#define OVER(bytes)                         "('/d', (true, false, false, false), nothing, '/o', " bytes ")"
#define NO_KERNEL                           "nothing"
#define KERNEL(release, drivers)            PAGED(release, drivers, "4096")
#define PAGED(release, drivers, page)       "('" release "', 1, true, [" drivers "], " page ")"
#define SAID(disks, kernel, open)           STATED(disks, kernel, open, "nothing, nothing")
#define STATED(disks, kernel, open, states) WHOLE(disks, kernel, open, states, "nothing")
#define WHOLE(disks, kernel, open, states, image) \
    "((" NONE ", " NONE ", " NONE ", [" disks "]), " kernel ", [" open "], 5, [" states "], " image ")"

/* The request has two disks. */
static const struct {
    const char *text;
    guint n_fds;
    bool good;
} openings[] = {
    {SAID(DISK("true") ", " DISK("false"), NO_KERNEL, "true, false"), 1, true},
    {SAID(DISK("false") ", " DISK("false"), NO_KERNEL, "false, false"), 0, true},
    {SAID(DISK("false") ", " DISK("false"), NO_KERNEL, "true, true"), 2, true},
    {SAID(BASED("('/b', 0, true), ('/c', 0, false)") ", " DISK("true"), NO_KERNEL, "true, true"), 3, true},
    {SAID(DISK("true") ", " DISK("false"), KERNEL("6.1", "0, 0, 0, 0"), "true, false"), 1, true},
    /* Descriptors: one too few, one too many, none, and a disk reported as open that is not. */
    {SAID(DISK("true") ", " DISK("true"), NO_KERNEL, "true, true"), 1, false},
    {SAID(DISK("true") ", " DISK("true"), NO_KERNEL, "true, true"), 3, false},
    {SAID(DISK("true") ", " DISK("true"), NO_KERNEL, "true, true"), 0, false},
    {SAID(DISK("true") ", " DISK("false"), NO_KERNEL, "false, true"), 1, false},
    {SAID(BASED("('/b', 0, true)") ", " DISK("true"), NO_KERNEL, "true, true"), 2, false},
    {SAID(BASED("('/b', 0, false)") ", " DISK("true"), NO_KERNEL, "true, true"), 3, false},
    /* Disks: too few, too many, more entries than disks, and one without a path. */
    {SAID(DISK("true"), NO_KERNEL, "true"), 1, false},
    {SAID(DISK("true") ", " DISK("true") ", " DISK("true"), NO_KERNEL, "true, true, true"), 3, false},
    {SAID(DISK("true") ", " DISK("true"), NO_KERNEL, "true"), 1, false},
    {SAID(DISK("true") ", " DISK("true"), NO_KERNEL, "true, true, true"), 3, false},
    {SAID(DISK("true") ", " NONE, NO_KERNEL, "true, false"), 1, false},
    {SAID(BASED("('/b', -1, true)") ", " DISK("true"), NO_KERNEL, "true, true"), 3, false},
    {SAID(BASED("('/b', 1000, true)") ", " DISK("true"), NO_KERNEL, "true, true"), 3, false},
    /* States: too few, too many. */
    {STATED(DISK("true") ", " DISK("false"), NO_KERNEL, "true, false", "(1, 2, 3, 4, 5), nothing"), 1, true},
    {STATED(DISK("true") ", " DISK("false"), NO_KERNEL, "true, false", "nothing"), 1, false},
    {STATED(DISK("true") ", " DISK("false"), NO_KERNEL, "true, false", "nothing, nothing, nothing"), 1,
     false},
    /* A kernel. */
    {SAID(DISK("true") ", " DISK("false"), KERNEL("6.1", "0, 0, 0"), "true, false"), 1, false},
    {SAID(DISK("true") ", " DISK("false"), KERNEL("6.1", "0, 0, 0, 99"), "true, false"), 1, false},
    {SAID(DISK("true") ", " DISK("false"), KERNEL("6.1", "0, 0, 0, -1"), "true, false"), 1, false},
    {SAID(DISK("true") ", " DISK("false"), PAGED("6.1", "0, 0, 0, 0", "0"), "true, false"), 1, true},
    {SAID(DISK("true") ", " DISK("false"), PAGED("6.1", "0, 0, 0, 0", "4097"), "true, false"), 1, false},
    {SAID(DISK("true") ", " DISK("false"), KERNEL("6 1", "0, 0, 0, 0"), "true, false"), 1, false},
    {SAID(DISK("true") ", " DISK("false"), KERNEL("\\u001b", "0, 0, 0, 0"), "true, false"), 1, false},
};

static guint count_open(const GArray *fds)
{
    guint n = 0;

    for (guint i = 0; i < fds->len; i++)
        n += g_array_index(fds, int, i) >= 0;
    return n;
}

START_TEST(what_is_open)
{
    for (size_t i = 0; i < G_N_ELEMENTS(openings); i++) {
        g_autoptr(GVariant) value = parse(VIOMMU_READER_OPENED_TYPE, openings[i].text);
        g_autoptr(GArray) fds = new_fds(openings[i].n_fds);
        ViommuReaderOpened opened = {NULL};

        ck_assert_msg(viommu_reader_opened_read(value, 2, fds, &opened) == openings[i].good, "%s, with %u",
                      openings[i].text, openings[i].n_fds);
        ck_assert_uint_eq(count_open(fds), openings[i].good ? 0 : openings[i].n_fds);
        if (!openings[i].good) {
            ck_assert_ptr_null(opened.handovers);
            continue;
        }
        ck_assert_uint_eq(opened.disks->len, 2);
        ck_assert_uint_eq(opened.backing->len, 2);
        ck_assert_uint_eq(opened.size.bytes, 5);
        viommu_reader_opened_clear(&opened);
    }
}
END_TEST

/* Copies are of one kernel and one initrd, beside one seed, so they have a limit. */
START_TEST(copies)
{
    static const struct {
        uint64_t bytes;
        bool good;
    } cases[] = {
        {0, true},
        {((uint64_t)1 << 30) + 1, true}, /* the largest two, and a seed */
        {(uint64_t)3 << 29, true},
        {((uint64_t)3 << 29) + 1, false},
        {UINT64_MAX, false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("((" NONE ", " NONE ", " NONE ", @a" VIOMMU_HANDOVER_TYPE
                                                " []), nothing, @ab [], %" G_GUINT64_FORMAT
                                                ", @am" VIOMMU_FILE_STATE_TYPE " [], nothing)",
                                                cases[i].bytes);
        g_autoptr(GVariant) value = parse(VIOMMU_READER_OPENED_TYPE, text);
        g_autoptr(GArray) fds = new_fds(0);
        ViommuReaderOpened opened = {NULL};

        ck_assert_msg(viommu_reader_opened_read(value, 0, fds, &opened) == cases[i].good, "%s", text);
        viommu_reader_opened_clear(&opened);
    }
}
END_TEST

/* The request's directories are three. */
static const struct {
    const char *text;
    bool good, is_there;
} images[] = {
    {"nothing", true, false},
    {"(2, {'file': <'f'>, 'format': <'raw'>})", true, true},
    {"(3, {'file': <'f'>, 'format': <'raw'>})", false, false},
    {"(4294967295, {'file': <'f'>, 'format': <'raw'>})", false, false},
    {"(0, {'file': <'../f'>, 'format': <'raw'>})", false, false},
    {"(0, {'file': <'f'>, 'format': <'vmdk'>})", false, false},
    {"(0, {'file': <'f'>, 'format': <'raw'>, 'more': <1>})", false, false},
    {"(0, {})", false, false},
};

START_TEST(what_the_site_says)
{
    for (size_t i = 0; i < G_N_ELEMENTS(images); i++) {
        g_autofree char *text = g_strdup_printf(WHOLE("", NO_KERNEL, "", "", "%s"), images[i].text);
        g_autoptr(GVariant) value = parse(VIOMMU_READER_OPENED_TYPE, text);
        g_autoptr(ViommuSiteImage) image = NULL;
        guint directory;

        ck_assert_msg(viommu_reader_opened_image(value, 3, &image, &directory) == images[i].good, "%s", text);
        ck_assert_msg((image != NULL) == images[i].is_there, "%s", text);
        ck_assert(!image || directory == 2);
    }
}
END_TEST

/* No sizes of overlays overflow; the states are those of their disks. */
START_TEST(overlays)
{
    g_autoptr(GVariant) value =
        parse(VIOMMU_READER_OPENED_TYPE, STATED(OVER("4096") ", " OVER("18446744073709551615"), NO_KERNEL,
                                                "false, false", "nothing, (1, 2, 3, 4, 5)"));
    g_autoptr(GArray) fds = new_fds(0);
    ViommuReaderOpened opened;

    ck_assert(viommu_reader_opened_read(value, 2, fds, &opened));
    ck_assert_uint_eq(opened.size.overlay_bytes, 4096 + (uint64_t)INT64_MAX / 2);
    ck_assert_uint_eq(g_array_index(opened.states, ViommuFileState, 0).inode, 0);
    ck_assert_uint_eq(g_array_index(opened.states, ViommuFileState, 1).inode, 2);
    viommu_reader_opened_clear(&opened);
}
END_TEST

/* Each descriptor goes to its file, in the order of arrival. */
START_TEST(descriptors_in_order)
{
    g_autoptr(GVariant) value =
        parse(VIOMMU_READER_OPENED_TYPE,
              SAID(BASED("('/b', 0, true), ('/c', 0, false)") ", " DISK("true"), NO_KERNEL, "true, true"));
    g_autoptr(GArray) fds = new_fds(3);
    const int came[] = {g_array_index(fds, int, 0), g_array_index(fds, int, 1), g_array_index(fds, int, 2)};
    ViommuReaderOpened opened;
    const GArray *backing;

    ck_assert(viommu_reader_opened_read(value, 2, fds, &opened));
    backing = g_ptr_array_index(opened.backing, 0);
    ck_assert_int_eq(g_array_index(opened.disks, int, 0), came[0]);
    ck_assert_int_eq(g_array_index(backing, int, 0), came[1]);
    ck_assert_int_eq(g_array_index(backing, int, 1), -1);
    ck_assert_int_eq(g_array_index(opened.disks, int, 1), came[2]);
    viommu_reader_opened_clear(&opened);
}
END_TEST

/* --- Answers --- */

static const struct {
    const char *text;
    const char *type; /* of the expected value */
    int code;         /* VIOMMU_ERROR_LAST: success */
    const char *message;
} answers[] = {
    {"(-1, '', <uint64 7>)", "t", VIOMMU_ERROR_LAST, NULL},
    {"(-1, 'whatever', nothing)", NULL, VIOMMU_ERROR_LAST, NULL},
    {"(0, 'no', nothing)", "t", VIOMMU_ERROR_INVALID_REQUEST, "no"},
    {"(0, 'no', <uint64 7>)", "t", VIOMMU_ERROR_INVALID_REQUEST, "no"},
    {"(-1, '', nothing)", "t", VIOMMU_ERROR_INTERNAL, SENSELESS},
    {"(-1, '', <uint64 7>)", NULL, VIOMMU_ERROR_INTERNAL, SENSELESS},
    {"(-1, '', <int32 7>)", "t", VIOMMU_ERROR_INTERNAL, SENSELESS},
    {"(-2, 'no', <uint64 7>)", "t", VIOMMU_ERROR_INTERNAL, SENSELESS},
    {"(1000, 'no', <uint64 7>)", "t", VIOMMU_ERROR_INTERNAL, SENSELESS},
    {"(2147483647, 'no', nothing)", NULL, VIOMMU_ERROR_INTERNAL, SENSELESS},
};

START_TEST(answered)
{
    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        g_autoptr(GVariant) value = parse(VIOMMU_READER_ANSWER_TYPE, answers[i].text), result = NULL;
        g_autoptr(GError) error = NULL;
        bool good = viommu_reader_answer_read(value, answers[i].type, &result, &error);

        ck_assert_msg(good == (answers[i].code == VIOMMU_ERROR_LAST), "%s", answers[i].text);
        if (!good) {
            unit_assert_error(error, answers[i].code, answers[i].message);
            ck_assert_ptr_null(result);
        }
    }
}
END_TEST

/* --- The question --- */

/* With two descriptors. */
static const struct {
    const char *request, *handles;
    bool good;
} questions[] = {
    {"{'boot': <{'kernel': <'/k'>}>}", "0, -1", true},
    {"{'boot': <{'kernel': <'/k'>}>, 'disks': <[{'path': <'/d'>, 'format': <'raw'>}]>}", "0, -1, 1", true},
    {"@a{sv} {}", "-1, -1", true},
    {"@a{sv} {}", "-1", false},
    {"{'disks': <[{'path': <'/d'>, 'format': <'raw'>}]>}", "-1, -1", false},
    {"{'boot': <{'kernel': <'/k'>}>}", "2, -1", false},
    {"{'boot': <{'kernel': <'/k'>}>}", "-2, -1", false},
    {"{'boot': <{'kernel': <'/k'>}>}", "2147483647, -1", false},
    {"{'boot': <{'kernal': <'/k'>}>}", "0, -1", false},
    {"{'boot': <7>}", "0, -1", false},
};

START_TEST(asked)
{
    for (size_t i = 0; i < G_N_ELEMENTS(questions); i++) {
        g_autofree char *text = g_strdup_printf("(%s, [%s], 1000, 'u', 'n', (false, 5, '/c', ['/i']), 9, 10)",
                                                questions[i].request, questions[i].handles);
        g_autoptr(GVariant) value = parse(VIOMMU_READER_QUESTION_TYPE, text);
        g_autoptr(GArray) fds = new_fds(2);
        g_autoptr(ViommuReaderQuestion) question = viommu_reader_question_from_variant(value, fds);

        ck_assert_msg((question != NULL) == questions[i].good, "%s", text);
        ck_assert_uint_eq(count_open(fds), questions[i].good ? 0 : 2);
        if (!question)
            continue;
        ck_assert_uint_eq(question->request->fds->len, 2);
        ck_assert_uint_eq(question->machine.uid, 1000);
        ck_assert_uint_eq(question->timeout_sec, 9);
        ck_assert_str_eq(question->site.image_directories[0], "/i");
    }
}
END_TEST

UNIT_MAIN("reader-words", what_is_open, copies, what_the_site_says, overlays, descriptors_in_order, answered,
          asked)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* abuse: before and after.  Knows no abuse itself. */
#include "tests/abuse/abuse.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static size_t rss_kib(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/statm", (int)pid), *text = NULL;
    unsigned long total, resident;

    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_int_eq(sscanf(text, "%lu %lu", &total, &resident), 2);
    return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

Abuse *abuse_begin(void)
{
    Abuse *abuse = g_new0(Abuse, 1);
    g_autofree char *path = NULL;

    abuse->harness = people_new_configured("");
    abuse->pid = abuse->harness->daemon_pid;
    abuse->victim = abuse->harness->bus;
    abuse->attacker = harness_connect_as(abuse->harness, PEOPLE_MEMBER);
    for (int i = 0; i < 20; i++) {
        people_allow(abuse->attacker, harness_request(abuse->attacker, "Plan", "{'arch': <'x86_64'>}"));
        g_free(path);
        path = people_launch(abuse->attacker, "warm");
        people_allow(abuse->attacker, people_on_machine(abuse->attacker, path, "Kill"));
    }
    abuse->rss_kib = rss_kib(abuse->pid);
    return abuse;
}

void abuse_end(Abuse *abuse)
{
    unsigned milliseconds = abuse_serve_victim(abuse);
    size_t now = rss_kib(abuse->pid);

    printf("# %zu KiB before, %zu KiB after; the victim is served in %u ms\n", abuse->rss_kib, now,
           milliseconds);
    ck_assert_int_eq(abuse->harness->daemon_pid, abuse->pid);
    ck_assert_uint_eq(harness_count(abuse->harness), 0);
    ck_assert_uint_lt(now, abuse->rss_kib + ABUSE_GROWTH_KIB);
    if (abuse->attacker)
        sd_bus_close_unref(abuse->attacker);
    harness_free(abuse->harness);
    g_free(abuse);
}

unsigned abuse_serve_victim(Abuse *abuse)
{
    gint64 before = g_get_monotonic_time();
    g_autofree char *version =
        harness_property(abuse->harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Version");
    gint64 usec = g_get_monotonic_time() - before;

    ck_assert_ptr_nonnull(version);
    ck_assert_msg(usec < 2 * G_USEC_PER_SEC, "the victim waited %u ms", (unsigned)(usec / 1000));
    return (unsigned)(usec / 1000);
}

static void expect_line(int fd, const char *start)
{
    char line[512];
    size_t length = 0;

    while (length < sizeof(line) - 1 && read(fd, line + length, 1) == 1 && line[length] != '\n')
        length++;
    line[length] = '\0';
    ck_assert_msg(g_str_has_prefix(line, start), "the bus says '%s'", line);
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

int abuse_raw_socket(Abuse *abuse)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = strstr(abuse->harness->address, "path=");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert(path && fd >= 0);
    path += strlen("path=");
    memcpy(address.sun_path, path, MIN(strcspn(path, ","), sizeof(address.sun_path) - 1));
    /* The bus looks at who connects. */
    ck_assert_int_eq(seteuid(PEOPLE_MEMBER), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq((int)write(fd, "", 1), 1);
    say(fd, "AUTH EXTERNAL 3635353334\r\n"); /* "65534" */
    expect_line(fd, "OK ");
    say(fd, "BEGIN\r\n");
    ck_assert_int_eq(seteuid(0), 0);
    return fd;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostile-agent: runs in a guest in place of qemu-guest-agent.  Speaks the protocol at the agent's
 * port as far as libvirt needs it, and then does what viommu.agent=WORD on the kernel's command
 * line says.  Linked statically: it runs in an initramfs of busybox, as /test/run. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536
#define MANY_BYTES     (9u << 20)

typedef struct Agent {
    int port;
    char mode[64];
    unsigned depth;
    char report[16384]; /* base64 */
} Agent;

static bool is(const Agent *agent, const char *mode)
{
    return strcmp(agent->mode, mode) == 0;
}

/* --- The port --- */

static void put(const Agent *agent, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(agent->port, data, size);

        if (n > 0) {
            data += n;
            size -= (size_t)n;
        } else {
            /* The other end is closed, and may be opened again. */
            usleep(100000);
        }
    }
}

static void say(const Agent *agent, const char *text)
{
    put(agent, text, strlen(text));
}

/* In the largest pieces that the port takes, to load the receiver. */
static void repeat(const Agent *agent, const char *text, unsigned long times)
{
    static char block[32768];
    size_t size = strlen(text), per_block = sizeof(block) / size;

    for (size_t i = 0; i < per_block; i++)
        memcpy(block + i * size, text, size);
    while (times > 0) {
        size_t n = times < per_block ? times : per_block;

        put(agent, block, n * size);
        times -= n;
    }
}

static int open_port(void)
{
    static const char directory[] = "/sys/class/virtio-ports";
    DIR *ports = opendir(directory);
    char path[512], name[128];

    for (struct dirent *entry; ports && (entry = readdir(ports));) {
        int fd;
        ssize_t n;

        snprintf(path, sizeof(path), "%s/%s/name", directory, entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, name, sizeof(name) - 1) : -1;
        close(fd);
        if (n <= 0 || strncmp(name, "org.qemu.guest_agent.0", strlen("org.qemu.guest_agent.0")) != 0)
            continue;
        snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
        return open(path, O_RDWR | O_CLOEXEC);
    }
    return -1;
}

static bool read_line(const Agent *agent, char *line)
{
    size_t used = 0;

    while (used < LINE_MAX_BYTES - 1) {
        char byte;
        ssize_t n = read(agent->port, &byte, 1);

        if (n <= 0) {
            usleep(100000);
            continue;
        }
        if (byte == '\n') {
            line[used] = '\0';
            return true;
        }
        if (byte != '\xff')
            line[used++] = byte;
    }
    return false;
}

/* --- Answers --- */

static void answer_nested(const Agent *agent)
{
    say(agent, "{\"return\": {\"pid\": 1, \"exited\": true, \"x\": ");
    repeat(agent, "[", agent->depth);
    repeat(agent, "]", agent->depth);
    say(agent, "}}\n");
}

static void answer_long(const Agent *agent, const char *before, const char *piece, unsigned long times,
                        const char *after)
{
    say(agent, before);
    repeat(agent, piece, times);
    say(agent, after);
}

static void answer_sync(const Agent *agent, const char *line)
{
    const char *id = strstr(line, "\"id\":");
    char reply[128];
    unsigned long long number = id ? strtoull(id + strlen("\"id\":"), NULL, 10) : 0;

    if (is(agent, "nested-sync"))
        answer_nested(agent);
    if (is(agent, "wrong-id"))
        number += 1;
    snprintf(reply, sizeof(reply), "%s{\"return\": %llu}\n", strstr(line, "delimited") ? "\xff" : "", number);
    say(agent, reply);
}

/* What "series" answers to one guest-exec after the other; NULL is something that is made. */
static const char *const series[] = {
    "{\"return\": []}\n",
    "{\"return\": null}\n",
    "{\"return\": \"\"}\n",
    "{\"return\": {}}\n",
    "{\"return\": {\"pid\": \"1\"}}\n",
    "{\"return\": {\"pid\": [1]}}\n",
    "{\"return\": {\"pid\": 1e400}}\n",
    "{\"return\": {\"pid\": 99999999999999999999999}}\n",
    "{\"return\": {\"pid\": {\"pid\": {\"pid\": 1}}}}\n",
    "{\"return\": {\"pid\": 1}, \"error\": {\"class\": 1, \"desc\": []}}\n",
    "{\"error\": {}}\n",
    "{\"error\": \"\\u001b]0;PWNED\\u0007\"}\n",
    "{\"error\": {\"class\": \"x\", \"desc\": \"\\u001b]0;PWNED\\u0007 \\u009b31m \\u202etxt %s%n%s\"}}\n",
    NULL,
};

/* Replies that are no JSON for libvirt, which then closes the agent's channel: "broken" gives the
 * one of its number. */
static const char *const broken[] = {
    "{\"return\": {\"pid\": 1}, \"return\": {\"pid\": [], \"pid\": \"\"}}\n",
    "[{\"return\": {\"pid\": 1}}]\n",
    "\n\n\n{\"return\"\n",
    "{\"return\": {\"pid\": 1}}{\"return\": {\"pid\": 1}}\n",
    "{\"return\": {\"pid\": 1, \"x\": \"\\ud800 \\udfff\\ud800 \\u0000\"}}\n",
    "{\"return\": {\"pid\": 1, \"x\": \"\xff\xfe\xc0\x80\xed\xa0\x80\"}}\n",
};

/* The same to guest-exec-status. */
static const char *const status_series[] = {
    "{\"return\": {\"exited\": \"true\"}}\n",
    "{\"return\": {\"exited\": 1, \"out-data\": \"QUFB\"}}\n",
    "{\"return\": {\"exited\": true}}\n",
    "{\"return\": {\"exited\": true, \"out-data\": 7}}\n",
    "{\"return\": {\"exited\": true, \"out-data\": \"\"}}\n",
    "{\"return\": {\"exited\": true, \"out-data\": \"=\"}}\n",
    "{\"return\": {\"exited\": true, \"out-data\": \"====QQ\\u0000==@@@@\"}}\n",
    "{\"return\": {\"exited\": true, \"out-data\": \"AAAAAAAA\"}}\n",
    "{\"return\": {\"exited\": true, \"exitcode\": -99999999999, \"signal\": 1e99, \"out-data\": \"G10wO1BXTkVEBwo=\"}}\n",
};

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

/* Each trick once; afterwards it is honest, which shows that all were asked for and survived. */
static bool answer_in_series(const Agent *agent, bool status)
{
    static size_t asked, asked_status;
    size_t *at = status ? &asked_status : &asked;
    const char *const *list = status ? status_series : series;

    if (!is(agent, "series") || *at == (status ? LENGTH(status_series) : LENGTH(series)))
        return false;
    if (list[*at])
        say(agent, list[*at]);
    else
        answer_long(agent, "{\"error\": {\"class\": \"x\", \"desc\": \"", "A", 1ul << 20, "\"}}\n");
    (*at)++;
    printf("agent: %s %zu\n", status ? "status" : "trick", *at);
    fflush(stdout);
    return true;
}

static void answer_exec(const Agent *agent)
{
    if (answer_in_series(agent, false))
        return;
    if (is(agent, "nested"))
        answer_nested(agent);
    else if (is(agent, "big"))
        answer_long(agent, "{\"return\": {\"pid\": 1, \"x\": \"", "A", MANY_BYTES, "\"}}\n");
    else if (is(agent, "too-big"))
        answer_long(agent, "{\"return\": {\"pid\": 1, \"x\": \"", "A", 3ul * MANY_BYTES, "\"}}\n");
    else if (is(agent, "many-members"))
        answer_long(agent, "{\"return\": {\"pid\": 1, \"x\": [0", ",[]", MANY_BYTES / 3, "]}}\n");
    else if (is(agent, "broken"))
        say(agent, broken[agent->depth % LENGTH(broken)]);
    else if (is(agent, "endless"))
        answer_long(agent, "{\"return\": {\"pid\": 1, \"x\": \"", "A", ~0ul, "");
    else if (is(agent, "endless-lines"))
        repeat(agent, "{\"return\": {}}\n", ~0ul);
    else if (is(agent, "endless-events"))
        repeat(agent, "{\"event\": \"x\"}\n", ~0ul);
    else
        say(agent, "{\"return\": {\"pid\": 1}}\n");
}

static void answer_status(const Agent *agent)
{
    if (answer_in_series(agent, true))
        return;
    if (is(agent, "nested-status"))
        answer_nested(agent);
    else if (is(agent, "never-ends"))
        say(agent, "{\"return\": {\"exited\": false}}\n");
    else if (is(agent, "big-output"))
        answer_long(agent, "{\"return\": {\"exited\": true, \"exitcode\": 0, \"out-data\": \"", "QUFB",
                    MANY_BYTES / 4, "\"}}\n");
    else
        answer_long(agent, "{\"return\": {\"exited\": true, \"exitcode\": 0, \"out-data\": \"", agent->report,
                    1, "\"}}\n");
}

static void answer(const Agent *agent, const char *line)
{
    if (is(agent, "silent"))
        return;
    if (strstr(line, "guest-sync"))
        answer_sync(agent, line);
    else if (strstr(line, "guest-exec-status"))
        answer_status(agent);
    else if (strstr(line, "guest-exec"))
        answer_exec(agent);
    else
        say(agent,
            "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command has not been found\"}}\n");
}

/* --- The beginning --- */

/* The output of /bin/sh, as an honest agent would return it. */
static void read_report(Agent *agent)
{
    FILE *pipe = popen("guest-report | /bin/busybox base64 -w 0", "r");
    size_t n = pipe ? fread(agent->report, 1, sizeof(agent->report) - 1, pipe) : 0;

    agent->report[n] = '\0';
    if (pipe)
        pclose(pipe);
}

/* viommu.agent=WORD[,LEVELS] */
static bool read_mode(Agent *agent)
{
    static char words[4096];
    FILE *file = fopen("/proc/cmdline", "r");
    char *mode = file && fgets(words, sizeof(words), file) ? strstr(words, "viommu.agent=") : NULL;

    agent->depth = 1000000;
    return mode && sscanf(mode, "viommu.agent=%63[^, \n],%u", agent->mode, &agent->depth) >= 1;
}

/* A title, C1 as a byte and in UTF-8, an override of the text's order, DEL, and a sequence to which
 * a terminal replies. */
static void print_escapes(void)
{
    static const char text[] = "\x1b]0;PWNED-TITLE\x07 \x9b"
                               "31m \xc2\x9b"
                               "32m \xe2\x80\xaetxt \x7f\x08 \x1b[c \x1bP$q\x1b\\\n";

    for (int i = 0; i < 100; i++)
        fwrite(text, 1, sizeof(text) - 1, stdout);
    puts("END-OF-ESCAPES");
    fflush(stdout);
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    static Agent agent;

    if (!read_mode(&agent))
        return 0;
    if (is(&agent, "escapes")) {
        print_escapes();
        return 0;
    }
    read_report(&agent);
    while ((agent.port = open_port()) < 0)
        usleep(100000);
    printf("agent: %s\n", agent.mode);
    fflush(stdout);
    /* Sends without having been asked. */
    while (is(&agent, "unasked")) {
        answer_nested(&agent);
        sleep(1);
    }
    while (read_line(&agent, line)) {
        printf("agent: asked: %.60s\n", line);
        fflush(stdout);
        answer(&agent, line);
    }
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/banner.h"

#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/error.h"

#define ATTEMPTS_MAX 6
/* A slow guest takes long from accepting a connection to its first word. */
#define ATTEMPT_USEC (20 * G_TIME_SPAN_SECOND)
#define APART_USEC   G_TIME_SPAN_SECOND
#define FIRST_WORD   "SSH-"

typedef struct Attempt {
    int fd; /* -1: free */
    gint64 begin;
} Attempt;

struct ViommuBanner {
    struct sockaddr_storage address;
    socklen_t size;
    Attempt attempts[ATTEMPTS_MAX];
    gint64 last; /* when the last attempt began */
};

ViommuBanner *viommu_banner_new(const char *address, unsigned port, GError **error)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    g_autofree char *service = g_strdup_printf("%u", port);
    struct addrinfo *found;
    ViommuBanner *banner;

    if (getaddrinfo(address, service, &hints, &found) != 0) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not a numeric address, such as 192.0.2.1",
                    address);
        return NULL;
    }
    banner = g_new0(ViommuBanner, 1);
    memcpy(&banner->address, found->ai_addr, found->ai_addrlen);
    banner->size = found->ai_addrlen;
    freeaddrinfo(found);
    for (int i = 0; i < ATTEMPTS_MAX; i++)
        banner->attempts[i].fd = -1;
    return banner;
}

static void give_up(Attempt *attempt)
{
    if (attempt->fd >= 0)
        close(attempt->fd);
    attempt->fd = -1;
}

void viommu_banner_free(ViommuBanner *banner)
{
    if (!banner)
        return;
    for (int i = 0; i < ATTEMPTS_MAX; i++)
        give_up(&banner->attempts[i]);
    g_free(banner);
}

/* A connection that fails at once is tried again after APART_USEC, like each other one. */
static void begin(ViommuBanner *banner, gint64 now)
{
    Attempt *attempt = NULL;

    if (banner->last && now - banner->last < APART_USEC)
        return;
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        if (banner->attempts[i].fd >= 0 && now - banner->attempts[i].begin > ATTEMPT_USEC)
            give_up(&banner->attempts[i]);
        if (banner->attempts[i].fd < 0)
            attempt = &banner->attempts[i];
    }
    banner->last = now;
    if (!attempt)
        return;
    attempt->begin = now;
    attempt->fd = socket(banner->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd >= 0) {
        int whole = sizeof(FIRST_WORD) - 1;

        /* Pieces of the word do not wake this up. */
        (void)setsockopt(attempt->fd, SOL_SOCKET, SO_RCVLOWAT, &whole, sizeof(whole));
        (void)connect(attempt->fd, (const struct sockaddr *)&banner->address, banner->size);
    }
}

/* The first word may arrive in pieces, so it is left in the socket until it is whole. */
static bool answers(Attempt *attempt)
{
    char word[sizeof(FIRST_WORD) - 1];
    ssize_t n = recv(attempt->fd, word, sizeof(word), MSG_PEEK);

    if (n == (ssize_t)sizeof(word) && memcmp(word, FIRST_WORD, sizeof(word)) == 0)
        return true;
    if (n <= 0 || n == (ssize_t)sizeof(word))
        give_up(attempt);
    return false;
}

bool viommu_banner_wait(ViommuBanner *banner, unsigned msec)
{
    gint64 until = g_get_monotonic_time() + msec * G_TIME_SPAN_MILLISECOND, now;

    while ((now = g_get_monotonic_time()) < until) {
        struct pollfd fds[ATTEMPTS_MAX];
        gint64 left;

        begin(banner, now);
        for (int i = 0; i < ATTEMPTS_MAX; i++)
            fds[i] = (struct pollfd){.fd = banner->attempts[i].fd, .events = POLLIN};
        left = MIN(until, banner->last + APART_USEC) - now;
        if (poll(fds, ATTEMPTS_MAX, (int)(MAX(left, 0) / G_TIME_SPAN_MILLISECOND) + 1) < 0)
            continue;
        for (int i = 0; i < ATTEMPTS_MAX; i++)
            if (fds[i].revents && answers(&banner->attempts[i]))
                return true;
    }
    return false;
}

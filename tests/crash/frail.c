/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frail: preloaded into libvirtd; sends it a signal just before or after a call that it serves,
 * once, as the file $FRAIL says: "CALL before|after SIGNAL". */
#include <dlfcn.h>
#include <libvirt/libvirt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static void pass(const char *call, const char *when)
{
    const char *path = getenv("FRAIL");
    char wanted_call[32], wanted_when[32];
    FILE *file = path ? fopen(path, "re") : NULL;
    int signal_number, n;

    if (!file)
        return;
    n = fscanf(file, "%31s %31s %d", wanted_call, wanted_when, &signal_number);
    fclose(file);
    if (n != 3 || strcmp(call, wanted_call) != 0 || strcmp(when, wanted_when) != 0 || unlink(path) < 0)
        return;
    kill(getpid(), signal_number);
}

/* The next function of the same name. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PASS(type, call, expression) \
    pass(call, "before");            \
    type result = expression;        \
    pass(call, "after");             \
    return result

EXPORTED virDomainPtr virDomainDefineXMLFlags(virConnectPtr connection, const char *xml, unsigned int flags)
{
    PASS(virDomainPtr, "define", NEXT(virDomainDefineXMLFlags)(connection, xml, flags));
}

EXPORTED int virDomainCreate(virDomainPtr domain)
{
    PASS(int, "start", NEXT(virDomainCreate)(domain));
}

EXPORTED int virDomainCreateWithFlags(virDomainPtr domain, unsigned int flags)
{
    PASS(int, "start", NEXT(virDomainCreateWithFlags)(domain, flags));
}

EXPORTED int virDomainResume(virDomainPtr domain)
{
    PASS(int, "resume", NEXT(virDomainResume)(domain));
}

EXPORTED int virDomainSetMetadata(virDomainPtr domain, int type, const char *metadata, const char *key,
                                  const char *uri, unsigned int flags)
{
    PASS(int, "set-metadata", NEXT(virDomainSetMetadata)(domain, type, metadata, key, uri, flags));
}

EXPORTED int virDomainDestroy(virDomainPtr domain)
{
    PASS(int, "destroy", NEXT(virDomainDestroy)(domain));
}

EXPORTED int virDomainUndefineFlags(virDomainPtr domain, unsigned int flags)
{
    PASS(int, "undefine", NEXT(virDomainUndefineFlags)(domain, flags));
}

/* Inside a start: QEMU runs, and libvirt has not asked it anything yet. */
EXPORTED int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    const struct sockaddr_un *unix_address = (const void *)address;

    if (address->sa_family != AF_UNIX || !strstr(unix_address->sun_path, "monitor.sock"))
        return NEXT(connect)(fd, address, length);
    PASS(int, "monitor", NEXT(connect)(fd, address, length));
}

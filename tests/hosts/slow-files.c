/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* slow-files: a file system that stops answering, without any library: it speaks the kernel's FUSE
 * protocol.
 * slow-files member DIRECTORY STOP COMMAND...
 * as any user: in a user namespace of its own, below an overlay, which reads with the rights of the
 * user who mounted it; COMMAND runs in it, and sees it as DIRECTORY/over
 * slow-files host DIRECTORY STOP
 * as root, in this mount namespace, for all users: stands in for a server that is stopped
 * STOP: read, open or flush: the operation that is never answered, in a file whose name begins with
 * "slow"; other files answer everything.  A flush, which each close asks for, is answered to all
 * processes but viommud: the bus daemon closes each descriptor first, and would hang itself.  Each
 * file is 1 MiB of zeros.  It serves until it is killed; then the kernel releases all waiting
 * processes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES     (1u << 20)
#define ROOT_NODE 1u
/* The number of a file depends on its name: odd when the file is slow. */
#define FIRST_NODE 1000u

static const char *stop_at;
static int device;

static void die(const char *what)
{
    fprintf(stderr, "slow-files: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void answer(const struct fuse_in_header *question, int code, const void *data, size_t n)
{
    static char bytes[sizeof(struct fuse_out_header) + BYTES];
    struct fuse_out_header header = {(uint32_t)(sizeof(header) + n), -code, question->unique};

    memcpy(bytes, &header, sizeof(header));
    if (n > 0)
        memcpy(bytes + sizeof(header), data, n);
    if (write(device, bytes, sizeof(header) + n) < 0 && errno != ENOENT)
        die("answer");
}

static struct fuse_attr attributes(uint64_t node)
{
    struct fuse_attr attr = {.ino = node, .size = BYTES, .blocks = BYTES / 512, .nlink = 1, .blksize = 4096};

    attr.mode = node == ROOT_NODE ? S_IFDIR | 0755 : S_IFREG | 0666;
    attr.uid = getuid();
    attr.gid = getgid();
    return attr;
}

static void look_up(const struct fuse_in_header *question, const char *name)
{
    struct fuse_entry_out out = {.entry_valid = 1000, .attr_valid = 1000};

    if (strncmp(name, "slow", 4) != 0 && strncmp(name, "quick", 5) != 0) {
        answer(question, ENOENT, NULL, 0);
        return;
    }
    out.nodeid = FIRST_NODE;
    for (const char *at = name; *at; at++)
        out.nodeid = out.nodeid * 31 + (unsigned char)*at;
    out.nodeid = 2 * out.nodeid + (name[0] == 's');
    out.attr = attributes(out.nodeid);
    answer(question, 0, &out, sizeof(out));
}

static bool stops(const struct fuse_in_header *question, const char *what)
{
    return question->nodeid > FIRST_NODE && question->nodeid % 2 == 1 && strcmp(stop_at, what) == 0;
}

/* A thread of it asks. */
static bool is_of_viommud(uint32_t thread)
{
    char path[64], line[128];
    unsigned process = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%u/status", thread);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file) && sscanf(line, "Tgid: %u", &process) != 1)
        ;
    if (file)
        fclose(file);
    snprintf(path, sizeof(path), "/proc/%u/comm", process);
    file = fopen(path, "re");
    if (!file || !fgets(line, sizeof(line), file))
        line[0] = '\0';
    if (file)
        fclose(file);
    return strcmp(line, "viommud\n") == 0;
}

static void serve_one(const struct fuse_in_header *question, const void *body)
{
    static const char zeros[BYTES];
    struct fuse_init_out init = {
        .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096, .max_readahead = 4096};
    struct fuse_attr_out attr = {.attr_valid = 1000, .attr = attributes(question->nodeid)};
    struct fuse_open_out open_out = {.fh = 1};
    struct fuse_statfs_out statfs = {.st = {.bsize = 4096, .namelen = 255}};
    const struct fuse_read_in *read_in = body;

    switch (question->opcode) {
    case FUSE_INIT:
        answer(question, 0, &init, sizeof(init));
        break;
    case FUSE_LOOKUP:
        look_up(question, body);
        break;
    case FUSE_GETATTR:
    case FUSE_SETATTR: /* libvirt gives a disk to QEMU's user; any user may read it in any case */
        answer(question, 0, &attr, sizeof(attr));
        break;
    case FUSE_STATFS:
        answer(question, 0, &statfs, sizeof(statfs));
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        if (!stops(question, "open"))
            answer(question, 0, &open_out, sizeof(open_out));
        break;
    case FUSE_READ:
        if (!stops(question, "read"))
            answer(question, 0, zeros, read_in->size > BYTES ? BYTES : read_in->size);
        break;
    case FUSE_READDIR:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_ACCESS:
    case FUSE_FSYNC:
        answer(question, 0, NULL, 0);
        break;
    case FUSE_FLUSH:
        if (!stops(question, "flush") || !is_of_viommud(question->pid))
            answer(question, 0, NULL, 0);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    default:
        answer(question, ENOSYS, NULL, 0);
    }
}

static void serve(void)
{
    static _Alignas(struct fuse_in_header) char bytes[FUSE_MIN_READ_BUFFER + BYTES];
    ssize_t n;

    while ((n = read(device, bytes, sizeof(bytes))) > 0 || errno == EINTR || errno == ENOENT)
        if (n > 0)
            serve_one((const struct fuse_in_header *)(void *)bytes, bytes + sizeof(struct fuse_in_header));
    exit(0);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        die(path);
    close(fd);
}

/* With its own rights inside the namespace, and without becoming another user. */
static void enter_namespace(void)
{
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        die("user namespace");
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    write_file("/proc/self/gid_map", map);
}

static void mount_fuse(const char *path, const char *more)
{
    char options[128];

    device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0)
        die("/dev/fuse");
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s", device, getuid(),
             getgid(), more);
    if (mount("slow", path, "fuse.slow", MS_NOSUID | MS_NODEV, options) < 0)
        die("mounting FUSE");
}

static pid_t start_server(void)
{
    pid_t server = fork();

    if (server == 0)
        serve();
    return server;
}

static int run_member(const char *directory, char **command)
{
    char low[256], empty[256], over[256], options[1024];
    int status;
    pid_t server, child;

    snprintf(low, sizeof(low), "%s/low", directory);
    snprintf(empty, sizeof(empty), "%s/empty", directory);
    snprintf(over, sizeof(over), "%s/over", directory);
    mkdir(directory, 0755);
    mkdir(low, 0755);
    mkdir(empty, 0755);
    mkdir(over, 0755);
    enter_namespace();
    mount_fuse(low, "");
    server = start_server();
    snprintf(options, sizeof(options), "lowerdir=%s:%s,userxattr", empty, low);
    if (mount("overlay", over, "overlay", 0, options) < 0)
        die("mounting the overlay");
    child = fork();
    if (child == 0) {
        execvp(command[0], command);
        die(command[0]);
    }
    waitpid(child, &status, 0);
    printf("slow-files: status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    fflush(stdout);
    waitpid(server, NULL, 0);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 5 && strcmp(argv[1], "member") == 0) {
        stop_at = argv[3];
        return run_member(argv[2], argv + 4);
    }
    if (argc != 4 || strcmp(argv[1], "host") != 0) {
        fprintf(stderr, "usage: slow-files member DIRECTORY STOP COMMAND... | host DIRECTORY STOP\n");
        return 2;
    }
    stop_at = argv[3];
    mount_fuse(argv[2], ",allow_other");
    serve();
    return 0;
}

#include "gateway/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STOP_TIMEOUT_MS = 5000, POLL_MS = 10, EXEC_FAILED = 127 };

static bool own_path(char path[static CHILD_PATH_LEN])
{
    ssize_t len = readlink("/proc/self/exe", path, CHILD_PATH_LEN - 1);
    if (len <= 0)
        return false;
    path[len] = 0;
    return true;
}

static bool find_on_path(const char *name, char path[static CHILD_PATH_LEN])
{
    const char *rest = getenv("PATH");
    while (rest && *rest) {
        size_t len = strcspn(rest, ":");
        int written = snprintf(path, CHILD_PATH_LEN, "%.*s/%s", (int)len, rest, name);
        if (len > 0 && written < CHILD_PATH_LEN && access(path, X_OK) == 0)
            return true;
        rest += len + (rest[len] == ':');
    }
    return false;
}

bool child_find(const char *name, char path[static CHILD_PATH_LEN])
{
    char *slash = own_path(path) ? strrchr(path, '/') : NULL;
    size_t room = slash ? CHILD_PATH_LEN - (size_t)(slash + 1 - path) : 0;
    if (slash && strlen(name) < room) {
        memcpy(slash + 1, name, strlen(name) + 1);
        if (access(path, X_OK) == 0)
            return true;
    }
    return find_on_path(name, path);
}

const char *child_own_name(char path[static CHILD_PATH_LEN])
{
    static char found[CHILD_PATH_LEN];
    if (!own_path(path))
        return "drawbridge";
    const char *name = strrchr(path, '/') + 1;
    return find_on_path(name, found) && strcmp(found, path) == 0 ? name : path;
}

/* In the child: only what is safe after fork(). */
static void become(char *const argv[], int errors, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0);
    if (getppid() != parent || dup2(errors, STDERR_FILENO) < 0)
        _exit(EXEC_FAILED);
    execv(argv[0], argv);
    _exit(EXEC_FAILED);
}

bool child_start(struct child *c, char *const argv[])
{
    int ends[2];
    pid_t self = getpid();
    *c = (struct child){.errors = -1};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    c->pid = fork();
    if (c->pid == 0)
        become(argv, ends[1], self);
    close(ends[1]);
    if (c->pid < 0) {
        close(ends[0]);
        return false;
    }
    c->errors = ends[0];
    return true;
}

bool child_read_line(struct child *c, uint64_t timeout_ms, char line[static CHILD_LINE_LEN])
{
    size_t len = 0;
    struct pollfd p = {.fd = c->errors, .events = POLLIN};
    while (len + 1 < CHILD_LINE_LEN) {
        char byte;
        if (poll(&p, 1, (int)timeout_ms) <= 0 || read(c->errors, &byte, 1) != 1)
            return false;
        if (byte == '\n')
            break;
        line[len++] = byte;
    }
    line[len] = 0;
    return true;
}

static void *forward(void *arg)
{
    const struct child *c = arg;
    char bytes[4096];
    ssize_t n;
    while ((n = read(c->errors, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && write(STDERR_FILENO, bytes, (size_t)n) < 0)
            continue; /* nobody reads ours: go on, so that the child does not stall */
    return NULL;
}

bool child_forward(struct child *c)
{
    /* Signals are for the main thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    c->forwarding = pthread_create(&c->forwarder, NULL, forward, c) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return c->forwarding;
}

void child_stop(struct child *c)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    kill(c->pid, SIGTERM);
    bool gone = false;
    for (int waited = 0; !gone && waited < STOP_TIMEOUT_MS; waited += POLL_MS) {
        gone = waitpid(c->pid, NULL, WNOHANG) != 0;
        if (!gone)
            nanosleep(&pause, NULL);
    }
    if (!gone) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    if (c->forwarding)
        pthread_join(c->forwarder, NULL);
    close(c->errors);
}

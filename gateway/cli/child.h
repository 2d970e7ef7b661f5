/* child: a process that this one starts and that does not outlive it.  Its standard error comes
 * through a pipe: first line by line, then forwarded to ours. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pthread.h>

enum { CHILD_LINE_LEN = 1024, CHILD_PATH_LEN = 4096 };

struct child {
    pid_t pid;
    int errors; /* our end of its standard error */
    bool forwarding;
    pthread_t forwarder;
};

/* The program of that name beside our own executable, else on the PATH. */
bool child_find(const char *name, char path[static CHILD_PATH_LEN]);
/* What to call our own program in commands that a person copies: its name when it is on the PATH,
 * else its path.  Borrowed from `path`. */
const char *child_own_name(char path[static CHILD_PATH_LEN]);
/* argv[0] is the path of the program.  It gets SIGTERM when we die, and no Ctrl-C of its own: we
 * stop first, then it. */
bool child_start(struct child *c, char *const argv[]);
/* One line without its end; false at the end or after timeout_ms. */
bool child_read_line(struct child *c, uint64_t timeout_ms, char line[static CHILD_LINE_LEN]);
/* From now on a thread copies its lines to our standard error. */
bool child_forward(struct child *c);
/* SIGTERM, and waits until it is gone (after some seconds SIGKILL). */
void child_stop(struct child *c);

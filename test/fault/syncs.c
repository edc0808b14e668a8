/*
 * The syncs of some files of one process, those of all its threads counted together; strace counts for each thread alone.
 * FAULT_SYNC_FILES: names without their directory, apart by colons. FAULT_SYNC_THREAD: those of threads of this name alone count.
 * FAULT_SYNC_LOG: a line is added for each that counts, "file thread".
 * FAULT_SYNC_AT: at the sync with this number the process is killed, before it; with FAULT_SYNC_ERROR=once it fails instead, with
 * FAULT_SYNC_ERROR=on each from there on does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int count;

/* Whether the list names the file; an empty name is in none. */
static int listed(const char *list, const char *name) {
  size_t length = strlen(name);
  for (const char *at = list; at && *at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
    if (length > 0 && strncmp(at, name, length) == 0 && (at[length] == ':' || at[length] == 0)) return 1;
  }
  return 0;
}

static void tell(const char *name, const char *thread) {
  const char *file = getenv("FAULT_SYNC_LOG");
  char line[NAME_MAX + 32];
  int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
  if (fd < 0) return;
  int length = snprintf(line, sizeof line, "%s %s\n", name, thread);
  if (write(fd, line, (size_t)length) != length) abort();
  close(fd);
}

/* Whether this sync is to fail. */
static int struck(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  const char *slash = strrchr(path, '/');
  if (!slash || !listed(getenv("FAULT_SYNC_FILES"), slash + 1)) return 0;
  const char *thread = getenv("FAULT_SYNC_THREAD");
  char own[16] = "";
  pthread_getname_np(pthread_self(), own, sizeof own);
  if (thread && strcmp(thread, own) != 0) return 0;
  tell(slash + 1, own);
  const char *at = getenv("FAULT_SYNC_AT"), *error = getenv("FAULT_SYNC_ERROR");
  int number = atomic_fetch_add(&count, 1) + 1, chosen = at ? atoi(at) : 0;
  if (chosen == 0 || number < chosen) return 0;
  if (!error) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  return number == chosen || strcmp(error, "on") == 0;
}

#define SYNC(name)                                                          \
  int name(int fd) {                                                        \
    static int (*real)(int);                                                \
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name);                \
    if (struck(fd)) { errno = EIO; return -1; }                             \
    return real(fd);                                                        \
  }

SYNC(fsync)
SYNC(fdatasync)

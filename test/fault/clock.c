/* The wall clock of one process, moved: the milliseconds in the file that FAULT_CLOCK names are added. Clocks that only go forward stay. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long offset_ms(void) {
  const char *file = getenv("FAULT_CLOCK");
  char text[32] = {0};
  int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  return length > 0 ? atoll(text) : 0;
}

static void move(struct timespec *at) {
  long long ms = offset_ms();
  at->tv_sec += ms / 1000;
  at->tv_nsec += (ms % 1000) * 1000000;
  if (at->tv_nsec < 0) { at->tv_nsec += 1000000000; at->tv_sec -= 1; }
  if (at->tv_nsec >= 1000000000) { at->tv_nsec -= 1000000000; at->tv_sec += 1; }
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(clock, at);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) move(at);
  return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

// Stands before the C library: a disk without file locks (NO_LOCKS=1), or one on which files whose name
// holds FULL_FILES have room for FULL_BYTES bytes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

int flock(int descriptor, int operation) {
  if (getenv("NO_LOCKS")) {
    errno = ENOLCK;
    return -1;
  }
  int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
  return real(descriptor, operation);
}

static int is_full(int descriptor, off_t end) {
  const char* name = getenv("FULL_FILES");
  const char* most = getenv("FULL_BYTES");
  if (!name || !most || end <= atoll(most)) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  if (!strstr(path, name)) return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t write(int descriptor, const void* data, size_t size) {
  static ssize_t (*real)(int, const void*, size_t);
  if (!real) real = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  const off_t at = lseek(descriptor, 0, SEEK_CUR);
  if (at >= 0 && is_full(descriptor, at + (off_t)size)) return -1;
  return real(descriptor, data, size);
}

ssize_t pwrite(int descriptor, const void* data, size_t size, off_t at) {
  static ssize_t (*real)(int, const void*, size_t, off_t);
  if (!real) real = (ssize_t(*)(int, const void*, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
  if (is_full(descriptor, at + (off_t)size)) return -1;
  return real(descriptor, data, size, at);
}
ssize_t pwrite64(int descriptor, const void* data, size_t size, off_t at) {
  return pwrite(descriptor, data, size, at);
}

static size_t size_of(const struct iovec* parts, int count) {
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  return size;
}
ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  static ssize_t (*real)(int, const struct iovec*, int);
  if (!real) real = (ssize_t(*)(int, const struct iovec*, int))dlsym(RTLD_NEXT, "writev");
  const off_t at = lseek(descriptor, 0, SEEK_CUR);
  if (at >= 0 && is_full(descriptor, at + (off_t)size_of(parts, count))) return -1;
  return real(descriptor, parts, count);
}
ssize_t pwritev(int descriptor, const struct iovec* parts, int count, off_t at) {
  static ssize_t (*real)(int, const struct iovec*, int, off_t);
  if (!real) real = (ssize_t(*)(int, const struct iovec*, int, off_t))dlsym(RTLD_NEXT, "pwritev");
  if (is_full(descriptor, at + (off_t)size_of(parts, count))) return -1;
  return real(descriptor, parts, count, at);
}
ssize_t pwritev64(int descriptor, const struct iovec* parts, int count, off_t at) {
  return pwritev(descriptor, parts, count, at);
}

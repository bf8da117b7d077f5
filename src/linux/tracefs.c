/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracefs.c - the ids of tracepoints, and the lines of bpf_trace_printk(), are
 * files of tracefs.
 *
 * Where nobody mounted it, a mount of our own that is attached nowhere serves:
 * it is seen through its descriptor alone and goes with it.
 */
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"

/* Of the mount calls; libc has no names for all of them. */
enum { FS_CLOEXEC = 1, FS_CREATE = 6, MOUNT_CLOEXEC = 1 };

static int mount_detached(void)
{
	int fs = (int)syscall(SYS_fsopen, "tracefs", FS_CLOEXEC);
	int fd = -1;

	if (fs < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FS_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, fs, MOUNT_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	close(fs);
	return fd;
}

static int open_root(void)
{
	static const char *const mounts[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		int fd = open(mounts[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		/* The directory is there without the file system too. */
		if (fd >= 0 && faccessat(fd, "events", F_OK, 0) == 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return mount_detached();
}

int tracefs_open(const char *path, int flags)
{
	int root = open_root(), fd;

	if (root < 0)
		return root == -EPERM || root == -EACCES ? -EPERM : -ENODEV;
	fd = openat(root, path, flags | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

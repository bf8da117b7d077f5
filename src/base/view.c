/* SPDX-License-Identifier: BSD-2-Clause */
/* view.c - bounded reading of foreign bytes. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const void *view_range(struct view view, uint64_t off, uint64_t size, size_t align)
{
	const char *start;

	if (off > view.size || size > view.size - off)
		return NULL;
	start = (const char *)view.data + off;
	return (uintptr_t)start % align == 0 ? start : NULL;
}

const char *view_string(struct view view, uint64_t off)
{
	const char *start;

	if (off >= view.size)
		return NULL;
	start = (const char *)view.data + off;
	return memchr(start, 0, view.size - off) ? start : NULL;
}

/* Reads to the end of the file: files under /sys have no size to ask for. */
static int read_all(int fd, char **bytes, size_t *size, size_t limit)
{
	size_t room = 0;

	for (;;) {
		ssize_t got;

		if (*size == room) {
			char *grown;

			room = room ? room * 2 : 64 * 1024;
			grown = realloc(*bytes, room);
			if (!grown)
				return -ENOMEM;
			*bytes = grown;
		}
		got = read(fd, *bytes + *size, room - *size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		*size += (size_t)got;
		if (*size > limit)
			return -EFBIG;
	}
}

int read_file(const char *path, void **bytes, size_t *size, size_t limit)
{
	char *content = NULL;
	size_t count = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = read_all(fd, &content, &count, limit);
	close(fd);
	if (error < 0) {
		free(content);
		return error;
	}
	*bytes = content;
	*size = count;
	return 0;
}

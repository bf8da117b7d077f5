/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c - see maps.h. [runtime]
 */
#include "agent/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include "map/sys.h"

/* Address space, of which only what the list takes is touched; the kernel has at most 65,530
 * mappings by default, of a hundred bytes or so. */
enum { TEXT_SIZE = 16 << 20, BYTE = 8, MINOR_LOW = 0xff, MINOR_SHIFT = 12 };

static uint64_t take_number(const char **at, unsigned base)
{
	uint64_t value = 0;

	for (;; ++*at) {
		char c = **at;

		if (c >= '0' && c <= '9')
			value = value * base + (uint64_t)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			value = value * base + (uint64_t)(c - 'a' + 10);
		else
			return value;
	}
}

/* "start-end perms offset major:minor inode path". False: not so. */
static bool parse(const char *at, struct maps_line *line)
{
	uint64_t major, minor;

	*line = (struct maps_line){ .start = take_number(&at, 16) };
	if (*at++ != '-')
		return false;
	line->end = take_number(&at, 16);
	if (strnlen(at, 6) < 6)
		return false;
	line->prot = (at[1] == 'r' ? PROT_READ : 0) | (at[2] == 'w' ? PROT_WRITE : 0) |
		     (at[3] == 'x' ? PROT_EXEC : 0);
	line->shared = at[4] == 's';
	at += 6;
	line->offset = take_number(&at, 16);
	if (*at++ != ' ')
		return false;
	major = take_number(&at, 16);
	if (*at++ != ':')
		return false;
	minor = take_number(&at, 16);
	if (*at++ != ' ')
		return false;
	/* As in struct stat. */
	line->device = (minor & MINOR_LOW) | major << BYTE | (minor & ~(uint64_t)MINOR_LOW) << MINOR_SHIFT;
	line->inode = take_number(&at, 10);
	while (*at == ' ')
		at++;
	line->path = at;
	return true;
}

static void each_line(char *text, size_t size, void (*call)(void *, const struct maps_line *), void *arg)
{
	char *end;

	while ((end = memchr(text, '\n', size))) {
		struct maps_line line;

		*end = '\0';
		if (parse(text, &line))
			call(arg, &line);
		size -= (size_t)(end + 1 - text);
		text = end + 1;
	}
}

int64_t (*maps_ask)(char *text, size_t size);

/* Its length, or a negative errno. */
static int64_t read_text(char *text, size_t size)
{
	int64_t fd = sys_call3(SYS_openat, AT_FDCWD, (uintptr_t)"/proc/self/maps", O_RDONLY | O_CLOEXEC), got;
	size_t held = 0;

	if (fd < 0)
		return maps_ask ? maps_ask(text, size) : fd;
	while ((got = sys_call3(SYS_read, fd, text + held, size - held)) > 0)
		held += (size_t)got;
	sys_call1(SYS_close, fd);
	return got < 0 ? got : (int64_t)held;
}

int maps_each(void (*call)(void *arg, const struct maps_line *line), void *arg)
{
	int64_t got = sys_call(SYS_mmap, 0, TEXT_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	int64_t size;

	if (got < 0)
		return (int)got;
	size = read_text((char *)(uintptr_t)got, TEXT_SIZE - 1);
	if (size > 0)
		each_line((char *)(uintptr_t)got, (size_t)size, call, arg);
	sys_call2(SYS_munmap, got, TEXT_SIZE);
	return size < 0 ? (int)size : 0;
}

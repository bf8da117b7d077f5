/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gain.c - set-user-id, set-group-id and file capabilities.
 */
#include "hook/gain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

struct rights {
	unsigned uid, gid;       /* effective */
	uint64_t permitted;      /* capabilities */
	bool no_new;
};

static int rights_read(pid_t pid, struct rights *rights)
{
	char path[40], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	*rights = (struct rights){ 0 };
	while (fgets(line, sizeof(line), file)) {
		unsigned value;

		sscanf(line, "Uid: %*u %u", &rights->uid);
		sscanf(line, "Gid: %*u %u", &rights->gid);
		sscanf(line, "CapPrm: %lx", &rights->permitted);
		if (sscanf(line, "NoNewPrivs: %u", &value) == 1)
			rights->no_new = value != 0;
	}
	fclose(file);
	return 0;
}

static bool file_gains(int fd, const struct stat *status, const struct rights *rights)
{
	struct { uint32_t magic, permitted_low, inheritable_low, permitted_high; } caps = { 0 };
	bool group = (status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);

	if ((status->st_mode & S_ISUID) && status->st_uid != rights->uid)
		return true;
	if (group && status->st_gid != rights->gid)
		return true;
	if (fgetxattr(fd, "security.capability", &caps, sizeof(caps)) < 12)
		return false;
	return ((uint64_t)caps.permitted_high << 32 | caps.permitted_low) & ~rights->permitted;
}

/* The interpreter of "#!/bin/sh -e"; false: the file begins otherwise. */
static bool script_interpreter(int fd, char *out, size_t size)
{
	char line[256];
	ssize_t length = pread(fd, line, sizeof(line) - 1, 0);
	char *at = line + 2;

	if (length < 3 || line[0] != '#' || line[1] != '!')
		return false;
	line[length] = '\0';
	at += strspn(at, " \t");
	at[strcspn(at, " \t\n")] = '\0';
	return *at && (size_t)snprintf(out, size, "%s", at) < size;
}

bool program_gains(const char *path, pid_t pid)
{
	char name[4096], next[256];
	struct rights rights;
	bool gains = false, script = true;

	if (rights_read(pid, &rights) < 0 || rights.no_new)
		return false;
	snprintf(name, sizeof(name), "%s", path);
	for (int depth = 0; script && depth < 6; depth++) { /* scripts of scripts, as deep as Linux goes */
		int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		struct statvfs mount;
		struct stat status;

		if (fd < 0) /* may be executed but not read: its mode and owner still tell */
			return stat(name, &status) == 0 && file_gains(-1, &status, &rights);
		script = script_interpreter(fd, next, sizeof(next));
		if (!script && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
		    fstatvfs(fd, &mount) == 0 && !(mount.f_flag & ST_NOSUID))
			gains = file_gains(fd, &status, &rights);
		close(fd);
		if (script && program_path(name, sizeof(name), pid, AT_FDCWD, next) < 0)
			break;
	}
	return gains;
}

int program_path(char *out, size_t size, pid_t pid, int dirfd, const char *path)
{
	const char *between = *path ? "/" : "";
	int used;

	if (*path == '/')
		used = snprintf(out, size, "/proc/%d/root%s", (int)pid, path);
	else if (dirfd == AT_FDCWD)
		used = snprintf(out, size, "/proc/%d/cwd%s%s", (int)pid, between, path);
	else
		used = snprintf(out, size, "/proc/%d/fd/%d%s%s", (int)pid, dirfd, between, path);
	return used > 0 && (size_t)used < size ? 0 : -ENAMETOOLONG;
}

int program_search(char *out, size_t size, const char *file)
{
	const char *dirs = getenv("PATH");

	if (strchr(file, '/'))
		return (size_t)snprintf(out, size, "%s", file) < size ? 0 : -ENOENT;
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *file;) {
		int length = (int)strcspn(dirs, ":");
		int used = snprintf(out, size, "%.*s%s%s", length, dirs, length ? "/" : "./", file);

		if (used > 0 && (size_t)used < size && access(out, X_OK) == 0)
			return 0;
		if (dirs[length] == '\0')
			break;
		dirs += length + 1;
	}
	return -ENOENT;
}

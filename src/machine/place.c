/* SPDX-License-Identifier: BSD-2-Clause */
/* place.c - finding, making and taking away the directories of named machines. */
#include "machine/place.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

#define NAME_LENGTH 64
#define DIRECTORY_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_RDONLY | O_CLOEXEC)

static int check_name(const char *name, struct skep_diag *diag)
{
	size_t len = strlen(name);
	bool good = len > 0 && len <= NAME_LENGTH &&
		    (isalnum((unsigned char)name[0]) || name[0] == '_');

	for (size_t i = 0; good && i < len; i++)
		good = isalnum((unsigned char)name[i]) || strchr("_-.", name[i]);
	return good ? 0 : skep_fail(diag, SKEP_MACHINE_NAME, NULL,
				     "'%s' is no name for a machine", name);
}

/* Is the directory this user's alone? */
static int check_ours(int fd, const char *path, struct skep_diag *diag)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return skep_fail(diag, SKEP_MACHINE_PLACE, NULL, "'%s': %s", path, strerror(errno));
	if (status.st_uid != geteuid())
		return skep_fail(diag, SKEP_MACHINE_PLACE, NULL,
				 "'%s' belongs to user %u, not to user %u", path,
				 (unsigned)status.st_uid, (unsigned)geteuid());
	if (status.st_mode & 077)
		return skep_fail(diag, SKEP_MACHINE_PLACE, NULL,
				 "'%s' is open to others (mode %03o): 'chmod 700 %s'", path,
				 (unsigned)status.st_mode & 0777, path);
	return 0;
}

/* Opens a directory by path, made first if create. -ENOENT says nothing in diag. */
static int open_ours(int at, const char *name, const char *path, bool create,
		     struct skep_diag *diag)
{
	int fd, error;

	if (create && mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return skep_fail(diag, SKEP_MACHINE_PLACE, NULL, "'%s' cannot be made: %s", path,
				 strerror(errno));
	fd = openat(at, name, DIRECTORY_FLAGS);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return skep_fail(diag, SKEP_MACHINE_PLACE, NULL, "'%s' %s%s", path,
				 errno == ELOOP || errno == ENOTDIR ?
				 "is not a directory, or a symbolic link" : "cannot be opened: ",
				 errno == ELOOP || errno == ENOTDIR ? "" : strerror(errno));
	error = check_ours(fd, path, diag);
	if (error < 0) {
		close(fd);
		return error;
	}
	return fd;
}

/* The directory that machines are in; path becomes its name. */
static int open_base(char *path, size_t size, bool create, struct skep_diag *diag)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char name[32] = "skep";
	int at = -1, fd;

	if (runtime && runtime[0] == '/') {
		at = open(runtime, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		snprintf(path, size, "%s/skep", runtime);
	}
	if (at < 0) {
		at = open("/dev/shm", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		snprintf(name, sizeof(name), "skep-%u", (unsigned)geteuid());
		snprintf(path, size, "/dev/shm/%s", name);
	}
	if (at < 0)
		return skep_fail(diag, SKEP_MACHINE_PLACE, NULL, "neither $XDG_RUNTIME_DIR nor "
				 "/dev/shm can be opened: %s", strerror(errno));
	fd = open_ours(at, name, path, create, diag);
	close(at);
	return fd;
}

static int place_init(struct machine_place *place, const char *name, bool create, struct skep_diag *diag)
{
	size_t len;
	int error;

	place->base = place->dir = -1;
	place->temporary[0] = place->path[0] = '\0';
	error = check_name(name, diag);
	if (error < 0)
		return error;
	place->base = open_base(place->path, sizeof(place->path), create, diag);
	if (place->base < 0)
		return place->base;
	len = strlen(place->path);
	snprintf(place->path + len, sizeof(place->path) - len, "/%s", name);
	return 0;
}

static int none(const char *name, struct skep_diag *diag)
{
	return skep_fail(diag, SKEP_MACHINE_NONE, NULL, "there is no machine '%s'", name);
}

static int exists(const char *name, struct skep_diag *diag)
{
	return skep_fail(diag, SKEP_MACHINE_EXISTS, NULL, "there is a machine '%s' already", name);
}

int place_create(struct machine_place *place, const char *name, struct skep_diag *diag)
{
	struct stat status;
	int error = place_init(place, name, true, diag);

	if (error < 0)
		return error;
	if (fstatat(place->base, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return exists(name, diag);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(place->temporary, sizeof(place->temporary), ".new-%u-%u",
			 (unsigned)getpid(), i);
		if (mkdirat(place->base, place->temporary, 0700) == 0)
			break;
		error = -errno;
		place->temporary[0] = '\0';
		if (error != -EEXIST)
			break;
	}
	if (!place->temporary[0])
		return skep_fail(diag, SKEP_MACHINE_PLACE, NULL, "'%s' cannot be made: %s",
				 place->path, strerror(-error));
	place->dir = open_ours(place->base, place->temporary, place->path, false, diag);
	return place->dir < 0 ? place->dir : 0;
}

int place_commit(struct machine_place *place, const char *name, struct skep_diag *diag)
{
	/* A directory is never renamed over one that has something in it. */
	if (renameat(place->base, place->temporary, place->base, name) < 0) {
		if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
			return exists(name, diag);
		return skep_fail(diag, SKEP_MACHINE_PLACE, NULL, "'%s' cannot be made: %s",
				 place->path, strerror(errno));
	}
	place->temporary[0] = '\0';
	return 0;
}

int place_open(struct machine_place *place, const char *name, struct skep_diag *diag)
{
	int error = place_init(place, name, false, diag);

	if (error == -ENOENT)
		return none(name, diag);
	if (error < 0)
		return error;
	place->dir = open_ours(place->base, name, place->path, false, diag);
	if (place->dir == -ENOENT)
		return none(name, diag);
	return place->dir < 0 ? place->dir : 0;
}

int place_arena(const struct machine_place *place, const char *name, struct skep_diag *diag)
{
	/* Without waiting, should it be a pipe. */
	int fd = openat(place->dir, "arena", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_uid != geteuid() || status.st_mode & 077) {
		const char *why = fd < 0 ? strerror(errno) : "it is no file of this user alone";

		if (fd >= 0)
			close(fd);
		return skep_fail(diag, SKEP_MACHINE_DAMAGED, NULL,
				 "machine '%s' has no memory to join: %s/arena: %s", name,
				 place->path, why);
	}
	return fd;
}

/* Unlinks what is in the directory; the arena first, so that nobody joins any more. */
static int empty(int fd)
{
	DIR *dir;
	struct dirent *entry;
	int copy, error = 0;

	if (unlinkat(fd, "arena", 0) < 0 && errno != ENOENT)
		return -errno;
	copy = openat(fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir)
		return -errno;
	while (!error && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
			error = -errno;
	closedir(dir);
	return error;
}

int place_remove(struct machine_place *place, const char *name, struct skep_diag *diag)
{
	int error = empty(place->dir);

	if (!error && unlinkat(place->base, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		error = -errno;
	return error < 0 ? skep_fail(diag, SKEP_MACHINE_PLACE, NULL, "'%s' cannot be removed: %s",
				     place->path, strerror(-error)) : 0;
}

void place_done(struct machine_place *place)
{
	if (place->dir >= 0 && place->temporary[0]) {
		empty(place->dir);
		unlinkat(place->base, place->temporary, AT_REMOVEDIR);
	}
	if (place->dir >= 0)
		close(place->dir);
	if (place->base >= 0)
		close(place->base);
	place->base = place->dir = -1;
}

/* --- all of them --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_dir(DIR *dir, skep_machine_list_fn *fn, void *arg, struct skep_diag *diag)
{
	VEC(char *) names = { 0 };
	struct dirent *entry;
	int result = 0;

	while (!result && (entry = readdir(dir))) {
		char **name;

		if (entry->d_name[0] == '.')
			continue;
		name = vec_push(&names);
		if (!name || !(*name = strdup(entry->d_name)))
			result = skep_fail(diag, SKEP_OOM, NULL, "the list of machines");
	}
	if (names.count > 1)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	for (size_t i = 0; i < names.count; i++) {
		if (!result)
			result = fn(arg, names.items[i]);
		free(names.items[i]);
	}
	vec_done(&names);
	return result;
}

int skep_machine_list(skep_machine_list_fn *fn, void *arg, struct skep_diag *diag)
{
	char path[4096];
	int fd = open_base(path, sizeof(path), false, diag), result;
	DIR *dir;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir) {
		result = skep_fail(diag, SKEP_MACHINE_PLACE, NULL, "'%s': %s", path,
				   strerror(errno));
		close(fd);
		return result;
	}
	result = list_dir(dir, fn, arg, diag);
	closedir(dir);
	return result;
}

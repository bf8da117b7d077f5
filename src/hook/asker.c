/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asker.c - see asker.h.
 *
 * The kernel tells of each process its ids in all namespaces down to its own; the last is what
 * it calls itself.
 */
#include "hook/asker.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/base.h"
#include "hook/trace.h"
#include "map/owner.h"

struct ids {
	VEC(pid_t) list;
};

static bool has_asked(pid_t pid, const struct mail_message *message)
{
	struct mail_message copy;

	return trace_read(pid, message->self, &copy, sizeof(copy)) == 0 &&
	       memcmp(&copy, message, sizeof(copy)) == 0;
}

/* --- ids --- */

enum {
	LEVELS = 34,             /* Linux has 32 of nested namespaces */
	RECENT = 256,
	GIVEN = 4096,
};

/* What the process or thread of a folder of /proc is called from here down to its own
 * namespace; how many. */
static unsigned read_ids(const char *folder, uint32_t ids[LEVELS])
{
	char path[300], line[512], *at = NULL;
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/status", folder);
	file = fopen(path, "re");
	while (file && !at && fgets(line, sizeof(line), file))
		if (strncmp(line, "NSpid:", 6) == 0)
			at = line + 6;
	if (file)
		fclose(file);
	while (at && *at == '\t' && count < LEVELS)
		ids[count++] = (uint32_t)strtoul(at + 1, &at, 10);
	return count;
}

/* What it calls itself; 0: it has ended. */
static uint32_t own_id(const char *folder)
{
	uint32_t ids[LEVELS];
	unsigned count = read_ids(folder, ids);

	return count ? ids[count - 1] : 0;
}

static int compare_down(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The ids of a folder, those given last first: whoever asks has begun not long ago. */
static void list_ids(const char *folder, struct ids *ids)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	pid_t *place;

	while (dir && (entry = readdir(dir))) {
		pid_t id = (pid_t)atoi(entry->d_name);

		place = id > 0 ? vec_push(&ids->list) : NULL;
		if (place)
			*place = id;
	}
	if (dir)
		closedir(dir);
	if (ids->list.count)
		qsort(ids->list.items, ids->list.count, sizeof(pid_t), compare_down);
}

/* The first entry of a folder that is looked for; 0: none. */
static pid_t find_in(const char *folder, bool (*is)(const char *path, pid_t id, const void *arg),
		     const void *arg)
{
	struct ids ids = { 0 };
	char path[280];
	pid_t found = 0;

	list_ids(folder, &ids);
	for (size_t i = 0; i < ids.list.count && !found; i++) {
		snprintf(path, sizeof(path), "%s/%d", folder, (int)ids.list.items[i]);
		if (is(path, ids.list.items[i], arg))
			found = ids.list.items[i];
	}
	vec_done(&ids.list);
	return found;
}

/* The id that was given last, here. */
static pid_t last_id(void)
{
	char line[128], *at = NULL;
	FILE *file = fopen("/proc/loadavg", "re");

	if (file && fgets(line, sizeof(line), file))
		at = strrchr(line, ' ');
	if (file)
		fclose(file);
	return at ? (pid_t)atoi(at) : 0;
}

/* Whoever has begun a moment ago is among those that have the last ids. */
static pid_t find_process(bool (*is)(const char *path, pid_t id, const void *arg), const void *arg)
{
	pid_t last = last_id();
	char path[32];

	for (pid_t id = last; id > 0 && id > last - RECENT; id--) {
		snprintf(path, sizeof(path), "/proc/%d", (int)id);
		if (is(path, id, arg))
			return id;
	}
	return find_in("/proc", is, arg);
}

/* --- names that were given --- */

/* Which ids of other spaces are which here, as far as we know: all is looked at before it is used. */
struct given {
	uint64_t space;
	uint32_t id;
	pid_t pid;
};

static pthread_mutex_t given_lock = PTHREAD_MUTEX_INITIALIZER;
static struct given given[GIVEN];

static struct given *given_place(uint64_t space, uint32_t id)
{
	return &given[(space * 31 + id) % GIVEN];
}

static void given_note(uint64_t space, uint32_t id, pid_t pid)
{
	pthread_mutex_lock(&given_lock);
	*given_place(space, id) = (struct given){ space, id, pid };
	pthread_mutex_unlock(&given_lock);
}

static pid_t given_find(uint64_t space, uint32_t id)
{
	struct given it;

	pthread_mutex_lock(&given_lock);
	it = *given_place(space, id);
	pthread_mutex_unlock(&given_lock);
	return it.space == space && it.id == id ? it.pid : 0;
}

/* The number of the namespace that is so many above that of a process; 0: not known. */
static uint64_t space_above(const char *process, unsigned up)
{
	char path[320];
	struct stat status;
	uint64_t number = 0;
	int fd, next;

	snprintf(path, sizeof(path), "%s/ns/pid", process);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (; fd >= 0 && up > 0; up--) {
		next = ioctl(fd, NS_GET_PARENT);
		close(fd);
		fd = next;
	}
	if (fd >= 0 && fstat(fd, &status) == 0)
		number = status.st_ino;
	if (fd >= 0)
		close(fd);
	return number;
}

/* --- who asks --- */

static bool is_asker(const char *path, pid_t id, const void *arg)
{
	const struct mail_message *message = arg;

	return has_asked(id, message) && own_id(path) == message->pid;
}

static bool calls_itself(const char *path, pid_t id, const void *arg)
{
	(void)id;
	return own_id(path) == *(const uint32_t *)arg;
}

static bool find_at_home(const struct mail_message *message)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u", message->pid, message->tid);
	return has_asked((pid_t)message->pid, message) && access(path, F_OK) == 0;
}

/* What a process is called in its own space, and in those between that and here. */
static void note_all(const char *folder, pid_t pid)
{
	uint32_t ids[LEVELS];
	unsigned count = read_ids(folder, ids);

	for (unsigned level = 1; level < count; level++)
		given_note(space_above(folder, count - 1 - level), ids[level], pid);
}

bool asker_find(struct mail_message *message)
{
	char folder[64];
	pid_t pid, tid;

	if (!message->abroad)
		return find_at_home(message);
	pid = find_process(is_asker, message);
	if (pid == 0)
		return false;
	snprintf(folder, sizeof(folder), "/proc/%d/task", (int)pid);
	tid = find_in(folder, calls_itself, &message->tid);
	snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
	given_note(space_above(folder, 0), message->tid, tid);
	note_all(folder, pid);
	message->pid = (uint32_t)pid;
	message->tid = (uint32_t)tid;
	message->abroad = false;
	return tid != 0;
}

/* --- others --- */

struct wanted {
	uint32_t id;
	unsigned level;          /* the asker's own */
	uint64_t space;
	bool was;                /* it was so; of who has ended nothing more than the ids is told */
};

static bool is_wanted(const char *path, pid_t id, const void *arg)
{
	const struct wanted *wanted = arg;
	uint32_t ids[LEVELS];
	unsigned count = read_ids(path, ids);
	uint64_t space;

	(void)id;
	if (count <= wanted->level || ids[wanted->level] != wanted->id)
		return false;
	space = space_above(path, count - 1 - wanted->level);
	return space == wanted->space || (space == 0 && wanted->was);
}

pid_t asker_knows(pid_t pid, uint32_t id)
{
	struct wanted wanted = { .id = id };
	uint32_t ids[LEVELS];
	char path[64];
	unsigned count;
	pid_t found;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	count = read_ids(path, ids);
	if (count == 0)
		return 0;
	wanted.level = count - 1;
	wanted.space = space_above(path, 0);
	found = given_find(wanted.space, id);
	if (found) {
		snprintf(path, sizeof(path), "/proc/%d", (int)found);
		wanted.was = true;
		if (is_wanted(path, found, &wanted))
			return found;
		wanted.was = false;
	}
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	found = find_in(path, calls_itself, &id);
	return found || !wanted.space ? found : find_process(is_wanted, &wanted);
}

pid_t asker_knew(pid_t pid, uint32_t id)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return given_find(space_above(path, 0), id);
}

struct space_id {
	uint64_t space;
	uint32_t id;
};

static bool is_there(const char *path, pid_t id, const void *arg)
{
	const struct space_id *it = arg;
	char digits[16];

	snprintf(digits, sizeof(digits), "%d", (int)id);
	return own_id(path) == it->id && owner_space_read(digits) == it->space;
}

bool asker_is_gone(void *arg, uint64_t space, uint32_t pid)
{
	const struct space_id it = { space, pid };

	(void)arg;
	return find_in("/proc", is_there, &it) == 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spaces.c - see spaces.h.
 *
 * /proc/PID/maps says what is mapped. It may change while it is read: what a target maps
 * meanwhile it asks about again, and what is gone is met by no walk.
 */
#include "hook/spaces.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <skep/stacks.h>

#include "base/base.h"
#include "hook/files.h"
#include "hook/tables.h"
#include "hook/targets.h"
#include "hook/trace.h"
#include "helper/unwind.h"
#include "map/owner.h"

enum { SPACE_MAX = 4096 };

struct mapping {
	uint64_t start, end, offset;
	uint64_t device, inode;
	char *path;              /* owned, until a told one has it */
};

/* What a process had when it asked, as far as it is news. */
struct reading {
	uint64_t time;
	uint32_t pid;
	bool fresh;
	char comm[16];
	VEC(struct mapping) mappings;
};

struct spaces {
	pthread_mutex_t lock;
	struct tables *tables;
	VEC(struct reading) readings;
	size_t told;             /* of them */
};

struct spaces *spaces_new(struct memory *memory, struct targets *targets)
{
	struct spaces *spaces = calloc(1, sizeof(*spaces));

	if (!spaces)
		return NULL;
	spaces->tables = tables_new(memory, targets);
	if (!spaces->tables) {
		free(spaces);
		return NULL;
	}
	pthread_mutex_init(&spaces->lock, NULL);
	return spaces;
}

static void reading_done(struct reading *reading)
{
	for (size_t i = 0; i < reading->mappings.count; i++)
		free(reading->mappings.items[i].path);
	vec_done(&reading->mappings);
}

void spaces_free(struct spaces *spaces)
{
	if (!spaces)
		return;
	for (size_t i = 0; i < spaces->readings.count; i++)
		reading_done(&spaces->readings.items[i]);
	vec_done(&spaces->readings);
	tables_free(spaces->tables);
	pthread_mutex_destroy(&spaces->lock);
	free(spaces);
}

/* --- files --- */

/* A path may lead elsewhere by now, or live in another root. */
static int open_mapped(pid_t pid, const struct mapping *mapping, char path[PATH_MAX + 40])
{
	for (int other_root = 0; other_root < 2; other_root++) {
		struct stat st;
		int fd;

		if (other_root)
			snprintf(path, PATH_MAX + 40, "/proc/%d/root%s", (int)pid, mapping->path);
		else
			snprintf(path, PATH_MAX + 40, "%s", mapping->path);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == mapping->inode &&
		    st.st_dev == mapping->device)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static struct unwind_file *file_of(struct spaces *spaces, pid_t pid,
				   const struct mapping *mapping)
{
	char path[PATH_MAX + 40];
	struct unwind_file *file = NULL;
	struct file_id id;
	int fd = mapping->inode ? open_mapped(pid, mapping, path) : -ENOENT;

	if (fd < 0)
		return NULL;
	if (file_identify(fd, &id) == 0)
		file = tables_file(spaces->tables, path, &id);
	close(fd);
	return file;
}

static struct unwind_module module_of(const struct unwind_file *file, const struct mapping *mapping)
{
	struct unwind_module module = { mapping->start, mapping->end, 0, NULL };

	for (uint32_t i = 0; file && i < file->loads; i++) {
		const struct unwind_load *load = &file->load[i];

		/* Mappings begin at pages, loads anywhere in them. */
		if (mapping->offset + 4096 <= load->offset ||
		    mapping->offset >= load->offset + load->size)
			continue;
		module.bias = mapping->start - (load->address + mapping->offset - load->offset);
		module.table = file->table;
	}
	return module;
}

/* --- what is mapped --- */

/* A line: "start-end perms offset major:minor inode path". False: out of memory. */
static bool read_line(const char *line, struct reading *reading)
{
	struct mapping mapping = { 0 }, *kept;
	char perms[5];
	unsigned major, minor;
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &mapping.start,
		   &mapping.end, perms, &mapping.offset, &major, &minor, &mapping.inode, &at) < 7 ||
	    perms[2] != 'x' || reading->mappings.count == SPACE_MAX)
		return true;
	mapping.device = makedev(major, minor);
	mapping.path = strndup(line + at, strcspn(line + at, "\n"));
	kept = mapping.path ? vec_push(&reading->mappings) : NULL;
	if (!kept) {
		free(mapping.path);
		return false;
	}
	*kept = mapping;
	return true;
}

static int read_space(pid_t pid, struct reading *reading)
{
	char path[40], line[PATH_MAX + 128];
	bool good = true;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof(line), file))
		snprintf(reading->comm, sizeof(reading->comm), "%.*s", (int)strcspn(line, "\n"), line);
	if (file)
		fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (good && fgets(line, sizeof(line), file))
		good = read_line(line, reading);
	fclose(file);
	return good ? 0 : -ENOMEM;
}

static int64_t write_modules(struct spaces *spaces, const struct reading *reading, uint64_t to,
			     uint64_t room)
{
	size_t count = reading->mappings.count;
	struct unwind_module *modules = calloc(count + 1, sizeof(*modules));
	struct unwind_file **files = calloc(count + 1, sizeof(struct unwind_file *));
	pid_t pid = (pid_t)reading->pid;
	int error = modules && files ? 0 : -ENOMEM;

	tables_begin(spaces->tables);
	for (size_t i = 0; !error && i < count; i++) {
		files[i] = file_of(spaces, pid, &reading->mappings.items[i]);
		modules[i] = module_of(files[i], &reading->mappings.items[i]);
	}
	if (!error && count && count <= room)
		error = trace_write(pid, to, modules, count * sizeof(*modules));
	/* It turns to them when this has been said. */
	if (!error && count <= room)
		error = tables_give(spaces->tables, pid, files, count);
	free(modules);
	free(files);
	return error < 0 ? error : (int64_t)count;
}

static bool is_known(const struct spaces *spaces, uint32_t pid, const struct mapping *mapping)
{
	for (size_t i = spaces->readings.count; i-- > 0;) {
		const struct reading *old = &spaces->readings.items[i];

		for (size_t k = 0; old->pid == pid && k < old->mappings.count; k++)
			if (old->mappings.items[k].start == mapping->start &&
			    old->mappings.items[k].end == mapping->end &&
			    old->mappings.items[k].offset == mapping->offset &&
			    strcmp(old->mappings.items[k].path, mapping->path) == 0)
				return true;
		if (old->pid == pid && old->fresh)
			return false;
	}
	return false;
}

/* Keeps what is news of it. */
static int keep(struct spaces *spaces, struct reading *reading)
{
	struct reading *kept;
	size_t news = 0;

	for (size_t i = 0; i < reading->mappings.count; i++) {
		struct mapping *mapping = &reading->mappings.items[i];

		if (!reading->fresh && is_known(spaces, reading->pid, mapping))
			free(mapping->path);
		else
			reading->mappings.items[news++] = *mapping;
	}
	reading->mappings.count = news;
	kept = news ? vec_push(&spaces->readings) : NULL;
	if (kept)
		*kept = *reading;
	else
		reading_done(reading);
	return kept || !news ? 0 : -ENOMEM;
}

int64_t spaces_read(struct spaces *spaces, pid_t pid, uint64_t to, uint64_t room, bool fresh)
{
	struct reading reading = { .time = owner_clock(), .pid = (uint32_t)pid, .fresh = fresh };
	int64_t count = read_space(pid, &reading);

	pthread_mutex_lock(&spaces->lock);
	if (count == 0)
		count = write_modules(spaces, &reading, to, room);
	/* It asks again when there was no room. */
	if (count >= 0 && (uint64_t)count <= room) {
		int error = keep(spaces, &reading);

		count = error < 0 ? error : count;
	} else {
		reading_done(&reading);
	}
	pthread_mutex_unlock(&spaces->lock);
	return count;
}

void spaces_forget(struct spaces *spaces, pid_t pid)
{
	pthread_mutex_lock(&spaces->lock);
	tables_take_back(spaces->tables, pid);
	pthread_mutex_unlock(&spaces->lock);
}

int spaces_tell(struct spaces *spaces, struct skep_stacks *stacks)
{
	int error = 0;

	pthread_mutex_lock(&spaces->lock);
	for (; !error && spaces->told < spaces->readings.count; spaces->told++) {
		const struct reading *reading = &spaces->readings.items[spaces->told];

		if (reading->fresh)
			error = skep_stacks_exec(stacks, reading->time, reading->pid, reading->comm);
		for (size_t i = 0; !error && i < reading->mappings.count; i++) {
			const struct mapping *mapping = &reading->mappings.items[i];

			error = skep_stacks_map(stacks, reading->time, reading->pid, mapping->start,
						mapping->end, mapping->offset, mapping->path);
		}
	}
	pthread_mutex_unlock(&spaces->lock);
	return error;
}

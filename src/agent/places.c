/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places.c - which files' code this process has mapped, and where (places.h, placed.h). [runtime]
 */
#include "agent/places.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "agent/maps.h"
#include "agent/placed.h"
#include "base/base.h"
#include "map/sys.h"

enum { MAPPINGS_MAX = 1024 };

const struct places_opts *places_opts;
static struct mapping mappings[MAPPINGS_MAX];
static uint32_t mapping_count;
const struct board *places_board;
uint64_t places_seen;
bool places_prompt;

void places_unknown(void)
{
	if (places_opts->unknown)
		places_opts->unknown();
}

static void forget_anonymous(uint64_t start, uint64_t end);

/* --- mappings --- */

static bool identify(int fd, struct file_id *id)
{
	struct stat st;

	if (sys_call2(SYS_fstat, fd, (uintptr_t)&st) < 0)
		return false;
	*id = (struct file_id){ st.st_dev, st.st_ino, (uint64_t)st.st_size,
				st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec };
	return (st.st_mode & S_IFMT) == S_IFREG;
}

/* What the arena has of a file; the supervisor is asked to scan it if there is nothing. */
static const struct patch_file *known_file(const struct file_id *id, int fd)
{
	const struct patch_file *file = patch_file_find(places_files(), id);

	if (!file && places_opts->scan && places_opts->scan(id, fd) == 0)
		file = patch_file_find(places_files(), id);
	return file;
}

void places_mapped(uint64_t start, uint64_t length, uint64_t offset, int fd,
		   enum patch_mode mode)
{
	struct mapping *mapping;
	struct file_id id;

	length = (length + 4095) & ~UINT64_C(4095);
	places_unmapped(start, length);
	if (mapping_count == MAPPINGS_MAX || !identify(fd, &id)) {
		places_unknown();
		return;
	}
	mapping = &mappings[mapping_count];
	*mapping = (struct mapping){ .start = start, .end = start + length, .offset = offset,
				     .id = id, .file = known_file(&id, fd) };
	mapping_count++;
	mapping_update(mapping, mode);
}

void places_unmapped(uint64_t start, uint64_t length)
{
	uint64_t end = start + length;
	uint32_t kept = 0;

	forget_anonymous(start, end);

	for (uint32_t i = 0; i < mapping_count; i++) {
		struct mapping mapping = mappings[i];

		if (mapping.start < end && mapping.end > start)
			patch_forget(MAX(start, mapping.start), MIN(end, mapping.end));
		/* Only a whole mapping is forgotten: a part of it lives on with its places. */
		if (mapping.start >= start && mapping.end <= end) {
			for (struct placed *p = mapping.placed; places_unlike && p; p = p->next)
				placed_forget(p);
			continue;
		}
		mappings[kept++] = mapping;
	}
	mapping_count = kept;
}

void places_settle(void)
{
	if (!placed_pending)
		return;
	placed_pending = 0;
	for (uint32_t i = 0; i < mapping_count; i++)
		for (struct placed *p = mappings[i].placed; p; p = p->next)
			if (placed_is_in(p) && p->probe)
				placed_raise(p);
}

void places_update(enum patch_mode mode)
{
	places_seen = __atomic_load_n(&places_opts->board->files_changed, __ATOMIC_ACQUIRE);
	places_waiting = 0;
	if (!places_files())
		return;
	for (uint32_t i = 0; i < mapping_count; i++)
		mapping_update(&mappings[i], mode);
	places_settle();
}

/* --- what is mapped at the start --- */

/* The kernel's own pages make no call that begins or ends a thread or a program, or changes
 * signals. */
static bool is_kernels(const struct maps_line *line)
{
	return strcmp(line->path, "[vdso]") == 0 || strcmp(line->path, "[vsyscall]") == 0;
}

/* Code of a file that its path does not lead to any more is not known. */
static void map_one(void *arg, const struct maps_line *line)
{
	enum patch_mode mode = *(const enum patch_mode *)arg;
	struct file_id id;
	int64_t fd;

	if (!(line->prot & PROT_EXEC))
		return;
	if (is_kernels(line) || places_opts->gate - line->start < line->end - line->start)
		return; /* or the agent's */
	if (line->prot & PROT_WRITE || line->shared)
		places_unknown();
	/* What is shared is not patched: the file would be, too. */
	fd = line->inode && !line->shared
		     ? sys_call3(SYS_openat, AT_FDCWD, (uintptr_t)line->path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0 && identify((int)fd, &id) && id.inode == line->inode)
		places_mapped(line->start, line->end - line->start, line->offset, (int)fd, mode);
	else
		places_unknown();
	if (fd >= 0)
		sys_call1(SYS_close, fd);
}

/* --- taking a range out --- */

struct collecting {
	uint64_t start, end;
	struct patch_site **sites;
	size_t count, max;
};

static void collect(void *arg, struct patch_site *site)
{
	struct collecting *c = arg;

	if (site->state == SITE_OUT || site->address < c->start || site->address >= c->end)
		return;
	if (c->count < c->max)
		c->sites[c->count] = site;
	c->count++;
}

/* In order of address, so that pages are changed together. */
static void sort_sites(struct patch_site **sites, size_t count)
{
	for (size_t gap = count / 2; gap; gap /= 2)
		for (size_t i = gap; i < count; i++) {
			struct patch_site *site = sites[i];
			size_t at = i;

			for (; at >= gap && sites[at - gap]->address > site->address; at -= gap)
				sites[at] = sites[at - gap];
			sites[at] = site;
		}
}

static int take_out_all(uint64_t start, uint64_t end, enum patch_mode mode)
{
	struct collecting c = { .start = start, .end = end };
	uint64_t size;
	int64_t got;
	int error;

	for (uint32_t i = 0; i < mapping_count; i++)
		for (struct placed *p = mappings[i].placed; p; p = p->next)
			if (p->address >= start && p->address < end)
				placed_lower(p);
	patch_each(collect, &c);
	size = (c.count * sizeof(*c.sites) + 4096) & ~UINT64_C(4095);
	got = sys_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       (uint64_t)-1, 0);
	if (got < 0)
		return (int)got;
	c = (struct collecting){ start, end, (struct patch_site **)(uintptr_t)got, 0, c.count };
	patch_each(collect, &c);
	sort_sites(c.sites, c.count);
	error = patch_remove(c.sites, c.count, mode);
	sys_call2(SYS_munmap, got, size);
	return error;
}

/* --- protection --- */

/*
 * Ranges that are no file's. Compilers at run time change the protection of their code all the
 * time, and the list of mappings is long.
 */
static struct { uint64_t start, end; } anonymous[16];
static uint32_t anonymous_next;

static bool is_anonymous(uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < ARRAY_SIZE(anonymous); i++)
		if (start >= anonymous[i].start && end <= anonymous[i].end)
			return true;
	return false;
}

static void forget_anonymous(uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < ARRAY_SIZE(anonymous); i++)
		if (anonymous[i].start < end && anonymous[i].end > start)
			anonymous[i].end = anonymous[i].start = 0;
}

static const struct mapping *mapping_of(uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < mapping_count; i++)
		if (mappings[i].start < end && mappings[i].end > start)
			return &mappings[i];
	return NULL;
}

struct range {
	uint64_t start, end;
};

/* Who reads or changes it finds what was there before us: a linker, relocations in code. */
static void unpatch(uint64_t start, uint64_t end)
{
	if (!mapping_of(start, end))
		return;
	take_out_all(start, end, PATCH_LIVE);
	places_unmapped(start, end - start);
}

static void make_code(void *arg, const struct maps_line *line)
{
	const struct range *range = arg;
	uint64_t start = MAX(line->start, range->start), end = MIN(line->end, range->end);
	struct file_id id;
	int64_t fd;

	if (start >= end || !(line->prot & PROT_EXEC) || line->shared)
		return;
	if (!line->inode) {
		anonymous[anonymous_next].start = line->start;
		anonymous[anonymous_next].end = line->end;
		anonymous_next = (anonymous_next + 1) % ARRAY_SIZE(anonymous);
		return;
	}
	if (mapping_of(start, end))
		return;
	fd = sys_call3(SYS_openat, AT_FDCWD, (uintptr_t)line->path, O_RDONLY | O_CLOEXEC);
	/* Other threads may be in it by now. */
	if (fd >= 0 && identify((int)fd, &id) && id.inode == line->inode)
		places_mapped(start, end - start, line->offset + (start - line->start), (int)fd,
			      PATCH_LIVE);
	if (fd >= 0)
		sys_call1(SYS_close, fd);
}

bool places_protected(uint64_t start, uint64_t length, int prot)
{
	struct range range = { start, (start + length + 4095) & ~UINT64_C(4095) };
	const struct mapping *mapping;

	if (!(prot & PROT_EXEC) || prot & PROT_WRITE) {
		unpatch(range.start, range.end);
		return false;
	}
	if (is_anonymous(range.start, range.end))
		return false;
	places_prompt = true;
	/* It was code before, and perhaps data meanwhile; or becomes it. */
	for (uint32_t i = 0; i < mapping_count; i++)
		if (mappings[i].start < range.end && mappings[i].end > range.start)
			mapping_update(&mappings[i], PATCH_LIVE);
	mapping = mapping_of(range.start, range.end);
	if (!mapping || mapping->start > range.start || mapping->end < range.end)
		maps_each(make_code, &range);
	places_prompt = false;
	return true;
}

int places_start(const struct places_opts *given, enum patch_mode mode)
{
	places_opts = given;
	places_board = places_opts->board;
	patch_gate = places_opts->gate;
	patch_ways = places_opts->ways;
	places_seen = __atomic_load_n(&places_opts->board->files_changed, __ATOMIC_ACQUIRE);
	return maps_each(map_one, &mode);
}

/* --- the end --- */

int places_stop(enum patch_mode mode)
{
	int error = take_out_all(0, UINT64_MAX, mode);

	if (error == 0)
		mapping_count = 0;
	return error;
}

static void count_site(void *arg, struct patch_site *site)
{
	struct places_counts *counts = arg;

	if (site->state == SITE_JUMP && !site->owner)
		counts->syscalls++;
	else if (site->state == SITE_JUMP)
		counts->jumps++;
	else if (site->state == SITE_TRAP)
		counts->traps++;
}

void places_count(struct places_counts *counts)
{
	*counts = (struct places_counts){ .files = mapping_count };
	patch_each(count_site, counts);
	for (uint32_t i = 0; i < mapping_count; i++)
		for (struct placed *p = mappings[i].placed; p; p = p->next)
			counts->failed += p->failed;
}

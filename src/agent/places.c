/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places.c - see places.h. [runtime]
 *
 * Programs' places come first: a system call whose patch is in the way of one is left to
 * dispatch, as are those of code that was not scanned. Records and sites stay when a place is taken off, for threads that are in a stub,
 * and are used again when it comes back.
 */
#include "agent/places.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "agent/maps.h"
#include "base/base.h"
#include "map/sys.h"

enum { MAPPINGS_MAX = 1024, POOL_SIZE = 1 << 16, POOL_HEAD = 16 };

/* A place of a program, an unwinder or a system call in one mapping. */
struct placed {
	struct probe_record record;
	struct placed *next;       /* of its mapping */
	struct probe *probe;       /* NULL: not of a program */
	probe_enter_fn *also;      /* it is an unwinder's too */
	const struct patch *patch; /* that it was put there with */
	uint64_t address;
	uint64_t semaphore;        /* its address here; 0: none */
	bool raised;
	bool failed;
	bool unlike;               /* the code there is not what the file has */
};

struct mapping {
	uint64_t start, end, offset;
	struct file_id id;
	const struct patch_file *file; /* NULL: nothing is known of it */
	struct placed *placed;
	bool unwinds, syscalls;    /* those have been put there */
};

static const struct places_opts *opts;
static struct mapping mappings[MAPPINGS_MAX];
static uint32_t mapping_count;
const struct board *places_board;
uint64_t places_seen;
uint32_t places_waiting, places_unlike;
static bool prompt;                /* nothing waits: the code is about to run */
static uint32_t pending;           /* semaphores that could not be raised yet */
static char *pool;
static size_t pool_left;
static char *pool_start;           /* the latest; the one before it is named in its head */

static void *allocate(size_t size)
{
	void *memory;

	size = (size + 15) & ~(size_t)15;
	if (pool_left < size) {
		int64_t got = sys_call(SYS_mmap, 0, POOL_SIZE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);

		if (got <= 0)
			return NULL;
		*(char **)(uintptr_t)got = pool_start;
		pool_start = (char *)(uintptr_t)got;
		pool = pool_start + POOL_HEAD;
		pool_left = POOL_SIZE - POOL_HEAD;
	}
	memory = pool;
	pool += size;
	pool_left -= size;
	return memory;
}

static const struct patch_files *files(void)
{
	return __atomic_load_n(&opts->board->files, __ATOMIC_ACQUIRE);
}

/* --- hits --- */

static void run_leave(struct probe_thread *thread, struct probe_call *call,
		      struct target_regs *regs)
{
	struct placed *placed = container_of(call->record, struct placed, record);
	struct task_facts *facts = opts->facts ? opts->facts(thread) : NULL;
	struct hook_session session;

	memcpy(&session, call->data, sizeof(session));
	hook_list(opts->board, facts, &placed->probe->leave, regs, placed->address);
	if (session.links[0])
		hook_session_leave(opts->board, facts, &placed->probe->session, regs,
				   placed->address, &session);
}

static void run_enter(struct probe_thread *thread, struct probe_record *record,
		      struct target_regs *regs)
{
	struct placed *placed = container_of(record, struct placed, record);
	struct probe *probe = placed->probe;
	struct task_facts *facts = opts->facts ? opts->facts(thread) : NULL;
	struct hook_session session = { { 0 } };
	struct probe_call *call;
	bool watched;

	hook_list(opts->board, facts, &probe->enter, regs, placed->address);
	if (placed->also)
		placed->also(thread, record, regs);
	watched = __atomic_load_n(&probe->leave, __ATOMIC_RELAXED) != NULL;
	if (__atomic_load_n(&probe->session, __ATOMIC_RELAXED))
		watched |= hook_session_enter(opts->board, facts, &probe->session, regs,
					      placed->address, &session);
	if (!watched)
		return;
	call = probe_call_watch(thread, record, regs);
	if (call)
		memcpy(call->data, &session, sizeof(session));
	else
		__atomic_fetch_add(&probe->missed, 1, __ATOMIC_RELAXED);
}

/* --- semaphores --- */

/* Changes the counter; false: it is not there, or may not be written yet. */
static bool change_semaphore(uint64_t address, int by)
{
	uint16_t value;
	struct iovec here = { &value, sizeof(value) };
	struct iovec there = { (void *)(uintptr_t)address, sizeof(value) };
	uint64_t self = (uint64_t)sys_call0(SYS_getpid);

	if (sys_call(SYS_process_vm_readv, self, (uintptr_t)&here, 1, (uintptr_t)&there, 1, 0) !=
	    sizeof(value))
		return false;
	value = (uint16_t)(value + by);
	return sys_call(SYS_process_vm_writev, self, (uintptr_t)&here, 1, (uintptr_t)&there, 1,
			0) == sizeof(value);
}

static void raise_semaphore(struct placed *placed)
{
	if (!placed->semaphore || placed->raised)
		return;
	placed->raised = change_semaphore(placed->semaphore, 1);
	if (!placed->raised)
		pending++;
}

static void lower_semaphore(struct placed *placed)
{
	if (placed->raised)
		change_semaphore(placed->semaphore, -1);
	placed->raised = false;
}

static bool is_in(const struct placed *placed)
{
	return placed->record.site && placed->record.site->state != SITE_OUT &&
	       placed->record.site->owner == &placed->record;
}

void places_settle(void)
{
	if (!pending)
		return;
	pending = 0;
	for (uint32_t i = 0; i < mapping_count; i++)
		for (struct placed *p = mappings[i].placed; p; p = p->next)
			if (is_in(p) && p->probe)
				raise_semaphore(p);
}

/* --- putting patches in --- */

static bool in_mapping(const struct mapping *mapping, const struct patch *patch)
{
	uint64_t size = mapping->end - mapping->start;

	return patch->file_offset >= mapping->offset &&
	       patch->file_offset - mapping->offset < size &&
	       size - (patch->file_offset - mapping->offset) >= patch->length;
}

static uint64_t address_in(const struct mapping *mapping, uint64_t file_offset)
{
	return mapping->start + (file_offset - mapping->offset);
}

void places_unknown(void)
{
	if (opts->unknown)
		opts->unknown();
}

/* A system call's patch makes room for a program's; the call is dispatched then. */
static void make_room(uint64_t address, unsigned length, enum patch_mode mode)
{
	struct patch_site *site;

	while ((site = patch_overlap(address, address + length)) && !site->owner) {
		places_unknown();
		if (patch_remove(&site, 1, mode) < 0)
			return;
	}
}

static void note_unlike(struct placed *placed, bool unlike)
{
	places_unlike += (uint32_t)unlike - (uint32_t)placed->unlike;
	placed->unlike = unlike;
}

static int put(struct mapping *mapping, struct patch_batch *batch, struct placed *placed,
	       const struct patch *patch, enum patch_mode mode)
{
	int error;

	placed->patch = patch;
	placed->address = address_in(mapping, patch->file_offset);
	make_room(placed->address,
		  patch->method == PATCH_TRAP ? 1 : (unsigned)PATCH_JUMP_SIZE, mode);
	error = probe_add(batch, patch, placed->address, &placed->record, !mapping->file->is_go);
	note_unlike(placed, error == -EILSEQ);
	placed->failed = error != 0;
	if (error == 0)
		placed->record.site->stays = mapping->file->is_go;
	return error;
}

/* Who put a patch at an address, the last time; NULL: nobody, or it was a system call's. */
static struct placed *placed_at(uint64_t address)
{
	const struct patch_site *site = patch_find(address);

	return site && site->owner ? container_of((struct probe_record *)site->owner,
						  struct placed, record) : NULL;
}

static struct placed *placed_new(struct mapping *mapping, struct probe *probe)
{
	struct placed *placed = allocate(sizeof(*placed));

	if (!placed)
		return NULL;
	*placed = (struct placed){ .probe = probe, .next = mapping->placed };
	mapping->placed = placed;
	return placed;
}

/* One that could not be put there. */
static struct placed *placed_before(const struct mapping *mapping, const struct probe *probe)
{
	struct placed *placed = mapping->placed;

	while (placed && !(placed->probe == probe && placed->unlike))
		placed = placed->next;
	return placed;
}

/* Where the linker's address of something in the file is here. */
static uint64_t here(const struct mapping *mapping, const struct probe *probe, uint64_t linked)
{
	return address_in(mapping, probe->at) + (linked - probe->address);
}

/* Rather than to take what a trap costs. Go's threads may be anywhere, also when they are held. */
static bool waits(const struct mapping *mapping, const struct patch *patch, enum patch_mode mode)
{
	return mode == PATCH_LIVE && !prompt && patch->method == PATCH_JUMP && !patch_is_whole(patch) &&
	       !mapping->file->is_go && opts->waits && opts->waits();
}

static void put_probe(struct mapping *mapping, struct patch_batch *batch, struct probe *probe,
		      struct placed *placed, enum patch_mode mode)
{
	const struct patch *patch = __atomic_load_n(&probe->patch, __ATOMIC_ACQUIRE);

	if (!in_mapping(mapping, patch))
		return;
	if (placed && !placed->probe && is_in(placed)) {
		/* An unwinder's: hits are told to both from now on. */
		placed->also = placed->record.enter;
		placed->probe = probe;
		__atomic_store_n(&placed->record.enter, run_enter, __ATOMIC_RELEASE);
		return;
	}
	if (waits(mapping, patch, mode)) {
		places_waiting++;
		return;
	}
	if (!placed || placed->probe != probe)
		placed = places_unlike ? placed_before(mapping, probe) : NULL;
	if (!placed)
		placed = placed_new(mapping, probe);
	if (!placed)
		return;
	placed->record.enter = run_enter;
	placed->record.leave = run_leave;
	if (put(mapping, batch, placed, patch, mode) < 0)
		return;
	placed->semaphore = probe->semaphore ? here(mapping, probe, probe->semaphore) : 0;
	raise_semaphore(placed);
}

static void take_out(struct placed *placed, enum patch_mode mode)
{
	struct patch_site *site = placed->record.site;

	if (placed->also) {
		__atomic_store_n(&placed->record.enter, placed->also, __ATOMIC_RELEASE);
		placed->probe = NULL;
		return;
	}
	patch_remove(&site, 1, mode);
	lower_semaphore(placed);
}

/* The place of a probe, if it is the one that is there. */
static struct placed *placed_of(const struct mapping *mapping, const struct probe *probe)
{
	struct placed *placed = placed_at(address_in(mapping, probe->at));

	return placed && placed->probe == probe && is_in(placed) ? placed : NULL;
}

/* What is attached no more, or is to be patched in another way, to make room for others. */
static void remove_probes(struct mapping *mapping, enum patch_mode mode)
{
	struct probe *probe = __atomic_load_n(&mapping->file->probes, __ATOMIC_ACQUIRE);

	for (; probe && mapping->placed; probe = probe->next) {
		struct placed *placed = placed_of(mapping, probe);

		if (placed && (!probe_is_live(probe) ||
			       placed->patch != __atomic_load_n(&probe->patch, __ATOMIC_ACQUIRE)))
			take_out(placed, mode);
	}
}

/* What is attached but not here. */
static void add_probes(struct mapping *mapping, struct patch_batch *batch, enum patch_mode mode)
{
	struct probe *probe = __atomic_load_n(&mapping->file->probes, __ATOMIC_ACQUIRE);

	for (; probe; probe = probe->next)
		if (probe_is_live(probe) && !placed_of(mapping, probe))
			put_probe(mapping, batch, probe,
				  placed_at(address_in(mapping, probe->at)), mode);
}

static void update_unwinds(struct mapping *mapping, struct patch_batch *batch,
			   enum patch_mode mode)
{
	const struct patch_file *file = mapping->file;

	if (mapping->unwinds || !__atomic_load_n(&files()->returns, __ATOMIC_ACQUIRE))
		return;
	mapping->unwinds = true;
	for (uint32_t i = 0; i < file->unwind_count; i++) {
		const struct patch_unwind *unwind = &file->unwinds[i];
		struct placed *placed;

		if (!in_mapping(mapping, &unwind->patch))
			continue;
		placed = placed_at(address_in(mapping, unwind->patch.file_offset));
		if (placed && is_in(placed)) {
			placed->also = unwind->begins ? probe_unwind_begins : probe_unwind_ends;
			continue;
		}
		placed = placed_new(mapping, NULL);
		if (!placed)
			return;
		placed->record.enter = unwind->begins ? probe_unwind_begins : probe_unwind_ends;
		put(mapping, batch, placed, &unwind->patch, mode);
	}
}

/*
 * Where threads run already only windows are taken where none of them is, and no trap, which
 * costs what a dispatched call costs.
 */
static bool is_put(const struct patch *patch, uint64_t address, enum patch_mode mode)
{
	return mode == PATCH_ALONE || patch_jumps(patch, address, mode);
}

/* Those of a file are never in each other's way, only probes are. */
static void put_syscalls(struct mapping *mapping, struct patch_batch *batch, enum patch_mode mode)
{
	const struct patch_file *file = mapping->file;
	bool all = file->is_whole;
	int error;

	for (uint32_t i = 0; i < file->syscall_count; i++) {
		const struct patch *patch = &file->syscalls[i];
		uint64_t address = address_in(mapping, patch->file_offset);

		if (!in_mapping(mapping, patch))
			continue;
		if (!is_put(patch, address, mode) ||
		    (mapping->placed && patch_overlap(address, address + patch->length)) ||
		    !patch_add(batch, patch, address, NULL, 0, &error))
			all = false;
	}
	all &= patch_commit(batch, mode) == 0;
	if (!all)
		places_unknown();
}

static void update_syscalls(struct mapping *mapping, struct patch_batch *batch,
			    enum patch_mode mode)
{
	if (!opts->gate || mapping->syscalls)
		return;
	mapping->syscalls = true;
	put_syscalls(mapping, batch, mode);
}

/* Programs' first: they are committed before it is known what is in the way. */
static void update(struct mapping *mapping, enum patch_mode mode)
{
	struct patch_batch batch;

	/* What was too large to be scanned unasked, until somebody probed it. */
	if (!mapping->file)
		mapping->file = patch_file_find(files(), &mapping->id);
	if (!mapping->file) {
		places_unknown();
		return;
	}
	/* Go keeps threads of its own, whose next instruction may be any. */
	if (mode == PATCH_HELD && mapping->file->is_go)
		mode = PATCH_LIVE;
	patch_begin(&batch, mapping->start, mapping->end);
	remove_probes(mapping, mode);
	add_probes(mapping, &batch, mode);
	patch_commit(&batch, mode);
	update_unwinds(mapping, &batch, mode);
	patch_commit(&batch, mode);
	update_syscalls(mapping, &batch, mode);
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
	const struct patch_file *file = patch_file_find(files(), id);

	if (!file && opts->scan && opts->scan(id, fd) == 0)
		file = patch_file_find(files(), id);
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
	update(mapping, mode);
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
				note_unlike(p, false);
			continue;
		}
		mappings[kept++] = mapping;
	}
	mapping_count = kept;
}

void places_update(enum patch_mode mode)
{
	places_seen = __atomic_load_n(&opts->board->files_changed, __ATOMIC_ACQUIRE);
	places_waiting = 0;
	if (!files())
		return;
	for (uint32_t i = 0; i < mapping_count; i++)
		update(&mappings[i], mode);
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
	if (is_kernels(line) || opts->gate - line->start < line->end - line->start)
		return; /* or the agent's */
	if (line->prot & PROT_WRITE || line->shared)
		places_unknown();
	/* What is shared is not patched: the file would be, too. */
	fd = line->inode && !line->shared ? sys_call3(SYS_open, (uintptr_t)line->path, O_RDONLY | O_CLOEXEC, 0) : -1;
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
				lower_semaphore(p);
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

static struct mapping *mapping_of(uint64_t start, uint64_t end)
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
	fd = sys_call3(SYS_open, (uintptr_t)line->path, O_RDONLY | O_CLOEXEC, 0);
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
	struct mapping *mapping;

	if (!(prot & PROT_EXEC) || prot & PROT_WRITE) {
		unpatch(range.start, range.end);
		return false;
	}
	if (is_anonymous(range.start, range.end))
		return false;
	prompt = true;
	mapping = mapping_of(range.start, range.end);
	if (mapping)
		update(mapping, PATCH_LIVE); /* it was code before, and perhaps data meanwhile */
	else
		maps_each(make_code, &range);
	prompt = false;
	return true;
}

int places_start(const struct places_opts *given, enum patch_mode mode)
{
	opts = given;
	places_board = opts->board;
	patch_gate = opts->gate;
	patch_ways = opts->ways;
	places_seen = __atomic_load_n(&opts->board->files_changed, __ATOMIC_ACQUIRE);
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

void places_free(void)
{
	while (pool_start) {
		char *before = *(char **)(void *)pool_start;

		sys_call2(SYS_munmap, (uintptr_t)pool_start, POOL_SIZE);
		pool_start = before;
	}
	pool_left = 0;
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

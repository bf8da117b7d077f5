/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tables.c - see tables.h.
 *
 * Nobody counts references, as processes are killed: what is held is found out when there
 * is something to gain, from what each was given and who is alive.
 */
#include "hook/tables.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "hook/files.h"
#include "hook/targets.h"
#include "hook/unwind.h"
#include "map/memory.h"
#include "map/owner.h"

/* Larger tables would crowd maps out of the arena: such code is walked by frame pointers. */
enum { TABLE_MAX = 32 << 20 };
/* It is looked again when so much has come since the last time. */
enum { LOOK_AFTER = 1 << 20 };

typedef VEC(struct unwind_file *) file_list;

/* A target, and what its lists point to: the one it walks by, and the one before, which it
 * turns from only when it has the next. */
struct holder {
	pid_t pid;
	file_list now, before;
};

struct tables {
	struct memory *memory;
	struct targets *targets;
	uint64_t made_ns, begun_ns; /* this object; the look-up under way */
	size_t news;             /* bytes made since it was looked what is held */
	bool checked;            /* what was there before */
	size_t look_at;          /* and so many holders are too many */
	VEC(struct holder) holders;
};

struct tables *tables_new(struct memory *memory, struct targets *targets)
{
	struct tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return NULL;
	tables->memory = memory;
	tables->targets = targets;
	tables->made_ns = owner_clock();
	tables->news = LOOK_AFTER; /* it is looked at once: others have made some before */
	return tables;
}

static void holder_done(struct holder *holder)
{
	vec_done(&holder->now);
	vec_done(&holder->before);
}

void tables_free(struct tables *tables)
{
	if (!tables)
		return;
	for (size_t i = 0; i < tables->holders.count; i++)
		holder_done(&tables->holders.items[i]);
	vec_done(&tables->holders);
	free(tables);
}

/* --- making --- */

static size_t table_size(const struct unwind_table *table)
{
	return table ? sizeof(*table) + table->count * sizeof(table->row[0]) : 0;
}

/* When the arena is full, of what is there only for the next one to use it. */
static void *alloc(struct tables *tables, size_t size)
{
	void *at = memory_alloc(tables->memory, size, 8);

	if (!at) {
		tables_collect(tables, 0);
		at = memory_alloc(tables->memory, size, 8);
	}
	tables->news += at ? size : 0;
	return at;
}

/* In the arena; NULL: none, or too large. */
static struct unwind_table *table_copy(struct tables *tables, const struct unwind_table *table)
{
	size_t size = table_size(table);
	void *copy = table && size <= TABLE_MAX ? alloc(tables, size) : NULL;

	if (copy)
		memcpy(copy, table, size);
	return copy;
}

static struct unwind_file *file_make(struct tables *tables, const char *path,
				     const struct file_id *id)
{
	struct unwind_file *file = alloc(tables, sizeof(*file));
	struct binary *binary = file ? binary_open(path, NULL, NULL) : NULL;
	struct unwind_table *table = binary ? unwind_build(binary) : NULL;

	if (!file)
		return NULL;
	file->id = *id;
	file->made_ns = owner_clock();
	file->table = table_copy(tables, table);
	file->loads = binary ? (uint32_t)MIN(binary->loads.count, UNWIND_LOADS) : 0;
	for (uint32_t i = 0; i < file->loads; i++)
		file->load[i] = (struct unwind_load){ binary->loads.items[i].address,
						      binary->loads.items[i].offset,
						      binary->loads.items[i].size };
	free(table);
	binary_free(binary);
	file->next = tables->targets->unwind_files;
	__atomic_store_n(&tables->targets->unwind_files, file, __ATOMIC_RELEASE);
	return file;
}

/* What lies in an arena's file may have been damaged there. */
static bool is_sound(const struct memory *memory, const struct unwind_file *file)
{
	const struct unwind_table *table;

	if (!memory_contains(memory, file, sizeof(*file), 8) || file->loads > UNWIND_LOADS)
		return false;
	table = file->table;
	return !table || (memory_contains(memory, table, sizeof(*table), 8) &&
			  memory_contains(memory, table, table_size(table), 8));
}

static bool all_sound(const struct tables *tables)
{
	size_t count = 0, most = memory_size(tables->memory) / sizeof(struct unwind_file);

	for (struct unwind_file *file = tables->targets->unwind_files; file; file = file->next)
		if (!is_sound(tables->memory, file) || ++count > most)
			return false;
	return true;
}

void tables_begin(struct tables *tables)
{
	if (!tables->checked && !all_sound(tables))
		tables->targets->unwind_files = NULL; /* they are made again, as needed */
	tables->checked = true;
	if (tables->news >= LOOK_AFTER || tables->holders.count >= tables->look_at)
		tables_collect(tables, TABLES_IDLE);
	tables->begun_ns = owner_clock();
}

struct unwind_file *tables_file(struct tables *tables, const char *path, const struct file_id *id)
{
	struct unwind_file *file = tables->targets->unwind_files;

	while (file && memcmp(&file->id, id, sizeof(*id)) != 0)
		file = file->next;
	if (!file)
		file = file_make(tables, path, id);
	if (file)
		file->used_ns = owner_clock();
	return file;
}

/* --- who holds what --- */

static struct holder *holder_of(struct tables *tables, pid_t pid)
{
	for (size_t i = 0; i < tables->holders.count; i++)
		if (tables->holders.items[i].pid == pid)
			return &tables->holders.items[i];
	return NULL;
}

/* One that is being claimed may have been killed as it was. */
static bool is_alive(const struct process *process)
{
	uint32_t state = __atomic_load_n(&process->state, __ATOMIC_ACQUIRE);

	return state != PROCESS_FREE && state != PROCESS_LEFT && state != PROCESS_DETACHED &&
	       (kill((pid_t)process->pid, 0) == 0 || errno != ESRCH);
}

/* A process that shares another's memory walks by that one's lists. */
static bool has_lodger(const struct targets *targets, pid_t pid)
{
	for TARGETS_LIVE(targets, i)
		if (targets->process[i].host == (uint32_t)pid && is_alive(&targets->process[i]))
			return true;
	return false;
}

static bool list_add(file_list *list, struct unwind_file *const *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct unwind_file **slot = files[i] ? vec_push(list) : NULL;

		if (files[i] && !slot)
			return false;
		if (slot)
			*slot = files[i];
	}
	return true;
}

int tables_give(struct tables *tables, pid_t pid, struct unwind_file *const *files, size_t count)
{
	struct holder *holder = holder_of(tables, pid), given = { .pid = pid };
	bool good = list_add(&given.now, files, count);

	/* After an exec, who shared the memory of before still walks by what lies there. */
	if (good && holder && has_lodger(tables->targets, pid))
		good = list_add(&given.before, holder->before.items, holder->before.count);
	if (good && holder)
		good = list_add(&given.before, holder->now.items, holder->now.count);
	if (good && !holder) {
		holder = vec_push(&tables->holders);
		good = holder != NULL;
	} else if (good) {
		holder_done(holder);
	}
	if (!good) {
		holder_done(&given);
		return -ENOMEM;
	}
	*holder = given;
	return 0;
}

static void holder_remove(struct tables *tables, struct holder *holder)
{
	holder_done(holder);
	*holder = tables->holders.items[--tables->holders.count];
}

void tables_take_back(struct tables *tables, pid_t pid)
{
	struct holder *holder = holder_of(tables, pid);

	if (holder && !has_lodger(tables->targets, pid))
		holder_remove(tables, holder);
}

/* Targets that an earlier supervisor served: what it gave them is not known. */
static bool has_elders(const struct tables *tables)
{
	const struct targets *targets = tables->targets;

	for TARGETS_LIVE(targets, i)
		if (targets->process[i].start_ns < tables->made_ns && is_alive(&targets->process[i]))
			return true;
	return false;
}

static void mark_held(struct tables *tables)
{
	bool elders = has_elders(tables);

	for (struct unwind_file *file = tables->targets->unwind_files; file; file = file->next)
		file->held = file->used_ns >= tables->begun_ns ||
			     (elders && file->made_ns < tables->made_ns);
	for (size_t i = 0; i < tables->holders.count; i++) {
		struct holder *holder = &tables->holders.items[i];

		for (size_t k = 0; k < holder->now.count; k++)
			holder->now.items[k]->held = true;
		for (size_t k = 0; k < holder->before.count; k++)
			holder->before.items[k]->held = true;
	}
}

static void forget_the_dead(struct tables *tables)
{
	targets_sweep(tables->targets);
	for (size_t i = tables->holders.count; i-- > 0;) {
		struct holder *holder = &tables->holders.items[i];

		if (kill(holder->pid, 0) < 0 && errno == ESRCH &&
		    !has_lodger(tables->targets, holder->pid))
			holder_remove(tables, holder);
	}
}

/* --- freeing --- */

static size_t file_size(const struct unwind_file *file)
{
	return sizeof(*file) + table_size(file->table);
}

/* Unlinks the one that was used last the longest ago; NULL: all are held. */
static struct unwind_file *take_oldest(struct tables *tables)
{
	struct unwind_file **oldest = NULL, *file;

	for (struct unwind_file **at = &tables->targets->unwind_files; *at; at = &(*at)->next)
		if (!(*at)->held && (!oldest || (*at)->used_ns < (*oldest)->used_ns))
			oldest = at;
	if (!oldest)
		return NULL;
	file = *oldest;
	*oldest = file->next;
	return file;
}

void tables_collect(struct tables *tables, size_t idle)
{
	struct unwind_file *file;
	size_t unheld = 0;

	forget_the_dead(tables);
	mark_held(tables);
	tables->news = 0;
	tables->look_at = 2 * tables->holders.count + 64;
	for (file = tables->targets->unwind_files; file; file = file->next)
		unheld += file->held ? 0 : file_size(file);
	while (unheld > idle && (file = take_oldest(tables)) != NULL) {
		unheld -= file_size(file);
		/* A walk may be under way by a list that was just turned from. */
		if (file->table)
			memory_retire(tables->memory, (void *)(uintptr_t)file->table,
				      table_size(file->table));
		memory_release(tables->memory, file, sizeof(*file));
	}
	memory_collect(tables->memory);
}

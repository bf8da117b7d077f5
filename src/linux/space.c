/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space.c - what processes map and execute, as perf tells it beside everything
 * else: so that addresses in them have names after they are gone.
 *
 * An event that counts nothing brings records of mappings, forks and names, on a
 * ring for each CPU; each record ends with its time, as the rings have no order
 * among each other.
 */
#include "linux/impl.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <time.h>

/* Records, as they follow their header; behind them the time. */
struct record_mmap {
	uint32_t pid, tid;
	uint64_t start, len, offset;
	uint32_t maj, min;
	uint64_t ino, ino_generation;
	uint32_t prot, flags;
	char path[];
};

struct record_comm {
	uint32_t pid, tid;
	char comm[];
};

struct record_fork {
	uint32_t pid, ppid, tid, ptid;
};

struct perf_event_attr linux_space_event(void)
{
	return (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_DUMMY, .mmap = 1, .mmap2 = 1,
		.comm = 1, .comm_exec = 1, .task = 1, .sample_id_all = 1,
		.sample_type = PERF_SAMPLE_TIME, .use_clockid = 1, .clockid = CLOCK_MONOTONIC,
		.watermark = 1, .wakeup_watermark = 1 << 16,
	};
}

/* A string that ends inside of its record; NULL: it does not. */
static const char *text_in(const char *text, const uint8_t *end)
{
	return (const uint8_t *)text < end &&
	       memchr(text, '\0', (size_t)(end - (const uint8_t *)text)) ? text : NULL;
}

void linux_space_record(struct skep_stacks *stacks, const struct perf_event_header *header,
			const uint8_t *record)
{
	const void *body = record + sizeof(*header);
	const struct record_mmap *mmap = body;
	const struct record_comm *comm = body;
	const struct record_fork *fork = body;
	const uint8_t *end = record + header->size - sizeof(uint64_t);
	const char *text;
	uint64_t time;

	if (header->size < sizeof(*header) + sizeof(*fork) + sizeof(time))
		return;
	memcpy(&time, end, sizeof(time));
	if (header->type == PERF_RECORD_FORK && fork->pid != fork->ppid)
		skep_stacks_fork(stacks, time, fork->ppid, fork->pid);
	if (header->type == PERF_RECORD_COMM && header->misc & PERF_RECORD_MISC_COMM_EXEC) {
		text = text_in(comm->comm, end);
		if (text)
			skep_stacks_exec(stacks, time, comm->pid, text);
	}
	if (header->type == PERF_RECORD_MMAP2 &&
	    header->size > sizeof(*header) + sizeof(*mmap) + sizeof(time)) {
		text = text_in(mmap->path, end);
		if (text)
			skep_stacks_map(stacks, time, mmap->pid, mmap->start,
					mmap->start + mmap->len, mmap->offset, text);
	}
}

/* Those that are there already: before everything that is told. */
void linux_space_read(struct skep_stacks *stacks)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			skep_stacks_read(stacks, 0, (uint32_t)strtoul(entry->d_name, NULL, 10));
	if (dir)
		closedir(dir);
}

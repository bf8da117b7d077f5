/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf_event_array.c - rings of records, one for each virtual CPU. [runtime]
 *
 * A ring's only producer is the holder of its virtual CPU, so producing needs
 * no lock: the record is written past the head and published by one store of
 * the head. A dead producer's unfinished record was never there. Each record
 * carries a time, by which the consumer merges the CPUs' rings.
 *
 *   impl:  | struct perf, slots | CPU 0's data | CPU 1's data | ...
 *
 * Every slot is open from the start, as if a reader had put a perf event in it;
 * user space closes one by deleting it and opens it again by an update.
 */
#include <errno.h>

#include "map/array.h"
#include "map/owner.h"

enum { PERF_DATA = 256 << 10 };

struct perf_record {
	uint32_t size;    /* of the data that follows, padded to 8 */
	uint32_t unused;
	uint64_t time;
};

struct perf_ring {
	uint64_t head; /* producer's position. Partner: perf_consume() */
	uint64_t lost;
	uint64_t quiet[6];
	uint64_t tail; /* consumer's position */
	uint64_t lost_told;
	uint64_t quiet_too[6];
};

struct perf {
	char *data;
	uint8_t *closed;  /* by index */
	char *whole;      /* where the reader puts a record that goes round the end together */
	uint64_t reader;  /* lock: an owner word */
	struct perf_ring ring[] __attribute__((aligned(64)));
};

static int perf_init(struct map *map, const struct map_spec *spec)
{
	struct perf *perf = memory_alloc(
		map->memory, sizeof(*perf) + map->cpus * sizeof(struct perf_ring), 64);

	map->impl = perf;
	if (!perf)
		return -ENOMEM;
	perf->closed = memory_alloc(map->memory, spec->max_entries, 8);
	perf->data = memory_alloc(map->memory, (size_t)map->cpus * PERF_DATA, 4096);
	perf->whole = memory_alloc(map->memory, PERF_DATA, 4096);
	return perf->closed && perf->data && perf->whole ? 0 : -ENOMEM;
}

static void perf_done(struct map *map)
{
	struct perf *perf = map->impl;

	if (!perf)
		return;
	memory_release(map->memory, perf->closed, 0);
	memory_release(map->memory, perf->data, 0);
	memory_release(map->memory, perf->whole, 0);
	memory_release(map->memory, perf, 0);
	map->impl = NULL;
}

/* Copies to or from a ring's data, around its end. */
static void perf_put(char *data, uint64_t position, const void *from, size_t size)
{
	size_t at = position % PERF_DATA, first = PERF_DATA - at;

	if (first > size)
		first = size;
	memcpy(data + at, from, first);
	memcpy(data, (const char *)from + first, size - first);
}

static uint64_t perf_time(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return owner_clock();
#endif
}

int64_t perf_output(struct map *map, uint32_t index, const void *head, uint64_t head_size,
		    const void *tail, uint64_t tail_size, struct vcpu *cpu)
{
	struct perf *perf = map->impl;
	struct perf_ring *ring = &perf->ring[cpu->id];
	char *data = perf->data + (size_t)cpu->id * PERF_DATA;
	uint64_t size = head_size + tail_size, whole = sizeof(struct perf_record) + ((size + 7) & ~7ull);
	uint64_t at = ring->head;
	struct perf_record record = { .size = (uint32_t)size };

	if (index == (uint32_t)BPF_F_CURRENT_CPU)
		index = cpu->id;
	if (index >= map->max_entries)
		return -E2BIG;
	if (__atomic_load_n(&perf->closed[index], __ATOMIC_RELAXED))
		return -ENOENT;
	if (index != cpu->id)
		return -EOPNOTSUPP;
	if (head_size > PERF_DATA || tail_size > PERF_DATA ||
	    at + whole - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) > PERF_DATA) {
		__atomic_store_n(&ring->lost, ring->lost + 1, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	record.time = perf_time();
	perf_put(data, at, &record, sizeof(record));
	perf_put(data, at + sizeof(record), head, head_size);
	perf_put(data, at + sizeof(record) + head_size, tail, tail_size);
	__atomic_store_n(&ring->head, at + whole, __ATOMIC_RELEASE);
	return 0;
}

/* --- consuming --- */

static void perf_get(const char *data, uint64_t position, void *to, size_t size)
{
	size_t at = position % PERF_DATA, first = PERF_DATA - at;

	if (first > size)
		first = size;
	memcpy(to, data + at, first);
	memcpy((char *)to + first, data, size - first);
}

/* The CPU whose oldest record is the oldest of all; map->cpus: none has any. */
static uint32_t perf_oldest(struct map *map, struct perf_record *oldest)
{
	struct perf *perf = map->impl;
	uint32_t found = map->cpus;

	for (uint32_t cpu = 0; cpu < map->cpus; cpu++) {
		struct perf_ring *ring = &perf->ring[cpu];
		struct perf_record record;

		if (ring->tail == __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE))
			continue;
		perf_get(perf->data + (size_t)cpu * PERF_DATA, ring->tail, &record, sizeof(record));
		if (found == map->cpus || record.time < oldest->time) {
			*oldest = record;
			found = cpu;
		}
	}
	return found;
}

static uint64_t perf_lost(struct map *map)
{
	struct perf *perf = map->impl;
	uint64_t lost = 0;

	for (uint32_t cpu = 0; cpu < map->cpus; cpu++) {
		uint64_t now = __atomic_load_n(&perf->ring[cpu].lost, __ATOMIC_RELAXED);

		lost += now - perf->ring[cpu].lost_told;
		perf->ring[cpu].lost_told = now;
	}
	return lost;
}

static int perf_deliver(struct map *map, ring_consume_fn *fn, void *arg)
{
	struct perf *perf = map->impl;
	struct perf_record record = { 0 };
	int delivered = 0, result = 0;

	while (result == 0) {
		uint32_t cpu = perf_oldest(map, &record);
		struct perf_ring *ring = &perf->ring[cpu];
		uint64_t at = ring->tail + sizeof(record);
		char *data = perf->data + (size_t)cpu * PERF_DATA, *bytes = data + at % PERF_DATA;

		if (cpu == map->cpus)
			break;
		if (at % PERF_DATA + record.size > PERF_DATA) {
			perf_get(data, at, perf->whole, record.size);
			bytes = perf->whole;
		}
		result = fn(arg, cpu, bytes, record.size);
		delivered++;
		__atomic_store_n(&ring->tail, at + ((record.size + 7ull) & ~7ull),
				 __ATOMIC_RELEASE);
	}
	return result < 0 ? result : delivered;
}

int perf_consume(struct map *map, ring_consume_fn *fn, void *arg, uint64_t *lost)
{
	struct perf *perf = map->impl;
	struct owner_table *owners = memory_owners(map->memory);
	int result;

	*lost = 0;
	if (owner_lock(owners, &perf->reader, owner_self(owners)) < 0)
		return -EBUSY;
	result = perf_deliver(map, fn, arg);
	*lost = perf_lost(map);
	owner_unlock(&perf->reader);
	return result;
}

/* --- user space --- */

static int perf_user_update(struct map *map, const void *key, const void *value, uint64_t flags)
{
	struct perf *perf = map->impl;
	uint32_t index = array_index(key);

	(void)value;
	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	__atomic_store_n(&perf->closed[index], 0, __ATOMIC_RELAXED);
	return 0;
}

static int perf_user_remove(struct map *map, const void *key)
{
	struct perf *perf = map->impl;
	uint32_t index = array_index(key);

	if (index >= map->max_entries)
		return -E2BIG;
	return __atomic_exchange_n(&perf->closed[index], 1, __ATOMIC_RELAXED) ? -ENOENT : 0;
}

const struct map_type map_perf_event_array = {
	.id = BPF_MAP_TYPE_PERF_EVENT_ARRAY,
	.name = "perf_event_array",
	.doc = "Records from programs to user space, a ring for each CPU.",
	.flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_PRESERVE_ELEMS,
	.no_btf = true,
	.check = array_check_fds,
	.init = perf_init,
	.done = perf_done,
	.user_update = perf_user_update,
	.user_remove = perf_user_remove,
	.next_key = array_next_key,
};

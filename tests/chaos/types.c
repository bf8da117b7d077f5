/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * types.c - what workers do to each type of map, and what must hold after.
 *
 * Keyed types: key k belongs to worker k % WORKERS, who gives it versions 1, 2,
 * ... or deletes it (0). Numbered types: each worker sends 1, 2, 3, ...
 */
#include "chaos.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/base.h"

/* --- keyed: hashes, tries, arrays --- */

struct value {
	uint32_t key, version;
	uint64_t check;
};

static uint64_t value_check(uint32_t key, uint32_t version)
{
	return ((uint64_t)key << 32 | version) * 0x9e3779b97f4a7c15ull;
}

/*
 * For tries: 16 groups by the first 5 bits; in each g/5 holds g.0/13, which holds
 * g.0.0/21; and g.128.0.g/32 lies beside that.
 */
static void prefix_bytes(uint32_t key, uint8_t bytes[16])
{
	static const uint32_t lengths[] = { 5, 13, 21, 32 };
	uint32_t group = key / 4, level = key % 4;

	memcpy(bytes, &lengths[level], 4);
	bytes[4] = (uint8_t)(group << 3);
	if (level == 3) {
		bytes[5] = 0x80;
		bytes[7] = (uint8_t)group;
	}
}

static void key_bytes(const struct chaos *chaos, uint32_t key, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	if (chaos_type(chaos)->spec.type == BPF_MAP_TYPE_LPM_TRIE)
		prefix_bytes(key, bytes);
	else
		memcpy(bytes, &key, 4);
}

/* A map of devices has numbers of 32 bits for values: a version and a key. */
static bool keyed_targets(const struct chaos *chaos)
{
	return chaos_type(chaos)->spec.value_size == sizeof(uint32_t);
}

/* The version the map has; 0: none. A trie may answer with a shorter prefix. */
static uint32_t keyed_version(struct chaos *chaos, uint32_t key)
{
	struct value value = { 0 };
	uint32_t target = 0;
	uint8_t bytes[16];
	int error;

	key_bytes(chaos, key, bytes);
	for (int second = 0; second == 0 || (error == -EBUSY && second < 60); second++)
		error = map_user_lookup(chaos->map, bytes,
					keyed_targets(chaos) ? (void *)&target : &value, 0);
	if (error == -ENOENT)
		return 0;
	chaos_expect(chaos, error == 0);
	if (keyed_targets(chaos))
		return (target & 0xff) == key ? target >> 8 : UINT32_MAX;
	if (value.check == 0 && value.version == 0)
		return 0; /* an array's value before its first update */
	chaos_expect(chaos, value.check == value_check(value.key, value.version));
	return value.key == key ? value.version : 0;
}

static int keyed_try(struct chaos *chaos, uint32_t key, uint32_t version, bool as_program)
{
	const struct map_type *type = map_type(chaos_type(chaos)->spec.type);
	struct value value = { key, version, value_check(key, version) };
	uint32_t target = version << 8 | key;
	struct vcpu *cpu = as_program ? chaos_vcpu(chaos) : NULL;
	uint8_t bytes[16];
	int error;

	key_bytes(chaos, key, bytes);
	if (version == 0)
		error = (int)type->remove(chaos->map, bytes, cpu);
	else
		error = (int)type->update(chaos->map, bytes,
					  keyed_targets(chaos) ? (void *)&target : &value,
					  BPF_ANY, cpu);
	if (cpu)
		vcpu_give(cpu);
	return error;
}

/* Busy: who holds the lock got no CPU for a second, which a full machine may well do. */
static int keyed_set(struct chaos *chaos, uint32_t key, uint32_t version, bool as_program)
{
	int error = -EBUSY;

	for (int second = 0; error == -EBUSY && second < 60; second++)
		error = keyed_try(chaos, key, version, as_program);
	return error;
}

static bool keyed_removes(const struct chaos *chaos)
{
	return chaos_type(chaos)->spec.type != BPF_MAP_TYPE_ARRAY;
}

static void keyed_work(struct chaos *chaos, unsigned w)
{
	struct worker *worker = &chaos->worker[w];
	uint32_t key = chaos_random(worker, KEYS / WORKERS) * WORKERS + w;
	uint32_t was = worker->was[key], version = worker->will[key] + 1;
	int error;

	if (keyed_removes(chaos) && was != 0 && chaos_random(worker, 2))
		version = 0;
	chaos_expect(chaos, keyed_version(chaos, key) == was);
	__atomic_store_n(&worker->will[key], version, __ATOMIC_SEQ_CST);
	__atomic_store_n(&worker->key_in_flight, key + 1, __ATOMIC_SEQ_CST);
	error = keyed_set(chaos, key, version, chaos_random(worker, 2));
	/* What the dead had in their hands counts as used until it is found. */
	if (error == -E2BIG || error == -ENOSPC)
		version = was;
	else
		chaos_expect(chaos, error == 0);
	__atomic_store_n(&worker->was[key], version, __ATOMIC_SEQ_CST);
	__atomic_store_n(&worker->key_in_flight, 0, __ATOMIC_SEQ_CST);
	chaos_expect(chaos, keyed_version(chaos, key) == version);
}

static void keyed_recover(struct chaos *chaos, unsigned w)
{
	struct worker *worker = &chaos->worker[w];
	uint32_t key = worker->key_in_flight - 1, version;

	if (worker->key_in_flight == 0)
		return;
	version = keyed_version(chaos, key);
	chaos_expect(chaos, version == worker->was[key] || version == worker->will[key]);
	worker->was[key] = worker->will[key] = version;
	worker->key_in_flight = 0;
}

/* Deletes all, fills up to the last element, and sees that one more is refused. */
static void keyed_check_room(struct chaos *chaos)
{
	uint32_t max = chaos->map->max_entries;
	bool trie = chaos_type(chaos)->spec.type == BPF_MAP_TYPE_LPM_TRIE;
	uint8_t bytes[16];

	for (uint32_t key = 0; key < KEYS; key++)
		keyed_set(chaos, key, 0, true);
	chaos_expect(chaos, map_user_next_key(chaos->map, NULL, bytes) == -ENOENT);
	for (uint32_t i = 0; i < max; i++)
		chaos_expect(chaos, keyed_set(chaos, i, 1, true) == 0);
	chaos_expect(chaos, keyed_set(chaos, max, 1, true) == (trie ? -ENOSPC : -E2BIG));
	for (uint32_t i = 0; i < max; i++)
		chaos_expect(chaos, keyed_set(chaos, i, 2, true) == 0);
}

static void keyed_check(struct chaos *chaos)
{
	uint32_t present = 0, met = 0;
	uint8_t bytes[16];

	for (unsigned w = 0; w < WORKERS; w++)
		keyed_recover(chaos, w);
	for (uint32_t key = 0; key < KEYS; key++) {
		uint32_t version = keyed_version(chaos, key);

		chaos_expect(chaos, version == chaos->worker[key % WORKERS].was[key]);
		present += version != 0;
	}
	if (!keyed_removes(chaos) || chaos_type(chaos)->spec.type == BPF_MAP_TYPE_DEVMAP)
		return; /* every index is a key */
	for (int error = map_user_next_key(chaos->map, NULL, bytes); error == 0;
	     error = map_user_next_key(chaos->map, bytes, bytes))
		chaos_expect(chaos, ++met <= present);
	chaos_expect(chaos, met == present);
	keyed_check_room(chaos);
}

/* --- sums: per-CPU types --- */

static void sum_work(struct chaos *chaos, unsigned w)
{
	const struct map_type *type = map_type(chaos_type(chaos)->spec.type);
	struct worker *worker = &chaos->worker[w];
	uint32_t key = chaos_random(worker, 4);
	struct vcpu *cpu = chaos_vcpu(chaos);
	uint64_t *value = type->lookup(chaos->map, &key, cpu), one = 1;

	__atomic_store_n(&worker->begun, worker->begun + 1, __ATOMIC_SEQ_CST);
	if (value) {
		*value += 1;
		__atomic_store_n(&worker->done, worker->done + 1, __ATOMIC_SEQ_CST);
	} else if (type->update(chaos->map, &key, &one, BPF_NOEXIST, cpu) == 0) {
		__atomic_store_n(&worker->done, worker->done + 1, __ATOMIC_SEQ_CST);
	}
	vcpu_give(cpu);
}

static void sum_check(struct chaos *chaos)
{
	const struct map_type *type = map_type(chaos_type(chaos)->spec.type);
	uint64_t sum = 0, done = 0;

	for (uint32_t key = 0; key < 4; key++)
		for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
			uint64_t *value = type->lookup_percpu(chaos->map, &key, cpu);

			sum += value ? *value : 0;
		}
	for (unsigned w = 0; w < WORKERS; w++)
		done += chaos->worker[w].done;
	/* Each kill may have come between adding and writing it down. */
	chaos_expect(chaos, sum >= done && sum <= done + chaos->kills);
	chaos_expect(chaos, done > chaos->kills);
}

/* --- LRU: may forget, must not lose room --- */

static void lru_work(struct chaos *chaos, unsigned w)
{
	const struct map_type *type = map_type(chaos_type(chaos)->spec.type);
	uint32_t key = chaos_random(&chaos->worker[w], 1000);
	struct value value = { key, 1, value_check(key, 1) }, *found;
	struct vcpu *cpu = chaos_vcpu(chaos);

	if (chaos_random(&chaos->worker[w], 4) == 0) {
		int64_t error = type->remove(chaos->map, &key, cpu);

		chaos_expect(chaos, error == 0 || error == -ENOENT);
	} else {
		int64_t error = type->update(chaos->map, &key, &value, BPF_ANY, cpu);

		chaos_expect(chaos, error == 0 || error == -ENOMEM);
		found = type->lookup(chaos->map, &key, cpu);
		(void)found; /* another may have pushed it out, or used it again by now */
	}
	vcpu_give(cpu);
}

static uint32_t lru_count(struct chaos *chaos)
{
	uint32_t count = 0, key = 0;

	for (int error = map_user_next_key(chaos->map, NULL, &key); error == 0;
	     error = map_user_next_key(chaos->map, &key, &key)) {
		struct value value[CPUS];

		chaos_expect(chaos, map_user_lookup(chaos->map, &key, value, 0) == 0);
		for (unsigned i = 0; map_type(chaos->map->type_id)->per_cpu && i < CPUS; i++)
			if (value[i].check != 0)
				value[0] = value[i];
		chaos_expect(chaos, value[0].key == key &&
					    value[0].check == value_check(key, value[0].version));
		chaos_expect(chaos, ++count <= chaos->map->max_entries);
	}
	return count;
}

static void lru_check(struct chaos *chaos)
{
	const struct map_type *type = map_type(chaos_type(chaos)->spec.type);

	chaos_expect(chaos, lru_count(chaos) <= chaos->map->max_entries);
	for (uint32_t key = 2000; key < 5000; key++) {
		struct value value = { key, 1, value_check(key, 1) };
		struct vcpu *cpu = chaos_vcpu(chaos);

		chaos_expect(chaos, type->update(chaos->map, &key, &value, 0, cpu) == 0);
		chaos_expect(chaos, type->lookup(chaos->map, &key, cpu) != NULL);
		vcpu_give(cpu);
	}
	/* With own lists, this thread fills those of the CPUs it ran on. */
	if (!(chaos->map->flags & BPF_F_NO_COMMON_LRU))
		chaos_expect(chaos, lru_count(chaos) == chaos->map->max_entries);
	chaos_expect(chaos, lru_count(chaos) >= chaos->map->max_entries / CPUS);
}

/* --- numbered: rings and queues, which the parent empties --- */

struct message {
	uint32_t worker, size;
	uint64_t number;
	uint8_t rest[240];
};

static uint32_t message_fill(struct worker *worker, unsigned w, struct message *message)
{
	uint32_t size = 16 + chaos_random(worker, 200);

	message->worker = w;
	message->size = size;
	message->number = worker->begun;
	memset(message->rest, (int)(worker->begun & 0xff), size - 16);
	return size;
}

static bool message_send(struct chaos *chaos, unsigned w, struct vcpu *cpu)
{
	struct worker *worker = &chaos->worker[w];
	struct message message, *sample;
	uint32_t size = message_fill(worker, w, &message);

	switch (chaos_type(chaos)->spec.type) {
	case BPF_MAP_TYPE_RINGBUF:
		sample = ringbuf_reserve(chaos->map, size, cpu);
		if (!sample)
			return false;
		memcpy(sample, &message, size);
		ringbuf_submit(sample, 0, false);
		return true;
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
		return perf_output(chaos->map, cpu->id, &message, 16, message.rest, size - 16,
				   cpu) == 0;
	default:
		return map_type(chaos_type(chaos)->spec.type)->push(chaos->map, &message, 0) == 0;
	}
}

static void numbered_work(struct chaos *chaos, unsigned w)
{
	struct worker *worker = &chaos->worker[w];
	struct vcpu *cpu = chaos_vcpu(chaos);
	bool sent;

	/* A number is used up by the attempt: whether it arrives, the dead cannot say. */
	if (worker->begun == worker->done)
		__atomic_store_n(&worker->begun, worker->begun + 1, __ATOMIC_SEQ_CST);
	sent = message_send(chaos, w, cpu);
	if (sent)
		__atomic_store_n(&worker->done, worker->begun, __ATOMIC_SEQ_CST);
	vcpu_give(cpu);
	if (!sent)
		sched_yield();
}

/* The number in flight may have arrived or not; the next worker goes on past it. */
static void numbered_recover(struct chaos *chaos, unsigned w)
{
	struct worker *worker = &chaos->worker[w];

	if (worker->begun != worker->done) {
		/* Written down as a gap that may be: in a table larger than what can wait. */
		worker->gap[worker->begun % GAPS] = (uint32_t)worker->begun;
		worker->done = worker->begun;
	}
}

static int numbered_receive(void *arg, uint32_t cpu, const void *data, size_t size)
{
	struct chaos *chaos = arg;
	struct message message;
	struct worker *worker;

	(void)cpu;
	memcpy(&message, data, MIN(size, sizeof(message)));
	chaos_expect(chaos, message.worker < WORKERS && message.size >= 16 &&
				    message.size <= sizeof(message));
	worker = &chaos->worker[message.worker];
	for (uint32_t i = 0; i < message.size - 16; i++)
		chaos_expect(chaos, message.rest[i] == (message.number & 0xff));
	/* In order; what is skipped was in flight when its sender was killed. */
	chaos_expect(chaos, message.number > worker->seen);
	for (uint64_t n = worker->seen + 1; n < message.number; n++)
		chaos_expect(chaos, worker->gap[n % GAPS] == (uint32_t)n);
	worker->seen = message.number;
	return 0;
}

static void numbered_tend(struct chaos *chaos)
{
	struct message message;
	uint64_t lost = 0;

	switch (chaos_type(chaos)->spec.type) {
	case BPF_MAP_TYPE_RINGBUF:
		chaos_expect(chaos, ringbuf_consume(chaos->map, numbered_receive, chaos) >= 0);
		break;
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
		chaos_expect(chaos, perf_consume(chaos->map, numbered_receive, chaos, &lost) >= 0);
		break;
	default:
		for (int i = 0; i < 200; i++)
			if (map_type(chaos->map->type_id)->pop(chaos->map, &message) == 0)
				numbered_receive(chaos, 0, &message, sizeof(message));
	}
}

static void numbered_check(struct chaos *chaos)
{
	for (int i = 0; i < 100; i++)
		numbered_tend(chaos);
	for (unsigned w = 0; w < WORKERS; w++) {
		struct worker *worker = &chaos->worker[w];
		uint64_t last = worker->done;

		while (last > worker->seen && worker->gap[last % GAPS] == (uint32_t)last)
			last--;
		chaos_expect(chaos, worker->seen >= last && worker->seen <= worker->begun);
		chaos_expect(chaos, worker->seen > 0);
	}
	if (chaos_type(chaos)->spec.type == BPF_MAP_TYPE_RINGBUF)
		chaos_expect(chaos, ringbuf_query(chaos->map, BPF_RB_AVAIL_DATA) == 0);
}

/* --- stack: only wholeness and room --- */

static void stack_work(struct chaos *chaos, unsigned w)
{
	struct message message;
	int64_t error;

	chaos->worker[w].begun++;
	message_fill(&chaos->worker[w], w, &message);
	if (chaos_random(&chaos->worker[w], 2)) {
		error = map_type(chaos->map->type_id)->push(chaos->map, &message, BPF_EXIST);
		chaos_expect(chaos, error == 0);
		return;
	}
	error = map_type(chaos->map->type_id)->pop(chaos->map, &message);
	chaos_expect(chaos, error == 0 || error == -ENOENT);
	for (uint32_t i = 0; error == 0 && i < message.size - 16; i++)
		chaos_expect(chaos, message.rest[i] == (message.number & 0xff));
}

static void stack_check(struct chaos *chaos)
{
	const struct map_type *type = map_type(chaos->map->type_id);
	struct message message = { 0 };

	while (type->pop(chaos->map, &message) == 0)
		;
	for (uint32_t i = 0; i < chaos->map->max_entries; i++)
		chaos_expect(chaos, type->push(chaos->map, &message, 0) == 0);
	chaos_expect(chaos, type->push(chaos->map, &message, 0) == -E2BIG);
}

/* --- stack traces: each whole --- */

static void traces_work(struct chaos *chaos, unsigned w)
{
	uint64_t ips[8], read[8];
	uint32_t base = chaos_random(&chaos->worker[w], 40) + 1, id;
	int64_t put;

	for (uint32_t i = 0; i < 8; i++)
		ips[i] = base * 1000 + i;
	put = stack_trace_put(chaos->map, ips, 8, BPF_F_REUSE_STACKID);
	chaos_expect(chaos, put >= 0);
	id = (uint32_t)put;
	if (map_user_lookup(chaos->map, &id, read, 0) == 0)
		for (uint32_t i = 0; i < 8; i++)
			chaos_expect(chaos, read[i] == read[0] + i);
}

static void traces_check(struct chaos *chaos)
{
	traces_work(chaos, 0);
}

/* --- maps of maps: what a lookup gave stays there while it is used --- */

#define MAGIC 0x6d61706d61676963ull

static const struct map_spec inner_spec = { .name = "inner", .type = BPF_MAP_TYPE_HASH,
					    .key_size = 4, .value_size = 8, .max_entries = 4 };

static void inner_put(struct chaos *chaos, uint32_t index)
{
	int error = 0;
	struct map *inner = map_new(&inner_spec, chaos->memory, chaos->vcpus, &error);
	uint64_t magic = MAGIC;
	uint32_t key = 1;

	chaos_expect(chaos, inner != NULL);
	chaos_expect(chaos, map_user_update(inner, &key, &magic, 0) == 0);
	chaos_expect(chaos, map_user_update(chaos->map, &index, &inner, 0) == 0);
	map_unref(inner);
}

static void inner_setup(struct chaos *chaos)
{
	for (uint32_t i = 0; i < 4; i++)
		inner_put(chaos, i);
}

static void inner_work(struct chaos *chaos, unsigned w)
{
	struct vcpu *cpu = chaos_vcpu(chaos);
	uint32_t index = chaos_random(&chaos->worker[w], 4), key = 1;
	struct map *inner = map_type(chaos->map->type_id)->lookup(chaos->map, &index, cpu);

	for (int i = 0; i < 50; i++) {
		uint64_t *value;

		chaos_expect(chaos, inner != NULL);
		value = map_type(inner->type_id)->lookup(inner, &key, cpu);
		chaos_expect(chaos, value && *value == MAGIC);
	}
	vcpu_give(cpu);
}

static void inner_tend(struct chaos *chaos)
{
	for (uint32_t i = 0; i < 4; i++)
		inner_put(chaos, i);
}

static void inner_check(struct chaos *chaos)
{
	memory_collect(chaos->memory);
	/* Some old maps may wait yet, but not the thousands there were. */
	chaos_expect(chaos, !chaos->alone || memory_used(chaos->memory) < 8u << 20);
}

/* --- the arena itself --- */

enum { BLOCKS = 400 };

static const uint32_t sizes[] = { 1, 32, 100, 500, 2000, 4096, 9000, 100000 };

/* A worker gets blocks and fills them; only the parent, which is not killed,
 * gives them back, once they are filled. */
struct blocks {
	size_t before;
	void *at[WORKERS * BLOCKS];
	uint8_t filled[WORKERS * BLOCKS];
};

static void memory_setup(struct chaos *chaos)
{
	struct blocks *blocks = memory_alloc(chaos->memory, sizeof(*blocks), 64);

	chaos_expect(chaos, blocks != NULL);
	blocks->before = memory_used(chaos->memory);
	chaos->extra = blocks;
}

static void memory_work(struct chaos *chaos, unsigned w)
{
	struct worker *worker = &chaos->worker[w];
	struct blocks *blocks = chaos->extra;
	uint32_t i = w * BLOCKS + chaos_random(worker, BLOCKS);
	uint32_t size = sizes[chaos_random(worker, ARRAY_SIZE(sizes))];
	char *block;

	if (blocks->at[i])
		return;
	block = memory_alloc_into(chaos->memory, size, 16, &blocks->at[i]);
	chaos_expect(chaos, block && block == blocks->at[i]);
	for (uint32_t b = 0; b < size; b++)
		chaos_expect(chaos, block[b] == 0);
	memset(block, 0x5a, size);
	__atomic_store_n(&blocks->filled[i], 1, __ATOMIC_RELEASE);
}

static void memory_release_blocks(struct chaos *chaos, bool all)
{
	struct blocks *blocks = chaos->extra;

	for (uint32_t i = 0; i < WORKERS * BLOCKS; i++) {
		if (!all && (chaos_random(&chaos->worker[0], 3) ||
			     !__atomic_load_n(&blocks->filled[i], __ATOMIC_ACQUIRE)))
			continue;
		memory_release(chaos->memory, blocks->at[i], 0);
		blocks->filled[i] = 0;
		__atomic_store_n(&blocks->at[i], NULL, __ATOMIC_RELEASE);
	}
}

static void memory_tend(struct chaos *chaos)
{
	memory_release_blocks(chaos, false);
}

static void memory_check(struct chaos *chaos)
{
	static void *held[3000];
	struct blocks *blocks = chaos->extra;

	memory_release_blocks(chaos, true);
	/* Who searches long enough meets everything the dead were claiming. */
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t i = 0; i < ARRAY_SIZE(held); i++)
			held[i] = memory_alloc(chaos->memory, sizes[s], 16);
		for (size_t i = 0; i < ARRAY_SIZE(held); i++)
			memory_release(chaos->memory, held[i], 0);
	}
	if (chaos->alone)
		chaos_expect(chaos, memory_used(chaos->memory) == blocks->before);
}

#define KEYED .work = keyed_work, .recover = keyed_recover, .check = keyed_check
#define NUMBERED .work = numbered_work, .recover = numbered_recover, .tend = numbered_tend, \
		 .check = numbered_check
#define SPEC(TYPE, KEY, VALUE, MAX, FLAGS) { .name = "chaos", .type = BPF_MAP_TYPE_##TYPE, \
	.key_size = (KEY), .value_size = (VALUE), .max_entries = (MAX), .flags = (FLAGS) }

const struct chaos_type chaos_types[] = {
	{ .name = "memory", .setup = memory_setup, .work = memory_work, .tend = memory_tend,
	  .check = memory_check },
	{ .name = "array", .spec = SPEC(ARRAY, 4, sizeof(struct value), KEYS, 0), KEYED },
	{ .name = "hash", .spec = SPEC(HASH, 4, sizeof(struct value), KEYS, 0), KEYED },
	{ .name = "hash_no_prealloc", .spec = SPEC(HASH, 16, sizeof(struct value), KEYS,
						   BPF_F_NO_PREALLOC), KEYED },
	/* Fewer buckets and elements than keys: long chains, and often full. */
	{ .name = "hash_full", .spec = SPEC(HASH, 8, sizeof(struct value), 12, 0), KEYED },
	/* While a reader is stopped in it, nodes for the changes of meanwhile. */
	{ .name = "lpm_trie", .spec = SPEC(LPM_TRIE, 8, sizeof(struct value), KEYS,
					   BPF_F_NO_PREALLOC), .keeps = 66 << 20, KEYED },
	{ .name = "devmap", .spec = SPEC(DEVMAP, 4, 4, KEYS, 0), KEYED },
	{ .name = "devmap_hash", .spec = SPEC(DEVMAP_HASH, 4, 4, KEYS, 0), KEYED },
	{ .name = "percpu_array", .spec = SPEC(PERCPU_ARRAY, 4, 8, 4, 0), .work = sum_work,
	  .check = sum_check },
	{ .name = "percpu_hash", .spec = SPEC(PERCPU_HASH, 4, 8, 4, 0), .work = sum_work,
	  .check = sum_check },
	{ .name = "lru_hash", .spec = SPEC(LRU_HASH, 4, sizeof(struct value), 100, 0),
	  .work = lru_work, .check = lru_check },
	{ .name = "lru_hash_own", .spec = SPEC(LRU_HASH, 4, sizeof(struct value), 96,
					       BPF_F_NO_COMMON_LRU),
	  .work = lru_work, .check = lru_check },
	{ .name = "lru_percpu_hash", .spec = SPEC(LRU_PERCPU_HASH, 4, sizeof(struct value), 100, 0),
	  .work = lru_work, .check = lru_check },
	{ .name = "ringbuf", .spec = SPEC(RINGBUF, 0, 0, 8192, 0), NUMBERED },
	{ .name = "perf_event_array", .spec = SPEC(PERF_EVENT_ARRAY, 4, 4, CPUS, 0), NUMBERED },
	{ .name = "queue", .spec = SPEC(QUEUE, 0, sizeof(struct message), 100, 0), NUMBERED },
	{ .name = "stack", .spec = SPEC(STACK, 0, sizeof(struct message), 100, 0),
	  .work = stack_work, .check = stack_check },
	{ .name = "stack_trace", .spec = SPEC(STACK_TRACE, 4, 64, 16, 0), .work = traces_work,
	  .check = traces_check },
	{ .name = "array_of_maps", .spec = { .name = "chaos", .type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
					     .key_size = 4, .value_size = 4, .max_entries = 4,
					     .inner = &inner_spec },
	  .setup = inner_setup, .work = inner_work, .tend = inner_tend, .check = inner_check },
	{ .name = "hash_of_maps", .spec = { .name = "chaos", .type = BPF_MAP_TYPE_HASH_OF_MAPS,
					    .key_size = 4, .value_size = 4, .max_entries = 4,
					    .inner = &inner_spec },
	  .setup = inner_setup, .work = inner_work, .tend = inner_tend, .check = inner_check },
	{ .name = NULL },
};

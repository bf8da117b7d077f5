/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ringbuf.c - one ring of records from all producers to one consumer. [runtime]
 *
 *   impl:  | struct ring, pages | consumer page | producer page | data | spill |
 *
 * Positions grow without end; a byte's place in data is its position modulo
 * the size. A record is Linux's: a header of 8 bytes (length with the busy and
 * discard bits; distance to struct ring in pages), then the sample. One that
 * crosses the end of data runs on into the spill, so that it is in one piece
 * for producer and consumer; at most one such record exists at a time, for the
 * next crosses a whole size later. When it is submitted its spilled part is
 * copied to the start of data, where those expect it who map data twice.
 *
 * A record is published by one store of the producer position, with its busy
 * bit set, under an owner lock. Who reserved it stands in `who`: a virtual CPU
 * and how often that was taken. A busy record of a use that is over is a dead
 * producer's: the next producer or the consumer discards it.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>

#include "map/map.h"
#include "map/owner.h"

enum { RING_PAGE = 4096 };

#define RECORD_LEN(word) ((word) & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT))

struct record {
	uint32_t len;
	uint32_t pages; /* from struct ring */
};

struct ring {
	uint64_t lock;     /* of producers: an owner word */
	uint64_t pending;  /* position of the oldest record that may be busy */
	uint64_t mask;
	uint64_t checked;  /* when a full ring was last looked over for the dead, in ns */
	struct owner_table *owners;
	struct vcpu_set *vcpus;
	uint64_t *consumer; /* position; consumer's page */
	uint64_t *producer; /* position; producer's page. Partner: ringbuf_consume() */
	char *data;
	uint64_t *who;     /* by place in data / 8: takes << 16 | virtual CPU */
	size_t size;       /* of everything from here on */
	uint32_t wakes;    /* futex: changes when the consumer should look */
	uint32_t waiters;
	uint64_t full;     /* records that found no room, since somebody asked */
};

static int ringbuf_check(const struct map_spec *spec, struct skep_diag *diag)
{
	if (spec->key_size != 0 || spec->value_size != 0)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': a ring buffer has key_size and value_size 0",
				 spec->name);
	if (spec->max_entries == 0 || (spec->max_entries & (spec->max_entries - 1)) ||
	    spec->max_entries % RING_PAGE)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': max_entries %u is not a power of two of whole pages",
				 spec->name, spec->max_entries);
	return 0;
}

static int ringbuf_init(struct map *map, const struct map_spec *spec)
{
	size_t data = spec->max_entries, head = (sizeof(struct ring) + RING_PAGE - 1) /
						RING_PAGE * RING_PAGE;
	size_t size = head + 2 * RING_PAGE + 2 * data;
	struct ring *ring = memory_alloc(map->memory, size, RING_PAGE);

	map->impl = ring;
	if (!ring)
		return -ENOMEM;
	ring->who = memory_alloc(map->memory, data, RING_PAGE);
	if (!ring->who)
		return -ENOMEM;
	ring->mask = data - 1;
	ring->size = size;
	ring->owners = memory_owners(map->memory);
	ring->vcpus = map->vcpus;
	ring->consumer = (uint64_t *)(void *)((char *)ring + head);
	ring->producer = (uint64_t *)(void *)((char *)ring + head + RING_PAGE);
	ring->data = (char *)ring + head + 2 * RING_PAGE;
	return 0;
}

static void ringbuf_done(struct map *map)
{
	struct ring *ring = map->impl;

	if (!ring)
		return;
	memory_release(map->memory, ring->who, 0);
	memory_release(map->memory, ring, 0);
	map->impl = NULL;
}

static struct record *ring_record(const struct ring *ring, uint64_t position)
{
	return (struct record *)(void *)(ring->data + (position & ring->mask));
}

static uint64_t record_size(uint32_t len)
{
	return ((uint64_t)RECORD_LEN(len) + BPF_RINGBUF_HDR_SZ + 7) & ~7ull;
}

/* --- producing --- */

/* Discards the busy record at position if its producer's use of its virtual CPU
 * is over. Returns the length word then, or the one seen. */
static uint32_t ring_discard_dead(struct ring *ring, uint64_t position, bool deep)
{
	struct record *record = ring_record(ring, position);
	uint32_t seen = __atomic_load_n(&record->len, __ATOMIC_ACQUIRE);
	uint64_t who = __atomic_load_n(&ring->who[(position & ring->mask) / 8], __ATOMIC_ACQUIRE);
	uint32_t next = (seen & ~BPF_RINGBUF_BUSY_BIT) | BPF_RINGBUF_DISCARD_BIT;

	if (!(seen & BPF_RINGBUF_BUSY_BIT) ||
	    !vcpu_use_over(ring->vcpus, who & 0xffff, who >> 16, deep))
		return seen;
	if (__atomic_compare_exchange_n(&record->len, &seen, next, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return next;
	return seen;
}

/* The lock is held: moves past records that are done. */
static uint64_t ring_pending(struct ring *ring, uint64_t producer, bool deep)
{
	uint64_t pending = ring->pending;

	while (pending < producer) {
		uint32_t len = __atomic_load_n(&ring_record(ring, pending)->len, __ATOMIC_ACQUIRE);

		if (len & BPF_RINGBUF_BUSY_BIT)
			len = ring_discard_dead(ring, pending, deep);
		if (len & BPF_RINGBUF_BUSY_BIT)
			break;
		pending += record_size(len);
	}
	__atomic_store_n(&ring->pending, pending, __ATOMIC_RELAXED);
	return pending;
}

/* The lock is held: whether a record may end at position end. */
static bool ring_has_room(struct ring *ring, uint64_t producer, uint64_t end)
{
	uint64_t consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE), now;

	if (end - consumer <= ring->mask && end - ring_pending(ring, producer, false) <= ring->mask)
		return true;
	/* Full: worth asking the kernel whether a holder-up is dead, now and then. */
	now = owner_clock();
	if (now - ring->checked < 1000000)
		return false;
	ring->checked = now;
	ring_pending(ring, producer, true);
	consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return end - consumer <= ring->mask && end - ring->pending <= ring->mask;
}

void *ringbuf_reserve(struct map *map, uint64_t size, struct vcpu *cpu)
{
	struct ring *ring = map->impl;
	uint64_t producer, end;
	struct record *record;

	if (size > ring->mask + 1 || record_size((uint32_t)size) > ring->mask + 1 ||
	    size >= BPF_RINGBUF_DISCARD_BIT)
		return NULL;
	if (owner_lock(ring->owners, &ring->lock, cpu->owner) < 0)
		return NULL;
	producer = __atomic_load_n(ring->producer, __ATOMIC_RELAXED);
	end = producer + record_size((uint32_t)size);
	if (!ring_has_room(ring, producer, end)) {
		owner_unlock(&ring->lock);
		__atomic_add_fetch(&ring->full, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	record = ring_record(ring, producer);
	record->pages = (uint32_t)(((char *)record - (char *)ring) / RING_PAGE);
	ring->who[(producer & ring->mask) / 8] = cpu->takes << 16 | cpu->id;
	__atomic_store_n(&record->len, (uint32_t)size | BPF_RINGBUF_BUSY_BIT, __ATOMIC_RELEASE);
	__atomic_store_n(ring->producer, end, __ATOMIC_RELEASE);
	owner_unlock(&ring->lock);
	return record + 1;
}

static struct ring *ring_of(struct record *record)
{
	uintptr_t page = (uintptr_t)record / RING_PAGE * RING_PAGE;

	return (struct ring *)(page - (uintptr_t)record->pages * RING_PAGE);
}

/* What a record wrote past the end of data belongs at its start, too. */
static void ring_unspill(struct ring *ring, struct record *record, uint32_t len)
{
	char *end = (char *)(record + 1) + len, *data_end = ring->data + ring->mask + 1;

	if (end > data_end)
		memcpy(ring->data, data_end, (size_t)(end - data_end));
}

static void ring_wake(struct ring *ring)
{
	__atomic_fetch_add(&ring->wakes, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ring->waiters, __ATOMIC_SEQ_CST) != 0)
		sys_call3(SYS_futex, &ring->wakes, FUTEX_WAKE, INT_MAX);
}

void ringbuf_submit(void *sample, uint64_t flags, bool discard)
{
	struct record *record = (struct record *)sample - 1;
	struct ring *ring = ring_of(record);
	uint32_t len = RECORD_LEN(record->len);
	uint64_t place = (uint64_t)((char *)record - ring->data), consumer;

	ring_unspill(ring, record, len);
	__atomic_exchange_n(&record->len, discard ? len | BPF_RINGBUF_DISCARD_BIT : len,
			    __ATOMIC_SEQ_CST);
	/* A consumer that is at this record has seen it busy and gone to sleep. */
	consumer = __atomic_load_n(ring->consumer, __ATOMIC_RELAXED) & ring->mask;
	if ((flags & BPF_RB_FORCE_WAKEUP) ||
	    (consumer == place && !(flags & BPF_RB_NO_WAKEUP)))
		ring_wake(ring);
}

int64_t ringbuf_output(struct map *map, const void *data, uint64_t size, uint64_t flags,
		       struct vcpu *cpu)
{
	void *sample;

	if (flags & ~(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP))
		return -EINVAL;
	sample = ringbuf_reserve(map, size, cpu);
	if (!sample)
		return -EAGAIN;
	memcpy(sample, data, size);
	ringbuf_submit(sample, flags, false);
	return 0;
}

uint64_t ringbuf_query(struct map *map, uint64_t flags)
{
	struct ring *ring = map->impl;
	uint64_t consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	uint64_t producer = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);

	switch (flags) {
	case BPF_RB_AVAIL_DATA:
		return producer - consumer;
	case BPF_RB_RING_SIZE:
		return ring->mask + 1;
	case BPF_RB_CONS_POS:
		return consumer;
	case BPF_RB_PROD_POS:
		return producer;
	default:
		return 0;
	}
}

/* --- consuming --- */

uint64_t ringbuf_take_lost(struct map *map)
{
	struct ring *ring = map->impl;

	return __atomic_exchange_n(&ring->full, 0, __ATOMIC_RELAXED);
}

int ringbuf_consume(struct map *map, ring_consume_fn *fn, void *arg)
{
	struct ring *ring = map->impl;
	uint64_t consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	int delivered = 0, result = 0;

	while (result == 0 && consumer < __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) {
		struct record *record = ring_record(ring, consumer);
		uint32_t len = __atomic_load_n(&record->len, __ATOMIC_ACQUIRE);

		if (len & BPF_RINGBUF_BUSY_BIT)
			len = ring_discard_dead(ring, consumer, true);
		if (len & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(len & BPF_RINGBUF_DISCARD_BIT)) {
			result = fn(arg, 0, record + 1, RECORD_LEN(len));
			delivered++;
		}
		consumer += record_size(len);
		__atomic_store_n(ring->consumer, consumer, __ATOMIC_SEQ_CST);
	}
	return result < 0 ? result : delivered;
}

void ringbuf_wait(struct map *map, uint32_t milliseconds)
{
	struct ring *ring = map->impl;
	struct timespec { int64_t seconds, nanoseconds; } timeout = {
		milliseconds / 1000, milliseconds % 1000 * 1000000,
	};
	uint32_t wakes = __atomic_load_n(&ring->wakes, __ATOMIC_SEQ_CST);
	uint64_t consumer = __atomic_load_n(ring->consumer, __ATOMIC_SEQ_CST);

	__atomic_fetch_add(&ring->waiters, 1, __ATOMIC_SEQ_CST);
	if (consumer == __atomic_load_n(ring->producer, __ATOMIC_SEQ_CST) ||
	    (__atomic_load_n(&ring_record(ring, consumer)->len, __ATOMIC_SEQ_CST) &
	     BPF_RINGBUF_BUSY_BIT))
		sys_call4(SYS_futex, &ring->wakes, FUTEX_WAIT, wakes, &timeout);
	__atomic_fetch_sub(&ring->waiters, 1, __ATOMIC_SEQ_CST);
}

/* User space finds no elements in a ring. */
static int ringbuf_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	(void)map, (void)key, (void)value, (void)flags;
	return -ENOTSUPP;
}

static int ringbuf_user_update(struct map *map, const void *key, const void *value,
			       uint64_t flags)
{
	(void)map, (void)key, (void)value, (void)flags;
	return -ENOTSUPP;
}

static int ringbuf_user_remove(struct map *map, const void *key)
{
	(void)map, (void)key;
	return -ENOTSUPP;
}

static int ringbuf_next_key(struct map *map, const void *key, void *next)
{
	(void)map, (void)key, (void)next;
	return -ENOTSUPP;
}

const struct map_type map_ringbuf = {
	.id = BPF_MAP_TYPE_RINGBUF,
	.name = "ringbuf",
	.doc = "Records from programs to user space, in order over all CPUs.",
	.flags = BPF_F_NUMA_NODE,
	.check = ringbuf_check,
	.init = ringbuf_init,
	.done = ringbuf_done,
	.user_lookup = ringbuf_user_lookup,
	.user_update = ringbuf_user_update,
	.user_remove = ringbuf_user_remove,
	.next_key = ringbuf_next_key,
};

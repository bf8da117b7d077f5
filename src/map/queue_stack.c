/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_stack.c - values in a row: first in first out, or last in first out. [runtime]
 *
 * max_entries + 1 places form a ring from tail to head; both are in one word,
 * so that every push and pop, dropping the oldest included, is one store.
 */
#include <errno.h>
#include <string.h>

#include "map/map.h"
#include "map/owner.h"

struct queue {
	uint64_t lock;   /* an owner word */
	uint64_t ends;   /* head << 32 | tail: place of the next push, of the oldest */
	uint32_t places;
	char *values;
};

static int queue_check(const struct map_spec *spec, struct skep_diag *diag)
{
	if (spec->max_entries == 0 || spec->key_size != 0 || spec->value_size == 0)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': key_size must be 0, max_entries and value_size not",
				 spec->name);
	if (spec->value_size > 4u << 20)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': a value of %u bytes",
				 spec->name, spec->value_size);
	return 0;
}

static int queue_init(struct map *map, const struct map_spec *spec)
{
	struct queue *queue = memory_alloc(map->memory, sizeof(*queue), 64);
	size_t places = (size_t)spec->max_entries + 1;

	map->impl = queue;
	if (!queue || places > UINT32_MAX)
		return -ENOMEM;
	queue->places = (uint32_t)places;
	queue->values = memory_alloc(map->memory, places * map->value_size, 64);
	return queue->values ? 0 : -ENOMEM;
}

static void queue_done(struct map *map)
{
	struct queue *queue = map->impl;

	if (!queue)
		return;
	memory_release(map->memory, queue->values, 0);
	memory_release(map->memory, queue, 0);
	map->impl = NULL;
}

static bool queue_lock(struct map *map, struct queue *queue)
{
	struct owner_table *owners = memory_owners(map->memory);

	return owner_lock(owners, &queue->lock, owner_self(owners)) >= 0;
}

static uint32_t queue_next(const struct queue *queue, uint32_t place)
{
	return place + 1 == queue->places ? 0 : place + 1;
}

static char *queue_at(const struct map *map, const struct queue *queue, uint32_t place)
{
	return queue->values + (size_t)place * map->value_size;
}

static void queue_set(struct queue *queue, uint32_t head, uint32_t tail)
{
	__atomic_store_n(&queue->ends, (uint64_t)head << 32 | tail, __ATOMIC_RELEASE);
}

static int64_t queue_push(struct map *map, const void *value, uint64_t flags)
{
	struct queue *queue = map->impl;
	uint32_t head, tail;

	if (flags == BPF_NOEXIST || flags > BPF_EXIST)
		return -EINVAL;
	if (!queue_lock(map, queue))
		return -EBUSY;
	head = (uint32_t)(queue->ends >> 32);
	tail = (uint32_t)queue->ends;
	if (queue_next(queue, head) == tail) {
		if (flags != BPF_EXIST) {
			owner_unlock(&queue->lock);
			return -E2BIG;
		}
		tail = queue_next(queue, tail);
	}
	memcpy(queue_at(map, queue, head), value, map->value_size);
	queue_set(queue, queue_next(queue, head), tail);
	owner_unlock(&queue->lock);
	return 0;
}

/* The oldest or the newest value; take: and removes it. */
static int64_t queue_get(struct map *map, void *value, bool newest, bool take)
{
	struct queue *queue = map->impl;
	uint32_t head, tail, place;

	if (!queue_lock(map, queue)) {
		memset(value, 0, map->value_size);
		return -EBUSY;
	}
	head = (uint32_t)(queue->ends >> 32);
	tail = (uint32_t)queue->ends;
	if (head == tail) {
		owner_unlock(&queue->lock);
		memset(value, 0, map->value_size);
		return -ENOENT;
	}
	place = newest ? (head == 0 ? queue->places : head) - 1 : tail;
	memcpy(value, queue_at(map, queue, place), map->value_size);
	if (take && newest)
		queue_set(queue, place, tail);
	else if (take)
		queue_set(queue, head, queue_next(queue, tail));
	owner_unlock(&queue->lock);
	return 0;
}

static int64_t queue_pop(struct map *map, void *value)
{
	return queue_get(map, value, false, true);
}

static int64_t queue_peek(struct map *map, void *value)
{
	return queue_get(map, value, false, false);
}

static int64_t stack_pop(struct map *map, void *value)
{
	return queue_get(map, value, true, true);
}

static int64_t stack_peek(struct map *map, void *value)
{
	return queue_get(map, value, true, false);
}

/* --- user space: there are no keys --- */

static int queue_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	(void)flags;
	if (key)
		return -EINVAL;
	return (int)map_type(map->type_id)->peek(map, value);
}

static int queue_user_update(struct map *map, const void *key, const void *value, uint64_t flags)
{
	if (key)
		return -EINVAL;
	return (int)queue_push(map, value, flags);
}

static int queue_user_remove(struct map *map, const void *key)
{
	(void)map, (void)key;
	return -EINVAL;
}

static int queue_next_key(struct map *map, const void *key, void *next)
{
	(void)map, (void)key, (void)next;
	return -EINVAL;
}

#define QUEUE_ROW(ID, NAME, DOC, POP, PEEK) {                \
	.id = ID,                                            \
	.needs = NEEDS_BPF,                                  \
	.name = NAME,                                        \
	.doc = DOC,                                          \
	.flags = BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS,         \
	.no_btf = true,                                      \
	.check = queue_check,                                \
	.init = queue_init,                                  \
	.done = queue_done,                                  \
	.push = queue_push,                                  \
	.pop = POP,                                          \
	.peek = PEEK,                                        \
	.user_lookup = queue_user_lookup,                    \
	.user_update = queue_user_update,                    \
	.user_remove = queue_user_remove,                    \
	.next_key = queue_next_key,                          \
}

const struct map_type map_queue =
	QUEUE_ROW(BPF_MAP_TYPE_QUEUE, "queue", "First in, first out.", queue_pop, queue_peek);
const struct map_type map_stack =
	QUEUE_ROW(BPF_MAP_TYPE_STACK, "stack", "Last in, first out.", stack_pop, stack_peek);

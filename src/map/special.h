/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * special.h - values with a spin lock, a timer or a kernel pointer inside. [runtime]
 *
 * Copying a value in leaves those bytes alone; a new value has zeroes there.
 * A held bpf_spin_lock names its holder: the virtual CPU and the low bits of
 * how often that was taken, so that a lock whose holder died is taken over.
 *
 *   31              12 11       0
 *   | takes           | CPU + 1 |
 */
#ifndef MAP_SPECIAL_H
#define MAP_SPECIAL_H

#include <string.h>

#include "map/key.h"
#include "map/map.h"

/* Fills in map->special and map->lock_off (special_find.c; control plane). */
void special_find(struct map *map, const struct map_spec *spec);

/* Takes the lock at value + map->lock_off, and gives it back. */
void special_lock(struct vcpu_set *set, uint32_t *lock, const struct vcpu *cpu);
static inline void special_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

void special_copy_around(const struct map *map, void *dst, const void *src);
void special_zero(const struct map *map, void *dst);
int64_t special_write_locked(struct map *map, void *dst, const void *src, struct vcpu *cpu);
int special_read_locked(struct map *map, void *dst, void *value);

static inline bool special_has_lock(const struct map *map)
{
	return map->lock_off >= 0;
}

/* Over a value that is there: all of src but the special bytes. */
static inline void special_copy(const struct map *map, void *dst, const void *src)
{
	if (__builtin_expect(map->special_count != 0, 0))
		special_copy_around(map, dst, src);
	else
		key_copy(dst, src, map->value_size);
}

/* A new value. */
static inline void special_fill(const struct map *map, void *dst, const void *src)
{
	special_copy(map, dst, src);
	if (__builtin_expect(map->special_count != 0, 0))
		special_zero(map, dst);
}

#endif

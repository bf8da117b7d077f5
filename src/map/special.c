/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * special.c - copying around special bytes, and spin locks in values. [runtime]
 */
#include "map/special.h"

#include <errno.h>

#include "map/sys.h"

void special_copy_around(const struct map *map, void *dst, const void *src)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < map->special_count; i++) {
		const struct map_special *special = &map->special[i];

		memcpy((char *)dst + at, (const char *)src + at, special->off - at);
		at = special->off + special->size;
	}
	memcpy((char *)dst + at, (const char *)src + at, map->value_size - at);
}

void special_zero(const struct map *map, void *dst)
{
	for (uint32_t i = 0; i < map->special_count; i++)
		memset((char *)dst + map->special[i].off, 0, map->special[i].size);
}

/* --- bpf_spin_lock --- */

static bool lock_is_stale(struct vcpu_set *set, uint32_t seen)
{
	struct vcpu *holder = vcpu_at(set, (seen & 0xfff) - 1);
	uint64_t takes;

	if (!holder)
		return true;
	takes = __atomic_load_n(&holder->takes, __ATOMIC_ACQUIRE);
	return (takes & 0xfffff) != seen >> 12 || vcpu_use_over(set, holder->id, takes, true);
}

void special_lock(struct vcpu_set *set, uint32_t *lock, const struct vcpu *cpu)
{
	uint32_t self = (uint32_t)(cpu->takes << 12) | ((cpu->id + 1) & 0xfff);

	for (unsigned spins = 1;; spins++) {
		uint32_t seen = __atomic_load_n(lock, __ATOMIC_RELAXED);

		if ((seen == 0 || (spins % 1024 == 0 && lock_is_stale(set, seen))) &&
		    __atomic_compare_exchange_n(lock, &seen, self, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return;
		if (spins % 128 == 0)
			sys_yield();
		else
			cpu_pause();
	}
}

/* cpu NULL: user space, which borrows one and may be refused with -EBUSY. */
int64_t special_write_locked(struct map *map, void *dst, const void *src, struct vcpu *cpu)
{
	uint32_t *lock = (uint32_t *)(void *)((char *)dst + map->lock_off);
	bool taken = false;

	if (!cpu)
		cpu = vcpu_borrow(map->vcpus, &taken);
	if (!cpu)
		return -EBUSY;
	special_lock(map->vcpus, lock, cpu);
	special_copy(map, dst, src);
	special_unlock(lock);
	vcpu_return(cpu, taken);
	return 0;
}

int special_read_locked(struct map *map, void *dst, void *value)
{
	uint32_t *lock = (uint32_t *)(void *)((char *)value + map->lock_off);
	bool taken;
	struct vcpu *cpu = vcpu_borrow(map->vcpus, &taken);

	if (!cpu)
		return -EBUSY;
	special_lock(map->vcpus, lock, cpu);
	special_copy(map, dst, value);
	special_unlock(lock);
	vcpu_return(cpu, taken);
	special_zero(map, dst);
	return 0;
}

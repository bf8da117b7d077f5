/* SPDX-License-Identifier: BSD-2-Clause */
/* Which members of a map's value are special, and when none is. */
#include "objects.h"

LICENSE;

static void (*spin_lock)(struct bpf_spin_lock *) = (void *)93;
static void (*spin_unlock)(struct bpf_spin_lock *) = (void *)94;
static void *(*lookup)(void *, const void *) = (void *)1;

#define VALUES(name, map_type, value_type)    \
	struct {                              \
		__uint(type, map_type);       \
		__type(key, int);             \
		__type(value, value_type);    \
		__uint(max_entries, 2);       \
	} name SEC(".maps")
#define WITH(name, map, body)                          \
	SEC("tc") int name(void *ctx)                  \
	{                                              \
		int zero = 0;                          \
		char *v = lookup(&map, &zero);         \
                                                       \
		if (!v)                                \
			return 0;                      \
		body;                                  \
		return 0;                              \
	}
#define LOCK(name, map, off)                           \
	WITH(name, map, spin_lock((void *)(v + off)); spin_unlock((void *)(v + off)))

struct plain_lock { long count; struct bpf_spin_lock lock; };
VALUES(plain_lock, ARRAY, struct plain_lock);
ACCEPTED LOCK(lock__at_its_place, plain_lock, 8)
REJECTED("off 0 doesn't point to 'struct bpf_spin_lock' that is at 8")
LOCK(lock__elsewhere, plain_lock, 0)
REJECTED("bpf_spin_lock cannot be accessed directly by load/store")
WITH(lock__written, plain_lock, v[8] = 1)
ACCEPTED WITH(lock__written_beside, plain_lock, v[0] = 1)

typedef struct bpf_spin_lock lock_by_another_name;
struct named_lock { long count; lock_by_another_name lock; };
VALUES(named_lock, ARRAY, struct named_lock);
REJECTED("map 'named_lock' has no valid bpf_spin_lock")
LOCK(lock__of_a_typedef_is_bytes, named_lock, 8)
ACCEPTED WITH(lock__of_a_typedef_is_written, named_lock, v[8] = 1)

struct volatile_lock { volatile struct bpf_spin_lock lock; };
VALUES(volatile_lock, ARRAY, struct volatile_lock);
REJECTED("map 'volatile_lock' has no valid bpf_spin_lock")
LOCK(lock__volatile_is_bytes, volatile_lock, 0)

struct union_lock { union { struct bpf_spin_lock lock; int number; } either; };
VALUES(union_lock, ARRAY, struct union_lock);
REJECTED("map 'union_lock' has no valid bpf_spin_lock") LOCK(lock__in_a_union_is_bytes, union_lock, 0)

struct inner { long count; struct bpf_timer timer; };
struct nested { struct bpf_spin_lock lock; struct inner inner; };
VALUES(nested, ARRAY, struct nested);
ACCEPTED LOCK(nested__fields_are_found, nested, 0)
REJECTED("bpf_timer cannot be accessed directly by load/store")
WITH(nested__field_written, nested, v[16] = 1)

/* Linux finds no fields in a type with one that makes no sense. */
struct two_timers { struct bpf_spin_lock lock; struct bpf_timer timers[2]; };
VALUES(two_timers, ARRAY, struct two_timers);
REJECTED("map 'two_timers' has no valid bpf_spin_lock") LOCK(timers__in_an_array, two_timers, 0)
struct timer_twice { struct bpf_spin_lock lock; struct inner inner; struct bpf_timer timer; };
VALUES(timer_twice, ARRAY, struct timer_twice);
REJECTED("map 'timer_twice' has no valid bpf_spin_lock") LOCK(timers__two_of_them, timer_twice, 0)

/* And no types at all where the map's kind cannot have the field. */
VALUES(percpu_lock, 6, struct plain_lock);
REJECTED("map 'percpu_lock' has to have BTF in order to use bpf_spin_lock")
LOGS("maps of its type cannot have such a special field") LOCK(lock__in_a_percpu_map, percpu_lock, 8)

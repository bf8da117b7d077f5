/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.h - a map as programs see it, and the operations of a map type.
 *
 * struct map and everything it points to live in the machine's arena, except
 * map->type, which every process sets from the type number (see map_type()).
 * Data-plane operations take the virtual CPU the caller runs on; they take no
 * lock that a dead process could keep, allocate only from the arena and are
 * async-signal-safe. Their errors are Linux's, as negative errno.
 *
 * Threads: any for data-plane operations; caller locks the machine for
 * map_new() and map_free().
 */
#ifndef MAP_MAP_H
#define MAP_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/btf.h>
#include <skep/diag.h>
#include "isa/abi.h"
#include "isa/needs.h"
#include "map/memory.h"
#include "map/vcpu.h"

/*
 * What is asked of a map, before it exists: from an object file, or from
 * bpf(BPF_MAP_CREATE). Control plane. The verifier works on this.
 */
struct map_spec {
	char name[64];
	uint32_t type;              /* BPF_MAP_TYPE_* */
	uint32_t key_size, value_size, max_entries, flags;
	uint64_t extra;             /* map_extra */
	uint32_t numa_node;
	const struct map_spec *inner; /* borrowed: what a map of maps holds; or NULL */
	const struct skep_btf *btf;   /* borrowed: types of key and value; or NULL */
	uint32_t key_type, value_type; /* BTF ids */
	uint32_t struct_ops_type;     /* BTF id (kernel) for struct_ops; 0: none */
	const void *frozen;         /* borrowed: contents of a read-only global-data map whose
	                             * values the verifier may treat as constants; or NULL */
	const uint32_t *targets;    /* borrowed: the instructions of a program that a frozen
	                             * instruction array holds, max_entries of them; or NULL */
	bool internal;              /* global data of an object */
	int pinning;                /* LIBBPF_PIN_BY_NAME: 1 */
};

/* Linux's own errno for "not supported"; not in libc's list. */
#define ENOTSUPP 524

struct map_type;

/* Bytes of a value that copying must leave alone: locks, timers, pointers. */
struct map_special {
	uint32_t off, size;
};

enum { MAP_SPECIALS = 11 };

struct map {
	uint32_t type_id;           /* BPF_MAP_TYPE_* */
	uint32_t id;
	uint32_t key_size, value_size, max_entries, flags;
	uint64_t extra;
	uint32_t cpus;              /* virtual CPUs of the machine */
	uint32_t value_stride;      /* value_size rounded up to 8 */
	char name[16];
	uint32_t frozen;
	uint32_t inner_id;          /* maps of maps: template */
	struct memory *memory;
	struct vcpu_set *vcpus;
	struct map *inner;          /* maps of maps: what an inner map must be like (a template) */
	void *impl;                 /* the type's own state, in the arena */
	uint64_t refs;
	int32_t lock_off;           /* of the value's bpf_spin_lock; -1: it has none */
	uint32_t special_count;
	struct map_special special[MAP_SPECIALS]; /* by offset */
};

/* Calls fn for each element until it returns non-zero; returns the number of
 * calls. value points into the map (or this CPU's copy). */
typedef int64_t map_each_fn(void *arg, struct map *map, const void *key, void *value);

struct map_type {
	uint32_t id;                /* BPF_MAP_TYPE_* */
	const char *name;           /* bpftool's: "percpu_hash" */
	const char *doc;
	uint32_t flags;             /* creation flags allowed */
	bool per_cpu;               /* user space reads and writes all CPUs' values */
	bool holds_maps, holds_progs;
	bool no_btf;                /* Linux refuses BTF for it */
	bool prog_rdonly;           /* programs may not write to values, whatever the flags */
	bool takes;                 /* looking up and deleting in one is supported */
	uint8_t needs;              /* enum needs: to create one */
	bool size_first;            /* too large a value is told before wrong flags */
	/* Is the spec one Linux would create? 0, -EINVAL, -E2BIG, ... */
	int (*check)(const struct map_spec *spec, struct skep_diag *diag);
	int (*init)(struct map *map, const struct map_spec *spec); /* -ENOMEM ... */
	void (*done)(struct map *map); /* accepts a failed init */

	/* Data plane, by programs. NULL: not supported. cpu is NULL when user space
	 * calls, and then the first CPU's value is meant. */
	void *(*lookup)(struct map *map, const void *key, struct vcpu *cpu);
	void *(*lookup_percpu)(struct map *map, const void *key, uint32_t cpu);
	int64_t (*update)(struct map *map, const void *key, const void *value, uint64_t flags,
			  struct vcpu *cpu);
	int64_t (*remove)(struct map *map, const void *key, struct vcpu *cpu);
	int64_t (*push)(struct map *map, const void *value, uint64_t flags);
	int64_t (*pop)(struct map *map, void *value);
	int64_t (*peek)(struct map *map, void *value);
	int64_t (*each)(struct map *map, map_each_fn *fn, void *arg, struct vcpu *cpu);

	/* Control plane, by user space; NULL: as the data plane's, with a copy.
	 * value is map_user_value_size() bytes. For holds_maps/holds_progs the
	 * value is a pointer to the struct map or struct prog_ref to hold. */
	int (*user_lookup)(struct map *map, const void *key, void *value, uint64_t flags);
	int (*user_update)(struct map *map, const void *key, const void *value, uint64_t flags);
	int (*user_remove)(struct map *map, const void *key);
	int (*next_key)(struct map *map, const void *key, void *next);

	/* Is the type's own state what a reader may rely on? Called when the map was made
	 * by another process, with map itself already judged. */
	bool (*sound)(const struct map *map);

	/* Address of a value's bytes for direct access (BPF_PSEUDO_MAP_VALUE). */
	int (*direct_value)(struct map *map, uint64_t *address, uint32_t off);
};

/* Who may read and write a map: flags of most types. */
#define MAP_ACCESS_FLAGS (BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)

#define MAP_PER_CPU_VALUE_MAX (32u << 10)

/* Every map type Linux 7.3 has a number for; NULL past the end. A row Skep
 * cannot create yet has no init. */
const struct map_type *map_type(uint32_t id);
const struct map_type *map_type_by_name(const char *name);

/* Bytes of a value in reach of a program's loads: an instruction array's is all its addresses. */
static inline uint32_t map_value_room(const struct map_spec *map)
{
	if (map->type != BPF_MAP_TYPE_INSN_ARRAY)
		return map->value_size;
	return map->max_entries > UINT32_MAX / 8 ? UINT32_MAX : map->max_entries * 8;
}
/* May programs only read the map's values, by its flags or by its type? */
bool map_prog_rdonly(const struct map_spec *spec);
/* Common checks, then the type's. */
int map_check(const struct map_spec *spec, struct skep_diag *diag);
struct map *map_new(const struct map_spec *spec, struct memory *memory, struct vcpu_set *vcpus,
		    int *error);
/* Is this a map of that arena? For addresses that another process wrote down. */
bool map_sound(const struct map *map, struct memory *memory, struct vcpu_set *vcpus);
void map_free(struct map *map); /* at once: no program may be using it */
/* One reference more or less; the last one frees it, once no program that runs
 * now can be using it. A new map has one. A map of maps holds its inner maps. */
struct map *map_ref(struct map *map);
void map_unref(struct map *map);
size_t map_user_value_size(const struct map *map);

/*
 * User-space operations (bpf(2)), each taking a virtual CPU where it needs one.
 * Values are map_user_value_size() bytes, or value_size with BPF_F_CPU or
 * BPF_F_ALL_CPUS. A NULL key asks for the first.
 */
int map_user_lookup(struct map *map, const void *key, void *value, uint64_t flags);
int map_user_update(struct map *map, const void *key, const void *value, uint64_t flags);
int map_user_remove(struct map *map, const void *key);
int map_user_next_key(struct map *map, const void *key, void *next);
/* BPF_MAP_LOOKUP_AND_DELETE_ELEM: queues and stacks (pop), hashes. */
int map_user_take(struct map *map, const void *key, void *value, uint64_t flags);

/* The id of the cgroup at an index of a cgroup array; -E2BIG; -EAGAIN when there is none. */
int64_t cgroup_array_id(const struct map *map, uint32_t index);

/* --- rings (ringbuf.c, perf_event_array.c) --- */

/* Reserve size bytes; NULL when full. Submit or discard what was reserved. */
void *ringbuf_reserve(struct map *map, uint64_t size, struct vcpu *cpu);
void ringbuf_submit(void *sample, uint64_t flags, bool discard);
int64_t ringbuf_output(struct map *map, const void *data, uint64_t size, uint64_t flags,
		       struct vcpu *cpu);
uint64_t ringbuf_query(struct map *map, uint64_t flags);
/* Two pieces (what the helper passes, what it appends from a packet), one record. */
int64_t perf_output(struct map *map, uint32_t index, const void *head, uint64_t head_size,
		    const void *tail, uint64_t tail_size, struct vcpu *cpu);

/* A consumer, in any participant: calls fn for each record ready now, in order.
 * fn returning non-zero stops. Returns records delivered or fn's negative.
 * lost: records dropped since the last call (perf). A perf record is delivered
 * with its own size, where Linux's reader sees it padded. */
typedef int ring_consume_fn(void *arg, uint32_t cpu, const void *data, size_t size);
int ringbuf_consume(struct map *map, ring_consume_fn *fn, void *arg);
/* How many records found no room since the last such question. */
uint64_t ringbuf_take_lost(struct map *map);
/* Returns when a record may be ready, a wake-up was sent, or the time is over. */
void ringbuf_wait(struct map *map, uint32_t milliseconds);
int perf_consume(struct map *map, ring_consume_fn *fn, void *arg, uint64_t *lost);

/* --- call stacks (stack_trace.c) --- */

/* Stores a stack, flags as of bpf_get_stackid(): its id, or -EEXIST, -EBUSY. */
int64_t stack_trace_put(struct map *map, const uint64_t *ips, uint32_t count, uint64_t flags);

/* The program in a slot of a program array; NULL if empty. */
struct prog_ref *prog_array_at(struct map *map, uint32_t index);

#endif

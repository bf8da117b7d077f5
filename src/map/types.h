/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * types.h - the descriptors of all map types; types.c finds them by number.
 */
#ifndef MAP_TYPES_H
#define MAP_TYPES_H

#include "map/map.h"

extern const struct map_type map_hash, map_percpu_hash, map_lru_hash, map_lru_percpu_hash;
extern const struct map_type map_array, map_percpu_array;
extern const struct map_type map_prog_array, map_ringbuf, map_perf_event_array;
extern const struct map_type map_lpm_trie, map_array_of_maps, map_hash_of_maps;
extern const struct map_type map_queue, map_stack, map_stack_trace, map_bloom_filter;
extern const struct map_type map_devmap, map_devmap_hash, map_cpumap, map_xskmap;
extern const struct map_type map_insn_array, map_cgroup_array;
extern const struct map_type map_others[]; /* ends with name NULL */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set.h - many addresses or ports that a filter looks for at once.
 *
 * libpcap tests 'host A or host B or ...' one after the other. Here the alternatives are a set, and
 * the filter asks once for each place: is what lies here in the set? An answer takes the same
 * few steps however large the set is: a bit map for ports (2 bytes), a perfect hash table for
 * each length of a prefix for addresses (4 and 16 bytes), searched by set_find() here, and by
 * eBPF instructions that set_emit() writes (set_ebpf.c). For classic BPF it becomes a
 * search tree (set_search.c).
 *
 *   table of a length:   seeds: 2^b words | slots: 2^s keys of 4 or 16 bytes
 *
 *   bucket = hash(key) >> .. ; slot = hash(key, seeds[bucket]) >> ..; found: slots[slot] == key
 *
 * Threads: immutable after set_build().
 */
#ifndef CBPF_SET_H
#define CBPF_SET_H

#include "base/base.h"
#include "cbpf/convert.h"

enum { SET_PORTS = 2, SET_ADDRESSES = 4, SET_ADDRESSES6 = 16 }; /* bytes of a number */
enum { SETS_MAX = 64 };

/* Addresses of 4 bytes and ports are in low. */
struct set_number { uint64_t high, low; };
struct set_range { struct set_number first, last; };

/* The table for prefixes of one length; at: where it begins in the data. */
struct set_table {
	uint8_t bits;            /* of the prefix */
	uint8_t seed_bits, slot_bits;
	uint32_t count;
	uint64_t factor;         /* of the hash */
	uint32_t seeds, slots;   /* offsets in the data */
};

struct cbpf_set {
	unsigned width;
	size_t written;          /* numbers, prefixes and ranges, as they were given */
	VEC(struct set_range) members; /* sorted and apart, once it is built; of addresses each a prefix */
	VEC(struct set_table) tables;  /* the one with most members first */
	uint32_t map;            /* of ports: where the bit map begins in the data */
};

/* The sets of one filter, and the tables of all. */
struct cbpf_sets {
	VEC(struct cbpf_set) all;
	uint8_t *data;           /* owned */
	size_t size;
};

int set_compare(struct set_number a, struct set_number b);
/* first..last; of addresses a prefix. False: no memory. */
bool set_add(struct cbpf_set *set, struct set_number first, struct set_number last);
/* Bits that all numbers of a prefix share. */
unsigned set_prefix_bits(const struct cbpf_set *set, const struct set_range *range);
/* Sorts each and lays out the tables. Members that others contain are left out. -ENOMEM. */
int sets_build(struct cbpf_sets *sets);
/* What find and emit need: the tables, not the members. -ENOMEM. */
int sets_copy(struct cbpf_sets *to, const struct cbpf_sets *from);
void sets_done(struct cbpf_sets *sets);
/* The tables of one whose members are sorted (set_table.c). False: no memory. */
bool set_lay_out(struct cbpf_sets *sets, struct cbpf_set *set);
/* Is it a member? By comparing: what the tables are held to. */
bool set_has(const struct cbpf_set *set, struct set_number number);
/* Is all of it in one member? */
bool set_has_range(const struct cbpf_set *set, const struct set_range *range);
/* The same as set_has() by the tables. bytes: of the packet, set->width of them. */
bool set_find(const struct cbpf_sets *sets, const struct cbpf_set *set, const uint8_t *bytes);

/*
 * The lookup in eBPF. value holds the number (ports, addresses of 4 bytes), or the 16 bytes
 * lie at base + off, and value is a third register that it may change. On success control
 * goes to yes, else on. Changes both temporaries.
 */
struct set_registers { uint8_t value, one, two, base; int32_t off; };
void set_emit(struct ebpf *e, const struct cbpf_set *set, const struct set_registers *regs,
	      uint32_t yes);

/* --- what making, finding and emitting share --- */

/* Of 4 bytes: the number in first; of 16: as they lie in memory. */
struct set_key { uint64_t first, last; };

uint64_t set_bytes(uint64_t number); /* 8 bytes in network order */
/* The mask of the first or the last 8 bytes of a prefix, for bytes as they lie in memory. */
uint64_t set_mask(unsigned bits, bool last);
uint32_t set_bucket(unsigned width, const struct set_table *table, struct set_key key);
uint32_t set_slot(unsigned width, const struct set_table *table, struct set_key key, uint32_t seed);
#define SET_SLOT_FACTOR 0x9e3779b1u
#define SET_SLOT_FACTOR6 UINT64_C(0x9e3779b97f4a7c15)
#define SET_FOLD_FACTOR6 UINT64_C(0xc2b2ae3d27d4eb4f)

#endif

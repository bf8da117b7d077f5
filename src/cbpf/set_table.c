/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set_table.c - making the tables that answer whether a number is in a set (set_find.c).
 *
 * Each table is a perfect hash: keys fall into buckets, and for each bucket, the fullest first, a
 * seed is searched with which all its keys come to slots that are free. A slot without a
 * key of its own holds a key of another: looked for, that one is found in its own slot only.
 */
#include "cbpf/set.h"

enum { PORT_MAP = 8192, BUCKET = 4, SEEDS_TRIED = 1 << 20, FACTORS_TRIED = 64 };

struct maker {
	const struct cbpf_set *set;
	struct set_table *table;
	struct set_key *keys;        /* all of this length */
	uint32_t *bucket_of;     /* by key */
	uint32_t *start, *members; /* by bucket: where its keys are in members */
	uint32_t *order;         /* buckets, the fullest first */
	uint32_t *slot_key;      /* by slot: 1 + its key */
	uint8_t *data;
};

/* --- making a table --- */

/* Puts each key into its bucket. */
static void fill_buckets(struct maker *m)
{
	uint32_t buckets = 1u << m->table->seed_bits;

	memset(m->start, 0, (buckets + 1) * sizeof(*m->start));
	for (uint32_t i = 0; i < m->table->count; i++) {
		m->bucket_of[i] = set_bucket(m->set->width, m->table, m->keys[i]);
		m->start[m->bucket_of[i]]++;
	}
	for (uint32_t b = 0, at = 0; b <= buckets; b++) {
		at += m->start[b];
		m->start[b] = at;
	}
	for (uint32_t i = m->table->count; i-- > 0;)
		m->members[--m->start[m->bucket_of[i]]] = i;
}

static uint32_t size_of(const struct maker *m, uint32_t bucket)
{
	return m->start[bucket + 1] - m->start[bucket];
}

/* By counting: the sizes are small. */
static void order_buckets(struct maker *m)
{
	uint32_t buckets = 1u << m->table->seed_bits, largest = 0, at = 0;

	for (uint32_t b = 0; b < buckets; b++)
		largest = MAX(largest, size_of(m, b));
	for (uint32_t size = largest + 1; size-- > 0;) {
		for (uint32_t b = 0; b < buckets && at < buckets; b++) {
			if (size_of(m, b) == size)
				m->order[at++] = b;
		}
	}
}

/* Do all keys of the bucket come to free slots with this seed? Then they have them. */
static bool place(struct maker *m, uint32_t bucket, uint32_t seed)
{
	uint32_t from = m->start[bucket], to = m->start[bucket + 1], i;

	for (i = from; i < to; i++) {
		uint32_t *slot = &m->slot_key[set_slot(m->set->width, m->table, m->keys[m->members[i]], seed)];

		if (*slot)
			break;
		*slot = 1 + m->members[i];
	}
	if (i == to)
		return true;
	while (i-- > from)
		m->slot_key[set_slot(m->set->width, m->table, m->keys[m->members[i]], seed)] = 0;
	return false;
}

static bool place_all(struct maker *m)
{
	uint32_t buckets = 1u << m->table->seed_bits, *seeds = (uint32_t *)(m->data + m->table->seeds);

	memset(m->slot_key, 0, sizeof(*m->slot_key) << m->table->slot_bits);
	fill_buckets(m);
	order_buckets(m);
	for (uint32_t i = 0; i < buckets && size_of(m, m->order[i]); i++) {
		uint32_t seed = 0, tried = 0;

		/* spread, so that the hash's upper bits see the seed */
		while (!place(m, m->order[i], seed) && ++tried < SEEDS_TRIED)
			seed = tried * 0x85ebca6bu;
		if (tried == SEEDS_TRIED)
			return false;
		seeds[m->order[i]] = seed;
	}
	return true;
}

static void write_slots(const struct maker *m)
{
	for (uint32_t slot = 0; slot < 1u << m->table->slot_bits; slot++) {
		uint32_t which = m->slot_key[slot] ? m->slot_key[slot] - 1 : 0;
		const struct set_key *key = &m->keys[which];
		uint8_t *at = m->data + m->table->slots;
		uint32_t number = (uint32_t)key->first;

		if (m->set->width == SET_ADDRESSES6)
			memcpy(at + slot * sizeof(*key), key, sizeof(*key));
		else
			memcpy(at + slot * sizeof(number), &number, sizeof(number));
	}
}

static bool make_table(struct maker *m)
{
	uint64_t factor = UINT64_C(0xd6e8feb86659fd93);

	for (int i = 0; i < FACTORS_TRIED; i++) {
		m->table->factor = m->set->width == SET_ADDRESSES6 ? factor : factor >> 32 | 1;
		if (place_all(m)) {
			write_slots(m);
			return true;
		}
		factor = (factor * SET_SLOT_FACTOR6) | 1;
	}
	return false;
}

static unsigned bits_for(uint32_t count)
{
	return count <= 2 ? 1 : 32 - (unsigned)__builtin_clz(count - 1);
}

/* Room at the end of the data, aligned to a slot. UINT32_MAX: no memory. */
static uint32_t data_room(struct cbpf_sets *sets, size_t size)
{
	size_t at = (sets->size + 15) / 16 * 16;
	uint8_t *data;

	if (at + size > INT32_MAX)
		return UINT32_MAX;
	data = realloc(sets->data, at + size);
	if (!data)
		return UINT32_MAX;
	memset(data + sets->size, 0, at + size - sets->size);
	sets->data = data;
	sets->size = at + size;
	return (uint32_t)at;
}

static void take_keys(struct maker *m)
{
	uint32_t count = 0;

	for (size_t i = 0; i < m->set->members.count; i++) {
		const struct set_range *range = &m->set->members.items[i];

		if (set_prefix_bits(m->set, range) != m->table->bits)
			continue;
		m->keys[count++] = m->set->width == SET_ADDRESSES6 ?
				   (struct set_key){ set_bytes(range->first.high), set_bytes(range->first.low) } :
				   (struct set_key){ range->first.low, 0 };
	}
}

static bool build_table(struct cbpf_sets *sets, const struct cbpf_set *set, struct set_table *table)
{
	struct maker m = { .set = set, .table = table };
	size_t slot = set->width == SET_ADDRESSES6 ? sizeof(struct set_key) : sizeof(uint32_t);
	uint32_t buckets;
	bool good;

	table->slot_bits = (uint8_t)bits_for(table->count + table->count / 4);
	table->seed_bits = (uint8_t)bits_for(table->count / BUCKET);
	buckets = 1u << table->seed_bits;
	table->seeds = data_room(sets, buckets * sizeof(uint32_t));
	table->slots = data_room(sets, slot << table->slot_bits);
	m.data = sets->data;
	m.keys = calloc(table->count, sizeof(*m.keys));
	m.bucket_of = calloc(table->count, sizeof(*m.bucket_of));
	m.members = calloc(table->count, sizeof(*m.members));
	m.start = calloc(buckets + 1, sizeof(*m.start));
	m.order = calloc(buckets, sizeof(*m.order));
	m.slot_key = calloc((size_t)1 << table->slot_bits, sizeof(*m.slot_key));
	good = table->seeds != UINT32_MAX && table->slots != UINT32_MAX && m.keys && m.bucket_of &&
	       m.members && m.start && m.order && m.slot_key;
	if (good) {
		take_keys(&m);
		good = make_table(&m);
	}
	free(m.keys);
	free(m.bucket_of);
	free(m.members);
	free(m.start);
	free(m.order);
	free(m.slot_key);
	return good;
}

/* --- a set's tables --- */

static int by_count(const void *a, const void *b)
{
	const struct set_table *x = a, *y = b;

	return x->count > y->count ? -1 : x->count < y->count;
}

/* One for each length of its prefixes. */
static bool lay_out_prefixes(struct cbpf_sets *sets, struct cbpf_set *set)
{
	uint32_t count[129] = { 0 };

	for (size_t i = 0; i < set->members.count; i++)
		count[set_prefix_bits(set, &set->members.items[i])]++;
	for (unsigned bits = 0; bits < ARRAY_SIZE(count); bits++) {
		struct set_table *table = count[bits] ? vec_push(&set->tables) : NULL;

		if (table)
			*table = (struct set_table){ .bits = (uint8_t)bits, .count = count[bits] };
		else if (count[bits])
			return false;
	}
	if (set->tables.count)
		qsort(set->tables.items, set->tables.count, sizeof(*set->tables.items), by_count);
	for (size_t i = 0; i < set->tables.count; i++) {
		if (!build_table(sets, set, &set->tables.items[i]))
			return false;
	}
	return true;
}

static bool lay_out_ports(struct cbpf_sets *sets, struct cbpf_set *set)
{
	set->map = data_room(sets, PORT_MAP);
	if (set->map == UINT32_MAX)
		return false;
	for (size_t i = 0; i < set->members.count; i++) {
		for (uint64_t port = set->members.items[i].first.low; port <= set->members.items[i].last.low; port++) {
			uint32_t word;

			memcpy(&word, sets->data + set->map + port / 32 * 4, sizeof(word));
			word |= 1u << port % 32;
			memcpy(sets->data + set->map + port / 32 * 4, &word, sizeof(word));
		}
	}
	return true;
}

bool set_lay_out(struct cbpf_sets *sets, struct cbpf_set *set)
{
	return set->width == SET_PORTS ? lay_out_ports(sets, set) : lay_out_prefixes(sets, set);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* set_find.c - is a number in a set? By its tables; no memory is taken. */
#include "cbpf/set.h"

uint64_t set_bytes(uint64_t number)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < 8; i++)
		((uint8_t *)&bytes)[i] = (uint8_t)(number >> (56 - 8 * i));
	return bytes;
}

uint64_t set_mask(unsigned bits, bool last)
{
	bits = last ? (bits > 64 ? bits - 64 : 0) : MIN(bits, 64);
	return set_bytes(bits ? UINT64_MAX << (64 - bits) : 0);
}

/* Upper bits reach lower ones twice: addresses often differ in few bits at the end of a half. */
static uint64_t hash6(const struct set_table *table, struct set_key key)
{
	uint64_t hash = key.first * SET_FOLD_FACTOR6;

	hash = ((hash ^ hash >> 32) + key.last) * table->factor;
	return hash ^ hash >> 32;
}

uint32_t set_bucket(unsigned width, const struct set_table *table, struct set_key key)
{
	if (width == SET_ADDRESSES6)
		return (uint32_t)(hash6(table, key) >> (64 - table->seed_bits));
	return (uint32_t)key.first * (uint32_t)table->factor >> (32 - table->seed_bits);
}

uint32_t set_slot(unsigned width, const struct set_table *table, struct set_key key, uint32_t seed)
{
	if (width == SET_ADDRESSES6)
		return (uint32_t)(((hash6(table, key) ^ seed) * SET_SLOT_FACTOR6) >>
				  (64 - table->slot_bits));
	return (((uint32_t)key.first ^ seed) * SET_SLOT_FACTOR) >> (32 - table->slot_bits);
}

static bool same(struct set_key a, struct set_key b)
{
	return a.first == b.first && a.last == b.last;
}

static bool find_in(const struct cbpf_sets *sets, const struct cbpf_set *set,
		    const struct set_table *table, struct set_key key)
{
	struct set_key found = { 0 };
	uint32_t seed, number, slot;

	memcpy(&seed, sets->data + table->seeds + 4 * set_bucket(set->width, table, key), sizeof(seed));
	slot = set_slot(set->width, table, key, seed);
	if (set->width == SET_ADDRESSES6) {
		memcpy(&found, sets->data + table->slots + slot * sizeof(found), sizeof(found));
	} else {
		memcpy(&number, sets->data + table->slots + slot * sizeof(number), sizeof(number));
		found.first = number;
	}
	return same(found, key);
}

bool set_find(const struct cbpf_sets *sets, const struct cbpf_set *set, const uint8_t *bytes)
{
	struct set_key key = { 0 };
	uint32_t number = 0;

	for (unsigned i = 0; i < 4 && i < set->width; i++)
		number = number << 8 | bytes[i];
	if (set->width == SET_PORTS) {
		uint32_t word;

		memcpy(&word, sets->data + set->map + number / 32 * 4, sizeof(word));
		return word >> number % 32 & 1;
	}
	for (size_t i = 0; i < set->tables.count; i++) {
		const struct set_table *table = &set->tables.items[i];

		if (set->width == SET_ADDRESSES6) {
			memcpy(&key, bytes, sizeof(key));
			key.first &= set_mask(table->bits, false);
			key.last &= set_mask(table->bits, true);
		} else {
			key.first = table->bits ? number & UINT32_MAX << (32 - table->bits) : 0;
		}
		if (find_in(sets, set, table, key))
			return true;
	}
	return false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* set.c - what is in a set: its members in order, and none inside another. */
#include "cbpf/set.h"

#include <errno.h>

int set_compare(struct set_number a, struct set_number b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	return a.low < b.low ? -1 : a.low > b.low;
}

bool set_add(struct cbpf_set *set, struct set_number first, struct set_number last)
{
	struct set_range *room = vec_push(&set->members);

	if (!room)
		return false;
	*room = (struct set_range){ first, last };
	set->written++;
	return true;
}

unsigned set_prefix_bits(const struct cbpf_set *set, const struct set_range *range)
{
	uint64_t high = range->first.high ^ range->last.high, low = range->first.low ^ range->last.low;
	unsigned differ = high ? 128 - (unsigned)__builtin_clzll(high) :
			  low ? 64 - (unsigned)__builtin_clzll(low) : 0;

	return 8 * set->width - differ;
}

/* By where they begin; of two that begin alike, the larger first. */
static int by_first(const void *a, const void *b)
{
	const struct set_range *x = a, *y = b;
	int order = set_compare(x->first, y->first);

	return order ? order : -set_compare(x->last, y->last);
}

static bool follows(struct set_number a, struct set_number b)
{
	return b.low == a.low + 1 && b.high == a.high + (b.low == 0);
}

/* Prefixes are inside each other or apart; ranges of ports may overlap, and become one. */
static void settle(struct cbpf_set *set)
{
	struct set_range *items = set->members.items;
	size_t kept = 0;

	if (set->members.count)
		qsort(items, set->members.count, sizeof(*items), by_first);
	for (size_t i = 0; i < set->members.count; i++) {
		struct set_range *before = kept ? &items[kept - 1] : NULL;

		if (before && set_compare(items[i].last, before->last) <= 0)
			continue;
		if (before && set->width == SET_PORTS &&
		    (set_compare(items[i].first, before->last) <= 0 ||
		     follows(before->last, items[i].first)))
			before->last = items[i].last;
		else
			items[kept++] = items[i];
	}
	set->members.count = kept;
}

bool set_has(const struct cbpf_set *set, struct set_number number)
{
	return set_has_range(set, &(struct set_range){ number, number });
}

bool set_has_range(const struct cbpf_set *set, const struct set_range *range)
{
	size_t low = 0, high = set->members.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (set_compare(range->first, set->members.items[middle].first) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low > 0 && set_compare(range->last, set->members.items[low - 1].last) <= 0;
}

void sets_done(struct cbpf_sets *sets)
{
	for (size_t i = 0; i < sets->all.count; i++) {
		vec_done(&sets->all.items[i].members);
		vec_done(&sets->all.items[i].tables);
	}
	vec_done(&sets->all);
	free(sets->data);
	*sets = (struct cbpf_sets){ 0 };
}

int sets_copy(struct cbpf_sets *to, const struct cbpf_sets *from)
{
	*to = (struct cbpf_sets){ .data = malloc(from->size ? from->size : 1), .size = from->size };
	if (!to->data)
		return -ENOMEM;
	memcpy(to->data, from->data, from->size);
	for (size_t i = 0; i < from->all.count; i++) {
		const struct cbpf_set *set = &from->all.items[i];
		struct cbpf_set *room = vec_push(&to->all);

		if (!room)
			return -ENOMEM;
		room->width = set->width;
		room->map = set->map;
		for (size_t k = 0; k < set->tables.count; k++) {
			struct set_table *table = vec_push(&room->tables);

			if (!table)
				return -ENOMEM;
			*table = set->tables.items[k];
		}
	}
	return 0;
}

int sets_build(struct cbpf_sets *sets)
{
	for (size_t i = 0; i < sets->all.count; i++) {
		settle(&sets->all.items[i]);
		if (!set_lay_out(sets, &sets->all.items[i]))
			return -ENOMEM;
	}
	return 0;
}

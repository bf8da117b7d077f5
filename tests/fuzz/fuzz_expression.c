/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_expression.c - text as a tcpdump expression: what is found in it is sets whose tables hold their
 * members, and what is left is text. As a compiler, one that writes nothing but comparisons.
 */
#include <stdint.h>

#include "cbpf/expression.h"

static void look_up_members(struct cbpf_sets *sets)
{
	if (sets_build(sets) < 0)
		abort();
	for (size_t i = 0; i < sets->all.count; i++) {
		const struct cbpf_set *set = &sets->all.items[i];

		for (size_t k = 0; k < set->members.count; k++) {
			uint64_t halves[2] = { set_bytes(set->members.items[k].last.high),
					       set_bytes(set->members.items[k].last.low) };

			if (!set_find(sets, set, (const uint8_t *)halves + 16 - set->width))
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct expression e;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (expression_read(&e, text) == 0 && e.sets.all.count) {
		if (!e.text[0].data || !e.text[1].data || e.stand_ins.count != e.sets.all.count)
			abort();
		look_up_members(&e.sets);
	}
	expression_done(&e);
	free(text);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* test_run.c - what the dead had claimed is free again, whoever has its neighbours now. */
#include "map/run.h"
#include "world.h"

enum { UNITS = 8, UNIT = 64 };

/* Never a participant's: such a token's owner is dead. */
#define DEAD ((uint64_t)(OWNER_PARTICIPANTS - 1) << 24 | UINT64_C(77) << 40)

struct units {
	uint64_t word[UNITS];
	void **dest[UNITS];
	_Alignas(64) char bytes[UNITS * UNIT];
};

static struct runs runs_of(struct units *units, struct world *world)
{
	return (struct runs){
		.owners = memory_owners(world->memory), .word = units->word, .dest = units->dest,
		.base = units->bytes, .count = UNITS, .unit = UNIT,
	};
}

static void nothing(void *unit)
{
	(void)unit;
}

static void run__a_dead_claim_behind_a_unit_split_since_is_free_again(void **state)
{
	struct units units = { 0 };
	struct world world = world_new(1);
	struct runs runs = runs_of(&units, &world);

	(void)state;
	/* Someone died with units 0 to 3 claimed; the first was since taken and split. */
	for (uint32_t i = 0; i < 4; i++)
		units.word[i] = RUN_WORD(RUN_CLAIM, i, DEAD);
	assert_ptr_equal(run_alloc_split(&runs, 11, nothing), units.bytes);
	assert_ptr_equal(run_alloc(&runs, 7, NULL), units.bytes + UNIT);
	assert_int_equal(run_used(&runs), UNITS);
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run__a_dead_claim_behind_a_unit_split_since_is_free_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

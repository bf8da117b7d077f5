/* SPDX-License-Identifier: BSD-2-Clause */
/* older.c - see older.h. */
#include "older.h"

const struct older_row older_rows[OLDER_COUNT] = {
	[OLDER_DIVISION] = {
		"the result of a division or remainder was any number",
		.probe = { { .code = 0xb7, .imm = 7 }, { .code = 0x97, .imm = 4 },
			   { .code = 0xa5, .off = 1, .imm = 4 }, { .code = 0x79, .dst = 0, .src = 7 },
			   { .code = 0xb7 }, { .code = 0x95 } },
		.len = 6,
	},
	[OLDER_SAME_REGISTER] = {
		"a register compared with itself took both ways",
		.probe = { { .code = 0x85, .imm = 7 }, { .code = 0x1d, .off = 1 },
			   { .code = 0x79, .dst = 0, .src = 7 }, { .code = 0xb7 }, { .code = 0x95 } },
		.len = 5,
	},
	[OLDER_BACKWARDS] = {
		"constant and unknown parts of a pointer's offset had to be in bounds apart",
		.probe = { { .code = 0x85, .imm = 7 }, { .code = 0x57, .imm = 1 },
			   { .code = 0x18, .dst = 6, .src = 6, .imm = MADE_DATA }, { 0 },
			   { .code = 0x07, .dst = 6, .imm = 2 }, { .code = 0x1f, .dst = 6 },
			   { .code = 0x71, .dst = 0, .src = 6 }, { .code = 0x95 } },
		.len = 8,
	},
	[OLDER_FIELDS] = {
		"reserved fields of instructions that no path reaches were not looked at",
		.probe = { { .code = 0xb7 }, { .code = 0x15, .off = 1 },
			   { .code = 0xb7, .src = 3 }, { .code = 0x95 } },
		.len = 4,
		.rejects = true,
	},
	[OLDER_NULL_REGISTER] = {
		"a pointer was not known to be NULL or not from a register that is 0",
		.probe = { { .code = 0x7a, .dst = 10, .off = -8 }, { .code = 0xbf, .dst = 2, .src = 10 },
			   { .code = 0x07, .dst = 2, .imm = -8 },
			   { .code = 0x18, .dst = 1, .src = 5, .imm = MADE_HASH }, { 0 },
			   { .code = 0x85, .imm = 1 }, { .code = 0xb7, .dst = 1 },
			   { .code = 0x1d, .dst = 0, .src = 1, .off = 1 },
			   { .code = 0x71, .dst = 0, .src = 0 }, { .code = 0xb7 }, { .code = 0x95 } },
		.len = 11,
	},
};

bool older[OLDER_COUNT];

static bool is_alu(uint8_t code)
{
	return (code & 7) == 4 || (code & 7) == 7;
}

static bool is_compare(uint8_t code)
{
	unsigned op = code >> 4;

	return ((code & 7) == 5 || (code & 7) == 6) && op >= 1 && op <= 13 && op != 8 && op != 9;
}

void older_avoid(struct random_program *program)
{
	for (uint32_t i = 0; i < program->len; i++) {
		struct skep_insn *insn = &program->insns[i];
		unsigned op = insn->code >> 4;

		if (insn->code == 0x18) {
			i++;
			continue;
		}
		if (older[OLDER_DIVISION] && is_alu(insn->code) && (op == 3 || op == 9)) {
			insn->code = (uint8_t)((insn->code & 0x0f) | 0x50); /* and */
			insn->off = 0;
		}
		if (older[OLDER_SAME_REGISTER] && is_compare(insn->code) && (insn->code & 8) &&
		    insn->src == insn->dst) {
			insn->code &= (uint8_t)~8u;
			insn->src = 0;
		}
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled code against the tables and against the interpreter. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <skep/skep.h>

#include "../../differential/generate.c"
#include "base/base.h"
#include "isa/insn.h"
#include "vm/vm.h"

static uint64_t run(const struct skep_insn *insns, size_t count, uint8_t *mem, size_t size,
		    unsigned flags)
{
	struct skep_diag *diag = skep_diag_new();
	uint64_t r0 = 0x5ca1ab1e;
	int error = skep_run_bare(insns, count, mem, size, flags, 0, &r0, diag);

	if (error < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	skep_diag_free(diag);
	return r0;
}

static struct skep_insn op(uint8_t code, unsigned dst, unsigned src, int off, int64_t imm)
{
	return (struct skep_insn){ code, dst & 15, src & 15, (int16_t)off, (int32_t)imm };
}

static size_t load64(struct skep_insn *at, unsigned dst, uint64_t value)
{
	at[0] = op(0x18, dst, 0, 0, (int64_t)(uint32_t)value);
	at[1] = op(0, 0, 0, 0, (int64_t)(value >> 32));
	return 2;
}

static const uint64_t edges[] = {
	0, 1, 2, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
	0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
	0xfffffffffffffffe, 0x0123456789abcdef, 0xfedcba9876543210,
};

/* dst op= src, with both loaded first; what it left in dst, folded with every
 * other register, so that one that is lost is noticed. */
static size_t around(struct skep_insn *insns, struct insn insn, uint64_t d, uint64_t s)
{
	size_t n = 0;

	for (unsigned reg = 0; reg < 10; reg++)
		n += load64(insns + n, reg, reg == insn.dst ? d : reg == insn.src ? s : 0x1111u * reg);
	n += insn_encode(insn, insns + n);
	insns[n++] = op(0x7b, 10, insn.dst, -8, 0);
	for (unsigned reg = 0; reg < 10; reg++) {
		if (reg == insn.dst)
			continue;
		insns[n++] = op(0x79, insn.dst, 10, -8, 0);
		insns[n++] = op(0x27, insn.dst, 0, 0, 3);
		insns[n++] = op(0x0f, insn.dst, reg, 0, 0);
		insns[n++] = op(0x7b, 10, insn.dst, -8, 0);
	}
	insns[n++] = op(0x79, 0, 10, -8, 0);
	insns[n++] = op(0x95, 0, 0, 0, 0);
	return n;
}

static uint64_t expected(struct insn insn, uint64_t s, uint64_t result)
{
	uint64_t sum = result;

	for (unsigned reg = 0; reg < 10; reg++)
		if (reg != insn.dst)
			sum = sum * 3 + (reg == insn.src ? s : 0x1111u * reg);
	return sum;
}

static bool swaps(enum alu alu);

static void check_alu(struct insn insn, uint64_t d, uint64_t s)
{
	struct skep_insn insns[128];
	uint64_t source = insn.source_is_imm && !swaps(insn.op) ? (uint64_t)insn.imm : s;
	uint64_t result;
	size_t count;

	if (insn.sign_extend && insn.from < insn.width) {
		unsigned shift = 64 - 8 * insn.from;

		result = (uint64_t)((int64_t)(source << shift) >> shift);
		result = insn.width == 4 ? (uint32_t)result : result;
	} else {
		result = alu_eval(insn.op, insn.width, insn.from, d, source);
	}
	count = around(insns, insn, d, s);
	for (unsigned engine = 0; engine < 2; engine++) {
		uint64_t got = run(insns, count, NULL, 0,
				   engine ? SKEP_BARE_COMPILE : SKEP_BARE_INTERPRET);

		if (got != expected(insn, s, result)) {
			char text[128];
			size_t n = 20; /* ten loads of two slots come first */

			skep_disasm(insns, count, n, text, sizeof(text));
			fail_msg("engine %u: %s (row %u) with 0x%llx, 0x%llx", engine, text, insn.op,
				 (unsigned long long)d, (unsigned long long)source);
		}
	}
}

static bool swaps(enum alu alu)
{
	return alu == ALU_TO_LE || alu == ALU_TO_BE || alu == ALU_BSWAP;
}

static bool shifts(enum alu alu)
{
	return alu == ALU_LSH || alu == ALU_RSH || alu == ALU_ARSH;
}

/* Any encodable instruction of the row. */
static struct insn random_alu(enum alu row, uint64_t *seed)
{
	struct insn insn = { .kind = INSN_ALU, .op = (uint8_t)row };
	uint64_t bits = generate_next(seed);

	insn.dst = (bits & 0xffff) % 10;
	insn.src = (bits >> 16 & 0xffff) % 10;
	insn.width = bits >> 32 & 1 ? 8 : 4;
	insn.from = insn.width;
	insn.source_is_imm = bits >> 33 & 1;
	if (swaps(row)) {
		insn.from = (uint8_t)(2u << (bits >> 34 & 0xff) % 3);
		insn.width = 8;
		insn.source_is_imm = true;
	}
	if (row == ALU_NEG)
		insn.source_is_imm = true;
	if (!insn.source_is_imm)
		return insn;
	insn.src = 0;
	if (!swaps(row) && row != ALU_NEG)
		insn.imm = (int32_t)edges[(bits >> 42) % ARRAY_SIZE(edges)];
	if (shifts(row))
		insn.imm &= insn.width * 8 - 1;
	return insn;
}

static void jit__every_alu_row_computes_its_expression(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned row = 0; row < ALU_COUNT; row++) {
		for (unsigned n = 0; n < 220; n++) {
			struct insn insn = random_alu(row, &seed);
			uint64_t d = edges[generate_next(&seed) % ARRAY_SIZE(edges)];
			uint64_t s = edges[generate_next(&seed) % ARRAY_SIZE(edges)];

			check_alu(insn, d, insn.src == insn.dst ? d : s);
		}
	}
}

static void jit__sign_extending_moves_and_shifts_by_any_register_agree(void **state)
{
	(void)state;
	for (unsigned dst = 0; dst < 10; dst++) {
		for (unsigned src = 0; src < 10; src++) {
			for (unsigned from = 1; from <= 4; from *= 2)
				check_alu((struct insn){ .kind = INSN_ALU, .op = ALU_MOV, .width = 8,
							 .from = (uint8_t)from, .dst = (uint8_t)dst,
							 .src = (uint8_t)src, .sign_extend = true },
					  edges[(dst * 10 + src) % ARRAY_SIZE(edges)], edges[(dst * 10 + src) % ARRAY_SIZE(edges)]);
			check_alu((struct insn){ .kind = INSN_ALU, .op = ALU_SDIV, .width = 8, .from = 8,
						 .dst = (uint8_t)dst, .src = (uint8_t)src },
				  0x8000000000000000,
				  dst == src ? 0x8000000000000000 : edges[(dst + src) % ARRAY_SIZE(edges)]);
			check_alu((struct insn){ .kind = INSN_ALU, .op = ALU_SMOD, .width = 4, .from = 4,
						 .dst = (uint8_t)dst, .src = (uint8_t)src },
				  0x80000005,
				  dst == src ? 0x80000005 : edges[(dst * 3 + src) % ARRAY_SIZE(edges)]);
		}
	}
}

static void jit__unsigned_division_by_every_small_constant_is_exact(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int imm = 1; imm < 200; imm++) {
		uint64_t d = generate_next(&seed);

		for (unsigned row = 0; row < 2; row++)
			check_alu((struct insn){ .kind = INSN_ALU, .op = row ? ALU_MOD : ALU_DIV,
						 .width = imm & 1 ? 4 : 8, .from = imm & 1 ? 4 : 8,
						 .dst = (uint8_t)(1 + imm % 9), .source_is_imm = true,
						 .imm = imm % 7 ? imm : imm * 0x01000193 }, d, 0);
	}
}

static void jit__every_condition_decides_as_its_row_says(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (unsigned row = 0; row < COND_COUNT; row++) {
		for (unsigned n = 0; n < 200; n++) {
			struct insn insn = { .kind = INSN_JUMP, .op = (uint8_t)row, .dst = 1 + n % 5,
					     .src = 6 + n % 4, .width = n & 1 ? 8 : 4,
					     .source_is_imm = n & 2, .off = 1 };
			uint64_t d = edges[generate_next(&seed) % ARRAY_SIZE(edges)];
			uint64_t s = n % 5 ? edges[generate_next(&seed) % ARRAY_SIZE(edges)] : d;
			struct skep_insn insns[16];
			size_t count = 0;
			bool taken;

			insn.from = insn.width;
			if (insn.source_is_imm) {
				insn.imm = (int32_t)s;
				s = (uint64_t)insn.imm;
				insn.src = 0;
			}
			taken = cond_eval(row, insn.width, d, s);
			count += load64(insns + count, insn.dst, d);
			if (!insn.source_is_imm)
				count += load64(insns + count, insn.src, s);
			insns[count++] = op(0xb7, 0, 0, 0, 1);
			count += insn_encode(insn, insns + count);
			insns[count++] = op(0xb7, 0, 0, 0, 0);
			insns[count++] = op(0x95, 0, 0, 0, 0);
			assert_int_equal(run(insns, count, NULL, 0, SKEP_BARE_INTERPRET), taken);
			assert_int_equal(run(insns, count, NULL, 0, SKEP_BARE_COMPILE), taken);
		}
	}
}

static void jit__random_programs_agree_with_the_interpreter(void **state)
{
	static struct generated program;

	(void)state;
	for (uint64_t seed = 1; seed <= 4000; seed++) {
		uint8_t a[GENERATE_PACKET], b[GENERATE_PACKET];
		uint64_t x, y;

		generate(&program, seed, GENERATE_BARE, GENERATE_CALLS);
		generate_input(a, sizeof(a), seed);
		memcpy(b, a, sizeof(a));
		x = run(program.insns, program.count, a, sizeof(a), SKEP_BARE_INTERPRET);
		y = run(program.insns, program.count, b, sizeof(b), SKEP_BARE_COMPILE);
		if (x != y || memcmp(a, b, sizeof(a)) != 0)
			fail_msg("seed %llu: 0x%llx and 0x%llx", (unsigned long long)seed,
				 (unsigned long long)x, (unsigned long long)y);
	}
}

/* A jump over more than 127 bytes of code, forwards and backwards. */
static void jit__long_and_short_jumps_land(void **state)
{
	struct skep_insn insns[2048];

	(void)state;
	for (unsigned filler = 0; filler < 600; filler += 7) {
		size_t n = 0, back;

		insns[n++] = op(0xb7, 0, 0, 0, 0);
		insns[n++] = op(0xb7, 1, 0, 0, 3);
		back = n;
		insns[n++] = op(0x55, 1, 0, (int)filler + 1, 2); /* if r1 != 2, over it */
		for (unsigned i = 0; i < filler; i++)
			insns[n++] = op(0x07, 0, 0, 0, 1);
		insns[n++] = op(0x07, 0, 0, 0, 0x10000);
		insns[n++] = op(0x07, 0, 0, 0, 0x100000);
		insns[n++] = op(0x17, 1, 0, 0, 1);
		insns[n] = op(0x55, 1, 0, (int)back - (int)n - 1, 0);
		n++;
		insns[n++] = op(0x95, 0, 0, 0, 0);
		assert_int_equal(run(insns, n, NULL, 0, SKEP_BARE_COMPILE),
				 0x300000 + 0x10000 + filler);
	}
}

/* cmocka takes the signal for itself while a test runs. */
static struct sigaction our_segv;

static void jit__a_bad_access_ends_the_program_and_is_reported(void **state)
{
	struct skep_insn insns[] = {
		op(0xb7, 1, 0, 0, 16), op(0x79, 0, 1, 0, 0), op(0x95, 0, 0, 0, 0),
	};
	static const uint8_t codes[] = { 0x79, 0x7b, 0xdb };
	struct sigaction cmockas;
	uint64_t r0 = 77;

	(void)state;
	sigaction(SIGSEGV, &our_segv, &cmockas);
	for (unsigned i = 0; i < 3; i++) {
		insns[1] = op(codes[i], i ? 1 : 0, i ? 0 : 1, 0, i == 2 ? 0x51 : 0);
		assert_int_equal(skep_run_bare(insns, 3, NULL, 0, SKEP_BARE_COMPILE, 0, &r0, NULL), -EFAULT);
		assert_int_equal(skep_run_bare(insns, 3, NULL, 0, SKEP_BARE_INTERPRET, 0, &r0, NULL), -EFAULT);
		assert_int_equal(r0, 77);
	}
	sigaction(SIGSEGV, &cmockas, NULL);
}

/* A process that may not make written memory executable still runs native code:
 * it is mapped from a file. */
static void jit__code_is_installed_without_write_and_execute(void **state)
{
	struct skep_insn insns[] = { op(0xb7, 0, 0, 0, 42), op(0x95, 0, 0, 0, 0) };
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		uint64_t r0 = 0;

		if (prctl(65 /* PR_SET_MDWE */, 1 /* PR_MDWE_REFUSE_EXEC_GAIN */, 0, 0, 0) < 0)
			_exit(77);
		_exit(skep_run_bare(insns, 2, NULL, 0, SKEP_BARE_COMPILE, 0, &r0, NULL) == 0 &&
		      r0 == 42 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jit__every_alu_row_computes_its_expression),
		cmocka_unit_test(jit__sign_extending_moves_and_shifts_by_any_register_agree),
		cmocka_unit_test(jit__unsigned_division_by_every_small_constant_is_exact),
		cmocka_unit_test(jit__every_condition_decides_as_its_row_says),
		cmocka_unit_test(jit__random_programs_agree_with_the_interpreter),
		cmocka_unit_test(jit__long_and_short_jumps_land),
		cmocka_unit_test(jit__a_bad_access_ends_the_program_and_is_reported),
		cmocka_unit_test(jit__code_is_installed_without_write_and_execute),
	};

	engine_init();
	sigaction(SIGSEGV, NULL, &our_segv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

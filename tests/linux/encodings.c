/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * encodings.c - each opcode with fields that it does not use, judged here and by
 * the running kernel: both must refuse it, in the same words.
 */
#include <stdbool.h>
#include <stdio.h>

#include "../linux/kernel.h"
#include "base/base.h"
#include "verify/verify.h"

enum { AT = 4, LEN = 9 };

/* What is put into the fields of an otherwise plain instruction. */
static const struct skep_insn damages[] = {
	{ .dst = 2, .src = 3 },
	{ .dst = 2 },
	{ .src = 3 },
	{ .dst = 11 },
	{ .src = 15 },
	{ .dst = 11, .src = 15 },
	{ .dst = 12, .src = 3, .off = 2, .imm = 3 },
	{ .dst = 2, .src = 15, .off = 1, .imm = 2 },
	{ .dst = 2, .src = 3, .off = 1 },
	{ .dst = 2, .src = 3, .imm = 7 },
	{ .dst = 2, .off = 1 },
	{ .dst = 2, .imm = 7 },
	{ .dst = 2, .off = 2, .imm = 9 },
	{ .src = 3, .off = 1, .imm = 1 },
	{ .off = 1 },
	{ .imm = 1 },
	{ .off = 1, .imm = 1 },
	{ .dst = 1, .src = 1, .off = 3, .imm = 2 },
};

/*
 * Newer than the kernels asked: gotox. And an atomic operation that fetches into the
 * number it takes for an address, whose bounds Linux has forgotten when it complains.
 */
static bool not_comparable(struct skep_insn insn)
{
	return insn.code == 0x0d || ((insn.code & 0xe7) == 0xc3 && insn.dst == insn.src);
}

/*
 * Kernels before 7 looked at the fields of an instruction when a path came to it,
 * and complained first of what a damaged jump or exit makes unreachable.
 */
static bool older_order(const char *here, const char *linux_says)
{
	return strstr(here, "uses reserved fields") && !strncmp(linux_says, "unreachable insn", 16);
}

static unsigned asked, differ;

/* The last line before the statistics. */
static const char *verdict(char *log)
{
	char *end = strstr(log, "processed "), *start;

	if (!end)
		end = log + strlen(log);
	while (end > log && end[-1] == '\n')
		end--;
	*end = 0;
	start = strrchr(log, '\n');
	return start ? start + 1 : log;
}

/* Before 7.x a constant offset was told apart: "off 0+0+1", now "off 0+1". */
static bool older_sum(const char *ours, const char *theirs)
{
	static const char ours_start[] = "misaligned access off 0+";
	static const char theirs_start[] = "misaligned access off 0+0+";

	return strncmp(ours, ours_start, sizeof(ours_start) - 1) == 0 &&
	       strncmp(theirs, theirs_start, sizeof(theirs_start) - 1) == 0 &&
	       strcmp(ours + sizeof(ours_start) - 1, theirs + sizeof(theirs_start) - 1) == 0;
}

static void compare(const struct skep_insn *insns, const struct prog_type *type)
{
	struct prog_spec spec = {
		.name = "encoding", .section = "", .object = "", .type = type, .insns = insns,
		.len = LEN, .license = "GPL",
	};
	struct skep_verify_result result = { 0 };
	int ours, theirs = kernel_load(type->id, 0, 0, insns, LEN);
	struct skep_insn insn = insns[AT];
	const char *words = theirs ? verdict(kernel_log) : "";

	asked++;
	ours = verify(&spec, NULL, &result, NULL, NULL);
	ours = ours < 0 ? ours : result.error;
	if ((ours == 0) != (theirs == 0) ||
	    (strcmp(result.message, words) != 0 && !older_order(result.message, words) &&
	     !older_sum(result.message, words))) {
		printf("code %02x dst %u src %u off %d imm %d: here \"%s\" (%d), Linux \"%s\" (%d)\n",
		       insn.code, insn.dst, insn.src, insn.off, insn.imm, result.message, ours,
		       words, theirs);
		differ++;
	}
	skep_verify_result_done(&result);
}

int main(void)
{
	const struct prog_type *type = prog_type_by_name("socket_filter");

	if (!kernel_answers()) {
		printf("SKIPPED: the running kernel loads no programs for this user\n");
		return SKIPPED;
	}
	for (unsigned code = 0; code < 256; code++)
		for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
			struct skep_insn insns[LEN] = {
				{ .code = 0xbf, .dst = 6, .src = 1 }, /* for legacy loads */
				{ .code = 0xb7 }, { .code = 0xb7, .dst = 2 },
				{ .code = 0xb7, .dst = 3 }, damages[i],
				{ .code = 0xb7 }, { .code = 0xb7 }, { .code = 0xb7 },
				{ .code = 0x95 },
			};

			insns[AT].code = (uint8_t)code;
			if (not_comparable(insns[AT]))
				continue;
			compare(insns, type);
		}
	printf("%u encodings, %u judged otherwise\n", asked, differ);
	return differ != 0;
}

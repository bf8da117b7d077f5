/* SPDX-License-Identifier: BSD-2-Clause */
/* Each kind of rejection has its own code, and the code's help fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <skep/btf.h>

#include "base/base.h"
#include "verify/verify.h"

struct rejection {
	const char *program; /* as the assembler reads it */
	enum skep_code code;
	const char *message;
};

static const struct map_spec hash = {
	.name = "hash", .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4,
};
static const struct map_spec ring = {
	.name = "ring", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096,
};

#define LOOKUP "*(u32 *)(r10 -4) = 0\nr1 = map[idx:0]\nr2 = r10\nr2 += -4\ncall 1\n"

static const struct rejection rejections[] = {
	{ "r0 = 0\nr1 = 9\n", SKEP_VERIFY_SHAPE, "last insn is not an exit or jmp" },
	{ "exit\n", SKEP_VERIFY_UNSET, "R0 !read_ok" },
	{ "r0 = *(u64 *)(r10 -600)\nexit\n", SKEP_VERIFY_MEM,
	  "invalid read from stack R10 off=-600 size=8" },
	{ "r2 = *(u32 *)(r1 +76)\nr0 = *(u8 *)(r2 +0)\nexit\n", SKEP_VERIFY_PACKET,
	  "R2 min value is outside of the allowed memory range" },
	{ LOOKUP "r0 = *(u64 *)(r0 +0)\nexit\n", SKEP_VERIFY_NULL,
	  "R0 invalid mem access 'map_value_or_null'" },
	{ "r0 = 5\nr0 = *(u64 *)(r0 +0)\nexit\n", SKEP_VERIFY_NOT_POINTER,
	  "R0 invalid mem access 'scalar'" },
	{ "r1 = map[idx:1]\nr2 = 8\nr3 = 0\ncall 131\nr0 = 0\nexit\n", SKEP_VERIFY_REF,
	  "BPF_EXIT instruction in main prog would lead to reference leak" },
	{ "r1 = 5\nr2 = 5\ncall 1\nexit\n", SKEP_VERIFY_ARG,
	  "R1 type=scalar expected=map_ptr" },
	{ "r1 = 5\ncall 58\nexit\n", SKEP_VERIFY_CALL,
	  "program of this type cannot use helper bpf_override_return#58" },
	{ "l:\ngoto l\nexit\n", SKEP_VERIFY_SHAPE, "unreachable insn 1" },
	{ "r0 = 0\nl:\nif r1 != 0 goto l\nexit\n", SKEP_VERIFY_LOOP,
	  "infinite loop detected at insn 1" },
	{ "r1 *= 2\nr0 = 0\nexit\n", SKEP_VERIFY_ARITH,
	  "R1 pointer arithmetic with *= operator prohibited" },
	{ "r1 += 8\nr0 = *(u32 *)(r1 +0)\nr0 = 0\nexit\n", SKEP_VERIFY_MOVED,
	  "dereference of modified ctx ptr R1 off=8 disallowed" },
	{ "r0 = *(u32 *)(r1 +4000)\nexit\n", SKEP_VERIFY_CTX,
	  "invalid bpf_context access off=4000 size=4" },
	{ "r10 = 0\nr0 = 0\nexit\n", SKEP_VERIFY_READ_ONLY, "frame pointer is read only" },
};

static void reject_one(const struct rejection *want, unsigned caps)
{
	static const struct map_spec *const maps[] = { &hash, &ring };
	struct skep_diag *diag = skep_diag_new();
	struct skep_insn *insns = NULL;
	struct skep_verify_opts opts = { .unprivileged = true, .caps = caps };
	struct skep_verify_result result = { 0 };
	const struct skep_diag_item *item;
	size_t count = 0;

	assert_int_equal(skep_assemble(want->program, strlen(want->program), "text", &insns,
				       &count, diag), 0);
	struct prog_spec spec = {
		.name = "rejected", .section = "", .object = "", .insns = insns,
		.type = prog_type_by_name("sched_cls"), .len = (uint32_t)count, .license = "GPL",
		.maps = (const struct map_spec **)maps, .map_count = ARRAY_SIZE(maps),
	};
	assert_int_equal(verify(&spec, &opts, &result, NULL, diag), 0);
	assert_int_not_equal(result.error, 0);
	assert_string_equal(result.message, want->message);
	assert_int_equal(skep_diag_count(diag), 1);
	item = skep_diag_get(diag, 0);
	assert_string_equal(skep_code_id(item->code), skep_code_id(want->code));
	assert_string_equal(item->message, want->message);
	assert_int_equal(item->where.insn, result.insn);
	assert_string_equal(item->help, skep_code_help(want->code));
	skep_verify_result_done(&result);
	free(insns);
	skep_diag_free(diag);
}

static void rejection__has_the_code_of_its_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rejections); i++)
		reject_one(&rejections[i], SKEP_CAP_SYS_ADMIN);
	/* Only what may not be done without a capability. */
	reject_one(&(struct rejection){ "r0 = 0\nexit\n", SKEP_VERIFY_CAPS,
					"a program of type sched_cls needs CAP_NET_ADMIN" },
		   SKEP_CAP_BPF);
	reject_one(&(struct rejection){ LOOKUP "if r0 == 0 goto l\n*(u64 *)(r0 +0) = r10\nl:\n"
					"r0 = 0\nexit\n", SKEP_VERIFY_LEAK,
					"R10 leaks addr into map" },
		   SKEP_CAP_BPF | SKEP_CAP_NET_ADMIN);
}

/* Types: 1 is a number; nothing is a function. */
static void kernel_function__that_is_none_is_named(void **state)
{
	static const struct {
		uint32_t head[6], type[4];
		char names[5];
	} bytes = { { 0x0001eb9f, 24, 0, 16, 16, 5 }, { 1, 1u << 24, 4, 32 }, "\0int" };
	static const struct skep_insn insns[] = {
		{ .code = 0x85, .src = 2, .imm = 1 }, { .code = 0xb7 }, { .code = 0x95 },
	};
	struct skep_btf *btf = skep_btf_open(&bytes, 24 + 16 + 5, NULL, "kernel", NULL);
	struct prog_spec spec = {
		.name = "caller", .section = "", .object = "", .insns = insns, .len = 3,
		.type = prog_type_by_name("sched_cls"), .license = "GPL", .kernel_btf = btf,
	};
	struct skep_verify_result result = { 0 };

	(void)state;
	assert_non_null(btf);
	assert_int_equal(verify(&spec, NULL, &result, NULL, NULL), 0);
	assert_string_equal(result.message, "kernel btf_id 1 is not a function");
	skep_verify_result_done(&result);
	skep_btf_unref(btf);
}

static void reserved_fields__count_in_code_that_no_path_reaches(void **state)
{
	static const struct skep_insn insns[] = {
		{ .code = 0xb7 }, { .code = 0x15, .off = 1 }, /* always */
		{ .code = 0xb7, .src = 3 }, { .code = 0x95 },
	};
	struct prog_spec spec = {
		.name = "fields", .section = "", .object = "", .insns = insns,
		.type = prog_type_by_name("sched_cls"), .len = ARRAY_SIZE(insns), .license = "GPL",
	};
	struct skep_verify_result result = { 0 };

	(void)state;
	assert_int_equal(verify(&spec, NULL, &result, NULL, NULL), 0);
	assert_int_equal(result.error, -22);
	assert_int_equal(result.insn, 2);
	assert_string_equal(result.message, "BPF_MOV uses reserved fields");
	skep_verify_result_done(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_fields__count_in_code_that_no_path_reaches),
		cmocka_unit_test(rejection__has_the_code_of_its_kind),
		cmocka_unit_test(kernel_function__that_is_none_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

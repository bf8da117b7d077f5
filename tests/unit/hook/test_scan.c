/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Windows of functions written for the purpose in assembly, in this very program, and of the
 * system calls of the C library.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include "hook/scan.h"

#define FUNCTION(name, body) \
	__asm__(".text\n.p2align 4\n.globl " name "\n.type " name ",@function\n" name ":\n" body \
		"\n.size " name ",.-" name "\n.p2align 4\n")

FUNCTION("scan_plain", "push %rbp\nmov %rsp,%rbp\nsub $16,%rsp\nleave\nret");
FUNCTION("scan_loop", "push %rbp\n1: mov %rsp,%rbp\nsub $16,%rsp\ndec %edi\njnz 1b\nleave\nret");
FUNCTION("scan_back_to_entry", "1: dec %edi\njnz 1b\nnop\nnop\nret");
FUNCTION("scan_tiny", "ret");
FUNCTION("scan_long", "mov $1,%eax\nret");
FUNCTION("scan_relative", "mov scan_plain(%rip),%eax\nret");
FUNCTION("scan_call", "push %rbx\ncall scan_plain\npop %rbx\nret");
FUNCTION("scan_call_inside", "call *%rax\nnop\nnop\nnop\nret");
FUNCTION("scan_short_jump", "test %edi,%edi\nje 1f\nmov $5,%eax\n1: nop\nnop\nnop\nnop\nret");
FUNCTION("scan_switch", "push %rbx\n lea 9f(%rip),%rdx\nmovslq (%rdx,%rdi,4),%rax\nadd %rdx,%rax\n"
	 "jmp *%rax\n1: nop\nnop\n2: nop\nnop\nnop\nnop\nnop\nnop\npop %rbx\nret\n"
	 ".section .rodata\n.p2align 2\n9: .long 1b-9b, 2b-9b\n.text\n");
FUNCTION("scan_open", "push %rbx\nnop\nnop\nnop\nnop\nnop\njmp *%rax");
FUNCTION("scan_getpid", "mov $39,%eax\nsyscall\nret");
FUNCTION("scan_read", "xor %eax,%eax\nsyscall\ncmp $-4096,%rax\nja 1f\nret\n1: neg %eax\nret");
FUNCTION("scan_two_calls", "syscall\nsyscall\nret");
FUNCTION("scan_into_call", "mov $39,%eax\ntest %edi,%edi\njz 1f\nmov $40,%eax\n1: syscall\nret");
/* As C libraries have it: described from a byte before, in no list of symbols. */
__asm__(".text\n.p2align 4\nnop\nnop\n.cfi_startproc\n.cfi_signal_frame\nnop\n"
	".Lrestorer: mov $15,%rax\nsyscall\nnop\nnop\nnop\nnop\n.cfi_endproc\n"
	".data\n.p2align 3\nscan_restorer: .quad .Lrestorer\n.text\n");
FUNCTION("scan_keeps", "mov %rbx,(%rdi)\nlea 8(%rsp),%rdx\nmov (%rsp),%rax\nmov %rax,8(%rdi)\nxor %eax,%eax\nret");
FUNCTION("scan_goes_on", "xor %esi,%esi\njmp scan_keeps");
FUNCTION("scan_pops", "endbr64\npop %rdi\nmov $58,%eax\nsyscall\npush %rdi\nret");
FUNCTION("scan_asks", "push %rbx\nsub $16,%rsp\ntest %edi,%edi\nje 1f\nmov 24(%rsp),%rax\n1: add $16,%rsp\npop %rbx\nret");
FUNCTION("scan_asks_by_base", "push %rbp\nmov %rsp,%rbp\nsub $16,%rsp\nmov 8(%rbp),%rax\nleave\nret");
FUNCTION("scan_has_arguments", "push %rbx\nmov 16(%rsp),%rax\nmov (%rsp),%rdx\nlea 8(%rsp),%rcx\npop %rbx\nret");
FUNCTION("scan_flags", "pushfq\npop %rax\nret");
FUNCTION("scan_where", "call 1f\n1: pop %rax\npush (%rax)\npush $7\npop %rcx\npop %rax\nret");
FUNCTION("scan_pops_word", "popq 8(%rdi)\npush %rsi\nret");
FUNCTION("scan_part", ".cfi_startproc\n.cfi_def_cfa_offset 32\nmov $3,%eax\nadd $24,%rsp\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc");
FUNCTION("scan_first", ".cfi_startproc\n.cfi_undefined rip\nmov (%rsp),%rdi\nhlt\n.cfi_endproc");
FUNCTION("scan_framed", ".cfi_startproc\npush %rbx\n.cfi_def_cfa_offset 16\npop %rbx\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc");
FUNCTION("scan_trap", "int3\nnop\nnop\nnop\nnop\nret");

static struct binary *binary;
static struct scan *scan;

static int set_up(void **state)
{
	(void)state;
	binary = binary_open("/proc/self/exe", NULL, NULL);
	scan = binary ? scan_new(binary, NULL) : NULL;
	return scan ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	scan_free(scan);
	binary_free(binary);
	return 0;
}

static uint64_t address(const char *spec)
{
	uint64_t found;

	assert_int_equal(binary_address(binary, spec, &found, NULL), 0);
	return found;
}

static struct patch probe(const char *spec)
{
	struct patch patch;

	assert_int_equal(scan_probe(scan, address(spec), NULL, NULL, &patch, NULL), 0);
	assert_int_equal(patch.file_offset, binary_offset(binary, address(spec)));
	assert_memory_equal(patch.original, binary_bytes(binary, address(spec)).data, patch.length);
	return patch;
}

static void is_jump(const char *spec, unsigned length)
{
	struct patch patch = probe(spec);

	assert_int_equal(patch.method, PATCH_JUMP);
	assert_int_equal(patch.length, length);
}

static void is_trap(const char *spec, unsigned length)
{
	struct patch patch = probe(spec);

	assert_int_equal(patch.method, PATCH_TRAP);
	assert_int_equal(patch.length, length);
}

static void window__takes_whole_instructions(void **state)
{
	(void)state;
	is_jump("scan_plain", 8);
	is_jump("scan_plain+1", 7);
	is_jump("scan_long", 5);
}

static void window__has_nothing_inside_that_is_jumped_to(void **state)
{
	(void)state;
	is_trap("scan_loop", 1);
	is_jump("scan_loop+1", 7);
	is_jump("scan_back_to_entry", 5);
	is_jump("scan_short_jump+2", 7);
}

static void window__may_reach_into_padding(void **state)
{
	struct patch patch = probe("scan_tiny");

	(void)state;
	assert_int_equal(patch.method, PATCH_JUMP);
	assert_true(patch.length >= 5);
	/* The padding is not copied, and nothing leads back. */
	assert_int_equal(patch.code[0], 0xc3);
	assert_int_equal(patch.fixup_count, 0);
}

static void window__is_not_believed_where_an_indirect_jump_is_not_understood(void **state)
{
	(void)state;
	is_jump("scan_open", 5);
	is_trap("scan_open+1", 1);
	/* A switch: its cases are known. */
	is_jump("scan_switch", 8);
	is_trap("scan_switch+17", 1);
	is_jump("scan_switch+20", 5);
}

static bool taken(void *arg, uint64_t at)
{
	return at == *(uint64_t *)arg;
}

static void window__does_not_reach_over_another_probe(void **state)
{
	uint64_t other = address("scan_plain") + 4;
	struct patch patch;

	(void)state;
	assert_int_equal(scan_probe(scan, address("scan_plain"), taken, &other, &patch, NULL), 0);
	assert_int_equal(patch.method, PATCH_TRAP);
	other++;
	assert_int_equal(scan_probe(scan, address("scan_plain"), taken, &other, &patch, NULL), 0);
	assert_int_equal(patch.method, PATCH_JUMP);
}

static void call__pushes_the_return_address_of_its_own_place(void **state)
{
	struct patch patch = probe("scan_call");
	bool found = false;

	(void)state;
	assert_int_equal(patch.length, 6);
	for (unsigned i = 0; i < patch.fixup_count; i++)
		if (patch.fixups[i].kind == FIXUP_ABS64)
			found = patch.fixups[i].to == 6;
	assert_true(found);
	/* In the middle of a window it would return into the jump. */
	is_trap("scan_call_inside", 2);
}

static void operand__relative_to_the_instruction_is_fixed(void **state)
{
	struct patch patch = probe("scan_relative");

	(void)state;
	assert_int_equal(patch.fixups[0].kind, FIXUP_REL32);
	assert_int_equal(patch.fixups[0].at, 2);
	assert_int_equal(patch.fixups[0].end, 6);
	assert_int_equal(patch.fixups[0].to,
			 (int64_t)(address("scan_plain") - address("scan_relative")));
}

static void place__inside_an_instruction_is_refused(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct patch patch;

	(void)state;
	assert_int_equal(scan_probe(scan, address("scan_long") + 2, NULL, NULL, &patch, diag),
			 -EINVAL);
	assert_non_null(strstr(skep_diag_get(diag, 0)->message, "inside the instruction"));
	assert_int_equal(scan_probe(scan, address("scan_trap"), NULL, NULL, &patch, diag), -EINVAL);
	assert_non_null(strstr(skep_diag_get(diag, 1)->message, "cannot be probed"));
	assert_int_equal(scan_probe(scan, 1, NULL, NULL, &patch, diag), -EINVAL);
	assert_non_null(strstr(skep_diag_get(diag, 2)->message, "has no code"));
	assert_string_equal(skep_code_id(skep_diag_get(diag, 2)->code), "H011");
	skep_diag_free(diag);
}

/* --- system calls --- */

static const struct scan_site *site(const char *spec)
{
	const struct scan_site *sites;
	size_t count = scan_syscalls(scan, &sites);

	for (size_t i = 0; i < count; i++)
		if (sites[i].address == address(spec))
			return &sites[i];
	fail_msg("no system call at %s", spec);
	return NULL;
}

static void syscall__window_begins_at_the_number(void **state)
{
	const struct scan_site *s = site("scan_getpid+5");

	(void)state;
	assert_true(s->patched);
	assert_int_equal(s->number, 39);
	assert_int_equal(s->patch.file_offset, binary_offset(binary, address("scan_getpid")));
	assert_int_equal(s->patch.length, 7);
	assert_int_equal(s->patch.kind, PATCH_SYSCALL);
}

static void syscall__window_reaches_past_it_where_it_must(void **state)
{
	const struct scan_site *s = site("scan_read+2");
	bool moves = false;

	(void)state;
	assert_true(s->patched);
	assert_int_equal(s->number, 0);
	assert_true(s->patch.length > 5);
	/* A thread that slept in the call has a place to go on, behind a system call. */
	for (unsigned i = 0; i < s->patch.move_count; i++)
		if (s->patch.file_offset + s->patch.moves[i].from ==
		    (uint64_t)binary_offset(binary, s->address + 2)) {
			moves = true;
			assert_memory_equal(s->patch.code + s->patch.moves[i].to - 2,
					    "\x0f\x05", 2);
		}
	assert_true(moves);
}

static void syscall__jumped_to_is_not_taken_from_before(void **state)
{
	const struct scan_site *s = site("scan_into_call+14");

	(void)state;
	if (s->patched)
		assert_true(s->patch.file_offset >= (uint64_t)binary_offset(binary, s->address) ||
			    s->patch.file_offset + 5 <=
				    (uint64_t)binary_offset(binary, s->address));
	assert_false(site("scan_two_calls")->patched && site("scan_two_calls+2")->patched);
	for (uint64_t at = address("scan_two_calls"), i = 0; i < 2; i++) {
		s = site(i ? "scan_two_calls+2" : "scan_two_calls");
		assert_int_equal(s->trapped, !s->patched);
		if (!s->trapped)
			continue;
		assert_int_equal(s->patch.file_offset, binary_offset(binary, at + 2 * i));
		assert_int_equal(s->patch.method, PATCH_TRAP);
		assert_int_equal(s->patch.length, 2);
		assert_int_equal(s->patch.code_size, 0);
	}
}

/* What undoes a signal is known to debuggers by its bytes. */
static void syscall__end_of_a_handler_is_left_alone(void **state)
{
	extern const uint64_t scan_restorer;
	const struct scan_site *sites;
	size_t count = scan_syscalls(scan, &sites), seen = 0;
	uint64_t base = (uintptr_t)tear_down - address("tear_down");

	(void)state;
	for (size_t i = 0; i < count; i++) {
		if (sites[i].address != scan_restorer - base + 7)
			continue;
		seen++;
		assert_int_equal(sites[i].number, 15);
		assert_false(sites[i].patched || sites[i].trapped);
	}
	assert_int_equal(seen, 1);
}

static void syscalls__of_the_c_library_are_nearly_all_patched(void **state)
{
	char *path = binary_find("libc.so.6", NULL);
	struct binary *libc = path ? binary_open(path, NULL, NULL) : NULL;
	struct scan *all = libc ? scan_new(libc, NULL) : NULL;
	const struct scan_site *sites;
	size_t count, patched = 0;

	(void)state;
	if (!all) {
		print_message("no libc.so.6 here\n");
		skip();
	}
	count = scan_syscalls(all, &sites);
	for (size_t i = 0; i < count; i++)
		patched += sites[i].patched;
	print_message("%zu of %zu system calls of %s%s\n", patched, count, path,
		      scan_is_whole(all) ? ", the others trapped" : "");
	assert_true(count > 300);
	assert_true(patched * 100 >= count * 97);
	scan_free(all);
	binary_free(libc);
	free(path);
}

static void function__that_is_a_breakpoint_cannot_be_probed(void **state)
{
	(void)state;
	assert_false(scan_can_probe(scan, address("scan_trap")));
	assert_true(scan_can_probe(scan, address("scan_tiny")));
}

/* A return probe changes what these find. */
static void function__that_looks_at_its_return_address_is_known(void **state)
{
	static const struct { const char *name; enum return_use use; } rows[] = {
		{ "scan_keeps", RETURN_KEPT },         { "scan_pops", RETURN_KEPT },
		{ "scan_goes_on", RETURN_KEPT },
		{ "scan_asks", RETURN_READ },          { "scan_asks_by_base", RETURN_READ },
		{ "scan_has_arguments", RETURN_UNUSED }, { "scan_plain", RETURN_UNUSED },
		{ "scan_flags", RETURN_UNUSED },       { "scan_where", RETURN_UNUSED },
		{ "scan_pops_word", RETURN_KEPT },     { "scan_framed", RETURN_UNUSED },
		{ "scan_part", RETURN_NONE },          { "scan_first", RETURN_NONE },
		{ "scan_call", RETURN_UNUSED },        { "scan_switch", RETURN_UNUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(scan_return_use(scan, address(rows[i].name)), rows[i].use);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window__takes_whole_instructions),
		cmocka_unit_test(window__has_nothing_inside_that_is_jumped_to),
		cmocka_unit_test(function__that_is_a_breakpoint_cannot_be_probed),
		cmocka_unit_test(function__that_looks_at_its_return_address_is_known),
		cmocka_unit_test(window__may_reach_into_padding),
		cmocka_unit_test(window__is_not_believed_where_an_indirect_jump_is_not_understood),
		cmocka_unit_test(window__does_not_reach_over_another_probe),
		cmocka_unit_test(call__pushes_the_return_address_of_its_own_place),
		cmocka_unit_test(operand__relative_to_the_instruction_is_fixed),
		cmocka_unit_test(place__inside_an_instruction_is_refused),
		cmocka_unit_test(syscall__window_begins_at_the_number),
		cmocka_unit_test(syscall__window_reaches_past_it_where_it_must),
		cmocka_unit_test(syscall__jumped_to_is_not_taken_from_before),
		cmocka_unit_test(syscall__end_of_a_handler_is_left_alone),
		cmocka_unit_test(syscalls__of_the_c_library_are_nearly_all_patched),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What passes the gate: each call seen once, its result and all registers as without it. */
#include "gate_test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* --- one call, all registers --- */

struct machine_state {
	uint64_t reg[16]; /* rax rcx rdx rbx rsp rbp rsi rdi r8 .. r15 */
	uint64_t flags;
	unsigned char vector[4][16];
	uint64_t stack_changed; /* words below rsp that are not as they were */
};

/*
 * Loads every register, makes the call at a real syscall instruction (dispatched)
 * or as a patched site does, and stores every register.
 */
void raw_call(struct machine_state *state, int patched);
__asm__(".text\n"
	".globl raw_call, raw_call_site, raw_call_back\n"
	"raw_call:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	push %rdi\n"
	"	sub $1024, %rsp\n"
	"	movabs $0x1122334455667788, %rax\n"
	"	mov $127, %ecx\n"
	"1:	mov %rax, (%rsp,%rcx,8)\n"
	"	dec %ecx\n	jns 1b\n"
	"	add $1024, %rsp\n"
	"	mov %rsp, 32(%rdi)\n"
	"	movdqu 136(%rdi), %xmm0\n	movdqu 152(%rdi), %xmm7\n"
	"	movdqu 168(%rdi), %xmm8\n	movdqu 184(%rdi), %xmm15\n"
	"	cmp $0, %esi\n"
	"	mov 0(%rdi), %rax\n	mov 16(%rdi), %rdx\n	mov 24(%rdi), %rbx\n"
	"	mov 40(%rdi), %rbp\n	mov 48(%rdi), %rsi\n"
	"	mov 64(%rdi), %r8\n	mov 72(%rdi), %r9\n	mov 80(%rdi), %r10\n"
	"	mov 96(%rdi), %r12\n	mov 104(%rdi), %r13\n	mov 112(%rdi), %r14\n"
	"	mov 120(%rdi), %r15\n"
	"	mov 56(%rdi), %rdi\n"
	"	jne 2f\n"
	"	pushq raw_flags(%rip)\n	popfq\n"
	"raw_call_site:\n"
	"	syscall\n"
	"	jmp raw_call_back\n"
	"2:	pushq raw_flags(%rip)\n	popfq\n"
	"	lea raw_call_back(%rip), %rcx\n"
	"	jmp gate_entry\n"
	"raw_call_back:\n"
	"	mov %rsp, raw_rsp(%rip)\n"
	"	mov %rdi, raw_rdi(%rip)\n"
	"	pushfq\n	popq raw_after(%rip)\n"
	"	cld\n"
	"	mov raw_rsp(%rip), %rdi\n	mov (%rdi), %rdi\n" /* the state, pushed above */
	"	mov %rax, 0(%rdi)\n	mov %rcx, 8(%rdi)\n	mov %rdx, 16(%rdi)\n"
	"	mov %rbx, 24(%rdi)\n	mov %rbp, 40(%rdi)\n	mov %rsi, 48(%rdi)\n"
	"	mov %r8, 64(%rdi)\n	mov %r9, 72(%rdi)\n	mov %r10, 80(%rdi)\n"
	"	mov %r11, 88(%rdi)\n	mov %r12, 96(%rdi)\n	mov %r13, 104(%rdi)\n"
	"	mov %r14, 112(%rdi)\n	mov %r15, 120(%rdi)\n"
	"	mov raw_rdi(%rip), %rax\n	mov %rax, 56(%rdi)\n"
	"	mov raw_after(%rip), %rax\n	mov %rax, 128(%rdi)\n"
	"	movdqu %xmm0, 136(%rdi)\n	movdqu %xmm7, 152(%rdi)\n"
	"	movdqu %xmm8, 168(%rdi)\n	movdqu %xmm15, 184(%rdi)\n"
	"	mov raw_rsp(%rip), %rsp\n"
	"	movabs $0x1122334455667788, %rax\n"
	"	xor %edx, %edx\n"
	"	mov $126, %ecx\n" /* the nearest word held the flags */
	"3:	cmp %rax, -1024(%rsp,%rcx,8)\n"
	"	je 4f\n	inc %rdx\n"
	"4:	dec %ecx\n	jns 3b\n"
	"	mov %rdx, 200(%rdi)\n"
	"	pop %rdi\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
	"	ret\n"
	".data\n"
	".globl raw_flags, raw_rsp\n"
	".balign 8\n"
	"raw_flags: .quad 0\nraw_rsp: .quad 0\nraw_rdi: .quad 0\nraw_after: .quad 0\n"
	".text\n");
extern uint64_t raw_flags, raw_rsp;
_Static_assert(offsetof(struct machine_state, stack_changed) == 200, "raw_call");
extern char raw_call_site[], raw_call_back[];

static void state_fill(struct machine_state *state, uint64_t nr)
{
	for (int i = 0; i < 16; i++)
		state->reg[i] = 0x1111111111111111ull * (uint64_t)i ^ 0xdeadbeef;
	for (int i = 0; i < 64; i++)
		state->vector[i / 16][i % 16] = (unsigned char)(i * 7 + 1);
	state->reg[0] = nr;
}

/* Status flags and DF in all the ways they come. */
static const uint64_t flag_words[] = { 0x202, 0x203, 0x206, 0x212, 0x242, 0x282, 0xa02, 0x602,
				       0xed7, 0xad7, 0x6c7, 0x8d7 | 0x202 };

static void check_registers(bool wanted, int patched)
{
	want_nothing();
	if (wanted)
		want(SYS_getpid);
	for (size_t i = 0; i < sizeof(flag_words) / sizeof(*flag_words); i++) {
		struct machine_state state, old;

		state_fill(&state, SYS_getpid);
		old = state;
		raw_flags = flag_words[i];
		raw_call(&state, patched);
		assert_int_equal(state.reg[0], getpid());
		assert_int_equal(state.reg[1], patched ? (uintptr_t)raw_call_back
						       : (uintptr_t)raw_call_site + 2);
		for (int r = 2; r < 16; r++)
			if (r != 4 && r != 11)
				assert_int_equal(state.reg[r], old.reg[r]);
		assert_int_equal(state.reg[11] & 0xad5, flag_words[i] & 0xad5);
		assert_int_equal(state.reg[4], raw_rsp);
		assert_int_equal(state.flags & 0xed5, flag_words[i] & 0xed5);
		assert_memory_equal(state.vector, old.vector, sizeof(old.vector));
		assert_int_equal(state.stack_changed, 0);
	}
}

static void gate__every_register_is_as_after_a_plain_call(void **state)
{
	(void)state;
	for (int patched = 0; patched < 2; patched++) {
		check_registers(false, patched);
		check_registers(true, patched);
	}
	want_nothing();
}

static void gate__a_wanted_call_is_shown_with_the_registers_of_its_caller(void **state)
{
	struct machine_state machine;
	struct target_regs *seen = &counts->regs[SYS_getppid];

	(void)state;
	for (int patched = 0; patched < 2; patched++) {
		want(SYS_getppid);
		state_fill(&machine, SYS_getppid);
		raw_flags = 0x246;
		raw_call(&machine, patched);
		want_nothing();
		assert_counted(SYS_getppid, 1, getppid());
		assert_int_equal(seen->orig_ax, SYS_getppid);
		assert_int_equal(seen->ax, (uint64_t)-ENOSYS);
		assert_int_equal(seen->ip, patched ? (uintptr_t)raw_call_back
						   : (uintptr_t)raw_call_site + 2);
		assert_int_equal(seen->sp, raw_rsp);
		assert_int_equal(seen->di, machine.reg[7]);
		assert_int_equal(seen->si, machine.reg[6]);
		assert_int_equal(seen->dx, machine.reg[2]);
		assert_int_equal(seen->r10, machine.reg[10]);
		assert_int_equal(seen->r8, machine.reg[8]);
		assert_int_equal(seen->r9, machine.reg[9]);
		assert_int_equal(seen->bx, machine.reg[3]);
		assert_int_equal(seen->bp, machine.reg[5]);
		assert_int_equal(seen->r12, machine.reg[12]);
		assert_int_equal(seen->r15, machine.reg[15]);
		assert_int_equal(seen->flags & 0xed5, 0x246 & 0xed5);
	}
}

static void gate__a_number_that_no_table_has_gets_the_kernels_answer(void **state)
{
	static const uint64_t numbers[] = { 511, 512, 60000, 0x10027, 0xffffffff, ~0ull, 0x40000000 };

	(void)state;
	counts->wants_all = 1;
	counts->entered[GATE_CALLS - 1] = 0;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		for (int patched = 0; patched < 2; patched++) {
			struct machine_state machine;

			state_fill(&machine, numbers[i]);
			raw_flags = 0x202;
			raw_call(&machine, patched);
			assert_int_equal(machine.reg[0], (uint64_t)-ENOSYS);
		}
	assert_int_equal(counts->entered[GATE_CALLS - 1], 12); /* 511 is in the table */
	counts->wants_all = 0;
}

/* --- libc's functions --- */

static void gate__calls_of_libc_are_counted_once_each_with_their_results(void **state)
{
	char name[] = "/tmp/skep-gate-XXXXXX", text[16];
	struct stat st;
	int fd;

	(void)state;
	want(SYS_openat);
	want(SYS_write);
	want(SYS_pread64);
	want(SYS_close);
	want(SYS_newfstatat);
	want(SYS_unlink);
	want(SYS_lseek);
	fd = mkstemp(name);
	assert_true(fd > 2);
	assert_counted(SYS_openat, 1, fd);
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_counted(SYS_write, 1, 5);
	assert_int_equal(pread(fd, text, sizeof(text), 1), 4);
	assert_memory_equal(text, "ello", 4);
	assert_counted(SYS_pread64, 1, 4);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_counted(SYS_newfstatat, 1, 0);
	assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
	assert_counted(SYS_lseek, 1, 100);
	assert_int_equal(close(fd), 0);
	assert_counted(SYS_close, 1, 0);
	assert_int_equal(close(fd), -1);
	assert_int_equal(errno, EBADF);
	assert_counted(SYS_close, 2, -EBADF);
	assert_int_equal(unlink(name), 0);
	assert_counted(SYS_unlink, 1, 0);
	want_nothing();
	assert_int_equal(unlink(name), -1);
	assert_counted(SYS_unlink, 1, 0);
}

static void gate__a_call_that_enter_refuses_is_not_made(void **state)
{
	(void)state;
	want(SYS_getuid);
	counts->refuse = SYS_getuid;
	assert_int_equal(syscall(SYS_getuid), -1);
	assert_int_equal(errno, EXDEV);
	counts->refuse = 0;
	assert_counted(SYS_getuid, 1, -EXDEV);
	assert_int_equal(syscall(SYS_getuid), getuid());
	want_nothing();
}

static void gate__a_bad_address_read_in_a_hook_is_survived(void **state)
{
	(void)state;
	want(SYS_getgid);
	counts->probe = (char *)8;
	assert_int_equal(syscall(SYS_getgid), getgid());
	assert_int_equal(counts->probe_result, -EFAULT);
	counts->probe = (char *)counts;
	syscall(SYS_getgid);
	assert_int_equal(counts->probe_result, 0);
	counts->probe = NULL;
	want_nothing();
}

static void gate__a_call_may_unmap_the_stack_it_is_made_on(void **state)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long result;

	(void)state;
	for (int wanted = 0; wanted < 2; wanted++) {
		stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (wanted)
			want(SYS_munmap);
		__asm__ volatile("mov %%rsp, %%r12\n"
				 "lea 32768(%%rdi), %%rsp\n"
				 "syscall\n"
				 "mov %%r12, %%rsp\n"
				 : "=a"(result)
				 : "a"(SYS_munmap), "D"(stack), "S"(65536)
				 : "rcx", "r11", "r12", "memory");
		assert_int_equal(result, 0);
	}
	assert_counted(SYS_munmap, 1, 0);
	want_nothing();
}

static void gate__mappings_are_told(void **state)
{
	uint32_t before = counts->mapped;
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(counts->mapped, before + 1);
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	assert_int_equal(counts->mapped, before + 2);
	munmap(page, 4096);
	assert_int_equal(counts->mapped, before + 3);
}

static void gate__starts_once(void **state)
{
	(void)state;
	assert_int_equal(gate_start(&test_ops), -EALREADY);
	assert_int_equal(gate_adopt(), -EALREADY);
	assert_int_equal(thread_count(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gate__every_register_is_as_after_a_plain_call),
		cmocka_unit_test(gate__a_wanted_call_is_shown_with_the_registers_of_its_caller),
		cmocka_unit_test(gate__a_number_that_no_table_has_gets_the_kernels_answer),
		cmocka_unit_test(gate__calls_of_libc_are_counted_once_each_with_their_results),
		cmocka_unit_test(gate__a_call_that_enter_refuses_is_not_made),
		cmocka_unit_test(gate__a_bad_address_read_in_a_hook_is_survived),
		cmocka_unit_test(gate__a_call_may_unmap_the_stack_it_is_made_on),
		cmocka_unit_test(gate__mappings_are_told),
		cmocka_unit_test(gate__starts_once),
	};

	return cmocka_run_group_tests(tests, gate_setup, NULL);
}

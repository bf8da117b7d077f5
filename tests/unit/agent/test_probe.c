/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts probes into this very program and runs it. The functions that are probed are written
 * in assembly, in pages of their own; whatever is probed, they must do what they did before.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "probe_test.h"
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agent/probe.h"
#include "agent/thread.h"
#include "base/fault.h"
#include "hook/board.h"
#include "hook/scan.h"

__asm__(".section .probed,\"ax\",@progbits\n.balign 4096\n.text\n");
FUNCTION(p_frame, "push %rbp\nmov %rsp,%rbp\nsub $32,%rsp\nmov %rdi,-8(%rbp)\nmov -8(%rbp),%rax\n"
		  "add %rsi,%rax\nleave\nret");
/* Leaves below its stack pointer what must survive. */
FUNCTION(p_red_zone, "mov %rdi,-8(%rsp)\nmov %rsi,-120(%rsp)\nmov %rsi,-128(%rsp)\nnop\nnop\nnop\n"
		     "nop\nmov -8(%rsp),%rax\nadd -120(%rsp),%rax\nsub -128(%rsp),%rax\nret");
FUNCTION(p_flags, "cmp %rsi,%rdi\nmov $0,%eax\nmov $0,%edx\nseta %al\nsetc %dl\nstc\nnop\nnop\nnop\nnop\n"
		  "adc %rdx,%rax\nstd\nnop\nnop\nnop\nnop\nnop\npushf\npop %rcx\nand $0x400,%ecx\n"
		  "or %rcx,%rax\ncld\nret");
FUNCTION(p_short, "xor %eax,%eax\ntest %edi,%edi\njz 1f\ninc %eax\njmp 2f\n1: dec %rax\nnop\nnop\n"
		  "2: test %esi,%esi\njs 3f\nadd $2,%eax\nret\n3: add $4,%eax\nret");
FUNCTION(p_near, "xor %eax,%eax\ntest %edi,%edi\n.byte 0x0f,0x84\n.long 1f-.-4\ninc %eax\n1: ret");
FUNCTION(p_loop, "mov %edi,%ecx\nand $7,%ecx\ninc %ecx\nxor %eax,%eax\n1: add %rsi,%rax\nloop 1b\n"
		 "jrcxz 2f\nud2\n2: inc %ecx\nloop 3f\nret\n3: ud2");
FUNCTION(p_relative, "lea 7f(%rip),%rax\nmov (%rax),%rax\nadd 7f(%rip),%rax\ncmpl $77,7f(%rip)\n"
		     "jne 8f\nmovl $78,7f+8(%rip)\nadd 7f+8(%rip),%eax\nret\n8: xor %eax,%eax\nret\n"
		     ".data\n.p2align 3\n7: .quad 77,0\n.section .probed\n");
FUNCTION(p_add, "lea (%rdi,%rsi),%rax\nret");
FUNCTION(p_call, "push %rbx\ncall p_add\nmov %rax,%rbx\nlea p_add(%rip),%rax\ncall *%rax\n"
		 "add %rbx,%rax\ncall *7f(%rip)\nadd %rbx,%rax\nmov %rsp,%rcx\nlea 7f(%rip),%rdx\n"
		 "call *(%rdx)\nadd %rbx,%rax\npop %rbx\nret\n"
		 ".data\n7: .quad p_add\n.section .probed\n");
/* The return address that a call leaves is that of its own place. */
FUNCTION(p_where, "mov (%rsp),%rax\nret");
FUNCTION(p_caller, "sub $8,%rsp\ncall p_where\n1: add $8,%rsp\nlea 1b(%rip),%rcx\nsub %rcx,%rax\nret");
FUNCTION(p_tail, "add $1,%rdi\nadd $2,%rsi\njmp p_add");
FUNCTION(p_tiny, "ret");
FUNCTION(p_switch, "and $3,%edi\nlea 9f(%rip),%rdx\nmovslq (%rdx,%rdi,4),%rax\nadd %rdx,%rax\n"
		   "jmp *%rax\n1: mov $1,%eax\nret\n2: xor %eax,%eax\nret\n3: mov %esi,%eax\nnop\nret\n"
		   "4: mov %edi,%eax\nneg %eax\nret\n"
		   ".section .rodata\n.p2align 2\n9: .long 1b-9b,2b-9b,3b-9b,4b-9b\n.section .probed\n");
FUNCTION(p_string, "sub $40,%rsp\nmov %rsp,%rdi\nmov $5,%ecx\nmov %rsi,%rax\nrep stosq\nmov 32(%rsp),%rax\n"
		   "cmpxchg %rax,(%rsp)\nlock xadd %rax,8(%rsp)\nadd $40,%rsp\nret");
FUNCTION(p_twice, "lea (%rdi,%rdi),%rax\nnop\nret");
FUNCTION(p_recurse, "test %rdi,%rdi\njz 1f\nsub $8,%rsp\ndec %rdi\ncall p_recurse\nadd $8,%rsp\ninc %rax\nret\n"
		    "1: xor %eax,%eax\nret");
FUNCTION(p_getpid, "mov $39,%eax\nsyscall\nret");
FUNCTION(p_jump_out, "sub $8,%rsp\ncall *%rdi\nadd $8,%rsp\nret");
__asm__(".section .probed,\"ax\",@progbits\n.balign 4096\n.text\n");

static struct {
	const char *name;
	long (*call)(long, long);
} functions[] = {
	{ "p_frame", p_frame }, { "p_red_zone", p_red_zone }, { "p_flags", p_flags },
	{ "p_short", p_short }, { "p_near", p_near }, { "p_loop", p_loop },
	{ "p_relative", p_relative }, { "p_add", p_add }, { "p_call", p_call },
	{ "p_caller", p_caller }, { "p_tail", p_tail }, { "p_switch", p_switch },
	{ "p_string", p_string }, { "p_twice", p_twice }, { "p_recurse", p_recurse },
	{ "p_getpid", p_getpid },
};

static const long inputs[][2] = {
	{ 0, 0 }, { 1, 2 }, { 2, 1 }, { 3, -1 }, { 0, -5 }, { 7, 0x123456789 }, { 9, 3 },
};

/* --- this process as a target --- */

static struct binary *binary;
static struct scan *scan;
static uint64_t base;

static __thread struct target_thread me;
static __thread char agent_stack[65536] __attribute__((aligned(64)));

static struct target_thread *self(void)
{
	me.stack = agent_stack + sizeof(agent_stack);
	return &me;
}

/* Empty: threads are asked for. */
static struct thread_slot slots[THREAD_SLOTS + THREAD_PROBES + 1];

/* The gate: makes the call and returns by rcx. */
extern const char test_gate[] __attribute__((visibility("hidden")));
__asm__(".text\ntest_gate: lea -128(%rsp),%rsp\npush %rcx\nlock incq gate_calls_seen(%rip)\nsyscall\n"
	"pop %rcx\nlea 128(%rsp),%rsp\njmp *%rcx\n"
	".data\n.globl gate_calls_seen\ngate_calls_seen: .quad 0\n.text\n");
extern volatile unsigned long gate_calls_seen;
static struct board_ways ways, *ways_now = &ways;

static int find_base(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(uint64_t *)arg = info->dlpi_addr;
	return 1;
}

static int set_up(void **state)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER };

	(void)state;
	sigaction(SIGTRAP, &action, NULL);
	fault_init();
	probe_self = self;
	probe_slots = slots;
	patch_gate = (uintptr_t)test_gate;
	patch_ways = (uintptr_t)&ways_now;
	memset(ways.way, 1, sizeof(ways.way));
	dl_iterate_phdr(find_base, &base);
	binary = binary_open("/proc/self/exe", NULL, NULL);
	scan = binary ? scan_new(binary, NULL) : NULL;
	return scan ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	scan_free(scan);
	binary_free(binary);
	patch_free(false);
	return 0;
}

static struct patch templates[512];
static struct probe_record records[512];
static struct patch_site *sites[512];
static unsigned count;
static __thread unsigned long hits, leaves;
static __thread uint64_t seen_ip, seen_result;

static void hit(struct probe_thread *thread, struct probe_record *record, struct target_regs *regs)
{
	assert_ptr_equal(thread, &me.probe);
	assert_int_equal(regs->ip, record->address);
	hits++;
}

static void left(struct probe_thread *thread, struct probe_call *call, struct target_regs *regs)
{
	assert_ptr_equal(thread, &me.probe);
	assert_int_equal(regs->ip, call->real);
	assert_int_equal(regs->sp, call->slot + 8);
	seen_ip = regs->ip;
	seen_result = regs->ax;
	leaves++;
}

static void watch(struct probe_thread *thread, struct probe_record *record,
		  struct target_regs *regs)
{
	hits++;
	assert_non_null(probe_call_watch(thread, record, regs));
}

/* Probes an address of the file. -EINVAL where the scanner refuses. */
static int place_at(struct scan *in, uint64_t address, uint64_t at, probe_enter_fn *enter,
		    enum patch_mode mode)
{
	struct patch_batch batch;
	int error;

	assert_true(count < 512);
	if (scan_probe(in, address, NULL, NULL, &templates[count], NULL) < 0)
		return -EINVAL;
	records[count] = (struct probe_record){ .enter = enter, .leave = left };
	patch_begin(&batch, 0, 0);
	error = probe_add(&batch, &templates[count], at + address, &records[count], true);
	if (!error)
		error = patch_commit(&batch, mode);
	assert_int_equal(error, 0);
	sites[count] = records[count].site;
	return (int)count++;
}

static uint64_t address_of(const char *spec)
{
	uint64_t address;

	assert_int_equal(binary_address(binary, spec, &address, NULL), 0);
	return address;
}

static struct patch_site *place(const char *spec, probe_enter_fn *enter)
{
	int index = place_at(scan, address_of(spec), base, enter, PATCH_ALONE);

	assert_true(index >= 0);
	return sites[index];
}

static void remove_all(enum patch_mode mode)
{
	struct patch_site *const *all = sites;

	assert_int_equal(patch_remove(all, count, mode), 0);
	count = 0;
	hits = leaves = 0;
}

/* --- entry --- */

/* Each instruction of each function is probed, alone; results stay as they were. */
static void probe__at_any_instruction_changes_nothing(void **state)
{
	unsigned jumps = 0, traps = 0;

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(functions); f++) {
		uint64_t start = address_of(functions[f].name);
		uint64_t size = binary_function_at(binary, start)->size;
		uint8_t original[256];
		long expected[ARRAY_SIZE(inputs)];

		memcpy(original, (void *)(uintptr_t)functions[f].call, size);
		for (size_t i = 0; i < ARRAY_SIZE(inputs); i++)
			expected[i] = functions[f].call(inputs[i][0], inputs[i][1]);
		for (uint64_t at = 0; at < size; at++) {
			int index = place_at(scan, start + at, base, hit, PATCH_ALONE);

			if (index < 0)
				continue;
			if (sites[index]->state == SITE_JUMP)
				jumps++;
			else
				traps++;
			for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
				long got = functions[f].call(inputs[i][0], inputs[i][1]);

				if (got != expected[i])
					fail_msg("%s+%u: %lx instead of %lx", functions[f].name,
						 (unsigned)at, got, expected[i]);
			}
			if (at == 0 && hits < ARRAY_SIZE(inputs))
				fail_msg("%s: %lu hits", functions[f].name, hits);
			remove_all(PATCH_ALONE);
		}
		assert_memory_equal(original, (void *)(uintptr_t)functions[f].call, size);
	}
	print_message("%u places by jump, %u by trap\n", jumps, traps);
	assert_true(jumps > 20 && traps > 20);
}

/* All entries at once. */
static void probes__do_not_disturb_each_other(void **state)
{
	long expected[ARRAY_SIZE(functions)];

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(functions); f++)
		expected[f] = functions[f].call(5, 6);
	for (size_t f = 0; f < ARRAY_SIZE(functions); f++)
		place(functions[f].name, hit);
	for (size_t f = 0; f < ARRAY_SIZE(functions); f++)
		assert_int_equal(functions[f].call(5, 6), expected[f]);
	assert_true(hits >= ARRAY_SIZE(functions));
	remove_all(PATCH_ALONE);
}

static void change(struct probe_thread *thread, struct probe_record *record,
		   struct target_regs *regs)
{
	(void)thread;
	(void)record;
	assert_int_equal(regs->di, 20);
	assert_int_equal(regs->si, 1);
	assert_int_equal(regs->orig_ax, -1);
	regs->di = 30;
}

static void redirect(struct probe_thread *thread, struct probe_record *record,
		     struct target_regs *regs)
{
	(void)thread;
	(void)record;
	/* As if the function had returned 7. */
	regs->ax = 7;
	regs->ip = *(uint64_t *)(uintptr_t)regs->sp;
	regs->sp += 8;
}

static void probe__may_change_registers(void **state)
{
	(void)state;
	place("p_add", change);
	assert_int_equal(p_add(20, 1), 31);
	remove_all(PATCH_ALONE);
	place("p_add", redirect);
	assert_int_equal(p_add(20, 1), 7);
	remove_all(PATCH_ALONE);
	assert_int_equal(p_add(20, 1), 21);
}

static struct target_thread *nobody(void)
{
	return NULL;
}

static void probe__in_an_unknown_thread_is_missed(void **state)
{
	(void)state;
	place("p_flags", hit);
	probe_self = nobody;
	assert_int_equal(p_flags(1, 2) & 0x400, 0x400);
	probe_self = self;
	assert_int_equal(hits, 0);
	remove_all(PATCH_ALONE);
}

static void code__that_is_not_what_was_scanned_is_refused(void **state)
{
	struct patch_batch batch;
	struct patch patch;
	struct probe_record record = { .enter = hit };

	(void)state;
	assert_int_equal(scan_probe(scan, address_of("p_add"), NULL, NULL, &patch, NULL), 0);
	patch.original[1] ^= 1;
	patch_begin(&batch, 0, 0);
	assert_int_equal(probe_add(&batch, &patch, base + address_of("p_add"), &record, true), -EILSEQ);
	assert_null(record.site);
}

static void thread__inside_a_window_is_moved(void **state)
{
	struct patch_site *site = place("p_twice", hit);
	uint64_t inside = site->address + 4; /* the nop behind lea */

	(void)state;
	assert_int_equal(site->state, SITE_JUMP);
	assert_int_not_equal(patch_moved(inside, true), inside);
	assert_true(patch_is_stub(patch_moved(inside, true)));
	assert_int_equal(patch_moved(patch_moved(inside, true), false), inside);
	assert_int_equal(patch_moved(site->stub, false), site->address);
	assert_int_equal(patch_moved(site->address, true), site->address);
	remove_all(PATCH_ALONE);
}

static void stub__of_code_that_comes_back_is_used_again(void **state)
{
	uint64_t stub;

	(void)state;
	stub = place("p_add", hit)->stub;
	remove_all(PATCH_ALONE);
	assert_int_equal(place("p_add", hit)->stub, stub);
	remove_all(PATCH_ALONE);
}

/* --- return --- */

static void return_probe__sees_the_result(void **state)
{
	(void)state;
	place("p_frame", watch);
	assert_int_equal(p_frame(40, 2), 42);
	assert_int_equal(leaves, 1);
	assert_int_equal(seen_result, 42);
	assert_false(patch_is_stub(seen_ip));
	assert_int_equal(me.probe.calls->count, 0);
	remove_all(PATCH_ALONE);
}

static void return_probe__follows_recursion_of_any_depth(void **state)
{
	(void)state;
	place("p_recurse", watch);
	assert_int_equal(p_recurse(1000, 0), 1000);
	assert_int_equal(hits, 1001);
	assert_int_equal(leaves, 1001);
	remove_all(PATCH_ALONE);
}

static void return_probe__of_a_tail_call_fires_for_both(void **state)
{
	(void)state;
	place("p_tail", watch);
	place("p_add", watch);
	assert_int_equal(p_tail(1, 2), 6);
	assert_int_equal(leaves, 2);
	assert_int_equal(me.probe.calls->count, 0);
	remove_all(PATCH_ALONE);
}

static jmp_buf environment;

static void jump_out(void)
{
	longjmp(environment, 1);
}

static void nothing(void)
{
}

static void return_probe__survives_longjmp(void **state)
{
	(void)state;
	place("p_jump_out", watch);
	for (volatile int i = 0; i < 1000; i++) {
		if (!setjmp(environment))
			p_jump_out((long)(uintptr_t)jump_out, 0);
		/* At the same depth, and at another. */
		p_jump_out((long)(uintptr_t)nothing, 0);
	}
	assert_int_equal(hits, 2000);
	assert_int_equal(leaves, 1000);
	assert_true(me.probe.calls->count < 4);
	remove_all(PATCH_ALONE);
}

static void in_signal(int number)
{
	(void)number;
	assert_int_equal(p_frame(3, 4), 7);
}

static void raise_it(void)
{
	raise(SIGUSR1);
}

static void return_probe__works_in_signal_handlers(void **state)
{
	char *stack = malloc(65536);
	stack_t alternate = { .ss_sp = stack, .ss_size = 65536 }, old;
	struct sigaction action = { .sa_handler = in_signal, .sa_flags = SA_ONSTACK };

	(void)state;
	sigaltstack(&alternate, &old);
	sigaction(SIGUSR1, &action, NULL);
	place("p_frame", watch);
	place("p_jump_out", watch);
	p_jump_out((long)(uintptr_t)raise_it, 0);
	assert_int_equal(hits, 2);
	assert_int_equal(leaves, 2);
	sigaltstack(&old, NULL);
	free(stack);
	remove_all(PATCH_ALONE);
}

static unsigned long real_seen;

static void look(void)
{
	struct probe_call *call = &me.probe.calls->calls[me.probe.calls->count - 1];

	probe_calls_disarm(&me.probe);
	real_seen += *(uint64_t *)(uintptr_t)call->slot == call->real;
	probe_calls_arm(&me.probe, (uintptr_t)__builtin_frame_address(0));
}

static void return_addresses__can_be_given_back_and_taken_again(void **state)
{
	(void)state;
	place("p_jump_out", watch);
	p_jump_out((long)(uintptr_t)look, 0);
	assert_int_equal(real_seen, 1);
	assert_int_equal(leaves, 1);
	remove_all(PATCH_ALONE);
}

/* --- exceptions --- */

static const char thrower[] =
	"#include <execinfo.h>\n"
	"#include <stdexcept>\n"
	"struct guard { int *n; ~guard() { ++*n; } };\n"
	"extern \"C\" {\n"
	"__attribute__((noinline)) long t_inner(long a, int *n) {\n"
	"  guard g{n}; if (a % 2) throw std::runtime_error(\"odd\"); return a; }\n"
	"__attribute__((noinline)) long t_middle(long a, int *n) {\n"
	"  guard g{n}; return t_inner(a, n) + 1; }\n"
	"__attribute__((noinline)) long t_catch(long a, int *n) {\n"
	"  try { return t_middle(a, n); } catch (std::exception &e) { return -1; } }\n"
	"__attribute__((noinline)) long t_outer(long a, int *n) {\n"
	"  guard g{n}; return t_catch(a, n) * 2; }\n"
	"__attribute__((noinline)) int t_depth(int n) {\n"
	"  void *frames[64]; int d = n ? t_depth(n - 1) : backtrace(frames, 64);\n"
	"  __asm__ volatile(\"\"); return d; }\n"
	"}\n";

struct library {
	struct binary *binary;
	struct scan *scan;
	uint64_t base;
};

static struct library open_library(void *symbol, const char *path)
{
	struct library library = { binary_open(path, NULL, NULL), NULL, 0 };
	Dl_info info;

	assert_non_null(library.binary);
	library.scan = scan_new(library.binary, NULL);
	assert_non_null(library.scan);
	assert_int_not_equal(dladdr(symbol, &info), 0);
	library.base = (uintptr_t)info.dli_fbase;
	return library;
}

static void close_library(struct library *library)
{
	scan_free(library->scan);
	binary_free(library->binary);
}

static void place_in(struct library *library, const char *name, probe_enter_fn *enter)
{
	uint64_t address;

	assert_int_equal(binary_address(library->binary, name, &address, NULL), 0);
	assert_true(place_at(library->scan, address, library->base, enter, PATCH_ALONE) >= 0);
}

static void place_unwinder(struct library *library, const char *name)
{
	uint64_t address, returns[32];
	size_t found;

	assert_int_equal(binary_address(library->binary, name, &address, NULL), 0);
	assert_true(place_at(library->scan, address, library->base, probe_unwind_begins,
			     PATCH_ALONE) >= 0);
	found = scan_ends(library->scan, address, returns, ARRAY_SIZE(returns));
	assert_true(found > 0 && found < ARRAY_SIZE(returns));
	for (size_t i = 0; i < found; i++)
		assert_true(place_at(library->scan, returns[i], library->base,
				     probe_unwind_ends, PATCH_ALONE) >= 0);
}

static void return_probe__survives_exceptions_and_backtraces(void **state)
{
	char directory[] = "/tmp/skep-probe-XXXXXX", path[64], command[256];
	static const char *const unwinders[] = { "_Unwind_RaiseException", "_Unwind_Resume",
		"_Unwind_Resume_or_Rethrow", "_Unwind_ForcedUnwind", "_Unwind_Backtrace" };
	static const char *const probed[] = { "t_inner", "t_middle", "t_catch", "t_outer" };
	struct library thrown, unwinder;
	long (*outer)(long, int *);
	int (*depth)(int);
	int destroyed = 0, frames;
	Dl_info info;
	void *handle, *raise_exception;
	FILE *file;

	(void)state;
	if (system("g++ --version >/dev/null 2>&1") != 0) {
		print_message("no g++ here\n");
		skip();
	}
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/t.cc", directory);
	file = fopen(path, "w");
	fputs(thrower, file);
	fclose(file);
	snprintf(command, sizeof(command),
		 "cd %s && g++ -O1 -fno-omit-frame-pointer -shared -fPIC -o t.so t.cc", directory);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/t.so", directory);
	handle = dlopen(path, RTLD_NOW);
	assert_non_null(handle);
	outer = dlsym(handle, "t_outer");
	depth = dlsym(handle, "t_depth");
	raise_exception = dlsym(RTLD_DEFAULT, "_Unwind_RaiseException");
	if (!raise_exception)
		raise_exception = dlsym(dlopen("libgcc_s.so.1", RTLD_NOW), "_Unwind_RaiseException");
	assert_int_not_equal(dladdr(raise_exception, &info), 0);
	thrown = open_library((void *)(uintptr_t)outer, path);
	unwinder = open_library(raise_exception, info.dli_fname);
	assert_int_equal(outer(1, &destroyed), -2);
	frames = depth(5);

	for (size_t i = 0; i < ARRAY_SIZE(unwinders); i++)
		place_unwinder(&unwinder, unwinders[i]);
	for (size_t i = 0; i < ARRAY_SIZE(probed); i++)
		place_in(&thrown, probed[i], watch);
	destroyed = 0;
	assert_int_equal(outer(2, &destroyed), 6);
	assert_int_equal(leaves, 4);
	/* The two that were left by the exception do not return; the two above do. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(outer(1, &destroyed), -2);
	assert_int_equal(destroyed, 3 * 101);
	assert_int_equal(leaves, 4 + 2 * 100);
	assert_int_equal(me.probe.calls->count, 0);
	leaves = 0;
	place_in(&thrown, "t_depth", watch);
	assert_int_equal(depth(5), frames);
	assert_int_equal(leaves, 6);
	remove_all(PATCH_ALONE);
	close_library(&thrown);
	close_library(&unwinder);
	dlclose(handle);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
}

/* --- while others run --- */

static volatile bool stop;

static void *caller(void *arg)
{
	unsigned long *calls = arg;

	while (!stop) {
		assert_int_equal(p_frame(40, (long)*calls), 40 + (long)*calls);
		assert_int_equal(p_twice(4, 0), 8);
		assert_int_equal(p_short(0, -1), 3);
		++*calls;
	}
	probe_calls_free(&me.probe);
	return NULL;
}

static void probes__come_and_go_while_threads_run(void **state)
{
	unsigned long calls[3] = { 0 };
	pthread_t threads[3];

	(void)state;
	stop = false;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, caller, &calls[i]);
	for (int i = 0; i < 300; i++) {
		place_at(scan, address_of("p_frame"), base, i % 2 ? watch : hit, PATCH_LIVE);
		place_at(scan, address_of("p_twice"), base, hit, PATCH_LIVE);
		place_at(scan, address_of("p_short"), base, hit, PATCH_LIVE);
		usleep(100);
		remove_all(PATCH_LIVE);
	}
	stop = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_true(calls[i] > 100);
	}
	hits = leaves = 0;
}

/* --- system calls --- */

static void syscalls__of_the_c_library_go_through_the_gate(void **state)
{
	static struct patch_site *all[4096];
	struct library libc;
	const struct scan_site *found;
	struct patch_batch batch;
	unsigned long before;
	size_t n, patched = 0;
	Dl_info info;
	int error, ends[2], status;
	char line[256];
	pid_t child;

	(void)state;
	assert_int_not_equal(dladdr((void *)(uintptr_t)getppid, &info), 0);
	libc = open_library((void *)(uintptr_t)getppid, info.dli_fname);
	n = scan_syscalls(libc.scan, &found);
	patch_begin(&batch, 0, 0);
	for (size_t i = 0; i < n && patched < 4096; i++) {
		if (!found[i].patched)
			continue;
		all[patched] = patch_add(&batch, &found[i].patch,
					 libc.base + (uint64_t)binary_from_offset(
							     libc.binary, found[i].patch.file_offset),
					 NULL, 0, &error);
		assert_non_null(all[patched]);
		patched++;
	}
	assert_true(patched > 300);
	assert_int_equal(patch_commit(&batch, PATCH_ALONE), 0);
	before = gate_calls_seen;
	assert_int_equal(getppid(), syscall(SYS_getppid));
	assert_int_equal(gate_calls_seen - before, 1 + (gate_calls_seen - before > 1));
	/* What need not pass the gate does not, and nothing else changes. */
	before = gate_calls_seen;
	ways.way[SYS_getppid] = 0;
	assert_int_equal(getppid(), syscall(SYS_getppid));
	assert_int_equal(gate_calls_seen, before);
	ways.way[SYS_getppid] = 1;
	errno = 0;
	assert_int_equal(close(-1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		/* The stubs are the child's too. */
		if (write(ends[1], "hello", 6) != 6)
			_exit(1);
		_exit(3);
	}
	assert_int_equal(read(ends[0], line, sizeof(line)), 6);
	assert_string_equal(line, "hello");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 3);
	close(ends[0]);
	close(ends[1]);
	assert_true(gate_calls_seen - before > 5);
	assert_int_equal(patch_remove(all, patched, PATCH_ALONE), 0);
	before = gate_calls_seen;
	getppid();
	assert_int_equal(gate_calls_seen, before);
	close_library(&libc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe__at_any_instruction_changes_nothing),
		cmocka_unit_test(probes__do_not_disturb_each_other),
		cmocka_unit_test(probe__may_change_registers),
		cmocka_unit_test(probe__in_an_unknown_thread_is_missed),
		cmocka_unit_test(code__that_is_not_what_was_scanned_is_refused),
		cmocka_unit_test(thread__inside_a_window_is_moved),
		cmocka_unit_test(stub__of_code_that_comes_back_is_used_again),
		cmocka_unit_test(return_probe__sees_the_result),
		cmocka_unit_test(return_probe__follows_recursion_of_any_depth),
		cmocka_unit_test(return_probe__of_a_tail_call_fires_for_both),
		cmocka_unit_test(return_probe__survives_longjmp),
		cmocka_unit_test(return_probe__works_in_signal_handlers),
		cmocka_unit_test(return_addresses__can_be_given_back_and_taken_again),
		cmocka_unit_test(return_probe__survives_exceptions_and_backtraces),
		cmocka_unit_test(probes__come_and_go_while_threads_run),
		cmocka_unit_test(syscalls__of_the_c_library_go_through_the_gate),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

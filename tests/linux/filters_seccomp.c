/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filters_seccomp.c - filters of system calls, in a child that makes calls under them.
 *
 * Under a random filter a child can hardly make a call to say what happened, nor end by one. It
 * writes what it saw to shared memory and ends by an invalid instruction.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "filters.h"

enum { CALLS = 8 };

/* long raw_call(nr, args[6]); its address behind the instruction is known to filters. */
long raw_call(long nr, const uint64_t args[6]);
extern const char raw_call_end[];
__asm__(".text\n"
	".globl raw_call\n"
	"raw_call:\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %r11\n"
	"	mov 0(%r11), %rdi\n"
	"	mov 8(%r11), %rsi\n"
	"	mov 16(%r11), %rdx\n"
	"	mov 24(%r11), %r10\n"
	"	mov 32(%r11), %r8\n"
	"	mov 40(%r11), %r9\n"
	"	syscall\n"
	".globl raw_call_end\n"
	"raw_call_end:\n"
	"	ret\n");

/* What the child saw: TRAPPED stands for a SIGSYS and what came with it. */
static struct seen {
	volatile uint32_t made;  /* calls that came back */
	volatile int64_t result[CALLS];
} *seen;

#define TRAPPED INT64_C(0x100000000)
#define KILLED INT64_C(0x200000000)

static sigjmp_buf trap;
static volatile int trap_data;

static void on_trap(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	trap_data = info->si_errno;
	siglongjmp(trap, 1);
}

static long install(const struct filter *filter, unsigned flags)
{
	struct sock_fprog prog = { (unsigned short)filter->count,
				   (struct sock_filter *)(uintptr_t)filter->insns };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) < 0 ? -errno : 0;
}

static _Noreturn void child(const struct filter *filter, const struct skep_cbpf_call *calls)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSYS, &action, NULL);
	if (install(filter, 0) < 0)
		_exit(1);
	for (volatile uint32_t i = 0; i < CALLS; i++) {
		if (sigsetjmp(trap, 0) == 0)
			seen->result[i] = raw_call(calls[i].nr, calls[i].args);
		else
			seen->result[i] = TRAPPED | (uint32_t)trap_data;
		seen->made = i + 1;
	}
	__builtin_trap();
}

/* What a call gives that is let through: of those calls whose arguments mean nothing. */
static int64_t let_through(int32_t nr, pid_t child)
{
	switch (nr) {
	case SYS_getpid:
	case SYS_gettid:
		return child;
	case SYS_getppid:
		return getpid();
	case SYS_getuid:
	case SYS_geteuid:
		return getuid();
	default:
		return -ENOSYS;
	}
}

static int64_t expected(uint32_t action, int32_t nr, pid_t pid)
{
	uint32_t data = action & SECCOMP_RET_DATA;

	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return let_through(nr, pid);
	case SECCOMP_RET_ERRNO:
		return -(int64_t)MIN(data, 4095u);
	case SECCOMP_RET_TRAP:
		return TRAPPED | data;
	case SECCOMP_RET_TRACE:      /* nobody traces */
	case SECCOMP_RET_USER_NOTIF: /* nor listens */
		return -ENOSYS;
	default:
		return KILLED;
	}
}

static void calls_make(struct skep_cbpf_call *calls, struct random *random)
{
	static const int32_t harmless[] = { SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid,
					    1000, 1500, 4000, 0x7fff };

	for (int i = 0; i < CALLS; i++) {
		calls[i] = (struct skep_cbpf_call){
			.nr = harmless[random_below(random, ARRAY_SIZE(harmless))],
			.arch = AUDIT_ARCH_X86_64, .ip = (uint64_t)(uintptr_t)raw_call_end,
		};
		for (int j = 0; j < 6; j++)
			calls[i].args[j] = random_below(random, 2)
						   ? random_below(random, 300)
						   : (uint64_t)random_next(random) << 32 | random_next(random);
	}
}

static void compare_calls(struct tally *tally, const struct filter *filter, struct skep_filter *native,
			  const struct skep_cbpf_call *calls, pid_t pid, int status)
{
	for (uint32_t i = 0; i < CALLS; i++) {
		uint32_t action = skep_cbpf_run_call(filter->insns, filter->count, &calls[i]);
		int64_t want = expected(action, calls[i].nr, pid);
		int64_t got = i < seen->made ? seen->result[i] : KILLED;

		tally->runs++;
		tally->dropped += (action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW;
		if (skep_filter_run_call(native, &calls[i]) != action)
			return report_difference(tally, filter, "call %d: interpreter and native differ", i);
		if (want != got)
			return report_difference(tally, filter, "call %d of %u: action 0x%x, want %lld, "
						 "Linux did %lld", calls[i].nr, i, action,
						 (long long)want, (long long)got);
		if (want == KILLED) {
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				report_difference(tally, filter, "status 0x%x, not SIGSYS", status);
			return;
		}
	}
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGILL)
		report_difference(tally, filter, "status 0x%x, not SIGILL", status);
}

static void compare_one(struct tally *tally, const struct filter *filter, struct random *random)
{
	struct skep_cbpf_call calls[CALLS];
	struct skep_filter *native = skep_filter_open(filter->insns, filter->count, SKEP_CBPF_SECCOMP,
						      SKEP_FILTER_COMPILE, "random", NULL);
	int status;
	pid_t pid;

	tally->filters++;
	if (!native)
		return report_difference(tally, filter, "refused here");
	calls_make(calls, random);
	seen->made = 0;
	pid = fork();
	if (pid == 0)
		child(filter, calls);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		report_difference(tally, filter, "no child");
	else
		compare_calls(tally, filter, native, calls, pid, status);
	skep_filter_free(native);
}

/* What returns a constant returns an action. */
static void give_actions(struct filter *filter, struct random *random)
{
	static const uint32_t actions[] = { SECCOMP_RET_ERRNO, SECCOMP_RET_ERRNO, SECCOMP_RET_ERRNO,
					    SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW, SECCOMP_RET_TRAP,
					    SECCOMP_RET_TRACE, SECCOMP_RET_USER_NOTIF,
					    SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, 0x12340000 };

	for (size_t i = 0; i < filter->count; i++) {
		if (filter->insns[i].code == cbpf_rows[CBPF_ID_RET_K].code)
			filter->insns[i].k = actions[random_below(random, ARRAY_SIZE(actions))] |
					     (random_next(random) & 0xffff);
	}
}

/* NULL, or why not. Without a descriptor left for the listener asked for, nothing is installed. */
static const char *may_not(void)
{
	static const struct filter allow = { .insns = { { 0x06, 0, 0, SECCOMP_RET_ALLOW } }, .count = 1 };
	struct rlimit limit;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "may not set no_new_privs";
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &limit);
	return install(&allow, SECCOMP_FILTER_FLAG_NEW_LISTENER) == -EMFILE
		       ? NULL
		       : "Linux without seccomp filters";
}

struct tally compare_seccomp(struct random *random, unsigned long count)
{
	struct tally tally = { .name = "seccomp" };

	tally.skipped = may_not();
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED)
		tally.skipped = "no memory to share";
	fflush(stdout);
	for (unsigned long i = 0; i < count && !tally.skipped; i++) {
		struct filter filter;

		filter_make(&filter, random, SKEP_CBPF_SECCOMP, 64, 0);
		give_actions(&filter, random);
		compare_one(&tally, &filter, random);
	}
	return tally;
}

struct tally compare_seccomp_mutants(struct random *random, unsigned long count)
{
	struct tally tally = { .name = "seccomp mutants" };

	tally.skipped = may_not();
	for (unsigned long i = 0; i < count && !tally.skipped; i++) {
		struct filter filter;
		int here;
		long there;

		filter_make(&filter, random, SKEP_CBPF_SECCOMP, 64, 0);
		filter_mutate(&filter, random, SKEP_CBPF_SECCOMP);
		here = skep_cbpf_check(filter.insns, filter.count, SKEP_CBPF_SECCOMP, "mutant", NULL);
		there = install(&filter, SECCOMP_FILTER_FLAG_NEW_LISTENER);
		there = there == -EMFILE ? 0 : there;
		tally.filters++;
		tally.accepted += there == 0;
		if (here != there)
			report_difference(&tally, &filter, "%s here, %s in Linux", strerror(-here),
					  strerror((int)-there));
	}
	return tally;
}

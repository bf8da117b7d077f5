/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target that lives by signals: handlers that interrupt calls, return to them, jump out of them,
 * fork, and look at the frame they were given. Exits with 40, or says which check failed and
 * exits with 1. With an argument it makes code of its own instead, says so on its error output,
 * and waits until its standard input is closed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define CHECK(what)                                                    \
	do {                                                           \
		if (!(what)) {                                         \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what); \
			exit(1);                                       \
		}                                                      \
	} while (0)

extern char **environ;

/* A call without arguments that has no room for a jump: what is around it is jumped to. */
__asm__(".text\n.p2align 4\n.globl narrow_call\n.type narrow_call,@function\nnarrow_call:\n"
	"lea 2f(%rip),%rax\nlea 3f(%rip),%rcx\njmp 1f\n1: mov %edi,%eax\n2: syscall\n3: jmp 4f\n"
	".skip 16,0xcc\n4: ret\n.size narrow_call,.-narrow_call\n");
extern long narrow_call(long number);

static volatile sig_atomic_t hits, hit_frames, in_libc, on_stack;
static char stack[65536];
static sigjmp_buf back;
static int ends[2], disturbance;
static volatile char *volatile bad;
static char good;

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void look(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	char here;
	void *frames[32];
	Dl_info place;

	(void)sig;
	(void)info;
	hits++;
	hit_frames = backtrace(frames, 32);
	in_libc = dladdr((void *)(uintptr_t)context->uc_mcontext.gregs[REG_RIP], &place) &&
		  strstr(place.dli_fname, "libc") != NULL;
	on_stack = &here >= stack && &here < stack + sizeof(stack) &&
		   context->uc_stack.ss_sp == (void *)stack;
}

static void jump(int sig)
{
	(void)sig;
	hits++;
	siglongjmp(back, 1);
}

static void repair(int sig, siginfo_t *info, void *arg)
{
	(void)sig;
	(void)info;
	((ucontext_t *)arg)->uc_mcontext.gregs[REG_RAX] = (greg_t)(uintptr_t)&good;
	hits++;
}

static void fork_here(int sig)
{
	int status;
	pid_t child = fork();

	(void)sig;
	if (child == 0)
		_exit(5);
	if (waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5)
		hits++;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	CHECK(sigaction(sig, &action, NULL) == 0);
}

static void handle_info(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(sig, &action, NULL) == 0);
}

/* A signal to this thread as it sleeps in read(); a byte after the second. */
static void *disturb(void *arg)
{
	pthread_t *whom = arg;

	for (int i = 0; i < 2; i++) {
		usleep(20000);
		pthread_kill(*whom, disturbance);
	}
	usleep(20000);
	CHECK(write(ends[1], "x", 1) == 1);
	return NULL;
}

static ssize_t disturbed_read(void)
{
	pthread_t self = pthread_self(), other;
	ssize_t got;
	char byte;
	int error;

	hits = 0;
	CHECK(pthread_create(&other, NULL, disturb, &self) == 0);
	got = sigsetjmp(back, 1) ? -2 : read(ends[0], &byte, 1);
	error = errno;
	CHECK(pthread_join(other, NULL) == 0);
	while (got < 0 && hits < 3 && read(ends[0], &byte, 1) != 1)
		;
	errno = error;
	return got;
}

static void calls_are_interrupted(int sig)
{
	disturbance = sig;
	handle(sig, count, SA_RESTART);
	CHECK(disturbed_read() == 1 && hits == 2);
	handle(sig, count, 0);
	CHECK(disturbed_read() == -1 && errno == EINTR && hits == 2);
	handle(sig, jump, 0);
	CHECK(disturbed_read() == -2 && hits == 2);
}

static void frames_are_as_ever(void)
{
	stack_t set = { .ss_sp = stack, .ss_size = sizeof(stack) }, now;
	sigset_t mask, after;
	void *frames[32];

	CHECK(backtrace(frames, 32) > 0);
	CHECK(sigaltstack(&set, NULL) == 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGSEGV);
	sigaddset(&mask, SIGUSR2);
	CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
	handle_info(SIGUSR1, look, SA_ONSTACK | SA_RESTART);
	CHECK(disturbed_read() == 1 && hits == 2);
	CHECK(in_libc && on_stack && hit_frames > 3);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
	CHECK(sigismember(&after, SIGSEGV) == 1 && sigismember(&after, SIGUSR2) == 1 &&
	      sigismember(&after, SIGUSR1) == 0);
	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && now.ss_flags == 0);
	sigemptyset(&mask);
	CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
}

static void faults_are_repaired(void)
{
	char value;

	good = 7;
	handle_info(SIGSEGV, repair, SA_ONSTACK);
	for (int i = 0; i < 3; i++) {
		hits = 0;
		__asm__ volatile("movb (%%rax), %0" : "=q"(value) : "a"(bad));
		CHECK(value == 7 && hits == 1);
	}
}

static void children_are_made(void)
{
	static char *const argv[] = { "true", NULL };
	pid_t child;
	int status;

	hits = 0;
	handle(SIGUSR1, fork_here, 0);
	raise(SIGUSR1);
	CHECK(hits == 1);
	CHECK(narrow_call(SYS_getpid) == getpid());
	child = (pid_t)narrow_call(SYS_fork);
	if (child == 0)
		_exit(6);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 6);
	CHECK(posix_spawnp(&child, "true", NULL, NULL, argv, environ) == 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	child = vfork();
	if (child == 0) {
		execlp("true", "true", (char *)NULL);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void *sleep_in_read(void *arg)
{
	char byte;

	(void)!read(ends[0], &byte, 1);
	return arg;
}

static void threads_are_cancelled(void)
{
	pthread_t other;
	void *result;

	CHECK(pthread_create(&other, NULL, sleep_in_read, NULL) == 0);
	usleep(20000);
	CHECK(pthread_cancel(other) == 0);
	CHECK(pthread_join(other, &result) == 0 && result == PTHREAD_CANCELED);
}

static void a_storm_changes_nothing(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	pid_t self = getpid();
	char byte = 0;

	hits = 0;
	handle(SIGALRM, count, SA_RESTART);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 20000 || hits < 50; i++) {
		CHECK(getpid() == self && syscall(SYS_getpid) == self);
		CHECK(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1);
		CHECK(byte == (char)i);
		byte++;
	}
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

/* A page with: mov $39, %eax; syscall; ret */
static void code_is_made(void)
{
	static const unsigned char code[] = { 0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*made)(void);

	CHECK(page != MAP_FAILED);
	memcpy(page, code, sizeof(code));
	CHECK(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
	memcpy(&made, &page, sizeof(made));
	CHECK(made() == getpid());
	CHECK(write(2, "code\n", 5) == 5 && read(0, page, 1) == 0);
}

int main(int argc, char **argv)
{
	(void)argv;
	CHECK(pipe(ends) == 0);
	if (argc > 1) {
		code_is_made();
		return 40;
	}
	calls_are_interrupted(SIGRTMAX);
	calls_are_interrupted(SIGUSR1);
	frames_are_as_ever();
	faults_are_repaired();
	children_are_made();
	threads_are_cancelled();
	a_storm_changes_nothing();
	return 40;
}

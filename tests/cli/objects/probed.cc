// SPDX-License-Identifier: BSD-2-Clause
// A program to be probed. What it prints tells whether it did what it does alone.
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdexcept>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBED extern "C" __attribute__((noinline, noclone, used))

// What STAP_PROBE2() of <sys/sdt.h> leaves.
unsigned short step_semaphore __attribute__((section(".probes"), used));
__asm__(".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
	".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n.popsection\n");
#define STEP(a, b)                                                                              \
	__asm__ volatile("990: nop\n.pushsection .note.stapsdt,\"\",\"note\"\n.balign 4\n"          \
			 ".4byte 992f-991f,994f-993f,3\n991: .asciz \"stapsdt\"\n992: .balign 4\n"   \
			 "993: .8byte 990b\n.8byte _.stapsdt.base\n.8byte step_semaphore\n"           \
			 ".asciz \"probed\"\n.asciz \"step\"\n.asciz \"-8@%0 -8@%1\"\n"                \
			 "994: .balign 4\n.popsection" : : "nor"((long)(a)), "nor"((long)(b)))

PROBED long work(long n)
{
	__asm__ volatile("" : "+r"(n) : : "memory");
	return n * 3 + 1;
}

PROBED long watched_leaf(long n)
{
	if (n % 3 == 0)
		throw std::runtime_error("three");
	return work(n);
}

PROBED long watched_middle(long n)
{
	struct noisy {
		long *count;
		~noisy() { ++*count; }
	};
	static long destroyed;
	noisy local = { &destroyed };

	return watched_leaf(n) + destroyed * 0 + (local.count ? 1 : 0);
}

PROBED long watched_catcher(long n)
{
	try {
		return watched_middle(n);
	} catch (const std::runtime_error &e) {
		if (n % 6 == 0)
			throw;
		return -n;
	}
}

static void do_throw()
{
	long sum = 0, caught = 0;

	for (long i = 1; i <= 300; i++) {
		try {
			sum += watched_catcher(i);
		} catch (const std::exception &e) {
			caught += strlen(e.what());
		}
		sum += watched_catcher(1);
	}
	printf("%ld %ld\n", sum, caught);
}

static jmp_buf out;

PROBED long watched_jump(long n)
{
	char room[64];

	memset(room, (int)n, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
	if (n == 0)
		longjmp(out, 1);
	return watched_jump(n - 1) + room[0];
}

static void do_longjmp()
{
	volatile long jumps = 0;

	for (volatile long i = 0; i < 500; i++) {
		if (setjmp(out) == 0)
			watched_jump(i % 7);
		else
			jumps++;
		jumps += work(1) - 4;
	}
	printf("%ld\n", (long)jumps);
}

PROBED long watched_last(long n) { return n + 5; }
PROBED __attribute__((optimize("O2"))) long watched_tail(long n) { return watched_last(n * 2); }

static void do_tail()
{
	long sum = 0;

	for (long i = 0; i < 100; i++)
		sum += watched_tail(i);
	printf("%ld\n", sum);
}

static volatile long handled;
static sigjmp_buf back;

PROBED void watched_handler(int) { handled = handled + 1; work(handled); }
PROBED void watched_fault(int) { siglongjmp(back, 1); }
PROBED long watched_spin(long until)
{
	long n = 0;

	while (handled < until)
		n += work(1) == 4;
	return n > 0;
}

static void do_signal()
{
	struct itimerval every = { { 0, 500 }, { 0, 500 } }, never = {};
	volatile long faults = 0;

	signal(SIGALRM, watched_handler);
	setitimer(ITIMER_REAL, &every, nullptr);
	long spun = watched_spin(200);
	setitimer(ITIMER_REAL, &never, nullptr);
	signal(SIGSEGV, watched_fault);
	for (int i = 0; i < 50; i++) {
		if (sigsetjmp(back, 1) == 0)
			*(volatile char *)8 = 1;
		faults = faults + 1;
	}
	printf("%ld %ld\n", spun, (long)faults);
}

static void do_library(const char *path)
{
	long sum = 0;

	for (int round = 0; round < 3; round++) {
		void *library = dlopen(path, RTLD_NOW);
		auto function = library ? (long (*)(long))dlsym(library, "in_library") : nullptr;

		if (!function)
			exit(3);
		for (long i = 0; i < 10; i++)
			sum += function(i);
		dlclose(library);
	}
	printf("%ld\n", sum);
}

static void do_step()
{
	for (long i = 0; i < 10; i++)
		STEP(i, i * 2);
	printf("%s\n", step_semaphore ? "watched" : "alone");
}

static void *thread(void *)
{
	long sum = 0;

	for (long i = 0; i < 20000; i++)
		sum += work(i);
	return (void *)sum;
}

static void do_threads()
{
	pthread_t threads[4];
	long sum = 0;

	for (auto &t : threads)
		pthread_create(&t, nullptr, thread, nullptr);
	for (auto &t : threads) {
		void *result;

		pthread_join(t, &result);
		sum += (long)result;
	}
	printf("%ld\n", sum);
}

PROBED long watched_trace(long depth)
{
	void *frames[64];

	if (depth > 0)
		return watched_trace(depth - 1) + (work(depth) & 0);
	return backtrace(frames, 64);
}

static void do_fork()
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit((int)work(i));
		waitpid(pid, &status, 0);
		printf("%d ", WEXITSTATUS(status));
	}
	printf("\n");
}

static void do_wait()
{
	long sum = 0;

	for (char c; read(0, &c, 1) == 1;)
		for (long i = 0; i < 100; i++)
			sum += work(i);
	printf("%ld %02x\n", sum, *(unsigned char *)work);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "throw"))
		do_throw();
	else if (!strcmp(what, "longjmp"))
		do_longjmp();
	else if (!strcmp(what, "tail"))
		do_tail();
	else if (!strcmp(what, "signal"))
		do_signal();
	else if (!strcmp(what, "library"))
		do_library(argv[2]);
	else if (!strcmp(what, "step"))
		do_step();
	else if (!strcmp(what, "threads"))
		do_threads();
	else if (!strcmp(what, "trace"))
		printf("%ld\n", watched_trace(5));
	else if (!strcmp(what, "fork"))
		do_fork();
	else if (!strcmp(what, "wait"))
		do_wait();
	return getenv("PROBED_FAILS") ? 1 : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples of CPU time: where it goes is where they are, and the application notices none. */
#include "gate_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <time.h>

/* All CPU clocks are looked at 100 times a second at least: no period is below that. */
enum { SAMPLES = 1 << 16, MS = 1000000, PERIOD = 10 * MS };

struct seen {
	uint64_t ip, sp, nr;
	uint32_t tid, pid;
};

/* In shared memory: children are sampled too. */
static struct {
	uint64_t period;
	uint32_t count, missed;
	struct seen at[SAMPLES];
} *samples;

#pragma GCC push_options
#pragma GCC target("general-regs-only")
static void keep_sample(struct target_thread *thread, struct target_regs *regs, uint32_t missed)
{
	uint32_t at = __atomic_fetch_add(&samples->count, 1, __ATOMIC_RELAXED) % SAMPLES;

	__atomic_fetch_add(&samples->missed, missed, __ATOMIC_RELAXED);
	samples->at[at] = (struct seen){ regs->ip, regs->sp, regs->orig_ax, thread->tid,
					 thread->pid };
}
#pragma GCC pop_options

static int setup(void **state)
{
	(void)state;
	samples = mmap(NULL, sizeof(*samples), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	counts_init();
	test_ops.sample = keep_sample;
	test_ops.sample_ns = &samples->period;
	return gate_start(&test_ops);
}

/* The calling thread learns of it with its next call that is looked at. */
static void sample_every(uint64_t ns)
{
	samples->period = ns;
	want(SYS_getppid);
	syscall(SYS_getppid);
	want_nothing();
	samples->count = samples->missed = 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static uint32_t timers_of_process(void)
{
	char text[4096], *at = text;
	int fd = open("/proc/self/timers", O_RDONLY);
	ssize_t size = read(fd, text, sizeof(text) - 1);
	uint32_t count = 0;

	close(fd);
	text[size > 0 ? size : 0] = '\0';
	for (; (at = strstr(at, "notify: ")); at++)
		count++;
	return count;
}

static bool can_count_timers(void)
{
	return access("/proc/self/timers", R_OK) == 0;
}

/* Samples and missed ones are the CPU time, by the clock that decides it. */
static void assert_samples_are(uint64_t ns)
{
	uint64_t told = samples->count + samples->missed, due = ns / samples->period;

	if (told + 3 + due / 50 < due || told > due + 3 + due / 50)
		fail_msg("%u samples and %u missed in %llu periods", samples->count,
			 samples->missed, (unsigned long long)due);
	assert_true(samples->count > 0);
}

/* --- functions that need time, each in a section of its own --- */

#define HOT(name) __attribute__((noinline, noclone, section("hot_" #name)))
#define IN(name, ip) ((ip) >= (uintptr_t)__start_hot_##name && (ip) < (uintptr_t)__stop_hot_##name)
extern const char __start_hot_often[], __stop_hot_often[], __start_hot_rare[], __stop_hot_rare[];

#define BODY                                                        \
	do {                                                        \
		for (uint64_t i = 0; i < rounds; i++)               \
			__asm__ volatile("imul %0, %0" : "+r"(x));  \
	} while (0)

HOT(often) static uint64_t often(uint64_t rounds, uint64_t x)
{
	BODY;
	return x;
}

HOT(rare) static uint64_t rare(uint64_t rounds, uint64_t x)
{
	BODY;
	return x;
}

static void three_to_one(uint64_t ns)
{
	uint64_t start = cpu_ns();

	while (cpu_ns() - start < ns) {
		often(3000000, 3);
		rare(1000000, 3);
	}
}

static uint32_t seen_in_often(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < samples->count; i++)
		count += IN(often, samples->at[i].ip);
	return count;
}

static uint32_t seen_in_rare(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < samples->count; i++)
		count += IN(rare, samples->at[i].ip);
	return count;
}

/* 150 samples of two places with 3:1: four deviations are 14% of all. */
static void sample__shares_are_those_of_the_time(void **state)
{
	uint64_t start = cpu_ns();
	double share;

	(void)state;
	sample_every(PERIOD);
	three_to_one(1500ull * MS);
	assert_samples_are(cpu_ns() - start);
	share = (double)seen_in_often() / (seen_in_often() + seen_in_rare());
	print_message("%u samples, %u missed; %.1f%% of %u in the one\n", samples->count,
		      samples->missed, 100 * share, seen_in_often() + seen_in_rare());
	assert_true(share > 0.61 && share < 0.89);
	sample_every(0);
}

static void sample__there_are_none_when_none_are_wanted(void **state)
{
	(void)state;
	sample_every(PERIOD);
	three_to_one(50 * MS);
	assert_true(samples->count > 0);
	sample_every(0);
	three_to_one(50 * MS);
	assert_int_equal(samples->count, 0);
	if (can_count_timers())
		assert_int_equal(timers_of_process(), 0);
}

/* --- system calls --- */

/* The registers are the caller's, whose stack is walked from them. */
static void spend_in_calls(uint32_t *outside)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	static char bytes[1 << 20];
	uint64_t start = cpu_ns();
	int fd = open("/dev/zero", O_RDONLY);

	samples->count = samples->missed = 0;
	while (cpu_ns() - start < 400 * MS)
		assert_int_equal(syscall(SYS_read, fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	assert_samples_are(cpu_ns() - start);
	*outside = 0;
	for (uint32_t i = 0; i < samples->count; i++)
		if (samples->at[i].sp > here || here - samples->at[i].sp > 4096 ||
		    (samples->at[i].ip >= (uintptr_t)__start_skep_agent_text &&
		     samples->at[i].ip < (uintptr_t)__stop_skep_agent_text))
			(*outside)++;
}

static void sample__time_in_a_call_is_the_callers(void **state)
{
	uint32_t outside;

	(void)state;
	for (int wanted = 0; wanted < 2; wanted++) {
		uint32_t in_call = 0;

		sample_every(PERIOD);
		if (wanted)
			want(SYS_read);
		spend_in_calls(&outside);
		want_nothing();
		for (uint32_t i = 0; i < samples->count; i++)
			in_call += memcmp((const char *)samples->at[i].ip - 2, "\x0f\x05", 2) == 0;
		print_message("%u samples, %u missed, %u of them in calls\n", samples->count,
			      samples->missed, in_call);
		assert_int_equal(outside, 0);
		assert_true(in_call * 2 > samples->count);
	}
	sample_every(0);
}

/* As a patched site calls. */
long patched_call(long nr, long a, const void *b, long c);
__asm__(".text\n"
	".globl patched_call\n"
	"patched_call:\n"
	"	mov %rdi, %rax\n	mov %rsi, %rdi\n	mov %rdx, %rsi\n	mov %rcx, %rdx\n"
	"	lea 1f(%rip), %rcx\n"
	"	jmp gate_entry\n"
	"	.byte 0x0f, 0x05\n"
	"1:	ret\n");

/* Ticks that meet the gate itself, at a place where it knows no registers, are rare. */
static void sample__calls_from_patched_sites_lose_few(void **state)
{
	uint64_t start, calls = 100000;

	(void)state;
	start = cpu_ns();
	for (uint64_t i = 0; i < calls; i++)
		patched_call(SYS_getuid, 0, NULL, 0);
	calls = calls * 1500 * MS / (cpu_ns() - start + 1);
	sample_every(PERIOD);
	start = cpu_ns();
	/* No other call comes between. */
	for (uint64_t i = 0; i < calls; i++)
		patched_call(SYS_getuid, 0, NULL, 0);
	assert_samples_are(cpu_ns() - start);
	print_message("%u samples, %u missed\n", samples->count, samples->missed);
	assert_true(samples->count > samples->missed);
	sample_every(0);
}

/* Every kind of call that can be interrupted, in threads that are always about to be sampled. */
static int to_nobody[2];

static int a_poll(void)
{
	return poll(&(struct pollfd){ .fd = to_nobody[0], .events = POLLIN }, 1, 1);
}

static int a_select(void)
{
	return select(0, NULL, NULL, NULL, &(struct timeval){ .tv_usec = 500 });
}

static int a_nanosleep(void)
{
	return nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static int a_futex(void)
{
	int word = 0;
	long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0,
			      &(struct timespec){ .tv_nsec = 100000 }, NULL, 0);

	return result < 0 && errno == ETIMEDOUT ? 0 : (int)result;
}

static int an_epoll_wait(void)
{
	static int epoll = -1;

	if (epoll < 0)
		epoll = epoll_create1(EPOLL_CLOEXEC);
	return epoll_wait(epoll, &(struct epoll_event){ 0 }, 1, 1);
}

static int a_write_and_read(void)
{
	static char bytes[1 << 15];
	int ends[2], bad;

	if (pipe(ends) < 0)
		return -1;
	bad = write(ends[1], bytes, sizeof(bytes)) != sizeof(bytes) ||
	      read(ends[0], bytes, sizeof(bytes)) != sizeof(bytes);
	close(ends[0]);
	close(ends[1]);
	return bad ? -1 : 0;
}

static void *call_all(void *until)
{
	static int (*const calls[])(void) = {
		a_poll, a_select, a_nanosleep, a_futex, an_epoll_wait, a_write_and_read,
	};
	uintptr_t bad = 0;
	uint64_t start = cpu_ns();

	while (cpu_ns() - start < (uint64_t)(uintptr_t)until)
		for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
			bad += calls[i]() != 0;
			often(200000, 3);
		}
	return (void *)bad;
}

static void sample__no_call_is_interrupted(void **state)
{
	pthread_t threads[3];
	void *bad;

	(void)state;
	assert_int_equal(pipe(to_nobody), 0);
	sample_every(1 * MS);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, call_all, (void *)(uintptr_t)(300 * MS));
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &bad);
		assert_int_equal((uintptr_t)bad, 0);
	}
	assert_true(samples->count > 30);
	sample_every(0);
}

/* A sample that meets a call in its sleep, as after a stop: made like the kernel's. */
static siginfo_t sample_like_the_kernels(void)
{
	siginfo_t info = { .si_code = SI_TIMER };
	char line[128];
	FILE *file = fopen("/proc/self/timers", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "signal: 64/%p", &info.si_value.sival_ptr) == 1)
			break;
	assert_non_null(file);
	fclose(file);
	assert_non_null(info.si_value.sival_ptr);
	return info;
}

/* In vain, if the thread has just ended. */
static void send_sample(pid_t tid, siginfo_t info)
{
	syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGNAL_AGENT, &info);
}

static long sleep_in_pause(void)
{
	return pause();
}

static long sleep_in_select(void)
{
	return select(to_nobody[0], NULL, NULL, NULL, NULL);
}

static long sleep_in_suspend(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	return sigsuspend(&mask);
}

static long sleep_in_ppoll(void)
{
	sigset_t mask;

	sigfillset(&mask);
	sigdelset(&mask, SIGUSR1);
	return ppoll(NULL, 0, NULL, &mask);
}

static long sleep_in_poll(void)
{
	return poll(NULL, 0, -1);
}

static long sleep_until(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 100;
	return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

static long sleep_in_read(void)
{
	char byte;

	return read(to_nobody[0], &byte, 1);
}

static long sleep_in_futex(void)
{
	int word = 0;

	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* For a time that counts from the beginning of the call: 100 s, or what is left of a test. */
static struct timespec a_while = { .tv_sec = 100 };

static long sleep_a_while(void)
{
	return nanosleep(&a_while, NULL);
}

static long sleep_by_clock(void)
{
	return clock_nanosleep(CLOCK_BOOTTIME, 0, &a_while, NULL) ? -1 : 0;
}

static long sleep_in_timed_poll(void)
{
	return poll(&(struct pollfd){ .fd = to_nobody[0], .events = POLLIN }, 1,
		    (int)(a_while.tv_sec * 1000 + a_while.tv_nsec / MS));
}

static long sleep_in_timed_futex(void)
{
	int word = 0;
	long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &a_while, NULL, 0);

	return result < 0 && errno == ETIMEDOUT ? 0 : result;
}

struct sleeper {
	long (*sleep)(void);
	atomic_int tid, back;
	atomic_long result;
};

static void *sleeper_main(void *arg)
{
	struct sleeper *sleeper = arg;

	sleeper->tid = (int)syscall(SYS_gettid);
	sleeper->result = sleeper->sleep();
	sleeper->back = 1;
	return NULL;
}

/* Its kernel stack is not ours to read; its state is. */
static bool sleeps(pid_t tid)
{
	char path[64], text[256] = "", *after;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	after = file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	if (file)
		fclose(file);
	return after && after[2] == 'S';
}

static void wait_asleep(const struct sleeper *sleeper)
{
	for (int in_row = 0, i = 0; in_row < 5 && i < 2000; i++, usleep(1000))
		in_row = sleeper->tid && sleeps(sleeper->tid) ? in_row + 1 : 0;
}

static void on_wake(int sig)
{
	(void)sig;
}

static void sample__a_call_that_it_meets_goes_on(void **state)
{
	static long (*const rows[])(void) = {
		sleep_in_pause, sleep_in_select, sleep_in_suspend, sleep_in_ppoll, sleep_until,
		sleep_in_read, sleep_in_futex,
		/* those wait on: */
		sleep_in_poll, sleep_a_while, sleep_by_clock, sleep_in_timed_poll,
		sleep_in_timed_futex,
	};
	enum { REPEATED = 7 };
	struct sigaction wake = { .sa_handler = on_wake };
	siginfo_t sample;

	(void)state;
	if (!can_count_timers())
		skip();
	sigaction(SIGUSR1, &wake, NULL);
	sample_every(PERIOD);
	sample = sample_like_the_kernels();
	for (int row = 0; row < 2 * (int)(sizeof(rows) / sizeof(*rows)); row++) {
		struct sleeper sleeper = { .sleep = rows[row / 2] };
		pthread_t thread;

		if (row % 2) /* with an exit hook, too */
			memset(counts->wanted, 0xff, sizeof(counts->wanted));
		pthread_create(&thread, NULL, sleeper_main, &sleeper);
		wait_asleep(&sleeper);
		samples->count = 0;
		for (int i = 0; i < 3; i++) {
			if (sleeper.back)
				fail_msg("row %d: interrupted by sample %d", row, i);
			send_sample(sleeper.tid, sample);
			usleep(2000);
			wait_asleep(&sleeper);
		}
		if (row / 2 < REPEATED) /* before others wait on no program runs */
			assert_true(samples->count > 0);
		if (sleeper.back)
			fail_msg("row %d: interrupted", row);
		while (!sleeper.back) {
			pthread_kill(thread, SIGUSR1); /* and its own signals still end it */
			usleep(1000);
		}
		assert_true(sleeper.result < 0);
		pthread_join(thread, NULL);
		want_nothing();
	}
	signal(SIGUSR1, SIG_DFL);
	sample_every(0);
}

static long (*const timed[])(void) = {
	sleep_a_while, sleep_by_clock, sleep_in_timed_poll, sleep_in_timed_futex,
};
enum { TIMED = sizeof(timed) / sizeof(*timed) };

/* With samples that come faster than it passes: begun anew each time it would never end. */
static void sample__a_time_to_wait_passes_once(void **state)
{
	siginfo_t sample;

	(void)state;
	if (!can_count_timers())
		skip();
	a_while = (struct timespec){ .tv_nsec = 100 * MS };
	sample_every(PERIOD);
	sample = sample_like_the_kernels();
	for (int row = 0; row < 2 * TIMED; row++) {
		struct sleeper sleeper = { .sleep = timed[row / 2] };
		struct timespec from, to;
		pthread_t thread;

		if (row % 2)
			memset(counts->wanted, 0xff, sizeof(counts->wanted));
		clock_gettime(CLOCK_MONOTONIC, &from);
		pthread_create(&thread, NULL, sleeper_main, &sleeper);
		while (!sleeper.tid)
			usleep(100);
		for (int i = 0; !sleeper.back && i < 10000; i++) {
			send_sample(sleeper.tid, sample);
			usleep(1000);
		}
		assert_true(sleeper.back);
		assert_int_equal(sleeper.result, 0);
		pthread_join(thread, NULL);
		clock_gettime(CLOCK_MONOTONIC, &to);
		assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / MS >= 99);
		want_nothing();
	}
	a_while = (struct timespec){ .tv_sec = 100 };
	sample_every(0);
}

static atomic_int flooding, woken;

static void on_counted_wake(int sig)
{
	(void)sig;
	woken++;
}

struct flood {
	const struct sleeper *sleeper;
	siginfo_t sample;
};

static void *flood_main(void *arg)
{
	const struct flood *flood = arg;

	while (flooding)
		if (flood->sleeper->tid && !flood->sleeper->back)
			send_sample(flood->sleeper->tid, flood->sample);
	return NULL;
}

/* Wherever a sample is on its way, the application's own signal interrupts the call once. */
static void sample__an_own_signal_interrupts_among_samples(void **state)
{
	struct sigaction wake = { .sa_handler = on_counted_wake };

	(void)state;
	if (!can_count_timers())
		skip();
	sigaction(SIGUSR1, &wake, NULL);
	sample_every(PERIOD);
	for (int round = 0; round < 12 * TIMED; round++) {
		struct sleeper sleeper = { .sleep = timed[round % TIMED] };
		struct flood flood = { &sleeper, sample_like_the_kernels() };
		pthread_t thread, sender;

		woken = 0;
		flooding = 1;
		if (round / TIMED % 2)
			memset(counts->wanted, 0xff, sizeof(counts->wanted));
		pthread_create(&thread, NULL, sleeper_main, &sleeper);
		pthread_create(&sender, NULL, flood_main, &flood);
		while (!sleeper.tid)
			usleep(100);
		usleep((useconds_t)(2000 + round * 13 % 500));
		assert_false(sleeper.back);
		pthread_kill(thread, SIGUSR1);
		for (int i = 0; !sleeper.back && i < 10000; i++)
			usleep(1000);
		flooding = 0;
		assert_true(sleeper.back);
		assert_int_equal(sleeper.result, -1);
		assert_int_equal(woken, 1);
		pthread_join(sender, NULL);
		pthread_join(thread, NULL);
		want_nothing();
	}
	signal(SIGUSR1, SIG_DFL);
	sample_every(0);
}

/* The real thing: a sample is due as a thread goes to sleep, which then is stopped. */
static void sleep_and_count(int rounds)
{
	struct timespec left = { .tv_nsec = 3 * MS };
	int word = 0, bad = 0;

	sample_every(1 * MS);
	for (int i = 0; i < rounds; i++) {
		often(3000000, 3);
		bad += nanosleep(&left, NULL) != 0;
		bad += poll(NULL, 0, 3) != 0;
		bad += syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &left, NULL, 0) == 0 ||
		       errno != ETIMEDOUT;
	}
	_exit(bad > 100 ? 100 : bad);
}

static void sample__a_stop_interrupts_no_call(void **state)
{
	int status, stops = 0;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0)
		sleep_and_count(300);
	while (waitpid(child, &status, WNOHANG) == 0) {
		kill(child, SIGSTOP);
		waitpid(child, &status, WUNTRACED);
		kill(child, SIGCONT);
		usleep(1000);
		stops++;
		if (!WIFSTOPPED(status))
			break;
	}
	assert_true(stops > 50);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- threads and processes --- */

static void *burn(void *ns)
{
	three_to_one((uint64_t)(uintptr_t)ns);
	return NULL;
}

static void sample__each_thread_has_its_own_until_it_ends(void **state)
{
	pthread_t threads[6];
	uint32_t own[6] = { 0 }, tids[6] = { 0 }, known = 0;

	(void)state;
	sample_every(PERIOD);
	for (int i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, burn, (void *)(uintptr_t)(150 * MS));
	while (can_count_timers() && timers_of_process() < 2)
		usleep(1000);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < samples->count; i++) {
		uint32_t at = 0;

		if (samples->at[i].tid == (uint32_t)getpid())
			continue;
		while (at < known && tids[at] != samples->at[i].tid)
			at++;
		assert_in_range(at, 0, 5);
		if (at == known)
			tids[known++] = samples->at[i].tid;
		own[at]++;
	}
	assert_int_equal(known, 6);
	for (int i = 0; i < 6; i++)
		assert_in_range(own[i] + samples->missed, 10, 16 + samples->missed);
	/* The end of the last one is just behind its join. */
	for (int i = 0; can_count_timers() && i < 1000 && timers_of_process() > 1; i++)
		usleep(1000);
	if (can_count_timers())
		assert_int_equal(timers_of_process(), 1);
	sample_every(0);
}

static void sample__a_forked_child_is_sampled_and_an_exec_ends_it(void **state)
{
	uint32_t of_child = 0;
	int status;
	pid_t child;

	(void)state;
	sample_every(PERIOD);
	child = fork();
	if (child == 0) {
		three_to_one(200 * MS);
		/* It would die of a signal that nobody handles. */
		execl("/bin/sh", "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 7",
		      NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	for (uint32_t i = 0; i < samples->count; i++)
		of_child += samples->at[i].pid == (uint32_t)child;
	assert_in_range(of_child + samples->missed, 15, 25 + samples->missed);
	three_to_one(50 * MS);
	assert_true(samples->count > of_child);
	sample_every(0);
}

/* A sandbox that dies of a call is not to die of ours. */
static void forbid(int from, int to)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)from, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)to, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(2);
}

static void sample__none_is_taken_where_a_filter_forbids(void **state)
{
	static const int rows[][2] = {
		{ SYS_timer_create, SYS_timer_delete }, { SYS_rt_sigreturn, SYS_rt_sigreturn },
	};

	(void)state;
	for (int row = 0; row < 2; row++) {
		int status;
		pid_t child;

		sample_every(PERIOD);
		counts->asides = 0;
		child = fork();
		if (child == 0) {
			pthread_t thread;

			three_to_one(50 * MS);
			forbid(rows[row][0], rows[row][1]);
			samples->count = 0;
			three_to_one(100 * MS);
			pthread_create(&thread, NULL, burn, (void *)(uintptr_t)(50 * MS));
			pthread_join(thread, NULL);
			_exit(samples->count == 0 ? 3 : 4);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 3);
		assert_true(counts->asides > 0);
		assert_int_equal(counts->aside, GATE_ASIDE_TIMER);
	}
	sample_every(0);
}

/* --- the application's own use of that signal --- */

static volatile sig_atomic_t own_signals, foreign_signals;

static void on_own(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	if (info->si_code == SI_TIMER && info->si_value.sival_int == 4711)
		own_signals++;
	else
		foreign_signals++;
}

static void sample__the_application_has_its_signals_and_timers(void **state)
{
	struct sigaction action = { .sa_sigaction = on_own, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMAX,
				  .sigev_value.sival_int = 4711 };
	struct itimerspec every = { { 0, 5 * MS }, { 0, 5 * MS } };
	sigset_t own, old;
	timer_t timer;
	int before;

	(void)state;
	sample_every(PERIOD);
	sigaction(SIGRTMAX, &action, NULL);
	assert_int_equal(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &every, NULL), 0);
	three_to_one(300 * MS);
	assert_in_range(own_signals + timer_getoverrun(timer), 1, 70);
	assert_true(own_signals > 10);
	assert_int_equal(foreign_signals, 0);
	assert_true(samples->count > 10);
	/* Blocked, none comes; samples do. */
	sigemptyset(&own);
	sigaddset(&own, SIGRTMAX);
	pthread_sigmask(SIG_BLOCK, &own, &old);
	before = own_signals;
	samples->count = 0;
	three_to_one(100 * MS);
	assert_int_equal(own_signals, before);
	assert_true(samples->count > 5);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	timer_delete(timer);
	signal(SIGRTMAX, SIG_DFL);
	assert_int_equal(foreign_signals, 0);
	sample_every(0);
}

static atomic_int own_wakes;

static void on_own_wake(int sig)
{
	(void)sig;
	own_wakes++;
}

/* Whether a handler of that signal ends a call is the handler's to say, not ours. */
static void sample__the_signal_ends_calls_as_its_handler_says(void **state)
{
	(void)state;
	if (!can_count_timers())
		skip();
	sample_every(PERIOD);
	for (int row = 0; row < 4; row++) {
		struct sigaction action = { .sa_handler = on_own_wake,
					    .sa_flags = row & 1 ? SA_RESTART : 0 };
		struct sleeper sleeper = { .sleep = sleep_in_read };
		siginfo_t sample = sample_like_the_kernels();
		pthread_t thread;

		if (row & 2)
			memset(counts->wanted, 0xff, sizeof(counts->wanted));
		sigaction(SIGRTMAX, &action, NULL);
		own_wakes = 0;
		pthread_create(&thread, NULL, sleeper_main, &sleeper);
		for (int i = 0; i < 3; i++) {
			wait_asleep(&sleeper);
			assert_false(sleeper.back);
			send_sample(sleeper.tid, sample);
		}
		wait_asleep(&sleeper);
		assert_int_equal(own_wakes, 0);
		pthread_kill(thread, SIGRTMAX);
		while (!own_wakes)
			usleep(1000);
		if (row & 1) {
			wait_asleep(&sleeper);
			assert_false(sleeper.back);
			assert_int_equal(write(to_nobody[1], "x", 1), 1);
		}
		pthread_join(thread, NULL);
		assert_int_equal(sleeper.result, row & 1 ? 1 : -1);
		assert_int_equal(own_wakes, 1);
		want_nothing();
	}
	signal(SIGRTMAX, SIG_DFL);
	sample_every(0);
}

/* --- the end --- */

static void sample__none_comes_after_the_gate_was_left(void **state)
{
	pthread_t threads[3];

	(void)state;
	sample_every(1 * MS);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, burn, (void *)(uintptr_t)(200 * MS));
	usleep(20000);
	assert_int_equal(gate_stop(), 0);
	if (can_count_timers())
		assert_int_equal(timers_of_process(), 0);
	samples->count = 0;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	three_to_one(50 * MS);
	assert_int_equal(samples->count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample__shares_are_those_of_the_time),
		cmocka_unit_test(sample__there_are_none_when_none_are_wanted),
		cmocka_unit_test(sample__time_in_a_call_is_the_callers),
		cmocka_unit_test(sample__calls_from_patched_sites_lose_few),
		cmocka_unit_test(sample__no_call_is_interrupted),
		cmocka_unit_test(sample__a_call_that_it_meets_goes_on),
		cmocka_unit_test(sample__a_time_to_wait_passes_once),
		cmocka_unit_test(sample__an_own_signal_interrupts_among_samples),
		cmocka_unit_test(sample__a_stop_interrupts_no_call),
		cmocka_unit_test(sample__each_thread_has_its_own_until_it_ends),
		cmocka_unit_test(sample__a_forked_child_is_sampled_and_an_exec_ends_it),
		cmocka_unit_test(sample__none_is_taken_where_a_filter_forbids),
		cmocka_unit_test(sample__the_application_has_its_signals_and_timers),
		cmocka_unit_test(sample__the_signal_ends_calls_as_its_handler_says),
		cmocka_unit_test(sample__none_comes_after_the_gate_was_left),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

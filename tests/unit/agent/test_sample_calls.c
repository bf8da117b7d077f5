/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples that meet system calls: the application does not notice, and its own signals do end calls. */
#include "sample_test.h"

#include <linux/futex.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>

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

/* Of all processes of this user, which have a limit together. */
static unsigned signals_queued(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned queued = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "SigQ: %u/", &queued) == 1)
			break;
	if (file)
		fclose(file);
	return queued;
}

/* So fast that some always wait, and not so that others find no room for their timers. */
static void *flood_main(void *arg)
{
	const struct flood *flood = arg;

	while (flooding) {
		for (int i = 0; i < 64; i++)
			if (flood->sleeper->tid && !flood->sleeper->back)
				send_sample(flood->sleeper->tid, flood->sample);
		while (flooding && signals_queued() > 256)
			sched_yield();
	}
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

/* --- the application's own use of the signal --- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample__no_call_is_interrupted),
		cmocka_unit_test(sample__a_call_that_it_meets_goes_on),
		cmocka_unit_test(sample__a_time_to_wait_passes_once),
		cmocka_unit_test(sample__an_own_signal_interrupts_among_samples),
		cmocka_unit_test(sample__a_stop_interrupts_no_call),
		cmocka_unit_test(sample__the_signal_ends_calls_as_its_handler_says),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

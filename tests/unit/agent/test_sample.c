/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples of CPU time: where it goes is where they are, in every thread and process. */
#include "sample_test.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

/* Samples and missed ones are the CPU time, by the clock that decides it. */
static void assert_samples_are(uint64_t ns)
{
	uint64_t told = samples->count + samples->missed, due = ns / samples->period;

	if (told + 3 + due / 50 < due || told > due + 3 + due / 50)
		fail_msg("%u samples and %u missed in %llu periods", samples->count,
			 samples->missed, (unsigned long long)due);
	assert_true(samples->count > 0);
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
		cmocka_unit_test(sample__each_thread_has_its_own_until_it_ends),
		cmocka_unit_test(sample__a_forked_child_is_sampled_and_an_exec_ends_it),
		cmocka_unit_test(sample__none_is_taken_where_a_filter_forbids),
		cmocka_unit_test(sample__the_application_has_its_signals_and_timers),
		cmocka_unit_test(sample__none_comes_after_the_gate_was_left),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

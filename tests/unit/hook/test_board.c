/* SPDX-License-Identifier: BSD-2-Clause */
/* test_board.c - what programs attached to each kind of place see, with made-up events. */
#include "../machine/bss.h"
#include "../object/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <skep/link.h>

#include "btf/btf.h"
#include "hook/attach.h"
#include "map/memory.h"
#include "map/owner.h"

struct row {
	uint64_t count, order;
	uint64_t values[6];
	char text[32];
};

enum { ROWS = 24, OPENAT = 257, CLOSE = 3, SETUID = 105, PRCTL = 157 };

struct bench {
	struct skep_object *object;
	struct skep_machine *machine;
	struct skep_diag *diag;
	struct board *board;
	struct task_facts facts;
	struct row rows[ROWS];
};

static const enum skep_engine engines[] = { SKEP_ENGINE_INTERPRETER, SKEP_ENGINE_JIT };

/* Loads the programs named; a list that ends with NULL. */
static struct bench bench_new(enum skep_engine engine, const char *fixture,
			      const char *const *names)
{
	struct skep_machine_opts opts = { .engine = engine, .cpus = 4 };
	struct bench b = { .object = fixture_open(fixture), .diag = skep_diag_new(),
			   .facts = { .tid = (uint32_t)gettid(), .pid = (uint32_t)getpid() } };

	for (size_t i = 0; i < skep_object_prog_count(b.object); i++)
		skep_object_prog_set_autoload(skep_object_prog_at(b.object, i), false);
	for (; *names; names++)
		skep_object_prog_set_autoload(prog_named(b.object, *names), true);
	b.machine = skep_machine_new(&opts, b.diag);
	assert_non_null(b.machine);
	if (skep_machine_load(b.machine, b.object, NULL, b.diag) < 0)
		fail_msg("%s", skep_diag_text(b.diag, 0));
	return b;
}

static void bench_free(struct bench *b)
{
	skep_machine_free(b->machine);
	skep_object_free(b->object);
	skep_diag_free(b->diag);
}

static struct skep_link *attach(struct bench *b, const char *name)
{
	struct skep_link_opts opts = { .cookie = 77 };
	struct skep_link *link = skep_link_attach(b->machine, prog_named(b->object, name), &opts,
						  b->diag);

	if (!link)
		fail_msg("%s: %s", name, skep_diag_text(b->diag, 0));
	b->board = machine_board(b->machine);
	return link;
}

static const struct row *row(struct bench *b, unsigned index)
{
	bss_variable(b->machine, b->object, "rows", b->rows, sizeof(b->rows), false);
	return &b->rows[index];
}

static struct target_regs openat_regs(void)
{
	return (struct target_regs){ .orig_ax = OPENAT, .ax = OPENAT, .di = (uint64_t)-100,
				     .si = 0x1234, .dx = 0x8000, .r10 = 0644, .r8 = 5, .r9 = 6,
				     .ip = 0x401000, .sp = 0x7ff000 };
}

#define assert_values(row, n, ...)                                                            \
	do {                                                                                  \
		const uint64_t wanted_[] = { __VA_ARGS__ };                                   \
		assert_int_equal((row)->count, n);                                            \
		for (size_t v_ = 0; v_ < ARRAY_SIZE(wanted_); v_++)                           \
			assert_int_equal((row)->values[v_], wanted_[v_]);                     \
	} while (0)

/* --- system calls --- */

static void board__a_call_is_seen_in_every_form_and_in_linux_order(void **state)
{
	static const char *const names[] = { "probe_return", "probe", "by_call_return", "by_call",
					     "pattern", "tp_exit", "tp_enter", "raw_exit",
					     "raw_enter", "tp_raw_enter", "tp_raw_exit", NULL };

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_new(engines[e], FIXTURE("attach"), names);
		struct target_regs regs = openat_regs();
		uint64_t orders[9];
		char name[16];

		for (size_t i = 0; names[i]; i++)
			attach(&b, names[i]);
		assert_true(board_wants(b.board, OPENAT));
		assert_true(hook_sys_enter(b.board, &b.facts, &regs));
		assert_int_equal(regs.ax, (uint64_t)-38);
		hook_sys_exit(b.board, &b.facts, &regs, 7);
		assert_int_equal(regs.ax, 7);
		prctl(PR_GET_NAME, name);
		assert_values(row(&b, 0), 1, OPENAT, (uint64_t)-100, 0x1234, 0x8000, 0644,
			      (uint64_t)getpid() << 32 | gettid());
		assert_string_equal(b.rows[0].text, name);
		assert_values(&b.rows[1], 1, OPENAT, 7);
		assert_values(&b.rows[2], 1, OPENAT, 0x1234, (uint64_t)-38);
		assert_values(&b.rows[3], 1, 7, OPENAT);
		assert_values(&b.rows[4], 1, 0x1234, 77);
		assert_values(&b.rows[5], 1, 7);
		assert_values(&b.rows[6], 1, 0644);
		assert_values(&b.rows[7], 1, 7);
		assert_values(&b.rows[8], 1, 0);
		assert_values(&b.rows[9], 1, OPENAT, 6);
		assert_values(&b.rows[10], 1, 7);
		/* sys_enter, sys_enter_openat, the function in, and out, sys_exit, sys_exit_openat */
		orders[0] = b.rows[2].order, orders[1] = b.rows[9].order;
		orders[2] = b.rows[0].order, orders[3] = b.rows[6].order;
		orders[4] = b.rows[7].order, orders[5] = b.rows[3].order;
		orders[6] = b.rows[10].order, orders[7] = b.rows[1].order;
		for (size_t i = 1; i < 8; i++)
			assert_true(orders[i - 1] < orders[i]);
		bench_free(&b);
	}
}

static bool kernel_has_types(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

static void board__typed_programs_see_arguments_and_results(void **state)
{
	static const char *const names[] = { "typed_enter", "entered", "left", "modify",
					     "typed_exit", "typed_exec", NULL };

	(void)state;
	if (!kernel_has_types()) {
		print_message("the running kernel tells no types\n");
		skip();
	}
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_new(engines[e], FIXTURE("typed"), names);
		struct target_regs regs = openat_regs();
		uint64_t stack[] = { 2, 1, 1, 0, 1, 0 };

		for (size_t i = 0; names[i]; i++)
			attach(&b, names[i]);
		assert_true(hook_sys_enter(b.board, &b.facts, &regs));
		hook_sys_exit(b.board, &b.facts, &regs, -2);
		assert_values(row(&b, 0), 1, OPENAT, 0x1234);
		assert_values(&b.rows[1], 1, 0x1234, 1, 1, (uint64_t)-22);
		assert_values(&b.rows[2], 1, (uint64_t)-2, OPENAT, (uint64_t)-2);
		regs.orig_ax = CLOSE;
		/* Of the program's int, the register has no more. */
		assert_false(hook_sys_enter(b.board, &b.facts, &regs));
		assert_int_equal(regs.ax, (uint32_t)-13);
		assert_int_equal(row(&b, 3)->count, 1);
		hook_exit(b.board, &b.facts, &regs, &(struct task_end){ .code = 3 << 8, .whole = true });
		assert_values(row(&b, 4), 1, (uint64_t)gettid(), 3 << 8);
		regs.sp = (uintptr_t)stack;
		hook_exec(b.board, &b.facts, &regs, "/bin/true", gettid());
		assert_values(row(&b, 5), 1, 2);
		bench_free(&b);
	}
}

static void board__a_program_may_decide_the_result(void **state)
{
	static const char *const names[] = { "override", "raw_exit", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct target_regs regs = { .orig_ax = CLOSE };

	(void)state;
	attach(&b, "override");
	attach(&b, "raw_exit");
	assert_false(hook_sys_enter(b.board, &b.facts, &regs));
	assert_int_equal(regs.ax, (uint64_t)-5);
	hook_sys_exit(b.board, &b.facts, &regs, (int64_t)regs.ax);
	assert_values(row(&b, 3), 1, (uint64_t)-5, CLOSE);
	regs.orig_ax = OPENAT;
	assert_true(hook_sys_enter(b.board, &b.facts, &regs));
	bench_free(&b);
}


static void board__only_what_is_waited_for_is_wanted(void **state)
{
	static const char *const names[] = { "tp_enter", "raw_exit", "tp_signal", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct skep_link *opens, *all, *signals;

	(void)state;
	assert_false(board_wants(NULL, OPENAT));
	opens = attach(&b, "tp_enter");
	assert_true(board_wants(b.board, OPENAT));
	assert_false(board_wants(b.board, CLOSE));
	assert_false(board_wants(b.board, 62));
	assert_true(board_wants(b.board, PRCTL)); /* it may change the thread's name */
	assert_true(board_wants(b.board, SETUID));
	assert_false(board_wants(b.board, 100000));
	signals = attach(&b, "tp_signal");
	assert_true(board_wants(b.board, 62));
	all = attach(&b, "raw_exit");
	assert_true(board_wants(b.board, CLOSE));
	assert_true(board_wants(b.board, 100000));
	skep_link_detach(all);
	assert_false(board_wants(b.board, CLOSE));
	skep_link_detach(opens);
	assert_false(board_wants(b.board, OPENAT));
	assert_true(board_wants(b.board, 62));
	skep_link_detach(signals);
	for (uint32_t nr = 0; nr < 600; nr++)
		assert_false(board_wants(b.board, nr));
	bench_free(&b);
}

static void board__a_detached_program_runs_no_more(void **state)
{
	static const char *const names[] = { "tp_enter", "probe", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct target_regs regs = openat_regs();
	struct skep_link *first = attach(&b, "tp_enter"), *second = attach(&b, "tp_enter");
	struct skep_link_info one, two;

	(void)state;
	skep_link_info(first, &one);
	skep_link_info(second, &two);
	assert_int_not_equal(one.id, two.id);
	assert_string_equal(one.target, "syscalls/sys_enter_openat");
	assert_int_equal(one.places, 1);
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_int_equal(row(&b, 0)->count, 2);
	skep_link_detach(first);
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_int_equal(row(&b, 0)->count, 3);
	skep_link_detach(second);
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_int_equal(row(&b, 0)->count, 3);
	skep_link_detach(NULL);
	bench_free(&b);
}

static void board__calls_past_the_table_are_seen_by_raw_programs(void **state)
{
	static const char *const names[] = { "raw_enter", "raw_exit", "tp_enter", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct target_regs regs = { .orig_ax = 100000 };

	(void)state;
	for (size_t i = 0; names[i]; i++)
		attach(&b, names[i]);
	assert_true(hook_sys_enter(b.board, &b.facts, &regs));
	hook_sys_exit(b.board, &b.facts, &regs, -38);
	assert_values(row(&b, 2), 1, 100000);
	assert_values(&b.rows[3], 1, (uint64_t)-38);
	assert_int_equal(b.rows[0].count, 0);
	bench_free(&b);
}

/* --- processes --- */

/* Links of this process. */
static unsigned own_links(const struct bench *b)
{
	const struct board *board = b->machine->world->board;
	uint64_t self = owner_self(memory_owners(b->machine->memory));
	unsigned count = 0;

	board_lock(b->machine);
	for (uint32_t nr = 0; nr < BOARD_CALLS; nr++)
		for (uint32_t stage = 0; stage < CALL_STAGES; stage++)
			for (uint32_t i = 0; board->call[nr][stage] && i < board->call[nr][stage]->count; i++)
				count += board->call[nr][stage]->links[i].owner == self;
	board_unlock(b->machine);
	return count;
}

/* One of several processes of a machine; the last is killed in the middle of it. */
static void attach_and_detach_often(struct bench *b, int rounds)
{
	while (rounds-- > 0) {
		struct skep_link *link = attach(b, "tp_enter");

		if (own_links(b) == 0)
			_exit(1);
		skep_link_detach(link);
		if (own_links(b) != 0)
			_exit(2);
	}
	_exit(0);
}

static void board__processes_that_attach_at_once_lose_nothing(void **state)
{
	static const char *const names[] = { "tp_enter", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct skep_link *link = attach(&b, "tp_enter");
	const struct board *board = b.machine->world->board;
	pid_t pids[4];
	int status;

	(void)state;
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			attach_and_detach_often(&b, i == 3 ? INT32_MAX : 3000);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	kill(pids[3], SIGKILL);
	assert_int_equal(waitpid(pids[3], &status, 0), pids[3]);
	skep_link_detach(link);
	skep_link_detach(attach(&b, "tp_enter")); /* sweeps */
	for (uint32_t nr = 0; nr < BOARD_CALLS; nr++)
		for (uint32_t stage = 0; stage < CALL_STAGES; stage++)
			assert_null(board->call[nr][stage]);
	assert_int_equal(board->links, 0);
	bench_free(&b);
}

static void board__exec_fork_and_exit_are_laid_out_as_on_linux(void **state)
{
	static const char *const names[] = { "tp_exec", "raw_exec", "tp_fork", "raw_fork",
					     "tp_end", "raw_end", NULL };

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_new(engines[e], FIXTURE("attach"), names);
		uint64_t stack[] = { 3, 1, 1, 1, 0, 1, 1, 0 };
		struct target_regs regs = { .sp = (uintptr_t)stack };
		int me = gettid();

		for (size_t i = 0; names[i]; i++)
			attach(&b, names[i]);
		prctl(PR_SET_NAME, "forker");
		hook_exec(b.board, &b.facts, &regs, "/usr/bin/env", 4321);
		assert_values(row(&b, 11), 1, (uint64_t)me, 4321, sizeof("/usr/bin/env"));
		assert_string_equal(b.rows[11].text, "/usr/bin/env");
		assert_values(&b.rows[12], 1, (uint64_t)me, 4321, 3, 2);
		assert_string_equal(b.rows[12].text, "/usr/bin/env");
		hook_fork(b.board, &b.facts, &regs, 5555, false);
		assert_values(row(&b, 13), 1, (uint64_t)me, 5555);
		assert_string_equal(b.rows[13].text, "forker");
		assert_string_equal(b.rows[13].text + 16, "forker");
		assert_values(&b.rows[14], 1, 5555, 5555, (uint64_t)me, 1);
		hook_fork(b.board, &b.facts, &regs, 5556, true);
		assert_values(row(&b, 14), 2, 5556, (uint64_t)getpid(), (uint64_t)getppid(), 0);
		hook_exit(b.board, &b.facts, &regs, &(struct task_end){ .code = 9, .killed = true });
		assert_values(row(&b, 15), 1, (uint64_t)me, 120 + (uint64_t)getpriority(PRIO_PROCESS, 0), 1);
		assert_string_equal(b.rows[15].text, "forker");
		assert_values(&b.rows[16], 1, 9, 1);
		bench_free(&b);
	}
}

static void board__an_interrupted_call_is_left_with_what_the_kernel_makes_eintr_of(void **state)
{
	static const char *const names[] = { "raw_exit", NULL };
	static const struct {
		uint32_t nr;
		uint64_t si, r10;
		int64_t seen;
		int fd;
	} calls[] = {
		{ SYS_read, 0, 0, -512, 0 }, { SYS_pause, 0, 0, -514, 0 },
		{ SYS_poll, 0, 0, -516, 0 }, { SYS_epoll_wait, 0, 0, -EINTR, 0 },
		{ SYS_futex, 128, 0, -512, 0 }, { SYS_futex, 128, 1, -516, 0 },
		{ SYS_futex, 137, 0, -512, 0 }, { SYS_futex, 137, 1, -516, 0 },
		{ SYS_read, 0, 0, -EINTR, 1 }, { SYS_accept4, 0, 0, -EINTR, 1 },
		{ SYS_write, 0, 0, -512, 1 }, { SYS_connect, 0, 0, -EINTR, 2 },
		{ SYS_sendmsg, 0, 0, -EINTR, 2 }, { SYS_recvfrom, 0, 0, -512, 2 },
		{ SYS_clock_nanosleep, 0, 0, -516, 0 }, { SYS_clock_nanosleep, 1, 0, -514, 0 },
	};
	const struct timeval limit = { .tv_usec = 1 };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	int fds[] = { -1, -1, -1 }; /* by the calls' fd: none, and sockets that limit one way */

	(void)state;
	attach(&b, "raw_exit");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, &fds[1]), 0);
	assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(setsockopt(fds[2], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct target_regs regs = { .orig_ax = calls[i].nr, .si = calls[i].si,
					    .r10 = calls[i].r10,
					    .di = (uint64_t)fds[calls[i].fd] };

		hook_sys_exit(b.board, &b.facts, &regs, -EINTR);
		assert_values(row(&b, 3), i + 1, (uint64_t)calls[i].seen, calls[i].nr);
		assert_int_equal(regs.ax, (uint64_t)-EINTR);
	}
	close(fds[1]);
	close(fds[2]);
	bench_free(&b);
}

static void board__rt_sigreturn_restores_that_there_is_no_call(void **state)
{
	static const char *const names[] = { "raw_exit", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct target_regs regs = { .orig_ax = SYS_rt_sigreturn };

	(void)state;
	attach(&b, "raw_exit");
	hook_sys_exit(b.board, &b.facts, &regs, -EINTR);
	assert_values(row(&b, 3), 1, (uint64_t)-EINTR, UINT64_MAX);
	bench_free(&b);
}

static void board__signals_that_calls_send_are_told_once(void **state)
{
	static const char *const names[] = { "tp_signal", "raw_signal", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct target_regs regs = { .orig_ax = 62, .di = (uint64_t)getpid(), .si = SIGUSR1 };
	struct hook_signal own = { .sig = SIGSEGV, .code = 1, .pid = gettid() };

	(void)state;
	attach(&b, "tp_signal");
	attach(&b, "raw_signal");
	/* to itself: told before the call */
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_values(row(&b, 17), 1, SIGUSR1, (uint64_t)getpid(), 1, 0);
	hook_sys_exit(b.board, &b.facts, &regs, 0);
	assert_int_equal(row(&b, 17)->count, 1);
	/* to another: only when it was sent */
	regs.di = (uint64_t)getppid();
	hook_sys_enter(b.board, &b.facts, &regs);
	hook_sys_exit(b.board, &b.facts, &regs, -1);
	assert_int_equal(row(&b, 17)->count, 1);
	hook_sys_enter(b.board, &b.facts, &regs);
	hook_sys_exit(b.board, &b.facts, &regs, 0);
	assert_values(row(&b, 17), 2, SIGUSR1, (uint64_t)getppid(), 1, 0);
	assert_values(&b.rows[18], 2, SIGUSR1, 0, (uint64_t)getppid());
	/* tgkill(pid, tid, sig) */
	regs = (struct target_regs){ .orig_ax = 234, .di = 1, .si = (uint64_t)gettid(), .dx = 12 };
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_values(row(&b, 17), 3, 12, (uint64_t)gettid(), 0, (uint64_t)-6);
	/* signal 0 only asks */
	regs = (struct target_regs){ .orig_ax = 62, .di = (uint64_t)getpid() };
	hook_sys_enter(b.board, &b.facts, &regs);
	hook_signal(b.board, &b.facts, &regs, &own);
	assert_values(row(&b, 17), 4, SIGSEGV, (uint64_t)gettid(), 0, 1);
	bench_free(&b);
}

static void board__samples_are_taken_at_one_rate(void **state)
{
	static const char *const names[] = { "sample", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct skep_link_opts often = { .sample_hz = 1000 }, too_often = { .sample_hz = 1000000 };
	struct target_regs regs = { .ip = 0x401234 };
	struct skep_link *link = attach(&b, "sample");

	(void)state;
	assert_int_equal(b.board->sample_ns, 1000000000 / 99);
	hook_sample(b.board, &b.facts, &regs, b.board->sample_ns);
	assert_values(row(&b, 21), 1, 0x401234, 1000000000 / 99);
	assert_null(skep_link_attach(b.machine, prog_named(b.object, "sample"), &often, b.diag));
	assert_reported(b.diag, SKEP_ARG);
	skep_link_detach(link);
	assert_int_equal(b.board->sample_ns, 0);
	skep_diag_clear(b.diag);
	assert_null(skep_link_attach(b.machine, prog_named(b.object, "sample"), &too_often, b.diag));
	assert_non_null(skep_link_attach(b.machine, prog_named(b.object, "sample"), &often, b.diag));
	assert_int_equal(b.board->sample_ns, 1000000);
	bench_free(&b);
}

static void board__whether_there_is_a_place_is_known_before_loading(void **state)
{
	static const char *const names[] = { "tp_enter", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);

	(void)state;
	assert_int_equal(skep_link_check(prog_named(b.object, "raw_exit"), NULL, b.diag), 0);
	assert_int_equal(skep_link_check(prog_named(b.object, "sample"), NULL, b.diag), 0);
	assert_int_equal(skep_diag_count(b.diag), 0);
	assert_true(skep_link_check(prog_named(b.object, "no_such_function"), NULL, b.diag) < 0);
	assert_reported(b.diag, SKEP_ATTACH_PLACE);
	bench_free(&b);
}

/* --- what is known of a thread --- */

static void board__a_new_name_is_seen_after_the_call_that_gives_it(void **state)
{
	static const char *const names[] = { "tp_enter", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct target_regs regs = openat_regs(), rename = { .orig_ax = PRCTL };

	(void)state;
	attach(&b, "tp_enter");
	prctl(PR_SET_NAME, "before");
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_string_equal(row(&b, 0)->text, "before");
	/* behind the gate's back: what is known stays */
	prctl(PR_SET_NAME, "after");
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_string_equal(row(&b, 0)->text, "before");
	hook_sys_exit(b.board, &b.facts, &rename, 0);
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_string_equal(row(&b, 0)->text, "after");
	/* without facts the kernel is asked each time */
	prctl(PR_SET_NAME, "asked");
	hook_sys_enter(b.board, NULL, &regs);
	assert_string_equal(row(&b, 0)->text, "asked");
	bench_free(&b);
}

/* --- what is refused --- */

static void refuse(struct bench *b, const char *name, enum skep_code code, const char *says)
{
	struct skep_link *link;

	skep_diag_clear(b->diag);
	link = skep_link_attach(b->machine, prog_named(b->object, name), NULL, b->diag);
	assert_null(link);
	assert_reported(b->diag, code);
	if (!strstr(skep_diag_text(b->diag, 0), says))
		fail_msg("%s: %s", name, skep_diag_text(b->diag, 0));
}

static void board__what_cannot_be_attached_says_why(void **state)
{
	static const char *const names[] = { "greedy", "greedy_raw", "writes", "writable",
					     "other_name", "no_such_tracepoint",
					     "no_such_function", "no_such_thing", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct target_regs regs = openat_regs();
	struct skep_link_opts opts = { .place = "syscalls/sys_enter_newstat" };

	(void)state;
	refuse(&b, "greedy", SKEP_ATTACH_CONTEXT, "reads up to byte 32 of its context");
	refuse(&b, "greedy_raw", SKEP_ATTACH_CONTEXT, "'sys_enter' has 16");
	refuse(&b, "writes", SKEP_ATTACH_CONTEXT, "none that programs may write");
	refuse(&b, "other_name", SKEP_ATTACH_CALL, "__x64_sys_stat");
	refuse(&b, "no_such_tracepoint", SKEP_ATTACH_PLACE, "tracepoint/net/net_dev_queue");
	refuse(&b, "no_such_function", SKEP_ATTACH_PLACE, "kprobe/tcp_connect");
	refuse(&b, "no_such_thing", SKEP_ATTACH_PLACE, "section 'xdp'");
	refuse(&b, "tp_enter", SKEP_ARG, "not loaded");
	skep_diag_clear(b.diag);
	assert_non_null(skep_link_attach(b.machine, prog_named(b.object, "other_name"), &opts,
					 b.diag));
	attach(&b, "writable");
	hook_sys_enter(b.board, &b.facts, &regs);
	assert_values(row(&b, 20), 1, OPENAT);
	bench_free(&b);
}

/* Events inside a program, as from a signal handler or a helper, are missed. */
static void board__an_event_inside_a_program_is_missed_and_counted(void **state)
{
	static const char *const names[] = { "tp_enter", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct target_regs regs = openat_regs();
	struct skep_link_counts counts;
	struct skep_prog_info info;
	struct vcpu *cpu;

	(void)state;
	attach(&b, "tp_enter");
	cpu = vcpu_take(b.machine->vcpus);
	assert_non_null(cpu);
	hook_sys_enter(b.board, &b.facts, &regs);
	vcpu_give(cpu);
	skep_machine_link_counts(b.machine, &counts);
	assert_int_equal(counts.missed_inside, 1);
	assert_int_equal(counts.missed_busy, 0);
	assert_int_equal(row(&b, 0)->count, 0);
	skep_prog_info(skep_machine_prog(b.machine, prog_named(b.object, "tp_enter")), &info);
	assert_int_equal(info.missed, 1);
	bench_free(&b);
}

/* --- many at a time --- */

struct hammer {
	struct bench *b;
	bool stop;
	uint64_t calls;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	struct task_facts facts = { .tid = (uint32_t)gettid(), .pid = (uint32_t)getpid() };
	struct target_regs regs = openat_regs();

	while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED)) {
		hook_sys_enter(h->b->board, &facts, &regs);
		hook_sys_exit(h->b->board, &facts, &regs, 0);
		h->calls++;
	}
	return NULL;
}

static void board__programs_come_and_go_while_calls_are_made(void **state)
{
	static const char *const names[] = { "tp_exit", "probe", "raw_exit", NULL };
	struct bench b = bench_new(SKEP_ENGINE_AUTO, FIXTURE("attach"), names);
	struct hammer hammers[3] = { { .b = &b }, { .b = &b }, { .b = &b } };
	pthread_t threads[3];

	(void)state;
	attach(&b, "tp_exit");
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, hammer, &hammers[i]);
	for (unsigned i = 0; i < 2000; i++) {
		struct skep_link *one = attach(&b, "probe"), *two = attach(&b, "raw_exit");

		skep_link_detach(one);
		skep_link_detach(two);
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		__atomic_store_n(&hammers[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(threads[i], NULL);
	}
	assert_true(row(&b, 1)->count > 0);
	bench_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(board__a_call_is_seen_in_every_form_and_in_linux_order),
		cmocka_unit_test(board__typed_programs_see_arguments_and_results),
		cmocka_unit_test(board__a_program_may_decide_the_result),
		cmocka_unit_test(board__only_what_is_waited_for_is_wanted),
		cmocka_unit_test(board__a_detached_program_runs_no_more),
		cmocka_unit_test(board__calls_past_the_table_are_seen_by_raw_programs),
		cmocka_unit_test(board__processes_that_attach_at_once_lose_nothing),
		cmocka_unit_test(board__exec_fork_and_exit_are_laid_out_as_on_linux),
		cmocka_unit_test(board__an_interrupted_call_is_left_with_what_the_kernel_makes_eintr_of),
		cmocka_unit_test(board__rt_sigreturn_restores_that_there_is_no_call),
		cmocka_unit_test(board__signals_that_calls_send_are_told_once),
		cmocka_unit_test(board__samples_are_taken_at_one_rate),
		cmocka_unit_test(board__whether_there_is_a_place_is_known_before_loading),
		cmocka_unit_test(board__a_new_name_is_seen_after_the_call_that_gives_it),
		cmocka_unit_test(board__what_cannot_be_attached_says_why),
		cmocka_unit_test(board__an_event_inside_a_program_is_missed_and_counted),
		cmocka_unit_test(board__programs_come_and_go_while_calls_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Holding threads, as far as others may notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook/hold.h"
#include "hook/trace.h"

static pid_t *grandchild;

/* Waits for a child of its own, and says in its status how that ended. */
static pid_t parent_start(void)
{
	pid_t pid = fork(), child;
	int status = 0;

	if (pid != 0)
		return pid;
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	__atomic_store_n(grandchild, child, __ATOMIC_RELEASE);
	_exit(waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : 1);
}

/* Until its tracer has seen that, its parent waits on. */
static void trace__who_is_killed_while_it_is_held_is_over_for_its_parent(void **state)
{
	struct trace_event event;
	pid_t parent, child;
	int status = 0;

	(void)state;
	grandchild = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(grandchild, MAP_FAILED);
	parent = parent_start();
	while ((child = __atomic_load_n(grandchild, __ATOMIC_ACQUIRE)) == 0)
		usleep(1000);
	assert_int_equal(trace_seize(child), 0);
	assert_int_equal(trace_interrupt(child), 0);
	assert_int_equal(trace_wait(child, true, &event), 0);
	kill(child, SIGKILL);
	trace_detach(child, 0);
	trace_settle_for(60000);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(WEXITSTATUS(status), SIGKILL);
	munmap(grandchild, 4096);
}

static void trace__a_text_of_mappings_is_as_the_process_reads_it(void **state)
{
	struct text text = { 0 };

	(void)state;
	assert_int_equal(trace_maps(getpid(), &text), 0);
	assert_int_equal(text.items[text.count - 1], '\0');
	assert_non_null(strstr(text.items, "test_hook_trace"));
	assert_non_null(strstr(text.items, "[stack]\n"));
	free(text.items);
	assert_int_equal(trace_status(getpid(), "Pid:"), getpid());
	assert_int_equal(trace_status(getpid(), "Nothing:"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trace__who_is_killed_while_it_is_held_is_over_for_its_parent),
		cmocka_unit_test(trace__a_text_of_mappings_is_as_the_process_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

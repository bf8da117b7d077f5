/* SPDX-License-Identifier: BSD-2-Clause */
/* follow_test.h - a machine with a follower, commands that it starts, and processes that run already. */
#ifndef FOLLOW_TEST_H
#define FOLLOW_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "helper/vm.h"
#include "hook/board.h"
#include "hook/follow.h"
#include "hook/targets.h"
#include "map/memory.h"

static struct memory *memory;
static struct vm_world *world;
static struct targets *targets;
static struct follower *follower;
static int arena_file;

static inline int setup(void **state)
{
	int error;

	(void)state;
	memory = memory_create_at(-1, NULL, 1 << 30, &arena_file, &error);
	assert_non_null(memory);
	world = memory_alloc(memory, sizeof(*world), 64);
	world->memory = memory;
	world->vcpus = vcpu_set_new(memory, 8);
	world->board = memory_alloc(memory, sizeof(*world->board), 64);
	targets = targets_new(memory, world);
	assert_non_null(targets);
	follower = follower_new(memory, targets, arena_file, &error);
	if (!follower)
		fail_msg("follower: %s", strerror(-error));
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	follower_free(follower);
	memory_free(memory);
	close(arena_file);
	return 0;
}

#define spawn(...) spawn_argv((const char *const[]){ __VA_ARGS__, NULL })
static inline pid_t spawn_argv(const char *const *argv)
{
	return follower_spawn(follower, (char *const *)(uintptr_t)argv);
}

static inline int finish(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* The program of that name beside this one; skips the test where it was not built. */
static inline const char *target(const char *name)
{
	static char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *end;

	assert_true(size > 0);
	path[size] = '\0';
	end = strrchr(path, '/') + 1;
	sprintf(end, "agent/target_%s", name);
	if (access(path, X_OK) < 0) {
		print_message("no compiler made %s\n", path);
		skip();
	}
	return path;
}

struct running {
	pid_t pid;
	FILE *out;
};

static pid_t running_now;

/* After a failure too. */
static inline int running_teardown(void **state)
{
	(void)state;
	if (running_now) {
		kill(running_now, SIGKILL);
		waitpid(running_now, NULL, 0);
	}
	running_now = 0;
	return 0;
}

static inline struct running running_start_as(const char *name, const char *argument)
{
	const char *path = target(name);
	struct running running;
	char line[16];
	int out[2];

	assert_int_equal(pipe(out), 0);
	running.pid = fork();
	if (running.pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		execl(path, path, argument, (char *)NULL);
		_exit(127);
	}
	running_now = running.pid;
	close(out[1]);
	running.out = fdopen(out[0], "r");
	assert_non_null(fgets(line, sizeof(line), running.out));
	return running;
}

static inline struct running running_start(void)
{
	return running_start_as("threads", NULL);
}

static inline void running_check(struct running *running)
{
	char line[256] = "";

	kill(running->pid, SIGUSR1);
	if (!fgets(line, sizeof(line), running->out)) {
		running_now = 0;
		fail_msg("it ended: status 0x%x", (unsigned)finish(running->pid));
	}
	assert_string_equal(line, "ok\n");
}

static inline void running_end(struct running *running)
{
	kill(running->pid, SIGTERM);
	running_now = 0;
	assert_int_equal(finish(running->pid), 0);
	fclose(running->out);
}

static inline bool has_agent(pid_t pid)
{
	char path[64], line[512];
	bool found = false;
	FILE *file;

	sprintf(path, "/proc/%d/maps", (int)pid);
	file = fopen(path, "r");
	while (fgets(line, sizeof(line), file))
		found |= strstr(line, "skep-a") != NULL; /* agent, arena */
	fclose(file);
	return found;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lodger own|as-is COMMAND...: runs it as the first process of a pid namespace, made in this
 * process's memory, as Go's runtime does. own: in a user namespace of its own too.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[65536] __attribute__((aligned(16)));

static int child(void *command)
{
	char **argv = command;

	execvp(argv[0], argv);
	_exit(126);
}

int main(int argc, char **argv)
{
	int flags = CLONE_VM | CLONE_VFORK | CLONE_NEWPID | SIGCHLD, status = 0;
	pid_t pid;

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "own") == 0)
		flags |= CLONE_NEWUSER;
	pid = clone(child, stack + sizeof(stack), flags, argv + 2);
	getpid(); /* whose is this again */
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 77;
	return WEXITSTATUS(status);
}

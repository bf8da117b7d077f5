/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target that starts a program from a vfork: by trying each of its arguments, or, if
 * the first is "traced", as a debugger does. Status 0: the child did what it should.
 */
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child stops at its exec, and goes on. */
static int see_through(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		if (WSTOPSIG(status) != 5 || ptrace(PTRACE_CONT, pid, 0, 0) < 0)
			return 2; /* it saw another signal than the trap of its exec */
	return status;
}

int main(int argc, char **argv)
{
	int traced = argc > 1 && strcmp(argv[1], "traced") == 0, status = 1;
	pid_t pid = vfork();

	if (pid == 0) {
		if (traced)
			ptrace(PTRACE_TRACEME, 0, 0, 0);
		for (int i = 1 + traced; i < argc; i++)
			execl(argv[i], argv[i], (char *)NULL);
		execl("/bin/true", "true", (char *)NULL);
		_exit(9);
	}
	if (traced)
		return see_through(pid);
	return waitpid(pid, &status, 0) == pid ? status : 3;
}

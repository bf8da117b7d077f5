/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interrupted.c - see interrupted.h.
 *
 * The kernel begins most calls again by itself. A few of those that wait return EINTR when
 * a thread is stopped, handler or not; strace and gdb let programs see that. They have done
 * nothing yet, so that beginning them again is the same as having waited on.
 */
#include "hook/interrupted.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/base.h"
#include "hook/trace.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* Where EINTR says that nothing has been done: what waits for events, and what waits for data
 * with a time limit of the socket's. */
static const uint16_t repeatable[] = {
	SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_semop, SYS_semtimedop,
	SYS_rt_sigtimedwait, SYS_io_getevents, SYS_io_pgetevents, SYS_read, SYS_readv, SYS_recvfrom,
	SYS_recvmsg, SYS_write, SYS_writev, SYS_sendto, SYS_sendmsg, SYS_accept, SYS_accept4,
};

static bool is_repeatable(uint64_t nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(repeatable); i++)
		if (repeatable[i] == nr)
			return true;
	return false;
}

/* A signal that waits for the thread and is not blocked may be what the call ended for. */
static bool has_signal(pid_t tid)
{
	unsigned long long own = 0, shared = 0, blocked = 0;
	char path[40], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	file = fopen(path, "re");
	if (!file)
		return true; /* what is not known is left alone */
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "SigPnd: %llx", &own);
		sscanf(line, "ShdPnd: %llx", &shared);
		if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
			break;
	}
	fclose(file);
	return ((own | shared) & ~blocked) != 0;
}

bool interrupted_is(const struct user_regs_struct *regs)
{
	int64_t result = (int64_t)regs->rax;

	return (int64_t)regs->orig_rax >= 0 && result <= -INTERRUPTED_SYS &&
	       result >= -INTERRUPTED_BLOCK;
}

int interrupted_repair(pid_t tid)
{
	struct user_regs_struct regs;
	int error = trace_regs_read(tid, &regs);

	if (error < 0 || (int64_t)regs.rax != -EINTR || !is_repeatable(regs.orig_rax) ||
	    has_signal(tid))
		return error;
	regs.rax = (uint64_t)-INTERRUPTED_NOINTR;
	return trace_regs_write(tid, &regs);
}

void interrupted_begin_again(struct user_regs_struct *regs)
{
	/* Once it has gone on by that call, nobody knows what it was. */
	if ((int64_t)regs->rax == -INTERRUPTED_BLOCK && regs->orig_rax != SYS_restart_syscall)
		regs->rax = (uint64_t)-INTERRUPTED_NOINTR;
}

void interrupted_go_on(struct user_regs_struct *regs, int64_t to)
{
	if (to > 0)
		regs->rip = (uint64_t)to;
	else
		interrupted_begin_again(regs);
}

int interrupted_let_go(pid_t tid)
{
	struct user_regs_struct regs;
	int error = trace_regs_read(tid, &regs);

	if (error < 0)
		return error;
	interrupted_begin_again(&regs);
	return trace_regs_write(tid, &regs);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * finish.c - see finish.h. [runtime]
 */
#include "agent/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

#include "hook/probe.h"
#include "map/sys.h"

enum { FINISH_CALLS = 512 };

/* Since when there are locks of open files, which may be waited for too. */
#ifndef F_OFD_SETLKW
#define F_OFD_SETLKW 38
#endif

typedef bool finishes_fn(const struct target_regs *regs);

static bool always(const struct target_regs *regs)
{
	(void)regs;
	return true;
}

/* Neither a pipe nor a terminal, nor whatever else may have nothing to give for long. */
static bool is_at_hand(int64_t error, const struct stat *status)
{
	return error == 0 && (S_ISREG(status->st_mode) || S_ISDIR(status->st_mode) ||
			      S_ISBLK(status->st_mode));
}

static bool by_descriptor(const struct target_regs *regs)
{
	struct stat status;
	int64_t error = sys_call2(SYS_fstat, regs->di, &status);

	return is_at_hand(error, &status) || error == -EBADF;
}

/* What is opened; a file that is not there may be made, and does not wait. */
static bool by_path(int64_t dir, uint64_t path)
{
	struct stat status;
	int64_t error = sys_call4(SYS_newfstatat, dir, path, &status, 0);

	return is_at_hand(error, &status) || (error < 0 && error != -EPERM);
}

static bool by_path_first(const struct target_regs *regs)
{
	return by_path(AT_FDCWD, regs->di);
}

static bool by_path_second(const struct target_regs *regs)
{
	return by_path((int32_t)regs->di, regs->si);
}

static bool by_command(const struct target_regs *regs)
{
	return (uint32_t)regs->si != F_SETLKW && (uint32_t)regs->si != F_OFD_SETLKW;
}

static finishes_fn *const finishes[FINISH_CALLS] = {
#define FINISHES(name, fn) [SYS_##name] = fn,
#include "agent/finish.def"
#undef FINISHES
};

bool finish_is_certain(const struct target_regs *regs)
{
	finishes_fn *fn = regs->orig_ax < FINISH_CALLS ? finishes[regs->orig_ax] : NULL;

	return fn && fn(regs);
}

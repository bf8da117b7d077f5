/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - what the application's seccomp filters say of a call of ours. [runtime]
 *
 * Filters stay for good, so they are appended to one array and never taken away; a
 * filter that does not fit refuses everything.
 */
#include "agent/filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <skep/cbpf.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/fault.h"
#include "map/sys.h"

enum { FILTERS = 16, FILTER_INSNS = 8192 };

static struct skep_cbpf_insn insns[FILTER_INSNS];
static struct {
	uint32_t begin, count; /* count 0: refuses all */
} filters[FILTERS];
static uint32_t filter_count, insn_count;
static bool refuses_all;
static bool strict; /* the kernel knows four calls only */

_Static_assert(sizeof(struct skep_cbpf_insn) == sizeof(struct sock_filter), "copied as they are");

static const uint16_t needed[] = {
#define NEEDED(name) SYS_##name,
#include "hook/needed.def"
#undef NEEDED
};

static uint64_t mode_of(const struct target_regs *regs)
{
	if (regs->orig_ax == SYS_prctl)
		return regs->di == PR_SET_SECCOMP ? regs->si : 0;
	if (regs->orig_ax != SYS_seccomp)
		return 0;
	return regs->di == SECCOMP_SET_MODE_STRICT ? SECCOMP_MODE_STRICT :
	       regs->di == SECCOMP_SET_MODE_FILTER ? SECCOMP_MODE_FILTER : 0;
}

bool filter_is_install(const struct target_regs *regs)
{
	return mode_of(regs) != 0;
}

/* False: it cannot be read, or is too long for us. */
static bool add(uint64_t address)
{
	struct sock_fprog program;

	if (fault_copy(&program, (const void *)(uintptr_t)address, sizeof(program)) < 0 ||
	    program.len == 0 || program.len > FILTER_INSNS - insn_count || filter_count == FILTERS ||
	    fault_copy(&insns[insn_count], program.filter, program.len * sizeof(*insns)) < 0)
		return false;
	filters[filter_count].begin = insn_count;
	filters[filter_count].count = program.len;
	insn_count += program.len;
	filter_count++;
	return true;
}

/* It counts before it is there, as whatever comes behind the call may be ours. */
void filter_install(const struct target_regs *regs)
{
	uint64_t address = regs->dx;

	strict = mode_of(regs) == SECCOMP_MODE_STRICT;
	if (strict || !add(address))
		refuses_all = true;
	__atomic_store_n(&sys_filtered, true, __ATOMIC_RELEASE);
}

void filter_undo(void)
{
	strict = false;
	if (refuses_all) {
		refuses_all = false;
	} else if (filter_count > 0) {
		filter_count--;
		insn_count = filters[filter_count].begin;
	}
	__atomic_store_n(&sys_filtered, filter_count > 0, __ATOMIC_RELEASE);
}

/* The most severe action of all filters: the smallest, as a signed number. */
static int32_t judge(int64_t nr, const uint64_t arg[6], uint64_t ip)
{
	struct skep_cbpf_call call = { .nr = (int32_t)nr, .arch = AUDIT_ARCH_X86_64, .ip = ip };
	int32_t least = SECCOMP_RET_ALLOW;

	for (int i = 0; i < 6; i++)
		call.args[i] = arg[i];
	for (uint32_t i = 0; i < filter_count; i++) {
		uint32_t result = skep_cbpf_run_call(&insns[filters[i].begin], filters[i].count,
						     &call);
		int32_t action = (int32_t)(result & SECCOMP_RET_ACTION_FULL);

		least = action < least ? action : least;
	}
	return least;
}

bool filter_allows(int64_t nr, const uint64_t arg[6])
{
	if (refuses_all)
		return false;
	return judge(nr, arg, (uint64_t)(uintptr_t)filter_allows) == SECCOMP_RET_ALLOW;
}

/* A tracer or supervisor that is asked may let it pass. */
bool filter_passes(int64_t nr, const uint64_t arg[6], uint64_t ip)
{
	if (strict && nr != SYS_read && nr != SYS_write && nr != SYS_exit && nr != SYS_rt_sigreturn)
		return false;
	return judge(nr, arg, ip) > (int32_t)SECCOMP_RET_ERRNO;
}

bool filter_allows_all(void)
{
	static const uint64_t none[6];

	for (uint32_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (!filter_allows(needed[i], none))
			return false;
	return true;
}

bool filter_allows_sockets(void)
{
	const uint64_t pair[6] = { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC };
	const uint64_t receive[6] = { 0, 0, MSG_CMSG_CLOEXEC | MSG_DONTWAIT };

	return filter_allows(SYS_socketpair, pair) && filter_allows(SYS_recvmsg, receive);
}

bool sys_filtered;

int64_t sys_call_filtered(int64_t number, const uint64_t arg[6])
{
	return filter_allows(number, arg) ? sys_make(number, arg[0], arg[1], arg[2], arg[3], arg[4],
						     arg[5])
					  : -1; /* EPERM */
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.c - see sandbox.h.
 *
 * The kernel shows filters to those who may do everything. Others know this much: whoever has as
 * many filters as they have themselves has got them where they have got theirs, as all do in a
 * container, and may do what they may.
 */
#include "hook/sandbox.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <skep/cbpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "hook/trace.h"

enum { FILTERS_MAX = 64 };

/* Those that the agent does not need, it would make without asking all the same. */
static const uint16_t made[] = {
#define NEEDED(name) SYS_##name,
#include "hook/needed.def"
#undef NEEDED
	SYS_timer_create, SYS_timer_settime, SYS_timer_delete, SYS_newfstatat, SYS_fstat,
	SYS_getcpu, SYS_prlimit64, SYS_lseek, SYS_getdents64, SYS_clock_getres, SYS_membarrier,
};

static bool allows_call(const struct skep_cbpf_insn *insns, uint32_t count,
			struct skep_cbpf_call call)
{
	call.arch = AUDIT_ARCH_X86_64;
	return skep_cbpf_run_call(insns, count, &call) == SECCOMP_RET_ALLOW;
}

static bool allows_made(const struct skep_cbpf_insn *insns, uint32_t count)
{
	const struct skep_cbpf_call code = {
		.nr = SYS_mmap, .args = { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 3 },
	};
	bool allows = allows_call(insns, count, code);

	for (size_t i = 0; i < ARRAY_SIZE(made) && allows; i++)
		allows = allows_call(insns, count, (struct skep_cbpf_call){ .nr = made[i] });
	return allows;
}

enum look { LOOK_ALLOWS, LOOK_REFUSES, LOOK_NONE };

/* The filter at index, from the oldest on; none at 0: they are not shown to us. */
static enum look look_at_filter(pid_t tid, unsigned long index)
{
	long count = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, NULL);
	struct skep_cbpf_insn *insns;
	bool allows;

	if (count <= 0)
		return LOOK_NONE;
	insns = calloc((size_t)count, sizeof(*insns));
	allows = insns && ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, insns) == count &&
		 allows_made(insns, (uint32_t)count);
	free(insns);
	return allows ? LOOK_ALLOWS : LOOK_REFUSES;
}

bool sandbox_allows(pid_t tid)
{
	uint32_t mode = trace_status(tid, "Seccomp:"), count = trace_status(tid, "Seccomp_filters:");
	enum look look = LOOK_ALLOWS;
	unsigned seen = 0;

	if (mode != SECCOMP_MODE_FILTER)
		return mode == SECCOMP_MODE_DISABLED;
	while (seen < FILTERS_MAX && (look = look_at_filter(tid, seen)) == LOOK_ALLOWS)
		seen++;
	if (seen > 0 || look == LOOK_REFUSES)
		return look == LOOK_NONE;
	return count > 0 && count == trace_status(getpid(), "Seccomp_filters:");
}

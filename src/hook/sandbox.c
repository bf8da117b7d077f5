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

static const uint16_t needed[] = {
#define NEEDED(name) SYS_##name,
#include "hook/needed.def"
#undef NEEDED
};

/* It would make them without asking: they may fail, and no more. */
static const uint16_t made[] = {
#define MADE(name) SYS_##name,
#include "hook/made.def"
#undef MADE
};

static uint32_t answer_to(const struct skep_cbpf_insn *insns, uint32_t count,
			  struct skep_cbpf_call call)
{
	call.arch = AUDIT_ARCH_X86_64;
	return skep_cbpf_run_call(insns, count, &call) & SECCOMP_RET_ACTION_FULL;
}

static bool allows(uint32_t answer)
{
	return answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG;
}

static bool allows_agent(const struct skep_cbpf_insn *insns, uint32_t count)
{
	const struct skep_cbpf_call code = {
		.nr = SYS_mmap, .args = { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 3 },
	};
	bool good = allows(answer_to(insns, count, code));

	for (size_t i = 0; i < ARRAY_SIZE(needed) && good; i++)
		good = allows(answer_to(insns, count, (struct skep_cbpf_call){ .nr = needed[i] }));
	for (size_t i = 0; i < ARRAY_SIZE(made) && good; i++) {
		uint32_t answer = answer_to(insns, count, (struct skep_cbpf_call){ .nr = made[i] });

		good = allows(answer) || answer == SECCOMP_RET_ERRNO;
	}
	return good;
}

enum look { LOOK_ALLOWS, LOOK_REFUSES, LOOK_NONE };

/* The filter at index, from the oldest on; none at 0: they are not shown to us. */
static enum look look_at_filter(pid_t tid, unsigned long index)
{
	long count = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, NULL);
	struct skep_cbpf_insn *insns;
	bool good;

	if (count <= 0)
		return LOOK_NONE;
	insns = calloc((size_t)count, sizeof(*insns));
	good = insns && ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, insns) == count &&
	       allows_agent(insns, (uint32_t)count);
	free(insns);
	return good ? LOOK_ALLOWS : LOOK_REFUSES;
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

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.h - options and results of checking one program.
 *
 * Threads: confined.
 */
#ifndef SKEP_VERIFY_H
#define SKEP_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/btf.h>
#include <skep/diag.h>
#include <skep/observe.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum skep_verify_flags {
	SKEP_VERIFY_STRICT_ALIGNMENT = 1 << 0, /* BPF_F_STRICT_ALIGNMENT */
	SKEP_VERIFY_ANY_ALIGNMENT = 1 << 1,    /* BPF_F_ANY_ALIGNMENT */
	SKEP_VERIFY_RND_HI32 = 1 << 2,         /* BPF_F_TEST_RND_HI32 */
	SKEP_VERIFY_STATE_FREQ = 1 << 3,       /* BPF_F_TEST_STATE_FREQ */
	SKEP_VERIFY_SLEEPABLE = 1 << 4,        /* BPF_F_SLEEPABLE */
	SKEP_VERIFY_XDP_HAS_FRAGS = 1 << 5,    /* BPF_F_XDP_HAS_FRAGS */
	SKEP_VERIFY_REG_INVARIANTS = 1 << 7,   /* BPF_F_TEST_REG_INVARIANTS */
};

/* In log_level, besides the levels: keep the beginning of a log that is too long. */
#define SKEP_LOG_FIXED 8u

/* What who loads a program may do. CAP_SYS_ADMIN stands for all of them. */
enum skep_caps {
	SKEP_CAP_BPF = 1 << 0,
	SKEP_CAP_PERFMON = 1 << 1,
	SKEP_CAP_NET_ADMIN = 1 << 2,
	SKEP_CAP_SYS_ADMIN = 1 << 3,
};

struct skep_verify_opts {
	unsigned log_level;     /* 0: none; 1, 2 as Linux; |4: statistics; | SKEP_LOG_FIXED */
	size_t log_size;        /* keep the last bytes of the log, NUL included; 0: 16 MiB */
	unsigned flags;         /* enum skep_verify_flags, added to the program's */
	unsigned kernel;        /* follow only what this release could: 5 << 8 | 10; 0: the newest */
	bool unprivileged;      /* judge as for a user who has just caps; else may do all */
	unsigned caps;          /* enum skep_caps */
	bool explain;           /* tell in the diagnostic how a rejection came about; costs
				 * verifying a rejected program twice more */
	bool all;               /* with explain: report independent errors after the first */
	const struct skep_btf *kernel_btf; /* borrowed; NULL: the machine's own */
	const struct skep_observer *observer; /* borrowed; may be NULL */
};

struct skep_verify_result {
	int error;              /* 0 accepted, else negative errno */
	char message[256];      /* the Linux line that says why; "" if accepted */
	int64_t insn;           /* where it was rejected; -1 */
	uint32_t processed;     /* instructions verified */
	uint32_t states;        /* states kept */
	uint32_t peak_states;
	uint32_t longest_mark;  /* max states per instruction */
	uint32_t stack_depth;   /* bytes, of the deepest chain of calls; 0 if not accepted */
	uint64_t memory;        /* bytes the verifier needed at once, without the log */
	uint64_t time_us;
	uint32_t lacked;        /* what opts.kernel could not follow and was asked to: bits of the
				 * verifier abilities in skep_object_check_kernel()'s table */
	char *log;              /* free with skep_verify_result_done(); may be NULL */
	size_t log_true_size;   /* log_size that would have kept all; 0: none was asked for */
	size_t log_lost;        /* bytes that are not in log, before (FIXED: after) it */
};

void skep_verify_result_done(struct skep_verify_result *result);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif

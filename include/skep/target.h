/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h - processes whose events a machine's programs see.
 *
 * A target has Skep's agent in it, which runs the programs in the target's own
 * threads. Commands are started with it, processes that run already are given it,
 * and what either starts has it too. The machine's memory must be a file
 * (skep_machine_opts: shared or name), for targets map it.
 *
 * The process that starts or attaches follows its targets from then on, by a
 * thread of its own; one process at a time does so for a machine. When it ends,
 * targets go on with the agent until they replace their program, or somebody attaches to
 * them: of the same machine, who takes them over; of another, for whom the agent is taken out.
 *
 * Threads: any.
 */
#ifndef SKEP_TARGET_H
#define SKEP_TARGET_H

#include <skep/machine.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Start a command as execvp would, with the agent in it. It runs when this returns;
 * *pid is a child of the caller, to be waited for. While it runs, look before you wait:
 * waitid() with WEXITED | WNOWAIT also shows stops (CLD_TRAPPED, CLD_STOPPED), which the
 * follower waits for and waitpid() would take from it. A command that cannot be followed
 * (skep_target_list() says why) runs all the same.
 * Errors: what execvp says; EINVAL (the machine's memory is private), EBUSY (another
 * process follows this machine's targets).
 */
int skep_target_spawn(struct skep_machine *machine, const char *const argv[], int32_t *pid,
		      struct skep_diag *diag);
/*
 * Give a running process the agent, in all its threads. It is stopped for a moment.
 * Calls that its threads wait in go on waiting.
 * Errors: ESRCH, EPERM (not yours, or traced), EALREADY, EBUSY (another machine's target, whose
 * follower lives), ENOEXEC (32-bit) and others that
 * the diagnostic explains; it goes on unchanged then.
 */
int skep_target_attach(struct skep_machine *machine, int32_t pid, struct skep_diag *diag);
/* Take it out again; the process goes on as before. ESRCH: it is no target. */
int skep_target_detach(struct skep_machine *machine, int32_t pid, struct skep_diag *diag);

/*
 * The same for all targets, also those that are being born or replace their programs at this
 * moment. Returns how many are targets still when that much time has passed; 0: none.
 */
int skep_target_detach_all(struct skep_machine *machine, uint32_t timeout_ms,
			   struct skep_diag *diag);

/*
 * What is attached while targets run reaches each at its next call that is looked at. This makes
 * them look at once, also those that compute or sleep, and waits until they have, for at most
 * so long. Returns how many have not; skep_target_list() says why.
 */
int skep_target_reach(struct skep_machine *machine, uint32_t timeout_ms, struct skep_diag *diag);

enum skep_target_state {
	SKEP_TARGET_FOLLOWED,
	SKEP_TARGET_NOT_FOLLOWED, /* it goes on, or ended, without the agent; reason says why */
	SKEP_TARGET_DETACHED,
	SKEP_TARGET_ENDED,
};

struct skep_target_info {
	int32_t pid, parent;
	enum skep_target_state state;
	const char *reason;       /* never NULL; lower case, without a full stop */
	int32_t error;            /* errno that goes with it, or 0 */
	int32_t tracer;           /* who traces it instead, or 0 */
	uint32_t execs;           /* programs it has run with the agent */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; end 0: it runs */
	uint64_t missed;          /* events that its agent could not pass on */
	uint32_t unlike;          /* places of programs where its code is not what the file has */
	uint32_t unsampled;       /* threads that no perf_event program saw: the kernel, a limit
				   * (RLIMIT_SIGPENDING) or its own filters gave no timer */
	int32_t unreached;        /* errno: why its running threads do not have yet what was attached
				   * last; 0: they have */
	char comm[16];
	char exe[128];            /* the end of it, where it is longer */
};

/*
 * All processes that are or were targets, or would be if they could, in the order
 * they came; the first count are stored. Returns how many there are.
 */
size_t skep_target_list(struct skep_machine *machine, struct skep_target_info *out,
			size_t count);

/* Processes that skep_target_list() does not tell of, as a machine remembers 16,384. */
struct skep_target_lost {
	uint32_t ended;           /* whose records others have */
	uint32_t alive;           /* that came while so many lived: programs see what they do until
				   * they become other programs, which are not followed */
};
void skep_target_lost(struct skep_machine *machine, struct skep_target_lost *lost);

struct skep_stacks;
/*
 * Tell stacks what targets had mapped when programs took their stacks, since the last call:
 * before names are asked for. Errors: ENOMEM.
 */
int skep_target_stacks(struct skep_machine *machine, struct skep_stacks *stacks);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif

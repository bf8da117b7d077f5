/* SPDX-License-Identifier: BSD-2-Clause */
/* settle.c - see settle.h. */
#include "hook/settle.h"

#include <errno.h>

#include "hook/trace.h"
#include "map/memory.h"
#include "map/owner.h"

#define PATIENCE_NS UINT64_C(500000000)

static int read_threads(const struct hold *hold, struct agent_held *threads)
{
	int error = 0;

	for (size_t i = 0; i < hold->tids.count && error == 0; i++) {
		struct user_regs_struct regs;

		error = trace_regs_read(hold->tids.items[i], &regs);
		if (error == 0)
			threads[i] = (struct agent_held){
				.ip = regs.rip, .sp = regs.rsp, .ax = regs.rax, .bx = regs.rbx,
				.cx = regs.rcx, .fs_base = regs.fs_base };
	}
	return error;
}

/* Whose entries the agent has changed. */
static int move_threads(const struct hold *hold, const struct agent_held *threads)
{
	int result = 0;

	for (size_t i = 0; i < hold->tids.count; i++) {
		struct user_regs_struct regs;
		int error = trace_regs_read(hold->tids.items[i], &regs);

		if (error == 0 && regs.rip != threads[i].ip) {
			regs.rip = threads[i].ip;
			error = trace_regs_write(hold->tids.items[i], &regs);
		}
		if (error < 0)
			result = error;
	}
	return result;
}

static int settle_held(struct settle *settle, struct memory *memory,
		       const struct injector *injector)
{
	const struct hold *hold = &settle->hold;
	size_t size = hold->tids.count * sizeof(struct agent_held);
	struct agent_held *threads = memory_alloc(memory, size, 64);
	struct inject what = { .pid = settle->pid, .threads = threads, .thread_count = hold->tids.count };
	int error = threads ? read_threads(hold, threads) : -ENOMEM;

	if (error == 0)
		error = inject_settle(injector, hold->tids.items[0], &what);
	if (error == 0)
		error = move_threads(hold, threads);
	if (threads)
		memory_release(memory, threads, size);
	return error;
}

void settle_end(struct settle *settle)
{
	hold_let_go(&settle->hold);
	settle->pid = 0;
}

int settle_step(struct settle *settle, struct memory *memory, const struct injector *injector)
{
	int state = hold_step(&settle->hold, settle->pid);

	if (state > 0 && owner_clock() - settle->began < PATIENCE_NS)
		return state;
	if (state > 0)
		state = -ETIMEDOUT;
	if (state == 0 && hold_shares(settle->pid) != 0)
		state = -EBUSY;
	if (state == 0)
		state = settle_held(settle, memory, injector);
	settle_end(settle);
	return state;
}

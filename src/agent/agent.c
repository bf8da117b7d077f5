/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.c - the process's own record, and what is asked of the supervisor. [runtime]
 */
#include "agent/agent.h"

#include <stddef.h>

#include "agent/places.h"
#include "helper/vm.h"
#include "hook/targets.h"
#include "map/memory.h"
#include "map/owner.h"

struct agent agent_self;

void agent_looked(void)
{
	if (agent_self.process)
		__atomic_store_n(&agent_self.process->files_seen, places_seen, __ATOMIC_RELEASE);
}

void agent_knows(struct process *process)
{
	const struct board *board = agent_self.targets->world->board;

	__atomic_store_n(&process->sample_seen, __atomic_load_n(&board->sample_ns, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	__atomic_store_n(&process->files_seen, places_seen, __ATOMIC_RELEASE);
}

void agent_forked(uint32_t pid, uint32_t ppid)
{
	struct process *process = process_claim(agent_self.targets, pid, ppid);

	agent_self.pid = pid;
	agent_self.process = process;
	if (!process)
		return;
	process_describe(process);
	agent_knows(process);
	process_set_state(process, PROCESS_FOLLOWED);
}

void agent_lodger(uint32_t pid, uint32_t ppid)
{
	struct process *process = process_claim(agent_self.targets, pid, ppid);

	if (!process)
		return;
	process->host = agent_self.pid;
	process_describe(process);
	agent_knows(process);
	process_set_state(process, PROCESS_FOLLOWED);
}

void agent_left(uint32_t pid)
{
	struct process *process = pid == agent_self.pid ? agent_self.process
							 : process_find(agent_self.targets, pid);

	if (process)
		process_leave(process);
}

static int64_t agent_ask(enum mail_kind kind, uint32_t pid, uint32_t tid, uint64_t a, uint64_t b,
			 uint64_t c)
{
	const struct mail_message ask = { .kind = kind, .pid = pid, .tid = tid, .arg = { a, b, c } };

	return mail_ask(&agent_self.targets->mail, memory_owners(agent_self.memory), &ask);
}

bool agent_will_exec(uint32_t pid, uint32_t tid, int dirfd, const char *path, uint32_t nr)
{
	int64_t answer = agent_ask(MAIL_WILL_EXEC, pid, tid, (uint64_t)dirfd, (uintptr_t)path,
				   nr);

	/* Without a supervisor the new program runs on by itself, and the record says so. */
	if (answer < 0 && agent_self.process && agent_self.pid == pid)
		process_refuse(agent_self.process, WHYNOT_UNSERVED, (int)answer);
	return answer == MAIL_SEIZED;
}

void agent_exec_failed(uint32_t pid, uint32_t tid)
{
	agent_ask(MAIL_EXEC_FAILED, pid, tid, 0, 0, 0);
}

void agent_filtered(uint32_t pid, bool failed)
{
	struct process *process = pid == agent_self.pid ? agent_self.process
							 : process_find(agent_self.targets, pid);

	if (process && failed)
		process_set_state(process, PROCESS_FOLLOWED);
	else if (process)
		process_refuse(process, WHYNOT_FILTER, 0);
}

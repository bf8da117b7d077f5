/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.c - the process's own record, and what is asked of the supervisor. [runtime]
 */
#include "agent/agent.h"

#include <stddef.h>
#include <string.h>

#include "agent/places.h"
#include "helper/task.h"
#include "helper/vm.h"
#include "hook/targets.h"
#include "map/memory.h"
#include "map/owner.h"

struct agent agent_self;

void agent_looked(uint32_t waiting, uint32_t trapped, uint32_t unlike)
{
	struct process *process = agent_self.process;

	if (!process)
		return;
	__atomic_store_n(&process->waiting, waiting, __ATOMIC_RELAXED);
	__atomic_store_n(&process->trapped, trapped, __ATOMIC_RELAXED);
	__atomic_store_n(&process->unlike, unlike, __ATOMIC_RELAXED);
	__atomic_store_n(&process->files_seen, places_seen, __ATOMIC_RELEASE);
	if (waiting)
		mail_ring(&agent_self.targets->mail);
}

void agent_knows(struct process *process)
{
	const struct board *board = agent_self.targets->world->board;

	__atomic_store_n(&process->sample_seen, __atomic_load_n(&board->sample_ns, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	__atomic_store_n(&process->waiting, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&process->trapped, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&process->unlike, places_unlike, __ATOMIC_RELAXED);
	__atomic_store_n(&process->files_seen, places_seen, __ATOMIC_RELEASE);
}

int64_t agent_ask(enum mail_kind kind, struct task_facts *facts, uint64_t a, uint64_t b, uint64_t c)
{
	bool own = facts->abroad && !facts->named;
	struct mail_message ask = {
		.kind = kind, .abroad = own, .arg = { a, b, c },
		.pid = own ? facts->own_pid : facts->pid, .tid = own ? facts->own_tid : facts->tid,
	};

	return mail_ask(&agent_self.targets->mail, memory_owners(agent_self.memory), &ask);
}

/* --- names at home --- */

/* Returns its parent's pid there. */
static uint32_t ask_name(struct task_facts *facts, bool whole)
{
	struct mail_message ask = { .kind = MAIL_NAME, .pid = facts->own_pid, .tid = facts->own_tid,
				    .abroad = true, .arg = { whole } };

	if (mail_ask(&agent_self.targets->mail, memory_owners(agent_self.memory), &ask) < 0)
		return 0;
	facts->pid = (uint32_t)ask.arg[0];
	facts->tid = (uint32_t)ask.arg[1];
	facts->named = true;
	return (uint32_t)ask.arg[2];
}

/* The record of a child, which runs what its parent does. */
static struct process *begin_record(uint32_t pid, uint32_t ppid, uint32_t host)
{
	struct process *process = process_claim(agent_self.targets, pid, ppid);
	const struct process *parent = agent_self.process;

	if (!process)
		return NULL;
	process->host = host;
	process_describe(process, true);
	if (!process->exe[0] && parent) {
		memcpy(process->exe, parent->exe, sizeof(process->exe));
		memcpy(process->comm, parent->comm, sizeof(process->comm));
	}
	agent_knows(process);
	process_set_state(process, PROCESS_FOLLOWED);
	return process;
}

/* By its own pid nobody would find it, or somebody another's. */
static void begin_process(struct task_facts *facts, uint32_t ppid)
{
	if (facts->abroad)
		ppid = ask_name(facts, true);
	agent_self.home_pid = facts->abroad && !facts->named ? 0 : facts->pid;
	agent_self.process = agent_self.home_pid ? begin_record(facts->pid, ppid, 0) : NULL;
}

void agent_name(struct task_facts *facts)
{
	if (!facts->abroad || facts->named)
		return;
	if (facts->own_pid == agent_self.pid && !agent_self.home_pid)
		begin_process(facts, 0);
	else
		ask_name(facts, false);
}

void agent_forks(void)
{
	targets_birth_begins(agent_self.targets);
}

void agent_fork_failed(void)
{
	targets_birth_ends(agent_self.targets);
}

/* Where /proc does not tell, it is its parent's time still. */
void agent_look_at_clocks(void)
{
	const struct owner_table *owners = memory_owners(agent_self.memory);
	struct owner_clocks offsets = { agent_self.clocks[0], agent_self.clocks[1] };

	/* The lower half of a space is its time namespace. */
	if ((uint32_t)owner_space() != (uint32_t)owners->home && !owner_clocks_read(&offsets))
		return;
	owner_ahead.monotonic_ns = offsets.monotonic_ns - agent_self.clocks[0];
	owner_ahead.boot_ns = offsets.boot_ns - agent_self.clocks[1];
}

void agent_forked(struct task_facts *facts, uint32_t ppid)
{
	agent_look_at_clocks();
	agent_self.pid = facts->own_pid;
	begin_process(facts, ppid);
	targets_birth_ends(agent_self.targets);
}

void agent_lodger(struct task_facts *facts, uint32_t ppid)
{
	if (facts->abroad)
		ppid = ask_name(facts, false);
	if (!facts->abroad || facts->named)
		begin_record(facts->pid, ppid, agent_self.home_pid);
}

struct process *agent_process(const struct task_facts *facts)
{
	if (facts->pid == agent_self.home_pid)
		return agent_self.process;
	return facts->abroad && !facts->named ? NULL : process_find(agent_self.targets, facts->pid);
}

void agent_left(const struct task_facts *facts)
{
	struct process *process = agent_process(facts);

	if (process)
		process_leave(process);
}

/* --- what is seen from home only --- */

static uint32_t kin_ask(struct task_facts *facts, int64_t of, struct task_kin *kin, uint32_t count)
{
	int64_t result = agent_ask(MAIL_KIN, facts, (uintptr_t)kin, count, (uint64_t)of);

	return result < 0 ? 0 : (uint32_t)result;
}

static bool gone_ask(struct task_facts *facts, uint32_t tid)
{
	return agent_ask(MAIL_GONE, facts, tid, 0, 0) == 1;
}

const struct task_outside agent_outside = { .kin = kin_ask, .gone = gone_ask };

uint32_t agent_home_id(struct task_facts *facts, uint32_t id)
{
	int64_t result = agent_ask(MAIL_ID, facts, id, 0, 0);

	return result > 0 ? (uint32_t)result : 0;
}

/* --- execs --- */

bool agent_will_exec(struct task_facts *facts, int dirfd, const char *path, uint64_t nr)
{
	int64_t answer = agent_ask(MAIL_WILL_EXEC, facts, (uint64_t)dirfd, (uintptr_t)path, nr);
	struct process *process = facts->own_pid == agent_self.pid ? agent_self.process : NULL;

	/* Without a supervisor the new program runs on by itself, and the record says so. */
	if (answer < 0 && process)
		process_refuse(process, WHYNOT_UNSERVED, (int)answer);
	return answer == MAIL_SEIZED;
}

void agent_exec_failed(struct task_facts *facts)
{
	agent_ask(MAIL_EXEC_FAILED, facts, 0, 0, 0);
}

void agent_filtered(const struct task_facts *facts, bool failed)
{
	struct process *process = agent_process(facts);

	if (process && failed)
		process_set_state(process, PROCESS_FOLLOWED);
	else if (process)
		process_refuse(process, WHYNOT_FILTER, 0);
}

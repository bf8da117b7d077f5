/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task_view.c - filling in the machine's own task_struct (see task.h). [runtime]
 *
 *   slot | owner: tid | self | leader | forebear 0 | forebear 1 | ... |
 *                       self.real_parent -> forebear 0 -> forebear 1 -> ...
 *
 * A thread looks for its slot from where its id hashes to, and takes the first
 * that is free or whose thread is gone. Only the owner writes to a slot. What
 * is told of the thread itself is asked for anew each time; its leader and its
 * forebears, which have to be read from /proc, at most a moment ago.
 */
#include "helper/task.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "helper/task_proc.h"
#include "map/sys.h"
#include "map/map.h"
#include "map/memory.h"
#include "map/owner.h"

enum {
	SLOTS = 256,
	WINDOW = 64,              /* slots that a thread may be in */
	MOMENT_NS = 10000000,
};

struct slot {
	uint32_t owner;           /* thread id; 0: free. Partner: itself, in claim() */
	int32_t parent;           /* process, when the forebears were read */
	uint64_t read_ns;         /* and when that was; 0: never */
	struct task_entry self, leader, forebears[TASK_FOREBEARS];
};

struct task_table {
	unsigned vcpus;
	uint64_t stamp;           /* tells machines apart that were at the same address */
	struct slot slots[SLOTS];
};

static uint64_t now_ns(void)
{
	struct timespec now = { 0 };

	sys_call4(SYS_clock_gettime, CLOCK_MONOTONIC, (uintptr_t)&now, 0, 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct task_table *task_table_new(struct memory *memory, unsigned vcpus)
{
	struct task_table *table = memory_alloc(memory, sizeof(*table), 64);

	if (table) {
		memset(table, 0, sizeof(*table));
		table->vcpus = vcpus;
		table->stamp = now_ns();
	}
	return table;
}

/* --- a process, from /proc --- */

static size_t read_status(uint32_t pid, char *text, size_t size)
{
	char path[TASK_PATH] = "/proc/0/status"; /* of nobody */

	if (pid)
		task_path(path, pid, "status");
	return task_text(path, text, size);
}

const struct task_outside *task_outside;

static bool is_outside(const struct task_facts *facts)
{
	return facts && facts->abroad && task_outside;
}

bool task_kin_of(uint32_t pid, struct task_kin *kin)
{
	char text[2048];
	size_t size = read_status(pid, text, sizeof(text));

	*kin = (struct task_kin){ .pid = pid };
	task_read_name(text, kin->comm);
	task_read_cred(text, &kin->cred);
	kin->ppid = task_line(text, "\nPPid:", 0, 0);
	kin->tells_signals = strstr(text, "\nSigCgt:") != NULL;
	kin->signals = (struct task_signals){
		.pending = task_mask(text, "\nSigPnd:"), .pending_group = task_mask(text, "\nShdPnd:"),
		.blocked = task_mask(text, "\nSigBlk:"), .ignored = task_mask(text, "\nSigIgn:"),
		.caught = task_mask(text, "\nSigCgt:"),
	};
	return size > 0;
}

/* By the id it has for the thread of facts. */
static bool find_kin(uint32_t id, struct task_facts *facts, struct task_kin *kin)
{
	if (!is_outside(facts))
		return task_kin_of(id, kin);
	return task_outside->kin(facts, id == task_own_pid(facts) ? TASK_KIN_SELF : (int64_t)id, kin, 1) == 1;
}

bool task_signals(struct task_signals *to, struct task_facts *facts, uint32_t id)
{
	struct task_kin kin;
	bool told = find_kin(id, facts, &kin) && kin.tells_signals;

	if (told)
		*to = kin.signals;
	return told;
}

uint32_t task_kin_read(uint32_t pid, struct task_kin *kin, uint32_t count)
{
	struct task_kin self;
	uint32_t n = 0;

	if (!task_kin_of(pid, &self))
		return 0;
	for (pid = self.ppid; pid && n < count; pid = kin[n++].ppid)
		task_kin_of(pid, &kin[n]);
	return n;
}

static void fill_entry(struct task_entry *entry, const struct task_kin *kin)
{
	memcpy(entry->task.comm, kin->comm, sizeof(kin->comm));
	entry->cred = kin->cred;
	entry->task.pid = entry->task.tgid = (int32_t)kin->pid;
	entry->task.group_leader = &entry->task;
	entry->task.real_cred = entry->task.cred = &entry->cred;
}

static void read_leader(struct slot *slot, struct task_facts *facts)
{
	struct task_kin kin;
	uint32_t tgid = (uint32_t)slot->self.task.tgid;

	if (!is_outside(facts))
		task_kin_of(tgid, &kin);
	else if (task_outside->kin(facts, TASK_KIN_SELF, &kin, 1) == 0)
		kin = (struct task_kin){ .pid = tgid };
	fill_entry(&slot->leader, &kin);
}

static void read_forebears(struct slot *slot, struct task_facts *facts, uint32_t pid)
{
	struct own_task *child = &slot->self.task;
	struct task_kin kin[TASK_FOREBEARS];
	bool outside = is_outside(facts);
	uint32_t count = outside ? task_outside->kin(facts, TASK_KIN_FOREBEARS, kin, TASK_FOREBEARS) : TASK_FOREBEARS;

	for (unsigned i = 0; i < count && (outside || pid); i++) {
		if (!outside)
			task_kin_of(pid, &kin[i]);
		fill_entry(&slot->forebears[i], &kin[i]);
		child->parent = child->real_parent = &slot->forebears[i].task;
		child = child->real_parent;
		pid = kin[i].ppid;
	}
	child->parent = child->real_parent = NULL;
}

void task_describe(struct task_entry *entry, struct task_facts *facts, uint32_t pid)
{
	struct task_kin kin = { 0 };

	*entry = (struct task_entry){ 0 };
	if (!find_kin(pid, facts, &kin) && !is_outside(facts))
		kin.pid = pid;
	fill_entry(entry, &kin);
}

/* --- the thread itself --- */

uint32_t task_tid(const struct task_facts *facts)
{
	return facts ? facts->tid : (uint32_t)sys_call4(SYS_gettid, 0, 0, 0, 0);
}

uint32_t task_pid(const struct task_facts *facts)
{
	return facts ? facts->pid : (uint32_t)sys_call4(SYS_getpid, 0, 0, 0, 0);
}

/* Nobody but /proc tells of another. */
static struct task_kin know_another(struct task_facts *facts)
{
	struct task_kin kin = { 0 };

	if (find_kin(task_own_tid(facts), facts, &kin)) {
		memcpy(facts->comm, kin.comm, sizeof(facts->comm));
		facts->uid = kin.cred.uid;
		facts->gid = kin.cred.gid;
	}
	facts->known |= TASK_KNOWS_COMM | TASK_KNOWS_IDS;
	return kin;
}

const char *task_comm(struct task_facts *facts, char buffer[16])
{
	char *comm = facts ? facts->comm : buffer;
	char now[16] = "";

	if (facts && facts->known & TASK_KNOWS_COMM)
		return comm;
	if (facts && facts->another) {
		know_another(facts);
		return comm;
	}
	/* Where a filter forbids to ask, it is what it was. */
	if (sys_call4(SYS_prctl, PR_GET_NAME, (uintptr_t)now, 0, 0) == 0 || !facts)
		memcpy(comm, now, sizeof(now));
	if (facts)
		facts->known |= TASK_KNOWS_COMM;
	return comm;
}

uint64_t task_home_users;

/* Whether its users and groups have other ids at home: those of *kin. */
static bool has_other_users(struct task_facts *facts, struct task_kin *kin)
{
	int64_t of = facts && facts->own_tid != facts->own_pid ? (int64_t)facts->own_tid : TASK_KIN_SELF;

	if (!facts || !task_home_users || !task_outside ||
	    task_inode("/proc/self/ns/user") == task_home_users)
		return false;
	return task_outside->kin(facts, of, kin, 1) == 1;
}

uint64_t task_ids(struct task_facts *facts)
{
	struct task_kin kin;
	int64_t uid, gid;

	if (facts && facts->known & TASK_KNOWS_IDS)
		return (uint64_t)facts->gid << 32 | facts->uid;
	if (facts && facts->another) {
		know_another(facts);
		return (uint64_t)facts->gid << 32 | facts->uid;
	}
	uid = sys_call4(SYS_getuid, 0, 0, 0, 0);
	gid = sys_call4(SYS_getgid, 0, 0, 0, 0);
	if (has_other_users(facts, &kin)) {
		uid = kin.cred.uid;
		gid = kin.cred.gid;
	}
	if (facts) {
		facts->uid = uid < 0 ? facts->uid : (uint32_t)uid;
		facts->gid = gid < 0 ? facts->gid : (uint32_t)gid;
		facts->known |= TASK_KNOWS_IDS;
		return (uint64_t)facts->gid << 32 | facts->uid;
	}
	return (uint64_t)gid << 32 | (uint32_t)uid;
}

/*
 * /proc counts from boot, in hundredths of a second. What was seen to begin is known better, if it
 * is the same that /proc means.
 */
static void take_start(struct own_task *task, uint64_t ticks, uint64_t began_ns)
{
	enum { TICK_NS = 10000000 };
	struct timespec boot = { 0 }, monotonic = { 0 };
	uint64_t asleep;

	sys_call4(SYS_clock_gettime, CLOCK_BOOTTIME, (uintptr_t)&boot, 0, 0);
	sys_call4(SYS_clock_gettime, CLOCK_MONOTONIC, (uintptr_t)&monotonic, 0, 0);
	asleep = (uint64_t)(boot.tv_sec - monotonic.tv_sec) * 1000000000u +
		 (uint64_t)(boot.tv_nsec - monotonic.tv_nsec) -
		 (uint64_t)(owner_ahead.boot_ns - owner_ahead.monotonic_ns);
	/* The clocks were read one after the other: no step is to depend on that. */
	asleep = (asleep + TICK_NS / 2) / TICK_NS * TICK_NS;
	task->start_boottime = ticks * TICK_NS - (uint64_t)owner_ahead.boot_ns;
	if (began_ns && began_ns + asleep - task->start_boottime < 2 * TICK_NS)
		task->start_boottime = began_ns + asleep;
	task->start_time = task->start_boottime - asleep;
}

/* Priorities count from the highest real-time one in the kernel, from the lowest in /proc. */
static void read_stat(struct own_task *task, const struct task_facts *facts)
{
	enum { FLAGS = 9, PRIORITY = 18, NICE, STARTTIME = 22, EXIT_SIGNAL = 38, RT_PRIORITY = 40,
	       POLICY, REAL_TIME = 100, NICE_0 = 120 };
	static const uint8_t fields[] = { FLAGS, PRIORITY, NICE, STARTTIME, EXIT_SIGNAL,
					  RT_PRIORITY, POLICY };
	uint64_t values[sizeof(fields)] = { 0 };
	uint32_t tid = task_asked(facts);
	char path[TASK_PATH];

	task_path(path, tid, "stat");
	if (!task_stat(path, fields, values, sizeof(fields)))
		return; /* a filter forbids it */
	task->flags = (uint32_t)values[0];
	task->prio = task->normal_prio = (int32_t)values[1] + REAL_TIME;
	task->static_prio = (int32_t)values[2] + NICE_0;
	take_start(task, values[3], facts ? facts->began_ns : 0);
	task->exit_signal = (int32_t)values[4];
	task->rt_priority = (uint32_t)values[5];
	task->policy = (uint32_t)values[6];
	/* A session's, where audit knows of one. */
	task_path(path, tid, "loginuid");
	task->loginuid = (uint32_t)task_number(path, -1);
	task_path(path, tid, "sessionid");
	task->sessionid = (uint32_t)task_number(path, -1);
}

/* The call says what it was, and changes nothing for who is no user at all. */
static uint32_t file_id(uint64_t call, uint32_t none)
{
	int64_t id = sys_call4(call, UINT32_MAX, 0, 0, 0);

	return id < 0 ? none : (uint32_t)id;
}

static void read_own_cred(struct own_cred *cred, struct task_facts *facts)
{
	struct task_kin kin;

	sys_call4(SYS_getresuid, (uintptr_t)&cred->uid, (uintptr_t)&cred->euid,
		 (uintptr_t)&cred->suid, 0);
	sys_call4(SYS_getresgid, (uintptr_t)&cred->gid, (uintptr_t)&cred->egid,
		 (uintptr_t)&cred->sgid, 0);
	cred->fsuid = file_id(SYS_setfsuid, cred->euid);
	cred->fsgid = file_id(SYS_setfsgid, cred->egid);
	if (has_other_users(facts, &kin))
		*cred = kin.cred;
}

static void read_self(struct slot *slot, struct task_facts *facts)
{
	struct own_task *task = &slot->self.task;
	struct own_cred *cred = &slot->self.cred;
	char name[16];

	if (facts && facts->known & TASK_KNOWS_RECORD && task->pid == (int32_t)slot->owner)
		return;
	task->pid = (int32_t)slot->owner;
	task->tgid = (int32_t)task_pid(facts);
	task->real_cred = task->cred = cred;
	task->exit_code = 0;
	read_stat(task, facts);
	memcpy(task->comm, task_comm(facts, name), sizeof(task->comm));
	if (facts)
		facts->known |= TASK_KNOWS_RECORD;
	if (facts && facts->another)
		*cred = know_another(facts).cred;
	else
		read_own_cred(cred, facts);
}

static void read_others(struct slot *slot, struct task_facts *facts)
{
	struct own_task *task = &slot->self.task;
	int32_t parent = (int32_t)sys_call4(SYS_getppid, 0, 0, 0, 0);
	uint64_t now = now_ns();

	if (parent < 0 && slot->read_ns) /* a filter forbids to ask */
		return;
	if (slot->read_ns && slot->parent == parent && now - slot->read_ns < MOMENT_NS)
		return;
	task->group_leader = task;
	if (task->pid != task->tgid) {
		read_leader(slot, facts);
		task->group_leader = &slot->leader.task;
	}
	read_forebears(slot, facts, (uint32_t)parent);
	slot->leader.task.parent = slot->leader.task.real_parent = task->real_parent;
	slot->parent = parent;
	slot->read_ns = now;
}

/* --- slots --- */

static struct slot *slot_at(struct task_table *table, uint32_t tid, unsigned i)
{
	return &table->slots[(tid * 2654435761u / 65536 + i) % SLOTS];
}

static struct slot *find_slot(struct task_table *table, uint32_t tid)
{
	for (unsigned i = 0; i < WINDOW; i++) {
		struct slot *slot = slot_at(table, tid, i);

		if (__atomic_load_n(&slot->owner, __ATOMIC_RELAXED) == tid)
			return slot;
	}
	return NULL;
}

static bool is_gone(struct task_facts *facts, uint32_t tid)
{
	if (facts && facts->abroad)
		return task_outside && task_outside->gone(facts, tid);
	return sys_call4(SYS_kill, tid, 0, 0, 0) == -ESRCH;
}

static struct slot *claim_slot(struct task_table *table, struct task_facts *facts, uint32_t tid)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < WINDOW; i++) {
			struct slot *slot = slot_at(table, tid, i);
			uint32_t owner = __atomic_load_n(&slot->owner, __ATOMIC_RELAXED);

			/* Only when none is free is it asked who is gone. */
			if (owner && (!pass || !is_gone(facts, owner)))
				continue;
			if (!__atomic_compare_exchange_n(&slot->owner, &owner, tid, false,
							 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				continue;
			slot->read_ns = 0;
			slot->self.task.pid = 0;
			return slot;
		}
	}
	return NULL;
}

static void free_slot(struct slot *slot, uint32_t owner)
{
	__atomic_compare_exchange_n(&slot->owner, &owner, 0, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_RELAXED);
}

void task_leave(struct task_table *table, const struct task_facts *facts)
{
	struct slot *slot = table ? find_slot(table, task_tid(facts)) : NULL;

	if (slot)
		free_slot(slot, task_tid(facts));
}

void task_table_tidy(struct task_table *table)
{
	for (unsigned i = 0; table && i < SLOTS; i++) {
		uint32_t owner = __atomic_load_n(&table->slots[i].owner, __ATOMIC_RELAXED);

		if (owner && sys_call4(SYS_kill, owner, 0, 0, 0) == -ESRCH)
			free_slot(&table->slots[i], owner);
	}
}

struct own_task *task_current(struct task_table *table, struct task_facts *facts,
			      struct vcpu *cpu)
{
	uint32_t tid = task_tid(facts);
	struct slot *slot = find_slot(table, tid);

	if (!slot)
		slot = claim_slot(table, facts, tid);
	if (!slot)
		return NULL;
	/* The id may be that of a thread that was here before. */
	if (slot->self.task.tgid != (int32_t)task_pid(facts)) {
		slot->read_ns = 0;
		slot->self.task.pid = 0;
	}
	read_self(slot, facts);
	read_others(slot, facts);
	slot->self.task.real_cred = slot->self.task.cred = &slot->self.cred;
	task_parts_use(&slot->self.task, facts, cpu, table->vcpus, table->stamp);
	return &slot->self.task;
}

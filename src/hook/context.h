/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * context.h - an event, and what programs see of it. [runtime]
 *
 * One event is seen in several forms: a tracepoint's record, its arguments, the
 * registers of a probed function. The records below are Linux's, from the 8 bytes
 * that all tracepoints begin with; in those Linux has the address of the registers
 * for its own use, and programs may not look at them.
 *
 * Threads: confined.
 */
#ifndef HOOK_CONTEXT_H
#define HOOK_CONTEXT_H

#include "helper/vm.h"
#include "hook/board.h"

struct occasion {
	struct board *board;
	struct task_facts *facts;
	struct target_regs *regs;
	struct vcpu *cpu;
	const void *record;      /* FORM_RECORD */
	uint64_t *raw;           /* FORM_RAW: raw_count arguments */
	uint32_t raw_count;
	uint64_t func_ip;
	bool leaving;            /* the function: result is what it returned */
	int64_t result;
	bool decides;            /* programs may decide the result */
	bool decided;            /* one did */
	uint64_t decision;
	struct occasion_room *room; /* of places where there are FORM_FUNCTION and FORM_KPROBE */
};

/* Not cleared: what is used is written first. */
struct occasion_room {
	uint64_t words[2];
	struct target_regs outer;
};

extern void (*const context_makers[FORM_COUNT])(struct occasion *event, struct vm *vm);

/* Sets vm->ctx and what goes with it. */
static inline void context_make(struct occasion *event, uint32_t form, struct vm *vm)
{
	context_makers[form](event, vm);
}

/* raw_syscalls and syscalls have the same: of the call's own, the arguments it has. */
struct call_record {
	uint64_t common;
	uint64_t nr;
	union {
		uint64_t args[6];
		int64_t result;
	};
};

struct exec_record {
	uint64_t common;
	uint32_t filename;       /* __data_loc: size << 16 | offset */
	int32_t pid, old_pid;
	char data[4096];
};

struct fork_record {
	uint64_t common;
	uint32_t parent_comm;    /* __data_loc */
	int32_t parent_pid;
	uint32_t child_comm;     /* __data_loc */
	int32_t child_pid;
	char data[32];
};

struct exit_record {
	uint64_t common;
	char comm[16];
	int32_t pid, prio;
	uint8_t group_dead;
};

struct signal_record {
	uint64_t common;
	int32_t sig, error, code;
	char comm[16];
	int32_t pid, group, result;
};

/* struct bpf_perf_event_data */
struct sample_record {
	struct target_regs regs;
	uint64_t period, addr;
};

/* What the control plane compares programs' accesses with: bytes of each record. */
enum {
	CALL_ENTER_SIZE = 64, CALL_EXIT_SIZE = 24, EXEC_SIZE = 20, FORK_SIZE = 24,
	EXIT_SIZE = 33, SIGNAL_SIZE = 48, SAMPLE_SIZE = 184,
};

/* Each field by itself, as in vm_begin(). Of a call that is left there is no more than the
 * result: what is behind it, no program may read. */
static inline void context_call(struct call_record *record, const struct target_regs *regs,
				bool leaving, int64_t result)
{
	record->common = (uintptr_t)regs;
	record->nr = regs->orig_ax;
	if (leaving) {
		record->result = result;
		return;
	}
	record->args[0] = regs->di;
	record->args[1] = regs->si;
	record->args[2] = regs->dx;
	record->args[3] = regs->r10;
	record->args[4] = regs->r8;
	record->args[5] = regs->r9;
}

void context_exec(struct exec_record *record, struct own_binprm *binprm,
		  const struct task_facts *facts, const struct target_regs *regs,
		  const char *filename, int32_t old_tid);
/* task: the child's, made from the parent's (NULL: unknown). */
void context_fork(struct fork_record *record, struct own_task *task,
		  const struct own_task *parent, int32_t child, bool thread);
void context_exit(struct exit_record *record, const struct own_task *task,
		  const struct task_facts *facts, bool group_dead);
void context_signal(struct signal_record *record, const struct hook_signal *signal,
		    const struct own_task *target);
/* Does this call send a signal, and which? To one process or thread, that is. */
bool context_sent_signal(const struct target_regs *regs, struct hook_signal *signal);
bool context_sends_signal(uint32_t nr);
/* Whether it gets there, as the kernel's tracepoint says it: before (or after) it is sent. */
int32_t context_signal_result(const struct hook_signal *signal, struct task_facts *facts,
			      bool sent);
/* Those that are meant to leave a core behind. */
bool context_wants_core(int sig);
/* The result of a call that a signal has interrupted, for whom the caller's is -EINTR. */
int64_t context_interrupted(const struct target_regs *regs);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* processes.bpf.c - tracepoints of processes and signals, as records and with their arguments. */
#include "values.h"
#include "task.h"

/* Timers of others end in interrupts, whoever they interrupt. */
enum { ALARM = 14 };

struct exec_record { __u64 common; __u32 filename; int pid, old_pid; };
struct fork_record { __u64 common; __u32 parent_comm; int parent_pid; __u32 child_comm; int child_pid; };
struct exit_record { __u64 common; char comm[16]; int pid, prio; bool group_dead; };
struct signal_record { __u64 common; int sig, error, code; char comm[16]; int pid, group, result; };

/* Where the string is, and how long. */
#define STRING(name, loc)                                                        \
	do {                                                                     \
		NUMBER(name " size", (loc) >> 16);                               \
		TEXT_AT(name, (const char *)ctx + ((loc) & 0xffff));             \
	} while (0)

static __always_inline void current_is(const char *place)
{
	char comm[16];

	NUMBER("current tgid", bpf_get_current_pid_tgid() >> 32);
	NUMBER("current pid", (__u32)bpf_get_current_pid_tgid());
	bpf_get_current_comm(comm, sizeof(comm));
	TEXT_AT("current comm", comm);
}

SEC("tracepoint/sched/sched_process_exec") int exec(struct exec_record *ctx)
{
	const char *place = "sched_process_exec";

	NUMBER("pid", ctx->pid);
	NUMBER("old_pid", ctx->old_pid);
	STRING("filename", ctx->filename);
	current_is(place);
	return 0;
}

SEC("tracepoint/sched/sched_process_fork") int forked(struct fork_record *ctx)
{
	const char *place = "sched_process_fork";

	NUMBER("parent_pid", ctx->parent_pid);
	NUMBER("child_pid", ctx->child_pid);
	STRING("parent_comm", ctx->parent_comm);
	STRING("child_comm", ctx->child_comm);
	current_is(place);
	return 0;
}

SEC("tracepoint/sched/sched_process_exit") int ended(struct exit_record *ctx)
{
	const char *place = "sched_process_exit";

	NUMBER("pid", ctx->pid);
	NUMBER("prio", ctx->prio);
	TEXT_AT("comm", ctx->comm);
	current_is(place);
	return 0;
}

SEC("tracepoint/signal/signal_generate") int signalled(struct signal_record *ctx)
{
	const char *place = "signal_generate";

	if (ctx->sig == ALARM)
		return 0;
	NUMBER("sig", ctx->sig);
	NUMBER("errno", ctx->error);
	NUMBER("code", ctx->code);
	TEXT_AT("comm", ctx->comm);
	NUMBER("pid", ctx->pid);
	NUMBER("group", ctx->group);
	NUMBER("result", ctx->result);
	current_is(place);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(typed_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	const char *place = "tp_btf/exec";

	NUMBER("old_pid", old_pid);
	TEXT_AT("filename", bprm->filename);
	if (bpf_core_field_exists(bprm->interp))
		TEXT_AT("interp", bprm->interp);
	else
		absent(place, "interp");
	FIELD(bprm, argc);
	FIELD(bprm, envc);
	all_of(place, task);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(typed_fork, struct task_struct *parent, struct task_struct *child)
{
	whose("tp_btf/fork parent", parent);
	family("tp_btf/fork parent", parent);
	whose("tp_btf/fork child", child);
	family("tp_btf/fork child", child);
	scheduling("tp_btf/fork child", child);
	credentials("tp_btf/fork child", child);
	return 0;
}

SEC("tp_btf/sched_process_exit") int BPF_PROG(typed_exit, struct task_struct *task, bool group_dead)
{
	const char *place = "tp_btf/exit";

	NUMBER("group_dead", group_dead);
	whose(place, task);
	family(place, task);
	scheduling(place, task);
	credentials(place, task);
	groups(place, task);
	return 0;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(typed_signal, int sig, struct kernel_siginfo *info, struct task_struct *task, int group,
	     int result)
{
	const char *place = "tp_btf/signal";

	if (sig == ALARM)
		return 0;
	NUMBER("sig", sig);
	/* Not a record but a number, for what the kernel sends itself. */
	if ((unsigned long)info > 2) {
		NUMBER("si_signo", BPF_CORE_READ(info, si_signo));
		NUMBER("si_code", BPF_CORE_READ(info, si_code));
		NUMBER("si_errno", BPF_CORE_READ(info, si_errno));
	} else {
		NUMBER("info", info);
	}
	NUMBER("group", group);
	NUMBER("result", result);
	whose(place, task);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

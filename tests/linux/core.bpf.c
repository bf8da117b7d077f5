/* SPDX-License-Identifier: BSD-2-Clause */
/* core.bpf.c - every kind of CO-RE relocation that clang writes, against types of every kernel. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define CORE __attribute__((preserve_access_index))

struct list_head {
	struct list_head *next, *prev;
} CORE;

struct task_struct {
	int prio;
	int pid, tgid;
	unsigned int flags;
	unsigned in_execve : 1;
	unsigned in_iowait : 1;
	struct list_head tasks;
	struct task_struct *real_parent;
	char comm[16];
	unsigned long nvcsw;
	int never_was_there;
} CORE;

/* A flavour: what the field was called once. */
struct task_struct___old {
	long state;
} CORE;

struct task_struct___new {
	unsigned int __state;
} CORE;

struct nobody {
	int x;
} CORE;

enum pid_type {
	PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_NEVER = 77,
};

enum nobody_enum {
	NOBODY_A,
};

typedef struct {
	int counter;
} atomic_t;

typedef int (*nobody_fn)(int);

struct sk_buff {
	unsigned char cloned : 1;
	unsigned char pkt_type : 3;
	unsigned int len;
} CORE;

#define KEEP(value) (sum += (value), sum *= 31)

SEC("raw_tracepoint/sys_enter")
int fields(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	unsigned long sum = 0;
	int value = 0;

	KEEP(__builtin_preserve_field_info(task->prio, 0));
	KEEP(__builtin_preserve_field_info(task->comm, 1));
	KEEP(__builtin_preserve_field_info(task->comm[3], 0));
	KEEP(bpf_core_field_exists(task->pid));
	KEEP(bpf_core_field_exists(task->never_was_there));
	KEEP(bpf_core_field_exists(((struct nobody *)task)->x));
	KEEP(bpf_core_field_size(task->flags));
	KEEP(bpf_core_field_size(task->tasks));
	KEEP(__builtin_preserve_field_info(task->pid, 3));
	KEEP(__builtin_preserve_field_info(task->flags, 3));
	KEEP(BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait));
	KEEP(BPF_CORE_READ_BITFIELD_PROBED(task, in_execve));
	bpf_core_read(&value, sizeof(value), &task->tgid);
	KEEP(value);
	KEEP(BPF_CORE_READ(task, real_parent, real_parent, pid));
	KEEP((unsigned long)BPF_CORE_READ(task, tasks.next));
	KEEP(bpf_core_field_exists(((struct task_struct___old *)task)->state));
	KEEP(bpf_core_field_exists(((struct task_struct___new *)task)->__state));
	if (bpf_core_field_exists(((struct task_struct___old *)task)->state))
		KEEP(BPF_CORE_READ((struct task_struct___old *)task, state));
	else
		KEEP(BPF_CORE_READ((struct task_struct___new *)task, __state));
	return (int)sum;
}

SEC("raw_tracepoint/sys_enter")
int types(struct bpf_raw_tracepoint_args *ctx)
{
	unsigned long sum = 0;

	KEEP(bpf_core_type_exists(struct task_struct));
	KEEP(bpf_core_type_exists(struct nobody));
	KEEP(bpf_core_type_exists(struct task_struct___old));
	KEEP(bpf_core_type_exists(atomic_t));
	KEEP(bpf_core_type_exists(nobody_fn));
	KEEP(bpf_core_type_exists(enum pid_type));
	KEEP(bpf_core_type_size(struct task_struct));
	KEEP(bpf_core_type_size(struct nobody));
	KEEP(bpf_core_type_size(atomic_t));
	KEEP(bpf_core_type_id_kernel(struct task_struct));
	KEEP(bpf_core_type_id_kernel(struct nobody));
	KEEP(bpf_core_type_id_local(struct task_struct));
	KEEP(bpf_core_enum_value_exists(enum pid_type, PIDTYPE_TGID));
	KEEP(bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NEVER));
	KEEP(bpf_core_enum_value_exists(enum nobody_enum, NOBODY_A));
	KEEP(bpf_core_enum_value(enum pid_type, PIDTYPE_TGID));
	return (int)sum;
}

/* What is not there is poisoned, both halves of it. */
SEC("raw_tracepoint/sys_enter")
int missing(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct nobody *nobody = (void *)ctx->args[0];
	unsigned long sum = 0;

	KEEP(BPF_CORE_READ(task, never_was_there));
	KEEP(BPF_CORE_READ(nobody, x));
	KEEP(bpf_core_enum_value(enum pid_type, PIDTYPE_NEVER));
	KEEP(bpf_core_field_size(task->never_was_there));
	return (int)sum;
}

/* Loads and stores keep their instruction; their offset, and maybe size, change. */
SEC("tp_btf/sys_enter")
int loads(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct sk_buff *skb = (void *)ctx[1];
	unsigned long sum = 0;

	KEEP(task->pid);
	KEEP(task->nvcsw);
	KEEP(task->real_parent->tgid);
	KEEP(task->comm[2]);
	KEEP(skb->len);
	KEEP(BPF_CORE_READ_BITFIELD(skb, pkt_type));
	KEEP(BPF_CORE_READ_BITFIELD(skb, cloned));
	return (int)sum;
}

char LICENSE[] SEC("license") = "GPL";

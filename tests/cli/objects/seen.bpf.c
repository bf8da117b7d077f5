/* SPDX-License-Identifier: BSD-2-Clause */
/* seen.bpf.c - looks at what may not be there, wherever that may be. */
#define __VMLINUX_H__ /* registers by the kernel's names */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct mm_struct { unsigned long arg_start; };
typedef struct { int counter; } atomic_t;
struct signal_struct { atomic_t live; };
struct task_struct {
	int pid, prio, exit_signal, exit_code;
	struct mm_struct *mm;
	struct task_struct *parent;
	struct signal_struct *signal;
};
struct pt_regs { unsigned long ip, cx, ax, di, orig_ax; };
#pragma clang attribute pop

struct signal_record { __u64 common; int sig, error, code; char comm[16]; int pid, group, result; };

static __always_inline long look(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	long number = 1, error = bpf_probe_read_kernel(&number, sizeof(number), 0);

	return error + number + !BPF_CORE_READ(task, mm, arg_start) + !BPF_CORE_READ(task, parent, pid);
}

SEC("tracepoint/sched/sched_process_exec") int begins(void *ctx)
{
	bpf_printk("begins %ld", look());
	return 0;
}

SEC("tp_btf/sched_process_exit") int BPF_PROG(ends, struct task_struct *task)
{
	bpf_printk("ends %ld %d %d", look(), task->prio, task->exit_signal);
	if (task->exit_code & 0x7f)
		bpf_printk("ended %d", task->exit_code & 0x7f);
	return 0;
}

SEC("tp_btf/sched_process_exit") int BPF_PROG(together, struct task_struct *task, _Bool last)
{
	__u64 id = bpf_get_current_pid_tgid();
	char comm[16];

	bpf_get_current_comm(comm, sizeof(comm));
	bpf_printk("together %d %d %s %x last %d live %d of %d", task->pid, (__u32)id, comm,
		   task->exit_code, last, BPF_CORE_READ(task, signal, live.counter), (__u32)(id >> 32));
	return 0;
}

SEC("raw_tp/sys_enter") int call(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];

	if (ctx->args[1] == 121)
		bpf_printk("call %lx %d", BPF_CORE_READ(regs, ip),
			   BPF_CORE_READ(regs, cx) == BPF_CORE_READ(regs, ip));
	return 0;
}

SEC("raw_tp/sys_enter") int returns(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];

	if (ctx->args[1] == 15)
		bpf_printk("returns %lx %d", BPF_CORE_READ(regs, ip),
			   BPF_CORE_READ(regs, cx) == BPF_CORE_READ(regs, ip));
	return 0;
}

SEC("tracepoint/signal/signal_generate") int signalled(struct signal_record *ctx)
{
	bpf_printk("signal %d %d", ctx->sig, ctx->result);
	return 0;
}

SEC("tp_btf/sys_enter") int BPF_PROG(saved, struct pt_regs *regs, long id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *same = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 stack[2] = { 0 };
	long size = bpf_get_task_stack(task, stack, sizeof(stack), BPF_F_USER_STACK);

	if (id == 121)
		bpf_printk("saved %d %d %d %ld", same->ip == regs->ip, size > 0, stack[0] == regs->ip,
			   bpf_get_task_stack(task->parent, stack, sizeof(stack), BPF_F_USER_STACK));
	return 0;
}

/* What is decided is all of the register: the program's int is its lower half. */
SEC("fmod_ret/__x64_sys_getpgid") int BPF_PROG(decides, struct pt_regs *regs, int ret)
{
	bpf_printk("decides after %d", ret);
	return -5;
}

SEC("fexit/__x64_sys_getpgid") int BPF_PROG(left, struct pt_regs *regs, long ret)
{
	bpf_printk("left %ld %lx", regs->ax, ret);
	return 0;
}

SEC("raw_tp/sys_exit") int exits(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];

	if (BPF_CORE_READ(regs, orig_ax) == 121)
		bpf_printk("exits %lx %lx", BPF_CORE_READ(regs, ax), ctx->args[1]);
	return 0;
}

SEC("kprobe.multi/__x64_sys_getp*id") int apart(struct pt_regs *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)PT_REGS_PARM1(ctx);

	bpf_printk("apart %ld %lx %d", BPF_CORE_READ(regs, orig_ax), bpf_get_func_ip(ctx),
		   ctx->ip == bpf_get_func_ip(ctx));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

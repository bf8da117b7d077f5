/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execsnoop - which programs are executed, by whom, with which arguments?
 *
 * The arguments are readable when execve() begins, and whether it worked is known
 * later, when they are gone with the old program's memory. So a record waits in a
 * hash, by thread, until the new program starts or the call comes back in vain.
 *
 *   skep run examples/execsnoop.bpf.c -- sh -c 'ls | wc -l'
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define ARGS 8
#define ARG_SIZE 32

struct task_struct {
	int tgid;
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

/* What the kernel passes to tracepoints of system calls. */
struct sys_enter {
	__u64 common;
	long number;
	unsigned long args[6];
};

struct sys_exit {
	__u64 common;
	long number;
	long result;
};

/* And to the one of a program's start: where in this record the file's name is. */
struct exec_record {
	__u64 common;
	__u16 name_off, name_len;
	int pid, old_pid;        /* of the thread; it takes over the process's own */
};

struct exec_event {
	__u32 pid, ppid;
	int result;              /* 0, or a negative error */
	__u32 argc;              /* all of them, up to ARGS */
	char comm[16];           /* after, or where it failed before */
	char file[128];
	char args[ARGS][ARG_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct exec_event);
} pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Too large for the stack. */
static const struct exec_event empty;

const struct exec_event *unused_exec_event __attribute__((unused));

static __always_inline void remember(const char *file, const char *const *argv)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	struct exec_event *event;
	const char *arg;

	bpf_map_update_elem(&pending, &thread, &empty, BPF_ANY);
	event = bpf_map_lookup_elem(&pending, &thread);
	if (!event)
		return;
	bpf_probe_read_user_str(event->file, sizeof(event->file), file);
	for (int i = 0; i < ARGS; i++) {
		if (bpf_probe_read_user(&arg, sizeof(arg), &argv[i]) < 0 || !arg)
			break;
		bpf_probe_read_user_str(event->args[i], ARG_SIZE, arg);
		event->argc = i + 1;
	}
}

static __always_inline void send(struct exec_event *event, int result)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->result = result;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_output(&events, event, sizeof(*event), 0);
}

SEC("tracepoint/syscalls/sys_enter_execve")
int enter_execve(struct sys_enter *ctx)
{
	remember((const char *)ctx->args[0], (const char *const *)ctx->args[1]);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_execveat")
int enter_execveat(struct sys_enter *ctx)
{
	remember((const char *)ctx->args[1], (const char *const *)ctx->args[2]);
	return 0;
}

SEC("tracepoint/sched/sched_process_exec")
int started(struct exec_record *ctx)
{
	__u32 thread = ctx->old_pid;
	struct exec_event *event = bpf_map_lookup_elem(&pending, &thread);

	/* The call began before anybody looked: the first program of all. */
	if (!event) {
		bpf_map_update_elem(&pending, &thread, &empty, BPF_ANY);
		event = bpf_map_lookup_elem(&pending, &thread);
		if (!event)
			return 0;
	}
	bpf_probe_read_kernel_str(event->file, sizeof(event->file), (char *)ctx + ctx->name_off);
	send(event, 0);
	bpf_map_delete_elem(&pending, &thread);
	return 0;
}

static __always_inline void came_back(long result)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	struct exec_event *event = bpf_map_lookup_elem(&pending, &thread);

	if (!event)
		return;
	send(event, (int)result);
	bpf_map_delete_elem(&pending, &thread);
}

SEC("tracepoint/syscalls/sys_exit_execve")
int exit_execve(struct sys_exit *ctx)
{
	came_back(ctx->result);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execveat")
int exit_execveat(struct sys_exit *ctx)
{
	came_back(ctx->result);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

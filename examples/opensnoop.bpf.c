/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opensnoop - which files are opened, by whom, and does it work?
 *
 * The name is known when the call begins and the result when it ends, so a
 * hash keeps the name in between, by thread. The parent's pid comes out of the
 * kernel's task_struct: only the fields that are needed are declared, and CO-RE
 * finds where this kernel has them.
 *
 *   skep run examples/opensnoop.bpf.c -- ls
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

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

struct opening {
	const char *name;
	int flags;
};

struct open_event {
	__u32 pid, ppid;
	int result;              /* a descriptor, or a negative error */
	int flags;
	char comm[16];
	char name[128];
};

/* Only calls that failed. */
const volatile _Bool failed_only = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, struct opening);
} openings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* a build opens ten thousand files in a moment */
} events SEC(".maps");

const struct open_event *unused_open_event __attribute__((unused));

static __always_inline int begin(unsigned long name, unsigned long flags)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	struct opening opening = { (const char *)name, (int)flags };

	bpf_map_update_elem(&openings, &thread, &opening, BPF_ANY);
	return 0;
}

static __always_inline int end(struct sys_exit *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 thread = (__u32)id;
	struct opening *opening = bpf_map_lookup_elem(&openings, &thread);
	struct task_struct *task;
	struct open_event *event;

	if (!opening)
		return 0;
	if (failed_only && ctx->result >= 0)
		goto done;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		goto done;
	task = (struct task_struct *)bpf_get_current_task();
	event->pid = id >> 32;
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->result = (int)ctx->result;
	event->flags = opening->flags;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_probe_read_user_str(event->name, sizeof(event->name), opening->name);
	bpf_ringbuf_submit(event, 0);
done:
	bpf_map_delete_elem(&openings, &thread);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_open")
int enter_open(struct sys_enter *ctx)
{
	return begin(ctx->args[0], ctx->args[1]);
}

SEC("tracepoint/syscalls/sys_enter_openat")
int enter_openat(struct sys_enter *ctx)
{
	return begin(ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_exit_open")
int exit_open(struct sys_exit *ctx)
{
	return end(ctx);
}

SEC("tracepoint/syscalls/sys_exit_openat")
int exit_openat(struct sys_exit *ctx)
{
	return end(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

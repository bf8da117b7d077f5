/* SPDX-License-Identifier: BSD-2-Clause */
/* What processes, threads and their parents are called, and what they say themselves. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

enum { FORK, EXEC, EXIT, SIGNAL, GETPID, OPEN };

struct event {
	__u32 kind, pid, tid, parent, uid, cred;
	__u64 time;
	__s64 value;            /* the other's id; or what the call returned */
	char comm[16], name[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

const struct event *unused_event __attribute__((unused));

struct kuid {
	__u32 val;
} __attribute__((preserve_access_index));

struct cred {
	struct kuid euid;
} __attribute__((preserve_access_index));

struct task_struct {
	struct task_struct *real_parent;
	const struct cred *cred;
	int pid, tgid;
} __attribute__((preserve_access_index));

struct exit_record {
	__u64 common, nr;
	long result;
};

struct open_record {
	__u64 common, nr, dirfd;
	const char *name;
};

static int tell(__u32 kind, __s64 value, const char *name)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 ids = bpf_get_current_pid_tgid();
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	event->kind = kind;
	event->pid = ids >> 32;
	event->tid = (__u32)ids;
	event->parent = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = (__u32)bpf_get_current_uid_gid();
	event->cred = BPF_CORE_READ(task, cred, euid.val);
	event->time = bpf_ktime_get_ns();
	event->value = value;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->name[0] = '\0';
	if (name)
		bpf_probe_read_user_str(event->name, sizeof(event->name), name);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (struct task_struct *)ctx->args[1];

	return tell(FORK, BPF_CORE_READ(child, pid), 0);
}

SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(EXEC, (__s64)ctx->args[1], 0);
}

SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];

	return tell(EXIT, BPF_CORE_READ(task, pid), 0);
}

SEC("raw_tp/signal_generate")
int on_signal(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[2];

	/* USR1, USR2 and CHLD */
	return ctx->args[0] == 10 || ctx->args[0] == 12 || ctx->args[0] == 17 ?
		       tell(SIGNAL, BPF_CORE_READ(task, pid), 0) : 0;
}

SEC("tracepoint/syscalls/sys_exit_getpid")
int on_getpid(struct exit_record *ctx)
{
	return tell(GETPID, ctx->result, 0);
}

SEC("tracepoint/syscalls/sys_enter_openat")
int on_open(struct open_record *ctx)
{
	return tell(OPEN, 0, ctx->name);
}

char LICENSE[] SEC("license") = "GPL";

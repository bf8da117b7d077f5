/* SPDX-License-Identifier: BSD-2-Clause */
/* helpers.bpf.c - what helpers say of a thread, at each kind of place. */
#include "values.h"
#include "kernel.h"

struct sys_enter {
	__u64 common;
	long number;
	unsigned long args[6];
};

/* Set by the driver: the machine's device and inode of the pid namespace. */
const volatile __u64 ns_dev, ns_ino;

enum { SECOND = 1000000000, USER_STACK = 256 };

static __noinline int ids(const char *place)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid(), uid_gid = bpf_get_current_uid_gid();
	struct bpf_pidns_info ns = { 0 };
	char comm[16], shorter[5];

	NUMBER("tgid", pid_tgid >> 32);
	NUMBER("pid", (__u32)pid_tgid);
	NUMBER("uid", (__u32)uid_gid);
	NUMBER("gid", uid_gid >> 32);
	NUMBER("comm error", bpf_get_current_comm(comm, sizeof(comm)));
	TEXT_AT("comm", comm);
	NUMBER("shorter error", bpf_get_current_comm(shorter, sizeof(shorter)));
	TEXT_AT("shorter", shorter);
	NUMBER("ns error", bpf_get_ns_current_pid_tgid(ns_dev, ns_ino, &ns, sizeof(ns)));
	NUMBER("ns pid", ns.pid);
	NUMBER("ns tgid", ns.tgid);
	NUMBER("other ns error", bpf_get_ns_current_pid_tgid(ns_dev, ns_ino + 1, &ns, sizeof(ns)));
	NUMBER("other ns pid", ns.pid);
	return 0;
}

static __noinline int groups(const char *place)
{
	NUMBER("cgroup", bpf_get_current_cgroup_id());
	NUMBER("ancestor 0", bpf_get_current_ancestor_cgroup_id(0));
	NUMBER("ancestor 1", bpf_get_current_ancestor_cgroup_id(1));
	NUMBER("ancestor 20", bpf_get_current_ancestor_cgroup_id(20));
	NUMBER("ancestor -1", bpf_get_current_ancestor_cgroup_id(-1));
	NUMBER("node", bpf_get_numa_node_id());
	NUMBER("cpu in range", bpf_get_smp_processor_id() < 4096);
	NUMBER("jiffies", bpf_jiffies64() > 1000);
	return 0;
}

static __noinline int same_task(const char *place)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *typed = bpf_get_current_task_btf();
	struct pt_regs *saved = (struct pt_regs *)bpf_task_pt_regs(typed);
	__u64 stack[2] = { 0 };

	NUMBER("saved ip", saved->ip);
	NUMBER("saved sp", saved->sp);
	NUMBER("saved di", saved->di);
	NUMBER("saved orig_ax", saved->orig_ax);
	NUMBER("task stack", bpf_get_task_stack(typed, stack, sizeof(stack), USER_STACK));
	NUMBER("task stack[0]", stack[0]);
	NUMBER("parent's stack", bpf_get_task_stack(typed->real_parent, stack, sizeof(stack), USER_STACK));
	NUMBER("same task", task == typed);
	NUMBER("typed pid", typed->pid);
	NUMBER("typed tgid", typed->tgid);
	TEXT_AT("typed comm", typed->comm);
	NUMBER("typed parent", typed->real_parent->tgid);
	NUMBER("typed leader", typed->group_leader->pid);
	NUMBER("typed uid", typed->cred->uid.val);
	NUMBER("under task's own", BPF_CORE_READ(task, real_parent, real_parent, tgid));
	return 0;
}

static __noinline int signals(const char *place)
{
	NUMBER("signal 0", bpf_send_signal(0));
	NUMBER("signal 65", bpf_send_signal(65));
	NUMBER("SIGURG", bpf_send_signal(23));
	NUMBER("thread's SIGURG", bpf_send_signal_thread(23));
	return 0;
}

static __noinline int reads(const char *place, const void *bad)
{
	long room = 5;

	NUMBER("kernel read of NULL", bpf_probe_read_kernel(&room, sizeof(room), 0));
	NUMBER("room", room);
	room = 6;
	NUMBER("kernel read of user's", bpf_probe_read_kernel(&room, sizeof(room), bad));
	NUMBER("room", room);
	NUMBER("user read of no address", bpf_probe_read_user(&room, sizeof(room), (void *)1));
	NUMBER("strncmp", bpf_strncmp("abc", 3, "abd"));
	return 0;
}

/* at: the tenth byte of a page with a file's 15, behind which is one past the file's end. */
static __noinline int edges(const char *place, const char *at)
{
	char some[8] __attribute__((aligned(8))) = "unread", kept[8] __attribute__((aligned(8))) = "unread";
	long found = 7;
	unsigned long two = 7;

	NUMBER("str", bpf_probe_read_user_str(some, sizeof(some), at));
	TEXT_AT("str text", some);
	NUMBER("str of 4", bpf_probe_read_user_str(some, 4, at));
	TEXT_AT("str of 4 text", some);
	NUMBER("str of 1", bpf_probe_read_user_str(some, 1, at));
	NUMBER("str of 1 text", some[0]);
	NUMBER("str of NULL", bpf_probe_read_user_str(kept, sizeof(kept), 0));
	NUMBER("str of NULL text", *(__u64 *)kept);
	NUMBER("empty str", bpf_probe_read_user_str(some, sizeof(some), at + 100));
	NUMBER("empty str text", some[0]);
	NUMBER("str past the end", bpf_probe_read_user_str(some, sizeof(some), at - 10 + 4096));
	NUMBER("str past the end text", *(__u64 *)some);
	__builtin_memset(some, 'x', sizeof(some));
	NUMBER("read over the end", bpf_probe_read_user(some, sizeof(some), at - 10 + 4092));
	NUMBER("read over the end text", *(__u64 *)some);
	NUMBER("str of a kernel address", bpf_probe_read_user_str(some, sizeof(some), (void *)-4096));
	NUMBER("strtol", bpf_strtol(" -0x1fz", 7, 0, &found));
	NUMBER("strtol number", found);
	NUMBER("strtol of none", bpf_strtol("z", 1, 0, &found));
	NUMBER("strtol too large", bpf_strtol("9223372036854775808", 19, 10, &found));
	NUMBER("strtol base", bpf_strtol("12", 2, 7, &found));
	NUMBER("strtoul", bpf_strtoul("-1", 2, 10, &two));
	NUMBER("strtoul number", two);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 127 * 8);
} stacks SEC(".maps");

static __always_inline int stack_ids(const char *place, void *ctx)
{
	enum { FAST = 0x200, REUSE = 0x400, BUILD_ID = 0x800 };
	long id = bpf_get_stackid(ctx, &stacks, USER_STACK), again, reused;

	again = bpf_get_stackid(ctx, &stacks, USER_STACK | FAST);
	reused = bpf_get_stackid(ctx, &stacks, USER_STACK | REUSE);
	NUMBER("id", id >= 0);
	NUMBER("id again", again == id);
	NUMBER("id reused", reused == id);
	NUMBER("id with build ids", bpf_get_stackid(ctx, &stacks, USER_STACK | BUILD_ID));
	NUMBER("id with bad flags", bpf_get_stackid(ctx, &stacks, USER_STACK | 0x1000));
	NUMBER("id skipping all", bpf_get_stackid(ctx, &stacks, USER_STACK | 126));
	return 0;
}

#define EVERYWHERE(place) \
	do {              \
		ids(place); \
		groups(place); \
		same_task(place); \
		signals(place); \
		reads(place, 0); \
	} while (0)

static __always_inline int stack(const char *place, void *ctx)
{
	__u64 addresses[8] = { 0 };

	NUMBER("stack size", bpf_get_stack(ctx, addresses, sizeof(addresses), USER_STACK));
	NUMBER("stack[0]", addresses[0]);
	NUMBER("stack[1]", addresses[1]);
	NUMBER("stack[2]", addresses[2]);
	NUMBER("skipping", bpf_get_stack(ctx, addresses, 16, USER_STACK | 1));
	NUMBER("skipping[0]", addresses[0]);
	NUMBER("odd size", bpf_get_stack(ctx, addresses, 15, USER_STACK));
	return 0;
}

SEC("raw_tp/sys_enter") int raw(struct bpf_raw_tracepoint_args *ctx)
{
	const char *place = "raw_tp";
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	__u64 now[3] = { bpf_ktime_get_ns(), bpf_ktime_get_boot_ns(), bpf_ktime_get_tai_ns() };

	if (is_mark(regs, ctx->args[1], MARK_CLOCKS)) {
		/* What the command has read just before. */
		NUMBER("monotonic", now[0] - BPF_CORE_READ(regs, si) < SECOND);
		NUMBER("boottime", now[1] - BPF_CORE_READ(regs, dx) < SECOND);
		NUMBER("tai", now[2] - BPF_CORE_READ(regs, r10) < SECOND);
	}
	if (is_mark(regs, ctx->args[1], MARK_MEMORY)) {
		stack_ids("raw_tp", ctx);
		return edges("raw_tp", (const char *)BPF_CORE_READ(regs, si));
	}
	if (!is_mark(regs, ctx->args[1], MARK_TASK))
		return 0;
	EVERYWHERE("raw_tp");
	return stack(place, ctx);
}

SEC("tp_btf/sys_enter") int BPF_PROG(typed, struct pt_regs *regs, long id)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!is_mark(regs, id, MARK_TASK))
		return 0;
	EVERYWHERE("tp_btf");
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_process_vm_readv") int record(struct sys_enter *ctx)
{
	const char *place = "tracepoint";

	if (ctx->args[0] != MARK_TASK)
		return 0;
	EVERYWHERE("tracepoint");
	stack(place, ctx);
	NUMBER("cookie", bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("uprobe/./calls:probed_int") int probe(struct pt_regs *ctx)
{
	const char *place = "uprobe";

	EVERYWHERE("uprobe");
	return stack(place, ctx);
}

SEC("uretprobe/./calls:probed_int") int probe_returns(struct pt_regs *ctx)
{
	const char *place = "uretprobe";

	EVERYWHERE("uretprobe");
	return stack(place, ctx);
}

SEC("tracepoint/sched/sched_process_exec") int exec(void *ctx)
{
	EVERYWHERE("exec");
	return 0;
}

SEC("tracepoint/sched/sched_process_exit") int ended(void *ctx)
{
	ids("exit");
	groups("exit");
	same_task("exit");
	return 0;
}

SEC("tracepoint/sched/sched_process_fork") int forked(void *ctx)
{
	ids("fork");
	groups("fork");
	same_task("fork");
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

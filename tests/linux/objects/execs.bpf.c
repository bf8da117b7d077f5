/* SPDX-License-Identifier: BSD-2-Clause */
/* Every program that is executed: into a ring buffer, a perf event array, a line, two counters. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct exec_event {
	__u32 pid, tag;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} execs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

const volatile __u32 tag = 5;
__u64 seen;

const struct exec_event *unused_exec_event __attribute__((unused));

SEC("tp_btf/sched_process_exec")
int on_exec(__u64 *ctx)
{
	struct exec_event event = { .pid = bpf_get_current_pid_tgid() >> 32, .tag = tag };
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&execs, &zero);

	if (count)
		*count += 1;
	seen++;
	bpf_get_current_comm(event.comm, sizeof(event.comm));
	bpf_ringbuf_output(&ring, &event, sizeof(event), 0);
	bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &event, sizeof(event));
	bpf_printk("exec %s", event.comm);
	return 0;
}

/* sched_get_priority_max(), which the tests' commands call so many times. */
SEC("tp/syscalls/sys_enter_sched_get_priority_max")
int on_call(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u64 one = 1, *count = bpf_map_lookup_elem(&calls, &pid);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&calls, &pid, &one, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile - where is CPU time spent?
 *
 * Each sample's stacks, of the program and of the kernel below it, become numbers of
 * a stack map; how often the same pair was seen is counted by process.
 *
 *   skep run --flame cpu.svg examples/profile.bpf.c -- make -j2
 *   sudo skep run --on linux --flame cpu.svg examples/profile.bpf.c -- make -j2
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sample {
	__u32 pid;
	int user_stack, kernel_stack; /* negative: there is none */
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u64[127]);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sample);
	__type(value, __u64);
} samples SEC(".maps");

SEC("perf_event")
int sample(void *ctx)
{
	struct sample sample = { .pid = bpf_get_current_pid_tgid() >> 32 };
	__u64 one = 1, *count;

	/* Nobody's time. */
	if (!sample.pid)
		return 0;
	sample.user_stack = (int)bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	sample.kernel_stack = (int)bpf_get_stackid(ctx, &stacks, 0);
	bpf_get_current_comm(sample.comm, sizeof(sample.comm));
	count = bpf_map_lookup_elem(&samples, &sample);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&samples, &sample, &one, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples as records, each with its stacks. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sample_event {
	__u32 pid, zero;
	char comm[16];
	__u64 user_stack[32], kernel_stack[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} samples SEC(".maps");

const struct sample_event *unused_sample_event __attribute__((unused));

SEC("perf_event")
int sample(void *ctx)
{
	struct sample_event *event = bpf_ringbuf_reserve(&samples, sizeof(*event), 0);

	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_get_stack(ctx, event->user_stack, sizeof(event->user_stack), BPF_F_USER_STACK);
	bpf_get_stack(ctx, event->kernel_stack, sizeof(event->kernel_stack), 0);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

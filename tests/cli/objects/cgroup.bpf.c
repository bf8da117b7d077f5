/* SPDX-License-Identifier: BSD-2-Clause */
/* Of tasks under a cgroup, if one is set; its records have no type. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

volatile const _Bool only_ours;

SEC("tracepoint/syscalls/sys_enter_mkdir")
int makes(void *ctx)
{
	char text[48] = "a directory";

	if (only_ours && bpf_current_task_under_cgroup(&cgroups, 0) != 1)
		return 0;
	text[32] = 7;
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, text, 40);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

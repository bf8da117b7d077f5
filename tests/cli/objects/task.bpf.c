/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs this? And a field that Skep has no answer for. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	void *bio_list;
	struct task_struct *real_parent;
	int tgid;
} __attribute__((preserve_access_index));

SEC("raw_tp/parent")
int parent(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, real_parent, tgid);
}

SEC("?raw_tp/disk")
int disk(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, bio_list) != 0;
}

char LICENSE[] SEC("license") = "GPL";

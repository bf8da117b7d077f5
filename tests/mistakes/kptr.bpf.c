/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel pointers kept in maps; needs a compiler that writes type tags (clang 15). */
#include "common.h"
#include <linux/pkt_cls.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;

#ifndef __kptr
#define __kptr __attribute__((btf_type_tag("kptr")))
#endif

struct kept {
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} kept_tasks SEC(".maps");

SEC("syscall")
int kept_outside_rcu(void *ctx)
{
	__u32 key = 0;
	struct kept *kept = bpf_map_lookup_elem(&kept_tasks, &key);
	struct task_struct *task;

	if (!kept)
		return 0;
	task = kept->task;
	if (!task)
		return 0;
	task = bpf_task_acquire(task); // blame: bpf_task_acquire() | RCU
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tc")
int exchanged_and_forgotten(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct kept *kept = bpf_map_lookup_elem(&kept_tasks, &key);
	struct task_struct *task, *old;

	if (!kept)
		return TC_ACT_OK;
	task = bpf_task_from_pid(1);
	if (!task)
		return TC_ACT_OK;
	old = bpf_kptr_xchg(&kept->task, task); // blame: taken out of the map
	return old ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("tc")
int released_but_not_owned(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct kept *kept = bpf_map_lookup_elem(&kept_tasks, &key);
	struct task_struct *task;

	if (!kept)
		return TC_ACT_OK;
	task = kept->task;
	if (task)
		bpf_task_release(task); // blame: does not own
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";

/* SPDX-License-Identifier: BSD-2-Clause */
/* The types of a kernel: what the programs here are attached to and call. */
#include "typed.h"

struct task_struct {
	int pid;
	struct task_struct *parent;
};

struct file {
	u64 mode;
};

struct bpf_map {
	u32 id;
};

struct bpf_arena {
	struct bpf_map map;
};

__noinline int bpf_lsm_file_open(struct file *file) { return (int)file->mode; }
__noinline void bpf_lsm_task_free(struct task_struct *task) { task->pid = 1; }
__noinline int bpf_lsm_audit_rule_known(void *rule) { return rule != 0; }
__noinline int bpf_lsm_getprocattr(struct task_struct *task) { return task->pid; }
__noinline void *bpf_arena_alloc_pages(void *p__map, void *addr__ign, u32 page_cnt, int node_id,
				       u64 flags)
{
	return (char *)p__map + page_cnt + node_id + flags + (u64)addr__ign;
}

typedef void (*btf_trace_task_newtask)(void *data, struct task_struct *task, u64 flags);
btf_trace_task_newtask task_newtask;
struct bpf_arena arena;

SEC("raw_tp") int use(struct task_struct *task)
{
	struct file file = { 0 };

	bpf_lsm_task_free(task);
	return bpf_lsm_file_open(&file) + bpf_lsm_audit_rule_known(task) +
	       bpf_lsm_getprocattr(task) + (task_newtask != 0) + (int)arena.map.id +
	       (bpf_arena_alloc_pages(task, 0, 1, 0, 0) != 0);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel that the collection is judged against: its types, as far as they matter. */
typedef unsigned long long u64;
typedef unsigned int u32;
typedef int s32;

struct task_struct {
	int pid, tgid;
	u64 start_time;
};

struct bpf_iter_num {
	u64 opaque[1];
} __attribute__((aligned(8)));

struct bpf_dynptr {
	u64 opaque[2];
} __attribute__((aligned(8)));

struct __sk_buff {
	u32 len;
};

struct task_struct *bpf_task_acquire(struct task_struct *p) { return p; }
int bpf_dynptr_from_skb(struct __sk_buff *s, u64 flags, struct bpf_dynptr *ptr__uninit)
{
	return s && flags && ptr__uninit;
}
void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk)
{
	return p && offset + buffer__szk ? buffer__opt : 0;
}
void bpf_rcu_read_lock(void) { }
void bpf_rcu_read_unlock(void) { }
struct task_struct *bpf_task_from_pid(s32 pid) { return (struct task_struct *)(long)pid; }
void bpf_task_release(struct task_struct *p) { (void)p; }
void bpf_task_release_dtor(void *p) { (void)p; }
int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) { return it && start < end; }
int *bpf_iter_num_next(struct bpf_iter_num *it) { return (int *)it; }
void bpf_iter_num_destroy(struct bpf_iter_num *it) { (void)it; }

/* SPDX-License-Identifier: BSD-2-Clause */
/* The types of a kernel: what the programs here are attached to and call. */
#include "objects.h"

struct task_struct {
	int pid;
	struct task_struct *parent;
	struct task_struct *real_parent;
};

/* The members that RCU protects. */
struct task_struct__safe_rcu {
	struct task_struct *real_parent;
} task_struct_safe;

struct file {
	u64 mode;
};

struct sock_common {
	u16 family;
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

/* A function of the kernel: its prototype is what matters, not what it does. */
#define KFUNC(prototype, result) __noinline prototype { __asm__ volatile(""); return result; }

KFUNC(void *bpf_obj_new_impl(u64 local_type_id__k, void *meta__ign), 0)
KFUNC(void bpf_obj_drop_impl(void *p__alloc, void *meta__ign), )
KFUNC(void *bpf_percpu_obj_new_impl(u64 local_type_id__k, void *meta__ign), 0)
KFUNC(void bpf_percpu_obj_drop_impl(void *p__alloc, void *meta__ign), )
KFUNC(void *bpf_refcount_acquire_impl(void *p__refcounted_kptr, void *meta__ign), 0)
KFUNC(int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				   void *meta__ign, u64 off), 0)
KFUNC(int bpf_list_add(struct bpf_list_head *head, struct bpf_list_node *new,
		       struct bpf_list_node *prev__nonown_allowed), 0)
KFUNC(struct bpf_list_node *bpf_list_del(struct bpf_list_head *head,
					 struct bpf_list_node *node__nonown_allowed), 0)
KFUNC(_Bool bpf_list_is_first(struct bpf_list_head *head,
			      struct bpf_list_node *node__nonown_allowed), 0)
KFUNC(struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head), 0)
KFUNC(struct bpf_list_node *bpf_list_front(struct bpf_list_head *head), 0)
KFUNC(int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node, less_fn *less,
			      void *meta__ign, u64 off), 0)
KFUNC(struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node), 0)
KFUNC(struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root), 0)
KFUNC(struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *root), 0)
KFUNC(struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *root, struct bpf_rb_node *node), 0)
KFUNC(int bpf_wq_init(struct bpf_wq *wq, void *p__const_map, u32 flags), 0)
KFUNC(int bpf_wq_set_callback(struct bpf_wq *wq, work_fn *callback_fn, u32 flags), 0)
KFUNC(int bpf_wq_start(struct bpf_wq *wq, u32 flags), 0)
KFUNC(int bpf_timer_cancel_async(struct bpf_timer *timer), 0)
KFUNC(int bpf_task_work_schedule_signal(struct task_struct *task, struct bpf_task_work *tw,
					void *map__const_map, work_fn *callback), 0)
KFUNC(int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags), 0)
KFUNC(void *bpf_wakeup_sources_get_head(void), 0)
KFUNC(struct task_struct *bpf_task_acquire(struct task_struct *p), 0)
KFUNC(struct task_struct *bpf_task_from_pid(s32 pid), 0)
KFUNC(void bpf_task_release(struct task_struct *p), )
KFUNC(int bpf_sock_destroy(struct sock_common *sock), 0)
KFUNC(void *bpf_rdonly_cast(const void *obj__ign, u32 btf_id__k), 0)

struct bpf_dynptr;
struct __sk_buff;
struct xdp_md;
struct bpf_iter_num { u64 words[1]; };
struct bpf_iter_bits { u64 words[2]; };
struct bpf_iter_task { u64 words[3]; };
struct bpf_iter_kmem_cache { u64 words[1]; };
struct kmem_cache { u32 size; };

KFUNC(void bpf_rcu_read_lock(void), )
KFUNC(void bpf_rcu_read_unlock(void), )
KFUNC(void bpf_preempt_disable(void), )
KFUNC(void bpf_preempt_enable(void), )
KFUNC(void bpf_local_irq_save(unsigned long *flags__irq_flag), )
KFUNC(void bpf_local_irq_restore(unsigned long *flags__irq_flag), )
KFUNC(int bpf_res_spin_lock(struct bpf_res_spin_lock *lock), 0)
KFUNC(void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock), )
KFUNC(int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags__irq_flag), 0)
KFUNC(void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock,
					  unsigned long *flags__irq_flag), )
KFUNC(void bpf_throw(u64 cookie), )
KFUNC(int bpf_dynptr_from_skb(struct __sk_buff *s, u64 flags, struct bpf_dynptr *ptr__uninit), 0)
KFUNC(int bpf_dynptr_from_skb_meta(struct __sk_buff *skb, u64 flags,
				   struct bpf_dynptr *ptr__uninit), 0)
KFUNC(int bpf_dynptr_from_xdp(struct xdp_md *x, u64 flags, struct bpf_dynptr *ptr__uninit), 0)
KFUNC(int bpf_dynptr_from_file(struct file *file, u32 flags, struct bpf_dynptr *ptr__uninit), 0)
KFUNC(int bpf_dynptr_file_discard(struct bpf_dynptr *dynptr), 0)
KFUNC(void *bpf_dynptr_slice(const struct bpf_dynptr *p, u64 offset, void *buffer__nullable,
			     u64 buffer__szk), 0)
KFUNC(void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, u64 offset, void *buffer__nullable,
				  u64 buffer__szk), 0)
KFUNC(int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit), 0)
KFUNC(int bpf_dynptr_adjust(const struct bpf_dynptr *p, u64 start, u64 end), 0)
KFUNC(struct file *bpf_get_task_exe_file(struct task_struct *task), 0)
KFUNC(void bpf_put_file(struct file *file), )
KFUNC(int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end), 0)
KFUNC(int *bpf_iter_num_next(struct bpf_iter_num *it), 0)
KFUNC(void bpf_iter_num_destroy(struct bpf_iter_num *it), )
KFUNC(int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *unsafe_ptr__ign, u32 nr_words), 0)
KFUNC(int *bpf_iter_bits_next(struct bpf_iter_bits *it), 0)
KFUNC(void bpf_iter_bits_destroy(struct bpf_iter_bits *it), )
KFUNC(int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task__nullable, u32 flags), 0)
KFUNC(struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it), 0)
KFUNC(void bpf_iter_task_destroy(struct bpf_iter_task *it), )
KFUNC(int bpf_iter_kmem_cache_new(struct bpf_iter_kmem_cache *it), 0)
KFUNC(struct kmem_cache *bpf_iter_kmem_cache_next(struct bpf_iter_kmem_cache *it), 0)
KFUNC(void bpf_iter_kmem_cache_destroy(struct bpf_iter_kmem_cache *it), )
struct bpf_dummy_ops {
	int (*test_1)(struct file *file);
	int (*test_2)(struct task_struct *task);
	int (*test_sleepable)(struct file *file);
};
struct bpf_struct_ops_bpf_dummy_ops {
	u64 state;
	struct bpf_dummy_ops data;
} dummy_ops;

__noinline int bpf_dummy_ops__test_1(struct file *file__nullable) { return file__nullable != 0; }
__noinline int bpf_dummy_ops__test_2(struct task_struct *task__ref) { return task__ref->pid; }

__noinline int security_open(struct file *file) { return (int)file->mode; }
__noinline long __x64_sys_getpid(const void *regs) { return regs != 0; }
__noinline void do_exit(long code) { __asm__ volatile("" : "+r"(code)); }
__noinline void migrate_disable(void) { __asm__ volatile(""); }
__noinline int bpf_sk_storage_free(void *sk) { return sk != 0; }

typedef void (*btf_trace_task_newtask)(void *data, struct task_struct *task, u64 flags);
btf_trace_task_newtask task_newtask;
struct bpf_arena arena;

SEC("raw_tp") int use(struct task_struct *task)
{
	struct file file = { 0 };

	bpf_lsm_task_free(task);
	do_exit(security_open(&file) + __x64_sys_getpid(task) + bpf_sk_storage_free(task));
	migrate_disable();
	bpf_dummy_ops__test_1(&file);
	bpf_dummy_ops__test_2(task);
	dummy_ops.state = 1;
	return bpf_lsm_file_open(&file) + bpf_lsm_audit_rule_known(task) +
	       bpf_lsm_getprocattr(task) + (task_newtask != 0) + (int)arena.map.id +
	       (bpf_arena_alloc_pages(task, 0, 1, 0, 0) != 0);
}

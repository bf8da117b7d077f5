/* SPDX-License-Identifier: BSD-2-Clause */
/* kfuncs.h - the helpers and kernel functions that programs here call, and their types. */
#ifndef KFUNCS_H
#define KFUNCS_H

#include "objects.h"

struct __sk_buff {
	u32 len, pkt_type, mark, words[16];
	u32 data, data_end;
};
struct xdp_md { u32 data, data_end; };
struct bpf_dynptr { u64 words[2]; };
struct bpf_iter_num { u64 words[1]; };
struct bpf_iter_bits { u64 words[2]; };
struct bpf_iter_task { u64 words[3]; };
struct bpf_iter_kmem_cache { u64 words[1]; };
struct task_struct { int pid; struct task_struct *real_parent; } __attribute__((preserve_access_index));
struct file { u64 mode; } __attribute__((preserve_access_index));
struct kmem_cache { u32 size; } __attribute__((preserve_access_index));

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static long (*const bpf_tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static long (*const bpf_skb_pull_data)(void *skb, u32 len) = (void *)39;
static long (*const bpf_xdp_adjust_head)(void *xdp, int delta) = (void *)44;
static long (*const bpf_spin_lock)(struct bpf_spin_lock *lock) = (void *)93;
static long (*const bpf_spin_unlock)(struct bpf_spin_lock *lock) = (void *)94;
static long (*const bpf_probe_read_kernel)(void *dst, u32 size, const void *from) = (void *)113;
static void *(*const bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const bpf_ringbuf_discard)(void *data, u64 flags) = (void *)133;
static long (*const bpf_copy_from_user)(void *dst, u32 size, const void *from) = (void *)148;
static long (*const bpf_timer_init)(struct bpf_timer *timer, void *map, u64 flags) = (void *)169;
static long (*const bpf_timer_set_callback)(struct bpf_timer *timer, void *callback) = (void *)170;
static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158;
static long (*const bpf_loop)(u32 count, void *callback, void *ctx, u64 flags) = (void *)181;
static long (*const bpf_dynptr_from_mem)(void *data, u64 size, u64 flags,
					 struct bpf_dynptr *ptr) = (void *)197;
static long (*const bpf_ringbuf_reserve_dynptr)(void *ring, u32 size, u64 flags,
						struct bpf_dynptr *ptr) = (void *)198;
static long (*const bpf_ringbuf_submit_dynptr)(struct bpf_dynptr *ptr, u64 flags) = (void *)199;
static long (*const bpf_dynptr_read)(void *dst, u64 len, const struct bpf_dynptr *src, u64 offset,
				     u64 flags) = (void *)201;
static long (*const bpf_dynptr_write)(const struct bpf_dynptr *dst, u64 offset, void *src, u64 len,
				      u64 flags) = (void *)202;
static void *(*const bpf_dynptr_data)(const struct bpf_dynptr *ptr, u64 offset,
				      u64 len) = (void *)203;
static long (*const bpf_user_ringbuf_drain)(void *ring, void *callback, void *ctx,
					    u64 flags) = (void *)209;

#define KFUNC extern __ksym __weak
KFUNC void bpf_rcu_read_lock(void);
KFUNC void bpf_rcu_read_unlock(void);
KFUNC void bpf_preempt_disable(void);
KFUNC void bpf_preempt_enable(void);
KFUNC void bpf_local_irq_save(unsigned long *flags);
KFUNC void bpf_local_irq_restore(unsigned long *flags);
KFUNC int bpf_res_spin_lock(struct bpf_res_spin_lock *lock);
KFUNC void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock);
KFUNC int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags);
KFUNC void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock, unsigned long *flags);
KFUNC void bpf_throw(u64 cookie);
KFUNC int bpf_copy_from_user_str(void *dst, u32 size, const void *from, u64 flags);
KFUNC int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr);
KFUNC int bpf_dynptr_from_skb_meta(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr);
KFUNC int bpf_dynptr_from_xdp(struct xdp_md *xdp, u64 flags, struct bpf_dynptr *ptr);
KFUNC int bpf_dynptr_from_file(struct file *file, u32 flags, struct bpf_dynptr *ptr);
KFUNC int bpf_dynptr_file_discard(struct bpf_dynptr *ptr);
KFUNC void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u64 offset, void *buffer, u64 size);
KFUNC void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, u64 offset, void *buffer, u64 size);
KFUNC int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone);
KFUNC int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, u64 start, u64 end);
KFUNC struct file *bpf_get_task_exe_file(struct task_struct *task);
KFUNC void bpf_put_file(struct file *file);
KFUNC int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end);
KFUNC int *bpf_iter_num_next(struct bpf_iter_num *it);
KFUNC void bpf_iter_num_destroy(struct bpf_iter_num *it);
KFUNC int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *words, u32 count);
KFUNC int *bpf_iter_bits_next(struct bpf_iter_bits *it);
KFUNC void bpf_iter_bits_destroy(struct bpf_iter_bits *it);
KFUNC int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, u32 flags);
KFUNC struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it);
KFUNC void bpf_iter_task_destroy(struct bpf_iter_task *it);
KFUNC int bpf_iter_kmem_cache_new(struct bpf_iter_kmem_cache *it);
KFUNC struct kmem_cache *bpf_iter_kmem_cache_next(struct bpf_iter_kmem_cache *it);
KFUNC void bpf_iter_kmem_cache_destroy(struct bpf_iter_kmem_cache *it);
KFUNC int bpf_wq_init(struct bpf_wq *wq, void *map, u32 flags);
KFUNC int bpf_wq_set_callback(struct bpf_wq *wq, work_fn *callback, u32 flags);
KFUNC struct task_struct *bpf_task_acquire(struct task_struct *task);
KFUNC void bpf_task_release(struct task_struct *task);

struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");
struct { __uint(type, 31); __uint(max_entries, 4096); } user_ring SEC(".maps");
struct { __uint(type, ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, u64[8]); }
	values SEC(".maps");
struct { __uint(type, PROG_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int); }
	programs SEC(".maps");
volatile u64 sink;

static inline u64 *value(void)
{
	u32 key = *(volatile u32 *)&sink;

	return bpf_map_lookup_elem(&values, &key);
}

#endif

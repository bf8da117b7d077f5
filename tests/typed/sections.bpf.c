/* SPDX-License-Identifier: BSD-2-Clause */
/* Stretches with interrupts or preemption off, RCU read sections, and locks that can fail. */
#include "kfuncs.h"

LICENSE;

#define TC SEC("tc") int
#define SKB struct __sk_buff *skb
#define IN_REGION(name) \
	REJECTED("BPF_EXIT instruction in main prog cannot be used inside " name "-ed region")
#define IRQ_ON_AT_EXIT IN_REGION("bpf_local_irq_save")
#define LOCK_AT_EXIT IN_REGION("bpf_spin_lock")
#define LOCKED REJECTED("function calls are not allowed while holding a lock")

#define lock_section(name) SEC(".data." #name) __attribute__((visibility("hidden"), aligned(8)))
lock_section(a) struct bpf_res_spin_lock lock_a;
lock_section(b) struct bpf_res_spin_lock lock_b;
lock_section(c) struct bpf_spin_lock plain;

/* --- interrupts --- */

ACCEPTED TC irq__restored(SKB)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

IRQ_ON_AT_EXIT TC irq__not_restored(SKB)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return 0;
}

REJECTED("cannot restore irq state out of order, expected id=2 acquired at insn_idx=")
TC irq__restored_out_of_order(SKB)
{
	unsigned long a, b;

	bpf_local_irq_save(&a);
	bpf_local_irq_save(&b);
	bpf_local_irq_restore(&a);
	bpf_local_irq_restore(&b);
	return 0;
}

REJECTED("expected uninitialized irq flag as R1") TC irq__saved_twice_in_one_place(SKB)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_local_irq_save(&flags);
	return 0;
}

REJECTED("expected an initialized irq flag as R1") TC irq__flags_overwritten(SKB)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	*(volatile char *)&flags = 1;
	bpf_local_irq_restore(&flags);
	return 0;
}

REJECTED("R1 doesn't point to an irq flag on stack") TC irq__flags_outside_the_stack(SKB)
{
	bpf_local_irq_save((unsigned long *)&sink);
	return 0;
}

REJECTED("invalid read from stack") TC irq__flags_read(SKB)
{
	volatile unsigned long flags;

	bpf_local_irq_save((unsigned long *)&flags);
	sink = flags;
	bpf_local_irq_restore((unsigned long *)&flags);
	return 0;
}

static __noinline void save(unsigned long *flags) { bpf_local_irq_save(flags); }
static __noinline void restore(unsigned long *flags) { bpf_local_irq_restore(flags); }

ACCEPTED TC irq__saved_and_restored_by_functions(SKB)
{
	unsigned long flags;

	save(&flags);
	restore(&flags);
	return 0;
}

static int save_only(u32 i, void *ctx)
{
	unsigned long flags;

	(void)i, (void)ctx;
	bpf_local_irq_save(&flags);
	return 0;
}

IRQ_ON_AT_EXIT TC irq__left_off_by_a_callback(SKB)
{
	bpf_loop(5, save_only, 0, 0);
	return 0;
}

REJECTED("tail_call cannot be used inside bpf_local_irq_save-ed region") TC irq__tail_call(SKB)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_tail_call(skb, &programs, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

/* --- what may not sleep --- */

REJECTED("sleepable helper bpf_copy_from_user#148 in IRQ-disabled region")
SEC("syscall") int irq__helper_that_sleeps(void *ctx)
{
	unsigned long flags;
	u32 got;

	bpf_local_irq_save(&flags);
	bpf_copy_from_user(&got, sizeof(got), 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

REJECTED("kernel func bpf_copy_from_user_str is sleepable within non-preemptible region")
SEC("syscall") int preempt__function_that_sleeps(void *ctx)
{
	u32 got;

	bpf_preempt_disable();
	bpf_copy_from_user_str(&got, sizeof(got), 0, 0);
	bpf_preempt_enable();
	return 0;
}

GLOBAL sleeps(int x)
{
	u32 got;

	bpf_copy_from_user(&got, sizeof(got), 0);
	return (int)got + x;
}

GLOBAL adds(int x) { return x + (int)sink; }

REJECTED("sleepable global function sleeps() called in rcu_read_lock region")
SEC("syscall") int rcu__global_function_that_sleeps(void *ctx)
{
	bpf_rcu_read_lock();
	sleeps(1);
	bpf_rcu_read_unlock();
	return 0;
}

ACCEPTED SEC("syscall") int preempt__global_function(void *ctx)
{
	bpf_preempt_disable();
	adds(1);
	bpf_preempt_enable();
	return 0;
}

/* --- nesting --- */

IN_REGION("bpf_preempt_disable") TC preempt__left_off(SKB)
{
	bpf_preempt_disable();
	return 0;
}

REJECTED("unmatched attempt to enable preemption (kernel function bpf_preempt_enable)")
TC preempt__enabled_only(SKB)
{
	bpf_preempt_enable();
	return 0;
}

ACCEPTED TC rcu__nested(SKB)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	return 0;
}

REJECTED("unmatched rcu read unlock (kernel function bpf_rcu_read_unlock)") TC rcu__unlocked_only(SKB)
{
	bpf_rcu_read_unlock();
	return 0;
}

/* --- locks --- */

ACCEPTED TC lock__taken_and_given_back(SKB)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

REJECTED("bpf_res_spin_unlock without taking a lock") TC lock__failure_not_checked(SKB)
{
	bpf_res_spin_lock(&lock_a);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

LOCK_AT_EXIT TC lock__kept(SKB)
{
	bpf_res_spin_lock(&lock_a);
	return 0;
}

REJECTED("Acquiring the same lock again, AA deadlock detected") TC lock__taken_twice(SKB)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

ACCEPTED TC lock__two(SKB)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (!bpf_res_spin_lock(&lock_b))
		bpf_res_spin_unlock(&lock_b);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

REJECTED("bpf_res_spin_unlock cannot be out of order") TC lock__out_of_order(SKB)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (bpf_res_spin_lock(&lock_b)) {
		bpf_res_spin_unlock(&lock_a);
		return 0;
	}
	bpf_res_spin_unlock(&lock_a);
	bpf_res_spin_unlock(&lock_b);
	return 0;
}

ACCEPTED TC lock__that_saves_interrupts(SKB)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

REJECTED("bpf_res_spin_unlock of different lock") TC lock__taken_and_given_back_otherwise(SKB)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

REJECTED("irq flag acquired by native kfuncs cannot be restored with lock kfuncs")
TC lock__flags_of_another_kind(SKB)
{
	unsigned long own, locks;

	bpf_local_irq_save(&own);
	if (!bpf_res_spin_lock_irqsave(&lock_a, &locks))
		bpf_res_spin_unlock_irqrestore(&lock_a, &own);
	bpf_local_irq_restore(&own);
	return 0;
}

ACCEPTED TC lock__error_is_negative(SKB)
{
	int error = bpf_res_spin_lock(&lock_a);

	if (error >= 0)
		bpf_res_spin_unlock(&lock_a);
	return 0;
}

LOCKED TC lock__helper_inside(SKB)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	sink = bpf_ktime_get_ns();
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

LOCKED TC lock__rcu_section_inside(SKB)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

LOCKED TC lock__plain_one_inside(SKB)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_spin_lock(&plain);
	bpf_spin_unlock(&plain);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

ACCEPTED TC lock__inside_a_plain_one(SKB)
{
	bpf_spin_lock(&plain);
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	bpf_spin_unlock(&plain);
	return 0;
}

REJECTED("map '.data.c' has no valid bpf_res_spin_lock") TC lock__of_another_type(SKB)
{
	bpf_res_spin_lock((struct bpf_res_spin_lock *)&plain);
	return 0;
}

REJECTED("socket filter progs cannot use bpf_spin_lock yet")
SEC("socket") int lock__in_a_socket_filter(SKB)
{
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	return 0;
}

/* --- what RCU protects --- */

#define SLEEPS SEC("lsm.s/file_open") int

ACCEPTED SLEEPS rcu__pointer_taken_with_preemption_off(void *ctx)
{
	struct task_struct *task;

	bpf_preempt_disable();
	task = bpf_get_current_task_btf()->real_parent;
	task = bpf_task_acquire(task);
	bpf_preempt_enable();
	if (task)
		bpf_task_release(task);
	return 0;
}

REJECTED("R1 must be a rcu pointer") SLEEPS rcu__pointer_used_after_a_lock(void *ctx)
{
	struct task_struct *task, *current;

	current = bpf_get_current_task_btf();
	bpf_spin_lock(&plain);
	task = current->real_parent;
	bpf_spin_unlock(&plain);
	task = bpf_task_acquire(task);
	if (task)
		bpf_task_release(task);
	return 0;
}

/* --- functions that run later do not sleep because what set them may --- */

struct job {
	struct bpf_timer timer;
	struct bpf_wq work;
};
struct { __uint(type, ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, struct job); }
	jobs SEC(".maps");

static int sleeps_later(void *map, int *key, void *value)
{
	u32 got;

	(void)map, (void)key, (void)value;
	bpf_copy_from_user(&got, sizeof(got), 0);
	return 0;
}

REJECTED("sleepable helper bpf_copy_from_user#148 in non-sleepable prog")
SEC("syscall") int timer__sleeps(void *ctx)
{
	u32 key = 0;
	struct job *job = bpf_map_lookup_elem(&jobs, &key);

	if (!job)
		return 0;
	bpf_timer_init(&job->timer, &jobs, 0);
	bpf_timer_set_callback(&job->timer, sleeps_later);
	return 0;
}

ACCEPTED TC work__sleeps(SKB)
{
	u32 key = 0;
	struct job *job = bpf_map_lookup_elem(&jobs, &key);

	if (!job)
		return 0;
	bpf_wq_init(&job->work, &jobs, 0);
	bpf_wq_set_callback(&job->work, sleeps_later, 0);
	return 0;
}

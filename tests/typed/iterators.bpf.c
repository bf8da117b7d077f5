/* SPDX-License-Identifier: BSD-2-Clause */
/* Iterators on the stack, and those that live only as long as an RCU section. */
#include "kfuncs.h"

LICENSE;

#define TRACE SEC("tp_btf/task_newtask") int
#define SLEEPS SEC("lsm.s/file_open") int
#define LEAK REJECTED("BPF_EXIT instruction in main prog would lead to reference leak")

ACCEPTED LOGS("=iter_num(id=1,state=active,depth=0)") LOGS("state=drained")
TRACE number__loop(void *ctx)
{
	struct bpf_iter_num it;
	int *number;

	bpf_iter_num_new(&it, 0, 4);
	while ((number = bpf_iter_num_next(&it)))
		sink += *number;
	bpf_iter_num_destroy(&it);
	return 0;
}

REJECTED("cannot write into rdonly_mem") TRACE number__written(void *ctx)
{
	struct bpf_iter_num it;
	int *number;

	bpf_iter_num_new(&it, 0, 4);
	while ((number = bpf_iter_num_next(&it)))
		*(volatile int *)number = 1;
	bpf_iter_num_destroy(&it);
	return 0;
}

REJECTED("invalid mem access 'scalar'") TRACE number__after_the_iterator(void *ctx)
{
	struct bpf_iter_num it;
	int *number;

	bpf_iter_num_new(&it, 0, 4);
	number = bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	if (number)
		sink = *number;
	return 0;
}

LEAK TRACE iterator__kept(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	return 0;
}

REJECTED("expected uninitialized iter_num as R1") TRACE iterator__made_twice(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	bpf_iter_num_new(&it, 0, 4);
	return 0;
}

REJECTED("expected an initialized iter_num as R1") TRACE iterator__destroyed_twice(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	bpf_iter_num_destroy(&it);
	bpf_iter_num_destroy(&it);
	return 0;
}

REJECTED("expected an initialized iter_num as R1") TRACE iterator__overwritten(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	*((volatile u8 *)&it + 3) = 1;
	bpf_iter_num_destroy(&it);
	return 0;
}

REJECTED("invalid read from stack") TRACE iterator__read(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	sink = *(volatile u64 *)&it;
	bpf_iter_num_destroy(&it);
	return 0;
}

LOGS("cannot pass in iter at an offset=-")
REJECTED("expected uninitialized iter_num as R1") TRACE iterator__not_aligned(void *ctx)
{
	char room[24];

	bpf_iter_num_new((struct bpf_iter_num *)(room + 4), 0, 4);
	return 0;
}

REJECTED("R1 expected pointer to an iterator on stack") TRACE iterator__in_a_map(void *ctx)
{
	u64 *memory = value();

	if (memory)
		bpf_iter_num_new((struct bpf_iter_num *)memory, 0, 4);
	return 0;
}

static __noinline void make(struct bpf_iter_num *it) { bpf_iter_num_new(it, 0, 4); }
static __noinline void end(struct bpf_iter_num *it) { bpf_iter_num_destroy(it); }

ACCEPTED TRACE iterator__made_and_destroyed_by_functions(void *ctx)
{
	struct bpf_iter_num it;
	int *number;

	make(&it);
	while ((number = bpf_iter_num_next(&it)))
		sink += *number;
	end(&it);
	return 0;
}

static int destroys(u32 i, struct bpf_iter_num *it)
{
	(void)i;
	bpf_iter_num_destroy(it);
	return 0;
}

LEAK TRACE iterator__destroyed_by_callbacks_that_may_not_run(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	bpf_loop(5, destroys, &it, 0);
	return 0;
}

ACCEPTED TRACE bits__of_no_words(void *ctx)
{
	struct bpf_iter_bits it;
	int *bit;

	bpf_iter_bits_new(&it, 0, 1);
	while ((bit = bpf_iter_bits_next(&it)))
		sink += *bit;
	bpf_iter_bits_destroy(&it);
	return 0;
}

/* --- sleeping, RCU --- */

REJECTED("kernel func bpf_iter_task_new requires RCU critical section protection")
SLEEPS tasks__outside_of_rcu(void *ctx)
{
	struct bpf_iter_task it;

	bpf_iter_task_new(&it, 0, 0);
	bpf_iter_task_destroy(&it);
	return 0;
}

ACCEPTED SLEEPS tasks__in_an_rcu_section(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	while ((task = bpf_iter_task_next(&it)))
		sink += task->pid;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return 0;
}

ACCEPTED SLEEPS tasks__with_preemption_off(void *ctx)
{
	struct bpf_iter_task it;

	bpf_preempt_disable();
	bpf_iter_task_new(&it, 0, 0);
	bpf_iter_task_next(&it);
	bpf_iter_task_destroy(&it);
	bpf_preempt_enable();
	return 0;
}

REJECTED("expected an RCU CS when using bpf_iter_task_next") SLEEPS tasks__after_the_section(void *ctx)
{
	struct bpf_iter_task it;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	bpf_rcu_read_unlock();
	bpf_iter_task_next(&it);
	bpf_iter_task_destroy(&it);
	return 0;
}

REJECTED("R1 must be a rcu pointer") SLEEPS task__after_the_section(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	task = bpf_iter_task_next(&it);
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	if (task)
		task = bpf_task_acquire(task);
	if (task)
		bpf_task_release(task);
	return 0;
}

REJECTED("kernel func bpf_iter_kmem_cache_new is sleepable within rcu_read_lock region")
SLEEPS caches__in_an_rcu_section(void *ctx)
{
	struct bpf_iter_kmem_cache it;

	bpf_rcu_read_lock();
	bpf_iter_kmem_cache_new(&it);
	bpf_iter_kmem_cache_destroy(&it);
	bpf_rcu_read_unlock();
	return 0;
}

ACCEPTED SLEEPS caches__where_programs_sleep(void *ctx)
{
	struct bpf_iter_kmem_cache it;
	struct kmem_cache *cache;

	bpf_iter_kmem_cache_new(&it);
	while ((cache = bpf_iter_kmem_cache_next(&it)))
		sink += cache->size;
	bpf_iter_kmem_cache_destroy(&it);
	return 0;
}

KFUNC void *bpf_rdonly_cast(const void *from, u32 type);

REJECTED("Unknown type ID 9999999 passed to kfunc bpf_rdonly_cast") TRACE cast__to_no_type(void *ctx)
{
	return *(int *)bpf_rdonly_cast(ctx, 9999999);
}

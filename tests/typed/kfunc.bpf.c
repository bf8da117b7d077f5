/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of the kernel: who may call them, and what they are given. */
#include "objects.h"

LICENSE;

struct task_struct { int pid; struct task_struct *parent; } __attribute__((preserve_access_index));
struct sock_common;

long out;

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern int bpf_sock_destroy(struct sock_common *sock) __ksym;
extern int bpf_copy_from_user_str(void *to, u32 size, const void *from, u64 flags) __ksym;
extern void *bpf_rdonly_cast(const void *from, u32 type) __ksym;

#define ON_TASK(name, body)                                                             \
	SEC("tp_btf/task_newtask") int name(u64 *ctx)                                   \
	{                                                                               \
		struct task_struct *task = (void *)ctx[0];                              \
		long word = 0;                                                          \
                                                                                        \
		__asm__ volatile("" : "+r"(task), "+m"(word));                          \
		body;                                                                   \
		return 0;                                                               \
	}

ACCEPTED ON_TASK(argument__is_trusted, task = bpf_task_acquire(task); if (task) bpf_task_release(task))
REJECTED("Possibly NULL pointer passed to trusted R1")
ON_TASK(release__of_what_may_be_null, bpf_task_release(bpf_task_acquire(task)))
REJECTED("would lead to reference leak") ON_TASK(reference__kept, bpf_task_acquire(task))
REJECTED("release kfunc bpf_task_release expects referenced PTR_TO_BTF_ID passed to R1")
ON_TASK(release__of_what_is_not_held, bpf_task_release(task))
REJECTED("R1 is fp expected STRUCT task_struct")
ON_TASK(argument__is_the_stack, task = bpf_task_acquire((void *)&word);
	if (task) bpf_task_release(task))
REJECTED("R1 is ctx expected STRUCT task_struct")
ON_TASK(argument__is_the_context, task = bpf_task_acquire((void *)ctx);
	if (task) bpf_task_release(task))
REJECTED("R1 must be a rcu pointer")
ON_TASK(argument__walked_to, task = bpf_task_acquire(task->parent); if (task) bpf_task_release(task))
REJECTED("program must be sleepable to call sleepable kfunc bpf_copy_from_user_str")
ON_TASK(sleeping__where_it_may_not, bpf_copy_from_user_str(&word, 8, (void *)1, 0))
REJECTED("invalid read from stack R1 off=-8 size=16")
LOGS("R1 and R2 memory, len pair leads to invalid memory access")
SEC("syscall") int buffer__too_small(void *ctx)
{
	long word = 0;

	return bpf_copy_from_user_str(&word, 16, (void *)1, 0);
}
REJECTED("calling kernel function bpf_sock_destroy is not allowed")
ON_TASK(sockets__are_destroyed_by_iterators_only, bpf_sock_destroy((void *)task))
REJECTED("calling kernel function bpf_task_from_pid is not allowed")
SEC("socket") int tasks__are_none_of_a_socket_filters_business(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (task)
		bpf_task_release(task);
	return 0;
}
REJECTED("R2 must be a known constant")
ON_TASK(cast__to_any_type, task = bpf_rdonly_cast(task, (u32)out); out = task->pid)
REJECTED("cannot write into rdonly_untrusted_mem")
ON_TASK(cast__is_not_written, *(int *)bpf_rdonly_cast(task, 0) = 1)

extern void *bpf_wakeup_sources_get_head(void) __ksym;
REJECTED("R0 invalid mem access 'scalar'") SEC("syscall") int result__to_nobody_knows_what(void *ctx)
{
	return *(int *)bpf_wakeup_sources_get_head();
}
ACCEPTED LOGS("R0=trusted_ptr_or_null_task_struct")
ON_TASK(reference__is_trusted, task = bpf_task_from_pid(1); if (task) bpf_task_release(task))

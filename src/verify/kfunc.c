/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kfunc.c - a call of a kernel function: is it one the program may call, and
 * what is true after it.
 */
#include "verify/kfunc.h"
#include "verify/passes.h"

#include <stdio.h>

/* Program types in the groups that kernel functions are given to. */
#define TYPE(name) (UINT64_C(1) << BPF_PROG_TYPE_##name)
#define ON_ALL UINT64_MAX
#define ON_TRACING (TYPE(TRACING) | TYPE(TRACEPOINT) | TYPE(PERF_EVENT) | TYPE(LSM))
#define ON_LSM TYPE(LSM)
#define ON_STRUCT_OPS TYPE(STRUCT_OPS)
#define ON_SYSCALL TYPE(SYSCALL)
#define ON_TC TYPE(SCHED_CLS)
#define ON_ACT TYPE(SCHED_ACT)
#define ON_XDP TYPE(XDP)
#define ON_CGROUP                                                                       \
	(TYPE(CGROUP_SKB) | TYPE(CGROUP_SOCK) | TYPE(CGROUP_DEVICE) | TYPE(CGROUP_SOCK_ADDR) | \
	 TYPE(CGROUP_SOCKOPT) | TYPE(CGROUP_SYSCTL) | TYPE(SOCK_OPS))
#define ON_KPROBE TYPE(KPROBE)
#define ON_LWT (TYPE(LWT_IN) | TYPE(LWT_OUT) | TYPE(LWT_XMIT) | TYPE(LWT_SEG6LOCAL))
#define ON_NETFILTER TYPE(NETFILTER)
#define ON_SK_SKB TYPE(SK_SKB)
#define ON_SOCKET_FILTER TYPE(SOCKET_FILTER)

static const struct kfunc kfuncs[] = {
#define KFUNC(name, flags, types) { #name, flags, types },
#include "verify/kfunc.def"
};

static int compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct kfunc *)row)->name);
}

bool kfunc_takes_lock(const struct kfunc *fn)
{
	return strcmp(fn->name, "bpf_res_spin_lock") == 0 ||
	       strcmp(fn->name, "bpf_res_spin_lock_irqsave") == 0;
}

/* The rows are in the order of their names. */
const struct kfunc *kfunc_find(const char *name)
{
	return bsearch(name, kfuncs, ARRAY_SIZE(kfuncs), sizeof(kfuncs[0]), compare);
}

static bool is_called(const struct kfunc_call *call, const char *name)
{
	return strcmp(call->fn->name, name) == 0;
}

/* --- finding it --- */

/* Fills proto, params, count. 0, or why not: words that last until the thread's next. */
static const char *find(const struct env *env, uint32_t pc, struct kfunc_call *call,
			const char **name)
{
	const struct insn *insn = &env->insns[pc];
	static _Thread_local char text[64];
	const struct btf_type *function;
	uint32_t id = (uint32_t)insn->imm;

	*name = "";
	if (!env->kernel_btf || insn->off || id == 0 || id > skep_btf_count(env->kernel_btf))
		return "kernel function btf_id is not valid";
	function = btf_type(env->kernel_btf, id);
	if (btf_kind(function) != BTF_FUNC) {
		snprintf(text, sizeof(text), "kernel btf_id %u is not a function", id);
		return text;
	}
	*name = btf_name(env->kernel_btf, function);
	call->proto = btf_type(env->kernel_btf, function->type);
	if (btf_kind(call->proto) != BTF_FUNC_PROTO)
		return "kernel function does not have a valid func_proto";
	call->params = btf_data(call->proto);
	call->count = MIN(btf_vlen(call->proto), 5u);
	call->fn = kfunc_find(*name);
	return NULL;
}

int prepare_kfuncs(struct env *env)
{
	for (uint32_t pc = 0; pc < env->len; pc++) {
		struct kfunc_call call = { .call.pc = pc };
		const struct insn *insn = &env->insns[pc];
		const char *name, *problem;

		/* One that does not exist and may not be called: see check_kfunc_call(). */
		if (insn->kind != INSN_CALL || insn->op != CALL_KFUNC || !insn->imm)
			continue;
		env->pc = pc;
		if (!env->gpl)
			return reject_as(env, SKEP_VERIFY_GPL, -EINVAL,
					 "cannot call kernel function from non-GPL compatible "
					 "program");
		problem = find(env, pc, &call, &name);
		if (problem)
			return reject(env, -EINVAL, "%s", problem);
		if (!call.fn)
			continue;
		env->info[pc].is_iter_next = call.fn->flags & KF_ITER_NEXT;
		env->info[pc].calls_callback = strcmp(name, "bpf_rbtree_add_impl") == 0 ||
					       strcmp(name, "bpf_rbtree_add") == 0;
	}
	return 0;
}

uint16_t kfunc_args(struct env *env, uint32_t pc)
{
	struct kfunc_call call = { .call.pc = pc };
	const char *name;
	uint16_t args = 0;

	if (find(env, pc, &call, &name))
		return 0x3e;
	for (uint32_t i = 0; i < call.count; i++)
		args |= (uint16_t)(2u << i);
	return args;
}

bool kfunc_changes_packet(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	struct kfunc_call call = { .call.pc = pc };
	const char *name;

	if (insn->kind != INSN_CALL || insn->op != CALL_KFUNC || find(env, pc, &call, &name))
		return false;
	return strcmp(name, "bpf_xdp_pull_data") == 0;
}

bool kfunc_might_sleep(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	struct kfunc_call call = { .call.pc = pc };
	const char *name;

	if (insn->kind != INSN_CALL || insn->op != CALL_KFUNC || find(env, pc, &call, &name))
		return false;
	return call.fn && call.fn->flags & KF_SLEEPABLE;
}

/* --- may it be called here? --- */

/* What is not judged yet: collections of objects, callbacks, the scheduler's. */
static bool is_supported(const struct kfunc *fn)
{
	static const char *const prefixes[] = {
		"bpf_list_", "bpf_rbtree_", "bpf_wq_", "bpf_task_work_",
		 "bpf_arena_", "bpf_percpu_obj_",
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(fn->name, prefixes[i], strlen(prefixes[i])) == 0)
			return false;
	return true;
}

static int check_allowed(struct env *env, const struct kfunc_call *call, const char *name)
{
	const struct prog_spec *spec = env->spec->target ? env->spec->target : env->spec;
	const char *region = region_name(env->cur);
	const struct kfunc *fn = call->fn;

	if (!fn || !(fn->types >> spec->type->id & 1))
		return reject_as(env, SKEP_VERIFY_CALL, -EACCES,
				 "calling kernel function %s is not allowed", name);
	if (!is_supported(fn))
		return reject_as(env, SKEP_VERIFY_CALL, -EOPNOTSUPP,
				 "calling kernel function %s is not supported yet", name);
	if (env->cur->active_locks && !(fn->flags & KF_SPINLOCK_SAFE))
		return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
				 "function calls are not allowed while holding a lock");
	if (fn->flags & KF_SLEEPABLE && !env->sleepable && !env->cur->in_sleepable)
		return reject_as(env, SKEP_VERIFY_SLEEP, -EACCES,
				 "program must be sleepable to call sleepable kfunc %s", name);
	if (fn->flags & KF_SLEEPABLE && region)
		return reject_as(env, SKEP_VERIFY_REGION, -EACCES,
				 "kernel func %s is sleepable within %s", name, region);
	if (fn->flags & KF_RCU_PROTECTED && !in_rcu_section(env))
		return reject_as(env, SKEP_VERIFY_REGION, -EACCES,
				 "kernel func %s requires RCU critical section protection",
				 name);
	return 0;
}

/* --- the result --- */

static int set_new_object(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	const struct skep_btf *btf = env->spec->btf;
	uint32_t id = (uint32_t)call->constant;

	if (!btf)
		return reject(env, -EINVAL, "bpf_obj_new/bpf_percpu_obj_new requires prog BTF");
	if (!id || id > skep_btf_count(btf) || btf_kind(btf_type(btf, id)) != BTF_STRUCT)
		return reject(env, -EINVAL, "bpf_obj_new/bpf_percpu_obj_new type ID argument must be "
			      "of a struct");
	reg_set_pointer(r0, REG_BTF, REG_ALLOC);
	r0->btf = btf;
	r0->btf_id = id;
	return 0;
}

static int set_cast(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	uint32_t id = (uint32_t)call->constant;
	const struct btf_type *type = btf_type(env->kernel_btf, id);

	if (id <= skep_btf_count(env->kernel_btf) && btf_kind(type) == BTF_STRUCT) {
		reg_set_pointer(r0, REG_BTF, REG_UNTRUSTED);
		r0->btf = env->kernel_btf;
		r0->btf_id = id;
	} else if (id == 0) {
		reg_set_pointer(r0, REG_MEM, REG_RDONLY | REG_UNTRUSTED);
		r0->mem_size = 0;
	} else {
		return reject(env, -EINVAL, "kfunc bpf_rdonly_cast type ID argument must be of a "
			      "struct or void");
	}
	return 0;
}

/* bpf_cast_to_kern_ctx(): the kernel's own type of the context. */
static int set_kernel_ctx(struct env *env, struct reg *r0)
{
	static const struct {
		uint32_t type;
		const char *name;
	} contexts[] = {
		{ BPF_PROG_TYPE_XDP, "xdp_buff" }, { BPF_PROG_TYPE_SOCK_OPS, "bpf_sock_ops_kern" },
		{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "bpf_sock_addr_kern" },
		{ BPF_PROG_TYPE_SK_MSG, "sk_msg" }, { BPF_PROG_TYPE_KPROBE, "pt_regs" },
		{ BPF_PROG_TYPE_PERF_EVENT, "bpf_perf_event_data_kern" },
		{ BPF_PROG_TYPE_SK_LOOKUP, "bpf_sk_lookup_kern" },
		{ BPF_PROG_TYPE_CGROUP_SOCKOPT, "bpf_sockopt_kern" },
		{ BPF_PROG_TYPE_CGROUP_SYSCTL, "bpf_sysctl_kern" },
		{ BPF_PROG_TYPE_CGROUP_SOCK, "sock" }, { BPF_PROG_TYPE_NETFILTER, "bpf_nf_ctx" },
		{ BPF_PROG_TYPE_SK_REUSEPORT, "sk_reuseport_kern" },
	};
	const char *name = "sk_buff";
	uint32_t id;

	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		if (contexts[i].type == env->spec->type->id)
			name = contexts[i].name;
	id = skep_btf_find(env->kernel_btf, name, BTF_STRUCT);
	if (!id)
		return reject(env, -EINVAL, "kernel has no type %s", name);
	reg_set_pointer(r0, REG_BTF, REG_TRUSTED);
	r0->btf = env->kernel_btf;
	r0->btf_id = id;
	return 0;
}

/* One that may be written changes the packet of whoever passes a packet's dynptr. */
static int set_dynptr_slice(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	bool writable = is_called(call, "bpf_dynptr_slice_rdwr");

	if (writable && !env->type->direct_packet_write)
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EINVAL,
				 "the prog does not allow writes to packet data");
	reg_set_pointer(r0, REG_MEM, writable ? 0 : REG_RDONLY);
	r0->mem_size = call->buffer_size;
	set_slice(r0, &call->call);
	return 0;
}

/* A pointer: to a kernel structure, or to bytes of a known size. */
static int set_pointer(struct env *env, const struct kfunc_call *call, const struct btf_type *pointer,
		       struct reg *r0)
{
	const struct skep_btf *btf = env->kernel_btf;
	uint32_t id = btf_skip_mods_and_typedefs(btf, pointer->type);
	const struct btf_type *type = btf_type(btf, id);
	int64_t size = skep_btf_size(btf, id);
	bool iter_rcu = call->iter && call->iter->flags & REG_RCU;

	if (btf_kind(type) == BTF_STRUCT) {
		uint32_t flags = call->fn->flags & KF_ACQUIRE ? 0 : REG_TRUSTED;

		if (is_called(call, "bpf_get_kmem_cache"))
			flags = REG_UNTRUSTED;
		else if (call->fn->flags & KF_RCU_PROTECTED || iter_rcu)
			flags = REG_RCU;
		else if (!(call->fn->flags & KF_ITER_NEXT))
			flags = 0;
		reg_set_pointer(r0, REG_BTF, flags);
		r0->btf = btf;
		r0->btf_id = id;
		return 0;
	}
	if (call->buffer_size)
		return set_dynptr_slice(env, call, r0);
	if (size <= 0 || btf_kind(type) != BTF_INT)
		return reject(env, -EINVAL, "kernel function %s returns pointer type %s %s is not "
			      "supported", call->fn->name, "UNKNOWN", btf_name(btf, type));
	reg_set_pointer(r0, REG_MEM, REG_RDONLY);
	r0->mem_size = (uint32_t)size;
	r0->ref_id = call->call.ref_id;
	return 0;
}

static int set_result(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	const struct btf_type *type = btf_type(
		env->kernel_btf, btf_skip_mods_and_typedefs(env->kernel_btf, call->proto->type));

	if (btf_kind(type) == BTF_VOID) {
		reg_set_not_init(r0);
		return 0;
	}
	if (is_called(call, "bpf_obj_new") || is_called(call, "bpf_obj_new_impl"))
		return set_new_object(env, call, r0);
	if (call->object_id) {
		reg_set_pointer(r0, REG_BTF, REG_ALLOC);
		r0->btf = call->object_btf;
		r0->btf_id = call->object_id;
		return 0;
	}
	if (is_called(call, "bpf_rdonly_cast"))
		return set_cast(env, call, r0);
	if (is_called(call, "bpf_cast_to_kern_ctx"))
		return set_kernel_ctx(env, r0);
	if (btf_kind(type) == BTF_PTR)
		return set_pointer(env, call, type, r0);
	reg_set_unknown(env, r0);
	return 0;
}

/* The path on which the lock was not taken, for it would have been a deadlock. */
static int push_failed_lock(struct env *env, uint32_t pc)
{
	struct state *failed = push_state(env, pc + 1, pc, false);

	if (!failed)
		return env->rejected ? -E2BIG : -ENOMEM;
	clear_caller_saved(env, state_regs(failed));
	reg_set_scalar(env, &state_regs(failed)[0], scalar_srange(-MAX_ERRNO, -1));
	return 0;
}

static int finish(struct env *env, struct kfunc_call *call)
{
	struct reg *regs = state_regs(env->cur);
	uint32_t flags = call->fn->flags;
	int error;

	clear_caller_saved(env, regs);
	error = set_result(env, call, &regs[0]);
	if (error < 0)
		return error;
	if (reg_is_pointer(&regs[0]) && flags & KF_RET_NULL) {
		regs[0].flags |= REG_MAYBE_NULL;
		regs[0].id = new_id(env);
	}
	if (flags & KF_ACQUIRE) {
		int id = acquire_reference(env, call->call.pc);

		if (id < 0)
			return id;
		regs[0].id = (uint32_t)id;
		regs[0].ref_id = (uint32_t)id;
	}
	if (kfunc_takes_lock(call->fn))
		reg_set_const(env, &regs[0], 0);
	if (flags & KF_ITER_NEXT)
		return iter_next(env, call);
	return 0;
}

static int release(struct env *env, struct kfunc_call *call)
{
	if (call->fn->flags & KF_ITER_DESTROY)
		return iter_destroy(env, call);
	if (!(call->fn->flags & KF_RELEASE))
		return 0;
	if (call->call.dynptr_ref)
		return release_dynptr(env, 1);
	if (release_reference(env, call->call.ref_id) < 0)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "kfunc %s#%lld reference has not been acquired before",
				 call->fn->name, (long long)env->insns[call->call.pc].imm);
	return 0;
}

int check_kfunc_call(struct env *env, uint32_t pc)
{
	struct kfunc_call call = { .call.pc = pc };
	const char *name, *problem;
	int error;

	/* A weak function that this kernel does not have, and that a test guards. */
	if (!env->insns[pc].imm)
		return reject(env, -EINVAL, "invalid kernel function call not eliminated in verifier "
			      "pass");
	problem = find(env, pc, &call, &name);
	if (problem)
		return reject(env, -EINVAL, "%s", problem);
	error = check_allowed(env, &call, name);
	if (error == 0 && kfunc_takes_lock(call.fn))
		error = push_failed_lock(env, pc);
	if (error == 0)
		error = check_kfunc_args(env, &call);
	if (error == 0 && is_called(&call, "bpf_throw"))
		return check_throw(env);
	if (error == 0)
		error = enter_or_leave(env, name);
	if (error == 0)
		error = release(env, &call);
	if (error == 0)
		error = finish(env, &call);
	show_reg(env, 0);
	return error;
}

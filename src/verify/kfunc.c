/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kfunc.c - a call of a kernel function: is it one the program may call, and
 * what is true after it.
 */
#include "verify/kfunc.h"
#include "verify/passes.h"

#include <stdio.h>

bool kfunc_takes_lock(const struct kfunc *fn)
{
	return strcmp(fn->name, "bpf_res_spin_lock") == 0 ||
	       strcmp(fn->name, "bpf_res_spin_lock_irqsave") == 0;
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
	if (btf_vlen(call->proto) > 5) { /* none that programs may call has more */
		snprintf(text, sizeof(text), "Function %s has %u > 5 args", *name,
			 btf_vlen(call->proto));
		return text;
	}
	call->count = btf_vlen(call->proto);
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
		if (call.fn->kind == KFUNC_DEVICE && !(env->spec->flags & BPF_F_XDP_DEV_BOUND_ONLY))
			return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
					 "metadata kfuncs require device-bound program");
		env->info[pc].is_iter_next = call.fn->flags & KF_ITER_NEXT;
		env->info[pc].calls_callback = call.fn->kind == KFUNC_RBTREE_ADD;
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

int64_t kfunc_arg_size(struct env *env, uint32_t pc, int index, int64_t next, bool *replaced)
{
	const struct skep_btf *btf = env->kernel_btf;
	struct kfunc_call call = { .call.pc = pc };
	const struct btf_param *param;
	const struct btf_type *type;
	const char *name;
	int64_t size;

	if (find(env, pc, &call, &name) || !call.fn || (uint32_t)index >= call.count)
		return -1;
	param = &call.params[index];
	type = btf_type(btf, btf_skip_mods_and_typedefs(btf, param->type));
	if (btf_kind(type) != BTF_PTR)
		return -1;
	if ((uint32_t)index + 1 < call.count &&
	    (param_has(btf, param + 1, "__sz") || param_has(btf, param + 1, "__szk")))
		return next;
	*replaced = (index == 0 && call.fn->flags & KF_ITER_NEW) ||
		    param_has(btf, param, "__uninit");
	size = skep_btf_size(btf, btf_skip_mods_and_typedefs(btf, type->type));
	return size > 0 ? size : -1;
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

bool kfunc_is_fastcall(struct env *env, uint32_t pc)
{
	struct kfunc_call call = { .call.pc = pc };
	const char *name;

	return !find(env, pc, &call, &name) && call.fn && call.fn->flags & KF_FASTCALL;
}

/* --- may it be called here? --- */

/* One that takes the kernel's own arguments too, where its public form is there. */
static bool is_superseded(const struct env *env, const struct kfunc *fn)
{
	char name[64];

	if (!(fn->flags & KF_SUPERSEDED))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(fn->name) - strlen("_impl")), fn->name);
	return skep_btf_find(env->kernel_btf, name, BTF_FUNC);
}

/* Kernels that mark their functions for programs have no others for them. */
static bool is_marked(const struct env *env, uint32_t id)
{
	const char *mark = "bpf_kfunc";

	return !skep_btf_find(env->kernel_btf, mark, BTF_DECL_TAG) ||
	       btf_decl_tag(env->kernel_btf, id, -1, mark);
}

static int check_loader_may(struct env *env, const struct kfunc *fn)
{
	if (fn->kind == KFUNC_TRAP)
		return reject_as(env, SKEP_VERIFY_CALL, -EFAULT,
				 "unexpected __bpf_trap() due to uninitialized variable?");
	if (fn->flags & KF_PERFMON && !env->cap_perfmon)
		return reject_as(env, SKEP_VERIFY_CALL, -EACCES,
				 "calling kernel function %s is not allowed", fn->name);
	if (fn->flags & KF_DESTRUCTIVE && !(env->caps & NEEDS_SYS_ADMIN))
		return reject_as(env, SKEP_VERIFY_CALL, -EACCES,
				 "destructive kfunc calls require CAP_SYS_BOOT capability");
	return 0;
}

static int check_allowed(struct env *env, const struct kfunc_call *call, const char *name)
{
	uint32_t id = (uint32_t)env->insns[call->call.pc].imm;
	const struct prog_spec *spec = env->spec;
	const char *region = region_name(env->cur);
	const struct kfunc *fn = call->fn;

	if (!fn || !kfunc_is_for(fn, spec) || is_superseded(env, fn) || !is_marked(env, id))
		return reject_as(env, SKEP_VERIFY_CALL, -EACCES,
				 "calling kernel function %s is not allowed", name);
	if (env->cur->active_locks && !(fn->flags & KF_SPINLOCK_SAFE))
		return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
				 "function calls are not allowed while holding a lock");
	if (fn->flags & KF_SLEEPABLE && !env->cur->in_sleepable)
		return reject_as(env, SKEP_VERIFY_SLEEP, -EACCES,
				 "program must be sleepable to call sleepable kfunc %s", name);
	if (fn->flags & KF_SLEEPABLE && region)
		return reject_as(env, SKEP_VERIFY_REGION, -EACCES,
				 "kernel func %s is sleepable within %s", name, region);
	if (fn->flags & KF_RCU_PROTECTED && !in_rcu_section(env))
		return reject_as(env, SKEP_VERIFY_REGION, -EACCES,
				 "kernel func %s requires RCU critical section protection",
				 name);
	return check_loader_may(env, fn);
}

/* --- the result --- */

static int set_cast(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	uint32_t id = (uint32_t)call->constant;
	const struct btf_type *type = btf_type(env->kernel_btf, id);

	if (id > skep_btf_count(env->kernel_btf))
		return reject(env, -EINVAL, "Unknown type ID %u passed to kfunc bpf_rdonly_cast", id);
	if (btf_kind(type) == BTF_STRUCT || btf_kind(type) == BTF_UNION) {
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

/* The kernel's own type of a program's context; NULL: it has none. */
static const char *kernel_ctx_name(const struct prog_type *type)
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
		{ BPF_PROG_TYPE_CGROUP_DEVICE, "bpf_cgroup_dev_ctx" },
		{ BPF_PROG_TYPE_FLOW_DISSECTOR, "bpf_flow_dissector" },
	};
	const char *user = type->ctx ? type->ctx->name : NULL;
	const char *name = user && strcmp(user, "__sk_buff") == 0 ? "sk_buff" : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		if (contexts[i].type == type->id)
			name = contexts[i].name;
	return name;
}

uint32_t kernel_ctx_type(const struct env *env, const struct prog_type *type)
{
	const char *name = kernel_ctx_name(type);

	return name && env->kernel_btf ? skep_btf_find(env->kernel_btf, name, BTF_STRUCT) : 0;
}

/* bpf_cast_to_kern_ctx() */
static int set_kernel_ctx(struct env *env, struct reg *r0)
{
	const char *name = kernel_ctx_name(env->type);
	uint32_t id;

	if (!name)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "kern ctx type id %u is not a struct",
				 skep_btf_find(env->kernel_btf, "__u64", BTF_TYPEDEF));
	id = kernel_ctx_type(env, env->type);
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
	set_typed_slice(r0, &call->call);
	return 0;
}

static bool is_graph_node(const struct skep_btf *btf, const struct btf_type *type)
{
	const char *name = btf_name(btf, type);

	return strcmp(name, field_type_name(MAP_FIELD_LIST_NODE)) == 0 ||
	       strcmp(name, field_type_name(MAP_FIELD_RB_NODE)) == 0;
}

/* A pointer: to a kernel structure, or to bytes of a known size. */
static int set_pointer(struct env *env, const struct kfunc_call *call,
		       const struct btf_type *pointer, struct reg *r0)
{
	const struct skep_btf *btf = env->kernel_btf;
	uint32_t id = btf_skip_mods_and_typedefs(btf, pointer->type);
	const struct btf_type *type = btf_type(btf, id);
	int64_t size = skep_btf_size(btf, id);
	bool writable, iter_rcu = call->iter && call->iter->flags & REG_RCU;

	if (call->root && is_graph_node(btf, type)) {
		set_graph_node(env, call, r0);
		return 0;
	}
	if (btf_kind(type) == BTF_STRUCT) {
		uint32_t flags = REG_TRUSTED;

		if (call->fn->kind == KFUNC_UNTRUSTED_RESULT)
			flags = REG_UNTRUSTED;
		else if (call->fn->flags & KF_RCU_PROTECTED || iter_rcu)
			flags = REG_RCU;
		else if (!(call->fn->flags & (KF_ITER_NEXT | KF_ACQUIRE)))
			flags = 0;
		reg_set_pointer(r0, REG_BTF, flags);
		r0->btf = btf;
		r0->btf_id = id;
		return 0;
	}
	if (call->has_buffer)
		return set_dynptr_slice(env, call, r0);
	if (call->result_size)
		size = call->result_size;
	if (btf_kind(type) == BTF_VOID && !call->result_size) {
		reg_set_unknown(env, r0); /* an address of nobody knows what */
		return 0;
	}
	if (size <= 0 || size > UINT32_MAX)
		return reject(env, -EINVAL, "kernel function %s returns pointer type %s %s is not "
			      "supported", call->fn->name,
			      btf_kind(type) == BTF_VOID ? "VOID" : "UNKNOWN", btf_name(btf, type));
	writable = call->result_writable || call->fn->kind == KFUNC_SESSION;
	reg_set_pointer(r0, REG_MEM, writable ? 0 : REG_RDONLY);
	r0->mem_size = (uint32_t)size;
	r0->ref_id = call->call.ref_id;
	return 0;
}

/* References are to structures; what makes objects says so by another way than its type. */
static bool may_acquire(const struct env *env, const struct kfunc_call *call,
			const struct btf_type *type)
{
	const struct skep_btf *btf = env->kernel_btf;

	if (call->fn->kind == KFUNC_OBJ_NEW || call->fn->kind == KFUNC_PERCPU_OBJ_NEW ||
	    call->fn->kind == KFUNC_REFCOUNT_ACQUIRE)
		return true;
	return btf_kind(type) == BTF_PTR &&
	       btf_kind(btf_type(btf, btf_skip_mods_and_typedefs(btf, type->type))) == BTF_STRUCT;
}

static int set_result(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	const struct btf_type *type = btf_type(
		env->kernel_btf, btf_skip_mods_and_typedefs(env->kernel_btf, call->proto->type));

	if (call->fn->flags & KF_ACQUIRE && !may_acquire(env, call, type))
		return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
				 "acquire kernel function does not return PTR_TO_BTF_ID");
	if (btf_kind(type) == BTF_VOID) {
		reg_set_not_init(r0);
		return 0;
	}
	if (call->fn->flags & KF_ARENA_RET) { /* as the process sees it: the program casts it */
		reg_set_unknown(env, r0);
		return 0;
	}
	switch (call->fn->kind) {
	case KFUNC_OBJ_NEW:
	case KFUNC_PERCPU_OBJ_NEW:
		return set_new_object(env, call, r0);
	case KFUNC_REFCOUNT_ACQUIRE:
		return set_shared_object(env, call, r0);
	case KFUNC_RDONLY_CAST:
		return set_cast(env, call, r0);
	case KFUNC_KERNEL_CONTEXT:
		return set_kernel_ctx(env, r0);
	default:
		break;
	}
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

static bool has_lock(struct env *env, const struct reg *reg)
{
	const struct map_fields *fields = reg_fields(env, reg);

	return fields && fields->mask & (MAP_FIELD_SPIN_LOCK | MAP_FIELD_RES_SPIN_LOCK);
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
	/* Who has a reference can always have another. */
	if (call->owning)
		flags &= ~(uint32_t)KF_RET_NULL;
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
	if (reg_is_pointer(&regs[0]) && !regs[0].id && has_lock(env, &regs[0]))
		regs[0].id = new_id(env); /* locks are told apart by it */
	if (flags & KF_ITER_NEXT)
		return iter_next(env, call);
	return 0;
}

static int release(struct env *env, struct kfunc_call *call)
{
	if (call->fn->flags & KF_ITER_DESTROY)
		return iter_destroy(env, call);
	if (call->fn->kind == KFUNC_LIST_ADD || call->fn->kind == KFUNC_RBTREE_ADD)
		return give_to_graph(env, call);
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
		error = enter_kfunc_callback(env, &call);
	if (error == 0)
		error = release(env, &call);
	if (error == 0)
		error = finish(env, &call);
	show_reg(env, 0);
	return error;
}

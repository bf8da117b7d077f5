/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.c - a call of a helper: may it be called here, are its arguments what its
 * descriptor asks for, and what is true after it.
 *
 * Nothing here asks for a helper by number but what no prototype can say: what
 * a helper calls back, gives a range to, or derives from its argument.
 */
#include "verify/call.h"
#include "verify/passes.h"

#include <stdio.h>
#include <unistd.h>

const char *helper_text(uint32_t id)
{
	static _Thread_local char text[4][64];
	static _Thread_local unsigned turn;
	const struct helper *helper = helper_by_id(id);
	char *out = text[turn++ % 4];

	if (helper)
		snprintf(out, sizeof(text[0]), "bpf_%s#%u", helper->name, id);
	else
		snprintf(out, sizeof(text[0]), id ? "unknown#%d" : "bpf_unspec#%d", (int)id);
	return out;
}

/* --- may it be called here? --- */

/* bpf_d_path() walks what some functions hold locked; it is allowed where none is. */
static bool path_may_be_asked(const struct env *env)
{
	static const char *const functions[] = {
		"security_file_permission", "security_inode_getattr", "security_file_open",
		"security_path_truncate", "vfs_truncate", "vfs_fallocate", "dentry_open",
		"vfs_getattr", "filp_close", "security_bprm_check", "security_bprm_creds_from_file",
		"security_bprm_committing_creds", "security_bprm_committed_creds",
		"security_kernel_read_file", "security_kernel_post_read_file",
	};

	if (env->spec->type->id != BPF_PROG_TYPE_TRACING || env->spec->attach == BPF_TRACE_ITER)
		return true;
	for (size_t i = 0; env->spec->attach_name && i < ARRAY_SIZE(functions); i++)
		if (strcmp(env->spec->attach_name, functions[i]) == 0)
			return true;
	return false;
}

static int check_allowed(struct env *env, const struct helper *fn)
{
	const char *region = region_name(env->cur);

	if (fn->gpl_only && !env->gpl)
		return reject_as(env, SKEP_VERIFY_GPL, -EINVAL,
				 "cannot call GPL-restricted function from non-GPL compatible "
				 "program");
	if (fn->id == BPF_FUNC_d_path && !path_may_be_asked(env))
		return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
				 "helper call is not allowed in probe");
	if (fn->may_sleep && (region || !env->cur->in_sleepable))
		return reject_as(env, region ? SKEP_VERIFY_REGION : SKEP_VERIFY_SLEEP, -EINVAL,
				 "sleepable helper %s in %s", helper_text(fn->id),
				 region ? region : "non-sleepable prog");
	if (env->cur->active_locks && fn->id != BPF_FUNC_spin_unlock)
		return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
				 "function calls are not allowed while holding a lock");
	return 0;
}

/*
 * Socket options, where what the program is attached to decides: an iterator
 * over sockets holds their locks; congestion control must not as it ends.
 */
static const struct helper *sockopt_helper(const struct env *env, uint32_t id)
{
	static const char *const iterators[] = { "tcp", "udp", "unix" };
	const char *name = env->spec->attach_name ? env->spec->attach_name : "";

	if (env->spec->attach != BPF_TRACE_ITER || env->spec->type->id != BPF_PROG_TYPE_TRACING)
		return NULL;
	if (strncmp(name, "bpf_iter_", 9) == 0)
		name += 9;
	for (size_t i = 0; i < ARRAY_SIZE(iterators); i++)
		if (strcmp(name, iterators[i]) == 0)
			return helper_get(id, BPF_PROG_TYPE_LSM, BPF_LSM_CGROUP);
	return NULL;
}

static bool is_member(const struct env *env, const char *record, const char *member)
{
	const struct btf_type *type;
	const struct btf_member *members;

	if (env->spec->type->id != BPF_PROG_TYPE_STRUCT_OPS || !env->kernel_btf)
		return false;
	type = btf_type(env->kernel_btf, env->spec->attach_btf_id);
	members = btf_data(type);
	return btf_kind(type) == BTF_STRUCT && env->spec->attach < btf_vlen(type) &&
	       strcmp(btf_name(env->kernel_btf, type), record) == 0 &&
	       strcmp(btf_str(env->kernel_btf, members[env->spec->attach].name_off), member) == 0;
}

/* What is called while a socket's storage changes cannot change it. */
static bool traces_storage(const struct env *env)
{
	const struct prog_spec *spec = env->spec;

	return spec->attach != BPF_TRACE_ITER && spec->attach != BPF_TRACE_RAW_TP &&
	       spec->type->id == BPF_PROG_TYPE_TRACING &&
	       spec->attach_name && strncmp(spec->attach_name, "bpf_sk_storage", 14) == 0;
}

static int find_helper(struct env *env, uint32_t id, const struct helper **fn)
{
	const struct prog_spec *spec = env->spec;
	bool sockopt = id == BPF_FUNC_setsockopt || id == BPF_FUNC_getsockopt;

	/* The id 0 has a name in Linux, but no program type has it. */
	if (id && !helper_by_id(id))
		return reject_as(env, SKEP_VERIFY_CALL, -EINVAL, "invalid func %s",
				 helper_text(id));
	*fn = helper_get(id, spec->type->id, spec->attach);
	if (sockopt && !*fn)
		*fn = sockopt_helper(env, id);
	if (*fn && lacks(env, (*fn)->needs))
		return reject_as(env, SKEP_VERIFY_CAPS, -EINVAL,
				 "program of this type cannot use helper %s", helper_text(id));
	if (sockopt && is_member(env, "tcp_congestion_ops", "release"))
		*fn = NULL;
	if ((id == BPF_FUNC_sk_storage_get || id == BPF_FUNC_sk_storage_delete) && traces_storage(env))
		*fn = NULL;
	if (!*fn)
		return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
				 "program of this type cannot use helper %s", helper_text(id));
	return 0;
}

/* --- what a few helpers ask beyond their prototypes --- */

/* The address is kept by probes, and by the trampolines of functions. */
static int check_func_ip(struct env *env)
{
	uint32_t type = env->spec->type->id, attach = env->spec->attach;
	bool trampoline = attach == BPF_TRACE_FENTRY || attach == BPF_TRACE_FEXIT ||
			  attach == BPF_TRACE_FSESSION || attach == BPF_MODIFY_RETURN;

	if (type == BPF_PROG_TYPE_KPROBE || (type == BPF_PROG_TYPE_TRACING && trampoline))
		return 0;
	if (type == BPF_PROG_TYPE_TRACING)
		return reject_as(env, SKEP_VERIFY_CALL, -EOPNOTSUPP,
				 "func %s supported only for fentry/fexit/fsession/fmod_ret "
				 "programs", helper_text(BPF_FUNC_get_func_ip));
	return reject_as(env, SKEP_VERIFY_CALL, -EOPNOTSUPP,
			 "func %s not supported for program type %u",
			 helper_text(BPF_FUNC_get_func_ip), type);
}

static int check_special(struct env *env, struct call_check *call)
{
	const struct reg *regs = state_regs(env->cur);
	int error;

	switch (call->fn->id) {
	case BPF_FUNC_get_func_ip:
		return check_func_ip(env);
	case BPF_FUNC_tail_call:
		error = check_resources(env, false, true, "tail_call");
		return error < 0 ? error : push_early_return(env, "cannot tail call", true);
	case BPF_FUNC_get_local_storage:
		/* flags is a constant, so that the storage can be found ahead. */
		if (!reg_is_zero(&regs[2]))
			return reject(env, -EINVAL,
				      "get_local_storage() doesn't support non-zero flags");
		return 0;
	case BPF_FUNC_snprintf:
		return check_snprintf(env, call);
	case BPF_FUNC_dynptr_from_mem:
		if (regs[1].type != REG_MAP_VALUE)
			return reject(env, -EACCES,
				      "Unsupported reg type %s for bpf_dynptr_from_mem data",
				      reg_type_text(&regs[1]));
		return 0;
	default:
		return helper_calls_back(call->fn->id) ? check_callbacks(env, call) : 0;
	}
}

/* --- the reference that is given up --- */

/* What is in a map now is freed only after an RCU grace period. */
static void share_percpu(struct env *env, struct reg *reg, void *arg)
{
	(void)env;
	if (reg->type != REG_BTF || reg->ref_id != *(const uint32_t *)arg ||
	    (reg->flags & (REG_ALLOC | REG_PERCPU)) != (REG_ALLOC | REG_PERCPU))
		return;
	reg->ref_id = 0;
	reg->flags = (reg->flags & ~(uint32_t)REG_ALLOC) | REG_RCU;
}

static int release_argument(struct env *env, struct call_check *call)
{
	const struct reg *reg;

	if (!call->release_reg)
		return 0;
	reg = call_arg(env, call->release_reg);
	if (call->fn->arg[call->release_reg - 1].kind == ARG_PTR_TO_DYNPTR)
		return release_dynptr(env, call->release_reg);
	if (!call->ref_id && reg_is_zero(reg))
		return 0;
	if (call->fn->id == BPF_FUNC_kptr_xchg && call->ref_id && in_rcu_section(env))
		state_each_reg(env, env->cur, share_percpu, &call->ref_id);
	if (call->ref_id && release_reference(env, call->ref_id) == 0)
		return 0;
	return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
			 "func %s reference has not been acquired before",
			 helper_text(call->fn->id));
}

/* --- the result --- */

/* The key is known to be inside an array, whose elements all exist. */
static bool never_null(const struct call_check *call)
{
	return call->fn->id == BPF_FUNC_map_lookup_elem && call->key_known &&
	       (call->map->type == BPF_MAP_TYPE_ARRAY ||
		call->map->type == BPF_MAP_TYPE_PERCPU_ARRAY) &&
	       call->key < call->map->max_entries;
}

static int set_map_value(struct env *env, const struct call_check *call, struct reg *r0, uint32_t flags)
{
	if (!call->map)
		return reject(env, -EINVAL, "kernel subsystem misconfigured verifier");
	if (never_null(call))
		flags &= ~(uint32_t)REG_MAYBE_NULL;
	reg_set_pointer(r0, REG_MAP_VALUE, flags);
	r0->map = call->map;
	r0->map_index = call->map_index;
	r0->map_uid = call->map_uid;
	/* Locks in it are told apart by id. */
	if (!(flags & REG_MAYBE_NULL) &&
	    map_field_of(env, call->map, MAP_FIELD_SPIN_LOCK | MAP_FIELD_RES_SPIN_LOCK))
		r0->id = new_id(env);
	return 0;
}

static int set_kernel_object(struct env *env, const struct call_check *call, struct reg *r0,
			     uint32_t flags)
{
	const struct skep_btf *btf = env->kernel_btf;
	uint32_t id = call->ret_btf_id;

	if (call->fn->id == BPF_FUNC_kptr_xchg) {
		btf = call->ret_btf;
		if (btf != env->kernel_btf)
			flags |= REG_ALLOC;
		if (call->kptr->type == MAP_FIELD_KPTR_PERCPU)
			flags |= REG_PERCPU;
	} else {
		id = btf && call->fn->ret.btf ? skep_btf_find(btf, call->fn->ret.btf, 0) : 0;
	}
	if (!id)
		return reject(env, -EINVAL, "invalid return type %u of func %s",
			      call->fn->ret.kind, helper_text(call->fn->id));
	if (call->fn->ret.kind == RET_PTR_TO_BTF_ID_TRUSTED)
		flags |= REG_TRUSTED;
	reg_set_pointer(r0, REG_BTF, flags);
	r0->btf = btf;
	r0->btf_id = id;
	return 0;
}

/* A per-CPU variable: a structure as such, anything else as memory. */
static int set_percpu(struct env *env, const struct call_check *call, struct reg *r0, uint32_t flags)
{
	const struct skep_btf *btf = call->ret_btf;
	uint32_t id = btf ? btf_skip_mods_and_typedefs(btf, call->ret_btf_id) : 0;
	enum btf_kind kind = btf ? btf_kind(btf_type(btf, id)) : BTF_VOID;
	int64_t size;

	if (kind == BTF_STRUCT) {
		if (call->ret_own)
			flags |= REG_ALLOC | REG_RCU;
		reg_set_pointer(r0, REG_BTF, flags);
		r0->btf = btf;
		r0->btf_id = id;
		return 0;
	}
	size = btf ? skep_btf_size(btf, id) : -EINVAL;
	if (size < 0)
		return reject(env, -EINVAL, "unable to resolve the size of type '%s'",
			      btf ? skep_btf_type_name(btf, id) : "");
	reg_set_pointer(r0, REG_MEM, flags | REG_RDONLY);
	r0->mem_size = (uint32_t)size;
	return 0;
}

static int set_memory(struct env *env, const struct call_check *call, struct reg *r0, uint32_t flags)
{
	(void)env;
	reg_set_pointer(r0, REG_MEM, flags);
	r0->mem_size = (uint32_t)call->alloc_size;
	return 0;
}

static int set_result(struct env *env, const struct call_check *call, struct reg *r0)
{
	const struct ret *ret = &call->fn->ret;
	uint32_t flags = ret->maybe_null ? REG_MAYBE_NULL : 0;

	switch ((enum ret_kind)ret->kind) {
	case RET_INTEGER:
		reg_set_unknown(env, r0);
		return 0;
	case RET_VOID:
		reg_set_not_init(r0);
		return 0;
	case RET_PTR_TO_MAP_VALUE:
		return set_map_value(env, call, r0, flags);
	case RET_PTR_TO_SOCKET:
		reg_set_pointer(r0, REG_SOCKET, flags);
		return 0;
	case RET_PTR_TO_TCP_SOCK:
		reg_set_pointer(r0, REG_TCP_SOCK, flags);
		return 0;
	case RET_PTR_TO_SOCK_COMMON:
		reg_set_pointer(r0, REG_SOCK_COMMON, flags);
		return 0;
	case RET_PTR_TO_MEM:
	case RET_PTR_TO_DYNPTR_MEM:
		return set_memory(env, call, r0, flags);
	case RET_PTR_TO_RINGBUF_MEM:
		return set_memory(env, call, r0, flags | REG_RINGBUF);
	case RET_PTR_TO_MEM_OR_BTF_ID:
		return set_percpu(env, call, r0, flags);
	case RET_PTR_TO_BTF_ID:
	case RET_PTR_TO_BTF_ID_TRUSTED:
		return set_kernel_object(env, call, r0, flags);
	}
	return reject(env, -EINVAL, "unknown return type %u of func %s", ret->kind,
		      helper_text(call->fn->id));
}

/* Numbers that cannot be just any. */
static void refine_result(struct env *env, const struct call_check *call, struct reg *r0)
{
	switch (call->fn->id) {
	case BPF_FUNC_get_stack:
	case BPF_FUNC_get_task_stack:
	case BPF_FUNC_probe_read_str:
	case BPF_FUNC_probe_read_kernel_str:
	case BPF_FUNC_probe_read_user_str:
		if (call->size_max <= INT32_MAX)
			reg_set_scalar(env, r0, scalar_srange(-MAX_ERRNO, (int64_t)call->size_max));
		break;
	case BPF_FUNC_get_smp_processor_id: {
		long cpus = sysconf(_SC_NPROCESSORS_CONF);

		reg_set_scalar(env, r0, scalar_urange(0, cpus > 0 ? (uint64_t)cpus * 2 - 1 : 8191));
		break;
	}
	case BPF_FUNC_get_retval:
		if (env->spec->type->id == BPF_PROG_TYPE_LSM && env->spec->type->returns)
			reg_set_scalar(env, r0, scalar_srange(-MAX_ERRNO, 0));
		break;
	default:
		break;
	}
}

/* Results that live as long as the socket they were made from. */
static bool is_cast(uint32_t id)
{
	return id == BPF_FUNC_tcp_sock || id == BPF_FUNC_sk_fullsock || id == BPF_FUNC_skc_to_mptcp_sock ||
	       (id >= BPF_FUNC_skc_to_tcp6_sock && id <= BPF_FUNC_skc_to_udp6_sock);
}

/* Looking up in a map of sockets takes a reference. */
static bool acquires(const struct call_check *call)
{
	if (call->fn->id == BPF_FUNC_map_lookup_elem)
		return call->map && (call->map->type == BPF_MAP_TYPE_SOCKMAP ||
				     call->map->type == BPF_MAP_TYPE_SOCKHASH);
	/* Its dynptr has the reference, not its result. */
	return call->fn->acquires && call->fn->ret.kind != RET_INTEGER;
}

static int set_reference(struct env *env, const struct call_check *call, struct reg *r0)
{
	if (is_cast(call->fn->id)) {
		r0->ref_id = call->ref_id;
	} else if (acquires(call)) {
		int id = acquire_reference(env, call->pc);

		if (id < 0)
			return id;
		r0->id = (uint32_t)id;
		r0->ref_id = (uint32_t)id;
	} else if (call->fn->id == BPF_FUNC_dynptr_data) {
		set_slice(r0, call);
	}
	return 0;
}

static int finish(struct env *env, const struct call_check *call)
{
	struct reg *regs = state_regs(env->cur);
	int error;

	clear_caller_saved(env, regs);
	error = set_result(env, call, &regs[0]);
	if (error < 0)
		return error;
	if (reg_maybe_null(&regs[0]))
		regs[0].id = new_id(env);
	error = set_reference(env, call, &regs[0]);
	if (error < 0)
		return error;
	if (call->fn->ret.kind == RET_INTEGER)
		refine_result(env, call, &regs[0]);
	error = check_map_use(env, call);
	if (error < 0)
		return error;
	/* A tail call that comes back has failed. */
	if ((call->fn->changes_packet && call->fn->id != BPF_FUNC_tail_call) ||
	    (call->fn->id == BPF_FUNC_dynptr_write && (call->dynptr_kind == DYNPTR_SKB ||
						 call->dynptr_kind == DYNPTR_SKB_META)))
		clear_packet_pointers(env);
	return 0;
}

int check_helper_call(struct env *env, uint32_t pc)
{
	uint32_t id = (uint32_t)env->insns[pc].imm;
	struct call_check call = { .pc = pc };
	int error = find_helper(env, id, &call.fn);

	if (error == 0)
		error = check_allowed(env, call.fn);
	for (int i = 0; error == 0 && i < 5; i++)
		error = check_arg(env, &call, i + 1, &call.fn->arg[i]);
	if (error == 0)
		error = record_map(env, &call);
	if (error == 0)
		error = record_key(env, &call);
	if (error == 0)
		error = release_argument(env, &call);
	if (error == 0)
		error = check_special(env, &call);
	if (error == 0)
		error = finish(env, &call);
	show_reg(env, 0);
	return error;
}

/* --- what other passes ask about calls --- */

const struct helper *helper_of_call(const struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	const struct prog_spec *spec = env->spec;
	const struct helper *fn;

	if (insn->kind != INSN_CALL || insn->op != CALL_HELPER)
		return NULL;
	fn = helper_get((uint32_t)insn->imm, spec->type->id, spec->attach);
	return fn ? fn : helper_by_id((uint32_t)insn->imm);
}

void call_uses(struct env *env, uint32_t pc, uint16_t *reads, uint16_t *writes)
{
	const struct insn *insn = &env->insns[pc];
	const struct helper *fn = helper_of_call(env, pc);
	uint16_t args = 0x3e; /* r1 to r5 */

	/* bpf_trace_printk() takes as many as its format says. */
	if (fn && fn->id != BPF_FUNC_trace_printk)
		for (int i = 0; i < 5; i++)
			if (fn->arg[i].kind == ARG_NONE)
				args &= (uint16_t)~(2u << i);
	if (insn->kind == INSN_CALL && insn->op == CALL_KFUNC)
		args = kfunc_args(env, pc);
	*reads = args;
	*writes = 0x3f;
}

bool call_changes_packet(struct env *env, uint32_t pc)
{
	const struct helper *fn = helper_of_call(env, pc);

	return fn ? fn->changes_packet : kfunc_changes_packet(env, pc);
}

bool call_might_sleep(struct env *env, uint32_t pc)
{
	const struct helper *fn = helper_of_call(env, pc);

	return fn ? fn->may_sleep : kfunc_might_sleep(env, pc);
}

/* --- maps that programs of a type may not use --- */

static bool is_tracing(uint32_t type)
{
	return type == BPF_PROG_TYPE_KPROBE || type == BPF_PROG_TYPE_TRACEPOINT ||
	       type == BPF_PROG_TYPE_PERF_EVENT || type == BPF_PROG_TYPE_RAW_TRACEPOINT ||
	       type == BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE;
}

/* Their elements are not freed under a program that sleeps. */
static bool outlives_sleep(uint32_t type)
{
	static const uint8_t types[] = {
		BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_ARRAY,
		BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_PERCPU_HASH,
		BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS, BPF_MAP_TYPE_RINGBUF,
		BPF_MAP_TYPE_USER_RINGBUF, BPF_MAP_TYPE_INODE_STORAGE, BPF_MAP_TYPE_SK_STORAGE,
		BPF_MAP_TYPE_TASK_STORAGE, BPF_MAP_TYPE_CGRP_STORAGE, BPF_MAP_TYPE_QUEUE,
		BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_ARENA, BPF_MAP_TYPE_INSN_ARRAY,
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* They may interrupt whoever holds the lock. */
static int check_map_fits(struct env *env, const struct map_spec *map)
{
	static const struct {
		uint32_t fields;
		const char *name;
	} unsafe[] = {
		{ MAP_FIELD_LIST_HEAD | MAP_FIELD_RB_ROOT, "bpf_{list_head,rb_root}" },
		{ MAP_FIELD_SPIN_LOCK, "bpf_spin_lock" },
		{ MAP_FIELD_TIMER, "bpf_timer" },
	};
	const struct map_fields *fields = map_fields(env, map);
	uint32_t type = env->spec->type->id, fine = 0;

	if (env_can(env, ABILITY_TRACING_TIMER))
		fine = MAP_FIELD_TIMER | MAP_FIELD_WORKQUEUE;
	if (map->type == BPF_MAP_TYPE_STRUCT_OPS)
		return reject(env, -EINVAL, "bpf_struct_ops map cannot be used in prog");
	if (env->sleepable && !outlives_sleep(map->type))
		return reject(env, -EINVAL, "Sleepable programs can only use array, hash, ringbuf and "
			      "local storage maps");
	if (!fields)
		return -ENOMEM;
	if (type == BPF_PROG_TYPE_SOCKET_FILTER &&
	    fields->mask & (MAP_FIELD_SPIN_LOCK | MAP_FIELD_RES_SPIN_LOCK))
		return reject(env, -EINVAL, "socket filter progs cannot use bpf_spin_lock yet");
	for (size_t i = 0; is_tracing(type) && i < ARRAY_SIZE(unsafe); i++)
		if (fields->mask & unsafe[i].fields & ~fine)
			return reject(env, -EINVAL, "tracing progs cannot use %s yet", unsafe[i].name);
	return 0;
}

static int check_maps(struct env *env)
{
	for (uint32_t pc = 0; pc < env->len; pc++) {
		const struct insn *insn = &env->insns[pc];
		uint32_t index = (uint32_t)insn->imm;
		int error;

		if (insn->kind != INSN_IMM64 || index >= env->spec->map_count ||
		    (insn->op != IMM64_MAP_INDEX && insn->op != IMM64_MAP_INDEX_VALUE))
			continue;
		env->pc = pc;
		error = check_map_fits(env, env->spec->maps[index]);
		if (error < 0)
			return error;
	}
	return 0;
}

int prepare_calls(struct env *env)
{
	int error = check_maps(env);

	if (error == 0 && is_member(env, "tcp_congestion_ops", "get_info"))
		error = reject(env, -EOPNOTSUPP, "attach to unsupported member get_info of struct "
			       "tcp_congestion_ops");
	if (error < 0)
		return error;
	for (uint32_t pc = 0; pc < env->len; pc++) {
		const struct helper *fn = helper_of_call(env, pc);

		if (fn && helper_calls_back(fn->id))
			env->info[pc].calls_callback = true;
	}
	return prepare_kfuncs(env);
}

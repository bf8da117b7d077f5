/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_use.c - which helper takes which type of map, and what is learned of maps
 * and keys at each call.
 *
 * Some map types are served by helpers of their own only; some helpers serve
 * one or few map types only. Each rule is a row; a call must pass both tables.
 */
#include "verify/call.h"
#include "verify/passes.h"

/* The helpers a map type is limited to. */
struct map_rule {
	uint32_t type;
	uint16_t helpers[10]; /* ends with 0 */
};

static const struct map_rule map_rules[] = {
	{ BPF_MAP_TYPE_PROG_ARRAY, { BPF_FUNC_tail_call } },
	{ BPF_MAP_TYPE_PERF_EVENT_ARRAY,
	  { BPF_FUNC_perf_event_read, BPF_FUNC_perf_event_output, BPF_FUNC_skb_output, BPF_FUNC_perf_event_read_value,
	    BPF_FUNC_xdp_output } },
	{ BPF_MAP_TYPE_RINGBUF,
	  { BPF_FUNC_ringbuf_output, BPF_FUNC_ringbuf_reserve, BPF_FUNC_ringbuf_query,
	    BPF_FUNC_ringbuf_reserve_dynptr } },
	{ BPF_MAP_TYPE_USER_RINGBUF, { BPF_FUNC_user_ringbuf_drain } },
	{ BPF_MAP_TYPE_STACK_TRACE, { BPF_FUNC_get_stackid } },
	{ BPF_MAP_TYPE_CGROUP_ARRAY, { BPF_FUNC_skb_under_cgroup, BPF_FUNC_current_task_under_cgroup } },
	{ BPF_MAP_TYPE_CGROUP_STORAGE, { BPF_FUNC_get_local_storage } },
	{ BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, { BPF_FUNC_get_local_storage } },
	{ BPF_MAP_TYPE_DEVMAP, { BPF_FUNC_redirect_map, BPF_FUNC_map_lookup_elem } },
	{ BPF_MAP_TYPE_DEVMAP_HASH, { BPF_FUNC_redirect_map, BPF_FUNC_map_lookup_elem } },
	{ BPF_MAP_TYPE_CPUMAP, { BPF_FUNC_redirect_map } },
	{ BPF_MAP_TYPE_XSKMAP, { BPF_FUNC_redirect_map, BPF_FUNC_map_lookup_elem } },
	{ BPF_MAP_TYPE_ARRAY_OF_MAPS, { BPF_FUNC_map_lookup_elem } },
	{ BPF_MAP_TYPE_HASH_OF_MAPS, { BPF_FUNC_map_lookup_elem } },
	{ BPF_MAP_TYPE_SOCKMAP,
	  { BPF_FUNC_sk_redirect_map, BPF_FUNC_sock_map_update, BPF_FUNC_msg_redirect_map, BPF_FUNC_sk_select_reuseport,
	    BPF_FUNC_map_lookup_elem, BPF_FUNC_map_update_elem, BPF_FUNC_map_delete_elem } },
	{ BPF_MAP_TYPE_SOCKHASH,
	  { BPF_FUNC_sk_redirect_hash, BPF_FUNC_sock_hash_update, BPF_FUNC_msg_redirect_hash,
	    BPF_FUNC_sk_select_reuseport, BPF_FUNC_map_lookup_elem, BPF_FUNC_map_update_elem,
	    BPF_FUNC_map_delete_elem } },
	{ BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, { BPF_FUNC_sk_select_reuseport } },
	{ BPF_MAP_TYPE_QUEUE, { BPF_FUNC_map_peek_elem, BPF_FUNC_map_pop_elem, BPF_FUNC_map_push_elem } },
	{ BPF_MAP_TYPE_STACK, { BPF_FUNC_map_peek_elem, BPF_FUNC_map_pop_elem, BPF_FUNC_map_push_elem } },
	{ BPF_MAP_TYPE_SK_STORAGE, { BPF_FUNC_sk_storage_get, BPF_FUNC_sk_storage_delete } },
	{ BPF_MAP_TYPE_INODE_STORAGE, { BPF_FUNC_inode_storage_get, BPF_FUNC_inode_storage_delete } },
	{ BPF_MAP_TYPE_TASK_STORAGE, { BPF_FUNC_task_storage_get, BPF_FUNC_task_storage_delete } },
	{ BPF_MAP_TYPE_CGRP_STORAGE, { BPF_FUNC_cgrp_storage_get, BPF_FUNC_cgrp_storage_delete } },
	{ BPF_MAP_TYPE_BLOOM_FILTER, { BPF_FUNC_map_peek_elem, BPF_FUNC_map_push_elem } },
	{ BPF_MAP_TYPE_STRUCT_OPS, { 0 } },
	{ BPF_MAP_TYPE_INSN_ARRAY, { 0 } },
};

#define MAP(name) (UINT64_C(1) << BPF_MAP_TYPE_##name)

/* The map types a helper is limited to. */
static const struct {
	uint16_t id;
	uint64_t types;
} helper_rules[] = {
	{ BPF_FUNC_tail_call, MAP(PROG_ARRAY) },
	{ BPF_FUNC_perf_event_read, MAP(PERF_EVENT_ARRAY) },
	{ BPF_FUNC_perf_event_output, MAP(PERF_EVENT_ARRAY) },
	{ BPF_FUNC_perf_event_read_value, MAP(PERF_EVENT_ARRAY) },
	{ BPF_FUNC_skb_output, MAP(PERF_EVENT_ARRAY) },
	{ BPF_FUNC_xdp_output, MAP(PERF_EVENT_ARRAY) },
	{ BPF_FUNC_ringbuf_output, MAP(RINGBUF) },
	{ BPF_FUNC_ringbuf_reserve, MAP(RINGBUF) },
	{ BPF_FUNC_ringbuf_query, MAP(RINGBUF) },
	{ BPF_FUNC_ringbuf_reserve_dynptr, MAP(RINGBUF) },
	{ BPF_FUNC_user_ringbuf_drain, MAP(USER_RINGBUF) },
	{ BPF_FUNC_get_stackid, MAP(STACK_TRACE) },
	{ BPF_FUNC_current_task_under_cgroup, MAP(CGROUP_ARRAY) },
	{ BPF_FUNC_skb_under_cgroup, MAP(CGROUP_ARRAY) },
	{ BPF_FUNC_redirect_map, MAP(DEVMAP) | MAP(DEVMAP_HASH) | MAP(CPUMAP) | MAP(XSKMAP) },
	{ BPF_FUNC_sk_redirect_map, MAP(SOCKMAP) },
	{ BPF_FUNC_msg_redirect_map, MAP(SOCKMAP) },
	{ BPF_FUNC_sock_map_update, MAP(SOCKMAP) },
	{ BPF_FUNC_sk_redirect_hash, MAP(SOCKHASH) },
	{ BPF_FUNC_msg_redirect_hash, MAP(SOCKHASH) },
	{ BPF_FUNC_sock_hash_update, MAP(SOCKHASH) },
	{ BPF_FUNC_get_local_storage, MAP(CGROUP_STORAGE) | MAP(PERCPU_CGROUP_STORAGE) },
	{ BPF_FUNC_sk_select_reuseport, MAP(REUSEPORT_SOCKARRAY) | MAP(SOCKMAP) | MAP(SOCKHASH) },
	{ BPF_FUNC_map_pop_elem, MAP(QUEUE) | MAP(STACK) },
	{ BPF_FUNC_map_peek_elem, MAP(QUEUE) | MAP(STACK) | MAP(BLOOM_FILTER) },
	{ BPF_FUNC_map_push_elem, MAP(QUEUE) | MAP(STACK) | MAP(BLOOM_FILTER) },
	{ BPF_FUNC_map_lookup_percpu_elem, MAP(PERCPU_ARRAY) | MAP(PERCPU_HASH) | MAP(LRU_PERCPU_HASH) },
	{ BPF_FUNC_sk_storage_get, MAP(SK_STORAGE) },
	{ BPF_FUNC_sk_storage_delete, MAP(SK_STORAGE) },
	{ BPF_FUNC_inode_storage_get, MAP(INODE_STORAGE) },
	{ BPF_FUNC_inode_storage_delete, MAP(INODE_STORAGE) },
	{ BPF_FUNC_task_storage_get, MAP(TASK_STORAGE) },
	{ BPF_FUNC_task_storage_delete, MAP(TASK_STORAGE) },
	{ BPF_FUNC_cgrp_storage_get, MAP(CGRP_STORAGE) },
	{ BPF_FUNC_cgrp_storage_delete, MAP(CGRP_STORAGE) },
};

/* Maps of sockets are updated only where no socket lock can be held the wrong way. */
static bool may_update_sockmap(const struct env *env, uint32_t id)
{
	switch (env->spec->type->id) {
	case BPF_PROG_TYPE_TRACING:
		return env->spec->attach == BPF_TRACE_ITER;
	case BPF_PROG_TYPE_SOCK_OPS:
		/* It has helpers of its own to update. */
		return id == BPF_FUNC_map_delete_elem;
	case BPF_PROG_TYPE_SK_REUSEPORT:
	case BPF_PROG_TYPE_SK_LOOKUP:
		return true;
	default:
		return false;
	}
}

static bool map_takes_helper(const struct env *env, uint32_t type, uint32_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(map_rules); i++) {
		const struct map_rule *rule = &map_rules[i];

		if (rule->type != type)
			continue;
		if ((type == BPF_MAP_TYPE_SOCKMAP || type == BPF_MAP_TYPE_SOCKHASH) &&
		    (id == BPF_FUNC_map_update_elem || id == BPF_FUNC_map_delete_elem))
			return may_update_sockmap(env, id);
		for (size_t j = 0; j < ARRAY_SIZE(rule->helpers) && rule->helpers[j]; j++)
			if (rule->helpers[j] == id)
				return true;
		return false;
	}
	return true;
}

static bool helper_takes_map(uint32_t id, uint32_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(helper_rules); i++)
		if (helper_rules[i].id == id)
			return type < 64 && (helper_rules[i].types >> type & 1);
	return true;
}

int check_map_use(struct env *env, const struct call_check *call)
{
	uint32_t id = call->fn->id;

	if (!call->map)
		return 0;
	if (map_takes_helper(env, call->map->type, id) && helper_takes_map(id, call->map->type))
		return 0;
	if ((call->map->type == BPF_MAP_TYPE_SOCKMAP || call->map->type == BPF_MAP_TYPE_SOCKHASH) &&
	    (id == BPF_FUNC_map_update_elem || id == BPF_FUNC_map_delete_elem))
		explain(env, "cannot update sockmap in this context");
	return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "cannot pass map_type %u into func %s",
			 call->map->type, helper_text(id));
}

static bool writes_map(uint32_t id)
{
	return id == BPF_FUNC_map_update_elem || id == BPF_FUNC_map_delete_elem || id == BPF_FUNC_map_push_elem ||
	       id == BPF_FUNC_map_pop_elem;
}

/* For the engines: the same map at every visit of this call? */
int record_map(struct env *env, const struct call_check *call)
{
	struct insn_info *info = &env->info[call->pc];

	if (!call->map)
		return 0;
	if (map_prog_rdonly(call->map) && writes_map(call->fn->id))
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "write into map forbidden");
	if (call->map_index == UINT32_MAX)
		info->map_poisoned = true;
	else if (!info->map_seen)
		info->map = call->map_index;
	else if (info->map != call->map_index)
		info->map_poisoned = true;
	info->map_seen = true;
	return 0;
}

/*
 * Without the right to guess wrong (sanitize.c), a tail call's slot is masked to the
 * size of its array, so that must be the same one on all paths.
 */
int check_tail_calls(struct env *env)
{
	for (uint32_t i = 0; i < env->len && !env->cap_perfmon; i++) {
		const struct insn *insn = &env->insns[i];

		env->structural_insn = i;
		if (env->info[i].seen && env->info[i].map_poisoned && insn->kind == INSN_CALL &&
		    insn->op == CALL_HELPER && insn->imm == BPF_FUNC_tail_call)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "tail_call abusing map_ptr");
	}
	return 0;
}

/* The slot of a tail call is register 3; the key of a map helper lies in memory. */
int record_key(struct env *env, const struct call_check *call)
{
	struct insn_info *info = &env->info[call->pc];
	bool known = call->key_known;
	uint64_t key = call->key;

	if (call->fn->id == BPF_FUNC_tail_call) {
		const struct reg *reg = call_arg(env, 3);

		if (!call->map || call->map->type != BPF_MAP_TYPE_PROG_ARRAY)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "expected prog array map for tail call");
		known = reg_is_const(reg) && reg->var.umax < call->map->max_entries;
		key = reg->var.umax;
		if (known) {
			int error = mark_precise(env, 3);

			if (error < 0)
				return error;
		}
	} else if (!call->key_reg) {
		return 0;
	}
	if (!known)
		info->key_poisoned = true;
	else if (!info->key_seen)
		info->key = key;
	else if (info->key != key)
		info->key_poisoned = true;
	info->key_seen = true;
	return 0;
}

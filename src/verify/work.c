/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * work.c - functions of the kernel that call the program back: a tree's comparison
 * at once, work queues and task work later.
 *
 * What runs later belongs to a field of a map value (a bpf_wq, a bpf_task_work), and
 * gets that map, key and value. The map is named again by an argument, which
 * must be the one the field is in.
 */
#include "verify/kfunc.h"

int check_work(struct env *env, struct kfunc_call *call, int regno, uint32_t type)
{
	const struct reg *reg = call_arg(env, regno);
	int error;

	if (reg->type != REG_MAP_VALUE)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d doesn't point to a map value", regno);
	error = check_field_arg(env, regno, type, &call->work);
	if (error < 0)
		return error;
	call->call.map = reg->map;
	call->call.map_index = reg->map_index;
	call->call.map_uid = reg->map_uid;
	return 0;
}

/* The map argument beside a field of one of its values. */
int check_work_map(struct env *env, struct kfunc_call *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);
	const char *what = "bpf_task_work";

	if (reg->type != REG_MAP)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "pointer in R%d isn't map pointer", regno);
	if (call->work && (call->call.map != reg->map || call->call.map_uid != reg->map_uid)) {
		if (call->work->type == MAP_FIELD_WORKQUEUE)
			what = "workqueue";
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "%s pointer in R%d map_uid=%u doesn't match map pointer in R%d "
				 "map_uid=%u", what, regno - 1, call->call.map_uid, regno,
				 reg->map_uid);
	}
	call->call.map = reg->map;
	call->call.map_index = reg->map_index;
	call->call.map_uid = reg->map_uid;
	return 0;
}

static void set_map_arg(struct reg *reg, enum reg_type type, const struct reg *from)
{
	reg_set_pointer(reg, type, 0);
	reg->map = from->map;
	reg->map_index = from->map_index;
	reg->map_uid = from->map_uid;
}

static void set_map_args(struct frame *callee, const struct reg *from)
{
	set_map_arg(&callee->reg[1], REG_MAP, from);
	set_map_arg(&callee->reg[2], REG_MAP_KEY, from);
	set_map_arg(&callee->reg[3], REG_MAP_VALUE, from);
	reg_set_not_init(&callee->reg[4]);
	reg_set_not_init(&callee->reg[5]);
}

/* callback(map, key, value), of the map the work queue is in */
static int set_wq(struct env *env, const struct frame *caller, struct frame *callee, uint32_t pc)
{
	(void)env;
	(void)pc;
	set_map_args(callee, &caller->reg[1]);
	return 0;
}

/* callback(map, key, value), of the map argument */
static int set_task_work(struct env *env, const struct frame *caller, struct frame *callee,
			 uint32_t pc)
{
	(void)env;
	(void)pc;
	set_map_args(callee, &caller->reg[3]);
	return 0;
}

/* less(node, node): the one to be added, and one that is in the tree; both borrowed */
static int set_less(struct env *env, const struct frame *caller, struct frame *callee, uint32_t pc)
{
	struct kfunc_call call = { .call.pc = pc };
	const struct kfunc plain = { .name = "less" };

	call.fn = &plain;
	call.root = env->info[pc].call_ptr;
	(void)caller;
	set_graph_node(env, &call, &callee->reg[1]);
	set_graph_node(env, &call, &callee->reg[2]);
	for (int i = 3; i <= 5; i++)
		reg_set_not_init(&callee->reg[i]);
	return 0;
}

int enter_kfunc_callback(struct env *env, struct kfunc_call *call)
{
	struct return_range any = { .min = INT32_MIN, .max = INT32_MAX, .checked = true };
	struct return_range zero = { .checked = true }, flag = { .max = 1, .checked = true };
	uint32_t pc = call->call.pc, subprog = call->call.subprog;

	env->info[pc].call_aux = call->fn->kind;
	switch (call->fn->kind) {
	case KFUNC_RBTREE_ADD:
		env->info[pc].call_ptr = call->root;
		return push_callback(env, pc, subprog, set_less, flag, false,
				     env->cur->in_sleepable);
	case KFUNC_WQ_CALLBACK:
		return push_callback(env, pc, subprog, set_wq, zero, true, true);
	case KFUNC_TASK_WORK:
		return push_callback(env, pc, subprog, set_task_work, any, true, true);
	default:
		return 0;
	}
}

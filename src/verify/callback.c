/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callback.c - helpers that call a function of the program.
 *
 * The callback runs in a frame of its own, any number of times, between the
 * call and what follows it; a row says what its arguments are and what it may
 * return. A timer's callback runs later and sees nothing of the caller.
 */
#include "verify/call.h"

static void set_map_arg(struct reg *reg, enum reg_type type, const struct reg *from)
{
	reg_set_pointer(reg, type, 0);
	reg->map = from->map;
	reg->map_index = from->map_index;
	reg->map_uid = from->map_uid;
}

/* callback(map, key, value, ctx) */
static int set_for_each(struct env *env, const struct frame *caller, struct frame *callee,
			uint32_t pc)
{
	(void)env;
	(void)pc;
	callee->reg[1] = caller->reg[1];
	set_map_arg(&callee->reg[2], REG_MAP_KEY, &caller->reg[1]);
	set_map_arg(&callee->reg[3], REG_MAP_VALUE, &caller->reg[1]);
	callee->reg[4] = caller->reg[3];
	reg_set_not_init(&callee->reg[5]);
	return 0;
}

/* callback(map, key, value), of the map the timer is in */
static int set_timer(struct env *env, const struct frame *caller, struct frame *callee,
		     uint32_t pc)
{
	(void)env;
	(void)pc;
	set_map_arg(&callee->reg[1], REG_MAP, &caller->reg[1]);
	set_map_arg(&callee->reg[2], REG_MAP_KEY, &caller->reg[1]);
	set_map_arg(&callee->reg[3], REG_MAP_VALUE, &caller->reg[1]);
	reg_set_not_init(&callee->reg[4]);
	reg_set_not_init(&callee->reg[5]);
	return 0;
}

/* callback(index, ctx) */
static int set_loop(struct env *env, const struct frame *caller, struct frame *callee,
		    uint32_t pc)
{
	(void)pc;
	reg_set_unknown(env, &callee->reg[1]);
	callee->reg[2] = caller->reg[3];
	for (int i = 3; i <= 5; i++)
		reg_set_not_init(&callee->reg[i]);
	return 0;
}

/* callback(task, vma, ctx) */
static int set_find_vma(struct env *env, const struct frame *caller, struct frame *callee,
			uint32_t pc)
{
	uint32_t vma = env->kernel_btf ?
		skep_btf_find(env->kernel_btf, "vm_area_struct", BTF_STRUCT) : 0;

	(void)pc;
	if (!vma)
		return reject(env, -EINVAL, "kernel has no type vm_area_struct");
	callee->reg[1] = caller->reg[1];
	reg_set_pointer(&callee->reg[2], REG_BTF, REG_TRUSTED);
	callee->reg[2].btf = env->kernel_btf;
	callee->reg[2].btf_id = vma;
	callee->reg[3] = caller->reg[4];
	reg_set_not_init(&callee->reg[4]);
	reg_set_not_init(&callee->reg[5]);
	return 0;
}

/* callback(dynptr, ctx) */
static int set_drain(struct env *env, const struct frame *caller, struct frame *callee,
		     uint32_t pc)
{
	(void)pc;
	reg_set_pointer(&callee->reg[1], REG_DYNPTR, REG_DYNPTR_LOCAL);
	callee->reg[1].dynptr = DYNPTR_LOCAL;
	callee->reg[1].dynptr_first = true;
	callee->reg[1].id = new_id(env);
	callee->reg[2] = caller->reg[3];
	for (int i = 3; i <= 5; i++)
		reg_set_not_init(&callee->reg[i]);
	return 0;
}

static const struct callback {
	uint32_t id;
	callback_set_fn *set;
	int64_t returns_max;
	bool async;
} callbacks[] = {
	{ BPF_FUNC_for_each_map_elem, set_for_each, 1, false },
	{ BPF_FUNC_timer_set_callback, set_timer, 0, true },
	{ BPF_FUNC_find_vma, set_find_vma, 1, false },
	{ BPF_FUNC_loop, set_loop, 1, false },
	{ BPF_FUNC_user_ringbuf_drain, set_drain, 1, false },
};

static const struct callback *callback_of(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(callbacks); i++)
		if (callbacks[i].id == id)
			return &callbacks[i];
	return NULL;
}

bool helper_calls_back(uint32_t id)
{
	return callback_of(id) != NULL;
}

static bool map_is_iterable(const struct map_spec *map)
{
	switch (map->type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_RHASH:
		return true;
	default:
		return false;
	}
}

/* Whether the loop is over is decided by its count, so that matters exactly. */
static int enter_loop(struct env *env, struct call_check *call, const struct callback *row)
{
	struct frame *frame = state_frame(env->cur);
	int error = mark_precise(env, 1);

	if (error < 0)
		return error;
	if (frame->callback_depth >= frame->reg[1].var.umax) {
		frame->callback_depth = 0;
		trace(env, 2, "frame%u bpf_loop iteration limit reached\n", env->cur->depth);
		return 0;
	}
	return push_callback(env, call->pc, call->subprog, row->set,
			     (struct return_range){ .max = row->returns_max, .checked = true }, false,
			     env->cur->in_sleepable);
}

int check_callbacks(struct env *env, struct call_check *call)
{
	const struct callback *row = callback_of(call->fn->id);
	struct return_range returns = { .max = row->returns_max, .checked = true };

	if (row->id == BPF_FUNC_loop)
		return enter_loop(env, call, row);
	if (row->id == BPF_FUNC_for_each_map_elem && !map_is_iterable(call->map))
		return reject(env, -EOPNOTSUPP, "callback function not allowed for map");
	return push_callback(env, call->pc, call->subprog, row->set, returns, row->async,
			     !row->async && env->cur->in_sleepable);
}

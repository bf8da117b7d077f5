/* SPDX-License-Identifier: BSD-2-Clause */
/* check_calls.c - helpers, callbacks and kernel functions in the checking interpreter. */
#include <errno.h>

#include "checker.h"

static int map_argument(const struct helper *helper)
{
	for (int i = 0; i < 5; i++)
		if (helper->arg[i].kind == ARG_CONST_MAP_PTR)
			return i;
	return -1;
}

static void check_argument(struct checker *c, const struct helper *helper, unsigned i,
			   const struct map *map)
{
	const struct arg *arg = &helper->arg[i];
	uint64_t size = 0, at = c->r[i + 1];

	if (at == 0 && (arg->flags & ARG_MAYBE_NULL))
		return;
	if (arg->kind == ARG_MAP_KEY && map)
		size = map->key_size;
	else if (arg->kind == ARG_MAP_VALUE && map)
		size = map->value_size;
	else if (arg->kind == ARG_MEM)
		size = arg->flags & ARG_FIXED_SIZE ? arg->size : i < 4 ? c->r[i + 2] : 0;
	else if (arg->kind == ARG_PTR_TO_DYNPTR)
		size = 16;
	if (size)
		checker_touch(c, c->origin[i + 1], at, size, helper->name);
	if (size && (arg->flags & (ARG_UNINIT | ARG_WRITE))) {
		uint32_t frame, word;

		for (uint64_t b = 0; b < size; b++)
			if (checker_word(c, at + b, &frame, &word))
				c->word_origin[frame][word] = IN_NOTHING;
	}
}

/* After a call nothing is in r1 to r5. */
static void set_result(struct checker *c, uint64_t value, uint16_t origin)
{
	c->r[0] = value;
	c->origin[0] = value ? origin : IN_NOTHING;
	for (unsigned i = 1; i <= 5; i++) {
		c->r[i] = 0xdead0000beef0000u + i;
		c->origin[i] = IN_NOTHING;
	}
	c->doubt &= (uint16_t)~0x3fu;
}

static struct checker *running; /* callbacks get to it through helpers that know nothing of it */

static uint64_t run_callback(struct vm *vm, uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3,
			     uint64_t a4, uint64_t a5)
{
	struct checker *c = running;
	uint64_t at_call[11], result;
	uint16_t origin_at_call[11], doubt = c->doubt;
	uint32_t pc = c->pc, map = c->regions[c->call_origin[0]].map;
	uint64_t args[5] = { a1, a2, a3, a4, a5 };
	struct map *const *maps = c->setup->maps;

	(void)vm;
	if (c->stop)
		return 1;
	memcpy(at_call, c->r, sizeof(at_call));
	memcpy(origin_at_call, c->origin, sizeof(origin_at_call));
	if (!checker_enter(c, UINT32_MAX))
		return 1;
	for (unsigned i = 0; i < 5; i++) {
		c->r[i + 1] = args[i];
		c->origin[i + 1] = IN_NOTHING;
	}
	c->r[0] = 0xdead0000beef0000u;
	c->doubt &= (uint16_t)~0x3fu;
	if (c->calling == 181) { /* loop: the index, the caller's argument */
		c->origin[2] = c->call_origin[2];
		c->doubt |= (uint16_t)(doubt >> 3 & 1) << 2;
	} else { /* for_each_map_elem: map, key, value, the caller's argument */
		c->origin[1] = c->call_origin[0];
		c->origin[2] = checker_region(c, REGION_KEY, a2, maps[map]->key_size, map);
		c->origin[3] = checker_region(c, REGION_VALUE, a3, maps[map]->value_size, map);
		c->origin[4] = c->call_origin[2];
	}
	checker_go(c, (uint32_t)fn);
	c->callback_done = false;
	result = c->r[0];
	c->pc = pc;
	memcpy(c->r, at_call, sizeof(at_call));
	memcpy(c->origin, origin_at_call, sizeof(origin_at_call));
	c->doubt = c->frames[c->depth].doubt; /* and what was learnt of the caller's since */
	/* In the verifier's eyes the call is made again. */
	if (!c->stop && c->setup->claims)
		claims_check(c);
	return c->stop ? 1 : result;
}

static uint16_t result_origin(struct checker *c, const struct helper *helper, uint64_t result,
			      const struct map *map, uint32_t map_index, const uint64_t *args)
{
	if (!result)
		return IN_NOTHING;
	if (helper->ret.kind == RET_PTR_TO_MAP_VALUE && map)
		return checker_region(c, REGION_VALUE, result, map->value_size, map_index);
	if (helper->ret.kind == RET_PTR_TO_RINGBUF_MEM)
		return checker_region(c, REGION_MEMORY, result, args[1], 0);
	if (helper->ret.kind == RET_PTR_TO_DYNPTR_MEM)
		return checker_region(c, REGION_MEMORY, result, args[2], 0);
	return IN_NOTHING;
}

/* Why it cannot be called here; NULL: it can. */
static const char *unmodelled(const struct helper *helper)
{
	if (!helper || (!helper->call && !helper->by_engine))
		return "a helper";
	switch ((enum ret_kind)helper->ret.kind) {
	case RET_INTEGER: case RET_VOID: case RET_PTR_TO_MAP_VALUE: case RET_PTR_TO_RINGBUF_MEM:
	case RET_PTR_TO_DYNPTR_MEM:
		break;
	case RET_PTR_TO_SOCKET: case RET_PTR_TO_TCP_SOCK: case RET_PTR_TO_SOCK_COMMON:
	case RET_PTR_TO_MEM: case RET_PTR_TO_MEM_OR_BTF_ID: case RET_PTR_TO_BTF_ID:
	case RET_PTR_TO_BTF_ID_TRUSTED:
		return "a helper that gives kernel objects";
	}
	for (unsigned i = 0; i < 5; i++)
		if (helper->arg[i].kind == ARG_PTR_TO_FUNC && helper->id != 181 && helper->id != 164)
			return "a callback";
	return NULL;
}

void checker_helper(struct checker *c, const struct insn *insn)
{
	const struct helper *helper = helper_get((uint32_t)insn->imm, c->vm->prog_type, 0);
	const char *why = unmodelled(helper);
	const struct map *map = NULL;
	uint32_t map_index = 0, pc = c->pc, calling = c->calling;
	uint64_t args[5], result;
	uint16_t origins[5], outer[5];
	int at;

	if (why) {
		checker_stop(c, CHECKED_GAVE_UP, c->pc, "%s (%lld)", why, (long long)insn->imm);
		return;
	}
	at = map_argument(helper);
	if (at >= 0) {
		map = (const struct map *)(uintptr_t)c->r[at + 1];
		map_index = c->regions[c->origin[at + 1]].map;
		if (c->regions[c->origin[at + 1]].kind != REGION_MAP) {
			checker_stop(c, CHECKED_VIOLATION, c->pc, "%s gets no map", helper->name);
			return;
		}
	}
	for (unsigned i = 0; i < 5; i++)
		check_argument(c, helper, i, map);
	if (c->stop)
		return;
	if (helper->by_engine) { /* a tail call through an empty slot */
		set_result(c, (uint64_t)-ENOENT, IN_NOTHING);
		return;
	}
	memcpy(args, &c->r[1], sizeof(args));
	memcpy(origins, &c->origin[1], sizeof(origins));
	c->calling = helper->id;
	memcpy(outer, c->call_origin, sizeof(outer));
	memcpy(c->call_origin, origins, sizeof(origins));
	running = c;
	c->vm->callback = run_callback;
	result = helper->call(c->vm, args);
	c->calling = calling;
	memcpy(c->call_origin, outer, sizeof(outer));
	c->pc = pc;
	if (!c->stop)
		set_result(c, helper->ret.kind == RET_VOID ? 0xdead0000beef0000u : result,
			   result_origin(c, helper, result, map, map_index, args));
}

/* bpf_iter_num: | next | end | as two halves of a stack word; drained when next is not below. */
void checker_kfunc(struct checker *c, const struct insn *insn)
{
	const struct checked_setup *setup = c->setup;
	int32_t it[2];
	void *where = (void *)(uintptr_t)c->r[1];
	uint32_t id = (uint32_t)insn->imm;

	if (!id || (id != setup->num_new && id != setup->num_next && id != setup->num_destroy)) {
		checker_stop(c, CHECKED_GAVE_UP, c->pc, "a kernel function");
		return;
	}
	if (!checker_touch(c, c->origin[1], c->r[1], 8, "an iterator"))
		return;
	memcpy(it, where, sizeof(it));
	if (id == setup->num_new) {
		int64_t start = (int32_t)c->r[2], end = (int32_t)c->r[3];
		bool good = start <= end && end - start <= 8388608;

		it[0] = good ? (int32_t)start - 1 : 0;
		it[1] = good ? (int32_t)end : 0;
		memcpy(where, it, sizeof(it));
		set_result(c, good ? 0 : (uint64_t)-EINVAL, IN_NOTHING);
	} else if (id == setup->num_next) {
		uint64_t result = 0;

		if ((int64_t)it[0] + 1 >= it[1]) {
			it[0] = it[1] = 0;
		} else {
			it[0]++;
			result = (uint64_t)(uintptr_t)where;
		}
		memcpy(where, it, sizeof(it));
		set_result(c, result, result ? checker_region(c, REGION_MEMORY, result, 4, 0) :
					       IN_NOTHING);
	} else {
		set_result(c, 0xdead0000beef0000u, IN_NOTHING);
	}
}

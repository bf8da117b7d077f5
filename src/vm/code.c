/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * code.c - from a verified program to struct code. Control plane.
 *
 * References become addresses: the arena is at the same place in every process,
 * so maps and their values may stand in the instructions. Calls become slots of
 * the vector that each process fills. What is known of a call's map picks a
 * shorter way to it.
 */
#include <errno.h>
#include <inttypes.h>

#include "vm/draft.h"
#include "vm/install.h"

/* The helpers that engines know: one they are themselves, one they shorten. */
enum { HELPER_MAP_LOOKUP_ELEM = 1, HELPER_TAIL_CALL = 12 };

struct linker {
	struct draft draft;
	const struct verified *verified;
	const struct prog_spec *spec;
	struct map *const *maps;
	struct skep_diag *diag;
};

static struct skep_where place_of(const struct linker *l, uint32_t pc)
{
	struct skep_where where = SKEP_NOWHERE;

	where.object = l->spec->object;
	where.section = l->spec->section;
	where.program = l->spec->name;
	where.insn = pc;
	return where;
}

static int no_memory(const struct linker *l)
{
	return skep_fail(l->diag, SKEP_OOM, NULL, "program '%s' of %" PRIu32 " instructions",
			 l->spec->name, l->verified->len);
}

/* --- references --- */

static int link_map(struct linker *l, uint32_t pc, struct insn *insn)
{
	uint32_t index = (uint32_t)insn->imm, off = (uint32_t)((uint64_t)insn->imm >> 32);
	struct skep_where where = place_of(l, pc);
	const struct map_type *type;
	uint64_t address;

	if (index >= l->spec->map_count)
		return skep_fail(l->diag, SKEP_ENGINE_ADDRESS, &where, "there is no map %" PRIu32, index);
	if (insn->op == IMM64_MAP_INDEX) {
		insn->imm = (int64_t)(uintptr_t)l->maps[index];
		return 0;
	}
	type = map_type(l->maps[index]->type_id);
	if (!type->direct_value || type->direct_value(l->maps[index], &address, off) < 0)
		return skep_fail(l->diag, SKEP_ENGINE_ADDRESS, &where,
				 "map '%s' has no value at offset %" PRIu32,
				 l->maps[index]->name, off);
	insn->imm = (int64_t)address;
	return 0;
}

/* A callback's handle is the slot it starts at: never 0, where the program does. */
static void link_func(struct linker *l, uint32_t pc, struct insn *insn)
{
	insn->imm = (int64_t)pc + 1 + (int32_t)insn->imm;
	l->draft.callbacks = true;
}

static int link_imm64(struct linker *l, uint32_t pc, struct insn *insn)
{
	struct skep_where where = place_of(l, pc);
	int error = 0;

	switch ((enum imm64)insn->op) {
	case IMM64_VALUE:
		return 0;
	case IMM64_MAP_INDEX:
	case IMM64_MAP_INDEX_VALUE:
		error = link_map(l, pc, insn);
		break;
	case IMM64_FUNC:
		link_func(l, pc, insn);
		break;
	case IMM64_BTF_ID:
		return skep_fail(l->diag, SKEP_ENGINE_ADDRESS, &where,
				 "kernel variable %" PRIu32 " has no counterpart here",
				 (uint32_t)insn->imm);
	case IMM64_MAP_FD:
	case IMM64_MAP_VALUE:
		return skep_fail(l->diag, SKEP_ENGINE_ADDRESS, &where,
				 "a map reference was not resolved");
	}
	insn->op = IMM64_VALUE;
	return error;
}

/* --- calls --- */

/* An array's elements, if they lie as an inline lookup needs them. */
static bool array_layout(struct map *map, struct jit_array *array)
{
	const struct map_type *type = map_type(map->type_id);
	uint32_t first = 0, last = map->max_entries - 1;
	uint8_t *values, *end;

	if (map->type_id != BPF_MAP_TYPE_ARRAY || map->max_entries == 0 || !type->lookup)
		return false;
	values = type->lookup(map, &first, NULL);
	end = type->lookup(map, &last, NULL);
	*array = (struct jit_array){ values, map->max_entries, map->value_stride };
	return values && end == values + (size_t)last * map->value_stride &&
	       map->max_entries <= INT32_MAX && map->value_stride <= INT32_MAX;
}

/* A lookup whose map is the same on every path. */
static int link_lookup(struct linker *l, struct insn *insn, struct map *map)
{
	struct jit_array array, *added;
	int slot = draft_slot(&l->draft, CODE_SLOT_MAP_LOOKUP, map->type_id);

	if (slot < 0)
		return slot;
	insn->off = slot;
	insn->src = JIT_CALL_MAP_LOOKUP;
	if (!array_layout(map, &array))
		return 0;
	added = vec_push(&l->draft.arrays);
	if (!added)
		return -ENOMEM;
	*added = array;
	insn->src = JIT_CALL_ARRAY_LOOKUP;
	insn->imm = (int64_t)(l->draft.arrays.count - 1);
	return 0;
}

static int link_helper(struct linker *l, uint32_t pc, struct insn *insn)
{
	uint32_t id = (uint32_t)insn->imm;
	const struct helper *helper = helper_get(id, l->spec->type->id, l->spec->attach);
	const struct insn_fact *fact = l->verified->facts ? &l->verified->facts[pc] : NULL;
	struct skep_where where = place_of(l, pc);
	int slot;

	if (id == HELPER_TAIL_CALL) {
		insn->src = JIT_CALL_TAIL;
		insn->off = JIT_SLOT_TAIL_CALL;
		return 0;
	}
	if (!helper || !helper->call)
		return skep_fail(l->diag, SKEP_ENGINE_HELPER, &where, "bpf_%s",
				 helper ? helper->name : "unknown");
	if (id == HELPER_MAP_LOOKUP_ELEM && fact && fact->constant_map &&
	    fact->map < l->spec->map_count &&
	    map_type(l->maps[fact->map]->type_id)->lookup)
		return link_lookup(l, insn, l->maps[fact->map]);
	slot = draft_slot(&l->draft, CODE_SLOT_HELPER, id);
	insn->src = JIT_CALL_HELPER;
	insn->off = slot;
	return MIN(slot, 0);
}

static int link_call(struct linker *l, uint32_t pc, struct insn *insn)
{
	struct skep_where where = place_of(l, pc);
	const char *name;

	switch ((enum call)insn->op) {
	case CALL_HELPER:
		return link_helper(l, pc, insn);
	case CALL_LOCAL:
		return 0;
	case CALL_KFUNC:
		name = skep_btf_type_name(l->spec->kernel_btf, (uint32_t)insn->imm);
		return skep_fail(l->diag, SKEP_ENGINE_KFUNC, &where, "kernel function %s",
				 insn->off == 0 && name ? name : "of a module");
	case CALL_REGISTER:
	case CALL_HELPER_BTF:
		break;
	}
	return skep_fail(l->diag, SKEP_ENGINE_ADDRESS, &where, "a call through a register");
}

/* Dead code may refer to anything: nothing in it is looked up. */
static bool is_dead(const struct linker *l, uint32_t pc)
{
	return l->verified->facts && !l->verified->facts[pc].reached;
}

/* There is nothing to read at the kernel's offset. */
static int link_load(struct linker *l, uint32_t pc)
{
	struct skep_where where = place_of(l, pc);

	if (!l->verified->facts || !l->verified->facts[pc].foreign_map)
		return 0;
	return skep_fail(l->diag, SKEP_ENGINE_ADDRESS, &where,
			 "a field of the kernel's own structure of a map");
}

static int link_insns(struct linker *l)
{
	int error = 0;

	for (uint32_t pc = 0; error == 0 && pc < l->draft.len; pc++) {
		struct insn *insn = &l->draft.insns[pc];

		if (insn->kind == INSN_IMM64 && !is_dead(l, pc))
			error = link_imm64(l, pc, insn);
		else if (insn->kind == INSN_CALL && !is_dead(l, pc))
			error = link_call(l, pc, insn);
		else if (insn->kind == INSN_LOAD && !is_dead(l, pc))
			error = link_load(l, pc);
	}
	return error == -ENOMEM ? no_memory(l) : error;
}

/* --- into the arena --- */

static size_t runs_size(const struct code *code)
{
	return code->run_count * CODE_RUN_STRIDE * sizeof(uint64_t);
}

uint64_t code_runs(const struct code *code)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < code->run_count; i++)
		sum += __atomic_load_n(&code->runs[i * CODE_RUN_STRIDE], __ATOMIC_RELAXED);
	return sum;
}

static struct code *code_place(const struct linker *l, struct vm_world *world)
{
	void *memory = memory_alloc(world->memory, draft_size(&l->draft), 16);
	struct code *code;

	if (!memory)
		return NULL;
	code = draft_fill(&l->draft, memory);
	code->run_count = vcpu_count(world->vcpus);
	code->runs = memory_alloc(world->memory, runs_size(code), 64);
	if (!code->runs) {
		memory_release(world->memory, memory, code->size);
		return NULL;
	}
	code->prog_type = l->spec->type->id;
	code->attach = l->spec->attach;
	code->stamp = draft_stamp(code);
	code->stack_depth = l->verified->stack_depth;
	code->ctx_end = l->verified->ctx_end;
	code->buffer_end = l->verified->buffer_end;
	for (size_t i = 0; i < sizeof(code->name) - 1 && l->spec->name[i]; i++)
		code->name[i] = l->spec->name[i];
	return code;
}

struct code *code_new(const struct verified *verified, const struct prog_spec *spec,
		      struct map *const *maps, struct vm_world *world, bool compile, int *error,
		      struct skep_diag *diag)
{
	struct linker l = { .verified = verified, .spec = spec, .maps = maps, .diag = diag };
	struct code *code = NULL;

	*error = draft_init(&l.draft, verified->insns, verified->len, verified->subprogs,
			    verified->subprog_count);
	l.draft.facts = verified->facts;
	if (*error == 0)
		*error = link_insns(&l);
	else
		no_memory(&l);
	if (*error == 0) {
		*error = draft_finish(&l.draft, compile);
		if (*error == -ENOMEM)
			no_memory(&l);
		else if (*error < 0)
			skep_report(diag, SKEP_ENGINE_BYTECODE, NULL,
				    "'%s' calls what is no subprogram", spec->name);
	}
	if (*error == 0) {
		code = code_place(&l, world);
		if (!code)
			*error = no_memory(&l);
	}
	draft_done(&l.draft);
	return code;
}

void code_forget(const struct code *code)
{
	install_remove(code);
}

void code_free(struct code *code, struct vm_world *world)
{
	if (!code)
		return;
	install_remove(code);
	memory_release(world->memory, code->runs, runs_size(code));
	memory_release(world->memory, code, code->size);
}

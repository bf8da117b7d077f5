/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.c - one program out of an object's functions.
 *
 * A program starts with its own function; each function it calls or takes the
 * address of, directly or through others, is appended once, in the order in
 * which a walk through the instructions meets it, a callee's own callees
 * before the rest of the caller. Calls then become distances within the
 * program, and what is left to relocate are maps, data and externs (relo.c).
 */
#include "object/object.h"
#include "object/relo.h"

#include <stdio.h>

/* Linux takes no more in a program; and all programs together stay bounded. */
enum { MAX_SLOTS = 1000000, MAX_OBJECT_SLOTS = 32 << 20 };

/* A function whose instructions are being walked through. */
struct frame {
	uint32_t func, at, next;
	struct located_span relos;
	size_t next_relo;
};

struct linker {
	struct linking base;
	uint32_t *at;            /* per function: where it was placed, plus 1; 0: not yet */
	VEC(struct skep_insn) insns;
	VEC(struct placed) placed;
	VEC(struct frame) frames;
};

static int oom(const struct linker *l)
{
	return skep_fail(l->base.diag, SKEP_OOM, &l->base.where, "program");
}

/* --- CO-RE: once for each function --- */

static int core_apply(struct skep_object *object, struct func *func, const struct located *item,
		      const struct skep_where *where, struct skep_diag *diag)
{
	char why[512] = "";
	struct poison *poison;
	uint32_t insn = item->slot - func->first;
	int error;

	if (!object->core)
		object->core = core_target_new(object_kernel_btf(object));
	if (!object->core)
		return skep_fail(diag, SKEP_OOM, where, "types to relocate against");
	error = core_relocate(object->core, object->btf, item->record, func->insns, func->count,
			      insn, why, sizeof(why), diag);
	if (error || !why[0])
		return error;
	poison = vec_push(&func->poisons);
	if (!poison)
		return skep_fail(diag, SKEP_OOM, where, "relocations");
	poison->insn = insn;
	poison->core = true;
	poison->why = arena_strdup(&object->strings, why);
	return poison->why ? 0 : skep_fail(diag, SKEP_OOM, where, "relocations");
}

int core_func(struct skep_object *object, struct func *func, struct skep_diag *diag)
{
	const struct elf_section *section = &object->elf.sections[func->section];
	struct skep_where where = object_where(object, section->name, func->name);
	struct located_span relos = located_in(&object->core_records, func);
	size_t size = (size_t)func->count * sizeof(*func->insns);
	int error = 0;

	if (func->insns)
		return 0;
	func->insns = malloc(size);
	if (!func->insns)
		return skep_fail(diag, SKEP_OOM, &where, "instructions");
	memcpy(func->insns, (const char *)section->data.data + (size_t)func->first * 8, size);
	for (size_t i = 0; i < relos.count && !error; i++)
		error = core_apply(object, func, &relos.items[i], &where, diag);
	if (error) {
		free(func->insns);
		func->insns = NULL;
		vec_done(&func->poisons);
	}
	return error;
}

/* --- placing functions --- */

int link_poison(struct linking *l, uint32_t insn, const char *why, bool core)
{
	struct poison *poison = vec_push(&l->out->poisons);

	if (!poison || !why)
		return skep_fail(l->diag, SKEP_OOM, &l->where, "relocations");
	*poison = (struct poison){ insn, why, core };
	return 0;
}

static int copy_func(struct linker *l, const struct func *func, uint32_t at)
{
	for (uint32_t i = 0; i < func->count; i++) {
		struct skep_insn *insn = vec_push(&l->insns);

		if (!insn)
			return oom(l);
		*insn = func->insns[i];
	}
	for (size_t i = 0; i < func->poisons.count; i++) {
		const struct poison *poison = &func->poisons.items[i];
		int error = link_poison(&l->base, at + poison->insn, poison->why, poison->core);

		if (error)
			return error;
	}
	return 0;
}

static int place(struct linker *l, uint32_t index)
{
	struct skep_object *object = l->base.object;
	struct func *func = &object->funcs.items[index];
	uint32_t at = (uint32_t)l->insns.count;
	struct placed *placed;
	struct frame *frame;
	int error;

	if (func->count > MAX_SLOTS - at ||
	    object->linked_slots + at + func->count > MAX_OBJECT_SLOTS)
		return skep_fail(l->base.diag, SKEP_OBJECT_TOO_BIG, &l->base.where,
				 "with the functions it calls the program has more than %d "
				 "instructions", MAX_SLOTS);
	error = core_func(object, func, l->base.diag);
	if (!error)
		error = copy_func(l, func, at);
	if (error)
		return error;
	placed = vec_push(&l->placed);
	frame = vec_push(&l->frames);
	if (!placed || !frame)
		return oom(l);
	*placed = (struct placed){ index, at };
	*frame = (struct frame){ .func = index, .at = at,
				 .relos = located_in(&object->relos, func) };
	l->at[index] = at + 1;
	return 0;
}

/* Makes the reference at pc one to the function; appends it if it is new. */
static int refer(struct linker *l, uint32_t pc, uint32_t section, int64_t slot)
{
	int64_t index = slot < 0 ? -1 : func_starting(l->base.object, section, (uint64_t)slot);
	int error;

	if (index < 0) {
		l->base.where.insn = pc;
		return skep_fail(l->base.diag, SKEP_OBJECT_RELO, &l->base.where,
				 "instruction %u refers to instruction %lld of '%s', where no "
				 "function begins", pc, (long long)slot,
				 l->base.object->elf.sections[section].name);
	}
	if (!l->at[index]) {
		error = place(l, (uint32_t)index);
		if (error)
			return error;
	}
	l->insns.items[pc].imm = (int32_t)(l->at[index] - 1) - (int32_t)pc - 1;
	return 0;
}

/* A call without relocation stays in its section. */
static int link_near_call(struct linker *l, const struct func *func, uint32_t at, uint32_t pc)
{
	int64_t slot = (int64_t)func->first + (pc - at) + l->insns.items[pc].imm + 1;

	/* Hand-written code may call a place within its own function. */
	if (slot > func->first && slot < (int64_t)func->first + func->count &&
	    func_starting(l->base.object, func->section, (uint64_t)slot) < 0)
		return 0;
	return refer(l, pc, func->section, slot);
}

static int link_insn(struct linker *l, struct frame *frame)
{
	const struct func *func = &l->base.object->funcs.items[frame->func];
	uint32_t pc = frame->at + frame->next;
	struct skep_insn *insn = &l->insns.items[pc];
	const struct located *relo = NULL;
	struct relo_target target;
	bool wide = insn->code == RELO_CODE_WIDE;
	int error;

	while (frame->next_relo < frame->relos.count &&
	       frame->relos.items[frame->next_relo].slot < func->first + frame->next)
		frame->next_relo++;
	if (frame->next_relo < frame->relos.count &&
	    frame->relos.items[frame->next_relo].slot == func->first + frame->next)
		relo = &frame->relos.items[frame->next_relo];
	frame->next += wide ? 2 : 1;
	if (!relo)
		return insn->code == RELO_CODE_CALL && insn->src == RELO_CALL_LOCAL
			       ? link_near_call(l, func, frame->at, pc)
			       : 0;
	if (wide && pc + 1 >= l->insns.count)
		return skep_fail(l->base.diag, SKEP_OBJECT_RELO, &l->base.where,
				 "instruction %u is cut in half", pc);
	error = relo_apply(&l->base, relo, insn, pc, &target);
	if (error || !target.is_func)
		return error;
	/* May add a frame: frame and insn are no longer good afterwards. */
	return refer(l, pc, target.section, target.slot);
}

static int link_rest(struct linker *l)
{
	int error = 0;

	while (!error && l->frames.count) {
		struct frame *frame = &l->frames.items[l->frames.count - 1];

		if (frame->next >= l->base.object->funcs.items[frame->func].count)
			l->frames.count--;
		else
			error = link_insn(l, frame);
	}
	return error;
}

/* The function that a tag on this one names as its exception callback: nothing in the
 * instructions refers to it. func when there is none. */
static uint32_t exception_callback(const struct skep_object *object, uint32_t func)
{
	const char *name = NULL;
	uint32_t id = 0;

	if (object->btf)
		id = skep_btf_find(object->btf, object->funcs.items[func].name, BTF_FUNC);
	if (id)
		name = btf_decl_tag(object->btf, id, -1, "exception_callback:");
	for (uint32_t i = 0; name && i < object->funcs.count; i++)
		if (strcmp(object->funcs.items[i].name, name) == 0)
			return i;
	return func;
}

static int link_all(struct linker *l, uint32_t func)
{
	uint32_t callback = exception_callback(l->base.object, func);
	int error = place(l, func);

	if (!error)
		error = link_rest(l);
	if (error || l->at[callback])
		return error;
	error = place(l, callback);
	return error ? error : link_rest(l);
}

static int compare_poisons(const void *a, const void *b)
{
	const struct poison *x = a, *y = b;

	return x->insn < y->insn ? -1 : x->insn > y->insn;
}

int object_link(struct skep_object_prog *prog, struct skep_diag *diag)
{
	struct skep_object *object = prog->object;
	struct linked out = { 0 };
	struct linker l = {
		.base = { .object = object, .diag = diag, .out = &out },
		.at = calloc(object->funcs.count, sizeof(*l.at)),
	};
	int error;

	if (prog->is_linked) {
		free(l.at);
		return 0;
	}
	l.base.where = object_where(object, prog->section, skep_object_prog_name(prog));
	error = l.at ? link_all(&l, prog->func) : oom(&l);
	out.insns = l.insns.items;
	out.len = (uint32_t)l.insns.count;
	out.placed = l.placed.items;
	out.placed_count = l.placed.count;
	if (!error)
		error = link_info(object, &out, diag);
	if (!error && list_maps(object, &out) < 0)
		error = oom(&l);
	free(l.at);
	vec_done(&l.frames);
	if (error) {
		linked_done(&out);
		return error;
	}
	if (out.poisons.count)
		qsort(out.poisons.items, out.poisons.count, sizeof(*out.poisons.items),
		      compare_poisons);
	prog->linked = out;
	prog->is_linked = true;
	object->linked_slots += out.len;
	return 0;
}

void linked_done(struct linked *linked)
{
	free(linked->insns);
	free(linked->placed);
	free(linked->funcs);
	free(linked->lines);
	vec_done(&linked->poisons);
	vec_done(&linked->tables);
	free(linked->maps);
	*linked = (struct linked){ 0 };
}

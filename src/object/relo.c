/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relo.c - relocating one instruction: what its symbol is, and what then
 * stands in the instruction.
 *
 *   symbol                     instruction      becomes
 *   function                   call             distance (link.c)
 *   function                   wide             address of a subprogram (link.c)
 *   map definition             wide             index of the map
 *   variable in global data    wide             index of its map, offset in its value
 *   table in .jumptables       wide             index of its map, offset in its value
 *   extern, kernel setting     wide             the same, of the .kconfig map
 *   extern, kernel variable    wide             BTF id, or address if untyped
 *   extern, kernel function    call             BTF id
 *
 * A weak extern that was not found is zero as a value, and a call that must
 * not be reached.
 */
#include "object/relo.h"

#include <elf.h>

__attribute__((format(printf, 3, 4)))
static int bad(struct linking *l, uint32_t pc, const char *fmt, ...)
{
	struct skep_where where = l->where;
	va_list args;

	where.insn = pc;
	va_start(args, fmt);
	skep_vreport(l->diag, SKEP_OBJECT_RELO, &where, fmt, args);
	va_end(args);
	return -SKEP_OBJECT_RELO_ERRNO;
}

static void set_wide(struct skep_insn *insn, unsigned what, uint32_t low, uint32_t high)
{
	insn[0].src = what & 15;
	insn[0].off = 0;
	insn[0].imm = (int32_t)low;
	insn[1].imm = (int32_t)high;
}

/* --- externs --- */

static int apply_setting(struct linking *l, struct object_extern *ext, struct skep_insn *insn)
{
	int error = ext->problem ? 0 : kconfig_fill(l->object, l->diag);

	if (error)
		return error;
	if (ext->problem)
		return skep_fail(l->diag, SKEP_OBJECT_EXTERN, &l->where, "extern (kcfg) '%s': %s",
				 ext->name, ext->problem);
	if (!ext->is_set && !ext->weak)
		return skep_fail(l->diag, SKEP_OBJECT_EXTERN, &l->where,
				 "extern (kcfg) '%s' is strong and was not found in the kernel's "
				 "configuration", ext->name);
	set_wide(insn, IMM64_MAP_INDEX_VALUE, l->object->kconfig_map - 1, ext->offset);
	return 0;
}

static int apply_kernel_symbol(struct linking *l, struct object_extern *ext,
			       struct skep_insn *insn)
{
	int error = ksym_resolve(l->object, ext, &l->where, l->diag);

	if (error)
		return error;
	if (ext->untyped || !ext->kernel_id)
		set_wide(insn, IMM64_VALUE, (uint32_t)ext->address, (uint32_t)(ext->address >> 32));
	else
		set_wide(insn, IMM64_BTF_ID, ext->kernel_id, 0);
	return 0;
}

/* What libbpf puts where a function was not found: nothing has such a number. */
enum { KFUNC_POISON = 2002000000 };

static int apply_kernel_call(struct linking *l, struct object_extern *ext, struct skep_insn *insn,
			     uint32_t pc)
{
	int error = ksym_resolve(l->object, ext, &l->where, l->diag);

	if (error)
		return error;
	if (ext->kind != EXTERN_KFUNC)
		return bad(l, pc, "'%s' is called and is no function", ext->name);
	if (ext->kernel_id) {
		insn->src = RELO_CALL_KFUNC;
		insn->imm = (int32_t)ext->kernel_id;
		insn->off = 0;
		return 0;
	}
	*insn = (struct skep_insn){
		.code = RELO_CODE_CALL,
		.imm = KFUNC_POISON + (int32_t)(ext - l->object->externs.items),
	};
	return link_poison(l, pc, arena_printf(&l->object->strings, "kfunc '%s' is referenced but "
					       "wasn't resolved", ext->name), false);
}

static int apply_extern(struct linking *l, uint32_t symbol, struct skep_insn *insn, uint32_t pc)
{
	struct object_extern *ext = extern_of_symbol(l->object, symbol);

	if (!ext)
		return bad(l, pc, "symbol '%s' is not defined and not external",
			   l->object->elf.symbols[symbol].name);
	if (insn->code == RELO_CODE_CALL)
		return apply_kernel_call(l, ext, insn, pc);
	return ext->kind == EXTERN_KCONFIG ? apply_setting(l, ext, insn)
					   : apply_kernel_symbol(l, ext, insn);
}

/* --- what the object defines --- */

static int apply_data(struct linking *l, const struct elf_symbol *symbol, struct skep_insn *insn,
		      uint32_t pc)
{
	uint64_t off = symbol->value + (uint64_t)(int64_t)insn->imm;
	const struct skep_object_map *map;
	int64_t index;

	/* A defined map is known by its place; the instruction's number is no offset. */
	index = map_covering(l->object, symbol->section,
			     symbol->type == STT_SECTION ? off : symbol->value);
	if (index >= 0 && l->object->maps.items[index]->kind == OBJECT_MAP_USER) {
		set_wide(insn, IMM64_MAP_INDEX, (uint32_t)index, 0);
		return 0;
	}
	for (index = 0; index < (int64_t)l->object->maps.count; index++) {
		map = l->object->maps.items[index];
		if (map->spec.internal && map->section == symbol->section) {
			set_wide(insn, IMM64_MAP_INDEX_VALUE, (uint32_t)index, (uint32_t)off);
			return 0;
		}
	}
	return bad(l, pc, "'%s' lies in section '%s', which holds neither functions nor data of a "
		   "program", symbol->name, l->object->elf.sections[symbol->section].name);
}

int relo_apply(struct linking *l, const struct located *relo, struct skep_insn *insn, uint32_t pc,
	       struct relo_target *target)
{
	const struct elf_symbol *symbol = &l->object->elf.symbols[relo->symbol];
	bool call = insn->code == RELO_CODE_CALL;

	*target = (struct relo_target){ .section = symbol->section };
	if (relo->type != ELF_R_64 && relo->type != ELF_R_CALL32)
		return bad(l, pc, "relocation type %u is not one for instructions", relo->type);
	if (!call && insn->code != RELO_CODE_WIDE)
		return bad(l, pc, "instruction %u (code 0x%02x) cannot be relocated against '%s'",
			   pc, insn->code, symbol->name);
	if (symbol->section == SHN_UNDEF) {
		struct skep_where program = l->where;
		int error;

		/* What is missing is told of at the line that wants it. */
		located_source(l->object, relo->section, relo->slot, &l->where);
		error = apply_extern(l, relo->symbol, insn, pc);
		l->where = program;
		return error;
	}
	if (symbol->section >= l->object->elf.section_count)
		return bad(l, pc, "symbol '%s' is in no section", symbol->name);
	if (!call && is_jump_tables(l->object, symbol->section)) {
		uint32_t map;
		int error = relo_jump_table(l, symbol, relo, pc, &map);

		if (!error)
			set_wide(insn, IMM64_MAP_INDEX_VALUE, map, (uint32_t)insn->imm);
		return error;
	}
	if (!call && !l->object->elf.sections[symbol->section].code)
		return apply_data(l, symbol, insn, pc);
	if (call && insn->src != RELO_CALL_LOCAL)
		return bad(l, pc, "a call to '%s' that is not one between functions", symbol->name);
	if (symbol->value % 8 || (!call && insn->imm % 8))
		return bad(l, pc, "function '%s' does not begin at an instruction", symbol->name);
	target->is_func = true;
	target->slot = (int64_t)(symbol->value / 8);
	target->slot += call ? (int64_t)insn->imm + 1 : insn->imm / 8;
	if (!call)
		set_wide(insn, IMM64_FUNC, 0, 0);
	return 0;
}

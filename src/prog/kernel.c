/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel.c - looking up the rows of kernel.def and kfunc_since.def. */
#include "prog/kernel.h"

#include <string.h>
#include "base/base.h"
#include "btf/btf.h"
#include "isa/abi.h"

/* --- what a verifier can follow --- */

static const struct {
	uint32_t since;
	const char *words;
} abilities[] = {
#define ABILITY(name, text, major, minor) [ABILITY_##name] = { KERNEL(major, minor), text },
#include "prog/kernel.def"
};

uint32_t ability_since(enum ability ability)
{
	return abilities[ability].since;
}

const char *ability_words(enum ability ability)
{
	return abilities[ability].words;
}

/* --- by number --- */

static const uint32_t helpers[] = {
#define HELPER(name, major, minor) [BPF_FUNC_##name] = KERNEL(major, minor),
#include "prog/kernel.def"
};
static const uint32_t prog_types[] = {
#define PROG(name, major, minor) [BPF_PROG_TYPE_##name] = KERNEL(major, minor),
#include "prog/kernel.def"
};
static const uint32_t attach_types[] = {
#define ATTACH(name, major, minor) [BPF_##name] = KERNEL(major, minor),
#include "prog/kernel.def"
};
static const uint32_t map_types[] = {
#define MAP(name, major, minor) [BPF_MAP_TYPE_##name] = KERNEL(major, minor),
#include "prog/kernel.def"
};

uint32_t helper_since(uint32_t id)
{
	return id < ARRAY_SIZE(helpers) ? helpers[id] : 0;
}

uint32_t prog_type_since(uint32_t id)
{
	return id < ARRAY_SIZE(prog_types) ? prog_types[id] : 0;
}

uint32_t attach_since(uint32_t attach)
{
	return attach < ARRAY_SIZE(attach_types) ? attach_types[attach] : 0;
}

uint32_t map_type_since(uint32_t id)
{
	return id < ARRAY_SIZE(map_types) ? map_types[id] : 0;
}

/* --- by name --- */

uint32_t kfunc_since(const char *name)
{
	static const struct {
		const char *name;
		uint32_t since;
	} rows[] = {
#define KFUNC(text, major, minor) { #text, KERNEL(major, minor) },
#include "prog/kfunc_since.def"
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].since;
	return 0;
}

uint32_t ctx_field_since(const char *context, const char *field)
{
	static const struct {
		const char *context, *field;
		uint32_t since;
	} rows[] = {
#define CTX(struct_name, name, major, minor) { #struct_name, #name, KERNEL(major, minor) },
#include "prog/kernel.def"
	};

	for (size_t i = 0; context && i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].field, field) == 0 && strcmp(rows[i].context, context) == 0)
			return rows[i].since;
	return 0;
}

/* --- flags --- */

struct flag_row {
	uint32_t flag, since;
	const char *words;
};

static uint32_t youngest(const struct flag_row *rows, size_t count, uint32_t flags,
			 const char **words)
{
	uint32_t since = 0;

	for (size_t i = 0; i < count; i++) {
		if ((flags & rows[i].flag) && rows[i].since > since) {
			since = rows[i].since;
			*words = rows[i].words;
		}
	}
	return since;
}

uint32_t map_flags_since(uint32_t flags, const char **name)
{
	static const struct flag_row rows[] = {
#define MAPFLAG(flag, major, minor) { flag, KERNEL(major, minor), #flag },
#include "prog/kernel.def"
	};

	return youngest(rows, ARRAY_SIZE(rows), flags, name);
}

uint32_t prog_flags_since(uint32_t flags, const char **words)
{
	static const struct flag_row rows[] = {
#define PROGFLAG(flag, text, major, minor) { flag, KERNEL(major, minor), text },
#include "prog/kernel.def"
	};

	return youngest(rows, ARRAY_SIZE(rows), flags, words);
}

/* --- what a value holds --- */

static const struct {
	const char *name, *words;
	uint32_t since;
} fields[] = {
#define FIELD(struct_name, text, major, minor) { #struct_name, text, KERNEL(major, minor) },
#include "prog/kernel.def"
};

/* A member that is a kernel pointer carries a type tag. */
static uint32_t tag_since(const char *tag, const char **words)
{
	static const struct {
		const char *name, *words;
		uint32_t since;
	} tags[] = {
#define TAG(tag_name, text, major, minor) { #tag_name, text, KERNEL(major, minor) },
#include "prog/kernel.def"
	};

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		if (strcmp(tag, tags[i].name) == 0) {
			*words = tags[i].words;
			return tags[i].since;
		}
	}
	return 0;
}

static uint32_t member_since(const struct skep_btf *btf, uint32_t id, const char **words)
{
	const struct btf_type *type;

	id = btf_skip_mods_and_typedefs(btf, id);
	type = btf_type(btf, id);
	while (btf_kind(type) == BTF_ARRAY) {
		id = btf_skip_mods_and_typedefs(btf, ((const struct btf_array *)btf_data(type))->type);
		type = btf_type(btf, id);
	}
	if (btf_kind(type) == BTF_PTR && btf_kind(btf_type(btf, type->type)) == BTF_TYPE_TAG)
		return tag_since(btf_name(btf, btf_type(btf, type->type)), words);
	for (size_t i = 0; btf_kind(type) == BTF_STRUCT && i < ARRAY_SIZE(fields); i++) {
		if (strcmp(btf_name(btf, type), fields[i].name) == 0) {
			*words = fields[i].words;
			return fields[i].since;
		}
	}
	return 0;
}

uint32_t map_value_since(const struct map_spec *map, const char **words)
{
	const struct btf_member *members;
	const struct btf_type *type;
	uint32_t since = 0, id;

	if (!map->btf || !map->value_type)
		return 0;
	id = btf_skip_mods_and_typedefs(map->btf, map->value_type);
	type = btf_type(map->btf, id);
	if (btf_kind(type) != BTF_STRUCT)
		return 0;
	members = btf_data(type);
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const char *found = NULL;
		uint32_t first = member_since(map->btf, members[i].type, &found);

		if (first > since) {
			since = first;
			*words = found;
		}
	}
	return since;
}

/* --- instructions --- */

enum insn_group {
#define INSN(name, words, major, minor) GROUP_##name,
#include "prog/kernel.def"
	GROUP_OLD,
};

static enum insn_group atomic_group(enum atomic op)
{
	switch (op) {
	case ATOMIC_ADD:
		return GROUP_OLD;
	case ATOMIC_LOAD_ACQ:
	case ATOMIC_STORE_REL:
		return GROUP_ACQUIRE;
	case ATOMIC_OR:
	case ATOMIC_AND:
	case ATOMIC_XOR:
	case ATOMIC_FETCH_ADD:
	case ATOMIC_FETCH_OR:
	case ATOMIC_FETCH_AND:
	case ATOMIC_FETCH_XOR:
	case ATOMIC_XCHG:
	case ATOMIC_CMPXCHG:
	case ATOMIC_COUNT:
		break;
	}
	return GROUP_FETCH;
}

static enum insn_group imm64_group(enum imm64 what)
{
	switch (what) {
	case IMM64_MAP_VALUE:
	case IMM64_MAP_INDEX_VALUE:
		return GROUP_MAP_VALUE;
	case IMM64_BTF_ID:
		return GROUP_KERNEL_VAR;
	case IMM64_FUNC:
		return GROUP_FUNC;
	case IMM64_VALUE:
	case IMM64_MAP_FD:
	case IMM64_MAP_INDEX:
		break;
	}
	return GROUP_OLD;
}

static enum insn_group alu_group(const struct insn *insn)
{
	enum alu op = (enum alu)insn->op;

	if (insn->sign_extend || op == ALU_SDIV || op == ALU_SMOD || op == ALU_BSWAP)
		return GROUP_V4;
	return GROUP_OLD;
}

static enum insn_group jump_group(const struct insn *insn)
{
	enum cond op = (enum cond)insn->op;

	if (insn->width == 4)
		return GROUP_JUMP32;
	return op == COND_LT || op == COND_LE || op == COND_SLT || op == COND_SLE ? GROUP_LESS
										: GROUP_OLD;
}

static enum insn_group call_group(enum call op)
{
	return op == CALL_LOCAL ? GROUP_CALL : op == CALL_KFUNC ? GROUP_KFUNC : GROUP_OLD;
}

static enum insn_group insn_group(const struct insn *insn)
{
	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		return alu_group(insn);
	case INSN_IMM64:
		return imm64_group((enum imm64)insn->op);
	case INSN_LOAD:
		return insn->sign_extend ? GROUP_V4 : GROUP_OLD;
	case INSN_ATOMIC:
		return atomic_group((enum atomic)insn->op);
	case INSN_JUMP:
		return jump_group(insn);
	case INSN_GOTO:
		return insn->off > INT16_MAX || insn->off < INT16_MIN ? GROUP_V4 : GROUP_OLD;
	case INSN_GOTO_REG:
		return GROUP_GOTO_REG;
	case INSN_MAY_GOTO:
		return GROUP_MAY_GOTO;
	case INSN_CALL:
		return call_group((enum call)insn->op);
	case INSN_CAST:
		return GROUP_CAST;
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG:
		return GROUP_STACK_ARGS;
	case INSN_INVALID:
	case INSN_PAD:
	case INSN_STORE:
	case INSN_LOAD_PACKET:
	case INSN_EXIT:
	case INSN_KIND_COUNT:
		break;
	}
	return GROUP_OLD;
}

uint32_t insn_since(const struct insn *insn, const char **words)
{
	static const struct {
		const char *words;
		uint32_t since;
	} groups[] = {
#define INSN(name, text, major, minor) [GROUP_##name] = { text, KERNEL(major, minor) },
#include "prog/kernel.def"
	};
	enum insn_group group = insn_group(insn);

	if (group == GROUP_OLD)
		return 0;
	*words = groups[group].words;
	return groups[group].since;
}

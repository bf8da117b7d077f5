/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * words.c - what the verifier knows, in words: registers, numbers, functions,
 * and what the source calls them.
 *
 * Names of local variables are not in BTF; but its line records have the text
 * of each line and a column, and what stands there is what the programmer calls
 * the thing.
 */
#include "verify/explain.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "verify/call.h"

const char *words(struct env *env, const char *fmt, ...)
{
	char text[1024], *copy;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	copy = arena_strdup(&env->arena, text);
	return copy ? copy : "";
}

/* --- numbers --- */

static const char *number(struct env *env, int64_t value)
{
	bool large = value > 0xffffff || value < -0xffffff;

	if (value == INT64_MIN || value == INT64_MAX)
		return value < 0 ? "-2^63" : "2^63-1";
	if (value == INT32_MIN || value == INT32_MAX)
		return value < 0 ? "-2^31" : "2^31-1";
	if (value == UINT32_MAX)
		return "2^32-1";
	return large && value > 0 ? words(env, "0x%" PRIx64, (uint64_t)value)
				  : words(env, "%" PRId64, value);
}

const char *range_words(struct env *env, struct scalar var)
{
	if (scalar_is_const(var))
		return number(env, (int64_t)var.bits.value);
	if (var.smin == INT64_MIN && var.smax == INT64_MAX)
		return var.umax == UINT64_MAX ? "anything" : words(env, "0 to 0x%" PRIx64, var.umax);
	if (var.smin == INT64_MIN)
		return words(env, "anything up to %s", number(env, var.smax));
	if (var.smax == INT64_MAX)
		return words(env, "%s or more", number(env, var.smin));
	return words(env, "%s to %s", number(env, var.smin), number(env, var.smax));
}

static const char *number_words(struct env *env, struct scalar var)
{
	if (scalar_is_const(var))
		return words(env, "the number %s", number(env, (int64_t)var.bits.value));
	if (var.smin == INT64_MIN && var.smax == INT64_MAX)
		return "a number that can be anything";
	if (var.smin == INT64_MIN || var.smax == INT64_MAX)
		return words(env, "a number: %s", range_words(env, var));
	return words(env, "a number from %s to %s", number(env, var.smin), number(env, var.smax));
}

/* --- pointers --- */

static const char *or_null(const struct reg *reg)
{
	return reg_maybe_null(reg) ? ", or NULL" : "";
}

/* ", 12 bytes in", and what may be added to that. */
static const char *offset_words(struct env *env, const struct reg *reg)
{
	int64_t at = reg->off;

	if (scalar_is_const(reg->var)) {
		at += (int64_t)reg->var.bits.value;
		return at ? words(env, ", at byte %" PRId64, at) : "";
	}
	if (at)
		return words(env, ", at byte %" PRId64 " plus %s", at, range_words(env, reg->var));
	return words(env, ", at byte %s", range_words(env, reg->var));
}

static const char *packet_words(struct env *env, const struct reg *reg)
{
	bool start = !reg->off && scalar_is(reg->var, 0);
	const char *what = reg->type == REG_PACKET_META ? "the packet's metadata" : "the packet";

	return words(env, "%s %s%s", start ? "the start of" : "a pointer into", what,
		     start ? "" : offset_words(env, reg));
}

static const char *map_name(const struct reg *reg)
{
	return reg->map && reg->map->name[0] ? reg->map->name : "?";
}

/* The global variable at an offset of a section's data; NULL: unknown. */
static const char *variable_at(struct env *env, const char *section, int64_t at, int64_t *into)
{
	const struct skep_btf *btf = env->spec->btf;
	uint32_t id = btf && section ? skep_btf_find(btf, section, BTF_DATASEC) : 0;
	const struct btf_type *type = id ? btf_type(btf, id) : NULL;
	const struct btf_secinfo *vars = type ? btf_data(type) : NULL;

	for (uint32_t i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_type *var = btf_type(btf, vars[i].type);

		if (at < vars[i].offset || at >= (int64_t)vars[i].offset + vars[i].size || !var)
			continue;
		*into = at - vars[i].offset;
		return btf_name(btf, var);
	}
	return NULL;
}

static const char *global_words(struct env *env, const struct reg *reg)
{
	const char *section = strchr(reg->map->name, '.'), *name;
	int64_t into = 0, at = reg->off;

	if (scalar_is_const(reg->var))
		at += (int64_t)reg->var.bits.value;
	name = variable_at(env, section, at, &into);
	if (!name)
		return words(env, "a pointer to the global data '%s' (%u bytes)%s", map_name(reg),
			     map_value_room(reg->map), offset_words(env, reg));
	if (into || !scalar_is_const(reg->var))
		return words(env, "a pointer into the global variable '%s', at byte %" PRId64 "%s%s", name,
			     into, scalar_is_const(reg->var) ? "" : " plus ",
			     scalar_is_const(reg->var) ? "" : range_words(env, reg->var));
	return words(env, "a pointer to the global variable '%s'", name);
}

static const char *object_words(struct env *env, const struct reg *reg)
{
	const char *name = reg->btf ? skep_btf_type_name(reg->btf, reg->btf_id) : "";
	const char *kind = reg->flags & REG_NON_OWN_REF ? "a borrowed pointer to" :
			   reg->flags & REG_ALLOC ? "an allocated" :
			   reg->flags & REG_UNTRUSTED ? "an untrusted pointer to" :
			   reg->flags & REG_RCU ? "an RCU-protected pointer to" :
			   reg->flags & REG_PERCPU ? "a per-CPU pointer to" :
			   reg->flags & REG_TRUSTED ? "a trusted pointer to" : "a pointer to";

	return words(env, "%s struct %s%s%s", kind, name && *name ? name : "?",
		     offset_words(env, reg), or_null(reg));
}

static const char *memory_words(struct env *env, const struct reg *reg)
{
	const char *what = reg->flags & REG_RINGBUF ? "a ring buffer record of" :
			   reg->flags & REG_RDONLY ? "read-only memory of" : "memory of";

	return words(env, "a pointer to %s %u bytes%s%s", what, reg->mem_size,
		     offset_words(env, reg), or_null(reg));
}

static const char *stack_words(struct env *env, const struct reg *reg)
{
	if (scalar_is_const(reg->var))
		return words(env, "a pointer to the stack at fp%+" PRId64,
			     reg->off + (int64_t)reg->var.bits.value);
	return words(env, "a pointer to the stack, at fp%+d plus %s", reg->off,
		     range_words(env, reg->var));
}

const char *reg_words(struct env *env, const struct reg *reg)
{
	switch ((enum reg_type)reg->type) {
	case REG_NOT_INIT:
		return "not set";
	case REG_SCALAR:
		return number_words(env, reg->var);
	case REG_CTX:
		return words(env, "the context%s", offset_words(env, reg));
	case REG_MAP:
		return words(env, "map '%s'", map_name(reg));
	case REG_MAP_VALUE:
		if (reg->map->internal)
			return global_words(env, reg);
		return words(env, "a pointer to a value of map '%s' (%u bytes)%s%s", map_name(reg),
			     map_value_room(reg->map), offset_words(env, reg), or_null(reg));
	case REG_MAP_KEY:
		return words(env, "a pointer to a key of map '%s'%s", map_name(reg),
			     offset_words(env, reg));
	case REG_STACK:
		return stack_words(env, reg);
	case REG_PACKET_META:
	case REG_PACKET:
		return packet_words(env, reg);
	case REG_PACKET_END:
		return "the end of the packet";
	case REG_FLOW_KEYS:
		return "the flow keys";
	case REG_SOCKET:
		return words(env, "a pointer to a socket%s", or_null(reg));
	case REG_SOCK_COMMON:
		return words(env, "a pointer to a socket of any kind%s", or_null(reg));
	case REG_TCP_SOCK:
		return words(env, "a pointer to a TCP socket%s", or_null(reg));
	case REG_TP_BUFFER:
		return "the tracepoint's buffer";
	case REG_XDP_SOCK:
		return words(env, "a pointer to an XDP socket%s", or_null(reg));
	case REG_BTF:
		return object_words(env, reg);
	case REG_MEM:
		return memory_words(env, reg);
	case REG_BUF:
		return words(env, "a pointer to a buffer%s", or_null(reg));
	case REG_FUNC:
		return "a pointer to a function";
	case REG_DYNPTR:
		return "a dynptr";
	case REG_ARENA:
		return "a pointer into the arena";
	case REG_INSN:
		return "the address of an instruction";
	case REG_TYPE_COUNT:
		break;
	}
	__builtin_unreachable();
}

/* --- functions --- */

const char *subprog_words(struct env *env, uint32_t subprog)
{
	const char *name = subprog < env->subprog_count ? env->subprog[subprog].name : NULL;

	if (!name || !*name)
		name = subprog ? NULL : env->spec->name;
	return name && *name ? words(env, "%s()", name) : words(env, "function %u", subprog);
}

const char *callee_name(struct env *env, uint32_t insn)
{
	const struct insn *call = &env->insns[insn];
	const struct helper *helper;

	if (call->kind != INSN_CALL)
		return "";
	if (call->op == CALL_LOCAL) {
		int subprog = subprog_at(env, (uint32_t)insn_target(call, insn));
		const char *name = subprog >= 0 ? env->subprog[subprog].name : NULL;

		return name ? name : "";
	}
	if (call->op == CALL_KFUNC)
		return env->kernel_btf && call->imm > 0 &&
				       (uint64_t)call->imm <= skep_btf_count(env->kernel_btf)
			       ? skep_btf_type_name(env->kernel_btf, (uint32_t)call->imm) : "";
	helper = helper_by_id((uint32_t)call->imm);
	return helper ? words(env, "bpf_%s", helper->name) : "";
}

const char *callee_words(struct env *env, uint32_t insn)
{
	const char *name = callee_name(env, insn);

	return *name ? words(env, "%s()", name) : "the call";
}

const char *accesses_words(struct env *env, uint32_t insn)
{
	const struct insn *at = &env->insns[insn];

	if (at->kind == INSN_LOAD || at->kind == INSN_LOAD_PACKET)
		return "reads";
	if (at->kind == INSN_STORE)
		return "writes";
	return at->kind == INSN_CALL ? "reads or writes" : "accesses";
}

const char *param_name(struct env *env, uint32_t subprog, unsigned index)
{
	const struct skep_btf *btf = env->spec->btf;
	const struct btf_type *func = NULL, *proto = NULL;

	if (btf && subprog < env->subprog_count && env->subprog[subprog].type)
		func = btf_type(btf, env->subprog[subprog].type);
	if (func)
		proto = btf_type(btf, func->type);
	if (!proto || btf_kind(proto) != BTF_FUNC_PROTO || index >= btf_vlen(proto))
		return "";
	return btf_str(btf, ((const struct btf_param *)btf_data(proto))[index].name_off);
}

/* --- the source --- */

uint32_t source_line(const struct env *env, uint32_t insn)
{
	return insn_where(env, insn).line;
}

bool source_differs(const struct env *env, uint32_t insn, uint32_t other)
{
	struct skep_where a = insn_where(env, insn), b = insn_where(env, other);

	return a.line != b.line || !a.file || !b.file || strcmp(a.file, b.file) != 0;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* From the closing bracket at text[at] back to its opening one; -1: none. */
static int open_bracket(const char *text, int at)
{
	int depth = 0;

	for (; at >= 0; at--) {
		if (text[at] == ')' || text[at] == ']')
			depth++;
		else if ((text[at] == '(' || text[at] == '[') && --depth == 0)
			return at;
	}
	return -1;
}

/* Where the postfix expression begins that the word at `at` is the last part of. */
static int expression_start(const char *text, int at)
{
	for (;;) {
		int dot = text[at ? at - 1 : 0] == '.' ? 1 :
			  at >= 2 && text[at - 1] == '>' && text[at - 2] == '-' ? 2 : 0;
		int end = at - dot - 1;

		if (!at || !dot || end < 0)
			return at;
		if (text[end] == ']' || text[end] == ')') {
			int open = open_bracket(text, end);

			if (open < 0)
				return at;
			end = open - 1;
			at = open;
		}
		while (end >= 0 && is_word(text[end]))
			at = end--;
		if (at == end + 1 && dot && !is_word(text[at]) && text[at] != '(')
			return at;
	}
}

static int expression_end(const char *text, int at)
{
	int depth = 0;

	while (is_word(text[at]))
		at++;
	for (; text[at] == '[' || text[at] == '('; at++) {
		do {
			depth += text[at] == '[' || text[at] == '(';
			depth -= text[at] == ']' || text[at] == ')';
			at++;
		} while (text[at] && depth);
		if (depth)
			return -1;
		at--;
	}
	return at;
}

/* The column of an assignment is that of its sign: what is assigned to stands before it. */
static int before_sign(const char *text, int at)
{
	if (is_word(text[at]) || !strchr("=+-*/|&^<>", text[at]))
		return at;
	while (at && !is_word(text[at]) && text[at] != ']')
		at--;
	if (text[at] == ']')
		at = open_bracket(text, at) - 1;
	return at;
}

static bool is_keyword(const char *word, size_t len)
{
	static const char *const keywords[] = { "asm", "return", "if", "while", "for", "switch", "int",
						"else", "do", "__asm__" };

	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (strlen(keywords[i]) == len && memcmp(word, keywords[i], len) == 0)
			return true;
	return false;
}

const char *source_expression(struct env *env, uint32_t insn)
{
	struct skep_where where = insn_where(env, insn);
	int at = (int)where.column - 1, start, end;

	if (!where.text || at < 0 || (size_t)at >= strlen(where.text))
		return "";
	at = before_sign(where.text, at);
	if (at < 0 || !is_word(where.text[at]))
		return "";
	while (at && is_word(where.text[at - 1]))
		at--;
	start = expression_start(where.text, at);
	end = expression_end(where.text, at);
	if (end <= start || end - start > 48 || is_keyword(where.text + start, (size_t)(end - start)))
		return "";
	return words(env, "%.*s", end - start, where.text + start);
}

const char *source_assigned(struct env *env, uint32_t insn)
{
	const char *text = insn_where(env, insn).text, *equals = text ? strchr(text, '=') : NULL;
	const char *end;

	if (!equals || equals == text || equals[1] == '=' || strchr("=!<>+-*/|&^%", equals[-1]) ||
	    memchr(text, '(', (size_t)(equals - text)))
		return "";
	end = equals;
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	for (equals = end; equals > text && (is_word(equals[-1]) || equals[-1] == '.' ||
					     equals[-1] == '>' || equals[-1] == '-');)
		equals--;
	return equals < end ? words(env, "%.*s", (int)(end - equals), equals) : "";
}

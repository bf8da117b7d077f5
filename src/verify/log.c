/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c - what the verifier says: its log in Linux's form, and the verdict.
 *
 * At level 1 the log follows one path: what a path that ended well added is
 * taken away again. At level 2 everything stays. A registers' summary follows
 * its instruction on the same line, from column 40:
 *
 *   5: (0f) r2 += r3                      ; R2=pkt(...) R3=4
 */
#include "verify/observe.h"

#include <inttypes.h>
#include <stdio.h>

enum { COLUMN = 40, COLUMN_STEP = 8 };

/* --- names of types --- */

static const char *const type_names[REG_TYPE_COUNT] = {
	[REG_NOT_INIT] = "?",
	[REG_SCALAR] = "scalar",
	[REG_CTX] = "ctx",
	[REG_MAP] = "map_ptr",
	[REG_MAP_VALUE] = "map_value",
	[REG_MAP_KEY] = "map_key",
	[REG_STACK] = "fp",
	[REG_PACKET_META] = "pkt_meta",
	[REG_PACKET] = "pkt",
	[REG_PACKET_END] = "pkt_end",
	[REG_FLOW_KEYS] = "flow_keys",
	[REG_SOCKET] = "sock",
	[REG_SOCK_COMMON] = "sock_common",
	[REG_TCP_SOCK] = "tcp_sock",
	[REG_TP_BUFFER] = "tp_buffer",
	[REG_XDP_SOCK] = "xdp_sock",
	[REG_BTF] = "ptr_",
	[REG_MEM] = "mem",
	[REG_BUF] = "buf",
	[REG_FUNC] = "func",
	[REG_DYNPTR] = "dynptr_ptr",
	[REG_ARENA] = "arena",
	[REG_INSN] = "insn",
};

static const struct { uint32_t flag; const char *prefix; } flag_names[] = {
	{ REG_RDONLY, "rdonly_" },
	{ REG_RINGBUF, "ringbuf_" },
	{ REG_USER, "user_" },
	{ REG_PERCPU, "percpu_" },
	{ REG_UNTRUSTED, "untrusted_" },
	{ REG_TRUSTED, "trusted_" },
	{ REG_RCU, "rcu_" },
};

const char *reg_type_name(enum reg_type type, uint32_t flags)
{
	static __thread char buffers[4][96];
	static __thread unsigned turn;
	char *text = buffers[turn++ % 4];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
		if (flags & flag_names[i].flag)
			len += (size_t)snprintf(text + len, 96 - len, "%s", flag_names[i].prefix);
	snprintf(text + len, 96 - len, "%s%s", type_names[type],
		 !(flags & REG_MAYBE_NULL) ? "" : type == REG_BTF ? "or_null_" : "_or_null");
	return text;
}

/*
 * What is found in some maps is no value, once it is not NULL: until then the log names what
 * it will be.
 */
static enum reg_type will_be(const struct reg *reg)
{
	if (reg->type != REG_MAP_VALUE || !(reg->flags & REG_MAYBE_NULL))
		return reg->type;
	if (reg->map->inner)
		return REG_MAP;
	if (reg->map->type == BPF_MAP_TYPE_XSKMAP)
		return REG_XDP_SOCK;
	return reg->map->type == BPF_MAP_TYPE_SOCKMAP || reg->map->type == BPF_MAP_TYPE_SOCKHASH
		       ? REG_SOCKET : reg->type;
}

const char *reg_type_text(const struct reg *reg)
{
	return reg_type_name(will_be(reg), reg->flags);
}

/* --- writing --- */

static bool wants(const struct env *env, unsigned mask)
{
	return env->log_level & mask;
}

static void vtrace(struct env *env, const char *fmt, va_list args)
{
	char line[1024];
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(line, sizeof(line), fmt, again);
	va_end(again);
	if (len > 0)
		text_add_bytes(&env->log, line, MIN((size_t)len, sizeof(line) - 1));
	log_trim(env);
}

void trace(struct env *env, unsigned mask, const char *fmt, ...)
{
	va_list args;

	if (!wants(env, mask))
		return;
	va_start(args, fmt);
	vtrace(env, fmt, args);
	va_end(args);
}

void explain(struct env *env, const char *fmt, ...)
{
	va_list args;

	if (env->observer && env->observer->remark) {
		char line[256];

		va_start(args, fmt);
		vsnprintf(line, sizeof(line), fmt, args);
		va_end(args);
		env->observer->remark(env->observer->arg, line);
	}
	if (!wants(env, 7))
		return;
	va_start(args, fmt);
	vtrace(env, fmt, args);
	va_end(args);
	text_add(&env->log, "\n");
}

/* --- the verdict --- */

static const struct line_info *line_at(const struct env *env, int64_t insn)
{
	const struct prog_spec *spec = env->spec;
	uint32_t low = 0, high = spec->line_count;

	if (insn < 0 || !spec->lines || !spec->btf)
		return NULL;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (spec->lines[middle].insn <= (uint64_t)insn)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &spec->lines[low - 1] : NULL;
}

struct skep_where insn_where(const struct env *env, int64_t insn)
{
	const struct line_info *line = line_at(env, insn);
	uint32_t function = insn >= 0 && env->subprog_count
				    ? env->subprog[subprog_of(env, (uint32_t)insn)].start : 0;
	struct skep_where where = {
		.object = env->spec->object,
		.section = env->spec->section,
		.program = env->spec->name,
		.insn = insn,
	};

	/* Line 0: the compiler merged code of several; it stands behind the one before. */
	while (line && line->line_col >> 10 == 0 && line > env->spec->lines &&
	       line[-1].insn >= function)
		line--;
	if (line) {
		where.file = btf_str(env->spec->btf, line->file_off);
		where.text = btf_str(env->spec->btf, line->line_off);
		where.line = line->line_col >> 10;
		where.column = line->line_col & 0x3ff;
	}
	return where;
}

/* What a speculative path must not do is prevented by a barrier. */
bool may_speculate(const struct env *env, int error)
{
	return env->in_insn && env->cur->speculative &&
	       (error == -EPERM || error == -EACCES || error == -EINVAL);
}

static int vreject(struct env *env, enum skep_code code, int error, const char *fmt,
		   va_list args)
{
	int64_t insn = env->exploring ? (int64_t)env->pc : env->structural_insn;
	struct skep_verify_result *result = env->result;

	if (env->rejected)
		return error;
	if (env->tentative || may_speculate(env, error)) {
		if (wants(env, 7)) {
			vtrace(env, fmt, args);
			text_add(&env->log, "\n");
		}
		return error;
	}
	env->rejected = true;
	env->rejected_outside = !env->exploring;
	env->code = code;
	env->errors++;
	vsnprintf(result->message, sizeof(result->message), fmt, args);
	result->insn = insn;
	if (wants(env, 7))
		text_add(&env->log, "%s\n", result->message);
	if (env->diag) {
		struct skep_where where = insn_where(env, insn);

		skep_report(env->diag, code, &where, "%s", result->message);
	}
	return error;
}

int reject(struct env *env, int error, const char *fmt, ...)
{
	enum skep_code code = error == -EACCES ? SKEP_VERIFY_MEM :
			      error == -E2BIG ? SKEP_VERIFY_BIG :
			      error == -EINVAL ? SKEP_VERIFY_INSN : SKEP_VERIFY;
	va_list args;

	va_start(args, fmt);
	vreject(env, code, error, fmt, args);
	va_end(args);
	return error;
}

int reject_as(struct env *env, enum skep_code code, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vreject(env, code, error, fmt, args);
	va_end(args);
	return error;
}

/* --- registers --- */

static void add_unsigned(struct skep_text *out, uint64_t value)
{
	if (value <= UINT16_MAX)
		text_add(out, "%" PRIu64, value);
	else
		text_add(out, "0x%" PRIx64, value);
}

static void add_signed(struct skep_text *out, int64_t value)
{
	if (value >= INT16_MIN && value <= INT16_MAX)
		text_add(out, "%" PRId64, value);
	else
		text_add(out, "0x%" PRIx64, (uint64_t)value);
}

struct bound {
	const char *name;
	uint64_t value;
	bool is_signed, shown;
};

/* Written as a decimal it is the same in both widths; else the narrow one has 32 bits. */
static uint64_t narrow_value(int32_t value)
{
	return value >= INT16_MIN && value <= INT16_MAX ? (uint64_t)(int64_t)value :
							  (uint32_t)value;
}

/* A negative number and a large one are not written as one. */
static bool same_bound(const struct bound *a, const struct bound *b)
{
	bool a_negative = a->is_signed && (int64_t)a->value < 0;
	bool b_negative = b->is_signed && (int64_t)b->value < 0;

	return b->shown && a->value == b->value && a_negative == b_negative;
}

/*
 * Bounds that say something; equal ones of a kind joined:
 * "smin=umin=4,smax=umax=0x10000". Even rows are minima, odd ones maxima.
 */
static void add_bounds(struct skep_text *out, const struct scalar *v, const char **comma)
{
	struct bound bounds[] = {
		{ "smin", (uint64_t)v->smin, true, v->smin != INT64_MIN },
		{ "smax", (uint64_t)v->smax, true, v->smax != INT64_MAX },
		{ "umin", v->umin, false, v->umin != 0 },
		{ "umax", v->umax, false, v->umax != UINT64_MAX },
		{ "smin32", narrow_value(v->smin32), true, v->smin32 != INT32_MIN },
		{ "smax32", narrow_value(v->smax32), true, v->smax32 != INT32_MAX },
		{ "umin32", v->umin32, false, v->umin32 != 0 },
		{ "umax32", v->umax32, false, v->umax32 != UINT32_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		if (!bounds[i].shown)
			continue;
		text_add(out, "%s%s=", *comma, bounds[i].name);
		*comma = ",";
		for (size_t j = i + 2; j < ARRAY_SIZE(bounds); j += 2)
			if (same_bound(&bounds[i], &bounds[j])) {
				text_add(out, "%s=", bounds[j].name);
				bounds[j].shown = false;
			}
		if (!bounds[i].is_signed)
			add_unsigned(out, bounds[i].value);
		else
			add_signed(out, (int64_t)bounds[i].value);
	}
}

static void add_attribute(struct skep_text *out, const char **comma, const char *name)
{
	text_add(out, "%s%s", *comma, name);
	*comma = ",";
}

static bool reg_is_socket_to_be(const struct reg *reg)
{
	return will_be(reg) == REG_SOCKET || will_be(reg) == REG_XDP_SOCK;
}

static void add_map(struct skep_text *out, const struct reg *reg, const char **comma)
{
	bool found = reg->type == REG_MAP_VALUE && will_be(reg) == REG_MAP;
	const struct map_spec *map = found ? reg->map->inner : reg->map;

	/* The pattern of inner maps has no name. */
	if (map->name[0] && !found && !reg->map_uid) {
		add_attribute(out, comma, "map=");
		text_add(out, "%.15s", map->name);
	}
	add_attribute(out, comma, "ks=");
	text_add(out, "%u,vs=%u", map->key_size, map->value_size);
}

static void add_pointer_details(struct skep_text *out, const struct reg *reg,
				const char **comma)
{
	/* What a dynptr or another object keeps alive names that; the rest is its own reference. */
	uint32_t parent = reg->type == REG_MEM && reg->dynptr_id ? reg->dynptr_id : reg->ref_id;
	bool owns = reg->ref_id && !(reg->type == REG_MEM && reg->dynptr_id);
	uint32_t id = reg->id || !owns ? reg->id : reg->ref_id;

	if (id) {
		add_attribute(out, comma, "id=");
		text_add(out, "%u", id);
		if (reg->link_add)
			text_add(out, "%+d", reg->link_off);
	}
	if (parent && parent != id) {
		add_attribute(out, comma, "parent_id=");
		text_add(out, "%u", parent);
	}
	if (reg->flags & REG_NON_OWN_REF)
		add_attribute(out, comma, "non_own_ref");
	if (reg->map && (reg->type == REG_MAP || reg->type == REG_MAP_KEY ||
			 (reg->type == REG_MAP_VALUE && !reg_is_socket_to_be(reg))))
		add_map(out, reg, comma);
	if (reg_is_packet(reg)) {
		add_attribute(out, comma, "r=");
		add_unsigned(out, (uint64_t)(int64_t)(int32_t)reg->range);
	}
	if (reg->type == REG_MEM || reg->type == REG_BUF) {
		if (reg->type == REG_MEM) {
			add_attribute(out, comma, "sz=");
			add_unsigned(out, reg->mem_size);
		}
	}
}

void reg_write(struct skep_text *out, const struct reg *reg, uint32_t frameno)
{
	const char *comma = "";
	struct scalar whole = reg_distance(reg);
	const struct scalar *v = &whole;

	if (reg->type == REG_SCALAR && reg->precise)
		text_add(out, "P");
	if (reg->type == REG_SCALAR && scalar_is_const(*v)) {
		add_signed(out, (int64_t)v->bits.value);
		return;
	}
	text_add(out, "%s", reg_type_name(will_be(reg), reg->flags));
	if (reg->type == REG_STACK) {
		if (reg->frameno != frameno)
			text_add(out, "[%u]", reg->frameno);
		if (scalar_is_const(*v)) {
			add_signed(out, (int64_t)v->bits.value);
			return;
		}
	}
	if (reg->type == REG_BTF && reg->btf)
		text_add(out, "%s", skep_btf_type_name(reg->btf, reg->btf_id));
	text_add(out, "(");
	add_pointer_details(out, reg, &comma);
	if (scalar_is_const(*v)) {
		if (v->bits.value) {
			add_attribute(out, &comma, "imm=");
			add_signed(out, (int64_t)v->bits.value);
		}
	} else {
		add_bounds(out, v, &comma);
		if (!tnum_is_unknown(v->bits)) {
			add_attribute(out, &comma, "var_off=");
			text_add(out, "(0x%" PRIx64 "; 0x%" PRIx64 ")", v->bits.value,
				 v->bits.mask);
		}
	}
	text_add(out, ")");
}

bool slot_bytes(const struct slot *slot, char bytes[SLOT_SIZE + 1])
{
	static const char letters[] = "?rm0difp";
	bool valid = false;

	for (int i = 0; i < SLOT_SIZE; i++) {
		bytes[SLOT_SIZE - 1 - i] = letters[slot->byte[i]];
		valid |= slot->byte[i] != SLOT_INVALID && slot->byte[i] != SLOT_POISON;
	}
	bytes[SLOT_SIZE] = '\0';
	return valid;
}

/* "mm??????", or the register spilled there, behind the bytes above it. */
void slot_write(struct skep_text *out, const struct slot *slot, uint32_t frameno)
{
	char bytes[SLOT_SIZE + 1];

	if (!slot_bytes(slot, bytes))
		return;
	if (slot->byte[0] == SLOT_DYNPTR && slot->reg.dynptr_first) {
		text_add(out, "dynptr_%s(id=%u", dynptr_kind_name(slot->reg.dynptr), slot->reg.id);
		if (slot->reg.ref_id)
			text_add(out, ",parent_id=%u", slot->reg.ref_id);
		text_add(out, ")");
		return;
	}
	if (slot->byte[0] == SLOT_ITER && slot->reg.ref_id) {
		text_add(out, "%s(id=%u,state=%s,depth=%u)",
			 iter_type_name(slot->reg.iter_btf, slot->reg.iter_btf_id),
			 slot->reg.ref_id,
			 slot->reg.iter_state == ITER_DRAINED ? "drained" : "active",
			 slot->reg.iter_depth);
		return;
	}
	if (slot_is_spill(slot))
		bytes[strcspn(bytes, "r")] = '\0';
	text_add(out, "%s", bytes);
	if (slot_is_spill(slot))
		reg_write(out, &slot->reg, frameno);
}

/* " fp-16=" and what is there; nothing where nothing is. */
static void add_slot(struct skep_text *out, const struct slot *slot, uint32_t index,
		     uint32_t frameno)
{
	char bytes[SLOT_SIZE + 1];

	if (!slot_bytes(slot, bytes) || (slot->byte[0] == SLOT_ITER && !slot->reg.ref_id) ||
	    (slot->byte[0] == SLOT_DYNPTR && !slot->reg.dynptr_first))
		return; /* an object of two slots is named once */
	text_add(out, " fp%d=", -(int)(index + 1) * SLOT_SIZE);
	slot_write(out, slot, frameno);
}

static void add_refs(struct skep_text *out, const struct state *state)
{
	const char *comma = "";
	bool any = false;

	for (uint32_t i = 0; i < state->ref_count; i++) {
		if (!state->ref[i].id)
			continue;
		text_add(out, "%s%s%u", any ? "" : " refs=", comma, state->ref[i].id);
		any = true;
		comma = ",";
	}
}

void trace_state(struct env *env, unsigned mask, const struct state *state, uint32_t frameno,
		 bool all)
{
	const struct frame *frame = state->frame[frameno];

	if (!wants(env, mask))
		return;
	if (frame->frameno)
		text_add(&env->log, " frame%u:", frame->frameno);
	for (int i = 0; i < REG_COUNT; i++) {
		if (frame->reg[i].type == REG_NOT_INIT || (!all && !(env->fresh_regs >> i & 1)))
			continue;
		text_add(&env->log, " R%d=", i);
		reg_write(&env->log, &frame->reg[i], frame->frameno);
	}
	for (uint32_t i = 0; i < frame->slots; i++)
		if (all || env->fresh_slots >> i & 1)
			add_slot(&env->log, &frame->slot[i], i, frame->frameno);
	add_refs(&env->log, state);
	if (frame->in_callback)
		text_add(&env->log, " cb");
	if (frame->in_async)
		text_add(&env->log, " async_cb");
}

/* --- instructions --- */

static const char *kfunc_text(void *arg, int32_t id)
{
	const struct env *env = arg;

	if (!env->kernel_btf || id <= 0 || (uint32_t)id > skep_btf_count(env->kernel_btf))
		return NULL;
	return skep_btf_type_name(env->kernel_btf, (uint32_t)id);
}

static void trace_source(struct env *env, uint32_t pc)
{
	const struct line_info *line = line_at(env, pc), *last = NULL;
	const char *text, *file, *slash;
	uint32_t row;

	if (!line)
		return;
	row = (uint32_t)(line - env->spec->lines) + 1;
	if (env->log_line)
		last = &env->spec->lines[env->log_line - 1];
	env->log_line = row;
	if (last && last->file_off == line->file_off && last->line_off == line->line_off &&
	    last->line_col >> 10 == line->line_col >> 10)
		return; /* another column of it */
	text = btf_str(env->spec->btf, line->line_off);
	file = btf_str(env->spec->btf, line->file_off);
	slash = strrchr(file, '/');
	while (*text == ' ' || *text == '\t')
		text++;
	text_add(&env->log, "; %s @ %s:%u\n", text, slash ? slash + 1 : file,
		 line->line_col >> 10);
}

void trace_text(struct env *env, uint32_t pc)
{
	const struct disasm_names names = {
		.arg = env, .kfunc = kfunc_text,
		.hide_addresses = true,
	};
	char text[256];

	insn_print(env->spec->insns, env->len, pc, &names, text, sizeof(text));
	if (!env->log_level)
		return;
	text_add(&env->log, "(%02x) %s\n", env->spec->insns[pc].code, text);
}

void trace_insn(struct env *env, uint32_t pc)
{
	if (!wants(env, 3))
		return;
	log_trim(env);
	trace_source(env, pc);
	env->insn_line = log_position(env);
	text_add(&env->log, "%u: ", pc);
	trace_text(env, pc);
	env->insn_end = log_position(env);
}

size_t log_column(size_t width)
{
	return (MAX(width + COLUMN_STEP / 2, (size_t)COLUMN) + COLUMN_STEP - 1) / COLUMN_STEP *
		       COLUMN_STEP - 1;
}

void trace_fresh(struct env *env, uint32_t pc)
{
	size_t width;

	if (!wants(env, 3) || (!env->fresh_regs && !env->fresh_slots))
		return;
	if (env->insn_end && env->insn_end == log_position(env)) {
		width = env->insn_end - env->insn_line;
		log_go_back(env, env->insn_end - 1);
		text_add(&env->log, "%*c;", (int)(log_column(width) - width), ' ');
	} else {
		text_add(&env->log, "%u:", pc);
	}
	trace_state(env, 3, env->cur, env->cur->depth, false);
	text_add(&env->log, "\n");
	env->fresh_regs = 0;
	env->fresh_slots = 0;
}

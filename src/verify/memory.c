/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - may these bytes be accessed through this register?
 *
 * One rule per kind of pointer. What they share: the access lies at base + off
 * + var, so both its lowest and its highest place must be inside.
 */
#include "verify/passes.h"

#include <inttypes.h>
#include <stdio.h>

struct place {
	uint32_t pc;
	int regno;
	int32_t off;             /* of the instruction */
	uint32_t size;
	enum access access;
	int value_regno;
	bool sign_extend;
};

static struct reg *place_reg(struct env *env, const struct place *p)
{
	return &state_regs(env->cur)[p->regno];
}

static bool reads(const struct place *p) { return p->access & ACCESS_READ; }
static bool writes(const struct place *p) { return p->access & ACCESS_WRITE; }

/* --- alignment --- */

static const char *tnum_text(struct tnum t, char *text, size_t size)
{
	if (tnum_is_const(t))
		snprintf(text, size, "%" PRId64, (int64_t)t.value);
	else
		snprintf(text, size, "(0x%" PRIx64 "; 0x%" PRIx64 ")", t.value, t.mask);
	return text;
}

static const char *pointer_words(enum reg_type type)
{
	switch (type) {
	case REG_FLOW_KEYS: return "flow keys ";
	case REG_MAP_KEY: return "key ";
	case REG_MAP_VALUE: return "value ";
	case REG_CTX: return "context ";
	case REG_STACK: return "stack ";
	case REG_SOCKET: return "sock ";
	case REG_SOCK_COMMON: return "sock_common ";
	case REG_TCP_SOCK: return "tcp_sock ";
	case REG_XDP_SOCK: return "xdp_sock ";
	case REG_NOT_INIT: case REG_SCALAR: case REG_MAP: case REG_PACKET_META: case REG_PACKET:
	case REG_PACKET_END: case REG_TP_BUFFER: case REG_BTF: case REG_MEM: case REG_BUF:
	case REG_FUNC: case REG_DYNPTR: case REG_ARENA: case REG_INSN: case REG_TYPE_COUNT:
		break;
	}
	return "";
}

enum { PACKET_ALIGN = 2 }; /* where Linux puts the Ethernet header, for strict checks */

int check_alignment(struct env *env, int regno, int32_t off, uint32_t size, bool strict)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	int64_t fixed = (int64_t)reg->off + off;
	struct tnum at;
	char text[64];

	if (reg->type == REG_ARENA || size == 1)
		return 0;
	if (reg->type == REG_STACK || reg_in_table(reg))
		strict = true;
	else if (env->strict_alignment)
		strict = true;
	if (!strict)
		return 0;
	at = tnum_add(reg->var.bits, tnum_const((uint64_t)(fixed + (reg_is_packet(reg) ? PACKET_ALIGN : 0))));
	if (tnum_is_aligned(at, size))
		return 0;
	tnum_text(tnum_add(reg->var.bits, tnum_const((uint64_t)(int64_t)reg->off)), text,
		  sizeof(text));
	if (reg_is_packet(reg))
		return reject_as(env, SKEP_VERIFY_ALIGN, -EACCES,
				 "misaligned packet access off %d+%s+%d size %u",
				 PACKET_ALIGN, text, off, size);
	return reject_as(env, SKEP_VERIFY_ALIGN, -EACCES,
			 "misaligned %saccess off %s+%d size %u", pointer_words(reg->type),
			 text, off, size);
}

/* --- regions --- */

static bool inside(int64_t off, uint32_t size, uint64_t limit, bool zero_size_ok)
{
	return off >= 0 && (size > 0 || zero_size_ok) && (uint64_t)off + size <= limit;
}

static void explain_outside(struct env *env, int regno, int64_t off, uint32_t size,
			    uint32_t limit)
{
	const struct reg *reg = &state_regs(env->cur)[regno];

	switch ((enum reg_type)reg->type) {
	case REG_MAP_KEY:
		explain(env, "invalid access to map key, key_size=%u off=%d size=%u", limit,
			(int)off, size);
		break;
	case REG_MAP_VALUE:
		explain(env, "invalid access to map value, value_size=%u off=%d size=%u", limit,
			(int)off, size);
		break;
	case REG_CTX:
		explain(env, "invalid access to context, ctx_size=%u off=%d size=%u", limit,
			(int)off, size);
		break;
	case REG_PACKET: case REG_PACKET_META: case REG_PACKET_END:
		explain(env, "invalid access to packet, off=%d size=%u, R%d(id=%u,off=%d,r=%u)",
			(int)off, size, regno, reg->id, (int)off, limit);
		break;
	case REG_NOT_INIT: case REG_SCALAR: case REG_MAP: case REG_STACK: case REG_FLOW_KEYS:
	case REG_SOCKET: case REG_SOCK_COMMON: case REG_TCP_SOCK: case REG_TP_BUFFER:
	case REG_XDP_SOCK: case REG_BTF: case REG_MEM: case REG_BUF: case REG_FUNC:
	case REG_DYNPTR: case REG_ARENA: case REG_INSN: case REG_TYPE_COUNT:
		explain(env, "invalid access to memory, mem_size=%u off=%d size=%u", limit,
			(int)off, size);
		break;
	}
}

static int refuse_below(struct env *env, int regno)
{
	return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
			 "R%d min value is negative, either use unsigned index or do a if (index "
			 ">=0) check.", regno);
}

/* Is the nearest access before the start, or nowhere? A pointer itself may be before it. */
static bool below_start(struct scalar distance, int32_t off)
{
	int64_t at = distance.smin + off;

	return distance.smin < 0 && (distance.smin == INT64_MIN || at < 0 || at != (int32_t)at);
}

/* Both ends of what may be accessed. code: that of a rejection. */
static int check_span(struct env *env, int regno, int32_t off, uint32_t size, uint32_t limit,
		      bool zero_size_ok, enum skep_code code)
{
	struct scalar distance = reg_distance(&state_regs(env->cur)[regno]);

	if (!inside(distance.smin + off, size, limit, zero_size_ok)) {
		explain_outside(env, regno, distance.smin + off, size, limit);
		return reject_as(env, code, -EACCES,
				 "R%d min value is outside of the allowed memory range", regno);
	}
	if (distance.umax >= VAR_OFF_MAX)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "R%d unbounded memory access, make sure to bounds check any "
				 "such access", regno);
	if (!inside((int64_t)distance.umax + off, size, limit, zero_size_ok)) {
		explain_outside(env, regno, (int64_t)distance.umax + off, size, limit);
		return reject_as(env, code, -EACCES,
				 "R%d max value is outside of the allowed memory range", regno);
	}
	return 0;
}

int check_mem_region(struct env *env, int regno, int32_t off, uint32_t size, uint32_t mem_size,
		     bool zero_size_ok)
{
	if (below_start(reg_distance(&state_regs(env->cur)[regno]), off))
		return refuse_below(env, regno);
	return check_span(env, regno, off, size, mem_size, zero_size_ok, SKEP_VERIFY_MEM);
}

int check_ptr_off(struct env *env, const struct reg *reg, int regno, bool fixed_off_ok)
{
	if (reg->off < 0)
		return reject_as(env, SKEP_VERIFY_MOVED, -EACCES,
				 "negative offset %s ptr R%d off=%d disallowed",
				 reg_type_text(reg), regno, reg->off);
	if (!fixed_off_ok && reg->off)
		return reject_as(env, SKEP_VERIFY_MOVED, -EACCES,
				 "dereference of modified %s ptr R%d off=%d disallowed",
				 reg_type_text(reg), regno, reg->off);
	if (!scalar_is(reg->var, 0))
		return reject_as(env, SKEP_VERIFY_MOVED, -EACCES,
				 "variable %s access var_off=(0x%" PRIx64 "; 0x%" PRIx64
				 ") disallowed", reg_type_text(reg), reg->var.bits.value,
				 reg->var.bits.mask);
	return 0;
}

/* --- the value loaded or stored --- */

static int check_leak(struct env *env, const struct place *p, const char *into)
{
	if (p->value_regno < 0 || may_leak(env, &state_regs(env->cur)[p->value_regno]))
		return 0;
	return reject_as(env, SKEP_VERIFY_LEAK, -EACCES, "R%d leaks addr into %s",
			 p->value_regno, into);
}

static void load_unknown(struct env *env, const struct place *p)
{
	if (reads(p) && p->value_regno >= 0)
		reg_set_unknown(env, &state_regs(env->cur)[p->value_regno]);
}

/* --- maps --- */

static int check_map_flags(struct env *env, const struct reg *reg, const struct place *p)
{
	const struct map_spec *map = reg->map;

	if (writes(p) && map_prog_rdonly(map))
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "write into map forbidden, value_size=%u off=%" PRId64
				 " size=%u", map->value_size, reg->off + reg->var.smin + p->off,
				 p->size);
	if (reads(p) && (map->flags & BPF_F_WRONLY_PROG))
		return reject(env, -EACCES,
			      "read from map forbidden, value_size=%u off=%" PRId64 " size=%u",
			      map->value_size, reg->off + reg->var.smin + p->off, p->size);
	return 0;
}

int check_map_access(struct env *env, int regno, int32_t off, uint32_t size, bool zero_size_ok,
		     enum access access)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	struct place p = { env->pc, regno, off, size, access, -1, false };
	int err = check_map_flags(env, reg, &p);

	if (err < 0)
		return err;
	return check_mem_region(env, regno, off, size, map_value_room(reg->map), zero_size_ok);
}

/* What is read of an instruction array is one of the instructions in reach. */
static int load_instruction(struct env *env, const struct place *p)
{
	struct reg *reg = place_reg(env, p), insn = *reg;

	if (p->size != sizeof(uint64_t))
		return reject(env, -EACCES, "Invalid read of %u bytes from insn_array", p->size);
	if (p->value_regno < 0)
		return 0;
	insn.type = REG_INSN;
	insn.off += p->off;
	state_regs(env->cur)[p->value_regno] = insn;
	return 0;
}

/* A constant of read-only data. */
static bool load_constant(struct env *env, const struct place *p, const struct reg *reg)
{
	const struct map_spec *map = reg->map;
	uint64_t value = 0;
	int64_t at;

	if (!map->frozen || !(map->flags & BPF_F_RDONLY_PROG) || !scalar_is_const(reg->var) ||
	    map->type != BPF_MAP_TYPE_ARRAY || p->value_regno < 0)
		return false;
	at = reg->off + (int64_t)reg->var.bits.value + p->off;
	if (at < 0 || at + p->size > map->value_size)
		return false;
	memcpy(&value, (const uint8_t *)map->frozen + at, p->size);
	if (p->sign_extend)
		value = (uint64_t)((int64_t)(value << (64 - p->size * 8)) >> (64 - p->size * 8));
	reg_set_const(env, &state_regs(env->cur)[p->value_regno], value);
	return true;
}

static int access_map_value(struct env *env, const struct place *p)
{
	struct reg *reg = place_reg(env, p);
	int err = writes(p) ? check_leak(env, p, "map") : 0;

	if (!err)
		err = check_map_flags(env, reg, p);
	if (!err)
		err = check_mem_region(env, p->regno, p->off, p->size, map_value_room(reg->map),
				       false);
	if (!err && reads(p) && reg_in_table(reg))
		return load_instruction(env, p);
	if (!err)
		err = check_map_fields(env, p->pc, p->regno, p->off, p->size, p->access,
				       p->value_regno);
	if (err)
		return err < 0 ? err : 0;
	if (reads(p) && load_constant(env, p, reg))
		return 0;
	load_unknown(env, p);
	return 0;
}

/* --- packets --- */

/*
 * A range counts from where the pointer's known part starts; from the packet's start, the
 * unknown part is there too, with the same value in the pointer that was compared.
 */
int check_packet_access(struct env *env, int regno, int32_t off, uint32_t size,
			bool zero_size_ok)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	struct scalar distance = reg_distance(reg);
	uint32_t limit = reg->range;

	if (below_start(distance, off))
		return refuse_below(env, regno);
	if (reg->range == RANGE_AT_END || reg->range == RANGE_BEYOND_END)
		return reject_as(env, SKEP_VERIFY_PACKET, -EINVAL,
				 "R%d offset is outside of the packet", regno);
	if (limit && distance.umax < VAR_OFF_MAX)
		limit = (uint32_t)MAX(limit + (int64_t)distance.umax - reg->off, 0);
	return check_span(env, regno, off, size, limit, zero_size_ok, SKEP_VERIFY_PACKET);
}

static int access_packet(struct env *env, const struct place *p)
{
	int err;

	if (writes(p) && !env->type->direct_packet_write)
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "cannot write into packet");
	err = writes(p) ? check_leak(env, p, "packet") : 0;
	if (!err)
		err = check_packet_access(env, p->regno, p->off, p->size, false);
	if (!err)
		load_unknown(env, p);
	return err;
}

/* --- contexts and sockets --- */

static int refuse_ctx(struct env *env, int64_t off, uint32_t size)
{
	return reject_as(env, SKEP_VERIFY_CTX, -EACCES, "invalid bpf_context access off=%"
			 PRId64 " size=%u", off, size);
}

/* What the field holds becomes the register. */
static void load_field(struct env *env, const struct ctx_field *field, struct reg *dst)
{
	const struct { uint8_t type; uint32_t flags; } kinds[] = {
		[FIELD_SCALAR] = { REG_SCALAR, 0 },
		[FIELD_PACKET] = { REG_PACKET, 0 },
		[FIELD_PACKET_META] = { REG_PACKET_META, 0 },
		[FIELD_PACKET_END] = { REG_PACKET_END, 0 },
		[FIELD_SOCK_COMMON_OR_NULL] = { REG_SOCK_COMMON, REG_MAYBE_NULL },
		[FIELD_SOCKET] = { REG_SOCKET, 0 },
		[FIELD_SOCKET_OR_NULL] = { REG_SOCKET, REG_MAYBE_NULL },
		[FIELD_FLOW_KEYS] = { REG_FLOW_KEYS, 0 },
		[FIELD_BTF_OR_NULL] = { REG_BTF, REG_TRUSTED | REG_MAYBE_NULL },
		[FIELD_BTF] = { REG_BTF, REG_TRUSTED },
		[FIELD_SOCKOPT_START] = { REG_PACKET, 0 },
		[FIELD_SOCKOPT_END] = { REG_PACKET_END, 0 },
		[FIELD_SK_MSG_DATA] = { REG_PACKET, 0 },
		[FIELD_TP_BUFFER] = { REG_TP_BUFFER, 0 },
	};
	uint32_t kind = field ? field->kind : FIELD_SCALAR;

	if (kind >= ARRAY_SIZE(kinds) || kinds[kind].type == REG_SCALAR) {
		reg_set_unknown(env, dst);
		return;
	}
	reg_set_pointer(dst, kinds[kind].type, kinds[kind].flags);
	if (kinds[kind].flags & REG_MAYBE_NULL)
		dst->id = new_id(env);
	if (dst->type == REG_BTF && env->kernel_btf && field->btf) {
		dst->btf = env->kernel_btf;
		dst->btf_id = skep_btf_find(env->kernel_btf, field->btf, BTF_STRUCT);
	}
}

/* The native access that stands for this one must be the same on all paths. */
static int note_ctx_access(struct env *env, const struct place *p, const struct ctx_field *field,
			   int64_t off)
{
	struct insn_info *info = &env->info[p->pc];

	info->ctx_field = field;
	info->ctx_off = field ? (uint8_t)(off - field->off) : 0;
	info->ctx_size = (uint8_t)p->size;
	return 0;
}

bool ctx_is_region(const struct env *env)
{
	return env->type->ctx && env->type->ctx->region && env_can(env, ABILITY_CTX_REGION);
}

/* Who runs the program must give as much as any path may look at. */
static void note_ctx_end(struct env *env, const struct reg *reg, int64_t off, uint32_t size)
{
	int64_t end = reg->off + off + (int64_t)reg->var.umax + size;

	env->ctx_end = MAX(env->ctx_end, (uint32_t)end);
}

static int access_ctx_region(struct env *env, const struct place *p)
{
	int err = check_mem_region(env, p->regno, p->off, p->size, env->type->ctx->size, false);

	if (err < 0)
		return err;
	note_ctx_end(env, place_reg(env, p), p->off, p->size);
	load_unknown(env, p);
	return note_ctx_access(env, p, NULL, 0);
}

static int access_ctx(struct env *env, const struct place *p)
{
	struct reg *reg = place_reg(env, p);
	const struct ctx_layout *layout = env->type->ctx;
	const struct ctx_field *field = NULL;
	int64_t off = (int64_t)p->off;
	int err = writes(p) ? check_leak(env, p, "ctx") : 0;

	if (!err && ctx_is_region(env))
		return access_ctx_region(env, p);
	if (!err)
		err = check_ptr_off(env, reg, p->regno, false);
	if (err < 0)
		return err;
	if (layout && layout->btf_args) {
		struct reg out;

		reg_set_not_init(&out);
		err = check_ctx_btf_access(env, p->pc, p->off, p->size, p->access, &out);
		if (!err && reads(p) && p->value_regno >= 0)
			state_regs(env->cur)[p->value_regno] = out;
		return err;
	}
	if (!layout || !ctx_access(layout, off, p->size, writes(p), env->spec->attach, &field) ||
	    (field && lacks(env, writes(p) ? field->write_needs : field->read_needs)))
		return refuse_ctx(env, off, p->size);
	if (p->sign_extend && field && field->kind != FIELD_SCALAR) /* half a pointer */
		return refuse_ctx(env, off, p->size);
	if (reads(p) && p->value_regno >= 0)
		load_field(env, field, &state_regs(env->cur)[p->value_regno]);
	note_ctx_end(env, reg, off, p->size);
	return note_ctx_access(env, p, field, off);
}

static const struct ctx_layout *socket_layout(enum reg_type type)
{
	switch (type) {
	case REG_SOCKET: return &ctx_bpf_sock;
	case REG_SOCK_COMMON: return &ctx_sock_common;
	case REG_TCP_SOCK: return &ctx_bpf_tcp_sock;
	case REG_XDP_SOCK: return &ctx_bpf_xdp_sock;
	case REG_NOT_INIT: case REG_SCALAR: case REG_CTX: case REG_MAP: case REG_MAP_VALUE:
	case REG_MAP_KEY: case REG_STACK: case REG_PACKET_META: case REG_PACKET:
	case REG_PACKET_END: case REG_FLOW_KEYS: case REG_TP_BUFFER: case REG_BTF: case REG_MEM:
	case REG_BUF: case REG_FUNC: case REG_DYNPTR: case REG_ARENA: case REG_INSN:
	case REG_TYPE_COUNT:
		break;
	}
	__builtin_unreachable();
}

static int access_socket(struct env *env, const struct place *p)
{
	struct reg *reg = place_reg(env, p);
	const struct ctx_field *field = NULL;
	int64_t off = (int64_t)reg->off + p->off;

	if (writes(p))
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "R%d cannot write into %s", p->regno, reg_type_text(reg));
	if (reg->var.smin < 0)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "R%d min value is negative, either use unsigned index or do a "
				 "if (index >=0) check.", p->regno);
	if (!scalar_is(reg->var, 0) ||
	    !ctx_access(socket_layout(reg->type), off, p->size, false, env->spec->attach, &field))
		return reject(env, -EACCES, "R%d invalid %s access off=%" PRId64 " size=%u",
			      p->regno, reg_type_text(reg), off, p->size);
	load_unknown(env, p);
	return note_ctx_access(env, p, field, off);
}

static int access_flow_keys(struct env *env, const struct place *p)
{
	struct reg *reg = place_reg(env, p);
	int64_t off = (int64_t)reg->off + p->off;
	int err = writes(p) ? check_leak(env, p, "flow keys") : 0;

	if (err < 0)
		return err;
	if (off < 0 || off + p->size > FLOW_KEYS_SIZE || !scalar_is(reg->var, 0))
		return reject(env, -EACCES, "invalid access to flow keys off=%" PRId64 " size=%u",
			      off, p->size);
	load_unknown(env, p);
	return 0;
}

/* --- buffers --- */

static int check_buffer(struct env *env, const char *name, const struct place *p)
{
	const struct reg *reg = place_reg(env, p);

	if (p->off < 0 || reg->off < 0)
		return reject(env, -EACCES, "R%d invalid %s buffer access: off=%d, size=%u",
			      p->regno, name, p->off, p->size);
	if (!scalar_is(reg->var, 0))
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "R%d invalid variable buffer offset: off=%d, var_off=(0x%"
				 PRIx64 "; 0x%" PRIx64 ")", p->regno, p->off,
				 reg->var.bits.value, reg->var.bits.mask);
	if (reg->type == REG_TP_BUFFER)
		env->buffer_end = MAX(env->buffer_end, (uint32_t)(reg->off + p->off) + p->size);
	return 0;
}

static int access_buffer(struct env *env, const struct place *p)
{
	const struct reg *reg = place_reg(env, p);
	bool rdonly = reg->flags & REG_RDONLY;
	int err;

	if (writes(p) && rdonly)
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "R%d cannot write into %s", p->regno, reg_type_text(reg));
	err = check_buffer(env, reg->type == REG_TP_BUFFER ? "tracepoint" :
				rdonly ? "rdonly" : "rdwr", p);
	if (!err)
		load_unknown(env, p);
	return err;
}

static int access_mem(struct env *env, const struct place *p)
{
	const struct reg *reg = place_reg(env, p);
	bool untrusted = (reg->flags & REG_UNTRUSTED) && (reg->flags & REG_RDONLY);
	int err;

	if (writes(p) && (reg->flags & REG_RDONLY))
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "R%d cannot write into %s", p->regno, reg_type_text(reg));
	err = writes(p) ? check_leak(env, p, "mem") : 0;
	/* Untrusted memory may be read anywhere: a fault yields zero. */
	if (!err && !untrusted)
		err = check_mem_region(env, p->regno, p->off, p->size, reg->mem_size, false);
	if (untrusted)
		env->info[p->pc].fault_zero = true;
	if (!err)
		load_unknown(env, p);
	return err;
}

static int access_map_key(struct env *env, const struct place *p)
{
	const struct reg *reg = place_reg(env, p);
	int err;

	if (writes(p))
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "write to change key R%d not allowed", p->regno);
	err = check_mem_region(env, p->regno, p->off, p->size, reg->map->key_size, false);
	if (!err)
		load_unknown(env, p);
	return err;
}

static int access_map_struct(struct env *env, const struct place *p)
{
	return check_map_struct(env, p->pc, p->regno, p->off, p->size, p->access,
				p->value_regno);
}

static int access_stack(struct env *env, const struct place *p)
{
	int err = check_stack_bounds(env, p->regno, p->off, p->size, p->access, false);

	if (err < 0)
		return err;
	if (writes(p))
		return stack_write(env, p->pc, p->regno, p->off, p->size, p->value_regno);
	return stack_read(env, p->pc, p->regno, p->off, p->size, p->value_regno);
}

static int access_btf(struct env *env, const struct place *p)
{
	int err = check_btf_access(env, p->pc, p->regno, p->off, p->size, p->access,
				   p->value_regno);

	return err < 0 ? err : 0;
}

static int access_arena(struct env *env, const struct place *p)
{
	load_unknown(env, p);
	return 0;
}

typedef int access_fn(struct env *env, const struct place *p);

static access_fn *const access_rules[REG_TYPE_COUNT] = {
	[REG_CTX] = access_ctx,
	[REG_MAP] = access_map_struct,
	[REG_MAP_VALUE] = access_map_value,
	[REG_MAP_KEY] = access_map_key,
	[REG_STACK] = access_stack,
	[REG_PACKET_META] = access_packet,
	[REG_PACKET] = access_packet,
	[REG_FLOW_KEYS] = access_flow_keys,
	[REG_SOCKET] = access_socket,
	[REG_SOCK_COMMON] = access_socket,
	[REG_TCP_SOCK] = access_socket,
	[REG_XDP_SOCK] = access_socket,
	[REG_TP_BUFFER] = access_buffer,
	[REG_BTF] = access_btf,
	[REG_MEM] = access_mem,
	[REG_BUF] = access_buffer,
	[REG_ARENA] = access_arena,
};

/* A load leaves a number no wider than was read. */
static void narrow_loaded(struct env *env, const struct place *p)
{
	struct reg *dst;

	if (p->access != ACCESS_READ || p->value_regno < 0 || p->size == 8)
		return;
	dst = &state_regs(env->cur)[p->value_regno];
	if (dst->type != REG_SCALAR)
		return;
	dst->var = p->sign_extend ? scalar_sign_extend(dst->var, p->size, 8) :
				    scalar_zero_extend(dst->var, p->size);
}

int check_mem(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
	      enum access access, int value_regno, bool sign_extend, bool strict)
{
	struct place p = { pc, regno, off, size, access, value_regno, sign_extend };
	const struct reg *reg = place_reg(env, &p);
	access_fn *rule = access_rules[reg->type];
	int err = check_alignment(env, regno, off, size, strict);

	if (err < 0)
		return err;
	if (!rule || reg_maybe_null(reg))
		return reject_as(env, reg_maybe_null(reg) ? SKEP_VERIFY_NULL :
				 SKEP_VERIFY_NOT_POINTER, -EACCES, "R%d invalid mem access '%s'",
				 regno, reg_type_text(reg));
	if (reg->type != REG_MAP)
		env->info[pc].not_map = true;
	err = rule(env, &p);
	if (!err)
		narrow_loaded(env, &p);
	return err;
}

/* --- memory that calls use --- */

static int refuse_argument(struct env *env, int regno)
{
	const struct reg *reg = &state_regs(env->cur)[regno];

	return reject_as(env, misfit_code(reg), -EACCES, "R%d type=%s expected=fp", regno,
			 reg_type_text(reg));
}

/* A context that is just bytes: whole if its last byte may be accessed. */
static int check_ctx_region(struct env *env, const struct place *p, bool zero_size_ok)
{
	struct place last = *p;

	if (!p->size && !ctx_is_region(env))
		return zero_size_ok ? 0 : refuse_argument(env, p->regno);
	if (env->type->ctx->plain_write) {
		int err = check_mem_region(env, p->regno, 0, p->size, env->type->ctx->size,
					   zero_size_ok);

		if (!err)
			note_ctx_end(env, place_reg(env, p), 0, p->size);
		return err;
	}
	last.off = (int32_t)p->size - 1;
	last.size = 1;
	return access_ctx(env, &last);
}

int check_helper_mem(struct env *env, int regno, uint32_t size, struct mem_use use)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	enum access access = use.writes ? ACCESS_WRITE : ACCESS_READ;
	struct place p = { env->pc, regno, 0, size, access, -1, false };

	if (reg_maybe_null(reg)) /* of no size nothing is read: NULL or not is the same */
		return use.nullable && size == 0 ? 0 : refuse_argument(env, regno);
	switch ((enum reg_type)reg->type) {
	case REG_PACKET: case REG_PACKET_META:
		return check_packet_access(env, regno, 0, size, use.zero_size_ok);
	case REG_MAP_KEY:
		if (use.writes)
			return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
					 "R%d cannot write into %s", regno, reg_type_text(reg));
		return check_mem_region(env, regno, 0, size, reg->map->key_size, use.zero_size_ok);
	case REG_MAP_VALUE: {
		int err = check_map_access(env, regno, 0, size, use.zero_size_ok, access);

		if (!err && size)
			err = check_map_fields(env, env->pc, regno, 0, size,
					       access, -1);
		return err < 0 ? err : 0;
	}
	case REG_MEM:
		if (use.writes && (reg->flags & REG_RDONLY))
			return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
					 "R%d cannot write into %s", regno, reg_type_text(reg));
		return check_mem_region(env, regno, 0, size, reg->mem_size, use.zero_size_ok);
	case REG_BUF: case REG_TP_BUFFER:
		if (use.writes && (reg->flags & REG_RDONLY))
			return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
					 "R%d cannot write into %s", regno, reg_type_text(reg));
		return check_buffer(env, (reg->flags & REG_RDONLY) ? "rdonly" : "rdwr", &p);
	case REG_STACK:
		return check_stack_range(env, regno, size, use);
	case REG_BTF:
		return access_btf(env, &p);
	case REG_CTX:
		if (env->type->ctx && (env->type->ctx->plain || env->type->ctx->btf_args))
			return check_ctx_region(env, &p, use.zero_size_ok);
		break;
	case REG_NOT_INIT: case REG_SCALAR: case REG_MAP: case REG_PACKET_END:
	case REG_FLOW_KEYS: case REG_SOCKET: case REG_SOCK_COMMON: case REG_TCP_SOCK:
	case REG_XDP_SOCK: case REG_FUNC: case REG_DYNPTR: case REG_ARENA: case REG_INSN:
	case REG_TYPE_COUNT:
		break;
	}
	if (use.zero_size_ok && size == 0 && reg_is_zero(reg))
		return 0;
	return refuse_argument(env, regno);
}

int check_mem_size_reg(struct env *env, int mem_regno, int size_regno, struct mem_use use)
{
	const struct reg *size = &state_regs(env->cur)[size_regno];
	int err;

	if (!scalar_is_const(size->var))
		use.uninit = false; /* it may write less than the most */
	if (size->var.smin < 0)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "R%d min value is negative, either use unsigned or 'var &= "
				 "const'", size_regno);
	if (size->var.umin == 0 && !use.zero_size_ok)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "R%d invalid zero-sized read: u64=[%" PRIu64 ",%" PRIu64 "]",
				 size_regno, size->var.umin, size->var.umax);
	if (size->var.umax >= VALUE_SIZE_MAX)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "R%d unbounded memory access, use 'var &= const' or 'if (var "
				 "< const)'", size_regno);
	err = check_helper_mem(env, mem_regno, (uint32_t)size->var.umax, use);
	return err < 0 ? err : mark_precise(env, size_regno);
}

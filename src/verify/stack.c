/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack.c - reads and writes of the typed stack.
 *
 * A register stored at an 8-aligned offset keeps what is known of it (a spill),
 * and gives it back when loaded (a fill). Any other store leaves bytes that
 * are zero or unknown. At a variable offset every byte that may be written is
 * unknown after, and every byte that may be read must be readable.
 */
#include "verify/passes.h"

#include <inttypes.h>
#include <stdio.h>

struct frame *stack_frame(struct env *env, const struct reg *reg)
{
	return env->cur->frame[reg->frameno];
}

int stack_grow(struct env *env, struct frame *frame, int32_t off)
{
	uint32_t want = (uint32_t)(-off + SLOT_SIZE - 1) / SLOT_SIZE;
	struct subprog *subprog = &env->subprog[frame->subprog];
	struct slot *slots;

	subprog->stack = MAX(subprog->stack, (uint32_t)-off);
	if (want <= frame->slots)
		return 0;
	if (want > frame->slot_room) {
		slots = env_alloc(env, want * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		if (frame->slots)
			memcpy(slots, frame->slot, frame->slots * sizeof(*slots));
		env_free(env, frame->slot);
		frame->slot = slots;
		frame->slot_room = want;
	} else {
		memset(&frame->slot[frame->slots], 0, (want - frame->slots) * sizeof(*slots));
	}
	frame->slots = want;
	return 0;
}

void slot_set_misc(struct slot *slot, int byte)
{
	slot->byte[byte] = SLOT_MISC;
}

void slot_set_invalid(struct slot *slot)
{
	memset(slot->byte, SLOT_INVALID, sizeof(slot->byte));
	reg_set_not_init(&slot->reg);
}

int step_stack_access(struct env *env, uint32_t frameno, uint32_t slot)
{
	struct state *cur = env->cur;
	struct step *step;

	if (!cur->step_count)
		return 0;
	step = &cur->step[cur->step_count - 1];
	step->stack_access = (uint8_t)(1 + frameno);
	step->slot = (uint8_t)slot;
	return 0;
}

/* --- where --- */

/* The offsets an access of size bytes may cover: [min, max). */
static void stack_span(const struct reg *reg, int32_t off, uint32_t size, int64_t *min,
		       int64_t *max)
{
	*min = reg->var.smin + reg->off + off;
	*max = reg->var.smax + reg->off + off + size;
}

static const char *access_words(enum access access)
{
	return access == ACCESS_READ ? " read from" : " write to";
}

int check_stack_bounds(struct env *env, int regno, int32_t off, uint32_t size,
		       enum access access, bool in_call)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	int64_t min, max, lowest = -INSN_STACK_SIZE;

	(void)in_call;
	if (access == ACCESS_READ && !env->cap_perfmon) /* nothing was written below */
		lowest = -(int64_t)stack_frame(env, reg)->slots * SLOT_SIZE;
	if (scalar_is_const(reg->var)) {
		min = (int64_t)reg->var.bits.value + reg->off + off;
		if (min < lowest || min >= 0 || min + size > 0)
			return reject(env, -EACCES, "invalid%s stack R%d off=%" PRId64 " size=%u",
				      access_words(access), regno, min, size);
		note_stack_use(env, stack_frame(env, reg), (int32_t)min);
		return stack_grow(env, stack_frame(env, reg), (int32_t)min);
	}
	if (reg->var.smax >= VAR_OFF_MAX || reg->var.smin <= -VAR_OFF_MAX)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "invalid unbounded variable-offset%s stack R%d",
				 access_words(access), regno);
	stack_span(reg, off, size, &min, &max);
	if (min < lowest || min >= 0 || max > 0)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "invalid variable-offset%s stack R%d var_off=(0x%" PRIx64
				 "; 0x%" PRIx64 ") off=%d size=%u", access_words(access), regno,
				 reg->var.bits.value, reg->var.bits.mask, reg->off + off, size);
	note_stack_use(env, stack_frame(env, reg), (int32_t)min);
	return stack_grow(env, stack_frame(env, reg), (int32_t)min);
}

static int refuse_variable(struct env *env, int regno, const struct reg *reg)
{
	return reject(env, -EACCES,
		      "R%d variable stack access prohibited for !root, var_off=(0x%" PRIx64
		      "; 0x%" PRIx64 ") off=%d",
		      regno, reg->var.bits.value, reg->var.bits.mask, reg->off);
}

/* --- writes --- */

/* Bytes that a narrower spill leaves in its slot. */
static void keep_as_misc(uint8_t *byte)
{
	if (*byte != SLOT_ZERO && *byte != SLOT_INVALID && *byte != SLOT_POISON)
		*byte = SLOT_MISC;
}

static void spill(struct slot *slot, const struct reg *reg, uint32_t size)
{
	slot->reg = *reg;
	for (uint32_t i = 0; i < SLOT_SIZE; i++)
		if (i < size)
			slot->byte[i] = SLOT_SPILL;
		else
			keep_as_misc(&slot->byte[i]);
}

static bool value_fits(const struct reg *reg, uint32_t size)
{
	return size >= 8 || reg->var.umax < UINT64_C(1) << (size * 8);
}

/* The register and its spill hold the same number from now on. */
static void link_spill(struct env *env, struct reg *reg)
{
	if (scalar_is_const(reg->var))
		return;
	if (reg->link_add) {
		reg->link_add = false;
		reg->link_off = 0;
		reg->id = 0;
	}
	if (!reg->id)
		reg->id = new_id(env);
}

/* A slot about to get plain bytes no longer holds a register or an object. */
static void forget_content(struct slot *slot)
{
	for (int i = 0; i < SLOT_SIZE; i++)
		if (slot->byte[i] == SLOT_SPILL || slot->byte[i] == SLOT_DYNPTR ||
		    slot->byte[i] == SLOT_ITER || slot->byte[i] == SLOT_IRQ_FLAG)
			slot->byte[i] = SLOT_MISC;
	reg_set_not_init(&slot->reg);
}

static bool stores_zero(const struct env *env, uint32_t pc, const struct reg *value)
{
	const struct insn *insn = &env->insns[pc];

	if (value)
		return reg_is_zero(value);
	return insn->kind == INSN_STORE && insn->source_is_imm && insn->imm == 0;
}

static int write_bytes(struct env *env, uint32_t pc, struct frame *frame, int32_t off,
		       uint32_t size, int value_regno)
{
	const struct reg *value = value_regno >= 0 ? &state_regs(env->cur)[value_regno] : NULL;
	uint8_t type = stores_zero(env, pc, value) ? SLOT_ZERO : SLOT_MISC;

	if (type == SLOT_ZERO && value) {
		int err = mark_precise(env, value_regno);

		if (err < 0)
			return err;
	}
	for (int32_t at = off; at < off + (int32_t)size; at++) {
		struct slot *slot = &frame->slot[slot_of(at)];

		if (at == off || slot_byte_of(at) == 0)
			forget_content(slot);
		slot->byte[slot_byte_of(at)] = type;
	}
	return 0;
}

static int spill_pointer(struct env *env, struct frame *frame, struct slot *slot,
			 const struct reg *value, uint32_t size)
{
	if (size != SLOT_SIZE)
		return reject(env, -EACCES, "invalid size of register spill");
	if (frame != state_frame(env->cur) && value->type == REG_STACK)
		return reject(env, -EINVAL,
			      "cannot spill pointers to stack into stack frame of the caller");
	spill(slot, value, size);
	return 0;
}

/* Destroys dynptrs and iterators that the bytes belong to, or refuses. */
static int destroy_special(struct env *env, struct frame *frame, int32_t min, int32_t max)
{
	for (int s = slot_of(max - 1); s <= slot_of(min); s++) {
		uint8_t byte = frame->slot[s].byte[0];

		if (byte == SLOT_DYNPTR || byte == SLOT_ITER || byte == SLOT_IRQ_FLAG) {
			int err = stack_destroy_special(env, frame, (uint32_t)s);

			if (err < 0)
				return err;
		}
	}
	return 0;
}

/* Is what is known of a number kept when it is spilled? */
static bool keeps_number(const struct env *env, const struct reg *value, uint32_t size)
{
	return env->cap_bpf && (size == SLOT_SIZE || env_can(env, ABILITY_SPILL_NARROW)) &&
	       (reg_is_const(value) || env_can(env, ABILITY_SPILL_BOUNDS));
}

static int write_fixed(struct env *env, uint32_t pc, struct frame *frame, int32_t off,
		       uint32_t size, int value_regno)
{
	struct reg *value = value_regno >= 0 ? &state_regs(env->cur)[value_regno] : NULL;
	const struct insn *insn = &env->insns[pc];
	uint32_t s = (uint32_t)slot_of(off);
	struct slot *slot = &frame->slot[s];
	bool aligned = off % SLOT_SIZE == 0;
	int err = destroy_special(env, frame, off, off + (int32_t)size);

	if (err < 0)
		return err;
	if (!env->cap_perfmon && slot_is_spill(slot) && slot->reg.type != REG_SCALAR &&
	    size != SLOT_SIZE)
		return reject_as(env, SKEP_VERIFY_LEAK, -EACCES,
				 "attempt to corrupt spilled pointer on stack");
	note_stack_store(env, pc, slot, value, size);
	show_slot(env, s);
	if (value && aligned && value->type == REG_SCALAR && keeps_number(env, value, size)) {
		bool fits = value_fits(value, size);

		if (fits)
			link_spill(env, value);
		spill(slot, value, size);
		if (!fits) {
			slot->reg.id = 0;
			slot->reg.link_add = false;
		}
		step_stack_access(env, frame->frameno, s);
	} else if (!value && aligned && env->cap_bpf && insn->kind == INSN_STORE &&
		   insn->source_is_imm) {
		struct reg constant;

		reg_set_const(env, &constant, (uint64_t)insn->imm);
		spill(slot, &constant, size);
		step_stack_access(env, frame->frameno, s);
	} else if (value && reg_is_pointer(value)) {
		err = spill_pointer(env, frame, slot, value, size);
		if (err < 0)
			return err;
		step_stack_access(env, frame->frameno, s);
	} else {
		err = write_bytes(env, pc, frame, off, size, value_regno);
	}
	return err;
}

static bool keeps_zero(const struct slot *slot, int byte)
{
	if (slot->byte[byte] == SLOT_ZERO)
		return true;
	return slot->byte[byte] == SLOT_SPILL && slot_is_spill(slot) && reg_is_zero(&slot->reg);
}

static int write_variable(struct env *env, uint32_t pc, struct frame *frame, int64_t min,
			  int64_t max, int value_regno)
{
	const struct reg *value = value_regno >= 0 ? &state_regs(env->cur)[value_regno] : NULL;
	bool zero = stores_zero(env, pc, value), zero_used = false;
	int err = destroy_special(env, frame, (int32_t)min, (int32_t)max);

	if (err < 0)
		return err;
	for (int64_t at = min; at < max; at++) {
		struct slot *slot = &frame->slot[slot_of((int32_t)at)];
		int byte = slot_byte_of((int32_t)at);

		show_slot(env, (uint32_t)slot_of((int32_t)at));
		if (zero && keeps_zero(slot, byte)) {
			zero_used = true;
			continue;
		}
		if (slot->byte[byte] == SLOT_INVALID && !env->cap_perfmon)
			return reject_as(env, SKEP_VERIFY_UNSET, -EINVAL,
					 "uninit stack in range of var-offset write prohibited "
					 "for !root; off: %d", (int)at);
		forget_content(slot);
		slot->byte[byte] = SLOT_MISC;
	}
	if (zero_used && value)
		return mark_precise(env, value_regno);
	return 0;
}

int stack_write(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
		int value_regno)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	struct frame *frame = stack_frame(env, reg);
	int64_t min, max;

	stack_span(reg, off, size, &min, &max);
	if (scalar_is_const(reg->var))
		return write_fixed(env, pc, frame, (int32_t)min, size, value_regno);
	if (!env->cap_perfmon || !env_can(env, ABILITY_VAR_STACK))
		return refuse_variable(env, regno, reg);
	return write_variable(env, pc, frame, min, max, value_regno);
}

/* --- reads --- */

static int refuse_byte(struct env *env, int regno, const struct reg *reg, int64_t min, int64_t at,
		       uint32_t size)
{
	struct tnum from = tnum_add(reg->var.bits, tnum_const((uint64_t)(int64_t)reg->off));

	if (scalar_is_const(reg->var))
		return reject_as(env, SKEP_VERIFY_UNSET, -EACCES,
				 "invalid read from stack R%d off %d+%d size %u", regno,
				 (int)min, (int)(at - min), size);
	return reject_as(env, SKEP_VERIFY_UNSET, -EACCES,
			 "invalid read from stack R%d var_off (0x%" PRIx64 "; 0x%" PRIx64
			 ")+%d size %u", regno, from.value, from.mask,
			 (int)(at - min), size);
}

static bool is_readable(const struct env *env, const struct frame *frame, int32_t at)
{
	uint8_t type = frame->slot[slot_of(at)].byte[slot_byte_of(at)];

	if (type == SLOT_INVALID)
		return env->cap_perfmon && env_can(env, ABILITY_UNINIT_STACK);
	return type == SLOT_MISC || type == SLOT_ZERO || type == SLOT_SPILL;
}

static int check_readable(struct env *env, const struct frame *frame, int32_t off, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		int32_t at = off + (int32_t)i;

		if (is_readable(env, frame, at))
			continue;
		if (frame->slot[slot_of(at)].byte[slot_byte_of(at)] == SLOT_POISON)
			return reject_as(env, SKEP_VERIFY_UNSET, -EFAULT,
					 "slot poisoned off %d", at);
		return reject_as(env, SKEP_VERIFY_UNSET, -EACCES,
				 "invalid read from stack off %d+%u size %u", off, i, size);
	}
	return 0;
}

static bool all_zero(const struct frame *frame, int64_t min, int64_t max)
{
	for (int64_t at = min; at < max; at++)
		if (frame->slot[slot_of((int32_t)at)].byte[slot_byte_of((int32_t)at)] != SLOT_ZERO)
			return false;
	return true;
}

static void show_span(struct env *env, int64_t min, int64_t max)
{
	for (int s = slot_of((int32_t)(max - 1)); s <= slot_of((int32_t)min); s++)
		show_slot(env, (uint32_t)s);
}

static uint32_t spill_size(const struct slot *slot)
{
	uint32_t size = 0;

	while (size < SLOT_SIZE && slot->byte[size] == SLOT_SPILL)
		size++;
	return size;
}

/* Gives back a spilled number, whole or its low bytes. */
static int fill_number(struct env *env, struct frame *frame, int32_t off, uint32_t size,
		       struct reg *dst)
{
	uint32_t s = (uint32_t)slot_of(off);
	const struct slot *slot = &frame->slot[s];
	uint32_t spills = 0;
	int err;

	if (slot_byte_of(off) == 0 && size <= spill_size(slot)) {
		*dst = slot->reg;
		if (!value_fits(&slot->reg, size)) {
			dst->id = 0;
			dst->link_add = false;
		}
		step_stack_access(env, frame->frameno, s);
		return 0;
	}
	err = check_readable(env, frame, off, size);
	if (err < 0)
		return err;
	for (uint32_t i = 0; i < size; i++)
		spills += slot->byte[slot_byte_of(off + (int32_t)i)] == SLOT_SPILL;
	if (spills == size && reg_is_zero(&slot->reg)) {
		reg_set_const(env, dst, 0);
		step_stack_access(env, frame->frameno, s);
	} else if (all_zero(frame, off, off + (int64_t)size)) {
		reg_set_const(env, dst, 0);
	} else {
		reg_set_unknown(env, dst);
	}
	return 0;
}

static int fill_pointer(struct env *env, struct frame *frame, const struct slot *slot,
			int32_t off, uint32_t size, struct reg *dst)
{
	if (size != SLOT_SIZE || slot_byte_of(off) != 0)
		return reject(env, -EACCES, "invalid size of register fill");
	if (dst) {
		*dst = slot->reg;
		step_stack_access(env, frame->frameno, (uint32_t)slot_of(off));
		return 0;
	}
	if (!env->cap_perfmon)
		return reject_as(env, SKEP_VERIFY_LEAK, -EACCES,
				 "leaking pointer from stack off %d", off);
	return 0;
}

static int read_fixed(struct env *env, struct frame *frame, int32_t off, uint32_t size,
		      struct reg *dst)
{
	const struct slot *slot = &frame->slot[slot_of(off)];
	int err;

	show_span(env, off, off + (int64_t)size);
	if (slot_is_spill(slot) && slot->reg.type == REG_SCALAR) {
		struct reg scratch;

		return fill_number(env, frame, off, size, dst ? dst : &scratch);
	}
	if (slot_is_spill(slot))
		return fill_pointer(env, frame, slot, off, size, dst);
	err = check_readable(env, frame, off, size);
	if (err < 0 || !dst)
		return err;
	if (all_zero(frame, off, off + (int64_t)size))
		reg_set_const(env, dst, 0);
	else
		reg_set_unknown(env, dst);
	return 0;
}

int stack_read(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
	       int value_regno)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	struct reg *dst = value_regno >= 0 ? &state_regs(env->cur)[value_regno] : NULL;
	struct frame *frame = stack_frame(env, reg);
	int64_t min, max;

	(void)pc;
	stack_span(reg, off, size, &min, &max);
	if (scalar_is_const(reg->var))
		return read_fixed(env, frame, (int32_t)min, size, dst);
	if (!env->cap_perfmon || !env_can(env, ABILITY_VAR_STACK))
		return refuse_variable(env, regno, reg);
	if (!dst) /* an atomic that gives nothing back: Linux checks it as a call's argument */
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES,
				 "variable offset stack pointer cannot be passed into helper function; "
				 "var_off=(0x%" PRIx64 "; 0x%" PRIx64 ") off=%d size=%u",
				 reg->var.bits.value, reg->var.bits.mask, reg->off + off, size);
	for (int64_t at = min; at < max; at++)
		if (!is_readable(env, frame, (int32_t)at))
			return refuse_byte(env, regno, reg, min, at, size);
	show_span(env, min, max);
	if (all_zero(frame, min, max))
		reg_set_const(env, dst, 0);
	else
		reg_set_unknown(env, dst);
	return 0;
}

/* --- what calls read and write --- */

/* A byte the callee reads, and perhaps writes. */
static int use_byte(struct env *env, struct slot *slot, int byte, bool writes)
{
	switch ((enum slot_byte)slot->byte[byte]) {
	case SLOT_MISC:
		return 0;
	case SLOT_INVALID:
		if (!env->cap_perfmon || !env_can(env, ABILITY_UNINIT_STACK))
			return -EACCES;
		if (writes)
			slot->byte[byte] = SLOT_MISC;
		return 0;
	case SLOT_ZERO:
		if (writes)
			slot->byte[byte] = SLOT_MISC;
		return 0;
	case SLOT_SPILL:
		if (slot->reg.type != REG_SCALAR && !env->cap_perfmon)
			return -EACCES;
		if (writes)
			forget_content(slot);
		return 0;
	case SLOT_DYNPTR:
	case SLOT_ITER:
	case SLOT_IRQ_FLAG:
	case SLOT_POISON:
		return -EACCES;
	}
	__builtin_unreachable();
}

/* All of it is replaced: what was there does not matter. */
static int overwrite(struct env *env, struct frame *frame, int32_t min, int32_t max)
{
	for (int32_t at = min; at < max; at++) {
		struct slot *slot = &frame->slot[slot_of(at)];

		show_slot(env, (uint32_t)slot_of(at));
		if (at == min || slot_byte_of(at) == 0) {
			int err = destroy_special(env, frame, at, at + 1);

			if (err < 0)
				return err;
			forget_content(slot);
		}
		slot->byte[slot_byte_of(at)] = SLOT_MISC;
	}
	return 0;
}

int check_stack_range(struct env *env, int regno, uint32_t size, struct mem_use use)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	struct frame *frame = stack_frame(env, reg);
	int64_t min, max;
	int err;

	if (size == 0 && !use.zero_size_ok)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EACCES, "invalid zero-sized read");
	err = check_stack_bounds(env, regno, 0, size, use.writes ? ACCESS_WRITE : ACCESS_READ, true);
	if (err < 0)
		return err;
	if (!scalar_is_const(reg->var) && !env->cap_perfmon)
		return reject(env, -EACCES,
			      "R%d variable offset stack access prohibited for !root, var_off=(0x%" PRIx64
			      "; 0x%" PRIx64 ")",
			      regno, reg->var.bits.value, reg->var.bits.mask);
	if (size == 0)
		return 0;
	stack_span(reg, 0, size, &min, &max);
	if (use.uninit && scalar_is_const(reg->var))
		return overwrite(env, frame, (int32_t)min, (int32_t)max);
	for (int64_t at = min; at < max; at++) {
		struct slot *slot = &frame->slot[slot_of((int32_t)at)];

		if (use_byte(env, slot, slot_byte_of((int32_t)at), use.writes) < 0)
			return refuse_byte(env, regno, reg, min, at, size);
	}
	return 0;
}

bool stack_const(struct env *env, const struct reg *reg, uint32_t size, uint64_t *value)
{
	const struct frame *frame;
	const struct slot *slot;
	int64_t off;

	if (reg->type != REG_STACK || !scalar_is_const(reg->var) || !size || size > 8)
		return false;
	frame = stack_frame(env, reg);
	off = reg->off + (int64_t)reg->var.bits.value;
	if (off >= 0 || off < -INSN_STACK_SIZE || off + size > 0 ||
	    (uint32_t)slot_of((int32_t)off) >= frame->slots)
		return false;
	if (all_zero(frame, off, off + (int64_t)size)) {
		*value = 0;
		return true;
	}
	slot = &frame->slot[slot_of((int32_t)off)];
	if (slot_byte_of((int32_t)off) != 0 || !slot_is_spill(slot) || spill_size(slot) != size ||
	    !reg_is_const(&slot->reg))
		return false;
	*value = slot->reg.var.bits.value;
	if (size < 8)
		*value &= (UINT64_C(1) << (size * 8)) - 1;
	return true;
}

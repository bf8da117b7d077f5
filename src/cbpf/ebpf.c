/* SPDX-License-Identifier: BSD-2-Clause */
/* ebpf.c - writing eBPF instructions, with labels. See convert.h. */
#include "cbpf/convert.h"

static void ebpf_insn(struct ebpf *e, struct insn insn)
{
	struct skep_insn slots[2];
	unsigned count = insn_encode(insn, slots);

	if (count == 0)
		e->failed = true;
	for (unsigned i = 0; i < count; i++) {
		struct skep_insn *slot = vec_push(&e->out);

		if (!slot) {
			e->failed = true;
			return;
		}
		*slot = slots[i];
	}
}

uint32_t ebpf_labels(struct ebpf *e, size_t count)
{
	uint32_t first = (uint32_t)e->labels.count;

	for (size_t i = 0; i < count; i++) {
		size_t *label = vec_push(&e->labels);

		if (!label) {
			e->failed = true;
			return 0;
		}
		*label = SIZE_MAX;
	}
	return first;
}

void ebpf_label(struct ebpf *e, uint32_t label)
{
	if (!e->failed)
		e->labels.items[label] = e->out.count;
}

/* --- arithmetic --- */

void ebpf_alu(struct ebpf *e, enum alu op, unsigned width, unsigned dst, unsigned src)
{
	ebpf_insn(e, (struct insn){ .kind = INSN_ALU, .op = (uint8_t)op, .width = (uint8_t)width,
				    .from = (uint8_t)width, .dst = (uint8_t)dst, .src = (uint8_t)src });
}

void ebpf_alu_imm(struct ebpf *e, enum alu op, unsigned width, unsigned dst, int32_t imm)
{
	ebpf_insn(e, (struct insn){ .kind = INSN_ALU, .op = (uint8_t)op, .width = (uint8_t)width,
				    .from = (uint8_t)width, .dst = (uint8_t)dst,
				    .source_is_imm = true, .imm = imm });
}

void ebpf_mov(struct ebpf *e, unsigned width, unsigned dst, unsigned src)
{
	ebpf_alu(e, ALU_MOV, width, dst, src);
}

void ebpf_mov_imm(struct ebpf *e, unsigned width, unsigned dst, int32_t imm)
{
	ebpf_alu_imm(e, ALU_MOV, width, dst, imm);
}

void ebpf_imm64(struct ebpf *e, unsigned dst, uint64_t imm)
{
	ebpf_insn(e, (struct insn){ .kind = INSN_IMM64, .op = IMM64_VALUE, .width = 8, .from = 8,
				    .dst = (uint8_t)dst, .imm = (int64_t)imm });
}

/* As a place in the first of a program's maps, until it is known where the data lies. */
void ebpf_data(struct ebpf *e, unsigned dst, uint32_t at)
{
	size_t *slot = vec_push(&e->data);

	if (slot)
		*slot = e->out.count;
	else
		e->failed = true;
	ebpf_insn(e, (struct insn){ .kind = INSN_IMM64, .op = IMM64_MAP_INDEX_VALUE, .width = 8, .from = 8,
				    .dst = (uint8_t)dst, .imm = (int64_t)((uint64_t)at << 32) });
}

void ebpf_big_endian(struct ebpf *e, unsigned width, unsigned dst)
{
	if (width == 1)
		return;
	ebpf_insn(e, (struct insn){ .kind = INSN_ALU, .op = ALU_TO_BE, .width = 8,
				    .from = (uint8_t)width, .dst = (uint8_t)dst,
				    .source_is_imm = true });
}

/* --- memory --- */

void ebpf_load(struct ebpf *e, unsigned width, unsigned dst, unsigned base, int32_t off)
{
	e->stack |= base == INSN_MAX_REG;
	ebpf_insn(e, (struct insn){ .kind = INSN_LOAD, .width = (uint8_t)width, .from = (uint8_t)width,
				    .dst = (uint8_t)dst, .src = (uint8_t)base, .off = off });
}

void ebpf_store(struct ebpf *e, unsigned width, unsigned base, int32_t off, unsigned src)
{
	e->stack |= base == INSN_MAX_REG;
	ebpf_insn(e, (struct insn){ .kind = INSN_STORE, .width = (uint8_t)width, .from = (uint8_t)width,
				    .dst = (uint8_t)base, .src = (uint8_t)src, .off = off });
}

void ebpf_packet(struct ebpf *e, unsigned width, bool indirect, unsigned src, int32_t imm)
{
	e->calls = true;
	ebpf_insn(e, (struct insn){ .kind = INSN_LOAD_PACKET, .width = (uint8_t)width,
				    .from = (uint8_t)width, .indirect = indirect, .src = (uint8_t)src,
				    .imm = imm });
}

/* --- control --- */

static void note_jump(struct ebpf *e, uint32_t label)
{
	struct ebpf_jump *jump = vec_push(&e->jumps);

	if (jump)
		*jump = (struct ebpf_jump){ e->out.count, label };
	else
		e->failed = true;
}

void ebpf_if(struct ebpf *e, enum cond op, unsigned width, unsigned dst, unsigned src,
	     uint32_t label)
{
	note_jump(e, label);
	ebpf_insn(e, (struct insn){ .kind = INSN_JUMP, .op = (uint8_t)op, .width = (uint8_t)width,
				    .from = (uint8_t)width, .dst = (uint8_t)dst, .src = (uint8_t)src });
}

void ebpf_if_imm(struct ebpf *e, enum cond op, unsigned width, unsigned dst, int32_t imm,
		 uint32_t label)
{
	note_jump(e, label);
	ebpf_insn(e, (struct insn){ .kind = INSN_JUMP, .op = (uint8_t)op, .width = (uint8_t)width,
				    .from = (uint8_t)width, .dst = (uint8_t)dst,
				    .source_is_imm = true, .imm = imm });
}

void ebpf_goto(struct ebpf *e, uint32_t label)
{
	note_jump(e, label);
	ebpf_insn(e, (struct insn){ .kind = INSN_GOTO, .width = 8 });
}

void ebpf_call(struct ebpf *e, int32_t helper)
{
	e->calls = true;
	ebpf_insn(e, (struct insn){ .kind = INSN_CALL, .op = CALL_HELPER, .width = 8, .imm = helper });
}

void ebpf_exit(struct ebpf *e)
{
	ebpf_insn(e, (struct insn){ .kind = INSN_EXIT, .width = 8 });
}

/* A plain goto that is too far becomes one of 32 bits, which Linux has since 6.6. */
static bool resolve_far(struct skep_insn *insn, int64_t distance)
{
	struct insn far = { .kind = INSN_GOTO, .width = 4, .off = (int32_t)distance };
	struct skep_insn slots[2];
	struct insn old = insn_decode(insn, 1, 0, NULL);

	if (old.kind != INSN_GOTO || insn_encode(far, slots) != 1)
		return false;
	*insn = slots[0];
	return true;
}

bool ebpf_resolve(struct ebpf *e)
{
	for (size_t i = 0; i < e->jumps.count; i++) {
		const struct ebpf_jump *jump = &e->jumps.items[i];
		struct skep_insn *insn = &e->out.items[jump->slot];
		int64_t distance = (int64_t)e->labels.items[jump->label] - (int64_t)jump->slot - 1;

		if (distance == (int16_t)distance)
			insn->off = (int16_t)distance;
		else if (!resolve_far(insn, distance))
			return false;
	}
	return true;
}

void ebpf_done(struct ebpf *e)
{
	vec_done(&e->out);
	vec_done(&e->jumps);
	vec_done(&e->labels);
	vec_done(&e->data);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * convert_load.c - loads from the packet, as eBPF.
 *
 * A load compares with the packet's end first, unless an earlier load on every way here has found as
 * many bytes. What it does not find there is missing, or for the kinds of program whose
 * packets come in pieces, asked for by a call.
 */
#include "cbpf/converter.h"

enum { LOAD_BYTES = 26, LOAD_BYTES_RELATIVE = 68 }; /* helpers */
enum { FROM_LINK = 0, FROM_NETWORK = 1 };           /* of LOAD_BYTES_RELATIVE */

/* r0 = what LOAD_BYTES left in the buffer; missing: drop. */
static void take_buffer(struct converter *c, unsigned width)
{
	ebpf_if_imm(&c->e, COND_NE, 8, 0, 0, c->drop);
	ebpf_load(&c->e, width, A, FRAME, BUFFER_OFF);
	ebpf_big_endian(&c->e, width, A);
}

/* The arguments of a helper that copies width bytes at the offset in r2 into the buffer. */
static void into_buffer(struct converter *c, unsigned width)
{
	ebpf_mov(&c->e, 8, 1, c->plan->context);
	ebpf_mov(&c->e, 8, 3, FRAME);
	ebpf_alu_imm(&c->e, ALU_ADD, 8, 3, BUFFER_OFF);
	ebpf_mov_imm(&c->e, 4, 4, (int32_t)width);
}

static void copy_bytes(struct converter *c, unsigned width)
{
	into_buffer(c, width);
	ebpf_call(&c->e, LOAD_BYTES);
	take_buffer(c, width);
}

static void copy_relative(struct converter *c, unsigned width, int32_t base)
{
	into_buffer(c, width);
	ebpf_mov_imm(&c->e, 4, 5, base);
	ebpf_call(&c->e, LOAD_BYTES_RELATIVE);
	take_buffer(c, width);
}

/* By LD_ABS or LD_IND, of whose result the verifier does not know how large it can be. */
static void load_legacy(struct converter *c, unsigned width, bool indirect, uint32_t k)
{
	ebpf_packet(&c->e, width, indirect, indirect ? c->plan->x : 0, (int32_t)k);
	if (c->kind->direct && width < 4)
		ebpf_alu_imm(&c->e, ALU_AND, 4, A, (1 << 8 * width) - 1);
}

/* A condition that always holds: code behind a plain goto would be unreachable. */
static void drop_here(struct converter *c)
{
	ebpf_mov_imm(&c->e, 4, TEMPORARY, 0);
	ebpf_if_imm(&c->e, COND_EQ, 4, TEMPORARY, 0, c->drop);
}

void converter_reach(struct converter *c, uint32_t size, uint32_t missing)
{
	if (c->loop) {
		ebpf_if_imm(&c->e, COND_LT, 4, c->plan->end, (int32_t)size, missing);
		return;
	}
	ebpf_mov(&c->e, 8, TEMPORARY, c->plan->data);
	ebpf_alu_imm(&c->e, ALU_ADD, 8, TEMPORARY, (int32_t)size);
	ebpf_if(&c->e, COND_GT, 8, TEMPORARY, c->plan->end, missing);
}

/* A constant offset that no pointer reaches: negative, or far into the packet. */
static int load_remote(struct converter *c, unsigned width, uint32_t k)
{
	if (c->kind->legacy) {
		load_legacy(c, width, false, k);
		return 0;
	}
	if ((int32_t)k >= 0) {
		if (!c->kind->load_bytes) {
			drop_here(c);
			return 0;
		}
		ebpf_mov_imm(&c->e, 4, 2, (int32_t)k);
		copy_bytes(c, width);
		return 0;
	}
	if (!c->kind->load_bytes)
		return converter_cannot(c, "from where a header begins");
	if (k < CBPF_LINK) {
		drop_here(c);
		return 0;
	}
	ebpf_mov_imm(&c->e, 4, 2, (int32_t)(k - (k >= CBPF_NETWORK ? CBPF_NETWORK : CBPF_LINK)));
	copy_relative(c, width, k >= CBPF_NETWORK ? FROM_NETWORK : FROM_LINK);
	return 0;
}

int convert_load(struct converter *c, unsigned width, unsigned dst, uint32_t k)
{
	struct ebpf *e = &c->e;
	uint32_t missing = c->drop, done = 0;

	if (!c->kind->direct || k > CBPF_DIRECT_MAX - width)
		return load_remote(c, width, k);
	if (c->kind->load_bytes) {
		missing = ebpf_labels(e, 2);
		done = missing + 1;
	}
	if (c->kind->load_bytes)
		converter_reach(c, k + width, missing);
	else if (k + width > c->facts[c->pc].known)
		converter_reach(c, MAX(k + width, c->facts[c->pc].need), missing);
	if (k > INT16_MAX) {
		ebpf_mov(e, 8, TEMPORARY, c->plan->data);
		ebpf_alu_imm(e, ALU_ADD, 8, TEMPORARY, (int32_t)k);
		ebpf_load(e, width, dst, TEMPORARY, 0);
	} else {
		ebpf_load(e, width, dst, c->plan->data, (int32_t)k);
	}
	if (!c->facts[c->pc].raw)
		ebpf_big_endian(e, width, dst);
	if (!c->kind->load_bytes)
		return 0;
	ebpf_goto(e, done);
	ebpf_label(e, missing);
	ebpf_mov_imm(e, 4, 2, (int32_t)k);
	copy_bytes(c, width);
	if (dst != A)
		ebpf_mov(e, 8, dst, A);
	ebpf_label(e, done);
	return 0;
}

/*
 * dst = X + k. X is added to k, not k to X: of a register that is X and a constant, Linux's
 * verifier remembers the constant, and then takes it for the offset of the pointer made of it.
 */
static void add_index(struct converter *c, unsigned dst, uint32_t k)
{
	if (k) {
		ebpf_mov_imm(&c->e, 4, dst, (int32_t)k);
		ebpf_alu(&c->e, ALU_ADD, 4, dst, c->plan->x);
	} else {
		ebpf_mov(&c->e, 4, dst, c->plan->x);
	}
}

/* X + k counts from a header, or lies far away. */
static void load_indirect_remote(struct converter *c, unsigned width, uint32_t k)
{
	struct ebpf *e = &c->e;
	uint32_t network = ebpf_labels(e, 4), link = network + 1, plain = network + 2, done = network + 3;

	add_index(c, 2, k);
	ebpf_if_imm(e, COND_GE, 4, 2, (int32_t)CBPF_NETWORK, network);
	ebpf_if_imm(e, COND_GE, 4, 2, (int32_t)CBPF_LINK, link);
	ebpf_if_imm(e, COND_SGE, 4, 2, 0, plain);
	ebpf_goto(e, c->drop);
	ebpf_label(e, network);
	ebpf_alu_imm(e, ALU_SUB, 4, 2, (int32_t)CBPF_NETWORK);
	copy_relative(c, width, FROM_NETWORK);
	ebpf_goto(e, done);
	ebpf_label(e, link);
	ebpf_alu_imm(e, ALU_SUB, 4, 2, (int32_t)CBPF_LINK);
	copy_relative(c, width, FROM_LINK);
	ebpf_goto(e, done);
	ebpf_label(e, plain);
	copy_bytes(c, width);
	ebpf_label(e, done);
}

bool index_is_near(const struct converter *c, const struct cbpf_row *row, uint32_t k)
{
	return (uint64_t)c->facts[c->pc].x + k <= CBPF_DIRECT_MAX - row->width;
}

/* Where its end is a number: X + k + width is compared with that. */
static void load_indirect_in_loop(struct converter *c, const struct cbpf_row *row, uint32_t k)
{
	struct ebpf *e = &c->e;

	ebpf_mov(e, 4, A, c->plan->x);
	ebpf_alu_imm(e, ALU_ADD, 4, A, (int32_t)(k + row->width));
	ebpf_if(e, COND_GT, 4, A, c->plan->end, c->drop);
	ebpf_mov(e, 8, TEMPORARY, c->plan->data);
	ebpf_alu(e, ALU_ADD, 8, TEMPORARY, c->plan->x);
	if (k > INT16_MAX) {
		ebpf_alu_imm(e, ALU_ADD, 8, TEMPORARY, (int32_t)k);
		k = 0;
	}
	ebpf_load(e, row->width, A, TEMPORARY, (int32_t)k);
	if (!c->facts[c->pc].raw)
		ebpf_big_endian(e, row->width, A);
}

/* A = packet[X + k]: A, which is about to change, serves as the second temporary. */
void convert_indirect(struct converter *c, const struct cbpf_row *row, uint32_t k)
{
	struct ebpf *e = &c->e;
	bool near = index_is_near(c, row, k);
	uint32_t remote = ebpf_labels(e, 2), done = remote + 1, missing = c->drop;

	if (!c->kind->direct) {
		load_legacy(c, row->width, true, k);
		return;
	}
	if (!near || c->kind->load_bytes)
		missing = c->kind->legacy || c->kind->load_bytes ? remote : c->drop;
	if (c->loop) {
		load_indirect_in_loop(c, row, k);
		return;
	}
	add_index(c, TEMPORARY, k);
	if (!near)
		ebpf_if_imm(e, COND_GT, 4, TEMPORARY, (int32_t)CBPF_DIRECT_MAX, missing);
	ebpf_alu(e, ALU_ADD, 8, TEMPORARY, c->plan->data);
	ebpf_mov(e, 8, A, TEMPORARY);
	ebpf_alu_imm(e, ALU_ADD, 8, A, row->width);
	ebpf_if(e, COND_GT, 8, A, c->plan->end, c->kind->load_bytes ? remote : c->drop);
	ebpf_load(e, row->width, A, TEMPORARY, 0);
	if (!c->facts[c->pc].raw)
		ebpf_big_endian(e, row->width, A);
	if (missing == c->drop)
		return;
	ebpf_goto(e, done);
	ebpf_label(e, remote);
	if (c->kind->legacy)
		load_legacy(c, row->width, true, k);
	else
		load_indirect_remote(c, row->width, k);
	ebpf_label(e, done);
}

/* X = 4 * (packet[k] & 0xf), and A stays. */
int convert_msh(struct converter *c, uint32_t k)
{
	struct ebpf *e = &c->e;
	bool calls = !c->kind->direct || c->kind->load_bytes || k > CBPF_DIRECT_MAX - 1;
	int error;

	if (calls)
		ebpf_store(e, 8, FRAME, SAVE_OFF, A);
	error = convert_load(c, 1, calls ? A : c->plan->x, k);
	if (calls) {
		ebpf_mov(e, 4, c->plan->x, A);
		ebpf_load(e, 8, A, FRAME, SAVE_OFF);
	}
	ebpf_alu_imm(e, ALU_AND, 4, c->plan->x, 0xf);
	ebpf_alu_imm(e, ALU_LSH, 4, c->plan->x, 2);
	return error;
}

/* Its len, or where that is 0 its size. */
static void load_packet_length(struct converter *c, unsigned dst)
{
	uint32_t known = ebpf_labels(&c->e, 1);

	ebpf_load(&c->e, 4, dst, PACKETS, offsetof(struct skep_cbpf_packet, len));
	ebpf_if_imm(&c->e, COND_NE, 4, dst, 0, known);
	ebpf_load(&c->e, 4, dst, PACKETS, offsetof(struct skep_cbpf_packet, size));
	ebpf_label(&c->e, known);
}

void convert_length(struct converter *c, const struct cbpf_row *row)
{
	unsigned dst = row->reg == CBPF_X ? c->plan->x : A;

	if (c->loop)
		load_packet_length(c, dst);
	else if (c->target == CBPF_TO_SECCOMP) {
		ebpf_mov_imm(&c->e, 4, dst, SECCOMP_DATA_SIZE);
	} else if (c->target == CBPF_TO_XDP) {
		ebpf_mov(&c->e, 8, TEMPORARY, c->plan->end);
		ebpf_alu(&c->e, ALU_SUB, 8, TEMPORARY, c->plan->data);
		ebpf_mov(&c->e, 4, dst, TEMPORARY);
	} else {
		ebpf_load(&c->e, 4, dst, c->plan->context,
			  c->target == CBPF_TO_NATIVE ? offsetof(struct cbpf_native_ctx, len) : 0);
	}
}

/* Direct, or by a copy on the stack where a call may be needed for them. */
unsigned convert_bytes(struct converter *c, uint32_t k, int32_t *off)
{
	struct ebpf *e = &c->e;
	uint32_t missing, done;

	*off = (int32_t)k;
	if (c->kind->direct && !c->kind->load_bytes) {
		if (k + 16 > c->facts[c->pc].known)
			converter_reach(c, k + 16, c->drop);
		return c->plan->data;
	}
	*off = BUFFER_OFF;
	missing = ebpf_labels(e, 2);
	done = missing + 1;
	if (c->kind->direct) {
		converter_reach(c, k + 16, missing);
		for (int32_t half = 0; half < 16; half += 8) {
			ebpf_load(e, 8, TEMPORARY, c->plan->data, (int32_t)k + half);
			ebpf_store(e, 8, FRAME, BUFFER_OFF + half, TEMPORARY);
		}
		ebpf_goto(e, done);
	}
	ebpf_label(e, missing);
	ebpf_mov_imm(e, 4, 2, (int32_t)k);
	into_buffer(c, 16);
	ebpf_call(e, LOAD_BYTES);
	ebpf_if_imm(e, COND_NE, 8, 0, 0, c->drop);
	ebpf_label(e, done);
	return FRAME;
}

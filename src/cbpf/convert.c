/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * convert.c - classic BPF to eBPF, for each kind of program that can stand in for a filter.
 *
 *   A: r0      X, context, packet and its end: by the plan      temporary: r5
 *   M[k]: r6 to r9 without calls, then r10 - 128 + 8k, wide enough for the verifier to
 *         know what is there
 *
 * Nearly all filters need no call; for them everything lies in registers that a function may
 * use freely. Where a load can be answered by a call only (LD_ABS and LD_IND, or helpers),
 * the others are kept in registers that calls keep.
 *
 * A load from the packet compares with its end first, unless an earlier load on every way
 * here has found as many bytes. What it does not find there is missing, or for
 * the kinds of program whose packets come in pieces, asked for by a call.
 */
#include "cbpf/convert.h"

#include <errno.h>
#include <stdio.h>

enum { A = 0, TEMPORARY = 5, FRAME = 10 };
/* Of a loop over packets; one for a word of memory is left. */
enum { WORD = 1, PACKETS = 6, RESULTS = 7, LEFT = 8, PASSED = 9 };
enum { MEMORY_OFF = -128, SAVE_OFF = -136, BUFFER_OFF = -144 };
enum helper_id { PRANDOM = 7, PROCESSOR = 8, LOAD_BYTES = 26, LOAD_BYTES_RELATIVE = 68 };
enum { FROM_LINK = 0, FROM_NETWORK = 1 }; /* of LOAD_BYTES_RELATIVE */

struct plan { uint8_t context, data, end, x; };

static const struct plan plan_leaf = { 1, 2, 3, 4 };
static const struct plan plan_calls = { 6, 8, 9, 7 };

/* What a kind of program has. */
struct kind {
	const char *name;
	bool packet;             /* packets at all */
	bool direct;             /* the packet by pointers, at data_off and end_off of the context */
	uint8_t pointer;         /* bytes of a pointer in the context */
	uint8_t data_off, end_off;
	bool legacy;             /* LD_ABS and LD_IND, which end the program with 0 */
	bool load_bytes;         /* helpers that copy from it */
	bool verdict;            /* returns pass or drop rather than the filter's number */
	int32_t pass, drop;
};

static const struct kind kinds[] = {
	[CBPF_TO_SOCKET_FILTER] = { .name = "a socket filter", .packet = true, .legacy = true },
	[CBPF_TO_TC] = { .name = "a tc classifier", .packet = true, .direct = true, .pointer = 4,
			 .data_off = 76, .end_off = 80, .load_bytes = true, .verdict = true,
			 .pass = 0 /* TC_ACT_OK */, .drop = 2 /* TC_ACT_SHOT */ },
	[CBPF_TO_XDP] = { .name = "an XDP program", .packet = true, .direct = true, .pointer = 4,
			  .data_off = 0, .end_off = 4, .verdict = true,
			  .pass = 2 /* XDP_PASS */, .drop = 1 /* XDP_DROP */ },
	[CBPF_TO_NATIVE] = { .name = "native code", .packet = true, .direct = true, .pointer = 8,
			     .data_off = offsetof(struct cbpf_native_ctx, data),
			     .end_off = offsetof(struct cbpf_native_ctx, data_end), .legacy = true },
	[CBPF_TO_SECCOMP] = { .name = "a seccomp filter" },
};

/* Metadata as a field of a context; size 0: there is none. */
struct metadata_field { uint8_t off, size, swap; };

#define NATIVE(member) { offsetof(struct cbpf_native_ctx, member), 4, 0 }

static const struct metadata_field metadata[][CBPF_ANCILLARY_COUNT] = {
	/* struct __sk_buff */
	[CBPF_TO_SOCKET_FILTER] = {
		[CBPF_AD_PROTOCOL / 4] = { 16, 4, 2 }, [CBPF_AD_PKTTYPE / 4] = { 4, 4, 0 },
		[CBPF_AD_IFINDEX / 4] = { 40, 4, 0 }, [CBPF_AD_MARK / 4] = { 8, 4, 0 },
		[CBPF_AD_QUEUE / 4] = { 12, 4, 0 }, [CBPF_AD_RXHASH / 4] = { 68, 4, 0 },
		[CBPF_AD_VLAN_TCI / 4] = { 24, 4, 0 }, [CBPF_AD_VLAN_AVAIL / 4] = { 20, 4, 0 },
		[CBPF_AD_VLAN_TPID / 4] = { 28, 4, 2 },
	},
	[CBPF_TO_TC] = {
		[CBPF_AD_PROTOCOL / 4] = { 16, 4, 2 }, [CBPF_AD_PKTTYPE / 4] = { 4, 4, 0 },
		[CBPF_AD_IFINDEX / 4] = { 40, 4, 0 }, [CBPF_AD_MARK / 4] = { 8, 4, 0 },
		[CBPF_AD_QUEUE / 4] = { 12, 4, 0 }, [CBPF_AD_RXHASH / 4] = { 68, 4, 0 },
		[CBPF_AD_VLAN_TCI / 4] = { 24, 4, 0 }, [CBPF_AD_VLAN_AVAIL / 4] = { 20, 4, 0 },
		[CBPF_AD_VLAN_TPID / 4] = { 28, 4, 2 },
	},
	/* struct xdp_md */
	[CBPF_TO_XDP] = {
		[CBPF_AD_IFINDEX / 4] = { 12, 4, 0 }, [CBPF_AD_QUEUE / 4] = { 16, 4, 0 },
	},
	[CBPF_TO_NATIVE] = {
		[CBPF_AD_PROTOCOL / 4] = NATIVE(protocol), [CBPF_AD_PKTTYPE / 4] = NATIVE(type),
		[CBPF_AD_IFINDEX / 4] = NATIVE(ifindex), [CBPF_AD_HATYPE / 4] = NATIVE(hatype),
		[CBPF_AD_MARK / 4] = NATIVE(mark), [CBPF_AD_QUEUE / 4] = NATIVE(queue),
		[CBPF_AD_RXHASH / 4] = NATIVE(hash), [CBPF_AD_VLAN_TCI / 4] = NATIVE(vlan_tci),
		[CBPF_AD_VLAN_AVAIL / 4] = NATIVE(vlan_present),
		[CBPF_AD_VLAN_TPID / 4] = NATIVE(vlan_tpid), [CBPF_AD_CPU / 4] = NATIVE(cpu),
		[CBPF_AD_RANDOM / 4] = NATIVE(random), [CBPF_AD_PAY_OFFSET / 4] = NATIVE(payload),
	},
};

struct converter {
	const struct skep_cbpf_insn *insns;
	size_t count, pc;
	enum cbpf_target target;
	const struct kind *kind;
	const struct plan *plan;
	const struct cbpf_fact *facts;
	const char *name;
	struct ebpf e;
	uint8_t home[CBPF_MEMORY]; /* the register of a word of memory; 0: it is on the stack */
	uint32_t drop;           /* label: the packet is dropped */
	bool metadata, payload;
	bool loop;               /* over packets: where the filter returns, the next one follows */
	uint32_t next;           /* label: of that */
	struct skep_diag *diag;
};

static int cannot(const struct converter *c, const char *what)
{
	struct skep_where where = SKEP_NOWHERE;

	where.program = c->name;
	where.insn = (int64_t)c->pc;
	return skep_fail(c->diag, SKEP_CBPF_EBPF, &where, "instruction %zu: %s cannot load %s", c->pc,
			 c->kind->name, what);
}

/* --- loads from the packet --- */

/* r0 = what LOAD_BYTES left in the buffer; missing: drop. */
static void take_buffer(struct converter *c, unsigned width)
{
	ebpf_if_imm(&c->e, COND_NE, 8, 0, 0, c->drop);
	ebpf_load(&c->e, width, A, FRAME, BUFFER_OFF);
	ebpf_big_endian(&c->e, width, A);
}

/* A helper copies width bytes at the offset in r2. */
static void copy_bytes(struct converter *c, unsigned width)
{
	ebpf_mov(&c->e, 8, 1, c->plan->context);
	ebpf_mov(&c->e, 8, 3, FRAME);
	ebpf_alu_imm(&c->e, ALU_ADD, 8, 3, BUFFER_OFF);
	ebpf_mov_imm(&c->e, 4, 4, (int32_t)width);
	ebpf_call(&c->e, LOAD_BYTES);
	take_buffer(c, width);
}

static void copy_relative(struct converter *c, unsigned width, int32_t base)
{
	ebpf_mov(&c->e, 8, 1, c->plan->context);
	ebpf_mov(&c->e, 8, 3, FRAME);
	ebpf_alu_imm(&c->e, ALU_ADD, 8, 3, BUFFER_OFF);
	ebpf_mov_imm(&c->e, 4, 4, (int32_t)width);
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
		return cannot(c, "from where a header begins");
	if (k < CBPF_LINK) {
		drop_here(c);
		return 0;
	}
	ebpf_mov_imm(&c->e, 4, 2, (int32_t)(k - (k >= CBPF_NETWORK ? CBPF_NETWORK : CBPF_LINK)));
	copy_relative(c, width, k >= CBPF_NETWORK ? FROM_NETWORK : FROM_LINK);
	return 0;
}

/* dst = packet[k], network order to ours; only dst and the temporary change, but for calls. */
static int load_at(struct converter *c, unsigned width, unsigned dst, uint32_t k)
{
	struct ebpf *e = &c->e;
	uint32_t missing = c->drop, done = 0;

	if (!c->kind->direct || k > CBPF_DIRECT_MAX - width)
		return load_remote(c, width, k);
	if (c->kind->load_bytes) {
		missing = ebpf_labels(e, 2);
		done = missing + 1;
	}
	if (k + width > c->facts[c->pc].known || c->kind->load_bytes) {
		ebpf_mov(e, 8, TEMPORARY, c->plan->data);
		ebpf_alu_imm(e, ALU_ADD, 8, TEMPORARY, (int32_t)(k + width));
		ebpf_if(e, COND_GT, 8, TEMPORARY, c->plan->end, missing);
	}
	if (k > INT16_MAX) {
		ebpf_mov(e, 8, TEMPORARY, c->plan->data);
		ebpf_alu_imm(e, ALU_ADD, 8, TEMPORARY, (int32_t)k);
		ebpf_load(e, width, dst, TEMPORARY, 0);
	} else {
		ebpf_load(e, width, dst, c->plan->data, (int32_t)k);
	}
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

/* The largest offset of an indexed load is one that a pointer reaches. */
static bool index_is_near(const struct converter *c, const struct cbpf_row *row, uint32_t k)
{
	return (uint64_t)c->facts[c->pc].x + k <= CBPF_DIRECT_MAX - row->width;
}

/* A = packet[X + k]: A, which is about to change, serves as the second temporary. */
static void load_indirect(struct converter *c, const struct cbpf_row *row, uint32_t k)
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
	add_index(c, TEMPORARY, k);
	if (!near)
		ebpf_if_imm(e, COND_GT, 4, TEMPORARY, (int32_t)CBPF_DIRECT_MAX, missing);
	ebpf_alu(e, ALU_ADD, 8, TEMPORARY, c->plan->data);
	ebpf_mov(e, 8, A, TEMPORARY);
	ebpf_alu_imm(e, ALU_ADD, 8, A, row->width);
	ebpf_if(e, COND_GT, 8, A, c->plan->end, c->kind->load_bytes ? remote : c->drop);
	ebpf_load(e, row->width, A, TEMPORARY, 0);
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
static int load_msh(struct converter *c, uint32_t k)
{
	struct ebpf *e = &c->e;
	bool calls = !c->kind->direct || c->kind->load_bytes || k > CBPF_DIRECT_MAX - 1;
	int error;

	if (calls)
		ebpf_store(e, 8, FRAME, SAVE_OFF, A);
	error = load_at(c, 1, calls ? A : c->plan->x, k);
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

static void load_length(struct converter *c, const struct cbpf_row *row)
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

/* --- metadata --- */

/* Without a device the filter ends with what A holds. */
static void need_device(struct converter *c, uint8_t number)
{
	uint32_t found = ebpf_labels(&c->e, 1);

	if (number != CBPF_AD_IFINDEX && number != CBPF_AD_HATYPE)
		return;
	if (c->target == CBPF_TO_NATIVE)
		ebpf_load(&c->e, 4, TEMPORARY, c->plan->context,
			  offsetof(struct cbpf_native_ctx, has_device));
	else if (c->target == CBPF_TO_SOCKET_FILTER)
		ebpf_load(&c->e, 4, TEMPORARY, c->plan->context, 40);
	else
		return; /* tc and XDP are on a device */
	ebpf_if_imm(&c->e, COND_NE, 4, TEMPORARY, 0, found);
	ebpf_exit(&c->e);
	ebpf_label(&c->e, found);
}

/* What no field but a call or arithmetic gives; false: neither does. */
static bool load_computed(struct converter *c, uint8_t number)
{
	if (number == CBPF_AD_XOR_X) {
		ebpf_alu(&c->e, ALU_XOR, 4, A, c->plan->x);
		return true;
	}
	if (c->target == CBPF_TO_NATIVE)
		return false;
	if (number == CBPF_AD_CPU || number == CBPF_AD_RANDOM) {
		ebpf_call(&c->e, number == CBPF_AD_CPU ? PROCESSOR : PRANDOM);
		return true;
	}
	/* XDP sees packets before their tags are taken off. */
	if (c->target == CBPF_TO_XDP && (number == CBPF_AD_VLAN_AVAIL || number == CBPF_AD_VLAN_TCI ||
					 number == CBPF_AD_VLAN_TPID || number == CBPF_AD_MARK)) {
		ebpf_mov_imm(&c->e, 4, A, 0);
		return true;
	}
	return false;
}

static int load_metadata(struct converter *c, const struct cbpf_ancillary_row *ancillary)
{
	const struct metadata_field *field = &metadata[c->target][ancillary->number / 4];

	c->metadata = true;
	c->payload |= ancillary->number == CBPF_AD_PAY_OFFSET;
	if (field->size == 0) {
		char what[48];

		if (load_computed(c, ancillary->number))
			return 0;
		snprintf(what, sizeof(what), "'%s'", ancillary->listing);
		return cannot(c, what);
	}
	need_device(c, ancillary->number);
	ebpf_load(&c->e, field->size, A, c->plan->context, field->off);
	if (field->swap)
		ebpf_big_endian(&c->e, field->swap, A);
	return 0;
}

static int load_absolute(struct converter *c, const struct cbpf_row *row,
			 const struct skep_cbpf_insn *insn)
{
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	if (c->target == CBPF_TO_SECCOMP) {
		ebpf_load(&c->e, 4, A, c->plan->context, (int32_t)insn->k);
		return 0;
	}
	return ancillary ? load_metadata(c, ancillary) : load_at(c, row->width, A, insn->k);
}

/* --- everything else --- */

static void compute(struct converter *c, const struct cbpf_row *row, uint32_t k)
{
	if (row->reg == CBPF_K) {
		ebpf_alu_imm(&c->e, (enum alu)row->op, 4, A, (int32_t)k);
		return;
	}
	if (row->op == ALU_DIV || row->op == ALU_MOD)
		ebpf_if_imm(&c->e, COND_EQ, 4, c->plan->x, 0, c->drop);
	ebpf_alu(&c->e, (enum alu)row->op, 4, A, c->plan->x);
}

static void recall(struct converter *c, unsigned reg, uint32_t k)
{
	if (c->home[k])
		ebpf_mov(&c->e, 4, reg, c->home[k]);
	else
		ebpf_load(&c->e, 8, reg, FRAME, MEMORY_OFF + 8 * (int32_t)k);
}

static void keep(struct converter *c, unsigned reg, uint32_t k)
{
	if (c->home[k])
		ebpf_mov(&c->e, 4, c->home[k], reg);
	else
		ebpf_store(&c->e, 8, FRAME, MEMORY_OFF + 8 * (int32_t)k, reg);
}

static void jump_if(struct converter *c, const struct cbpf_row *row, enum cond op, uint32_t k,
		    size_t target)
{
	if (row->reg == CBPF_X)
		ebpf_if(&c->e, op, 4, A, c->plan->x, (uint32_t)target);
	else
		ebpf_if_imm(&c->e, op, 4, A, (int32_t)k, (uint32_t)target);
}

static void branch(struct converter *c, const struct cbpf_row *row,
		   const struct skep_cbpf_insn *insn)
{
	size_t yes = cbpf_true_target(insn, c->pc), no = cbpf_false_target(insn, c->pc);
	enum cond inverse;

	if (yes == no) {
		if (insn->jt != 0)
			ebpf_goto(&c->e, (uint32_t)yes);
		return;
	}
	if (insn->jt == 0 && cond_inverse((enum cond)row->op, &inverse)) {
		jump_if(c, row, inverse, insn->k, no);
		return;
	}
	jump_if(c, row, (enum cond)row->op, insn->k, yes);
	if (insn->jf != 0)
		ebpf_goto(&c->e, (uint32_t)no);
}

static void leave(struct converter *c)
{
	if (c->loop)
		ebpf_goto(&c->e, c->next);
	else
		ebpf_exit(&c->e);
}

static void give_back(struct converter *c, const struct cbpf_row *row, uint32_t k)
{
	struct ebpf *e = &c->e;

	if (c->kind->verdict && row->reg == CBPF_A)
		ebpf_if_imm(e, COND_EQ, 4, A, 0, c->drop);
	if (c->kind->verdict)
		ebpf_mov_imm(e, 4, A, row->reg == CBPF_K && k == 0 ? c->kind->drop : c->kind->pass);
	else if (row->reg == CBPF_K)
		ebpf_mov_imm(e, 4, A, (int32_t)k);
	leave(c);
}

static int convert_insn(struct converter *c)
{
	const struct skep_cbpf_insn *insn = &c->insns[c->pc];
	const struct cbpf_row *row = cbpf_row(insn->code);
	unsigned reg = row->reg == CBPF_X ? c->plan->x : A;

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		return load_absolute(c, row, insn);
	case CBPF_IND:
		load_indirect(c, row, insn->k);
		break;
	case CBPF_MSH:
		return load_msh(c, insn->k);
	case CBPF_LEN:
		load_length(c, row);
		break;
	case CBPF_IMM:
		ebpf_mov_imm(&c->e, 4, reg, (int32_t)insn->k);
		break;
	case CBPF_MEM:
		recall(c, reg, insn->k);
		break;
	case CBPF_STORE:
		keep(c, reg, insn->k);
		break;
	case CBPF_ALU:
		compute(c, row, insn->k);
		break;
	case CBPF_NEG:
		ebpf_alu_imm(&c->e, ALU_NEG, 4, A, 0);
		break;
	case CBPF_GOTO:
		if (insn->k)
			ebpf_goto(&c->e, (uint32_t)cbpf_goto_target(insn, c->pc));
		break;
	case CBPF_JUMP:
		branch(c, row, insn);
		break;
	case CBPF_RETURN:
		give_back(c, row, insn->k);
		break;
	case CBPF_TAX:
		ebpf_mov(&c->e, 4, c->plan->x, A);
		break;
	case CBPF_TXA:
		ebpf_mov(&c->e, 4, A, c->plan->x);
		break;
	}
	return 0;
}

/* Does any load need a call? */
static bool needs_calls(struct converter *c)
{
	for (c->pc = 0; c->pc < c->count; c->pc++) {
		const struct skep_cbpf_insn *insn = &c->insns[c->pc];
		const struct cbpf_row *row = cbpf_row(insn->code);
		const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);
		bool packet = row->kind == CBPF_ABS || row->kind == CBPF_IND || row->kind == CBPF_MSH;

		if (!c->facts[c->pc].reached || !c->kind->packet || !packet)
			continue;
		if (ancillary && c->target != CBPF_TO_NATIVE &&
		    (ancillary->number == CBPF_AD_CPU || ancillary->number == CBPF_AD_RANDOM))
			return true;
		if (ancillary)
			continue;
		if (!c->kind->direct || c->kind->load_bytes)
			return true;
		if (row->kind == CBPF_IND ? c->kind->legacy && !index_is_near(c, row, insn->k)
					  : insn->k > CBPF_DIRECT_MAX - row->width && c->kind->legacy)
			return true;
	}
	return false;
}

/* The words used first get the registers that there are. */
static void find_homes(struct converter *c)
{
	uint8_t reg = 6;

	if (c->plan != &plan_leaf)
		return;
	for (size_t pc = 0; pc < c->count && reg < FRAME; pc++) {
		const struct cbpf_row *row = cbpf_row(c->insns[pc].code);
		uint32_t k = c->insns[pc].k;

		if (c->facts[pc].reached && row->kind == CBPF_STORE && !c->home[k])
			c->home[k] = reg++;
	}
}

static void prologue(struct converter *c)
{
	struct ebpf *e = &c->e;

	if (c->plan->context != 1)
		ebpf_mov(e, 8, c->plan->context, 1);
	if (c->kind->direct) {
		ebpf_load(e, c->kind->pointer, c->plan->data, c->plan->context, c->kind->data_off);
		ebpf_load(e, c->kind->pointer, c->plan->end, c->plan->context, c->kind->end_off);
	}
	ebpf_mov_imm(e, 4, A, 0);
	ebpf_mov_imm(e, 4, c->plan->x, 0);
}

/* Where the packet is dropped. */
static void place_drop(struct converter *c)
{
	ebpf_label(&c->e, c->drop);
	ebpf_mov_imm(&c->e, 4, A, c->kind->drop);
	leave(c);
}

/* Does the instruction at pc go on to the next? */
static bool goes_on(const struct converter *c)
{
	const struct skep_cbpf_insn *insn = &c->insns[c->pc];
	const struct cbpf_row *row = cbpf_row(insn->code);

	if (row->kind == CBPF_JUMP)
		return insn->jt == 0 || insn->jf == 0;
	return row->kind != CBPF_RETURN && (row->kind != CBPF_GOTO || insn->k == 0);
}

static void place_drop_between(struct converter *c)
{
	uint32_t over = ebpf_labels(&c->e, 2);

	if (goes_on(c))
		ebpf_goto(&c->e, over);
	place_drop(c);
	ebpf_label(&c->e, over);
	c->drop = over + 1;
}

static bool drop_is_wanted(const struct converter *c)
{
	for (size_t i = c->e.jumps.count; i-- > 0;) {
		if (c->e.jumps.items[i].label == c->drop)
			return true;
	}
	return false;
}

/* All instructions, and at the end the place where the packet is dropped. */
static int convert_body(struct converter *c)
{
	size_t since = 0;
	int error = 0;

	for (c->pc = 0; c->pc < c->count && error == 0 && !c->e.failed; c->pc++) {
		ebpf_label(&c->e, (uint32_t)c->pc);
		if (!c->facts[c->pc].reached)
			continue;
		error = convert_insn(c);
		/* In a long filter, so often that each jump reaches one. */
		if (c->e.out.count - since > 16000 && drop_is_wanted(c)) {
			place_drop_between(c);
			since = c->e.out.count;
		}
	}
	if (error == 0 && drop_is_wanted(c))
		place_drop(c);
	return error;
}

static int convert_all(struct converter *c)
{
	c->plan = needs_calls(c) ? &plan_calls : &plan_leaf;
	find_homes(c);
	ebpf_labels(&c->e, c->count);
	c->drop = ebpf_labels(&c->e, 1);
	prologue(c);
	return convert_body(c);
}

/* --- over packets --- */

/* It may use A, X, the packet and one word of memory: all other registers are the loop's. */
static bool fits_loop(struct converter *c)
{
	int64_t word = -1;

	if (needs_calls(c))
		return false;
	for (size_t pc = 0; pc < c->count; pc++) {
		const struct skep_cbpf_insn *insn = &c->insns[pc];
		const struct cbpf_row *row = cbpf_row(insn->code);

		if (!c->facts[pc].reached)
			continue;
		if (cbpf_ancillary(insn))
			return false;
		if (row->kind != CBPF_STORE)
			continue;
		if (word >= 0 && word != insn->k)
			return false;
		word = insn->k;
		c->home[word] = WORD;
	}
	return true;
}

static int convert_loop(struct converter *c)
{
	struct ebpf *e = &c->e;
	uint32_t again, skip;
	int error;

	if (!fits_loop(c))
		return -EOPNOTSUPP;
	c->plan = &plan_leaf;
	c->loop = true;
	ebpf_labels(e, c->count);
	c->drop = ebpf_labels(e, 4);
	c->next = c->drop + 1;
	again = c->drop + 2;
	skip = c->drop + 3;
	ebpf_mov(e, 8, PACKETS, 1);
	ebpf_mov(e, 8, RESULTS, 2);
	ebpf_mov(e, 8, LEFT, 3);
	ebpf_mov_imm(e, 4, PASSED, 0);
	ebpf_label(e, again);
	ebpf_load(e, 8, c->plan->data, PACKETS, offsetof(struct skep_cbpf_packet, data));
	ebpf_load(e, 4, c->plan->end, PACKETS, offsetof(struct skep_cbpf_packet, size));
	ebpf_alu(e, ALU_ADD, 8, c->plan->end, c->plan->data);
	ebpf_mov_imm(e, 4, A, 0);
	ebpf_mov_imm(e, 4, c->plan->x, 0);
	error = convert_body(c);
	ebpf_label(e, c->next);
	ebpf_store(e, 4, RESULTS, 0, A);
	ebpf_if_imm(e, COND_EQ, 4, A, 0, skip);
	ebpf_alu_imm(e, ALU_ADD, 8, PASSED, 1);
	ebpf_label(e, skip);
	ebpf_alu_imm(e, ALU_ADD, 8, PACKETS, sizeof(struct skep_cbpf_packet));
	ebpf_alu_imm(e, ALU_ADD, 8, RESULTS, sizeof(uint32_t));
	ebpf_alu_imm(e, ALU_SUB, 8, LEFT, 1);
	ebpf_if_imm(e, COND_NE, 8, LEFT, 0, again);
	ebpf_mov(e, 8, A, PASSED);
	ebpf_exit(e);
	return error;
}

int cbpf_convert_loop(const struct skep_cbpf_insn *insns, size_t count,
		      struct cbpf_program *program)
{
	struct cbpf_fact *facts = cbpf_flow(insns, count);
	struct converter c = { .insns = insns, .count = count, .target = CBPF_TO_NATIVE, .name = "loop",
			       .kind = &kinds[CBPF_TO_NATIVE], .facts = facts };
	int error = facts ? convert_loop(&c) : -ENOMEM;

	if (c.e.failed)
		error = -ENOMEM;
	if (error == 0 && !ebpf_resolve(&c.e))
		error = -EOPNOTSUPP;
	if (error == 0)
		*program = (struct cbpf_program){ .insns = c.e.out.items, .count = c.e.out.count };
	else
		vec_done(&c.e.out);
	vec_done(&c.e.jumps);
	vec_done(&c.e.labels);
	free(facts);
	return error;
}

/* --- the calls --- */

int cbpf_convert(const struct skep_cbpf_insn *insns, size_t count, enum cbpf_target target,
		 const char *name, struct cbpf_program *program, struct skep_diag *diag)
{
	struct cbpf_fact *facts = cbpf_flow(insns, count);
	struct converter c = { .insns = insns, .count = count, .target = target, .name = name,
			       .kind = &kinds[target], .facts = facts, .diag = diag };
	int error = facts ? convert_all(&c) : -ENOMEM;

	if (c.e.failed || error == -ENOMEM)
		error = skep_fail(diag, SKEP_OOM, NULL, "converting a filter of %zu instructions", count);
	else if (error == 0 && !ebpf_resolve(&c.e))
		error = skep_fail(diag, SKEP_CBPF_EBPF, NULL,
				  "'%s' is so long that its jumps do not reach", name);
	if (error == 0)
		*program = (struct cbpf_program){ c.e.out.items, c.e.out.count, c.e.calls, c.e.stack,
						  c.metadata, c.payload };
	else
		vec_done(&c.e.out);
	vec_done(&c.e.jumps);
	vec_done(&c.e.labels);
	free(facts);
	return error;
}

int skep_cbpf_to_ebpf(const struct skep_cbpf_insn *insns, size_t count,
		      enum skep_cbpf_target target, const char *name, struct skep_insn **ebpf,
		      size_t *ebpf_count, struct skep_diag *diag)
{
	struct cbpf_program program;
	int error = skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, name, diag);

	if (error == 0)
		error = cbpf_convert(insns, count, (enum cbpf_target)target, name, &program, diag);
	if (error == 0) {
		*ebpf = program.insns;
		*ebpf_count = program.count;
	}
	return error;
}

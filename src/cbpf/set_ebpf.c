/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set_ebpf.c - a set's lookup as eBPF instructions: what set_find() does, without a loop, and with
 * every index bounded by a shift, so that any verifier sees it stay in the data.
 */
#include "cbpf/set.h"

/* one = bit of the port in the map */
static void emit_ports(struct ebpf *e, const struct cbpf_set *set, const struct set_registers *r,
		       uint32_t yes)
{
	ebpf_mov(e, 4, r->one, r->value);
	ebpf_alu_imm(e, ALU_AND, 4, r->one, UINT16_MAX);
	ebpf_alu_imm(e, ALU_RSH, 4, r->one, 5);
	ebpf_alu_imm(e, ALU_LSH, 4, r->one, 2);
	ebpf_data(e, r->two, set->map);
	ebpf_alu(e, ALU_ADD, 8, r->one, r->two);
	ebpf_load(e, 4, r->one, r->one, 0);
	ebpf_alu(e, ALU_RSH, 4, r->one, r->value);
	ebpf_alu_imm(e, ALU_AND, 4, r->one, 1);
	ebpf_if_imm(e, COND_NE, 4, r->one, 0, yes);
}

/* --- addresses of 4 bytes --- */

/* reg = the part of the address that a table's prefixes have */
static void emit_key(struct ebpf *e, const struct set_table *table, const struct set_registers *r,
		     unsigned reg)
{
	ebpf_mov(e, 4, reg, r->value);
	if (table->bits < 32)
		ebpf_alu_imm(e, ALU_AND, 4, reg, table->bits ? (int32_t)(UINT32_MAX << (32 - table->bits)) : 0);
}

/* one = the word at one in the data from at on */
static void emit_word(struct ebpf *e, const struct set_registers *r, uint32_t at)
{
	ebpf_alu_imm(e, ALU_LSH, 4, r->one, 2);
	ebpf_data(e, r->two, at);
	ebpf_alu(e, ALU_ADD, 8, r->one, r->two);
	ebpf_load(e, 4, r->one, r->one, 0);
}

static void emit_table(struct ebpf *e, const struct set_table *table, const struct set_registers *r,
		       uint32_t yes)
{
	bool whole = table->bits == 32;
	unsigned key = whole ? r->value : r->two;

	emit_key(e, table, r, r->one);
	ebpf_alu_imm(e, ALU_MUL, 4, r->one, (int32_t)table->factor);
	ebpf_alu_imm(e, ALU_RSH, 4, r->one, 32 - table->seed_bits);
	emit_word(e, r, table->seeds);
	if (!whole)
		emit_key(e, table, r, r->two);
	ebpf_alu(e, ALU_XOR, 4, r->one, key);
	ebpf_alu_imm(e, ALU_MUL, 4, r->one, (int32_t)SET_SLOT_FACTOR);
	ebpf_alu_imm(e, ALU_RSH, 4, r->one, 32 - table->slot_bits);
	emit_word(e, r, table->slots);
	if (!whole)
		emit_key(e, table, r, r->two);
	ebpf_if(e, COND_EQ, 4, r->one, key, yes);
}

/* --- addresses of 16 bytes --- */

/* one ^= one >> 32 */
static void emit_fold(struct ebpf *e, const struct set_registers *r)
{
	ebpf_mov(e, 8, r->two, r->one);
	ebpf_alu_imm(e, ALU_RSH, 8, r->two, 32);
	ebpf_alu(e, ALU_XOR, 8, r->one, r->two);
}

/* one = hash of the prefix, by value and two */
static void emit_hash6(struct ebpf *e, const struct set_table *table, const struct set_registers *r)
{
	ebpf_load(e, 8, r->one, r->base, r->off);
	if (table->bits < 64) {
		ebpf_imm64(e, r->two, set_mask(table->bits, false));
		ebpf_alu(e, ALU_AND, 8, r->one, r->two);
	}
	ebpf_imm64(e, r->two, SET_FOLD_FACTOR6);
	ebpf_alu(e, ALU_MUL, 8, r->one, r->two);
	emit_fold(e, r);
	if (table->bits > 64) {
		ebpf_load(e, 8, r->two, r->base, r->off + 8);
		if (table->bits < 128) {
			ebpf_imm64(e, r->value, set_mask(table->bits, true));
			ebpf_alu(e, ALU_AND, 8, r->two, r->value);
		}
		ebpf_alu(e, ALU_ADD, 8, r->one, r->two);
	}
	ebpf_imm64(e, r->two, table->factor);
	ebpf_alu(e, ALU_MUL, 8, r->one, r->two);
	emit_fold(e, r);
}

/* On to no, unless half of the slot that one points to is that of the address. */
static void emit_half(struct ebpf *e, const struct set_table *table, const struct set_registers *r,
		      bool last, uint32_t no)
{
	int32_t half = last ? 8 : 0;
	uint64_t mask = set_mask(table->bits, last);

	if (mask == 0)
		return;
	ebpf_load(e, 8, r->value, r->base, r->off + half);
	ebpf_load(e, 8, r->two, r->one, half);
	if (mask != UINT64_MAX) {
		ebpf_alu(e, ALU_XOR, 8, r->value, r->two);
		ebpf_imm64(e, r->two, mask);
		ebpf_alu(e, ALU_AND, 8, r->value, r->two);
		ebpf_if_imm(e, COND_NE, 8, r->value, 0, no);
	} else {
		ebpf_if(e, COND_NE, 8, r->value, r->two, no);
	}
}

static void emit_table6(struct ebpf *e, const struct set_table *table, const struct set_registers *r,
			uint32_t yes)
{
	uint32_t no = ebpf_labels(e, 1);

	emit_hash6(e, table, r);
	ebpf_mov(e, 8, r->two, r->one);
	ebpf_alu_imm(e, ALU_RSH, 8, r->two, 64 - table->seed_bits);
	ebpf_alu_imm(e, ALU_LSH, 8, r->two, 2);
	ebpf_data(e, r->value, table->seeds);
	ebpf_alu(e, ALU_ADD, 8, r->two, r->value);
	ebpf_load(e, 4, r->two, r->two, 0);
	ebpf_alu(e, ALU_XOR, 8, r->one, r->two);
	ebpf_imm64(e, r->two, SET_SLOT_FACTOR6);
	ebpf_alu(e, ALU_MUL, 8, r->one, r->two);
	ebpf_alu_imm(e, ALU_RSH, 8, r->one, 64 - table->slot_bits);
	ebpf_alu_imm(e, ALU_LSH, 8, r->one, 4);
	ebpf_data(e, r->two, table->slots);
	ebpf_alu(e, ALU_ADD, 8, r->one, r->two);
	emit_half(e, table, r, false, no);
	emit_half(e, table, r, true, no);
	ebpf_goto(e, yes);
	ebpf_label(e, no);
}

void set_emit(struct ebpf *e, const struct cbpf_set *set, const struct set_registers *r, uint32_t yes)
{
	if (set->width == SET_PORTS)
		emit_ports(e, set, r, yes);
	for (size_t i = 0; i < set->tables.count; i++) {
		if (set->width == SET_ADDRESSES6)
			emit_table6(e, &set->tables.items[i], r, yes);
		else
			emit_table(e, &set->tables.items[i], r, yes);
	}
}

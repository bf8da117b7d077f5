/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.c - reads call frame information (.eh_frame) and runs its programs, once.
 *
 *   | CIE: how addresses are written, first rules | FDE: a function, its rules | ...
 *
 * Rules are little programs: "at the next instruction but two, rsp is 16 below the CFA;
 * rbp is saved 16 below the CFA". Only rsp, rbp and the return address matter here.
 * The bytes are foreign: a reader that runs over an end reads zeros and fails.
 */
#include "hook/unwind.h"

#include <stdlib.h>
#include <string.h>

enum { RBP = 6, RSP = 7, RETURN = 16, REMEMBERED = 8, ROWS_MAX = 8 << 20 };

/* --- reading --- */

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static uint64_t read_bytes(struct reader *r, size_t size)
{
	uint64_t value = 0;

	if ((size_t)(r->end - r->at) < size) {
		r->failed = true;
		r->at = r->end;
		return 0;
	}
	memcpy(&value, r->at, size);
	r->at += size;
	return value;
}

static int64_t read_signed(struct reader *r, size_t size)
{
	unsigned shift = 64 - 8 * (unsigned)size;

	return (int64_t)(read_bytes(r, size) << shift) >> shift;
}

static uint64_t read_leb(struct reader *r, bool is_signed)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)read_bytes(r, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && byte & 0x40 && shift < 64)
		value |= ~UINT64_C(0) << shift;
	return value;
}

static struct reader read_block(struct reader *r, uint64_t size)
{
	struct reader block = { r->at, r->at, r->failed };

	if ((uint64_t)(r->end - r->at) < size) {
		r->failed = true;
		return block;
	}
	block.end = r->at += size;
	return block;
}

/* How a pointer is written: low four bits the form, high ones what it is relative to. */
enum { PE_ABS = 0, PE_ULEB = 1, PE_U2, PE_U4, PE_U8, PE_SLEB = 9, PE_S2, PE_S4, PE_S8,
       PE_PCREL = 0x10, PE_OMIT = 0xff };

static uint64_t read_pointer(struct reader *r, uint8_t form, uint64_t here)
{
	uint64_t value;

	switch (form & 0x0f) {
	case PE_ABS: case PE_U8: case PE_S8: value = read_bytes(r, 8); break;
	case PE_ULEB: value = read_leb(r, false); break;
	case PE_SLEB: value = read_leb(r, true); break;
	case PE_U2: value = read_bytes(r, 2); break;
	case PE_U4: value = read_bytes(r, 4); break;
	case PE_S2: value = (uint64_t)read_signed(r, 2); break;
	case PE_S4: value = (uint64_t)read_signed(r, 4); break;
	default: r->failed = true; return 0;
	}
	if ((form & 0x70) == PE_PCREL)
		return value + here;
	r->failed |= (form & 0xf0) != 0 && form != PE_OMIT;
	return value;
}

/* --- rules --- */

struct rules {
	enum unwind_cfa cfa;
	unsigned cfa_reg;
	int64_t cfa_off;
	enum unwind_rbp rbp;
	int64_t rbp_off;
	bool outermost, strange;  /* the return address is undefined; rules we cannot follow */
};

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointers;         /* PE_* of an FDE's addresses */
	bool has_augmentation, is_signal;
	struct rules first;
};

struct builder {
	struct view section;
	uint64_t address;         /* of the section */
	VEC(struct unwind_row) rows;
	bool failed;
};

static struct unwind_row row_of(const struct cie *cie, const struct rules *rules, uint64_t pc)
{
	struct unwind_row row = { .pc = (uint32_t)pc, .cfa = UNWIND_UNKNOWN };

	if (cie->is_signal) {
		row.cfa = UNWIND_SIGNAL;
	} else if (rules->outermost) {
		row.cfa = UNWIND_END;
	} else if (!rules->strange && rules->cfa_off == (int16_t)rules->cfa_off &&
		   rules->rbp_off == (int16_t)rules->rbp_off) {
		row.cfa = (uint8_t)rules->cfa;
		if (rules->cfa == UNWIND_SP && rules->cfa_reg == RBP)
			row.cfa = UNWIND_BP;
		else if (rules->cfa == UNWIND_SP && rules->cfa_reg != RSP)
			row.cfa = UNWIND_UNKNOWN;
		row.cfa_off = (int16_t)rules->cfa_off;
		row.rbp = (uint8_t)rules->rbp;
		row.rbp_off = (int16_t)rules->rbp_off;
	}
	return row;
}

static void add_row(struct builder *b, struct unwind_row row)
{
	struct unwind_row *last = b->rows.count ? &b->rows.items[b->rows.count - 1] : NULL;

	if (!last || last->pc != row.pc)
		last = b->rows.count < ROWS_MAX ? vec_push(&b->rows) : NULL;
	if (last)
		*last = row;
	else
		b->failed = true;
}

/* Expressions that compilers and linkers do write: "*(rbp + n)" and a PLT's. */
static void cfa_expression(struct rules *rules, struct reader block)
{
	static const uint8_t plt[] = { 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0, 0x2a, 0x33, 0x24, 0x22 };
	size_t size = (size_t)(block.end - block.at);

	rules->strange = false;
	if (size == sizeof(plt) && memcmp(block.at, plt, 6) == 0 &&
	    memcmp(block.at + 7, plt + 7, 4) == 0 && block.at[6] >= 0x30 && block.at[6] <= 0x3f) {
		rules->cfa = UNWIND_PLT;
		rules->cfa_off = block.at[6] - 0x30;
		return;
	}
	if (read_bytes(&block, 1) == 0x76) {
		rules->cfa = UNWIND_AT_BP;
		rules->cfa_off = (int64_t)read_leb(&block, true);
		if (read_bytes(&block, 1) == 0x06 && block.at == block.end && !block.failed)
			return;
	}
	rules->strange = true;
}

static void saved(struct rules *rules, uint64_t reg, int64_t off)
{
	if (reg == RBP) {
		rules->rbp = UNWIND_RBP_SAVED;
		rules->rbp_off = off;
	} else if (reg == RETURN) {
		rules->strange |= off != -8;
	}
}

static void same(struct rules *rules, const struct rules *first, uint64_t reg)
{
	if (reg == RBP) {
		rules->rbp = first->rbp;
		rules->rbp_off = first->rbp_off;
	} else if (reg == RETURN) {
		rules->outermost = first->outermost;
	}
}

static void saved_at(struct rules *rules, uint64_t reg, struct reader block)
{
	if (reg == RETURN)
		rules->strange = true;
	if (reg != RBP)
		return;
	rules->strange |= read_bytes(&block, 1) != 0x76;
	rules->rbp = UNWIND_RBP_AT_BP;
	rules->rbp_off = (int64_t)read_leb(&block, true);
	rules->strange |= block.at != block.end || block.failed;
}

static void define_cfa(struct rules *rules, uint64_t reg, int64_t off)
{
	rules->cfa = UNWIND_SP;
	rules->cfa_reg = (unsigned)reg;
	rules->cfa_off = off;
}

struct run {
	const struct cie *cie;
	struct rules rules, remembered[REMEMBERED];
	unsigned depth;
	uint64_t pc, end;
};

static void advance(struct builder *b, struct run *run, uint64_t delta)
{
	if (b && run->pc < run->end)
		add_row(b, row_of(run->cie, &run->rules, run->pc));
	run->pc += delta * run->cie->code_align;
}

/* The codes of DWARF's call frame instructions. */
enum { CFA_NOP, CFA_SET_LOC, CFA_ADVANCE1, CFA_ADVANCE2, CFA_ADVANCE4, CFA_OFFSET_EXTENDED,
       CFA_RESTORE_EXTENDED, CFA_UNDEFINED, CFA_SAME, CFA_REGISTER, CFA_REMEMBER, CFA_RESTORE_STATE,
       CFA_DEF, CFA_DEF_REGISTER, CFA_DEF_OFFSET, CFA_DEF_EXPRESSION, CFA_EXPRESSION,
       CFA_OFFSET_SF, CFA_DEF_SF, CFA_DEF_OFFSET_SF, CFA_VAL_OFFSET, CFA_VAL_OFFSET_SF,
       CFA_VAL_EXPRESSION, CFA_ARGS_SIZE = 0x2e,
       CFA_ADVANCE = 0x40, CFA_OFFSET = 0x80, CFA_RESTORE = 0xc0 };

static void run_register(struct run *run, struct reader *r, uint8_t code)
{
	struct rules *rules = &run->rules;
	const struct rules *first = &run->cie->first;
	int64_t align = run->cie->data_align;
	uint64_t reg = read_leb(r, false);

	switch (code) {
	case CFA_OFFSET_EXTENDED: saved(rules, reg, (int64_t)read_leb(r, false) * align); break;
	case CFA_OFFSET_SF: saved(rules, reg, (int64_t)read_leb(r, true) * align); break;
	case CFA_RESTORE_EXTENDED: same(rules, first, reg); break;
	case CFA_SAME:
		if (reg == RBP)
			rules->rbp = UNWIND_RBP_SAME;
		break;
	case CFA_UNDEFINED: rules->outermost |= reg == RETURN; break;
	case CFA_REGISTER: case CFA_VAL_OFFSET:
		read_leb(r, false);
		rules->strange |= reg == RBP || reg == RETURN;
		break;
	case CFA_VAL_OFFSET_SF:
		read_leb(r, true);
		rules->strange |= reg == RBP || reg == RETURN;
		break;
	case CFA_EXPRESSION: saved_at(rules, reg, read_block(r, read_leb(r, false))); break;
	case CFA_VAL_EXPRESSION:
		read_block(r, read_leb(r, false));
		rules->strange |= reg == RBP || reg == RETURN;
		break;
	case CFA_DEF: define_cfa(rules, reg, (int64_t)read_leb(r, false)); break;
	case CFA_DEF_SF: define_cfa(rules, reg, (int64_t)read_leb(r, true) * align); break;
	case CFA_DEF_REGISTER: define_cfa(rules, reg, rules->cfa_off); break;
	default: r->failed = true;
	}
}

static void run_code(struct builder *b, struct run *run, struct reader *r, uint8_t code)
{
	switch (code) {
	case CFA_NOP: return;
	case CFA_ADVANCE1: advance(b, run, read_bytes(r, 1)); return;
	case CFA_ADVANCE2: advance(b, run, read_bytes(r, 2)); return;
	case CFA_ADVANCE4: advance(b, run, read_bytes(r, 4)); return;
	case CFA_REMEMBER:
		if (run->depth < REMEMBERED)
			run->remembered[run->depth++] = run->rules;
		else
			r->failed = true;
		return;
	case CFA_RESTORE_STATE:
		if (run->depth > 0)
			run->rules = run->remembered[--run->depth];
		else
			r->failed = true;
		return;
	case CFA_DEF_OFFSET: run->rules.cfa_off = (int64_t)read_leb(r, false); return;
	case CFA_DEF_OFFSET_SF:
		run->rules.cfa_off = (int64_t)read_leb(r, true) * run->cie->data_align;
		return;
	case CFA_DEF_EXPRESSION:
		cfa_expression(&run->rules, read_block(r, read_leb(r, false)));
		return;
	case CFA_ARGS_SIZE: read_leb(r, false); return;
	default: run_register(run, r, code);
	}
}

/* b: NULL while a CIE's first rules are made. */
static void run_rules(struct builder *b, struct run *run, struct reader r)
{
	while (r.at < r.end && !r.failed) {
		uint8_t code = (uint8_t)read_bytes(&r, 1);

		switch (code & 0xc0) {
		case CFA_ADVANCE: advance(b, run, code & 0x3f); break;
		case CFA_OFFSET:
			saved(&run->rules, code & 0x3f,
			      (int64_t)read_leb(&r, false) * run->cie->data_align);
			break;
		case CFA_RESTORE: same(&run->rules, &run->cie->first, code & 0x3f); break;
		default: run_code(b, run, &r, code);
		}
	}
	run->rules.strange |= r.failed;
}

/* --- records --- */

static bool read_augmentation(struct cie *cie, struct reader *r, const char *text)
{
	struct reader data;

	if (!*text)
		return true;
	if (*text != 'z')
		return false;
	cie->has_augmentation = true;
	data = read_block(r, read_leb(r, false));
	for (text++; *text; text++) {
		switch (*text) {
		case 'R': cie->pointers = (uint8_t)read_bytes(&data, 1); break;
		case 'L': read_bytes(&data, 1); break;
		case 'P': {
			uint8_t form = (uint8_t)read_bytes(&data, 1);

			read_pointer(&data, form & 0x0f, 0);
			break;
		}
		case 'S': cie->is_signal = true; break;
		case 'B': break;
		default: return false;
		}
	}
	return !data.failed;
}

static bool read_cie(struct cie *cie, struct reader r)
{
	const char *text;
	struct run run = { .cie = cie };
	uint64_t version = read_bytes(&r, 1);

	*cie = (struct cie){ .pointers = PE_ABS };
	text = (const char *)r.at;
	if (version != 1 || !memchr(text, 0, (size_t)(r.end - r.at)))
		return false;
	r.at += strlen(text) + 1;
	cie->code_align = read_leb(&r, false);
	cie->data_align = (int64_t)read_leb(&r, true);
	if (read_leb(&r, false) != RETURN || !read_augmentation(cie, &r, text) || r.failed)
		return false;
	run_rules(NULL, &run, r);
	cie->first = run.rules;
	return true;
}

static void read_fde(struct builder *b, const struct cie *cie, struct reader r)
{
	struct run run = { .cie = cie, .rules = cie->first };
	uint64_t here = b->address + (uint64_t)(r.at - (const uint8_t *)b->section.data), size;

	run.pc = read_pointer(&r, cie->pointers, here);
	size = read_pointer(&r, cie->pointers & 0x0f, 0);
	if (cie->has_augmentation)
		read_block(&r, read_leb(&r, false));
	run.end = run.pc + size;
	if (r.failed || run.end > UINT32_MAX || run.end <= run.pc)
		return;
	run_rules(b, &run, r);
	if (run.pc < run.end)
		add_row(b, row_of(cie, &run.rules, run.pc));
	/* Whatever follows is not this function's. */
	add_row(b, (struct unwind_row){ .pc = (uint32_t)run.end, .cfa = UNWIND_UNKNOWN });
}

static void read_records(struct builder *b)
{
	const uint8_t *start = b->section.data;
	struct reader r = { start, start + b->section.size, false };

	while (r.at < r.end && !b->failed) {
		uint64_t size = read_bytes(&r, 4), back;
		struct reader record, other;
		const uint8_t *id_at;
		struct cie cie;

		if (size == 0)
			break;
		if (size == 0xffffffff)
			size = read_bytes(&r, 8);
		record = read_block(&r, size);
		if (r.failed)
			return;
		id_at = record.at;
		back = read_bytes(&record, 4);
		if (back == 0 || back > (uint64_t)(id_at - start))
			continue; /* a CIE: read when an FDE names it */
		other = (struct reader){ id_at - back, start + b->section.size, false };
		size = read_bytes(&other, 4);
		other = read_block(&other, size);
		if (read_bytes(&other, 4) == 0 && !other.failed && read_cie(&cie, other))
			read_fde(b, &cie, record);
	}
}

/* By address; of two rows for one, that of a function before that of an end. */
static int compare_rows(const void *a, const void *b)
{
	const struct unwind_row *x = a, *y = b;

	if (x->pc != y->pc)
		return x->pc < y->pc ? -1 : 1;
	return (x->cfa == UNWIND_UNKNOWN) - (y->cfa == UNWIND_UNKNOWN);
}

static bool same_row(const struct unwind_row *a, const struct unwind_row *b)
{
	return a->cfa == b->cfa && a->rbp == b->rbp && a->cfa_off == b->cfa_off &&
	       a->rbp_off == b->rbp_off;
}

static struct unwind_table *finish(struct builder *b)
{
	struct unwind_table *table;
	uint32_t count = 0;

	qsort(b->rows.items, b->rows.count, sizeof(b->rows.items[0]), compare_rows);
	table = malloc(sizeof(*table) + b->rows.count * sizeof(table->row[0]));
	if (!table)
		return NULL;
	for (size_t i = 0; i < b->rows.count; i++) {
		const struct unwind_row *row = &b->rows.items[i];

		if (count && (table->row[count - 1].pc == row->pc ||
			      same_row(&table->row[count - 1], row)))
			continue;
		table->row[count++] = *row;
	}
	table->count = count;
	return table;
}

struct unwind_table *unwind_build(const struct binary *binary)
{
	struct builder b = { 0 };
	struct unwind_table *table = NULL;

	b.section = binary_section(binary, ".eh_frame", &b.address);
	if (!b.section.data)
		return NULL;
	read_records(&b);
	if (!b.failed && b.rows.count)
		table = finish(&b);
	vec_done(&b.rows);
	return table;
}

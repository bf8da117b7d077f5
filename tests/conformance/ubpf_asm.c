/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ubpf_asm.c - see ubpf_asm.h.
 *
 * Two passes over the lines: the first gives every label its slot, the second
 * encodes. The opcode bytes are written out from RFC 9669 and share nothing
 * with src/isa, so that the tests do not check the decoder against itself.
 */
#include "ubpf_asm.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct label {
	char name[64];
	int slot;
};

struct as {
	struct skep_insn *out;
	size_t limit;
	int count;
	struct label labels[256];
	size_t label_count;
	int last_exit;           /* what the name "exit" means as a label */
	bool final;              /* second pass: labels are known */
	const char *p;           /* in the line being read */
	int line;
	char *error;
	size_t error_size;
	bool failed;
};

static void fail(struct as *as, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct as *as, const char *fmt, ...)
{
	va_list args;
	int n;

	if (as->failed)
		return;
	as->failed = true;
	n = snprintf(as->error, as->error_size, "line %d: ", as->line);
	va_start(args, fmt);
	vsnprintf(as->error + n, as->error_size - (size_t)n, fmt, args);
	va_end(args);
}

/* --- reading --- */

static void spaces(struct as *as)
{
	while (*as->p == ' ' || *as->p == '\t')
		as->p++;
}

static bool accept(struct as *as, char c)
{
	spaces(as);
	if (*as->p != c)
		return false;
	as->p++;
	return true;
}

static void expect(struct as *as, char c)
{
	if (!accept(as, c))
		fail(as, "expected '%c' at '%s'", c, as->p);
}

static void word(struct as *as, char out[64])
{
	size_t n = 0;

	spaces(as);
	while ((isalnum((unsigned char)*as->p) || *as->p == '_') && n < 63)
		out[n++] = *as->p++;
	out[n] = '\0';
}

static uint8_t reg(struct as *as)
{
	long n = -1;

	spaces(as);
	if (as->p[0] == '%' && as->p[1] == 'r') {
		char *end;

		n = strtol(as->p + 2, &end, 10);
		as->p = end;
	}
	if (n < 0 || n > 10) {
		fail(as, "expected a register at '%s'", as->p);
		return 0;
	}
	return (uint8_t)n;
}

/* Hexadecimal numbers give a bit pattern, so the whole unsigned range is read. */
static int64_t number(struct as *as)
{
	bool negative;
	uint64_t value;
	char *end;

	spaces(as);
	negative = *as->p == '-';
	if (*as->p == '-' || *as->p == '+')
		as->p++;
	value = strtoull(as->p, &end, 0);
	if (end == as->p)
		fail(as, "expected a number at '%s'", as->p);
	as->p = end;
	return (int64_t)(negative ? -value : value);
}

static bool at_register(struct as *as)
{
	spaces(as);
	return *as->p == '%';
}

/* [%r1+2] */
static void memory(struct as *as, uint8_t *base, int16_t *off)
{
	expect(as, '[');
	*base = reg(as);
	spaces(as);
	*off = *as->p == ']' ? 0 : (int16_t)number(as);
	expect(as, ']');
}

static int label_slot(struct as *as, const char *name)
{
	for (size_t i = 0; i < as->label_count; i++)
		if (strcmp(as->labels[i].name, name) == 0)
			return as->labels[i].slot;
	if (strcmp(name, "exit") == 0)
		return as->last_exit;
	fail(as, "no label '%s'", name);
	return 0;
}

/* Distance to a label or a number of slots, from the next instruction. */
static int distance(struct as *as)
{
	char name[64];

	spaces(as);
	if (*as->p == '+' || *as->p == '-' || isdigit((unsigned char)*as->p))
		return (int)number(as);
	word(as, name);
	return as->final ? label_slot(as, name) - as->count - 1 : 0;
}

static void put(struct as *as, uint8_t code, uint8_t dst, uint8_t src, int off, int64_t imm)
{
	if ((size_t)as->count >= as->limit) {
		fail(as, "too many instructions");
		return;
	}
	as->out[as->count++] = (struct skep_insn){ .code = code, .dst = dst & 15, .src = src & 15,
						   .off = (int16_t)off, .imm = (int32_t)imm };
}

/* --- instructions --- */

struct mnemonic {
	const char *name;
	uint8_t code;            /* high nibble */
	int16_t off;
};

static const struct mnemonic alus[] = {
	{ "add", 0x00, 0 }, { "sub", 0x10, 0 }, { "mul", 0x20, 0 }, { "div", 0x30, 0 },
	{ "or", 0x40, 0 }, { "and", 0x50, 0 }, { "lsh", 0x60, 0 }, { "rsh", 0x70, 0 },
	{ "neg", 0x80, 0 }, { "mod", 0x90, 0 }, { "xor", 0xa0, 0 }, { "mov", 0xb0, 0 },
	{ "arsh", 0xc0, 0 }, { "sdiv", 0x30, 1 }, { "smod", 0x90, 1 },
};

static const struct mnemonic jumps[] = {
	{ "jeq", 0x10, 0 }, { "jgt", 0x20, 0 }, { "jge", 0x30, 0 }, { "jset", 0x40, 0 },
	{ "jne", 0x50, 0 }, { "jsgt", 0x60, 0 }, { "jsge", 0x70, 0 }, { "jlt", 0xa0, 0 },
	{ "jle", 0xb0, 0 }, { "jslt", 0xc0, 0 }, { "jsle", 0xd0, 0 },
};

static const struct mnemonic atomics[] = {
	{ "add", 0x00, 0 }, { "or", 0x40, 0 }, { "and", 0x50, 0 }, { "xor", 0xa0, 0 },
	{ "xchg", 0xe1, 0 }, { "cmpxchg", 0xf1, 0 },
};

static const struct mnemonic *find(const struct mnemonic *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* Cuts a "32" or "64" off the end of a mnemonic; 64 where there is none. */
static int cut_width(char *name)
{
	size_t n = strlen(name);

	if (n > 2 && (strcmp(name + n - 2, "32") == 0 || strcmp(name + n - 2, "64") == 0)) {
		int width = atoi(name + n - 2);

		name[n - 2] = '\0';
		return width;
	}
	return 64;
}

static bool alu(struct as *as, const char *mnemonic)
{
	char name[64];
	const struct mnemonic *row;
	uint8_t class, dst;

	strcpy(name, mnemonic);
	class = cut_width(name) == 32 ? 0x04 : 0x07;
	row = find(alus, COUNT(alus), name);
	if (!row)
		return false;
	dst = reg(as);
	if (row->code == 0x80) {
		put(as, 0x80 | class, dst, 0, 0, 0);
		return true;
	}
	expect(as, ',');
	if (at_register(as))
		put(as, row->code | 0x08 | class, dst, reg(as), row->off, 0);
	else
		put(as, row->code | class, dst, 0, row->off, number(as));
	return true;
}

/* movsx832: from 8 bits to 32 */
static bool movsx(struct as *as, const char *name)
{
	static const struct { const char *name; uint8_t code; int16_t from; } rows[] = {
		{ "movsx832", 0xbc, 8 }, { "movsx1632", 0xbc, 16 }, { "movsx864", 0xbf, 8 },
		{ "movsx1664", 0xbf, 16 }, { "movsx3264", 0xbf, 32 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t dst;

		if (strcmp(rows[i].name, name) != 0)
			continue;
		dst = reg(as);
		expect(as, ',');
		put(as, rows[i].code, dst, reg(as), rows[i].from, 0);
		return true;
	}
	return false;
}

static bool swaps(struct as *as, const char *name)
{
	static const struct { const char *prefix; uint8_t code; } rows[] = {
		{ "le", 0xd4 }, { "be", 0xdc }, { "bswap", 0xd7 }, { "swap", 0xd7 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t n = strlen(rows[i].prefix);
		int width = atoi(name + n);

		if (strncmp(name, rows[i].prefix, n) != 0 || (width != 16 && width != 32 && width != 64))
			continue;
		put(as, rows[i].code, reg(as), 0, 0, width);
		return true;
	}
	return false;
}

static int size_code(char c)
{
	return c == 'w' ? 0x00 : c == 'h' ? 0x08 : c == 'b' ? 0x10 : c == 'd' ? 0x18 : -1;
}

static bool accesses(struct as *as, const char *name)
{
	uint8_t dst, src;
	int16_t off;
	bool sign = strncmp(name, "ldxs", 4) == 0;
	const char *size = strncmp(name, "ldx", 3) == 0 || strncmp(name, "stx", 3) == 0
				   ? name + 3 + sign
				   : name + 2;
	int code = size_code(*size);

	if (code < 0 || strlen(size) != (*size == 'd' ? 2u : 1u))
		return false;
	if (strncmp(name, "ldx", 3) == 0) {
		dst = reg(as);
		expect(as, ',');
		memory(as, &src, &off);
		put(as, (uint8_t)((sign ? 0x81 : 0x61) | code), dst, src, off, 0);
	} else if (strncmp(name, "stx", 3) == 0) {
		memory(as, &dst, &off);
		expect(as, ',');
		put(as, (uint8_t)(0x63 | code), dst, reg(as), off, 0);
	} else if (strncmp(name, "st", 2) == 0) {
		memory(as, &dst, &off);
		expect(as, ',');
		put(as, (uint8_t)(0x62 | code), dst, 0, off, number(as));
	} else {
		return false;
	}
	return true;
}

static bool jump(struct as *as, const char *mnemonic)
{
	char name[64];
	const struct mnemonic *row;
	uint8_t class, dst, src = 0;
	int64_t imm = 0;
	bool is_reg;

	strcpy(name, mnemonic);
	class = cut_width(name) == 32 ? 0x06 : 0x05;
	if (strcmp(name, "ja") == 0) {
		int to = distance(as);

		put(as, class, 0, 0, class == 0x06 ? 0 : to, class == 0x06 ? to : 0);
		return true;
	}
	row = find(jumps, COUNT(jumps), name);
	if (!row)
		return false;
	dst = reg(as);
	expect(as, ',');
	is_reg = at_register(as);
	if (is_reg)
		src = reg(as);
	else
		imm = number(as);
	expect(as, ',');
	put(as, (uint8_t)(row->code | class | (is_reg ? 0x08 : 0)), dst, src, distance(as), imm);
	return true;
}

static void lock(struct as *as)
{
	char name[64];
	const struct mnemonic *row;
	uint8_t base, size;
	int16_t off;
	bool fetch = false;

	word(as, name);
	if (strcmp(name, "fetch") == 0) {
		fetch = true;
		word(as, name);
	}
	size = cut_width(name) == 32 ? 0x00 : 0x18;
	row = find(atomics, COUNT(atomics), name);
	if (!row) {
		fail(as, "unknown atomic operation '%s'", name);
		return;
	}
	memory(as, &base, &off);
	expect(as, ',');
	put(as, 0xc3 | size, base, reg(as), off, row->code | (fetch ? 1 : 0));
}

static void call(struct as *as)
{
	char name[64];

	if (at_register(as)) {
		put(as, 0x8d, reg(as), 0, 0, 0);
		return;
	}
	spaces(as);
	if (isdigit((unsigned char)*as->p)) {
		put(as, 0x85, 0, 0, 0, number(as));
		return;
	}
	word(as, name);
	if (strcmp(name, "local") != 0) {
		fail(as, "call of '%s'", name);
		return;
	}
	put(as, 0x85, 0, 1, 0, distance(as));
}

static void instruction(struct as *as, const char *name)
{
	if (strcmp(name, "exit") == 0) {
		as->last_exit = as->count;
		put(as, 0x95, 0, 0, 0, 0);
	} else if (strcmp(name, "call") == 0) {
		call(as);
	} else if (strcmp(name, "lock") == 0) {
		lock(as);
	} else if (strcmp(name, "lddw") == 0) {
		uint8_t dst = reg(as);
		int64_t value;

		expect(as, ',');
		value = number(as);
		put(as, 0x18, dst, 0, 0, (int32_t)(uint32_t)value);
		put(as, 0x00, 0, 0, 0, (int32_t)(uint32_t)((uint64_t)value >> 32));
	} else if (!movsx(as, name) && !swaps(as, name) && !alu(as, name) && !accesses(as, name) &&
		   !jump(as, name)) {
		fail(as, "unknown instruction '%s'", name);
	}
}

static void line(struct as *as, char *text)
{
	char name[64];
	char *comment = text + strcspn(text, "#;\r\n");

	*comment = '\0';
	as->p = text;
	word(as, name);
	if (name[0] && accept(as, ':')) {
		if (!as->final && as->label_count < COUNT(as->labels)) {
			strcpy(as->labels[as->label_count].name, name);
			as->labels[as->label_count++].slot = as->count;
		}
		word(as, name);
	}
	if (name[0])
		instruction(as, name);
	spaces(as);
	if (*as->p)
		fail(as, "'%s' is left over", as->p);
}

static void pass(struct as *as, const char *text)
{
	as->count = 0;
	as->line = 0;
	while (*text && !as->failed) {
		size_t n = strcspn(text, "\n");
		char copy[512];

		as->line++;
		snprintf(copy, sizeof(copy), "%.*s", (int)n, text);
		line(as, copy);
		text += n + (text[n] == '\n');
	}
}

int ubpf_assemble(const char *text, struct skep_insn *insns, size_t limit, char *error,
		  size_t error_size)
{
	struct as as = { .out = insns, .limit = limit, .error = error, .error_size = error_size };

	pass(&as, text);
	as.final = true;
	if (!as.failed)
		pass(&as, text);
	return as.failed ? -1 : as.count;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read.c - text to instructions: bpf_asm's assembly and tcpdump's listings.
 *
 * Both are lines of a mnemonic and its operand. The operand's shape says which of
 * the rows with this mnemonic is meant. Targets are labels, or numbers of instructions;
 * they are filled in at the end, when every label is known.
 */
#include "cbpf/read.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

enum shape {
	SHAPE_NONE,
	SHAPE_A, SHAPE_X,
	SHAPE_VALUE,             /* #k */
	SHAPE_PACKET,            /* [k], or a name of metadata */
	SHAPE_INDEX,             /* [x + k] */
	SHAPE_MSH,               /* 4*([k]&0xf) */
	SHAPE_MEMORY,            /* M[k] */
	SHAPE_LEN,
};

struct label {
	const char *name;        /* owned by the arena */
	size_t index;
};

enum field { FIELD_K, FIELD_JT, FIELD_JF };

/* A target that an instruction wants in one of its fields. */
struct want {
	const char *name;        /* NULL: number */
	uint64_t number;
	size_t index;            /* of the instruction */
	enum field field;
	struct scan at;          /* where it stands */
};

struct statements {
	struct reader *reader;
	VEC(struct label) labels;
	VEC(struct want) wants;
};

/* Names that are another's, and jumps that are taken where another is not. */
static const struct {
	const char *name, *row;
	bool inverted;
} aliases[] = {
	{ "ldi", "ld", false }, { "ldxi", "ldx", false }, { "jmp", "ja", false },
	{ "jne", "jeq", true }, { "jneq", "jeq", true }, { "jlt", "jge", true },
	{ "jle", "jgt", true },
};

/* --- operands --- */

static bool take_x(struct scan *scan)
{
	return take_word(scan, "x") || take_word(scan, "%x") || take_word(scan, "X");
}

/* Behind '[': an offset, metadata by the name that tcpdump has for it, or x + k. */
static bool parse_bracket(struct scan *scan, enum shape *shape, uint32_t *k)
{
	const struct cbpf_ancillary_row *ancillary;
	const char *name;
	size_t len;

	if (take_x(scan)) {
		*shape = SHAPE_INDEX;
		*k = 0;
		return take(scan, "]") ||
		       (need(scan, "+") && need_value(scan, k) && need(scan, "]"));
	}
	*shape = SHAPE_PACKET;
	if (take_value(scan, k))
		return need(scan, "]");
	if (!take_name(scan, &name, &len))
		return scan_fail(scan, "expected an offset: [12], [x + 14]");
	ancillary = cbpf_ancillary_by_name(name, len);
	if (!ancillary)
		return scan_fail(scan, "expected an offset, not '%.*s'", (int)len, name);
	*k = CBPF_ANCILLARY + ancillary->number;
	return need(scan, "]");
}

/* Behind '4' or the whole "4*([14]&0xf)". */
static bool parse_msh(struct scan *scan, enum shape *shape, uint32_t *k)
{
	uint32_t mask = 0;

	*shape = SHAPE_MSH;
	if (!need(scan, "*") || !need(scan, "(") || !need(scan, "[") || !need_value(scan, k) ||
	    !need(scan, "]") || !need(scan, "&") || !need_value(scan, &mask) || !need(scan, ")"))
		return false;
	return mask == 0xf || scan_fail(scan, "the mask can only be 0xf");
}

/* A word, with or without '#': len, or metadata. */
static bool parse_word(struct scan *scan, enum shape *shape, uint32_t *k)
{
	const struct cbpf_ancillary_row *ancillary;
	const char *name;
	size_t len;

	if (take_word(scan, "len") || take_word(scan, "pktlen")) {
		*shape = SHAPE_LEN;
		return true;
	}
	if (!take_name(scan, &name, &len))
		return scan_fail(scan, "expected an operand");
	ancillary = cbpf_ancillary_by_name(name, len);
	if (!ancillary)
		return scan_fail(scan, "there is no '%.*s' to load", (int)len, name);
	*shape = SHAPE_PACKET;
	*k = CBPF_ANCILLARY + ancillary->number;
	return true;
}

static bool ends(struct scan *scan)
{
	return at_end(scan) || *scan->at == ';';
}

static bool parse_operand(struct scan *scan, enum shape *shape, uint32_t *k)
{
	*shape = SHAPE_NONE;
	*k = 0;
	if (ends(scan))
		return true;
	if (take(scan, "[") )
		return parse_bracket(scan, shape, k);
	if (take(scan, "M[") || take(scan, "m[")) {
		*shape = SHAPE_MEMORY;
		return need_value(scan, k) && need(scan, "]");
	}
	if (take_x(scan)) {
		*shape = SHAPE_X;
		return true;
	}
	if (take_word(scan, "a") || take_word(scan, "%a") || take_word(scan, "A")) {
		*shape = SHAPE_A;
		return true;
	}
	*shape = SHAPE_VALUE;
	if (take(scan, "#"))
		return take_value(scan, k) || (!scan->failed && parse_word(scan, shape, k));
	if (take_value(scan, k)) {
		skip_blanks(scan);
		return *k != 4 || *scan->at != '*' || parse_msh(scan, shape, k);
	}
	return !scan->failed && parse_word(scan, shape, k);
}

static bool row_takes(const struct cbpf_row *row, enum shape shape)
{
	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		return shape == SHAPE_PACKET;
	case CBPF_IND:
		return shape == SHAPE_INDEX;
	case CBPF_MSH:
		return shape == SHAPE_MSH;
	case CBPF_LEN:
		return shape == SHAPE_LEN;
	case CBPF_IMM:
		return shape == SHAPE_VALUE;
	case CBPF_MEM:
	case CBPF_STORE:
		return shape == SHAPE_MEMORY;
	case CBPF_RETURN:
		if (row->reg == CBPF_A)
			return shape == SHAPE_A || shape == SHAPE_NONE;
		return shape == SHAPE_VALUE;
	case CBPF_ALU:
	case CBPF_JUMP:
		return shape == (row->reg == CBPF_X ? SHAPE_X : SHAPE_VALUE);
	case CBPF_NEG: case CBPF_TAX: case CBPF_TXA: case CBPF_GOTO:
		break;
	}
	return shape == SHAPE_NONE;
}

/* The row of this mnemonic and shape; *known: there is one of the mnemonic. */
static const struct cbpf_row *find_row(const char *mnemonic, enum shape shape, bool *known)
{
	*known = false;
	for (size_t i = 0; i < CBPF_ID_COUNT; i++) {
		const struct cbpf_row *row = &cbpf_rows[i];
		bool same = strcmp(row->mnemonic, mnemonic) == 0;

		/* bpf_asm takes ldx for ldxb. */
		if (row->kind == CBPF_MSH && strcmp(mnemonic, "ldx") == 0)
			same = true;
		*known |= same;
		if (same && row_takes(row, shape))
			return row;
	}
	return NULL;
}

/* --- targets --- */

static bool parse_target(struct statements *st, enum field field)
{
	struct scan *scan = &st->reader->scan;
	struct want want = { .index = st->reader->out.count, .field = field };
	const char *name;
	size_t len;
	struct want *slot;

	skip_blanks(scan);
	want.at = *scan;
	if (isdigit((unsigned char)*scan->at)) {
		int64_t number;

		if (!need_number(scan, 0, INT64_MAX, &number))
			return false;
		want.number = (uint64_t)number;
	} else if (take_name(scan, &name, &len)) {
		want.name = reader_keep(st->reader, name, len);
		if (!want.name)
			return false;
	} else {
		return scan_fail(scan, "expected a label or the number of an instruction");
	}
	slot = vec_push(&st->wants);
	if (!slot) {
		st->reader->oom = true;
		return false;
	}
	*slot = want;
	return true;
}

/* "jt 3 jf 5", ", L3, L5" or ", L3": the other way is the next instruction. */
static bool parse_targets(struct statements *st, bool inverted)
{
	struct scan *scan = &st->reader->scan;
	enum field first = inverted ? FIELD_JF : FIELD_JT, second = inverted ? FIELD_JT : FIELD_JF;

	if (take_word(scan, "jt"))
		return parse_target(st, first) &&
		       (take_word(scan, "jf") || scan_fail(scan, "expected 'jf'")) &&
		       parse_target(st, second);
	if (!need(scan, ",") || !parse_target(st, first))
		return false;
	return !take(scan, ",") || parse_target(st, second);
}

static const struct label *find_label(const struct statements *st, const char *name)
{
	for (size_t i = 0; i < st->labels.count; i++) {
		if (strcmp(st->labels.items[i].name, name) == 0)
			return &st->labels.items[i];
	}
	return NULL;
}

static bool resolve(struct statements *st, struct want *want)
{
	struct skep_cbpf_insn *insn = &st->reader->out.items[want->index];
	const struct label *label = want->name ? find_label(st, want->name) : NULL;
	uint64_t target = label ? label->index : want->number;
	uint64_t most = want->field == FIELD_K ? UINT32_MAX : UINT8_MAX;
	struct scan *scan = &st->reader->scan;

	*scan = want->at;
	if (want->name && !label)
		return scan_fail(scan, "there is no label '%s'", want->name);
	if (target <= want->index)
		return scan_fail(scan, "jumps only go forward");
	if (target - want->index - 1 > most)
		return scan_fail(scan, "the target is %llu instructions away, and a jump with a "
				 "condition reaches %d: go on by 'ja' from there",
				 (unsigned long long)(target - want->index - 1), UINT8_MAX);
	if (want->field == FIELD_K)
		insn->k = (uint32_t)(target - want->index - 1);
	else if (want->field == FIELD_JT)
		insn->jt = (uint8_t)(target - want->index - 1);
	else
		insn->jf = (uint8_t)(target - want->index - 1);
	return true;
}

/* --- statements --- */

/* "name:" or tcpdump's "(003)"; false: failed. */
static bool parse_prefix(struct statements *st)
{
	struct scan *scan = &st->reader->scan;
	int64_t number;
	const char *start = scan->at, *name;
	struct label *label;
	size_t len;

	if (take(scan, "(")) {
		if (!need_number(scan, 0, INT32_MAX, &number) || !need(scan, ")"))
			return false;
		return (size_t)number == st->reader->out.count ||
		       scan_fail(scan, "this is instruction %zu, not %lld: lines are missing",
				 st->reader->out.count, (long long)number);
	}
	while (take_name(scan, &name, &len) && *scan->at == ':') {
		scan->at++;
		name = reader_keep(st->reader, name, len);
		if (name && find_label(st, name))
			return scan_fail(scan, "the label '%s' is defined twice", name);
		label = name ? vec_push(&st->labels) : NULL;
		if (!label) {
			st->reader->oom = true;
			return false;
		}
		*label = (struct label){ name, st->reader->out.count };
		start = scan->at;
	}
	scan->at = start;
	return true;
}

static const char *mnemonic_of(const char *name, bool *inverted)
{
	*inverted = false;
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		if (strcmp(aliases[i].name, name) == 0) {
			*inverted = aliases[i].inverted;
			return aliases[i].row;
		}
	}
	return name;
}

static bool parse_jump_always(struct statements *st)
{
	const struct cbpf_row *row = &cbpf_rows[CBPF_ID_JA];

	return parse_target(st, FIELD_K) &&
	       reader_push(st->reader, (struct skep_cbpf_insn){ .code = row->code });
}

static bool parse_statement(struct statements *st)
{
	struct scan *scan = &st->reader->scan;
	const char *at, *name, *start = scan->at;
	const struct cbpf_row *row;
	struct skep_cbpf_insn insn = { 0 };
	enum shape shape;
	bool inverted, known;
	size_t len;
	char *word;

	skip_blanks(scan);
	at = scan->at;
	if (!take_name(scan, &name, &len))
		return scan_fail(scan, "expected an instruction, such as 'ldh [12]'");
	word = reader_keep(st->reader, name, len);
	if (!word)
		return false;
	name = mnemonic_of(word, &inverted);
	if (strcmp(name, "ja") == 0)
		return parse_jump_always(st);
	find_row(name, SHAPE_NONE, &known);
	if (!known) {
		scan->at = at;
		return scan_fail(scan, "there is no instruction '%s'", word);
	}
	skip_blanks(scan);
	start = scan->at;
	if (!parse_operand(scan, &shape, &insn.k))
		return false;
	row = find_row(name, shape, &known);
	if (!row) {
		scan->at = start;
		return scan_fail(scan, "'%s' does not take such an operand", word);
	}
	insn.code = row->code;
	if (row->kind == CBPF_JUMP && !parse_targets(st, inverted))
		return false;
	return reader_push(st->reader, insn);
}

static bool read_statements(struct reader *reader)
{
	struct statements st = { .reader = reader };
	bool ok = true;

	do {
		ok = parse_prefix(&st) && (ends(&reader->scan) || parse_statement(&st));
		if (ok && !ends(&reader->scan))
			ok = scan_fail(&reader->scan, "nothing may follow the instruction on its line");
	} while (ok && reader_line(reader));
	ok = ok && !reader->scan.failed && !reader->oom;
	for (size_t i = 0; ok && i < st.wants.count; i++)
		ok = resolve(&st, &st.wants.items[i]);
	vec_done(&st.labels);
	vec_done(&st.wants);
	return ok;
}

/* --- which form it is --- */

static bool starts_c(struct scan *scan)
{
	static const char *const words[] = { "struct", "static", "const", "BPF_STMT", "BPF_JUMP" };
	const char *start = scan->at;
	bool found = *start == '{';

	for (size_t i = 0; i < ARRAY_SIZE(words) && !found; i++)
		found = take_word(scan, words[i]);
	scan->at = start;
	return found;
}

/* Skips what assembly may have before its first statement. */
static bool first_text(struct reader *reader)
{
	while (reader_more(reader)) {
		if (*reader->scan.at != ';')
			return true;
		reader->scan.at += strlen(reader->scan.at);
	}
	return scan_fail(&reader->scan, "there is no filter in it");
}

static bool read_any(struct reader *reader)
{
	struct scan *scan = &reader->scan;

	if (!first_text(reader))
		return false;
	if (isdigit((unsigned char)*scan->at) || *scan->at == '\'' || *scan->at == '"')
		return read_numbers(reader);
	if (starts_c(scan))
		return read_c(reader);
	return read_statements(reader);
}

int skep_cbpf_read(const char *text, size_t size, const char *name,
		   struct skep_cbpf_insn **insns, size_t *count, struct skep_diag *diag)
{
	struct reader reader = { .scan = { .name = name, .diag = diag, .code = SKEP_CBPF_TEXT,
					   .line = "", .source = "", .at = "" },
				 .text = text, .end = text + size };
	int error = 0;

	if (read_any(&reader) && !reader.oom && reader.out.count == 0)
		scan_fail(&reader.scan, "there is no filter in it");
	if (reader.oom || reader.scan.failed) {
		error = reader.oom ? skep_fail(diag, SKEP_OOM, NULL, "reading '%s'", name) :
				     reader.scan.error;
		vec_done(&reader.out);
	} else {
		*insns = reader.out.items;
		*count = reader.out.count;
	}
	arena_done(&reader.arena);
	return error;
}

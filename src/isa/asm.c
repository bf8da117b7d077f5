/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asm.c - text to instructions: reads back what disasm.c writes.
 *
 * A line holds at most one statement. Each statement is parsed into a struct
 * insn and encoded; jumps to labels are remembered and patched at the end, when
 * every label is known. Errors name line and column; the first one ends it.
 */
#include <skep/insn.h>

#include <stdio.h>

#include "base/base.h"
#include "isa/insn.h"
#include "isa/opcode.h"
#include "isa/scan.h"

struct label {
	const char *name;        /* owned by the arena */
	uint32_t slot, line;
};

/* A place that wants a label's distance. */
struct fixup {
	const char *name;
	uint32_t slot, line, column;
	const char *text;        /* the source line */
	bool wide;               /* 32 bits in imm, else 16 in off */
};

struct assembler {
	struct scan scan;
	VEC(struct skep_insn) out;
	VEC(struct label) labels;
	VEC(struct fixup) fixups;
	struct arena arena;
	const char *want;        /* label the current instruction refers to; or NULL */
	uint32_t want_column;
	bool oom;
};

/* --- targets --- */

static char *keep_name(struct assembler *as, const char *name, size_t len)
{
	char *copy = arena_alloc(&as->arena, len + 1);

	if (copy)
		memcpy(copy, name, len);
	else
		as->oom = true;
	return copy;
}

/* "pc+3", "+3" or a label, to be resolved later. */
static bool need_target(struct assembler *as, int64_t min, int64_t max, int32_t *off)
{
	struct scan *scan = &as->scan;
	const char *name;
	int64_t distance;
	size_t len;

	if (take_word(scan, "pc") || *scan->at == '+' || *scan->at == '-') {
		if (*scan->at != '+' && *scan->at != '-')
			return scan_fail(scan, "expected a distance: pc+1, pc-5");
		if (!need_number(scan, min, max, &distance))
			return false;
		*off = (int32_t)distance;
		return true;
	}
	as->want_column = (uint32_t)(scan->at - scan->line) + 1;
	if (!take_name(scan, &name, &len))
		return scan_fail(scan, "expected a target: pc+3 or a label");
	as->want = keep_name(as, name, len);
	return as->want != NULL;
}

static bool parse_goto(struct assembler *as, struct insn *insn, uint8_t kind, unsigned width)
{
	bool far = width == 4;

	insn->kind = kind;
	insn->width = (uint8_t)width;
	return need_target(as, far ? INT32_MIN : INT16_MIN, far ? INT32_MAX : INT16_MAX,
			   &insn->off);
}

static bool parse_if(struct assembler *as, struct insn *insn)
{
	/* Longer tokens first, so that '>=' is not read as '>'. */
	static const enum cond order[] = { COND_SGE, COND_SLE, COND_SGT, COND_SLT, COND_EQ, COND_NE,
					   COND_GE, COND_LE, COND_GT, COND_LT, COND_SET };
	struct scan *scan = &as->scan;
	unsigned width;
	size_t i = 0;

	if (!take_register(scan, &insn->dst, &width))
		return scan_fail(scan, "expected a register");
	while (i < ARRAY_SIZE(order) && !take(scan, cond_token(order[i])))
		i++;
	if (i == ARRAY_SIZE(order))
		return scan_fail(scan, "expected a comparison: == != > >= < <= s> s>= s< s<= &");
	insn->kind = INSN_JUMP;
	insn->op = (uint8_t)order[i];
	insn->width = insn->from = (uint8_t)width;
	skip_blanks(scan);
	insn->source_is_imm = *scan->at != 'r' && *scan->at != 'w';
	if (insn->source_is_imm ? !need_imm32(scan, &insn->imm) :
				  !need_register(scan, &insn->src, width))
		return false;
	if (!take_word(scan, "goto"))
		return scan_fail(scan, "expected 'goto'");
	return need_target(as, INT16_MIN, INT16_MAX, &insn->off);
}

/* --- calls --- */

static bool call_number(struct assembler *as, struct insn *insn, const char *name, size_t len)
{
	struct scan *scan = &as->scan;
	bool bpf = len > 4 && memcmp(name, "bpf_", 4) == 0;
	int32_t known = bpf ? helper_number(name + 4, len - 4) : -1;
	int64_t id, index;

	if (!need_imm32(scan, &id))
		return false;
	if (known >= 0 && known != id)
		return scan_fail(scan, "%.*s is helper %d, not %lld", (int)len, name, known,
				 (long long)id);
	insn->imm = id;
	if (known >= 0 || (len == 7 && memcmp(name, "unknown", 7) == 0))
		return true;
	insn->op = CALL_KFUNC;
	if (take(scan, "@")) {
		if (!need_number(scan, INT16_MIN, INT16_MAX, &index))
			return false;
		insn->off = (int32_t)index;
	}
	return true;
}

static bool parse_call(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	const char *start, *name;
	size_t len;

	insn->kind = INSN_CALL;
	insn->op = CALL_HELPER;
	insn->width = 8;
	skip_blanks(scan);
	start = scan->at;
	if (*start >= '0' && *start <= '9')
		return need_imm32(scan, &insn->imm);
	if (!take_word(scan, "pc") && take_name(scan, &name, &len)) {
		if (take(scan, "#"))
			return call_number(as, insn, name, len);
		if (len > 4 && memcmp(name, "bpf_", 4) == 0 &&
		    helper_number(name + 4, len - 4) >= 0) {
			insn->imm = helper_number(name + 4, len - 4);
			return true;
		}
	}
	scan->at = start;
	insn->op = CALL_LOCAL;
	return need_target(as, INT32_MIN, INT32_MAX, &insn->off);
}

/* --- memory and atomics --- */

static bool parse_lock(struct assembler *as, struct insn *insn)
{
	static const struct {
		const char *token;
		enum atomic op;
	} ops[] = { { "+=", ATOMIC_ADD }, { "|=", ATOMIC_OR }, { "&=", ATOMIC_AND },
		    { "^=", ATOMIC_XOR } };
	struct scan *scan = &as->scan;

	insn->kind = INSN_ATOMIC;
	if (!need(scan, "*") ||
	    !need_address(scan, &insn->width, NULL, &insn->dst, &insn->off))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (take(scan, ops[i].token)) {
			insn->op = (uint8_t)ops[i].op;
			return need_register(scan, &insn->src, 8);
		}
	}
	return scan_fail(scan, "expected one of += |= &= ^=");
}

static bool parse_store(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;

	if (take_argument(scan, -1, &insn->arg)) {
		insn->kind = INSN_STORE_ARG;
		insn->width = 8;
	} else {
		insn->kind = INSN_STORE;
		if (!need_address(scan, &insn->width, NULL, &insn->dst, &insn->off))
			return false;
	}
	if (!need(scan, "="))
		return false;
	skip_blanks(scan);
	insn->source_is_imm = *scan->at != 'r' && *scan->at != 'w';
	return insn->source_is_imm ? need_imm32(scan, &insn->imm) :
				     need_register(scan, &insn->src, 8);
}

static bool parse_store_release(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;

	insn->kind = INSN_ATOMIC;
	insn->op = ATOMIC_STORE_REL;
	return need(scan, "(") &&
	       need_address(scan, &insn->width, NULL, &insn->dst, &insn->off) &&
	       need(scan, ",") && need_register(scan, &insn->src, 8) && need(scan, ")");
}

static bool parse_load_acquire(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;

	insn->kind = INSN_ATOMIC;
	insn->op = ATOMIC_LOAD_ACQ;
	return need(scan, "(") &&
	       need_address(scan, &insn->width, NULL, &insn->src, &insn->off) && need(scan, ")");
}

/* After "rX = atomic_" or "rX = atomic64_": the operation and its operands. */
static bool parse_fetch(struct assembler *as, struct insn *insn, bool wide)
{
	static const struct {
		const char *word;
		enum atomic op;
	} ops[] = { { "fetch_add", ATOMIC_FETCH_ADD }, { "fetch_or", ATOMIC_FETCH_OR },
		    { "fetch_and", ATOMIC_FETCH_AND }, { "fetch_xor", ATOMIC_FETCH_XOR },
		    { "xchg", ATOMIC_XCHG }, { "cmpxchg", ATOMIC_CMPXCHG } };
	struct scan *scan = &as->scan;
	uint8_t result = insn->dst, old;
	size_t i = 0;

	while (i < ARRAY_SIZE(ops) && !take_word(scan, ops[i].word))
		i++;
	if (i == ARRAY_SIZE(ops))
		return scan_fail(scan, "expected fetch_add, fetch_or, fetch_and, fetch_xor, xchg "
				       "or cmpxchg");
	insn->kind = INSN_ATOMIC;
	insn->op = (uint8_t)ops[i].op;
	if (!need(scan, "(") || !need_address(scan, &insn->width, NULL, &insn->dst, &insn->off) ||
	    !need(scan, ","))
		return false;
	if ((insn->width == 8) != wide)
		return scan_fail(scan, "atomic64_ goes with u64, atomic_ with u32");
	if (insn->op == ATOMIC_CMPXCHG) {
		if (!need_register(scan, &old, 8) || !need(scan, ","))
			return false;
		if (old != 0 || result != 0)
			return scan_fail(scan, "cmpxchg compares with r0 and returns in r0");
		return need_register(scan, &insn->src, 8) && need(scan, ")");
	}
	if (!need_register(scan, &insn->src, 8) || !need(scan, ")"))
		return false;
	return insn->src == result ||
	       scan_fail(scan, "the old value returns in the operand, r%u", insn->src);
}

static bool parse_load(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	const char *start = scan->at;
	int64_t bits;

	if (take(scan, "(") && take(scan, "u") && need_number(scan, 8, 64, &bits) &&
	    take(scan, "*") && take(scan, ")") && take_word(scan, "skb")) {
		if (insn->dst != 0 || (bits != 8 && bits != 16 && bits != 32))
			return scan_fail(scan, "packet loads are r0 = *(u8, u16 or u32 *)skb[...]");
		insn->kind = INSN_LOAD_PACKET;
		insn->width = (uint8_t)(bits / 8);
		if (!need(scan, "["))
			return false;
		skip_blanks(scan);
		insn->indirect = *scan->at == 'r';
		if (insn->indirect && (!need_register(scan, &insn->src, 8) || !need(scan, "+")))
			return false;
		return need_imm32(scan, &insn->imm) && need(scan, "]");
	}
	scan->at = start;
	if (take_argument(scan, 1, &insn->arg)) {
		insn->kind = INSN_LOAD_ARG;
		insn->width = 8;
		return true;
	}
	insn->kind = INSN_LOAD;
	return need_address(scan, &insn->width, &insn->sign_extend, &insn->src, &insn->off);
}

/* --- 64-bit immediates that stand for something --- */

static bool parse_map(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	int64_t id, off = 0;
	bool by_fd;

	insn->kind = INSN_IMM64;
	if (!need(scan, "["))
		return false;
	by_fd = take(scan, "fd:");
	if (!by_fd && !take(scan, "idx:"))
		return scan_fail(scan, "expected fd:NUMBER or idx:NUMBER");
	if (!need_imm32(scan, &id) || !need(scan, "]"))
		return false;
	insn->op = by_fd ? IMM64_MAP_FD : IMM64_MAP_INDEX;
	if (take(scan, "[0]")) {
		insn->op = by_fd ? IMM64_MAP_VALUE : IMM64_MAP_INDEX_VALUE;
		if (take(scan, "+") && !need_number(scan, 0, UINT32_MAX, &off))
			return false;
	}
	insn->imm = (int64_t)((uint64_t)off << 32 | (uint32_t)id);
	return true;
}

static bool parse_ksym(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	int64_t id, fd = 0;

	insn->kind = INSN_IMM64;
	insn->op = IMM64_BTF_ID;
	if (!need(scan, "[") || !need(scan, "id:") || !need_imm32(scan, &id))
		return false;
	if (take(scan, ",") && (!need(scan, "fd:") || !need_imm32(scan, &fd)))
		return false;
	insn->imm = (int64_t)((uint64_t)fd << 32 | (uint32_t)id);
	return need(scan, "]");
}

static bool parse_subprog(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	int64_t high = 0;
	int32_t distance = 0;

	insn->kind = INSN_IMM64;
	insn->op = IMM64_FUNC;
	if (!need(scan, "[") || !need_target(as, INT32_MIN, INT32_MAX, &distance) ||
	    !need(scan, "]"))
		return false;
	if (take(scan, ",") && !need_number(scan, 0, UINT32_MAX, &high))
		return false;
	insn->imm = (int64_t)((uint64_t)high << 32 | (uint32_t)distance);
	return true;
}

/* --- arithmetic --- */

static bool need_same_register(struct assembler *as, const struct insn *insn, unsigned width)
{
	uint8_t reg;

	if (!need_register(&as->scan, &reg, width))
		return false;
	return reg == insn->dst || scan_fail(&as->scan, "it works in place: both registers must be "
							"%c%u", width == 4 ? 'w' : 'r', insn->dst);
}

static bool parse_swap(struct assembler *as, struct insn *insn, enum alu op, unsigned bits)
{
	insn->kind = INSN_ALU;
	insn->op = (uint8_t)op;
	insn->width = 8;
	insn->from = (uint8_t)(bits / 8);
	insn->source_is_imm = true;
	return need_same_register(as, insn, 8);
}

static bool parse_cast(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	int64_t to, from;

	insn->kind = INSN_CAST;
	insn->width = 8;
	if (!need(scan, "(") || !need_register(scan, &insn->src, 8) || !need(scan, ",") ||
	    !need_number(scan, 0, 1, &to) || !need(scan, ",") ||
	    !need_number(scan, 0, 1, &from) || !need(scan, ")"))
		return false;
	insn->imm = to << 16 | from;
	return to != from || scan_fail(scan, "a cast is between the address spaces 0 and 1");
}

static bool parse_sign_extended(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	int64_t bits;

	if (!need(scan, "s") || !need_number(scan, 8, 32, &bits))
		return false;
	if (bits != 8 && bits != 16 && (bits != 32 || insn->width == 4))
		return scan_fail(scan, insn->width == 4 ? "a move to w extends s8 or s16" :
							  "a move extends s8, s16 or s32");
	insn->from = (uint8_t)(bits / 8);
	insn->sign_extend = true;
	return need(scan, ")") && need_register(scan, &insn->src, insn->width);
}

/* A plain number: 64 bits where it is written in hexadecimal or needs them. */
static bool parse_constant(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	const char *start = scan->at;
	struct number number;
	bool small;

	if (!take_number(scan, &number))
		return scan_fail(scan, "expected a value");
	small = (int64_t)number.value == (int32_t)number.value &&
		(number.negative || (int64_t)number.value >= 0);
	insn->source_is_imm = true;
	if (insn->width == 4) {
		scan->at = start;
		return need_imm32(scan, &insn->imm);
	}
	insn->imm = (int64_t)number.value;
	if (take_word(scan, "ll") || !small || (number.hex && !number.negative)) {
		insn->kind = INSN_IMM64;
		insn->op = IMM64_VALUE;
	}
	return true;
}

/* What may follow "rX =" besides a register, a number or memory. */
static bool parse_word_value(struct assembler *as, struct insn *insn, bool *matched)
{
	static const struct {
		const char *word;
		enum alu op;
		unsigned bits;
	} swaps[] = {
		{ "le16", ALU_TO_LE, 16 }, { "le32", ALU_TO_LE, 32 }, { "le64", ALU_TO_LE, 64 },
		{ "be16", ALU_TO_BE, 16 }, { "be32", ALU_TO_BE, 32 }, { "be64", ALU_TO_BE, 64 },
		{ "bswap16", ALU_BSWAP, 16 }, { "bswap32", ALU_BSWAP, 32 },
		{ "bswap64", ALU_BSWAP, 64 },
	};
	static const struct {
		const char *word;
		bool (*parse)(struct assembler *as, struct insn *insn);
	} words[] = {
		{ "load_acquire", parse_load_acquire }, { "addr_space_cast", parse_cast },
		{ "map", parse_map }, { "ksym", parse_ksym }, { "subprog", parse_subprog },
	};
	struct scan *scan = &as->scan;

	*matched = true;
	for (size_t i = 0; i < ARRAY_SIZE(swaps); i++) {
		if (take_word(scan, swaps[i].word))
			return parse_swap(as, insn, swaps[i].op, swaps[i].bits);
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (take_word(scan, words[i].word))
			return words[i].parse(as, insn);
	}
	if (take(scan, "atomic64_"))
		return parse_fetch(as, insn, true);
	if (take(scan, "atomic_"))
		return parse_fetch(as, insn, false);
	*matched = false;
	return false;
}

/* "rX = ..." with the cursor behind the equals sign. */
static bool parse_assignment(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	unsigned width;
	bool matched, done;

	skip_blanks(scan);
	if (scan->at[0] == '-' && (scan->at[1] == 'r' || scan->at[1] == 'w')) {
		scan->at++;
		insn->op = ALU_NEG;
		insn->source_is_imm = true;
		return need_same_register(as, insn, insn->width);
	}
	insn->op = ALU_MOV;
	if (take(scan, "("))
		return parse_sign_extended(as, insn);
	if (take_register(scan, &insn->src, &width)) {
		if (width == insn->width)
			return true;
		return scan_fail(scan, "both sides must be as wide");
	}
	if (insn->width == 8) {
		if (take(scan, "*"))
			return parse_load(as, insn);
		done = parse_word_value(as, insn, &matched);
		if (matched)
			return done;
	}
	return parse_constant(as, insn);
}

/* A statement that starts with a register. */
static bool parse_alu(struct assembler *as, struct insn *insn, unsigned width)
{
	static const enum alu order[] = { ALU_ADD, ALU_SUB, ALU_MUL, ALU_DIV, ALU_OR, ALU_AND,
					  ALU_LSH, ALU_RSH, ALU_MOD, ALU_XOR, ALU_ARSH, ALU_SDIV,
					  ALU_SMOD };
	struct scan *scan = &as->scan;

	insn->kind = INSN_ALU;
	insn->width = insn->from = (uint8_t)width;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!take(scan, alu_token(order[i])))
			continue;
		insn->op = (uint8_t)order[i];
		skip_blanks(scan);
		insn->source_is_imm = *scan->at != 'r' && *scan->at != 'w';
		return insn->source_is_imm ? need_imm32(scan, &insn->imm) :
					     need_register(scan, &insn->src, width);
	}
	if (!take(scan, "="))
		return scan_fail(scan, "expected = or one of += -= *= /= %%= s/= s%%= |= &= ^= <<= "
				       ">>= s>>=");
	return parse_assignment(as, insn);
}

/* --- lines --- */

static bool parse_statement(struct assembler *as, struct insn *insn)
{
	struct scan *scan = &as->scan;
	unsigned width;

	if (take_register(scan, &insn->dst, &width))
		return parse_alu(as, insn, width);
	if (scan->failed)
		return false;
	if (take(scan, "*"))
		return parse_store(as, insn);
	if (take_word(scan, "if"))
		return parse_if(as, insn);
	if (take_word(scan, "goto"))
		return parse_goto(as, insn, INSN_GOTO, 8);
	if (take_word(scan, "gotol"))
		return parse_goto(as, insn, INSN_GOTO, 4);
	if (take_word(scan, "may_goto"))
		return parse_goto(as, insn, INSN_MAY_GOTO, 8);
	if (take_word(scan, "call"))
		return parse_call(as, insn);
	if (take_word(scan, "lock"))
		return parse_lock(as, insn);
	if (take_word(scan, "store_release"))
		return parse_store_release(as, insn);
	if (take_word(scan, "exit")) {
		insn->kind = INSN_EXIT;
		return true;
	}
	if (take_word(scan, "gotox")) {
		insn->kind = INSN_GOTO_REG;
		return need_register(scan, &insn->dst, 8);
	}
	if (take_word(scan, "callx")) {
		insn->kind = INSN_CALL;
		insn->op = CALL_REGISTER;
		return need_register(scan, &insn->dst, 8);
	}
	return scan_fail(scan, "not an instruction");
}

static bool remember_fixup(struct assembler *as, const struct insn *insn)
{
	struct fixup *fixup = vec_push(&as->fixups);
	const char *text = arena_strdup(&as->arena, as->scan.source);

	if (!fixup || !text) {
		as->oom = true;
		return false;
	}
	*fixup = (struct fixup){
		.name = as->want, .slot = (uint32_t)as->out.count,
		.line = as->scan.number, .column = as->want_column, .text = text,
		.wide = insn->kind == INSN_CALL || insn->kind == INSN_IMM64 ||
			(insn->kind == INSN_GOTO && insn->width == 4),
	};
	return true;
}

static bool emit(struct assembler *as, const struct insn *insn)
{
	struct skep_insn raw[2];
	unsigned slots = insn_encode(*insn, raw);

	if (slots == 0)
		return scan_fail(&as->scan, "this has no encoding as an instruction");
	if (as->want && !remember_fixup(as, insn))
		return false;
	for (unsigned i = 0; i < slots; i++) {
		struct skep_insn *slot = vec_push(&as->out);

		if (!slot) {
			as->oom = true;
			return false;
		}
		*slot = raw[i];
	}
	return true;
}

static const struct label *find_label(const struct assembler *as, const char *name)
{
	for (size_t i = 0; i < as->labels.count; i++) {
		if (strcmp(as->labels.items[i].name, name) == 0)
			return &as->labels.items[i];
	}
	return NULL;
}

static bool add_label(struct assembler *as, const char *name, size_t len)
{
	const char *kept = keep_name(as, name, len);
	const struct label *before = kept ? find_label(as, kept) : NULL;
	struct label *label;

	if (before)
		return scan_fail(&as->scan, "label '%s' was defined before, in line %u", kept,
				 before->line);
	label = vec_push(&as->labels);
	if (!kept || !label) {
		as->oom = true;
		return false;
	}
	*label = (struct label){ kept, (uint32_t)as->out.count, as->scan.number };
	return true;
}

/* Labels, an index "5:", an opcode "(b7)": what may stand before a statement. */
static bool parse_prefix(struct assembler *as)
{
	struct scan *scan = &as->scan;
	const char *start, *name;
	size_t len;

	for (;;) {
		skip_blanks(scan);
		start = scan->at;
		len = strspn(start, "0123456789");
		if (len && start[len] == ':') {
			scan->at += len + 1;
			continue;
		}
		if (!take_name(scan, &name, &len) || !take(scan, ":")) {
			scan->at = start;
			break;
		}
		if (!add_label(as, name, len))
			return false;
	}
	if (start[0] == '(' && strspn(start + 1, "0123456789abcdefABCDEF") == 2 && start[3] == ')')
		scan->at += 4;
	return true;
}

/* ';', '//' and a '#' that no word stands before start a comment. */
static void cut_comment(char *line)
{
	for (char *p = line; *p; p++) {
		bool first = p == line || p[-1] == ' ' || p[-1] == '\t';

		if (*p == ';' || (*p == '#' && first) || (p[0] == '/' && p[1] == '/')) {
			*p = '\0';
			return;
		}
	}
}

static bool parse_line(struct assembler *as)
{
	struct scan *scan = &as->scan;
	struct insn insn = { 0 };

	as->want = NULL;
	if (!parse_prefix(as))
		return false;
	if (at_end(scan))
		return true;
	if (!parse_statement(as, &insn) || as->oom)
		return scan->failed || as->oom ? false : scan_fail(scan, "not an instruction");
	if (!at_end(scan))
		return scan_fail(scan, "nothing may follow the instruction on its line");
	return emit(as, &insn);
}

static bool resolve(struct assembler *as, const struct fixup *fixup)
{
	const struct label *label = find_label(as, fixup->name);
	struct skep_insn *insn = &as->out.items[fixup->slot];
	int64_t distance;

	as->scan.source = fixup->text;
	as->scan.line = fixup->text;
	as->scan.at = fixup->text + fixup->column - 1;
	as->scan.number = fixup->line;
	if (!label)
		return scan_fail(&as->scan, "there is no label '%s'", fixup->name);
	distance = (int64_t)label->slot - fixup->slot - 1;
	if (fixup->wide) {
		insn->imm = (int32_t)distance;
		return true;
	}
	if (distance != (int16_t)distance)
		return scan_fail(&as->scan, "label '%s' is %lld instructions away: use gotol",
				 fixup->name, (long long)distance);
	insn->off = (int16_t)distance;
	return true;
}

/* One line of the text as a string of its own, once whole and once cut. */
static bool next_line(struct assembler *as, const char **text, const char *end)
{
	const char *stop = memchr(*text, '\n', (size_t)(end - *text));
	size_t len = (size_t)((stop ? stop : end) - *text);
	struct scan *scan = &as->scan;
	char *line;

	if (memchr(*text, '\0', len)) {
		scan->source = scan->line = scan->at = "";
		scan->number++;
		return scan_fail(scan, "the line holds a NUL byte: this is not text");
	}
	scan->source = keep_name(as, *text, len);
	line = keep_name(as, *text, len);
	if (!scan->source || !line)
		return false;
	cut_comment(line);
	scan->line = scan->at = line;
	scan->number++;
	*text = stop ? stop + 1 : end;
	return true;
}

static bool assemble(struct assembler *as, const char *text, const char *end)
{
	while (text < end) {
		if (!next_line(as, &text, end) || !parse_line(as))
			return false;
	}
	for (size_t i = 0; i < as->fixups.count; i++) {
		if (!resolve(as, &as->fixups.items[i]))
			return false;
	}
	return true;
}

int skep_assemble(const char *text, size_t size, const char *name, struct skep_insn **insns,
		  size_t *count, struct skep_diag *diag)
{
	struct assembler as = { .scan = { .name = name, .diag = diag } };
	int error = 0;

	if (assemble(&as, text, text + size)) {
		*insns = as.out.items;
		*count = as.out.count;
	} else {
		error = as.oom ? skep_fail(diag, SKEP_OOM, NULL, "assembling '%s'", name) :
				 as.scan.error;
		vec_done(&as.out);
	}
	vec_done(&as.labels);
	vec_done(&as.fixups);
	arena_done(&as.arena);
	return error;
}

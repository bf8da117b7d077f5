/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read_c.c - filters as numbers: tcpdump -ddd and the one line that iptables and tc
 * take, and as C: braces of four numbers, BPF_STMT and BPF_JUMP.
 */
#include "cbpf/read.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

/* --- plain numbers: a count, then code jt jf k of each, apart by blanks or commas --- */

static bool more_numbers(struct reader *reader)
{
	while (reader_more(reader)) {
		if (!take(&reader->scan, ",") && !take(&reader->scan, "'") &&
		    !take(&reader->scan, "\""))
			return true;
	}
	return false;
}

static bool next_number(struct reader *reader, uint32_t limit, uint32_t *value)
{
	if (!more_numbers(reader))
		return scan_fail(&reader->scan, "expected a number: an instruction has four");
	return limit ? need_below(&reader->scan, limit, value) : need_value(&reader->scan, value);
}

bool read_numbers(struct reader *reader)
{
	struct scan *scan = &reader->scan;
	uint32_t count, code, jt, jf, k;

	if (!next_number(reader, 0, &count))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!more_numbers(reader))
			return scan_fail(scan, "it promises %u instructions and has %u", count, i);
		if (!next_number(reader, UINT16_MAX + 1u, &code) ||
		    !next_number(reader, UINT8_MAX + 1u, &jt) ||
		    !next_number(reader, UINT8_MAX + 1u, &jf) || !next_number(reader, 0, &k) ||
		    !reader_push(reader, (struct skep_cbpf_insn){ (uint16_t)code, (uint8_t)jt,
								  (uint8_t)jf, k }))
			return false;
	}
	if (more_numbers(reader))
		return scan_fail(scan, "it promises %u instructions and has more", count);
	return !scan->failed && !reader->oom;
}

/* --- C --- */

static const struct {
	const char *name;
	uint32_t value;
} constants[] = {
#define C(name) { #name, (uint32_t)(name) }
	C(BPF_LD), C(BPF_LDX), C(BPF_ST), C(BPF_STX), C(BPF_ALU), C(BPF_JMP), C(BPF_RET),
	C(BPF_MISC), C(BPF_W), C(BPF_H), C(BPF_B), C(BPF_IMM), C(BPF_ABS), C(BPF_IND), C(BPF_MEM),
	C(BPF_LEN), C(BPF_MSH), C(BPF_ADD), C(BPF_SUB), C(BPF_MUL), C(BPF_DIV), C(BPF_OR),
	C(BPF_AND), C(BPF_LSH), C(BPF_RSH), C(BPF_NEG), C(BPF_MOD), C(BPF_XOR), C(BPF_JA),
	C(BPF_JEQ), C(BPF_JGT), C(BPF_JGE), C(BPF_JSET), C(BPF_K), C(BPF_X), C(BPF_A), C(BPF_TAX),
	C(BPF_TXA), C(SKF_AD_OFF), C(SKF_AD_PROTOCOL), C(SKF_AD_PKTTYPE), C(SKF_AD_IFINDEX),
	C(SKF_AD_NLATTR), C(SKF_AD_NLATTR_NEST), C(SKF_AD_MARK), C(SKF_AD_QUEUE),
	C(SKF_AD_HATYPE), C(SKF_AD_RXHASH), C(SKF_AD_CPU), C(SKF_AD_ALU_XOR_X),
	C(SKF_AD_VLAN_TAG), C(SKF_AD_VLAN_TAG_PRESENT), C(SKF_AD_PAY_OFFSET), C(SKF_AD_RANDOM),
	C(SKF_AD_VLAN_TPID), C(SKF_NET_OFF), C(SKF_LL_OFF), C(SECCOMP_RET_KILL),
	C(SECCOMP_RET_KILL_PROCESS), C(SECCOMP_RET_KILL_THREAD), C(SECCOMP_RET_TRAP),
	C(SECCOMP_RET_ERRNO), C(SECCOMP_RET_USER_NOTIF), C(SECCOMP_RET_TRACE), C(SECCOMP_RET_LOG),
	C(SECCOMP_RET_ALLOW), C(SECCOMP_RET_DATA),
#undef C
};

enum { NESTING = 16 };

static bool need_more(struct reader *reader, const char *punctuation)
{
	if (!reader_more(reader) && !reader->scan.failed)
		return scan_fail(&reader->scan, "expected '%s' before the end", punctuation);
	return need(&reader->scan, punctuation);
}

static bool parse_sum(struct reader *reader, uint32_t *value, unsigned depth);

static bool parse_term(struct reader *reader, uint32_t *value, unsigned depth)
{
	struct scan *scan = &reader->scan;
	const char *name;
	size_t len;

	if (!reader_more(reader))
		return scan_fail(scan, "expected a number before the end");
	if (take(scan, "(")) {
		if (depth == NESTING)
			return scan_fail(scan, "too many parentheses");
		return parse_sum(reader, value, depth + 1) && need_more(reader, ")");
	}
	if (take_value(scan, value))
		return true;
	if (scan->failed || !take_name(scan, &name, &len))
		return scan_fail(scan, "expected a number");
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		if (strlen(constants[i].name) == len && memcmp(constants[i].name, name, len) == 0) {
			*value = constants[i].value;
			return true;
		}
	}
	return scan_fail(scan, "'%.*s' is not known: write its number", (int)len, name);
}

static bool parse_sum(struct reader *reader, uint32_t *value, unsigned depth)
{
	struct scan *scan = &reader->scan;
	uint32_t right;

	if (!parse_term(reader, value, depth))
		return false;
	while (reader_more(reader)) {
		bool add = take(scan, "+");

		if (!add && !take(scan, "|"))
			break;
		if (!parse_term(reader, &right, depth))
			return false;
		*value = add ? *value + right : *value | right;
	}
	return !scan->failed;
}

static bool parse_field(struct reader *reader, uint32_t limit, uint32_t *value)
{
	struct scan *scan = &reader->scan;
	struct scan start;

	reader_more(reader);
	start = *scan;
	if (!parse_sum(reader, value, 0))
		return false;
	if (limit == 0 || *value < limit)
		return true;
	*scan = start;
	return scan_fail(scan, "the number must be 0 to %u", limit - 1);
}

static bool parse_code(struct reader *reader, struct skep_cbpf_insn *insn)
{
	uint32_t code;

	if (!parse_field(reader, UINT16_MAX + 1u, &code))
		return false;
	insn->code = (uint16_t)code;
	return need_more(reader, ",");
}

static bool parse_ways(struct reader *reader, struct skep_cbpf_insn *insn)
{
	uint32_t jt, jf;

	if (!parse_field(reader, UINT8_MAX + 1u, &jt) || !need_more(reader, ",") ||
	    !parse_field(reader, UINT8_MAX + 1u, &jf))
		return false;
	insn->jt = (uint8_t)jt;
	insn->jf = (uint8_t)jf;
	return true;
}

static bool parse_element(struct reader *reader)
{
	struct scan *scan = &reader->scan;
	struct skep_cbpf_insn insn = { 0 };
	bool ok;

	if (take_word(scan, "BPF_STMT"))
		ok = need_more(reader, "(") && parse_code(reader, &insn) &&
		     parse_field(reader, 0, &insn.k) && need_more(reader, ")");
	else if (take_word(scan, "BPF_JUMP"))
		ok = need_more(reader, "(") && parse_code(reader, &insn) &&
		     parse_field(reader, 0, &insn.k) && need_more(reader, ",") &&
		     parse_ways(reader, &insn) && need_more(reader, ")");
	else
		ok = need_more(reader, "{") && parse_code(reader, &insn) && parse_ways(reader, &insn) &&
		     need_more(reader, ",") && parse_field(reader, 0, &insn.k) &&
		     need_more(reader, "}");
	return ok && reader_push(reader, insn);
}

/* "static const struct sock_filter NAME[] = {", where there is one. */
static bool parse_declaration(struct reader *reader, bool *open)
{
	struct scan *scan = &reader->scan;
	uint32_t size;
	const char *name;
	size_t len;

	*open = false;
	while (reader_more(reader) && (take_word(scan, "static") || take_word(scan, "const")))
		;
	if (scan->failed || !take_word(scan, "struct"))
		return !scan->failed;
	*open = true;
	if (!reader_more(reader) || !take_word(scan, "sock_filter") || !reader_more(reader) ||
	    !take_name(scan, &name, &len))
		return scan_fail(scan, "expected 'struct sock_filter NAME[] = {'");
	if (!need_more(reader, "["))
		return false;
	take_value(scan, &size);
	return need_more(reader, "]") && need_more(reader, "=") && need_more(reader, "{");
}

/* An array's own brace before that of its first element; else nothing is taken. */
static bool take_outer_brace(struct reader *reader)
{
	const struct scan scan = reader->scan;
	const char *text = reader->text, *p;
	bool in_comment = reader->in_comment;

	if (!take(&reader->scan, "{") || !reader_more(reader))
		return false;
	p = reader->scan.at;
	if (*p == '{' || strncmp(p, "BPF_STMT", 8) == 0 || strncmp(p, "BPF_JUMP", 8) == 0)
		return true;
	reader->scan = scan;
	reader->text = text;
	reader->in_comment = in_comment;
	return false;
}

bool read_c(struct reader *reader)
{
	struct scan *scan = &reader->scan;
	bool open;

	if (!parse_declaration(reader, &open))
		return false;
	if (!open)
		open = take_outer_brace(reader);
	while (reader_more(reader) && *scan->at != '}') {
		if (!parse_element(reader))
			return false;
		if (reader_more(reader) && !take(scan, ","))
			break;
	}
	if (open && (!need_more(reader, "}")))
		return false;
	if (open && reader_more(reader))
		take(scan, ";");
	if (reader_more(reader))
		return scan_fail(scan, "nothing may follow the filter");
	return !scan->failed && !reader->oom;
}

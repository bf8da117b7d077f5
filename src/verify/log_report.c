/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_report.c - the end of a rejected program's log: the explanation, in the
 * sections that readers of Linux 7.3's log know and that loaders cut it into.
 *
 *   Verification failed: Memory Safety: Access outside bounds
 *
 *   Reason:           what is wrong, in one sentence
 *   At:               where the verifier stopped
 *   Line at fault:    where the mistake is, if that is elsewhere
 *   Causal path:      what led there, in the order in which it happened
 *   Suggestion:       the usual fix
 *
 * It says what the diagnostic says (explain.h), so every rejection has one. A
 * place is shown with the source around it, as far as the program's line records
 * have it, and with the instructions around it:
 *
 *   parse @ fw.bpf.c:12:6
 *   Source context:
 *       11 | ...
 *   >>> 12 |         return ip->protocol;
 *          |                ^-- error: R1 min value is outside of the allowed memory range
 *   Instruction context:
 *   >>> 6 | (71) r0 = *(u8 *)(r1 +9)
 */
#include "verify/explain.h"

#include <stdio.h>

enum { WIDTH = 100, SOURCE_WIDTH = 76, AROUND = 2 };

/* --- what kind of failure it is --- */

static const char policy[] = "Policy: Operation is not allowed";
static const char call_type[] = "Call Type Safety: Invalid call argument";
static const char dereference[] = "Register Type Safety: Invalid dereference";
static const char outside[] = "Memory Safety: Access outside bounds";
static const char unset_stack[] = "Memory Safety: Uninitialized stack read";
static const char unreadable[] = "Register Type Safety: Unreadable register";
static const char unsafe_offset[] = "Register Type Safety: Pointer offset is not safe";
static const char wrong_context[] = "Execution Context Safety: Operation is not allowed in this context";
static const char no_context[] = "Execution Context Safety: Required context is not active";
static const char unreleased[] = "Resource Lifetime Safety: Unreleased resource";
static const char too_complex[] = "Program Structure: Too large or too complex";

/* The first row that fits; a message of NULL fits all of the code. */
static const struct {
	int code;               /* enum skep_code; -1: any */
	const char *message;    /* part of the message */
	const char *title;
} titles[] = {
	{ -1, "unreachable insn", "Program Structure: Unreachable instruction" },
	{ -1, "jump out of range", "Program Structure: Jump out of range" },
	{ -1, "recursive call", "Program Structure: Recursive subprogram call" },
	{ -1, "would lead to reference leak", unreleased },
	{ -1, "Unreleased reference", unreleased },
	{ -1, "cannot overwrite referenced dynptr",
	  "Resource Lifetime Safety: Referenced dynptr overwrite" },
	{ -1, "xpected an initialized dynptr",
	  "Resource Lifetime Safety: Uninitialized dynptr use" },
	{ -1, "has to be an uninitialized dynptr",
	  "Resource Lifetime Safety: Dynptr is already initialized" },
	{ -1, "CONST_PTR_TO_DYNPTR cannot be released",
	  "Resource Lifetime Safety: Const dynptr release" },
	{ -1, "expected an initialized iter",
	  "Resource Lifetime Safety: Uninitialized iterator use" },
	{ -1, "expected uninitialized iter",
	  "Resource Lifetime Safety: Iterator is already initialized" },
	{ -1, "unlock of different lock",
	  "Resource Lifetime Safety: Unlock of a different lock" },
	{ -1, "unlock without taking", "Resource Lifetime Safety: Unlock without lock" },
	{ -1, "requires RCU critical section", no_context },
	{ -1, "expected an RCU CS", no_context },
	{ -1, "!read_ok", unreadable },
	{ -1, "null-check it first",
	  "Register Type Safety: Pointer arithmetic before NULL check" },
	{ -1, "32-bit pointer arithmetic",
	  "Register Type Safety: 32-bit pointer arithmetic" },
	{ -1, "subtract pointer from scalar",
	  "Register Type Safety: Pointer subtracted from scalar" },
	{ -1, "subtraction from stack pointer",
	  "Register Type Safety: Subtraction from stack pointer" },
	{ -1, "bitwise operator", "Register Type Safety: Bitwise operation on pointer" },
	{ -1, "pointer arithmetic with",
	  "Register Type Safety: Invalid pointer arithmetic operator" },
	{ -1, "pointer arithmetic on",
	  "Register Type Safety: Pointer arithmetic is not allowed" },
	{ -1, "math between", unsafe_offset },
	{ -1, "pointer be out of bounds", unsafe_offset },
	{ -1, "pointer offset", unsafe_offset },
	{ -1, "invalid mem access", dereference },
	{ -1, "dereference of modified", dereference },
	{ -1, "invalid read from stack", unset_stack },
	{ -1, "allowed memory range", outside },
	{ -1, "outside of the packet", outside },
	{ -1, "min value is negative", outside },
	{ -1, "unbounded memory access", outside },
	{ SKEP_VERIFY_INSN, NULL, "Program Structure: Invalid instruction" },
	{ SKEP_VERIFY_BIG, NULL, too_complex },
	{ SKEP_VERIFY_MEM, NULL, outside },
	{ SKEP_VERIFY_PACKET, NULL, outside },
	{ SKEP_VERIFY_BOUNDS, NULL, outside },
	{ SKEP_VERIFY_NULL, NULL, call_type },
	{ SKEP_VERIFY_UNSET, NULL, unreadable },
	{ SKEP_VERIFY_REF, NULL, "Resource Lifetime Safety: Invalid resource use" },
	{ SKEP_VERIFY_ARG, NULL, call_type },
	{ SKEP_VERIFY_CALL, NULL, policy },
	{ SKEP_VERIFY_LOOP, NULL, "Program Structure: Endless loop" },
	{ SKEP_VERIFY_SHAPE, NULL, "Program Structure: Invalid control flow" },
	{ SKEP_VERIFY_RETURN, NULL, "Return Value Safety: Value is not allowed" },
	{ SKEP_VERIFY_ARITH, NULL, "Register Type Safety: Invalid pointer arithmetic operator" },
	{ SKEP_VERIFY_LEAK, NULL, "Information Safety: Address would leak" },
	{ SKEP_VERIFY_STACK, NULL, "Program Structure: Stack is too deep" },
	{ SKEP_VERIFY_CTX, NULL, "Memory Safety: Invalid context access" },
	{ SKEP_VERIFY_ALIGN, NULL, "Memory Safety: Misaligned access" },
	{ SKEP_VERIFY_READ_ONLY, NULL, "Memory Safety: Write to read-only memory" },
	{ SKEP_VERIFY_REGION, NULL, wrong_context },
	{ SKEP_VERIFY_SLEEP, NULL, wrong_context },
	{ SKEP_VERIFY_MOVED, NULL, dereference },
	{ SKEP_VERIFY_NOT_POINTER, NULL, dereference },
	{ -1, NULL, policy },
};

static const char *title_of(const struct skep_diag_item *item)
{
	size_t i = 0;

	while ((titles[i].code >= 0 && titles[i].code != (int)item->code) ||
	       (titles[i].message && !strstr(item->message, titles[i].message)))
		i++;
	return titles[i].title;
}

/* --- sentences --- */

/* Words; the first line goes on where one was begun, used columns wide, the others at indent. */
static void wrapped(struct skep_text *out, size_t indent, size_t used, const char *lead,
		    const char *text)
{
	while (*text) {
		size_t room = WIDTH - MIN(used, (size_t)WIDTH / 2), len = strlen(text);

		if (len > room) {
			len = room;
			while (len && text[len] != ' ')
				len--;
			len = len ? len : room;
		}
		text_add(out, "%.*s\n", (int)len, text);
		text += len;
		text += strspn(text, " ");
		if (*text)
			text_add(out, "%s%*s", lead, (int)(indent - strlen(lead)), "");
		used = indent;
	}
}

static void section(struct skep_text *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	text_add(out, "%s:\n  ", name);
	wrapped(out, 2, 2, "", text);
	text_add(out, "\n");
}

/* --- places --- */

struct report {
	struct skep_text *out;
	const struct prog_spec *spec;
	const struct skep_btf *kernel_btf;
};

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *function_at(const struct report *r, int64_t insn)
{
	const struct prog_spec *spec = r->spec;
	const char *name = NULL;

	for (uint32_t i = 0; spec->btf && i < spec->func_count; i++)
		if (spec->funcs[i].insn <= (uint64_t)insn)
			name = skep_btf_type_name(spec->btf, spec->funcs[i].type);
	return name && *name ? name : spec->name ? spec->name : "?";
}

/* The text of another line of the file that the place is in; "...": not recorded. */
static const char *line_text(const struct report *r, const struct skep_where *where, uint32_t line)
{
	const struct prog_spec *spec = r->spec;

	for (uint32_t i = 0; i < spec->line_count; i++) {
		const struct line_info *info = &spec->lines[i];
		const char *text;

		if (info->line_col >> 10 != line ||
		    strcmp(btf_str(spec->btf, info->file_off), where->file) != 0)
			continue;
		text = btf_str(spec->btf, info->line_off);
		if (*text)
			return text;
	}
	return "...";
}

/* With tabs spread out; returns where its column, from 0, comes to stand. */
static size_t add_source(struct skep_text *out, const char *text, size_t column)
{
	size_t at = 0, caret = 0;

	for (size_t i = 0; text[i] && text[i] != '\n'; i++) {
		size_t width = text[i] == '\t' ? 8 - at % 8 : 1;

		if (i == column)
			caret = at;
		if (at + width > SOURCE_WIDTH) {
			text_add(out, "...");
			break;
		}
		text_add(out, "%*s", (int)width, text[i] == '\t' ? "" : (char[]){ text[i], 0 });
		at += width;
	}
	text_add(out, "\n");
	return caret ? caret : column && column >= strlen(text) ? 0 : caret;
}

static size_t digits(uint64_t number)
{
	char text[24];

	return (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
}

struct label {
	const char *kind, *text;
};

static void add_labels(const struct report *r, size_t gutter, size_t caret,
		       const struct label *labels, size_t count)
{
	char lead[32];

	snprintf(lead, sizeof(lead), "%*s|", (int)gutter, "");
	for (size_t i = 0; i < count; i++) {
		size_t indent = gutter + 2 + caret + 4;

		text_add(r->out, "%s %*s^-- %s: ", lead, (int)caret, "", labels[i].kind);
		wrapped(r->out, indent, indent + strlen(labels[i].kind) + 2, lead, labels[i].text);
	}
}

static void add_lines(const struct report *r, const struct skep_where *where,
		      const struct label *labels, size_t count)
{
	uint32_t last = where->line + AROUND;
	int width = (int)digits(last);

	text_add(r->out, "  Source context:\n");
	for (uint32_t line = where->line > AROUND ? where->line - AROUND : 1; line <= last; line++) {
		bool here = line == where->line;
		const char *text = here ? where->text : line_text(r, where, line);
		size_t caret;

		text_add(r->out, "  %s %*u | ", here ? ">>>" : "   ", width, line);
		caret = add_source(r->out, text && *text ? text : "...",
				   here && where->column ? where->column - 1 : 0);
		if (!here)
			continue;
		if (caret == 0 && text) /* at the first word, then */
			for (; text[caret] == ' '; caret++)
				;
		add_labels(r, 2 + 3 + 1 + (size_t)width + 1, caret, labels, count);
	}
}

static const char *kfunc_name(void *arg, int32_t id)
{
	const struct report *r = arg;

	if (!r->kernel_btf || id <= 0 || (uint32_t)id > skep_btf_count(r->kernel_btf))
		return NULL;
	return skep_btf_type_name(r->kernel_btf, (uint32_t)id);
}

/* The second half of a 64-bit constant is no instruction. */
static bool is_insn(const struct prog_spec *spec, int64_t at)
{
	return at >= 0 && at < (int64_t)spec->len &&
	       !(at && spec->insns[at - 1].code == 0x18 && !spec->insns[at].code);
}

static void add_insns(const struct report *r, int64_t insn)
{
	struct report *mutable = (struct report *)(uintptr_t)r;
	const struct disasm_names names = {
		.arg = mutable, .kfunc = kfunc_name, .hide_addresses = true,
	};
	int64_t first = insn, last = insn;
	char text[256];

	for (int n = 0; n < AROUND && first > 0; n++)
		do
			first--;
		while (first > 0 && !is_insn(r->spec, first));
	for (int n = 0; n < AROUND && last + 1 < (int64_t)r->spec->len; n++)
		do
			last++;
		while (last + 1 < (int64_t)r->spec->len && !is_insn(r->spec, last));
	text_add(r->out, "  Instruction context:\n");
	for (int64_t at = first; at <= last; at++) {
		if (!is_insn(r->spec, at))
			continue;
		insn_print(r->spec->insns, r->spec->len, (size_t)at, &names, text, sizeof(text));
		text_add(r->out, "  %s %*lld | (%02x) %s\n", at == insn ? ">>>" : "   ",
			 (int)digits((uint64_t)last), (long long)at, r->spec->insns[at].code, text);
	}
}

static void add_place(const struct report *r, const struct skep_where *where,
		      const struct label *labels, size_t count)
{
	if (where->line && where->file) {
		text_add(r->out, "  %s @ %s:%u:%u\n", function_at(r, where->insn),
			 file_name(where->file), where->line, where->column);
		add_lines(r, where, labels, count);
	} else {
		if (where->insn >= 0)
			text_add(r->out, "  insn %lld\n", (long long)where->insn);
		else
			text_add(r->out, "  %s\n", r->spec->name ? r->spec->name : "?");
		add_labels(r, 8, 0, labels, count);
	}
	if (where->insn >= 0 && where->insn < (int64_t)r->spec->len)
		add_insns(r, where->insn);
}

/* --- what led there --- */

static const char *label_of(const char *event)
{
	static const struct { const char *event, *label; } names[] = {
		{ "start", "given" }, { "value", "update" }, { "change", "update" },
		{ "check", "branch" }, { "acquire", "acquired" }, { "release", "released" },
		{ "lost", "invalidated" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i].event, event) == 0)
			return names[i].label;
	return event;
}

/* What the place where the verifier stopped shows already is left out. */
static bool is_told(const struct skep_diag_item *item, const struct skep_note *note)
{
	return note->event && !note->detail &&
	       !(strcmp(note->event, "stop") == 0 && note->where.insn == item->where.insn);
}

static void add_path(const struct report *r, const struct skep_diag_item *item)
{
	bool any = false;

	for (size_t i = 0; i < item->note_count;) {
		const struct skep_note *note = &item->notes[i];
		struct label labels[8];
		size_t count = 0;

		for (; i < item->note_count && count < ARRAY_SIZE(labels); i++) {
			const struct skep_note *next = &item->notes[i];

			if (!is_told(item, next))
				continue;
			if (count && next->where.insn != note->where.insn)
				break;
			note = next;
			labels[count++] = (struct label){ label_of(next->event), next->message };
		}
		if (!count)
			break;
		text_add(r->out, "%s", any ? "" : "Causal path:\n");
		any = true;
		add_place(r, &note->where, labels, count);
		text_add(r->out, "\n");
	}
}

/* A sentence as others write it: with a capital letter and a full stop. */
static char *sentence(const char *text)
{
	size_t len = text ? strlen(text) : 0;
	char *copy = len ? malloc(len + 2) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, text, len + 1);
	if (copy[0] >= 'a' && copy[0] <= 'z' && (copy[1] == ' ' || (copy[1] >= 'a' && copy[1] <= 'z')) &&
	    !memchr(copy, '(', strcspn(copy, " ")) && !memchr(copy, '_', strcspn(copy, " ")) &&
	    !memchr(copy, ':', strcspn(copy, " ")))
		copy[0] = (char)(copy[0] - 'a' + 'A');
	if (!strchr(".!?;", copy[len - 1]))
		memcpy(copy + len, ".", 2);
	return copy;
}

void trace_report(struct skep_text *log, const struct prog_spec *spec,
		  const struct skep_btf *kernel_btf, const struct skep_diag_item *item)
{
	struct report r = { log, spec, kernel_btf };
	struct label error = { "error", item->message };
	const char *help = item->help ? item->help : skep_code_help(item->code);
	char *reason = sentence(item->cause ? item->cause : skep_code_title(item->code));
	char *suggestion = sentence(help);

	text_add(log, "\nVerification failed: %s\n\n", title_of(item));
	section(log, "Reason", reason);
	text_add(log, "At:\n");
	add_place(&r, &item->where, &error, 1);
	text_add(log, "\n");
	if (item->blame.line && item->blame.line != item->where.line) {
		struct label fault = { "fault", item->cause ? item->cause : item->message };

		text_add(log, "Line at fault:\n");
		add_place(&r, &item->blame, &fault, 1);
		text_add(log, "\n");
	}
	add_path(&r, item);
	section(log, "Suggestion", suggestion);
	free(reason);
	free(suggestion);
}

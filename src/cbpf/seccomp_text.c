/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_text.c - reads a policy in text: a rule a line, words between blanks.
 *
 * Rules wait until all is read, because the architectures that they are for may be named
 * behind them.
 */
#include "cbpf/seccomp.h"
#include "cbpf/syscall.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base.h"

#define WORD_MAX 64u

struct reader {
	struct skep_seccomp *policy;
	const char *name, *at, *end, *line_start;
	uint32_t line;
	bool rules;               /* second pass: rules; first: all else */
	bool any;                 /* some line is not empty */
	char word[WORD_MAX];
	const char *word_at;
	struct skep_diag *diag;
};

static int fail(const struct reader *reader, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(const struct reader *reader, const char *fmt, ...)
{
	struct skep_where where = SKEP_NOWHERE;
	char text[160];
	const char *end = memchr(reader->line_start, '\n', (size_t)(reader->end - reader->line_start));
	size_t len = (size_t)((end ? end : reader->end) - reader->line_start);
	va_list args;

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, reader->line_start, len);
	text[len] = '\0';
	where.file = reader->name;
	where.line = reader->line;
	where.column = (uint32_t)(reader->word_at - reader->line_start) + 1;
	where.text = text;
	va_start(args, fmt);
	skep_vreport(reader->diag, SKEP_SECCOMP_TEXT, &where, fmt, args);
	va_end(args);
	return -SKEP_SECCOMP_TEXT_ERRNO;
}

/* --- words --- */

static bool is_operator(char c)
{
	return c == '=' || c == '!' || c == '<' || c == '>' || c == '&';
}

static bool ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == ',' || c == '\n' || c == '#';
}

/* The next word of the line into reader->word; "" at its end. Operators need no blanks. */
static int next_word(struct reader *reader)
{
	const char *p = reader->at;
	size_t len = 0;

	while (p < reader->end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == ','))
		p++;
	reader->word_at = p;
	while (p + len < reader->end && !ends_word(p[len]) && is_operator(p[len]) == is_operator(*p))
		len++;
	if (len >= WORD_MAX || memchr(p, '\0', len))
		return fail(reader, "a word of %zu characters is no name", len);
	memcpy(reader->word, p, len);
	reader->word[len] = '\0';
	reader->at = p + len;
	return 0;
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* --- actions --- */

static bool takes_data(const char *action)
{
	return strcmp(action, "errno") == 0 || strcmp(action, "trap") == 0 || strcmp(action, "trace") == 0;
}

/* Other tools' words, and what they are here. */
static const char *meant_by(const char *word)
{
	static const struct { const char *word, *action; } words[] = {
		{ "deny", "errno EPERM" }, { "block", "errno EPERM" }, { "refuse", "errno EPERM" },
		{ "reject", "errno EPERM" }, { "forbid", "errno EPERM" }, { "eperm", "errno EPERM" },
		{ "permit", "allow" }, { "accept", "allow" }, { "pass", "allow" }, { "audit", "log" },
		{ "warn", "log" }, { "user-notif", "notify" }, { "kill_process", "kill-process" },
		{ "kill_thread", "kill-thread" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(words[i].word, word) == 0)
			return words[i].action;
	}
	return NULL;
}

/* The word just read is an action; one more word may be its data. Leaves the reader behind it. */
static int read_action(struct reader *reader, uint32_t *action)
{
	char word[WORD_MAX];
	const char *before;
	int error;

	memcpy(word, reader->word, sizeof(word));
	if (!skep_seccomp_action_find(word, NULL, action) || strncmp(word, "SCMP_", 5) == 0) {
		fail(reader, "'%s' is not an action: allow, log, errno, trace, trap, notify, kill-thread or kill-process", word);
		if (meant_by(word))
			skep_help(reader->diag, "did you mean '%s'?", meant_by(word));
		return -SKEP_SECCOMP_TEXT_ERRNO;
	}
	before = reader->at;
	if (!takes_data(word))
		return 0;
	if ((error = next_word(reader)) < 0)
		return error;
	if (!skep_seccomp_action_find(word, reader->word, action))
		reader->at = before;
	return 0;
}

/* --- tests --- */

static const struct { const char *text; uint8_t op; } operators[] = {
	{ "==", SKEP_SECCOMP_EQ }, { "!=", SKEP_SECCOMP_NE }, { "<", SKEP_SECCOMP_LT },
	{ "<=", SKEP_SECCOMP_LE }, { ">", SKEP_SECCOMP_GT }, { ">=", SKEP_SECCOMP_GE },
};

static int read_number(struct reader *reader, const char *what, uint64_t *value)
{
	int error = next_word(reader);

	if (error == 0 && !number(reader->word, value))
		error = fail(reader, "'%s' is not a number: %s", reader->word, what);
	return error;
}

/* LOW..HIGH: two tests. */
static int read_range(struct reader *reader, struct skep_seccomp_test *tests)
{
	int error = next_word(reader);
	char *dots = strstr(reader->word, "..");

	if (error < 0)
		return error;
	if (dots)
		*dots = '\0';
	if (!dots || !number(reader->word, &tests[0].value) || !number(dots + 2, &tests[1].value) ||
	    tests[0].value > tests[1].value)
		return fail(reader, "a range is LOW..HIGH, as in arg0 in 3..7");
	tests[0].op = SKEP_SECCOMP_GE;
	tests[1].op = SKEP_SECCOMP_LE;
	return 2;
}

/* One test; returns how many it became. */
static int read_test(struct reader *reader, struct skep_seccomp_test *tests)
{
	int error = next_word(reader);

	if (error < 0)
		return error;
	if (strncmp(reader->word, "arg", 3) != 0 || reader->word[3] < '0' || reader->word[3] > '5' ||
	    reader->word[4])
		return fail(reader, "'%s' is not an argument: arg0 to arg5", reader->word);
	tests[0] = (struct skep_seccomp_test){ .arg = (uint8_t)(reader->word[3] - '0'), .mask = UINT64_MAX };
	error = next_word(reader);
	if (error == 0 && strcmp(reader->word, "&") == 0) {
		error = read_number(reader, "a mask", &tests[0].mask);
		if (error == 0)
			error = next_word(reader);
	}
	if (error < 0)
		return error;
	if (strcmp(reader->word, "in") == 0) {
		tests[1] = tests[0];
		return read_range(reader, tests);
	}
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (strcmp(operators[i].text, reader->word) == 0) {
			tests[0].op = operators[i].op;
			error = read_number(reader, "what an argument is compared with", &tests[0].value);
			return error < 0 ? error : 1;
		}
	}
	return fail(reader, "'%s' is not a comparison: == != < <= > >= or in", reader->word);
}

static int read_tests(struct reader *reader, struct skep_seccomp_test *tests)
{
	size_t count = 0;

	for (;;) {
		int made = count + 2 > SKEP_SECCOMP_TESTS ? fail(reader, "more than %u tests in one rule", SKEP_SECCOMP_TESTS) :
							    read_test(reader, &tests[count]), error;

		if (made < 0)
			return made;
		count += (size_t)made;
		error = next_word(reader);
		if (error < 0)
			return error;
		if (!reader->word[0])
			return (int)count;
		if (strcmp(reader->word, "and") != 0)
			return fail(reader, "'%s' where 'and' or the line's end may stand", reader->word);
	}
}

/* --- lines --- */

/* What a line is about: its action, its tests, and which calls it leaves out. */
struct line {
	uint32_t action;
	struct skep_seccomp_test tests[SKEP_SECCOMP_TESTS];
	size_t count;
	struct syscall_set out;
};

static int fail_unknown(const struct reader *reader, const char *call, const char *arch)
{
	const char *near = skep_syscall_nearest(call);
	bool group = *call == '@';

	if (call[0] == 'E' && call[1] >= 'A' && call[1] <= 'Z')
		return fail(reader, "'%s' is neither an error nor a system call", call);
	fail(reader, "there is no %s '%s'%s%s", group ? "group of system calls" : "system call", call,
	     *arch ? " on " : "", arch);
	if (near && strcmp(near, call) != 0)
		skep_help(reader->diag, "did you mean '%s'?", near);
	else if (group)
		skep_help(reader->diag, "'skep seccomp groups' shows all");
	return -SKEP_SECCOMP_TEXT_ERRNO;
}

static int add_to(struct reader *reader, enum skep_seccomp_arch arch, const char *call, const struct line *line)
{
	int error;

	if (!skep_seccomp_has_arch(reader->policy, arch))
		return 0;
	reader->policy->line = reader->line;
	error = skep_seccomp_add_rule(reader->policy, arch, call, line->action, line->tests, line->count,
				      reader->diag);
	reader->policy->line = 0;
	if (error == 0 && arch == SKEP_ARCH_X86 && line->count == 0)
		error = skep_seccomp_add_multiplexed(reader->policy, call, line->action, reader->diag);
	return error;
}

/* CALL, or CALL@ARCH, which need not be an architecture of the policy. */
static int add_call(struct reader *reader, char *call, const struct line *line)
{
	char *at = strchr(call, '@');
	int only = -1, error = 0, row;
	bool known;

	if (at) {
		*at = '\0';
		only = skep_arch_find(at + 1);
		if (only < 0)
			return fail(reader, "there is no architecture '%s': x86_64, x86, x32 or aarch64", at + 1);
	}
	row = syscall_row(call);
	known = only < 0 ? row >= 0 || skep_syscall_number(SKEP_ARCH_X86_64, call) >= 0 :
			   skep_syscall_number((enum skep_seccomp_arch)only, call) >= 0;
	if (!known)
		return fail_unknown(reader, call, at ? at + 1 : "");
	if (row >= 0 && syscall_set_has(&line->out, row))
		return 0;
	for (int arch = 0; arch < SKEP_ARCH_COUNT && error == 0; arch++) {
		if (only < 0 || arch == only)
			error = add_to(reader, (enum skep_seccomp_arch)arch, call, line);
	}
	return error;
}

static int add_group(struct reader *reader, const char *group, const struct line *line)
{
	struct syscall_set set = { 0 };
	int error = 0;

	if (!syscall_set_add_group(&set, group))
		return fail_unknown(reader, group, "");
	for (int row = 0; syscall_row_name(row) && error == 0; row++) {
		if (!syscall_set_has(&set, row) || syscall_set_has(&line->out, row))
			continue;
		for (int arch = 0; arch < SKEP_ARCH_COUNT && error == 0; arch++)
			error = add_to(reader, (enum skep_seccomp_arch)arch, syscall_row_name(row), line);
	}
	return error;
}

/* ~CALL or ~@GROUP */
static int leave_out(const struct reader *reader, struct syscall_set *out, const char *name)
{
	int row = syscall_row(name);

	if (*name == '@' ? !syscall_set_add_group(out, name) : row < 0)
		return fail_unknown(reader, name, "");
	if (*name != '@')
		syscall_set_add(out, row);
	return 0;
}

/* The calls of a line up to where its tests begin or it ends; which are left out, and how many are not. */
static int read_left_out(struct reader *reader, struct line *line)
{
	int error, others = 0;

	for (;;) {
		if ((error = next_word(reader)) < 0)
			return error;
		if (!reader->word[0] || strcmp(reader->word, "if") == 0)
			return others;
		if (reader->word[0] != '~')
			others++;
		else if ((error = leave_out(reader, &line->out, reader->word + 1)) < 0)
			return error;
	}
}

static int read_rule(struct reader *reader, uint32_t action)
{
	struct line line = { .action = action };
	const char *calls = reader->at, *end;
	int others = read_left_out(reader, &line), error, count = 0;

	if (others < 0)
		return others;
	end = reader->word_at;
	if (others == 0)
		return fail(reader, "an action without a system call (all but some are: @known ~@clock)");
	if (reader->word[0] && (count = read_tests(reader, line.tests)) < 0)
		return count;
	line.count = (size_t)count;
	reader->at = calls;
	for (;;) {
		if ((error = next_word(reader)) < 0 || reader->word_at >= end)
			return error;
		reader->policy->named = reader->word[0] != '@';
		if (reader->word[0] == '@')
			error = add_group(reader, reader->word, &line);
		else if (reader->word[0] != '~')
			error = add_call(reader, reader->word, &line);
		if (error < 0)
			return error;
	}
}

static int read_archs(struct reader *reader)
{
	int error;

	while ((error = next_word(reader)) == 0 && reader->word[0]) {
		int arch = skep_arch_find(reader->word);

		if (arch < 0)
			return fail(reader, "there is no architecture '%s': x86_64, x86, x32 or aarch64", reader->word);
		skep_seccomp_add_arch(reader->policy, (enum skep_seccomp_arch)arch);
	}
	return error;
}

static int read_single_action(struct reader *reader, uint32_t *action)
{
	int error = next_word(reader);

	if (error == 0)
		error = read_action(reader, action);
	if (error == 0)
		error = next_word(reader);
	if (error == 0 && reader->word[0])
		error = fail(reader, "'%s' behind the action", reader->word);
	return error;
}

static int read_line(struct reader *reader)
{
	uint32_t action;
	int error = next_word(reader);

	if (error < 0 || !reader->word[0])
		return error;
	reader->any = true;
	if (strcmp(reader->word, "arch") == 0)
		return reader->rules ? 0 : read_archs(reader);
	if (strcmp(reader->word, "default") == 0)
		return reader->rules ? 0 : read_single_action(reader, &reader->policy->normal);
	if (strcmp(reader->word, "foreign") == 0)
		return reader->rules ? 0 : read_single_action(reader, &reader->policy->foreign);
	error = read_action(reader, &action);
	return error < 0 || !reader->rules ? error : read_rule(reader, action);
}

static int read_pass(struct reader *reader, const char *text, bool rules)
{
	int error = 0;

	reader->rules = rules;
	reader->at = text;
	for (reader->line = 1; reader->at < reader->end && error == 0; reader->line++) {
		const char *newline = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));

		reader->line_start = reader->at;
		error = read_line(reader);
		reader->at = newline ? newline + 1 : reader->end;
	}
	return error;
}

int skep_seccomp_read(struct skep_seccomp *policy, const char *text, size_t size,
		      const char *name, struct skep_diag *diag)
{
	struct reader reader = { .policy = policy, .name = name, .end = text + size, .diag = diag };
	int error = read_pass(&reader, text, false);

	/* the calls of an empty file, or of a command that failed, would all be refused */
	if (error == 0 && !reader.any) {
		reader.line_start = reader.word_at = text;
		reader.line = 1;
		return fail(&reader, "there is no line with anything in it");
	}
	if (error == 0 && !policy->archs)
		skep_seccomp_add_arch(policy, SKEP_ARCH_X86_64);
	return error < 0 ? error : read_pass(&reader, text, true);
}

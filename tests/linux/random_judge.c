/* SPDX-License-Identifier: BSD-2-Clause */
/* random_judge.c - see random_judge.h. */
#include "random_judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../random/older.h"
#include "base/base.h"
#include "random_kernel.h"

/*
 * Differences that are as they should be, each with its reason. older: only where the
 * kernel judges as older ones do.
 */
static const struct explanation {
	enum verdict verdict;
	const char *message;     /* is part of it */
	int older;               /* enum older; -1: any kernel */
	const char *why;
	bool unreached;          /* only where the kernel refuses what Skep never came to */
} explanations[] = {
	{ .verdict = LOOSE, .message = "verifier bug", .older = -1,
	  .why = "the kernel's verifier found itself at fault" },
	{ .verdict = STRICT, .message = "reserved fields", .older = OLDER_FIELDS,
	  .why = "older kernels do not look at instructions that no path reaches" },
	{ .verdict = LOOSE, .message = "", .older = -1, .unreached = true,
	  .why = "the kernel comes to an instruction that no number leads to" },
	{ .verdict = STRICT, .message = "infinite loop detected", .older = OLDER_FIELDS,
	  .why = "older kernels take a change in stack that nobody reads for progress" },
	{ .verdict = LOOSE, .message = "unknown opcode 0d", .older = OLDER_FIELDS,
	  .why = "indirect jumps are newer" },
};

static bool is_limit(int error)
{
	return error == -E2BIG || error == -ENOMEM || error == -EAGAIN || error == -ENOSPC;
}

/* The last line of a log before the statistics, or before the kernel's explanation. */
static void last_line(char *log, char *text, size_t size)
{
	char *end = strstr(log, "\nprocessed "), *start, *long_form;

	if (!end)
		end = log + strlen(log);
	*end = 0;
	long_form = strstr(log, "\nVerification failed");
	if (long_form)
		end = long_form;
	while (end > log && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	for (start = end; start > log && start[-1] != '\n';)
		start--;
	snprintf(text, size, "%.*s", (int)MIN((size_t)(end - start), size - 1), start);
}

void random_generalise(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		bool starts = *from >= '0' && *from <= '9';

		if (!starts) {
			*to++ = *from++;
			continue;
		}
		from += from[0] == '0' && from[1] == 'x' ? 2 : 0;
		while ((*from >= '0' && *from <= '9') || (*from >= 'a' && *from <= 'f'))
			from++;
		if (to > text && to[-1] == '-')
			to--;
		*to++ = '#';
	}
	*to = 0;
}

static int ask_kernel(const struct random_program *program)
{
	int verdict = kernel_verdict(program, 0);

	/* Memory of programs just closed comes back with a delay. */
	for (int i = 0; i < 5 && (verdict == -ENOTSUPP || verdict == -ENOMEM); i++) {
		usleep(100000);
		verdict = kernel_verdict(program, 0);
	}
	return verdict;
}

/* The instruction that the kernel's log ends with; -1: none. */
static int64_t refused_at(const char *log)
{
	int64_t at = -1;

	for (const char *line = log; line; line = strchr(line, '\n')) {
		unsigned insn, code;

		line += *line == '\n';
		if (sscanf(line, "%u: (%2x)", &insn, &code) == 2)
			at = insn;
	}
	return at;
}

static void explain(struct judgement *j, const struct lab_result *here)
{
	int64_t at = j->verdict == LOOSE ? refused_at(random_kernel_log) : -1;
	bool unreached = at >= 0 && at < RANDOM_SLOTS && !here->reached[at];

	for (size_t i = 0; i < ARRAY_SIZE(explanations); i++) {
		const struct explanation *row = &explanations[i];

		if (row->verdict != j->verdict || !strstr(j->text, row->message) ||
		    (row->older >= 0 && !older[row->older]) || (row->unreached && !unreached))
			continue;
		j->verdict = EXPLAINED;
		j->why = row->why;
		return;
	}
}

static void compare(const struct random_program *program, const struct lab_result *here,
		    struct judgement *j)
{
	/* It would take the kernel ten seconds to say the same, or more. */
	if (is_limit(j->skep)) {
		j->verdict = LIMIT;
		return;
	}
	j->kernel = ask_kernel(program);
	if (!j->skep == !j->kernel)
		return;
	j->verdict = is_limit(j->skep) || is_limit(j->kernel) ? LIMIT : j->skep ? STRICT : LOOSE;
	if (j->verdict == LOOSE) {
		kernel_verdict(program, 1);
		last_line(random_kernel_log, j->text, sizeof(j->text));
	}
	explain(j, here);
}

void random_judge(struct lab *lab, const struct random_program *program, bool ask,
		  unsigned log_level, struct judgement *j)
{
	static struct lab_result here;

	lab_judge(lab, program, log_level, &here);
	*j = (struct judgement){ .skep = here.error, .runs = here.runs, .done = here.done,
				 .recorded = here.recorded, .processed = here.processed,
				 .verdict = here.error ? BOTH_REJECT : BOTH_ACCEPT };
	snprintf(j->text, sizeof(j->text), "%s", here.message);
	if (ask)
		compare(program, &here, j);
	if (here.runs && here.checked.end >= CHECKED_VIOLATION) {
		j->verdict = here.checked.end == CHECKED_VIOLATION ? UNSAFE : CLAIM;
		snprintf(j->text, sizeof(j->text), "insn %u: %s", here.checked.pc, here.checked.what);
		if (log_level)
			printf("--- run %u: %s\n", here.runs, j->text);
	}
	if (ask && log_level) {
		kernel_verdict(program, log_level);
		printf("--- the kernel: %d\n%s\n", j->kernel, random_kernel_log);
	}
}

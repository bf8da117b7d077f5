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
	uint32_t type;           /* only in programs of this type; 0: any */
	bool ended;              /* only where all runs came to an end */
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
	/*
	 * Bytes of a spilled pointer are any number, as those of a stack nobody wrote are, to
	 * who may see them: a state with these covers one with those. Which way comes first,
	 * and where states are kept, decides whether the kernel ever looks.
	 */
	{ .verdict = LOOSE, .message = "invalid size of register fill", .older = -1,
	  .why = "whether part of a pointer is read depends on what was given up before" },
	/* It compares the offset with the size of a pointer, as if it had no sign. */
	{ .verdict = STRICT, .message = "invalid bpf_context access off=-", .older = -1,
	  .type = BPF_PROG_TYPE_TRACEPOINT,
	  .why = "the kernel lets a tracepoint's program read what lies before its record" },
	/*
	 * Skep follows a loop until nothing changes or the limits are met; all runs ended.
	 * The kernel's alarm is a guess from two states that look alike.
	 */
	{ .verdict = LOOSE, .message = "infinite loop detected", .older = -1,
	  .ended = true,
	  .why = "the kernel takes a loop that ends for one without end" },
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
	for (;;) {
		for (start = end; start > log && start[-1] != '\n';)
			start--;
		/* States that look alike, after what is said of them. */
		if (start == log ||
		    (strncmp(start, "cur state:", 10) && strncmp(start, "old state:", 10)))
			break;
		end = start - 1;
	}
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

static void explain(struct judgement *j, const struct lab_result *here, uint32_t type)
{
	int64_t at = j->verdict == LOOSE ? refused_at(random_kernel_log) : -1;
	bool unreached = at >= 0 && at < RANDOM_SLOTS && !here->reached[at];

	for (size_t i = 0; i < ARRAY_SIZE(explanations); i++) {
		const struct explanation *row = &explanations[i];

		if (row->verdict != j->verdict || !strstr(j->text, row->message) ||
		    (row->older >= 0 && !older[row->older]) || (row->unreached && !unreached) ||
		    (row->type && row->type != type) ||
		    (row->ended && (!here->runs || here->done < here->runs)))
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
	explain(j, here, program->type);
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

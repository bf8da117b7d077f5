/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_pid.c - the seccomp filters of a running process, as the kernel hands them out.
 *
 * The thread is stopped for that, and goes on afterwards. Filters stand one upon the other, all are run
 * on each call from the newest to the oldest, and the strictest answer counts.
 */
#include "cli/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define STACK_MAX 1024u /* filters upon one another; the kernel allows 32768 instructions in all */

/* By linux/ptrace.h; glibc's header and the kernel's cannot both be included. */
struct metadata {
	uint64_t filter, flags;
};

static bool fail(struct skep_diag *diag, uint64_t pid, const char *doing, int error, const char *help)
{
	skep_report(diag, SKEP_SECCOMP_PROCESS, NULL, "cannot %s process %llu: %s", doing, (unsigned long long)pid,
		    error == ENOSYS ? "this kernel does not hand them out" : strerror(error));
	if (help)
		skep_help(diag, "%s", help);
	return false;
}

static const char *help_for(int error)
{
	switch (error) {
	case EACCES:
		return "the kernel wants CAP_SYS_ADMIN for that, and that the reading process has no seccomp filter itself: "
		       "run as root, outside of containers";
	case EPERM:
		return "it may be another user's, or be traced by another process (a debugger, strace); or "
		       "/proc/sys/kernel/yama/ptrace_scope forbids it";
	case ESRCH:
		return "there is no such process";
	default:
		return NULL;
	}
}

static const char *name_flags(uint64_t flags, char *text, size_t size)
{
	static const struct { uint64_t flag; const char *name; } names[] = {
		{ 1, "tsync" }, { 2, "log" }, { 4, "spec-allow" }, { 8, "new-listener" }, { 16, "tsync-esrch" },
		{ 32, "wait-killable" },
	};
	size_t at = 0;

	snprintf(text, size, "%s", flags ? "" : "no flags");
	for (size_t i = 0; i < COUNT(names) && at < size; i++) {
		if (flags & names[i].flag)
			at += (size_t)snprintf(text + at, size - at, "%s%s", at ? ", " : "", names[i].name);
		flags &= ~names[i].flag;
	}
	if (flags && at < size)
		snprintf(text + at, size - at, "%s%#llx", at ? ", " : "", (unsigned long long)flags);
	return text;
}

/* 1: the filter at index, from the oldest on; 0: there is none; negative errno. */
static int read_filter(pid_t pid, size_t index, struct seccomp_filter *filter)
{
	struct metadata metadata = { .filter = index };
	long count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, NULL);

	if (count < 0)
		return errno == ENOENT || (errno == EINVAL && index == 0) ? 0 : -(errno == EIO ? ENOSYS : errno);
	filter->code.insns = calloc((size_t)count + 1, sizeof(*filter->code.insns));
	if (!filter->code.insns)
		return -ENOMEM;
	filter->code.count = (size_t)count;
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, filter->code.insns) != count)
		return -errno;
	snprintf(filter->flags, sizeof(filter->flags), "flags not told");
	if (ptrace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(metadata), &metadata) > 0)
		name_flags(metadata.flags, filter->flags, sizeof(filter->flags));
	return 1;
}

/* The kernel counts them from the oldest on. */
static void turn_round(struct seccomp_stack *stack)
{
	for (size_t i = 0, j = stack->count; i + 1 < j; i++) {
		struct seccomp_filter swap = stack->filters[i];

		stack->filters[i] = stack->filters[--j];
		stack->filters[j] = swap;
	}
}

static int read_all(pid_t pid, struct seccomp_stack *stack)
{
	int got = 1;

	while (got > 0 && stack->count < STACK_MAX) {
		struct seccomp_filter *more = realloc(stack->filters, (stack->count + 1) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		stack->filters = more;
		more[stack->count] = (struct seccomp_filter){ 0 };
		got = read_filter(pid, stack->count, &more[stack->count]);
		if (got > 0)
			stack->count++;
		else
			free(more[stack->count].code.insns);
	}
	return got;
}

/* Stopped without a signal that it could see. */
static int stop(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 || waitpid(pid, &status, __WALL) != pid)
		return -errno;
	return WIFSTOPPED(status) ? 0 : -ESRCH;
}

bool seccomp_of_process(uint64_t number, struct seccomp_stack *stack, struct skep_diag *diag)
{
	pid_t pid = (pid_t)number;
	int error;

	*stack = (struct seccomp_stack){ 0 };
	if (number == 0 || number > INT32_MAX)
		return skep_report(diag, SKEP_ARG, NULL, "%llu is not the number of a process",
				   (unsigned long long)number) == 0;
	error = stop(pid);
	if (error < 0)
		return fail(diag, number, "stop", -error, help_for(-error));
	error = read_all(pid, stack);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	turn_round(stack);
	if (error < 0) {
		seccomp_stack_done(stack);
		return fail(diag, number, "read the filters of", -error, help_for(-error));
	}
	return true;
}

void seccomp_stack_done(struct seccomp_stack *stack)
{
	for (size_t i = 0; i < stack->count; i++)
		free(stack->filters[i].code.insns);
	free(stack->filters);
	*stack = (struct seccomp_stack){ 0 };
}

/* The actions in the order of their strictness are numbers, with the sign, in order. */
uint32_t seccomp_decide(const struct seccomp_stack *stack, const struct skep_cbpf_call *call)
{
	uint32_t strictest = SECCOMP_RET_ALLOW;

	for (size_t i = 0; i < stack->count; i++) {
		uint32_t action = skep_cbpf_run_call(stack->filters[i].code.insns, stack->filters[i].code.count, call);

		if ((int32_t)(action & SECCOMP_RET_ACTION_FULL) < (int32_t)(strictest & SECCOMP_RET_ACTION_FULL))
			strictest = action;
	}
	return strictest;
}

void seccomp_stack_head(const struct seccomp_stack *stack, size_t index, FILE *out)
{
	const struct seccomp_filter *filter = &stack->filters[index];

	fprintf(out, "%sfilter %zu of %zu%s, %zu instructions, %s:%s\n", colour(out, COLOUR_BOLD), index + 1,
		stack->count, stack->count > 1 && index == 0 ? " (the newest)" : "", filter->code.count, filter->flags,
		colour(out, COLOUR_NONE));
}

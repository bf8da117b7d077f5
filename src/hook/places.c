/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places.c - the places that sections about system calls and processes name.
 *
 * A system call has two names: the one user space calls it by and the one of its
 * function, from which its tracepoints are named too (sys_enter_newstat is stat's).
 */
#include <fnmatch.h>
#include <stdio.h>

#include "hook/attach.h"
#include "hook/context.h"

static const struct call_row {
	uint32_t nr;
	const char *name, *function;
	uint32_t args;
} calls[] = {
#define SYSCALL(nr, name, function, args) { nr, #name, #function, args },
#include "hook/syscalls.def"
};

static const char function_prefix[] = "__x64_sys_";

enum { WORD = 8, REGS = sizeof(struct target_regs), SAMPLE_HZ_MAX = 10000 };

static const struct call_row *call_by_function(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (strcmp(calls[i].function, name) == 0)
			return &calls[i];
	return NULL;
}

/* Reports that there is no such call; by its other name there may be. */
static int no_call(const struct attaching *a, const char *name)
{
	skep_report(a->diag, SKEP_ATTACH_CALL, &a->where, "no system call of x86-64 has the "
		    "function __x64_sys_%s", name);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			skep_help(a->diag, "%s is called %s here", name, calls[i].function);
	return -SKEP_ATTACH_CALL_ERRNO;
}

static int no_place(const struct attaching *a, const char *why)
{
	return skep_fail(a->diag, SKEP_ATTACH_PLACE, &a->where, "'%s': %s",
			 a->where.section ? a->where.section : a->target, why);
}

static int attach_call(struct attaching *a, const struct call_row *call, struct place place,
		       uint32_t stage)
{
	place.slot = &a->board->call[call->nr][stage];
	return attach_to(a, place);
}

/* --- tracepoints --- */

/* What all processes share: group and name of the tracepoint, its record, its arguments. */
static const struct {
	const char *group, *name;
	enum board_event event;
	uint32_t record, args;   /* bytes; count */
} events[] = {
	{ "raw_syscalls", "sys_enter", EVENT_SYS_ENTER, CALL_ENTER_SIZE, 2 },
	{ "raw_syscalls", "sys_exit", EVENT_SYS_EXIT, CALL_EXIT_SIZE, 2 },
	{ "sched", "sched_process_exec", EVENT_EXEC, EXEC_SIZE, 3 },
	{ "sched", "sched_process_fork", EVENT_FORK, FORK_SIZE, 2 },
	{ "sched", "sched_process_exit", EVENT_EXIT, EXIT_SIZE, 2 },
	{ "signal", "signal_generate", EVENT_SIGNAL, SIGNAL_SIZE, 5 },
};

/* Of one without arguments there is the number, in 4 bytes, and nothing behind it. */
static uint32_t enter_size(const struct call_row *call)
{
	return call->args ? 16 + call->args * WORD : 12;
}

/* "syscalls/sys_enter_openat" */
static int find_call_tracepoint(struct attaching *a, const char *name)
{
	bool enters = strncmp(name, "sys_enter_", 10) == 0;
	const struct call_row *call;

	if (!enters && strncmp(name, "sys_exit_", 9) != 0)
		return no_place(a, "tracepoints of system calls are sys_enter_NAME and sys_exit_NAME");
	name += enters ? 10 : 9;
	call = call_by_function(name);
	if (!call)
		return no_call(a, name);
	return attach_call(a, call,
			   (struct place){ .form = FORM_RECORD,
					   .room = enters ? enter_size(call) : CALL_EXIT_SIZE },
			   enters ? CALL_TRACE_ENTER : CALL_TRACE_EXIT);
}

int find_tracepoint(struct attaching *a, const struct attach_row *row)
{
	const char *slash = strchr(a->target, '/');

	(void)row;
	if (!slash)
		return no_place(a, "a tracepoint is named as GROUP/NAME");
	if (strncmp(a->target, "syscalls/", 9) == 0)
		return find_call_tracepoint(a, slash + 1);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (strncmp(events[i].group, a->target, (size_t)(slash - a->target)) == 0 &&
		    strcmp(events[i].name, slash + 1) == 0)
			return attach_to(a, (struct place){ .slot = &a->board->event[events[i].event],
							    .form = FORM_RECORD,
							    .room = events[i].record });
	return no_place(a, "targets have no such tracepoint");
}

int find_raw(struct attaching *a, const struct attach_row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (strcmp(events[i].name, a->target) == 0)
			return attach_to(a, (struct place){ .slot = &a->board->event[events[i].event],
							    .form = row->form,
							    .room = events[i].args * WORD });
	return no_place(a, "targets have no such tracepoint");
}

/* --- functions --- */

static uint32_t function_room(uint32_t form, bool leaving)
{
	return form == FORM_KPROBE ? REGS : leaving ? 2 * WORD : WORD;
}

static struct place function_place(const struct attach_row *row)
{
	return (struct place){ .form = row->form, .modifies = row->modifies,
			       .room = function_room(row->form, row->stage == CALL_EXIT) };
}

/* "openat" */
int find_call(struct attaching *a, const struct attach_row *row)
{
	const struct call_row *call = call_by_function(a->target);

	return call ? attach_call(a, call, function_place(row), row->stage) : no_call(a, a->target);
}

/* "__x64_sys_openat" */
int find_function(struct attaching *a, const struct attach_row *row)
{
	const char *name = a->target + sizeof(function_prefix) - 1;
	const struct call_row *call;

	if (strncmp(a->target, function_prefix, sizeof(function_prefix) - 1) != 0)
		return no_place(a, "targets have no kernel functions but those of system calls, "
				   "__x64_sys_NAME");
	if (strchr(name, '+'))
		return no_place(a, "only the start of a kernel function can be probed");
	call = call_by_function(name);
	return call ? attach_call(a, call, function_place(row), row->stage) : no_call(a, name);
}

/* "__x64_sys_*": every function that matches. */
int find_pattern(struct attaching *a, const struct attach_row *row)
{
	char function[64];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		snprintf(function, sizeof(function), "%s%s", function_prefix, calls[i].function);
		if (fnmatch(a->target, function, 0) == 0 &&
		    attach_call(a, &calls[i], function_place(row), row->stage) < 0)
			return -ENOMEM;
	}
	return a->places.count ? 0 : no_place(a, "no function of a system call matches");
}

/* --- samples --- */

int find_sample(struct attaching *a, const struct attach_row *row)
{
	uint64_t ns = 1000000000u / (a->sample_hz ? a->sample_hz : 1);

	(void)row;
	if (a->sample_hz > SAMPLE_HZ_MAX)
		return skep_fail(a->diag, SKEP_ARG, &a->where, "%u samples a second are too many: at "
				 "most %u", a->sample_hz, SAMPLE_HZ_MAX);
	if (a->board->event[EVENT_SAMPLE] && a->board->sample_ns != ns)
		return skep_fail(a->diag, SKEP_ARG, &a->where, "threads of this machine's targets are "
				 "sampled already, %u times a second",
				 (unsigned)(1000000000u / a->board->sample_ns));
	a->board->sample_ns = ns;
	return attach_to(a, (struct place){ .slot = &a->board->event[EVENT_SAMPLE],
					    .form = FORM_RECORD, .room = SAMPLE_SIZE });
}

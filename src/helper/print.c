/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print.c - formatted text. [runtime]
 *
 * format.c does the formatting.
 */
#include "helper/list.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "helper/clock.h"
#include "helper/format.h"
#include "helper/task.h"
#include "map/sys.h"
#include "helper/trace.h"

/* One record of the trace ring; nothing where there is no ring or it is full. */
static void trace_write(struct vm *vm, const char *text, uint32_t size)
{
	struct trace_line *line;

	if (!vm->world || !vm->world->trace)
		return;
	line = ringbuf_reserve(vm->world->trace, sizeof(*line) + size, vm->cpu);
	if (!line)
		return;
	*line = (struct trace_line){ .time_ns = clock_ns(CLOCK_MONOTONIC), .cpu = vm->cpu->id };
	line->pid = task_pid(vm->task);
	line->tid = task_tid(vm->task);
	sys_call4(SYS_prctl, PR_GET_NAME, (uintptr_t)line->comm, 0, 0);
	line->size = size;
	memcpy(line->text, text, size);
	ringbuf_submit(line, 0, false);
}

static uint64_t trace_print(struct vm *vm, const char *fmt, uint32_t size, const uint64_t *values,
			    uint32_t count)
{
	struct format format;
	char text[FORMAT_LINE];
	size_t length;
	int error = format_take(&format, fmt, size, values, count);

	if (error < 0)
		return (uint64_t)(int64_t)error;
	length = format_put(&format, fmt, text, sizeof(text));
	trace_write(vm, text, (uint32_t)(length < sizeof(text) ? length : sizeof(text) - 1));
	return length;
}

/* Is a block of values one that Linux takes? */
static bool values_valid(uint64_t values, uint32_t size)
{
	return !(size & 7) && size <= FORMAT_VALUES * 8 && (!size || values);
}

static uint64_t trace_printk(struct vm *vm, const uint64_t arg[5])
{
	return trace_print(vm, (const char *)(uintptr_t)arg[0], (uint32_t)arg[1], arg + 2, 3);
}

const struct helper helper_trace_printk = {
	.id = 6,
	.name = "trace_printk",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_trace_printk(const char *fmt, u32 fmt_size, ...)",
	.doc = "Formats a line with up to three numbers and writes it to the trace log.",
	.types = TYPES_ALL,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE } },
	.call = trace_printk,
};

static uint64_t trace_vprintk(struct vm *vm, const uint64_t arg[5])
{
	if (!values_valid(arg[2], (uint32_t)arg[3]))
		return (uint64_t)-EINVAL;
	return trace_print(vm, (const char *)(uintptr_t)arg[0], (uint32_t)arg[1],
			   (const uint64_t *)(uintptr_t)arg[2], (uint32_t)arg[3] / 8);
}

const struct helper helper_trace_vprintk = {
	.id = 177,
	.name = "trace_vprintk",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_trace_vprintk(const char *fmt, u32 fmt_size, const "
	             "void *data, u32 data_len)",
	.doc = "Formats a line with any number of values and writes it to the trace log.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
	.call = trace_vprintk,
};

/* The verifier has proved the format terminated. Counts the NUL, as Linux does. */
static uint64_t print_snprintf(struct vm *vm, const uint64_t arg[5])
{
	const char *fmt = (const char *)(uintptr_t)arg[2];
	struct format format;
	int error;

	(void)vm;
	if (!values_valid(arg[3], (uint32_t)arg[4]))
		return (uint64_t)-EINVAL;
	error = format_take(&format, fmt, SIZE_MAX, (const uint64_t *)(uintptr_t)arg[3],
			    (uint32_t)arg[4] / 8);
	if (error < 0)
		return (uint64_t)(int64_t)error;
	return format_put(&format, fmt, (char *)(uintptr_t)arg[0], (uint32_t)arg[1]) + 1;
}

const struct helper helper_snprintf = {
	.id = 165,
	.name = "snprintf",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_snprintf(char *str, u32 str_size, const char *fmt, "
	             "u64 *data, u32 data_len)",
	.doc = "Formats text into a buffer.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_WRITE },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_PTR_TO_CONST_STR },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
	.call = print_snprintf,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c - calling a function again and again. [runtime]
 */
#include "helper/list.h"

#include <errno.h>

enum { LOOP_MAX = 8 * 1024 * 1024 };

/* The number of calls made. */
static uint64_t loop(struct vm *vm, const uint64_t arg[5])
{
	uint32_t count = (uint32_t)arg[0];

	if (arg[3])
		return (uint64_t)-EINVAL;
	if (count > LOOP_MAX)
		return (uint64_t)-E2BIG;
	for (uint32_t i = 0; i < count; i++)
		if (vm->callback(vm, arg[1], i, arg[2], 0, 0, 0))
			return i + 1;
	return count;
}

const struct helper helper_loop = {
	.id = 181,
	.name = "loop",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_loop(u32 nr_loops, void *callback_fn, void "
	             "*callback_ctx, u64 flags)",
	.doc = "Calls a function a number of times, or until it returns 1.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_SCALAR },
		{ ARG_PTR_TO_FUNC },
		{ ARG_PTR_TO_STACK, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
	.call = loop,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c - calling a function again and again. [runtime]
 */
#include "helper/list.h"

const struct helper helper_loop = {
	.id = 181,
	.name = "loop",
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
};

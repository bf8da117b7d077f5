/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tail_call.c - going on in another program. [runtime]
 */
#include "helper/list.h"

const struct helper helper_tail_call = {
	.id = 12,
	.name = "tail_call",
	.prototype = "long bpf_tail_call(void *ctx, struct bpf_map *prog_array_map, u32 index)",
	.doc = "Continues in another program, from a slot of a program array, "
	       "without coming back.",
	.types = TYPES_ALL,
	.changes_packet = true,
	.by_engine = true,
	.ret = { RET_VOID },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ringbuf.c - ring buffers. [runtime]
 */
#include "helper/list.h"

const struct helper helper_ringbuf_output = {
	.id = 130,
	.name = "ringbuf_output",
	.prototype = "long bpf_ringbuf_output(void *ringbuf, void *data, u64 size, u64 flags)",
	.doc = "Copies a record into a ring buffer.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_ringbuf_reserve = {
	.id = 131,
	.name = "ringbuf_reserve",
	.prototype = "void *bpf_ringbuf_reserve(void *ringbuf, u64 size, u64 flags)",
	.doc = "Reserves a record in a ring buffer.",
	.types = TYPES_BASE,
	.acquires = true,
	.ret = { RET_PTR_TO_RINGBUF_MEM, .maybe_null = true },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_CONST_ALLOC_SIZE_OR_ZERO }, { ARG_ANYTHING } },
};

const struct helper helper_ringbuf_submit = {
	.id = 132,
	.name = "ringbuf_submit",
	.prototype = "void bpf_ringbuf_submit(void *data, u64 flags)",
	.doc = "Hands a reserved record to the ring buffer's reader.",
	.types = TYPES_BASE,
	.releases = true,
	.ret = { RET_VOID },
	.arg = { { ARG_RINGBUF_MEM, ARG_RELEASE }, { ARG_ANYTHING } },
};

const struct helper helper_ringbuf_discard = {
	.id = 133,
	.name = "ringbuf_discard",
	.prototype = "void bpf_ringbuf_discard(void *data, u64 flags)",
	.doc = "Gives a reserved record up; the reader skips it.",
	.types = TYPES_BASE,
	.releases = true,
	.ret = { RET_VOID },
	.arg = { { ARG_RINGBUF_MEM, ARG_RELEASE }, { ARG_ANYTHING } },
};

const struct helper helper_ringbuf_query = {
	.id = 134,
	.name = "ringbuf_query",
	.prototype = "u64 bpf_ringbuf_query(void *ringbuf, u64 flags)",
	.doc = "Returns a ring buffer's fill, size or positions.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
};

const struct helper helper_ringbuf_reserve_dynptr = {
	.id = 198,
	.name = "ringbuf_reserve_dynptr",
	.prototype = "long bpf_ringbuf_reserve_dynptr(void *ringbuf, u32 size, u64 "
	             "flags, struct bpf_dynptr *ptr)",
	.doc = "Reserves a record of any size in a ring buffer, behind a dynptr.",
	.types = TYPES_BASE,
	.acquires = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_PTR_TO_DYNPTR, ARG_DYNPTR_RINGBUF | ARG_UNINIT },
	},
};

const struct helper helper_ringbuf_submit_dynptr = {
	.id = 199,
	.name = "ringbuf_submit_dynptr",
	.prototype = "void bpf_ringbuf_submit_dynptr(struct bpf_dynptr *ptr, u64 flags)",
	.doc = "Hands a dynptr's record to the ring buffer's reader.",
	.types = TYPES_BASE,
	.releases = true,
	.ret = { RET_VOID },
	.arg = { { ARG_PTR_TO_DYNPTR, ARG_DYNPTR_RINGBUF | ARG_RELEASE }, { ARG_ANYTHING } },
};

const struct helper helper_ringbuf_discard_dynptr = {
	.id = 200,
	.name = "ringbuf_discard_dynptr",
	.prototype = "void bpf_ringbuf_discard_dynptr(struct bpf_dynptr *ptr, u64 flags)",
	.doc = "Gives a dynptr's record up; the reader skips it.",
	.types = TYPES_BASE,
	.releases = true,
	.ret = { RET_VOID },
	.arg = { { ARG_PTR_TO_DYNPTR, ARG_DYNPTR_RINGBUF | ARG_RELEASE }, { ARG_ANYTHING } },
};

const struct helper helper_user_ringbuf_drain = {
	.id = 209,
	.name = "user_ringbuf_drain",
	.prototype = "long bpf_user_ringbuf_drain(struct bpf_map *map, void "
	             "*callback_fn, void *ctx, u64 flags)",
	.doc = "Calls a function for each record user space put in a user ring buffer.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_FUNC },
		{ ARG_PTR_TO_STACK, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
};

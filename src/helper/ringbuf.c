/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ringbuf.c - ring buffers. [runtime]
 */
#include "helper/list.h"

#include <errno.h>

#include "helper/dynptr.h"

static struct map *map_arg(uint64_t arg) { return (struct map *)(uintptr_t)arg; }

/* Records whose size is above what fits in a record's header. */
enum { RECORD_MAX = 0x3fffffff };

static uint64_t ring_output(struct vm *vm, const uint64_t arg[5])
{
	return (uint64_t)ringbuf_output(map_arg(arg[0]), (const void *)(uintptr_t)arg[1], arg[2],
					arg[3], vm->cpu);
}

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
	.call = ring_output,
};

static uint64_t ring_reserve(struct vm *vm, const uint64_t arg[5])
{
	if (arg[2] || arg[1] > RECORD_MAX)
		return 0;
	return (uintptr_t)ringbuf_reserve(map_arg(arg[0]), arg[1], vm->cpu);
}

const struct helper helper_ringbuf_reserve = {
	.id = 131,
	.name = "ringbuf_reserve",
	.prototype = "void *bpf_ringbuf_reserve(void *ringbuf, u64 size, u64 flags)",
	.doc = "Reserves a record in a ring buffer.",
	.types = TYPES_BASE,
	.acquires = true,
	.ret = { RET_PTR_TO_RINGBUF_MEM, .maybe_null = true },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_CONST_ALLOC_SIZE_OR_ZERO }, { ARG_ANYTHING } },
	.call = ring_reserve,
};

static uint64_t ring_submit(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	ringbuf_submit((void *)(uintptr_t)arg[0], arg[1], false);
	return 0;
}

const struct helper helper_ringbuf_submit = {
	.id = 132,
	.name = "ringbuf_submit",
	.prototype = "void bpf_ringbuf_submit(void *data, u64 flags)",
	.doc = "Hands a reserved record to the ring buffer's reader.",
	.types = TYPES_BASE,
	.releases = true,
	.ret = { RET_VOID },
	.arg = { { ARG_RINGBUF_MEM, ARG_RELEASE }, { ARG_ANYTHING } },
	.call = ring_submit,
};

static uint64_t ring_discard(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	ringbuf_submit((void *)(uintptr_t)arg[0], arg[1], true);
	return 0;
}

const struct helper helper_ringbuf_discard = {
	.id = 133,
	.name = "ringbuf_discard",
	.prototype = "void bpf_ringbuf_discard(void *data, u64 flags)",
	.doc = "Gives a reserved record up; the reader skips it.",
	.types = TYPES_BASE,
	.releases = true,
	.ret = { RET_VOID },
	.arg = { { ARG_RINGBUF_MEM, ARG_RELEASE }, { ARG_ANYTHING } },
	.call = ring_discard,
};

static uint64_t ring_query(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	return ringbuf_query(map_arg(arg[0]), arg[1]);
}

const struct helper helper_ringbuf_query = {
	.id = 134,
	.name = "ringbuf_query",
	.prototype = "u64 bpf_ringbuf_query(void *ringbuf, u64 flags)",
	.doc = "Returns a ring buffer's fill, size or positions.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
	.call = ring_query,
};

/* A program must submit or discard the dynptr even where there was no room. */
static uint64_t ringbuf_reserve_dynptr(struct vm *vm, const uint64_t arg[5])
{
	struct dynptr *ptr = (struct dynptr *)(uintptr_t)arg[3];
	uint32_t size = (uint32_t)arg[1];
	void *record;

	dynptr_set_null(ptr);
	if (arg[2])
		return (uint64_t)-EINVAL;
	if (size > DYNPTR_SIZE_MAX)
		return (uint64_t)-E2BIG;
	record = ringbuf_reserve(map_arg(arg[0]), size, vm->cpu);
	if (!record)
		return (uint64_t)-EINVAL;
	dynptr_set(ptr, record, DYNPTR_RINGBUF, size);
	return 0;
}

const struct helper helper_ringbuf_reserve_dynptr = {
	.id = 198,
	.name = "ringbuf_reserve_dynptr",
	.needs = NEEDS_BPF,
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
	.call = ringbuf_reserve_dynptr,
};

static uint64_t ringbuf_submit_dynptr(struct vm *vm, const uint64_t arg[5])
{
	struct dynptr *ptr = (struct dynptr *)(uintptr_t)arg[0];

	(void)vm;
	if (ptr->data)
		ringbuf_submit(ptr->data, arg[1], false);
	dynptr_set_null(ptr);
	return 0;
}

const struct helper helper_ringbuf_submit_dynptr = {
	.id = 199,
	.name = "ringbuf_submit_dynptr",
	.needs = NEEDS_BPF,
	.prototype = "void bpf_ringbuf_submit_dynptr(struct bpf_dynptr *ptr, u64 flags)",
	.doc = "Hands a dynptr's record to the ring buffer's reader.",
	.types = TYPES_BASE,
	.releases = true,
	.ret = { RET_VOID },
	.arg = { { ARG_PTR_TO_DYNPTR, ARG_DYNPTR_RINGBUF | ARG_RELEASE }, { ARG_ANYTHING } },
	.call = ringbuf_submit_dynptr,
};

static uint64_t ringbuf_discard_dynptr(struct vm *vm, const uint64_t arg[5])
{
	struct dynptr *ptr = (struct dynptr *)(uintptr_t)arg[0];

	(void)vm;
	if (ptr->data)
		ringbuf_submit(ptr->data, arg[1], true);
	dynptr_set_null(ptr);
	return 0;
}

const struct helper helper_ringbuf_discard_dynptr = {
	.id = 200,
	.name = "ringbuf_discard_dynptr",
	.needs = NEEDS_BPF,
	.prototype = "void bpf_ringbuf_discard_dynptr(struct bpf_dynptr *ptr, u64 flags)",
	.doc = "Gives a dynptr's record up; the reader skips it.",
	.types = TYPES_BASE,
	.releases = true,
	.ret = { RET_VOID },
	.arg = { { ARG_PTR_TO_DYNPTR, ARG_DYNPTR_RINGBUF | ARG_RELEASE }, { ARG_ANYTHING } },
	.call = ringbuf_discard_dynptr,
};

const struct helper helper_user_ringbuf_drain = {
	.id = 209,
	.name = "user_ringbuf_drain",
	.needs = NEEDS_BPF,
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

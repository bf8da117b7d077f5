/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dynptr.c - dynptrs: memory with its bounds, checked when used. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <string.h>

#include "helper/dynptr.h"

static uint64_t dynptr_from_mem(struct vm *vm, const uint64_t arg[5])
{
	struct dynptr *ptr = (struct dynptr *)(uintptr_t)arg[3];

	(void)vm;
	dynptr_set_null(ptr);
	if (arg[1] > DYNPTR_SIZE_MAX)
		return (uint64_t)-E2BIG;
	if (arg[2])
		return (uint64_t)-EINVAL;
	dynptr_set(ptr, (void *)(uintptr_t)arg[0], DYNPTR_LOCAL, (uint32_t)arg[1]);
	return 0;
}

const struct helper helper_dynptr_from_mem = {
	.id = 197,
	.name = "dynptr_from_mem",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_dynptr_from_mem(void *data, u64 size, u64 flags, "
	             "struct bpf_dynptr *ptr)",
	.doc = "Makes a dynptr over a piece of memory.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
		{ ARG_PTR_TO_DYNPTR, ARG_DYNPTR_LOCAL | ARG_UNINIT },
	},
	.call = dynptr_from_mem,
};

static uint64_t dynptr_read(struct vm *vm, const uint64_t arg[5])
{
	const struct dynptr *ptr = (const struct dynptr *)(uintptr_t)arg[2];

	(void)vm;
	if (!ptr->data || arg[4])
		return (uint64_t)-EINVAL;
	if (!dynptr_holds(ptr, arg[3], arg[1]))
		return (uint64_t)-E2BIG;
	/* The source may lie in the buffer: both can be one map value. */
	memmove((void *)(uintptr_t)arg[0], ptr->data + ptr->offset + arg[3], arg[1]);
	return 0;
}

const struct helper helper_dynptr_read = {
	.id = 201,
	.name = "dynptr_read",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_dynptr_read(void *dst, u64 len, const struct "
	             "bpf_dynptr *src, u64 offset, u64 flags)",
	.doc = "Copies bytes out of what a dynptr stands for.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_PTR_TO_DYNPTR },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
	.call = dynptr_read,
};

static uint64_t dynptr_write(struct vm *vm, const uint64_t arg[5])
{
	const struct dynptr *ptr = (const struct dynptr *)(uintptr_t)arg[0];

	(void)vm;
	if (!ptr->data || ptr->size_kind & DYNPTR_RDONLY || arg[4])
		return (uint64_t)-EINVAL;
	if (!dynptr_holds(ptr, arg[1], arg[3]))
		return (uint64_t)-E2BIG;
	memmove(ptr->data + ptr->offset + arg[1], (const void *)(uintptr_t)arg[2], arg[3]);
	return 0;
}

const struct helper helper_dynptr_write = {
	.id = 202,
	.name = "dynptr_write",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_dynptr_write(const struct bpf_dynptr *dst, u64 "
	             "offset, void *src, u64 len, u64 flags)",
	.doc = "Copies bytes into what a dynptr stands for.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_DYNPTR },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
	.call = dynptr_write,
};

static uint64_t dynptr_data(struct vm *vm, const uint64_t arg[5])
{
	const struct dynptr *ptr = (const struct dynptr *)(uintptr_t)arg[0];

	(void)vm;
	if (!ptr->data || ptr->size_kind & DYNPTR_RDONLY || !dynptr_holds(ptr, arg[1], arg[2]))
		return 0;
	return (uintptr_t)(ptr->data + ptr->offset + arg[1]);
}

const struct helper helper_dynptr_data = {
	.id = 203,
	.name = "dynptr_data",
	.needs = NEEDS_BPF,
	.prototype = "void *bpf_dynptr_data(const struct bpf_dynptr *ptr, u64 offset, u64 len)",
	.doc = "Returns the address of a piece of what a dynptr stands for, or NULL.",
	.types = TYPES_BASE,
	.ret = { RET_PTR_TO_DYNPTR_MEM, .maybe_null = true },
	.arg = { { ARG_PTR_TO_DYNPTR }, { ARG_ANYTHING }, { ARG_CONST_ALLOC_SIZE_OR_ZERO } },
	.call = dynptr_data,
};

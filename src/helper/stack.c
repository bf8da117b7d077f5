/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack.c - call stacks. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "helper/task.h"
#include "helper/unwind.h"

enum { STACK_FRAMES = 127 };

static uint64_t get_stackid(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = (struct map *)(uintptr_t)arg[1];
	uint64_t ips[STACK_FRAMES + 256], flags = arg[2];
	uint32_t skip = flags & BPF_F_SKIP_FIELD_MASK, count;

	if (flags & ~(BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP |
		      BPF_F_REUSE_STACKID))
		return (uint64_t)-EINVAL;
	if (!(flags & BPF_F_USER_STACK))
		return (uint64_t)-EFAULT;
	count = unwind_walk(vm->regs, ips, skip + STACK_FRAMES);
	if (count <= skip)
		return (uint64_t)-EFAULT;
	return (uint64_t)stack_trace_put(map, ips + skip, count - skip, flags);
}

const struct helper helper_get_stackid = {
	.id = 27,
	.name = "get_stackid",
	.prototype = "long bpf_get_stackid(void *ctx, struct bpf_map *map, u64 flags)",
	.doc = "Walks the stack, stores it in a stack trace map and returns its id.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
	.call = get_stackid,
};

/*
 * Everything lives in user space here: a program that asks for the kernel's
 * stack gets what a user task without one would, -EFAULT.
 */
static uint64_t get_stack(struct vm *vm, const uint64_t arg[5])
{
	uint64_t ips[STACK_FRAMES + 256], flags = arg[3];
	uint32_t size = (uint32_t)arg[2], skip = flags & BPF_F_SKIP_FIELD_MASK, count, want;
	uint8_t *to = (uint8_t *)(uintptr_t)arg[1];
	int64_t error = -EINVAL;

	if (flags & ~(BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_USER_BUILD_ID) || size % 8)
		goto fail;
	error = flags & BPF_F_USER_BUILD_ID ? -EOPNOTSUPP : -EFAULT;
	if (flags & BPF_F_USER_BUILD_ID && !(flags & BPF_F_USER_STACK))
		error = -EINVAL;
	if (error != -EFAULT || !(flags & BPF_F_USER_STACK) || !vm->regs)
		goto fail;
	want = size / 8 < STACK_FRAMES ? size / 8 : STACK_FRAMES;
	count = unwind_walk(vm->regs, ips, skip + want);
	if (count < skip)
		goto fail;
	count -= skip;
	memcpy(to, ips + skip, count * 8u);
	memset(to + count * 8u, 0, size - count * 8u);
	return count * 8u;
fail:
	memset(to, 0, size);
	return (uint64_t)error;
}

const struct helper helper_get_stack = {
	.id = 67,
	.name = "get_stack",
	.prototype = "long bpf_get_stack(void *ctx, void *buf, u32 size, u64 flags)",
	.doc = "Copies the stack's return addresses into a buffer.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
	.call = get_stack,
};

/* Another's is not walked: it runs on. */
static uint64_t get_task_stack(struct vm *vm, const uint64_t arg[5])
{
	if (arg[0] == (uintptr_t)task_current(vm->world->tasks, vm->task, vm->cpu))
		return get_stack(vm, arg);
	memset((void *)(uintptr_t)arg[1], 0, (uint32_t)arg[2]);
	return (uint64_t)-EOPNOTSUPP;
}

const struct helper helper_get_task_stack = {
	.id = 141,
	.name = "get_task_stack",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_get_task_stack(struct task_struct *task, void *buf, "
	             "u32 size, u64 flags)",
	.doc = "Copies the return addresses on a task's stack into a buffer.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "task_struct" },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
	.call = get_task_stack,
};
